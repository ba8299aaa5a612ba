// The items of rooms, through their store: an item is stored before it is published, and items are published in the
// order in which they were stored.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/features/kept_items.hpp>
#include <flux/detail/features/room_life.hpp>
#include <flux/detail/features/store_faults.hpp>
#include <flux/detail/storage/store_queue.hpp>
#include <flux/storage/room_store.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::features {

/// A room in the room store, or the public space, as the log sees it.
/// Threading: any thread; methods that change it, only within the log's turns.
class KeptRoom {
 public:
  /// `mutex` guards `life` and `items`; all three must outlive this. `numbers`: those of the items in the store,
  /// ascending.
  KeptRoom(std::mutex& mutex, RoomLife& life, const KeptItems& items, StoredRoom room,
           std::vector<std::uint64_t> numbers)
      : mutex_(mutex),
        life_(life),
        items_(items),
        stored_(std::move(room)),
        newest_(numbers.empty() ? 0 : numbers.back()),
        numbers_(std::move(numbers)) {}
  KeptRoom(const KeptRoom&) = delete;
  KeptRoom& operator=(const KeptRoom&) = delete;
  virtual ~KeptRoom() = default;

  const StoredRoom& stored() const noexcept { return stored_; }
  InStore in_store() const;
  /// Whether its life is over, so that it accepts no more items.
  bool ended() const;

  /// Appends the item to those in memory and sends it to all members. Errors: room_not_found if the room has ended.
  virtual Result<Position> publish(SharedItem item) = 0;
  /// Removes the newest item from those in memory.
  virtual void forget_newest() = 0;

 private:
  friend class RoomLog;

  ItemNumbers numbers() const;
  std::optional<ItemNumbers> enter_store();
  bool entered_store();
  void has_stored(const RoomAppend& append);
  void has_failed(std::uint64_t number);
  std::optional<std::uint64_t> one_doubtful() const;

  std::mutex& mutex_;
  RoomLife& life_;
  const KeptItems& items_;
  const StoredRoom stored_;
  std::atomic<std::size_t> waiting_bytes_{0};  // of items waiting to be stored
  // Only within turns of the log:
  std::uint64_t newest_;     // the number of the newest item that was stored
  std::uint64_t given_ = 0;  // the last number assigned in this turn; the next turn reassigns those of failed items
  std::uint64_t first_ = 1;  // the store has dropped the items before this one
  std::vector<std::uint64_t> numbers_;   // of items in the store, and of some that it has dropped
  std::vector<std::uint64_t> doubtful_;  // of failed items, which the store may have kept nevertheless
};

using KeptRoomPtr = std::shared_ptr<KeptRoom>;

/// Calls for one room are made one at a time, in order. A store that does not block is called at once, under a lock for
/// the room; a store that may block, on the log's own workers, with appends in batches if it accepts them. Results are
/// delivered on the thread that called the store, outside the lock; a worker delivers them in the order of the calls.
/// Threading: any thread.
class RoomLog {
 public:
  using Opened = std::function<void(const Result<void>&)>;
  using Shared = std::function<void(const Result<Position>&)>;
  using Removed = std::function<void(const Result<bool>&)>;

  /// `options.store` must not be null. `faults` also gets the failures of calls that no caller waits for.
  RoomLog(const RoomsOptions& options, const Limits& limits, std::shared_ptr<StoreFaults> faults);
  ~RoomLog();
  RoomLog(const RoomLog&) = delete;
  RoomLog& operator=(const RoomLog&) = delete;

  RoomStore& store() const noexcept { return *options_.store; }
  bool blocks() const noexcept { return blocks_; }
  bool runs() const noexcept { return running_.load(); }

  /// Starts to make calls.
  void start();
  /// Returns when every call has finished. Later calls fail with `stopped`.
  void stop();

  /// Opens the room in the store, then calls `done`. Errors: the store's; overloaded; stopped; room_not_found if the
  /// room has ended meanwhile. On an error, the caller ends the room.
  void open(const KeptRoomPtr& room, Opened done);
  /// The same without a result: if it fails, the room's next item or the next start opens the room. Does nothing if the
  /// log does not run.
  void open(const KeptRoomPtr& room);
  /// Stores the item, then has the room publish it. Errors: the store's; overloaded; stopped; room_not_found if the
  /// room has ended. An item that failed is not published.
  void share(const KeptRoomPtr& room, SharedItem item, Shared done);
  /// Removes the newest item from the store, then from the room; false if there is none, or its number is not `only`
  /// (0: any). Errors: as for `share`.
  void remove_newest(const KeptRoomPtr& room, Removed done, std::uint64_t only = 0);
  /// Removes a room that has ended from the store, if the store may have it. A failure is retried until it succeeds: by
  /// `retry_closes`, and when the log stops, starts or is destroyed. At most `Limits::rooms_max` such rooms are
  /// remembered; the others stay in the store, where the next process finds them.
  void close(const KeptRoomPtr& room);
  /// The same for a room that was never in memory.
  void close(const StoredRoom& room) { close(Ended{room.id, room.life}); }
  /// Retries one room after another, so that other calls get a place in the queue, until one fails.
  void retry_closes();

 private:
  struct Pending;
  struct Ended {
    RoomId id;
    std::string life;
  };

  template <class Call>
  Result<void> guarded(const Call& store_call);
  template <class T, class Work, class Done>
  void call(const RoomId& room, Work work, Done done);
  Error not_taken() const;
  bool takes(KeptRoom& room, std::size_t bytes);
  void close(const Ended& room);
  Result<void> close_in_store(const Ended& room);
  void retry_next_close();
  Result<void> close_unclosed();
  void close_last();
  void keep_unclosed(const Ended& room);

  // Within a turn
  Result<void> open_in_store(KeptRoom& room);
  Result<void> remove_in_store(const KeptRoom& room, std::uint64_t number);
  Result<void> remove_doubtful(KeptRoom& room);
  RoomAppend next_append(KeptRoom& room, std::uint64_t oldest, SharedItem& item) const;
  Result<Position> stored(KeptRoom& room, const RoomAppend& append, SharedItem item, const Result<void>& result);
  Result<Position> append(KeptRoom& room, SharedItem item);
  void append_batch(std::vector<storage::StoreQueue::PartInTurn> batch);
  Result<std::vector<Result<void>>> append_all(const std::vector<RoomAppend>& appends);
  Result<bool> remove(KeptRoom& room, std::uint64_t only);

  std::shared_ptr<storage::StoreQueue> running_queue() const;
  std::mutex& lock_of(const RoomId& room) { return locks_[hash_(room) % locks_.size()]; }

  const RoomsOptions options_;
  const std::size_t queue_per_room_max_;
  const std::size_t queue_max_;
  const std::size_t unclosed_max_;
  const bool blocks_;
  const bool batches_;
  const std::shared_ptr<StoreFaults> faults_;
  const core::SeededHash hash_;
  std::array<std::mutex, 64> locks_;  // if the store does not block: one call at a time per room
  std::atomic<bool> running_{false};
  std::atomic<std::size_t> waiting_bytes_{0};  // of all rooms
  bool closes_late_ = false;                   // it has run, and closed all rooms when it stopped

  mutable std::mutex mutex_;  // guards everything below
  std::shared_ptr<storage::StoreQueue> queue_;
  std::deque<Ended> unclosed_;  // still in the store
  bool retries_ = false;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/room_log.ipp>
#endif
