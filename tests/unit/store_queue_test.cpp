#include "catch.hpp"

#include <flux/storage/store_queue.hpp>

#include <atomic>
#include <future>
#include <map>
#include <vector>

using flux::storage::StoreQueue;
using namespace std::chrono_literals;

namespace {

/// Fails instead of waiting for ever.
template <class T>
T get(std::future<T>& future) {
  REQUIRE(future.wait_for(10s) == std::future_status::ready);
  return future.get();
}

}  // namespace

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

TEST_CASE("store queue: a slow room does not hold up another", "[store_queue][threads]") {
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

TEST_CASE("store queue: a room's next call begins when the turn is let go, wherever that is", "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(2, 10, 10);
  std::promise<StoreQueue::Turn> first;
  std::promise<bool> second;
  std::atomic<bool> released{false};
  auto turn_of_first = first.get_future();
  auto ran_after = second.get_future();
  REQUIRE(queue->run("r", [&](StoreQueue::Turn turn) { first.set_value(std::move(turn)); }));
  REQUIRE(queue->run("r", [&](const StoreQueue::Turn&) { second.set_value(released); }));
  StoreQueue::Turn turn = get(turn_of_first);
  // Another room gets through meanwhile; this one does not.
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

TEST_CASE("store queue: past its bounds a call is refused and never made", "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(1, 2, 4);
  std::promise<StoreQueue::Turn> first, second;
  auto held = first.get_future();
  auto held_too = second.get_future();
  std::atomic<int> runs{0};
  const StoreQueue::Call count = [&](const StoreQueue::Turn&) { ++runs; };
  REQUIRE(queue->run("a", [&](StoreQueue::Turn turn) { first.set_value(std::move(turn)); }));
  StoreQueue::Turn turn = get(held);  // one runs, none waits
  CHECK(queue->run("a", count));
  CHECK(queue->run("a", count));
  CHECK_FALSE(queue->run("a", count));  // the room's bound
  CHECK(queue->run("b", [&](StoreQueue::Turn of_b) { second.set_value(std::move(of_b)); }));
  StoreQueue::Turn turn_of_b = get(held_too);  // as long as it is held, the call counts
  CHECK_FALSE(queue->run("c", count));         // the queue's bound
  turn.reset();
  turn_of_b.reset();
  queue->stop();
  CHECK(runs == 2);
}

TEST_CASE("store queue: stop waits for every call that was taken, and later ones are refused", "[store_queue][threads]") {
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

TEST_CASE("store queue: a call may make another for its room", "[store_queue][threads]") {
  const auto queue = std::make_shared<StoreQueue>(1, 10, 10);
  std::promise<void> inner;
  auto ran = inner.get_future();
  REQUIRE(queue->run("a", [&](const StoreQueue::Turn&) {
    queue->run("a", [&](const StoreQueue::Turn&) { inner.set_value(); });
  }));
  get(ran);
  queue->stop();
}
