// The source of flux's time.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace flux {

/// The server's time. Tests use `flux::testing::ManualClock`. An application's own clock is one of two kinds: it runs
/// by itself, at the pace of the machine's clocks (override `now` and `unix_ms`), or it moves only in steps (override
/// every method).
/// Threading: every method may be called from any thread.
class Clock {
 public:
  /// A time of `now`.
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~Clock() = default;
  /// Never goes backwards; only differences between values have a meaning.
  virtual TimePoint now() const = 0;
  /// Milliseconds since 1970, for timestamps that people read.
  virtual std::int64_t unix_ms() const = 0;
  /// Whether the clock moves only in steps, and calls its watchers after each. Must always return the same value.
  virtual bool stepped() const { return false; }
  /// For a stepped clock: calls `moved` after each step, until `unwatch` with the same key. The server's timers fire
  /// only from this call. Not called on other clocks.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): overriding functions keep it
  virtual void watch(const void* /*key*/, std::function<void()> /*moved*/) {}
  /// Ends the calls of that key's `moved`; a call that is running may still finish.
  virtual void unwatch(const void* /*key*/) {}
};

/// The machine's clocks.
class SystemClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
  std::int64_t unix_ms() const override {
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
  }
};

}  // namespace flux
