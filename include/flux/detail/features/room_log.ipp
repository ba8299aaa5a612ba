#pragma once

#include <flux/detail/features/file_feature.hpp>
#include <flux/detail/features/room_log.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace flux::detail {
inline Error kept_room_ended(const RoomId& room) { return {Errc::room_not_found, "no room \"" + room + "\""}; }
}  // namespace flux::detail

namespace flux::features {

/// An item waiting for its batch.
struct RoomLog::Pending final : storage::StoreQueue::Part {
  Pending(KeptRoomPtr r, SharedItem i, Shared d) : room(std::move(r)), item(std::move(i)), done(std::move(d)) {}
  KeptRoomPtr room;
  SharedItem item;
  Shared done;
  std::optional<std::size_t> place{};  // among the appends of the batch; none: the room has ended
};

FLUX_DECL RoomLog::RoomLog(const RoomsOptions& options, const Limits& limits, std::shared_ptr<StoreFaults> faults)
    : options_(options),
      queue_per_room_max_(limits.store_queue_per_room_max),
      queue_max_(limits.store_queue_max),
      unclosed_max_(std::max<std::size_t>(limits.rooms_max, 1)),
      blocks_(options.store->may_block()),
      batches_(blocks_ && options.store->batch_max() > 1),
      faults_(std::move(faults)) {}

FLUX_DECL InStore KeptRoom::in_store() const {
  const std::lock_guard lock(mutex_);
  return life_.in_store();
}

FLUX_DECL bool KeptRoom::ended() const {
  const std::lock_guard lock(mutex_);
  return life_.ended();
}

FLUX_DECL ItemNumbers KeptRoom::numbers() const {
  const std::lock_guard lock(mutex_);
  return items_.numbers();
}

/// Must be called before each call that adds to the store. Returns the numbers of the items in memory; none if the room
/// has ended.
FLUX_DECL std::optional<ItemNumbers> KeptRoom::enter_store() {
  const std::lock_guard lock(mutex_);
  if (!life_.enter_store()) return std::nullopt;
  return items_.numbers();
}

/// Returns false if the room has ended meanwhile.
FLUX_DECL bool KeptRoom::entered_store() {
  const std::lock_guard lock(mutex_);
  life_.entered_store();
  return !life_.ended();
}

/// Forgets the numbers that the store has dropped when they are half of all.
FLUX_DECL void KeptRoom::has_stored(const RoomAppend& append) {
  (void)entered_store();  // `publish` refuses the item if the room has ended
  newest_ = append.item.number;
  first_ = std::max(first_, append.first_kept);
  std::erase(doubtful_, newest_);
  numbers_.push_back(newest_);
  const auto kept = std::lower_bound(numbers_.begin(), numbers_.end(), first_);
  if ((kept - numbers_.begin()) * 2 >= numbers_.end() - numbers_.begin()) numbers_.erase(numbers_.begin(), kept);
}

FLUX_DECL void KeptRoom::has_failed(std::uint64_t number) {
  if (std::find(doubtful_.begin(), doubtful_.end(), number) == doubtful_.end()) doubtful_.push_back(number);
}

/// A doubtful number that no item of this turn replaces: after a crash its item would reappear among acknowledged ones,
/// and displace some of them.
FLUX_DECL std::optional<std::uint64_t> KeptRoom::one_doubtful() const {
  const auto stays = [this](std::uint64_t number) { return number <= newest_ || number > given_; };
  const auto one = std::find_if(doubtful_.begin(), doubtful_.end(), stays);
  return one == doubtful_.end() ? std::nullopt : std::optional(*one);
}

// --- Life ---

/// Also closes rooms that ended after the stop.
FLUX_DECL RoomLog::~RoomLog() {
  stop();
  if (closes_late_) close_last();
}

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
  closes_late_ = false;
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

template <class Call>
Result<void> RoomLog::guarded(const Call& store_call) {
  return faults_->guarded([&]() -> Result<void> { return store_call(store()); });
}

FLUX_DECL Error RoomLog::not_taken() const {
  if (!running_.load()) return {Errc::stopped, "the server is not running"};
  return {Errc::overloaded, "too many calls wait for the room store; try again"};
}

/// Runs `work` in a turn of the room, then `done` with its result, outside the room's lock.
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

FLUX_DECL void RoomLog::open(const KeptRoomPtr& room, Opened done) {
  call<void>(
      room->stored().id, [this, room] { return open_in_store(*room); }, std::move(done));
}

FLUX_DECL void RoomLog::open(const KeptRoomPtr& room) {
  if (!running_.load() || room->in_store() == InStore::yes) return;
  open(room, [this, room](const Result<void>& opened) {
    if (opened || opened.error().code() == Errc::stopped || room->ended()) return;
    faults_->note("room \"" + room->stored().id +
                  "\" is not in its store before its next item: " + opened.error().cause());
  });
}

FLUX_DECL void RoomLog::share(const KeptRoomPtr& room, SharedItem item, Shared done) {
  const RoomId& id = room->stored().id;
  const std::size_t bytes = item.data.text().size();
  if (blocks_) {
    if (!takes(*room, bytes)) return done(not_taken());
    done = [this, room, bytes, then = std::move(done)](const Result<Position>& shared) {
      room->waiting_bytes_ -= bytes;
      waiting_bytes_ -= bytes;
      then(shared);
    };
  }
  if (!batches_) {
    return call<Position>(
        id, [this, room, item = std::move(item)] { return append(*room, item); }, std::move(done));
  }
  const auto queue = running_queue();
  std::unique_ptr<storage::StoreQueue::Part> part = std::make_unique<Pending>(room, std::move(item), std::move(done));
  if (!queue || !queue->add(id, part)) static_cast<Pending&>(*part).done(not_taken());
}

/// Always accepts one pending item per room, whatever its size; more only within the limits.
FLUX_DECL bool RoomLog::takes(KeptRoom& room, std::size_t bytes) {
  const std::size_t in_room = room.waiting_bytes_.fetch_add(bytes);
  const std::size_t in_all = waiting_bytes_.fetch_add(bytes);
  const std::size_t most = options_.waiting_bytes_max;
  if (in_room == 0 || (in_room + bytes <= most / 4 && in_all + bytes <= most)) return true;
  room.waiting_bytes_ -= bytes;
  waiting_bytes_ -= bytes;
  return false;
}

FLUX_DECL void RoomLog::remove_newest(const KeptRoomPtr& room, Removed done, std::uint64_t only) {
  call<bool>(
      room->stored().id, [this, room, only] { return remove(*room, only); }, std::move(done));
}

// --- Rooms that have ended ---

FLUX_DECL Result<void> RoomLog::close_in_store(const Ended& room) {
  return guarded([&](RoomStore& to) { return to.close(room.id, room.life); });
}

FLUX_DECL void RoomLog::close(const KeptRoomPtr& room) {
  if (room->in_store() != InStore::no) close(Ended{room->stored().id, room->stored().life});
}

FLUX_DECL void RoomLog::close(const Ended& room) {
  call<void>(
      room.id, [this, room] { return close_in_store(room); },
      [this, room](const Result<void>& closed) {
        if (closed) return;
        if (closed.error().code() != Errc::stopped) {
          faults_->note("room \"" + room.id +
                        "\" has ended and can't be removed from its store yet: " + closed.error().cause());
        }
        keep_unclosed(room);
      });
}

FLUX_DECL void RoomLog::keep_unclosed(const Ended& room) {
  std::unique_lock lock(mutex_);
  if (unclosed_.size() < unclosed_max_) return unclosed_.push_back(room);
  lock.unlock();
  faults_->note("room \"" + room.id + "\" has ended and stays in its store until the next process: " +
                std::to_string(unclosed_max_) + " others wait for their removal");
}

FLUX_DECL void RoomLog::retry_closes() {
  if (!blocks_) {
    (void)close_unclosed();  // their failure was logged when they ended
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(retries_, true)) return;
  }
  retry_next_close();
}

FLUX_DECL void RoomLog::retry_next_close() {
  Ended room;
  {
    const std::lock_guard lock(mutex_);
    retries_ = !unclosed_.empty();
    if (!retries_) return;
    room = std::move(unclosed_.front());
    unclosed_.pop_front();
  }
  call<void>(
      room.id, [this, room] { return close_in_store(room); },
      [this, room](const Result<void>& closed) {
        if (closed) return retry_next_close();
        keep_unclosed(room);
        const std::lock_guard lock(mutex_);
        retries_ = false;
      });
}

/// The same, but on this thread.
FLUX_DECL Result<void> RoomLog::close_unclosed() {
  for (;;) {
    Ended room;
    {
      const std::lock_guard lock(mutex_);
      if (unclosed_.empty()) return {};
      room = std::move(unclosed_.front());
      unclosed_.pop_front();
    }
    const auto closed = [&] {
      const std::lock_guard calls(lock_of(room.id));
      return close_in_store(room);
    }();
    if (closed) continue;
    keep_unclosed(room);
    return Error(closed.error().code(), "one of them \"" + room.id + "\": " + closed.error().cause());
  }
}

/// Called when no other calls are running. Stops at the first failure, because the store would probably fail for the
/// other rooms too, and may be slow.
FLUX_DECL void RoomLog::close_last() {
  const auto closed = close_unclosed();
  closes_late_ = closed.ok();
  if (closed) return;
  std::unique_lock lock(mutex_);
  const std::size_t count = unclosed_.size();
  lock.unlock();
  faults_->note("rooms that have ended are still in their store: " + std::to_string(count) + ", " +
                closed.error().cause());
}

// --- Within a turn ---

FLUX_DECL Result<void> RoomLog::open_in_store(KeptRoom& room) {
  if (!room.enter_store()) return flux::detail::kept_room_ended(room.stored().id);
  if (room.in_store() == InStore::yes) return {};  // by an item
  auto opened = guarded([&](RoomStore& to) { return to.open(room.stored()); });
  if (opened && !room.entered_store()) return flux::detail::kept_room_ended(room.stored().id);
  return opened;
}

/// `oldest`: the number of the oldest item in memory when the turn begins. Those items stay in the store in case the
/// turn's other items fail, so the store drops items one turn later.
FLUX_DECL RoomAppend RoomLog::next_append(KeptRoom& room, std::uint64_t oldest, SharedItem& item) const {
  item.number = ++room.given_;
  std::uint64_t first_kept = oldest != 0 ? oldest : room.newest_ + 1;
  if (room.stored().mode == RoomMode::singleton) first_kept = item.number;
  return {room.stored(),
          {item.number, item.connection_id, item.data.text(), item.file ? item.file->info().id : FileId()},
          first_kept};
}

FLUX_DECL Result<void> RoomLog::remove_doubtful(KeptRoom& room) {
  while (const auto number = room.one_doubtful()) {
    if (auto removed = remove_in_store(room, *number); !removed) return removed;
    std::erase(room.doubtful_, *number);
  }
  return {};
}

FLUX_DECL Result<void> RoomLog::remove_in_store(const KeptRoom& room, std::uint64_t number) {
  return guarded([&](RoomStore& from) { return from.remove_item(room.stored().id, room.stored().life, number); });
}

FLUX_DECL Result<Position> RoomLog::stored(KeptRoom& room, const RoomAppend& append, SharedItem item,
                                           const Result<void>& result) {
  const auto alone = result ? remove_doubtful(room) : result;
  if (!alone) {
    room.has_failed(append.item.number);
    return alone.error();
  }
  room.has_stored(append);
  if (item.file) item.file->stored();
  return room.publish(std::move(item));
}

FLUX_DECL Result<Position> RoomLog::append(KeptRoom& room, SharedItem item) {
  const auto in_memory = room.enter_store();
  if (!in_memory) return flux::detail::kept_room_ended(room.stored().id);
  room.given_ = room.newest_;
  const RoomAppend append = next_append(room, in_memory->oldest, item);
  const auto result = guarded([&](RoomStore& to) { return to.append(append); });
  return stored(room, append, std::move(item), result);
}

FLUX_DECL Result<std::vector<Result<void>>> RoomLog::append_all(const std::vector<RoomAppend>& appends) {
  using Results = Result<std::vector<Result<void>>>;
  if (appends.empty()) return std::vector<Result<void>>();
  Results results = faults_->guarded([&]() -> Results { return store().append_all(appends); });
  if (!results) return results;
  if (results->size() != appends.size()) {
    return faults_->misbehaved("gave " + std::to_string(results->size()) + " results for " +
                               std::to_string(appends.size()) + " items");
  }
  for (Result<void>& one : *results) {
    if (!one) one = faults_->failed(one.error());
  }
  return results;
}

FLUX_DECL void RoomLog::append_batch(std::vector<storage::StoreQueue::PartInTurn> batch) {
  const auto pending = [&batch](std::size_t i) -> Pending& { return static_cast<Pending&>(*batch[i].part); };
  for (std::size_t i = 0; i < batch.size(); ++i) pending(i).room->given_ = pending(i).room->newest_;
  std::vector<RoomAppend> appends;
  appends.reserve(batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    Pending& one = pending(i);
    const auto in_memory = one.room->enter_store();
    if (!in_memory) continue;
    one.place = appends.size();
    appends.push_back(next_append(*one.room, in_memory->oldest, one.item));
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
    batch[i] = {};  // releases the turn: the room continues after its last item
  }
}

FLUX_DECL Result<bool> RoomLog::remove(KeptRoom& room, std::uint64_t only) {
  if (room.ended()) return flux::detail::kept_room_ended(room.stored().id);
  const auto [oldest, newest] = room.numbers();
  if (newest == 0 || (only != 0 && newest != only)) return false;
  room.given_ = room.newest_;
  if (const auto alone = remove_doubtful(room); !alone) return alone.error();
  // With one item less, older items that the store has not dropped yet would reappear at the next start.
  auto& numbers = room.numbers_;
  for (auto at = std::lower_bound(numbers.begin(), numbers.end(), room.first_); at != numbers.end() && *at < oldest;
       ++at) {
    if (const auto removed = remove_in_store(room, *at); !removed) return removed.error();
    room.first_ = *at + 1;
  }
  if (const auto removed = remove_in_store(room, newest); !removed) return removed.error();
  std::erase(numbers, newest);
  room.forget_newest();
  return true;
}

}  // namespace flux::features
