// One TCP connection: reads into its loop's buffer, keeps what is not used yet, and sends what handlers write.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/transport/address_seats.hpp>
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

/// What speaks on a connection: HTTP first, WebSocket after an upgrade. All calls come on the connection's loop.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  /// `data` holds what has come and is not used yet. Returns how much of it is used up; the rest is handed over again
  /// with what follows. The bytes may be changed in place.
  virtual std::size_t on_data(char* data, std::size_t size) = 0;
  /// The peer sends nothing more.
  virtual void on_end() = 0;
  /// The outbox has run empty, after a write was `congested` or `dropped`.
  virtual void on_drained() {}
  /// What `Connection::set_deadline` asked for has come.
  virtual void on_deadline() = 0;
  /// What `Connection::watch_input` watches came slower than `Limits::input_bytes_per_second_min`: end it.
  virtual void on_input_stalled() {}
  /// The peer took less of its output than `Limits::output_bytes_per_second_min`: `on_closed` follows at once.
  virtual void on_output_stalled() {}
  /// The server stops: say good-bye, `finish` the connection.
  virtual void on_stop() = 0;
  /// The connection is gone. The last call.
  virtual void on_closed() = 0;
};

using SharedBytes = std::shared_ptr<const std::string>;

/// The open connections of one loop, and what they have in common.
struct ConnectionGroup {
  void set_limits(const Limits& limits);

  std::size_t outbox_bytes_congested = 0;
  std::size_t outbox_bytes_max = 0;
  MinimumRate input_rate;
  MinimumRate output_rate;
  std::vector<Connection*> members;
  std::function<void()> on_empty;  // the last member has gone
  AddressSeats* seats = nullptr;   // null: nobody counts whose they are
};

/// Ownership: shared by the operations that are pending on its socket, so it lives until it is closed. Handlers hold it
/// by plain pointer until `on_closed`.
/// Threading: its loop's thread only.
class Connection final : public std::enable_shared_from_this<Connection>,
                         public core::Loop::Flushable,
                         private core::DeadlineWheel::Entry {
 public:
  /// `group` outlives the connection.
  Connection(std::shared_ptr<core::Loop> loop, ConnectionGroup& group, flux::detail::Socket socket,
             std::unique_ptr<TlsEngine> tls);
  ~Connection() override;

  /// Begins to read. `first`: bytes that somebody else has read already.
  void start(std::shared_ptr<StreamHandler> handler, std::string first = {});
  /// Another handler from here on, at the earliest byte not used. May be called from inside the old one's `on_data`.
  void set_handler(std::shared_ptr<StreamHandler> handler);
  const std::shared_ptr<StreamHandler>& handler() const noexcept { return handler_; }

  core::Loop& loop() noexcept { return *loop_; }
  const std::shared_ptr<core::Loop>& shared_loop() const noexcept { return loop_; }
  bool closed() const noexcept { return closed_; }
  /// Whether what is written may still reach the peer.
  bool writable() const noexcept { return !closed_ && !broken_ && !sent_end_; }
  bool encrypted() const noexcept { return tls_ != nullptr; }
  /// Who is at the other end of the socket: the client, or its proxy. Unspecified where it has gone already.
  core::ClientAddress peer() const { return peer_of(socket_); }
  /// The seat of its client is the connection's from here on.
  void set_seat(AddressSeat seat) { seat_ = seat.take(); }
  /// Counts the connection as this client's. False, and nothing has changed, where the client has as many as it may.
  bool count_for(const core::IpAddress& client);

  /// Sends `head` and `body` behind what waits already; at the latest when the turn ends. Never calls the handler back.
  /// `dropped`: nothing of it is sent, because `outbox_bytes_max` was reached before, or the connection ends. One piece
  /// that is large beside the limit, such as the history that a joiner gets, does not count: it says nothing of its
  /// reader's speed.
  Sent write(std::string_view head, std::string_view body = {});
  /// The same without copying: [begin, end) of `bytes`.
  Sent write(const SharedBytes& bytes, std::size_t begin, std::size_t end);
  /// What waits for the peer: all that was written, and what TLS has to say.
  std::size_t outbox_bytes() const noexcept { return (outbox_ ? outbox_->bytes : 0) + (tls_ ? tls_->unsent() : 0); }
  bool congested() const noexcept { return outbox_ && outbox_bytes() >= group_.outbox_bytes_congested; }
  /// Drops what waits, but for the rest of the WebSocket frame that is half sent. For readers that are too slow.
  /// Returns how many frames were dropped.
  std::size_t drop_unsent_frames();

  /// Sends what waits, then says that no more comes, waits for the peer to end, at most `linger`, and closes.
  void finish(std::chrono::milliseconds linger);
  bool finishing() const noexcept { return finishing_; }
  /// Closes now.
  void close();
  /// Takes the socket out, to go on on another loop; ends here, as `close` does. Not from inside the handler's
  /// `on_data`. Null, and nothing is done, where something that was written waits yet.
  std::shared_ptr<ConnectionInTransit> detach();

  /// Stops reading: the peer is held back by TCP.
  void pause_reading();
  void resume_reading();
  /// Whether to stop reading by itself while the outbox is congested. The handler, which had better use no more of its
  /// input either, gets the rest again when half of `outbox_bytes_congested` is left. Off at first.
  void hold_input_when_congested(bool hold);
  /// Whether nothing is read now, be it for the handler's sake or the outbox's.
  bool input_held() const noexcept { return paused_ || held_; }
  /// Hands over again what the handler has not used, in a turn of its own, and reads on. For a handler that could not
  /// go on earlier, or has just been set.
  void resume_input();
  /// Input that the handler has not used; up to date outside `on_data`.
  std::size_t unused_bytes() const noexcept { return unfinished_ ? unfinished_->unused.size() : 0; }
  /// The handler waits for the rest of something, `so_far` bytes of which have come: they must grow as fast as
  /// `Limits::input_bytes_per_second_min` says, else `on_input_stalled` comes. `begins`: it is another thing than that
  /// of the last call. Time in which nothing is read does not count.
  void watch_input(std::uint64_t so_far, bool begins);
  /// Nothing has begun that is not whole, or it is not the peer that one waits for.
  void unwatch_input();
  /// Has `on_drained` called when all that is written has gone out, congested or not. False where it has already: then
  /// there is no call.
  bool notify_drained();

  void set_deadline(std::chrono::milliseconds after) { loop_->set_deadline(*this, after); }
  void clear_deadline() { loop_->clear_deadline(*this); }

  void flush() override;
  /// Where what a write looks at begins.
  const void* hot_memory() const noexcept { return &socket_; }

 private:
  friend class ConnectionInTransit;

  struct Piece {
    SharedBytes bytes;
    std::size_t start;  // where it began: always the start of a frame, or inside one that an earlier piece began
    std::size_t begin;  // what is before it has been sent
    std::size_t end;
  };
  /// What could not be sent at once. There is one only while something waits. Its deadline is the end of a period in
  /// which the peer has to take some of it.
  struct Outbox final : core::DeadlineWheel::Entry {
    explicit Outbox(Connection& owner) : connection(owner) {}
    ~Outbox() override { connection.loop_->clear_deadline(*this); }
    void on_deadline() override { connection.on_output_deadline(); }

    Connection& connection;
    std::deque<Piece> pieces;
    std::shared_ptr<std::string> tail;  // bytes of the last piece, while they are ours alone and may grow
    std::size_t bytes = 0;
    std::size_t large_bytes = 0;  // of the first large piece; they do not count towards the limit
    bool waiting = false;         // for the socket to become writable
    bool tell_drained = false;
    bool timed = false;         // a period has begun
    std::uint64_t wanted = 0;   // to be taken by the peer within it
    std::uint64_t written = 0;  // to the socket within it
    std::size_t in_socket = 0;  // when it began: written earlier, and not acknowledged by the peer
  };
  /// Input that is not used up, or a part of something that is not whole. There is one only where that is so. Its
  /// deadline is the end of a period in which more has to come.
  struct Unfinished final : core::DeadlineWheel::Entry {
    explicit Unfinished(Connection& owner) : connection(owner) {}
    ~Unfinished() override { connection.loop_->clear_deadline(*this); }
    void on_deadline() override { connection.on_input_deadline(); }

    Connection& connection;
    std::string unused;
    bool watched = false;
    std::uint64_t so_far = 0;
    std::uint64_t at_start = 0;                 // of the period
    std::optional<std::uint32_t> unread_since;  // since this tick of the loop nothing is read
    std::uint32_t unread_ticks = 0;             // of the period, before something was read again
  };
  /// A connection under TLS: plain bytes wait in the outbox and are encrypted in portions when the socket takes more.
  struct Encryption {
    std::size_t unsent() const noexcept { return to_send.size() - sent; }

    std::unique_ptr<TlsEngine> engine;
    std::string to_send;
    std::size_t sent = 0;
  };

  void on_deadline() override;
  void on_input_deadline();
  void on_output_deadline();
  void begin_input_period();
  void stop_input_clock();
  void start_input_clock();
  void begin_output_period();
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
  void fail();

  AddressSeats::Seat seat_ = AddressSeats::none;  // where its base leaves four bytes unused
  // What a fan-out looks at comes first, in two cache lines.
  flux::detail::Socket socket_;
  std::unique_ptr<Encryption> tls_;
  std::unique_ptr<Outbox> outbox_;
  const std::shared_ptr<core::Loop> loop_;
  bool reading_ : 1;  // a wait for input is pending
  bool paused_ : 1;
  bool holds_input_ : 1;  // while the outbox is congested
  bool held_ : 1;         // it is, and nothing is read
  bool in_turn_ : 1;      // input is being handled: what is written collects in the loop's turn output
  bool flush_asked_ : 1;
  bool finishing_ : 1;
  bool sent_end_ : 1;
  bool ended_ : 1;   // the peer sends nothing more
  bool broken_ : 1;  // the socket failed; `close` follows
  bool closed_ : 1;
  std::uint32_t group_index_;
  ConnectionGroup& group_;
  std::shared_ptr<StreamHandler> handler_;
  std::unique_ptr<Unfinished> unfinished_;
  std::shared_ptr<Connection> kept_;  // itself, while it reads nothing and so no pending operation keeps it alive
};

/// A connection on its way to another loop. Closed where it does not get there.
class ConnectionInTransit {
 public:
  ConnectionInTransit(SocketInTransit socket, std::unique_ptr<TlsEngine> tls, std::string unused, AddressSeat seat)
      : socket_(std::move(socket)), tls_(std::move(tls)), unused_(std::move(unused)), seat_(std::move(seat)) {}
  /// On the new loop; once. To be started, and told to `resume_input`. Null where the system refuses.
  std::shared_ptr<Connection> arrive(const std::shared_ptr<core::Loop>& loop, ConnectionGroup& group);

 private:
  SocketInTransit socket_;
  std::unique_ptr<TlsEngine> tls_;
  std::string unused_;
  AddressSeat seat_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/connection.ipp>
#endif
