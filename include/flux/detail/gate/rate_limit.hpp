// How many messages one connection may send.
#pragma once

#include <flux/clock.hpp>

#include <algorithm>
#include <cstdint>

namespace flux::gate {

/// A token bucket: `rate` a second on average, `burst` at once.
class RateLimit {
 public:
  /// Takes one, if there is one.
  bool allow(Clock::TimePoint now, std::uint32_t rate, std::uint32_t burst) {
    using namespace std::chrono;
    // The time at which the bucket would be full; it lies ahead by what has been taken.
    const auto each = duration_cast<Clock::TimePoint::duration>(seconds(1)) / rate;
    full_at_ = std::max(full_at_, now);
    if (full_at_ + each > now + each * std::max<std::uint32_t>(burst, 1)) return false;
    full_at_ += each;
    return true;
  }

 private:
  Clock::TimePoint full_at_{};
};

}  // namespace flux::gate
