// The newest event of each key, for readers from which events were held back.
#pragma once

#include <flux/detail/core/secret.hpp>
#include <flux/detail/features/addressees.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace flux::features {

/// Bounded: beyond its limits it forgets the key whose event is the oldest. Threading: every method under the room's lock.
class NewestEvents {
 public:
  struct Entry {
    std::string key;
    std::string event;
    std::string payload;  // JSON text
    std::uint64_t number;
    std::shared_ptr<const Addressees> to{};  // null: all members
  };

  /// The newest event is kept, whatever its size.
  NewestEvents(std::size_t keys_max, std::size_t bytes_max) : keys_max_(keys_max), bytes_max_(bytes_max) {}

  /// `entry.number` must be greater than those of earlier entries.
  void put(Entry entry) {
    if (const auto known = by_key_.find(entry.key); known != by_key_.end()) remove(known->second);
    bytes_ += size(entry);
    entries_.push_back(std::move(entry));
    by_key_.emplace(entries_.back().key, std::prev(entries_.end()));
    while (entries_.size() > 1 && (entries_.size() > keys_max_ || bytes_ > bytes_max_)) {
      forgotten_ = entries_.front().number;
      remove(entries_.begin());
    }
  }
  /// Whether the newest event of every key that has had an event since `number` is stored.
  bool covers(std::uint64_t number) const noexcept { return number >= forgotten_; }
  /// Ordered by number.
  template <class Visit>
  void for_each_after(std::uint64_t number, const Visit& visit) const {
    for (const Entry& entry : entries_) {
      if (entry.number > number) visit(entry);
    }
  }

 private:
  static std::size_t size(const Entry& entry) {
    return entry.key.size() + entry.event.size() + entry.payload.size() + (entry.to ? entry.to->bytes() : 0);
  }
  void remove(std::list<Entry>::iterator entry) {
    bytes_ -= size(*entry);
    by_key_.erase(entry->key);
    entries_.erase(entry);
  }

  const std::size_t keys_max_;
  const std::size_t bytes_max_;
  std::list<Entry> entries_;
  std::unordered_map<std::string_view, std::list<Entry>::iterator, core::SeededHash, std::equal_to<>> by_key_;
  std::size_t bytes_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace flux::features
