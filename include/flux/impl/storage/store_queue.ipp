#pragma once

#include <flux/storage/store_queue.hpp>

namespace flux::storage {

FLUX_DECL StoreQueue::StoreQueue(std::size_t threads, std::size_t per_room_max, std::size_t total_max)
    : per_room_max_(per_room_max), total_max_(total_max) {
  for (std::size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
}

FLUX_DECL StoreQueue::~StoreQueue() { stop(); }

FLUX_DECL bool StoreQueue::run(const std::string& room, Call call) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || total_ >= total_max_) return false;
  Room& queue = rooms_[room];
  if (queue.waiting.size() >= per_room_max_) return false;
  ++total_;
  queue.waiting.push_back(std::move(call));
  if (!queue.busy) {
    queue.busy = true;
    ready_.push_back(room);
    ready_changed_.notify_one();
  }
  return true;
}

FLUX_DECL void StoreQueue::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_changed_.wait(lock, [this] { return !ready_.empty() || (stopping_ && total_ == 0); });
    if (ready_.empty()) return;
    const std::string room = std::move(ready_.front());
    ready_.pop_front();
    Room& queue = rooms_[room];
    Call call = std::move(queue.waiting.front());
    queue.waiting.pop_front();
    lock.unlock();
    // The turn ends when its last holder lets go, here or on an event loop.
    call(Turn(nullptr, [self = shared_from_this(), room](void*) { self->turn_over(room); }));
    call = nullptr;
    lock.lock();
  }
}

FLUX_DECL void StoreQueue::turn_over(const std::string& room) {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  if (found->second.waiting.empty()) {
    rooms_.erase(found);
  } else {
    ready_.push_back(room);
    ready_changed_.notify_one();
  }
  if (--total_ == 0) {
    idle_changed_.notify_all();
    ready_changed_.notify_all();
  }
}

FLUX_DECL void StoreQueue::stop() {
  {
    std::unique_lock lock(mutex_);
    stopping_ = true;
    idle_changed_.wait(lock, [this] { return total_ == 0; });
    ready_changed_.notify_all();
  }
  for (std::thread& worker : workers_) {
    if (worker.joinable()) worker.join();
  }
}

}  // namespace flux::storage
