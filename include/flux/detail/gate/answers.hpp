// Questions to the application that may be answered later: who connects, whose token is this.
#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/events.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace flux::gate {

/// One question, answered once. If nobody keeps it, it is refused.
class OneAnswer final : public LaterAnswer::Target {
 public:
  /// Identity: accepted. None: refused, for the reason.
  using Answer = std::function<void(std::optional<Identity>, std::string reason)>;

  explicit OneAnswer(Answer answer) : answer_(std::move(answer)) {}
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;
  ~OneAnswer() override { answer(std::nullopt, "nobody answered"); }

  void give(std::optional<Identity> identity, std::string reason) override {
    answer(std::move(identity), core::repaired(std::move(reason)));
  }
  bool given() const {
    const std::lock_guard lock(mutex_);
    return !answer_;
  }

 private:
  void answer(std::optional<Identity> identity, std::string reason) {
    Answer once;
    {
      const std::lock_guard lock(mutex_);
      once.swap(answer_);
    }
    if (once) once(std::move(identity), std::move(reason));
  }

  mutable std::mutex mutex_;
  Answer answer_;
};

/// A token, asked about.
class TokenQuestion final : public TokenRequest {
 public:
  TokenQuestion(std::string token, OneAnswer::Answer answer)
      : token_(std::move(token)), state_(std::make_shared<OneAnswer>(std::move(answer))) {}

  const std::string& token() const override { return token_; }
  void accept(Identity identity) override { state_->give(std::move(identity), {}); }
  void refuse(std::string_view reason) override { state_->give(std::nullopt, std::string(reason)); }
  LaterAnswer later() override {
    later_ = true;
    return LaterAnswer(state_);
  }
  /// The verifier has returned: no answer is a refusal, unless it comes later.
  void returned() {
    if (!later_) state_->give(std::nullopt, "invalid token");
  }

 private:
  std::string token_;
  std::shared_ptr<OneAnswer> state_;
  bool later_ = false;
};

}  // namespace flux::gate
