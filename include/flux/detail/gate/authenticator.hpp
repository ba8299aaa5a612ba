// Verifies what clients present, for a module.
#pragma once

#include <flux/events.hpp>

#include <memory>
#include <string>

namespace flux::gate {

/// What a client presents; each may be empty.
struct Credential {
  std::string token{};
  std::string api_key{};
  bool empty() const noexcept { return token.empty() && api_key.empty(); }
};

/// Answers about every client that presents a token or an API key, in place of the application's handlers.
class Authenticator {
 public:
  Authenticator() = default;
  Authenticator(const Authenticator&) = delete;
  Authenticator& operator=(const Authenticator&) = delete;
  virtual ~Authenticator() = default;

  /// Gives the answer to `answer` once: before this returns, or later from any thread. `credential` is not empty; its
  /// token counts if there is one. Called on any loop, at the same time on several. Errors of the answer: unauthorized, overloaded.
  virtual void verify(const Credential& credential, std::shared_ptr<AnswerTarget<Grant>> answer) = 0;
  /// Whether clients that present nothing are refused if the application has no connect handler.
  virtual bool required() const = 0;
};

}  // namespace flux::gate
