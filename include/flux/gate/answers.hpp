// Questions to the application that may be answered later: who connects, whose token is this.
#pragma once

#include <flux/events.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace flux {

/// One question, answered once.
struct LaterAnswer::State {
  /// Identity: accepted. None: refused, for the reason.
  using Answer = std::function<void(std::optional<Identity>, std::string reason)>;

  explicit State(Answer answer) : answer_(std::move(answer)) {}
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { give(std::nullopt, "nobody answered"); }

  void give(std::optional<Identity> identity, std::string reason) {
    Answer answer;
    {
      const std::lock_guard lock(mutex_);
      answer.swap(answer_);
    }
    if (answer) answer(std::move(identity), std::move(reason));
  }
  bool given() const {
    const std::lock_guard lock(mutex_);
    return !answer_;
  }

 private:
  mutable std::mutex mutex_;
  Answer answer_;
};

}  // namespace flux

namespace flux::gate {

/// A token, asked about.
class TokenQuestion final : public TokenRequest {
 public:
  TokenQuestion(std::string token, LaterAnswer::State::Answer answer)
      : token_(std::move(token)), state_(std::make_shared<LaterAnswer::State>(std::move(answer))) {}

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
  std::shared_ptr<LaterAnswer::State> state_;
  bool later_ = false;
};

}  // namespace flux::gate
