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

  void on(std::string event, socketio::EventHandler handler);
  void on_any(socketio::EventHandler handler);
  void on_disconnect(std::function<void(std::string_view)> handler);
  Result<void> emit(std::string_view event, const socketio::Args& args, bool volatile_only);
  Result<void> emit(std::string_view event, const socketio::Args& args, std::chrono::milliseconds timeout,
                    socketio::AckHandler done);
  Result<void> acknowledge(std::uint64_t id, const socketio::Args& args);
  Result<void> join(const std::string& room);
  void leave(const std::string& room);
  std::vector<std::string> rooms() const;
  void disconnect(bool close);
  JsonText data() const;
  void set_data(JsonText data);

 private:
  friend class SocketIoClient;
  friend class SocketIoNamespace;
  enum class Life : std::uint8_t { asking, connected, gone };  // asking: the middlewares
  struct Seat {
    std::shared_ptr<SocketIoRoom> room;
    std::shared_ptr<core::Lane> lane;
    core::LaneSeat place;
  };
  struct WaitingAck {
    socketio::AckHandler done;
    core::TimerQueue::Id timer;
  };
  struct Acks {
    std::map<std::uint64_t, WaitingAck> waiting;
    std::uint64_t next_id = 0;
  };
  struct Handler {
    std::string event;
    std::shared_ptr<const socketio::EventHandler> call;
  };
  /// What many sockets have none of.
  struct Rare {
    std::shared_ptr<const socketio::EventHandler> any;
    std::function<void(std::string_view)> on_disconnect;
    JsonText data;
  };
  /// An event of the client's that wants an acknowledgment. The last one who could give it may go without.
  struct OwedAck;

  // On the loop
  void send(const protocol::SocketIoMessage& message, bool volatile_only = false);
  void flush_rooms();
  bool in_room(const std::string& room) const;
  std::vector<std::unique_ptr<Seat>>::iterator seat_in(const std::string& room);
  void enter_room(const std::string& room);
  void leave_room(const std::string& room);
  void take_seat(std::shared_ptr<SocketIoRoom> room);
  void leave_seat(Seat& seat);
  void change_lane(Seat& seat);
  void change_lanes();
  socketio::Event::Ack ack_of(std::uint64_t id);
  void handle_event(socketio::Event event);
  void handle_ack(std::uint64_t id, const socketio::Args& args);
  /// It says good-bye, and is gone.
  void dismiss();
  void gone(std::string_view reason);
  /// It never was connected, and will not be.
  void refused();
  void forget_handlers(std::function<void(std::string_view)>* on_disconnect);
  void ack_failed(std::uint64_t id, const Error& error);
  std::optional<WaitingAck> take_ack(std::uint64_t id);
  std::mutex& mutex() const noexcept { return loop()->sessions_mutex(); }
  Rare& rare();

  const std::shared_ptr<SocketIoNamespace> nsp_;
  const std::shared_ptr<EngineIoSession> session_;
  const std::string id_;
  const std::uint64_t key_;
  const socketio::Handshake handshake_;
  std::unique_ptr<const std::string> pid_;  // the private id of connection state recovery; null where that is off
  bool recovered_ = false;                  // both set before anybody else knows the socket
  std::atomic<Life> life_{Life::asking};
  std::atomic<std::uint32_t> acks_owed_{0};

  // Under the mutex
  std::vector<Handler> handlers_;
  std::unique_ptr<Rare> rare_;
  std::vector<std::string> rooms_;

  // The loop's
  std::vector<std::unique_ptr<Seat>> seats_;  // in the namespace first, then in rooms
  std::unique_ptr<Acks> acks_;
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

  /// To the rooms (none: everybody) but those in `except`.
  Result<void> emit(const std::vector<std::string>& rooms, const std::vector<std::string>& except, bool volatile_only,
                    std::string_view event, const socketio::Args& args);
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
  std::set<std::shared_ptr<SocketIoSocket>> receivers(const std::vector<std::string>& rooms,
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
  std::unordered_map<std::string_view, std::shared_ptr<SocketIoSocket>> sockets_;  // by the socket's own id
  std::unordered_map<std::string, Members> rooms_;
  std::deque<Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::list<Lost> lost_;  // the oldest first
  std::unordered_map<std::string_view, std::list<Lost>::iterator> lost_by_pid_;
  std::uint64_t next_offset_ = 0;
};

/// One connection: packets in, and the sockets that it has in namespaces. The session's loop.
class SocketIoClient final : public EngineIoClient, public std::enable_shared_from_this<SocketIoClient> {
 public:
  SocketIoClient(SocketIoServer& server, EngineIoSession& session, std::shared_ptr<const EngineIoOpening> opening);

  /// Once, when it is made.
  void start();
  void on_message(std::string_view message, bool binary) override;
  void on_transport_changed() override;
  void on_close(std::string_view reason) override;
  /// The socket has left its namespace.
  void forget(const std::shared_ptr<SocketIoSocket>& socket);
  /// Every socket is told, then the connection ends.
  void disconnect();

 private:
  using Timer = std::optional<core::TimerQueue::Id>;

  void handle(const protocol::SocketIoDecoder& decoder);
  void connect(const protocol::SocketIoPacket& packet);
  bool recover(const std::shared_ptr<SocketIoSocket>& asked);
  std::shared_ptr<SocketIoSocket> make_socket(const std::shared_ptr<SocketIoNamespace>& nsp, std::string id,
                                              JsonText auth);
  void ask_middlewares(const std::shared_ptr<SocketIoSocket>& socket, std::size_t index);
  void admit(const std::shared_ptr<SocketIoSocket>& socket);
  void welcome(const std::shared_ptr<SocketIoSocket>& socket, const std::vector<protocol::SocketIoMessagePtr>& missed);
  void reject(const std::shared_ptr<SocketIoSocket>& socket, const std::string& message,
              const std::optional<JsonText>& data);
  std::shared_ptr<SocketIoSocket> socket_in(std::string_view nsp) const;
  void send(const Result<protocol::SocketIoMessagePtr>& message);
  void close_after(Timer& timer, std::chrono::milliseconds time, std::string_view reason);
  void stop(Timer& timer);

  SocketIoServer& server_;
  EngineIoSession& session_;
  const std::shared_ptr<const EngineIoOpening> opening_;
  std::unique_ptr<protocol::SocketIoDecoder> decoder_;  // while it has a packet
  std::vector<std::shared_ptr<SocketIoSocket>> sockets_;  // connected, or being asked about
  Timer connect_timer_;      // until it is in a namespace
  Timer attachments_timer_;  // while attachments are due
  bool closed_ = false;
};

/// Behind `socketio::Io`. Threading: any thread. What handles may call when the server has gone does not look at it.
class SocketIoServer {
 public:
  SocketIoServer(Hub& hub, socketio::Options options, const std::shared_ptr<const SocketIoLog>& log);

  const socketio::Options& options() const noexcept { return *options_; }
  Hub& hub() noexcept { return hub_; }
  EngineIoServer& engine() noexcept { return engine_; }

  /// Made where it is not there. Errors: throws `Error` (bad_config).
  std::shared_ptr<SocketIoNamespace> of(const std::string& name);
  void of(std::function<bool(std::string_view, const JsonText&)> matches, std::function<void(socketio::Namespace)> made);
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
  const std::shared_ptr<Clock> clock_;
  const std::weak_ptr<const SocketIoLog> log_;
  EngineIoServer engine_;
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
