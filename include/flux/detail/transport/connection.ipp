#pragma once

#include <flux/detail/transport/connection.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <algorithm>
#include <array>
#include <exception>
#include <span>
#include <utility>

#if defined(__linux__)
#include <linux/sockios.h>
#include <sys/ioctl.h>
#endif

namespace flux::transport {

namespace detail {

/// Plain bytes are encrypted until at least this much is ready to send, in steps of at most this size.
inline constexpr std::size_t encrypted_portion_bytes = 64 * 1024;

/// Bytes written to a socket and not acknowledged by its peer. 0 if the system does not tell: then what the socket
/// accepts counts as taken by the peer, which is a little more.
inline std::size_t unacknowledged_bytes(flux::detail::Socket& socket) noexcept {
#if defined(__linux__)
  int bytes = 0;
  if (::ioctl(socket.native_handle(), SIOCOUTQ, &bytes) == 0 && bytes > 0) return static_cast<std::size_t>(bytes);
#else
  (void)socket;
#endif
  return 0;
}

}  // namespace detail

FLUX_DECL void ConnectionGroup::set_limits(const Limits& limits) {
  outbox_bytes_congested = limits.outbox_bytes_congested;
  outbox_bytes_max = limits.outbox_bytes_max;
  input_rate = {limits.input_stall_timeout, limits.input_bytes_per_second_min};
  output_rate = {limits.output_stall_timeout, limits.output_bytes_per_second_min};
}

FLUX_DECL Connection::Connection(std::shared_ptr<core::Loop> loop, ConnectionGroup& group, flux::detail::Socket socket,
                                 std::unique_ptr<TlsEngine> tls)
    : socket_(std::move(socket)),
      loop_(std::move(loop)),
      reading_(false),
      paused_(false),
      holds_input_(false),
      held_(false),
      in_turn_(false),
      flush_asked_(false),
      output_ended_(false),
      finishing_(false),
      sent_end_(false),
      ended_(false),
      broken_(false),
      closed_(false),
      group_index_(static_cast<std::uint32_t>(group.members.size())),
      group_(group) {
  if (tls) tls_ = std::make_unique<Encryption>(Encryption{std::move(tls), {}, 0});
  group_.members.push_back(this);
  loop_->counters().connections.add();
  loop_->counters().connections_now.add();
}

FLUX_DECL Connection::~Connection() {
  if (!closed_) close();
}

FLUX_DECL void Connection::start(std::shared_ptr<StreamHandler> handler, std::string first) {
  handler_ = std::move(handler);
  if (!first.empty()) received(first.data(), first.size());
  wait_readable();
}

FLUX_DECL void Connection::set_handler(std::shared_ptr<StreamHandler> handler) { handler_ = std::move(handler); }

FLUX_DECL core::ClientAddress peer_of(const flux::detail::Socket& socket) {
  std::error_code ec;
  const asio::ip::tcp::endpoint peer = socket.remote_endpoint(ec);
  if (ec) return {};
  const auto address = peer.address();
  const core::IpAddress ip =
      address.is_v4() ? core::IpAddress::v4(address.to_v4().to_bytes()) : core::IpAddress(address.to_v6().to_bytes());
  return {ip, peer.port()};
}

FLUX_DECL bool Connection::count_for(const core::IpAddress& client) {
  core::AddressSeats* const seats = group_.seats;
  if (seats == nullptr || seats->belongs(seat_, client)) return true;
  const auto seat = seats->take(client);
  if (seat) seats->give_back(std::exchange(seat_, *seat));
  return seat.has_value();
}

// --- Input ---

FLUX_DECL void Connection::wait_readable() {
  if (reading_ || closed_) return;
  if (hold_input() || paused_ || ended_) {
    kept_ = shared_from_this();
    return;
  }
  reading_ = true;
  socket_.async_wait(flux::detail::Socket::wait_read, [self = shared_from_this()](std::error_code ec) {
    const core::Loop::Turn turn(*self->loop_);
    self->reading_ = false;
    if (self->closed_) return;
    if (ec) {
      self->close();
    } else if (self->hold_input() || self->paused_) {
      self->kept_ = self;
    } else {
      self->readable();
    }
  });
  kept_.reset();
}

FLUX_DECL void Connection::readable() {
  std::error_code ec;
  const std::size_t size = socket_.read_some(asio::buffer(loop_->read_buffer(), core::Loop::read_buffer_bytes), ec);
  if (ec == asio::error::would_block || ec == asio::error::try_again) return wait_readable();
  if (ec == asio::error::eof) return ended();
  if (ec) return close();
  loop_->counters().bytes_in.add(size);
  received(loop_->read_buffer(), size);
  wait_readable();
}

FLUX_DECL void Connection::received(char* data, std::size_t size) {
  if (finishing_) return;
  begin_turn();
  try {
    if (tls_) {
      received_encrypted({data, size});
    } else {
      consume_input(data, size);
    }
  } catch (const std::exception&) {  // out of memory: this client is disconnected, the others stay
    loop_->counters().handler_errors.add();
    fail();
  }
  end_turn();
}

FLUX_DECL void Connection::received_encrypted(std::string_view data) {
  std::string plain;
  const std::size_t before = tls_->to_send.size();
  const bool whole = tls_->engine->receive(data, plain, tls_->to_send);
  const bool answered = tls_->to_send.size() > before;
  if (!plain.empty()) consume_input(plain.data(), plain.size());
  if (closed_) return;
  if (answered && tls_->unsent() > group_.outbox_bytes_max + 2 * detail::encrypted_portion_bytes) {
    loop_->counters().slow_readers_closed.add();  // it does not read TLS's answers to its records
    return fail();
  }
  if (!tls_->to_send.empty() || outbox_) flush_soon();
  if (!whole) {
    finish(std::chrono::seconds(1));  // an alert, or an answer to plain HTTP, is still sent
  } else if (tls_->engine->peer_finished() && !ended_) {
    loop_->post([self = shared_from_this()] {
      if (!self->closed_) self->ended();
    });
  }
}

FLUX_DECL void Connection::consume_input(char* data, std::size_t size) {
  if (unused_bytes() == 0) {
    const std::size_t used = hand_over(data, size);
    if (used < size && !closed_) unused().assign(data + used, size - used);
    return;
  }
  unused().append(data, size);
  std::string input = std::exchange(unused(), {});  // the handler may call `unwatch_input` meanwhile
  const std::size_t used = hand_over(input.data(), input.size());
  if (used == input.size() || closed_) return drop_unused();
  input.erase(0, used);
  unused() = std::move(input);
}

FLUX_DECL std::string& Connection::unused() {
  if (!unfinished_) unfinished_ = std::make_unique<Unfinished>(*this);
  return unfinished_->unused;
}

FLUX_DECL void Connection::drop_unused() {
  if (!unfinished_) return;
  std::string().swap(unfinished_->unused);  // an idle connection keeps no buffer
  if (!unfinished_->watched) unfinished_.reset();
}

FLUX_DECL std::size_t Connection::hand_over(char* data, std::size_t size) {
  std::size_t used = 0;
  while (used < size && !closed_ && !finishing_) {
    const auto handler = handler_;  // it may replace itself, or close the connection
    used += handler->on_data(data + used, size - used);
    if (handler == handler_) break;
  }
  return closed_ || finishing_ ? size : used;
}

FLUX_DECL void Connection::ended() {
  if (ended_ || closed_) return;
  ended_ = true;
  kept_ = shared_from_this();
  if (finishing_) {
    if (sent_end_) close();
    return;
  }
  begin_turn();
  const auto handler = handler_;
  handler->on_end();
  end_turn();
}

FLUX_DECL void Connection::pause_reading() {
  paused_ = true;
  stop_input_clock();
}

FLUX_DECL void Connection::resume_reading() {
  if (!paused_) return;
  paused_ = false;
  start_input_clock();
  wait_readable();
}

FLUX_DECL void Connection::hold_input_when_congested(bool hold) {
  holds_input_ = hold;
  if (!hold && held_) release_input();
}

/// Whether reading must wait until the peer has taken some of its output.
FLUX_DECL bool Connection::hold_input() {
  if (!held_ && holds_input_ && congested()) {
    held_ = true;
    stop_input_clock();
  }
  return held_;
}

FLUX_DECL void Connection::release_input() {
  held_ = false;
  start_input_clock();
  continue_input();
}

FLUX_DECL void Connection::watch_input(std::uint64_t so_far, bool begins) {
  if (!group_.input_rate.demanded()) return;
  if (!unfinished_) unfinished_ = std::make_unique<Unfinished>(*this);
  unfinished_->so_far = so_far;
  if (unfinished_->watched && !begins) return;
  unfinished_->watched = true;
  begin_input_period();
}

FLUX_DECL void Connection::unwatch_input() {
  if (!unfinished_ || !unfinished_->watched) return;
  unfinished_->watched = false;
  loop_->clear_deadline(*unfinished_);
  if (unfinished_->unused.empty()) unfinished_.reset();
}

FLUX_DECL void Connection::begin_input_period() {
  if (!unfinished_ || !unfinished_->watched) return;
  unfinished_->at_start = unfinished_->so_far;
  unfinished_->unread_ticks = 0;
  unfinished_->unread_since.reset();
  if (input_held()) stop_input_clock();
  loop_->set_deadline(*unfinished_, group_.input_rate.period);
}

/// Time in which nothing is read does not count against the peer.
FLUX_DECL void Connection::stop_input_clock() {
  if (!unfinished_ || !unfinished_->watched || unfinished_->unread_since) return;
  unfinished_->unread_since = loop_->ticks();
}

FLUX_DECL void Connection::start_input_clock() {
  if (!unfinished_ || !unfinished_->unread_since || input_held()) return;
  unfinished_->unread_ticks += loop_->ticks() - *unfinished_->unread_since;
  unfinished_->unread_since.reset();
}

FLUX_DECL void Connection::on_input_deadline() {
  Unfinished& input = *unfinished_;
  const std::uint64_t came = input.so_far > input.at_start ? input.so_far - input.at_start : 0;
  if (input_held() || came >= group_.input_rate.bytes_per_period()) return begin_input_period();
  if (const std::uint32_t unread = std::exchange(input.unread_ticks, 0); unread > 0) {
    return loop_->set_deadline(input, unread * core::DeadlineWheel::tick);
  }
  // After a pause of the process, bytes still in the socket may have arrived in time.
  std::error_code ec;
  if (!finishing_ && !ended_ && socket_.available(ec) > 0) {
    return loop_->set_deadline(*unfinished_, core::DeadlineWheel::tick);
  }
  unwatch_input();
  if (finishing_) return;
  const auto self = shared_from_this();
  const auto handler = handler_;
  handler->on_input_stalled();
}

FLUX_DECL void Connection::resume_input() {
  paused_ = false;
  start_input_clock();
  continue_input();
}

/// Unless reading is stopped again first.
FLUX_DECL void Connection::continue_input() {
  loop_->post([self = shared_from_this()] {
    if (self->closed_ || self->finishing_ || self->input_held()) return;
    if (self->unused_bytes() > 0) {
      self->begin_turn();
      self->consume_input(self->loop_->read_buffer(), 0);
      self->end_turn();
    }
    self->wait_readable();
  });
}

// --- Output ---

FLUX_DECL void Connection::begin_turn() { in_turn_ = true; }

FLUX_DECL void Connection::end_turn() {
  in_turn_ = false;
  std::string& output = loop_->turn_output();
  if (output.empty()) return;
  if (writable()) {
    const std::size_t done = outbox_ ? 0 : send_now(output.data(), output.size());
    if (done < output.size()) append_piece({std::make_shared<std::string>(output), 0, done, output.size()});
  }
  output.clear();
  if (output.capacity() > core::Loop::read_buffer_bytes) std::string().swap(output);
}

/// Sends the collected output before output that can't be collected. Returns false if the connection failed.
FLUX_DECL bool Connection::send_turn_output() {
  if (in_turn_) {
    end_turn();
    in_turn_ = true;
  }
  return writable();
}

FLUX_DECL Sent Connection::write(std::string_view head, std::string_view body) {
  if (!writable()) return Sent::dropped;
  const std::size_t size = head.size() + body.size();
  if (in_turn_ && !outbox_ && !tls_ && loop_->turn_output().size() + size <= core::Loop::read_buffer_bytes) {
    loop_->turn_output().append(head).append(body);
    return Sent::queued;
  }
  if (!send_turn_output()) return Sent::dropped;
  if (full()) return Sent::dropped;
  append_copy(head);
  return body.empty() ? verdict() : append_copy(body);
}

FLUX_DECL Sent Connection::write(const SharedBytes& bytes, std::size_t begin, std::size_t end) {
  constexpr std::size_t few_bytes = 4096;  // copying them costs less than a separate send
  if (in_turn_ && end - begin <= few_bytes) return write(std::string_view(*bytes).substr(begin, end - begin));
  if (!writable()) return Sent::dropped;
  if (!send_turn_output()) return Sent::dropped;
  if (!outbox_ && !tls_) {
    const std::size_t start = begin;
    begin += send_now(bytes->data() + begin, end - begin);
    if (begin == end || broken_) return broken_ ? Sent::dropped : Sent::queued;
    return append_piece({bytes, start, begin, end});
  }
  if (full()) return Sent::dropped;
  return append_piece({bytes, begin, begin, end});
}

FLUX_DECL std::size_t Connection::send_now(const char* data, std::size_t size) {
  std::error_code ec;
  const std::size_t done = socket_.write_some(asio::buffer(data, size), ec);
  if (ec && ec != asio::error::would_block && ec != asio::error::try_again) fail();
  loop_->counters().bytes_out.add(done);
  if (outbox_) outbox_->written += done;
  return done;
}

FLUX_DECL Sent Connection::append_copy(std::string_view bytes) {
  if (outbox_ && outbox_->tail && outbox_->tail->size() + bytes.size() <= core::Loop::read_buffer_bytes) {
    outbox_->tail->append(bytes);
    outbox_->pieces.back().end += bytes.size();
    outbox_->bytes += bytes.size();
    flush_soon();
    return verdict();
  }
  auto copy = std::make_shared<std::string>(bytes);
  const Sent result = append_piece({copy, 0, 0, bytes.size()});
  outbox_->tail = std::move(copy);
  return result;
}

FLUX_DECL Sent Connection::append_piece(Piece piece) {
  if (!outbox_) outbox_ = std::make_unique<Outbox>(*this);
  outbox_->bytes += piece.end - piece.begin;
  if (outbox_->large_bytes == 0 && large(piece)) outbox_->large_bytes = piece.end - piece.start;
  outbox_->pieces.push_back(std::move(piece));
  outbox_->tail.reset();
  flush_soon();
  return verdict();
}

FLUX_DECL Sent Connection::verdict() {
  if (!congested()) return Sent::queued;
  outbox_->tell_drained = true;
  return Sent::congested;
}

FLUX_DECL bool Connection::notify_drained() {
  if (!send_turn_output() || !outbox_) return false;
  outbox_->tell_drained = true;
  return true;
}

FLUX_DECL void Connection::flush_soon() {
  if (flush_asked_ || (outbox_ && outbox_->waiting)) return;
  flush_asked_ = true;
  loop_->flush_later(shared_from_this());
}

FLUX_DECL void Connection::flush() {
  flush_asked_ = false;
  if (closed_ || broken_) return;
  if (tls_ ? flush_encrypted() : flush_plain()) outbox_empty();
  if (held_ && !closed_ && !broken_ && outbox_bytes() <= group_.outbox_bytes_congested / 2) release_input();
}

/// Returns true when no output is pending.
FLUX_DECL bool Connection::flush_plain() {
  while (outbox_ && !outbox_->pieces.empty()) {
    std::array<asio::const_buffer, 64> buffers;
    std::size_t count = 0;
    std::size_t total = 0;
    for (const Piece& piece : outbox_->pieces) {
      buffers[count++] = asio::buffer(piece.bytes->data() + piece.begin, piece.end - piece.begin);
      total += piece.end - piece.begin;
      if (count == buffers.size()) break;
    }
    std::error_code ec;
    const std::size_t done = socket_.write_some(std::span(buffers.data(), count), ec);
    if (ec && ec != asio::error::would_block && ec != asio::error::try_again) {
      fail();
      return false;
    }
    loop_->counters().bytes_out.add(done);
    outbox_->written += done;
    sent(done);
    if (done < total) {
      wait_writable();
      return false;
    }
  }
  return true;
}

/// Encrypts the next portion only when the previous one has been sent, so that a slow reader's bytes stay in plain
/// text.
FLUX_DECL bool Connection::flush_encrypted() {
  for (;;) {
    if (tls_->sent == tls_->to_send.size()) {
      tls_->to_send.clear();
      tls_->sent = 0;
      if (!tls_->engine->handshake_done()) return finishing_;  // continues when the peer has answered
      while (outbox_ && !outbox_->pieces.empty() && tls_->to_send.size() < detail::encrypted_portion_bytes) {
        const Piece& piece = outbox_->pieces.front();
        const std::size_t size = std::min(piece.end - piece.begin, detail::encrypted_portion_bytes);
        tls_->engine->send(std::string_view(*piece.bytes).substr(piece.begin, size), tls_->to_send);
        sent(size);
      }
      if (tls_->to_send.empty()) {
        std::string().swap(tls_->to_send);
        return true;
      }
    }
    const std::size_t left = tls_->to_send.size() - tls_->sent;
    const std::size_t done = send_now(tls_->to_send.data() + tls_->sent, left);
    if (broken_) return false;
    tls_->sent += done;
    if (done < left) {
      wait_writable();
      return false;
    }
  }
}

/// Removes `size` bytes from the front of the outbox.
FLUX_DECL void Connection::sent(std::size_t size) {
  outbox_->bytes -= size;
  while (size > 0) {
    Piece& piece = outbox_->pieces.front();
    const std::size_t part = std::min(size, piece.end - piece.begin);
    piece.begin += part;
    size -= part;
    if (piece.begin < piece.end) break;
    if (outbox_->pieces.size() == 1) outbox_->tail.reset();
    const bool was_large = large(piece);
    outbox_->pieces.pop_front();
    if (was_large) note_first_large();
  }
}

FLUX_DECL void Connection::note_first_large() {
  const auto first =
      std::find_if(outbox_->pieces.begin(), outbox_->pieces.end(), [this](const Piece& piece) { return large(piece); });
  outbox_->large_bytes = first == outbox_->pieces.end() ? 0 : first->end - first->start;
}

FLUX_DECL void Connection::wait_writable() {
  if (!outbox_) outbox_ = std::make_unique<Outbox>(*this);
  if (!outbox_->timed) begin_output_period();
  if (outbox_->waiting) return;
  outbox_->waiting = true;
  socket_.async_wait(flux::detail::Socket::wait_write, [self = shared_from_this()](std::error_code ec) {
    const core::Loop::Turn turn(*self->loop_);
    if (self->closed_ || self->broken_) return;
    if (self->outbox_) self->outbox_->waiting = false;
    if (ec) return self->close();
    self->flush();
  });
}

FLUX_DECL void Connection::begin_output_period() {
  if (!group_.output_rate.demanded()) return;
  outbox_->timed = true;
  outbox_->in_socket = detail::unacknowledged_bytes(socket_);
  outbox_->written = 0;
  outbox_->wanted =
      std::min<std::uint64_t>(std::max<std::size_t>(outbox_bytes(), 1), group_.output_rate.bytes_per_period());
  loop_->set_deadline(*outbox_, group_.output_rate.period);
}

FLUX_DECL void Connection::on_output_deadline() {
  const auto self = shared_from_this();
  flush();  // after a pause of the process, the peer may have taken all there was
  if (closed_ || broken_ || finishing_ || !outbox_) return;
  const std::uint64_t reached = outbox_->in_socket + outbox_->written;
  const std::size_t in_socket = detail::unacknowledged_bytes(socket_);
  if (reached >= in_socket + outbox_->wanted) return begin_output_period();
  loop_->counters().slow_readers_closed.add();
  const auto handler = handler_;
  handler->on_output_stalled();
  close();
}

FLUX_DECL void Connection::outbox_empty() {
  const bool tell = outbox_ && outbox_->tell_drained;
  outbox_.reset();
  if (finishing_ && !sent_end_) {
    sent_end_ = true;
    if (tls_) send_close_notify();
    std::error_code ignored;
    socket_.shutdown(flux::detail::Socket::shutdown_send, ignored);
    if (ended_) return close();
  }
  if (tell && !finishing_) {
    const auto handler = handler_;
    handler->on_drained();
  }
}

/// The alert is small, and sent when nothing is pending. A socket that does not take it has failed.
FLUX_DECL void Connection::send_close_notify() {
  std::string alert;
  tls_->engine->finish(alert);
  std::error_code ignored;
  loop_->counters().bytes_out.add(socket_.write_some(asio::buffer(alert), ignored));
}

FLUX_DECL std::size_t Connection::drop_unsent_frames() {
  if (!outbox_ || outbox_->pieces.empty()) return 0;
  // Frames are contiguous from the start of the first piece; one may continue in the next piece.
  std::size_t frames = 0;
  std::size_t kept_bytes = 0;
  std::size_t into_next = 0;  // bytes of the next piece that belong to a frame begun earlier
  const std::size_t sent_of_first = outbox_->pieces.front().begin;
  for (const Piece& piece : outbox_->pieces) {
    std::size_t at = piece.start + into_next;
    while (at < piece.end) {
      const auto size =
          static_cast<std::size_t>(server_frame_size(std::string_view(*piece.bytes).substr(at, piece.end - at)));
      if (size == 0) break;
      const bool half_sent = &piece == &outbox_->pieces.front() && at < sent_of_first;
      if (!half_sent) {
        ++frames;
      } else if (at + size > sent_of_first) {
        kept_bytes = at + size - sent_of_first;
      }
      at += size;
    }
    into_next = at > piece.end ? at - piece.end : 0;
  }
  std::deque<Piece> kept;
  std::size_t left = kept_bytes;
  for (Piece& piece : outbox_->pieces) {
    if (left == 0) break;
    piece.end = piece.begin + std::min(left, piece.end - piece.begin);
    left -= piece.end - piece.begin;
    kept.push_back(std::move(piece));
  }
  outbox_->pieces = std::move(kept);
  outbox_->bytes = kept_bytes - left;
  outbox_->tail.reset();
  note_first_large();
  return frames;
}

// --- The end ---

FLUX_DECL void Connection::finish(std::chrono::milliseconds linger) {
  if (finishing_ || closed_) return;
  send_turn_output();
  finishing_ = true;
  set_deadline(linger);
  paused_ = false;
  holds_input_ = false;
  held_ = false;
  wait_readable();
  flush_soon();
}

FLUX_DECL void Connection::on_deadline() {
  if (finishing_) return close();
  const auto self = shared_from_this();
  const auto handler = handler_;
  handler->on_deadline();
}

/// The socket can't be used any more. The handler is told in a new turn, never inside a write.
FLUX_DECL void Connection::fail() {
  if (broken_ || closed_) return;
  broken_ = true;
  loop_->post([self = shared_from_this()] { self->close(); });
}

FLUX_DECL void Connection::close() {
  if (closed_) return;
  closed_ = true;
  const auto kept = std::move(kept_);
  clear_deadline();
  if (output_ended_ && tls_ && !broken_ && !sent_end_ && outbox_bytes() == 0) send_close_notify();
  std::error_code ignored;
  socket_.close(ignored);
  outbox_.reset();
  unfinished_.reset();
  group_.members.back()->group_index_ = group_index_;
  std::swap(group_.members[group_index_], group_.members.back());
  group_.members.pop_back();
  loop_->counters().connections_now.subtract();
  if (seat_ != core::AddressSeats::none) group_.seats->give_back(std::exchange(seat_, core::AddressSeats::none));
  if (const auto handler = std::move(handler_)) handler->on_closed();
  if (group_.members.empty() && group_.on_empty) group_.on_empty();
}

FLUX_DECL std::shared_ptr<ConnectionInTransit> Connection::detach() {
  const bool waits = outbox_ || (tls_ && tls_->sent < tls_->to_send.size());
  if (waits || in_turn_ || !writable() || finishing_) return nullptr;
  std::error_code ec;
  const auto protocol = socket_.local_endpoint(ec).protocol();
  if (ec) return nullptr;
  const auto native = socket_.release(ec);
  if (ec) return nullptr;
  core::AddressSeat seat;
  if (seat_ != core::AddressSeats::none)
    seat = core::AddressSeat(*group_.seats, std::exchange(seat_, core::AddressSeats::none));
  std::string unused = unfinished_ ? std::move(unfinished_->unused) : std::string();
  auto transit = std::make_shared<ConnectionInTransit>(
      SocketInTransit(protocol, native), tls_ ? std::move(tls_->engine) : nullptr, std::move(unused), std::move(seat));
  loop_->counters().connections.take_back();  // it is counted where it arrives
  close();
  return transit;
}

FLUX_DECL std::shared_ptr<Connection> ConnectionInTransit::arrive(const std::shared_ptr<core::Loop>& loop,
                                                                  ConnectionGroup& group) {
  std::error_code ec;
  flux::detail::Socket socket = socket_.arrive(*loop, ec);
  if (ec) return nullptr;
  auto connection = std::make_shared<Connection>(loop, group, std::move(socket), std::move(tls_));
  if (!unused_.empty()) connection->unused() = std::move(unused_);
  connection->set_seat(std::move(seat_));
  return connection;
}

}  // namespace flux::transport
