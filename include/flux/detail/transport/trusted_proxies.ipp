#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/transport/trusted_proxies.hpp>
#include <flux/error.hpp>

#include <algorithm>
#include <optional>
#include <string>

namespace flux::transport {

namespace detail {

inline std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Removes the part after the last `separator` from `text` and returns it, trimmed.
inline std::string_view take_last(std::string_view& text, char separator) {
  const std::size_t at = text.rfind(separator);
  const std::string_view last = text.substr(at == std::string_view::npos ? 0 : at + 1);
  text = text.substr(0, at == std::string_view::npos ? 0 : at);
  return trimmed(last);
}

/// The `for` of an element such as `for="[2001:db8::7]:80";proto=https` (RFC 7239, 4). None if it is not an address:
/// "unknown" and obfuscated identifiers (section 6.3) name no address.
inline std::optional<core::ClientAddress> forwarded_for(std::string_view element) {
  while (!element.empty()) {
    const std::string_view pair = take_last(element, ';');
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || !equals_ignore_case(pair.substr(0, equals), "for")) continue;
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return core::ClientAddress::parse(value);
  }
  return std::nullopt;
}

}  // namespace detail

FLUX_DECL TrustedProxies::TrustedProxies(std::string_view setting, const std::vector<std::string>& ranges) {
  for (const std::string& text : ranges) {
    const auto range = core::IpRange::parse(text);
    if (!range) {
      throw Error(Errc::bad_config, std::string(setting) +
                                        " takes addresses and ranges such as \"192.0.2.7\", \"10.0.0.0/8\" or "
                                        "\"2001:db8::/32\" (no bits set after the prefix), not \"" +
                                        text + "\"");
    }
    ranges_.push_back(*range);
  }
}

FLUX_DECL bool TrustedProxies::trusts(const core::IpAddress& address) const noexcept {
  return std::any_of(ranges_.begin(), ranges_.end(), [&](const auto& range) { return range.contains(address); });
}

FLUX_DECL core::ClientAddress TrustedProxies::client(const core::ClientAddress& peer, const HttpHead& head) const {
  if (ranges_.empty() || !trusts(peer.ip)) return peer;
  // Entries left of the first untrusted address are not even parsed: any client may have sent them.
  const auto walk = [&](std::string_view list, const auto& read) {
    core::ClientAddress client = peer;
    while (!list.empty() && trusts(client.ip)) {
      const auto said = read(detail::take_last(list, ','));
      if (!said) return peer;
      client = *said;
    }
    return client;
  };
  const std::string by_list = head.all_headers("X-Forwarded-For");
  const std::string by_rfc = head.all_headers("Forwarded");
  const auto client = walk(by_list, [](std::string_view member) { return core::ClientAddress::parse(member); });
  if (by_rfc.empty()) return client;
  const auto other = walk(by_rfc, detail::forwarded_for);
  return by_list.empty() || client.ip == other.ip ? other : peer;
}

}  // namespace flux::transport
