// An HTTP request as the application's handlers are asked about it.
#pragma once

#include <flux/detail/gate/answers.hpp>
#include <flux/detail/transport/http_message.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flux::gate {

/// `Request`: an AccessRequest. What is left to do is to know the client's address.
template <class Request>
class AccessQuestion : public Request {
 public:
  /// `head` outlives the question.
  AccessQuestion(const transport::HttpHead& head, OneAnswer::Answer answer)
      : head_(head), state_(std::make_shared<OneAnswer>(std::move(answer))) {}

  std::string_view path() const override { return head_.path(); }
  std::optional<std::string> query(std::string_view name) const override {
    return transport::query_parameter(head_.query(), name);
  }
  std::optional<std::string_view> header(std::string_view name) const override { return head_.header(name); }
  void accept(Identity identity) override { state_->give(std::move(identity), {}); }
  void refuse(std::string_view reason) override { state_->give(std::nullopt, std::string(reason)); }
  LaterAnswer later() override {
    later_ = true;
    return LaterAnswer(state_);
  }
  /// The handler has returned: without an answer it accepts, unless that comes later.
  void returned() {
    if (!later_) state_->give(Identity{}, {});
  }

 private:
  const transport::HttpHead& head_;
  std::shared_ptr<OneAnswer> state_;
  bool later_ = false;
};

}  // namespace flux::gate
