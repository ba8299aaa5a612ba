// A client of a raw WebSocket endpoint of the application.
#pragma once

#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/endpoints/raw/raw_endpoint.hpp>
#include <flux/detail/gate/client_limits.hpp>
#include <flux/detail/gate/held_grant.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/websocket_stream.hpp>
#include <flux/websocket.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace flux::detail {

/// The state behind `flux::WebSocket`. Threading: its loop's thread, except the methods that the handle has.
class WebSocketState final : public transport::WebSocketStream {
 public:
  /// `subprotocol`: one of the endpoint's; empty: none.
  WebSocketState(RawEndpoint& endpoint, transport::Connection& connection, const core::ClientAddress& client,
                 transport::WebSocketService& service, int deflate_window_bits, std::string_view subprotocol);

  /// `grant`: null means an empty grant.
  void opened(std::shared_ptr<const Grant> grant);

  // Any thread
  std::uint64_t key() const noexcept { return key_; }
  /// Known from the time when it is opened.
  RawId id() const noexcept { return {key_, slot_}; }
  /// Seconds since 1970.
  std::uint32_t connected_at() const noexcept { return connected_at_; }
  Sent send_from_anywhere(std::string_view message, MessageType type);
  void close_from_anywhere(CloseCode code, std::string_view reason);
  /// For `gate::ClientGrant`.
  void end_access(CloseCode code, std::string_view reason) { close_from_anywhere(code, reason); }
  /// Bytes in the outbox and on the way to the loop.
  std::size_t waiting_bytes() const noexcept {
    if (gone_.load(std::memory_order_relaxed)) return 0;
    return outbox_now_.load(std::memory_order_relaxed) + posted_bytes_.load(std::memory_order_relaxed);
  }
  /// Null: an empty one.
  std::shared_ptr<const Grant> grant() const;
  /// Returns the holder of its grant, or a new one if the grant is empty.
  std::shared_ptr<gate::HeldGrant> holder();
  /// Errors: session_not_found.
  Result<void> set_grant(std::shared_ptr<const Grant> grant);
  const core::ClientAddress& remote() const noexcept { return remote_; }
  std::string subprotocol() const {
    return subprotocol_ < terms_->subprotocols.size() ? terms_->subprotocols[subprotocol_] : std::string();
  }
  const std::weak_ptr<core::CallFaults>& call_faults() const noexcept { return loop_->call_faults(); }

 private:
  FLUX_DECL void on_message(std::string_view message, MessageType type) override;
  FLUX_DECL void on_disconnect(const Disconnect& how) override;
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

  Hub& hub() const noexcept { return endpoint_.hub(); }
  const WebSocketEndpoint& handlers() const noexcept { return endpoint_.options(); }

  RawEndpoint& endpoint_;  // ends with the server; handles may outlive it
  const std::shared_ptr<core::Loop> loop_;
  std::shared_ptr<gate::HeldGrant> grant_;  // null: an empty one. Set once, under the sessions mutex
  const std::shared_ptr<const RawTerms> terms_;
  const std::uint64_t key_;
  const core::ClientAddress remote_;
  std::atomic<bool> gone_{false};  // nothing is sent any more
  std::uint32_t slot_ = 0;         // in the directory of the endpoint; set before there are handles
  const std::uint32_t connected_at_;
  const std::uint32_t subprotocol_;  // its place among those of the endpoint; past their end: none
  std::uint32_t strikes_ = 0;
  gate::RateLimit rate_limit_;
  std::atomic<std::size_t> outbox_now_{0}, posted_bytes_{0};
};

}  // namespace flux::detail
