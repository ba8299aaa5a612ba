#include "call_guard.hpp"

#include <sys/socket.h>

namespace flux::storage::sql {

CallGuard::~CallGuard() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

CallGuard::Watch::Watch(CallGuard& guard, int socket, TimePoint deadline) : guard_(guard), socket_(socket) {
  const std::lock_guard lock(guard_.mutex_);
  place_ = guard_.watches_.emplace(deadline, this);
  if (place_ == guard_.watches_.begin()) guard_.changed_.notify_all();
}

CallGuard::Watch::~Watch() {
  const std::lock_guard lock(guard_.mutex_);
  if (!late_) guard_.watches_.erase(place_);
}

bool CallGuard::Watch::was_late() const {
  const std::lock_guard lock(guard_.mutex_);
  return late_;
}

void CallGuard::work() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (watches_.empty() || watches_.begin()->first == TimePoint::max()) {
      changed_.wait(lock);
      continue;
    }
    const auto first = watches_.begin();
    if (std::chrono::steady_clock::now() < first->first) {
      changed_.wait_until(lock, TimePoint(first->first));  // a copy: the watch may end while this waits
      continue;
    }
    first->second->late_ = true;
    ::shutdown(first->second->socket_, SHUT_RDWR);
    watches_.erase(first);
  }
}

}  // namespace flux::storage::sql
