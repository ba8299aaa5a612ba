// IP addresses as values: of clients, of proxies, and ranges of them.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flux::core {

/// An IPv4 or IPv6 address, without the zone of a link-local address. By default the unspecified address, "::".
class IpAddress {
 public:
  /// The 16 bytes of IPv6 in network order. IPv4, and nothing else, is stored as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2).
  using Bytes = std::array<std::uint8_t, 16>;

  IpAddress() = default;
  explicit IpAddress(const Bytes& bytes) noexcept : bytes_(bytes) {}
  static IpAddress v4(const std::array<std::uint8_t, 4>& bytes) noexcept;
  /// "192.0.2.7", "2001:db8::7", "fe80::1%eth0"; none if `text` is not an address.
  static std::optional<IpAddress> parse(std::string_view text);

  bool is_v4() const noexcept;
  /// Whether it is an address of the machine itself: 127.0.0.0/8 or ::1.
  bool is_loopback() const noexcept;
  std::string text() const;
  const Bytes& bytes() const noexcept { return bytes_; }

  /// The address with all but its first `bits` of 128 cleared.
  IpAddress prefix(std::size_t bits) const noexcept;
  /// The unit by which clients are counted: an IPv4 address, of which a client usually has one, or an IPv6 /64 network,
  /// in which it can use every address.
  IpAddress client_network() const noexcept { return is_v4() ? *this : prefix(64); }

  // NOLINTNEXTLINE(modernize-use-nullptr): a false positive of clang-tidy 14 on a defaulted <=>
  friend auto operator<=>(const IpAddress&, const IpAddress&) = default;

 private:
  Bytes bytes_{};
};

/// Addresses with the same first bits (CIDR, RFC 4632).
class IpRange {
 public:
  /// "10.0.0.0/8", "2001:db8::/32", or one address. None if `text` is none of these, or if bits after the prefix are
  /// set, which is probably a mistake.
  static std::optional<IpRange> parse(std::string_view text);

  bool contains(const IpAddress& address) const noexcept { return address.prefix(bits_) == first_; }

 private:
  IpRange(IpAddress first, std::size_t bits) noexcept : first_(first), bits_(bits) {}

  IpAddress first_;
  std::size_t bits_;  // of 128, also for IPv4
};

/// A client's address, and its port if known.
struct ClientAddress {
  IpAddress ip{};
  std::uint16_t port = 0;  ///< 0: unknown, as behind most proxies

  /// Parses what `text()` returns, or an address alone.
  static std::optional<ClientAddress> parse(std::string_view text);
  /// "192.0.2.7:49152", "[2001:db8::7]:49152"; without a port "192.0.2.7", "2001:db8::7".
  std::string text() const;

  friend bool operator==(const ClientAddress&, const ClientAddress&) = default;
};

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/ip_address.ipp>
#endif
