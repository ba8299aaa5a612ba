// A client in a Socket.IO namespace: its handlers, its rooms, its acknowledgments.
#pragma once

#include <flux/detail/core/lane.hpp>
#include <flux/detail/endpoints/socketio/engineio_session.hpp>
#include <flux/detail/endpoints/socketio/socketio_codec.hpp>
#include <flux/detail/endpoints/socketio/socketio_follower.hpp>
#include <flux/detail/gate/held_grant.hpp>
#include <flux/socketio.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::detail {

class SocketIoClient;
struct SocketIoRoom;

/// The state behind `socketio::Socket`. Threading: any thread, unless stated otherwise.
class SocketIoSocket final : public std::enable_shared_from_this<SocketIoSocket> {
 public:
  SocketIoSocket(std::shared_ptr<SocketIoNamespace> nsp, std::shared_ptr<EngineIoSession> session, std::string id,
                 std::uint64_t key, socketio::Handshake handshake);

  const std::string& id() const noexcept { return id_; }
  std::uint64_t key() const noexcept { return key_; }
  const std::shared_ptr<SocketIoNamespace>& nsp() const noexcept { return nsp_; }
  const socketio::Handshake& handshake() const noexcept { return handshake_; }
  const std::shared_ptr<core::Loop>& loop() const noexcept { return session_->loop(); }
  const std::weak_ptr<core::CallFaults>& call_faults() const noexcept { return loop()->call_faults(); }
  /// As `Backend::debug`; `what` this client did, or what happened to it.
  template <class What>
  void debug(const What& what) const {
    session_->hub().debug([&] {
      return std::string("socket.io client ").append(handshake_.remote_address()).append(" ").append(what());
    });
  }
  /// On the loop: runs a handler of the application for this client, as `Backend::guarded` does.
  template <class F>
  bool guarded(std::string_view what, F&& handler, const features::HandledNames& about = {}) const {
    return session_->hub().guarded(loop()->counters(), what, std::forward<F>(handler), handshake_.remote_address(),
                                   about);
  }
  bool asked_about() const noexcept { return life_.load(std::memory_order_acquire) == Life::asking; }
  bool connected() const noexcept { return life_.load(std::memory_order_acquire) == Life::connected; }
  bool recovered() const noexcept { return recovered_; }

  void on(std::string event, socketio::EventListener handler, bool once);
  void off(std::string_view event);
  void on_any(socketio::EventListener handler);
  void use(socketio::EventMiddleware middleware);
  void on_refused(socketio::RefusedHandler handler);
  void on_disconnecting(socketio::DisconnectListener handler);
  void on_disconnect(socketio::DisconnectListener handler);
  std::string_view transport() const noexcept { return to_string(session_->transport_now()); }
  Result<Sent> emit(std::string_view event, const socketio::Args& args, bool volatile_only);
  Result<Sent> emit(std::string_view event, const socketio::Args& args, std::chrono::milliseconds timeout,
                    socketio::AckHandler done);
  /// On the loop: sends a message that asks for acknowledgment `id`. `done` gets the answer, or an error if none comes.
  void ask(const protocol::SocketIoMessage& message, std::uint64_t id, std::chrono::milliseconds timeout,
           bool volatile_only, socketio::AckHandler done);
  Result<Sent> acknowledge(std::uint64_t id, const socketio::Args& args);
  Result<void> join(const std::string& room);
  void leave(const std::string& room);
  std::vector<std::string> rooms() const;
  void disconnect(bool close);
  /// Null: an empty one.
  std::shared_ptr<const Grant> grant() const;
  /// From when the socket is connected on, the connection ends with its grant. Errors: session_not_found.
  /// Replaces the grant; the follower gets it too.
  Result<void> set_grant(std::shared_ptr<const Grant> grant);
  /// The same, for the follower's own new grant.
  Result<void> keep_grant(std::shared_ptr<const Grant> grant);
  /// On the loop. Has the gate end the connection with the grant, if there is one.
  void watch_grant();
  /// For `gate::ClientGrant`, which ends the whole connection.
  void ignore_input() noexcept { session_->ignore_input(); }
  void end_access(CloseCode /*code*/, std::string_view /*reason*/) { disconnect(true); }
  JsonText data() const;
  void set_data(JsonText data);
  const std::shared_ptr<EngineIoSession>& session() const noexcept { return session_; }
  /// On the loop. At most one follower, which must exist until its `gone` is called.
  void follow(SocketIoFollower& follower) { follower_ = &follower; }
  bool followed() const noexcept { return follower_ != nullptr; }

 private:
  friend class SocketIoClient;
  friend class SocketIoNamespace;
  enum class Life : std::uint8_t { asking, connected, gone };  // asking: middlewares have not answered yet
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
  /// A linked list, because a socket has few handlers and an idle one should not pay for a table.
  struct Handler {
    std::string event;
    socketio::EventListener call;
    bool once;
    std::shared_ptr<Handler> next;
  };
  /// What connection state recovery knows about the socket.
  struct Recoverable {
    std::string pid;      // private: known to the client and the server only
    std::uint64_t first;  // number of the first event that was sent after it connected
  };
  using Middlewares = std::shared_ptr<const std::vector<socketio::EventMiddleware>>;
  /// State that few sockets have. Under the mutex.
  struct Rare {
    std::shared_ptr<const socketio::EventListener> any;
    Middlewares middlewares;
    std::shared_ptr<const socketio::RefusedHandler> refused;
    std::unique_ptr<socketio::DisconnectListener> on_disconnecting;
    socketio::DisconnectListener on_disconnect;
    JsonText data;
    std::vector<std::string> rooms;
    std::shared_ptr<gate::HeldGrant> grant;
  };
  /// The same; used on the loop only.
  struct RareOnLoop {
    std::vector<std::unique_ptr<RoomSeat>> seats;
    std::map<std::uint64_t, WaitingAck> acks;
  };
  /// An event of the client that the application has not answered yet. Each socket has a limited number.
  struct Owed;
  /// An event that wants an acknowledgment. It may be destroyed without one.
  struct OwedAck;
  /// An event that a middleware is asked about.
  struct Asked;

  // On the loop
  Sent send(const protocol::SocketIoMessage& message, bool volatile_only = false);
  void send_shared(const protocol::SocketIoMessage& message, bool volatile_only);
  Sent sent_from_here() const;
  void flush_rooms();
  std::shared_ptr<gate::HeldGrant> held_grant() const;
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
  std::shared_ptr<socketio::Event> make_long(socketio::Event event) const;
  void handle_event(socketio::Event event, bool is_long);
  void refuse_for_rate(socketio::Event& event, const Error& error);
  void ask_middlewares(const std::shared_ptr<socketio::Event>& event, const Middlewares& middlewares,
                       std::size_t index);
  void refuse_event(socketio::Event& event, const std::string& message, const std::optional<JsonText>& data);
  void call_handlers(socketio::Event& event);
  std::shared_ptr<Handler> take_handler(std::string_view event, bool always);
  void handle_ack(std::uint64_t id, socketio::Args args);
  /// Sends a DISCONNECT packet and ends the socket.
  void dismiss();
  void gone(EndReason reason);
  /// Ends a socket that was never connected.
  void refused();
  void forget_handlers(socketio::DisconnectListener* on_disconnect);
  bool tell_disconnecting(EndReason reason);
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
  std::unique_ptr<const Recoverable> recoverable_;  // null where connection state recovery is off
  bool recovered_ = false;                          // both are set before anyone else can see the socket
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

}  // namespace flux::detail
