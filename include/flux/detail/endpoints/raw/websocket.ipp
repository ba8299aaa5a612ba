#pragma once

#include <flux/detail/endpoints/raw/raw_websocket.hpp>
#include <flux/websocket.hpp>

namespace flux {

FLUX_DECL Sent WebSocket::send(std::string_view message, MessageType type) const {
  return state_->send_from_anywhere(message, type);
}
FLUX_DECL void WebSocket::close(CloseCode code, std::string_view reason) const {
  state_->close_from_anywhere(code, reason);
}
FLUX_DECL std::string WebSocket::id() const { return state_->id().text(); }
FLUX_DECL ClientCounts WebSocket::counts() const { return state_->message_counts(); }
FLUX_DECL std::size_t WebSocket::outbox_bytes() const { return state_->waiting_bytes(); }
FLUX_DECL Identity WebSocket::identity() const { return grant().identity; }
FLUX_DECL Grant WebSocket::grant() const {
  const auto granted = state_->grant();
  return granted ? *granted : Grant();
}
FLUX_DECL Outcome<void> WebSocket::set_grant(Grant grant) const {
  auto changed = gate::check_grant(grant).and_then(
      [&] { return state_->set_grant(std::make_shared<const Grant>(std::move(grant))); });
  return core::noted(state_->call_faults(), "set_grant", {}, std::move(changed));
}
FLUX_DECL std::string WebSocket::remote_address() const { return state_->remote().text(); }
FLUX_DECL std::string WebSocket::subprotocol() const { return state_->subprotocol(); }

}  // namespace flux
