// Socket.IO over Engine.IO: clients, namespaces, sockets, rooms.
#pragma once

#include <flux/core/detail/audience.hpp>
#include <flux/server/detail/engineio_server.hpp>
#include <flux/socketio.hpp>

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace flux::detail {

class SocketIoServer;
class SocketIoClient;

/// To one client, over its transport.
void send_message(EngineIoSession& session, const protocol::SocketIoMessage& message);

/// Everybody in a room, for fan-out. The lock is the room's own.
struct SocketIoRoom {
  explicit SocketIoRoom(std::string n) : name(std::move(n)) {}
  const std::string name;  // empty: everybody in the namespace
  std::mutex mutex;
  core::Audience audience{mutex};
};

/// Where mistakes of the application go that it does not look at. Owned by the server, so that it ends with it.
class SocketIoLog {
 public:
  explicit SocketIoLog(const Config& config) : sink_(config.log), level_(config.log_level) {}
  void unsent(std::string_view what, const Error& error) const;

 private:
  const LogSink sink_;
  const LogLevel level_;
};

/// What goes with a socket and has lanes of its own to the client: data sharing. Called on the loop.
class SocketIoFollower {
 public:
  /// An event for which the application has no handler.
  virtual void handle(socketio::Event& event) = 0;
  /// One that is not acted on; its client waits for an answer.
  virtual void refuse(socketio::Event& event, const Error& why) = 0;
  /// Sends now what waits in its lanes.
  virtual void flush() = 0;
  /// The transport is another one: its lanes are to be changed.
  virtual void transport_changed() = 0;
  /// The last call: the socket has gone.
  virtual void gone(std::string_view reason) = 0;

 protected:
  ~SocketIoFollower() = default;
};

/// Behind `socketio::Socket`. Threading: any thread, but what says otherwise.
class SocketIoSocket final : public std::enable_shared_from_this<SocketIoSocket> {
 public:
  SocketIoSocket(std::shared_ptr<SocketIoNamespace> nsp, std::shared_ptr<EngineIoSession> session, std::string id,
                 std::uint64_t key, socketio::Handshake handshake);

  const std::string& id() const noexcept { return id_; }
  std::uint64_t key() const noexcept { return key_; }
  const std::shared_ptr<SocketIoNamespace>& nsp() const noexcept { return nsp_; }
  const socketio::Handshake& handshake() const noexcept { return handshake_; }
  const std::shared_ptr<core::Loop>& loop() const noexcept { return session_->loop(); }
  bool connected() const noexcept { return life_.load(std::memory_order_acquire) == Life::connected; }
  bool recovered() const noexcept { return recovered_; }

  void on(std::string event, socketio::EventHandler handler, bool once);
  void off(std::string_view event);
  void on_any(socketio::EventHandler handler);
  void use(socketio::EventMiddleware middleware);
  void on_refused(socketio::RefusedHandler handler);
  void on_disconnecting(socketio::DisconnectHandler handler);
  void on_disconnect(socketio::DisconnectHandler handler);
  std::string_view transport() const noexcept { return to_string(session_->transport_now()); }
  Result<void> emit(std::string_view event, const socketio::Args& args, bool volatile_only);
  Result<void> emit(std::string_view event, const socketio::Args& args, std::chrono::milliseconds timeout,
                    socketio::AckHandler done);
  /// On the loop: sends what has `id`, and has `done` called with the answer, or the error that there is none.
  void ask(const protocol::SocketIoMessage& message, std::uint64_t id, std::chrono::milliseconds timeout,
           bool volatile_only, socketio::AckHandler done);
  Result<void> acknowledge(std::uint64_t id, const socketio::Args& args);
  Result<void> join(const std::string& room);
  void leave(const std::string& room);
  std::vector<std::string> rooms() const;
  void disconnect(bool close);
  JsonText data() const;
  void set_data(JsonText data);
  const std::shared_ptr<EngineIoSession>& session() const noexcept { return session_; }
  /// On the loop. One at most, which stays until it is told that the socket has gone.
  void follow(SocketIoFollower& follower) { follower_ = &follower; }
  bool followed() const noexcept { return follower_ != nullptr; }

 private:
  friend class SocketIoClient;
  friend class SocketIoNamespace;
  enum class Life : std::uint8_t { asking, connected, gone };  // asking: the middlewares
  struct Seat {
    std::shared_ptr<core::Lane> lane;
    core::LaneSeat place;
  };
  struct RoomSeat : Seat {
    explicit RoomSeat(std::shared_ptr<SocketIoRoom> r) : room(std::move(r)) {}
    const std::shared_ptr<SocketIoRoom> room;
  };
  struct WaitingAck {
    socketio::AckHandler done;
    core::TimerQueue::Id timer;
  };
  /// A list of them: a socket has few, and an idle one should not pay for a table.
  struct Handler {
    std::string event;
    socketio::EventHandler call;
    bool once;
    std::shared_ptr<Handler> next;
  };
  using Middlewares = std::shared_ptr<const std::vector<socketio::EventMiddleware>>;
  /// What many sockets have none of. Under the mutex.
  struct Rare {
    std::shared_ptr<const socketio::EventHandler> any;
    Middlewares middlewares;
    std::shared_ptr<const socketio::RefusedHandler> refused;
    socketio::DisconnectHandler on_disconnecting;
    socketio::DisconnectHandler on_disconnect;
    JsonText data;
    std::vector<std::string> rooms;
  };
  /// The same, of the loop's.
  struct RareOnLoop {
    std::vector<std::unique_ptr<RoomSeat>> seats;
    std::map<std::uint64_t, WaitingAck> acks;
  };
  /// An event of the client's that the application owes something. Bounded, for each socket.
  struct Owed;
  /// One that wants an acknowledgment. The last one who could give it may go without.
  struct OwedAck;

  // On the loop
  void send(const protocol::SocketIoMessage& message, bool volatile_only = false);
  void send_shared(const protocol::SocketIoMessage& message, bool volatile_only);
  void flush_rooms();
  template <class Visit>
  void for_each_seat(const Visit& visit);
  bool in_room(const std::string& room) const;
  std::vector<std::unique_ptr<RoomSeat>>::iterator seat_in(const std::string& room);
  void enter_room(const std::string& room);
  void leave_room(const std::string& room);
  void take_place(std::shared_ptr<SocketIoRoom> room);
  void take_seat(Seat& seat, SocketIoRoom& room);
  void leave_seat(Seat& seat, SocketIoRoom& room);
  void change_lane(Seat& seat, SocketIoRoom& room);
  void change_lanes();
  socketio::Event::Ack ack_of(std::uint64_t id);
  void handle_event(socketio::Event event, bool is_long);
  void refuse_for_rate(socketio::Event& event);
  void ask_middlewares(const std::shared_ptr<socketio::Event>& event, const Middlewares& middlewares,
                       std::size_t index);
  void refuse_event(socketio::Event& event, const std::string& message, const std::optional<JsonText>& data);
  void call_handlers(socketio::Event& event);
  std::shared_ptr<Handler> take_handler(std::string_view event, bool always);
  void handle_ack(std::uint64_t id, const socketio::Args& args);
  /// It says good-bye, and is gone.
  void dismiss();
  void gone(std::string_view reason);
  /// It never was connected, and will not be.
  void refused();
  void forget_handlers(socketio::DisconnectHandler* on_disconnect);
  bool tell_disconnecting(std::string_view reason);
  void ack_failed(std::uint64_t id, const Error& error);
  void fail_ack(const WaitingAck& ack, const Error& error);
  std::optional<WaitingAck> take_ack(std::uint64_t id);
  bool owes_too_much() const noexcept;
  std::mutex& mutex() const noexcept { return loop()->sessions_mutex(); }
  Rare& rare();
  RareOnLoop& on_loop();

  const std::shared_ptr<SocketIoNamespace> nsp_;
  const std::shared_ptr<EngineIoSession> session_;
  const std::string id_;
  const std::uint64_t key_;
  const socketio::Handshake handshake_;
  std::unique_ptr<const std::string> pid_;  // the private id of connection state recovery; null where that is off
  bool recovered_ = false;                  // both set before anybody else knows the socket
  std::atomic<Life> life_{Life::asking};
  std::atomic<std::uint32_t> owed_{0};

  // Under the mutex
  std::shared_ptr<Handler> handlers_;
  std::unique_ptr<Rare> rare_;

  // The loop's
  Seat seat_;  // in the namespace
  SocketIoFollower* follower_ = nullptr;
  std::unique_ptr<RareOnLoop> rare_on_loop_;
};

/// Sockets by their own ids.
struct SocketIoById {
  using is_transparent = void;
  static std::string_view id(const std::shared_ptr<SocketIoSocket>& socket) noexcept { return socket->id(); }
  static std::string_view id(std::string_view id) noexcept { return id; }
  std::size_t operator()(const auto& of) const noexcept { return std::hash<std::string_view>{}(id(of)); }
  bool operator()(const auto& a, const auto& b) const noexcept { return id(a) == id(b); }
};

/// Behind `socketio::Namespace`. Threading: any thread. Handles may outlive the server.
class SocketIoNamespace final : public std::enable_shared_from_this<SocketIoNamespace> {
 public:
  template <class T>
  using List = std::shared_ptr<const std::vector<T>>;

  SocketIoNamespace(std::string name, std::shared_ptr<const socketio::Options> options, std::shared_ptr<Clock> clock,
                    std::weak_ptr<const SocketIoLog> log);

  const std::string& name() const noexcept { return name_; }
  const socketio::Options& options() const noexcept { return *options_; }
  bool recovers() const noexcept { return options_->recovery_max.count() > 0; }
  void use(socketio::Middleware middleware);
  void on_connection(socketio::ConnectionHandler handler);
  /// It has ended. Handlers may hold their namespace, so they are forgotten.
  void end();
  List<socketio::Middleware> middlewares() const;
  List<socketio::ConnectionHandler> handlers() const;

  using Names = std::vector<std::string>;

  /// To the rooms (none: everybody) but those in `except`.
  Result<void> emit(const Names& rooms, const Names& except, bool volatile_only, std::string_view event,
                    const socketio::Args& args);
  /// The same, and collects the acknowledgments.
  Result<void> emit(const Names& rooms, const Names& except, bool volatile_only, std::string_view event,
                    const socketio::Args& args, std::chrono::milliseconds timeout, socketio::AnswersHandler done);
  /// Whom it would reach.
  std::vector<std::shared_ptr<SocketIoSocket>> reached(const Names& rooms, const Names& except) const;
  std::uint64_t new_ack_id() { return next_ack_id_.fetch_add(1, std::memory_order_relaxed); }
  std::vector<std::shared_ptr<SocketIoSocket>> sockets() const;
  std::vector<std::shared_ptr<SocketIoSocket>> sockets_in(const std::string& room) const;
  std::shared_ptr<SocketIoSocket> socket(const std::string& id) const;
  /// The error, which is in the log then.
  Error unsent(std::string_view what, Error error) const;

 private:
  friend class SocketIoClient;
  friend class SocketIoSocket;
  friend class SocketIoServer;
  struct Members {
    std::shared_ptr<SocketIoRoom> room;
    std::set<std::shared_ptr<SocketIoSocket>> sockets;
  };
  /// A packet that a client who comes back may have missed.
  struct Kept {
    std::string offset;
    Clock::TimePoint at;
    std::vector<std::string> rooms, except;
    protocol::SocketIoMessagePtr message;
    std::size_t bytes;
  };
  /// What is left of a client that was cut off.
  struct Lost {
    std::string pid;
    std::string id;
    std::vector<std::string> rooms;
    JsonText data;
    Clock::TimePoint at;
  };
  /// A client that is back, with what it has missed.
  struct Recovered {
    std::shared_ptr<SocketIoSocket> socket;
    std::vector<protocol::SocketIoMessagePtr> missed;
  };

  // For sockets, on their loops
  void add(const std::shared_ptr<SocketIoSocket>& socket);
  void remove(const std::shared_ptr<SocketIoSocket>& socket, bool recoverable);
  std::shared_ptr<SocketIoRoom> enter(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  void leave(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  /// None where the client is unknown by now, or not all that it missed is there. `make(id)` makes its socket.
  template <class Make>
  std::optional<Recovered> recover(const std::string& pid, const std::string& offset, const Make& make);

  // Under the lock
  void seat(const std::shared_ptr<SocketIoSocket>& socket);
  std::shared_ptr<SocketIoRoom> enter_locked(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  Result<protocol::SocketIoMessagePtr> encode(const std::vector<std::string>& rooms,
                                              const std::vector<std::string>& except, std::string_view event,
                                              const socketio::Args& args);
  bool emit_to_lanes(const std::vector<std::string>& rooms, const std::vector<std::string>& except,
                     const protocol::SocketIoMessage& message);
  std::vector<std::shared_ptr<SocketIoSocket>> receivers(const std::vector<std::string>& rooms,
                                                         const std::vector<std::string>& except) const;
  void forget_old();
  void forget_oldest_kept();

  const std::string name_;
  const std::shared_ptr<const socketio::Options> options_;
  const std::shared_ptr<Clock> clock_;
  const std::weak_ptr<const SocketIoLog> log_;
  const std::shared_ptr<SocketIoRoom> everyone_ = std::make_shared<SocketIoRoom>(std::string());
  std::size_t users_ = 0;  // clients who are in, or being asked about; under the server's lock, as the next one
  bool dynamic_ = false;   // a predicate has let it in: goes with its last user

  mutable std::mutex mutex_;  // guards what follows; taken before a socket's and a room's
  List<socketio::Middleware> middlewares_ = std::make_shared<std::vector<socketio::Middleware>>();
  List<socketio::ConnectionHandler> handlers_ = std::make_shared<std::vector<socketio::ConnectionHandler>>();
  std::unordered_set<std::shared_ptr<SocketIoSocket>, SocketIoById, SocketIoById> sockets_;
  std::unordered_map<std::string, Members> rooms_;
  std::deque<Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::list<Lost> lost_;  // the oldest first
  std::unordered_map<std::string_view, std::list<Lost>::iterator> lost_by_pid_;
  std::uint64_t next_offset_ = 0;
  std::atomic<std::uint64_t> next_ack_id_{0};
};

/// One connection: packets in, and the sockets that it has in namespaces. The session's loop.
class SocketIoClient final : public EngineIoClient, public std::enable_shared_from_this<SocketIoClient> {
 public:
  SocketIoClient(SocketIoServer& server, EngineIoSession& session, std::shared_ptr<const EngineIoOpening> opening);

  /// Once, when it is made.
  void start();
  void on_message(std::string_view message, bool binary, std::string* owner) override;
  void on_transport_changed() override;
  void on_close(std::string_view reason) override;
  /// The socket has left its namespace.
  void forget(const std::shared_ptr<SocketIoSocket>& socket);
  /// Every socket is told, then the connection ends.
  void disconnect();

 private:
  using Timer = std::optional<core::TimerQueue::Id>;
  /// Of a client that is not idle.
  struct Unfinished {
    explicit Unfinished(const protocol::SocketIoLimits& limits) : decoder(limits) {}
    protocol::SocketIoDecoder decoder;
    Timer timer;            // while attachments are due
    std::size_t bytes = 0;  // that had come of the next one when the timer began
  };

  struct LongPacket;

  void came(const Result<bool>& whole);
  void read_aside(std::string text, std::size_t begin);
  void came_aside(LongPacket& packet);
  /// `arguments`: where they have been made already; they may be moved from there.
  void handle(const protocol::SocketIoDecoder& decoder, socketio::Args* arguments);
  void connect(const protocol::SocketIoPacket& packet);
  bool recover(const std::shared_ptr<SocketIoSocket>& asked);
  std::shared_ptr<SocketIoSocket> make_socket(const std::shared_ptr<SocketIoNamespace>& nsp, std::string id,
                                              std::shared_ptr<const JsonText> auth);
  void ask_middlewares(const std::shared_ptr<SocketIoSocket>& socket, std::size_t index);
  void admit(const std::shared_ptr<SocketIoSocket>& socket);
  void welcome(const std::shared_ptr<SocketIoSocket>& socket, const std::vector<protocol::SocketIoMessagePtr>& missed);
  void reject(const std::shared_ptr<SocketIoSocket>& socket, const std::string& message,
              const std::optional<JsonText>& data);
  std::shared_ptr<SocketIoSocket> socket_in(std::string_view nsp) const;
  void send(const Result<protocol::SocketIoMessagePtr>& message);
  void close_after(Timer& timer, std::chrono::milliseconds time, std::string_view reason);
  void await_attachments();
  void stop(Timer& timer);

  SocketIoServer& server_;
  EngineIoSession& session_;
  const std::shared_ptr<const EngineIoOpening> opening_;
  std::unique_ptr<Unfinished> unfinished_;                // while a packet is
  std::vector<std::shared_ptr<SocketIoSocket>> sockets_;  // connected, or being asked about
  Timer connect_timer_;                                   // until it is in a namespace
  bool was_here_ = false;  // has asked for a namespace: the first one is not counted for the rate
  bool closed_ = false;
};

/// Behind `socketio::Io`. Threading: any thread. What handles may call when the server has gone does not look at it.
class SocketIoServer {
 public:
  SocketIoServer(Hub& hub, socketio::Options options, const std::shared_ptr<const SocketIoLog>& log);

  const socketio::Options& options() const noexcept { return *options_; }
  Hub& hub() noexcept { return hub_; }
  EngineIoServer& engine() noexcept { return engine_; }
  /// Whether nobody has called it before.
  bool begin_sharing() noexcept { return !shares_.exchange(true); }
  const protocol::SocketIoLimits& packet_limits() const noexcept { return packet_limits_; }
  /// `{}`, of all clients that say nothing.
  const std::shared_ptr<const JsonText>& no_auth() const noexcept { return no_auth_; }

  /// Made where it is not there. Errors: throws `Error` (bad_config).
  std::shared_ptr<SocketIoNamespace> of(const std::string& name);
  void of(std::function<bool(std::string_view, const JsonText&)> matches,
          std::function<void(socketio::Namespace)> made);
  /// For one more user. Null: there is none of that name, and no predicate wants it.
  std::shared_ptr<SocketIoNamespace> take(std::string_view name, const JsonText& auth);
  /// The server it belongs to goes, whoever holds this one.
  void end();
  /// A user has gone.
  void release(const std::shared_ptr<SocketIoNamespace>& nsp);

 private:
  struct Dynamic {
    std::function<bool(std::string_view, const JsonText&)> matches;
    std::function<void(socketio::Namespace)> made;
  };

  std::shared_ptr<SocketIoNamespace> make(const std::string& name) const;
  std::shared_ptr<SocketIoNamespace> enter(const std::shared_ptr<SocketIoNamespace>& fresh,
                                           std::vector<std::shared_ptr<SocketIoNamespace>>& ended);

  Hub& hub_;
  const std::shared_ptr<const socketio::Options> options_;
  const protocol::SocketIoLimits packet_limits_;
  const std::shared_ptr<const JsonText> no_auth_ = std::make_shared<const JsonText>(JsonText::trusted("{}"));
  const std::shared_ptr<Clock> clock_;
  const std::weak_ptr<const SocketIoLog> log_;
  EngineIoServer engine_;
  std::atomic<bool> shares_{false};
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<SocketIoNamespace>, std::less<>> namespaces_;
  std::shared_ptr<const std::vector<Dynamic>> dynamic_ = std::make_shared<std::vector<Dynamic>>();
};

/// A middleware's question. Answered once; asked in vain, it refuses.
struct SocketIoQuestion {
  using Answer = std::function<void(bool admitted, std::string message, std::optional<JsonText> data)>;
  explicit SocketIoQuestion(Answer a) : answer(std::move(a)) {}
  SocketIoQuestion(const SocketIoQuestion&) = delete;
  SocketIoQuestion& operator=(const SocketIoQuestion&) = delete;
  ~SocketIoQuestion() { give(false, "nobody answered", {}); }
  void give(bool admitted, std::string message, std::optional<JsonText> data) {
    Answer once;
    {
      const std::lock_guard lock(mutex);
      once.swap(answer);
    }
    if (once) once(admitted, std::move(message), std::move(data));
  }
  std::mutex mutex;
  Answer answer;
};

}  // namespace flux::detail
