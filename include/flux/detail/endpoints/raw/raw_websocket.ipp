#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/raw/raw_websocket.hpp>
#include <flux/detail/mode.hpp>

namespace flux::detail {

FLUX_DECL WebSocketState::WebSocketState(Hub& hub, const WebSocketEndpoint& endpoint, transport::Connection& connection,
                                         const core::ClientAddress& client, transport::WebSocketService& service,
                                         int deflate_window_bits, std::string subprotocol)
    : WebSocketStream(connection, service,
                      endpoint.message_bytes_max != 0 ? endpoint.message_bytes_max : service.limits->message_bytes_max,
                      deflate_window_bits),
      hub_(hub),
      endpoint_(endpoint),
      loop_(connection.shared_loop()),
      subprotocol_(std::move(subprotocol)),
      remote_(client),
      outbox_bytes_congested_(service.limits->outbox_bytes_congested),
      outbox_bytes_max_(service.limits->outbox_bytes_max) {}

FLUX_DECL void WebSocketState::opened(std::shared_ptr<const Grant> grant) {
  start();
  if (grant) (void)set_grant(std::move(grant));  // it is connected
  if (!endpoint_.on_open) return;
  if (hub_.guarded(counters(), "open", [&] { endpoint_.on_open(handle()); })) return;
  close(CloseCode::internal_error, "the server failed to open this endpoint");
}

FLUX_DECL void WebSocketState::on_message(std::string_view message, MessageType type) {
  if (!endpoint_.on_message) return;
  if (hub_.guarded(counters(), "message", [&] { endpoint_.on_message(handle(), message, type); })) return;
  close(CloseCode::internal_error, "the server failed to handle a message");
}

FLUX_DECL void WebSocketState::on_disconnect(const Disconnect& how) {
  gone_ = true;
  if (const auto held = held_grant()) hub_.admitted.forget(held.get());
  if (endpoint_.on_close) {
    hub_.guarded(loop_->counters(), "close", [&] { endpoint_.on_close(handle(), how); });
  }
}

FLUX_DECL std::shared_ptr<gate::HeldGrant> WebSocketState::hold(std::shared_ptr<const Grant> grant) {
  auto self = std::static_pointer_cast<WebSocketState>(shared_from_this());
  return std::make_shared<gate::HeldGrant>(std::move(grant),
                                           [weak = std::weak_ptr(self)](CloseCode code, std::string_view reason) {
                                             if (const auto state = weak.lock())
                                               state->close_from_anywhere(code, reason);
                                           });
}

FLUX_DECL Grant WebSocketState::grant() const {
  const auto held = held_grant();
  return held ? *held->grant() : Grant{};
}

FLUX_DECL Result<void> WebSocketState::set_grant(std::shared_ptr<const Grant> grant) {
  if (gone_) return Error(Errc::session_not_found, "the connection is gone");
  auto fresh = hold(grant);
  std::shared_ptr<gate::HeldGrant> held;
  {
    const std::lock_guard lock(loop_->sessions_mutex());
    held = grant_;
    if (!held) grant_ = fresh;
  }
  if (held) held->change(std::move(grant));
  loop_->dispatch([self = std::static_pointer_cast<WebSocketState>(shared_from_this())] { self->watch_grant(); });
  return {};
}

FLUX_DECL void WebSocketState::watch_grant() {
  const auto held = held_grant();
  if (held && connection() != nullptr) hub_.admitted.watch(held, gate::Admitted::Find::by_end_and_user);
}

FLUX_DECL Sent WebSocketState::send_here(std::string_view message, MessageType type) {
  const Sent sent = send(type, message);
  if (sent == Sent::dropped)
    gone_.store(true, std::memory_order_relaxed);  // it is closing: later ones need not come here
  note_waiting();
  return sent;
}

FLUX_DECL Sent WebSocketState::send_from_anywhere(std::string_view message, MessageType type) {
  if (gone_.load(std::memory_order_relaxed)) return Sent::dropped;
  if (type == MessageType::text && !core::valid_utf8(message)) {
    return send_from_anywhere(core::repaired(std::string(message)), type);
  }
  if (loop_->here()) return send_here(message, type);
  // What is on its way to the loop counts as waiting, so that a caller elsewhere is held back too.
  const std::size_t size = message.size();
  if (waiting_bytes() >= outbox_bytes_max_) return Sent::dropped;
  posted_bytes_.fetch_add(size, std::memory_order_relaxed);
  const std::size_t waiting = waiting_bytes();
  auto self = std::static_pointer_cast<WebSocketState>(shared_from_this());
  const bool posted = loop_->post([self, message = std::string(message), type] {
    self->posted_bytes_.fetch_sub(message.size(), std::memory_order_relaxed);
    self->send_here(message, type);
  });
  if (!posted) return Sent::dropped;
  return waiting >= outbox_bytes_congested_ ? Sent::congested : Sent::queued;
}

FLUX_DECL void WebSocketState::close_from_anywhere(CloseCode code, std::string_view reason) {
  auto self = std::static_pointer_cast<WebSocketState>(shared_from_this());
  loop_->dispatch([self, code, reason = core::repaired(std::string(reason))] { self->close(code, reason); });
}

}  // namespace flux::detail
