#pragma once

#include <flux/detail/mode.hpp>
#include <flux/features/detail/files.hpp>
#include <flux/features/detail/room_log.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace flux::detail {
inline Error room_store_failed() { return {Errc::store_failed, "the room store failed"}; }
inline Error kept_room_ended(const RoomId& room) { return {Errc::room_not_found, "no room \"" + room + "\""}; }
}  // namespace flux::detail

namespace flux::features {

/// An item that waits for its batch.
struct RoomLog::Pending final : storage::StoreQueue::Part {
  Pending(KeptRoomPtr r, SharedItem i, Shared d) : room(std::move(r)), item(std::move(i)), done(std::move(d)) {}
  KeptRoomPtr room;
  SharedItem item;
  Shared done;
  std::optional<std::size_t> place{};  // among the appends of the batch; none: the room has ended
};

FLUX_DECL RoomLog::RoomLog(const RoomsOptions& options, const Limits& limits, std::function<void(std::string_view)> failed)
    : options_(options),
      queue_per_room_max_(limits.store_queue_per_room_max),
      queue_max_(limits.store_queue_max),
      blocks_(options.store->may_block()),
      batches_(blocks_ && options.store->batch_max() > 1),
      failed_(std::move(failed)) {}

// --- Life ---

FLUX_DECL void RoomLog::start() {
  if (blocks_) {
    auto queue = std::make_shared<storage::StoreQueue>(options_.worker_threads, queue_per_room_max_, queue_max_);
    if (batches_) {
      queue->collect(store().batch_max(),
                     [this](std::vector<storage::StoreQueue::PartInTurn> batch) { append_batch(std::move(batch)); });
    }
    const std::lock_guard lock(mutex_);
    queue_ = std::move(queue);
  }
  running_.store(true);
  retry_closes();
}

FLUX_DECL void RoomLog::stop() {
  if (!running_.exchange(false)) return;
  for (std::mutex& calls : locks_) const std::lock_guard through(calls);
  if (const auto queue = running_queue()) {
    queue->stop();
    const std::lock_guard lock(mutex_);
    queue_.reset();
  }
  close_last();
}

FLUX_DECL std::shared_ptr<storage::StoreQueue> RoomLog::running_queue() const {
  const std::lock_guard lock(mutex_);
  return queue_;
}

// --- Calls ---

/// What the store gives. `T` is made of an error where the store throws.
template <class T, class Call>
T RoomLog::guarded(const Call& store_call) {
  try {
    return store_call(store());
  } catch (const std::exception& e) {
    failed_(std::string("the room store threw: ") + e.what());
  } catch (...) {
    failed_("the room store threw something that is no std::exception");
  }
  return flux::detail::room_store_failed();
}

FLUX_DECL Error RoomLog::not_taken() const {
  if (!running_.load()) return {Errc::stopped, "the server does not run"};
  return {Errc::overloaded, "too many calls wait for the room store; try again"};
}

/// Has `work` done in a turn of the room; `done` gets its result, outside of the room's lock.
template <class T, class Work, class Done>
void RoomLog::call(const RoomId& room, Work work, Done done) {
  if (!blocks_) {
    std::unique_lock lock(lock_of(room));
    const Result<T> result = running_.load() ? work() : Result<T>(not_taken());
    lock.unlock();
    return done(result);
  }
  const auto queue = running_queue();
  const auto in_turn = [work = std::move(work), done](const auto&) { done(work()); };
  if (!queue || !queue->run(room, in_turn)) done(Result<T>(not_taken()));
}

FLUX_DECL void RoomLog::open(const KeptRoomPtr& room) {
  if (!running_.load() || room->opened_.exchange(true)) return;
  call<void>(
      room->stored().id,
      [this, room]() -> Result<void> {
        if (room->ended()) return {};
        return guarded<Result<void>>([&](RoomStore& to) { return to.open(room->stored()); });
      },
      [this, room](const Result<void>& opened) {
        if (opened) return;
        failed_("room \"" + room->stored().id + "\" is not in its store before its next item: " + opened.error().message());
      });
}

FLUX_DECL void RoomLog::share(const KeptRoomPtr& room, SharedItem item, Shared done) {
  const RoomId& id = room->stored().id;
  if (!batches_) {
    return call<Position>(id, [this, room, item = std::move(item)] { return append(*room, item); }, std::move(done));
  }
  const auto queue = running_queue();
  std::unique_ptr<storage::StoreQueue::Part> part = std::make_unique<Pending>(room, std::move(item), std::move(done));
  if (!queue || !queue->add(id, part)) static_cast<Pending&>(*part).done(not_taken());
}

FLUX_DECL void RoomLog::remove_newest(const KeptRoomPtr& room, Removed done) {
  call<bool>(room->stored().id, [this, room] { return remove(*room); }, std::move(done));
}

// --- Rooms that have ended ---

FLUX_DECL void RoomLog::close(Ended room, bool again) {
  const RoomId id = room.id;
  call<void>(
      id,
      [this, room] { return guarded<Result<void>>([&](RoomStore& to) { return to.close(room.id, room.life); }); },
      [this, room, again](const Result<void>& closed) {
        if (closed) return;
        if (!again && closed.error().code() != Errc::stopped) {
          failed_("room \"" + room.id + "\" has ended and can't be removed from its store yet: " + closed.error().message());
        }
        const std::lock_guard lock(mutex_);
        unclosed_.push_back(room);
      });
}

FLUX_DECL void RoomLog::retry_closes() {
  std::vector<Ended> again;
  {
    const std::lock_guard lock(mutex_);
    again.swap(unclosed_);
  }
  for (Ended& room : again) close(std::move(room), true);
}

/// Once more, when nothing else is under way. A store that fails here fails for the others, too, and may take its time.
FLUX_DECL void RoomLog::close_last() {
  std::vector<Ended> rooms;
  {
    const std::lock_guard lock(mutex_);
    rooms.swap(unclosed_);
  }
  while (!rooms.empty()) {
    const Ended& room = rooms.back();
    const auto closed = guarded<Result<void>>([&](RoomStore& to) { return to.close(room.id, room.life); });
    if (!closed) {
      failed_("rooms that have ended are still in their store: " + std::to_string(rooms.size()) + ", one of them \"" +
              room.id + "\": " + closed.error().message());
      break;
    }
    rooms.pop_back();
  }
  const std::lock_guard lock(mutex_);
  unclosed_.insert(unclosed_.end(), rooms.begin(), rooms.end());
}

// --- Within a turn ---

/// What it has in memory when the turn begins stays in the store, whatever becomes of the other items of the turn: trimming
/// there is behind by as much.
FLUX_DECL RoomAppend RoomLog::next_append(KeptRoom& room, SharedItem& item) const {
  item.number = ++room.given_;
  const std::uint64_t oldest = room.numbers().oldest;
  std::uint64_t first_kept = oldest != 0 ? oldest : room.newest_ + 1;
  if (room.stored().mode == RoomMode::singleton) first_kept = item.number;
  return {room.stored(),
          {item.number, item.connection_id, item.data.text(), item.file ? item.file->info().id : FileId()},
          first_kept};
}

FLUX_DECL Result<Position> RoomLog::stored(KeptRoom& room, const RoomAppend& append, SharedItem item,
                                           const Result<void>& result) const {
  if (!result) return result.error();
  room.opened_.store(true);
  room.newest_ = append.item.number;
  room.first_ = std::max(room.first_, append.first_kept);
  if (item.file) item.file->stored();
  return room.publish(std::move(item));
}

FLUX_DECL Result<Position> RoomLog::append(KeptRoom& room, SharedItem item) {
  if (room.ended()) return flux::detail::kept_room_ended(room.stored().id);
  room.given_ = room.newest_;
  const RoomAppend append = next_append(room, item);
  const auto result = guarded<Result<void>>([&](RoomStore& to) { return to.append(append); });
  return stored(room, append, std::move(item), result);
}

FLUX_DECL Result<std::vector<Result<void>>> RoomLog::append_all(const std::vector<RoomAppend>& appends) {
  using Results = Result<std::vector<Result<void>>>;
  if (appends.empty()) return std::vector<Result<void>>();
  return guarded<Results>([&](RoomStore& to) -> Results {
    auto results = to.append_all(appends);
    if (results.size() == appends.size()) return results;
    failed_("the room store's append_all gave " + std::to_string(results.size()) + " results for " +
            std::to_string(appends.size()) + " items");
    return flux::detail::room_store_failed();
  });
}

FLUX_DECL void RoomLog::append_batch(std::vector<storage::StoreQueue::PartInTurn> batch) {
  const auto pending = [&batch](std::size_t i) -> Pending& { return static_cast<Pending&>(*batch[i].part); };
  for (std::size_t i = 0; i < batch.size(); ++i) pending(i).room->given_ = pending(i).room->newest_;
  std::vector<RoomAppend> appends;
  appends.reserve(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Pending& one = pending(i);
    if (one.room->ended()) continue;
    one.place = appends.size();
    appends.push_back(next_append(*one.room, one.item));
  }
  const auto results = append_all(appends);
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Pending& one = pending(i);
    if (one.place) {
      const Result<void> result = results ? (*results)[*one.place] : Result<void>(results.error());
      one.done(stored(*one.room, appends[*one.place], std::move(one.item), result));
    } else {
      one.done(flux::detail::kept_room_ended(one.room->stored().id));
    }
    batch[i] = {};  // the room goes on when its last item is through
  }
}

FLUX_DECL Result<bool> RoomLog::remove(KeptRoom& room) {
  const auto [oldest, newest] = room.numbers();
  if (newest == 0) return false;
  const auto remove_item = [&](std::uint64_t number) {
    return guarded<Result<void>>(
        [&](RoomStore& from) { return from.remove_item(room.stored().id, room.stored().life, number); });
  };
  // With one item less, those that have not been trimmed in the store yet would come back at the next start.
  for (; room.first_ < oldest; ++room.first_) {
    if (const auto removed = remove_item(room.first_); !removed) return removed.error();
  }
  if (const auto removed = remove_item(newest); !removed) return removed.error();
  room.forget_newest();
  return true;
}

}  // namespace flux::features
