#pragma once

#include <flux/detail/mode.hpp>
#include <flux/server/detail/engineio_server.hpp>
#include <flux/server/detail/engineio_session.hpp>

#include <algorithm>
#include <utility>

namespace flux::detail {

using protocol::EngineIoType;

FLUX_DECL EngineIoWebSocket::EngineIoWebSocket(std::shared_ptr<EngineIoSession> session,
                                               transport::Connection& connection,
                                               transport::WebSocketService& service,
                                               std::size_t message_bytes_max)
    : WebSocketStream(connection, service, message_bytes_max, false), session_(std::move(session)) {}

FLUX_DECL void EngineIoWebSocket::on_message(std::string_view message, MessageType type) {
  session_->from_websocket(*this, message, type);
}

FLUX_DECL void EngineIoWebSocket::on_disconnect(const Disconnect&) { session_->websocket_gone(*this); }

FLUX_DECL EngineIoSession::EngineIoSession(EngineIoServer& server, std::string sid, std::shared_ptr<core::Loop> loop,
                                           bool base64)
    : server_(server), sid_(std::move(sid)), loop_(std::move(loop)), base64_(base64) {}

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

FLUX_DECL bool EngineIoSession::busy() const { return websocket_ ? websocket_->congested() : !poll_; }

// --- Opening ---

FLUX_DECL std::string EngineIoSession::open_packet() const {
  const engineio::Options& options = server_.options();
  return protocol::engineio_handshake({sid_, options.websocket && !websocket_, options.ping_interval,
                                       options.ping_timeout, options.payload_bytes_max});
}

FLUX_DECL void EngineIoSession::open_polling(HttpExchange poll, std::shared_ptr<EngineIoClient> client) {
  poll_.emplace(std::move(poll));
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

FLUX_DECL void EngineIoSession::poll(const HttpExchange& exchange) {
  if (farewell_) {
    // socket.io-client drops packets that come along with the end.
    if (!farewell_->empty()) return answer(exchange, std::exchange(*farewell_, {}));
    server_.forget(sid_);
    farewell_.reset();
    return answer(exchange, "1");
  }
  if (!is_open() || websocket_) return server_.refuse(exchange, protocol::EngineIoRefusal::bad_request);
  if (poll_) {  // two at the same time: both can't be right
    exchange.respond(400, {});
    return close("transport error");
  }
  poll_.emplace(exchange);
  if (probing_) {
    // While a WebSocket is being tried, a poll must not keep the client from going over to it.
    if (!polled_ || polled_->empty()) send_packet(EngineIoType::noop);
  }
  if (polled_ && !polled_->empty()) answer_poll_soon();
}

FLUX_DECL bool EngineIoSession::posted(std::string body) {
  const auto self = shared_from_this();
  protocol::EngineIoPayloadReader reader(std::move(body), server_.limits());
  while (is_open()) {
    const auto next = reader.next();
    if (!next) break;
    if (!packet(*next)) return false;
  }
  if (!reader.error()) return true;
  close("parse error");
  return false;
}

FLUX_DECL void EngineIoSession::answer(const HttpExchange& exchange, std::string payload) {
  exchange.respond(200, std::move(payload), "text/plain; charset=UTF-8", server_.cors(exchange));
}

FLUX_DECL void EngineIoSession::answer_poll_soon() {
  if (!poll_ || flush_asked_) return;
  flush_asked_ = true;
  loop_->flush_later(std::shared_ptr<core::Loop::Flushable>(shared_from_this(), this));
}

FLUX_DECL void EngineIoSession::flush() {
  flush_asked_ = false;
  if (!poll_ || !polled_ || polled_->empty()) return;
  const HttpExchange poll = *std::exchange(poll_, std::nullopt);
  std::string payload = polled_->take();
  polled_.reset();
  answer(poll, std::move(payload));
}

// --- Out ---

FLUX_DECL void EngineIoSession::added(protocol::EngineIoPayloadWriter::Added result) {
  using Added = protocol::EngineIoPayloadWriter::Added;
  if (result == Added::yes) return answer_poll_soon();
  // `full`: the client does not fetch what waits for it. `unsendable`: no encoder of ours makes such a text.
  loop_->counters().messages_dropped.add();
  if (result != Added::full || !is_open()) return;
  loop_->counters().slow_readers_closed.add();
  loop_->post([self = shared_from_this()] { self->close("transport error"); });
}

FLUX_DECL void EngineIoSession::send_packet(EngineIoType type, std::string_view data) {
  if (websocket_) {
    std::string frame;
    protocol::append_engineio_frame(frame, type, data);
    loop_->counters().frames_out.add();
    websocket_->write_frames(frame);
    return;
  }
  if (!polled_) {
    polled_ = std::make_unique<protocol::EngineIoPayloadWriter>(
        protocol::EngineIoLimits{server_.hub().config.limits.outbox_bytes_max, 1'000'000});
  }
  added(polled_->add(type, data));
}

FLUX_DECL void EngineIoSession::send(std::string_view message, bool binary) {
  if (!is_open()) return;
  if (!binary) return send_packet(EngineIoType::message, message);
  std::string frames;
  std::string packets;
  if (!websocket_) {
    protocol::EngineIoPayloadWriter one({static_cast<std::size_t>(-1), 1});
    one.add_binary(message);
    packets = one.take();
  } else if (base64_) {
    protocol::append_engineio_base64_frame(frames, message);
  } else {
    protocol::append_engineio_binary_frame(frames, message);
  }
  send_encoded(frames, packets, 1);
}

FLUX_DECL void EngineIoSession::send_encoded(std::string_view frames, std::string_view packets,
                                             std::size_t packet_count) {
  if (!is_open()) return;
  if (websocket_) {
    loop_->counters().frames_out.add(packet_count);
    websocket_->write_frames(frames);
    return;
  }
  if (!polled_) {
    polled_ = std::make_unique<protocol::EngineIoPayloadWriter>(
        protocol::EngineIoLimits{server_.hub().config.limits.outbox_bytes_max, 1'000'000});
  }
  added(polled_->add_encoded(packets, packet_count));
}

FLUX_DECL void EngineIoSession::send_shared(std::span<const transport::SharedBytes> pieces, std::size_t frame_count) {
  if (!is_open() || !websocket_) return;
  loop_->counters().frames_out.add(frame_count);
  for (const transport::SharedBytes& piece : pieces) websocket_->write_frames(piece, 0, piece->size());
}

FLUX_DECL void EngineIoSession::send_polled(std::string payload) {
  constexpr auto any = static_cast<std::size_t>(-1);
  protocol::EngineIoPayloadReader reader(std::move(payload), {any, any});
  while (const auto next = reader.next()) {
    if (next->type == EngineIoType::noop) continue;
    if (next->binary) {
      send(next->data, true);
    } else {
      send_packet(next->type, next->data);
    }
  }
}

FLUX_DECL void EngineIoSession::deliver(const core::Batch& batch, std::span<const core::Exclusion> exclusions,
                                        const core::LaneSeat&) {
  if (!is_open()) return;
  if (websocket_ && exclusions.empty()) {
    loop_->counters().frames_out.add(batch.segments.size());
    websocket_->write_frames(batch.bytes, 0, batch.bytes->size());
    return;
  }
  std::size_t begin = 0;
  for (std::size_t i = 0; i < batch.segments.size(); ++i) {
    const std::size_t end = batch.segments[i].end;
    const bool wanted = std::none_of(exclusions.begin(), exclusions.end(),
                                     [&](const core::Exclusion& e) { return e.first <= i && i < e.last; });
    const std::string_view bytes = std::string_view(*batch.bytes).substr(begin, end - begin);
    begin = end;
    if (!wanted) continue;
    const auto packets = static_cast<std::size_t>(std::count(bytes.begin(), bytes.end(), protocol::engineio_separator));
    send_encoded(bytes, bytes, packets + 1);
  }
}

// --- In ---

FLUX_DECL bool EngineIoSession::packet(const protocol::EngineIoPacket& packet) {
  switch (packet.type) {
    case EngineIoType::message: {
      if (!websocket_) loop_->counters().messages_in.add();  // else it has been counted
      const auto client = client_;  // it may close us
      client->on_message(packet.data, packet.binary);
      return true;
    }
    case EngineIoType::pong:
      pong();
      return true;
    case EngineIoType::close:
      // The client has said that it ends; a poll of its that waits gets something harmless, as does one that this has
      // overtaken.
      if (poll_) {
        answer(*std::exchange(poll_, std::nullopt), "6");
        close("transport close");
      } else {
        close("transport close", EngineIoEnding::told);
      }
      return true;
    case EngineIoType::noop:
      return true;
    default:
      close("parse error");
      return false;
  }
}

FLUX_DECL void EngineIoSession::from_websocket(EngineIoWebSocket& from, std::string_view message, MessageType type) {
  const auto self = shared_from_this();
  std::string decoded;
  protocol::EngineIoPacket read{EngineIoType::message, true, message};
  bool good = true;
  if (type == MessageType::text) {
    auto parsed = protocol::read_engineio_text(message, decoded);
    good = parsed.ok();
    if (good) read = *parsed;
  }
  if (&from == probing_.get()) {
    if (good && read.type == EngineIoType::ping && read.data == "probe") {
      std::string frame;
      protocol::append_engineio_frame(frame, EngineIoType::pong, "probe");
      from.write_frames(frame);
      if (poll_ && (!polled_ || polled_->empty())) send_packet(EngineIoType::noop);
      return;
    }
    if (good && read.type == EngineIoType::upgrade) return complete_upgrade();
    from.close(CloseCode::protocol_error, "expected a probe");
    return;
  }
  if (&from != websocket_.get()) return;
  if (good) {
    packet(read);
  } else {
    close("parse error");
  }
}

FLUX_DECL void EngineIoSession::probe(std::shared_ptr<EngineIoWebSocket> websocket) {
  if (!is_open() || websocket_ || probing_) {
    websocket->close(CloseCode::policy_violation, "the session does not wait for a WebSocket");
    return;
  }
  probing_ = std::move(websocket);
  loop_->call_after(server_.options().upgrade_timeout,
                    [weak = weak_from_this(), tried = std::weak_ptr<EngineIoWebSocket>(probing_)] {
                      const auto self = weak.lock();
                      const auto still = tried.lock();
                      if (self && still && self->probing_ == still) {
                        still->close(CloseCode::timed_out, "the upgrade took too long");
                      }
                    });
}

/// From here on everything goes over the WebSocket, what waits for a poll first.
FLUX_DECL void EngineIoSession::complete_upgrade() {
  websocket_ = std::move(probing_);
  transport_ = protocol::EngineIoTransport::websocket;
  if (poll_) {
    const HttpExchange poll = *std::exchange(poll_, std::nullopt);
    answer(poll, "6");
  }
  if (const auto waiting = std::exchange(polled_, nullptr); waiting && !waiting->empty()) send_polled(waiting->take());
  client_->on_transport_changed();
}

FLUX_DECL void EngineIoSession::websocket_gone(EngineIoWebSocket& which) {
  if (&which == probing_.get()) {
    probing_.reset();
  } else if (&which == websocket_.get()) {
    close("transport close");
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
  stop_timer();
  awaiting_pong_ = due;
  // Closing stops it, and the directory holds the session until then.
  timer_ = loop_->call_after(after, [this] {
    timer_.reset();
    if (awaiting_pong_) return close("ping timeout");
    send_packet(EngineIoType::ping);
    if (is_open()) ping_in(server_.options().ping_timeout, true);
  });
}

FLUX_DECL void EngineIoSession::pong() {
  if (awaiting_pong_) ping_in(server_.options().ping_interval, false);
}

FLUX_DECL void EngineIoSession::stop_timer() {
  if (const auto timer = std::exchange(timer_, std::nullopt); timer && !loop_->is_shut()) loop_->cancel(*timer);
}

// --- The end ---

/// To a client that polls.
FLUX_DECL void EngineIoSession::say_farewell(EngineIoEnding ending) {
  std::string packets = polled_ ? polled_->take() : std::string();
  auto poll = std::exchange(poll_, std::nullopt);
  if (ending == EngineIoEnding::at_once) {
    if (!packets.empty()) packets += protocol::engineio_separator;
    if (poll) answer(*poll, packets + "1");
    return;
  }
  if (poll && packets.empty()) return answer(*poll, "1");
  if (poll) answer(*poll, std::exchange(packets, {}));
  farewell_ = std::make_unique<std::string>(std::move(packets));
  loop_->call_after(server_.hub().config.limits.close_timeout, [self = shared_from_this()] {
    self->farewell_.reset();
    self->server_.forget(self->sid_);
  });
}

FLUX_DECL void EngineIoSession::close(std::string_view reason, EngineIoEnding ending) {
  if (!open_.exchange(false)) return;
  const auto self = shared_from_this();
  loop_->counters().sessions_now.subtract();
  stop_timer();
  if (!websocket_) say_farewell(ending);
  if (!farewell_) server_.forget(sid_);
  polled_.reset();
  if (const auto probing = std::exchange(probing_, nullptr)) probing->close(CloseCode::normal, {});
  if (const auto websocket = std::exchange(websocket_, nullptr)) {
    const CloseCode code = reason == "rate limited"           ? CloseCode::rate_limited
                           : reason == "server shutting down" ? CloseCode::going_away
                                                              : CloseCode::normal;
    websocket->close(code, {});
  }
  if (const auto client = std::move(client_)) client->on_close(reason);
}

}  // namespace flux::detail
