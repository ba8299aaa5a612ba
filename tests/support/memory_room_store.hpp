// An in-memory room store for tests. It outlives the servers that use it, and can be made slow or failing.
#pragma once

#include <flux/storage/room_store.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace flux_test {

class MemoryRoomStore final : public flux::RoomStore {
 public:
  struct Behaviour {
    bool blocks = true;
    std::size_t batch_max = 1;
  };
  MemoryRoomStore() = default;
  explicit MemoryRoomStore(Behaviour behaviour) : behaviour_(behaviour) {}

  // --- Instructions ---

  /// Holds calls for this room from now on.
  void hold(const flux::RoomId& room) {
    const std::lock_guard lock(mutex_);
    held_ = room;
    holds_ = true;
  }
  void let_through() {
    const std::lock_guard lock(mutex_);
    holds_ = false;
    changed_.notify_all();
  }
  /// Waits until a call is held. Returns false if none is in time.
  bool somebody_waits() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [this] { return waiting_ > 0; });
  }
  /// Makes `count` calls fail, beginning with the `nth`, counted from 1. `load` counts too.
  void fail(std::size_t nth, std::size_t count = 1, bool throws = false) {
    const std::lock_guard lock(mutex_);
    fail_from_ = calls_ + nth;
    fail_until_ = fail_from_ + count;
    throws_ = throws;
  }

  // --- Observations ---

  std::size_t calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }
  std::size_t loads() const {
    const std::lock_guard lock(mutex_);
    return loads_;
  }
  std::size_t largest_batch() const {
    const std::lock_guard lock(mutex_);
    return largest_batch_;
  }
  /// Whether calls for one room have overlapped, or two calls of `append_all`.
  bool overlapped() const {
    const std::lock_guard lock(mutex_);
    return overlapped_;
  }
  /// "open a", "append a 1", "remove a 1", "close a", in the order in which they were carried out.
  std::vector<std::string> done() const {
    const std::lock_guard lock(mutex_);
    return done_;
  }
  bool has(const flux::RoomId& room) const {
    const std::lock_guard lock(mutex_);
    return rooms_.count(room) != 0;
  }
  /// The data of its items, each followed by a space.
  std::string data_of(const flux::RoomId& room) const {
    const std::lock_guard lock(mutex_);
    std::string all;
    const auto found = rooms_.find(room);
    if (found == rooms_.end()) return "none";
    for (const auto& [number, item] : found->second.items) all += item.data + ' ';
    return all;
  }
  std::vector<std::uint64_t> numbers_of(const flux::RoomId& room) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::uint64_t> numbers;
    const auto found = rooms_.find(room);
    if (found == rooms_.end()) return numbers;
    for (const auto& [number, item] : found->second.items) numbers.push_back(number);
    return numbers;
  }
  std::string life_of(const flux::RoomId& room) const {
    const std::lock_guard lock(mutex_);
    const auto found = rooms_.find(room);
    return found == rooms_.end() ? std::string() : found->second.room.life;
  }

  // --- RoomStore ---

  flux::Result<std::vector<flux::StoredContents>> load() override {
    std::unique_lock lock(mutex_);
    ++loads_;
    if (due()) return failure();
    std::vector<flux::StoredContents> all;
    for (const auto& [id, kept] : rooms_) {
      all.push_back({kept.room, {}});
      for (const auto& [number, item] : kept.items) all.back().items.push_back(item);
    }
    return all;
  }
  flux::Result<void> open(const flux::StoredRoom& room) override {
    return call(room.id, [&] {
      life(room).room = room;
      done_.push_back("open " + room.id);
    });
  }
  flux::Result<void> append(const flux::RoomAppend& append) override {
    return call(append.room.id, [&] { keep(append); });
  }
  flux::Result<void> remove_item(const flux::RoomId& room, const std::string& life, std::uint64_t number) override {
    return call(room, [&] {
      const auto found = rooms_.find(room);
      if (found != rooms_.end() && found->second.room.life == life) found->second.items.erase(number);
      done_.push_back("remove " + room + ' ' + std::to_string(number));
    });
  }
  flux::Result<void> close(const flux::RoomId& room, const std::string& life) override {
    return call(room, [&] {
      const auto found = rooms_.find(room);
      if (found != rooms_.end() && found->second.room.life == life) rooms_.erase(found);
      done_.push_back("close " + room);
    });
  }
  bool may_block() const override { return behaviour_.blocks; }
  std::size_t batch_max() const override { return behaviour_.batch_max; }
  std::vector<flux::Result<void>> append_all(std::span<const flux::RoomAppend> appends) override {
    std::vector<flux::Result<void>> results;
    std::unique_lock lock(mutex_);
    if (std::exchange(in_batch_, true)) overlapped_ = true;
    largest_batch_ = std::max(largest_batch_, appends.size());
    try {
      for (const flux::RoomAppend& append : appends) {
        results.push_back(call_locked(lock, append.room.id, [&] { keep(append); }));
      }
    } catch (...) {
      in_batch_ = false;
      throw;
    }
    in_batch_ = false;
    return results;
  }

 private:
  static constexpr std::chrono::seconds patience{20};
  struct Kept {
    flux::StoredRoom room;
    std::map<std::uint64_t, flux::StoredItem> items;
  };

  template <class Work>
  flux::Result<void> call(const flux::RoomId& room, const Work& work) {
    std::unique_lock lock(mutex_);
    return call_locked(lock, room, work);
  }
  template <class Work>
  flux::Result<void> call_locked(std::unique_lock<std::mutex>& lock, const flux::RoomId& room, const Work& work) {
    if (++inside_[room] > 1) overlapped_ = true;
    const bool fails = due();
    if (holds_ && room == held_) {
      ++waiting_;
      changed_.notify_all();
      changed_.wait_for(lock, patience, [this] { return !holds_; });
      --waiting_;
    }
    --inside_[room];
    if (fails) return failure();
    work();
    return {};
  }
  bool due() {
    ++calls_;
    return calls_ >= fail_from_ && calls_ < fail_until_;
  }
  flux::Error failure() const {
    if (throws_) throw std::runtime_error("the disk is gone");
    return {flux::Errc::store_failed, "the disk is full"};
  }
  Kept& life(const flux::StoredRoom& room) {
    Kept& kept = rooms_[room.id];
    if (kept.room.life != room.life) kept = {room, {}};
    return kept;
  }
  void keep(const flux::RoomAppend& append) {
    auto& items = life(append.room).items;
    items.erase(items.begin(), items.lower_bound(append.first_kept));
    items[append.item.number] = append.item;
    done_.push_back("append " + append.room.id + ' ' + std::to_string(append.item.number));
  }

  const Behaviour behaviour_{};
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<flux::RoomId, Kept> rooms_;
  std::map<flux::RoomId, int> inside_;
  std::vector<std::string> done_;
  flux::RoomId held_;
  std::size_t calls_ = 0;
  std::size_t loads_ = 0;
  std::size_t fail_from_ = 0;
  std::size_t fail_until_ = 0;
  std::size_t largest_batch_ = 0;
  int waiting_ = 0;
  bool holds_ = false;
  bool throws_ = false;
  bool in_batch_ = false;
  bool overlapped_ = false;
};

}  // namespace flux_test
