// Who a client is that comes through proxies.
#pragma once

#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/transport/http_message.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace flux::transport {

/// The proxies whose word is taken for whom they speak for: `X-Forwarded-For`, or `Forwarded` (RFC 7239).
/// Threading: const, any thread.
class TrustedProxies {
 public:
  /// Addresses and ranges (CIDR). Errors: throws `Error` (bad_config) naming `setting` and the entry that is neither.
  TrustedProxies(std::string_view setting, const std::vector<std::string>& ranges);

  bool trusts(const core::IpAddress& address) const noexcept;

  /// Whom a request is from that came from `peer`. Each proxy appends whom it was asked by, so the list is read from
  /// its end, while those who appended are trusted; what is before that anybody may have made up. Where `peer` is not
  /// trusted, the list is not readable, or both fields are there and differ (a proxy that sets one hands the other on
  /// from the client), it is `peer`.
  core::ClientAddress client(const core::ClientAddress& peer, const HttpHead& head) const;

 private:
  std::vector<core::IpRange> ranges_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/trusted_proxies.ipp>
#endif
