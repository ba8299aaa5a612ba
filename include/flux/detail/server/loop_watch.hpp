// Notices event loops that a handler of the application blocks.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/metrics.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace flux::detail {

/// What one loop has been seen doing. Used by one thread.
class BlockedHandler {
 public:
  using Time = std::chrono::steady_clock::duration;

  explicit BlockedHandler(Time limit) : limit_(limit) {}

  enum class Found : std::uint8_t {
    nothing,
    blocked,  ///< the handler reached the limit and is still running
    ended,    ///< a handler that was found blocked has returned
  };
  /// `passed`: the time since the last look in which the handler can have run; 0 if that is not certain.
  Found look(const core::RunningHandler::Seen& seen, Time passed);

  /// The handler that the last look found.
  const core::RunningHandler::Seen& handler() const noexcept { return handler_; }
  /// How long it has run at least.
  Time time() const noexcept { return time_; }

 private:
  const Time limit_;
  core::RunningHandler::Seen running_, handler_;
  Time running_time_{}, time_{};
  bool blocked_ = false;
};

/// A thread that looks at every loop four times within the limit. The loops only say which handler they are in, and read
/// no clock for this.
/// Threading: `start` and `stop` one at a time; the rest from any thread.
class LoopWatch {
 public:
  using Log = std::function<void(LogLevel level, std::string_view line)>;

  /// `limit`: 0: nothing is watched.
  LoopWatch(std::chrono::milliseconds limit, Log log) : limit_(limit), log_(std::move(log)) {}
  ~LoopWatch() { stop(); }
  LoopWatch(const LoopWatch&) = delete;
  LoopWatch& operator=(const LoopWatch&) = delete;

  void start(std::vector<std::shared_ptr<core::Loop>> loops);
  void stop();
  /// Adds the count of handlers that reached the limit. This object outlives the set.
  void add_metrics(core::MetricSet& metrics) const;

 private:
  void watch(const std::vector<std::shared_ptr<core::Loop>>& loops);
  void report(BlockedHandler::Found found, const BlockedHandler& of, std::size_t loop);

  const std::chrono::milliseconds limit_;
  const Log log_;
  std::atomic<std::uint64_t> count_{0};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace flux::detail
