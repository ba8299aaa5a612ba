// A client's call, as its handler sees it.
#pragma once

#include <flux/detail/core/owed_answer.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/events.hpp>

#include <string>
#include <utility>

namespace flux::features {

/// Threading: the loop's thread, while the handler runs.
class ClientCall final : public Call {
 public:
  ClientCall(Session session, const std::string& method, const JsonText& payload, core::OwedAnswer<JsonText>& answer)
      : session_(std::move(session)), method_(method), payload_(payload), answer_(answer) {}

  const Session& session() const override { return session_; }
  const std::string& method() const override { return method_; }
  const JsonText& payload() const override { return payload_; }
  void reply(JsonText result) override { answer_.give(std::move(result)); }
  void refuse(std::string message, Errc code) override {
    answer_.give(Error(code, core::repaired(std::move(message))));
  }
  LaterReply later() override {
    left_for_later_ = true;
    return LaterReply(answer_.target());
  }
  bool left_for_later() const noexcept { return left_for_later_; }

 private:
  const Session session_;
  const std::string& method_;
  const JsonText& payload_;
  core::OwedAnswer<JsonText>& answer_;
  bool left_for_later_ = false;
};

}  // namespace flux::features
