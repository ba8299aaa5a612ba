// Where flux takes its time from.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace flux {

/// Time as the server sees it. Tests replace it with `flux::testing::ManualClock`. An application's own is one of two
/// kinds: it runs by itself, at the pace of the machine's clocks (it overrides `now` and `unix_ms`), or it moves only in
/// steps (it overrides all of them).
/// Threading: every method may be called from any thread.
class Clock {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  virtual ~Clock() = default;
  /// Never goes back; only differences mean something.
  virtual TimePoint now() const = 0;
  /// Milliseconds since 1970, for what people read.
  virtual std::int64_t unix_ms() const = 0;
  /// Whether the clock stands still but for steps that it tells its watchers of. The answer never changes.
  virtual bool stepped() const { return false; }
  /// For a clock that is stepped: calls `moved` after each step, until `unwatch` with the same key. No timer of the
  /// server fires without it. Others are not asked.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): those who override it keep it
  virtual void watch(const void* /*key*/, std::function<void()> /*moved*/) {}
  /// `moved` of that key is not called again, but for a call that is running.
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
