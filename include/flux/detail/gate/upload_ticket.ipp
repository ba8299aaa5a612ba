#pragma once

#include <flux/detail/core/digest.hpp>
#include <flux/detail/gate/random_key.hpp>
#include <flux/detail/gate/upload_ticket.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_chars.hpp>

#include <charconv>
#include <cstddef>
#include <system_error>
#include <utility>

namespace flux::gate {

namespace detail {

/// Decodes a text from `core::to_hex`.
inline std::string bytes_of_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(transport::detail::hex_value(hex[i]) * 16 + transport::detail::hex_value(hex[i + 1]));
  }
  return bytes;
}

}  // namespace detail

FLUX_DECL UploadTickets::UploadTickets(std::string key) : key_(key.empty() ? random_key() : std::move(key)) {}

/// Differs from the text of file links, which the same key may sign.
FLUX_DECL Result<std::string> UploadTickets::signature(std::string_view claims) const {
  return core::hmac_sha256(key_, std::string("flux upload ticket\n").append(claims)).transform(core::to_hex);
}

FLUX_DECL Result<std::string> UploadTickets::sign(const UploadTicket& ticket) const {
  const std::string claims =
      std::to_string(ticket.expires_at) + "." + ticket.connection + "." + core::to_hex(ticket.room);
  return signature(claims).transform([&](const std::string& signed_claims) { return claims + "." + signed_claims; });
}

FLUX_DECL std::optional<UploadTicket> UploadTickets::read(std::string_view text, std::int64_t now) const {
  const std::size_t end = text.rfind('.');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view claims = text.substr(0, end);
  const auto expected = signature(claims);
  if (!expected || !core::equal_in_constant_time(*expected, text.substr(end + 1))) return std::nullopt;
  // From here on the text is known to be from `sign`.
  const std::size_t connection = claims.find('.') + 1;
  const std::size_t room = claims.find('.', connection) + 1;
  UploadTicket ticket{std::string(claims.substr(connection, room - 1 - connection)),
                      detail::bytes_of_hex(claims.substr(room)), 0};
  std::from_chars(claims.data(), claims.data() + connection - 1, ticket.expires_at);
  if (now > ticket.expires_at) return std::nullopt;
  return ticket;
}

}  // namespace flux::gate
