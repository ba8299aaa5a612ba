#pragma once

#include <flux/detail/endpoints/socketio/engineio_polling.hpp>
#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/endpoints/socketio/engineio_session.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_exchange.hpp>

#include <algorithm>
#include <utility>

namespace flux::detail {

namespace engineio_packet {
inline constexpr char close = '1';
inline constexpr char noop = '6';
}  // namespace engineio_packet

// --- POSTs ---

FLUX_DECL EngineIoPosted::EngineIoPosted(std::shared_ptr<EngineIoSession> session, std::string body,
                                         const protocol::EngineIoLimits& limits, Done done)
    : session_(std::move(session)),
      reclaimer_(session_->reclaimer()),
      reader_(std::move(body), limits),
      done_(std::move(done)) {}

FLUX_DECL EngineIoPosted::~EngineIoPosted() { reclaimer_->take(reader_.release()); }

FLUX_DECL void EngineIoPosted::read() {
  constexpr std::size_t bytes_of_turn = 131'072;  // well below a millisecond: others may post in the same turn
  constexpr std::size_t bytes_of_packet = 256;    // what a short packet counts as
  const auto self = shared_from_this();
  for (std::size_t bytes = 0; session_->takes_input();) {
    if (session_->keep_while_held(self)) return;
    if (!packet_) {
      if (bytes < bytes_of_turn) packet_ = reader_.next(bytes_of_turn);
      if (!packet_ && (bytes >= bytes_of_turn || reader_.unfinished())) {
        session_->loop()->post([self] { self->read(); });
        return;
      }
      if (!packet_) break;
      bytes += bytes_of_packet + packet_->data.size();
    }
    if (packet_->type == protocol::EngineIoType::message && session_->keep_while_congested(self)) {
      if (!std::exchange(answered_, true)) done_(200, {});
      return;
    }
    const auto packet = *std::exchange(packet_, std::nullopt);
    if (!session_->receive(packet, reader_.owner())) return finish(400, EndReason::parse_error);
  }
  if (!reader_.error()) return finish(200, {});
  if (reader_.error()->code() == Errc::message_too_large) return finish(413, EndReason::transport_error);
  finish(400, EndReason::parse_error);
}

FLUX_DECL void EngineIoPosted::finish(int status, std::optional<EndReason> end) {
  if (end) session_->stop_input();
  if (!answered_) return done_(status, end);
  if (end) session_->loop()->post([session = session_, end] { session->close(*end); });
  session_->end_early_answered();
}

// --- Polls ---

FLUX_DECL void EngineIoPolling::open(const HttpExchange& poll, std::unique_ptr<EngineIoPollers::Place> place) {
  poll_ = poll.state();
  place_ = std::move(place);
}

FLUX_DECL void EngineIoPolling::note_used() {
  if (place_) place_->use();
}

FLUX_DECL void EngineIoPolling::poll(const HttpExchange& exchange) {
  if (poll_) {  // of two polls at the same time one is wrong
    exchange.respond(400, {});
    return session_.close(EndReason::transport_error);
  }
  poll_ = exchange.state();
  note_used();
  // While a WebSocket is being tried, a poll must not keep the client from going over to it.
  if (probing_ && !has_packets()) send_packet(protocol::EngineIoType::noop);
  if (has_packets()) session_.flush_soon();
}

FLUX_DECL std::optional<HttpExchange> EngineIoPolling::take_poll() {
  if (!poll_) return std::nullopt;
  return HttpExchange(std::exchange(poll_, nullptr));
}

FLUX_DECL bool EngineIoPolling::release_poll() {
  const auto poll = take_poll();
  if (poll) answer(session_, *poll, std::string(1, engineio_packet::noop));
  return poll.has_value();
}

FLUX_DECL protocol::EngineIoPayload EngineIoPolling::take_packets(std::size_t bytes) {
  if (!packets_) return {};
  auto payload = packets_->take(bytes);
  if (packets_->empty()) packets_.reset();
  return payload;
}

FLUX_DECL protocol::EngineIoPayloadWriter& EngineIoPolling::packets() {
  if (!packets_) {
    packets_.emplace(protocol::EngineIoLimits{session_.hub().config.limits.outbox_bytes_max, 1'000'000});
  }
  return *packets_;
}

FLUX_DECL void EngineIoPolling::flush() {
  if (!has_packets()) return;
  if (const auto poll = take_poll()) answer(session_, *poll, take_packets(engineio_poll_bytes));
}

// --- Packets that are pending ---

FLUX_DECL void EngineIoPolling::added(protocol::EngineIoPayloadWriter::Added result) {
  using Added = protocol::EngineIoPayloadWriter::Added;
  if (result == Added::yes) {
    if (poll_) session_.flush_soon();
    return;
  }
  // `full`: the client does not fetch its packets. `unsendable`: no encoder of ours makes such a text.
  session_.loop()->counters().messages_dropped.add();
  if (result == Added::full) session_.end_slow_reader();
}

FLUX_DECL void EngineIoPolling::send_packet(protocol::EngineIoType type, std::string_view data) {
  added(packets().add(type, data));
}

FLUX_DECL void EngineIoPolling::send_binary(std::string_view message) { added(packets().add_binary(message)); }

FLUX_DECL void EngineIoPolling::send_long(std::shared_ptr<const std::string> message) {
  added(packets().add_long(std::move(message)));
}

FLUX_DECL void EngineIoPolling::send_encoded(std::string_view packets, std::size_t count) {
  added(this->packets().add_encoded(packets, count));
}

/// Each segment by itself, because there are separators between them.
FLUX_DECL void EngineIoPolling::send_run(const core::Batch& batch, const core::Run& run) {
  const auto add = [this](std::string_view packets) {
    const auto separators = std::count(packets.begin(), packets.end(), protocol::engineio_separator);
    send_encoded(packets, static_cast<std::size_t>(separators) + 1);
  };
  auto insert = run.inserts.begin();
  for (std::size_t i = run.first; i < run.last; ++i) {
    const auto first = insert;
    while (insert != run.inserts.end() && insert->segment == i) ++insert;
    core::for_each_part(
        batch, {i, i + 1, {first, insert}},
        [&](std::size_t begin, std::size_t end) { add(std::string_view(*batch.bytes).substr(begin, end - begin)); },
        [&](const core::Insert& in) {
          if (in.is_attachment) return send_long(in.bytes);
          add(*in.bytes);
        });
  }
}

// --- Answers ---

inline constexpr std::string_view engineio_payload_type = "text/plain; charset=UTF-8";

FLUX_DECL void EngineIoPolling::answer(EngineIoSession& session, const HttpExchange& exchange, std::string payload) {
  exchange.respond(200, std::move(payload), engineio_payload_type, session.server().answer_fields(exchange));
}

/// Writes a long payload in portions, each when the one before has been sent.
/// Threading: the loop of the exchange, which may be another one than the session's.
class EngineIoPolling::LongAnswer : public std::enable_shared_from_this<LongAnswer> {
 public:
  LongAnswer(std::shared_ptr<EngineIoSession> session, HttpExchange exchange, protocol::EngineIoPayload payload)
      : session_(std::move(session)),
        exchange_(std::move(exchange)),
        unsent_(payload.size()),
        portions_(std::move(payload)) {}

  void start(HttpFields fields) {
    fields.emplace_back("Content-Type", engineio_payload_type);
    exchange_.begin(200, std::move(fields), unsent_);
    if (!send()) return;  // after the client has disconnected, a callback would keep all this alive
    exchange_.on_drain([self = shared_from_this()] {
      self->session_->note_heard();  // the client can't answer a ping that it has not received
      self->session_->note_output_taken();
      if (self->send()) self->exchange_.state()->ask_drained();
    });
    exchange_.state()->ask_drained();
  }

 private:
  /// Whether there is more, and a client to take it.
  bool send() {
    const auto portion = std::make_shared<const std::string>(portions_.next(engineio_portion_bytes));
    unsent_ -= portion->size();
    if (exchange_.state()->write_shared(portion, portion->size()) == Sent::dropped) return false;
    if (unsent_ == 0) exchange_.end();
    return unsent_ > 0;
  }

  const std::shared_ptr<EngineIoSession> session_;
  const HttpExchange exchange_;
  std::size_t unsent_;
  protocol::EngineIoPayloadPortions portions_;
};

FLUX_DECL void EngineIoPolling::answer(EngineIoSession& session, const HttpExchange& exchange,
                                       protocol::EngineIoPayload payload) {
  if (payload.bytes.empty() && payload.packets.size() <= engineio_portion_bytes) {
    return answer(session, exchange, std::move(payload.packets));
  }
  const auto long_answer = std::make_shared<LongAnswer>(session.shared_from_this(), exchange, std::move(payload));
  exchange.state()->loop()->dispatch([long_answer, fields = session.server().answer_fields(exchange)]() mutable {
    long_answer->start(std::move(fields));
  });
}

// --- The end ---

FLUX_DECL void EngineIoPolling::say_farewell(EngineIoEnding ending) {
  const auto poll = take_poll();
  if (ending == EngineIoEnding::at_once) {
    protocol::EngineIoPayload payload = take_packets();
    payload.append(std::string_view(&engineio_packet::close, 1));
    if (poll) answer(session_, *poll, std::move(payload));
    return;
  }
  if (poll && !has_packets()) return answer(session_, *poll, std::string(1, engineio_packet::close));
  if (poll) answer(session_, *poll, take_packets(engineio_poll_bytes));
  farewell_ = engineio_packet::close;
  await_last_polls(session_.shared_from_this());
}

/// Waits as long as the client keeps fetching what is pending.
FLUX_DECL void EngineIoPolling::await_last_polls(const std::shared_ptr<EngineIoSession>& session) {
  session->loop()->call_after(session->hub().config.limits.close_timeout, [session] {
    if (!session->polls()) return;
    if (session->take_heard()) return await_last_polls(session);
    session->end_polling();
    session->forget();
  });
}

FLUX_DECL void EngineIoPolling::forget_packets() {
  packets_.reset();
  farewell_ = engineio_packet::noop;
  if (const auto probing = std::exchange(probing_, nullptr)) probing->close(CloseCode::normal, {});
}

/// The end comes in a poll of its own: socket.io-client drops packets that come along with it.
FLUX_DECL void EngineIoPolling::poll_last(const HttpExchange& exchange) {
  const auto session = session_.shared_from_this();
  session->note_heard();
  if (has_packets()) return answer(*session, exchange, take_packets(engineio_poll_bytes));
  const char farewell = farewell_;
  session->forget();
  session->end_polling();  // destroys this
  answer(*session, exchange, std::string(1, farewell));
}

}  // namespace flux::detail
