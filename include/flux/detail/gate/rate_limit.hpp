// How many messages may be sent in a time.
#pragma once

#include <flux/clock.hpp>
#include <flux/config.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace flux::gate {

/// One thing each `each`, and `burst` at once.
struct Pace {
  using Duration = Clock::TimePoint::duration;

  Pace() = default;
  /// `rate` a second; 0: unlimited.
  Pace(std::uint32_t rate, std::uint32_t burst_max)
      : each(rate == 0 ? Duration(0) : std::chrono::duration_cast<Duration>(std::chrono::seconds(1)) / rate),
        burst(std::max<std::uint32_t>(burst_max, 1)),
        limits(rate != 0) {}
  explicit Pace(const Rate& rate)
      : each(rate.count == 0 ? Duration(0) : std::chrono::duration_cast<Duration>(rate.per) / rate.count),
        burst(std::max<std::uint32_t>(rate.count, 1)),
        limits(rate.count != 0) {}

  Duration each{};
  std::uint32_t burst = 1;
  bool limits = false;  // false: unlimited
};

/// A token bucket.
class RateLimit {
 public:
  /// Takes one, if there is one. Otherwise returns after how long there is one, which is more than 0.
  Pace::Duration take(Clock::TimePoint now, const Pace& pace) {
    // The time at which the bucket would be full; it lies ahead by what has been taken.
    full_at_ = std::max(full_at_, now);
    const auto wait = full_at_ + pace.each - (now + pace.each * pace.burst);
    if (wait.count() > 0) return wait;
    full_at_ += pace.each;
    return Pace::Duration(0);
  }
  /// Takes one of `rate` a second, if there is one.
  bool allow(Clock::TimePoint now, std::uint32_t rate, std::uint32_t burst) {
    return take(now, Pace(rate, burst)).count() == 0;
  }

  /// Whether nothing is taken any more.
  bool is_full(Clock::TimePoint now) const { return full_at_ <= now; }

 private:
  Clock::TimePoint full_at_{};
};

/// The time as a client is told it: at least 1 ms.
inline std::chrono::milliseconds retry_after(Pace::Duration wait) {
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(wait), std::chrono::milliseconds(1));
}

}  // namespace flux::gate
