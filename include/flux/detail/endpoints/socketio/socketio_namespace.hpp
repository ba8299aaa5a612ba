// A Socket.IO namespace: its sockets and rooms, emits to them, and recovery of sockets that were cut off.
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

/// The audience of a room, with a lock of its own.
struct SocketIoRoom {
  explicit SocketIoRoom(std::string n) : name(std::move(n)) {}
  const std::string name;  // empty: the room of all sockets in the namespace
  std::mutex mutex;
  core::Audience audience{mutex};
};

/// Sockets by their own ids.
struct SocketIoById {
  using is_transparent = void;
  static std::string_view id(const std::shared_ptr<SocketIoSocket>& socket) noexcept { return socket->id(); }
  static std::string_view id(std::string_view id) noexcept { return id; }
  std::size_t operator()(const auto& of) const noexcept { return std::hash<std::string_view>{}(id(of)); }
  bool operator()(const auto& a, const auto& b) const noexcept { return id(a) == id(b); }
};

/// The state behind `socketio::Namespace`. Threading: any thread. Handles may outlive the server.
class SocketIoNamespace final : public std::enable_shared_from_this<SocketIoNamespace> {
 public:
  template <class T>
  using List = std::shared_ptr<const std::vector<T>>;

  /// `pending_bytes_max`: `Limits::fanout_bytes_max`.
  SocketIoNamespace(std::string name, std::shared_ptr<const socketio::Options> options, std::size_t pending_bytes_max,
                    std::weak_ptr<core::CallFaults> call_faults);

  const std::string& name() const noexcept { return name_; }
  const socketio::Options& options() const noexcept { return *options_; }
  bool recovers() const noexcept { return options_->recovery_max.count() > 0; }
  void use(socketio::Middleware middleware);
  void on_connection(socketio::ConnectionHandler handler);
  /// The namespace has ended. Drops the handlers, which may hold the namespace.
  void end();
  List<socketio::Middleware> middlewares() const;
  List<socketio::ConnectionHandler> handlers() const;

  using Names = std::vector<std::string>;

  /// Emits to the sockets in any of `rooms` (if empty, to all) but not to those in `except`.
  Result<Sent> emit(const Names& rooms, const Names& except, bool volatile_only, std::string_view event,
                    const socketio::Args& args);
  /// The same, and collects acknowledgments.
  Result<Sent> emit(const Names& rooms, const Names& except, bool volatile_only, std::string_view event,
                    const socketio::Args& args, std::chrono::milliseconds timeout, socketio::AnswersHandler done);
  /// The sockets that such an emit would reach.
  std::vector<std::shared_ptr<SocketIoSocket>> reached(const Names& rooms, const Names& except) const;
  std::uint64_t new_ack_id() { return next_ack_id_.fetch_add(1, std::memory_order_relaxed); }
  std::vector<std::shared_ptr<SocketIoSocket>> sockets() const;
  std::vector<std::shared_ptr<SocketIoSocket>> sockets_in(const std::string& room) const;
  std::shared_ptr<SocketIoSocket> socket(const std::string& id) const;
  /// Where emits of the application report that they failed.
  const std::weak_ptr<core::CallFaults>& call_faults() const noexcept { return call_faults_; }
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
  /// A packet that a client which reconnects may have missed.
  struct Kept {
    std::uint64_t number;
    Clock::TimePoint at;
    std::vector<std::string> rooms, except;
    protocol::SocketIoMessagePtr message;
    std::size_t bytes;
  };
  /// The acknowledgment that an emit asks for.
  struct Question {
    std::uint64_t id;
    std::chrono::milliseconds timeout;
    socketio::AckHandler answered;
  };
  /// An emit that is not sent through lanes.
  struct Emit {
    protocol::SocketIoMessagePtr message;
    std::vector<std::shared_ptr<SocketIoSocket>> receivers;
    bool volatile_only;
    std::shared_ptr<const Question> question;  // null: no acknowledgment is wanted
    std::size_t bytes;
  };
  /// Emits that are pending for one loop. They are sent in the order of the calls, so that with connection state
  /// recovery the last event that a client has received tells which it has not.
  struct Outgoing {
    struct Turn {
      explicit Turn(Outgoing& of) : outgoing(of) { outgoing.is_sending = true; }
      Turn(const Turn&) = delete;
      Turn& operator=(const Turn&) = delete;
      ~Turn() { outgoing.is_sending = false; }
      Outgoing& outgoing;
    };
    std::deque<Emit> pending;
    std::size_t bytes = 0;
    bool is_sending = false;  // the loop's own
  };
  using Receivers = std::map<core::Loop*, std::vector<std::shared_ptr<SocketIoSocket>>>;
  /// The kept state of a client that was cut off.
  struct Lost {
    std::string pid;
    std::uint64_t first;
    std::string id;
    std::vector<std::string> rooms;
    JsonText data;
    std::string user;  // `Identity::user_id` of its grant
    Clock::TimePoint at;
    core::IpAddress from;
    std::list<std::list<Lost>::iterator>::iterator at_address;
  };
  using LostList = std::list<Lost>;
  /// A client that has reconnected, and the events that it missed.
  struct Recovered {
    std::shared_ptr<SocketIoSocket> socket;
    std::vector<protocol::SocketIoMessagePtr> missed;
  };

  // For sockets, on their loops
  /// Whether emits are pending outside of lanes, for any loop.
  bool has_outgoing() const noexcept { return outgoing_count_.load(std::memory_order_acquire) > 0; }
  /// Sends the loop's: all of them, or as many as `Lane::batch_bytes_max` allows, and the others in further turns, so
  /// that readers can take what is sent to them in between.
  void send_outgoing(const std::shared_ptr<core::Loop>& loop, bool all);
  void add(const std::shared_ptr<SocketIoSocket>& socket);
  void remove(const std::shared_ptr<SocketIoSocket>& socket, bool recoverable);
  std::shared_ptr<SocketIoRoom> enter(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  void leave(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  using MakeSocket = std::function<std::shared_ptr<SocketIoSocket>(const std::string& id)>;
  /// None if the client is no longer known or was another user's, if some of the events that it missed are no longer kept, or if they have
  /// more than `missed_bytes_max`. `offset`: that of the last event which the client has received; none if it received
  /// none.
  std::optional<Recovered> recover(const std::string& pid, const std::optional<std::string>& offset,
                                   const std::string& user, std::size_t missed_bytes_max, const MakeSocket& make);

  // Under the lock
  void seat(const std::shared_ptr<SocketIoSocket>& socket);
  std::shared_ptr<SocketIoRoom> enter_locked(const std::string& room, const std::shared_ptr<SocketIoSocket>& socket);
  Result<protocol::SocketIoMessagePtr> encode(const std::vector<std::string>& rooms,
                                              const std::vector<std::string>& except, std::string_view event,
                                              const socketio::Args& args);
  /// An error if too much is pending for one of the loops.
  std::optional<Error> overloaded(const Receivers& receivers) const;
  /// Releases the lock.
  void send_by_loops(std::unique_lock<std::mutex> lock, Receivers&& receivers,
                     const protocol::SocketIoMessagePtr& message, bool volatile_only,
                     const std::shared_ptr<const Question>& question);
  std::optional<Result<Sent>> emit_to_lanes(const std::vector<std::string>& rooms,
                                            const std::vector<std::string>& except,
                                            const protocol::SocketIoMessage& message);
  std::vector<std::shared_ptr<SocketIoSocket>> receivers(const std::vector<std::string>& rooms,
                                                         const std::vector<std::string>& except) const;
  void run_time(const std::shared_ptr<core::Loop>& loop);
  void tick();
  Clock::TimePoint now();
  Clock::TimePoint delivered_by(Clock::TimePoint cut_off) const;
  void forget_old();
  void forget_oldest_kept();
  void note_lost(Lost lost);
  Lost take_lost(LostList::iterator lost);

  const std::string name_;
  const std::shared_ptr<const socketio::Options> options_;
  const std::size_t pending_bytes_max_;
  const std::weak_ptr<core::CallFaults> call_faults_;
  const std::shared_ptr<SocketIoRoom> everyone_ = std::make_shared<SocketIoRoom>(std::string());
  std::size_t users_ = 0;  // connected clients, and those that wait for middlewares; under the server's lock
  bool dynamic_ = false;   // accepted by a predicate: removed with its last user

  mutable std::mutex mutex_;  // guards the members below; locked before a socket's or a room's mutex
  List<socketio::Middleware> middlewares_ = std::make_shared<std::vector<socketio::Middleware>>();
  List<socketio::ConnectionHandler> handlers_ = std::make_shared<std::vector<socketio::ConnectionHandler>>();
  std::unordered_set<std::shared_ptr<SocketIoSocket>, SocketIoById, SocketIoById> sockets_;
  std::unordered_map<std::string, Members, core::SeededHash, std::equal_to<>> rooms_;
  std::unordered_map<const core::Loop*, Outgoing> outgoing_;
  std::atomic<std::size_t> outgoing_count_{0};
  std::deque<Kept> kept_;
  std::size_t kept_bytes_ = 0;
  std::uint64_t crowded_out_ = 0;      // events with lower numbers were dropped to make room
  Clock::TimePoint crowded_out_at_{};  // when the newest of those was sent
  LostList lost_;                      // the oldest first
  std::unordered_map<std::string_view, LostList::iterator> lost_by_pid_;
  std::map<core::IpAddress, std::list<LostList::iterator>> lost_by_address_;
  std::uint64_t next_offset_ = 0;
  /// The time of recovery: that of one of the loops, as its timer last saw it. A pause of the process does not count.
  Clock::TimePoint now_{};
  std::shared_ptr<core::Loop> time_loop_;  // null before the first socket
  Clock::TimePoint time_of_loop_{};        // when `now_` was set
  std::atomic<std::uint64_t> next_ack_id_{0};
};

}  // namespace flux::detail
