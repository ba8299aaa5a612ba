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
// What is otherwise than in the Node server, and meant to be:
// - A handler set for an event takes the place of the one before; `Event::ack` goes out at once, before emits to rooms.
// - Acknowledgments that the server asks for have a time limit, and their handler hears of a client that went.
// - A middleware that throws, or forgets its `Next`, refuses. Before a socket is connected it emits nothing. A client
//   that asks for a namespace again while middlewares think (Node: two sockets) begins anew.
// - A packet that is wrong ends the connection with "parse error" (Node: "forced close"), and so does one past
//   `packet_limits`, an event without data or an acknowledgment without an id, and attachments without a placeholder.
// - Event middlewares: who is refused is told by `Socket::on_refused`; nothing is an event named "error".
// - Namespaces that a predicate made go with their last client. A socket can't leave the room that is its own id.
// - Recovery has its differences at `Options::recovery_max`, the transports have theirs in <flux/engineio.hpp>.
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

/// For larger messages set `payload_bytes_max`; nothing else bounds what one event may hold, attachments included.
/// A packet with 256 kB of text and more is taken apart on a thread that the endpoint has for that, and nothing else of
/// its client is read meanwhile. So no loop waits for its parsing; for what a handler does with it others do wait.
///
/// `Limits::messages_per_second` counts events and acknowledgments. What comes faster is not acted on: neither
/// middlewares nor handlers hear of it. An event that asks for an acknowledgment goes to `Socket::on_refused`, whose
/// answer may be the ack; where that is not set there is none, as Socket.IO has no error of its own for it, and the
/// client's `timeout` tells. Data sharing acknowledges its events with an error.
struct Options : engineio::Options {
  Options() { path = "/socket.io/"; }
  std::chrono::milliseconds connect_timeout{45'000};  ///< to join a namespace; then the connection is closed
  PacketLimits packet_limits;
  /// Without more of what an event announces; then the connection is closed.
  std::chrono::milliseconds attachments_timeout{20'000};
  std::size_t namespaces_max = 10'000;  ///< those that predicates let in included
  std::size_t namespaces_per_connection_max = 100;
  /// Of CONNECT's payload, which is kept as long as its socket; at least 2. Past it CONNECT is refused.
  std::size_t auth_bytes_max = 16'384;
  std::size_t rooms_per_socket_max = 1'000;
  /// Acknowledgments, and answers of `Socket::use`, that the application owes one socket; then its connection is
  /// closed.
  std::size_t acks_waiting_max = 10'000;
  /// Connection state recovery: how long the state of a client that was cut off is kept, with what it missed. 0: off.
  /// Middlewares are asked again, for who was let in before may have been locked out since (the Node server skips
  /// them); data that they set goes before what is recovered, rooms that they join come to those that are. Also
  /// recovered (not by the Node server) is who has received nothing yet, or nothing for long. What was missed comes
  /// behind the client's "connect". Emits to rooms cost more then, for the receivers of each are looked up.
  std::chrono::milliseconds recovery_max{0};
  // The newest that are kept for it, of each namespace. Who missed what is no longer there is not recovered, nor who
  // missed more than half of `Limits::outbox_bytes_max`: it would be a slow reader.
  std::size_t recovery_packets_max = 10'000;
  std::size_t recovery_bytes_max = 16'777'216;
  /// Clients that were cut off, of each namespace: the oldest is forgotten for one more. An address as in
  /// `PollingLimits`. 0: none.
  std::size_t recovery_sockets_max = 10'000;
  std::size_t recovery_sockets_per_address_max = 1'000;
  /// The client bundle, served at `path` + "socket.io.js". Empty: not served.
  std::string client_file;
};

/// What the client said when it connected: to the namespace, and with the first request of its connection.
class Handshake {
 public:
  Handshake(std::shared_ptr<const JsonText> auth, std::shared_ptr<const detail::EngineIoOpening> opening)
      : auth_(std::move(auth)), opening_(std::move(opening)) {}
  const JsonText& auth() const noexcept { return *auth_; }  ///< of CONNECT: an object; `Options::auth_bytes_max`
  std::string_view query() const noexcept;                  ///< as sent
  std::optional<std::string> query(std::string_view name) const;
  /// Those of a WebSocket handshake (Upgrade, Connection, Sec-WebSocket-…) are not kept.
  std::optional<std::string_view> header(std::string_view name) const;
  HttpFields headers() const;  ///< those of one name in their order
  /// "192.0.2.7:49152"; the client's, without its port, behind a proxy of `Config::trusted_proxies`.
  std::string_view remote_address() const noexcept;

 private:
  std::shared_ptr<const JsonText> auth_;
  std::shared_ptr<const detail::EngineIoOpening> opening_;
};

/// The verdict on an emit, which may be ignored: an error that is the application's is in its log, too. `congested`
/// and `dropped` come from `Socket`'s emits on the socket's own loop: `Limits::outbox_bytes_congested` and more is
/// pending for the client, or a volatile emit was not sent. Emits to rooms, and those of other threads, are `queued`.
class Emitted : public Result<Sent> {
 public:
  Emitted() : Result<Sent>(Sent::queued) {}
  Emitted(Result<Sent> result) : Result<Sent>(std::move(result)) {}
};

/// An event from a client. Valid during its handler; `later` is to be copied.
class Event {
 public:
  using Ack = std::function<Emitted(Args)>;
  Event(std::string name, Args args, Ack ack) : name_(std::move(name)), args_(std::move(args)), ack_(std::move(ack)) {}
  const std::string& name() const noexcept { return name_; }
  const Args& args() const noexcept { return args_; }
  /// The argument, or `null` where there is none.
  const Value& arg(std::size_t index) const {
    static const Value none;
    return index < args_.size() ? args_[index] : none;
  }
  bool wants_ack() const noexcept { return static_cast<bool>(ack_); }
  /// Acknowledges; the first call counts, and none where the client does not ask. It goes out at once: before what this
  /// handler has sent to rooms. Errors: invalid_argument.
  Emitted ack(Args args = {}) const { return ack_ ? ack_(std::move(args)) : Emitted(); }
  /// To acknowledge later, from any thread.
  const Ack& later() const noexcept { return ack_; }

 private:
  friend class detail::SocketIoSocket;
  std::string name_;
  Args args_;
  Ack ack_;
};

class Namespace;
class Next;
class Socket;

using EventListener = std::function<void(Event&)>;
/// Asked about an event before its handlers. The event lives until the answer has been given.
using EventMiddleware = std::function<void(Event&, Next)>;
/// An event that a middleware has refused, with what that said; or one that has come too fast and asks for an
/// acknowledgment, with the rate.
using RefusedHandler = std::function<void(Event&, const std::string& message, const std::optional<JsonText>& data)>;
using DisconnectListener = std::function<void(std::string_view reason)>;
/// What came back; or `Errc::overloaded` where no answer came in time, `session_not_found` where the client went.
using AckHandler = std::function<void(Result<Args>)>;
/// The answers of many, in the order in which they came. `missing`: one of the errors of those who gave none.
using AnswersHandler = std::function<void(const std::optional<Error>& missing, std::vector<Args> answers)>;

/// Sends to rooms of a namespace: `io.to("a").to("b").except("c").emit("news", args)`. A socket that is in several of
/// the rooms gets it once. A socket's id is a room with that socket alone. What narrows it down makes another one, and
/// this one stays as it is.
/// Threading: any thread.
/// Ordering:  emits of one thread to the same room, or all to sockets, arrive in their order; with connection state
///            recovery, all emits do.
/// Cost:      encoded once, and frames are shared. To one room or everybody, but single sockets: O(members) pushes, in
///            one batch with what the same turn sends there. Else the receivers are looked up, and a task goes to each
///            loop.
class Broadcast {
 public:
  [[nodiscard]] Broadcast to(std::string room) const;
  [[nodiscard]] Broadcast except(std::string room) const;
  /// Clients that could not take it at once do not get it.
  [[nodiscard]] Broadcast volatile_() const;
  /// How long `done` below waits for answers.
  [[nodiscard]] Broadcast timeout(std::chrono::milliseconds timeout) const;
  /// Errors: invalid_argument: a name that is reserved or not UTF-8, or arguments that can't be sent; overloaded where so
  /// much waits to be sent to the same room already (Limits::fanout_bytes_max).
  Emitted emit(std::string_view event, const Args& args = {}) const;
  /// Asks every receiver for an acknowledgment. Where this returns no error `done` is called once: on the loop of the
  /// one who is last, or at once where there is nobody; but not where the server is destroyed before.
  Emitted emit(std::string_view event, const Args& args, AnswersHandler done) const;

  /// Whom `emit` would reach.
  std::vector<Socket> sockets() const;
  /// Has them join or leave another room. Those that are in too many stay out.
  void sockets_join(const std::string& room) const;
  void sockets_leave(const std::string& room) const;
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
/// Threading: any thread. Handlers run on the client's event loop, one at a time. There they end, too, with all that
/// they have captured, unless another thread replaces them, or the server has ended before. A handler that holds its
/// own socket is fine: handlers go when the client has.
class Socket {
 public:
  explicit Socket(std::shared_ptr<detail::SocketIoSocket> state) : state_(std::move(state)) {}

  const std::string& id() const;
  Namespace nsp() const;
  const Handshake& handshake() const;
  bool connected() const;
  /// Its state was recovered: it missed nothing.
  bool recovered() const;
  /// "polling" or "websocket", by now.
  std::string_view transport() const;

  /// One handler for each event; the newest counts.
  void on(std::string event, EventListener handler) const;
  /// The same, for the next of these events only.
  void once(std::string event, EventListener handler) const;
  void off(std::string_view event) const;
  /// Called for every event, before the handler of its own. An empty one: nothing is any more.
  void on_any(EventListener handler) const;
  /// Asked about every event before its handlers, in the order of the calls. Events that wait for an answer are
  /// overtaken by others. Who refuses one ends it: the client hears of it what `on_refused` sends, for instance as its
  /// ack. So does the one whose events are past `Limits::messages_per_second`.
  void use(EventMiddleware middleware) const;
  void on_refused(RefusedHandler handler) const;
  /// As `on_disconnect`, but while the socket is in its rooms yet and they still hear what it emits.
  void on_disconnecting(DisconnectListener handler) const;
  /// `reason` as in Socket.IO: "transport close", "transport error", "ping timeout", "parse error", "client namespace
  /// disconnect", "server namespace disconnect", "forced server close", "server shutting down"; ours: "rate limited".
  void on_disconnect(DisconnectListener handler) const;

  /// Errors: invalid_argument as for `Broadcast`; session_not_found where it is not connected.
  Emitted emit(std::string_view event, const Args& args = {}) const;
  /// Not sent where it would wait: the client polls and no poll is there, or it is slow.
  Emitted volatile_emit(std::string_view event, const Args& args = {}) const;
  /// Asks for an acknowledgment. Where this returns no error `done` is called once, on the client's loop, but not where
  /// the server is destroyed before.
  Emitted emit(std::string_view event, const Args& args, std::chrono::milliseconds timeout, AckHandler done) const;

  /// A middleware may call it, too: it counts from when the socket is let in.
  /// Errors: limit_exceeded; session_not_found; invalid_argument for a name that is empty or not UTF-8.
  Result<void> join(const std::string& room) const;
  void leave(const std::string& room) const;
  /// Its id among them; none any more in `on_disconnect`.
  std::vector<std::string> rooms() const;
  /// To others: of a room, of the namespace.
  Broadcast to(std::string room) const;
  Broadcast broadcast() const;
  /// Leaves the namespace; with `close` every namespace, and the connection ends.
  void disconnect(bool close = false) const;

  /// What the connect handler or the token verifier has granted, or `set_grant` since. Empty where nobody was asked.
  /// The whole connection ends with the grant, and when its user is revoked (`Server::revoke_user`).
  Grant grant() const;
  /// Grants something else, which counts from now on: in a middleware, or when the client has sent a new token.
  /// Errors: invalid_argument (text that is not UTF-8); session_not_found if it is not connected, and is not about to be.
  Result<void> set_grant(Grant grant) const;

  /// The application's own, for instance from a middleware to the handlers. Kept by connection state recovery.
  JsonText data() const;
  void set_data(JsonText data) const;

  friend bool operator==(const Socket&, const Socket&) = default;
  /// For flux itself.
  const std::shared_ptr<detail::SocketIoSocket>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::SocketIoSocket> state_;
};

/// A middleware's answer: continues, or refuses; now or later, from any thread. The first call counts; none at all
/// refuses.
class Next {
 public:
  explicit Next(std::shared_ptr<detail::SocketIoQuestion> question) : question_(std::move(question)) {}
  void operator()() const;
  /// The client that wants to connect gets `connect_error` with this message and data; of an event `on_refused` hears.
  void refuse(std::string message, std::optional<JsonText> data = {}) const;

 private:
  std::shared_ptr<detail::SocketIoQuestion> question_;
};

using Middleware = std::function<void(Socket, Next)>;
using ConnectionHandler = std::function<void(Socket)>;

/// Threading: any thread. Handlers and middlewares are those that are set when a client comes.
class Namespace {
 public:
  explicit Namespace(std::shared_ptr<detail::SocketIoNamespace> state) : state_(std::move(state)) {}
  const std::string& name() const;
  /// Asked in their order before a client is let in.
  Namespace& use(Middleware middleware);
  Namespace& on_connection(ConnectionHandler handler);

  Broadcast to(std::string room) const;
  Broadcast except(std::string room) const;
  /// To everybody, but as the calls on it say.
  Broadcast broadcast() const { return Broadcast(state_); }
  Emitted emit(std::string_view event, const Args& args = {}) const;
  std::vector<Socket> sockets() const;
  std::vector<Socket> sockets_in(const std::string& room) const;
  std::optional<Socket> socket(const std::string& id) const;
  /// Everybody; of a room: `to(room).sockets_join(…)`.
  void sockets_join(const std::string& room) const;
  void sockets_leave(const std::string& room) const;
  void disconnect_sockets(bool close = false) const;

 private:
  std::shared_ptr<detail::SocketIoNamespace> state_;
};

/// A Socket.IO endpoint of a server. Made before the start; may be destroyed then, for the server keeps what it needs,
/// and may outlive it. Threading: any thread.
class Io {
 public:
  /// Errors: throws `Error` (bad_config, already_running).
  explicit Io(Server& server, Options options = {});

  /// A namespace, made where it is not there. Errors: throws `Error` (bad_config) for a name that is none.
  Namespace of(const std::string& name);
  /// A namespace for each name that `matches`, made when its first client comes, and gone with its last one; with
  /// connection state recovery, when there are `namespaces_max`. `made` sets it up. Both are called on clients' loops,
  /// at the same time too; a namespace that two clients bring about at once may be set up twice and kept once.
  void of(std::function<bool(std::string_view name, const JsonText& auth)> matches,
          std::function<void(Namespace)> made);

  // Of the namespace "/"
  Io& use(Middleware middleware);
  Io& on_connection(ConnectionHandler handler);
  Broadcast to(std::string room);
  Emitted emit(std::string_view event, const Args& args = {});

  /// For flux itself.
  const std::shared_ptr<detail::SocketIoServer>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::SocketIoServer> state_;
};

}  // namespace flux::socketio

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/socketio.ipp>
#endif
