// Socket.IO over Engine.IO: clients, namespaces, sockets, rooms.
#pragma once

#include <flux/core/detail/audience.hpp>
#include <flux/server/detail/engineio_server.hpp>
#include <flux/socketio.hpp>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace flux::detail {

class SocketIoServer;
class SocketIoClient;

/// To one client, over its transport.
void send_message(EngineIoSession& session, const protocol::SocketIoMessage& message);

/// Everybody in a room, for fan-out. The lock is the room's own.
struct SocketIoRoom {
  std::mutex mutex;
  core::Audience audience{mutex};
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
  bool connected() const noexcept { return connected_.load(std::memory_order_acquire); }
  bool recovered() const noexcept { return recovered_.load(std::memory_order_relaxed); }

  void on(std::string event, socketio::EventHandler handler);
  void on_any(socketio::EventHandler handler);
  void on_disconnect(std::function<void(std::string_view)> handler);
  Result<void> emit(std::string_view event, const socketio::Args& args, bool volatile_only);
  Result<void> emit(std::string_view event, const socketio::Args& args, std::chrono::milliseconds timeout,
                    socketio::AckHandler done);
  Result<void> join(const std::string& room);
  void leave(const std::string& room);
  std::vector<std::string> rooms() const;
  void disconnect(bool close);
  JsonText data() const;
  void set_data(JsonText data);

 private:
  friend class SocketIoClient;
  friend class SocketIoNamespace;
  struct Seat {
    std::shared_ptr<SocketIoRoom> room;
    std::shared_ptr<core::Lane> lane;
    core::LaneSeat place;
  };
  struct WaitingAck {
    socketio::AckHandler done;
    core::TimerQueue::Id timer;
  };

  // On the loop
  void send(const protocol::SocketIoMessagePtr& message, bool volatile_only = false);
  void take_seat(const std::string& room);
  void leave_seat(Seat& seat);
  void change_lanes();
  void handle_event(socketio::Event event);
  void handle_ack(std::uint64_t id, socketio::Args args);
  void gone(std::string_view reason);
  void ack_failed(std::uint64_t id, const Error& error);

  const std::shared_ptr<SocketIoNamespace> nsp_;
  const std::shared_ptr<EngineIoSession> session_;
  const std::string id_;
  const std::uint64_t key_;
  const socketio::Handshake handshake_;
  std::string pid_;  // the private id of connection state recovery; empty where that is off
  std::atomic<bool> connected_{false};
  std::atomic<bool> recovered_{false};
  std::map<std::string, std::unique_ptr<Seat>> seats_;  // the loop's

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, std::shared_ptr<socketio::EventHandler>, std::less<>> handlers_;
  std::shared_ptr<socketio::EventHandler> any_;
  std::function<void(std::string_view)> on_disconnect_;
  std::set<std::string> rooms_;
  JsonText data_;

  // The loop's
  std::map<std::uint64_t, WaitingAck> acks_;
  std::uint64_t next_ack_ = 0;
  std::size_t acks_owed_ = 0;
};

/// Behind `socketio::Namespace`. Threading: any thread; middlewares and handlers are set before clients come.
class SocketIoNamespace final : public std::enable_shared_from_this<SocketIoNamespace> {
 public:
  SocketIoNamespace(std::string name, std::shared_ptr<const socketio::Options> options, std::shared_ptr<Clock> clock);

  const std::string& name() const noexcept { return name_; }
  const socketio::Options& options() const noexcept { return *options_; }
  void use(socketio::Middleware middleware) { middlewares_.push_back(std::move(middleware)); }
  void on_connection(socketio::ConnectionHandler handler) { handlers_.push_back(std::move(handler)); }
  const std::vector<socketio::Middleware>& middlewares() const noexcept { return middlewares_; }

  /// To the rooms (none: everybody) but those in `except`.
  Result<void> emit(const std::vector<std::string>& rooms, const std::vector<std::string>& except, bool volatile_only,
                    std::string_view event, const socketio::Args& args);
  std::vector<std::shared_ptr<SocketIoSocket>> sockets() const;
  std::vector<std::shared_ptr<SocketIoSocket>> sockets_in(const std::string& room) const;
  std::shared_ptr<SocketIoSocket> socket(const std::string& id) const;

 private:
  friend class SocketIoClient;
  friend class SocketIoSocket;
  struct Members {
    std::shared_ptr<SocketIoRoom> room = std::make_shared<SocketIoRoom>();
    std::set<std::shared_ptr<SocketIoSocket>> sockets;
  };
  /// A packet that a client who comes back may have missed.
  struct Kept {
    std::string offset;
    Clock::TimePoint at;
    std::vector<std::string> rooms, except;
    std::string event;
    socketio::Args args;
  };
  /// What is left of a client that was cut off.
  struct Lost {
    std::string id;
    std::set<std::string> rooms;
    JsonText data;
    Clock::TimePoint at;
  };
  /// What a client gets back.
  struct Recovery {
    Lost state;
    std::vector<protocol::SocketIoMessagePtr> missed;
  };

  void add(const std::shared_ptr<SocketIoSocket>& socket);
  void remove(const std::shared_ptr<SocketIoSocket>& socket, bool recoverable);
  std::shared_ptr<SocketIoRoom> enter(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  void leave(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  std::optional<Recovery> recover(const std::string& pid, const std::string& offset);
  void welcome(const std::shared_ptr<SocketIoSocket>& socket);
  std::string keep(const std::vector<std::string>& rooms, const std::vector<std::string>& except,
                   std::string_view event, const socketio::Args& args);
  void forget_old();

  bool recovers() const noexcept { return options_->recovery_max.count() > 0; }

  const std::string name_;
  const std::shared_ptr<const socketio::Options> options_;  // handles may outlive the server
  const std::shared_ptr<Clock> clock_;
  std::vector<socketio::Middleware> middlewares_;
  std::vector<socketio::ConnectionHandler> handlers_;
  const std::shared_ptr<SocketIoRoom> everyone_ = std::make_shared<SocketIoRoom>();

  mutable std::mutex mutex_;  // guards what follows; taken before a room's
  std::unordered_map<std::string, std::shared_ptr<SocketIoSocket>> sockets_;
  std::unordered_map<std::string, Members> rooms_;
  std::deque<Kept> kept_;
  std::unordered_map<std::string, Lost> lost_;  // by pid
  std::uint64_t next_offset_ = 0;
};

/// One connection: packets in, and the sockets that it has in namespaces. The session's loop.
class SocketIoClient final : public EngineIoClient {
 public:
  SocketIoClient(SocketIoServer& server, EngineIoSession& session, EngineIoOpening opening);

  void on_message(std::string_view message, bool binary) override;
  void on_transport_changed() override;
  void on_close(std::string_view reason) override;
  /// The socket has left its namespace.
  void forget(const std::shared_ptr<SocketIoSocket>& socket);
  /// The middlewares have let the socket in.
  void admit(const std::shared_ptr<SocketIoSocket>& socket, bool want_recovery, const std::string& pid,
             const std::string& offset);
  void reject(const std::shared_ptr<SocketIoSocket>& socket, const std::string& message,
              const std::optional<JsonText>& data);

 private:
  void handle(const protocol::SocketIoPacket& packet);
  void connect(const protocol::SocketIoPacket& packet);
  void ask_middlewares(const std::shared_ptr<SocketIoSocket>& socket, std::size_t index);
  std::shared_ptr<SocketIoSocket> socket_in(std::string_view nsp) const;
  void send(const Result<protocol::SocketIoMessagePtr>& message);

  SocketIoServer& server_;
  EngineIoSession& session_;
  const EngineIoOpening opening_;
  protocol::SocketIoDecoder decoder_;
  std::vector<std::shared_ptr<SocketIoSocket>> sockets_;  // connected, or being asked about
  std::optional<core::TimerQueue::Id> connect_timer_;
  std::shared_ptr<SocketIoClient*> alive_;  // what outlives us finds null
};

/// Behind `socketio::Io`. Threading: any thread. Ownership: the server's, as long as it lives.
class SocketIoServer {
 public:
  SocketIoServer(Hub& hub, socketio::Options options);

  const socketio::Options& options() const noexcept { return *options_; }
  Hub& hub() noexcept { return hub_; }
  EngineIoServer& engine() noexcept { return engine_; }

  /// Made where it is not there. Errors: throws `Error` (bad_config).
  std::shared_ptr<SocketIoNamespace> of(const std::string& name);
  void of(std::function<bool(std::string_view, const JsonText&)> matches, std::function<void(socketio::Namespace)> made);
  /// Null: there is none of that name, and no predicate wants it.
  std::shared_ptr<SocketIoNamespace> find(std::string_view name, const JsonText& auth);

 private:
  struct Dynamic {
    std::function<bool(std::string_view, const JsonText&)> matches;
    std::function<void(socketio::Namespace)> made;
  };

  Hub& hub_;
  const std::shared_ptr<const socketio::Options> options_;
  EngineIoServer engine_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<SocketIoNamespace>, std::less<>> namespaces_;
  std::vector<Dynamic> dynamic_;
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

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/server/socketio_server.ipp>
#endif
