#pragma once

#include <flux/detail/features/application_timers.hpp>
#include <flux/detail/features/backend.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux {

namespace features {

FLUX_DECL Timer ApplicationTimers::add(std::chrono::milliseconds delay, std::chrono::milliseconds period,
                                       std::function<void()> call) {
  const auto timer = std::make_shared<ApplicationTimer>();
  timer->timers = weak_from_this();
  timer->call = std::move(call);
  timer->delay = std::max(delay, std::chrono::milliseconds(0));
  timer->period = period;
  const std::lock_guard lock(mutex_);
  if (started_) timer->due = backend_.config.clock->now() + timer->delay;
  if (loop_) {
    begin(timer);
  } else {
    waiting_.push_back(timer);
  }
  return Timer(timer);
}

FLUX_DECL void ApplicationTimers::cancel(const Shared& timer) {
  if (timer->ended.exchange(true)) return;
  const std::lock_guard lock(mutex_);
  std::erase(waiting_, timer);
  if (!loop_) return;
  loop_->post([timer] {
    if (std::exchange(timer->armed, false)) timer->loop->cancel(timer->id);
  });
}

FLUX_DECL void ApplicationTimers::start(core::Loop& loop) {
  const std::lock_guard lock(mutex_);
  started_ = true;
  stopping_ = false;
  const auto now = backend_.config.clock->now();
  for (const Shared& timer : waiting_) timer->due = now + timer->delay;
  loop.post([this, &loop] { begin_waiting(loop.shared_from_this()); });
}

FLUX_DECL void ApplicationTimers::begin_waiting(const std::shared_ptr<core::Loop>& loop) {
  const std::lock_guard lock(mutex_);
  loop_ = loop;
  for (const Shared& timer : std::exchange(waiting_, {})) begin(timer);
}

FLUX_DECL void ApplicationTimers::begin_stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
}

/// After a start that failed, the calls still wait for one.
FLUX_DECL void ApplicationTimers::stop() {
  std::vector<Shared> dropped;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  started_ = false;
  loop_.reset();
  if (stopping_) dropped.swap(waiting_);
}

FLUX_DECL void ApplicationTimers::begin(const Shared& timer) {
  timer->loop = loop_;
  // Always in a separate turn, so that a call that schedules the next one without delay leaves time for other work on
  // the loop.
  loop_->post([this, timer] { arm(timer); });
}

FLUX_DECL void ApplicationTimers::arm(const Shared& timer) {
  if (timer->ended) return;
  const auto left = std::max(timer->due - timer->loop->clock().now(), Clock::TimePoint::duration(0));
  timer->id = timer->loop->call_after(left, [this, timer] { fire(timer); });
  timer->armed = true;
}

FLUX_DECL void ApplicationTimers::fire(const Shared& timer) {
  timer->armed = false;
  if (timer->ended) return;
  const bool once = timer->period.count() == 0;
  if (once) timer->ended = true;
  backend_.guarded(timer->loop->counters(), "timer", timer->call);
  if (once || timer->ended || timer->loop->is_shut()) return;
  const auto late = std::max(timer->loop->clock().now() - timer->due, Clock::TimePoint::duration(0));
  timer->due += (late / timer->period + 1) * timer->period;  // missed calls are skipped
  arm(timer);
}

}  // namespace features

FLUX_DECL void Timer::cancel() const {
  const auto timer = timer_.lock();
  const auto timers = timer ? timer->timers.lock() : nullptr;
  if (timers) timers->cancel(timer);
}

FLUX_DECL bool Timer::pending() const {
  const auto timer = timer_.lock();
  return timer && !timer->ended;
}

}  // namespace flux
