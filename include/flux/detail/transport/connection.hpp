// A TCP connection: reads into its loop's buffer, keeps input that was not used, and sends what handlers write.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/address_seats.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/minimum_rate.hpp>
#include <flux/detail/transport/socket_in_transit.hpp>
#include <flux/detail/transport/tls.hpp>
#include <flux/error.hpp>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::transport {

class Connection;
class ConnectionInTransit;

core::ClientAddress peer_of(const flux::detail::Socket& socket);

/// The protocol on a connection: HTTP first, WebSocket after an upgrade. Threading: called on the connection's loop.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  /// `data` is the input received and not yet used. Returns how many of its bytes were used; the rest is passed again
  /// with the input that follows. The bytes may be modified in place.
  virtual std::size_t on_data(char* data, std::size_t size) = 0;
  /// The peer has ended its sending side.
  virtual void on_end() = 0;
  /// The outbox is empty again after a write was `congested` or `dropped`, or after `notify_drained`.
  virtual void on_drained() {}
  /// The deadline of `Connection::set_deadline` has passed.
  virtual void on_deadline() = 0;
  /// The input of `Connection::watch_input` was slower than `Limits::input_bytes_per_second_min`: end the connection.
  virtual void on_input_stalled() {}
  /// The peer took less output than `Limits::output_bytes_per_second_min`: `on_closed` follows at once.
  virtual void on_output_stalled() {}
  /// The server is stopping: close in the protocol's way and `finish` the connection.
  virtual void on_stop() = 0;
  /// The connection is closed. This is the last call.
  virtual void on_closed() = 0;
};

using SharedBytes = std::shared_ptr<const std::string>;

/// The open connections of one loop, and their common settings.
struct ConnectionGroup {
  void set_limits(const Limits& limits);

  std::size_t outbox_bytes_congested = 0;
  std::size_t outbox_bytes_max = 0;
  MinimumRate input_rate;
  MinimumRate output_rate;
  std::vector<Connection*> members;
  std::function<void()> on_empty;       // called when the last member is removed
  core::AddressSeats* seats = nullptr;  // null: connections are not counted per client
};

/// Ownership: shared by the pending operations on its socket, so it lives until it is closed. Handlers hold it by plain
/// pointer until `on_closed`.
/// Threading: its loop's thread only.
class Connection final : public std::enable_shared_from_this<Connection>,
                         public core::Loop::Flushable,
                         private core::DeadlineWheel::Entry {
 public:
  /// `group` must outlive the connection.
  Connection(std::shared_ptr<core::Loop> loop, ConnectionGroup& group, flux::detail::Socket socket,
             std::unique_ptr<TlsEngine> tls);
  FLUX_DECL ~Connection() override;

  /// Begins to read. `first`: bytes already read from the socket by others.
  void start(std::shared_ptr<StreamHandler> handler, std::string first = {});
  /// Replaces the handler; the new one gets all unused input. May be called inside the old handler's `on_data`.
  void set_handler(std::shared_ptr<StreamHandler> handler);
  const std::shared_ptr<StreamHandler>& handler() const noexcept { return handler_; }

  core::Loop& loop() noexcept { return *loop_; }
  const std::shared_ptr<core::Loop>& shared_loop() const noexcept { return loop_; }
  bool closed() const noexcept { return closed_; }
  /// Whether output may still reach the peer.
  bool writable() const noexcept { return !closed_ && !broken_ && !sent_end_; }
  bool encrypted() const noexcept { return tls_ != nullptr; }
  /// The address at the other end of the socket: the client's or its proxy's. Unspecified if the peer has disconnected.
  core::ClientAddress peer() const { return peer_of(socket_); }
  /// Takes over the client's seat.
  void set_seat(core::AddressSeat seat) { seat_ = seat.take(); }
  /// Counts the connection for this client instead. Returns false and changes nothing if the client has reached its
  /// limit.
  bool count_for(const core::IpAddress& client);

  /// Sends `head` and `body` after all pending output, at the latest when the turn ends. Never calls the handler.
  /// `dropped`: nothing was sent, because `outbox_bytes_max` had been reached or the connection is ending. One piece
  /// that is large relative to the limit, such as the history for a joining client, is not counted: it says nothing
  /// about the reader's speed.
  Sent write(std::string_view head, std::string_view body = {});
  /// The same without copying, for [begin, end) of `bytes`.
  Sent write(const SharedBytes& bytes, std::size_t begin, std::size_t end);
  /// The pending output in bytes: what was written, and TLS's own records.
  std::size_t outbox_bytes() const noexcept { return (outbox_ ? outbox_->bytes : 0) + (tls_ ? tls_->unsent() : 0); }
  bool congested() const noexcept { return outbox_ && outbox_bytes() >= group_.outbox_bytes_congested; }
  /// For readers that are too slow: drops pending output except the rest of a WebSocket frame that is partly sent.
  /// Returns the number of frames dropped.
  std::size_t drop_unsent_frames();

  /// Sends the pending output, ends the sending side, waits for the peer to end, at most for `linger`, and closes.
  void finish(std::chrono::milliseconds linger);
  /// Says that nothing more will be written. If all output has been sent by then, `close` ends TLS before the socket
  /// (RFC 8446, section 6.1): the peer can tell that nothing was cut off.
  void end_output() noexcept { output_ended_ = true; }
  /// Closes at once.
  void close();
  /// Takes the socket out to move it to another loop, and ends this connection as `close` does. Returns null and
  /// changes nothing if output is pending, the connection is ending, or the call is made inside the handler's
  /// `on_data`.
  std::shared_ptr<ConnectionInTransit> detach();

  /// Stops reading: TCP holds back the peer.
  void pause_reading();
  void resume_reading();
  /// Whether reading stops while the outbox is congested. The handler should use no more of its input then either; it
  /// gets the rest again when the outbox has drained to half of `outbox_bytes_congested`. Off by default.
  void hold_input_when_congested(bool hold);
  /// Whether reading is stopped, by the handler or by the outbox.
  bool input_held() const noexcept { return paused_ || held_; }
  /// Passes unused input to the handler again, in a new turn, and continues reading. For a handler that could not
  /// continue earlier, or was just set.
  void resume_input();
  /// Input that the handler has not used; not up to date inside `on_data`.
  std::size_t unused_bytes() const noexcept { return unfinished_ ? unfinished_->unused.size() : 0; }
  /// The handler waits for the rest of a message or body, of which `so_far` bytes were received: they must grow by
  /// `Limits::input_bytes_per_second_min`, otherwise `on_input_stalled` is called. `begins`: not the same message as in
  /// the last call. Time in which reading is stopped does not count.
  void watch_input(std::uint64_t so_far, bool begins);
  /// Ends `watch_input`: nothing is incomplete, or the handler is not waiting for the peer.
  void unwatch_input();
  /// Has `on_drained` called when all output has been sent, congested or not. Returns false if none is pending; then
  /// there is no call.
  bool notify_drained();

  void set_deadline(std::chrono::milliseconds after) { loop_->set_deadline(*this, after); }
  void clear_deadline() { loop_->clear_deadline(*this); }

  FLUX_DECL void flush() override;
  /// The start of the memory that a write reads, for prefetching.
  const void* hot_memory() const noexcept { return &socket_; }

 private:
  friend class ConnectionInTransit;

  struct Piece {
    SharedBytes bytes;
    std::size_t start;  // where it began: the start of a frame, or inside a frame that an earlier piece began
    std::size_t begin;  // the bytes before it have been sent
    std::size_t end;
  };
  /// Output that could not be sent at once; exists only while output is pending. Its deadline ends a period in which
  /// the peer has to take some of it.
  struct Outbox final : core::DeadlineWheel::Entry {
    explicit Outbox(Connection& owner) : connection(owner) {}
    ~Outbox() override { connection.loop_->clear_deadline(*this); }
    void on_deadline() override { connection.on_output_deadline(); }

    Connection& connection;
    std::deque<Piece> pieces;
    std::shared_ptr<std::string> tail;  // the last piece's bytes, while they are not shared and may grow
    std::size_t bytes = 0;
    std::size_t large_bytes = 0;  // of the first large piece, which does not count towards the limit
    bool waiting = false;         // until the socket becomes writable
    bool tell_drained = false;
    bool timed = false;         // a period has begun
    std::uint64_t wanted = 0;   // bytes that the peer must take within the period
    std::uint64_t written = 0;  // bytes written to the socket within it
    std::size_t in_socket = 0;  // when the period began: written earlier and not acknowledged by the peer
  };
  /// Unused input, or the state of an incomplete message; exists only while there is one. Its deadline ends a period in
  /// which more has to be received.
  struct Unfinished final : core::DeadlineWheel::Entry {
    explicit Unfinished(Connection& owner) : connection(owner) {}
    ~Unfinished() override { connection.loop_->clear_deadline(*this); }
    void on_deadline() override { connection.on_input_deadline(); }

    Connection& connection;
    std::string unused;
    bool watched = false;
    std::uint64_t so_far = 0;
    std::uint64_t at_start = 0;                 // `so_far` when the period began
    std::optional<std::uint32_t> unread_since;  // the loop's tick since which nothing is read
    std::uint32_t unread_ticks = 0;             // ticks of the period without reading, before `unread_since`
  };
  /// State of a TLS connection: plain bytes stay in the outbox and are encrypted in portions when the socket takes
  /// more.
  struct Encryption {
    std::size_t unsent() const noexcept { return to_send.size() - sent; }

    std::unique_ptr<TlsEngine> engine;
    std::string to_send;
    std::size_t sent = 0;
  };

  FLUX_DECL void on_deadline() override;
  void on_input_deadline();
  void on_output_deadline();
  void begin_input_period();
  void stop_input_clock();
  void start_input_clock();
  void begin_output_period();
  void continue_input();
  std::string& unused();
  void drop_unused();
  bool hold_input();
  void release_input();
  void wait_readable();
  void readable();
  void received(char* data, std::size_t size);
  void received_encrypted(std::string_view data);
  void consume_input(char* data, std::size_t size);
  std::size_t hand_over(char* data, std::size_t size);
  void ended();
  void begin_turn();
  void end_turn();
  bool send_turn_output();
  std::size_t send_now(const char* data, std::size_t size);
  Sent append_copy(std::string_view bytes);
  Sent append_piece(Piece piece);
  bool full() const noexcept { return outbox_ && outbox_bytes() >= group_.outbox_bytes_max + outbox_->large_bytes; }
  bool large(const Piece& piece) const noexcept { return piece.end - piece.start > group_.outbox_bytes_max / 2; }
  void note_first_large();
  Sent verdict();
  void flush_soon();
  bool flush_plain();
  bool flush_encrypted();
  void sent(std::size_t size);
  void wait_writable();
  void outbox_empty();
  void send_close_notify();
  void fail();

  core::AddressSeats::Seat seat_ = core::AddressSeats::none;  // placed where the base class leaves four bytes unused
  // The members that a fan-out reads come first, in two cache lines.
  flux::detail::Socket socket_;
  std::unique_ptr<Encryption> tls_;
  std::unique_ptr<Outbox> outbox_;
  const std::shared_ptr<core::Loop> loop_;
  bool reading_ : 1;  // a wait for input is pending
  bool paused_ : 1;
  bool holds_input_ : 1;  // stops reading while the outbox is congested
  bool held_ : 1;         // reading is stopped because the outbox is congested
  bool in_turn_ : 1;      // input is being handled: output is collected in the loop's turn output
  bool flush_asked_ : 1;
  bool output_ended_ : 1;
  bool finishing_ : 1;
  bool sent_end_ : 1;
  bool ended_ : 1;   // the peer has ended its sending side
  bool broken_ : 1;  // the socket failed; `close` follows
  bool closed_ : 1;
  std::uint32_t group_index_;
  ConnectionGroup& group_;
  std::shared_ptr<StreamHandler> handler_;
  std::unique_ptr<Unfinished> unfinished_;
  std::shared_ptr<Connection> kept_;  // itself, while it does not read and so no pending operation keeps it alive
};

/// A connection on its way to another loop. Closed if it does not get there.
class ConnectionInTransit {
 public:
  ConnectionInTransit(SocketInTransit socket, std::unique_ptr<TlsEngine> tls, std::string unused,
                      core::AddressSeat seat)
      : socket_(std::move(socket)), tls_(std::move(tls)), unused_(std::move(unused)), seat_(std::move(seat)) {}
  /// Call once, on the new loop; then call `start` and `resume_input` on the result. Null if the system refuses.
  std::shared_ptr<Connection> arrive(const std::shared_ptr<core::Loop>& loop, ConnectionGroup& group);

 private:
  SocketInTransit socket_;
  std::unique_ptr<TlsEngine> tls_;
  std::string unused_;
  core::AddressSeat seat_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/connection.ipp>
#endif
