// Bounded waits for what other threads do.
#pragma once

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>
#include <utility>

namespace flux_test {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds patience = 20s;

/// Whether `condition` becomes true in time.
template <class Condition>
bool eventually(const Condition& condition) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

/// A value that one thread sets once and the test waits for.
template <class T>
class Awaited {
 public:
  void set(T value) { promise_.set_value(std::move(value)); }
  T get() {
    if (future_.wait_for(patience) != std::future_status::ready) throw std::runtime_error("it was not set in time");
    return future_.get();
  }

 private:
  std::promise<T> promise_;
  std::future<T> future_ = promise_.get_future();
};

}  // namespace flux_test
