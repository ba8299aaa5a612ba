// The address of a client behind proxies.
#pragma once

#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/transport/http_message.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace flux::transport {

/// The proxies whose `X-Forwarded-For` or `Forwarded` (RFC 7239) fields are believed.
/// Threading: const, any thread.
class TrustedProxies {
 public:
  /// Addresses and ranges (CIDR). Errors: throws `Error` (bad_config) that names `setting` and the invalid entry.
  TrustedProxies(std::string_view setting, const std::vector<std::string>& ranges);

  bool trusts(const core::IpAddress& address) const noexcept;

  /// The address of the client that sent a request received from `peer`. Each proxy appends the address that it got the
  /// request from, so the list is read from its end, as long as the addresses are trusted; entries before that can be
  /// forged. Returns `peer` if it is not trusted, if the list can't be parsed, or if both fields are present and differ
  /// (a proxy that sets one passes on the client's other).
  core::ClientAddress client(const core::ClientAddress& peer, const HttpHead& head) const;

 private:
  std::vector<core::IpRange> ranges_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/trusted_proxies.ipp>
#endif
