// A verdict of the application that may be given later, from any thread.
#pragma once

#include <flux/events.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace flux::features {

/// Passes the first verdict on. Until somebody awaits it, it is only noted.
/// Threading: any thread.
class PendingVerdict {
 public:
  using Then = std::function<void(const Result<void>&)>;

  /// Gives verdicts to `pending`; refuses if it is destroyed. All copies of LaterVerdict share one.
  static std::shared_ptr<LaterVerdict::Target> giver(const std::shared_ptr<PendingVerdict>& pending) {
    const std::lock_guard lock(pending->mutex_);
    auto giver = pending->giver_.lock();
    if (!giver) {
      giver = std::make_shared<Giver>(pending);
      pending->giver_ = giver;
    }
    return giver;
  }

  void give(const Result<void>& verdict) {
    Then then;
    {
      const std::lock_guard lock(mutex_);
      if (verdict_) return;
      verdict_ = verdict;
      then.swap(then_);
    }
    if (then) then(verdict);
  }
  /// The verdict, if it was given already. None: `then` is called once, by the thread that gives it.
  std::optional<Result<void>> get_or_await(Then then) {
    const std::lock_guard lock(mutex_);
    if (!verdict_) then_ = std::move(then);
    return verdict_;
  }

 private:
  class Giver final : public LaterVerdict::Target {
   public:
    explicit Giver(std::shared_ptr<PendingVerdict> pending) : pending_(std::move(pending)) {}
    Giver(const Giver&) = delete;
    Giver& operator=(const Giver&) = delete;
    ~Giver() override { give(Error(Errc::forbidden, "the application gave no verdict")); }
    void give(std::optional<Error> refused) override {
      pending_->give(refused ? Result<void>(std::move(*refused)) : Result<void>());
    }

   private:
    const std::shared_ptr<PendingVerdict> pending_;
  };

  std::mutex mutex_;
  std::weak_ptr<LaterVerdict::Target> giver_;
  std::optional<Result<void>> verdict_;
  Then then_;
};

}  // namespace flux::features
