#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/raw/raw_websocket.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>

namespace flux::detail {

FLUX_DECL WebSocketState::WebSocketState(RawEndpoint& endpoint, transport::Connection& connection,
                                         const core::ClientAddress& client, transport::WebSocketService& service,
                                         int deflate_window_bits, std::string_view subprotocol)
    : WebSocketStream(connection, service,
                      endpoint.options().message_bytes_max.value_or(service.limits->message_bytes_max),
                      deflate_window_bits),
      endpoint_(endpoint),
      loop_(connection.shared_loop()),
      terms_(endpoint.terms()),
      key_(endpoint.hub().new_key()),
      remote_(client),
      connected_at_(static_cast<std::uint32_t>(loop_->clock().unix_ms() / 1000)),
      subprotocol_(
          static_cast<std::uint32_t>(std::find(terms_->subprotocols.begin(), terms_->subprotocols.end(), subprotocol) -
                                     terms_->subprotocols.begin())) {}

FLUX_DECL void WebSocketState::opened(std::shared_ptr<const Grant> grant) {
  start();
  slot_ = endpoint_.connected().add(*this);
  if (grant) (void)set_grant(std::move(grant));  // it is connected
  hub().debug([&] { return "websocket client " + remote_.text() + " connected"; });
  if (!handlers().on_open) return;
  if (hub().guarded(
          counters(), "open", [&] { handlers().on_open(handle()); }, remote_))
    return;
  close(CloseCode::internal_error, "the server failed to open this endpoint");
}

FLUX_DECL void WebSocketState::on_message(std::string_view message, MessageType type) {
  if (const auto excess = hub().client_limits.take({rate_limit_, strikes_}, gate::SenderOf(*this), *loop_)) {
    if (excess->closes) close(CloseCode::rate_limited, "too many messages");
    return;
  }
  if (!handlers().on_message) return;
  if (hub().guarded(
          counters(), "message", [&] { handlers().on_message(handle(), message, type); }, remote_))
    return;
  close(CloseCode::internal_error, "the server failed to handle a message");
}

FLUX_DECL void WebSocketState::on_disconnect(const Disconnect& how) {
  gone_ = true;
  endpoint_.connected().remove(slot_);
  hub().debug([&] {
    return "websocket client " + remote_.text() + " disconnected: " + std::to_string(static_cast<int>(how.code)) +
           " \"" + core::shown(how.reason) + "\"";
  });
  if (const auto held = held_grant()) hub().admitted.forget(held.get());
  if (handlers().on_close) {
    hub().guarded(
        loop_->counters(), "close", [&] { handlers().on_close(handle(), how); }, remote_);
  }
}

FLUX_DECL std::shared_ptr<gate::HeldGrant> WebSocketState::hold(std::shared_ptr<const Grant> grant) {
  const std::weak_ptr self = std::static_pointer_cast<WebSocketState>(shared_from_this());
  return std::make_shared<gate::ClientGrant<WebSocketState>>(loop_, std::move(grant), self);
}

FLUX_DECL std::shared_ptr<const Grant> WebSocketState::grant() const {
  const auto held = held_grant();
  return held ? held->grant() : nullptr;
}

FLUX_DECL std::shared_ptr<gate::HeldGrant> WebSocketState::holder() {
  auto held = held_grant();
  return held ? held : hold(nullptr);
}

FLUX_DECL Result<void> WebSocketState::set_grant(std::shared_ptr<const Grant> grant) {
  if (gone_ || ignores_input()) return Error(Errc::session_not_found, "the connection is gone");
  auto fresh = hold(grant);
  std::shared_ptr<gate::HeldGrant> held;
  {
    const std::lock_guard lock(loop_->sessions_mutex());
    held = grant_;
    if (!held) grant_ = fresh;
  }
  if (held && !held->change(std::move(grant))) return Error(Errc::session_not_found, "the grant has expired");
  loop_->dispatch([self = std::static_pointer_cast<WebSocketState>(shared_from_this())] { self->watch_grant(); });
  return {};
}

FLUX_DECL void WebSocketState::watch_grant() {
  const auto held = held_grant();
  if (held && connection() != nullptr) hub().admitted.watch(held, gate::Admitted::Find::by_end_and_user);
}

FLUX_DECL Sent WebSocketState::send_here(std::string_view message, MessageType type) {
  const Sent sent = send(type, message);
  if (sent == Sent::dropped)
    gone_.store(true, std::memory_order_relaxed);  // it is closing: later messages need not get here
  note_waiting();
  return sent;
}

FLUX_DECL Sent WebSocketState::send_from_anywhere(std::string_view message, MessageType type) {
  if (gone_.load(std::memory_order_relaxed)) return Sent::dropped;
  if (type == MessageType::text && !core::valid_utf8(message)) {
    return send_from_anywhere(core::repaired(std::string(message)), type);
  }
  if (loop_->here()) return send_here(message, type);
  // Messages on their way to the loop count as pending, so that callers on other threads are held back too.
  const std::size_t size = message.size();
  if (waiting_bytes() >= terms_->outbox_bytes_max) return Sent::dropped;
  posted_bytes_.fetch_add(size, std::memory_order_relaxed);
  const std::size_t waiting = waiting_bytes();
  auto self = std::static_pointer_cast<WebSocketState>(shared_from_this());
  const bool posted = loop_->post([self, message = std::string(message), type] {
    self->posted_bytes_.fetch_sub(message.size(), std::memory_order_relaxed);
    self->send_here(message, type);
  });
  if (!posted) return Sent::dropped;
  return waiting >= terms_->outbox_bytes_congested ? Sent::congested : Sent::queued;
}

FLUX_DECL void WebSocketState::close_from_anywhere(CloseCode code, std::string_view reason) {
  auto self = std::static_pointer_cast<WebSocketState>(shared_from_this());
  loop_->dispatch([self, code, reason = core::repaired(std::string(reason))] { self->close(code, reason); });
}

}  // namespace flux::detail
