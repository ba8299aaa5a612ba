#pragma once

#include <flux/detail/features/channel_lanes.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <chrono>
#include <utility>

namespace flux::features {

// --- SeatList ---

FLUX_DECL void SeatList::push_back(ChannelSeat* seat) {
  if (capacity_ == 0) {
    if (size_ == 0) {
      one_ = seat;
      size_ = 1;
      return;
    }
    constexpr std::uint32_t first_capacity = 4;
    auto* const many = new ChannelSeat*[first_capacity];
    many[0] = one_;
    many_ = many;
    capacity_ = first_capacity;
  } else if (size_ == capacity_) {
    auto* const many = new ChannelSeat*[std::size_t{2} * capacity_];
    std::copy(many_, many_ + size_, many);
    delete[] std::exchange(many_, many);
    capacity_ *= 2;
  }
  many_[size_++] = seat;
}

FLUX_DECL void SeatList::erase(std::uint32_t index) noexcept {
  --size_;
  if (capacity_ != 0) {
    many_[index] = many_[size_];
    if (size_ != 0) return;
    delete[] many_;
    capacity_ = 0;
  }
  one_ = nullptr;
}

// --- ChannelFlusher ---

FLUX_DECL PendingChannel& ChannelFlusher::add(ChannelLane& lane, std::mutex& mutex) {
  const std::lock_guard lock(mutex_);
  std::unique_ptr<PendingChannel> pending;
  if (unused_.empty()) {
    pending = std::make_unique<PendingChannel>();
  } else {
    pending = std::move(unused_.back());
    unused_.pop_back();
  }
  pending->lane = &lane;
  pending->mutex = &mutex;
  lane.pending = pending.get();
  pending_.push_back(std::move(pending));
  flush_later();
  return *lane.pending;
}

/// Under the mutex.
FLUX_DECL void ChannelFlusher::flush_later() {
  if (std::exchange(is_asked_, true)) return;
  if (loop_->here()) {
    loop_->flush_later(shared_from_this());
  } else {
    loop_->post([self = shared_from_this()] { self->flush(); });
  }
}

FLUX_DECL std::unique_ptr<PendingChannel> ChannelFlusher::next() {
  const std::lock_guard lock(mutex_);
  if (pending_.empty()) return nullptr;
  auto pending = std::move(pending_.front());
  pending_.pop_front();
  return pending;
}

/// Returns whether the lane has more output, which is then the next to be sent.
FLUX_DECL bool ChannelFlusher::flush_one(std::unique_ptr<PendingChannel> pending) {
  ChannelLane* lane = nullptr;
  bool more = false;
  {
    const std::lock_guard lock(*pending->mutex);
    lane = pending->lane;
    if (lane != nullptr) {
      more = pending->output.take_batch();
      if (!more) lane->pending = nullptr;
    }
  }
  if (lane != nullptr) {
    const SeatList& seats = lane->seats;
    pending->output.deliver_batch(seats.size(), [&seats](std::size_t i) {
      // Of a large channel neither the seats nor the receivers are in the cache: each is fetched before it leads to the next.
      if (i + 4 < seats.size()) core::prefetch(seats[i + 4]);
      if (i + 2 < seats.size()) core::prefetch(seats[i + 2]->receiver);
      ChannelSeat& seat = *seats[i];
      const ChannelReceiver& receiver = *seat.receiver;
      return core::LaneOutput::Entry{receiver.key, receiver.outlet, receiver.hot_memory, &seat.seat};
    });
  }
  const std::lock_guard lock(mutex_);
  if (more) {
    pending_.push_front(std::move(pending));
    return true;
  }
  constexpr std::size_t unused_max = 64;
  if (lane != nullptr && unused_.size() < unused_max) unused_.push_back(std::move(pending));
  return false;
}

FLUX_DECL void ChannelFlusher::flush_now() {
  while (auto pending = next()) flush_one(std::move(pending));
}

FLUX_DECL void ChannelFlusher::flush() {
  using RealClock = std::chrono::steady_clock;
  {
    const std::lock_guard lock(mutex_);
    is_asked_ = false;
  }
  const auto until = RealClock::now() + core::Loop::flush_time;
  while (auto pending = next()) {
    const bool more = flush_one(std::move(pending));
    if (!more && RealClock::now() < until) continue;
    const std::lock_guard lock(mutex_);
    if (!pending_.empty()) flush_later();
    return;
  }
}

// --- ChannelLanes ---

template <class Lanes, class Visit>
void ChannelLanes::each(Lanes& lanes, const Visit& visit) {
  visit(lanes.first_);
  if (!lanes.others_) return;
  for (const auto& lane : *lanes.others_) visit(*lane);
}

FLUX_DECL void ChannelLanes::enter(ChannelSeat& seat) {
  const ChannelReceiver& receiver = *seat.receiver;
  ChannelLane* lane = nullptr;
  ChannelLane* unused = nullptr;  // an empty one
  each(*this, [&](ChannelLane& at) {
    if (at.flusher == receiver.flusher && at.view == receiver.view) lane = &at;
    if (at.seats.size() == 0) unused = &at;
  });
  if (lane == nullptr) lane = unused;
  if (lane == nullptr) {
    if (!others_) others_ = std::make_unique<std::vector<std::unique_ptr<ChannelLane>>>();
    // Lanes of one view are adjacent, so that a message is encoded once for all of them.
    const auto same_view = [&](const auto& other) { return other->view == receiver.view; };
    const auto place = std::find_if(others_->begin(), others_->end(), same_view);
    const bool after_first = first_.view == receiver.view;
    lane = others_->insert(after_first ? others_->begin() : place, std::make_unique<ChannelLane>())->get();
  }
  lane->flusher = receiver.flusher;
  lane->view = receiver.view;
  if (lane->pending != nullptr) lane->pending->output.exclude_from_pending(receiver.key);
  seat.seat.index = lane->seats.size();
  lane->seats.push_back(&seat);
}

FLUX_DECL const ChannelLane& ChannelLanes::lane_of(const ChannelReceiver& receiver) const noexcept {
  const ChannelLane* found = nullptr;
  each(*this, [&](const ChannelLane& lane) {
    if (lane.flusher == receiver.flusher && lane.view == receiver.view) found = &lane;
  });
  return *found;
}

FLUX_DECL void ChannelLanes::leave(ChannelSeat& seat) {
  ChannelLane& lane = lane_of(*seat.receiver);
  lane.seats.erase(seat.seat.index);
  if (seat.seat.index < lane.seats.size()) lane.seats[seat.seat.index]->seat.index = seat.seat.index;
  if (lane.seats.size() != 0) return;
  if (lane.pending != nullptr) std::exchange(lane.pending, nullptr)->lane = nullptr;
  lane.flusher = nullptr;
  lane.view = nullptr;
  if (!others_) return;
  std::erase_if(*others_, [](const auto& other) { return other->seats.size() == 0; });
  if (others_->empty()) others_.reset();
}

FLUX_DECL std::string ChannelLanes::move(ChannelSeat& seat, ChannelReceiver& next, char separator) {
  std::string text;
  if (const PendingChannel* const pending = lane_of(*seat.receiver).pending; pending != nullptr) {
    text = pending->output.take_pending(seat.receiver->key, seat.seat, separator);
  }
  leave(seat);
  seat.receiver = &next;
  enter(seat);
  return text;
}

FLUX_DECL bool ChannelLanes::has_pending(const ChannelSeat& seat) const noexcept {
  return lane_of(*seat.receiver).pending != nullptr;
}

FLUX_DECL std::size_t ChannelLanes::count_of(const std::vector<core::SessionKey>& clients) const noexcept {
  std::size_t count = 0;
  if (clients.empty()) return count;
  each(*this, [&](const ChannelLane& lane) {
    for (std::size_t i = 0; i < lane.seats.size(); ++i) {
      count += std::find(clients.begin(), clients.end(), lane.seats[i]->receiver->key) != clients.end() ? 1 : 0;
    }
  });
  return count;
}

FLUX_DECL std::size_t ChannelLanes::subscribers() const noexcept {
  std::size_t count = 0;
  each(*this, [&](const ChannelLane& lane) { count += lane.seats.size(); });
  return count;
}

FLUX_DECL std::size_t ChannelLanes::pending_size() const noexcept {
  std::size_t most = 0;
  each(*this, [&](const ChannelLane& lane) {
    if (lane.pending != nullptr) most = std::max(most, lane.pending->output.pending_size());
  });
  return most;
}

FLUX_DECL void ChannelLanes::append(const Notice& notice, core::SegmentPolicy policy, std::uint64_t state_before,
                                    const std::vector<core::SessionKey>& except, std::mutex& mutex) {
  const core::LaneOutput* encoded = nullptr;
  const NoticeView* encoded_view = nullptr;
  std::size_t begin = 0;
  each(*this, [&](ChannelLane& lane) {
    if (lane.seats.size() == 0) return;
    core::LaneOutput& output = (lane.pending != nullptr ? *lane.pending : lane.flusher->add(lane, mutex)).output;
    output.begin_segment();
    if (encoded != nullptr && encoded_view == lane.view) {
      output.copy_last(*encoded, begin, 0);
    } else {
      encoded = &output;
      encoded_view = lane.view;
      begin = output.pending_bytes().size();
      lane.view->notice(output.pending_bytes(), notice);
    }
    output.end_segment(policy, state_before);
    for (const core::SessionKey key : except) output.list_in_last(key);
  });
}

}  // namespace flux::features
