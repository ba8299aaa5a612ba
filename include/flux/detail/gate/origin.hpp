// Which pages may connect.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/error.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::gate {

/// Whether a request with this Origin header, which asks for `host` (its Host header), may go on (RFC 6454; RFC 6455,
/// 10.2). Without one it comes from no page. `allowed`: as `normal_origins` gives them; empty: pages of the same origin
/// may. `tls`: the server speaks TLS itself, so the page was fetched over it, too; else a proxy may do so, and the scheme
/// says nothing.
bool origin_allowed(const std::vector<std::string>& allowed, std::optional<std::string_view> origin,
                    std::string_view host, bool tls);

/// Whether `origin` is that of a server which is asked for `host`.
bool same_origin(std::string_view origin, std::string_view host, bool tls);

/// The entries as browsers send them: scheme and host in lower case, no port where it is the scheme's own, no path;
/// letters outside ASCII as `xn--…`. `*` is any, `null` a page without an origin, `file://` what some browsers send for
/// a page from a file (others: `null`). `setting`: its name.
/// Errors: throws `Error` (bad_config) for an entry that no browser sends: it would let nobody in.
std::vector<std::string> normal_origins(std::string_view setting, const std::vector<std::string>& entries);

/// A label of a host's name in Punycode (RFC 3492), without its `xn--`. `label`: UTF-8, not all ASCII.
std::string punycode(std::string_view label);

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/origin.ipp>
#endif
