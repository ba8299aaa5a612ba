#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/endpoints/realtime/sse_session.hpp>
#include <flux/detail/features/channel_name.hpp>
#include <flux/detail/features/channel_payloads.hpp>
#include <flux/detail/features/channel_requests.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux::detail {

/// With one channel, events are shared with all other clients.
FLUX_DECL SseSession::SseSession(const SseClients& clients, std::shared_ptr<core::Loop> loop,
                                 const core::ClientAddress& client, std::shared_ptr<const Grant> grant,
                                 const std::vector<std::string>& channels)
    : Participant(clients, clients.backend.new_key(), std::move(loop), client, std::move(grant)),
      writer_(channels.size() == 1 && !features::is_channel_pattern(channels[0]) ? &clients.one_channel
                                                                                 : &clients.several) {}

FLUX_DECL SseSession::~SseSession() = default;

FLUX_DECL void SseSession::opened(transport::Connection& connection, const std::vector<std::string>& channels,
                                  const std::optional<std::vector<Position>>& last) {
  connection_ = &connection;
  counters().sessions_now.add();
  enter_directory();
  // After a restart clients should not come back all in one second.
  constexpr std::uint64_t retry_least_ms = 1'000, retry_spread_ms = 4'000;
  write_frames("retry: " + std::to_string(retry_least_ms + core::mixed(key()) % retry_spread_ms) + "\n\n");
  if (const auto interval = backend().config.limits.ping_interval; interval.count() != 0) {
    connection.set_deadline(interval);
  }
  awaited_ = channels.size();
  if (last) earlier_ = *last;
  for (const std::string& channel : channels) {
    if (is_open()) subscribe(channel, last);
  }
}

FLUX_DECL void SseSession::on_closed() {
  connection_ = nullptr;
  if (!connected()) return;
  const auto keep = self();
  leave_everything();
  counters().sessions_now.subtract();
  leave_directory(how_);
}

// --- Subscriptions ---

/// An id names positions of all its channels: the one of this channel has its epoch.
FLUX_DECL void SseSession::subscribe(const std::string& channel, const std::optional<std::vector<Position>>& last) {
  std::optional<Position> since;
  if (last && !features::is_channel_pattern(channel)) {
    const std::string epoch = clients().hub->epoch_of(channel);
    const auto found = std::find_if(last->begin(), last->end(), [&](const Position& at) { return at.epoch == epoch; });
    since = found != last->end() ? *found : Position{"unknown", 0};
  }
  features::subscribe_client(
      clients().hub, *this, channel, {since},
      [this, channel, since](const Result<features::ChannelEntry>& entry) { subscribed(channel, since, entry); });
}

FLUX_DECL void SseSession::subscribed(const std::string& channel, const std::optional<Position>& since,
                                      const Result<features::ChannelEntry>& entry) {
  std::string json;
  if (--awaited_ == 0) earlier_.clear();
  if (!entry) {
    protocol::append_realtime_error(json, {}, entry.error(), now());
    return write_event({}, json);
  }
  protocol::append_realtime_reply(json, "subscribed", {}, features::entry_payload(channel, *entry), now());
  if (const std::string& epoch = entry->position.epoch; !epoch.empty()) {
    // What it has missed follows: until then it is where it was.
    Position at = entry->position;
    if (!entry->missed.empty()) at.offset = since->epoch == epoch ? since->offset : 0;
    std::erase_if(earlier_, [&](const Position& earlier) { return earlier.epoch == epoch; });
    positions_.push_back(std::move(at));
  }
  write_event(own_id(), json);
}

// --- Out ---

FLUX_DECL void SseSession::count_sent(std::size_t messages) noexcept {
  counters().frames_out.add(messages);
  messages_.add_sent(messages);
}

FLUX_DECL void SseSession::write_frames(std::string_view frames) {
  if (reaches_client() && connection_->write(frames) == Sent::dropped) slow_reader();
}

FLUX_DECL void SseSession::write_frames(const core::SharedBytes& bytes, std::size_t begin, std::size_t end) {
  if (reaches_client() && connection_->write(bytes, begin, end) == Sent::dropped) slow_reader();
}

FLUX_DECL void SseSession::slow_reader() {
  if (!connection_->writable()) return;  // it has failed, and is closed in a turn of its own
  counters().slow_readers_closed.add();
  counters().messages_dropped.add();
  close_later(CloseCode::slow_reader, "too slow: the output pending for this client exceeded its limit");
}

/// In a turn of its own: its channels may be delivering.
FLUX_DECL void SseSession::close_later(CloseCode code, std::string reason) {
  if (std::exchange(closing_, true)) return;
  how_ = {code, std::move(reason)};
  loop()->post([self = shared_from_this()] {
    if (self->connection_ != nullptr) self->connection_->close();
  });
}

FLUX_DECL std::string SseSession::own_id() const {
  std::string id = protocol::event_id(positions_);
  if (earlier_.empty()) return id;
  return (id.empty() ? id : id + ",") + protocol::event_id(earlier_);
}

FLUX_DECL void SseSession::write_event(std::string_view id, std::string_view json) {
  std::string event;
  protocol::append_sse_event(event, id, json);
  count_sent();
  write_frames(event);
}

FLUX_DECL void SseSession::write_with_own_id(std::string_view event) {
  const std::size_t line = event.find('\n');
  const auto moved = protocol::read_event_id(event.substr(0, line));
  event.remove_prefix(line + 1);
  if (moved && !moved->empty()) {
    const Position& to = moved->front();
    for (Position& at : positions_) {
      if (at.epoch == to.epoch) at.offset = to.offset;
    }
    write_frames("id: " + own_id() + "\n");
  }
  write_frames(event);
}

/// Delivers events with `Ids::of_client`.
struct SseSession::OwnIdReader : endpoints::StreamReader<SseSession> {
  void take(const core::Batch& batch, const core::Run& run) const {
    for (std::size_t i = run.first; i < run.last && open(); ++i) {
      const std::size_t begin = i == 0 ? 0 : batch.segments[i - 1].end;
      session.count_sent();
      session.write_with_own_id(std::string_view(*batch.bytes).substr(begin, batch.segments[i].end - begin));
    }
  }
};

FLUX_DECL void SseSession::deliver(const core::Batch& batch, std::span<const core::Listed> listed,
                                   core::LaneSeat& seat) {
  if (writer_->ids() == protocol::SseWriter::Ids::of_client) {
    return core::deliver_to(OwnIdReader{{*this}}, batch, listed, seat);
  }
  core::deliver_to(endpoints::StreamReader<SseSession>{*this}, batch, listed, seat);
}

FLUX_DECL const void* SseSession::hot_memory() const noexcept { return connection_->hot_memory(); }

FLUX_DECL void SseSession::tell(const features::Notice& notice) {
  if (!reaches_client()) return;
  std::string event;
  writer_->notice(event, notice);
  count_sent();
  if (writer_->ids() == protocol::SseWriter::Ids::of_client) return write_with_own_id(event);
  write_frames(event);
}

FLUX_DECL void SseSession::on_drained() {
  const auto stopped = [this] { return !is_open() || connection_->congested(); };
  const auto write = [this](const core::SharedBytes& event) {
    if (writer_->ids() == protocol::SseWriter::Ids::of_channel) return endpoints::write_whole(*this, event);
    count_sent();
    write_with_own_id(*event);
  };
  catch_up(stopped, write);
}

/// A comment as heartbeat, unless something is on its way: proxies close what is silent.
FLUX_DECL void SseSession::on_deadline() {
  if (!reaches_client()) return;
  if (connection_->outbox_bytes() == 0) write_frames(":\n\n");
  if (reaches_client()) connection_->set_deadline(backend().config.limits.ping_interval);
}

// --- The end ---

FLUX_DECL void SseSession::on_end() { close_later(CloseCode::going_away, "the client has disconnected"); }

FLUX_DECL void SseSession::on_stop() { close_session(CloseCode::going_away, "the server is stopping"); }

FLUX_DECL void SseSession::close_session(CloseCode code, std::string_view reason) {
  loop()->dispatch([self = shared_from_this(), code, reason = core::repaired(std::string(reason))] {
    if (self->connection_ == nullptr || self->closing_) return;
    self->flush_audiences();
    if (self->connection_ == nullptr || self->closing_) return;
    std::string members, json;
    JsonObject(members).number("code", static_cast<std::uint64_t>(code)).string("reason", reason).end();
    protocol::append_realtime_reply(json, "closed", {}, members, self->now());
    std::string event;
    protocol::append_sse_event(event, {}, json);
    self->connection_->write(event);
    self->how_ = {code, reason};
    self->closing_ = true;
    self->loop()->post([self] {
      if (self->connection_ != nullptr) self->connection_->finish(self->backend().config.limits.close_timeout);
    });
  });
}

FLUX_DECL Result<Sent> SseSession::send(std::string_view event, const JsonText& payload, const RoomId&) {
  // A handle may outlive the server. As long as this session is connected the server exists, and the lock keeps it
  // connected.
  std::unique_lock lock(loop()->sessions_mutex());
  const auto gone = [this] { return Error(Errc::session_not_found, "session " + id() + " is gone"); };
  if (!connected()) return gone();
  if (const auto checked = check_event(event, payload, backend().config.limits); !checked) return checked.error();
  std::string json;
  protocol::append_realtime_event(json, event, Relayed(payload).text(), now());
  lock.unlock();
  const auto write = [self = shared_from_this(), json = std::move(json)] {
    if (!self->reaches_client()) return Sent::dropped;
    self->write_event({}, json);
    return self->reaches_client() && self->connection_->congested() ? Sent::congested : Sent::queued;
  };
  if (loop()->here()) return write();
  if (!loop()->post(write)) return gone();
  return Sent::queued;
}

/// Its clients can't show that they are in a room.
FLUX_DECL void SseSession::be_placed(const Placement&, const Done<void>& done) {
  done(Error(Errc::forbidden, "clients of server-sent events can't be in rooms"));
}

}  // namespace flux::detail
