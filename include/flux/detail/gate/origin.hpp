// Decides which pages may connect.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/error.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::gate {

/// Whether a request with this Origin header and `host` (its Host header) is allowed (RFC 6454; RFC 6455, 10.2).
/// Without an Origin it does not come from a page. `allowed`: from `normal_origins`; empty: pages of the same origin.
/// `tls`: the server itself serves TLS, so the page was fetched over TLS too; otherwise a proxy may serve it, and the
/// scheme is not compared.
bool origin_allowed(const std::vector<std::string>& allowed, std::optional<std::string_view> origin,
                    std::string_view host, bool tls);

/// Whether `origin` is that of a server with this `host`.
bool same_origin(std::string_view origin, std::string_view host, bool tls);

/// The entries as browsers send them: scheme and host in lower case, no default port, no path; letters outside ASCII as
/// `xn--…`. `*` is any, `null` a page without an origin, `file://` what some browsers send for a page from a file
/// (others: `null`). `setting`: the name of the setting.
/// Errors: throws `Error` (bad_config) for an entry that no browser sends, because it would match no client.
std::vector<std::string> normal_origins(std::string_view setting, const std::vector<std::string>& entries);

/// Encodes a label of a host name in Punycode (RFC 3492), without `xn--`. `label`: UTF-8, not all ASCII.
std::string punycode(std::string_view label);

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/origin.ipp>
#endif
