// The directory of rooms.
#pragma once

#include <flux/features/detail/room.hpp>

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace flux::features {

/// Threading: any thread. Sharded by the room's id, one lock a shard.
class Rooms {
 public:
  Rooms(const Config& config, std::uint64_t seed);

  /// Whether `id` may name a room. Errors: invalid_argument.
  Result<void> check_id(std::string_view id) const;
  /// Errors: room_exists, limit_exceeded, invalid_argument.
  Result<std::shared_ptr<Room>> create(const RoomId& id, const RoomOptions& options);
  /// The room, made with mode live where it is not there. Errors: limit_exceeded, invalid_argument.
  Result<std::shared_ptr<Room>> find_or_create(const RoomId& id);
  std::shared_ptr<Room> find(const RoomId& id) const;
  /// Somebody has left the room, or who made it has gone: ends it if it is empty, now or when it has been so for
  /// `Config::room_linger`. `loop`: times that; its own thread.
  void end_if_empty(const std::shared_ptr<Room>& room, core::Loop& loop);
  /// The same for every room that its members have left, when a server starts: the loops that timed it have ended.
  void end_deserted(core::Loop& loop);
  /// Forgets the room if nobody has been in it since `since`.
  void remove_if_empty(const std::shared_ptr<Room>& room, Clock::TimePoint since = Clock::TimePoint::max());
  /// Forgets the room, so that its id is free; it is the caller's to end. Null where there is none.
  std::shared_ptr<Room> take_out(const RoomId& id);
  /// The same for this room, not for another that was made under its id. False where it was forgotten already.
  bool take_out(const std::shared_ptr<Room>& room);
  std::vector<std::shared_ptr<Room>> all() const;
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<RoomId, std::shared_ptr<Room>> rooms;
  };

  Shard& shard(const RoomId& id) { return shards_[std::hash<RoomId>{}(id) % shards_.size()]; }
  const Shard& shard(const RoomId& id) const { return shards_[std::hash<RoomId>{}(id) % shards_.size()]; }
  void linger(const std::shared_ptr<Room>& room, core::Loop& loop, std::chrono::nanoseconds time);
  Result<std::shared_ptr<Room>> make(Shard& locked, const RoomId& id, const RoomOptions& options);

  const Room::Settings settings_;
  const std::chrono::milliseconds linger_;
  const std::size_t rooms_max_;
  const std::size_t id_bytes_max_;
  std::array<Shard, 64> shards_;
  std::atomic<std::size_t> size_{0};
  std::atomic<std::uint64_t> next_epoch_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/features/rooms.ipp>
#endif
