// A Socket.IO server (protocol 5, for socket.io-client 3 and 4): namespaces, middlewares, events with acknowledgments,
// rooms. Names and behaviour are those of the Node server, where C++ allows.
//
//     flux::Server server;
//     flux::socketio::Io io(server);
//     io.on_connection([](flux::socketio::Socket socket) {
//       socket.on("hello", [socket](flux::socketio::Event& event) {
//         socket.join("room");
//         socket.to("room").emit("joined", event.args());
//         event.ack({flux::JsonText::string("welcome")});
//       });
//     });
//     server.run();
//
// Intended differences from the Node server:
// - A handler set for an event replaces the previous one; `Event::ack` is sent at once, before emits to rooms.
// - Acknowledgments that the server requests have a time limit, and their handler is told if the client disconnects.
// - A middleware that throws, or forgets its `Next`, refuses. A socket emits nothing before it is connected. A client
//   that requests a namespace again while middlewares decide starts over (Node: two sockets).
// - An invalid packet ends the connection with "parse error" (Node: "forced close"), and so do packets beyond
//   `packet_limits`, events without data, acknowledgments without an id, and attachments without a placeholder.
// - Event middlewares: a refusal is passed to `Socket::on_refused`; there is no event named "error".
// - Namespaces created by a predicate end with their last client. A socket can't leave the room named by its own id.
// - For recovery see `Options::recovery_max`, for the transports <flux/engineio.hpp>.
#pragma once

#include <flux/engineio.hpp>
#include <flux/grant.hpp>
#include <flux/socketio_types.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {
class SocketIoServer;
class SocketIoNamespace;
class SocketIoSocket;
class EngineIoOpening;
struct SocketIoQuestion;
}  // namespace flux::detail

namespace flux::socketio {

/// Options of a Socket.IO endpoint. 0 is a number like any other, so a limit of 0 allows none; where it means something else
/// or is refused, the comment says so.
///
/// For larger messages set `payload_bytes_max`; nothing else limits the size of one event, attachments included. A
/// packet with 256 kB of text or more is parsed on a separate thread of the endpoint, and nothing else is read from its
/// client meanwhile. So parsing blocks no loop; the handler still runs on the loop.
///
/// `Limits::messages_per_second` counts events and acknowledgments. Those beyond it are not acted on: neither
/// middlewares nor handlers are called. An event that asks for an acknowledgment goes to `Socket::on_refused`, which
/// may send the ack; if it is not set there is no ack, because Socket.IO has no error for this, and the client's
/// `timeout` expires. Data sharing acknowledges its events with an error.
struct Options {
  std::string path = "/socket.io/";  ///< served with a slash at its end, and without

  // Of the transport, as in `engineio::Options`.
  std::chrono::milliseconds ping_interval = engineio::Options().ping_interval;      ///< from a pong to the next ping
  std::chrono::milliseconds ping_timeout = engineio::Options().ping_timeout;        ///< without a pong: closed
  std::size_t payload_bytes_max = engineio::Options().payload_bytes_max;            ///< size of a message
  std::chrono::milliseconds upgrade_timeout = engineio::Options().upgrade_timeout;  ///< for the upgrade to WebSocket
  engineio::PollingLimits polling_limits{};                                         ///< how many clients may poll
  bool polling = true;                      ///< whether clients may use HTTP long-polling
  bool websocket = true;                    ///< whether clients may use WebSocket
  std::vector<std::string> cors_origins{};  ///< whose pages may poll; empty: those of `Config::origins`
  bool cors_credentials = false;            ///< whether they may send cookies
  bool authenticated = true;                ///< false: open to all

  std::chrono::milliseconds connect_timeout{
      45'000};                   ///< to join a namespace; then the connection is closed. More than 0
  PacketLimits packet_limits{};  ///< what one packet may hold
  /// The connection is closed if an event's next attachment does not arrive within this time, more than 0.
  std::chrono::milliseconds attachments_timeout{20'000};
  std::size_t namespaces_max = 10'000;              ///< including those created by predicates; at least 1
  std::size_t namespaces_per_connection_max = 100;  ///< that one client may be in; at least 1
  /// Size of CONNECT's payload, which is kept as long as its socket; at least 2. A larger one is refused.
  std::size_t auth_bytes_max = 16'384;
  std::size_t rooms_per_socket_max = 1'000;  ///< that one socket may be in
  /// Acknowledgments and answers of `Socket::use` that the application may owe one socket; beyond that its connection
  /// is closed.
  std::size_t acks_waiting_max = 10'000;
  /// Connection state recovery: how long the state of a disconnected client is kept, with the events that it missed. 0:
  /// off. Middlewares are asked again, because the client may have been locked out since (the Node server skips them);
  /// data that they set takes precedence over recovered data, rooms that they join are added to recovered ones. Clients
  /// that have received nothing yet, or nothing for a long time, are also recovered (not by the Node server). Missed
  /// events arrive after the client's "connect". Emits to rooms cost more, because the receivers of each are looked up.
  std::chrono::milliseconds recovery_max{0};
  /// The newest packets kept for recovery, per namespace. A client that missed older ones is not recovered, nor one that
  /// missed more than half of `Limits::outbox_bytes_max`: it would be a slow reader.
  std::size_t recovery_packets_max = 10'000;
  std::size_t recovery_bytes_max = 16'777'216;  ///< of those packets together
  /// Disconnected clients kept, per namespace: the oldest is dropped for a new one. Addresses as in `PollingLimits`. 0:
  /// none.
  std::size_t recovery_sockets_max = 10'000;
  std::size_t recovery_sockets_per_address_max = 1'000;  ///< of those, of one address. 0: none
  /// The path of a file: the client bundle, served at `path` + "socket.io.js". Empty: not served.
  std::string client_file{};
};

/// What the client sent when it connected to the namespace, and in the first request of its connection.
class Handshake {
 public:
  /// For flux itself.
  Handshake(std::shared_ptr<const JsonText> auth, std::shared_ptr<const detail::EngineIoOpening> opening)
      : auth_(std::move(auth)), opening_(std::move(opening)) {}
  /// The `auth` object of the client, of at most `Options::auth_bytes_max`; `{}` if it sent none.
  const JsonText& auth() const noexcept { return *auth_; }
  /// The query string of the first request, as sent.
  std::string_view query() const noexcept;
  /// A decoded parameter of the query string.
  std::optional<std::string> query(std::string_view name) const;
  /// A header field of the first request, by its name in any case; of several the first. The fields of the WebSocket
  /// handshake itself (Upgrade, Connection, Sec-WebSocket-…) are not kept.
  std::optional<std::string_view> header(std::string_view name) const;
  /// All of these header fields. Those of one name are in the order in which they were sent.
  HttpFields headers() const;
  /// "192.0.2.7:49152"; behind a proxy of `Config::trusted_proxies` the client's address, without its port.
  std::string_view remote_address() const noexcept;

 private:
  std::shared_ptr<const JsonText> auth_;
  std::shared_ptr<const detail::EngineIoOpening> opening_;
};

/// An event from a client. Valid during its handler; copy `later` to keep it.
class Event {
 public:
  /// Sends an acknowledgment.
  using Ack = std::function<Outcome<Sent>(Args)>;
  /// For flux itself.
  Event(std::string name, Args args, Ack ack) : name_(std::move(name)), args_(std::move(args)), ack_(std::move(ack)) {}
  /// The event's name.
  const std::string& name() const noexcept { return name_; }
  /// The arguments that follow the name.
  const Args& args() const noexcept { return args_; }
  /// The argument, or `null` if there is none.
  const Value& arg(std::size_t index) const {
    static const Value none;
    return index < args_.size() ? args_[index] : none;
  }
  /// Whether the client asked for an acknowledgment.
  bool wants_ack() const noexcept { return static_cast<bool>(ack_); }
  /// Acknowledges the event; the first call counts. Does nothing if the client did not request it. Sent at once: before
  /// what this handler has sent to rooms. Errors: invalid_argument.
  Outcome<Sent> ack(Args args = {}) const { return ack_ ? ack_(std::move(args)) : Outcome<Sent>(Sent::queued); }
  /// Acknowledges later, from any thread: a function that may be called even if the client requested nothing, like `ack`.
  Ack later() const {
    return ack_ ? ack_ : [](const Args&) { return Outcome<Sent>(Sent::queued); };
  }

 private:
  friend class detail::SocketIoSocket;
  std::string name_;
  Args args_;
  Ack ack_;
};

class Namespace;
class Next;
class Socket;

/// The handler of an event.
using EventListener = std::function<void(Event&)>;
/// Called for an event before its handlers. The event lives until the answer has been given.
using EventMiddleware = std::function<void(Event&, Next)>;
/// Called for an event that a middleware has refused, with its message and data; for one that exceeded the rate and
/// asks for an acknowledgment, with the rate; or for one whose handler threw, with a message that says no more than that.
/// An acknowledgment that the handler has already sent counts.
using RefusedHandler = std::function<void(Event&, const std::string& message, const std::optional<JsonText>& data)>;
/// Called when a client has left a namespace; see `Socket::on_disconnect`.
using DisconnectListener = std::function<void(std::string_view reason)>;
/// The answer; or `Errc::overloaded` if none came in time, `session_not_found` if the client disconnected.
using AckHandler = std::function<void(Result<Args>)>;
/// The answers of several clients, in the order received. `missing`: one of the errors of those that gave none.
using AnswersHandler = std::function<void(const std::optional<Error>& missing, std::vector<Args> answers)>;

/// Sends to rooms of a namespace: `io.to("a").to("b").except("c").emit("news", args)`. A socket that is in several of
/// the rooms gets it once. A socket's id is a room with that socket alone. Methods that narrow it down return another
/// object and leave this one unchanged.
/// Threading: any thread.
/// Ordering: emits of one thread to the same room, or all to sockets, arrive in order; with connection state recovery,
///            all emits do.
/// Cost: encoded once, and frames are shared. To one room or to all, except single sockets: O(members) pushes, in one
///            batch with other output of the turn. Otherwise the receivers are looked up, and each loop gets a task.
class Broadcast {
 public:
  /// Also to this room.
  [[nodiscard]] Broadcast to(std::string room) const;
  /// Not to the sockets in this room.
  [[nodiscard]] Broadcast except(std::string room) const;
  /// Clients that can't receive it at once do not get it.
  [[nodiscard]] Broadcast volatile_() const;
  /// How long to wait for acknowledgments; 10 s otherwise.
  [[nodiscard]] Broadcast timeout(std::chrono::milliseconds timeout) const;
  /// Sends the event. Errors: invalid_argument: a name that is reserved or not UTF-8, or arguments that can't be sent;
  /// overloaded if too much is already pending for the same room (Limits::fanout_bytes_max).
  Outcome<Sent> emit(std::string_view event, const Args& args = {}) const;
  /// Sends the event and asks every receiver for an acknowledgment. If this returns no error, `done` is called once: on
  /// the loop of the last one that answers, or at once if there are no receivers; not if the server is destroyed first.
  Outcome<Sent> emit(std::string_view event, const Args& args, AnswersHandler done) const;

  /// The sockets that `emit` would reach.
  std::vector<Socket> sockets() const;
  /// Makes these sockets join another room. Those that are already in too many rooms do not join.
  void sockets_join(const std::string& room) const;
  /// Makes these sockets leave another room.
  void sockets_leave(const std::string& room) const;
  /// Calls `Socket::disconnect` for these sockets.
  void disconnect_sockets(bool close = false) const;

 private:
  friend class Socket;
  friend class Namespace;
  explicit Broadcast(std::shared_ptr<detail::SocketIoNamespace> nsp) : nsp_(std::move(nsp)) {}
  std::shared_ptr<detail::SocketIoNamespace> nsp_;
  std::vector<std::string> rooms_;
  std::vector<std::string> except_;
  std::chrono::milliseconds timeout_{10'000};
  bool volatile_only_ = false;
};

/// A client in a namespace. A handle: copies share it, and it may outlive the connection, and the server.
/// Threading: any thread. Handlers run on the client's event loop, one at a time. They are also destroyed there, with
/// all that they have captured, unless another thread replaces them or the server has ended first. A handler may hold
/// its own socket: handlers are destroyed when the client disconnects.
class Socket {
 public:
  /// For flux itself.
  explicit Socket(std::shared_ptr<detail::SocketIoSocket> state) : state_(std::move(state)) {}

  /// `socket.id` of the client; unique, also among namespaces. With it `Server::session` finds the session of a client that
  /// data sharing serves.
  const std::string& id() const;
  /// The namespace.
  Namespace nsp() const;
  /// What the client sent when it connected.
  const Handshake& handshake() const;
  /// Whether it is in its namespace.
  bool connected() const;
  /// Whether its state was recovered, so that it missed nothing.
  bool recovered() const;
  /// "polling" or "websocket", at present.
  std::string_view transport() const;

  /// Sets the handler of an event; a later call replaces it. Here, and for `once` and `use`, an empty function is an error,
  /// which is logged and counted in `Stats::calls_failed`, and nothing is set. The other handlers of a socket are removed by
  /// an empty one.
  void on(std::string event, EventListener handler) const;
  /// The same, for the next event of that name only.
  void once(std::string event, EventListener handler) const;
  /// Removes the handler of an event.
  void off(std::string_view event) const;
  /// Called for every event, before its own handler.
  void on_any(EventListener handler) const;
  /// Called for every event before its handlers, in the order of the calls. Events that wait for an answer may be
  /// overtaken by others. A refused event is dropped: the client is told only what `on_refused` sends, for instance as
  /// its ack. The same applies to events beyond `Limits::messages_per_second`.
  void use(EventMiddleware middleware) const;
  /// Sets the handler of events that a middleware refused, that exceeded the rate, or whose handler threw.
  void on_refused(RefusedHandler handler) const;
  /// Like `on_disconnect`, but called while the socket is still in its rooms and can emit to them.
  void on_disconnecting(DisconnectListener handler) const;
  /// Sets the handler that is called when the socket has left its namespace. `reason`, as in Socket.IO: "transport
  /// close", "transport error", "ping timeout", "parse error", "client namespace disconnect", "server namespace
  /// disconnect", "forced server close", "server shutting down"; ours: "rate limited".
  void on_disconnect(DisconnectListener handler) const;

  /// Sends an event. On the client's loop the outcome is `congested` if at least `Limits::outbox_bytes_congested` is
  /// pending for it, otherwise `queued`, as on other threads.
  /// Errors: invalid_argument as for `Broadcast`; session_not_found if it is not connected.
  Outcome<Sent> emit(std::string_view event, const Args& args = {}) const;
  /// Sends an event, but not if it would have to wait: the client polls and no poll is open, or it is slow. On the
  /// client's loop the outcome is `dropped` then.
  Outcome<Sent> volatile_emit(std::string_view event, const Args& args = {}) const;
  /// Sends an event and asks for an acknowledgment. If this returns no error, `done` is called once, on the client's
  /// loop; not if the server is destroyed first.
  Outcome<Sent> emit(std::string_view event, const Args& args, std::chrono::milliseconds timeout,
                     AckHandler done) const;

  /// Joins a room. A middleware may also call it: it takes effect when the socket is connected.
  /// Errors: limit_exceeded; session_not_found; invalid_argument for a name that is empty or not UTF-8.
  Outcome<void> join(const std::string& room) const;
  /// Leaves a room.
  void leave(const std::string& room) const;
  /// Its rooms. Includes the room of its own id; empty in `on_disconnect`.
  std::vector<std::string> rooms() const;
  /// To the other sockets of a room. Each socket's id is a room, too: check a name that comes from a client, or begin the
  /// names of the application's rooms with a prefix.
  Broadcast to(std::string room) const;
  /// To the other sockets of the namespace.
  Broadcast broadcast() const;
  /// Leaves the namespace; with `close` it leaves every namespace, and the connection ends. Does nothing before the socket
  /// is connected: a middleware calls `Next::refuse`.
  void disconnect(bool close = false) const;

  /// The grant from the connect handler or token verifier, or from `set_grant` since. Empty without either handler. The
  /// whole connection ends with the grant, and when its user is revoked (`Server::revoke_user`).
  Grant grant() const;
  /// Replaces the grant from now on: in a middleware, or when the client has sent a new token. For a client of data
  /// sharing its `Session` has the grant too. To change only a part, change a copy of `grant()`: in a grant made anew, the
  /// end, the permissions and the token or key of the one before no longer hold.
  /// Errors: invalid_argument (text that is not UTF-8, claims above `Grant::claims_bytes_max`); session_not_found if it is
  /// neither connected nor connecting.
  Outcome<void> set_grant(Grant grant) const;

  /// Data of the application, for instance from a middleware to the handlers. Kept by connection state recovery.
  JsonText data() const;
  /// Replaces the data.
  void set_data(JsonText data) const;

  friend bool operator==(const Socket&, const Socket&) = default;
  /// For flux itself.
  const std::shared_ptr<detail::SocketIoSocket>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::SocketIoSocket> state_;
};

/// A middleware's answer: continues, or refuses; now or later, from any thread. The first call counts; without a call
/// it refuses. Called on the client's loop, it calls the next middleware, and after the last one the handlers of
/// `on_connection`, or of the event, before it returns: hold no mutex that those take.
class Next {
 public:
  /// For flux itself.
  explicit Next(std::shared_ptr<detail::SocketIoQuestion> question) : question_(std::move(question)) {}
  /// Continues.
  void operator()() const;
  /// Refuses. A client that is connecting gets `connect_error` with this message and data; an event is passed to
  /// `on_refused`.
  void refuse(std::string message, std::optional<JsonText> data = {}) const;

 private:
  std::shared_ptr<detail::SocketIoQuestion> question_;
};

/// Decides whether a client may join a namespace.
using Middleware = std::function<void(Socket, Next)>;
/// Called when a client has joined a namespace.
using ConnectionHandler = std::function<void(Socket)>;

/// A namespace. A handle: copies share it.
/// Threading: any thread. A client gets the handlers and middlewares that are set when it connects.
class Namespace {
 public:
  /// For flux itself.
  explicit Namespace(std::shared_ptr<detail::SocketIoNamespace> state) : state_(std::move(state)) {}
  /// Its name, such as "/chat".
  const std::string& name() const;
  /// Adds a middleware. They are called in order before a client is connected. Errors: throws `Error` (bad_config) if it is
  /// empty, as `on_connection` does.
  Namespace& use(Middleware middleware);
  /// Adds a handler that is called for each client that has connected. If it throws, the client is disconnected from the
  /// namespace, since handlers of its events may be missing.
  Namespace& on_connection(ConnectionHandler handler);

  /// To the sockets of a room.
  Broadcast to(std::string room) const;
  /// To all sockets that are not in this room.
  Broadcast except(std::string room) const;
  /// To all sockets, unless the calls on it narrow it down.
  Broadcast broadcast() const { return Broadcast(state_); }
  /// Sends an event to all sockets. Errors: as for `Broadcast::emit`.
  Outcome<Sent> emit(std::string_view event, const Args& args = {}) const;
  /// All sockets.
  std::vector<Socket> sockets() const;
  /// The sockets of a room. One that is disconnecting is still among them in `on_disconnecting`, and no longer in
  /// `on_disconnect`.
  std::vector<Socket> sockets_in(const std::string& room) const;
  /// The socket with this id; none if it is not connected.
  std::optional<Socket> socket(const std::string& id) const;
  /// Makes all sockets join a room; for those of a room: `to(room).sockets_join(…)`.
  void sockets_join(const std::string& room) const;
  /// Makes all sockets leave a room.
  void sockets_leave(const std::string& room) const;
  /// Calls `Socket::disconnect` for all sockets.
  void disconnect_sockets(bool close = false) const;

 private:
  std::shared_ptr<detail::SocketIoNamespace> state_;
};

/// A Socket.IO endpoint of a server. Construct it before the start; it may be destroyed afterwards, because the server
/// keeps what it needs, and it may outlive the server. Threading: any thread.
class Io {
 public:
  /// Adds the endpoint to `server`. Errors: throws `Error` (bad_config, already_running).
  explicit Io(Server& server, Options options = {});

  /// Returns a namespace, which is created if it does not exist. Errors: throws `Error` (bad_config) if the name is
  /// invalid.
  Namespace of(const std::string& name);
  /// Creates a namespace for each name that `matches` when its first client connects, and removes it with its last one,
  /// or, with connection state recovery, when there are `namespaces_max`. `made` sets it up. Both are called on the
  /// clients' loops, possibly at the same time; a namespace that two clients request at once may be set up twice and
  /// kept once.
  /// Errors: throws `Error` (bad_config) if one of the functions is empty.
  void of(std::function<bool(std::string_view name, const JsonText& auth)> matches,
          std::function<void(Namespace)> made);

  // --- The namespace "/" ---

  /// As `Namespace::use`.
  Io& use(Middleware middleware);
  /// As `Namespace::on_connection`.
  Io& on_connection(ConnectionHandler handler);
  /// As `Namespace::to`.
  Broadcast to(std::string room);
  /// As `Namespace::except`.
  Broadcast except(std::string room);
  /// As `Namespace::sockets`.
  std::vector<Socket> sockets();
  /// As `Namespace::socket`.
  std::optional<Socket> socket(const std::string& id);
  /// As `Namespace::emit`.
  Outcome<Sent> emit(std::string_view event, const Args& args = {});

  /// For flux itself.
  const std::shared_ptr<detail::SocketIoServer>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::SocketIoServer> state_;
};

}  // namespace flux::socketio

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/socketio.ipp>
#endif
