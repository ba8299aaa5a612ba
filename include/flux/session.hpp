// The handle of a connected client.
#pragma once

#include <flux/grant.hpp>
#include <flux/types.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

namespace detail {
class SessionState;
}

/// A handle to a connected client. Copies share the client. A handle may outlive the connection: it then returns what was
/// last known, and sends nothing.
/// Threading: every method from any thread; none blocks.
class Session {
 public:
  /// For flux itself.
  explicit Session(std::shared_ptr<detail::SessionState> state) : state_(std::move(state)) {}

  /// Its id, which clients get as `connectionId`.
  SessionId id() const;
  /// Who it is: the identity of its grant, or, if there is none, what the client claimed when it joined a room.
  Identity identity() const;
  /// What it was granted when it connected, or by `set_grant` since; empty if no handler was asked.
  Grant grant() const;
  /// Replaces its grant, `expires_at` included; of a data sharing client its socket's, too. The session stays in its
  /// rooms, except those whose demands the new grant does not meet (`Demands`): it leaves them with `room_left`. Members of
  /// the others see a new identity once it joins again. `Server::revoke` also ends memberships.
  /// Errors: invalid_argument (text that is not UTF-8, claims above `Grant::claims_bytes_max`); session_not_found after
  /// it has disconnected.
  Outcome<void> set_grant(Grant grant) const;
  /// "192.0.2.7:49152"; behind a proxy of `Config::trusted_proxies` the client's address, without its port.
  std::string remote_address() const;
  /// The rooms it is in now, in the order of joining.
  std::vector<RoomId> rooms() const;
  /// Whether the connection is open.
  bool connected() const;
  /// The messages received from it and sent to it so far.
  ClientCounts counts() const;

  /// What the application has stored with this session; null if nothing. Clients never get it. It still exists in
  /// `on_leave` and `on_disconnect`, and is gone afterwards.
  JsonText data() const;
  /// Stores a value of the application's own with this session; null removes it. It replaces the previous one.
  /// Errors: message_too_large above `Limits::application_data_bytes_max`; session_not_found after it has disconnected.
  Outcome<void> set_data(JsonText data) const;

  /// Sends `event` to this client alone. Protocol live: a `broadcast_event` from `server_connection_id`, with `room` as
  /// its roomId. Data sharing: the event itself, with the payload and, if it is not empty, `room`. On the client's event
  /// loop the result says whether the client is congested; on other threads it is `queued`.
  /// Ordering: calls from one thread keep their order.
  /// Errors: session_not_found after it has disconnected; invalid_argument for an event that is empty, too long, not UTF-8
  /// or (data sharing) reserved, and for a room that is not UTF-8; message_too_large above `Limits::message_bytes_max`.
  Outcome<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room = {}) const;
  /// Closes the connection with `code` and `reason` (repaired if it is not UTF-8, and cut to 123 bytes). Socket.IO clients
  /// get neither. Does nothing if the connection is already closed. A handler's own answer arrives before, and so does what
  /// was sent; what the client sends afterwards is ignored.
  void close(CloseCode code, std::string_view reason = {}) const;

  friend bool operator==(const Session&, const Session&) = default;
  /// For flux itself.
  const std::shared_ptr<detail::SessionState>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::SessionState> state_;
};

/// A connected client in a page of `Server::clients`.
struct ConnectedClient {
  std::string_view protocol;  ///< "live", "sharing", "engine.io", "socket.io" or, of a raw endpoint, "websocket"
  /// The `connectionId`; of Engine.IO and Socket.IO the `sid`, which clients keep secret; of a raw endpoint
  /// `WebSocket::id`. `Server::disconnect` takes it.
  std::string id;
  std::chrono::system_clock::time_point connected_at;  ///< to the second, by the server's `Clock`
  std::optional<Session> session;                      ///< of protocol live and data sharing
  ClientCounts counts{};                               ///< of its messages, up to now
};

/// What `Server::clients` returns.
struct ClientsPage {
  std::vector<ConnectedClient> clients;  ///< in an order of the server's own
  std::string after;                     ///< requests the next page; empty: this is the last one
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/events.hpp>  // brings the definitions, which need what it declares
#endif
