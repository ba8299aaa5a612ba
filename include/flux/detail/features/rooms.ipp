#pragma once

#include <flux/detail/core/session_key.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/core/uuid.hpp>
#include <flux/detail/features/handed_in.hpp>
#include <flux/detail/features/rooms.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>

namespace flux::features {

/// From the system's entropy, whatever `Config::seed` is: the next process must not create the same one.
FLUX_DECL std::string new_room_life() {
  std::string life = core::random_uuid();
  life.erase(std::remove(life.begin(), life.end(), '-'), life.end());
  return life;
}

FLUX_DECL Rooms::Rooms(const Config& config, std::uint64_t seed, RoomLog* log)
    : settings_{config.presence_interval,
                config.limits.room_members_max,
                config.limits.room_history_items_max,
                config.limits.room_history_bytes_max,
                config.limits.outbox_bytes_max,
                config.limits.fanout_bytes_max,
                config.limits.room_newest_keys_max,
                config.limits.room_newest_bytes_max,
                config.capacity_counts_users,
                shared_demands(config.rooms.demands)},
      log_(log),
      linger_(config.room_linger),
      rejoin_time_(std::max<std::chrono::milliseconds>(config.rooms.rejoin_time, config.room_linger)),
      rooms_max_(config.limits.rooms_max),
      id_bytes_max_(config.limits.room_id_bytes_max),
      epochs_(core::Secret(seed)) {}

FLUX_DECL Result<void> Rooms::check_id(std::string_view id) const {
  if (id.empty())
    return Error(Errc::invalid_argument,
                 "roomId is empty; it must have 1 to " + std::to_string(id_bytes_max_) + " bytes");
  if (id.size() > id_bytes_max_) {
    return Error(Errc::invalid_argument, "roomId has " + std::to_string(id.size()) + " bytes; at most " +
                                             std::to_string(id_bytes_max_) + " are allowed");
  }
  if (!core::valid_utf8(id) || core::has_control_characters(id)) {
    return Error(Errc::invalid_argument, "roomId must be UTF-8 without control characters");
  }
  return {};
}

FLUX_DECL Error Rooms::full_error() const {
  return {Errc::limit_exceeded, "the server already has " + std::to_string(rooms_max_) + " rooms"};
}

FLUX_DECL Result<void> Rooms::has_place() const {
  if (size() >= rooms_max_) return full_error();
  return {};
}

FLUX_DECL Result<void> Rooms::may_create(const RoomId& id) const {
  if (auto checked = check_id(id); !checked) return checked;
  if (find(id)) return exists_error(id);
  return has_place();
}

FLUX_DECL Result<std::shared_ptr<Room>> Rooms::make(Shard& locked, const RoomId& id, const RoomOptions& options) {
  if (const auto checked = check_id(id); !checked) return checked.error();
  if (options.demands) {
    if (const auto checked = detail::check_demands(*options.demands); !checked) return checked.error();
  }
  if (size_.fetch_add(1, std::memory_order_relaxed) >= rooms_max_) {
    size_.fetch_sub(1, std::memory_order_relaxed);
    return full_error();
  }
  auto room = make_unchecked(id, options);
  if (log_ != nullptr && options.mode != RoomMode::live) {
    room->keep_in_store({id, new_room_life(), options.mode, options.capacity, options.permanent, options.demands}, {},
                        {}, InStore::no);
  }
  add(locked, room);
  return room;
}

/// Replaces another one of its id, if there is one.
FLUX_DECL void Rooms::add(Shard& locked, const std::shared_ptr<Room>& room) {
  {
    const std::lock_guard lock(order_.mutex);
    order_.rooms.erase(room->id());  // its key is the other's id
    order_.rooms.emplace(room->id(), room);
  }
  locked.rooms.insert_or_assign(room->id(), room);
}

FLUX_DECL void Rooms::remove(Shard& locked, const RoomId& id) {
  {
    const std::lock_guard lock(order_.mutex);
    order_.rooms.erase(id);
  }
  locked.rooms.erase(id);
  size_.fetch_sub(1, std::memory_order_relaxed);
}

FLUX_DECL std::shared_ptr<Room> Rooms::make_unchecked(const RoomId& id, const RoomOptions& options) {
  std::string epoch = core::key_text(epochs_.next());
  return std::make_shared<Room>(id, options, std::move(epoch), settings_);
}

FLUX_DECL Result<std::shared_ptr<Room>> Rooms::create(const RoomId& id, const RoomOptions& options) {
  Shard& s = shard(id);
  const std::lock_guard lock(s.mutex);
  if (s.rooms.count(id) != 0) return exists_error(id);
  return make(s, id, options);
}

// --- What was there before ---

FLUX_DECL void Rooms::restore(RestoredRoom restored) {
  StoredRoom stored = std::move(restored.room);
  Shard& s = shard(stored.id);
  std::unique_lock lock(s.mutex);
  const auto found = s.rooms.find(stored.id);
  const bool made_again = found != s.rooms.end();
  if (made_again) {
    // It was created before the start, so it has no members yet.
    const std::shared_ptr<Room> fresh = found->second;
    if (fresh->mode() != stored.mode) {
      lock.unlock();
      return log_->close(stored);
    }
    stored.capacity = fresh->kept()->stored().capacity;
    stored.permanent = fresh->kept()->stored().permanent;
    stored.demands = fresh->kept()->stored().demands;
    fresh->end({});
  } else {
    size_.fetch_add(1, std::memory_order_relaxed);
  }
  const auto room = make_unchecked(stored.id, {stored.mode, stored.capacity, stored.permanent, stored.demands});
  if (made_again) room->set_data(found->second->data());
  add(s, room);
  room->keep_in_store(std::move(stored), std::move(restored.numbers), restored.items,
                      made_again ? InStore::perhaps : InStore::yes);
}

FLUX_DECL void Rooms::start(core::Loop& loop) {
  stopping_.store(false);
  std::vector<std::weak_ptr<Room>> deserted, awaiting;
  for (const auto& room : all()) {
    const auto kept = room->kept();
    const bool is_deserted = room->advance_life([](RoomLife& life) {
      life.forget_timers();
      return life.state() == RoomLife::State::deserted;
    });
    if (!kept) {
      if (is_deserted) deserted.push_back(room);
      continue;
    }
    if (is_deserted || kept->in_store() == InStore::yes) awaiting.push_back(room);
    log_->open(kept);
  }
  if (deserted.empty() && awaiting.empty()) return;
  loop.post([this, &loop, deserted = std::move(deserted), awaiting = std::move(awaiting)] {
    for (const auto& weak : deserted) {
      if (const auto room = weak.lock()) end_if_empty(room, loop);
    }
    for (const auto& weak : awaiting) {
      if (const auto room = weak.lock()) await_members(room, loop);
    }
  });
}

FLUX_DECL void Rooms::await_members(const std::shared_ptr<Room>& room, core::Loop& loop) {
  if (!room->advance_life([](RoomLife& life) { return life.await_members(); })) return;
  loop.call_after(rejoin_time_, [this, weak = std::weak_ptr<Room>(room)] {
    if (const auto awaiting = weak.lock()) {
      advance_life(awaiting, [&](RoomLife& life) { return !outlives_stop(*awaiting) && life.await_over(); });
    }
  });
}

FLUX_DECL Result<std::shared_ptr<Room>> Rooms::find_or_create(const RoomId& id, const RoomOptions& options) {
  Shard& s = shard(id);
  const std::lock_guard lock(s.mutex);
  const auto found = s.rooms.find(id);
  if (found != s.rooms.end()) return found->second;
  return make(s, id, options);
}

FLUX_DECL std::shared_ptr<Room> Rooms::find(const RoomId& id) const {
  const Shard& s = shard(id);
  const std::lock_guard lock(s.mutex);
  const auto found = s.rooms.find(id);
  return found == s.rooms.end() ? nullptr : found->second;
}

FLUX_DECL void Rooms::end_if_empty(const std::shared_ptr<Room>& room, core::Loop& loop) {
  if (outlives_stop(*room)) return room->advance_life([](RoomLife& life) { life.desert(); });
  if (linger_.count() == 0) return remove_if_empty(room);
  if (room->advance_life([](RoomLife& life) { return life.begin_linger(); })) linger(room, loop, linger_);
}

/// A room has one timer, however often it becomes empty meanwhile.
FLUX_DECL void Rooms::linger(const std::shared_ptr<Room>& room, core::Loop& loop, std::chrono::nanoseconds time) {
  loop.call_after(time, [this, &loop, weak = std::weak_ptr<Room>(room)] {
    const auto lingering = weak.lock();
    if (!lingering) return;
    const auto horizon = loop.clock().now() - linger_;
    std::optional<Clock::TimePoint> empty_since;
    advance_life(lingering, [&](RoomLife& life) {
      if (outlives_stop(*lingering)) {
        life.suspend_linger();
      } else {
        empty_since = life.linger_over(horizon);
      }
      return life.ended();
    });
    if (empty_since) linger(lingering, loop, *empty_since - horizon);
  });
}

FLUX_DECL void Rooms::remove_if_empty(const std::shared_ptr<Room>& room) {
  advance_life(room, [&](RoomLife& life) { return !outlives_stop(*room) && life.end_if_empty(); });
}

/// Takes `step(life)`, which says whether the room has ended by it: then the room is forgotten in the same step, so
/// nothing of it is stored once its id is free, and is closed in its store. Does nothing if it was forgotten before.
template <class Step>
void Rooms::advance_life(const std::shared_ptr<Room>& room, const Step& step) {
  {
    Shard& s = shard(room->id());
    const std::lock_guard lock(s.mutex);
    const auto found = s.rooms.find(room->id());
    if (found == s.rooms.end() || found->second != room || !room->advance_life(step)) return;
    remove(s, room->id());
  }
  if (room->is_kept()) log_->close(room->kept());
}

FLUX_DECL std::shared_ptr<Room> Rooms::take_out(const RoomId& id, std::string_view reason) {
  Shard& s = shard(id);
  const std::lock_guard lock(s.mutex);
  const auto found = s.rooms.find(id);
  if (found == s.rooms.end()) return nullptr;
  auto room = found->second;
  room->end(reason);
  remove(s, id);
  return room;
}

FLUX_DECL bool Rooms::take_out(const std::shared_ptr<Room>& room, std::string_view reason) {
  Shard& s = shard(room->id());
  const std::lock_guard lock(s.mutex);
  const auto found = s.rooms.find(room->id());
  if (found == s.rooms.end() || found->second != room) return false;
  room->end(reason);
  remove(s, room->id());
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

FLUX_DECL std::vector<std::shared_ptr<Room>> Rooms::page(std::string_view after, std::size_t limit) const {
  const std::lock_guard lock(order_.mutex);
  std::vector<std::shared_ptr<Room>> list;
  for (auto at = order_.rooms.upper_bound(after); at != order_.rooms.end() && list.size() < limit; ++at) {
    list.push_back(at->second);
  }
  return list;
}

}  // namespace flux::features
