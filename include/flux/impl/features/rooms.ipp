#pragma once

#include <flux/core/session_key.hpp>
#include <flux/detail/mode.hpp>
#include <flux/features/detail/rooms.hpp>
#include <flux/core/utf8.hpp>

#include <algorithm>

namespace flux::features {

FLUX_DECL Rooms::Rooms(const Config& config, std::uint64_t seed)
    : settings_{config.presence_interval, config.limits.room_members_max, config.limits.room_history_items_max,
                config.limits.room_history_bytes_max},
      linger_(config.room_linger),
      rooms_max_(config.limits.rooms_max),
      id_bytes_max_(config.limits.room_id_bytes_max),
      next_epoch_(seed) {}

FLUX_DECL Result<void> Rooms::check_id(std::string_view id) const {
  if (id.empty()) return Error(Errc::invalid_argument, "roomId is empty; it must have 1 to " + std::to_string(id_bytes_max_) + " bytes");
  if (id.size() > id_bytes_max_) {
    return Error(Errc::invalid_argument, "roomId has " + std::to_string(id.size()) + " bytes; at most " +
                                             std::to_string(id_bytes_max_) + " are allowed");
  }
  const bool c0 = std::any_of(id.begin(), id.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  const auto c1 = [&] {  // U+0080 to U+009F: C2 80 to C2 9F
    for (std::size_t at = id.find('\xc2'); at != std::string_view::npos; at = id.find('\xc2', at + 1)) {
      if (static_cast<unsigned char>(id[at + 1]) < 0xa0) return true;
    }
    return false;
  };
  if (!core::valid_utf8(id) || c0 || c1()) {
    return Error(Errc::invalid_argument, "roomId must be UTF-8 without control characters");
  }
  return {};
}

FLUX_DECL Result<std::shared_ptr<Room>> Rooms::make(Shard& locked, const RoomId& id, const RoomOptions& options) {
  if (const auto checked = check_id(id); !checked) return checked.error();
  if (size_.fetch_add(1, std::memory_order_relaxed) >= rooms_max_) {
    size_.fetch_sub(1, std::memory_order_relaxed);
    return Error(Errc::limit_exceeded, "the server has its " + std::to_string(rooms_max_) + " rooms");
  }
  std::string epoch = core::key_text(core::mixed(next_epoch_.fetch_add(1, std::memory_order_relaxed)));
  auto room = std::make_shared<Room>(id, options, std::move(epoch), settings_);
  locked.rooms.emplace(id, room);
  return room;
}

FLUX_DECL Result<std::shared_ptr<Room>> Rooms::create(const RoomId& id, const RoomOptions& options) {
  Shard& s = shard(id);
  const std::lock_guard lock(s.mutex);
  if (s.rooms.count(id) != 0) return Error(Errc::room_exists, "room \"" + id + "\" exists already");
  return make(s, id, options);
}

FLUX_DECL Result<std::shared_ptr<Room>> Rooms::find_or_create(const RoomId& id) {
  Shard& s = shard(id);
  const std::lock_guard lock(s.mutex);
  const auto found = s.rooms.find(id);
  if (found != s.rooms.end()) return found->second;
  return make(s, id, {});
}

FLUX_DECL std::shared_ptr<Room> Rooms::find(const RoomId& id) const {
  const Shard& s = shard(id);
  const std::lock_guard lock(s.mutex);
  const auto found = s.rooms.find(id);
  return found == s.rooms.end() ? nullptr : found->second;
}

FLUX_DECL void Rooms::end_if_empty(const std::shared_ptr<Room>& room, core::Loop& loop) {
  if (room->permanent()) return;
  if (linger_.count() == 0) return remove_if_empty(room);
  if (room->begin_linger()) linger(room, loop, linger_);
}

/// One timer for each room, however often it is entered and left meanwhile.
FLUX_DECL void Rooms::linger(const std::shared_ptr<Room>& room, core::Loop& loop, std::chrono::nanoseconds time) {
  loop.call_after(time, [this, &loop, weak = std::weak_ptr<Room>(room)] {
    const auto still_there = weak.lock();
    if (!still_there) return;
    const auto horizon = loop.clock().now() - linger_;
    remove_if_empty(still_there, horizon);
    if (const auto since = still_there->linger_on(horizon)) linger(still_there, loop, *since - horizon);
  });
}

FLUX_DECL void Rooms::end_deserted(core::Loop& loop) {
  for (const auto& room : all()) {
    if (room->deserted()) end_if_empty(room, loop);
  }
}

FLUX_DECL void Rooms::remove_if_empty(const std::shared_ptr<Room>& room, Clock::TimePoint since) {
  Shard& s = shard(room->id());
  const std::lock_guard lock(s.mutex);
  const auto found = s.rooms.find(room->id());
  if (found == s.rooms.end() || found->second != room || !room->end_if_empty(since)) return;
  s.rooms.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

FLUX_DECL std::shared_ptr<Room> Rooms::take_out(const RoomId& id) {
  Shard& s = shard(id);
  const std::lock_guard lock(s.mutex);
  const auto found = s.rooms.find(id);
  if (found == s.rooms.end()) return nullptr;
  auto room = std::move(found->second);
  s.rooms.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return room;
}

FLUX_DECL bool Rooms::take_out(const std::shared_ptr<Room>& room) {
  Shard& s = shard(room->id());
  const std::lock_guard lock(s.mutex);
  const auto found = s.rooms.find(room->id());
  if (found == s.rooms.end() || found->second != room) return false;
  s.rooms.erase(found);
  size_.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

FLUX_DECL std::vector<std::shared_ptr<Room>> Rooms::all() const {
  std::vector<std::shared_ptr<Room>> list;
  for (const Shard& s : shards_) {
    const std::lock_guard lock(s.mutex);
    for (const auto& [id, room] : s.rooms) list.push_back(room);
  }
  return list;
}

}  // namespace flux::features
