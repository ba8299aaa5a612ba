#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/gate/gate.hpp>
#include <flux/detail/mode.hpp>
#include <flux/session.hpp>

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
  if (const std::size_t size = grant.claims.text().size(); size > Grant::claims_bytes_max) {
    return Error(Errc::invalid_argument, "Grant::claims has " + std::to_string(size) + " bytes; at most " +
                                             std::to_string(Grant::claims_bytes_max));
  }
  if (const std::size_t size = grant.credential.size(); size > Grant::credential_bytes_max) {
    return Error(Errc::invalid_argument, "Grant::credential has " + std::to_string(size) + " bytes; at most " +
                                             std::to_string(Grant::credential_bytes_max));
  }
  if (!core::valid_utf8(grant.credential)) {
    return Error(Errc::invalid_argument, "Grant::credential must be UTF-8");
  }
  auto fit = check_identity(grant.identity);
  if (fit && !grant.identity.user_id.empty()) grant.identity.verified = true;
  return fit;
}

FLUX_DECL Result<void> check_refresh(const Grant* before, const Grant& after) {
  const bool known = before != nullptr && !before->identity.user_id.empty();
  if (!known || before->identity.user_id == after.identity.user_id) return {};
  return Error(Errc::unauthorized, "the token is another user's");
}

FLUX_DECL std::shared_ptr<const Grant> kept(Grant grant) {
  return grant == Grant() ? nullptr : std::make_shared<const Grant>(std::move(grant));
}

FLUX_DECL std::int64_t end_of(const Grant& grant) noexcept {
  using namespace std::chrono;
  if (!grant.expires_at) return std::numeric_limits<std::int64_t>::max();
  return duration_cast<milliseconds>(grant.expires_at->time_since_epoch()).count();
}

FLUX_DECL Result<void> Gate::still_valid(const Grant* grant) const {
  if (grant == nullptr) return {};
  if (end_of(*grant) <= config_.clock->unix_ms()) return Error(Errc::unauthorized, "the token has expired");
  if (revocations_ == nullptr) return {};
  if (auto refused = revocations_->refusal(*grant)) return Error(Errc::unauthorized, std::move(*refused));
  return {};
}

/// A verified token vouches for everything in its grant.
FLUX_DECL Result<Grant> Gate::checked(Door door, Result<Grant> answer) const {
  if (!answer) return answer;
  if (const auto fit = check_grant(*answer); !fit) {
    log_(LogLevel::error, "a client is refused: " + fit.error().message());
    return Error(Errc::unauthorized, "the server gave no valid identity");
  }
  if (auto valid = still_valid(&*answer); !valid) return valid.error();
  Identity& identity = answer->identity;
  if (door == Door::token && identity != Identity()) identity.verified = true;
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

/// What a door refuses is logged as a line of level debug.
FLUX_DECL Gate::Done Gate::checking(Door door, const core::ClientAddress& client, Done done) const {
  static constexpr std::array<std::string_view, 4> names{"connect handler", "token handler", "file handler",
                                                         "authentication"};
  return [this, door, client, done = std::move(done)](Result<Grant> answer) {
    auto outcome = checked(door, std::move(answer));
    if (!outcome && config_.log_level >= LogLevel::debug) {
      log_(LogLevel::debug, std::string("the ")
                                .append(names[static_cast<std::size_t>(door)])
                                .append(" refused ")
                                .append(client.text())
                                .append(": ")
                                .append(outcome.error().cause()));
    }
    done(std::move(outcome));
  };
}

FLUX_DECL void Gate::set_authenticator(std::shared_ptr<Authenticator> authenticator) {
  if (authenticator_) throw Error(Errc::bad_config, "a server has at most one flux::Auth");
  authenticator_ = std::move(authenticator);
}

FLUX_DECL void Gate::authenticate(const LoopPtr& loop, const core::ClientAddress& client, const Credential& credential,
                                  Done done) const {
  using Owed = core::OwedAnswer<Grant>;
  const auto owed = std::make_shared<Owed>(Error(Errc::server_error, "the server failed to check the login"));
  authenticator_->verify(credential, owed->target());
  (void)owed->wait(loop, config_.limits.answer_timeout,
                   Error(Errc::overloaded, "checking the login took too long; try again"), Owed::KeptBy::loop,
                   checking(Door::authentication, client, std::move(done)));
}

template <class AnyQuestion, class Handler, class... More>
void Gate::ask(Door door, const LoopPtr& loop, const Shown& shown, const Handler& handler, Done done,
               More... more) const {
  static constexpr std::array<std::string_view, 3> names{"connect", "token", "file"};
  auto settled = checking(door, shown.client(), std::move(done));
  using Owed = core::OwedAnswer<Grant>;
  const auto owed = std::make_shared<Owed>(Error(Errc::unauthorized, "nobody answered"));
  AnyQuestion question(shown, owed, std::move(more)...);
  if (!guard_(
          loop->counters(), names[static_cast<std::size_t>(door)], [&] { handler(question); }, shown.client())) {
    return settled(Error(Errc::server_error, "the server failed to handle this request"));
  }
  if (!owed->given() && !question.left_for_later()) {
    note_silence(door);
    return settled(Error(Errc::unauthorized, "unauthorized"));
  }
  (void)owed->wait(loop, config_.limits.answer_timeout,
                   Error(Errc::overloaded, "the application took too long to answer"), Owed::KeptBy::loop,
                   std::move(settled));
}

FLUX_DECL std::string token_of(const Shown& shown) { return Question<ConnectRequest>(shown, nullptr).token(); }
FLUX_DECL Credential credential_of(const Shown& shown) {
  const Question<ConnectRequest> question(shown, nullptr);
  return {question.token(), question.api_key()};
}

FLUX_DECL void Gate::let_in(const LoopPtr& loop, const Shown& shown, Done done) const {
  if (authenticator_) {
    const Credential credential = credential_of(shown);
    if (!credential.empty()) return authenticate(loop, shown.client(), credential, std::move(done));
    if (!connect && authenticator_->required()) return done(Error(Errc::unauthorized, "Authentication required"));
  }
  if (connect) return ask<Question<ConnectRequest>>(Door::connect, loop, shown, connect, std::move(done));
  if (!token) return done(Grant());
  std::string shown_token = token_of(shown);
  if (shown_token.empty()) return done(Grant());
  verify(loop, shown, std::move(shown_token), std::move(done));
}

FLUX_DECL void Gate::let_in_known(const LoopPtr& loop, const Shown& shown, Done done) const {
  const bool shows_what_is_verified =
      authenticator_ ? !credential_of(shown).empty() : token && !token_of(shown).empty();
  if (!connect && !shows_what_is_verified) return done(Error(Errc::unauthorized, "log in first"));
  let_in(loop, shown, std::move(done));
}

FLUX_DECL void Gate::verify(const LoopPtr& loop, const Shown& shown, std::string shown_token, Done done) const {
  if (authenticator_) {
    return authenticate(loop, shown.client(), {std::move(shown_token), std::string()}, std::move(done));
  }
  ask<TokenQuestion>(Door::token, loop, shown, token, std::move(done), std::move(shown_token));
}

FLUX_DECL void Gate::refresh(const LoopPtr& loop, const Shown& shown, std::string shown_token, Done done) const {
  if (verifies()) return verify(loop, shown, std::move(shown_token), std::move(done));
  if (connect) return let_in(loop, shown, std::move(done));
  done(Error(Errc::forbidden, "this server asks for no tokens"));
}

FLUX_DECL void Gate::recognize(const LoopPtr& loop, const Shown& shown, Done done) const {
  if (!authenticator_) {
    if (connect || !token || token_of(shown).empty()) return done(Grant());
    return let_in(loop, shown, std::move(done));
  }
  const Credential credential = credential_of(shown);
  if (!credential.empty()) return authenticate(loop, shown.client(), credential, std::move(done));
  if (!connect && authenticator_->required()) return done(Error(Errc::unauthorized, "Authentication required"));
  done(Grant());
}

FLUX_DECL void Gate::let_use(const LoopPtr& loop, const Shown& shown, FileSubject subject, Grant known,
                             Done done) const {
  // The answer may come later: the client must still be the one that was recognized, whatever the answer says.
  auto answered = [this, known, session = subject.session, done = std::move(done)](Result<Grant> answer) {
    if (!answer) return done(std::move(answer));
    const Grant present = session ? session->grant() : known;
    if (const auto valid = still_valid(&present); !valid) return done(valid.error());
    done(*answer == Grant() ? present : std::move(answer));
  };
  ask<FileQuestion>(Door::file, loop, shown, file, std::move(answered), std::move(subject), std::move(known));
}

}  // namespace flux::gate
