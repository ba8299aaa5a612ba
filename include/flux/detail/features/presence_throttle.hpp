// Limits how often one client's presence updates are sent.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/features/room.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flux::features {

/// Lets one update per interval through. At the end of the interval, the newest of the others is sent for each room.
class PresenceThrottle {
 public:
  struct Update {
    std::shared_ptr<Room> room;
    std::string presence;
  };

  /// Returns true if an update may be sent at `now`; then the next interval begins.
  bool pass(Clock::TimePoint now, std::chrono::milliseconds interval) {
    if (interval.count() == 0) return true;
    if (now < ready_ || !held_.empty()) return false;
    ready_ = now + interval;
    return true;
  }
  /// Keeps an update that may not be sent yet. Returns true for the first one: then `take` must be called at `ready`.
  bool hold(Update update) {
    for (Update& earlier : held_) {
      if (earlier.room == update.room) {
        earlier.presence = std::move(update.presence);
        return false;
      }
    }
    held_.push_back(std::move(update));
    return held_.size() == 1;
  }
  Clock::TimePoint ready() const noexcept { return ready_; }
  std::vector<Update> take(Clock::TimePoint now, std::chrono::milliseconds interval) {
    ready_ = now + interval;
    return std::exchange(held_, {});
  }
  void forget(const std::shared_ptr<Room>& room) {
    std::erase_if(held_, [&](const Update& update) { return update.room == room; });
  }

 private:
  Clock::TimePoint ready_{};
  std::vector<Update> held_;
};

}  // namespace flux::features
