#pragma once

#include <flux/detail/storage/store_queue.hpp>

#include <algorithm>
#include <utility>

namespace flux::storage {

FLUX_DECL StoreQueue::StoreQueue(std::size_t threads, std::size_t per_room_max, std::size_t total_max)
    : per_room_max_(per_room_max), total_max_(total_max), slow_max_(std::max<std::size_t>(threads, 2) - 1) {
  try {
    for (std::size_t i = 0; i < threads; ++i) workers_.emplace_back([this] { work(); });
  } catch (...) {  // the system has no more threads
    stop();
    throw;
  }
}

FLUX_DECL StoreQueue::~StoreQueue() { stop(); }

FLUX_DECL void StoreQueue::collect(std::size_t batch_max, BatchCall make) {
  const std::lock_guard lock(mutex_);
  batch_max_ = batch_max;
  make_batch_ = std::move(make);
}

// --- Adding ---

FLUX_DECL bool StoreQueue::run(const std::string& room, Call call, Pace pace) {
  const std::lock_guard lock(mutex_);
  Room* queue = room_with_space(room);
  if (queue == nullptr) return false;
  push(room, *queue, {std::move(call), nullptr, pace});
  return true;
}

FLUX_DECL bool StoreQueue::add(const std::string& room, std::unique_ptr<Part>& part) {
  const std::lock_guard lock(mutex_);
  Room* queue = room_with_space(room);
  if (queue == nullptr) return false;
  push(room, *queue, {nullptr, std::move(part)});
  return true;
}

FLUX_DECL StoreQueue::Room* StoreQueue::room_with_space(const std::string& room) {
  if (stopping_ || total_ >= total_max_) return nullptr;
  const auto found = rooms_.find(room);
  if (found == rooms_.end()) return per_room_max_ == 0 ? nullptr : &rooms_[room];
  return found->second.waiting.size() >= per_room_max_ ? nullptr : &found->second;
}

FLUX_DECL void StoreQueue::push(const std::string& name, Room& room, Entry entry) {
  ++total_;
  if (entry.part) ++parts_waiting_;
  if (batch_fills_ && is_filled()) filled_.notify_one();
  room.waiting.push_back(std::move(entry));
  if (room.busy) return;
  room.busy = true;
  make_ready(name, room);
}

FLUX_DECL void StoreQueue::make_ready(const std::string& name, const Room& room) {
  const Entry& next = room.waiting.front();
  if (next.part) {
    ready_for_batch_.push_back(name);
    if (batch_runs_) return;  // the next batch will hold it
  } else {
    (next.pace == Pace::slow ? ready_slow_ : ready_).push_back({name, next_place_++});
  }
  ready_changed_.notify_one();
}

// --- Working ---

FLUX_DECL void StoreQueue::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ready_changed_.wait(lock, [this] { return call_may_begin() || batch_may_begin() || (stopping_ && total_ == 0); });
    if (batch_may_begin() && (batch_is_next_ || !call_may_begin())) {
      run_batch(lock);
    } else if (call_may_begin()) {
      run_next_call(lock);
    } else {
      return;
    }
  }
}

/// Runs the call that has been pending longest, of those that may begin.
FLUX_DECL void StoreQueue::run_next_call(std::unique_lock<std::mutex>& lock) {
  batch_is_next_ = true;
  const bool slow = slow_may_begin() && (ready_.empty() || ready_slow_.front().place < ready_.front().place);
  if (!slow) return run_call(lock, ready_);
  ++slow_running_;
  run_call(lock, ready_slow_);
  --slow_running_;
  if (slow_may_begin()) ready_changed_.notify_one();  // this worker may take a quick call first
}

FLUX_DECL void StoreQueue::run_call(std::unique_lock<std::mutex>& lock, std::deque<Ready>& from) {
  const std::string room = std::move(from.front().room);
  from.pop_front();
  Room& queue = rooms_[room];
  Call call = std::move(queue.waiting.front().call);
  queue.waiting.pop_front();
  lock.unlock();
  call(turn_of(room, 1));
  call = nullptr;
  lock.lock();
}

FLUX_DECL void StoreQueue::run_batch(std::unique_lock<std::mutex>& lock) {
  batch_is_next_ = false;
  batch_runs_ = true;
  let_fill(lock);
  std::vector<PartInTurn> batch = take_batch();
  last_batch_ = batch.size();
  parts_waiting_ -= batch.size();
  lock.unlock();
  const auto begin = std::chrono::steady_clock::now();
  make_batch_(std::move(batch));
  const auto end = std::chrono::steady_clock::now();
  lock.lock();
  last_batch_time_ = end - begin;
  batch_runs_ = false;
  if (batch_may_begin()) ready_changed_.notify_one();  // this worker may take a call first
}

FLUX_DECL void StoreQueue::let_fill(std::unique_lock<std::mutex>& lock) {
  const auto time = std::min<std::chrono::steady_clock::duration>(last_batch_time_ / 2, std::chrono::milliseconds(1));
  batch_fills_ = true;
  filled_.wait_for(lock, time, [this] { return is_filled(); });
  batch_fills_ = false;
}

/// Takes the parts at the front of the ready rooms: one of each room, then another of each, until the batch is full.
FLUX_DECL std::vector<StoreQueue::PartInTurn> StoreQueue::take_batch() {
  struct Taken {
    std::string name;
    std::deque<Entry>* waiting;
    std::vector<std::size_t> places{};  // in the batch
  };
  std::vector<Taken> rooms;
  while (!ready_for_batch_.empty() && rooms.size() < batch_max_) {
    std::string name = std::move(ready_for_batch_.front());
    ready_for_batch_.pop_front();
    auto& waiting = rooms_[name].waiting;
    rooms.push_back({std::move(name), &waiting});
  }
  std::vector<PartInTurn> batch;
  for (bool more = true; more;) {
    more = false;
    for (Taken& room : rooms) {
      if (batch.size() == batch_max_ || room.waiting->empty() || !room.waiting->front().part) continue;
      room.places.push_back(batch.size());
      batch.push_back({std::move(room.waiting->front().part), nullptr});
      room.waiting->pop_front();
      more = true;
    }
  }
  for (const Taken& room : rooms) {
    const Turn turn = turn_of(room.name, room.places.size());
    for (const std::size_t place : room.places) batch[place].turn = turn;
  }
  return batch;
}

/// The turn ends when its last holder releases it, here or on an event loop.
FLUX_DECL StoreQueue::Turn StoreQueue::turn_of(const std::string& room, std::size_t calls) {
  return Turn(nullptr, [self = shared_from_this(), room, calls](void*) { self->turn_over(room, calls); });
}

FLUX_DECL void StoreQueue::turn_over(const std::string& room, std::size_t calls) {
  const std::lock_guard lock(mutex_);
  const auto found = rooms_.find(room);
  if (found->second.waiting.empty()) {
    rooms_.erase(found);
  } else {
    make_ready(room, found->second);
  }
  total_ -= calls;
  if (total_ == 0 && stopping_) {  // only `stop` waits for this
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
