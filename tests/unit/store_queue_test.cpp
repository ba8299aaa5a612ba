#include "../support/child.hpp"
#include "../support/sanitized.hpp"
#include "catch.hpp"

#include <flux/detail/storage/store_queue.hpp>

#include <atomic>
#include <condition_variable>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace store_queue_test {

using flux::storage::StoreQueue;
using namespace std::chrono_literals;

namespace {

/// Fails instead of waiting forever.
template <class T>
T get(std::future<T>& future) {
  REQUIRE(future.wait_for(10s) == std::future_status::ready);
  return future.get();
}

/// Named parts, and a queue that records the parts of each batch. A batch waits until it is let through.
struct Batches {
  struct Named final : StoreQueue::Part {
    explicit Named(std::string given) : name(std::move(given)) {}
    std::string name;
  };

  Batches(std::size_t threads, std::size_t batch_max, std::size_t per_room_max = 1000, std::size_t total_max = 10'000)
      : queue(std::make_shared<StoreQueue>(threads, per_room_max, total_max)) {
    queue->collect(batch_max, [this](std::vector<StoreQueue::PartInTurn> batch) { make(std::move(batch)); });
  }
  ~Batches() {
    let_through(1'000'000);
    queue->stop();
  }

  bool add(const std::string& room, const std::string& name) {
    std::unique_ptr<StoreQueue::Part> part = std::make_unique<Named>(name);
    const bool taken = queue->add(room, part);
    CHECK((part == nullptr) == taken);
    return taken;
  }
  void let_through(int count) {
    const std::lock_guard lock(mutex);
    may_pass += count;
    changed.notify_all();
  }
  /// Waits until `count` batches have begun, and returns them.
  std::vector<std::string> begun(std::size_t count) {
    std::unique_lock lock(mutex);
    REQUIRE(changed.wait_for(lock, 10s, [&] { return made.size() >= count; }));
    return made;
  }
  void make(std::vector<StoreQueue::PartInTurn> batch) {
    std::unique_lock lock(mutex);
    if (++running > 1) overlapped = true;
    std::string names;
    for (const auto& item : batch) names += static_cast<Named&>(*item.part).name + ' ';
    made.push_back(names);
    changed.notify_all();
    if (!changed.wait_for(lock, 10s, [this] { return may_pass > 0; })) timed_out = true;
    --may_pass;
    --running;
    if (keep_turns)
      kept.insert(kept.end(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
  }

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> made;
  std::vector<StoreQueue::PartInTurn> kept;
  bool keep_turns = false;
  bool overlapped = false;
  bool timed_out = false;
  int running = 0;
  int may_pass = 0;
  std::shared_ptr<StoreQueue> queue;
};

}  // namespace

TEST_CASE("store queue: parts added while a batch runs go into the next one, each room in order",
          "[store_queue][threads]") {
  Batches batches(2, 100);
  batches.add("a", "a1");
  REQUIRE(batches.begun(1) == std::vector<std::string>{"a1 "});
  for (const char* name : {"a2", "a3", "a4"}) batches.add("a", name);
  batches.add("b", "b1");  // a worker is free, but only one batch runs at a time
  batches.add("b", "b2");
  batches.let_through(1);
  // "b" was ready first: "a" had its turn until now.
  CHECK(batches.begun(2).back() == "b1 a2 b2 a3 a4 ");
  batches.let_through(1);
  batches.queue->stop();
  CHECK_FALSE(batches.overlapped);
  CHECK_FALSE(batches.timed_out);
}

TEST_CASE("store queue: a room with many parts shares a batch with the others", "[store_queue][threads]") {
  Batches batches(1, 4);
  batches.add("first", "0");
  batches.begun(1);
  for (const char* name : {"m1", "m2", "m3", "m4", "m5", "m6"}) batches.add("much", name);
  batches.add("b", "b1");
  batches.add("c", "c1");
  batches.let_through(1);
  CHECK(batches.begun(2).back() == "m1 b1 c1 m2 ");
  batches.let_through(1);
  CHECK(batches.begun(3).back() == "m3 m4 m5 m6 ");
  batches.let_through(1);
  batches.queue->stop();
}

TEST_CASE("store queue: a call stays between the parts added before and after it", "[store_queue][threads]") {
  Batches batches(2, 100);
  batches.add("a", "a1");
  batches.begun(1);
  std::promise<std::size_t> made_before;
  auto count = made_before.get_future();
  std::promise<StoreQueue::Turn> turn_given;
  auto given = turn_given.get_future();
  batches.add("a", "a2");
  REQUIRE(batches.queue->run("a", [&](StoreQueue::Turn turn) {
    {
      const std::lock_guard lock(batches.mutex);
      made_before.set_value(batches.made.size());
    }
    turn_given.set_value(std::move(turn));
  }));
  batches.add("a", "a3");
  batches.let_through(2);
  CHECK(get(count) == 2);
  StoreQueue::Turn turn = get(given);
  batches.add("b", "b1");
  CHECK(batches.begun(3) == std::vector<std::string>{"a1 ", "a2 ", "b1 "});  // "a" waits for its turn, "b" does not
  turn.reset();
  batches.let_through(1);
  CHECK(batches.begun(4).back() == "a3 ");
}

TEST_CASE("store queue: calls of other rooms run while a batch does, and alternate with batches on one worker",
          "[store_queue][threads]") {
  {
    Batches batches(2, 100);
    batches.add("a", "a1");
    batches.begun(1);
    std::promise<void> ran;
    auto done = ran.get_future();
    REQUIRE(batches.queue->run("b", [&](const StoreQueue::Turn&) { ran.set_value(); }));
    get(done);
  }
  Batches batches(1, 1);
  batches.add("first", "0");
  batches.begun(1);
  std::vector<std::size_t> made_before_calls;  // guarded by the one worker
  for (int i = 0; i < 3; ++i) {
    batches.add("part" + std::to_string(i), "p");
    REQUIRE(batches.queue->run("call" + std::to_string(i), [&](const StoreQueue::Turn&) {
      const std::lock_guard lock(batches.mutex);
      made_before_calls.push_back(batches.made.size());
    }));
  }
  batches.let_through(4);
  batches.queue->stop();
  CHECK(made_before_calls == std::vector<std::size_t>{1, 2, 3});
}

TEST_CASE("store queue: a room continues when the turns of all its parts in a batch are released",
          "[store_queue][threads]") {
  Batches batches(2, 100);
  batches.keep_turns = true;
  batches.add("a", "a1");
  batches.begun(1);
  batches.add("b", "b1");
  batches.add("b", "b2");
  batches.add("c", "c1");
  batches.let_through(2);
  batches.begun(2);
  batches.add("b", "b3");
  batches.add("c", "c2");
  const auto held = [&](const std::string& name) {
    const std::lock_guard lock(batches.mutex);
    for (auto& item : batches.kept) {
      if (item.part && static_cast<Batches::Named&>(*item.part).name == name) return std::exchange(item, {});
    }
    return StoreQueue::PartInTurn();
  };
  StoreQueue::PartInTurn b1, b2, c1;
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (!c1.part && std::chrono::steady_clock::now() < end) c1 = held("c1");
  b1 = held("b1");
  b2 = held("b2");
  REQUIRE((b1.part && b2.part && c1.part));
  b1 = {};
  c1 = {};
  CHECK(batches.begun(3).back() == "c2 ");
  b2 = {};
  batches.let_through(2);
  CHECK(batches.begun(4).back() == "b3 ");
  batches.let_through(10);
  const std::lock_guard lock(batches.mutex);
  batches.keep_turns = false;
  batches.kept.clear();
}

TEST_CASE("store queue: parts count towards the limits as calls do", "[store_queue][threads]") {
  Batches batches(1, 100, 2, 4);
  batches.add("a", "a1");
  batches.begun(1);  // one is running, none is queued
  CHECK(batches.add("a", "a2"));
  CHECK(batches.queue->run("a", [](const StoreQueue::Turn&) {}));
  CHECK_FALSE(batches.add("a", "a3"));  // the room's limit
  CHECK(batches.add("b", "b1"));
  CHECK_FALSE(batches.add("c", "c1"));  // the queue's limit
  batches.let_through(10);
  batches.queue->stop();
  CHECK_FALSE(batches.add("a", "a4"));
  CHECK(batches.begun(2).back() == "b1 a2 ");
}

TEST_CASE("store queue: the calls of a room run one at a time, in order", "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(4, 10'000, 100'000);
  std::map<std::string, std::vector<int>> order = {{"a", {}}, {"b", {}}, {"c", {}}};
  std::map<std::string, std::atomic<int>> inside;
  for (const auto& [room, unused] : order) inside[room] = 0;
  std::atomic<int> overlaps{0};
  for (int i = 0; i < 500; ++i) {
    for (auto& [room, list] : order) {
      REQUIRE(queue->run(room, [&overlaps, &running = inside[room], &list = list, i](const StoreQueue::Turn&) {
        if (running++ != 0) ++overlaps;
        list.push_back(i);
        --running;
      }));
    }
  }
  queue->stop();
  CHECK(overlaps == 0);
  std::vector<int> expected(500);
  for (int i = 0; i < 500; ++i) expected[static_cast<std::size_t>(i)] = i;
  for (const auto& [room, list] : order) CHECK(list == expected);
}

TEST_CASE("store queue: a slow room does not delay another", "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(2, 10, 10);
  std::promise<void> slow, fast;
  auto slow_done = slow.get_future().share();
  auto fast_done = fast.get_future();
  REQUIRE(queue->run("slow", [slow_done](const StoreQueue::Turn&) { slow_done.wait(); }));
  REQUIRE(queue->run("fast", [&](const StoreQueue::Turn&) { fast.set_value(); }));
  get(fast_done);
  slow.set_value();
  queue->stop();
}

TEST_CASE("store queue: a room's next call begins when the turn is released, on whichever thread",
          "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(2, 10, 10);
  std::promise<StoreQueue::Turn> first;
  std::promise<bool> second;
  std::atomic<bool> released{false};
  auto turn_of_first = first.get_future();
  auto ran_after = second.get_future();
  REQUIRE(queue->run("r", [&](StoreQueue::Turn turn) { first.set_value(std::move(turn)); }));
  REQUIRE(queue->run("r", [&](const StoreQueue::Turn&) { second.set_value(released); }));
  StoreQueue::Turn turn = get(turn_of_first);
  // Calls of another room pass meanwhile; those of this one do not.
  std::promise<void> other;
  auto other_ran = other.get_future();
  REQUIRE(queue->run("other", [&](const StoreQueue::Turn&) { other.set_value(); }));
  get(other_ran);
  CHECK(ran_after.wait_for(0s) == std::future_status::timeout);
  released = true;
  turn.reset();
  CHECK(get(ran_after));
  queue->stop();
}

TEST_CASE("store queue: past its limits a call is refused and never made", "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(1, 2, 4);
  std::promise<StoreQueue::Turn> first, second;
  auto held = first.get_future();
  auto held_too = second.get_future();
  std::atomic<int> runs{0};
  const StoreQueue::Call count = [&](const StoreQueue::Turn&) { ++runs; };
  REQUIRE(queue->run("a", [&](StoreQueue::Turn turn) { first.set_value(std::move(turn)); }));
  StoreQueue::Turn turn = get(held);  // one is running, none is queued
  CHECK(queue->run("a", count));
  CHECK(queue->run("a", count));
  CHECK_FALSE(queue->run("a", count));  // the room's limit
  CHECK(queue->run("b", [&](StoreQueue::Turn of_b) { second.set_value(std::move(of_b)); }));
  StoreQueue::Turn turn_of_b = get(held_too);  // while it is held, the call counts
  CHECK_FALSE(queue->run("c", count));         // the queue's limit
  turn.reset();
  turn_of_b.reset();
  queue->stop();
  CHECK(runs == 2);
}

TEST_CASE("store queue: stop waits for every accepted call, and later ones are refused", "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(2, 1000, 1000);
  std::atomic<int> runs{0};
  for (int i = 0; i < 300; ++i) {
    REQUIRE(queue->run(std::to_string(i % 3), [&](const StoreQueue::Turn&) { ++runs; }));
  }
  queue->stop();
  CHECK(runs == 300);
  CHECK_FALSE(queue->run("a", [&](const StoreQueue::Turn&) { ++runs; }));
  queue->stop();
  CHECK(runs == 300);
}

TEST_CASE("store queue: a call may add another for its room", "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(1, 10, 10);
  std::promise<void> inner;
  auto ran = inner.get_future();
  REQUIRE(queue->run(
      "a", [&](const StoreQueue::Turn&) { queue->run("a", [&](const StoreQueue::Turn&) { inner.set_value(); }); }));
  get(ran);
  queue->stop();
}

TEST_CASE("store queue: slow calls leave one worker to the quick ones", "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(3, 10, 100);
  std::promise<void> let_through;
  const auto passed = let_through.get_future().share();
  std::atomic<int> slow_running{0};
  std::atomic<int> slow_most{0};
  std::atomic<int> slow_runs{0};
  const StoreQueue::Call slow = [&](const StoreQueue::Turn&) {
    const int now = ++slow_running;
    for (int most = slow_most; now > most && !slow_most.compare_exchange_weak(most, now);) {
    }
    passed.wait_for(10s);
    --slow_running;
    ++slow_runs;
  };
  for (const char* room : {"a", "b", "c", "d"}) REQUIRE(queue->run(room, slow, StoreQueue::Pace::slow));
  for (int i = 0; i < 3; ++i) {
    std::promise<void> quick;
    auto ran = quick.get_future();
    REQUIRE(queue->run("quick", [&](const StoreQueue::Turn&) { quick.set_value(); }));
    get(ran);
  }
  CHECK(slow_runs == 0);
  let_through.set_value();
  queue->stop();
  CHECK(slow_runs == 4);
  CHECK(slow_most == 2);
}

TEST_CASE("store queue: one worker makes slow calls, too, and those that wait longer come first",
          "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(1, 10, 100);
  std::promise<void> begun;
  std::promise<void> let_through;
  auto runs = begun.get_future();
  auto passed = let_through.get_future();
  std::string order;
  REQUIRE(queue->run("first", [&](const StoreQueue::Turn&) {
    begun.set_value();
    passed.wait_for(10s);
  }));
  get(runs);
  const auto note = [&order](const char* name) { return [&order, name](const StoreQueue::Turn&) { order += name; }; };
  REQUIRE(queue->run("a", note("a"), StoreQueue::Pace::slow));
  REQUIRE(queue->run("b", note("b")));
  REQUIRE(queue->run("c", note("c"), StoreQueue::Pace::slow));
  REQUIRE(queue->run("a", note("d")));
  let_through.set_value();
  queue->stop();
  CHECK(order == "abcd");
}

TEST_CASE("store queue: if the system has too few threads the constructor throws, and those that it had end",
          "[store_queue][threads]") {
  if (flux_test::is_sanitized) return;
  const auto made = in_child([] {
    limit_memory(100'000'000);
    try {
      const StoreQueue queue(64, 10, 10);
      return std::string("made");
    } catch (const std::system_error&) {
      return std::string("refused");
    }
  });
  CHECK(made == "refused");
}

}  // namespace store_queue_test
