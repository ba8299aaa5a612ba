// Raw WebSocket endpoints of the application.
#pragma once

#include <flux/error.hpp>
#include <flux/events.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

namespace detail {
class WebSocketState;
}

/// One connection of a raw endpoint. A handle: copies share it, and it may outlive the connection.
/// Threading: every method from any thread; none blocks. On the connection's loop `send` writes with the next flush;
/// from elsewhere it goes through the loop's mailbox, in order.
class WebSocket {
 public:
  explicit WebSocket(std::shared_ptr<detail::WebSocketState> state) : state_(std::move(state)) {}

  /// What is not UTF-8 in a text becomes U+FFFD, for a client would close the connection. `congested`: more than `Limits::outbox_bytes_congested`
  /// waits. `dropped`: the connection is gone, or more than `Limits::outbox_bytes_max` waits and it is closed with
  /// 4413.
  Sent send(std::string_view message, MessageType type = MessageType::text) const;
  /// Begins the closing handshake; `reason` is cut to 123 bytes, at the end of a code point. Does nothing where it is closed already.
  void close(CloseCode code = CloseCode::normal, std::string_view reason = {}) const;
  /// Bytes that wait for a slow reader.
  std::size_t outbox_bytes() const;
  Identity identity() const;
  /// "192.0.2.7:49152"; the client's, without its port, behind a proxy of `Config::trusted_proxies`.
  std::string remote_address() const;
  /// The subprotocol agreed on; empty: none.
  std::string subprotocol() const;
  /// Equal for copies of one handle; for use as a key.
  const void* key() const noexcept { return state_.get(); }

 private:
  std::shared_ptr<detail::WebSocketState> state_;
};

/// Handlers of a raw endpoint, called on the connection's loop, one at a time per connection; they must not block.
/// `message` is valid only during the call. An exception out of `on_message` closes the connection with 1011.
struct WebSocketEndpoint {
  std::function<void(const WebSocket&)> on_open{};
  std::function<void(const WebSocket&, std::string_view message, MessageType type)> on_message{};
  std::function<void(const WebSocket&, const Disconnect&)> on_close{};
  /// Spoken here, by preference; the first one that the client offers too is agreed on.
  std::vector<std::string> subprotocols{};
  /// 0: `Limits::message_bytes_max`.
  std::size_t message_bytes_max = 0;
  /// Asks the server's connect handler first.
  bool authenticated = false;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/server.hpp>  // brings the definitions
#endif
