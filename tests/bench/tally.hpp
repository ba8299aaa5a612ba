#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "latency.hpp"
#include "live_messages.hpp"
#include "sharing_messages.hpp"
#include "stamp.hpp"

namespace flux::bench {

/// Counts of the messages received, as far as a mode needs them.
struct Tally {
  std::uint64_t stamped = 0;  ///< messages with a stamp
  std::uint64_t stamped_bytes = 0;
  std::uint64_t errors = 0;
  std::string first_error;
  LatencyHistogram latency;

  /// Counts `message` if it is stamped, and as an error if it is one. Returns whether it was stamped.
  bool add(std::string_view message) {
    std::string_view rest = message;
    if (const auto stamp = Stamp::take(rest)) {
      ++stamped;
      stamped_bytes += message.size();
      latency.add(Stamp::now_ns() - stamp->sent_ns);
      return true;
    }
    if (is_error(message)) add_error(message);
    return false;
  }

  static bool is_error(std::string_view message) { return type_of(message) == "error" || is_refusal(message); }

  void add_error(std::string_view message) {
    if (errors++ == 0) first_error = message;
  }
};

}  // namespace flux::bench
