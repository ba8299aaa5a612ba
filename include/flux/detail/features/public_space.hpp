// The public space: one list that every client shares.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/audience.hpp>
#include <flux/detail/features/client_view.hpp>
#include <flux/detail/features/kept_items.hpp>
#include <flux/detail/features/room_log.hpp>
#include <flux/detail/features/subscriber.hpp>
#include <flux/detail/mode.hpp>

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace flux::features {

class PublicSpace;

/// A session's place among the watchers. Owned by the session.
class PublicSeat final : public Subscriber {
 public:
  FLUX_DECL const void* feature() const noexcept override;
  FLUX_DECL void flush() override;
  /// Only watchers of lists may change their view.
  FLUX_DECL std::string change_view(const ClientView& view, const core::Receiver& client, char separator) override;
  FLUX_DECL bool catch_up(const Congested& congested, const Send& send) override;
  FLUX_DECL void leave() override;

 private:
  friend class PublicSpace;
  bool watches() const noexcept { return seat_.lane != nullptr; }

  PublicSpace* space_ = nullptr;  // exists while the session watches
  core::LaneSeat seat_;
  bool hears_changes_ = false;  // gets each item and removal; otherwise lists
};

/// Watchers get either lists or changes. A list holds the newest items, as many as one answer may; only the newest list
/// matters, so lists are spaced by their size (`Limits::public_list_bytes_per_second`) and held back from slow readers.
/// Watchers of changes are told of every item and every removal.
/// Threading: `watch`, `watch_changes`, `change_view`, `catch_up` and `unwatch` on the session's loop; everything else
/// from any thread.
class PublicSpace final : public std::enable_shared_from_this<PublicSpace> {
 public:
  PublicSpace(const Limits& limits, std::string epoch);

  /// Keeps the space in the store from now on, starting with these items. Called once before anything is shared, and again
  /// after a restart with what the store has, which then replaces the first, empty life.
  void keep_in_store(StoredRoom stored, std::vector<std::uint64_t> numbers, std::vector<SharedItem> items,
                     InStore in_store);
  /// For the log, which makes all changes instead of `share` and `delete_newest`. Null: it is not kept in a store.
  KeptRoomPtr kept() const;

  /// Appends the item, removes the oldest ones beyond the limits, and tells the watchers. Errors: overloaded, if
  /// `Limits::fanout_bytes_max` bytes of changes are pending.
  Result<Position> share(SharedItem item);
  /// Whether an item may be shared now; call it before the item is stored. Errors: as for `share`.
  Result<void> takes_items() const;
  /// Returns false if there is no item, or the newest is not at offset `only` (0: any).
  bool delete_newest(Offset only = 0);

  std::vector<SharedItem> items() const;
  ItemsPage items(const PageRequest& asked) const;
  std::optional<SharedItem> newest() const;

  /// Returns the current list, or a page of it. From then on the watcher gets the list when it has changed, or each
  /// change.
  ItemsPage watch(const core::Receiver& watcher, const PublicView* view, PublicSeat& seat,
                  const PageRequest& asked = {});
  ItemsPage watch_changes(const core::Receiver& watcher, const PublicChangesView* view, PublicSeat& seat,
                          const PageRequest& asked = {});
  void unwatch(PublicSeat& seat);
  /// Like `Room::change_view`, for a watcher of lists.
  std::string change_view(PublicSeat& seat, const PublicView* view, const core::Receiver& watcher, char separator);
  /// The current list, encoded by the seat's view, for a reader from which lists were held back; null if none was.
  core::SharedBytes catch_up(PublicSeat& seat);

 private:
  class Kept;
  /// The current list in one encoding; its readers share the bytes.
  struct Encoded {
    const PublicView* view;
    core::SharedBytes bytes;
  };

  Position publish(SharedItem item);
  Result<void> takes_items_locked() const;
  ItemsPage enter(core::Audience& audience, const core::Receiver& watcher, const void* view, PublicSeat& seat,
                  bool hears_changes, const PageRequest& asked);
  void leave(PublicSeat& seat);
  void tell_removed(Offset offset);
  void list_changed();
  void send_list_at(Clock::TimePoint due, const std::shared_ptr<core::Loop>& loop);
  void send_list(Clock::TimePoint now);
  core::SharedBytes encoded(const PublicView& view);

  const std::size_t list_bytes_max_;
  const std::size_t list_bytes_per_second_;
  const std::size_t fanout_bytes_max_;
  const std::string epoch_;
  mutable std::mutex mutex_;
  std::shared_ptr<Kept> kept_;
  KeptItems items_;
  Offset offset_ = 0;

  core::Audience lists_{mutex_};
  core::Audience changes_{mutex_};
  std::uint64_t version_ = 1;     // of the list
  std::vector<Encoded> encoded_;  // of this version
  /// Watchers of lists that came while a list was due, and got the newest items: that list leaves them out.
  std::unordered_map<const PublicSeat*, core::SessionKey> have_list_;
  Clock::TimePoint lists_paid_until_{};  // advanced by each list that is sent, by the time it takes at the allowed rate
  std::weak_ptr<void> list_timer_;       // expires with the timer, even if its loop ends first
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/public_space.ipp>
#endif
