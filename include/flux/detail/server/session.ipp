#pragma once

#include <flux/detail/core/session_state.hpp>
#include <flux/detail/gate/gate.hpp>
#include <flux/detail/transport/connection.hpp>
#include <flux/session.hpp>

namespace flux {

FLUX_DECL SessionId Session::id() const { return state_->id(); }

FLUX_DECL Identity Session::identity() const {
  const auto known = state_->identity();
  return known ? *known : Identity{};
}

FLUX_DECL Grant Session::grant() const {
  const auto granted = state_->grant();
  return granted ? *granted : Grant{};
}

FLUX_DECL Result<void> Session::set_grant(Grant grant) const {
  if (auto checked = gate::check_grant(grant); !checked) return checked;
  return state_->change_grant(std::move(grant));
}

FLUX_DECL std::string Session::remote_address() const { return state_->remote().text(); }
FLUX_DECL std::vector<RoomId> Session::rooms() const { return state_->rooms(); }
FLUX_DECL bool Session::connected() const { return state_->connected(); }

FLUX_DECL Result<Sent> Session::send(std::string_view event, const JsonText& payload, const RoomId& room) const {
  return state_->send(event, payload, room);
}

FLUX_DECL void Session::close(CloseCode code, std::string_view reason) const { state_->close_session(code, reason); }

}  // namespace flux
