// Engine.IO 4: messages over HTTP long-polling and WebSocket, with an upgrade from one to the other. What Socket.IO
// runs on; of use by itself to applications whose clients speak engine.io-client. Source: the Engine.IO protocol,
// version 4.
#pragma once

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

/// How many clients may poll. A session that polls has no connection of its own: over one, a client opens as many as it
/// likes. Those over a WebSocket have theirs, and do not count here. An address is that of the client behind
/// `Config::trusted_proxies`, of IPv6 its network of 64 bits. Each limit: 0: any.
struct PollingLimits {
  /// Of one address; one more is refused with 429. Clients that could not connect by a WebSocket are among them, and
  /// all who come through one proxy that is not trusted.
  std::size_t sessions_per_address_max = 10'000;
  /// Of what is kept of their requests for `Handshake` (query and header fields), of one address; then 429, too.
  std::size_t head_bytes_per_address_max = 16'777'216;
  /// Sessions whose client has not come back since its handshake; the oldest ends where there are more, with the reason
  /// "unused". Of all addresses:
  std::size_t unused_max = 20'000;
  std::size_t unused_per_address_max = 1'000;
  std::size_t unused_head_bytes_max = 67'108'864;  ///< of what is kept of their requests, of all addresses
};

/// What engine.io has and this does not: Engine.IO 3 (clients before version 4), JSONP, WebTransport, compression of
/// polls and of WebSockets, a cookie with the session id. A POST with a bad packet is answered with 400 (engine.io:
/// 200), one with a message that is too long with 413; the session ends behind the answer, as it does when a POST
/// breaks off. A body that is announced as too long is refused with 413 and the session stays. Of the subprotocols of a
/// WebSocket the first is taken.
///
/// A poll takes up to 1 MB of what is pending, a longer packet alone; the rest waits for the next poll. Pings go on
/// while a message is on its way, in either direction where the protocol lets one in between, and bytes that arrive
/// count as a sign of life; a pong is due from when its ping could be sent.
///
/// While `Limits::outbox_bytes_congested` and more is pending for a client that polls, messages that it posts are not
/// acted on: they wait for its next polls. The POST that is in progress then is answered, a further one is answered
/// when its own messages are acted on. A client that polls nothing for `Limits::output_stall_timeout` while its
/// messages wait is closed.
struct Options {
  std::string path = "/engine.io/";  ///< served with a slash at its end, and without
  std::chrono::milliseconds ping_interval{25'000};
  std::chrono::milliseconds ping_timeout{20'000};  ///< without a pong: closed
  /// Of a message, on either transport; clients know it as maxPayload. Counts here in the place of
  /// `Limits::message_bytes_max` and `Limits::body_bytes_max`. Where bytes come as base64 it is they that count: a POST
  /// may have a third more, and 64 kB for what is around them; so may what the WebSocket of a client that asked for
  /// base64 brings. What one client may have the server hold follows from it: bytes are not copied on their way in over
  /// a WebSocket, base64 is there beside them, and text is there twice while Socket.IO takes it apart. Memory grows as
  /// they arrive. Messages of 1 MB and more, and texts that were taken apart beside the loop, are freed on a thread of
  /// their own.
  std::size_t payload_bytes_max = 1'000'000;
  std::chrono::milliseconds upgrade_timeout{10'000};  ///< for the upgrade to WebSocket
  PollingLimits polling_limits{};
  bool polling = true;
  bool websocket = true;
  /// Origins whose pages may read answers to long-polling (CORS): `*`, or some; none: those of `Config::origins`, which
  /// says who may come at all, on either transport.
  std::vector<std::string> cors_origins{};
  /// Whether those pages may send cookies and other credentials along. Only for origins that are named.
  bool cors_credentials = false;
  /// Clients are let in by the server's connect handler or, where none is set, by its token verifier if they show a token:
  /// of Engine.IO at the handshake, of Socket.IO when they join a namespace. False: this endpoint is open to all.
  /// An Engine.IO client keeps no grant: it ends neither at `Grant::expires_at` nor by `Server::revoke_user`.
  bool authenticated = true;
};

/// One client. A handle, as `WebSocket` is: it may outlive the connection, and the server. Threading: any thread.
class Socket {
 public:
  explicit Socket(std::shared_ptr<detail::EngineIoSession> session) : session_(std::move(session)) {}
  /// The session id.
  std::string id() const;
  /// What is not UTF-8 in a text becomes U+FFFD; a text with U+001E does not reach a client that polls. A client for
  /// which more than `Limits::outbox_bytes_max` waits is closed; one message that is large beside the limit does not
  /// count. `congested`: `Limits::outbox_bytes_congested` and more is pending for it, as far as the client's loop
  /// knows: other threads hear `queued`. `dropped`: it is closed.
  Sent send(std::string_view message, MessageType type = MessageType::text) const;
  /// The client gets what was sent before.
  void close() const;
  friend bool operator==(const Socket&, const Socket&) = default;

 private:
  std::shared_ptr<detail::EngineIoSession> session_;
};

/// Called on the client's event loop, one at a time for each client.
struct Endpoint {
  std::function<void(const Socket&)> on_open;
  std::function<void(const Socket&, std::string_view message, MessageType type)> on_message;
  /// `reason` as engine.io words it: "transport close", "transport error", "ping timeout", "forced close", "parse
  /// error", "server shutting down"; ours: "rate limited", "unused" (`PollingLimits`).
  std::function<void(const Socket&, std::string_view reason)> on_close;
};

/// Serves an Engine.IO endpoint. Before the start. `Limits::connections_max` bounds its sessions, and
/// `Limits::messages_per_second` what each may send: messages, over Socket.IO also packets that join a further
/// namespace.
/// Errors: throws `Error` (bad_config, already_running).
void serve(Server& server, Endpoint endpoint, Options options = {});

}  // namespace flux::engineio

#include <flux/server.hpp>

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/engineio.ipp>
#endif
