// The main thread of a test server: runs delayed actions, and ends on SIGTERM.
#pragma once

#include <chrono>
#include <csignal>
#include <ctime>
#include <functional>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

/// Create it before any other thread, so that all of them leave SIGTERM to `run`. Threading: `add` from any thread.
class Later {
 public:
  Later() {
    sigemptyset(&term_);
    sigaddset(&term_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term_, nullptr);
  }

  void add(std::chrono::milliseconds delay, std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.emplace(std::chrono::steady_clock::now() + delay, std::move(task));
  }

  /// Runs until SIGTERM.
  void run() {
    constexpr timespec millisecond{0, 1'000'000};
    while (sigtimedwait(&term_, nullptr, &millisecond) != SIGTERM) {
      for (const auto& task : due()) task();
    }
  }

 private:
  std::vector<std::function<void()>> due() {
    std::vector<std::function<void()>> tasks;
    const std::lock_guard lock(mutex_);
    const auto end = tasks_.upper_bound(std::chrono::steady_clock::now());
    for (auto entry = tasks_.begin(); entry != end; ++entry) tasks.push_back(std::move(entry->second));
    tasks_.erase(tasks_.begin(), end);
    return tasks;
  }

  sigset_t term_{};
  std::mutex mutex_;
  std::multimap<std::chrono::steady_clock::time_point, std::function<void()>> tasks_;
};
