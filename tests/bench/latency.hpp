#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace flux::bench {

/// Counts latencies in buckets that are never wider than 1/32 of their value, so that percentiles are accurate to about
/// 3% and a run of any length takes 15 kB.
class LatencyHistogram {
 public:
  void add(std::uint64_t nanoseconds) {
    ++counts_[bucket(nanoseconds)];
    ++total_;
  }

  /// The latency that the fraction `share` (0 to 1) does not exceed, in microseconds; 0 if nothing was counted.
  double percentile_us(double share) const {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > 0 && seen >= wanted) return static_cast<double>(upper_bound(i)) / 1000.0;
    }
    return 0;
  }

  std::uint64_t total() const { return total_; }
  void clear() { *this = LatencyHistogram(); }

 private:
  static constexpr int step_bits = 5;
  static constexpr std::size_t steps = std::size_t{1} << step_bits;

  /// Values below 64 have a bucket each; above, the six leading bits choose it.
  static std::size_t bucket(std::uint64_t value) {
    const int shift = value < 2 * steps ? 0 : static_cast<int>(std::bit_width(value)) - step_bits - 1;
    return static_cast<std::size_t>(shift) * steps + static_cast<std::size_t>(value >> shift);
  }

  static std::uint64_t upper_bound(std::size_t index) {
    const std::size_t shift = index < 2 * steps ? 0 : index / steps - 1;
    return (static_cast<std::uint64_t>(index - shift * steps) + 1) << shift;
  }

  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>((64 - step_bits + 1) * steps);
  std::uint64_t total_ = 0;
};

}  // namespace flux::bench
