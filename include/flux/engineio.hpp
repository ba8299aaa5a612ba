// Engine.IO 4: messages over HTTP long-polling and WebSocket, with an upgrade from one to the other. The basis of
// Socket.IO; useful by itself for applications whose clients use engine.io-client. Source: the Engine.IO protocol,
// version 4.
#pragma once

#include <flux/error.hpp>
#include <flux/grant.hpp>
#include <flux/types.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux {
class Server;
}

namespace flux::detail {
class EngineIoSession;
}

namespace flux::engineio {

/// Limits of polling sessions. A polling session has no connection of its own: a client can open any number over one.
/// Sessions over a WebSocket have one, and do not count here. An address is the client's, behind
/// `Config::trusted_proxies` too; for IPv6 its /64 network. 0: unlimited, in each of them.
struct PollingLimits {
  /// Sessions of one address; a further one is refused with 429. This includes clients that could not open a WebSocket,
  /// and all clients behind one proxy that is not trusted.
  std::size_t sessions_per_address_max = 10'000;
  /// Size of what is kept of one address's requests for `Handshake` (query and header fields); beyond it 429 as well.
  std::size_t head_bytes_per_address_max = 16'777'216;
  /// Sessions whose client has not sent another request since its handshake, over all addresses; beyond this number the
  /// oldest ends, with the reason "unused".
  std::size_t unused_max = 20'000;
  std::size_t unused_per_address_max = 1'000;      ///< the same for each address
  std::size_t unused_head_bytes_max = 67'108'864;  ///< of what is kept of their requests, of all addresses
};

/// Options of an Engine.IO endpoint.
///
/// Not supported, unlike in engine.io: Engine.IO 3 (clients before version 4), JSONP, WebTransport, compression of
/// polls and of WebSockets, a cookie with the session id. A POST with an invalid packet is answered with 400
/// (engine.io: 200), one with a message that is too long with 413; the session ends after the answer, as it does when a
/// POST is aborted. A body that is declared too long is refused with 413 and the session stays. Of a WebSocket's
/// subprotocols the first is selected.
///
/// A poll returns up to 1 MB of pending output, a longer packet alone; the rest waits for the next poll. Pings continue
/// while a message is being transferred, in either direction if the protocol allows one in between, and received bytes
/// count as a sign of life; the time for a pong begins when its ping could be sent.
///
/// While at least `Limits::outbox_bytes_congested` is pending for a polling client, messages that it posts are not
/// acted on: they wait for its next polls. The POST in progress is answered; a further one is answered when its own
/// messages are acted on. A client that does not poll for `Limits::output_stall_timeout` while its messages wait is
/// closed.
struct Options {
  std::string path = "/engine.io/";                 ///< served with a slash at its end, and without
  std::chrono::milliseconds ping_interval{25'000};  ///< from a pong to the next ping; more than 0
  std::chrono::milliseconds ping_timeout{20'000};   ///< without a pong: closed; more than 0
  /// Size of a message, on either transport, at least 1; clients call it maxPayload. Used here instead of
  /// `Limits::message_bytes_max` and `Limits::body_bytes_max`. For base64 the decoded bytes count: a POST may have a
  /// third more, plus 64 kB for what surrounds them, and so may a WebSocket message of a client that asked for base64.
  /// This determines how much memory one client can use: bytes received over a WebSocket are not copied, base64 is kept
  /// beside its bytes, and text exists twice while Socket.IO parses it. Memory grows as the bytes arrive. Messages of 1
  /// MB and more, and texts that were parsed outside the loop, are freed on a separate thread.
  std::size_t payload_bytes_max = 1'000'000;
  std::chrono::milliseconds upgrade_timeout{10'000};  ///< for the upgrade to WebSocket; more than 0
  PollingLimits polling_limits{};                     ///< how many clients may poll
  bool polling = true;                                ///< whether clients may use HTTP long-polling
  bool websocket = true;                              ///< whether clients may use WebSocket
  /// Origins whose pages may read answers to long-polling (CORS): `*`, or a list; empty: those of `Config::origins`,
  /// which decides which pages may connect at all, over either transport.
  std::vector<std::string> cors_origins{};
  /// Whether those pages may send cookies and other credentials. Only for origins listed by name.
  bool cors_credentials = false;
  /// Clients are accepted by the server's connect handler or, if none is set, by its token verifier if they present a
  /// token: Engine.IO clients at the handshake, Socket.IO clients when they connect to a namespace. False: this
  /// endpoint is open to all. An Engine.IO client is closed when its grant ends or is revoked (`Server::revoke_user`).
  bool authenticated = true;
};

/// One client. A handle, like `WebSocket`: it may outlive the connection, and the server. Threading: any thread.
class Socket {
 public:
  /// For flux itself.
  explicit Socket(std::shared_ptr<detail::EngineIoSession> session) : session_(std::move(session)) {}
  /// The session id.
  std::string id() const;
  /// `grant().identity`.
  Identity identity() const;
  /// What it was accepted with, or has been granted since; empty if no handler was asked. The session is closed when the
  /// grant ends or is revoked: over a WebSocket with 4401.
  Grant grant() const;
  /// Replaces the grant from now on; if called on another thread than the client's loop, a little later. Errors:
  /// invalid_argument (text that is not UTF-8, claims above `Grant::claims_bytes_max`); session_not_found if the
  /// session is closed.
  Outcome<void> set_grant(Grant grant) const;
  /// Bytes of a text that are not UTF-8 become U+FFFD; a text with U+001E does not reach a polling client. A client
  /// with more than `Limits::outbox_bytes_max` pending is closed; one message that is large relative to the limit does
  /// not count. `congested`: at least `Limits::outbox_bytes_congested` is pending, if called on the client's loop; on
  /// other threads the result is `queued`. `dropped`: it is closed.
  Sent send(std::string_view message, MessageType type = MessageType::text) const;
  /// The client still gets everything sent before.
  void close() const;
  friend bool operator==(const Socket&, const Socket&) = default;

 private:
  std::shared_ptr<detail::EngineIoSession> session_;
};

/// Called on the client's event loop, one at a time for each client.
struct Endpoint {
  std::function<void(const Socket&)> on_open{};  ///< a client has connected
  /// A message has arrived.
  std::function<void(const Socket&, std::string_view message, MessageType type)> on_message{};
  /// The client has disconnected. `reason`, as in engine.io: "transport close", "transport error", "ping timeout",
  /// "forced close", "parse error", "server shutting down"; ours: "rate limited", "access ended" (its grant), "unused"
  /// (`PollingLimits`).
  std::function<void(const Socket&, std::string_view reason)> on_close{};
};

/// Serves an Engine.IO endpoint; call it before the start. `Limits::connections_max` limits its sessions, and
/// `Limits::messages_per_second` (with the limits of users and addresses) what each may send: messages, and over
/// Socket.IO also packets that connect to a further namespace. A message beyond a limit is dropped.
/// Errors: throws `Error` (bad_config, already_running).
void serve(Server& server, Endpoint endpoint, Options options = {});

}  // namespace flux::engineio

#include <flux/server.hpp>

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/engineio.ipp>
#endif
