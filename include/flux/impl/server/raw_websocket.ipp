#pragma once

#include <flux/detail/mode.hpp>
#include <flux/server/detail/raw_websocket.hpp>

namespace flux::detail {

FLUX_DECL WebSocketState::WebSocketState(const Hub& hub, const WebSocketEndpoint& endpoint,
                                         transport::Connection& connection, transport::WebSocketService& service,
                                         bool deflate, std::shared_ptr<const Identity> identity,
                                         std::string subprotocol)
    : WebSocketStream(connection, service,
                      endpoint.message_bytes_max != 0 ? endpoint.message_bytes_max : service.limits->message_bytes_max,
                      deflate),
      hub_(hub),
      endpoint_(endpoint),
      loop_(connection.shared_loop()),
      identity_(std::move(identity)),
      subprotocol_(std::move(subprotocol)),
      remote_(connection.remote_endpoint()) {}

FLUX_DECL void WebSocketState::opened() {
  start();
  if (endpoint_.on_open) hub_.guarded(counters(), "open", [&] { endpoint_.on_open(handle()); });
}

FLUX_DECL void WebSocketState::on_message(std::string_view message, MessageType type) {
  if (!endpoint_.on_message) return;
  if (hub_.guarded(counters(), "message", [&] { endpoint_.on_message(handle(), message, type); })) return;
  close(CloseCode::internal_error, "the server failed to handle a message");
}

FLUX_DECL void WebSocketState::on_disconnect(const Disconnect& how) {
  gone_ = true;
  waiting_bytes_ = 0;
  if (endpoint_.on_close) {
    hub_.guarded(loop_->counters(), "close", [&] { endpoint_.on_close(handle(), how); });
  }
}

FLUX_DECL Sent WebSocketState::send_from_anywhere(std::string_view message, MessageType type) {
  if (gone_.load(std::memory_order_relaxed)) return Sent::dropped;
  if (loop_->here()) {
    const Sent sent = send(type, message);
    if (sent != Sent::queued) note_waiting();
    return sent;
  }
  // What is on its way to the loop counts as waiting, so that a caller elsewhere is held back too.
  const std::size_t size = message.size();
  const Limits& limits = *service().limits;
  if (waiting_bytes() >= limits.outbox_bytes_max) return Sent::dropped;
  const std::size_t waiting = waiting_bytes_.fetch_add(size, std::memory_order_relaxed) + size;
  auto self = std::static_pointer_cast<WebSocketState>(shared_from_this());
  const bool posted = loop_->post([self, message = std::string(message), type] {
    self->send(type, message);
    self->note_waiting();
  });
  if (!posted) return Sent::dropped;
  return waiting >= limits.outbox_bytes_congested ? Sent::congested : Sent::queued;
}

FLUX_DECL void WebSocketState::close_from_anywhere(CloseCode code, std::string_view reason) {
  auto self = std::static_pointer_cast<WebSocketState>(shared_from_this());
  loop_->dispatch([self, code, reason = std::string(reason)] { self->close(code, reason); });
}

}  // namespace flux::detail
