// A client of a raw WebSocket endpoint of the application.
#pragma once

#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/gate/held_grant.hpp>
#include <flux/detail/transport/websocket_stream.hpp>
#include <flux/websocket.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace flux::detail {

/// Behind `flux::WebSocket`. Threading: its loop's thread, but for the methods that the handle has.
class WebSocketState final : public transport::WebSocketStream {
 public:
  WebSocketState(Hub& hub, const WebSocketEndpoint& endpoint, transport::Connection& connection,
                 const core::ClientAddress& client, transport::WebSocketService& service, int deflate_window_bits,
                 std::string subprotocol);

  /// `grant`: null: an empty one.
  void opened(std::shared_ptr<const Grant> grant);

  // Any thread
  Sent send_from_anywhere(std::string_view message, MessageType type);
  void close_from_anywhere(CloseCode code, std::string_view reason);
  /// In the outbox, and on the way to the loop.
  std::size_t waiting_bytes() const noexcept {
    if (gone_.load(std::memory_order_relaxed)) return 0;
    return outbox_now_.load(std::memory_order_relaxed) + posted_bytes_.load(std::memory_order_relaxed);
  }
  Grant grant() const;
  /// Errors: session_not_found.
  Result<void> set_grant(std::shared_ptr<const Grant> grant);
  const core::ClientAddress& remote() const noexcept { return remote_; }
  const std::string& subprotocol() const noexcept { return subprotocol_; }

 private:
  void on_message(std::string_view message, MessageType type) override;
  void on_disconnect(const Disconnect& how) override;
  void on_drained() override { note_waiting(); }
  std::shared_ptr<gate::HeldGrant> hold(std::shared_ptr<const Grant> grant);
  std::shared_ptr<gate::HeldGrant> held_grant() const {
    const std::lock_guard lock(loop_->sessions_mutex());
    return grant_;
  }
  void watch_grant();
  void note_waiting() { outbox_now_.store(outbox_bytes(), std::memory_order_relaxed); }
  Sent send_here(std::string_view message, MessageType type);
  WebSocket handle() { return WebSocket(std::static_pointer_cast<WebSocketState>(shared_from_this())); }

  Hub& hub_;
  const WebSocketEndpoint& endpoint_;
  const std::shared_ptr<core::Loop> loop_;
  std::shared_ptr<gate::HeldGrant> grant_;  // null: an empty one. Set once, under the sessions mutex
  const std::string subprotocol_;
  const core::ClientAddress remote_;
  const std::size_t outbox_bytes_congested_, outbox_bytes_max_;  // handles read them after the server has gone
  std::atomic<bool> gone_{false};                                // nothing is sent any more
  std::atomic<std::size_t> outbox_now_{0}, posted_bytes_{0};
};

}  // namespace flux::detail
