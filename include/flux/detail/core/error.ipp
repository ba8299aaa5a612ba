#pragma once

#include <flux/error.hpp>

namespace flux {

namespace detail {
struct ErrcNames {
  Errc code;
  std::string_view name;
  std::string_view wire_name;
};
inline constexpr ErrcNames errc_names[] = {
    {Errc::bad_config, "bad_config", "SERVER_ERROR"},
    {Errc::address_unavailable, "address_unavailable", "SERVER_ERROR"},
    {Errc::tls_failed, "tls_failed", "SERVER_ERROR"},
    {Errc::already_running, "already_running", "SERVER_ERROR"},
    {Errc::invalid_json, "invalid_json", "INVALID_JSON"},
    {Errc::invalid_message, "invalid_message", "INVALID_MESSAGE"},
    {Errc::unknown_type, "unknown_type", "INVALID_MESSAGE"},
    {Errc::message_too_large, "message_too_large", "MESSAGE_TOO_LARGE"},
    {Errc::invalid_argument, "invalid_argument", "INVALID_MESSAGE"},
    {Errc::file_too_large, "file_too_large", "FILE_TOO_LARGE"},
    {Errc::checksum_mismatch, "checksum_mismatch", "CHECKSUM_MISMATCH"},
    {Errc::room_not_found, "room_not_found", "ROOM_NOT_FOUND"},
    {Errc::room_exists, "room_exists", "ROOM_EXISTS"},
    {Errc::room_full, "room_full", "ROOM_FULL"},
    {Errc::not_in_room, "not_in_room", "NOT_IN_ROOM"},
    {Errc::session_not_found, "session_not_found", "SESSION_NOT_FOUND"},
    {Errc::limit_exceeded, "limit_exceeded", "LIMIT_EXCEEDED"},
    {Errc::wrong_mode, "wrong_mode", "WRONG_MODE"},
    {Errc::file_not_found, "file_not_found", "FILE_NOT_FOUND"},
    {Errc::wrong_offset, "wrong_offset", "WRONG_OFFSET"},
    {Errc::quota_exceeded, "quota_exceeded", "QUOTA_EXCEEDED"},
    {Errc::chat_message_not_found, "chat_message_not_found", "CHAT_MESSAGE_NOT_FOUND"},
    {Errc::owner_quota_exceeded, "owner_quota_exceeded", "OWNER_QUOTA_EXCEEDED"},
    {Errc::unauthorized, "unauthorized", "UNAUTHORIZED"},
    {Errc::forbidden, "forbidden", "FORBIDDEN"},
    {Errc::rate_limited, "rate_limited", "RATE_LIMITED"},
    {Errc::server_error, "server_error", "SERVER_ERROR"},
    {Errc::store_failed, "store_failed", "STORE_FAILED"},
    {Errc::overloaded, "overloaded", "OVERLOADED"},
    {Errc::stopped, "stopped", "STOPPED"},
};
}  // namespace detail

FLUX_DECL std::string_view to_string(Errc code) noexcept {
  for (const auto& entry : detail::errc_names) {
    if (entry.code == code) return entry.name;
  }
  return "unknown";
}

FLUX_DECL std::string_view to_wire_name(Errc code) noexcept {
  for (const auto& entry : detail::errc_names) {
    if (entry.code == code) return entry.wire_name;
  }
  return "SERVER_ERROR";
}

}  // namespace flux
