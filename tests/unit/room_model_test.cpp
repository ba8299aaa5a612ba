// Random use of kept rooms, checked against a model: whatever the store does, and whenever the process dies,
// acknowledged items exist afterwards, once and in order, and nothing that was refused or has ended does. A failure
// prints the seed; `SEED=N` repeats the choices.
#include "catch.hpp"
#include "loop_fixture.hpp"
#include "support/memory_room_store.hpp"

#include <flux/detail/features/backend.hpp>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>

namespace room_model_test {

using namespace flux;
using namespace flux::testing;
using namespace std::chrono_literals;
using features::InStore;
using features::Room;

namespace {

/// The outcome of a store call. `lost`: carried out, but answered with an error.
enum class Verdict { done, refused, lost, thrown, thrown_when_done };
/// How the store is called.
enum class Way { inline_calls, one_by_one, batches };

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  std::size_t below(std::size_t end) { return engine_() % end; }
  bool one_in(std::size_t times) { return below(times) == 0; }

 private:
  std::mt19937_64 engine_;
};

/// The store of one process, over a disk that outlives it. The test lets its calls through one by one and decides the
/// outcome of each; the answers that follow are recorded for the test, which alone touches the model.
class SteppedStore final : public RoomStore {
 public:
  /// `closed`: the epochs that it has closed on the disk.
  SteppedStore(flux_test::MemoryRoomStore& disk, std::set<std::string>& closed, Way way, Dice& dice)
      : disk_(disk), closed_(closed), way_(way), dice_(dice) {}

  // --- For the test ---

  /// A request was made that `answered` will be called for.
  void asked() {
    const std::lock_guard lock(mutex_);
    ++unanswered_;
  }
  void answered(std::function<void()> note) {
    const std::lock_guard lock(mutex_);
    notes_.push_back(std::move(note));
    --unanswered_;
    changed_.notify_all();
  }
  /// Waits until a call is inside, or everything is answered.
  std::vector<std::function<void()>> settle() {
    std::unique_lock lock(mutex_);
    const auto quiet = [this] { return (inside_ && !verdict_) || unanswered_ == 0; };
    if (!changed_.wait_for(lock, 20s, quiet)) throw std::runtime_error("something is never answered");
    return std::exchange(notes_, {});
  }
  bool is_inside() {
    const std::lock_guard lock(mutex_);
    return inside_;
  }
  /// Lets the call that is inside through; if the store does not block, the next one.
  void let_through(Verdict verdict) {
    const std::lock_guard lock(mutex_);
    verdict_ = verdict;
    changed_.notify_all();
  }
  /// From now on calls pass by themselves, some with a fault.
  void let_all_through() { set_gate(Gate::open, std::nullopt); }
  void hold_again() { set_gate(Gate::shut, std::nullopt); }
  /// The process dies: from now on calls do nothing, except the one that is inside, whose outcome is `last`.
  void die(Verdict last) { set_gate(Gate::dead, inside_ ? std::optional(last) : std::nullopt); }
  /// Counts calls that store items; a batch counts as one.
  std::size_t appends() const {
    const std::lock_guard lock(mutex_);
    return appends_;
  }

  // --- RoomStore ---

  Result<std::vector<StoredContents>> load() override { return disk_.load(); }
  Result<void> open(const StoredRoom& room) override {
    return act(enter(), [&] { return disk_.open(room); });
  }
  Result<void> append(const RoomAppend& append) override {
    const Verdict verdict = enter_append();
    return act(verdict, [&] { return disk_.append(append); });
  }
  Result<void> remove_item(const RoomId& room, const std::string& life, std::uint64_t number) override {
    return act(enter(), [&] { return disk_.remove_item(room, life, number); });
  }
  Result<void> close(const RoomId& room, const std::string& life) override {
    return act(enter(true), [&] {
      closed_.insert(life);
      return disk_.close(room, life);
    });
  }
  bool may_block() const override { return way_ != Way::inline_calls; }
  std::size_t batch_max() const override { return way_ == Way::batches ? 6 : 1; }
  std::vector<Result<void>> append_all(std::span<const RoomAppend> appends) override {
    const Verdict verdict = enter_append();
    std::vector<Result<void>> results;
    const bool mixed = verdict != Verdict::done && dice_.one_in(2);
    for (const RoomAppend& append : appends) {
      const Verdict one = mixed && dice_.one_in(2) ? Verdict::done : verdict;
      results.push_back(
          act(mixed && one == Verdict::thrown ? Verdict::refused : one, [&] { return disk_.append(append); }));
    }
    return results;
  }

 private:
  enum class Gate { shut, open, dead };

  void set_gate(Gate gate, std::optional<Verdict> verdict) {
    const std::lock_guard lock(mutex_);
    gate_ = gate;
    verdict_ = verdict;
    changed_.notify_all();
  }
  Verdict enter_append() {
    const Verdict verdict = enter();
    const std::lock_guard lock(mutex_);
    ++appends_;
    return verdict;
  }
  Verdict enter(bool closes = false) {
    std::unique_lock lock(mutex_);
    inside_ = true;
    changed_.notify_all();
    if (may_block()) changed_.wait(lock, [this] { return verdict_ || gate_ != Gate::shut; });
    inside_ = false;
    if (const auto verdict = std::exchange(verdict_, std::nullopt)) return *verdict;
    if (gate_ == Gate::dead) return Verdict::refused;
    return gate_ == Gate::open && !closes && dice_.one_in(4) ? Verdict::lost : Verdict::done;
  }
  template <class Call>
  static Result<void> act(Verdict verdict, const Call& call) {
    if (verdict == Verdict::refused) return Error(Errc::store_failed, "refused");
    if (verdict == Verdict::thrown) throw std::runtime_error("thrown");
    auto result = call();
    if (verdict == Verdict::lost) return Error(Errc::store_failed, "lost");
    if (verdict == Verdict::thrown_when_done) throw std::runtime_error("thrown when done");
    return result;
  }

  flux_test::MemoryRoomStore& disk_;
  std::set<std::string>& closed_;
  const Way way_;
  Dice& dice_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::function<void()>> notes_;
  std::optional<Verdict> verdict_;
  Gate gate_ = Gate::shut;
  bool inside_ = false;
  std::size_t unanswered_ = 0;
  std::size_t appends_ = 0;
};

constexpr std::size_t items_max = 4;
constexpr std::size_t bytes_max = 60;
constexpr auto rejoin_time = 2s;
const std::array<RoomId, 3> ids{"a", "b", "c"};

/// The expected state of a room. The public space counts as one.
struct Life {
  std::string name{};  ///< in the store; empty: it ends with the process
  RoomOptions options{};
  std::shared_ptr<Room> room{};  ///< null: the public space
  bool promised = false;         ///< a client was told that it is kept
  bool ended = false;
  bool has_maker = false;  ///< its creator, which leaves at some time
  bool deserted = false;
  std::vector<std::string> items{};            ///< acknowledged, and within the limits
  std::map<std::string, std::size_t> maybe{};  ///< refused, but perhaps stored: in which call
  std::set<std::string> under_way{};
  std::set<std::string> maybe_gone{};  ///< removing them was refused; older ones may be there instead
  std::set<std::string> dropped{};     ///< past the limits
  std::size_t removals = 0;            ///< pending
  Offset offset = 0;
  std::set<std::size_t> members{};
  std::optional<Clock::TimePoint> ends_at{}, awaited_until{};

  bool is_kept() const { return !name.empty(); }
  std::size_t limit() const { return options.mode == RoomMode::singleton ? 1 : items_max; }
};

std::size_t bytes_of(const std::vector<std::string>& items) {
  std::size_t bytes = 0;
  for (const std::string& item : items) bytes += item.size();
  return bytes;
}
bool fits(const Life& life, std::vector<std::string> items, const std::string& one_more = {}) {
  if (!one_more.empty()) items.push_back(one_more);
  return items.size() <= 1 || (items.size() <= life.limit() && bytes_of(items) <= bytes_max);
}
std::vector<std::string> texts(const std::vector<SharedItem>& items) {
  std::vector<std::string> all;
  all.reserve(items.size());
  for (const SharedItem& item : items) all.push_back(item.data.text());
  return all;
}

/// Successive servers over one disk, their users, and the model.
class World {
 public:
  World(Way way, std::chrono::milliseconds linger, std::uint64_t seed) : way_(way), dice_(seed), lives_(1) {
    config_.room_linger = linger;
    config_.rooms.rejoin_time = rejoin_time;
    config_.rooms.worker_threads = 1;  // calls are let through one by one, in a single order
    config_.clock = clock_;
    config_.limits.room_history_items_max = config_.limits.public_history_items_max = items_max;
    config_.limits.room_history_bytes_max = config_.limits.public_history_bytes_max = bytes_max;
    lives_[0] = std::make_unique<Life>();
    lives_[0]->options = {RoomMode::history, 0, true};
    begin_process();
  }
  ~World() {
    if (hub_) end_process(true);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void step() {
    switch (dice_.below(24)) {
      case 0:
      case 1: create(true); break;
      case 2: create(false); break;
      case 3:
      case 4:
      case 5: join_or_leave(); break;
      case 6: close(); break;
      case 7: maker_goes(); break;
      case 8:
      case 9: advance(); break;
      case 10: delete_last(); break;
      case 11: rare(); break;
      case 12:
      case 13:
      case 14:
      case 15:
      case 16:
      case 17: share(); break;
      default: let_through();
    }
    check();
  }

 private:
  // --- User actions ---

  void create(bool by_client) {
    const RoomId& id = ids[dice_.below(ids.size())];
    const auto mode = static_cast<RoomMode>(dice_.below(3));
    const RoomOptions options{mode, ++capacity_, dice_.one_in(5)};
    const auto there = hub_->rooms.find(id);
    const auto made = hub_->rooms.create(id, options);
    REQUIRE(made.ok() != (there != nullptr));
    if (!made) return;
    auto life = std::make_unique<Life>();
    life->options = options;
    life->room = made.value();
    life->has_maker = by_client;
    if (life->room->is_kept()) life->name = life->room->kept()->stored().life;
    Life& room = *lives_.emplace_back(std::move(life));
    prepare_inline();
    if (by_client) return open_for_client(room);
    const auto opened = hub_->open_room(room.room);
    if (!opened) return take_end(room);
    if (room.is_kept()) follow(*hub_, room.room);
  }
  void open_for_client(Life& life) {
    store_->asked();
    hub_->open_room(life.room, [this, &life](const Result<void>& opened) {
      if (!opened) follow(*hub_, life.room);  // its end is pending at the store
      store_->answered([this, &life, opened] {
        if (opened) {
          CHECK_FALSE(life.ended);
          life.promised = true;
        } else {
          CHECK((life.ended || opened.error().code() == Errc::store_failed));
          if (!life.ended) leave_ended(life);
        }
      });
    });
  }
  void share() {
    Life& life = *lives_[dice_.below(lives_.size())];
    std::string text = std::to_string(++shared_);
    text = "\"" + std::string(5 - text.size(), '0') + text + std::string(dice_.below(3) * dice_.below(40), '.') + "\"";
    SharedItem item{"A", JsonText::trusted(text), 0};
    if (!life.is_kept() && life.room) return share_in_memory(life, text, std::move(item));
    prepare_inline();
    life.under_way.insert(text);
    store_->asked();
    const auto kept = life.room ? life.room->kept() : hub_->kept_public_space();
    hub_->room_log->share(kept, std::move(item), [this, &life, text](const Result<Position>& shared) {
      store_->answered(
          [this, &life, text, shared, call = store_->appends()] { take_shared(life, text, shared, call); });
    });
  }
  void share_in_memory(Life& life, const std::string& text, SharedItem item) {
    const auto shared = life.room->share(nullptr, std::move(item));
    REQUIRE(shared.ok() != life.ended);
    if (shared) published(life, text, *shared);
  }
  void delete_last() {
    Life& life = *lives_[0];
    prepare_inline();
    store_->asked();
    ++life.removals;
    hub_->room_log->remove_newest(hub_->kept_public_space(), [this, &life](const Result<bool>& removed) {
      store_->answered([&life, removed] { take_removed(life, removed); });
    });
  }
  void join_or_leave() {
    const std::size_t who = dice_.below(members_.size());
    for (const auto& life : lives_) {
      if (life->members.count(who) != 0) return leave(*life, who);
    }
    Life& life = *lives_[dice_.below(lives_.size())];
    if (!life.room) return;
    members_[who]->inbox.take();
    const auto joined = members_[who]->join(life.room);
    REQUIRE(joined.ok() != life.ended);
    if (!joined) return;
    CHECK(members_[who]->items == life.items.size());
    heard_[who].clear();
    life.members.insert(who);
    life.ends_at.reset();
  }
  void leave(Life& life, std::size_t who) {
    run_loop();
    check_heard(who);
    members_[who]->leave();
    life.members.erase(who);
    become_empty(life);
  }
  void maker_goes() {
    Life& life = *lives_[dice_.below(lives_.size())];
    if (std::exchange(life.has_maker, false) && !life.ended) become_empty(life);
  }
  void become_empty(Life& life) {
    prepare_inline();
    hub_->rooms.end_if_empty(life.room, *loop_);
    if (!life.members.empty() || life.ended || life.options.permanent) return;
    life.deserted = true;
    if (life.is_kept() && stopping_) return;
    if (config_.room_linger == 0ms) return take_end(life);
    if (!life.ends_at) life.ends_at = clock_->now() + config_.room_linger;
  }
  void close() {
    Life& life = *lives_[dice_.below(lives_.size())];
    if (!life.room || life.ended) return;
    prepare_inline();
    REQUIRE(hub_->rooms.take_out(life.room, "closed"));
    hub_->clear_room(life.room);
    take_end(life);
  }
  void advance() {
    prepare_inline();
    clock_->advance(std::chrono::milliseconds(100 * (1 + dice_.below(12))));
    run_loop();
    const auto now = clock_->now();
    for (const auto& life : lives_) {
      if (!life->room || life->ended || !life->members.empty()) continue;
      const bool awaited = life->awaited_until && *life->awaited_until <= now && !life->ends_at;
      if (awaited || (life->ends_at && *life->ends_at <= now)) take_end(*life);
    }
  }
  void rare() {
    if (!dice_.one_in(2)) return;
    const std::size_t what = dice_.below(4);
    if (what == 3 && way_ == Way::inline_calls) return hub_->room_log->retry_closes();
    if (what == 2) return restart_here();
    end_process(what == 0);
    begin_process();
  }

  // --- Store actions ---

  /// A store that does not block is called within the next request.
  void prepare_inline() {
    if (way_ == Way::inline_calls) store_->let_through(verdict());
  }
  void let_through() {
    if (store_->is_inside()) store_->let_through(verdict());
  }
  Verdict verdict() { return dice_.one_in(3) ? static_cast<Verdict>(dice_.below(5)) : Verdict::done; }
  /// Is answered when the room's pending calls are done.
  void follow(features::Backend& hub, const std::shared_ptr<Room>& room) {
    store_->asked();
    hub.room_log->remove_newest(room->kept(), [this](const Result<bool>&) { store_->answered([] {}); });
  }
  void settle() {
    const auto notes = store_->settle();
    run_loop();
    for (const auto& note : notes) note();
  }

  // --- Updating the model ---

  void take_shared(Life& life, const std::string& text, const Result<Position>& shared, std::size_t call) {
    life.under_way.erase(text);
    if (shared) {
      CHECK_FALSE(life.ended);
      std::erase_if(life.maybe, [&](const auto& failed) { return failed.second < call; });
      return published(life, text, *shared);
    }
    CHECK((life.ended || shared.error().code() == Errc::store_failed));
    life.maybe.emplace(text, call);
  }
  void published(Life& life, const std::string& text, const Position& where) {
    CHECK(where.offset == ++life.offset);
    for (const std::size_t who : life.members) heard_[who].push_back(text);
    if (life.options.mode == RoomMode::live) return;
    life.items.push_back(text);
    for (; !fits(life, life.items); life.items.erase(life.items.begin())) life.dropped.insert(life.items.front());
  }
  static void take_removed(Life& life, const Result<bool>& removed) {
    --life.removals;
    if (!removed) {
      CHECK(removed.error().code() == Errc::store_failed);
      if (!life.items.empty()) life.maybe_gone.insert(life.items.back());
      return;
    }
    REQUIRE(*removed != life.items.empty());
    if (!*removed) return;
    life.items.pop_back();
    life.maybe.clear();
  }
  /// The room has just ended, and its close was requested if the store may have it.
  void take_end(Life& life) {
    if (life.is_kept()) follow(*hub_, life.room);
    leave_ended(life);
  }
  void leave_ended(Life& life) {
    life.ended = true;
    run_loop();
    for (const std::size_t who : life.members) {
      check_heard(who);
      members_[who]->leave();
      hub_->rooms.end_if_empty(life.room, *loop_);
    }
    life.members.clear();
  }

  // --- Starting and stopping servers ---

  void begin_process() {
    store_ = std::make_shared<SteppedStore>(disk_, closed_, way_, dice_);
    config_.rooms.store = store_;
    config_.seed = 1 + dice_.below(1'000'000);
    hub_ = std::make_unique<features::Backend>(config_);
    auto restored =
        features::restore_rooms(*store_, nullptr, config_.limits, [](std::string_view what) { FAIL(what); });
    for (features::RestoredRoom& room : restored.value()) {
      if (!room.room.id.empty()) {
        hub_->rooms.restore(std::move(room));
      } else {
        hub_->public_space->keep_in_store(std::move(room.room), std::move(room.numbers), std::move(room.items),
                                          InStore::yes);
      }
    }
    take_restored();
    start();
  }
  void start() {
    loop_ = core::Loop::make(0, clock_, nullptr);
    stopping_ = false;
    for (const auto& life : lives_) {
      if (life->room && !life->ended) await(*life);
    }
    hub_->room_log->start();
    hub_->rooms.start(*loop_);
    run_loop();
    for (const auto& life : lives_) {
      // Rooms that are not in the store yet are opened, and have nothing to remove.
      if (life->room && !life->ended && life->is_kept() && life->items.empty()) follow(*hub_, life->room);
    }
    for (std::size_t i = 0; i < members_.size(); ++i) {
      members_[i] = std::make_unique<RoomMember>(std::string(1, static_cast<char>('A' + i)), loop_, view_);
      heard_[i].clear();
    }
  }
  void await(Life& life) const {
    const auto wait = std::max<std::chrono::milliseconds>(rejoin_time, config_.room_linger);
    life.ends_at = life.awaited_until = std::nullopt;
    if (life.options.permanent) return;
    if (!life.is_kept()) {
      if (life.deserted) life.ends_at = clock_->now() + config_.room_linger;
    } else if (life.deserted || life.room->kept()->in_store() == InStore::yes) {
      life.awaited_until = clock_->now() + wait;
    }
  }
  /// All members leave, then pending calls are carried out. If the process dies, nothing more reaches the disk, except
  /// perhaps the call that is inside.
  void stop(bool dies) {
    if (dies) {
      store_->die(dice_.one_in(2) ? Verdict::lost : Verdict::refused);
      hub_->room_log->stop();
      for (const auto& member : members_) {
        if (member) member->leave();
      }
      return;
    }
    hub_->rooms.begin_stop();
    stopping_ = true;
    for (const auto& life : lives_) {
      while (!life->members.empty()) leave(*life, *life->members.begin());
      if (std::exchange(life->has_maker, false) && !life->ended) become_empty(*life);
    }
    store_->let_all_through();
    hub_->room_log->stop();
    settle();
    store_->hold_again();
    note_promises();
  }
  void restart_here() {
    stop(false);
    run_loop();
    start();
  }
  void end_process(bool dies) {
    stop(dies);
    died_ = dies;
    run_loop();  // posted tasks hold the loop
    members_ = {};
    hub_.reset();
    loop_.reset();
  }

  // --- Checks ---

  /// After a start: everything promised exists, and nothing that should have been removed.
  void take_restored() {
    std::vector<std::unique_ptr<Life>> before = std::exchange(lives_, {});
    take_items(*before[0], texts(hub_->public_space->items()));
    before[0]->name = hub_->kept_public_space()->stored().life;
    lives_.push_back(std::move(before[0]));
    for (const auto& room : hub_->rooms.all()) {
      const auto name = room->kept()->stored().life;
      const auto life =
          std::find_if(before.begin() + 1, before.end(), [&](const auto& one) { return one && one->name == name; });
      INFO("room " << room->id());
      REQUIRE(life != before.end());
      CHECK((!(*life)->ended || (died_ && closed_.count(name) == 0)));
      CHECK(room->mode() == (*life)->options.mode);
      CHECK(room->kept()->stored().capacity == (*life)->options.capacity);
      CHECK(room->permanent() == (*life)->options.permanent);
      (*life)->room = room;
      take_items(**life, texts(room->items()));
      lives_.push_back(std::move(*life));
    }
    for (const auto& lost : before) CHECK((!lost || !lost->is_kept() || !lost->promised || lost->ended));
  }
  void take_items(Life& life, const std::vector<std::string>& items) {
    CAPTURE(items, life.items);
    CHECK(fits(life, items));
    CHECK(std::set<std::string>(items.begin(), items.end()).size() == items.size());
    if (life.removals > 0 && !life.items.empty()) life.maybe_gone.insert(life.items.back());
    const auto has = [](const auto& some, const std::string& item) {
      return std::find(some.begin(), some.end(), item) != some.end();
    };
    for (const std::string& item : items) {
      CAPTURE(item);
      const bool again = !life.maybe_gone.empty() && life.dropped.count(item) != 0;
      CHECK((again || has(life.items, item) || life.maybe.count(item) != 0 || life.under_way.count(item) != 0));
    }
    std::vector<std::string> acknowledged, present;
    for (const std::string& item : life.items) {
      if (has(items, item) || life.maybe_gone.count(item) == 0) acknowledged.push_back(item);
    }
    std::copy_if(items.begin(), items.end(), std::back_inserter(present),
                 [&](const std::string& item) { return has(acknowledged, item); });
    // The newest of them, in their order.
    REQUIRE(present.size() <= acknowledged.size());
    const auto first = acknowledged.end() - static_cast<std::ptrdiff_t>(present.size());
    CHECK(std::vector<std::string>(first, acknowledged.end()) == present);
    if (first != acknowledged.begin()) check_pushed_out(life, items, *std::prev(first));
    Life again;
    again.name = life.name;
    again.options = life.options;
    again.room = life.room;
    again.promised = true;
    again.items = items;
    again.offset = items.size();
    life = std::move(again);
  }
  /// `missing` was acknowledged: items that were stored without their answers arriving are there instead. The oldest of
  /// those may have been pushed out by the rest; so may one whose removal was refused, after it had pushed out others.
  static void check_pushed_out(const Life& life, const std::vector<std::string>& items, const std::string& missing) {
    CAPTURE(missing);
    std::vector<std::string> there = items;
    std::copy_if(life.maybe_gone.begin(), life.maybe_gone.end(), std::back_inserter(there),
                 [&](const auto& item) { return std::find(items.begin(), items.end(), item) == items.end(); });
    const auto pushes = [&](const std::string& item) { return !fits(life, there, item); };
    const bool by_lost =
        std::any_of(life.under_way.begin(), life.under_way.end(), pushes) ||
        std::any_of(life.maybe.begin(), life.maybe.end(), [&](const auto& failed) { return pushes(failed.first); });
    CHECK((by_lost || pushes(missing)));
  }
  void note_promises() {
    for (const auto& life : lives_) {
      if (life->room && life->is_kept() && life->room->kept()->in_store() == InStore::yes) life->promised = true;
    }
  }
  void check() {
    settle();
    note_promises();
    std::set<const Room*> there, expected;
    for (const auto& room : hub_->rooms.all()) there.insert(room.get());
    for (const auto& life : lives_) {
      if (life->ended) continue;
      if (life->room) expected.insert(life->room.get());
      CHECK(texts(life->room ? life->room->items() : hub_->public_space->items()) == life->items);
    }
    CHECK(there == expected);
    for (std::size_t who = 0; who < members_.size(); ++who) check_heard(who);
  }
  void check_heard(std::size_t who) {
    std::vector<std::string> got;
    for (const std::string& line : members_[who]->inbox.take()) {
      if (line.rfind("data ", 0) == 0) got.push_back(line.substr(5, line.find(" at ") - 5));
    }
    CHECK(got == std::exchange(heard_[who], {}));
  }
  void run_loop() {
    while (loop_->context().poll() != 0) continue;
  }

  const Way way_;
  Dice dice_;
  Config config_;
  const TextView view_{};
  const std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  flux_test::MemoryRoomStore disk_{{false, 1}};
  std::set<std::string> closed_;
  std::shared_ptr<core::Loop> loop_;
  std::shared_ptr<SteppedStore> store_;
  std::unique_ptr<features::Backend> hub_;
  std::array<std::unique_ptr<RoomMember>, 3> members_;
  std::array<std::vector<std::string>, 3> heard_;  // what each is to be sent
  std::vector<std::unique_ptr<Life>> lives_;       // of this process; the first is the public space
  std::size_t capacity_ = 100;                     // tells rooms apart
  std::size_t shared_ = 0;
  bool stopping_ = false;
  bool died_ = false;
};

std::uint64_t seed() {
  const char* const given = std::getenv("SEED");
  return given != nullptr ? std::stoull(given) : std::random_device()();
}

}  // namespace

TEST_CASE("rooms kept: random use with faults and crashes, acknowledged items stay and ended rooms do not return",
          "[room_model][threads]") {
  const Way way = GENERATE(Way::inline_calls, Way::one_by_one, Way::batches);
  const auto linger = GENERATE(0ms, 700ms);
  const std::uint64_t number = seed();
  INFO("SEED=" << number);
  World world(way, linger, number);
  for (int step = 0; step < 1'000; ++step) {
    CAPTURE(step);
    world.step();
  }
}

}  // namespace room_model_test
