// The application's view of a question.
#pragma once

#include <flux/detail/core/owed_answer.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/events.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flux::gate {

/// `Request`: an AccessRequest.
template <class Request>
class Question : public Request {
 public:
  /// `shown` must outlive the question.
  Question(const Shown& shown, std::shared_ptr<core::OwedAnswer<Grant>> answer)
      : shown_(shown), answer_(std::move(answer)) {}

  std::string_view protocol() const override { return shown_.protocol(); }
  std::string_view path() const override { return shown_.path(); }
  std::optional<std::string> query(std::string_view name) const override { return shown_.query(name); }
  std::optional<std::string_view> header(std::string_view name) const override { return shown_.header(name); }
  const JsonText& payload() const override { return shown_.payload(); }
  std::string remote_address() const override { return shown_.client().text(); }
  LaterAnswer later() override {
    left_for_later_ = true;
    return LaterAnswer(answer_->target());
  }
  bool left_for_later() const noexcept { return left_for_later_; }

 protected:
  void give(Result<Grant> answer) override { answer_->give(std::move(answer)); }

 private:
  const Shown& shown_;
  const std::shared_ptr<core::OwedAnswer<Grant>> answer_;
  bool left_for_later_ = false;
};

class TokenQuestion final : public Question<TokenRequest> {
 public:
  TokenQuestion(const Shown& shown, std::shared_ptr<core::OwedAnswer<Grant>> answer, std::string token)
      : Question(shown, std::move(answer)), token_(std::move(token)) {}
  const std::string& token() const override { return token_; }

 private:
  const std::string token_;
};

/// What a client wants to do with a file.
struct FileSubject {
  FileAction action;
  FileInfo file;
  RoomId room;
  std::optional<Session> session;
};

class FileQuestion final : public Question<FileRequest> {
 public:
  FileQuestion(const Shown& shown, std::shared_ptr<core::OwedAnswer<Grant>> answer, FileSubject subject, Grant known)
      : Question(shown, std::move(answer)), subject_(std::move(subject)), known_(std::move(known)) {}
  FileAction action() const override { return subject_.action; }
  const FileInfo& file() const override { return subject_.file; }
  const RoomId& room() const override { return subject_.room; }
  std::optional<Session> session() const override { return subject_.session; }
  const Grant& grant() const override { return known_; }

 private:
  const FileSubject subject_;
  const Grant known_;
};

}  // namespace flux::gate
