// The gate: turns a client's credentials into a question to the application, whose answer is a Grant.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/gate/authenticator.hpp>
#include <flux/detail/gate/question.hpp>
#include <flux/detail/gate/revocations.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flux::gate {

/// Makes every endpoint of the server ask in the same way. A handler answers at once, later from any thread, or by
/// throwing; one that returns without an answer refuses, and so does one that does not answer within
/// `Limits::answer_timeout`. If no handler is set that could answer, every client is accepted with an empty Grant, except
/// by `let_in_known`. A module's `Authenticator` answers first, about every client that shows a token or an API key.
/// Threading: on the given loop, where `done` is called too: inside the call, if there is an answer when the handler
/// has returned.
class Gate {
 public:
  /// unauthorized: refused, with the reason; server_error: the handler threw; overloaded: it took too long.
  using Done = core::OwedAnswer<Grant>::Then;
  /// Runs a handler. Returns false if it threw, which is logged and counted.
  using Guard = std::function<bool(core::LoopCounters&, std::string_view what, const std::function<void()>& handler,
                                   const core::ClientAddress& client)>;
  using LoopPtr = std::shared_ptr<core::Loop>;

  /// `config` and `revocations` must outlive the gate. `revocations`: which grants are refused; null: none.
  Gate(const Config& config, Guard guard, LogSink log, const Revocations* revocations = nullptr)
      : config_(config), guard_(std::move(guard)), log_(std::move(log)), revocations_(revocations) {}

  // The application's handlers, set before the start.
  ConnectHandler connect;
  TokenVerifier token;
  FileHandler file;

  /// Of a module; set before the start, by `set_authenticator`. Null: none.
  const std::shared_ptr<Authenticator>& authenticator() const noexcept { return authenticator_; }
  /// Errors: throws `Error` (bad_config) if there is one.
  void set_authenticator(std::shared_ptr<Authenticator> authenticator);

  /// A client wants to connect: asks the authenticator about the token or API key that it presents. If it presents none
  /// or there is no authenticator, asks the connect handler or, if none is set, the token verifier about the client's
  /// token, if it presents one.
  void let_in(const LoopPtr& loop, const Shown& shown, Done done) const;
  /// The same for a client that must identify itself: if no connect handler is set, one without a token is refused, too.
  void let_in_known(const LoopPtr& loop, const Shown& shown, Done done) const;
  /// Whether `let_in_known` has a handler to ask.
  bool knows_clients() const { return authenticator_ || token || connect; }
  /// Whether `verify` has a handler to ask.
  bool verifies() const { return authenticator_ || token; }
  /// A connected client presents a token. `verifies` must be true.
  void verify(const LoopPtr& loop, const Shown& shown, std::string shown_token, Done done) const;
  /// A connected client presents a new token to replace its grant: asks the authenticator or the token verifier; if
  /// there is neither, the connect handler. Errors: forbidden if there is none.
  void refresh(const LoopPtr& loop, const Shown& shown, std::string shown_token, Done done) const;
  /// Whether `refresh` has a handler to ask.
  bool refreshes() const { return knows_clients(); }
  /// Whether a client may still get this grant, which the gate gave it for a connection that is not complete yet; null: an
  /// empty one. Errors: unauthorized if it has expired or was revoked since.
  Result<void> still_valid(const Grant* grant) const;
  /// What the authenticator grants to a client that wants to do something with a file, or if there is neither that nor a
  /// connect handler, the token verifier; an empty grant if nobody verifies, or the client presents nothing and need not.
  void recognize(const LoopPtr& loop, const Shown& shown, Done done) const;
  /// A client, which was recognized as `known`, wants to do something with a file. `file` must be set.
  void let_use(const LoopPtr& loop, const Shown& shown, FileSubject subject, Grant known, Done done) const;

 private:
  enum class Door : std::uint8_t { connect, token, file, authentication };
  template <class AnyQuestion, class Handler, class... More>
  void ask(Door door, const LoopPtr& loop, const Shown& shown, const Handler& handler, Done done, More... more) const;
  void authenticate(const LoopPtr& loop, const core::ClientAddress& client, const Credential& credential,
                    Done done) const;
  Done checking(Door door, const core::ClientAddress& client, Done done) const;
  Result<Grant> checked(Door door, Result<Grant> answer) const;
  void note_silence(Door door) const;

  const Config& config_;
  const Guard guard_;
  const LogSink log_;
  const Revocations* const revocations_;
  std::shared_ptr<Authenticator> authenticator_;
  mutable std::array<std::atomic<bool>, 3> silence_noted_{};
};

/// The token that a client presents as `AccessRequest::token` reads it; empty: none.
std::string token_of(const Shown& shown);
/// The token, and the API key as `AccessRequest::api_key` reads it.
Credential credential_of(const Shown& shown);

/// Checks what the application has granted. The name is for people and repaired if it is not UTF-8. Members that
/// identify the user are not repaired: two users could become one.
/// Errors: invalid_argument.
Result<void> check_identity(Identity& identity);
/// Likewise; a granted identity with a user id counts as verified.
Result<void> check_grant(Grant& grant);

/// Whether a client with the grant `before` (null: an empty one) may get `after` for a new token: a known user stays that
/// user. Errors: unauthorized.
Result<void> check_refresh(const Grant* before, const Grant& after);
/// The grant as a client keeps it: null if it is empty.
std::shared_ptr<const Grant> kept(Grant grant);
/// When the grant expires, in milliseconds since 1970; the largest number: never.
std::int64_t end_of(const Grant& grant) noexcept;

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/gate.ipp>
#endif
