#pragma once

#include <flux/detail/core/asio.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/mode.hpp>

#include <asio/ip/address.hpp>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace flux::core {

namespace ip_address_detail {

inline constexpr std::array<std::uint8_t, 12> v4_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// Parses all of `text` as a number of at most `most`.
inline std::optional<std::size_t> whole_number(std::string_view text, std::size_t most) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > most) return std::nullopt;
  return number;
}

}  // namespace ip_address_detail

FLUX_DECL IpAddress IpAddress::v4(const std::array<std::uint8_t, 4>& bytes) noexcept {
  IpAddress address;
  const auto rest =
      std::copy(ip_address_detail::v4_prefix.begin(), ip_address_detail::v4_prefix.end(), address.bytes_.begin());
  std::copy(bytes.begin(), bytes.end(), rest);
  return address;
}

FLUX_DECL std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  constexpr std::size_t longest = 64;  // with a zone
  if (text.size() > longest || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::error_code ec;
  const auto address = asio::ip::make_address(std::string(text), ec);
  if (ec) return std::nullopt;
  if (address.is_v4()) return v4(address.to_v4().to_bytes());
  return IpAddress(address.to_v6().to_bytes());
}

FLUX_DECL bool IpAddress::is_v4() const noexcept {
  return std::equal(ip_address_detail::v4_prefix.begin(), ip_address_detail::v4_prefix.end(), bytes_.begin());
}

FLUX_DECL bool IpAddress::is_loopback() const noexcept {
  if (is_v4()) return bytes_[12] == 127;
  Bytes one{};
  one.back() = 1;
  return bytes_ == one;
}

FLUX_DECL std::string IpAddress::text() const {
  if (is_v4()) {
    return asio::ip::address_v4({bytes_[12], bytes_[13], bytes_[14], bytes_[15]}).to_string();
  }
  return asio::ip::address_v6(bytes_).to_string();
}

FLUX_DECL IpAddress IpAddress::prefix(std::size_t bits) const noexcept {
  IpAddress cut = *this;
  for (std::size_t i = 0; i < cut.bytes_.size(); ++i) {
    const std::size_t kept = std::min<std::size_t>(bits > i * 8 ? bits - i * 8 : 0, 8);
    cut.bytes_[i] = static_cast<std::uint8_t>(cut.bytes_[i] & (0xff00U >> kept));
  }
  return cut;
}

FLUX_DECL std::optional<IpRange> IpRange::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto first = IpAddress::parse(text.substr(0, slash));
  if (!first) return std::nullopt;
  if (slash == std::string_view::npos) return IpRange(*first, 128);
  const auto bits = ip_address_detail::whole_number(text.substr(slash + 1), first->is_v4() ? 32 : 128);
  if (!bits) return std::nullopt;
  const std::size_t of_128 = *bits + (first->is_v4() ? 96 : 0);
  if (first->prefix(of_128) != *first) return std::nullopt;
  return IpRange(*first, of_128);
}

FLUX_DECL std::optional<ClientAddress> ClientAddress::parse(std::string_view text) {
  if (const auto alone = IpAddress::parse(text)) return ClientAddress{*alone, 0};
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    port = text.substr(end + 1);
    text = text.substr(1, end - 1);
    if (text.find(':') == std::string_view::npos) return std::nullopt;  // brackets are for IPv6
  } else {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    port = text.substr(colon);
    text = text.substr(0, colon);
  }
  const auto ip = IpAddress::parse(text);
  if (!ip) return std::nullopt;
  if (port.empty()) return ClientAddress{*ip, 0};
  const auto number = port.front() == ':' ? ip_address_detail::whole_number(port.substr(1), 65'535) : std::nullopt;
  if (!number) return std::nullopt;
  return ClientAddress{*ip, static_cast<std::uint16_t>(*number)};
}

FLUX_DECL std::string ClientAddress::text() const {
  if (port == 0) return ip.text();
  return (ip.is_v4() ? ip.text() : "[" + ip.text() + "]") + ":" + std::to_string(port);
}

}  // namespace flux::core
