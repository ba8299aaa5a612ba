#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/gate/gate.hpp>
#include <flux/detail/mode.hpp>

#include <limits>
#include <utility>

namespace flux::gate {

FLUX_DECL Result<void> check_identity(Identity& identity) {
  identity.name = core::repaired(std::move(identity.name));
  const std::pair<std::string_view, std::string_view> names[] = {
      {"user_id", identity.user_id}, {"email", identity.email}, {"provider", identity.provider}};
  for (const auto& [name, value] : names) {
    if (core::valid_utf8(value)) continue;
    return Error(Errc::invalid_argument,
                 "Identity::" + std::string(name) + " must be UTF-8; \"" + core::shown(value) + "\" is not");
  }
  return {};
}

FLUX_DECL Result<void> check_grant(Grant& grant) {
  for (const std::string& permission : grant.permissions) {
    if (core::valid_utf8(permission)) continue;
    return Error(Errc::invalid_argument,
                 "Grant::permissions must be UTF-8; \"" + core::shown(permission) + "\" is not");
  }
  return check_identity(grant.identity);
}

FLUX_DECL std::int64_t end_of(const Grant& grant) noexcept {
  using namespace std::chrono;
  if (!grant.expires_at) return std::numeric_limits<std::int64_t>::max();
  return duration_cast<milliseconds>(grant.expires_at->time_since_epoch()).count();
}

/// A token that was verified vouches for all that its grant says of the client.
FLUX_DECL Result<Grant> Gate::checked(Door door, Result<Grant> answer) const {
  if (!answer) return answer;
  if (const auto fit = check_grant(*answer); !fit) {
    log_(LogLevel::error, "a client is refused: " + fit.error().message());
    return Error(Errc::unauthorized, "the server gave no valid identity");
  }
  if (end_of(*answer) <= config_.clock->unix_ms()) return Error(Errc::unauthorized, "the token has expired");
  Identity& identity = answer->identity;
  if (!identity.user_id.empty() || (door == Door::token && identity != Identity())) identity.verified = true;
  return answer;
}

FLUX_DECL void Gate::note_silence(Door door) const {
  static constexpr std::array<std::string_view, 3> names{"the connect handler", "the token verifier",
                                                         "the file handler"};
  const auto index = static_cast<std::size_t>(door);
  if (silence_noted_[index].exchange(true)) return;
  log_(LogLevel::warning, std::string(names[index]) +
                              " returned without an answer, so the client is refused: call accept(), refuse() or "
                              "later(). Further ones are not logged");
}

template <class AnyQuestion, class Handler, class... More>
void Gate::ask(Door door, const LoopPtr& loop, const Shown& shown, const Handler& handler, Done done,
               More... more) const {
  static constexpr std::array<std::string_view, 3> names{"connect", "token", "file"};
  const auto timer = std::make_shared<std::optional<core::TimerQueue::Id>>();  // the loop's own
  auto settled = [this, door, loop, timer, done = std::move(done)](Result<Grant> answer) {
    if (*timer) loop->cancel(**timer);
    done(checked(door, std::move(answer)));
  };
  const auto pending = std::make_shared<PendingAnswer>(loop, std::move(settled));
  AnyQuestion question(shown, pending, std::move(more)...);
  if (!guard_(loop->counters(), names[static_cast<std::size_t>(door)], [&] { handler(question); })) {
    return pending->handler_threw();
  }
  if (pending->handler_returned()) return;
  if (!question.left_for_later()) {
    note_silence(door);
    return pending->settle(Error(Errc::unauthorized, "unauthorized"));
  }
  *timer = loop->call_after(config_.limits.handshake_timeout, [timer, weak = std::weak_ptr(pending)] {
    timer->reset();
    if (const auto late = weak.lock()) {
      late->settle(Error(Errc::overloaded, "the application took too long to answer"));
    }
  });
}

FLUX_DECL void Gate::let_in(const LoopPtr& loop, const Shown& shown, Done done) const {
  if (connect) return ask<Question<ConnectRequest>>(Door::connect, loop, shown, connect, std::move(done));
  if (!token) return done(Grant());
  const Question<ConnectRequest> request(shown, nullptr);
  std::string shown_token = request.token();
  if (shown_token.empty()) return done(Grant());
  verify(loop, shown, std::move(shown_token), std::move(done));
}

FLUX_DECL void Gate::verify(const LoopPtr& loop, const Shown& shown, std::string shown_token, Done done) const {
  ask<TokenQuestion>(Door::token, loop, shown, token, std::move(done), std::move(shown_token));
}

FLUX_DECL void Gate::let_use(const LoopPtr& loop, const Shown& shown, FileSubject subject, Done done) const {
  ask<FileQuestion>(Door::file, loop, shown, file, std::move(done), std::move(subject));
}

}  // namespace flux::gate
