// One event loop: an io_context that one thread runs, its mailbox, its timers, and what is flushed when a turn ends.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/asio.hpp>
#include <flux/detail/core/counter.hpp>
#include <flux/detail/core/timer_queue.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace flux::core {

/// Threading: `post`, `here` and the counters' readers from any thread; everything else on the loop's thread only.
/// Ownership: shared by the server and by every handle of a session on it, so a handle can always find out that its
/// loop has ended. After `shut` nothing posted runs any more.
class Loop : public std::enable_shared_from_this<Loop> {
 public:
  using Task = std::function<void()>;

  /// Something that has bytes to send when the turn ends.
  class Flushable {
   public:
    virtual void flush() = 0;

   protected:
    ~Flushable() = default;
  };

  /// Says that the loop, or a connection of it, calls something, and so perhaps the application's handlers.
  class Turn {
   public:
    explicit Turn(Loop& loop) : loop_(loop), before_(std::exchange(loop.in_turn_, true)) {}
    ~Turn() { loop_.in_turn_ = before_; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Loop& loop_;
    const bool before_;
  };

  static constexpr std::size_t read_buffer_bytes = 256 * 1024;
  /// A loop whose timer comes so much late has stood still: the process was stopped, the machine slept, or a handler
  /// took that long. Of that time so much counts.
  static constexpr std::chrono::milliseconds stall{500};

  /// `external`: the application's context, which one thread runs; else the loop has its own.
  static std::shared_ptr<Loop> make(std::size_t index, std::shared_ptr<Clock> clock, asio::io_context* external);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  std::size_t index() const noexcept { return index_; }
  asio::io_context& context() noexcept { return *context_; }
  /// Whether the caller is on the loop's thread. False once it is shut: the application's context may be gone then.
  bool here() const noexcept { return !is_shut() && context_->get_executor().running_in_this_thread(); }
  Clock& clock() const noexcept { return *clock_; }
  LoopCounters& counters() noexcept { return counters_; }
  /// Whether the caller is inside a `Turn`; what else runs in the application's context is not.
  bool in_turn() const noexcept { return here() && in_turn_; }
  /// Guards what other threads may ask about the sessions of this loop.
  std::mutex& sessions_mutex() noexcept { return sessions_mutex_; }

  /// Runs until `release_work` was called and nothing is left to do. Only where the context is the loop's own.
  void run();
  void release_work() { work_.reset(); }

  /// Runs `task` on this loop, in the order of the calls. False where the loop has been shut: it will not run.
  bool post(Task task);
  /// Now where the caller is on the loop, else as `post`.
  template <class F>
  bool dispatch(F&& task) {
    if (here()) {
      task();
      return true;
    }
    return post(std::forward<F>(task));
  }

  /// Flushes `what` when this turn ends, and keeps it alive until then. The caller sees to it that it asks once.
  void flush_later(std::shared_ptr<Flushable> what);

  /// The time that timers and deadlines go by: the clock's, but for what passed while the loop stood still. Nobody
  /// could be heard then, so nobody is late for it.
  Clock::TimePoint now() const;
  /// How long the loop has stood still, in all.
  Clock::TimePoint::duration lost() const { return clock_->now() - now(); }
  /// Quarters of a second of `now`, while anybody has a deadline. Only differences mean something.
  std::uint32_t ticks() const noexcept { return deadlines_.now(); }

  TimerQueue::Id call_after(std::chrono::nanoseconds delay, Task task);
  void cancel(TimerQueue::Id id) { timers_.cancel(id); }
  void set_deadline(DeadlineWheel::Entry& entry, std::chrono::milliseconds after);
  void clear_deadline(DeadlineWheel::Entry& entry) { deadlines_.clear(entry); }

  /// Where every connection of the loop reads into.
  char* read_buffer() noexcept { return read_buffer_.get(); }
  /// What the connection that is being read answers; sent when its input is used up.
  std::string& turn_output() noexcept { return turn_output_; }

  /// Refuses new tasks and drops the timers. On the loop's thread, or when that has ended. From here on the application
  /// may destroy its context, however long there are handles that know the loop.
  void shut();
  bool is_shut() const noexcept { return shut_.load(std::memory_order_acquire); }

 private:
  Loop(std::size_t index, std::shared_ptr<Clock> clock, asio::io_context* external);
  void drain_mailbox();
  void flush_turn();
  void run_due();
  void arm_timer();
  void timer_fired();
  void tick_deadlines();

  const std::size_t index_;
  const std::shared_ptr<Clock> clock_;
  std::unique_ptr<asio::io_context> own_context_;
  asio::io_context* context_;
  std::optional<asio::executor_work_guard<flux::detail::Executor>> work_;
  LoopCounters counters_;
  std::mutex sessions_mutex_;

  std::mutex mailbox_mutex_;
  std::vector<Task> mailbox_, draining_;
  std::atomic<bool> shut_{false};
  bool in_turn_ = false;

  std::vector<std::shared_ptr<Flushable>> to_flush_, flushing_;

  TimerQueue timers_;
  DeadlineWheel deadlines_;
  bool deadlines_ticking_ = false;
  Clock::TimePoint last_tick_{};
  Clock::TimePoint due_by_{};  // `now`, as what is due is called
  bool calling_due_ = false;
  std::optional<flux::detail::Timer> timer_;  // none once it is shut
  Clock::TimePoint timer_at_{};
  bool timer_armed_ = false;
  bool sockets_first_ = false;  // after a stall: nothing is due before what has come meanwhile was read
  const bool stepped_clock_;
  Clock::TimePoint::duration lost_{};  // as far as it has been noticed

  std::unique_ptr<char[]> read_buffer_;
  std::string turn_output_;
};

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/loop.ipp>
#endif
