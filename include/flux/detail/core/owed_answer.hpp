// An answer that the application owes: it is asked for once, and given once or too late.
#pragma once

#include <flux/detail/core/loop.hpp>
#include <flux/events.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace flux::core {

/// Waits on a loop for an answer. If it is destroyed before the answer arrives, nothing happens any more.
/// Threading: its loop's thread.
class AnswerWait {
 public:
  AnswerWait() = default;
  AnswerWait(const AnswerWait&) = delete;
  AnswerWait& operator=(const AnswerWait&) = delete;
  virtual ~AnswerWait() = default;
  /// Whether the answer, or the time limit, has been acted on.
  virtual bool over() const = 0;
};

/// Accepts the first answer. Until `wait` is called, which is after the application's handler has returned, the answer
/// is only stored: the handler may still throw.
/// Threading: any thread.
template <class T>
class OwedAnswer final : public std::enable_shared_from_this<OwedAnswer<T>> {
 public:
  using Then = std::function<void(Result<T>)>;
  /// Who owns a wait: the caller, who may no longer exist when the answer arrives, or the loop.
  enum class KeptBy : std::uint8_t { caller, loop };

  /// `unanswered`: the answer if the target is destroyed without one.
  explicit OwedAnswer(Error unanswered) : unanswered_(std::move(unanswered)) {}
  OwedAnswer(const OwedAnswer&) = delete;
  OwedAnswer& operator=(const OwedAnswer&) = delete;

  /// The object through which the application answers. All calls return the same one while it exists.
  std::shared_ptr<AnswerTarget<T>> target() {
    const std::lock_guard lock(mutex_);
    auto target = target_.lock();
    if (!target) target_ = target = std::make_shared<Target>(this->shared_from_this());
    return target;
  }
  void give(Result<T> answer) {
    std::unique_lock lock(mutex_);
    if (std::exchange(given_, true)) return;
    if (!loop_) {
      noted_.emplace(std::move(answer));
      return;
    }
    const std::shared_ptr<Loop> loop = loop_;
    lock.unlock();
    loop->post([wait = wait_, answer = std::move(answer)]() mutable {
      if (const auto waiting = wait.lock()) waiting->end(std::move(answer));
    });
  }
  bool given() const {
    const std::lock_guard lock(mutex_);
    return given_;
  }

  /// Calls `then` once, on `loop`: immediately if the answer was already given; otherwise in a separate turn, with
  /// `late` if there is none within `limit`. Must be called only once, on the loop. Returns null if `then` was already
  /// called.
  std::shared_ptr<AnswerWait> wait(const std::shared_ptr<Loop>& loop, std::chrono::milliseconds limit, Error late,
                                   KeptBy keeper, Then then) {
    const auto waiting = std::make_shared<Wait>(loop, std::move(then));
    {
      const std::lock_guard lock(mutex_);
      wait_ = waiting;
      loop_ = loop;
    }
    if (noted_) {
      waiting->end(std::move(*noted_));
      return nullptr;
    }
    waiting->timer = loop->call_after(limit, [weak = std::weak_ptr(waiting), late = std::move(late),
                                              kept = keeper == KeptBy::loop ? waiting : nullptr] {
      const auto still = weak.lock();
      if (!still) return;
      still->timer.reset();
      still->end(late);
    });
    return waiting;
  }

 private:
  class Target final : public AnswerTarget<T> {
   public:
    explicit Target(std::shared_ptr<OwedAnswer> owed) : owed_(std::move(owed)) {}
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;
    ~Target() override { owed_->give(owed_->unanswered_); }
    void give(Result<T> answer) override { owed_->give(std::move(answer)); }

   private:
    const std::shared_ptr<OwedAnswer> owed_;
  };

  class Wait final : public AnswerWait {
   public:
    Wait(std::shared_ptr<Loop> loop, Then then) : loop_(std::move(loop)), then_(std::move(then)) {}
    bool over() const override { return !then_; }
    void end(Result<T> answer) {
      if (!then_) return;
      if (timer) loop_->cancel(*timer);
      std::exchange(then_, nullptr)(std::move(answer));
    }
    std::optional<TimerQueue::Id> timer;  // set while it may still fire

   private:
    const std::shared_ptr<Loop> loop_;
    Then then_;  // empty once it has been called
  };

  const Error unanswered_;
  mutable std::mutex mutex_;
  std::weak_ptr<AnswerTarget<T>> target_;
  bool given_ = false;
  std::optional<Result<T>> noted_;  // given before `wait` was called
  std::shared_ptr<Loop> loop_;      // null until `wait` is called
  std::weak_ptr<Wait> wait_;        // set once, together with the loop
};

}  // namespace flux::core
