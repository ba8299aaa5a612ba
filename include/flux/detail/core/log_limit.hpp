// How many log lines of one kind may be logged.
#pragma once

#include <flux/clock.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

namespace flux::core {

/// Threading: any thread.
class LogLimit {
 public:
  /// At most so many lines in each `window`. The next line says how many were left out.
  static constexpr std::size_t lines_max = 50;
  static constexpr std::chrono::seconds window{10};

  explicit LogLimit(std::shared_ptr<const Clock> clock) : clock_(std::move(clock)) {}

  /// Asks to log one line. None: it is left out. Otherwise the number of lines left out since the last one.
  std::optional<std::size_t> admit() {
    const std::lock_guard lock(mutex_);
    const auto now = clock_->now();
    if (now >= window_end_) {
      window_end_ = now + window;
      lines_ = 0;
    }
    if (lines_ == lines_max) {
      ++left_out_;
      return std::nullopt;
    }
    ++lines_;
    return std::exchange(left_out_, 0);
  }

 private:
  const std::shared_ptr<const Clock> clock_;
  std::mutex mutex_;
  Clock::TimePoint window_end_ = Clock::TimePoint::min();
  std::size_t lines_ = 0;     // in this window
  std::size_t left_out_ = 0;  // since the last line
};

}  // namespace flux::core
