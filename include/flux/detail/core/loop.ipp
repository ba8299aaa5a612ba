#pragma once

#include <flux/detail/core/loop.hpp>
#include <flux/detail/mode.hpp>
#include <flux/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>

namespace flux::core {

// One thread runs the context but any thread may post to it: the reactor needs no locks, the queue does.
FLUX_DECL Loop::Loop(std::size_t index, std::shared_ptr<Clock> clock, asio::io_context* external,
                     std::weak_ptr<CallFaults> faults)
    : index_(index),
      clock_(std::move(clock)),
      call_faults_(std::move(faults)),
      own_context_(external != nullptr ? nullptr : std::make_unique<asio::io_context>(ASIO_CONCURRENCY_HINT_UNSAFE_IO)),
      context_(external != nullptr ? external : own_context_.get()),
      timer_(std::in_place, *context_),
      stepped_clock_(clock_->stepped()),
      read_buffer_(new char[read_buffer_bytes]) {
  if (own_context_) work_.emplace(context_->get_executor());
}

FLUX_DECL std::shared_ptr<Loop> Loop::make(std::size_t index, std::shared_ptr<Clock> clock, asio::io_context* external,
                                           std::weak_ptr<CallFaults> faults) {
  std::shared_ptr<Loop> loop(new Loop(index, std::move(clock), external, std::move(faults)));
  if (!loop->stepped_clock_) return loop;
  loop->clock_->watch(loop.get(), [weak = std::weak_ptr<Loop>(loop)] {
    if (const auto self = weak.lock()) self->post([raw = self.get()] { raw->run_due(); });
  });
  return loop;
}

FLUX_DECL Loop::~Loop() { shut(); }

FLUX_DECL void Loop::run() { context_->run(); }

// If the loop is shut at the same time, its context may never run the handler. A reference to the loop in a context that
// the loop owns would then be a cycle, so that handler has none: `run` requires that the loop outlives it.
template <void (Loop::*Step)()>
void Loop::post_turn() {
  if (own_context_) return asio::post(*context_, [this] { (this->*Step)(); });
  asio::post(*context_, [self = shared_from_this()] { ((*self).*Step)(); });
}

FLUX_DECL bool Loop::post(Task task) {
  bool first = false;
  {
    const std::lock_guard lock(mailbox_mutex_);
    if (shut_.load(std::memory_order_relaxed)) return false;
    first = mailbox_.empty() && !holds_tasks_;
    mailbox_.push_back(std::move(task));
    // The application's context may be destroyed once the loop is shut, which takes this lock.
    if (first && !own_context_) post_turn<&Loop::drain_mailbox>();
  }
  if (first && own_context_) post_turn<&Loop::drain_mailbox>();
  return true;
}

FLUX_DECL void Loop::hold_tasks() {
  const std::lock_guard lock(mailbox_mutex_);
  holds_tasks_ = true;
}

FLUX_DECL void Loop::begin() {
  const std::lock_guard lock(mailbox_mutex_);
  holds_tasks_ = false;
  if (!mailbox_.empty()) post_turn<&Loop::drain_mailbox>();
}

FLUX_DECL void Loop::claim_turn() {
  const auto self = std::this_thread::get_id();
  std::thread::id other;
  if (turn_thread_.compare_exchange_strong(other, self, std::memory_order_acquire) || other == self) return;
  // The other thread does this thread's work, so that the server can be stopped.
  asio::post(*context_, [self = shared_from_this()] {
    self->drain_mailbox();
    self->timer_armed_ = false;
    self->arm_timer();
  });
  throw Error(
      Errc::bad_config,
      "two threads run the io_context of a flux::Server, which needs one; for more threads leave use_context out "
      "and set Config::threads");
}

FLUX_DECL void Loop::drain_mailbox() {
  const Turn turn(*this);
  {
    const std::lock_guard lock(mailbox_mutex_);
    if (holds_tasks_) return;  // they were posted before, by a step of the clock
    draining_.swap(mailbox_);
  }
  for (Task& task : draining_) {
    if (shut_.load(std::memory_order_relaxed)) break;
    task();
  }
  draining_.clear();
}

FLUX_DECL void Loop::flush_later(std::shared_ptr<Flushable> what) {
  if (is_shut()) return;
  to_flush_.push_back(std::move(what));
  if (to_flush_.size() == 1) post_turn<&Loop::flush_turn>();
}

FLUX_DECL void Loop::flush_turn() {
  using RealClock = std::chrono::steady_clock;
  const Turn turn(*this);
  flushing_.swap(to_flush_);
  const bool several = flushing_.size() > 1;
  const auto until = several ? RealClock::now() + flush_time : RealClock::time_point();
  std::size_t done = 0;
  while (done < flushing_.size()) {
    const auto what = std::move(flushing_[done++]);
    what->flush();
    if (several && done < flushing_.size() && RealClock::now() >= until) break;
  }
  flushing_.erase(flushing_.begin(), flushing_.begin() + static_cast<std::ptrdiff_t>(done));
  if (flushing_.empty() || is_shut()) return flushing_.clear();
  // The rest comes first in the next turn, then what these flushes have added.
  if (to_flush_.empty()) post_turn<&Loop::flush_turn>();
  flushing_.insert(flushing_.end(), std::make_move_iterator(to_flush_.begin()),
                   std::make_move_iterator(to_flush_.end()));
  to_flush_.clear();
  to_flush_.swap(flushing_);
}

FLUX_DECL Clock::TimePoint Loop::now() const {
  const auto time = clock_->now() - lost_;
  if (stepped_clock_ || (!timer_armed_ && !calling_due_)) return time;
  // An overdue timer means a stall that has not ended, or that the timer has not noticed yet. While due timers are called,
  // time never falls behind `due_by_`: a timer that sets itself again would be due at once, without end.
  return std::min(time, (calling_due_ ? due_by_ : timer_at_) + stall);
}

FLUX_DECL TimerQueue::Id Loop::call_after(std::chrono::nanoseconds delay, Task task) {
  const auto id = timers_.add(now() + std::chrono::duration_cast<Clock::TimePoint::duration>(delay), std::move(task));
  arm_timer();
  return id;
}

FLUX_DECL void Loop::set_deadline(DeadlineWheel::Entry& entry, std::chrono::milliseconds after) {
  deadlines_.set(entry, after);
  if (deadlines_ticking_) return;
  deadlines_ticking_ = true;
  last_tick_ = now();
  call_after(DeadlineWheel::tick, [this] { tick_deadlines(); });
}

FLUX_DECL void Loop::tick_deadlines() {
  while (last_tick_ + DeadlineWheel::tick <= due_by_) {
    last_tick_ += DeadlineWheel::tick;
    deadlines_.advance();
  }
  deadlines_ticking_ = !deadlines_.empty();
  if (deadlines_ticking_) call_after(DeadlineWheel::tick, [this] { tick_deadlines(); });
}

FLUX_DECL void Loop::arm_timer() {
  const auto next = timers_.next();
  if (!next || !timer_ || calling_due_) return;  // `run_due` arms it when it has finished
  if (stepped_clock_) {
    // The clock calls when it is stepped; tasks that are already due must not wait for that.
    if (*next <= now()) post([this] { run_due(); });
    return;
  }
  if (timer_armed_ && sockets_first_) return;
  // At most one tick ahead, so that a stall during the wait shows as a late timer.
  Clock::TimePoint at = now() + DeadlineWheel::tick;
  if (!sockets_first_) at = std::min(at, *next);
  if (timer_armed_ && timer_at_ <= at) return;
  timer_at_ = at;
  timer_armed_ = true;
  timer_->expires_after(at - now());  // the clock's epoch may differ from the timer's
  timer_->async_wait([self = weak_from_this(), this](std::error_code ec) {
    const auto alive = self.lock();
    if (!alive || ec) return;  // re-armed for an earlier time, or destroyed
    timer_fired();
  });
}

FLUX_DECL void Loop::timer_fired() {
  const Turn turn(*this);
  timer_armed_ = false;
  const auto late = now() - timer_at_;
  const auto late_us = std::chrono::duration_cast<std::chrono::microseconds>(late).count();
  counters_.timer_lateness_us.observe(static_cast<std::uint64_t>(std::max<std::int64_t>(late_us, 0)));
  const bool stalled = late >= stall;
  if (stalled) lost_ += late - stall;
  // If one stall follows another, due tasks run nevertheless.
  sockets_first_ = stalled && !sockets_first_;
  if (sockets_first_) return arm_timer();
  run_due();
}

FLUX_DECL void Loop::run_due() {
  const auto began = clock_->now();
  due_by_ = now();
  calling_due_ = true;
  while (auto task = timers_.take_due(due_by_)) {
    (*task)();
    // A stepped clock may have moved meanwhile, which makes more tasks due.
    if (stepped_clock_) due_by_ = now();
  }
  calling_due_ = false;
  const auto took = clock_->now() - began;
  if (!stepped_clock_ && took >= stall) lost_ += took - stall;
  arm_timer();
}

FLUX_DECL void Loop::shut() {
  std::vector<Task> dropped;  // destroyed without the lock: what they capture may post
  {
    const std::lock_guard lock(mailbox_mutex_);
    if (shut_.exchange(true, std::memory_order_acq_rel)) return;
    dropped.swap(mailbox_);
  }
  clock_->unwatch(this);
  timers_.clear();
  timer_.reset();
  // A flush that is running finishes what it has already taken.
  const auto unflushed = std::exchange(to_flush_, {});
}

}  // namespace flux::core
