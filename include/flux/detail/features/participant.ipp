#pragma once

#include <flux/detail/core/uuid.hpp>
#include <flux/detail/features/call.hpp>
#include <flux/detail/features/file_share.hpp>
#include <flux/detail/features/file_writer.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <utility>

namespace flux::features {

FLUX_DECL Participant::Participant(Backend& backend, std::uint64_t key, std::shared_ptr<core::Loop> loop,
                                   const core::ClientAddress& remote, std::shared_ptr<const Grant> grant)
    : SessionState(key, std::move(loop), remote, std::move(grant)), backend_(backend) {}

FLUX_DECL Participant::~Participant() = default;

FLUX_DECL Participant::Extras& Participant::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

// --- Life ---

FLUX_DECL void Participant::enter_directory() {
  connected_ = true;
  backend_.sessions.add(self());
  if (const auto known = identity()) backend_.sessions.add_user(known->user_id, key());
  if (grant()) backend_.admitted.watch(self(), gate::Admitted::Find::by_end);
}

FLUX_DECL void Participant::leave_everything(PublicSeat* seat) {
  while (!memberships_.empty()) leave(memberships_.size() - 1);
  if (seat != nullptr) backend_.public_space->unwatch(*seat);
  if (!extras_) return;
  // A room that was made and never joined goes with its maker.
  for (const auto& created : extras_->created_rooms) {
    if (const auto room = created.lock()) backend_.rooms.end_if_empty(room, *loop());
  }
  extras_.reset();
}

FLUX_DECL void Participant::leave_directory(const Disconnect& how) {
  {
    const std::lock_guard lock(loop()->sessions_mutex());
    connected_ = false;
  }
  if (const auto known = identity()) backend_.sessions.remove_user(known->user_id, key());
  if (const auto granted = grant(); granted && granted->expires_at) backend_.admitted.forget(this);
  backend_.sessions.remove(key());
  if (backend_.handlers.disconnect) {
    backend_.guarded(loop()->counters(), "disconnect", [&] { backend_.handlers.disconnect(session_handle(), how); });
  }
}

FLUX_DECL Result<void> Participant::change_grant(Grant grant) {
  const bool posted = connected() && loop()->dispatch([self = self(), grant = std::move(grant)]() mutable {
    if (self->connected()) self->replace_grant(std::move(grant));
  });
  if (!posted) return Error(Errc::session_not_found, "session " + id() + " is gone");
  return {};
}

/// In a turn of its own: a handler that revokes its own session is not to lose it while it runs.
FLUX_DECL void Participant::end_access(CloseCode code, std::string_view reason) {
  loop()->post([self = self(), code, reason = std::string(reason)] {
    if (!self->connected()) return;
    if (self->extras_) self->extras_->undecided.reset();  // a join that is permitted later comes to nothing
    while (!self->memberships_.empty()) self->leave(self->memberships_.size() - 1);
    self->close_session(code, reason);
  });
}

FLUX_DECL void Participant::replace_grant(Grant grant) {
  if (const auto before = identity()) backend_.sessions.remove_user(before->user_id, key());
  backend_.sessions.add_user(grant.identity.user_id, key());
  set_grant(std::make_shared<const Grant>(std::move(grant)));
  backend_.admitted.watch(self(), gate::Admitted::Find::by_end);
}

FLUX_DECL std::vector<RoomId> Participant::rooms() const {
  const std::lock_guard lock(loop()->sessions_mutex());
  std::vector<RoomId> ids;
  for (const auto& membership : memberships_) ids.push_back(membership->room->id());
  return ids;
}

FLUX_DECL void Participant::flush_rooms() {
  for (const auto& membership : memberships_) membership->lane->flush_now();
}

// --- Verdicts that are given later ---

/// Whoever gives the verdict, and may keep it for ever, holds neither the client nor its request.
FLUX_DECL void Participant::await(PendingVerdict& verdict, const std::shared_ptr<Question>& question) {
  const std::weak_ptr<Participant> client = self();
  const std::weak_ptr<Question> asked = question;
  const auto given = verdict.get_or_await([loop = loop(), client, asked](const Result<void>& answer) {
    loop->post([client, asked, answer] {
      const auto participant = client.lock();
      const auto decided = asked.lock();
      if (participant && decided) participant->decide(decided, answer);
    });
  });
  if (given) return question->decide(*given);
  hold_requests();
  auto& undecided = extras().undecided;
  if (!undecided) undecided = std::make_unique<std::vector<std::shared_ptr<Question>>>();
  undecided->push_back(question);
  const auto most = backend_.config.limits.veto_timeout;
  if (most.count() == 0) return;
  question->timer = loop()->call_after(most, [client, asked] {
    const auto participant = client.lock();
    const auto late = asked.lock();
    if (!participant || !late) return;
    late->timer.reset();
    participant->decide(late, Error(Errc::overloaded, "the application took too long to decide; try again"));
  });
}

/// A question is decided once, and not if the client has left.
FLUX_DECL void Participant::decide(const std::shared_ptr<Question>& question, const Result<void>& verdict) {
  if (!extras_ || !extras_->undecided || std::erase(*extras_->undecided, question) == 0) return;
  if (extras_->undecided->empty()) extras_->undecided.reset();
  if (question->timer) loop()->cancel(*question->timer);
  question->decide(verdict);
  if (is_open()) resume_requests();
}

template <class T>
Participant::Done<T> Participant::on_loop(const Done<T>& done) {
  return [self = self(), done](Result<T> result) {
    self->loop()->dispatch([self, done, result = std::move(result)] { done(result); });
  };
}

FLUX_DECL PageRequest Participant::page(std::size_t limit, Offset before) const {
  return {limit, before, backend_.config.limits.answer_bytes_max};
}

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
};

FLUX_DECL void Participant::join(const RoomId& room, std::optional<JsonText> presence, const JoinTerms& terms,
                                 Welcome welcome, const Done<void>& done) {
  if (const auto checked = backend_.rooms.check_id(room); !checked) return done(checked.error());
  const RoomPtr found = backend_.rooms.find(room);
  if (!found && !terms.creates_rooms) return done(Error(Errc::room_not_found, "no room \"" + room + "\""));
  if (!presence) {
    const Membership* const before = found ? membership_in(found) : nullptr;
    presence = before != nullptr ? found->presence_of(*before) : detail::CheckedJson::text("{}");
  }
  JoinRequest request(session_handle(), room, std::move(*presence));
  permitted("join", backend_.handlers.join, request, done,
            [this, terms, welcome = std::move(welcome), done](JoinRequest& permitted) {
              join_permitted(std::make_shared<Joining>(
                  Joining{permitted.room, std::move(permitted.presence), terms, welcome, done}));
            });
}

/// A join that waits for a store: until it answers, or for so long.
class Participant::WaitingJoin final : public std::enable_shared_from_this<WaitingJoin> {
 public:
  WaitingJoin(std::shared_ptr<Participant> participant, std::shared_ptr<Joining> joining)
      : participant_(std::move(participant)), joining_(std::move(joining)) {}

  void begin() {
    Backend& backend = participant_->backend_;
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
    (void)participant_->backend_.chat_faults->misbehaved("did not answer a join within " +
                                                         std::to_string(waited.count()) + " ms");
    end(Error(Errc::overloaded, "the chat store takes too long; ask for the history later"));
  }
  void answered(const Result<ChatPage>& chat) {
    if (!participant_) return;
    participant_->loop()->cancel(timer_);
    end(chat);
  }
  void end(const Result<ChatPage>& chat) {
    const auto participant = std::exchange(participant_, nullptr);
    if (!participant->is_open()) return;
    participant->finish_join(*joining_, participant->enter(*joining_, chat));
    participant->resume_requests();
  }

  std::shared_ptr<Participant> participant_;  // null: it is over
  const std::shared_ptr<Joining> joining_;
  core::TimerQueue::Id timer_{};
};

FLUX_DECL void Participant::join_permitted(const std::shared_ptr<Joining>& joining) {
  const JoinTerms& terms = joining->terms;
  if (!terms.switches_rooms && memberships_.size() >= terms.rooms_max && membership_of(joining->room) == nullptr) {
    return joining->done(
        Error(Errc::limit_exceeded, "in " + std::to_string(terms.rooms_max) + " rooms already; leave one first"));
  }
  if (terms.chat.limit == 0) return finish_join(*joining, enter(*joining, ChatPage()));
  if (backend_.chat->blocks()) return std::make_shared<WaitingJoin>(self(), joining)->begin();
  Result<void> entered = Error(Errc::store_failed, "the chat store gave no answer");
  backend_.chat->history(joining->room, terms.chat,
                         [&](const Result<ChatPage>& chat, const auto&) { entered = enter(*joining, chat); });
  finish_join(*joining, entered);
}

/// Becomes a member. Nothing is sent and no handler called, for the chat's lock may be held.
FLUX_DECL Result<void> Participant::enter(const Joining& joining, const Result<ChatPage>& chat) {
  std::size_t bytes_left = backend_.config.limits.answer_bytes_max;
  if (chat) {
    for (const ChatMessage& message : chat->entries) bytes_left -= std::min(bytes_left, json_bytes(message));
  }
  const Joiner joiner{key(),  id(),         identity(), &outlet(),
                      loop(), &room_view(), bytes_left, joining.terms.lists_members};
  const auto describe = [&](const RoomSnapshot& snapshot) { joining.welcome(snapshot, chat); };
  auto membership = std::make_unique<Membership>();
  Result<void> joined;
  do {  // again where the room ended between the two steps
    Result<RoomPtr> found = joining.terms.creates_rooms ? backend_.rooms.find_or_create(joining.room)
                                                        : Result<RoomPtr>(backend_.rooms.find(joining.room));
    if (!found) return found.error();
    if (*found == nullptr) return Error(Errc::room_not_found, "no room \"" + joining.room + "\"");
    if (Membership* const member = membership_in(*found)) {
      joined = (*found)->join_again(*member, joiner, joining.presence.text(), describe);
      if (joined) return joined;
    } else {
      joined = (*found)->join(*membership, joiner, joining.presence.text(), describe);
    }
  } while (!joined && joined.error().code() == Errc::room_not_found);
  if (!joined) return joined.error();
  const std::lock_guard lock(loop()->sessions_mutex());
  memberships_.push_back(std::move(membership));
  return {};
}

FLUX_DECL void Participant::finish_join(const Joining& joining, const Result<void>& entered) {
  const bool leaves = entered && joining.terms.switches_rooms && memberships_.size() > joining.terms.rooms_max;
  if (leaves) memberships_.front()->lane->flush_now();  // what the room sent before goes before the welcome
  joining.done(entered);
  if (leaves && !memberships_.empty()) leave(0);
}

FLUX_DECL void Participant::leave_room(const RoomPtr& room) {
  for (std::size_t i = 0; i < memberships_.size(); ++i) {
    if (memberships_[i]->room == room) return leave(i);
  }
}

FLUX_DECL void Participant::leave(std::size_t index) {
  if (is_open()) memberships_[index]->lane->flush_now();
  std::unique_ptr<Membership> membership;
  {
    const std::lock_guard lock(loop()->sessions_mutex());
    membership = std::move(memberships_[index]);
    memberships_.erase(memberships_.begin() + static_cast<std::ptrdiff_t>(index));
  }
  const RoomPtr room = membership->room;
  if (extras_) extras_->throttle.forget(room);
  room->leave(*membership);
  backend_.rooms.end_if_empty(room, *loop());
  if (backend_.handlers.leave) {
    backend_.guarded(loop()->counters(), "leave", [&] { backend_.handlers.leave(session_handle(), room->id()); });
  }
}

FLUX_DECL void Participant::create_room(const RoomId& room, const RoomOptions& options, const Done<RoomPtr>& done) {
  auto& created = extras().created_rooms;
  std::erase_if(created, [](const auto& own) { return own.expired(); });
  if (created.size() >= backend_.config.limits.rooms_created_max) {
    return done(Error(Errc::limit_exceeded,
                      "this " + std::string(noun()) + " has created its " + std::to_string(created.size()) + " rooms"));
  }
  const auto made = backend_.rooms.create(room, options);
  if (!made) return done(made.error());
  created.push_back(*made);
  backend_.open_room(*made, [self = self(), done, made = *made](const Result<void>& opened) {
    self->loop()->dispatch([self, done, made, opened] { done(opened ? Result<RoomPtr>(made) : opened.error()); });
  });
}

FLUX_DECL Result<void> Participant::close_room(const RoomId& room, std::string_view reason) {
  if (auto checked = backend_.rooms.check_id(room); !checked) return checked;
  const RoomPtr found = backend_.rooms.find(room);
  const auto not_found = [&] { return Error(Errc::room_not_found, "no room \"" + room + "\""); };
  if (!found) return not_found();
  const bool is_own = extras_ && std::any_of(extras_->created_rooms.begin(), extras_->created_rooms.end(),
                                             [&](const auto& own) { return own.lock() == found; });
  if (!is_own) return Error(Errc::forbidden, "Only who has created a room may close it.");
  if (!backend_.rooms.take_out(found, reason.empty() ? "closed by its creator" : reason)) return not_found();
  backend_.clear_room(found);
  return {};
}

FLUX_DECL RoomsPage Participant::rooms_page(std::string_view after, std::size_t limit,
                                            const std::function<std::size_t(const RoomInfo&)>& bytes_of) const {
  PageSize size(backend_.config.limits.answer_bytes_max);
  RoomsPage page;
  for (const auto& room : backend_.rooms.page(after, limit + 1)) {  // one more tells whether there are more
    RoomInfo info = room->info();
    page.more = page.rooms.size() == limit || !size.takes(bytes_of(info));
    if (page.more) break;
    page.rooms.push_back(std::move(info));
  }
  return page;
}

FLUX_DECL MembersPage Participant::members(const Membership& membership, std::size_t limit, std::uint64_t after) const {
  return membership.room->presence({limit, after, backend_.config.limits.answer_bytes_max});
}

FLUX_DECL ItemsPage Participant::items(Membership& membership, std::size_t limit, Offset before) const {
  return membership.room->items_sent_to(membership, page(limit, before));
}

FLUX_DECL Error Participant::no_longer_in(const RoomId& room) const {
  return {Errc::not_in_room, "not in room \"" + room + "\" any more"};
}

// --- Events, chat, presence ---

FLUX_DECL void Participant::publish(Membership& membership, std::string event, std::optional<JsonText> payload,
                                    const Done<Position>& done) {
  EventMessage message(session_handle(), membership.room->id(), std::move(event), std::move(payload));
  permitted("event", backend_.handlers.event, message, done,
            [this, room = membership.room, done](EventMessage& permitted) {
              const Membership* const sender = membership_in(room);
              if (sender == nullptr) return done(no_longer_in(room->id()));
              std::optional<std::string_view> text;
              if (permitted.payload) text = permitted.payload->text();
              done(publish_unasked(*sender, permitted.event, text));
            });
}

FLUX_DECL Result<Position> Participant::publish_unasked(const Membership& membership, std::string_view event,
                                                        std::optional<std::string_view> payload) {
  const auto known = identity();
  const SessionId sender = id();
  return membership.room->publish(
      &membership,
      {membership.room->id(), sender, known ? std::string_view(known->user_id) : std::string_view(), event, payload});
}

FLUX_DECL void Participant::chat(Membership& membership, std::string message, std::optional<JsonText> metadata,
                                 const Done<ChatMessage>& done) {
  ChatDraft draft(session_handle(), membership.room->id(), std::move(message), std::move(metadata));
  permitted("chat", backend_.handlers.chat, draft, done, [this, room = membership.room, done](ChatDraft& permitted) {
    if (membership_in(room) == nullptr) return done(no_longer_in(room->id()));
    if (const auto taken = room->takes_messages(); !taken) return done(taken.error());
    auto stored = backend_.chat_message(*this, room->id(), std::move(permitted.message),
                                        permitted.metadata ? std::move(*permitted.metadata).text() : std::string());
    backend_.chat->append(std::move(stored),
                          [room, done = on_loop(done)](Result<ChatMessage> result, const ChatLog::Turn&) {
                            if (result) room->publish_chat(*result);
                            done(std::move(result));
                          });
  });
}

FLUX_DECL void Participant::chat_history(const RoomId& room, std::size_t limit, Offset before,
                                         const Done<ChatPage>& done) {
  backend_.chat->history(
      room, page(limit, before),
      [done = on_loop(done)](Result<ChatPage> chat, const ChatLog::Turn&) { done(std::move(chat)); });
}

FLUX_DECL void Participant::update_presence(Membership& membership, JsonText presence, const Done<void>& done) {
  PresenceChange change(session_handle(), membership.room->id(), std::move(presence));
  permitted("presence", backend_.handlers.presence, change, done,
            [this, room = membership.room, done](PresenceChange& permitted) {
              Membership* const member = membership_in(room);
              if (member == nullptr) return done(no_longer_in(room->id()));
              done({});
              const auto interval = backend_.config.presence_throttle;
              const auto now = loop()->clock().now();
              PresenceThrottle& throttle = extras().throttle;
              std::string text = std::move(permitted.presence).text();
              if (throttle.pass(now, interval)) return room->update_presence(*member, std::move(text));
              if (!throttle.hold({room, std::move(text)})) return;
              loop()->call_after(throttle.ready() - now, [weak = std::weak_ptr<Participant>(self())] {
                if (const auto held = weak.lock()) held->release_held_presence();
              });
            });
}

FLUX_DECL void Participant::release_held_presence() {
  if (!extras_ || !is_open()) return;
  for (auto& update : extras_->throttle.take(loop()->clock().now(), backend_.config.presence_throttle)) {
    if (Membership* const member = membership_in(update.room)) {
      update.room->update_presence(*member, std::move(update.presence));
    }
  }
}

// --- The application's own requests ---

FLUX_DECL void Participant::call(const std::string& method, const JsonText& payload, const Done<JsonText>& done) {
  const CallHandler* const handler = backend_.requests.find(method);
  if (handler == nullptr) return done(Error(Errc::unknown_type, "unknown method \"" + core::shown(method) + "\""));
  // In a turn of its own: the handler may answer before it returns, and what the client sends next is read then.
  const auto answered_later = [self = self(), method, done](Result<JsonText> answer) {
    self->loop()->post([self, method, done, answer = std::move(answer)] {
      if (!self->is_open()) return;
      done(self->checked_reply(method, answer));
      self->resume_requests();
    });
  };
  const auto leave_open = [this, &answered_later] {
    hold_requests();
    auto reply = std::make_shared<OneReply>(answered_later);
    loop()->call_after(backend_.config.limits.handshake_timeout, [weak = std::weak_ptr(reply)] {
      if (const auto late = weak.lock()) {
        late->give(Error(Errc::overloaded, "the application took too long to answer; try again"));
      }
    });
    return reply;
  };
  ClientCall question(session_handle(), method, payload, leave_open);
  const bool returned = backend_.guarded(loop()->counters(), "call", [&] { (*handler)(question); });
  const Error failed(Errc::server_error, "the server failed to handle this message");
  if (const auto& later = question.left_for_later()) {
    if (!returned) later->give(failed);
    return;
  }
  if (!connected()) return;  // the handler has ended it
  done(returned ? checked_reply(method, std::move(question).answer()) : failed);
}

FLUX_DECL Result<JsonText> Participant::checked_reply(const std::string& method, Result<JsonText> answer) {
  if (!answer) return answer;
  JsonText result = detail::relayable(std::move(*answer));
  const std::size_t most = backend_.config.limits.answer_bytes_max;
  if (result.text().size() <= most) return result;
  loop()->counters().handler_errors.add();
  backend_.log(LogLevel::error, "call handler of \"" + core::shown(method) + "\": the result has " +
                                    std::to_string(result.text().size()) + " bytes; at most " + std::to_string(most) +
                                    " are allowed");
  return Error(Errc::server_error, "the server's answer is too large");
}

// --- Sharing ---

FLUX_DECL void Participant::share(const RoomPtr& room, JsonText data, const Done<Position>& done) {
  share_permitted(room, std::move(data), nullptr, done);
}

/// Asks the application, then shares the item; one that stands for a file has its place. Where it is refused the place
/// goes, and with it a file that has no other.
FLUX_DECL void Participant::share_permitted(const RoomPtr& room, JsonText data, FileHoldPtr hold,
                                            const Done<Position>& done) {
  if (!connected()) return;
  if (!is_in_or_public(room)) return done(no_longer_in(room->id()));
  ShareDraft draft(session_handle(), room ? room->id() : RoomId(), std::move(data));
  permitted("share", backend_.handlers.share, draft, done,
            [this, room, hold = std::move(hold), done](ShareDraft& permitted) {
              share_unasked(room, {id(), std::move(permitted.data), 0, hold}, done);
            });
}

FLUX_DECL void Participant::share_unasked(const RoomPtr& room, SharedItem item, const Done<Position>& done) {
  if (!connected()) return;
  if (!is_in_or_public(room)) return done(no_longer_in(room->id()));
  backend_.share(room, room ? membership_in(room) : nullptr, std::move(item), on_loop(done));
}

FLUX_DECL void Participant::share_stored(const RoomPtr& room, const FileId& file, Done<Position> done) {
  if (!backend_.files) return done(no_files());
  hold_requests();
  done = [self = self(), done = std::move(done)](const Result<Position>& shared) {
    done(shared);
    if (self->is_open()) self->resume_requests();
  };
  backend_.files->find(file, on_loop<FileInfo>([this, room, done](const Result<FileInfo>& found) {
                         if (!is_open()) return;
                         if (!found) return done(found.error());
                         share_found(room, *found, done);
                       }));
}

FLUX_DECL void Participant::share_found(const RoomPtr& room, const FileInfo& file, const Done<Position>& done) {
  ask_to_share(backend_, self(), file, room ? room->id() : RoomId(),
               [this, self = self(), room, file, done](Result<FileHolder> holder) {
                 if (!is_open()) return;
                 if (!holder) return done(holder.error());
                 if (!is_in_or_public(room)) return done(no_longer_in(room->id()));
                 ShareDraft draft(session_handle(), room ? room->id() : RoomId(), stored_data(file));
                 permitted("share", backend_.handlers.share, draft, done,
                           [this, room, file = file.id, done, holder = std::move(*holder)](ShareDraft& permitted) {
                             hold_and_share(room, file, permitted.data, holder, done);
                           });
               });
}

/// Only when the application has agreed: who may end the file has it deleted when nobody holds it any more.
FLUX_DECL void Participant::hold_and_share(const RoomPtr& room, const FileId& file, const JsonText& data,
                                           FileHolder holder, const Done<Position>& done) {
  if (!is_in_or_public(room)) return done(no_longer_in(room->id()));
  holder.room = room;
  backend_.hold_file(file, std::move(holder),
                     on_loop<FileHoldPtr>([this, room, data, done](const Result<FileHoldPtr>& hold) {
                       if (!is_open()) return;
                       if (!hold) return done(hold.error());
                       share_unasked(room, {id(), data, 0, *hold}, done);
                     }));
}

namespace participant_detail {

/// Counts what is in memory of one file.
class InMemory {
 public:
  InMemory(std::shared_ptr<UploadsInMemory> all, std::uint64_t bytes)
      : all_(std::move(all)), bytes_(bytes), sum_(all_->bytes += bytes) {}
  InMemory(const InMemory&) = delete;
  InMemory& operator=(const InMemory&) = delete;
  ~InMemory() { all_->bytes -= bytes_; }
  bool fits() const { return sum_ <= all_->bytes_max; }

 private:
  const std::shared_ptr<UploadsInMemory> all_;
  const std::uint64_t bytes_;
  const std::uint64_t sum_;
};

}  // namespace participant_detail

FLUX_DECL void Participant::share_whole(const RoomPtr& room, WholeFile whole,
                                        const std::shared_ptr<UploadsInMemory>& uploads, const Done<Position>& done) {
  const auto& files = backend_.files;
  if (!files) return done(no_files());
  const FilesOptions& options = files->options();
  const std::uint64_t size = whole.bytes->size();
  if (size > options.file_bytes_max) {
    return done(Error(Errc::file_too_large, "the file has " + std::to_string(size) + " bytes; at most " +
                                                std::to_string(options.file_bytes_max) + " are allowed"));
  }
  const auto in_memory = std::make_shared<const participant_detail::InMemory>(uploads, size);
  if (extras().uploads >= uploads->per_client_max || !in_memory->fits()) {
    return done(Error(Errc::overloaded, "too many files are on their way into the store; try again"));
  }
  ++extras().uploads;
  const auto known = identity();
  FileInfo file;
  file.id = core::random_uuid();
  file.name = std::move(whole.name);
  file.media_type = std::move(whole.media_type);
  file.owner = known ? known->user_id : std::string();
  file.length = size;
  file.wants_sha256 = options.sha256;
  file.created_at = file.modified_at = files->unix_ms();
  auto stored = [this, self = self(), room, in_memory, done](const Result<FileHoldPtr>& hold) {
    if (extras_) --extras_->uploads;
    if (!hold) return done(hold.error());
    share_permitted(room, (*hold)->stored_data(), *hold, done);
  };
  auto wanted = [this, self = self(), room] { return connected() && is_in_or_public(room); };
  std::make_shared<FileWriter>(files, loop(), std::move(file), std::move(whole.bytes), std::move(wanted),
                               std::move(stored))
      ->begin();
}

// --- The public space ---

FLUX_DECL ItemsPage Participant::public_items(std::size_t limit, Offset before) const {
  return backend_.public_space->items(page(limit, before));
}

FLUX_DECL ItemsPage Participant::watch_public(PublicSeat& seat, const PublicView& view, std::size_t limit,
                                              Offset before) {
  return backend_.public_space->watch({key(), &outlet(), loop()}, &view, seat, page(limit, before));
}

FLUX_DECL ItemsPage Participant::watch_public_changes(PublicSeat& seat, const PublicChangesView& view,
                                                      std::size_t limit, Offset before) {
  return backend_.public_space->watch_changes({key(), &outlet(), loop()}, &view, seat, page(limit, before));
}

FLUX_DECL void Participant::delete_public_newest(const Done<bool>& done) {
  if (!backend_.handlers.public_delete) return backend_.remove_public_newest({}, on_loop(done));
  auto newest = backend_.public_space->newest();
  if (!newest) return done(false);
  PublicDelete removal(session_handle(), std::move(*newest));
  permitted("public delete", backend_.handlers.public_delete, removal, done, [this, done](PublicDelete& permitted) {
    backend_.remove_public_newest(permitted.item, on_loop<bool>([this, done](const Result<bool>& removed) {
                                    if (removed && !*removed && connected()) return delete_public_newest(done);
                                    done(removed);
                                  }));
  });
}

}  // namespace flux::features
