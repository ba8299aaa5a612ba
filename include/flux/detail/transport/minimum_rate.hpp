// The lowest rate at which bytes must be transferred, checked once per period, so that it costs nothing per byte.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace flux::transport {

struct MinimumRate {
  std::chrono::milliseconds period{0};  ///< 0: no minimum
  std::uint32_t bytes_per_second = 0;   ///< 0: one byte per period is enough

  bool demanded() const noexcept { return period.count() > 0; }
  /// The bytes that must be transferred in one period.
  std::uint64_t bytes_per_period() const noexcept {
    const auto milliseconds = static_cast<std::uint64_t>(period.count());
    return std::max<std::uint64_t>(
        1, milliseconds / 1000 * bytes_per_second + milliseconds % 1000 * bytes_per_second / 1000);
  }
};

}  // namespace flux::transport
