// A question to the application that has not been acted on yet.
#pragma once

#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/events.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace flux::gate {

/// Takes the answer to one question. The first answer counts; while the handler runs it is only noted, for the handler
/// may still throw. If every copy of the LaterAnswer is destroyed without an answer, the question is refused.
/// Threading: any thread. `done` is called once, on the loop; never where the loop has been shut.
class PendingAnswer final : public LaterAnswer::Target {
 public:
  /// unauthorized: refused, with the reason; server_error: the handler threw; overloaded: it took too long.
  using Done = std::function<void(Result<Grant>)>;

  PendingAnswer(std::shared_ptr<core::Loop> loop, Done done) : loop_(std::move(loop)), done_(std::move(done)) {}
  PendingAnswer(const PendingAnswer&) = delete;
  PendingAnswer& operator=(const PendingAnswer&) = delete;
  ~PendingAnswer() override { settle(Error(Errc::unauthorized, "nobody answered")); }

  void give(std::optional<Grant> grant, std::string reason) override {
    if (grant) {
      settle(std::move(*grant));
    } else {
      settle(Error(Errc::unauthorized, core::repaired(std::move(reason))));
    }
  }
  /// The answer, whatever the application says later.
  void settle(Result<Grant> answer) {
    Done done;
    {
      const std::lock_guard lock(mutex_);
      if (handler_runs_) {
        if (!noted_) noted_ = std::move(answer);
        return;
      }
      done.swap(done_);
    }
    if (!done) return;
    loop_->dispatch([done = std::move(done), answer = std::move(answer)]() mutable { done(std::move(answer)); });
  }

  /// The handler has returned; acts on the answer that it has given, if any. On the loop. False: there is none yet.
  bool handler_returned() {
    std::optional<Result<Grant>> answer;
    {
      const std::lock_guard lock(mutex_);
      handler_runs_ = false;
      answer = std::move(noted_);
    }
    if (!answer) return false;
    settle(std::move(*answer));
    return true;
  }
  /// The handler has thrown: what it answered before does not count. On the loop.
  void handler_threw() {
    {
      const std::lock_guard lock(mutex_);
      handler_runs_ = false;
    }
    settle(Error(Errc::server_error, "the server failed to handle this request"));
  }

 private:
  const std::shared_ptr<core::Loop> loop_;
  std::mutex mutex_;
  bool handler_runs_ = true;
  std::optional<Result<Grant>> noted_;
  Done done_;  // none: it has been called
};

}  // namespace flux::gate
