#pragma once

#include <flux/detail/core/delivery.hpp>
#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/file_share.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <algorithm>

namespace flux::detail {

FLUX_DECL LiveSession::LiveSession(Hub& hub, transport::Connection& connection, const core::ClientAddress& client,
                                   transport::WebSocketService& service, int deflate_window_bits,
                                   std::shared_ptr<const Grant> grant)
    : WebSocketStream(connection, service, service.limits->message_bytes_max, deflate_window_bits),
      SessionState(hub.new_key(), connection.shared_loop(), client, std::move(grant)),
      hub_(hub) {}

FLUX_DECL LiveSession::~LiveSession() = default;

FLUX_DECL void LiveSession::opened() {
  start();
  connected_ = true;
  loop()->counters().sessions_now.add();
  hub_.sessions.add(self());
  if (const auto known = identity()) hub_.sessions.add_user(known->user_id, key());
}

FLUX_DECL void LiveSession::on_disconnect(const Disconnect& how) {
  if (!connected_) return;
  const auto keep = self();
  while (!memberships_.empty()) leave(memberships_.size() - 1);
  if (extras_) {
    hub_.public_space->unwatch(extras_->public_seat);
    // A room that was made and never joined goes with its maker.
    for (const auto& created : extras_->created_rooms) {
      if (const auto room = created.lock()) hub_.rooms.end_if_empty(room, *loop());
    }
    extras_.reset();
  }
  {
    const std::lock_guard lock(loop()->sessions_mutex());
    connected_ = false;
  }
  loop()->counters().sessions_now.subtract();
  if (const auto known = identity()) hub_.sessions.remove_user(known->user_id, key());
  hub_.sessions.remove(key());
  if (hub_.handlers.disconnect) {
    hub_.guarded(loop()->counters(), "disconnect", [&] { hub_.handlers.disconnect(handle_of_this(), how); });
  }
}

// --- What others ask, from any thread ---

FLUX_DECL std::vector<RoomId> LiveSession::rooms() const {
  const std::lock_guard lock(loop()->sessions_mutex());
  std::vector<RoomId> ids;
  for (const auto& membership : memberships_) ids.push_back(membership->room->id());
  return ids;
}

FLUX_DECL Result<void> LiveSession::send(std::string_view event, const JsonText& payload, const RoomId& room) {
  // A handle may be all that is left of a server. While this session is connected the server is there, and the lock
  // keeps it so.
  std::unique_lock lock(loop()->sessions_mutex());
  const auto gone = [&] { return Error(Errc::session_not_found, "session " + SessionState::id() + " is gone"); };
  if (!connected()) return gone();
  if (auto checked = check_event(event, payload, hub_.config.limits); !checked) return checked;
  if (auto checked = check_label(room); !checked) return checked;
  std::string frame;
  writer().event(frame, {room, server_connection_id, {}, event, Relayed(payload).text()});
  lock.unlock();
  const bool posted = loop()->dispatch([self = self(), frame = std::move(frame)] {
    if (!self->open()) return;
    self->counters().frames_out.add();
    self->write_frames(frame);
  });
  if (!posted) return gone();
  return {};
}

FLUX_DECL void LiveSession::close_session(CloseCode code, std::string_view reason) {
  loop()->dispatch([self = self(), code, reason = core::repaired(std::string(reason))] { self->close(code, reason); });
}

FLUX_DECL void LiveSession::leave_room(const std::shared_ptr<features::Room>& room) {
  for (std::size_t i = 0; i < memberships_.size(); ++i) {
    if (memberships_[i]->room == room) return leave(i);
  }
}

// --- Out ---

FLUX_DECL void LiveSession::flush_rooms() {
  for (const auto& membership : memberships_) membership->lane->flush_now();
  if (extras_ && extras_->public_seat.lane) extras_->public_seat.lane->flush_now();
}

FLUX_DECL void LiveSession::ack(std::string_view id, std::string_view payload) {
  if (id.empty() || !open()) return;
  std::string frame;
  writer().ack(frame, id, payload);
  counters().frames_out.add();
  write_frames(frame);
}

FLUX_DECL void LiveSession::fail(std::string_view id, const Error& error) {
  if (!open()) return;
  counters().messages_bad.add();
  std::string frame;
  writer().error(frame, id, error);
  counters().frames_out.add();
  write_frames(frame);
}

/// As `core::deliver_to` sees the session.
struct LiveSession::Reader {
  LiveSession& session;
  bool open() const { return session.open(); }
  bool congested() const { return session.connection()->congested(); }
  void held_back() const { session.counters().presence_coalesced.add(); }
  void take(const core::Batch& batch, const core::Run& run) const {
    session.counters().frames_out.add(run.segments());
    if (run.inserts.empty()) {
      session.write_frames(batch.bytes, run.begin(batch), run.end(batch));
      return;
    }
    core::for_each_part(
        batch, run, [&](std::size_t begin, std::size_t end) { session.write_frames(batch.bytes, begin, end); },
        [&](const core::Insert& insert) { session.write_frames(insert.bytes, 0, insert.bytes->size()); });
  }
};

FLUX_DECL void LiveSession::deliver(const core::Batch& batch, std::span<const core::Exclusion> exclusions,
                                    core::LaneSeat& seat) {
  core::deliver_to(Reader{*this}, batch, exclusions, seat);
}

FLUX_DECL const void* LiveSession::hot_memory() const noexcept { return connection()->hot_memory(); }

FLUX_DECL void LiveSession::on_drained() {
  for (const auto& membership : memberships_) {
    if (!open() || connection()->congested()) return;  // the rest follows when that has gone out
    std::string frame;
    if (!membership->room->catch_up(*membership, writer(), frame)) {
      counters().slow_readers_closed.add();
      return close(CloseCode::slow_reader, "too slow: the presence it missed is no longer known");
    }
    if (frame.empty()) continue;
    counters().frames_out.add();
    write_frames(frame);
  }
  if (!extras_ || !open() || connection()->congested()) return;
  if (const auto list = hub_.public_space->catch_up(extras_->public_seat)) {
    counters().frames_out.add();
    write_frames(list, 0, list->size());
  }
}

// --- In ---

/// JSON in a binary frame is read, too: its UTF-8 is checked along with it.
FLUX_DECL void LiveSession::on_message(std::string_view text, MessageType) {
  if (!within_rate(text)) return;
  Request request;
  if (const auto read = protocol::read_live_request(text, hub_.config.limits, request); !read) {
    return fail(request.id, read.error());
  }
  handle(request);
}

FLUX_DECL bool LiveSession::within_rate(std::string_view text) {
  const Limits& limits = hub_.config.limits;
  if (limits.messages_per_second == 0) return true;
  if (rate_limit_.allow(loop()->clock().now(), limits.messages_per_second, limits.message_burst)) {
    if (extras_) extras_->strikes = 0;
    return true;
  }
  counters().messages_rate_limited.add();
  if (limits.rate_limit_strikes_max != 0 && ++extras().strikes >= limits.rate_limit_strikes_max) {
    close(CloseCode::rate_limited, "too many messages");
  } else {
    // Whoever waits for an ack is to hear of it; but a large message is not worth reading only to be refused. Cut behind
    // a comma, so that no number is taken for a whole one.
    constexpr std::size_t read_bytes_max = 4096;
    if (text.size() > read_bytes_max) text = text.substr(0, text.find_last_of(',', read_bytes_max - 1) + 1);
    Request request;
    (void)protocol::read_live_request(text, limits, request);
    fail(request.id, Error(Errc::rate_limited, "more than " + std::to_string(limits.messages_per_second) +
                                                   " messages a second; this one was not acted on"));
  }
  return false;
}

FLUX_DECL void LiveSession::handle(Request& request) {
  using Type = protocol::LiveType;
  switch (request.type) {
    case Type::join_room: return join_room(request);
    case Type::leave_room: return leave_room(request);
    case Type::update_presence: return update_presence(request);
    case Type::broadcast_event: return broadcast_event(request);
    case Type::send_chat: return send_chat(request);
    case Type::create_room: return create_room(request);
    case Type::share: return share(request);
    case Type::get_history: return get_history(request);
    case Type::get_presence: return get_presence(request);
    case Type::room_items: return room_items(request);
    case Type::upload_ticket: return upload_ticket(request);
    case Type::public_upload_ticket: return give_ticket(request.id, {});
    case Type::public_share: return public_share(request);
    case Type::public_history: return public_history(request);
    case Type::public_delete_last: return public_delete_last(request);
  }
}

template <class Event, class Handler>
bool LiveSession::permitted(std::string_view id, std::string_view what, const Handler& handler, Event& event) {
  if (!hub_.guarded(loop()->counters(), what, [&] { handler(event); })) {
    fail(id, Error(Errc::server_error, "the server failed to handle this message"));
    return false;
  }
  if (event.refused()) {
    fail(id, *event.refused());
    return false;
  }
  const auto checked = hub_.check_handled(loop()->counters(), what, event);
  if (!checked) fail(id, checked.error());
  return checked.ok();
}

FLUX_DECL Session LiveSession::handle_of_this() { return Session(self()); }

FLUX_DECL LiveSession::Extras& LiveSession::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

// --- Rooms ---

FLUX_DECL void LiveSession::join_room(Request& request) {
  JsonText presence = CheckedJson::text(request.presence.empty() ? "{}" : std::string(request.presence));
  if (request.access_token && hub_.gate.token) {
    verify(std::move(*request.access_token),
           [self = self(), id = std::string(request.id), room = std::move(*request.room_id),
            presence = std::move(presence)](bool verified, const std::string& reason) mutable {
             if (!verified) return self->fail(id, Error(Errc::unauthorized, reason));
             self->join_as(id, room, std::move(presence));
           });
    return;
  }
  if (!identity() && (request.name || request.email)) {
    give_grant(Identity{{}, request.name.value_or(""), request.email.value_or(""), {}, false});
  }
  join_as(std::string(request.id), *request.room_id, std::move(presence));
}

/// Asks the verifier; `then` runs on the loop, now or later. Until then nothing more is read from the client.
FLUX_DECL void LiveSession::verify(std::string token, std::function<void(bool, std::string)> then) {
  pause_input();
  const gate::ShownInMessage shown("live", hub_.config.live_path, JsonText(), remote());
  hub_.gate.verify(loop(), shown, std::move(token), [self = self(), then = std::move(then)](Result<Grant> grant) {
    if (!self->open()) return;
    if (grant) {
      self->give_grant(std::move(*grant));
      then(true, {});
    } else {
      then(false, grant.error().message());
    }
    self->resume_input();
  });
}

FLUX_DECL void LiveSession::give_grant(Grant grant) {
  if (const auto before = SessionState::identity()) hub_.sessions.remove_user(before->user_id, key());
  hub_.sessions.add_user(grant.identity.user_id, key());
  set_grant(std::make_shared<const Grant>(std::move(grant)));
}

FLUX_DECL void LiveSession::join_as(const std::string& id, const RoomId& room, JsonText presence) {
  if (const auto checked = hub_.rooms.check_id(room); !checked) return fail(id, checked.error());
  if (hub_.handlers.join) {
    JoinRequest join(handle_of_this(), room, std::move(presence));
    if (!permitted(id, "join", hub_.handlers.join, join)) return;
    presence = std::move(join.presence);
  }
  const std::size_t most = hub_.config.limits.rooms_per_connection;
  if (most > 1 && memberships_.size() >= most && membership_of(room) == nullptr) {
    return fail(id, Error(Errc::limit_exceeded, "in " + std::to_string(most) + " rooms already; leave one first"));
  }
  join_with_history(id, room, presence);
}

/// A join that waits for a store: until it answers, or for so long. Until then nothing more is read from the client.
class LiveSession::WaitingJoin final : public std::enable_shared_from_this<WaitingJoin> {
 public:
  WaitingJoin(std::shared_ptr<LiveSession> session, std::string id, RoomId room, JsonText presence)
      : session_(std::move(session)), id_(std::move(id)), room_(std::move(room)), presence_(std::move(presence)) {}

  void begin(const features::PageRequest& newest) {
    const auto most = session_->hub_.config.chat.join_history_timeout;
    session_->pause_input();
    timer_ = session_->loop()->call_after(most, [join = shared_from_this(), most] { join->give_up(most); });
    session_->hub_.chat->history(room_, newest,
                                 [join = shared_from_this(), loop = session_->loop()](
                                     Result<features::ChatPage> page, const features::ChatLog::Turn& turn) {
                                   loop->dispatch([join, page = std::move(page), turn] { join->answered(page); });
                                 });
  }

 private:
  void give_up(std::chrono::milliseconds waited) {
    if (!session_) return;
    (void)session_->hub_.chat_faults->misbehaved("did not answer a join within " + std::to_string(waited.count()) +
                                                 " ms");
    end(Error(Errc::overloaded, "the chat store takes too long; ask for the history later"));
  }
  void answered(const Result<features::ChatPage>& page) {
    if (!session_) return;
    session_->loop()->cancel(timer_);
    end(page);
  }
  void end(const Result<features::ChatPage>& page) {
    const auto session = std::exchange(session_, nullptr);
    if (!session->open()) return;
    session->welcome(id_, session->enter(room_, presence_, page));
    session->resume_input();
  }

  std::shared_ptr<LiveSession> session_;  // null: it is over
  const std::string id_;
  const RoomId room_;
  const JsonText presence_;
  core::TimerQueue::Id timer_{};
};

/// The room is entered before any later chat is stored, so that nothing falls between the history and what follows.
FLUX_DECL void LiveSession::join_with_history(const std::string& id, const RoomId& room, const JsonText& presence) {
  // A third of the welcome: members and items need the rest.
  const features::PageRequest newest{hub_.config.chat.join_history, 0, hub_.config.limits.answer_bytes_max / 3};
  if (newest.limit == 0) return welcome(id, enter(room, presence, features::ChatPage()));
  if (!hub_.chat->blocks()) {
    Result<std::string> entered = Error(Errc::store_failed, "the chat store gave no answer");
    hub_.chat->history(room, newest, [&](const Result<features::ChatPage>& page, const auto&) {
      entered = enter(room, presence, page);
    });
    return welcome(id, entered);
  }
  std::make_shared<WaitingJoin>(self(), id, room, presence)->begin(newest);
}

/// Becomes a member. The result is the frame that says so; nothing is sent and no handler called, for the chat's lock
/// may be held.
FLUX_DECL Result<std::string> LiveSession::enter(const RoomId& room, const JsonText& presence,
                                                 const Result<features::ChatPage>& history) {
  auto membership = std::make_unique<features::Membership>();
  std::size_t bytes_left = hub_.config.limits.answer_bytes_max;
  if (history) {
    for (const ChatMessage& message : history->entries) {
      bytes_left -= std::min(bytes_left, features::json_bytes(message));
    }
  }
  const features::Joiner joiner{key(), SessionState::id(), identity(), this, loop(), &writer(), bytes_left};
  std::string frame;
  const auto describe = [&](const features::RoomSnapshot& snapshot) { writer().room_joined(frame, snapshot, history); };
  if (features::Membership* member = membership_of(room)) {
    const auto joined_again = member->room->join_again(*member, joiner, presence.text(), describe);
    return joined_again ? Result<std::string>(frame) : joined_again.error();
  }
  Result<void> joined;
  do {  // again where the room ended between the two steps
    const auto found = hub_.rooms.find_or_create(room);
    if (!found) return found.error();
    joined = (*found)->join(*membership, joiner, presence.text(), describe);
  } while (!joined && joined.error().code() == Errc::room_not_found);
  if (!joined) return joined.error();
  const std::lock_guard lock(loop()->sessions_mutex());
  memberships_.push_back(std::move(membership));
  return frame;
}

FLUX_DECL void LiveSession::welcome(std::string_view id, const Result<std::string>& entered) {
  if (!entered) return fail(id, entered.error());
  const bool leaves = memberships_.size() > hub_.config.limits.rooms_per_connection;
  if (leaves) memberships_.front()->lane->flush_now();  // what the room sent before goes before the welcome
  counters().frames_out.add();
  write_frames(*entered);
  ack(id);
  if (leaves) leave(0);
}

FLUX_DECL void LiveSession::leave(std::size_t index) {
  if (open()) memberships_[index]->lane->flush_now();
  std::unique_ptr<features::Membership> membership;
  {
    const std::lock_guard lock(loop()->sessions_mutex());
    membership = std::move(memberships_[index]);
    memberships_.erase(memberships_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  const std::shared_ptr<features::Room> room = membership->room;
  if (extras_) extras_->throttle.forget(room);
  room->leave(*membership);
  hub_.rooms.end_if_empty(room, *loop());
  if (hub_.handlers.leave) {
    hub_.guarded(loop()->counters(), "leave", [&] { hub_.handlers.leave(handle_of_this(), room->id()); });
  }
}

FLUX_DECL features::Membership* LiveSession::membership_of(const RoomId& room) {
  for (const auto& membership : memberships_) {
    if (membership->room->id() == room) return membership.get();
  }
  return nullptr;
}

FLUX_DECL features::Membership* LiveSession::current_room(const Request& request) {
  if (request.room_id) {
    if (features::Membership* named = membership_of(*request.room_id)) return named;
    const bool short_enough = request.room_id->size() <= hub_.config.limits.room_id_bytes_max;
    fail(request.id, Error(Errc::not_in_room, short_enough ? "not in room \"" + *request.room_id + "\"; join it first"
                                                           : std::string("not in that room")));
    return nullptr;
  }
  if (!memberships_.empty()) return memberships_.back().get();
  fail(request.id, Error(Errc::not_in_room, "in no room; join one first"));
  return nullptr;
}

FLUX_DECL void LiveSession::leave_room(Request& request) {
  // A room that one is not in is left already.
  if (!request.room_id) {
    if (!memberships_.empty()) leave(memberships_.size() - 1);
  } else if (const features::Membership* named = membership_of(*request.room_id)) {
    leave_room(std::shared_ptr(named->room));
  }
  ack(request.id);
}

FLUX_DECL void LiveSession::create_room(Request& request) {
  auto& created = extras().created_rooms;
  std::erase_if(created, [](const auto& room) { return room.expired(); });
  if (created.size() >= hub_.config.limits.rooms_created_max) {
    return fail(request.id, Error(Errc::limit_exceeded,
                                  "this connection has created its " + std::to_string(created.size()) + " rooms"));
  }
  const auto room = hub_.rooms.create(*request.room_id, request.room_options);
  if (!room) return fail(request.id, room.error());
  created.push_back(*room);
  hub_.open_room(*room, [self = self(), id = std::string(request.id), room = *room](const Result<void>& opened) {
    self->loop()->dispatch([self, id, room, opened] {
      if (!opened) return self->fail(id, opened.error());
      self->ack(id, protocol::live_room_payload(room->id()));
    });
  });
}

// --- Presence ---

FLUX_DECL void LiveSession::update_presence(Request& request) {
  features::Membership* membership = current_room(request);
  if (membership == nullptr) return;
  std::string presence(request.presence);
  if (hub_.handlers.presence) {
    PresenceChange change(handle_of_this(), membership->room->id(), CheckedJson::text(std::move(presence)));
    if (!permitted(request.id, "presence", hub_.handlers.presence, change)) return;
    presence = std::move(change.presence).text();
  }
  ack(request.id);
  const auto interval = hub_.config.presence_throttle;
  const auto now = loop()->clock().now();
  PresenceThrottle& throttle = extras().throttle;
  if (throttle.pass(now, interval)) return membership->room->update_presence(*membership, std::move(presence));
  if (!throttle.hold({membership->room, std::move(presence)})) return;
  loop()->call_after(throttle.ready() - now, [weak = weak_from_this()] {
    if (const auto stream = weak.lock()) static_cast<LiveSession&>(*stream).release_held_presence();
  });
}

FLUX_DECL void LiveSession::release_held_presence() {
  if (!extras_ || !open()) return;
  for (auto& update : extras_->throttle.take(loop()->clock().now(), hub_.config.presence_throttle)) {
    if (auto* membership = membership_of(update.room->id()); membership != nullptr && membership->room == update.room) {
      update.room->update_presence(*membership, std::move(update.presence));
    }
  }
}

// --- Messages ---

FLUX_DECL void LiveSession::broadcast_event(Request& request) {
  features::Membership* membership = current_room(request);
  if (membership == nullptr) return;
  std::optional<JsonText> changed;
  std::optional<std::string_view> payload;
  if (!request.payload.empty()) payload = request.payload;
  if (hub_.handlers.event) {
    EventMessage message(handle_of_this(), membership->room->id(), std::move(request.event),
                         payload ? std::optional(CheckedJson::text(std::string(*payload))) : std::nullopt);
    if (!permitted(request.id, "event", hub_.handlers.event, message)) return;
    request.event = std::move(message.event);
    changed = std::move(message.payload);
    payload = changed ? std::optional<std::string_view>(changed->text()) : std::nullopt;
  }
  const auto known = identity();
  const SessionId sender = SessionState::id();
  const auto sent = membership->room->publish(
      membership, {membership->room->id(), sender, known ? std::string_view(known->user_id) : std::string_view(),
                   request.event, payload});
  if (!sent) return fail(request.id, sent.error());
  ack(request.id);
}

FLUX_DECL void LiveSession::send_chat(Request& request) {
  features::Membership* membership = current_room(request);
  if (membership == nullptr) return;
  std::string metadata(request.metadata);
  if (hub_.handlers.chat) {
    ChatDraft draft(handle_of_this(), membership->room->id(), std::move(request.message),
                    metadata.empty() ? std::nullopt : std::optional(CheckedJson::text(std::move(metadata))));
    if (!permitted(request.id, "chat", hub_.handlers.chat, draft)) return;
    request.message = std::move(draft.message);
    metadata = draft.metadata ? std::move(*draft.metadata).text() : std::string();
  }
  if (const auto taken = membership->room->takes_messages(); !taken) return fail(request.id, taken.error());
  auto message = hub_.chat_message(*this, membership->room->id(), std::move(request.message), std::move(metadata));
  hub_.chat->append(std::move(message), [self = self(), id = std::string(request.id), room = membership->room](
                                            Result<ChatMessage> stored, const features::ChatLog::Turn&) {
    if (stored) room->publish_chat(*stored);
    self->loop()->dispatch([self, id, stored = std::move(stored)] {
      if (!stored) return self->fail(id, stored.error());
      self->ack(id, "{\"id\":\"" + stored->id + "\",\"createdAt\":" + std::to_string(stored->created_at) +
                        ",\"offset\":" + std::to_string(stored->offset) + "}");
    });
  });
}

FLUX_DECL void LiveSession::get_history(Request& request) {
  features::Membership* membership = current_room(request);
  if (membership == nullptr) return;
  const RoomId& room = membership->room->id();
  hub_.chat->history(room, page_of(request),
                     [self = self(), id = std::string(request.id), room](Result<features::ChatPage> page,
                                                                         const features::ChatLog::Turn&) {
                       self->loop()->dispatch([self, id, room, page = std::move(page)] {
                         if (!page) return self->fail(id, page.error());
                         self->ack(id, protocol::live_history_payload(room, *page));
                       });
                     });
}

FLUX_DECL features::PageRequest LiveSession::page_of(const Request& request) const {
  return {request.limit, request.before, hub_.config.limits.answer_bytes_max};
}

FLUX_DECL void LiveSession::get_presence(Request& request) {
  const features::Membership* membership = current_room(request);
  if (membership == nullptr) return;
  const auto page = membership->room->presence({request.limit, request.after, hub_.config.limits.answer_bytes_max});
  ack(request.id, protocol::live_members_payload(membership->room->id(), page));
}

FLUX_DECL void LiveSession::room_items(Request& request) {
  features::Membership* membership = current_room(request);
  if (membership == nullptr) return;
  const auto page = membership->room->items_sent_to(*membership, page_of(request));
  ack(request.id, protocol::live_items_payload(membership->room->id(), page));
}

FLUX_DECL void LiveSession::upload_ticket(Request& request) {
  const features::Membership* membership = current_room(request);
  if (membership != nullptr) give_ticket(request.id, membership->room->id());
}

FLUX_DECL void LiveSession::give_ticket(std::string_view id, const RoomId& room) {
  const auto ticket = hub_.upload_ticket(*this, room);
  if (!ticket) return fail(id, ticket.error());
  ack(id, protocol::live_ticket_payload(ticket->text, ticket->expires_at));
}

FLUX_DECL void LiveSession::share(Request& request) {
  const features::Membership* membership = current_room(request);
  if (membership == nullptr) return;
  const RoomId room = membership->room->id();
  if (!request.file_id.empty()) return share_file(request, room);
  share_string(request, room);
}

FLUX_DECL void LiveSession::public_share(Request& request) {
  if (!request.file_id.empty()) return share_file(request, {});
  share_string(request, {});
}

FLUX_DECL void LiveSession::share_string(const Request& request, const RoomId& room) {
  const auto data = permitted_to_share(request.id, room, CheckedJson::text(std::string(request.data)));
  if (data) publish_share(request.id, room, {SessionState::id(), *data, 0});
}

/// An empty room is the public space. None: the error has been answered.
FLUX_DECL std::optional<JsonText> LiveSession::permitted_to_share(std::string_view id, const RoomId& room,
                                                                  JsonText data) {
  ShareDraft draft(handle_of_this(), room, std::move(data));
  if (hub_.handlers.share && !permitted(id, "share", hub_.handlers.share, draft)) return std::nullopt;
  return std::move(draft.data);
}

/// Until the store has said what it knows of the file nothing more is read from the client, so what it shares keeps its
/// order. It is held only when the application has agreed: who may end it has it deleted when nobody holds it any more.
FLUX_DECL void LiveSession::share_file(Request& request, const RoomId& room) {
  if (!hub_.files) return fail(request.id, features::no_files());
  pause_input();
  hub_.files->find(request.file_id, [self = self(), id = std::string(request.id), room](Result<FileInfo> file) {
    self->loop()->dispatch([self, id, room, file = std::move(file)] {
      if (!self->open()) return;
      if (file) return self->ask_to_share(id, room, *file);
      self->fail(id, file.error());
      self->resume_input();
    });
  });
}

FLUX_DECL void LiveSession::ask_to_share(const std::string& id, const RoomId& room, const FileInfo& file) {
  detail::ask_to_share(hub_, self(), file, room, [self = self(), id, room, file](Result<features::FileHolder> holder) {
    if (!self->open()) return;
    if (!holder) self->fail(id, holder.error());
    const auto data = holder ? self->permitted_to_share(id, room, features::stored_data(file)) : std::nullopt;
    if (data) return self->hold_and_share(id, room, file.id, *data, std::move(*holder));
    self->resume_input();
  });
}

FLUX_DECL Error no_longer_in_room(const RoomId& room) {
  return Error(Errc::not_in_room, "not in room \"" + room + "\" any more");
}

FLUX_DECL void LiveSession::hold_and_share(const std::string& id, const RoomId& room, const FileId& file,
                                           const JsonText& data, features::FileHolder holder) {
  const features::Membership* membership = room.empty() ? nullptr : membership_of(room);
  if (!room.empty() && membership == nullptr) {
    fail(id, no_longer_in_room(room));
    return resume_input();
  }
  if (membership != nullptr) holder.room = membership->room;
  hub_.hold_file(file, std::move(holder), [self = self(), id, room, data](Result<features::FileHoldPtr> hold) {
    self->loop()->dispatch([self, id, room, data, hold = std::move(hold)] {
      if (!self->open()) return;
      if (hold) {
        self->publish_share(id, room, {self->SessionState::id(), data, 0, *hold});
      } else {
        self->fail(id, hold.error());
      }
      self->resume_input();
    });
  });
}

FLUX_DECL void LiveSession::publish_share(std::string_view id, const RoomId& room, SharedItem item) {
  const features::Membership* membership = room.empty() ? nullptr : membership_of(room);
  if (!room.empty() && membership == nullptr) return fail(id, no_longer_in_room(room));
  const features::KeptRoomPtr kept = membership != nullptr ? membership->room->kept() : hub_.kept_public_space();
  if (!kept) {
    return tell_shared(id, membership != nullptr ? membership->room->share(membership, std::move(item))
                                                 : hub_.public_space->share(std::move(item)));
  }
  const auto taken = membership != nullptr ? membership->room->takes_messages() : hub_.public_space->takes_items();
  if (!taken) return fail(id, taken.error());
  hub_.room_log->share(kept, std::move(item), [self = self(), id = std::string(id)](const Result<Position>& shared) {
    self->loop()->dispatch([self, id, shared] { self->tell_shared(id, shared); });
  });
}

FLUX_DECL void LiveSession::tell_shared(std::string_view id, const Result<Position>& shared) {
  if (!shared) return fail(id, shared.error());
  ack(id, protocol::live_offset_payload(shared->offset));
}

// --- The public space ---

FLUX_DECL void LiveSession::public_history(Request& request) {
  features::PublicSpace& space = *hub_.public_space;
  features::PublicSeat& seat = extras().public_seat;
  const features::PublicWatcher watcher{key(), this, loop()};
  const auto page = request.changes ? space.watch_changes(watcher, &writer(), seat, page_of(request))
                                    : space.watch(watcher, &writer(), seat, page_of(request));
  ack(request.id, protocol::live_items_payload({}, page));
}

FLUX_DECL void LiveSession::public_delete_last(Request& request) {
  std::function<bool(const SharedItem&)> permission;
  if (hub_.handlers.public_delete) {
    permission = [self = self(), id = std::string(request.id)](const SharedItem& item) {
      PublicDelete removal(self->handle_of_this(), item);
      return self->open() && self->permitted(id, "public delete", self->hub_.handlers.public_delete, removal);
    };
  }
  hub_.delete_public_newest(
      loop(), permission,
      [self = self(), id = std::string(request.id)](const Result<bool>& deleted) { self->tell_deleted(id, deleted); });
}

FLUX_DECL void LiveSession::tell_deleted(std::string_view id, const Result<bool>& deleted) {
  if (!deleted) return fail(id, deleted.error());
  ack(id, *deleted ? "{\"deleted\":true}" : "{\"deleted\":false}");
}

}  // namespace flux::detail
