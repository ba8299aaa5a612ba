// The least speed at which bytes must move, judged once in a period, so that it costs nothing per byte.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace flux::transport {

struct MinimumRate {
  std::chrono::milliseconds period{0};  ///< 0: nothing is demanded
  std::uint32_t bytes_per_second = 0;   ///< 0: one byte in a period will do

  bool demanded() const noexcept { return period.count() > 0; }
  /// How much must move in one period.
  std::uint64_t bytes_per_period() const noexcept {
    const auto milliseconds = static_cast<std::uint64_t>(period.count());
    return std::max<std::uint64_t>(
        1, milliseconds / 1000 * bytes_per_second + milliseconds % 1000 * bytes_per_second / 1000);
  }
};

}  // namespace flux::transport
