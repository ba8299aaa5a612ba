// The gate: what a client shows becomes a question to the application, whose answer is a Grant.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/gate/question.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flux::gate {

/// Has every door of the server ask in the same way. A handler answers at once, later from any thread, or by throwing; one
/// that returns without an answer refuses, and so does one whose answer does not come within
/// `Limits::handshake_timeout`. Where no handler is set that could answer, everybody is let in with an empty Grant.
/// Threading: on the loop that is given, where `done` is called too: inside the call, if the answer is there when the
/// handler has returned.
class Gate {
 public:
  using Done = PendingAnswer::Done;
  /// Runs a handler. False where it threw: logged and counted.
  using Guard = std::function<bool(core::LoopCounters&, std::string_view what, const std::function<void()>& handler)>;
  using LoopPtr = std::shared_ptr<core::Loop>;

  /// `config` outlives the gate.
  Gate(const Config& config, Guard guard, LogSink log)
      : config_(config), guard_(std::move(guard)), log_(std::move(log)) {}

  // The application's handlers, set before the start.
  ConnectHandler connect;
  TokenVerifier token;
  FileHandler file;

  /// A client wants to come in: asks the connect handler; where none is set, the token verifier about the token, if the
  /// client shows one.
  void let_in(const LoopPtr& loop, const Shown& shown, Done done) const;
  /// A client shows a token after it has come in. `token` is set.
  void verify(const LoopPtr& loop, const Shown& shown, std::string shown_token, Done done) const;
  /// A client wants to do something with a file. `file` is set.
  void let_use(const LoopPtr& loop, const Shown& shown, FileSubject subject, Done done) const;

 private:
  enum class Door : std::uint8_t { connect, token, file };
  template <class AnyQuestion, class Handler, class... More>
  void ask(Door door, const LoopPtr& loop, const Shown& shown, const Handler& handler, Done done, More... more) const;
  Result<Grant> checked(Door door, Result<Grant> answer) const;
  void note_silence(Door door) const;

  const Config& config_;
  const Guard guard_;
  const LogSink log_;
  mutable std::array<std::atomic<bool>, 3> silence_noted_{};
};

/// Checks what the application has granted. The name is for people and repaired where it is not UTF-8. What identifies is
/// not: two users could become one.
/// Errors: invalid_argument.
Result<void> check_identity(Identity& identity);
Result<void> check_grant(Grant& grant);

/// When the grant ends, in milliseconds since 1970; the largest number: never.
std::int64_t end_of(const Grant& grant) noexcept;

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/gate.ipp>
#endif
