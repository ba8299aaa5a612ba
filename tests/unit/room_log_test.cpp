#include "catch.hpp"
#include "loop_fixture.hpp"
#include "support/memory_room_store.hpp"

#include <flux/detail/features/public_space.hpp>
#include <flux/detail/features/room_log.hpp>
#include <flux/detail/features/room_restore.hpp>
#include <flux/detail/features/rooms.hpp>
#include <flux/testing/faulty_room_store.hpp>

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>

namespace room_log_test {

using namespace flux;
using namespace flux::features;
using namespace flux::testing;
using flux_test::MemoryRoomStore;
using namespace std::chrono_literals;

namespace {

using Numbers = std::vector<std::uint64_t>;

/// How the log under test calls its store.
enum class Way { inline_calls, one_by_one, batches };

std::shared_ptr<StoreFaults> faults_to(StoreFaults::Log log) {
  return std::make_shared<StoreFaults>("the room store", std::make_shared<SystemClock>(), std::move(log));
}

/// A room created as the application creates one.
std::shared_ptr<Room> made(Rooms& rooms, RoomLog& log, const RoomId& id, const RoomOptions& options) {
  auto room = rooms.create(id, options).value();
  if (room->is_kept()) log.open(room->kept());
  return room;
}

/// A log with its rooms, without a server.
struct Scene {
  explicit Scene(Way way, Limits limits = {}, std::size_t workers = 2, std::size_t waiting_bytes_max = 1'000'000)
      : store(std::make_shared<MemoryRoomStore>(MemoryRoomStore::Behaviour{
            way != Way::inline_calls, way == Way::batches ? std::size_t{16} : std::size_t{1}})),
        config(config_of(store, limits, workers, waiting_bytes_max)),
        log(config.rooms, limits, faults_to([this](std::string_view what) {
              const std::lock_guard lock(mutex);
              if (what != "the room store failed: the disk is full") failures.emplace_back(what);
            })),
        rooms(config, 1, &log) {
    log.start();
  }
  ~Scene() {
    store->let_through();
    log.stop();
  }
  static Config config_of(const std::shared_ptr<RoomStore>& store, const Limits& limits, std::size_t workers,
                          std::size_t waiting_bytes_max) {
    Config config;
    config.rooms.store = store;
    config.rooms.worker_threads = workers;
    config.rooms.waiting_bytes_max = waiting_bytes_max;
    config.limits = limits;
    return config;
  }
  std::shared_ptr<Room> make(const RoomId& id, RoomMode mode = RoomMode::history) { return make(id, {mode, 0, true}); }
  std::shared_ptr<Room> make(const RoomId& id, const RoomOptions& options) { return made(rooms, log, id, options); }
  static SharedItem item(const std::string& data) { return {"A", JsonText::trusted(data), 0}; }
  using Future = std::future<Result<Position>>;
  Future begin_share(const KeptRoomPtr& room, const std::string& data) {
    const auto answer = std::make_shared<std::promise<Result<Position>>>();
    log.share(room, item(data), [answer](const Result<Position>& shared) { answer->set_value(shared); });
    return answer->get_future();
  }
  static Result<Position> get(Future future) {
    REQUIRE(future.wait_for(20s) == std::future_status::ready);
    return future.get();
  }
  Result<Position> share(const KeptRoomPtr& room, const std::string& data) { return get(begin_share(room, data)); }
  std::future<Result<void>> begin_open(const KeptRoomPtr& room) {
    const auto answer = std::make_shared<std::promise<Result<void>>>();
    log.open(room, [answer](const Result<void>& opened) { answer->set_value(opened); });
    return answer->get_future();
  }
  Result<void> open(const KeptRoomPtr& room) {
    auto future = begin_open(room);
    REQUIRE(future.wait_for(20s) == std::future_status::ready);
    return future.get();
  }
  Result<bool> remove_newest(const KeptRoomPtr& room) {
    std::promise<Result<bool>> answer;
    log.remove_newest(room, [&](const Result<bool>& removed) { answer.set_value(removed); });
    auto future = answer.get_future();
    REQUIRE(future.wait_for(20s) == std::future_status::ready);
    return future.get();
  }
  /// Returns when everything requested for the room so far is done.
  void settle(const KeptRoomPtr& room) {
    if (!log.blocks()) return;
    (void)share(room, "\"settle\"");
  }
  Lines complaints() {
    const std::lock_guard lock(mutex);
    return failures;
  }

  std::mutex mutex;
  Lines failures;
  std::shared_ptr<MemoryRoomStore> store;
  Config config;
  RoomLog log;
  Rooms rooms;
};

std::string data_of(const std::vector<SharedItem>& items) {
  std::string all;
  for (const SharedItem& item : items) all += item.data.text() + ' ';
  return all;
}

Way any_way() { return GENERATE(Way::inline_calls, Way::one_by_one, Way::batches); }

}  // namespace

TEST_CASE("room log: an item is stored and then in the room, numbered from 1, with its file's id and its sender",
          "[room_log][threads]") {
  Scene s(any_way());
  const auto room = s.make("r");
  for (int i = 1; i <= 3; ++i) {
    CHECK(s.share(room->kept(), std::to_string(i)).value().offset == static_cast<Offset>(i));
  }
  CHECK(s.store->data_of("r") == "1 2 3 ");
  CHECK(data_of(room->items()) == "1 2 3 ");
  CHECK(room->items().back().number == 3);
  CHECK(room->items().back().offset == 3);
  const auto stored = s.store->load().value().at(0);
  CHECK(stored.room == room->kept()->stored());
  CHECK(stored.room.life.size() == 32);
  CHECK(stored.items.at(0).connection_id == "A");
  CHECK_FALSE(s.store->overlapped());
  CHECK(s.complaints().empty());
}

TEST_CASE("room log: a store that does not block answers before the call returns", "[room_log]") {
  Scene s(Way::inline_calls);
  const auto room = s.make("r");
  bool answered = false;
  s.log.share(room->kept(), Scene::item("1"), [&](const Result<Position>& shared) {
    answered = shared.ok();
    CHECK(s.share(room->kept(), "2").value().offset == 2);  // not under the room's lock
  });
  CHECK(answered);
}

TEST_CASE("room log: a failed item is answered with the error, is not in the room, and its number is reused",
          "[room_log][threads]") {
  Scene s(any_way());
  const auto room = s.make("r");
  REQUIRE(s.share(room->kept(), "1").ok());
  const bool throws = GENERATE(false, true);
  s.store->fail(1, 2, throws);
  for (int i = 0; i < 2; ++i) {
    const auto failed = s.share(room->kept(), "2");
    CHECK(failed.error().code() == Errc::store_failed);
    CHECK(failed.error().message() == "the room store failed");
    CHECK(failed.error().cause() == (throws ? "the disk is gone" : "the disk is full"));
  }
  CHECK(data_of(room->items()) == "1 ");
  CHECK(s.share(room->kept(), "3").value().offset == 2);
  CHECK(s.store->numbers_of("r") == Numbers{1, 2});
  CHECK(s.store->data_of("r") == "1 3 ");
  CHECK(s.complaints() == (throws ? Lines(2, "the room store threw: the disk is gone") : Lines{}));
}

TEST_CASE("room log: members are sent items in the stored order, and none before it is stored", "[room_log][threads]") {
  const Way way = GENERATE(Way::one_by_one, Way::batches);
  SteppedLoops loops;
  const TextView view;
  Scene s(way);
  const auto room = s.make("r");
  RoomMember a("A", loops[0], view);
  REQUIRE(a.join(room).ok());
  REQUIRE(s.share(room->kept(), "0").ok());
  loops.settle();
  a.take();
  s.store->hold("r");
  std::vector<Scene::Future> answers;
  for (int i = 1; i <= 40; ++i) answers.push_back(s.begin_share(room->kept(), std::to_string(i)));
  REQUIRE(s.store->somebody_waits());
  loops.settle();
  CHECK(a.take().empty());
  CHECK(data_of(room->items()) == "0 ");
  // A member that joins meanwhile gets the stored items in its welcome and the rest afterwards.
  RoomMember b("B", loops[0], view);
  REQUIRE(b.join(room).ok());
  CHECK(b.items == 1);
  s.store->let_through();
  for (auto& answer : answers) CHECK(Scene::get(std::move(answer)).ok());
  loops.settle();
  for (RoomMember* member : {&a, &b}) {
    Lines data;
    for (const std::string& line : member->take()) {
      if (line.substr(0, 4) == "data") data.push_back(line);
    }
    REQUIRE(data.size() == 40);
    for (std::size_t i = 0; i < data.size(); ++i) {
      CHECK(data[i] == "data " + std::to_string(i + 1) + " at " + std::to_string(i + 2));
    }
  }
  CHECK_FALSE(s.store->overlapped());
  if (way == Way::batches) CHECK(s.store->largest_batch() > 1);
  a.leave();
  b.leave();
  loops.settle();
}

TEST_CASE("room log: items from many threads have the same order in the room and in the store", "[room_log][threads]") {
  Limits limits;
  limits.room_history_items_max = 50;
  Scene s(any_way(), limits);
  const auto one = s.make("one");
  const auto two = s.make("two");
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        s.log.share((i % 2 == 0 ? one : two)->kept(), Scene::item(std::to_string(t * 100 + i)),
                    [&](const Result<Position>& shared) { failed += shared ? 0 : 1; });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  s.settle(one->kept());
  s.settle(two->kept());
  CHECK(failed == 0);
  for (const auto& room : {one, two}) {
    const auto items = room->items();
    REQUIRE(items.size() == 50);
    // Trimming may lag behind.
    const std::string stored = s.store->data_of(room->id());
    const std::string had = data_of(items);
    REQUIRE(stored.size() >= had.size());
    CHECK(stored.substr(stored.size() - had.size()) == had);
    CHECK(s.store->numbers_of(room->id()).size() <= 50 + 16);
    // Items of one sender are in order.
    std::vector<int> newest(4, -1);
    for (const SharedItem& item : items) {
      if (item.data.text().front() == '"') continue;
      const int value = std::stoi(item.data.text());
      CHECK(newest[static_cast<std::size_t>(value / 100)] < value);
      newest[static_cast<std::size_t>(value / 100)] = value;
    }
  }
  CHECK_FALSE(s.store->overlapped());
}

TEST_CASE("room log: a room keeps as much in its store as in memory, give or take one item", "[room_log][threads]") {
  Limits limits;
  limits.room_history_items_max = 3;
  limits.room_history_bytes_max = 20;
  Scene s(any_way(), limits);
  const auto room = s.make("r");
  for (int i = 1; i <= 3; ++i) REQUIRE(s.share(room->kept(), std::to_string(i)).ok());
  CHECK(s.store->numbers_of("r") == Numbers{1, 2, 3});
  REQUIRE(s.share(room->kept(), "4").ok());
  CHECK(data_of(room->items()) == "2 3 4 ");
  CHECK(s.store->numbers_of("r") == Numbers{1, 2, 3, 4});
  REQUIRE(s.share(room->kept(), "5").ok());
  CHECK(s.store->numbers_of("r") == Numbers{2, 3, 4, 5});
  REQUIRE(s.share(room->kept(), "\"much too large a text\"").ok());
  CHECK(room->items().size() == 1);
  REQUIRE(s.share(room->kept(), "7").ok());
  CHECK(s.store->numbers_of("r") == Numbers{6, 7});
}

TEST_CASE("room log: a singleton has one item, in its store too, even if the next one fails", "[room_log][threads]") {
  Scene s(any_way());
  const auto room = s.make("r", RoomMode::singleton);
  for (int i = 1; i <= 3; ++i) REQUIRE(s.share(room->kept(), std::to_string(i)).ok());
  CHECK(s.store->data_of("r") == "3 ");
  s.store->fail(1);
  CHECK_FALSE(s.share(room->kept(), "4").ok());
  CHECK(s.store->data_of("r") == "3 ");
  CHECK(data_of(room->items()) == "3 ");
}

TEST_CASE("room log: in a batch each item fails by itself, and none of the kept ones is trimmed",
          "[room_log][threads]") {
  Limits limits;
  limits.room_history_items_max = 2;
  Scene s(Way::batches, limits, 1);
  const auto room = s.make("r");
  REQUIRE(s.share(room->kept(), "1").ok());
  s.store->hold("r");
  auto first = s.begin_share(room->kept(), "2");
  REQUIRE(s.store->somebody_waits());
  std::vector<Scene::Future> answers;
  for (int i = 3; i <= 6; ++i) answers.push_back(s.begin_share(room->kept(), std::to_string(i)));
  s.store->fail(2, 2);  // the second and third of them
  s.store->let_through();
  CHECK(Scene::get(std::move(first)).ok());
  CHECK(Scene::get(std::move(answers[0])).ok());
  CHECK_FALSE(Scene::get(std::move(answers[1])).ok());
  CHECK_FALSE(Scene::get(std::move(answers[2])).ok());
  CHECK(Scene::get(std::move(answers[3])).ok());
  REQUIRE(s.store->largest_batch() == 4);
  CHECK(data_of(room->items()) == "3 6 ");
  CHECK(s.store->data_of("r") == "1 2 3 6 ");
  REQUIRE(s.share(room->kept(), "7").ok());
  CHECK(s.store->data_of("r") == "3 6 7 ");
}

TEST_CASE("room log: a store that gives too few results for a batch fails all of it", "[room_log][threads]") {
  struct Lossy final : RoomStore {
    Result<std::vector<StoredContents>> load() override { return std::vector<StoredContents>(); }
    Result<void> open(const StoredRoom&) override { return {}; }
    Result<void> append(const RoomAppend&) override { return {}; }
    Result<void> remove_item(const RoomId&, const std::string&, std::uint64_t) override { return {}; }
    Result<void> close(const RoomId&, const std::string&) override { return {}; }
    std::size_t batch_max() const override { return 4; }
    std::vector<Result<void>> append_all(std::span<const RoomAppend>) override { return {}; }
  };
  Config config;
  config.rooms.store = std::make_shared<Lossy>();
  Lines failures;
  RoomLog log(config.rooms, config.limits, faults_to([&](std::string_view what) { failures.emplace_back(what); }));
  log.start();
  Rooms rooms(config, 1, &log);
  const auto room = rooms.create("r", {RoomMode::history, 0, true}).value();
  std::promise<Result<Position>> answer;
  log.share(room->kept(), Scene::item("1"), [&](const Result<Position>& shared) { answer.set_value(shared); });
  CHECK(answer.get_future().get().error().code() == Errc::store_failed);
  log.stop();
  CHECK(failures == Lines{"the room store gave 0 results for 1 items"});
  CHECK(room->items().empty());
}

TEST_CASE("room log: items that a store kept but reported as failed are removed from it by the next acknowledged one",
          "[room_log][threads]") {
  const auto disk = std::make_shared<MemoryRoomStore>(MemoryRoomStore::Behaviour{true, 16});
  const auto store = std::make_shared<FaultyRoomStore>(disk);
  Config config;
  config.rooms.store = store;
  RoomLog log(config.rooms, config.limits, faults_to([](std::string_view) {}));
  log.start();
  Rooms rooms(config, 1, &log);
  const auto mode = GENERATE(RoomMode::history, RoomMode::singleton);
  const auto room = rooms.create("r", {mode, 0, true}).value();
  const auto begin_share = [&](const std::string& data) {
    const auto answer = std::make_shared<std::promise<Result<Position>>>();
    log.share(room->kept(), Scene::item(data), [answer](const Result<Position>& shared) { answer->set_value(shared); });
    return answer->get_future();
  };
  disk->hold("r");
  auto first = begin_share("1");
  REQUIRE(disk->somebody_waits());
  std::vector<Scene::Future> batch;
  for (const char* data : {"2", "3", "4"}) batch.push_back(begin_share(data));
  store->fail(1, Fault::after);
  disk->let_through();
  CHECK(Scene::get(std::move(first)).ok());
  for (auto& failed : batch) CHECK(Scene::get(std::move(failed)).error().code() == Errc::store_failed);
  CHECK(disk->data_of("r") == (mode == RoomMode::history ? "1 2 3 4 " : "4 "));
  SECTION("which fails while they are present") {
    store->fail(2, Fault::before);
    CHECK_FALSE(Scene::get(begin_share("5")).ok());
    CHECK(data_of(room->items()) == "1 ");
  }
  CHECK(Scene::get(begin_share("6")).ok());
  CHECK(disk->data_of("r") == (mode == RoomMode::history ? "1 6 " : "6 "));
  CHECK(data_of(room->items()) == disk->data_of("r"));
  log.stop();
}

TEST_CASE("room log: past the room's limit items are answered with overloaded, other rooms continue",
          "[room_log][threads]") {
  Limits limits;
  limits.store_queue_per_room_max = 2;
  Scene s(GENERATE(Way::one_by_one, Way::batches), limits);
  const auto slow = s.make("slow");
  const auto fast = s.make("fast");
  REQUIRE(s.share(slow->kept(), "0").ok());
  s.store->hold("slow");
  auto first = s.begin_share(slow->kept(), "1");
  REQUIRE(s.store->somebody_waits());
  auto second = s.begin_share(slow->kept(), "2");
  auto third = s.begin_share(slow->kept(), "3");
  CHECK(s.share(slow->kept(), "4").error().code() == Errc::overloaded);
  s.store->let_through();
  CHECK(s.share(fast->kept(), "1").ok());
  for (auto* answer : {&first, &second, &third}) CHECK(Scene::get(std::move(*answer)).ok());
  CHECK(s.store->data_of("slow") == "0 1 2 3 ");
}

TEST_CASE("room log: past the limit of pending bytes items are answered with overloaded; a room may always have one",
          "[room_log][threads]") {
  Scene s(GENERATE(Way::one_by_one, Way::batches), {}, 2, 400);
  const auto text = [](std::size_t bytes) { return JsonText::string(std::string(bytes - 2, 'x')).text(); };
  const auto slow = s.make("slow");
  const auto other = s.make("other");
  REQUIRE(s.share(slow->kept(), "0").ok());
  s.store->hold("slow");
  auto first = s.begin_share(slow->kept(), text(70));
  REQUIRE(s.store->somebody_waits());
  CHECK(s.share(slow->kept(), text(31)).error().code() == Errc::overloaded);
  auto second = s.begin_share(slow->kept(), text(30));
  CHECK(s.share(slow->kept(), "1").error().code() == Errc::overloaded);
  auto large = s.begin_share(other->kept(), text(500));
  s.store->let_through();
  for (auto* answer : {&first, &second, &large}) CHECK(Scene::get(std::move(*answer)).ok());
  s.store->fail(1);
  CHECK(s.share(slow->kept(), text(100)).error().code() == Errc::store_failed);
  auto again = s.begin_share(slow->kept(), text(60));
  auto behind = s.begin_share(slow->kept(), text(40));
  for (auto* answer : {&again, &behind}) CHECK(Scene::get(std::move(*answer)).ok());
  CHECK(slow->items().size() == 5);
}

TEST_CASE("room log: a stop waits for pending calls and refuses new ones; then it may start again",
          "[room_log][threads]") {
  const Way way = any_way();
  Scene s(way);
  const auto room = s.make("r");
  REQUIRE(s.share(room->kept(), "1").ok());
  if (way != Way::inline_calls) {
    s.store->hold("r");
    auto waiting = s.begin_share(room->kept(), "2");
    auto behind = s.begin_share(room->kept(), "3");
    REQUIRE(s.store->somebody_waits());
    std::thread stopper([&] { s.log.stop(); });
    while (s.begin_share(room->kept(), "x").wait_for(0s) != std::future_status::ready) std::this_thread::yield();
    s.store->let_through();
    stopper.join();
    CHECK(Scene::get(std::move(waiting)).ok());
    CHECK(Scene::get(std::move(behind)).ok());
  }
  s.log.stop();
  CHECK(s.share(room->kept(), "late").error().code() == Errc::stopped);
  CHECK(s.remove_newest(room->kept()).error().code() == Errc::stopped);
  CHECK(s.store->data_of("r").find("late") == std::string::npos);
  const auto calls = s.store->calls();
  const auto made_meanwhile = s.make("new");
  CHECK(s.store->calls() == calls);
  CHECK(made_meanwhile->kept()->in_store() == InStore::no);
  s.log.start();
  CHECK(s.share(room->kept(), "9").ok());
}

// --- Opening and closing rooms ---

TEST_CASE("room log: a room is opened when it is created, and closed when it ends; live rooms are not kept",
          "[room_log][threads]") {
  Scene s(any_way());
  const auto kept = s.make("r", {RoomMode::history, 7, false});
  CHECK_FALSE(s.make("l", {RoomMode::live, 0, false})->is_kept());
  s.settle(kept->kept());
  CHECK(s.store->has("r"));
  CHECK(s.store->load().value().at(0).room ==
        StoredRoom{"r", kept->kept()->stored().life, RoomMode::history, 7, false});
  s.rooms.remove_if_empty(kept);
  CHECK(s.rooms.find("r") == nullptr);
  s.log.stop();
  CHECK_FALSE(s.store->has("r"));
  CHECK_FALSE(s.store->has("l"));
}

TEST_CASE("room log: a room that ends while items are pending keeps none of them, and they are answered",
          "[room_log][threads]") {
  Scene s(GENERATE(Way::one_by_one, Way::batches));
  const auto room = s.make("r");
  REQUIRE(s.share(room->kept(), "1").ok());
  s.store->hold("r");
  auto inside = s.begin_share(room->kept(), "2");
  REQUIRE(s.store->somebody_waits());
  auto behind = s.begin_share(room->kept(), "3");
  REQUIRE(s.rooms.take_out(room, "over"));
  s.log.close(room->kept());
  // A new room of the same name, while the old one still exists.
  const auto next = s.make("r");
  auto in_next = s.begin_share(next->kept(), "\"next\"");
  s.store->let_through();
  CHECK(Scene::get(std::move(inside)).error().code() == Errc::room_not_found);  // stored, but never sent
  CHECK(Scene::get(std::move(behind)).error().code() == Errc::room_not_found);
  CHECK(Scene::get(std::move(in_next)).value().offset == 1);
  CHECK(s.share(room->kept(), "late").error().code() == Errc::room_not_found);
  CHECK(s.store->data_of("r") == "\"next\" ");
  CHECK(s.store->life_of("r") == next->kept()->stored().life);
}

TEST_CASE("room log: a removed room stores nothing more, so that the next one with its id loses nothing",
          "[room_log]") {
  Scene s(any_way());
  const auto room = s.make("r");
  REQUIRE(s.share(room->kept(), "1").ok());
  REQUIRE(s.rooms.take_out("r", "over") == room);
  const auto next = s.make("r");
  REQUIRE(s.share(next->kept(), "\"next\"").ok());
  CHECK(s.share(room->kept(), "late").error().code() == Errc::room_not_found);
  CHECK(s.store->data_of("r") == "\"next\" ");
}

TEST_CASE("room log: callers waiting for a room are answered when the store has it, or with the reason why not",
          "[room_log][threads]") {
  Scene s(any_way());
  const auto create = [&](const RoomId& id) { return s.rooms.create(id, {RoomMode::history, 0, true}).value(); };
  const auto room = create("r");
  CHECK(room->kept()->in_store() == InStore::no);
  CHECK(s.open(room->kept()).ok());
  CHECK(s.store->has("r"));
  CHECK(room->kept()->in_store() == InStore::yes);
  const bool throws = GENERATE(false, true);
  s.store->fail(1, 1, throws);
  const auto failed = create("failed");
  CHECK(s.open(failed->kept()).error().message() == "the room store failed");
  CHECK(failed->kept()->in_store() == InStore::perhaps);
  const auto calls = s.store->calls();
  // A room that the store has is not opened again, one that it never had is not closed.
  CHECK(s.open(room->kept()).ok());
  const auto ended = create("ended");
  REQUIRE(s.rooms.take_out(ended, {}));
  s.log.close(ended->kept());
  CHECK(s.open(ended->kept()).error().code() == Errc::room_not_found);
  s.log.stop();
  CHECK(s.store->calls() == calls);
  CHECK(s.open(create("late")->kept()).error().code() == Errc::stopped);
}

TEST_CASE("room log: a room that ends while its opening is pending is never in the store", "[room_log][threads]") {
  Limits limits;
  limits.store_queue_max = 2;
  Scene s(GENERATE(Way::one_by_one, Way::batches), limits, 1);
  const auto slow = s.make("slow");
  REQUIRE(s.share(slow->kept(), "1").ok());
  s.store->hold("slow");
  auto inside = s.begin_share(slow->kept(), "2");
  REQUIRE(s.store->somebody_waits());
  const auto room = s.rooms.create("r", {RoomMode::history, 0, true}).value();
  auto opening = s.begin_open(room->kept());
  const auto other = s.rooms.create("other", {RoomMode::history, 0, true}).value();
  CHECK(s.open(other->kept()).error().code() == Errc::overloaded);
  REQUIRE(s.rooms.take_out(room, "over"));
  s.log.close(room->kept());
  s.store->let_through();
  CHECK(opening.get().error().code() == Errc::room_not_found);
  CHECK(Scene::get(std::move(inside)).ok());
  s.log.stop();
  CHECK(s.store->done() == Lines{"open slow", "append slow 1", "append slow 2"});
}

TEST_CASE("room log: a room that can't be opened is logged, and opened by its first item", "[room_log][threads]") {
  Scene s(any_way());
  s.store->fail(1);
  const auto room = s.make("r");
  CHECK(s.share(room->kept(), "1").ok());
  CHECK(s.store->has("r"));
  CHECK(s.complaints() == Lines{"room \"r\" is not in its store before its next item: the disk is full"});
}

TEST_CASE("room log: a room that can't be closed is retried: later, at a stop and at a start", "[room_log][threads]") {
  Scene s(any_way());
  const auto room = s.make("r", {RoomMode::history, 0, false});
  const auto other = s.make("other");
  REQUIRE(s.share(room->kept(), "1").ok());
  REQUIRE(s.share(other->kept(), "1").ok());
  s.store->fail(1);
  s.rooms.remove_if_empty(room);
  SECTION("later") {
    for (int i = 0; i < 2; ++i) {
      while (s.log.blocks() && s.complaints().empty()) std::this_thread::yield();
      s.log.retry_closes();
    }
  }
  SECTION("at a stop") { s.log.stop(); }
  SECTION("at a start") {
    while (s.log.blocks() && s.complaints().empty()) std::this_thread::yield();
    s.store->fail(1);
    s.log.stop();
    CHECK(s.store->has("r"));
    REQUIRE(s.complaints().size() == 2);
    CHECK(s.complaints()[1] ==
          "rooms that have ended are still in their store: 1, one of them \"r\": the disk is full");
    s.log.start();
  }
  s.log.stop();
  CHECK_FALSE(s.store->has("r"));
  CHECK(s.complaints()[0] == "room \"r\" has ended and can't be removed from its store yet: the disk is full");
  CHECK(s.store->has("other"));
}

TEST_CASE("room log: closes are retried one after another, up to the first that fails", "[room_log][threads]") {
  Limits limits;
  limits.store_queue_max = 4;
  Scene s(any_way(), limits);
  const auto id = [](std::size_t i) { return "r" + std::to_string(i); };
  constexpr std::size_t count = 10;
  std::vector<std::shared_ptr<Room>> made;
  for (std::size_t i = 0; i < count; ++i) {
    made.push_back(s.make(id(i), {RoomMode::history, 0, false}));
    REQUIRE(s.share(made.back()->kept(), "1").ok());
  }
  s.store->fail(1, 1'000);
  for (std::size_t i = 0; i < count; ++i) {
    s.rooms.remove_if_empty(made[i]);
    while (s.complaints().size() <= i) std::this_thread::yield();
  }
  auto calls = s.store->calls();
  s.log.retry_closes();
  s.log.stop();
  CHECK(s.store->calls() - calls == 2);  // one by the retry, one at the stop
  s.store->fail(1, 0);
  calls = s.store->calls();
  s.log.start();
  while (s.store->calls() - calls < count) std::this_thread::yield();
  s.log.stop();
  CHECK(s.store->load()->empty());
  CHECK(s.complaints().size() == count + 1);  // and none is overloaded
}

TEST_CASE("room log: failed closes are retried for as many rooms as may exist", "[room_log][threads]") {
  Limits limits;
  limits.rooms_max = 2;
  Scene s(any_way(), limits);
  for (const char* id : {"a", "b", "c"}) {
    const auto room = s.make(id, {RoomMode::history, 0, false});
    REQUIRE(s.share(room->kept(), "1").ok());
    const auto complaints = s.complaints().size();
    s.store->fail(1);
    s.rooms.remove_if_empty(room);
    while (s.complaints().size() <= complaints) std::this_thread::yield();
  }
  s.log.stop();
  CHECK_FALSE(s.store->has("a"));
  CHECK_FALSE(s.store->has("b"));
  CHECK(s.store->has("c"));
  REQUIRE(s.complaints().size() == 4);
  CHECK(s.complaints()[3] ==
        "room \"c\" has ended and stays in its store until the next process: 2 others wait for their removal");
}

TEST_CASE("room log: a room that ends after the stop is closed with the log, if the log ever ran", "[room_log]") {
  const Way way = any_way();
  const bool ran = GENERATE(false, true);
  const auto store = std::make_shared<MemoryRoomStore>(MemoryRoomStore::Behaviour{way != Way::inline_calls, 1});
  Config config;
  config.rooms.store = store;
  {
    RoomLog log(config.rooms, config.limits, faults_to([](std::string_view) {}));
    Rooms rooms(config, 1, &log);
    if (ran) log.start();
    const auto room = made(rooms, log, "r", {RoomMode::history, 0, true});
    log.stop();
    REQUIRE(rooms.take_out(room, {}));
    log.close(room->kept());
    CHECK(store->has("r") == ran);
  }
  CHECK_FALSE(store->has("r"));
  CHECK(store->calls() == (ran ? 2u : 0u));
}

// --- The public space ---

TEST_CASE("room log: the newest item of the public space is removed from the store first, then from memory",
          "[room_log][threads]") {
  Limits limits;
  limits.public_history_items_max = 3;
  Scene s(any_way(), limits);
  const auto space = std::make_shared<PublicSpace>(limits, "epoch");
  space->keep_in_store({{}, "life", RoomMode::history, 0, true}, {}, {}, InStore::no);
  CHECK_FALSE(s.remove_newest(space->kept()).value());
  for (int i = 1; i <= 4; ++i) REQUIRE(s.share(space->kept(), std::to_string(i)).ok());
  CHECK(s.store->data_of("") == "1 2 3 4 ");
  s.store->fail(1);
  CHECK(s.remove_newest(space->kept()).error().code() == Errc::store_failed);
  CHECK(data_of(space->items()) == "2 3 4 ");
  CHECK(s.remove_newest(space->kept()).value());
  CHECK(data_of(space->items()) == "2 3 ");
  CHECK(s.store->data_of("") == "2 3 ");  // otherwise 1 would come back
  CHECK(s.share(space->kept(), "5").value() == Position{"epoch", 5});
  CHECK(s.store->data_of("") == "2 3 5 ");
}

TEST_CASE("room log: removing the newest item costs one call per removed item, whatever was removed before",
          "[room_log]") {
  Limits limits;
  limits.public_history_items_max = 2;
  Scene s(any_way(), limits);
  const auto space = std::make_shared<PublicSpace>(limits, "epoch");
  Numbers in_store;
  SECTION("removed by this server") {
    space->keep_in_store({{}, "life", RoomMode::history, 0, true}, {}, {}, InStore::no);
    REQUIRE(s.share(space->kept(), "1").ok());
    for (int i = 0; i < 100; ++i) {
      REQUIRE(s.share(space->kept(), "\"removed\"").ok());
      REQUIRE(s.remove_newest(space->kept()).value());
    }
    REQUIRE(s.share(space->kept(), "2").ok());
    REQUIRE(s.share(space->kept(), "3").ok());
    in_store = {1, 102, 103};
  }
  SECTION("removed by the previous server") {
    constexpr std::uint64_t far = 1'000'000'000'000;
    in_store = {1, far, far + 1};
    const StoredRoom room{{}, "life", RoomMode::history, 0, true};
    for (const std::uint64_t n : in_store) REQUIRE(s.store->append({room, {n, "A", "0", {}}, 0}).ok());
    auto restored = restore_rooms(*s.store, nullptr, limits, {}).value();
    space->keep_in_store(room, restored.at(0).numbers, restored.at(0).items, InStore::yes);
  }
  REQUIRE(s.store->numbers_of("") == in_store);
  REQUIRE(space->items().size() == 2);
  const auto calls = s.store->calls();
  CHECK(s.remove_newest(space->kept()).value());
  CHECK(s.store->calls() - calls == 2);
  CHECK(s.store->numbers_of("") == Numbers{in_store[1]});
  CHECK(s.remove_newest(space->kept()).value());
  CHECK(s.store->calls() - calls == 3);
  CHECK(s.store->numbers_of("").empty());
  CHECK_FALSE(s.remove_newest(space->kept()).value());
  REQUIRE(s.share(space->kept(), "4").ok());
  CHECK(s.store->numbers_of("") == Numbers{in_store[2] + 1});
}

// --- After a restart ---

TEST_CASE("room log: restored rooms continue with their epoch, numbers and order; offsets count from 1", "[room_log]") {
  Limits limits;
  limits.room_history_items_max = 3;
  Scene s(Way::inline_calls, limits);
  const auto before = s.make("r");
  for (int i = 1; i <= 5; ++i) REQUIRE(s.share(before->kept(), std::to_string(i)).ok());
  s.log.stop();
  RoomLog log(s.config.rooms, limits, faults_to([](std::string_view) {}));
  Rooms rooms(s.config, 2, &log);
  for (RestoredRoom& room : restore_rooms(*s.store, nullptr, limits, {}).value()) rooms.restore(std::move(room));
  const auto after = rooms.find("r");
  REQUIRE(after);
  CHECK(rooms.size() == 1);
  CHECK(after->kept()->stored() == before->kept()->stored());
  CHECK(after->kept()->in_store() == InStore::yes);
  CHECK(data_of(after->items()) == "3 4 5 ");
  CHECK(after->items().front().offset == 1);
  CHECK(after->info().position.offset == 3);
  CHECK(after->info().position.epoch != before->info().position.epoch);
  log.start();
  std::optional<Result<Position>> shared;
  log.share(after->kept(), Scene::item("6"), [&](const Result<Position>& result) { shared.emplace(result); });
  CHECK((*shared)->offset == 4);
  CHECK(s.store->numbers_of("r") == Numbers{3, 4, 5, 6});
}

TEST_CASE("restored rooms: limits apply to stored items, the oldest are dropped; a room keeps at least one",
          "[room_log]") {
  MemoryRoomStore store;
  Limits limits;
  const auto fill = [&](const RoomId& id, RoomMode mode) {
    for (std::uint64_t n = 1; n <= 6; ++n) {
      REQUIRE(store.append({{id, "life", mode, 0, false}, {n * 10, "A", "\"" + std::to_string(n) + "\"", {}}, 0}).ok());
    }
  };
  fill("", RoomMode::history);
  fill("h", RoomMode::history);
  fill("s", RoomMode::singleton);
  const auto restored = [&](const RoomId& id) {
    for (RestoredRoom& room : restore_rooms(store, nullptr, limits, {}).value()) {
      if (room.room.id == id) return std::move(room);
    }
    throw std::runtime_error("not there");
  };
  CHECK(data_of(restored("h").items) == R"("1" "2" "3" "4" "5" "6" )");
  CHECK(data_of(restored("s").items) == R"("6" )");
  CHECK(restored("s").numbers == Numbers{10, 20, 30, 40, 50, 60});
  limits.room_history_items_max = 2;
  limits.public_history_items_max = 4;
  CHECK(data_of(restored("h").items) == R"("5" "6" )");
  CHECK(data_of(restored("").items) == R"("3" "4" "5" "6" )");
  limits.public_history_bytes_max = 6;
  CHECK(data_of(restored("").items) == R"("5" "6" )");
  limits.room_history_items_max = 0;
  limits.public_history_items_max = 0;
  CHECK(data_of(restored("h").items) == R"("6" )");
  CHECK(restored("").items.empty());
  limits.room_history_items_max = 10;
  limits.room_history_bytes_max = 1;
  CHECK(data_of(restored("h").items) == R"("6" )");
}

TEST_CASE("restored rooms: rooms that can't be restored are skipped with a warning, the others are restored",
          "[room_log]") {
  MemoryRoomStore store;
  const StoredRoom room{"r", "life", RoomMode::history, 0, false};
  REQUIRE(store.append({room, {1, "A", "{no json", {}}, 0}).ok());
  REQUIRE(store.append({room, {2, "A", "2", "0b6f9c1e-6d2b-4c39-9d8f-0a1b2c3d4e5f"}, 0}).ok());
  REQUIRE(store.append({room, {3, "A", "3", {}}, 0}).ok());
  REQUIRE(store.open({"l", "life", RoomMode::live, 0, false}).ok());
  Lines warnings;
  const auto rooms = restore_rooms(store, nullptr, {}, [&](std::string_view what) { warnings.emplace_back(what); });
  REQUIRE(rooms->size() == 1);
  CHECK(data_of(rooms->at(0).items) == "3 ");
  CHECK(rooms->at(0).items[0].number == 3);
  REQUIRE(warnings.size() == 3);
  CHECK_THAT(warnings[0], Catch::Matchers::ContainsSubstring("room \"l\" is left out"));
  CHECK_THAT(warnings[1], Catch::Matchers::ContainsSubstring("item 1 of room \"r\" is left out: its data is not JSON"));
  CHECK_THAT(warnings[2], Catch::Matchers::ContainsSubstring("no file store"));
}

TEST_CASE("restored rooms: data that no server can have stored is skipped with a warning, the rest is restored",
          "[room_log]") {
  struct Rubbish final : RoomStore {
    Result<std::vector<StoredContents>> load() override { return contents; }
    Result<void> open(const StoredRoom&) override { return {}; }
    Result<void> append(const RoomAppend&) override { return {}; }
    Result<void> remove_item(const RoomId&, const std::string&, std::uint64_t) override { return {}; }
    Result<void> close(const RoomId&, const std::string&) override { return {}; }
    std::vector<StoredContents> contents;
  };
  const auto item = [](std::uint64_t number, const std::string& data = "1") {
    return StoredItem{number, "A", data, {}};
  };
  const std::string deep(500, '[');
  const std::string shallow(500, ']');
  Rubbish store;
  store.contents = {
      {{"r", "1", RoomMode::history, 0, false},
       {item(0),
        item(7, deep + shallow),
        item(7),
        item(3),
        {8, "\xff", "1", {}},
        item(9, "9"),
        item(~std::uint64_t{0})}},
      {{"r", "2", RoomMode::history, 0, false}, {item(1)}},
      {{"no life", "", RoomMode::history, 0, false}, {}},
      {{"odd life", "a-b", RoomMode::history, 0, false}, {}},
      {{"long life", std::string(33, 'a'), RoomMode::history, 0, false}, {}},
      {{"", "1", RoomMode::singleton, 0, true}, {item(1)}},
  };
  Lines warnings;
  const auto rooms = restore_rooms(store, nullptr, {}, [&](std::string_view what) { warnings.emplace_back(what); });
  REQUIRE(rooms->size() == 1);
  CHECK(rooms->at(0).room.life == "1");
  CHECK(data_of(rooms->at(0).items) == deep + shallow + " 9 ");
  CHECK(rooms->at(0).items[1].offset == 2);
  CHECK(rooms->at(0).numbers == Numbers{7, 8, 9});
  const std::string order = " of room \"r\" is left out: numbers must ascend and be 1 to 2^62; it follows ";
  CHECK(warnings == Lines{"item 0" + order + "0", "item 7" + order + "7", "item 3" + order + "7",
                          "item 18446744073709551615" + order + "9",
                          "item 8 of room \"r\" is left out: its connection_id is not UTF-8",
                          "room \"r\" is left out: the store has another one with this id",
                          "room \"no life\" is left out: its life is not 1 to 32 letters and digits",
                          "room \"odd life\" is left out: its life is not 1 to 32 letters and digits",
                          "room \"long life\" is left out: its life is not 1 to 32 letters and digits",
                          "the public space is left out: its mode is not history"});
}

TEST_CASE("restored rooms: a store that can't be loaded is an error that says so", "[room_log]") {
  MemoryRoomStore store;
  store.fail(1);
  auto failed = restore_rooms(store, nullptr, {}, {});
  CHECK(failed.error().code() == Errc::store_failed);
  CHECK(failed.error().message() == "Config::rooms.store can't be loaded: the disk is full");
  store.fail(1, 1, true);
  failed = restore_rooms(store, nullptr, {}, {});
  CHECK(failed.error().message() == "Config::rooms.store can't be loaded: it threw: the disk is gone");
}

TEST_CASE("restored rooms: a room created before the start has its own options, and the stored items", "[room_log]") {
  Scene s(Way::inline_calls);
  s.log.stop();
  const auto restored = [](const RoomId& id, RoomMode mode) {
    RestoredRoom room{{id, "life", mode, 3, false}, {Scene::item("1")}, {4, 4}};
    room.items[0].offset = 1;
    room.items[0].number = 4;
    return room;
  };
  REQUIRE(s.store->append({{"r", "life", RoomMode::history, 3, false}, {4, "A", "1", {}}, 0}).ok());
  REQUIRE(s.store->open({"live", "life", RoomMode::history, 3, false}).ok());
  REQUIRE(s.store->append({{"other", "life", RoomMode::history, 3, false}, {4, "A", "1", {}}, 0}).ok());
  const auto made = s.make("r");
  s.make("live", RoomMode::live);
  s.make("other", RoomMode::singleton);
  s.rooms.restore(restored("r", RoomMode::history));
  s.rooms.restore(restored("live", RoomMode::history));
  s.rooms.restore(restored("other", RoomMode::history));
  CHECK(s.rooms.size() == 3);
  const auto room = s.rooms.find("r");
  CHECK(room != made);
  CHECK(room->permanent());
  CHECK(data_of(room->items()) == "1 ");
  CHECK(s.rooms.find("other")->items().empty());
  SteppedLoops loops;
  s.log.start();
  s.rooms.start(*loops[0]);
  CHECK(s.store->load().value().size() == 2);
  CHECK_FALSE(s.store->has("live"));
  CHECK(s.store->data_of("other").empty());
  CHECK(s.store->life_of("r") == "life");
  CHECK(s.store->data_of("r") == "1 ");
  CHECK(s.store->load().value().at(1).room == StoredRoom{"r", "life", RoomMode::history, 0, true});
  CHECK(s.share(made->kept(), "late").error().code() == Errc::room_not_found);
  CHECK(s.share(room->kept(), "2").value().offset == 2);
  CHECK(s.store->numbers_of("r") == Numbers{4, 5});
}

TEST_CASE("rooms: while the server stops, kept rooms don't end with their last member; later they wait for one",
          "[rooms][room_log]") {
  SteppedLoops loops;
  const TextView view;
  Scene s(Way::inline_calls);
  const auto linger = GENERATE(0ms, 1'000'000ms);
  s.config.room_linger = linger;
  s.config.rooms.rejoin_time = 10s;
  Rooms rooms(s.config, 1, &s.log);
  rooms.start(*loops[0]);
  const auto room = made(rooms, s.log, "r", {RoomMode::history, 0, false});
  const auto idle = made(rooms, s.log, "idle", {RoomMode::history, 0, false});
  RoomMember a("A", loops[0], view);
  REQUIRE(a.join(room).ok());
  rooms.begin_stop();
  a.leave();
  rooms.end_if_empty(room, *loops[0]);
  rooms.remove_if_empty(room);
  CHECK(rooms.size() == 2);
  CHECK(s.store->has("r"));
  const auto made_meanwhile = made(rooms, s.log, "new", {RoomMode::history, 0, false});
  const std::chrono::milliseconds wait = std::max<std::chrono::milliseconds>(10s, linger);
  rooms.start(*loops[0]);
  loops.settle();
  loops.advance(wait - 1ms);
  CHECK(rooms.size() == 3);
  RoomMember b("B", loops[0], view);
  REQUIRE(b.join(idle).ok());
  loops.advance(1ms);
  CHECK(rooms.find("r") == nullptr);
  CHECK_FALSE(s.store->has("r"));
  CHECK(s.store->has("idle"));
  b.leave();
  rooms.end_if_empty(idle, *loops[0]);
  loops.advance(linger);
  CHECK(rooms.find("idle") == nullptr);
  loops.settle();
}

TEST_CASE("rooms: a room created while the server stopped, whose creator has left, waits for members after the start",
          "[rooms][room_log]") {
  SteppedLoops loops;
  Scene s(Way::inline_calls);
  s.config.room_linger = GENERATE(0ms, 1'000ms);
  s.config.rooms.rejoin_time = 10s;
  Rooms rooms(s.config, 1, &s.log);
  rooms.start(*loops[0]);
  rooms.begin_stop();
  s.log.stop();
  const auto room = made(rooms, s.log, "r", {RoomMode::history, 0, false});
  const auto of_application = made(rooms, s.log, "of application", {RoomMode::history, 0, false});
  rooms.end_if_empty(room, *loops[0]);
  s.log.start();
  rooms.start(*loops[0]);
  loops.settle();
  CHECK(s.store->has("r"));
  loops.advance(10s);
  CHECK(rooms.find("r") == nullptr);
  CHECK_FALSE(s.store->has("r"));
  CHECK(rooms.find("of application") == of_application);
}

TEST_CASE("restored rooms: an item longer than any message is skipped, the older ones are restored", "[room_log]") {
  MemoryRoomStore store;
  Limits limits;
  const StoredRoom room{"r", "life", RoomMode::history, 0, true};
  REQUIRE(store.append({room, {1, "c", "\"fine\"", ""}, 1}).ok());
  REQUIRE(store.append({room, {2, "c", "\"" + std::string(limits.room_history_bytes_max, 'x') + "\"", ""}, 1}).ok());
  Lines warnings;
  const auto rooms = restore_rooms(store, nullptr, limits, [&](std::string_view what) { warnings.emplace_back(what); });
  REQUIRE(rooms->size() == 1);
  CHECK(data_of(rooms->front().items) == "\"fine\" ");
  REQUIRE(warnings.size() == 1);
  CHECK_THAT(warnings[0],
             Catch::Matchers::ContainsSubstring("item 2 of room \"r\" is left out: it has 16777218 bytes"));
}

}  // namespace room_log_test
