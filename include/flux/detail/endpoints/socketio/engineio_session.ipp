#pragma once

#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/endpoints/socketio/engineio_session.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_exchange.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace flux::detail {

using protocol::EngineIoType;

inline constexpr std::string_view noop_packet = "6";  // as it is polled
inline constexpr std::string_view close_packet = "1";
inline constexpr std::string_view probe_packet = "2probe";
inline constexpr char upgrade_type = '5';
inline constexpr std::string_view payload_type = "text/plain; charset=UTF-8";

FLUX_DECL EngineIoWebSocket::EngineIoWebSocket(std::shared_ptr<EngineIoSession> session,
                                               transport::Connection& connection, transport::WebSocketService& service,
                                               std::size_t message_bytes_max)
    : WebSocketStream(connection, service, message_bytes_max, 0), session_(std::move(session)) {}

FLUX_DECL void EngineIoWebSocket::on_message(std::string_view message, MessageType type) {
  const bool may_be_kept = type == MessageType::binary || message.size() >= engineio_long_text_bytes;
  auto owner = may_be_kept ? take_message() : std::nullopt;
  session_->from_websocket(*this, owner ? std::string_view(*owner) : message, type, owner ? &*owner : nullptr);
  if (owner) session_->reclaimer()->take(std::move(*owner));  // what nobody has moved away
}

FLUX_DECL void EngineIoWebSocket::on_disconnect(const Disconnect& how) {
  late_.reset();
  session_->websocket_gone(*this, how.code);
}

FLUX_DECL void EngineIoWebSocket::write_behind(std::string_view frames) {
  if (!late_) {
    write_frames(frames);
  } else {
    add_late({std::make_shared<const std::string>(frames), 0, frames.size(), false});
  }
}

FLUX_DECL void EngineIoWebSocket::write_behind(const transport::SharedBytes& bytes, std::size_t begin,
                                               std::size_t end) {
  if (!late_) {
    write_frames(bytes, begin, end);
  } else {
    add_late({bytes, begin, end, false});
  }
}

FLUX_DECL void EngineIoWebSocket::write_base64(transport::SharedBytes bytes) {
  if (!open()) return;
  const std::size_t size = bytes->size();
  const bool first = !late_;
  if (first) late_ = std::make_unique<Late>();
  add_late({std::move(bytes), 0, size, true});
  // In a turn of its own, as each portion.
  if (first) connection()->loop().post([self = shared_from_this(), this] { send_late(); });
}

/// As for a connection's outbox: one message that is long says nothing of the speed of its reader.
FLUX_DECL void EngineIoWebSocket::add_late(Late::Piece piece) {
  if (!open()) return;
  if (late_->bytes >= service().limits->outbox_bytes_max) {
    counters().messages_dropped.add();
    counters().slow_readers_closed.add();
    late_.reset();
    return close(CloseCode::slow_reader, "too slow: what waited for this client passed its limit");
  }
  if (!late_->pieces.empty()) late_->bytes += piece.end - piece.begin;
  late_->pieces.push_back(std::move(piece));
}

FLUX_DECL void EngineIoWebSocket::on_drained() {
  if (late_) return send_late();
  session_->websocket_drained();
}

FLUX_DECL void EngineIoWebSocket::send_late() {
  if (!late_ || !open()) return late_.reset();
  while (!late_->pieces.empty()) {
    Late::Piece& piece = late_->pieces.front();
    if (piece.base64) {
      const bool has_gone = send_portion(piece);
      if (!open()) return late_.reset();
      if (piece.begin < piece.end) {
        if (has_gone) connection()->loop().post([self = shared_from_this(), this] { send_late(); });
        return;
      }
    } else {
      write_frames(piece.bytes, piece.begin, piece.end);
      if (!open()) return late_.reset();
    }
    late_->pieces.pop_front();
    if (!late_->pieces.empty()) late_->bytes -= late_->pieces.front().end - late_->pieces.front().begin;
  }
  const auto done = std::exchange(late_, nullptr);
  if (done->close) return close(*done->close, {});
  session_->websocket_drained();
}

FLUX_DECL bool EngineIoWebSocket::send_portion(Late::Piece& piece) {
  const std::string_view rest = std::string_view(*piece.bytes).substr(piece.begin);
  const std::string_view portion = rest.substr(0, engineio_portion_bytes / 4 * 3);
  const auto frame = std::make_shared<std::string>();
  frame->reserve(engineio_portion_bytes + 16);
  protocol::append_engineio_base64_portion(*frame, portion, piece.begin == 0, portion.size() == rest.size());
  piece.begin += portion.size();
  write_frames(frame, 0, frame->size());
  return open() && !connection()->notify_drained();
}

FLUX_DECL void EngineIoWebSocket::close_behind(CloseCode code) {
  if (!late_ || !open()) return close(code, {});
  late_->close = code;
  connection()->loop().call_after(service().limits->close_timeout, [weak = weak_from_this(), this, code] {
    const auto self = weak.lock();
    if (self && late_) close(code, {});
  });
}

FLUX_DECL EngineIoSession::EngineIoSession(EngineIoServer& server, std::string_view sid,
                                           std::shared_ptr<core::Loop> loop, bool base64)
    : base64_(base64), loop_(std::move(loop)), server_(server) {
  sid.copy(sid_.data(), sid_.size());
}

FLUX_DECL EngineIoSession::~EngineIoSession() = default;

FLUX_DECL const void* engineio_view(EngineIoEncoding encoding) noexcept {
  static constexpr EngineIoEncoding views[] = {EngineIoEncoding::websocket, EngineIoEncoding::websocket_base64,
                                               EngineIoEncoding::polling};
  return &views[static_cast<std::size_t>(encoding)];
}

FLUX_DECL EngineIoEncoding engineio_encoding(const void* view) noexcept {
  return *static_cast<const EngineIoEncoding*>(view);
}

FLUX_DECL EngineIoEncoding EngineIoSession::encoding() const noexcept {
  if (!websocket_) return EngineIoEncoding::polling;
  return base64_ ? EngineIoEncoding::websocket_base64 : EngineIoEncoding::websocket;
}

FLUX_DECL Hub& EngineIoSession::hub() noexcept { return server_.hub(); }

FLUX_DECL const std::shared_ptr<core::Reclaimer>& EngineIoSession::reclaimer() const noexcept {
  return server_.reclaimer();
}

FLUX_DECL bool EngineIoSession::busy() const {
  return websocket_ ? websocket_->congested() : !polling_ || !polling_->poll;
}

FLUX_DECL bool EngineIoSession::congested() const {
  if (websocket_) return websocket_->congested();
  return packets_wait() && polling_->packets->bytes() >= server_.hub().config.limits.outbox_bytes_congested;
}

// --- Opening ---

FLUX_DECL std::string EngineIoSession::open_packet() const {
  const engineio::Options& options = server_.options();
  return protocol::engineio_handshake({sid(), options.websocket && !websocket_, options.ping_interval,
                                       options.ping_timeout, options.payload_bytes_max});
}

FLUX_DECL void EngineIoSession::open_polling(HttpExchange poll, std::unique_ptr<EngineIoPollers::Place> place,
                                             std::shared_ptr<EngineIoClient> client) {
  polling().poll.emplace(std::move(poll));
  polling_->place = std::move(place);
  finish_open(std::move(client));
}

FLUX_DECL void EngineIoSession::open_websocket(std::shared_ptr<EngineIoWebSocket> websocket,
                                               std::shared_ptr<EngineIoClient> client) {
  websocket_ = std::move(websocket);
  transport_ = protocol::EngineIoTransport::websocket;
  finish_open(std::move(client));
}

FLUX_DECL void EngineIoSession::finish_open(std::shared_ptr<EngineIoClient> client) {
  client_ = std::move(client);
  loop_->counters().sessions_now.add();
  send_packet(EngineIoType::open, open_packet());
  ping_in(server_.options().ping_interval, false);
}

// --- Polling ---

FLUX_DECL EngineIoSession::Polling& EngineIoSession::polling() {
  if (!polling_) polling_ = std::make_unique<Polling>();
  return *polling_;
}

FLUX_DECL std::optional<HttpExchange> EngineIoSession::take_poll() {
  return polling_ ? std::exchange(polling_->poll, std::nullopt) : std::nullopt;
}

FLUX_DECL protocol::EngineIoPayload EngineIoSession::take_packets(std::size_t bytes) {
  if (!polling_ || !polling_->packets) return {};
  auto payload = polling_->packets->take(bytes);
  if (polling_->packets->empty()) polling_->packets.reset();
  return payload;
}

FLUX_DECL protocol::EngineIoPayloadWriter& EngineIoSession::packets() {
  auto& packets = polling().packets;
  if (!packets) packets.emplace(protocol::EngineIoLimits{server_.hub().config.limits.outbox_bytes_max, 1'000'000});
  return *packets;
}

FLUX_DECL void EngineIoSession::poll(const HttpExchange& exchange) {
  if (polling_ && !polling_->farewell.empty()) return poll_last(exchange);
  if (!is_open() || ending_ || websocket_) return server_.refuse(exchange, protocol::EngineIoRefusal::bad_request);
  if (polling().poll) {  // two at the same time: both can't be right
    exchange.respond(400, {});
    return close("transport error");
  }
  polling_->poll.emplace(exchange);
  if (polling_->place) polling_->place->use();
  // While a WebSocket is being tried, a poll must not keep the client from going over to it.
  if (polling_->probing && !packets_wait()) send_packet(EngineIoType::noop);
  if (packets_wait()) answer_poll_soon();
}

/// The end comes in a poll of its own: socket.io-client drops packets that come along with it.
FLUX_DECL void EngineIoSession::poll_last(const HttpExchange& exchange) {
  heard_lately_ = true;
  if (packets_wait()) return answer(exchange, take_packets(engineio_poll_bytes));
  const std::string_view farewell = polling_->farewell;
  server_.forget(sid());
  end_polling();
  answer(exchange, std::string(farewell));
}

struct EngineIoSession::Posted {
  Posted(std::string body, const protocol::EngineIoLimits& limits, std::shared_ptr<core::Reclaimer> r, PostDone d)
      : reader(std::move(body), limits), reclaimer(std::move(r)), done(std::move(d)) {}
  Posted(const Posted&) = delete;
  Posted& operator=(const Posted&) = delete;
  ~Posted() { reclaimer->take(reader.release()); }
  protocol::EngineIoPayloadReader reader;
  const std::shared_ptr<core::Reclaimer> reclaimer;
  const PostDone done;
};

FLUX_DECL void EngineIoSession::posted(std::string body, PostDone done) {
  heard_lately_ = true;
  if (polling_ && polling_->place) polling_->place->use();
  read_posted(std::make_shared<Posted>(std::move(body), server_.limits(), server_.reclaimer(), std::move(done)));
}

FLUX_DECL void EngineIoSession::read_posted(const std::shared_ptr<Posted>& posted) {
  constexpr std::size_t bytes_of_turn = 131'072;  // well below a millisecond, for others may do so too
  constexpr std::size_t bytes_of_packet = 256;    // as which a short one counts
  const auto self = shared_from_this();
  protocol::EngineIoPayloadReader& reader = posted->reader;
  for (std::size_t bytes = 0; is_open() && !ending_;) {
    if (held_) {
      held_->posted = posted;
      return;
    }
    const auto next = bytes < bytes_of_turn ? reader.next(bytes_of_turn) : std::nullopt;
    if (!next && (bytes >= bytes_of_turn || reader.unfinished())) {
      loop_->post([self, posted] { self->read_posted(posted); });
      return;
    }
    if (!next) break;
    bytes += bytes_of_packet + next->data.size();
    if (!packet(*next, reader.owner())) {
      ending_ = true;
      return posted->done(400, "parse error");
    }
  }
  if (!reader.error()) return posted->done(200, {});
  const bool too_large = reader.error()->code() == Errc::message_too_large;
  ending_ = true;
  posted->done(too_large ? 413 : 400, too_large ? "transport error" : "parse error");
}

FLUX_DECL void EngineIoSession::hold_input() {
  if (!held_) {
    held_ = std::make_unique<Held>();
    if (websocket_) websocket_->pause_input();
  }
  ++held_->times;
}

FLUX_DECL void EngineIoSession::release_input() {
  if (!held_ || --held_->times > 0) return;
  end_hold();
}

/// What was posted goes before what came over a WebSocket since, and may hold input again.
FLUX_DECL void EngineIoSession::end_hold() {
  const auto held = std::move(held_);
  if (!held) return;
  if (held->posted) read_posted(held->posted);
  if (websocket_ && !held_) websocket_->resume_input();
}

FLUX_DECL void EngineIoSession::answer(const HttpExchange& exchange, std::string payload) {
  exchange.respond(200, std::move(payload), payload_type, server_.answer_fields(exchange));
}

/// Gives a long payload out in portions, each when the one before has gone. The loop of the exchange, which may be
/// another one than the session's.
class EngineIoSession::LongAnswer : public std::enable_shared_from_this<LongAnswer> {
 public:
  LongAnswer(std::shared_ptr<EngineIoSession> session, HttpExchange exchange, protocol::EngineIoPayload payload)
      : session_(std::move(session)),
        exchange_(std::move(exchange)),
        unsent_(payload.size()),
        portions_(std::move(payload)) {}

  void start(HttpFields fields) {
    fields.emplace_back("Content-Type", payload_type);
    exchange_.begin(200, std::move(fields), unsent_);
    if (!send()) return;  // a callback that is set when the client has gone would keep all this
    exchange_.on_drain([self = shared_from_this()] {
      self->session_->heard_lately_ = true;  // it can't answer a ping that it has not got
      if (self->send()) self->exchange_.state()->ask_drained();
    });
    exchange_.state()->ask_drained();
  }

 private:
  /// Whether there is more, and somebody to take it.
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

FLUX_DECL void EngineIoSession::answer(const HttpExchange& exchange, protocol::EngineIoPayload payload) {
  if (payload.bytes.empty() && payload.packets.size() <= engineio_portion_bytes) {
    return answer(exchange, std::move(payload.packets));
  }
  const auto long_answer = std::make_shared<LongAnswer>(shared_from_this(), exchange, std::move(payload));
  exchange.state()->loop()->dispatch(
      [long_answer, fields = server_.answer_fields(exchange)]() mutable { long_answer->start(std::move(fields)); });
}

FLUX_DECL void EngineIoSession::answer_poll_soon() {
  if (!polling_ || !polling_->poll || flush_asked_) return;
  flush_asked_ = true;
  loop_->flush_later(std::shared_ptr<core::Loop::Flushable>(shared_from_this(), this));
}

FLUX_DECL void EngineIoSession::flush() {
  flush_asked_ = false;
  if (!packets_wait() || !polling_->poll) return;
  const HttpExchange poll = *take_poll();
  answer(poll, take_packets(engineio_poll_bytes));
  if (!congested()) catch_up();
}

// --- Out ---

FLUX_DECL void EngineIoSession::added(protocol::EngineIoPayloadWriter::Added result) {
  using Added = protocol::EngineIoPayloadWriter::Added;
  if (result == Added::yes) return answer_poll_soon();
  // `full`: the client does not fetch what waits for it. `unsendable`: no encoder of ours makes such a text.
  loop_->counters().messages_dropped.add();
  if (result != Added::full || !is_open() || std::exchange(ending_, true)) return;
  loop_->counters().slow_readers_closed.add();
  loop_->post([self = shared_from_this()] { self->close("transport error"); });
}

FLUX_DECL void EngineIoSession::write_frames(std::string_view frames) {
  if (base64_) return websocket_->write_behind(frames);
  websocket_->write_frames(frames);
}

FLUX_DECL void EngineIoSession::write_frames(const transport::SharedBytes& bytes, std::size_t begin, std::size_t end) {
  if (base64_) return websocket_->write_behind(bytes, begin, end);
  websocket_->write_frames(bytes, begin, end);
}

FLUX_DECL void EngineIoSession::send_packet(EngineIoType type, std::string_view data) {
  if (websocket_) {
    std::string frame;
    protocol::append_engineio_frame(frame, type, data);
    loop_->counters().frames_out.add();
    return write_frames(frame);
  }
  added(packets().add(type, data));
}

FLUX_DECL void EngineIoSession::send(std::string_view message, bool binary) {
  if (is_open()) send_message(message, binary);
}

FLUX_DECL void EngineIoSession::send_message(std::string_view message, bool binary) {
  if (!binary) return send_packet(EngineIoType::message, message);
  if (!websocket_) return added(packets().add_binary(message));
  std::string frame;
  if (base64_) {
    protocol::append_engineio_base64_frame(frame, message);
  } else {
    protocol::append_engineio_binary_frame(frame, message);
  }
  loop_->counters().frames_out.add();
  write_frames(frame);
}

FLUX_DECL void EngineIoSession::send_long(transport::SharedBytes bytes) {
  if (is_open()) send_bytes(std::move(bytes));
}

FLUX_DECL void EngineIoSession::send_bytes(transport::SharedBytes bytes) {
  if (!websocket_) return added(packets().add_long(std::move(bytes)));
  loop_->counters().frames_out.add();
  if (base64_) return websocket_->write_base64(std::move(bytes));
  char header[transport::frame_header_bytes_max];
  const std::size_t size = transport::write_frame_header(header, transport::Opcode::binary, bytes->size());
  websocket_->write_frames({header, size});
  websocket_->write_frames(bytes, 0, bytes->size());
}

FLUX_DECL void EngineIoSession::send_encoded(std::string_view frames, std::string_view packets,
                                             std::size_t packet_count) {
  if (!is_open()) return;
  if (websocket_) {
    loop_->counters().frames_out.add(packet_count);
    return write_frames(frames);
  }
  added(this->packets().add_encoded(packets, packet_count));
}

FLUX_DECL void EngineIoSession::send_encoded(const transport::SharedBytes& message) {
  if (!is_open()) return;
  if (!websocket_) return added(packets().add_encoded(*message, 1));
  loop_->counters().frames_out.add();
  write_frames(message, 0, message->size());
}

FLUX_DECL void EngineIoSession::send_shared(std::span<const transport::SharedBytes> pieces, std::size_t frame_count) {
  if (!is_open() || !websocket_) return;
  loop_->counters().frames_out.add(frame_count);
  for (const transport::SharedBytes& piece : pieces) write_frames(piece, 0, piece->size());
}

FLUX_DECL void EngineIoSession::send_polled(const protocol::EngineIoPayload& payload) {
  if (is_open()) send_parts(payload);
}

FLUX_DECL void EngineIoSession::send_parts(const protocol::EngineIoPayload& payload) {
  const auto send_packets = [this](std::string_view packets) {
    constexpr auto any = static_cast<std::size_t>(-1);
    protocol::EngineIoPayloadReader reader(std::string(packets), {any, any});
    while (const auto next = reader.next()) {
      if (next->type == EngineIoType::noop) continue;
      if (next->binary) {
        send_message(next->data, true);
      } else {
        send_packet(next->type, next->data);
      }
    }
  };
  payload.for_each_part(send_packets, [this](const transport::SharedBytes& bytes) { send_bytes(bytes); });
}

/// Over a WebSocket.
FLUX_DECL void EngineIoSession::take_frames(const core::Batch& batch, const core::Run& run) {
  loop_->counters().frames_out.add(run.segments());
  if (run.inserts.empty()) return write_frames(batch.bytes, run.begin(batch), run.end(batch));
  core::for_each_part(
      batch, run, [&](std::size_t begin, std::size_t end) { write_frames(batch.bytes, begin, end); },
      [&](const core::Insert& insert) {
        if (insert.is_attachment && base64_) return send_long(insert.bytes);
        if (insert.is_attachment) loop_->counters().frames_out.add();
        write_frames(insert.bytes, 0, insert.bytes->size());
      });
}

/// Over polling. Each segment by itself: there are separators between them.
FLUX_DECL void EngineIoSession::take_packets(const core::Batch& batch, const core::Run& run) {
  const auto add = [this](std::string_view packets) {
    const auto separators = std::count(packets.begin(), packets.end(), protocol::engineio_separator);
    added(this->packets().add_encoded(packets, static_cast<std::size_t>(separators) + 1));
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

FLUX_DECL const void* EngineIoSession::hot_memory() const noexcept {
  const transport::Connection* connection = websocket_ ? websocket_->connection() : nullptr;
  return connection != nullptr ? connection->hot_memory() : this;
}

/// As `core::deliver_to` sees the session.
struct EngineIoSession::Reader {
  EngineIoSession& session;
  bool open() const { return session.is_open(); }
  bool congested() const { return session.congested(); }
  void held_back() const {
    session.behind_ = true;
    session.loop_->counters().presence_coalesced.add();
  }
  void take(const core::Batch& batch, const core::Run& run) const {
    session.websocket_ ? session.take_frames(batch, run) : session.take_packets(batch, run);
  }
};

FLUX_DECL void EngineIoSession::deliver(const core::Batch& batch, std::span<const core::Exclusion> exclusions,
                                        core::LaneSeat& seat) {
  core::deliver_to(Reader{*this}, batch, exclusions, seat);
}

FLUX_DECL void EngineIoSession::websocket_drained() {
  if (!websocket_ || websocket_->congested()) return;
  if (ping_unsent_ && !websocket_->unsent()) {
    ping_unsent_ = false;
    if (awaiting_pong_) ping_in(server_.options().ping_timeout, true);
  }
  catch_up();
}

FLUX_DECL void EngineIoSession::catch_up() {
  if (!is_open() || !std::exchange(behind_, false)) return;
  const auto self = shared_from_this();
  const auto client = client_;  // it may close us
  client->on_drained();
  if (congested()) behind_ = true;  // there may be more
}

// --- In ---

FLUX_DECL bool EngineIoSession::packet(const protocol::EngineIoPacket& packet, std::string* owner) {
  switch (packet.type) {
    case EngineIoType::message: {
      if (!websocket_) loop_->counters().messages_in.add();  // else it has been counted
      const auto client = client_;                           // it may close us
      client->on_message(packet.data, packet.binary, owner);
      return true;
    }
    case EngineIoType::pong: pong(); return true;
    case EngineIoType::close:
      // The client has said that it ends; a poll of its that waits gets something harmless, as does one that this has
      // overtaken.
      if (const auto poll = take_poll()) {
        answer(*poll, std::string(noop_packet));
        close("transport close");
      } else {
        close("transport close", EngineIoEnding::told);
        if (polling_) {
          polling_->packets.reset();
          polling_->farewell = noop_packet;
          if (const auto probing = std::exchange(polling_->probing, nullptr)) probing->close(CloseCode::normal, {});
        }
      }
      return true;
    case EngineIoType::noop: return true;
    default: return false;
  }
}

FLUX_DECL void EngineIoSession::from_websocket(EngineIoWebSocket& from, std::string_view message, MessageType type,
                                               std::string* owner) {
  const auto self = shared_from_this();
  if (polling_ && &from == polling_->probing.get()) return from_probing(from, message, type);
  if (&from != websocket_.get()) return;
  const bool base64 = type == MessageType::text && message.starts_with('b');
  const std::size_t size = base64 ? protocol::decoded_base64_size(message.substr(1)) : message.size();
  if (size > server_.options().payload_bytes_max) {
    return from.close(CloseCode::message_too_big, "message of " + std::to_string(size) + " bytes; at most " +
                                                      std::to_string(server_.options().payload_bytes_max) +
                                                      " are allowed");
  }
  if (type == MessageType::binary) {
    packet({EngineIoType::message, true, message}, owner);
    return;
  }
  if (base64 && message.size() >= engineio_long_text_bytes) {
    return decode_aside(owner != nullptr ? std::move(*owner) : std::string(message));
  }
  std::string decoded;
  const auto read = protocol::read_engineio_text(message, decoded);
  if (!read) return close("parse error");
  if (!packet(*read, read->binary ? &decoded : owner)) close("parse error");
}

/// Before it is the transport. Nothing that is longer than a probe is looked at.
FLUX_DECL void EngineIoSession::from_probing(EngineIoWebSocket& from, std::string_view message, MessageType type) {
  const bool text = type == MessageType::text;
  const bool upgrades = text && message.starts_with(upgrade_type);
  if (!is_open()) return upgrades ? say_farewell_over(std::move(polling_->probing)) : from.close(CloseCode::normal, {});
  if (text && message == probe_packet) {
    std::string frame;
    protocol::append_engineio_frame(frame, EngineIoType::pong, "probe");
    from.write_frames(frame);
    if (polling_->poll && !packets_wait()) send_packet(EngineIoType::noop);
    return;
  }
  if (upgrades) return complete_upgrade();
  from.close(CloseCode::protocol_error, "expected a probe");
}

/// Base64 from a client that sends no binary frames: so much of it takes longer than a loop has. For one that has gone
/// it is not decoded.
FLUX_DECL void EngineIoSession::decode_aside(std::string text) {
  struct Decoded {
    std::string text;
    std::string bytes;
    bool good = false;
  };
  const auto work = server_.reclaimer()->make<Decoded>();
  work->text = std::move(text);
  hold_input();
  server_.aside().run([work, loop = loop_, weak = weak_from_this(), client = std::weak_ptr(client_)] {
    if (client.expired()) return;
    try {
      work->good = protocol::read_engineio_text(work->text, work->bytes).ok();
    } catch (const std::exception&) {  // no memory: it is as good as unreadable
    }
    loop->post([work, weak] {
      const auto self = weak.lock();
      if (!self || !self->is_open()) return;
      if (work->good) {
        self->packet({EngineIoType::message, true, work->bytes}, &work->bytes);
      } else {
        self->close("parse error");
      }
      self->release_input();
    });
  });
}

FLUX_DECL void EngineIoSession::probe(std::shared_ptr<EngineIoWebSocket> websocket) {
  if (!is_open() || websocket_ || polling().probing) {
    websocket->close(CloseCode::policy_violation, "the session does not wait for a WebSocket");
    return;
  }
  polling_->probing = std::move(websocket);
  loop_->call_after(server_.options().upgrade_timeout,
                    [weak = weak_from_this(), tried = std::weak_ptr<EngineIoWebSocket>(polling_->probing)] {
                      const auto self = weak.lock();
                      const auto still = tried.lock();
                      if (self && still && self->polling_ && self->polling_->probing == still) {
                        still->close(CloseCode::timed_out, "the upgrade took too long");
                      }
                    });
}

/// From here on everything goes over the WebSocket, what waits for a poll first.
FLUX_DECL void EngineIoSession::complete_upgrade() {
  websocket_ = std::move(polling_->probing);
  transport_ = protocol::EngineIoTransport::websocket;
  if (const auto poll = take_poll()) answer(*poll, std::string(noop_packet));
  protocol::EngineIoPayload waiting = take_packets();
  polling_.reset();
  if (held_) websocket_->pause_input();
  if (!waiting.empty()) send_polled(waiting);
  client_->on_transport_changed();
  behind_ = true;  // states were not taken along
  websocket_drained();
}

/// The client has gone over to it before it knew that the session has closed: what it would have polled goes there.
FLUX_DECL void EngineIoSession::say_farewell_over(std::shared_ptr<EngineIoWebSocket> websocket) {
  const protocol::EngineIoPayload waiting = take_packets();
  end_polling();
  server_.forget(sid());
  websocket_ = std::move(websocket);
  send_parts(waiting);
  std::exchange(websocket_, nullptr)->close_behind(CloseCode::normal);
}

FLUX_DECL void EngineIoSession::websocket_gone(EngineIoWebSocket& which, CloseCode code) {
  if (polling_ && &which == polling_->probing.get()) {
    polling_->probing.reset();
  } else if (&which == websocket_.get()) {
    const bool bad_frames =
        code == CloseCode::protocol_error || code == CloseCode::invalid_data || code == CloseCode::message_too_big;
    close(bad_frames ? "transport error" : "transport close");
  }
}

FLUX_DECL bool EngineIoSession::within_rate() {
  const Limits& limits = server_.hub().config.limits;
  if (limits.messages_per_second == 0) return true;
  if (rate_limit_.allow(loop_->clock().now(), limits.messages_per_second, limits.message_burst)) {
    strikes_ = 0;
    return true;
  }
  loop_->counters().messages_rate_limited.add();
  if (limits.rate_limit_strikes_max != 0 && ++strikes_ >= limits.rate_limit_strikes_max) {
    close("rate limited", EngineIoEnding::told);
  }
  return false;
}

// --- Time ---

FLUX_DECL void EngineIoSession::ping_in(std::chrono::milliseconds after, bool due) {
  constexpr std::chrono::seconds exact_below{5};  // a deadline costs an idle client nothing, and has a little slack
  stop_timer();
  awaiting_pong_ = due;
  // Closing stops it, and the directory holds the session until then.
  if (after >= exact_below) return loop_->set_deadline(*this, after);
  timer_ = std::make_unique<core::TimerQueue::Id>(loop_->call_after(after, [this] {
    timer_.reset();
    ping_due();
  }));
}

/// A pong may be late behind something long, while a client that gets no pings leaves: they go on.
FLUX_DECL void EngineIoSession::ping_due() {
  const auto self = shared_from_this();
  const auto timeout = server_.options().ping_timeout;
  if (ping_unsent_) {
    ping_unsent_ = websocket_->notify_sent();
    return ping_in(timeout, true);
  }
  const bool is_alive = heard();
  if (awaiting_pong_ && !is_alive) return close("ping timeout");
  const bool waits = websocket_ ? websocket_->unsent() : packets_wait();
  if (websocket_ || !waits) send_packet(EngineIoType::ping);
  if (!is_open()) return;
  ping_unsent_ = websocket_ && waits && websocket_->notify_sent();
  ping_in(timeout, true);
}

/// Whether anything has come since this was asked last. A client that sends something long has no way to answer a ping,
/// and its answer is not read while its input is held.
FLUX_DECL bool EngineIoSession::heard() {
  if (held_) return true;
  if (websocket_) return websocket_->heard() || websocket_->input_held();
  return heard_lately_.exchange(false) || posting_;
}

FLUX_DECL void EngineIoSession::pong() {
  if (awaiting_pong_) ping_in(server_.options().ping_interval, false);
}

FLUX_DECL void EngineIoSession::stop_timer() {
  loop_->clear_deadline(*this);
  if (const auto timer = std::exchange(timer_, nullptr); timer && !loop_->is_shut()) loop_->cancel(*timer);
}

// --- The end ---

/// To a client that polls.
FLUX_DECL void EngineIoSession::say_farewell(EngineIoEnding ending) {
  const auto poll = take_poll();
  if (ending == EngineIoEnding::at_once) {
    protocol::EngineIoPayload payload = take_packets();
    payload.append(close_packet);
    if (poll) answer(*poll, std::move(payload));
    return;
  }
  if (poll && !packets_wait()) return answer(*poll, std::string(close_packet));
  if (poll) answer(*poll, take_packets(engineio_poll_bytes));
  polling().farewell = close_packet;
  await_last_polls();
}

/// As long as it goes on taking what is pending.
FLUX_DECL void EngineIoSession::await_last_polls() {
  loop_->call_after(server_.hub().config.limits.close_timeout, [self = shared_from_this()] {
    if (!self->polling_) return;
    if (self->heard_lately_.exchange(false)) return self->await_last_polls();
    self->end_polling();
    self->server_.forget(self->sid());
  });
}

/// Nothing waits for polls any more, nor for the client to go over to a WebSocket.
FLUX_DECL void EngineIoSession::end_polling() {
  const auto polling = std::exchange(polling_, nullptr);
  if (polling && polling->probing) polling->probing->close(CloseCode::normal, {});
}

FLUX_DECL void EngineIoSession::close(std::string_view reason, EngineIoEnding ending) {
  const auto self = shared_from_this();
  if (is_open() && client_) client_->on_closing();
  if (!open_.exchange(false)) return;
  loop_->counters().sessions_now.subtract();
  stop_timer();
  if (!websocket_) say_farewell(ending);
  if (!polling_ || polling_->farewell.empty()) {
    end_polling();
    server_.forget(sid());
  }
  if (const auto websocket = std::exchange(websocket_, nullptr)) {
    const CloseCode code = reason == "rate limited"           ? CloseCode::rate_limited
                           : reason == "server shutting down" ? CloseCode::going_away
                                                              : CloseCode::normal;
    if (ending == EngineIoEnding::told) {
      websocket->close_behind(code);
    } else {
      websocket->close(code, {});
    }
  }
  end_hold();
  if (const auto client = std::move(client_)) client->on_close(reason);
}

}  // namespace flux::detail
