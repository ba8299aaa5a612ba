#pragma once

#include <flux/detail/features/participant.hpp>
#include <flux/detail/features/participant.ipp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

namespace flux::features {

// --- Rooms ---

FLUX_DECL Membership* Participant::membership_of(const RoomId& room) const {
  for (auto membership = memberships_.rbegin(); membership != memberships_.rend(); ++membership) {
    if ((*membership)->room->id() == room) return membership->get();
  }
  return nullptr;
}

FLUX_DECL Membership* Participant::membership_in(const RoomPtr& room) const {
  for (const auto& membership : memberships_) {
    if (membership->room == room) return membership.get();
  }
  return nullptr;
}

struct Participant::Joining {
  RoomId room;
  JsonText presence;
  JoinTerms terms;
  Welcome welcome;
  Done<void> done;
  RoomPtr from{};                        // the room that it leaves for that; null: none
  std::string reason{};                  // why it leaves that
  std::optional<RoomOptions> creates{};  // the room, if it does not exist; none: the application has not been asked
  bool is_new = false;                   // it was not a member before
  std::string application_welcome{};     // as in `RoomSnapshot`
  bool sets_presence = false;            // the client sets one, not the application
};

/// Errors: limit_exceeded. `leaves`: as in `may_join`.
FLUX_DECL Result<void> Participant::may_add_room(const RoomId& room, const JoinTerms& terms, std::size_t leaves) const {
  const bool has_place = terms.switches_rooms || memberships_.size() < terms.rooms_max + leaves;
  if (has_place || membership_of(room) != nullptr) return {};
  return Error(Errc::limit_exceeded, "in " + std::to_string(terms.rooms_max) + " rooms already; leave one first");
}

/// `room`: null if it does not exist.
FLUX_DECL gate::RoomPermits Participant::permits_in(const Joining& joining, const Room* room) const {
  const Demands* demands = &backend().config.rooms.demands;
  if (joining.creates && joining.creates->demands) demands = &*joining.creates->demands;
  if (room != nullptr) demands = room->demands();
  if (demands == nullptr) return {};
  return {demands, grant().get(), joining.room};
}

/// What the room demands of a client that joins it; `room`: null if it does not exist. Errors: forbidden; unauthorized.
FLUX_DECL Result<void> Participant::may_enter(const Joining& joining, const Room* room) const {
  const gate::RoomPermits permits = permits_in(joining, room);
  if (!permits.allow(joining.sets_presence ? gate::RoomAct::presence : gate::RoomAct::join)) {
    return gate::insufficient(grant().get(), "room", joining.room);
  }
  return room == nullptr && joining.terms.creates_rooms ? may_create_room(joining.room) : Result<void>();
}

FLUX_DECL Result<void> Participant::may_create_room(const RoomId& room) const {
  const std::string& operation = backend().config.rooms.create_demand;
  if (operation.empty() || gate::meets(grant().get(), operation, room)) return {};
  return gate::insufficient(grant().get(), "room", room);
}

/// Errors, as far as they can be known: those of `join`. `leaves`: how many rooms the client leaves for that.
FLUX_DECL Result<void> Participant::may_join(const Joining& joining, std::size_t leaves) const {
  if (auto checked = backend().rooms.check_id(joining.room); !checked) return checked;
  const RoomPtr found = backend().rooms.find(joining.room);
  if (auto allowed = may_enter(joining, found.get()); !allowed) return allowed;
  if (!found && !joining.terms.creates_rooms) return no_room(joining.room);
  if (found && membership_in(found) != nullptr) return {};
  if (auto may = may_add_room(joining.room, joining.terms, leaves); !may) return may;
  return found ? found->has_place(identity().get()) : backend().rooms.has_place();
}

namespace participant_detail {

/// Whether it is `{}`.
FLUX_DECL bool is_empty_object(std::string_view json) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  return json.size() - static_cast<std::size_t>(std::count_if(json.begin(), json.end(), is_space)) <= 2;
}

}  // namespace participant_detail

FLUX_DECL void Participant::join(const RoomId& room, std::optional<JsonText> presence, const JoinTerms& terms,
                                 Welcome welcome, const Done<void>& done) {
  const auto joining = std::make_shared<Joining>(Joining{room, {}, terms, std::move(welcome), done});
  joining->sets_presence = presence && !participant_detail::is_empty_object(presence->text());
  if (const auto may = may_join(*joining); !may) return done(may.error());
  if (presence) {
    if (const auto may = may_write({}, presence->text()); !may) return done(may.error());
  }
  JoinRequest request(session_handle(), room, presence ? std::move(*presence) : presence_in(room));
  permitted("join", backend().handlers.join, request, done, [this, joining](JoinRequest& permitted) {
    joining->room = permitted.room;
    joining->presence = std::move(permitted.presence);
    if (permitted.welcome) joining->application_welcome = permitted.welcome->text();
    join_permitted(joining);
  });
}

/// What the client has set there; `{}` if it is not a member.
FLUX_DECL JsonText Participant::presence_in(const RoomId& room) const {
  const RoomPtr found = backend().rooms.find(room);
  const Membership* const before = found ? membership_in(found) : nullptr;
  return before != nullptr ? found->presence_of(*before) : detail::CheckedJson::text("{}");
}

/// A join that waits for the chat store, until it answers or the time is up.
class Participant::WaitingJoin final : public std::enable_shared_from_this<WaitingJoin> {
 public:
  WaitingJoin(std::shared_ptr<Participant> participant, std::shared_ptr<Joining> joining)
      : participant_(std::move(participant)), joining_(std::move(joining)) {}

  void begin() {
    Backend& backend = participant_->backend();
    const auto most = backend.config.chat.join_history_timeout;
    participant_->hold_requests();
    timer_ = participant_->loop()->call_after(most, [join = shared_from_this(), most] { join->give_up(most); });
    backend.chat->history(
        joining_->room, joining_->terms.chat,
        [join = shared_from_this(), loop = participant_->loop()](Result<ChatPage> chat, const ChatLog::Turn& turn) {
          loop->dispatch([join, chat = std::move(chat), turn] { join->answered(chat); });
        });
  }

 private:
  void give_up(std::chrono::milliseconds waited) {
    if (!participant_) return;
    (void)participant_->backend().chat_faults->misbehaved("did not answer a join within " +
                                                          std::to_string(waited.count()) + " ms");
    end(Error(Errc::overloaded, "the chat store is too slow; request the history later"));
  }
  void answered(const Result<ChatPage>& chat) {
    if (!participant_) return;
    participant_->loop()->cancel(timer_);
    end(chat);
  }
  void end(const Result<ChatPage>& chat) {
    const auto participant = std::exchange(participant_, nullptr);
    if (!participant->is_open()) return;
    participant->finish_join(joining_, participant->enter(*joining_, chat));
    participant->release_requests();
  }

  std::shared_ptr<Participant> participant_;  // null: it is over
  const std::shared_ptr<Joining> joining_;
  core::TimerQueue::Id timer_{};
};

/// How many rooms the client leaves for that.
FLUX_DECL std::size_t Participant::leaves_for(const Joining& joining) const {
  return joining.from && membership_in(joining.from) != nullptr ? 1 : 0;
}

/// Called again when the application permits the room to be created: the verdicts may have come later.
FLUX_DECL void Participant::join_permitted(const std::shared_ptr<Joining>& joining) {
  const auto may = may_join(*joining, leaves_for(*joining));
  if (!may) return joining->done(may.error());
  if (joining->creates || backend().rooms.find(joining->room)) return read_history(joining);
  ask_to_create(joining->room, {}, joining->done, [this, joining](const RoomOptions& options) {
    joining->creates = options;
    join_permitted(joining);
  });
}

FLUX_DECL void Participant::read_history(const std::shared_ptr<Joining>& joining) {
  const JoinTerms& terms = joining->terms;
  if (terms.chat.limit == 0) return finish_join(joining, enter(*joining, ChatPage()));
  const RoomPtr found = backend().rooms.find(joining->room);
  if (!permits_in(*joining, found.get()).allow(gate::RoomAct::history)) {
    return finish_join(joining, enter(*joining, gate::insufficient(grant().get(), "room", joining->room)));
  }
  if (backend().chat->blocks()) {
    if (holds_ < waiting_joins_max) return std::make_shared<WaitingJoin>(self(), joining)->begin();
    return finish_join(joining, Error(Errc::overloaded, "too many joins wait for the chat store"));
  }
  Result<void> entered = Error(Errc::store_failed, "the chat store gave no answer");
  backend().chat->history(joining->room, terms.chat,
                          [&](const Result<ChatPage>& chat, const auto&) { entered = enter(*joining, chat); });
  finish_join(joining, entered);
}

/// Becomes a member. Sends nothing and calls no handler, because the chat's lock may be held.
FLUX_DECL Result<void> Participant::enter(Joining& joining, const Result<ChatPage>& chat) {
  // Other joins may have been completed, and the grant may have changed, while the history was read.
  if (auto may = may_add_room(joining.room, joining.terms, leaves_for(joining)); !may) return may;
  Result<void> joined;
  do {  // repeated if the room ended between the two steps
    RoomPtr found = backend().rooms.find(joining.room);
    if (auto allowed = may_enter(joining, found.get()); !allowed) return allowed;
    if (!found && joining.creates) {
      const auto made = backend().rooms.find_or_create(joining.room, *joining.creates);
      if (!made) return made.error();
      found = *made;
      if (auto allowed = may_enter(joining, found.get()); !allowed) return allowed;  // another client has created it
    }
    if (!found) return no_room(joining.room);
    joined = enter_room(joining, found, chat);
  } while (!joined && joined.error().code() == Errc::room_not_found);
  return joined;
}

/// The client has the permissions to join. Without that for the history, the welcome has none.
FLUX_DECL Result<void> Participant::enter_room(Joining& joining, const RoomPtr& room, const Result<ChatPage>& read) {
  const auto granted = grant();
  const gate::RoomPermits permits = room->permits(granted.get());
  const bool gets_history = permits.allow(gate::RoomAct::history);
  std::optional<Result<ChatPage>> none;
  if (!gets_history && joining.terms.chat.limit != 0) none = gate::insufficient(granted.get(), "room", room->id());
  const Result<ChatPage>& chat = none ? *none : read;
  std::size_t bytes_left = backend().config.limits.answer_bytes_max;
  if (chat) {
    for (const ChatMessage& message : chat->entries) bytes_left -= std::min(bytes_left, json_bytes(message));
  }
  bytes_left -= std::min(bytes_left, joining.application_welcome.size());
  const Joiner joiner{key(),
                      id(),
                      identity(),
                      &outlet(),
                      loop(),
                      &view(),
                      bytes_left,
                      joining.terms.lists_members,
                      joining.application_welcome,
                      gets_history};
  const auto describe = [&](const RoomSnapshot& snapshot) { joining.welcome(snapshot, chat); };
  if (Membership* const member = membership_in(room)) {
    member->permits = permits;
    return room->join_again(*member, joiner, joining.presence.text(), describe);
  }
  auto membership = std::make_unique<Membership>();
  membership->permits = permits;
  if (auto joined = room->join(*membership, joiner, joining.presence.text(), describe); !joined) return joined;
  const std::lock_guard lock(loop()->sessions_mutex());
  memberships_.push_back(std::move(membership));
  joining.is_new = true;
  return {};
}

FLUX_DECL void Participant::finish_join(const std::shared_ptr<Joining>& joining, const Result<void>& entered) {
  debug([&] {
    const std::string room = "\"" + core::shown(joining->room) + "\"";
    return entered ? "joined room " + room : "did not join room " + room + ": " + entered.error().message();
  });
  if (!entered) {
    const bool ended = entered.error().code() == Errc::room_not_found && joining->terms.creates_rooms;
    return ended && !joining->creates ? join_permitted(joining) : joining->done(entered);
  }
  if (joining->creates) (void)backend().open_room(membership_of(joining->room)->room);  // a failure ends the room
  const RoomPtr from = joining->from ? take_out(joining->from) : nullptr;
  if (from) tell_left(from->id(), joining->reason);
  const bool leaves = joining->terms.switches_rooms && memberships_.size() > joining->terms.rooms_max;
  if (leaves) memberships_.front()->lane->flush_now();  // earlier messages of that room are sent before the welcome
  joining->done({});
  if (from) tell_application_left(from);
  if (leaves && !memberships_.empty()) leave(0);
  if (joining->is_new) tell_joined(*joining);
}

FLUX_DECL void Participant::tell_joined(const Joining& joining) {
  if (!backend().handlers.joined || membership_of(joining.room) == nullptr) return;
  backend().guarded(loop()->counters(), "joined", [&] { backend().handlers.joined(session_handle(), joining.room); },
                    remote(), {.room = &joining.room});
}

FLUX_DECL void Participant::leave_room(const RoomPtr& room) {
  if (const RoomPtr left = take_out(room)) tell_application_left(left);
}

/// Null: it is not a member.
FLUX_DECL Participant::RoomPtr Participant::take_out(const RoomPtr& room) {
  for (std::size_t i = 0; i < memberships_.size(); ++i) {
    if (memberships_[i]->room == room) return take_out(i);
  }
  return nullptr;
}

/// Ends the membership, once the client has been sent what the room sent before. The application is told separately.
FLUX_DECL Participant::RoomPtr Participant::take_out(std::size_t index) {
  if (is_open()) memberships_[index]->lane->flush_now();
  std::unique_ptr<Membership> membership;
  {
    const std::lock_guard lock(loop()->sessions_mutex());
    membership = std::move(memberships_[index]);
    memberships_.erase(memberships_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  RoomPtr room = membership->room;
  debug([&] { return "left room \"" + core::shown(room->id()) + "\""; });
  if (extras_) extras_->throttle.forget(room);
  room->leave(*membership);
  backend().rooms.end_if_empty(room, *loop());
  return room;
}

FLUX_DECL void Participant::tell_application_left(const RoomPtr& room) {
  if (backend().handlers.leave) {
    backend().guarded(loop()->counters(), "leave", [&] { backend().handlers.leave(session_handle(), room->id()); },
                      remote(), {.room = &room->id()});
  }
}

// --- Rooms, as the application decides ---

namespace participant_detail {

/// Calls `done` once with the result of a join, leave or move: session_not_found if the client disconnected before there
/// was a result.
class OwedResult {
 public:
  OwedResult(SessionId id, detail::SessionState::WhenDone done) : id_(std::move(id)), done_(std::move(done)) {}
  OwedResult(const OwedResult&) = delete;
  OwedResult& operator=(const OwedResult&) = delete;
  ~OwedResult() { give(Error(Errc::session_not_found, "session " + id_ + " is gone")); }
  void give(const Result<void>& result) {
    if (const auto done = std::exchange(done_, nullptr)) done(result);
  }

 private:
  const SessionId id_;
  detail::SessionState::WhenDone done_;
};

}  // namespace participant_detail

FLUX_DECL void Participant::place(Placement placement, SessionState::WhenDone done) {
  loop()->post([self = self(), placement = std::move(placement),
                owed = std::make_shared<participant_detail::OwedResult>(id(), std::move(done))] {
    if (!self->is_open()) return;
    self->be_placed(placement, [owed](const Result<void>& placed) { owed->give(placed); });
  });
}

FLUX_DECL void Participant::put_out(RoomId room, std::string reason, SessionState::WhenDone done) {
  loop()->post([self = self(), room = std::move(room), reason = std::move(reason),
                owed = std::make_shared<participant_detail::OwedResult>(id(), std::move(done))] {
    // A client whose grant was withdrawn since is still told why it leaves.
    const bool can_be_told = self->is_open() || (self->withdrawn() && self->connected());
    if (can_be_told) owed->give(self->remove_from(room, reason));
  });
}

FLUX_DECL Result<void> Participant::remove_from(const RoomId& room, std::string_view reason) {
  const auto left = room_of_member(room);
  if (!left) return left.error();
  take_out(*left);
  tell_left(room, reason);
  tell_application_left(*left);
  return {};
}

/// Errors: room_not_found; not_in_room.
FLUX_DECL Result<Participant::RoomPtr> Participant::room_of_member(const RoomId& room) const {
  if (const Membership* const membership = membership_of(room)) return membership->room;
  if (!backend().rooms.find(room)) return no_room(room);
  return Error(Errc::not_in_room, "session " + id() + " is not in room \"" + room + "\"");
}

FLUX_DECL void Participant::join_placed(const Placement& placement, JoinTerms terms, Welcome welcome,
                                        const Done<void>& done) {
  Result<RoomPtr> from = RoomPtr();
  if (placement.from) from = room_of_member(*placement.from);
  if (!from) return done(from.error());
  if (placement.from == placement.room) return done(Error(Errc::invalid_argument, "a room can't be left for itself"));
  JsonText presence = placement.presence ? *placement.presence : presence_in(placement.from.value_or(placement.room));
  if (const auto checked = detail::check_presence(presence, backend().config.limits); !checked) {
    return done(checked.error());
  }
  terms.creates_rooms = false;
  join_permitted(std::make_shared<Joining>(Joining{placement.room, std::move(presence), terms, std::move(welcome), done,
                                                   std::move(*from), placement.reason}));
}

// --- Creating and closing rooms ---

FLUX_DECL Result<void> Participant::may_create(const RoomId& room) {
  if (auto checked = backend().rooms.check_id(room); !checked) return checked;
  if (auto allowed = may_create_room(room); !allowed) return allowed;
  auto& created = extras().created_rooms;
  std::erase_if(created, [](const auto& own) { return own.expired(); });
  if (created.size() >= backend().config.limits.rooms_created_max) {
    return Error(Errc::limit_exceeded,
                 "this " + std::string(noun()) + " has already created " + std::to_string(created.size()) + " rooms");
  }
  return backend().rooms.may_create(room);
}

template <class T, class Then>
void Participant::ask_to_create(const RoomId& room, const RoomOptions& options, const Done<T>& done, const Then& then) {
  RoomCreation creation(session_handle(), room, options);
  permitted("create room", backend().handlers.create_room, creation, done,
            [then](const RoomCreation& permitted) { then(permitted.options); });
}

FLUX_DECL void Participant::create_room(const RoomId& room, const RoomOptions& options, const Done<RoomPtr>& done) {
  if (const auto may = may_create(room); !may) return done(may.error());
  ask_to_create(room, options, done,
                [this, room, done](const RoomOptions& permitted) { create_permitted(room, permitted, done); });
}

FLUX_DECL void Participant::create_permitted(const RoomId& room, const RoomOptions& options,
                                             const Done<RoomPtr>& done) {
  if (const auto may = may_create(room); !may) return done(may.error());
  const auto made = backend().rooms.create(room, options);
  if (!made) return done(made.error());
  extras().created_rooms.push_back(*made);
  backend().open_room(*made, [self = self(), done, made = *made](const Result<void>& opened) {
    self->loop()->dispatch([self, done, made, opened] { done(opened.transform([&] { return made; })); });
  });
}

FLUX_DECL Result<void> Participant::close_room(const RoomId& room, std::string_view reason) {
  if (auto checked = backend().rooms.check_id(room); !checked) return checked;
  const RoomPtr found = backend().rooms.find(room);
  const auto not_found = [&] { return Error(Errc::room_not_found, "no room \"" + room + "\""); };
  if (!found) return not_found();
  const bool is_own = extras_ && std::any_of(extras_->created_rooms.begin(), extras_->created_rooms.end(),
                                             [&](const auto& own) { return own.lock() == found; });
  if (!is_own) return Error(Errc::forbidden, "Only the creator of a room may close it.");
  if (!backend().rooms.take_out(found, reason.empty() ? "closed by its creator" : reason)) return not_found();
  backend().clear_room(found);
  return {};
}

FLUX_DECL RoomsPage Participant::rooms_page(std::string_view after, std::size_t limit,
                                            const std::function<std::size_t(const RoomInfo&)>& bytes_of) const {
  PageSize size(backend().config.limits.answer_bytes_max);
  RoomsPage page;
  for (const auto& room : backend().rooms.page(after, limit + 1)) {  // one more, to know whether there are more
    RoomInfo info = room->info();
    page.more = page.rooms.size() == limit || !size.takes(bytes_of(info));
    if (page.more) break;
    page.rooms.push_back(std::move(info));
  }
  return page;
}

FLUX_DECL MembersPage Participant::members(const Membership& membership, std::size_t limit, std::uint64_t after) const {
  if (!may(membership, gate::RoomAct::join)) return {};  // it leaves the room in the next turn
  return membership.room->presence({limit, after, backend().config.limits.answer_bytes_max});
}

FLUX_DECL Result<ItemsPage> Participant::items(Membership& membership, std::size_t limit, Offset before) const {
  if (const auto allowed = may(membership, gate::RoomAct::history); !allowed) return allowed.error();
  return membership.room->items_sent_to(membership, page(limit, before));
}

FLUX_DECL Error Participant::no_longer_in(const RoomId& room) const {
  return {Errc::not_in_room, "not in room \"" + room + "\" any more"};
}

}  // namespace flux::features
