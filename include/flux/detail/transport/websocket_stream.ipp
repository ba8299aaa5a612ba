#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/transport/websocket_stream.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace flux::transport {

FLUX_DECL void InflateTurns::next_turn() {
  turn_begun_ = false;
  used_ = 0;
  std::vector<std::weak_ptr<WebSocketStream>> line = std::exchange(unserved_, {});
  for (auto& waiter : std::exchange(served_, {})) line.push_back(std::move(waiter));
  for (const auto& waiter : line) {
    if (const auto stream = waiter.lock()) stream->on_inflate_turn();
  }
}

FLUX_DECL WebSocketStream::WebSocketStream(Connection& connection, WebSocketService& service,
                                           std::size_t message_bytes_max, int deflate_window_bits)
    : connection_(&connection),
      bits_(static_cast<std::uint8_t>(deflate_window_bits)),
      alive_(true),
      pinged_(false),
      closing_(false),
      input_paused_(false),
      closes_soon_(false),
      awaits_turn_(false),
      service_(&service),
      decoder_({message_bytes_max, service.limits->frames_per_message_max},
               deflate_window_bits != 0 ? service.inflater.get() : nullptr) {
  connection.hold_input_when_congested(true);
}

FLUX_DECL void WebSocketStream::start() {
  const auto interval = service_->limits->ping_interval;
  heard_at_ = connection_->loop().ticks();
  if (interval.count() != 0) connection_->set_deadline(interval);
}

// --- Out ---

FLUX_DECL Sent WebSocketStream::send(MessageType type, std::string_view message) {
  if (!open()) return Sent::dropped;
  const Opcode opcode = type == MessageType::text ? Opcode::text : Opcode::binary;
  std::string compressed;
  const int window = deflate_window_bits();
  const bool smaller =
      window != 0 && message.size() >= service_->deflate_bytes_min &&
      service_->deflaters[static_cast<std::size_t>(window - deflate_window_bits_min)].compress(message, compressed);
  if (smaller) message = compressed;
  char header[frame_header_bytes_max];
  const std::size_t size = write_frame_header(header, opcode, message.size(), smaller);
  count_sent();
  return checked(connection_->write({header, size}, message));
}

FLUX_DECL Sent WebSocketStream::write_frames(std::string_view frames) {
  return open() ? checked(connection_->write(frames, {})) : Sent::dropped;
}

FLUX_DECL Sent WebSocketStream::write_frames(const SharedBytes& bytes, std::size_t begin, std::size_t end) {
  return open() ? checked(connection_->write(bytes, begin, end)) : Sent::dropped;
}

FLUX_DECL Sent WebSocketStream::checked(Sent sent) {
  if (sent == Sent::dropped) {
    counters().messages_dropped.add();
    slow_reader();
  }
  return sent;
}

FLUX_DECL void WebSocketStream::control(Opcode opcode, std::string_view payload) {
  char header[frame_header_bytes_max];
  const std::size_t size = write_frame_header(header, opcode, payload.size());
  counters().frames_out.add();
  checked(connection_->write({header, size}, payload));
}

FLUX_DECL void WebSocketStream::slow_reader() {
  if (!connection_->writable()) return;  // it has failed, and is closed in a turn of its own
  counters().slow_readers_closed.add();
  counters().messages_dropped.add(connection_->drop_unsent_frames());
  if (open()) close_now(CloseCode::slow_reader, "too slow: the output pending for this client exceeded its limit");
}

FLUX_DECL void WebSocketStream::close(CloseCode code, std::string_view reason) {
  if (open()) on_closing();
  if (open()) close_now(code, reason);  // `on_closing` may have closed it as too slow
}

FLUX_DECL void WebSocketStream::close_soon(CloseCode code, std::string reason) {
  if (!open() || closes_soon_) return;
  closes_soon_ = true;
  connection_->loop().post(
      [self = shared_from_this(), code, reason = std::move(reason)] { self->close(code, reason); });
}

FLUX_DECL void WebSocketStream::close_now(CloseCode code, std::string_view reason) {
  note_closing(static_cast<std::uint16_t>(code), std::string(reason));
  connection_->write(close_frame(close_code_, reason), {});
  connection_->end_output();
  connection_->set_deadline(service_->limits->close_timeout);
  connection_->hold_input_when_congested(false);  // so that the peer's close frame is read
  resume_input();
}

FLUX_DECL void WebSocketStream::note_closing(std::uint16_t code, std::string reason) {
  closing_ = true;
  close_code_ = code;
  if (!reason.empty()) service_->close_reasons.insert_or_assign(this, std::move(reason));
}

// --- In ---

FLUX_DECL std::size_t WebSocketStream::on_data(char* data, std::size_t size) {
  using Event = WebSocketDecoder::Event;
  alive_ = true;
  pinged_ = false;
  heard_at_ = connection_->loop().ticks();
  char* at = data;
  std::size_t left = size;
  bool message_ended = false;
  bool inflated = false;
  bool needs_more = false;
  while (may_go_on()) {
    if (deflate_window_bits() != 0 && service_->inflate_turns.spent()) {
      wait_for_inflate_turn(inflated);
      break;
    }
    const Event event = decoder_.next(at, left);
    if (event == Event::need_more) {
      needs_more = true;
      break;
    }
    if (const std::size_t bytes = decoder_.inflated_bytes(); bytes > 0) {
      inflated = true;
      service_->inflate_turns.use(connection_->loop(), bytes);
    }
    message_ended = message_ended || event == Event::text || event == Event::binary;
    switch (event) {
      case Event::text:
      case Event::binary:
        if (closing_ || closes_soon_ || ignores_input()) break;  // ignored: the session ends, or has lost its grant
        counters().messages_in.add();
        messages_.add_received();
        on_message(decoder_.payload(), event == Event::text ? MessageType::text : MessageType::binary);
        break;
      case Event::ping:
        if (!closing_) control(Opcode::pong, decoder_.payload());
        break;
      case Event::close: peer_closes(); return size;
      case Event::error:
        close(static_cast<CloseCode>(decoder_.close_code()), decoder_.error_text());
        if (connection_ != nullptr) connection_->finish(service_->limits->close_timeout);
        return size;
      default: break;
    }
  }
  if (connection_ == nullptr) return size;
  if (needs_more && (left > 0 || decoder_.mid_message())) {
    connection_->watch_input(decoder_.message_bytes(), message_ended);
  } else {
    connection_->unwatch_input();
  }
  return size - left;
}

/// A client whose answers are congested is not read further. Once we are closing, its input is only skipped.
FLUX_DECL bool WebSocketStream::may_go_on() const noexcept {
  return connection_ != nullptr && !input_paused_ && (closing_ || !connection_->congested());
}

FLUX_DECL void WebSocketStream::wait_for_inflate_turn(bool served) {
  connection_->pause_reading();
  if (awaits_turn_) return;
  awaits_turn_ = true;
  service_->inflate_turns.wait(weak_from_this(), served);
}

FLUX_DECL void WebSocketStream::on_inflate_turn() {
  awaits_turn_ = false;
  if (connection_ != nullptr && !input_paused_) connection_->resume_input();
}

FLUX_DECL void WebSocketStream::peer_closes() {
  if (!closing_) on_closing();
  if (!closing_) {
    note_closing(decoder_.close_code(), std::string(decoder_.payload()));
    connection_->write(close_frame(close_code_, {}), {});
  }
  connection_->finish(service_->limits->close_timeout);
}

FLUX_DECL void WebSocketStream::pause_input() {
  input_paused_ = true;
  connection_->pause_reading();
}

FLUX_DECL void WebSocketStream::resume_input() {
  if (!input_paused_) return;
  input_paused_ = false;
  if (connection_ != nullptr) connection_->resume_input();
}

// --- Time, and the end ---

FLUX_DECL void WebSocketStream::on_deadline() {
  if (closing_) return connection_->close();
  using namespace std::chrono_literals;
  const Limits& limits = *service_->limits;
  // While reading is stopped, its answer to a ping would not be read; while output is pending, the ping would wait
  // behind it. How fast a client must take output is decided by `output_stall_timeout`.
  if (connection_->input_held() || connection_->outbox_bytes() > 0) {
    pinged_ = false;
    heard_at_ = connection_->loop().ticks();
  }
  const auto silent = core::DeadlineWheel::tick * (connection_->loop().ticks() - heard_at_);
  const std::chrono::milliseconds bound = limits.ping_interval + (pinged_ ? limits.pong_timeout : 0ms);
  if (silent < bound) return connection_->set_deadline(bound - silent);
  if (pinged_) return close(CloseCode::timed_out, "no answer to a ping");
  pinged_ = true;
  control(Opcode::ping, {});
  // If it answers, the next ping is due after the next such silence.
  if (open()) connection_->set_deadline(std::min(limits.pong_timeout, limits.ping_interval));
}

FLUX_DECL void WebSocketStream::on_input_stalled() {
  const Limits& limits = *service_->limits;
  close(CloseCode::timed_out, "a message grew by less than " + std::to_string(limits.input_bytes_per_second_min) +
                                  " bytes a second for " + std::to_string(limits.input_stall_timeout.count()) + " ms");
}

FLUX_DECL void WebSocketStream::on_output_stalled() {
  counters().messages_dropped.add(connection_->drop_unsent_frames());
  if (!open()) return;
  const Limits& limits = *service_->limits;
  note_closing(static_cast<std::uint16_t>(CloseCode::slow_reader),
               "too slow: it took less than " + std::to_string(limits.output_bytes_per_second_min) +
                   " bytes a second for " + std::to_string(limits.output_stall_timeout.count()) + " ms");
}

FLUX_DECL void WebSocketStream::on_end() { connection_->close(); }

FLUX_DECL void WebSocketStream::on_stop() { close(CloseCode::going_away, "the server is stopping"); }

FLUX_DECL void WebSocketStream::on_closed() {
  connection_ = nullptr;
  auto reason = service_->close_reasons.extract(this);
  on_disconnect({static_cast<CloseCode>(close_code_), reason ? std::move(reason.mapped()) : std::string()});
}

}  // namespace flux::transport
