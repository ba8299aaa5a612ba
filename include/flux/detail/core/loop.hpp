// An event loop: an io_context run by one thread, its mailbox, its timers, and what is flushed at the end of a turn.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/asio.hpp>
#include <flux/detail/core/call_faults.hpp>
#include <flux/detail/core/loop_counters.hpp>
#include <flux/detail/core/timer_queue.hpp>
#include <flux/json.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

namespace flux::core {

/// Threading: `post`, `here` and reading the counters from any thread; everything else on the loop's thread only.
/// Ownership: shared by the server and by the handles of its sessions, so that a handle can always find out that its
/// loop has been shut. No posted task runs after `shut`.
class Loop : public std::enable_shared_from_this<Loop> {
 public:
  using Task = std::function<void()>;

  /// How long one turn flushes before other sockets are served, on the real clock.
  static constexpr std::chrono::milliseconds flush_time{4};

  /// An object with output to send at the end of the turn.
  class Flushable {
   public:
    virtual void flush() = 0;

   protected:
    ~Flushable() = default;
  };

  /// Marks that the loop, or one of its connections, is making calls that may reach the application's handlers.
  class Turn {
   public:
    /// Errors: throws `Error` (bad_config) if another thread is in a turn, because then two threads run the
    /// application's context.
    explicit Turn(Loop& loop) : loop_(loop), before_(loop.begin_turn()) {}
    ~Turn() {
      loop_.in_turn_ = before_;
      if (!before_ && !loop_.own_context_) loop_.turn_thread_.store({}, std::memory_order_release);
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Loop& loop_;
    const bool before_;
  };

  static constexpr std::size_t read_buffer_bytes = 256 * 1024;
  /// A loop whose timer fires this late has stalled: the process was stopped, the machine slept, or a handler took that
  /// long. Of a stall only this much counts as elapsed.
  static constexpr std::chrono::milliseconds stall{500};

  /// `external`: the application's context, run by one thread; null: the loop has its own. `faults`: the server's.
  static std::shared_ptr<Loop> make(std::size_t index, std::shared_ptr<Clock> clock, asio::io_context* external,
                                    std::weak_ptr<CallFaults> faults = {});
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  std::size_t index() const noexcept { return index_; }
  asio::io_context& context() noexcept { return *context_; }
  /// Whether the caller is on the loop's thread. False once the loop is shut: the application's context may be
  /// destroyed by then.
  bool here() const noexcept { return !is_shut() && context_->get_executor().running_in_this_thread(); }
  Clock& clock() const noexcept { return *clock_; }
  LoopCounters& counters() noexcept { return counters_; }
  /// Where handles of the application report failed calls. Any thread.
  const std::weak_ptr<CallFaults>& call_faults() const noexcept { return call_faults_; }
  /// Whether the caller is inside a `Turn`; other work in the application's context is not.
  bool in_turn() const noexcept { return here() && in_turn_; }
  /// In the application's context: whether another thread is in a `Turn` at this moment. Any thread.
  bool in_turn_elsewhere() const noexcept {
    const auto in_turn = turn_thread_.load(std::memory_order_acquire);
    return in_turn != std::thread::id() && in_turn != std::this_thread::get_id();
  }
  /// Guards the data of this loop's sessions that other threads may read.
  std::mutex& sessions_mutex() noexcept { return sessions_mutex_; }
  /// What the application has stored with this loop's sessions, by their keys. Few have something, so they don't have room
  /// for it. Under `sessions_mutex`.
  std::unordered_map<std::uint64_t, JsonText>& session_data() noexcept { return session_data_; }

  /// Runs until `release_work` was called and no work is left. Only if the context is the loop's own. The caller
  /// ensures that the loop is not destroyed meanwhile.
  void run();
  void release_work() { work_.reset(); }

  /// Keeps tasks that are posted from now on until `begin`: the server is starting, but the application's context may
  /// already run. Without `begin`, `shut` drops them.
  void hold_tasks();
  void begin();
  /// Runs `task` on this loop, in the order of the calls. Returns false if the loop has been shut: the task will not
  /// run.
  bool post(Task task);
  /// Runs `task` at once if the caller is on the loop's thread, otherwise as `post`.
  template <class F>
  bool dispatch(F&& task) {
    if (here()) {
      task();
      return true;
    }
    return post(std::forward<F>(task));
  }

  /// Flushes `what` when this turn ends, and keeps it alive until then. The caller must not ask again before that.
  /// If several have so much to send that `flush_time` has passed, the others are flushed in the next turns.
  void flush_later(std::shared_ptr<Flushable> what);

  /// The time for timers and deadlines: the clock's, less the time in which the loop was stalled. Clients could not be
  /// heard then, so they are not late.
  Clock::TimePoint now() const;
  /// The total time lost to stalls.
  Clock::TimePoint::duration lost() const { return clock_->now() - now(); }
  /// The time in ticks of 250 ms, which passes only while a deadline is set. Only differences have a meaning.
  std::uint32_t ticks() const noexcept { return deadlines_.now(); }

  TimerQueue::Id call_after(std::chrono::nanoseconds delay, Task task);
  void cancel(TimerQueue::Id id) { timers_.cancel(id); }
  void set_deadline(DeadlineWheel::Entry& entry, std::chrono::milliseconds after);
  void clear_deadline(DeadlineWheel::Entry& entry) { deadlines_.clear(entry); }

  /// The buffer that all connections of the loop read into.
  char* read_buffer() noexcept { return read_buffer_.get(); }
  /// The output of the connection whose input is being processed; sent when that input is used up.
  std::string& turn_output() noexcept { return turn_output_; }

  /// Refuses new tasks and drops the timers. Call it on the loop's thread, or after that has ended. Afterwards the
  /// application may destroy its context, even if handles still refer to the loop.
  void shut();
  bool is_shut() const noexcept { return shut_.load(std::memory_order_acquire); }

 private:
  Loop(std::size_t index, std::shared_ptr<Clock> clock, asio::io_context* external, std::weak_ptr<CallFaults> faults);
  /// Returns whether the caller was in a turn before.
  bool begin_turn() {
    if (!own_context_) claim_turn();
    return std::exchange(in_turn_, true);
  }
  void claim_turn();
  /// Runs `Step` in a turn of its own.
  template <void (Loop::*Step)()>
  void post_turn();
  void drain_mailbox();
  void flush_turn();
  void run_due();
  void arm_timer();
  void timer_fired();
  void tick_deadlines();

  const std::size_t index_;
  const std::shared_ptr<Clock> clock_;
  const std::weak_ptr<CallFaults> call_faults_;
  std::unique_ptr<asio::io_context> own_context_;
  asio::io_context* context_;
  std::optional<asio::executor_work_guard<flux::detail::Executor>> work_;
  LoopCounters counters_;
  std::mutex sessions_mutex_;
  std::unordered_map<std::uint64_t, JsonText> session_data_;

  std::mutex mailbox_mutex_;
  std::vector<Task> mailbox_, draining_;
  std::atomic<bool> shut_{false};
  bool in_turn_ = false;
  bool holds_tasks_ = false;                    // guarded by mailbox_mutex_
  std::atomic<std::thread::id> turn_thread_{};  // with the application's context: the thread that is in a turn

  std::vector<std::shared_ptr<Flushable>> to_flush_, flushing_;

  TimerQueue timers_;
  DeadlineWheel deadlines_;
  bool deadlines_ticking_ = false;
  Clock::TimePoint last_tick_{};
  Clock::TimePoint due_by_{};  // the `now` at which due tasks are called
  bool calling_due_ = false;
  std::optional<flux::detail::Timer> timer_;  // none once the loop is shut
  Clock::TimePoint timer_at_{};
  bool timer_armed_ = false;
  bool sockets_first_ = false;  // after a stall: input received meanwhile is read before timers fire
  const bool stepped_clock_;
  Clock::TimePoint::duration lost_{};  // noticed so far

  std::unique_ptr<char[]> read_buffer_;
  std::string turn_output_;
};

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/loop.ipp>
#endif
