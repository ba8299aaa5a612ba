// A call of a client's, as its handler sees it.
#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/events.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace flux::features {

/// Where the answer to a call goes that is given later. If nobody keeps it, the call has failed.
class OneReply final : public LaterReply::Target {
 public:
  /// Called once, on any thread.
  using Answer = std::function<void(Result<JsonText>)>;

  explicit OneReply(Answer answer) : answer_(std::move(answer)) {}
  OneReply(const OneReply&) = delete;
  OneReply& operator=(const OneReply&) = delete;
  ~OneReply() override { answer(Error(Errc::server_error, "the server gave no answer")); }

  void give(Result<JsonText> result) override { answer(std::move(result)); }

 private:
  void answer(Result<JsonText> result) {
    Answer once;
    {
      const std::lock_guard lock(mutex_);
      once.swap(answer_);
    }
    if (once) once(std::move(result));
  }

  std::mutex mutex_;
  Answer answer_;
};

/// Threading: the loop's thread, while the handler runs.
class ClientCall final : public Call {
 public:
  /// `leave_open`: called once if the answer is left for later; makes what it goes to.
  ClientCall(Session session, const std::string& method, const JsonText& payload,
             std::function<std::shared_ptr<OneReply>()> leave_open)
      : session_(std::move(session)), method_(method), payload_(payload), leave_open_(std::move(leave_open)) {}

  const Session& session() const override { return session_; }
  const std::string& method() const override { return method_; }
  const JsonText& payload() const override { return payload_; }
  void reply(JsonText result) override { give(std::move(result)); }
  void refuse(std::string message, Errc code) override { give(Error(code, core::repaired(std::move(message)))); }
  LaterReply later() override {
    if (!later_) later_ = leave_open_();
    if (answer_) later_->give(*answer_);
    return LaterReply(later_);
  }

  /// Null: the answer was not left for later.
  const std::shared_ptr<OneReply>& left_for_later() const noexcept { return later_; }
  /// What was answered at once.
  Result<JsonText> answer() && { return answer_ ? std::move(*answer_) : Result<JsonText>(JsonText()); }

 private:
  void give(Result<JsonText> result) {
    if (later_) return later_->give(std::move(result));
    if (!answer_) answer_.emplace(std::move(result));
  }

  const Session session_;
  const std::string& method_;
  const JsonText& payload_;
  const std::function<std::shared_ptr<OneReply>()> leave_open_;
  std::shared_ptr<OneReply> later_;
  std::optional<Result<JsonText>> answer_;
};

}  // namespace flux::features
