// The public space: one list that every client shares.
#pragma once

#include <flux/config.hpp>
#include <flux/core/detail/audience.hpp>
#include <flux/features/detail/room_log.hpp>
#include <flux/features/room_view.hpp>

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace flux::features {

/// A session's place among those who are told of changes. Owned by the session.
struct PublicSeat {
  std::shared_ptr<core::Lane> lane;
  core::LaneSeat seat;
};

/// Threading: `watch` and `unwatch` on the session's loop; everything else from any thread.
class PublicSpace final : public std::enable_shared_from_this<PublicSpace> {
 public:
  PublicSpace(const Limits& limits, std::string epoch)
      : items_max_(limits.public_history_items_max),
        bytes_max_(limits.public_history_bytes_max),
        epoch_(std::move(epoch)) {}

  /// Makes it one that is kept, with what it had before: once before others know it, and once with what is in the
  /// store.
  void keep_in_store(StoredRoom stored, std::vector<std::uint64_t> numbers, std::vector<SharedItem> items,
                     InStore in_store) {
    auto kept = std::make_shared<Kept>(*this, std::move(stored), std::move(numbers), in_store);
    const std::lock_guard lock(mutex_);
    kept_ = std::move(kept);
    for (SharedItem& item : items) {
      offset_ = item.offset;
      bytes_ += item.data.text().size();
      items_.push_back(std::move(item));
    }
  }
  /// For the log, which changes go through then instead of `share` and `delete_last`. Null: it ends with the process.
  KeptRoomPtr kept() const {
    const std::lock_guard lock(mutex_);
    return kept_;
  }

  /// Appends, forgets the oldest past the limits, and tells everybody. Of changes in quick succession to a long list
  /// they may hear the last only.
  Position share(SharedItem item) {
    const std::lock_guard lock(mutex_);
    item.offset = ++offset_;
    bytes_ += item.data.text().size();
    items_.push_back(std::move(item));
    while (!items_.empty() && (items_.size() > items_max_ || (bytes_ > bytes_max_ && items_.size() > 1))) {
      bytes_ -= items_.front().data.text().size();
      items_.pop_front();
    }
    tell();
    return {epoch_, offset_};
  }

  bool delete_last() {
    const std::lock_guard lock(mutex_);
    if (items_.empty()) return false;
    bytes_ -= items_.back().data.text().size();
    items_.pop_back();
    tell();
    return true;
  }

  std::vector<SharedItem> items() const {
    const std::lock_guard lock(mutex_);
    return {items_.begin(), items_.end()};
  }

  ItemsPage items(const PageRequest& asked) const {
    const std::lock_guard lock(mutex_);
    return newest_items(items_, asked).copy();
  }

  /// What is there now, or a page of it; changes follow, from here on. A seat that is taken stays.
  ItemsPage watch(const std::shared_ptr<core::Loop>& loop, const PublicView* view, core::SessionKey key,
                  core::Outlet& outlet, PublicSeat& seat, const PageRequest& asked = {}) {
    const std::lock_guard lock(mutex_);
    if (!seat.lane) seat.lane = audience_.enter(loop, view, key, outlet, seat.seat);
    return newest_items(items_, asked).copy();
  }

  /// As `Room::change_view`.
  std::string change_view(PublicSeat& seat, const PublicView* view, core::SessionKey key, core::Outlet& outlet,
                          char separator) {
    const std::lock_guard lock(mutex_);
    return seat.lane ? audience_.change_view(seat.lane, seat.seat, view, key, outlet, separator) : std::string();
  }

  void unwatch(PublicSeat& seat) {
    const std::lock_guard lock(mutex_);
    if (!seat.lane) return;
    const auto lane = std::move(seat.lane);
    audience_.leave(*lane, seat.seat);
  }

 private:
  /// As its log sees it, on the turns of which it is changed.
  class Kept final : public KeptRoom {
   public:
    Kept(PublicSpace& space, StoredRoom stored, std::vector<std::uint64_t> numbers, InStore in_store)
        : KeptRoom(std::move(stored), std::move(numbers), in_store), space_(space) {}

    bool ended() const override { return space_.kept().get() != this; }
    ItemNumbers numbers() const override {
      const std::lock_guard lock(space_.mutex_);
      const auto& items = space_.items_;
      return items.empty() ? ItemNumbers() : ItemNumbers{items.front().number, items.back().number};
    }
    Result<Position> publish(SharedItem item) override { return space_.share(std::move(item)); }
    void forget_newest() override { space_.delete_last(); }

   private:
    PublicSpace& space_;  // both live as long as the server
  };

  /// A turn may change much, and each time the whole list is to be sent. When that is a lot, what changes next is said
  /// once, after the turn: one small message of a client must not cost a list each.
  void tell() {
    core::Lane* const full = audience_.lane_with_more_than(pending_bytes_max);
    if (full == nullptr) return append();
    if (!telling_later_.expired()) return;
    const auto token = std::make_shared<char>();  // goes with the task, though its loop may end before
    telling_later_ = token;
    full->loop().post([self = shared_from_this(), token] {
      const std::lock_guard lock(self->mutex_);
      if (self->telling_later_.lock() != token) return;     // told by now
      self->audience_.forget_more_than(pending_bytes_max);  // of loops that have had no turn meanwhile
      self->append();
    });
  }

  void append() {
    telling_later_.reset();
    audience_.append(
        [&](const void* view, std::string& out) { static_cast<const PublicView*>(view)->public_history(out, items_); },
        shared_from_this());
  }

  static constexpr std::size_t pending_bytes_max = 8'000'000;

  const std::size_t items_max_;
  const std::size_t bytes_max_;
  const std::string epoch_;
  mutable std::mutex mutex_;
  std::shared_ptr<KeptRoom> kept_;
  core::Audience audience_{mutex_};
  std::weak_ptr<void> telling_later_;
  std::deque<SharedItem> items_;
  std::size_t bytes_ = 0;
  Offset offset_ = 0;
};

}  // namespace flux::features
