// Where flux takes its time from.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace flux {

/// Time as the server sees it. Tests replace it with `flux::testing::ManualClock`.
/// Threading: every method may be called from any thread.
class Clock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~Clock() = default;
  /// Never goes back; only differences mean something.
  virtual TimePoint now() const = 0;
  /// Milliseconds since 1970, for what people read.
  virtual std::int64_t unix_ms() const = 0;
  /// A clock that is stepped by hand calls `moved` after each step, until `unwatch` with the same key.
  virtual void watch(const void* key, std::function<void()> moved) = 0;
  /// `moved` of that key is not called again, but for a call that is running.
  virtual void unwatch(const void* key) = 0;
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  std::int64_t unix_ms() const override {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  }
  void watch(const void*, std::function<void()>) override {}
  void unwatch(const void*) override {}
};

}  // namespace flux
