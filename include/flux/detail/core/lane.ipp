#pragma once

#include <flux/detail/core/lane.hpp>
#include <flux/detail/mode.hpp>

#include <utility>

namespace flux::core {

FLUX_DECL Lane::Lane(std::shared_ptr<Loop> loop, const void* view, std::mutex& mutex)
    : loop_(std::move(loop)), view_(view), mutex_(mutex) {}

FLUX_DECL void Lane::flush_later(std::shared_ptr<void> room) {
  if (keep_room_) return;
  keep_room_ = std::move(room);
  if (loop_->here()) {
    loop_->flush_later(shared_from_this());
  } else {
    loop_->post([self = shared_from_this()] { self->flush(); });
  }
}

FLUX_DECL void Lane::add(SessionKey member, Outlet& outlet, LaneSeat& seat) {
  seat.lane = this;
  seat.index = static_cast<std::uint32_t>(members_.size());
  members_.push_back({member, &outlet, outlet.hot_memory(), &seat});
}

FLUX_DECL void Lane::remove(LaneSeat& seat) {
  members_[seat.index] = members_.back();
  members_[seat.index].seat->index = seat.index;
  members_.pop_back();
  seat.lane = nullptr;
}

FLUX_DECL void Lane::flush() {
  std::shared_ptr<void> room;  // released without the lock
  bool more = false;
  {
    const std::lock_guard lock(mutex_);
    more = take_batch();
    if (!more) room.swap(keep_room_);
  }
  deliver();
  if (more) loop_->post([self = shared_from_this()] { self->flush(); });
}

FLUX_DECL void Lane::flush_now() {
  for (bool more = true; more;) {
    {
      const std::lock_guard lock(mutex_);
      more = take_batch();
    }
    deliver();
  }
}

FLUX_DECL std::unique_lock<std::mutex> Lane::lock_when_sent() {
  for (;;) {
    flush_now();
    std::unique_lock lock(mutex_);
    if (!has_pending()) return lock;
  }
}

}  // namespace flux::core
