// Raw WebSocket endpoints of the application.
#pragma once

#include <flux/error.hpp>
#include <flux/events.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

namespace detail {
class WebSocketState;
}

/// A connection of a raw endpoint. A handle: copies share the connection and may outlive it.
/// Threading: every method from any thread; none blocks. On the connection's loop `send` writes with the next flush;
/// from other threads it goes through the loop's mailbox, in order.
class WebSocket {
 public:
  /// For flux itself.
  explicit WebSocket(std::shared_ptr<detail::WebSocketState> state) : state_(std::move(state)) {}

  /// 26 characters, chosen by the server and not guessable. `Server::clients` lists it, `Server::disconnect` takes it.
  std::string id() const;
  /// Sends a message. Bytes of a text that are not UTF-8 become U+FFFD, because clients close the connection on invalid
  /// UTF-8. `congested`: more than `Limits::outbox_bytes_congested` is pending. `dropped`: the connection is closed, or
  /// more than `Limits::outbox_bytes_max` is pending and it is being closed with 4413.
  Sent send(std::string_view message, MessageType type = MessageType::text) const;
  /// Begins the closing handshake; `reason` is cut to 123 bytes, at the end of a code point. Does nothing if the
  /// connection is already closed.
  void close(CloseCode code = CloseCode::normal, std::string_view reason = {}) const;
  /// The messages received from the client and sent to it so far.
  ClientCounts counts() const;
  /// Bytes pending for a slow reader.
  std::size_t outbox_bytes() const;
  /// Who the client is; empty if no handler was asked.
  Identity identity() const;
  /// What it was granted when it connected, or by `set_grant` since; empty if no handler was asked. When the grant expires,
  /// the connection is closed.
  Grant grant() const;
  /// Replaces the grant. Errors: invalid_argument (text that is not UTF-8, claims above `Grant::claims_bytes_max`);
  /// session_not_found after it has disconnected.
  Outcome<void> set_grant(Grant grant) const;
  /// "192.0.2.7:49152"; behind a proxy of `Config::trusted_proxies` the client's address, without its port.
  std::string remote_address() const;
  /// The negotiated subprotocol; empty: none.
  std::string subprotocol() const;
  /// Equal for all copies of a handle; for use as a key.
  const void* key() const noexcept { return state_.get(); }

 private:
  std::shared_ptr<detail::WebSocketState> state_;
};

/// Handlers of a raw endpoint, called on the connection's loop, one at a time per connection; they must not block.
/// `message` is valid only during the call. If `on_message` throws, the connection is closed with 1011. It is not called
/// with messages past `Limits::messages_per_second` and the limits of users and addresses: they are dropped and counted.
struct WebSocketEndpoint {
  /// A client has connected.
  std::function<void(const WebSocket&)> on_open{};
  /// A whole message has arrived; fragments are joined.
  std::function<void(const WebSocket&, std::string_view message, MessageType type)> on_message{};
  /// The connection has ended. Called once for each call of `on_open`.
  std::function<void(const WebSocket&, const Disconnect&)> on_close{};
  /// The subprotocols supported here, in order of preference; the first one that the client also offers is selected.
  std::vector<std::string> subprotocols{};
  /// Largest client message, after reassembly and inflation; at least 1. None: `Limits::message_bytes_max`.
  std::optional<std::size_t> message_bytes_max{};
  /// Whether the server's connect handler decides who may connect or, if none is set, its token verifier about clients that
  /// show a token. False: this endpoint is open to all, and its clients are unknown.
  bool authenticated = true;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/server.hpp>  // includes the definitions
#endif
