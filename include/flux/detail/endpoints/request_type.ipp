#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/request_type.hpp>
#include <flux/detail/mode.hpp>

#include <optional>

namespace flux::protocol {

namespace request_detail {

FLUX_DECL std::optional<RoomMode> mode_called(std::string_view name) {
  for (const RoomMode mode : {RoomMode::live, RoomMode::singleton, RoomMode::history}) {
    if (to_string(mode) == name) return mode;
  }
  return std::nullopt;
}

}  // namespace request_detail

FLUX_DECL std::string CommonMembers::empty(const core::MemberValue& value) {
  return value.text.empty() ? " is empty" : "";
}
FLUX_DECL std::string CommonMembers::nul(const core::MemberValue& value) {
  return value.text.find('\0') == std::string::npos ? "" : " contains NUL";
}
FLUX_DECL std::string CommonMembers::no_own_id(const core::MemberValue& value) {
  if (value.text.empty()) return empty(value);
  return core::has_control_characters(value.text) ? " contains a control character" : "";
}
FLUX_DECL std::string CommonMembers::no_mode(const core::MemberValue& value) {
  if (request_detail::mode_called(value.text)) return {};
  return " is \"" + core::shown(value.text) + "\"; it must be live, singleton or history";
}

FLUX_DECL RoomOptions room_options(const core::Members& members) {
  RoomOptions options;
  options.mode = *request_detail::mode_called(members.text("mode"));
  options.capacity = static_cast<std::size_t>(members.number("capacity"));
  return options;
}

}  // namespace flux::protocol
