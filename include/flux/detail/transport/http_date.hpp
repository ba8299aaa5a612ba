// Dates of HTTP fields (RFC 9110 section 5.6.7).
#pragma once

#include <flux/detail/mode.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace flux::transport {

/// Formats an IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT". Years 0 to 9999.
std::string http_date(std::chrono::sys_seconds time);

/// Parses the three forms that a recipient must accept: IMF-fixdate, RFC 850 and asctime. A two-digit year more than 50
/// years after `now` is taken as one of the previous century. Errors: none for anything else, including impossible days
/// and times.
std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text, std::chrono::sys_seconds now);

/// The Date field of a server, formatted at most once per second.
/// Threading: one thread; each event loop has its own.
class HttpDateCache {
 public:
  /// The date at `now`; valid until the next call.
  std::string_view at(std::chrono::system_clock::time_point now) {
    const auto second = std::chrono::floor<std::chrono::seconds>(now);
    if (text_.empty() || second != second_) {
      text_ = http_date(second);
      second_ = second;
    }
    return text_;
  }

 private:
  std::chrono::sys_seconds second_{};
  std::string text_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/http_date.ipp>
#endif
