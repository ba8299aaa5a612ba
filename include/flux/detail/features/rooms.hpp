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

/// Of a room that is kept, or of the public space.
std::string new_room_life();

/// Threading: any thread. Sharded by the room's id, one lock a shard.
class Rooms {
 public:
  /// `seed`: of the epochs; 0: from the system's entropy. `log`: what rooms of the modes singleton and history keep goes through it; null: they end with the process.
  explicit Rooms(const Config& config, std::uint64_t seed, RoomLog* log = nullptr);

  /// Takes in what was there before. A room that was made before the start under the same id and with the same mode has
  /// its own options, and the items from the store; one of another mode takes the place of the old one, which is to be
  /// closed in the store.
  void restore(RestoredRoom restored);
  /// The server starts, and `loop` is its first. Rooms that their members have left end in time: the loops that timed
  /// it have ended. Those that the store has kept wait for their first member; it is told of those that were made
  /// meanwhile.
  void start(core::Loop& loop);
  /// From here to the next `start` rooms that are kept don't end because their members leave.
  void begin_stop() noexcept { stopping_.store(true); }

  /// Whether `id` may name a room. Errors: invalid_argument.
  Result<void> check_id(std::string_view id) const;
  /// Makes a room. One that is kept has to be opened in its store yet. Errors: room_exists, limit_exceeded,
  /// invalid_argument.
  Result<std::shared_ptr<Room>> create(const RoomId& id, const RoomOptions& options);
  /// The room, made with mode live where it is not there. Errors: limit_exceeded, invalid_argument.
  Result<std::shared_ptr<Room>> find_or_create(const RoomId& id);
  std::shared_ptr<Room> find(const RoomId& id) const;
  /// Somebody has left the room, or who made it has gone: ends it if it is empty, now or when it has been so for
  /// `Config::room_linger`. `loop`: times that; its own thread.
  void end_if_empty(const std::shared_ptr<Room>& room, core::Loop& loop);
  /// Ends and forgets the room now if nobody is in it.
  void remove_if_empty(const std::shared_ptr<Room>& room);
  /// Ends the room and forgets it, in one step: nothing of it is stored any more when its id is free. To take its
  /// members out of it, and it out of its store, is the caller's. Null where there is none.
  std::shared_ptr<Room> take_out(const RoomId& id, std::string_view reason);
  /// The same for this room, not for another that was made under its id. False where it was forgotten already.
  bool take_out(const std::shared_ptr<Room>& room, std::string_view reason);
  std::vector<std::shared_ptr<Room>> all() const;
  /// At most `limit` rooms in the order of their ids, from the first one behind `after` on. Cost: O(limit + log rooms).
  std::vector<std::shared_ptr<Room>> page(std::string_view after, std::size_t limit) const;
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<RoomId, std::shared_ptr<Room>, core::SeededHash, std::equal_to<>> rooms;
  };
  /// Every room in the order of the ids, which the keys are views of. Locked within a shard.
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
