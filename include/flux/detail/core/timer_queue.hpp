// Timers of one event loop, and the coarse deadlines of its connections.
#pragma once

#include <flux/clock.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <utility>

namespace flux::core {

/// Calls tasks when they are due, in the order of their times. Threading: one thread.
class TimerQueue {
 public:
  using Task = std::function<void()>;
  using Entries = std::multimap<Clock::TimePoint, Task>;
  using Id = Entries::iterator;

  Id add(Clock::TimePoint at, Task task) { return entries_.emplace(at, std::move(task)); }
  /// Requires that `id` has not fired.
  void cancel(Id id) { entries_.erase(id); }
  std::optional<Clock::TimePoint> next() const {
    if (entries_.empty()) return std::nullopt;
    return entries_.begin()->first;
  }
  /// Removes and returns the first task that is due.
  std::optional<Task> take_due(Clock::TimePoint now) {
    if (entries_.empty() || entries_.begin()->first > now) return std::nullopt;
    Task task = std::move(entries_.begin()->second);
    entries_.erase(entries_.begin());
    return task;
  }
  void clear() { entries_.clear(); }

 private:
  Entries entries_;
};

/// A hashed wheel of intrusive deadlines: O(1) to set and clear, no allocation, 250 ms resolution. For timeouts: every
/// connection has one, and they rarely expire.
class DeadlineWheel {
 public:
  static constexpr std::chrono::milliseconds tick{250};

  class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    virtual ~Entry() = default;
    virtual void on_deadline() = 0;

   private:
    friend class DeadlineWheel;
    Entry* next_ = nullptr;
    Entry** link_ = nullptr;  // the pointer to this entry; null: not in the wheel
    std::uint32_t due_ = 0;   // in ticks
  };

  void set(Entry& entry, std::chrono::milliseconds after) {
    clear(entry);
    entry.due_ = now_ + 1 + static_cast<std::uint32_t>((after + tick - std::chrono::milliseconds(1)) / tick);
    Entry*& slot = slots_[entry.due_ % slots_.size()];
    entry.next_ = slot;
    if (slot != nullptr) slot->link_ = &entry.next_;
    slot = &entry;
    entry.link_ = &slot;
    ++size_;
  }

  void clear(Entry& entry) {
    if (entry.link_ == nullptr) return;
    if (cursor_ == &entry) cursor_ = entry.next_;
    *entry.link_ = entry.next_;
    if (entry.next_ != nullptr) entry.next_->link_ = entry.link_;
    entry.link_ = nullptr;
    --size_;
  }

  bool empty() const { return size_ == 0; }
  /// The number of ticks that have passed.
  std::uint32_t now() const { return now_; }

  /// Advances by one tick and calls the entries that are due. They may set and clear any entry meanwhile.
  void advance() {
    ++now_;
    cursor_ = slots_[now_ % slots_.size()];
    while (cursor_ != nullptr) {
      Entry& entry = *cursor_;
      cursor_ = entry.next_;
      if (entry.due_ != now_) continue;  // due in a later round
      clear(entry);
      entry.on_deadline();
    }
  }

 private:
  std::array<Entry*, 512> slots_{};
  Entry* cursor_ = nullptr;
  std::uint32_t now_ = 0;
  std::size_t size_ = 0;
};

}  // namespace flux::core
