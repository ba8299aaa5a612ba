// Which pages may open WebSockets.
#pragma once

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

}  // namespace flux::gate
