#pragma once

#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/endpoints/socketio/engineio_session.hpp>
#include <flux/detail/mode.hpp>

#include <exception>
#include <utility>

namespace flux::detail {

using protocol::EngineIoType;

inline constexpr std::string_view probe_packet = "2probe";
inline constexpr char upgrade_type = '5';

FLUX_DECL EngineIoSession::EngineIoSession(EngineIoServer& server, std::string_view sid,
                                           std::shared_ptr<core::Loop> loop, bool base64)
    : base64_(base64),
      connected_at_(static_cast<std::uint32_t>(loop->clock().unix_ms() / 1000)),
      loop_(std::move(loop)),
      server_(server) {
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
  return websocket_ ? websocket_->congested() : !polling_ || !polling_->has_poll();
}

FLUX_DECL bool EngineIoSession::congested() const {
  if (websocket_) return websocket_->congested();
  return polling_ && polling_->has_packets() &&
         polling_->pending_bytes() >= server_.hub().config.limits.outbox_bytes_congested;
}

// --- Opening ---

FLUX_DECL std::string EngineIoSession::open_packet() const {
  const engineio::Options& options = server_.options();
  return protocol::engineio_handshake({sid(), options.websocket && !websocket_, options.ping_interval,
                                       options.ping_timeout, options.payload_bytes_max});
}

FLUX_DECL void EngineIoSession::open_polling(const HttpExchange& poll, std::unique_ptr<EngineIoPollers::Place> place,
                                             std::shared_ptr<EngineIoClient> client) {
  polling().open(poll, std::move(place));
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

FLUX_DECL EngineIoPolling& EngineIoSession::polling() {
  if (!polling_) polling_ = std::make_unique<EngineIoPolling>(*this);
  return *polling_;
}

FLUX_DECL void EngineIoSession::poll(const HttpExchange& exchange) {
  if (polling_ && polling_->awaits_last_polls()) return polling_->poll_last(exchange);
  if (!takes_input() || websocket_) return server_.refuse(exchange, protocol::EngineIoRefusal::bad_request);
  polling().poll(exchange);
}

FLUX_DECL void EngineIoSession::posted(std::string body, EngineIoPosted::Done done) {
  note_heard();
  if (polling_) polling_->note_used();
  const auto posted =
      std::make_shared<EngineIoPosted>(shared_from_this(), std::move(body), server_.limits(), std::move(done));
  if (!held_ || !held_->answered_early) return posted->read();
  held_->next = posted;
}

FLUX_DECL void EngineIoSession::flush_soon() {
  if (std::exchange(flush_asked_, true)) return;
  loop_->flush_later(std::shared_ptr<core::Loop::Flushable>(shared_from_this(), this));
}

FLUX_DECL void EngineIoSession::flush() {
  flush_asked_ = false;
  if (!polling_ || !polling_->has_poll() || !polling_->has_packets()) return;
  polling_->flush();
  note_output_taken();
  if (held_ && held_->answered_early) note_heard();  // its pong may be in the POST
  if (congested()) return;
  catch_up();
  if (!congested()) output_is_free();
}

FLUX_DECL void EngineIoSession::end_slow_reader() {
  if (websocket_) return websocket_->end_slow_reader();
  if (!is_open() || std::exchange(ending_, true)) return;
  loop_->counters().slow_readers_closed.add();
  loop_->post([self = shared_from_this()] { self->close(EndReason::transport_error); });
}

FLUX_DECL void EngineIoSession::end_polling() {
  const auto polling = std::exchange(polling_, nullptr);
  if (polling && polling->probing()) polling->probing()->close(CloseCode::normal, {});
}

FLUX_DECL void EngineIoSession::forget() { server_.forget(sid()); }

// --- Held input ---

FLUX_DECL bool EngineIoSession::keep_while_held(const std::shared_ptr<EngineIoPosted>& posted) {
  if (!held_ || held_->times == 0) return false;
  held_->posted = posted;
  return true;
}

/// During an upgrade a client does not poll before its POST has been answered.
FLUX_DECL bool EngineIoSession::keep_while_congested(const std::shared_ptr<EngineIoPosted>& posted) {
  if (!congested() || (polling_ && polling_->probing())) return false;
  if (!held_) begin_hold();
  held_->posted = posted;
  held_->answered_early = true;
  held_->waits_for_output = true;
  watch_output();
  return true;
}

/// One timer at a time, however often a POST waits.
FLUX_DECL void EngineIoSession::watch_output() {
  const auto stall = server_.hub().config.limits.output_stall_timeout;
  if (stall.count() == 0 || std::exchange(watches_output_, true)) return;
  output_taken_ = false;
  loop_->call_after(stall, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->is_open()) return;
    self->watches_output_ = false;
    if (!self->held_ || !self->held_->waits_for_output) return;
    if (self->output_taken_) return self->watch_output();
    self->loop_->counters().slow_readers_closed.add();
    self->close(EndReason::transport_error);
  });
}

FLUX_DECL void EngineIoSession::output_is_free() {
  if (held_ && std::exchange(held_->waits_for_output, false)) go_on_with_posted();
}

FLUX_DECL void EngineIoSession::go_on_with_posted() {
  if (!held_ || held_->times > 0 || held_->waits_for_output) return;
  if (const auto posted = std::exchange(held_->posted, nullptr)) posted->read();
}

FLUX_DECL void EngineIoSession::end_early_answered() {
  if (!held_ || !std::exchange(held_->answered_early, false)) return;
  held_->posted = std::move(held_->next);
  if (held_->times == 0) end_hold();
}

FLUX_DECL void EngineIoSession::begin_hold() {
  held_ = std::make_unique<Held>();
  if (websocket_) websocket_->pause_input();
}

FLUX_DECL void EngineIoSession::hold_input() {
  if (!held_) begin_hold();
  ++held_->times;
}

FLUX_DECL void EngineIoSession::release_input() {
  if (!held_ || held_->times == 0 || --held_->times > 0) return;
  held_->answered_early ? go_on_with_posted() : end_hold();
}

/// A POST continues before messages that the client has sent over a WebSocket since, and may hold input again.
FLUX_DECL void EngineIoSession::end_hold() {
  const auto held = std::move(held_);
  if (!held) return;
  if (held->posted) held->posted->read();
  if (held->next) held->next->read();  // only if the session is closed
  if (websocket_ && !held_) websocket_->resume_input();
}

// --- Out ---

FLUX_DECL void EngineIoSession::send_packet(EngineIoType type, std::string_view data) {
  websocket_ ? websocket_->send_packet(type, data) : polling().send_packet(type, data);
}

FLUX_DECL void EngineIoSession::send(std::string_view message, bool binary) {
  if (!is_open()) return;
  count_sent();
  send_message(message, binary);
}

FLUX_DECL void EngineIoSession::send_message(std::string_view message, bool binary) {
  if (!binary) return send_packet(EngineIoType::message, message);
  websocket_ ? websocket_->send_binary(message) : polling().send_binary(message);
}

FLUX_DECL void EngineIoSession::send_long(transport::SharedBytes bytes) {
  if (is_open()) send_bytes(std::move(bytes));
}

FLUX_DECL void EngineIoSession::send_bytes(transport::SharedBytes bytes) {
  websocket_ ? websocket_->send_long(std::move(bytes)) : polling().send_long(std::move(bytes));
}

FLUX_DECL void EngineIoSession::send_encoded(std::string_view frames, std::string_view packets,
                                             std::size_t packet_count) {
  if (!is_open()) return;
  websocket_ ? websocket_->send_frames(frames, packet_count) : polling().send_encoded(packets, packet_count);
}

FLUX_DECL void EngineIoSession::send_encoded(const transport::SharedBytes& message) {
  if (!is_open()) return;
  websocket_ ? websocket_->send_frames(message) : polling().send_encoded(*message, 1);
}

FLUX_DECL void EngineIoSession::send_shared(std::span<const transport::SharedBytes> pieces, std::size_t frame_count) {
  if (is_open() && websocket_) websocket_->send_frames(pieces, frame_count);
}

FLUX_DECL void EngineIoSession::send_polled(const protocol::EngineIoPayload& payload) {
  if (is_open()) count_sent(send_parts(payload));
}

FLUX_DECL std::size_t EngineIoSession::send_parts(const protocol::EngineIoPayload& payload) {
  std::size_t texts = 0;
  const auto send_packets = [&](std::string_view packets) {
    constexpr auto any = static_cast<std::size_t>(-1);
    protocol::EngineIoPayloadReader reader(std::string(packets), {any, any});
    while (const auto next = reader.next()) {
      if (next->type == EngineIoType::noop) continue;
      if (next->binary) {
        send_message(next->data, true);
      } else {
        if (next->type == EngineIoType::message) ++texts;
        send_packet(next->type, next->data);
      }
    }
  };
  payload.for_each_part(send_packets, [this](const transport::SharedBytes& bytes) { send_bytes(bytes); });
  return texts;
}

FLUX_DECL void EngineIoSession::take_run(const core::Batch& batch, const core::Run& run) {
  count_sent(run.segments());
  if (!websocket_) return polling().send_run(batch, run);
  loop_->counters().frames_out.add(run.segments());
  // The usual case reads only the first cache line of the WebSocket.
  if (!base64_ && run.inserts.empty()) {
    websocket_->write_frames(batch.bytes, run.begin(batch), run.end(batch));
  } else {
    websocket_->send_run(batch, run);
  }
}

FLUX_DECL const void* EngineIoSession::hot_memory() const noexcept {
  const transport::Connection* connection = websocket_ ? websocket_->connection() : nullptr;
  return connection != nullptr ? connection->hot_memory() : this;
}

/// The session as a reader for `core::deliver_to`.
struct EngineIoSession::Reader {
  EngineIoSession& session;
  bool open() const { return session.is_open() && !session.ignores_input(); }
  bool congested() const { return session.congested(); }
  void held_back() const {
    session.behind_ = true;
    session.loop_->counters().states_coalesced.add();
  }
  void close_slow() const { session.end_slow_reader(); }
  void take(const core::Batch& batch, const core::Run& run) const { session.take_run(batch, run); }
};

FLUX_DECL void EngineIoSession::deliver(const core::Batch& batch, std::span<const core::Listed> listed,
                                        core::LaneSeat& seat) {
  core::deliver_to(Reader{*this}, batch, listed, seat);
}

FLUX_DECL void EngineIoSession::websocket_drained() {
  if (!websocket_ || websocket_->congested()) return;
  if (ping_unsent_ && !websocket_->unsent()) {
    ping_unsent_ = false;
    if (awaiting_pong_) ping_in(server_.options().ping_timeout, true);
  }
  const auto self = shared_from_this();
  catch_up();
  if (!congested()) output_is_free();
}

FLUX_DECL void EngineIoSession::catch_up() {
  if (!is_open() || !std::exchange(behind_, false)) return;
  const auto self = shared_from_this();
  const auto client = client_;  // it may close us
  client->on_drained();
  if (congested()) behind_ = true;  // there may be more
}

// --- In ---

FLUX_DECL bool EngineIoSession::receive(const protocol::EngineIoPacket& packet, std::string* owner) {
  switch (packet.type) {
    case EngineIoType::message: {
      if (ignores_input()) return true;
      if (!websocket_) loop_->counters().messages_in.add();  // otherwise it has been counted
      const auto client = client_;                           // it may close us
      client->on_message(packet.data, packet.binary, owner);
      return true;
    }
    case EngineIoType::pong: pong(); return true;
    case EngineIoType::close: client_closes(); return true;
    case EngineIoType::noop: return true;
    default: return false;
  }
}

/// A poll that is pending gets something harmless, and so does one that the client's packet has overtaken.
FLUX_DECL void EngineIoSession::client_closes() {
  if (polling_ && polling_->release_poll()) return close(EndReason::transport_close);
  close(EndReason::transport_close, EngineIoEnding::told);
  if (polling_) polling_->forget_packets();
}

FLUX_DECL void EngineIoSession::from_websocket(EngineIoWebSocket& from, std::string_view message, MessageType type,
                                               std::string* owner) {
  const auto self = shared_from_this();
  if (polling_ && &from == polling_->probing().get()) return from_probing(from, message, type);
  if (&from != websocket_.get()) return;
  const bool base64 = type == MessageType::text && message.starts_with('b');
  const std::size_t size = base64 ? protocol::decoded_base64_size(message.substr(1)) : message.size();
  if (size > server_.options().payload_bytes_max) {
    return from.close(CloseCode::message_too_big, "message of " + std::to_string(size) + " bytes; at most " +
                                                      std::to_string(server_.options().payload_bytes_max) +
                                                      " are allowed");
  }
  if (type == MessageType::binary) {
    receive({EngineIoType::message, true, message}, owner);
    return;
  }
  if (base64 && message.size() >= engineio_long_text_bytes) {
    return decode_aside(owner != nullptr ? std::move(*owner) : std::string(message));
  }
  std::string decoded;
  const auto read = protocol::read_engineio_text(message, decoded);
  if (!read) return close(EndReason::parse_error);
  if (!receive(*read, read->binary ? &decoded : owner)) close(EndReason::parse_error);
}

/// A message over a WebSocket that is not the transport yet: a probe, or the upgrade.
FLUX_DECL void EngineIoSession::from_probing(EngineIoWebSocket& from, std::string_view message, MessageType type) {
  const bool text = type == MessageType::text;
  const bool upgrades = text && message.starts_with(upgrade_type);
  if (!is_open())
    return upgrades ? say_farewell_over(std::move(polling_->probing())) : from.close(CloseCode::normal, {});
  if (text && message == probe_packet) {
    std::string frame;
    protocol::append_engineio_frame(frame, EngineIoType::pong, "probe");
    from.write_frames(frame);
    if (polling_->has_poll() && !polling_->has_packets()) send_packet(EngineIoType::noop);
    return;
  }
  if (upgrades) return complete_upgrade();
  from.close(CloseCode::protocol_error, "expected a probe");
}

/// Decodes base64 from a client that sends no binary frames. So much of it would delay the loop, so another thread does
/// it, unless the client has disconnected by then.
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
    } catch (const std::exception&) {  // out of memory: treated as unreadable
    }
    loop->post([work, weak] {
      const auto self = weak.lock();
      if (!self || !self->is_open()) return;
      if (work->good) {
        self->receive({EngineIoType::message, true, work->bytes}, &work->bytes);
      } else {
        self->close(EndReason::parse_error);
      }
      self->release_input();
    });
  });
}

FLUX_DECL void EngineIoSession::probe(std::shared_ptr<EngineIoWebSocket> websocket) {
  if (!is_open() || websocket_ || polling().probing()) {
    websocket->close(CloseCode::policy_violation, "the session is not waiting for a WebSocket");
    return;
  }
  polling_->probing() = std::move(websocket);
  output_is_free();
  if (!polling_) return;  // the POST has closed the session
  loop_->call_after(server_.options().upgrade_timeout,
                    [weak = weak_from_this(), tried = std::weak_ptr<EngineIoWebSocket>(polling_->probing())] {
                      const auto self = weak.lock();
                      const auto still = tried.lock();
                      if (self && still && self->polling_ && self->polling_->probing() == still) {
                        still->close(CloseCode::timed_out, "the upgrade took too long");
                      }
                    });
}

/// From now on everything is sent over the WebSocket, beginning with the packets that are pending for a poll.
FLUX_DECL void EngineIoSession::complete_upgrade() {
  websocket_ = std::move(polling_->probing());
  transport_ = protocol::EngineIoTransport::websocket;
  polling_->release_poll();
  const protocol::EngineIoPayload waiting = polling_->take_packets();
  polling_.reset();
  if (held_) websocket_->pause_input();
  if (!waiting.empty()) send_parts(waiting);  // they have been counted
  client_->on_transport_changed();
  behind_ = true;  // the pending packets hold no states that were held back
  websocket_drained();
}

/// The client upgraded before it learned that the session is closed: it gets its pending packets over the WebSocket.
FLUX_DECL void EngineIoSession::say_farewell_over(std::shared_ptr<EngineIoWebSocket> websocket) {
  const protocol::EngineIoPayload waiting = polling_->take_packets();
  end_polling();
  forget();
  websocket_ = std::move(websocket);
  send_parts(waiting);
  std::exchange(websocket_, nullptr)->close_behind(CloseCode::normal);
}

FLUX_DECL void EngineIoSession::websocket_gone(EngineIoWebSocket& which, CloseCode code) {
  if (polling_ && &which == polling_->probing().get()) {
    polling_->probing().reset();
  } else if (&which == websocket_.get()) {
    const bool bad_frames =
        code == CloseCode::protocol_error || code == CloseCode::invalid_data || code == CloseCode::message_too_big;
    close(bad_frames ? EndReason::transport_error : EndReason::transport_close);
  }
}

FLUX_DECL Result<void> EngineIoSession::within_rate(const gate::Sender& sender) {
  const auto excess = server_.hub().client_limits.take({rate_limit_, strikes_}, sender, *loop_);
  if (!excess) return {};
  if (excess->closes) close(EndReason::rate_limited, EngineIoEnding::told);
  return excess->error;
}

// --- Time ---

FLUX_DECL void EngineIoSession::ping_in(std::chrono::milliseconds after, bool due) {
  constexpr std::chrono::seconds exact_below{5};  // a deadline costs an idle client no memory, and is less exact
  stop_timer();
  awaiting_pong_ = due;
  // Closing clears it, and the directory keeps the session alive until then.
  if (after >= exact_below) return loop_->set_deadline(*this, after);
  rare().timer = loop_->call_after(after, [this] {
    rare_->timer.reset();
    ping_due();
  });
}

/// Pings continue while a pong is overdue after a long message, because a client that gets no pings disconnects.
FLUX_DECL void EngineIoSession::ping_due() {
  const auto self = shared_from_this();
  const auto timeout = server_.options().ping_timeout;
  if (ping_unsent_) {
    ping_unsent_ = websocket_->notify_sent();
    return ping_in(timeout, true);
  }
  const bool is_alive = heard();
  if (awaiting_pong_ && !is_alive) return close(EndReason::ping_timeout);
  const bool waits = websocket_ ? websocket_->unsent() : polling_ && polling_->has_packets();
  if (websocket_ || !waits) send_packet(EngineIoType::ping);
  if (!is_open()) return;
  ping_unsent_ = websocket_ && waits && websocket_->notify_sent();
  ping_in(timeout, true);
}

/// Whether anything has been received since the last call. A client that is sending a long message cannot answer a
/// ping, and its answer is not read while its input is held.
FLUX_DECL bool EngineIoSession::heard() {
  // If there is no limit for output that is not read, a POST that waits for it is not a sign of life.
  const bool waits_unwatched =
      held_ && held_->answered_early && server_.hub().config.limits.output_stall_timeout.count() == 0;
  if (held_ && !waits_unwatched) return true;
  if (websocket_) return websocket_->heard() || websocket_->input_held();
  return take_heard() || (posting_ && !waits_unwatched);
}

FLUX_DECL void EngineIoSession::pong() {
  if (awaiting_pong_) ping_in(server_.options().ping_interval, false);
}

FLUX_DECL void EngineIoSession::stop_timer() {
  loop_->clear_deadline(*this);
  if (!rare_) return;
  if (const auto timer = std::exchange(rare_->timer, std::nullopt); timer && !loop_->is_shut()) loop_->cancel(*timer);
}

// --- The grant ---

FLUX_DECL EngineIoSession::Rare& EngineIoSession::rare() {
  if (!rare_) {
    auto made = std::make_unique<Rare>();
    const std::lock_guard lock(loop_->sessions_mutex());
    rare_ = std::move(made);
  }
  return *rare_;
}

FLUX_DECL std::shared_ptr<const Grant> EngineIoSession::grant() const {
  const std::lock_guard lock(loop_->sessions_mutex());
  return rare_ && rare_->grant ? rare_->grant->grant() : nullptr;
}

FLUX_DECL std::shared_ptr<gate::HeldGrant> EngineIoSession::holder() {
  {
    const std::lock_guard lock(loop_->sessions_mutex());
    if (rare_ && rare_->grant) return rare_->grant;
  }
  return std::make_shared<gate::ClientGrant<EngineIoSession>>(loop_, nullptr, weak_from_this());
}

FLUX_DECL Result<void> EngineIoSession::set_grant(std::shared_ptr<const Grant> grant) {
  const bool posted =
      is_open() && !ignores_input() &&
      loop_->dispatch([self = shared_from_this(), grant = std::move(grant)] { self->replace_grant(grant); });
  if (!posted) return Error(Errc::session_not_found, "session " + std::string(sid()) + " is gone");
  return {};
}

FLUX_DECL void EngineIoSession::replace_grant(std::shared_ptr<const Grant> grant) {
  if (!is_open() || ignores_input()) return;
  auto& held = rare().grant;
  if (held) {
    if (!held->change(std::move(grant))) return;
  } else {
    auto fresh = std::make_shared<gate::ClientGrant<EngineIoSession>>(loop_, std::move(grant), weak_from_this());
    const std::lock_guard lock(loop_->sessions_mutex());
    held = std::move(fresh);
  }
  server_.hub().admitted.watch(held, gate::Admitted::Find::by_end_and_user);
}

// --- The end ---

FLUX_DECL void EngineIoSession::end_access(CloseCode, std::string_view) {
  loop_->dispatch([self = shared_from_this()] {
    if (self->client_) self->client_->end_access();
  });
}

FLUX_DECL void EngineIoSession::close(EndReason reason, EngineIoEnding ending) {
  const auto self = shared_from_this();
  if (is_open() && client_) client_->on_closing();
  if (!open_.exchange(false)) return;
  loop_->counters().sessions_now.subtract();
  stop_timer();
  if (rare_ && rare_->grant) server_.hub().admitted.forget(rare_->grant.get());
  if (!websocket_) polling().say_farewell(ending);
  if (!polling_ || !polling_->awaits_last_polls()) {
    end_polling();
    forget();
  }
  if (const auto websocket = std::exchange(websocket_, nullptr)) {
    const CloseCode code = reason == EndReason::rate_limited           ? CloseCode::rate_limited
                           : reason == EndReason::access_ended         ? CloseCode::unauthorized
                           : reason == EndReason::server_shutting_down ? CloseCode::going_away
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
