// A thread for work that would block an event loop for too long.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace flux::core {

/// Runs tasks one after another. The thread starts with the first task.
/// Threading: any thread, including its own. The destructor drops tasks that have not begun.
class SideThread {
 public:
  using Task = std::function<void()>;

  SideThread() : state_(std::make_shared<State>()) {}
  SideThread(const SideThread&) = delete;
  SideThread& operator=(const SideThread&) = delete;
  ~SideThread() {
    {
      const std::lock_guard lock(state_->mutex);
      state_->ended = true;
    }
    state_->wake.notify_one();
    if (!thread_.joinable()) return;
    if (thread_.get_id() == std::this_thread::get_id()) {
      thread_.detach();  // a task released the last owner of this object
    } else {
      thread_.join();
    }
  }

  /// Queues `task`. If no thread can be started, runs it at once.
  void run(Task task) {
    const auto state = state_;  // the task may destroy this object
    try {
      const std::lock_guard lock(state->mutex);
      if (!thread_.joinable()) thread_ = std::thread([state] { work(*state); });
      state->tasks.push_back(std::move(task));
    } catch (const std::exception&) {
      return task();
    }
    state->wake.notify_one();
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Task> tasks;
    bool ended = false;
  };

  static void work(State& state) {
    std::unique_lock lock(state.mutex);
    for (;;) {
      state.wake.wait(lock, [&state] { return state.ended || !state.tasks.empty(); });
      if (state.ended) break;
      Task task = std::move(state.tasks.front());
      state.tasks.pop_front();
      lock.unlock();
      task();
      task = nullptr;  // destroy its captures without the lock
      lock.lock();
    }
    std::deque<Task> dropped;
    dropped.swap(state.tasks);
    lock.unlock();
  }

  const std::shared_ptr<State> state_;
  std::thread thread_;  // guarded by the mutex
};

}  // namespace flux::core
