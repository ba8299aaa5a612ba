// The items that a room or the public space keeps, oldest first, within bounds.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/features/page.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace flux::features {

/// How much a list of items keeps. An item that alone exceeds `bytes_max` stays until the next one arrives.
struct ItemBounds {
  std::size_t items_max;  ///< 0: the list keeps nothing
  std::size_t bytes_max;  ///< of the items' data

  /// A room keeps at least one item: in mode singleton just that one.
  static ItemBounds of_room(RoomMode mode, std::size_t history_items_max, std::size_t history_bytes_max) {
    const std::size_t items = mode == RoomMode::singleton ? 1 : std::max<std::size_t>(history_items_max, 1);
    return {items, history_bytes_max};
  }
  static ItemBounds of_public_space(const Limits& limits) {
    return {limits.public_history_items_max, limits.public_history_bytes_max};
  }

  bool allow(std::size_t items, std::size_t bytes) const noexcept {
    return items <= items_max && (bytes <= bytes_max || items <= 1);
  }
};

/// The numbers under which the room store has the oldest and the newest item; 0: there is none.
struct ItemNumbers {
  std::uint64_t oldest = 0;
  std::uint64_t newest = 0;
};

/// Threading: every method under the owner's lock.
class KeptItems {
 public:
  explicit KeptItems(const ItemBounds& bounds) : bounds_(bounds) {}

  bool empty() const noexcept { return items_.empty(); }
  /// Only if the list is not empty.
  const SharedItem& newest() const { return items_.back(); }
  ItemNumbers numbers() const {
    return items_.empty() ? ItemNumbers() : ItemNumbers{items_.front().number, items_.back().number};
  }
  std::vector<SharedItem> all() const { return {items_.begin(), items_.end()}; }
  /// Valid until the list changes.
  ItemsView page(const PageRequest& asked, First first = First::always) const {
    return newest_items(items_, asked, first);
  }

  /// Appends the item, then removes the oldest ones until the list is within its bounds. `on_remove(item)` is called
  /// before each of those is removed.
  template <class OnRemove>
  void add(SharedItem item, const OnRemove& on_remove) {
    bytes_ += item.data.text().size();
    items_.push_back(std::move(item));
    while (!bounds_.allow(items_.size(), bytes_)) {
      on_remove(std::as_const(items_.front()));
      bytes_ -= items_.front().data.text().size();
      items_.pop_front();
    }
  }
  void add(SharedItem item) {
    add(std::move(item), [](const SharedItem&) {});
  }
  /// Only if the list is not empty.
  void remove_newest() {
    bytes_ -= items_.back().data.text().size();
    items_.pop_back();
  }

 private:
  const ItemBounds bounds_;
  std::deque<SharedItem> items_;
  std::size_t bytes_ = 0;
};

}  // namespace flux::features
