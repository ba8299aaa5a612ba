// The directory of rooms.
#pragma once

#include <flux/detail/core/secret.hpp>
#include <flux/detail/features/room.hpp>
#include <flux/detail/features/room_restore.hpp>

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flux::features {

/// A new, unguessable name for the life of a kept room or of the public space.
std::string new_room_life();

/// Threading: any thread. Sharded by the room's id, with one lock per shard.
class Rooms {
 public:
  /// `seed`: for the epochs; 0: from the system's entropy. `log`: stores the items of rooms of the modes singleton and
  /// history; null: they end with the process.
  explicit Rooms(const Config& config, std::uint64_t seed, RoomLog* log = nullptr);

  /// Adds a room from the store. If a room was created before the start under the same id and with the same mode, it
  /// keeps its own options and gets the items from the store; if its mode differs, the stored room is closed instead.
  void restore(RestoredRoom restored);
  /// The server starts, and `loop` is its first. The timers of the last run no longer exist: empty rooms linger again,
  /// or, if they are kept in the store, wait for a member for `RoomsOptions::rejoin_time`. Kept rooms that are not in
  /// the store yet are opened in it.
  void start(core::Loop& loop);
  /// Until the next `start`, kept rooms don't end when their members leave.
  void begin_stop() noexcept { stopping_.store(true); }

  /// Whether `id` may name a room. Errors: invalid_argument.
  Result<void> check_id(std::string_view id) const;
  /// Whether there may be another room. Errors: limit_exceeded.
  Result<void> has_place() const;
  /// Whether `create` would succeed now. Errors: those of `create`.
  Result<void> may_create(const RoomId& id) const;
  /// Creates a room. A kept one is still to be opened in its store. Errors: room_exists, limit_exceeded,
  /// invalid_argument.
  Result<std::shared_ptr<Room>> create(const RoomId& id, const RoomOptions& options);
  /// The room, which is created if it does not exist. Errors: limit_exceeded, invalid_argument.
  Result<std::shared_ptr<Room>> find_or_create(const RoomId& id, const RoomOptions& options = {});
  std::shared_ptr<Room> find(const RoomId& id) const;
  /// A member has left the room, or its creator has: ends it if it is empty, now or when it has been empty for
  /// `Config::room_linger`. `loop`: runs the timer; on its thread.
  void end_if_empty(const std::shared_ptr<Room>& room, core::Loop& loop);
  /// Ends and forgets the room now if it is empty.
  void remove_if_empty(const std::shared_ptr<Room>& room);
  /// Ends the room and forgets it, in one step: nothing of it is stored once its id is free. The caller removes its
  /// members and closes it in its store. Null if there is no such room.
  std::shared_ptr<Room> take_out(const RoomId& id, std::string_view reason);
  /// The same for this room, not for another one of its id. False if it was forgotten already.
  bool take_out(const std::shared_ptr<Room>& room, std::string_view reason);
  std::vector<std::shared_ptr<Room>> all() const;
  /// At most `limit` rooms in the order of their ids, from the first one after `after`. Cost: O(limit + log rooms).
  std::vector<std::shared_ptr<Room>> page(std::string_view after, std::size_t limit) const;
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<RoomId, std::shared_ptr<Room>, core::SeededHash, std::equal_to<>> rooms;
  };
  /// All rooms by id; the keys are views of the ids. Locked while a shard is locked.
  struct Order {
    mutable std::mutex mutex;
    std::map<std::string_view, std::shared_ptr<Room>> rooms;
  };

  Shard& shard(const RoomId& id) { return shards_[hash_(id) % shards_.size()]; }
  const Shard& shard(const RoomId& id) const { return shards_[hash_(id) % shards_.size()]; }
  template <class Step>
  void advance_life(const std::shared_ptr<Room>& room, const Step& step);
  void linger(const std::shared_ptr<Room>& room, core::Loop& loop, std::chrono::nanoseconds time);
  void await_members(const std::shared_ptr<Room>& room, core::Loop& loop);
  Error exists_error(const RoomId& id) const { return Error(Errc::room_exists, "room \"" + id + "\" exists already"); }
  Error full_error() const;
  bool outlives_stop(const Room& room) const noexcept { return room.is_kept() && stopping_.load(); }
  void add(Shard& locked, const std::shared_ptr<Room>& room);
  void remove(Shard& locked, const RoomId& id);
  Result<std::shared_ptr<Room>> make(Shard& locked, const RoomId& id, const RoomOptions& options);
  std::shared_ptr<Room> make_unchecked(const RoomId& id, const RoomOptions& options);

  const Room::Settings settings_;
  RoomLog* const log_;
  const std::chrono::milliseconds linger_;
  const std::chrono::milliseconds rejoin_time_;
  const std::size_t rooms_max_;
  const std::size_t id_bytes_max_;
  const core::SeededHash hash_;
  std::array<Shard, 64> shards_;
  Order order_;
  std::atomic<std::size_t> size_{0};
  core::KeySequence epochs_;
  std::atomic<bool> stopping_{false};
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/rooms.ipp>
#endif
