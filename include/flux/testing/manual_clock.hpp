// A clock that tests advance by hand.
#pragma once

#include <flux/clock.hpp>

#include <map>
#include <mutex>
#include <vector>

namespace flux::testing {

/// Stands still until `advance`. The timers of servers that use it fire on their loops after each step.
class ManualClock final : public Clock {
 public:
  TimePoint now() const override {
    const std::lock_guard lock(mutex_);
    return now_;
  }
  std::int64_t unix_ms() const override {
    const std::lock_guard lock(mutex_);
    return unix_ms_;
  }
  /// Advances the time by `step`, and tells the servers that use this clock.
  void advance(std::chrono::milliseconds step) {
    std::vector<std::function<void()>> watchers;
    {
      const std::lock_guard lock(mutex_);
      now_ += step;
      unix_ms_ += step.count();
      for (const auto& [key, moved] : watchers_) watchers.push_back(moved);
    }
    for (const auto& moved : watchers) moved();
  }
  bool stepped() const override { return true; }
  void watch(const void* key, std::function<void()> moved) override {
    const std::lock_guard lock(mutex_);
    watchers_[key] = std::move(moved);
  }
  void unwatch(const void* key) override {
    const std::lock_guard lock(mutex_);
    watchers_.erase(key);
  }

 private:
  mutable std::mutex mutex_;
  TimePoint now_{std::chrono::hours(1)};
  std::int64_t unix_ms_ = 1'700'000'000'000;
  std::map<const void*, std::function<void()>> watchers_;
};

}  // namespace flux::testing
