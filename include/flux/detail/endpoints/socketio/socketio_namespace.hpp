// A Socket.IO namespace: who is in it and in which of its rooms, emits, and what those who were cut off have missed.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/audience.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/endpoints/socketio/socketio_socket.hpp>
#include <flux/socketio.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
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
#include <utility>
#include <vector>

namespace flux::detail {

class SocketIoServer;

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
  /// An event that the application emits. Errors: invalid_argument, also for a name that is not UTF-8.
  Result<protocol::SocketIoMessagePtr> encode_event(std::string_view event, const socketio::Args& args,
                                                    std::optional<std::uint64_t> id = {}) const;

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
    std::uint64_t number;
    Clock::TimePoint at;
    std::vector<std::string> rooms, except;
    protocol::SocketIoMessagePtr message;
    std::size_t bytes;
  };
  /// Kept events go out in the order of their numbers, so that the last that has come tells which have not. What waits
  /// for a loop:
  struct InOrder {
    struct Sent {
      protocol::SocketIoMessagePtr message;
      std::vector<std::shared_ptr<SocketIoSocket>> receivers;
    };
    struct Turn {
      explicit Turn(InOrder& of) : order(of) { order.is_sending = true; }
      Turn(const Turn&) = delete;
      Turn& operator=(const Turn&) = delete;
      ~Turn() { order.is_sending = false; }
      InOrder& order;
    };
    std::deque<Sent> waiting;
    bool is_sending = false;  // the loop's own
  };
  /// What is left of a client that was cut off.
  struct Lost {
    std::string pid;
    std::uint64_t first;
    std::string id;
    std::vector<std::string> rooms;
    JsonText data;
    Clock::TimePoint at;
    core::IpAddress from;
    std::list<std::list<Lost>::iterator>::iterator at_address;
  };
  using LostList = std::list<Lost>;
  /// A client that is back, with what it has missed.
  struct Recovered {
    std::shared_ptr<SocketIoSocket> socket;
    std::vector<protocol::SocketIoMessagePtr> missed;
  };

  // For sockets, on their loops
  /// Sends what waits for the loop, kept events.
  void send_in_order(const core::Loop& loop);
  void add(const std::shared_ptr<SocketIoSocket>& socket);
  void remove(const std::shared_ptr<SocketIoSocket>& socket, bool recoverable);
  std::shared_ptr<SocketIoRoom> enter(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  void leave(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  using MakeSocket = std::function<std::shared_ptr<SocketIoSocket>(const std::string& id)>;
  /// None where the client is unknown by now, or not all that it missed is there, or that is more than
  /// `missed_bytes_max`. `offset`: of the last event that it has received; none: of none.
  std::optional<Recovered> recover(const std::string& pid, const std::optional<std::string>& offset,
                                   std::size_t missed_bytes_max, const MakeSocket& make);

  // Under the lock
  void seat(const std::shared_ptr<SocketIoSocket>& socket);
  std::shared_ptr<SocketIoRoom> enter_locked(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  Result<protocol::SocketIoMessagePtr> encode(const std::vector<std::string>& rooms,
                                              const std::vector<std::string>& except, std::string_view event,
                                              const socketio::Args& args);
  void send_kept(std::unique_lock<std::mutex> lock, const Names& rooms, const Names& except,
                 const protocol::SocketIoMessagePtr& message);
  std::optional<Result<void>> emit_to_lanes(const std::vector<std::string>& rooms,
                                            const std::vector<std::string>& except,
                                            const protocol::SocketIoMessage& message);
  std::vector<std::shared_ptr<SocketIoSocket>> receivers(const std::vector<std::string>& rooms,
                                                         const std::vector<std::string>& except) const;
  Clock::TimePoint delivered_by(Clock::TimePoint cut_off) const;
  void forget_old();
  void forget_oldest_kept();
  void note_lost(Lost lost);
  Lost take_lost(LostList::iterator lost);

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
  std::unordered_map<std::string, Members, core::SeededHash, std::equal_to<>> rooms_;
  std::unordered_map<const core::Loop*, InOrder> in_order_;
  std::deque<Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t crowded_out_ = 0;      // those with lower numbers, for want of room
  Clock::TimePoint crowded_out_at_{};  // when the newest of them was sent
  LostList lost_;                      // the oldest first
  std::unordered_map<std::string_view, LostList::iterator> lost_by_pid_;
  std::map<core::IpAddress, std::list<LostList::iterator>> lost_by_address_;
  std::uint64_t next_offset_ = 0;
  std::atomic<std::uint64_t> next_ack_id_{0};
};

}  // namespace flux::detail
