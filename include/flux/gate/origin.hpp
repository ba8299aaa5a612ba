// Which pages may open WebSockets.
#pragma once

#include <flux/error.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::gate {

/// Whether a handshake with this Origin header may go on (RFC 6454; RFC 6455, 10.2). Without one it comes from no page.
/// An origin is compared as browsers send it: scheme and host in lower case, no default port, no path.
inline bool origin_allowed(const std::vector<std::string>& allowed, std::optional<std::string_view> origin) {
  if (allowed.empty() || !origin) return true;
  for (const std::string& entry : allowed) {
    if (entry == "*" || entry == *origin) return true;
  }
  return false;
}

/// Whether `entry` can be equal to what a browser sends, or is `*`. Any other entry would let nobody in.
inline bool is_origin(std::string_view entry) {
  if (entry == "*" || entry == "null") return true;
  const std::size_t colon = entry.find("://");
  if (colon == 0 || colon == std::string_view::npos) return false;
  const std::string_view scheme = entry.substr(0, colon), place = entry.substr(colon + 3);
  if (place.empty() || place.find_first_of("/?#@* ") != std::string_view::npos) return false;
  if ((scheme == "http" && place.ends_with(":80")) || (scheme == "https" && place.ends_with(":443"))) return false;
  return std::none_of(entry.begin(), entry.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

/// `setting`: its name. Errors: throws `Error` (bad_config) where an entry is no origin.
inline void check_origins(std::string_view setting, const std::vector<std::string>& entries) {
  for (const std::string& entry : entries) {
    if (is_origin(entry)) continue;
    throw Error(
        Errc::bad_config,
        std::string(setting).append(": \"").append(entry).append(
            "\" is no origin; one is \"https://app.example.com\", in lower case, without a path and without the "
            "scheme's own port, or \"*\""));
  }
}

}  // namespace flux::gate
