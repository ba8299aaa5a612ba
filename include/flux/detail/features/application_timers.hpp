// The calls that the application schedules with `Server::call_after` and `Server::call_every`.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/features/service.hpp>
#include <flux/detail/mode.hpp>
#include <flux/timer.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace flux::features {

struct Backend;
class ApplicationTimers;

struct ApplicationTimer {
  std::weak_ptr<ApplicationTimers> timers;
  std::function<void()> call;
  std::chrono::milliseconds delay{0};
  std::chrono::milliseconds period{0};  // 0: once
  std::atomic<bool> ended{false};
  // Set before it is given to the loop, then used on the loop only.
  std::shared_ptr<core::Loop> loop;
  Clock::TimePoint due{};
  core::TimerQueue::Id id{};
  bool armed = false;
};

/// Calls run on the server's first loop. Calls scheduled while the server is not running wait for its start, and their
/// delays count from then. Calls that are still pending when the loop ends are dropped.
/// Threading: any thread.
class ApplicationTimers final : public Service, public std::enable_shared_from_this<ApplicationTimers> {
 public:
  explicit ApplicationTimers(Backend& backend) : backend_(backend) {}

  /// `period`: 0 for a single call.
  Timer add(std::chrono::milliseconds delay, std::chrono::milliseconds period, std::function<void()> call);
  void cancel(const std::shared_ptr<ApplicationTimer>& timer);

  FLUX_DECL void start(core::Loop& loop) override;
  FLUX_DECL void begin_stop() override;
  FLUX_DECL void stop() override;

 private:
  using Shared = std::shared_ptr<ApplicationTimer>;

  void begin_waiting(const std::shared_ptr<core::Loop>& loop);
  void begin(const Shared& timer);
  void arm(const Shared& timer);
  void fire(const Shared& timer);

  Backend& backend_;
  std::mutex mutex_;
  std::shared_ptr<core::Loop> loop_;  // null until it runs, which it never does if the start fails
  std::vector<Shared> waiting_;       // for the loop to run
  bool started_ = false;              // the delays count
  bool stopping_ = false;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/application_timers.ipp>
#endif
