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

FLUX_DECL Outcome<void> Session::set_grant(Grant grant) const {
  auto changed = gate::check_grant(grant).and_then([&] { return state_->change_grant(std::move(grant)); });
  return core::noted(state_->loop()->call_faults(), "set_grant", {}, std::move(changed));
}

FLUX_DECL JsonText Session::data() const { return state_->data(); }
FLUX_DECL Outcome<void> Session::set_data(JsonText data) const {
  return core::noted(state_->loop()->call_faults(), "set_data", {}, state_->change_data(std::move(data)));
}

FLUX_DECL std::string Session::remote_address() const { return state_->remote().text(); }
FLUX_DECL std::vector<RoomId> Session::rooms() const { return state_->rooms(); }
FLUX_DECL bool Session::connected() const { return state_->connected(); }
FLUX_DECL ClientCounts Session::counts() const { return state_->counts(); }

FLUX_DECL Outcome<Sent> Session::send(std::string_view event, const JsonText& payload, const RoomId& room) const {
  return core::noted(state_->loop()->call_faults(), "send", event, state_->send(event, payload, room));
}

FLUX_DECL void Session::close(CloseCode code, std::string_view reason) const { state_->close_session(code, reason); }

}  // namespace flux
