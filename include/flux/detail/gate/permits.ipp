#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/gate/permits.hpp>
#include <flux/detail/mode.hpp>

#include <string>

namespace flux::gate {

FLUX_DECL bool meets(const Grant* grant, std::string_view operation, std::string_view name) noexcept {
  return operation.empty() || (grant != nullptr && grant->allows(operation, name));
}

FLUX_DECL RoomPermits::RoomPermits(const Demands* demands, const Grant* grant, std::string_view room) {
  if (demands == nullptr) return;
  const auto check = [&](RoomAct act, std::string_view operation) {
    if (!meets(grant, operation, room)) bits_ = static_cast<std::uint8_t>(bits_ & ~static_cast<unsigned>(act));
  };
  check(RoomAct::join, demands->join);
  check(RoomAct::events, demands->events);
  check(RoomAct::presence, demands->presence);
  check(RoomAct::chat, demands->chat);
  check(RoomAct::share, demands->share);
  check(RoomAct::history, demands->history);
}

namespace permits_detail {

FLUX_DECL Errc code_for(const Grant* grant) {
  const bool logged_in = grant != nullptr && (grant->identity.verified || !grant->permissions.empty());
  return logged_in ? Errc::forbidden : Errc::unauthorized;
}

}  // namespace permits_detail

FLUX_DECL Error insufficient(const Grant* grant, std::string_view kind, std::string_view name) {
  const Errc code = permits_detail::code_for(grant);
  const bool is_system = name == "system" || name.starts_with("system:");
  if (is_system) return {code, "System " + std::string(kind) + "s require admin permission"};
  return {code, "Insufficient permissions for " + std::string(kind) + ": " + core::shown(name)};
}

FLUX_DECL Error insufficient_for_files(const Grant* grant) {
  return {permits_detail::code_for(grant), "Insufficient permissions for files"};
}

}  // namespace flux::gate
