#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/core/prefetch.hpp>
#include <flux/detail/features/participant.hpp>
#include <flux/detail/gate/content.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <mutex>
#include <utility>

namespace flux::features {

FLUX_DECL Participant::Participant(const ClientGroup& group, std::uint64_t key, std::shared_ptr<core::Loop> loop,
                                   const core::ClientAddress& remote, std::shared_ptr<const Grant> grant)
    : SessionState(key, std::move(loop), remote, std::move(grant)), group_(group) {}

FLUX_DECL Participant::~Participant() = default;

FLUX_DECL Participant::Extras& Participant::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

// --- Life ---

FLUX_DECL void Participant::enter_directory() {
  connected_ = true;
  // Other threads see it last in the list of all: then a revocation of its user finds it.
  if (const auto known = identity()) backend().sessions.by_user().add(known->user_id, self());
  if (grant()) backend().admitted.watch(self(), gate::Admitted::Find::by_end);
  backend().sessions.add(self(), loop()->clock().unix_ms());
  debug([&] { return "connected from " + remote().text(); });
}

FLUX_DECL void Participant::leave_everything() {
  leave_rooms();
  subscribers_.remove_all();
  if (!extras_) return;
  // A room that was created and never joined ends with its creator.
  for (const auto& created : extras_->created_rooms) {
    if (const auto room = created.lock()) backend().rooms.end_if_empty(room, *loop());
  }
  extras_.reset();
}

FLUX_DECL void Participant::leave_directory(const Disconnect& how) {
  {
    const std::lock_guard lock(loop()->sessions_mutex());
    connected_ = false;
  }
  if (const auto known = identity()) backend().sessions.by_user().remove(known->user_id, *this);
  if (gate::Admitted::needs_entry(grant().get(), gate::Admitted::Find::by_end)) backend().admitted.forget(this);
  backend().sessions.remove(key());
  debug([&] {
    return "disconnected: " + std::to_string(static_cast<int>(how.code)) + " \"" + core::shown(how.reason) + "\"";
  });
  if (backend().handlers.disconnect) {
    backend().guarded(
        loop()->counters(), "disconnect", [&] { backend().handlers.disconnect(session_handle(), how); }, remote());
  }
  forget_data();
}

/// A handle may outlive the server. As long as this session is connected the server exists, and the lock keeps it
/// connected.
FLUX_DECL Result<void> Participant::change_data(JsonText data) {
  const std::lock_guard lock(loop()->sessions_mutex());
  if (!connected()) return Error(Errc::session_not_found, "session " + id() + " is gone");
  auto checked = detail::check_data(data, backend().config.limits);
  if (!checked) return checked;
  if (data.kind() == JsonText::Kind::null) {
    loop()->session_data().erase(key());
  } else {
    loop()->session_data().insert_or_assign(key(), std::move(data));
  }
  return {};
}

FLUX_DECL Result<void> Participant::change_grant(Grant grant) {
  const bool posted = connected() && loop()->dispatch([self = self(), grant = std::move(grant)]() mutable {
    if (self->connected()) self->take_changed(std::move(grant));
  });
  if (!posted) return Error(Errc::session_not_found, "session " + id() + " is gone");
  return {};
}

FLUX_DECL void Participant::access_expiring(std::int64_t expires_at) {
  if (!backend().gate.refreshes()) return;
  if (!is_open() || !has_grant_until(expires_at)) return;
  std::string payload;
  detail::JsonObject(payload).number("expiresAt", expires_at).end();
  tell({"access_expiring", payload});
}

/// A client that was told about its new grant keeps it even if the earlier one has expired since.
FLUX_DECL bool Participant::access_expired(std::int64_t expires_at) {
  if (!has_grant_until(expires_at)) return false;
  withdraw();
  return true;
}

FLUX_DECL bool Participant::has_grant_until(std::int64_t expires_at) const {
  const auto granted = grant();
  return granted && gate::end_of(*granted) == expires_at;
}

FLUX_DECL Result<void> Participant::take_refreshed(const Grant& grant) {
  if (auto checked = gate::check_refresh(this->grant().get(), grant); !checked) return checked;
  replace_grant(grant);
  return {};
}

FLUX_DECL void Participant::refresh(std::string token, Done<Grant> done) {
  hold_requests();
  auto payload = detail::CheckedJson::text("{\"accessToken\":" + JsonText::string(token).text() + "}");
  const gate::ShownInMessage shown(door().protocol, door().path, std::move(payload), remote());
  backend().gate.refresh(loop(), shown, std::move(token),
                         [self = self(), done = std::move(done)](Result<Grant> granted) {
                           if (!self->is_open()) return;
                           if (granted) {
                             if (const auto taken = self->take_refreshed(*granted); !taken) granted = taken.error();
                           }
                           done(std::move(granted));
                           self->release_requests();
                         });
}

FLUX_DECL void Participant::verify(std::string token, JsonText payload, Done<Grant> done) {
  if (!backend().gate.verifies()) {
    return done(Error(Errc::forbidden, "this server verifies no tokens: leave accessToken out"));
  }
  hold_requests();
  const gate::ShownInMessage shown(door().protocol, door().path, std::move(payload), remote());
  backend().gate.verify(loop(), shown, std::move(token),
                        [self = self(), done = std::move(done)](Result<Grant> granted) {
                          if (!self->is_open()) return;
                          if (granted && !self->may_use_token_of(granted->identity.user_id)) {
                            granted = Error(Errc::unauthorized, "the token is another user's");
                          }
                          done(std::move(granted));
                          self->release_requests();
                        });
}

FLUX_DECL bool Participant::may_use_token_of(const std::string& user) const {
  const auto known = identity();
  return user.empty() || (known && known->verified && known->user_id == user);
}

FLUX_DECL void Participant::leave_rooms() {
  if (extras_) extras_->awaited.reset();  // a join that is permitted later has no effect
  while (!memberships_.empty()) leave(memberships_.size() - 1);
}

FLUX_DECL void Participant::end_access(CloseCode code, std::string_view reason) {
  if (connected()) close_session(code, reason);
}

FLUX_DECL void Participant::replace_grant(Grant grant) {
  if (const auto before = identity()) backend().sessions.by_user().remove(before->user_id, *this);
  if (connected()) backend().sessions.by_user().add(grant.identity.user_id, self());
  set_grant(std::make_shared<const Grant>(std::move(grant)));
  backend().admitted.watch(self(), gate::Admitted::Find::by_end);
  recheck_permits();
}

/// What the grant no longer allows is refused from now on. Rooms and other features are left in a turn of their own: a handler of this client
/// may be running, and the client is told about its grant first.
FLUX_DECL void Participant::recheck_permits() {
  const auto granted = grant();
  bool may_leave = !subscribers_.empty();
  for (const auto& membership : memberships_) {
    membership->permits = membership->room->permits(granted.get());
    may_leave = may_leave || !membership->permits.allow(gate::RoomAct::join);
  }
  if (!may_leave) return;
  loop()->post([self = self()] {
    if (self->is_open()) self->leave_forbidden_rooms();
    self->subscribers_.each([&self](Subscriber& subscriber) {
      if (self->is_open()) subscriber.grant_changed();
      return self->is_open();
    });
  });
}

FLUX_DECL void Participant::leave_forbidden_rooms() {
  const auto forbidden = [](const auto& membership) { return !membership->permits.allow(gate::RoomAct::join); };
  for (;;) {  // the handler may change the grant, or close the client
    const auto found = std::find_if(memberships_.begin(), memberships_.end(), forbidden);
    if (found == memberships_.end()) return;
    const RoomPtr room = take_out(static_cast<std::size_t>(found - memberships_.begin()));
    if (is_open()) tell_left(room->id(), gate::insufficient(grant().get(), "room", room->id()).message());
    tell_application_left(room);
  }
}

FLUX_DECL Result<void> Participant::may(const Membership& membership, gate::RoomAct act) const {
  if (membership.permits.allow(act)) return {};
  return gate::insufficient(grant().get(), "room", membership.room->id());
}

FLUX_DECL Result<void> Participant::may_write(std::string_view text, std::string_view json) const {
  const ContentRules& rules = backend().config.rooms.content;
  return rules == ContentRules() ? Result<void>() : gate::check_content(rules, text, json);
}

/// The client's membership of the room, if it may do this there. Errors: not_in_room; those of `may`.
FLUX_DECL Result<Membership*> Participant::member_of(const RoomPtr& room, gate::RoomAct act) const {
  Membership* const membership = membership_in(room);
  if (membership == nullptr) return no_longer_in(room->id());
  return may(*membership, act).transform([membership] { return membership; });
}

FLUX_DECL std::optional<gate::Excess> Participant::over_rate(gate::RateLimit& bucket) {
  core::prefetch(extras_.get());  // the request is parsed first, then counted in its buckets
  return backend().client_limits.take({bucket, strikes_}, gate::SenderOf(*this), *loop());
}

FLUX_DECL Result<void> Participant::within(gate::OperationLimit& limit) {
  return limit.take(limit.counts_connections() ? &operation_buckets() : nullptr, gate::SenderOf(*this), *loop());
}

FLUX_DECL std::vector<RoomId> Participant::rooms() const {
  const std::lock_guard lock(loop()->sessions_mutex());
  std::vector<RoomId> ids;
  for (const auto& membership : memberships_) ids.push_back(membership->room->id());
  return ids;
}

// --- Out ---

FLUX_DECL void Participant::flush_audiences() {
  for (const auto& membership : memberships_) membership->lane->flush_now();
  subscribers_.each([](Subscriber& subscriber) {
    subscriber.flush();
    return true;
  });
}

FLUX_DECL void Participant::change_view(char separator, const std::function<void(std::string pending)>& take) {
  const auto take_any = [&](std::string pending) {
    if (!pending.empty()) take(std::move(pending));
  };
  for (const auto& membership : memberships_) {
    take_any(membership->room->change_view(*membership, &view(), outlet(), separator));
  }
  subscribers_.each([&, client = receiver()](Subscriber& subscriber) {
    take_any(subscriber.change_view(view(), client, separator));
    return true;
  });
}

FLUX_DECL bool Participant::catch_up(const Subscriber::Congested& congested, const Subscriber::Send& send) {
  for (const auto& membership : memberships_) {
    if (congested()) return true;
    std::vector<std::string> missed;
    if (!membership->room->catch_up(*membership, view(), missed)) return false;
    for (std::string& message : missed) send(std::make_shared<const std::string>(std::move(message)));
  }
  return subscribers_.each([&](Subscriber& subscriber) { return congested() || subscriber.catch_up(congested, send); });
}

// --- Answers that the application gives later ---

FLUX_DECL void Participant::keep_wait(std::shared_ptr<core::AnswerWait> wait) {
  hold_requests();
  auto& awaited = extras().awaited;
  if (!awaited) awaited = std::make_unique<std::vector<std::shared_ptr<core::AnswerWait>>>();
  awaited->push_back(std::move(wait));
}

FLUX_DECL bool Participant::forget_answered() {
  if (!extras_ || !extras_->awaited) return false;
  const bool any = std::erase_if(*extras_->awaited, [](const auto& wait) { return wait->over(); }) != 0;
  if (extras_->awaited->empty()) extras_->awaited.reset();
  return any;
}

template <class T>
Participant::Done<T> Participant::holding_requests(Done<T> done) {
  hold_requests();
  return [self = self(), done = std::move(done)](const Result<T>& result) {
    done(result);
    self->release_requests();
  };
}

FLUX_DECL PageRequest Participant::page(std::size_t limit, Offset before) const {
  return {limit, before, backend().config.limits.answer_bytes_max};
}

}  // namespace flux::features
