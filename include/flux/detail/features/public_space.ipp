#pragma once

#include <flux/detail/features/public_space.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <utility>

namespace flux::features {

FLUX_DECL PublicSpace::PublicSpace(const Limits& limits, std::string epoch)
    : list_bytes_max_(limits.answer_bytes_max),
      list_bytes_per_second_(limits.public_list_bytes_per_second),
      fanout_bytes_max_(limits.fanout_bytes_max),
      epoch_(std::move(epoch)),
      items_(ItemBounds::of_public_space(limits)) {}

/// One life of the public space, as the log sees it.
class PublicSpace::Kept final : public KeptRoom {
 public:
  Kept(PublicSpace& space, StoredRoom stored, std::vector<std::uint64_t> numbers, InStore in_store)
      : KeptRoom(space.mutex_, life_, space.items_, std::move(stored), std::move(numbers)), space_(space) {
    life_.restored(in_store);
  }

  /// Under the lock.
  void end() { life_.end(); }

  Result<Position> publish(SharedItem item) override {
    const std::lock_guard lock(space_.mutex_);
    return space_.publish(std::move(item));
  }
  void forget_newest() override { space_.delete_newest(); }

 private:
  PublicSpace& space_;  // both live as long as the server
  RoomLife life_{true};
};

FLUX_DECL void PublicSpace::keep_in_store(StoredRoom stored, std::vector<std::uint64_t> numbers,
                                          std::vector<SharedItem> items, InStore in_store) {
  auto kept = std::make_shared<Kept>(*this, std::move(stored), std::move(numbers), in_store);
  const std::lock_guard lock(mutex_);
  if (kept_) kept_->end();
  kept_ = std::move(kept);
  for (SharedItem& item : items) {
    offset_ = item.offset;
    items_.add(std::move(item));
  }
}

FLUX_DECL KeptRoomPtr PublicSpace::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

// --- Changes ---

FLUX_DECL Result<Position> PublicSpace::share(SharedItem item) {
  const std::lock_guard lock(mutex_);
  if (const auto taken = takes_items_locked(); !taken) return taken.error();
  return publish(std::move(item));
}

FLUX_DECL Result<void> PublicSpace::takes_items() const {
  const std::lock_guard lock(mutex_);
  return takes_items_locked();
}

FLUX_DECL Result<void> PublicSpace::takes_items_locked() const {
  const std::size_t pending = changes_.pending_size();
  if (pending < fanout_bytes_max_) return {};
  return Error(Errc::overloaded, "the public space has " + std::to_string(pending) +
                                     " bytes of changes pending for its watchers; try again");
}

/// Under the lock.
FLUX_DECL Position PublicSpace::publish(SharedItem item) {
  item.offset = ++offset_;
  changes_.append(
      [&](const void* view, std::string& out) { static_cast<const PublicChangesView*>(view)->public_item(out, item); },
      shared_from_this());
  items_.add(std::move(item), [this](const SharedItem& oldest) { tell_removed(oldest.offset); });
  list_changed();
  return {epoch_, offset_};
}

FLUX_DECL bool PublicSpace::delete_newest(Offset only) {
  const std::lock_guard lock(mutex_);
  if (items_.empty() || (only != 0 && items_.newest().offset != only)) return false;
  tell_removed(items_.newest().offset);
  items_.remove_newest();
  list_changed();
  return true;
}

FLUX_DECL void PublicSpace::tell_removed(Offset offset) {
  changes_.append([&](const void* view,
                      std::string& out) { static_cast<const PublicChangesView*>(view)->public_removed(out, offset); },
                  shared_from_this());
}

// --- Lists ---

/// Sends the list at once, unless the rate is exceeded: then the list of that later time is sent.
FLUX_DECL void PublicSpace::list_changed() {
  ++version_;
  encoded_.clear();
  have_list_.clear();
  core::Lane* const lane = lists_.any_lane();
  if (lane == nullptr || !list_timer_.expired()) return;
  const Clock::TimePoint now = lane->loop().clock().now();
  const Clock::TimePoint due = lists_paid_until_ - std::chrono::seconds(1);
  if (list_bytes_per_second_ == 0 || due <= now) return send_list(now);
  send_list_at(due, lane->loop().shared_from_this());
}

FLUX_DECL void PublicSpace::send_list_at(Clock::TimePoint due, const std::shared_ptr<core::Loop>& loop) {
  const auto token = std::make_shared<char>();
  list_timer_ = token;
  loop->dispatch([self = shared_from_this(), token, due, raw = loop.get()] {
    raw->call_after(due - raw->clock().now(), [self, token, raw] {
      const std::lock_guard lock(self->mutex_);
      self->list_timer_.reset();
      self->send_list(raw->clock().now());
    });
  });
}

FLUX_DECL void PublicSpace::send_list(Clock::TimePoint now) {
  std::size_t largest = 0;
  lists_.append(
      [&](const void* view, core::Lane& lane) {
        const core::SharedBytes list = encoded(*static_cast<const PublicView*>(view));
        largest = std::max(largest, list->size());
        if (list->size() <= core::few_bytes) {
          lane.pending_bytes() += *list;
        } else {
          lane.insert(list, false);
        }
      },
      shared_from_this(), core::SegmentPolicy::newest, version_ - 1);
  for (const auto& [seat, watcher] : std::exchange(have_list_, {})) seat->seat_.lane->list_in_last(watcher);
  if (list_bytes_per_second_ == 0) return;
  const std::chrono::duration<double> takes(static_cast<double>(largest) / static_cast<double>(list_bytes_per_second_));
  lists_paid_until_ = std::max(lists_paid_until_, now) + std::chrono::duration_cast<Clock::TimePoint::duration>(takes);
}

FLUX_DECL core::SharedBytes PublicSpace::encoded(const PublicView& view) {
  const auto known = std::find_if(encoded_.begin(), encoded_.end(), [&](const Encoded& e) { return e.view == &view; });
  if (known != encoded_.end()) return known->bytes;
  auto bytes = std::make_shared<std::string>();
  view.public_history(*bytes, items_.page({no_limit, 0, list_bytes_max_}));
  encoded_.push_back({&view, std::move(bytes)});
  return encoded_.back().bytes;
}

FLUX_DECL core::SharedBytes PublicSpace::catch_up(PublicSeat& seat) {
  if (!seat.watches() || seat.seat_.state_known == 0) return nullptr;
  const auto lock = seat.seat_.lane->lock_when_sent();
  seat.seat_.state_known = 0;
  return encoded(*static_cast<const PublicView*>(seat.seat_.lane->view()));
}

// --- Items and watchers ---

FLUX_DECL std::vector<SharedItem> PublicSpace::items() const {
  const std::lock_guard lock(mutex_);
  return items_.all();
}

FLUX_DECL ItemsPage PublicSpace::items(const PageRequest& asked) const {
  const std::lock_guard lock(mutex_);
  return items_.page(asked).copy();
}

FLUX_DECL std::optional<SharedItem> PublicSpace::newest() const {
  const std::lock_guard lock(mutex_);
  return items_.empty() ? std::nullopt : std::optional(items_.newest());
}

FLUX_DECL ItemsPage PublicSpace::watch(const core::Receiver& watcher, const PublicView* view, PublicSeat& seat,
                                       const PageRequest& asked) {
  return enter(lists_, watcher, view, seat, false, asked);
}

FLUX_DECL ItemsPage PublicSpace::watch_changes(const core::Receiver& watcher, const PublicChangesView* view,
                                               PublicSeat& seat, const PageRequest& asked) {
  return enter(changes_, watcher, view, seat, true, asked);
}

/// Also for a watcher that already has a seat: what is pending in it is in the page, and must not follow it, unless the
/// page is one of older items.
FLUX_DECL ItemsPage PublicSpace::enter(core::Audience& audience, const core::Receiver& watcher, const void* view,
                                       PublicSeat& seat, bool hears_changes, const PageRequest& asked) {
  const std::lock_guard lock(mutex_);
  ItemsPage page = items_.page(asked).copy();
  const bool stays = seat.watches() && seat.hears_changes_ == hears_changes && asked.before != 0;
  if (!stays) {
    leave(seat);
    audience.enter(watcher, view, seat.seat_);
    seat.space_ = this;
    seat.hears_changes_ = hears_changes;
    if (!hears_changes && asked.before == 0 && !list_timer_.expired()) have_list_.emplace(&seat, watcher.key);
  }
  return page;
}

FLUX_DECL void PublicSpace::unwatch(PublicSeat& seat) {
  const std::lock_guard lock(mutex_);
  leave(seat);
}

FLUX_DECL void PublicSpace::leave(PublicSeat& seat) {
  have_list_.erase(&seat);
  if (seat.watches()) (seat.hears_changes_ ? changes_ : lists_).leave(*seat.seat_.lane, seat.seat_);
  seat.seat_ = {};
}

FLUX_DECL std::string PublicSpace::change_view(PublicSeat& seat, const PublicView* view, const core::Receiver& watcher,
                                               char separator) {
  const std::lock_guard lock(mutex_);
  if (!seat.watches()) return {};
  auto lane = seat.seat_.lane->shared_from_this();
  return lists_.change_view(lane, seat.seat_, view, watcher.key, *watcher.outlet, separator);
}

// --- A watcher, as its participant sees it ---

FLUX_DECL const void* PublicSeat::feature() const noexcept { return space_; }

FLUX_DECL void PublicSeat::flush() {
  if (watches()) seat_.lane->shared_from_this()->flush_now();
}

FLUX_DECL std::string PublicSeat::change_view(const ClientView& view, const core::Receiver& client, char separator) {
  return space_->change_view(*this, &view, client, separator);
}

FLUX_DECL bool PublicSeat::catch_up(const Congested&, const Send& send) {
  if (const auto list = space_->catch_up(*this)) send(list);
  return true;
}

FLUX_DECL void PublicSeat::leave() { space_->unwatch(*this); }

}  // namespace flux::features
