// A clock such as an application may supply: it runs by itself. The test can make time leap, as after a suspension of
// the process.
#pragma once

#include <flux/clock.hpp>

#include <atomic>
#include <chrono>

namespace flux_test {

class LeapingClock final : public flux::Clock {
 public:
  TimePoint now() const override {
    // Its epoch need not be that of the machine's clock.
    return TimePoint(std::chrono::hours(1)) + (std::chrono::steady_clock::now() - made_) + leapt();
  }
  std::int64_t unix_ms() const override {
    return 1'700'000'000'000 + std::chrono::duration_cast<std::chrono::milliseconds>(leapt()).count();
  }
  void leap(std::chrono::milliseconds time) { leapt_ms_ += time.count(); }

 private:
  std::chrono::nanoseconds leapt() const { return std::chrono::milliseconds(leapt_ms_); }

  const std::chrono::steady_clock::time_point made_ = std::chrono::steady_clock::now();
  std::atomic<std::int64_t> leapt_ms_{0};
};

}  // namespace flux_test
