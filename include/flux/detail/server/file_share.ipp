#pragma once

#include <flux/detail/gate/answers.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/file_share.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flux::detail {

/// What the file handler is asked. There is no HTTP request: who shares is a session that was let in before.
class ShareQuestion final : public FileRequest {
 public:
  ShareQuestion(std::shared_ptr<SessionState> session, const FileInfo& file, const RoomId& room,
                std::shared_ptr<gate::OneAnswer> answer)
      : session_(std::move(session)), file_(file), room_(room), answer_(std::move(answer)) {}

  std::string_view path() const override { return {}; }
  std::optional<std::string> query(std::string_view) const override { return std::nullopt; }
  std::optional<std::string_view> header(std::string_view) const override { return std::nullopt; }
  std::string remote_address() const override { return session_->remote().text(); }
  void accept(Identity identity) override { answer_->give(std::move(identity), {}); }
  void refuse(std::string_view reason) override { answer_->give(std::nullopt, std::string(reason)); }
  LaterAnswer later() override {
    left_for_later_ = true;
    return LaterAnswer(answer_);
  }
  FileAction action() const override { return FileAction::share; }
  const FileInfo& file() const override { return file_; }
  const RoomId& room() const override { return room_; }
  std::optional<Session> session() const override { return Session(session_); }

  bool left_for_later() const noexcept { return left_for_later_; }

 private:
  const std::shared_ptr<SessionState> session_;
  const FileInfo& file_;
  const RoomId& room_;
  const std::shared_ptr<gate::OneAnswer> answer_;
  bool left_for_later_ = false;
};

FLUX_DECL void ask_to_share(Hub& hub, const std::shared_ptr<SessionState>& session, const FileInfo& file,
                            const RoomId& room, const std::function<void(Result<features::FileHolder>)>& done) {
  const auto known = session->identity();
  features::FileHolder holder{false, known ? known->user_id : std::string(), session->id(), nullptr};
  if (!hub.handlers.file) return done(std::move(holder));
  // The loop's own: what the client is told whatever the application says.
  const auto instead = std::make_shared<std::optional<Error>>();
  const auto answer = std::make_shared<gate::OneAnswer>(
      [session, done, instead, holder](std::optional<Identity> identity, std::string reason) {
        session->loop()->post(
            [done, instead, holder, identity = std::move(identity), reason = std::move(reason)]() mutable {
              if (*instead) return done(**instead);
              if (!identity) return done(Error(Errc::forbidden, std::move(reason)));
              if (!identity->user_id.empty()) holder.user_id = std::move(identity->user_id);
              done(std::move(holder));
            });
      });
  ShareQuestion question(session, file, room, answer);
  core::Loop& loop = *session->loop();
  if (!hub.guarded(loop.counters(), "file", [&] { hub.handlers.file(question); })) {
    instead->emplace(Errc::server_error, "the server failed to handle this message");
    question.refuse({});
  } else if (!question.left_for_later()) {
    question.accept({});
  } else {
    loop.call_after(hub.config.limits.handshake_timeout, [instead, weak = std::weak_ptr(answer)] {
      const auto unanswered = weak.lock();
      if (!unanswered || unanswered->given()) return;
      instead->emplace(Errc::overloaded, "the application took too long to answer; try again");
      unanswered->give(std::nullopt, {});
    });
  }
}

}  // namespace flux::detail
