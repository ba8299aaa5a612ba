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
#pragma once

#include <flux/engineio.hpp>
#include <flux/protocol/socketio_codec.hpp>

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
struct SocketIoQuestion;
}  // namespace flux::detail

namespace flux::socketio {

/// An argument: JSON in which bytes may stand anywhere. `Value(JsonText)`, `Value::bytes(…)`.
using Value = protocol::SocketIoValue;
using Args = std::vector<Value>;

struct Options : engineio::Options {
  Options() { path = "/socket.io/"; }
  std::chrono::milliseconds connect_timeout{45'000};  ///< to join a namespace; then the connection is closed
  protocol::SocketIoLimits packet_limits;
  std::size_t namespaces_max = 10'000;  ///< those that predicates let in included
  std::size_t rooms_per_socket_max = 1'000;
  std::size_t acks_waiting_max = 10'000;  ///< of one socket, from its client
  /// Connection state recovery: how long the state of a client that was cut off is kept, with what it missed. 0: off.
  std::chrono::milliseconds recovery_max{0};
  std::size_t recovery_packets_max = 10'000;  ///< the newest packets kept for it, of each namespace
  /// The client bundle, served at `path` + "socket.io.js". Empty: not served.
  std::string client_file;
};

/// What the client said when it connected.
struct Handshake {
  JsonText auth;  ///< of CONNECT: an object
  std::string query;  ///< of the first request, as sent
  HttpFields headers;
  std::string remote_address;
};

/// An event from a client. Valid during its handler; `ack` is a copy away from being called later.
class Event {
 public:
  using Ack = std::function<void(Args)>;
  Event(std::string name, Args args, Ack ack) : name_(std::move(name)), args_(std::move(args)), ack_(std::move(ack)) {}
  const std::string& name() const noexcept { return name_; }
  const Args& args() const noexcept { return args_; }
  /// The argument, or `null` where there is none.
  const Value& arg(std::size_t index) const {
    static const Value none;
    return index < args_.size() ? args_[index] : none;
  }
  bool wants_ack() const noexcept { return static_cast<bool>(ack_); }
  /// Acknowledges; the first call counts, and none where the client does not ask. Any thread.
  void ack(Args args = {}) const {
    if (ack_) ack_(std::move(args));
  }
  /// To acknowledge later.
  const Ack& later() const noexcept { return ack_; }

 private:
  std::string name_;
  Args args_;
  Ack ack_;
};

using EventHandler = std::function<void(Event&)>;
/// What came back; or `Errc::overloaded` where no answer came in time, `session_not_found` where the client went.
using AckHandler = std::function<void(Result<Args>)>;

class Namespace;

/// Sends to rooms of a namespace: `io.to("a").to("b").except("c").emit("news", args)`. A socket that is in several of the
/// rooms gets it once. A socket's id is a room with that socket alone. Threading: any thread.
class Broadcast {
 public:
  Broadcast& to(std::string room);
  Broadcast& except(std::string room);
  /// Clients that could not take it at once do not get it.
  Broadcast& volatile_();
  /// Errors: invalid_argument: a reserved name, or arguments that can't be sent.
  Result<void> emit(std::string_view event, const Args& args = {});

 private:
  friend class Socket;
  friend class Namespace;
  explicit Broadcast(std::shared_ptr<detail::SocketIoNamespace> nsp) : nsp_(std::move(nsp)) {}
  std::shared_ptr<detail::SocketIoNamespace> nsp_;
  std::vector<std::string> rooms_;
  std::vector<std::string> except_;
  bool volatile_only_ = false;
};

/// A client in a namespace. A handle: copies share it, and it may outlive the connection.
/// Threading: any thread. Handlers run on the client's event loop, one at a time. A handler that holds its own socket is
/// fine: handlers go when the client has.
class Socket {
 public:
  explicit Socket(std::shared_ptr<detail::SocketIoSocket> state) : state_(std::move(state)) {}

  const std::string& id() const;
  Namespace nsp() const;
  const Handshake& handshake() const;
  bool connected() const;
  /// Its state was recovered: it missed nothing.
  bool recovered() const;

  void on(std::string event, EventHandler handler) const;
  /// Events without a handler of their own.
  void on_any(EventHandler handler) const;
  /// `reason` as in Socket.IO: "transport close", "ping timeout", "client namespace disconnect", …
  void on_disconnect(std::function<void(std::string_view reason)> handler) const;

  Result<void> emit(std::string_view event, const Args& args = {}) const;
  Result<void> volatile_emit(std::string_view event, const Args& args = {}) const;
  /// Asks for an acknowledgment; `done` is called once, on the client's loop.
  Result<void> emit(std::string_view event, const Args& args, std::chrono::milliseconds timeout, AckHandler done) const;

  /// Errors: limit_exceeded; session_not_found.
  Result<void> join(const std::string& room) const;
  void leave(const std::string& room) const;
  std::vector<std::string> rooms() const;
  /// To others: of a room, of the namespace.
  Broadcast to(std::string room) const;
  Broadcast broadcast() const;
  /// Leaves the namespace; with `close` the whole connection ends.
  void disconnect(bool close = false) const;

  /// The application's own, for instance from a middleware to the handlers. Kept by connection state recovery.
  JsonText data() const;
  void set_data(JsonText data) const;

  friend bool operator==(const Socket&, const Socket&) = default;

 private:
  std::shared_ptr<detail::SocketIoSocket> state_;
};

/// Continues, or refuses; now or later, from any thread. The first call counts; none at all refuses.
class Next {
 public:
  explicit Next(std::shared_ptr<detail::SocketIoQuestion> question) : question_(std::move(question)) {}
  void operator()() const;
  /// The client gets `connect_error` with this message and data.
  void refuse(std::string message, std::optional<JsonText> data = {}) const;

 private:
  std::shared_ptr<detail::SocketIoQuestion> question_;
};

using Middleware = std::function<void(Socket, Next)>;
using ConnectionHandler = std::function<void(Socket)>;

/// Threading: any thread, but handlers and middlewares are set before the start.
class Namespace {
 public:
  explicit Namespace(std::shared_ptr<detail::SocketIoNamespace> state) : state_(std::move(state)) {}
  const std::string& name() const;
  /// Asked in their order before a client is let in.
  Namespace& use(Middleware middleware);
  Namespace& on_connection(ConnectionHandler handler);

  Broadcast to(std::string room) const;
  Broadcast except(std::string room) const;
  Result<void> emit(std::string_view event, const Args& args = {}) const;
  std::vector<Socket> sockets() const;
  std::vector<Socket> sockets_in(const std::string& room) const;
  std::optional<Socket> socket(const std::string& id) const;
  void disconnect_sockets(bool close = false) const;

 private:
  std::shared_ptr<detail::SocketIoNamespace> state_;
};

/// A Socket.IO endpoint of a server. Made before the start; may be destroyed then, for the server keeps what it needs.
class Io {
 public:
  /// Errors: throws `Error` (bad_config, already_running).
  explicit Io(Server& server, Options options = {});

  /// A namespace, made where it is not there. Errors: throws `Error` (bad_config) for a name that is none.
  Namespace of(const std::string& name);
  /// A namespace for each name that `matches`, made when its first client comes. `made` sets it up, on a client's loop.
  void of(std::function<bool(std::string_view name, const JsonText& auth)> matches,
          std::function<void(Namespace)> made);

  // Of the namespace "/"
  Io& use(Middleware middleware);
  Io& on_connection(ConnectionHandler handler);
  Broadcast to(std::string room);
  Result<void> emit(std::string_view event, const Args& args = {});

 private:
  std::shared_ptr<detail::SocketIoServer> state_;
};

}  // namespace flux::socketio

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/socketio.ipp>
#endif
