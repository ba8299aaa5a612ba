#include "catch.hpp"

#include <flux/detail/core/timer_queue.hpp>

#include <functional>
#include <string>
#include <vector>

namespace timer_queue_test {

using namespace flux;
using namespace flux::core;
using namespace std::chrono_literals;

namespace {

const Clock::TimePoint start{1h};

struct Deadline final : DeadlineWheel::Entry {
  std::function<void()> then;
  int fired = 0;
  void on_deadline() override {
    ++fired;
    if (then) then();
  }
};

/// The number of ticks until `entry` fires; -1: not within `most`.
int ticks_until(DeadlineWheel& wheel, const Deadline& entry, int most) {
  const int before = entry.fired;
  for (int tick = 1; tick <= most; ++tick) {
    wheel.advance();
    if (entry.fired != before) return tick;
  }
  return -1;
}

}  // namespace

TEST_CASE("timer queue: tasks are returned in the order of their times, equal ones in the order added", "[timers]") {
  TimerQueue queue;
  std::string order;
  queue.add(start + 2s, [&] { order += 'c'; });
  queue.add(start + 1s, [&] { order += 'a'; });
  queue.add(start + 1s, [&] { order += 'b'; });
  CHECK(queue.next() == start + 1s);
  CHECK_FALSE(queue.take_due(start + 1s - 1ns));
  while (auto task = queue.take_due(start + 1s)) (*task)();
  CHECK(order == "ab");
  CHECK(queue.next() == start + 2s);
  while (auto task = queue.take_due(start + 1h)) (*task)();
  CHECK(order == "abc");
  CHECK_FALSE(queue.next());
}

TEST_CASE("timer queue: a cancelled task is never returned", "[timers]") {
  TimerQueue queue;
  int runs = 0;
  const auto first = queue.add(start, [&] { runs += 1; });
  queue.add(start, [&] { runs += 10; });
  queue.cancel(first);
  while (auto task = queue.take_due(start)) (*task)();
  CHECK(runs == 10);
}

TEST_CASE("timer queue: a task may add and cancel others, and clear all", "[timers]") {
  TimerQueue queue;
  std::string order;
  TimerQueue::Id other = queue.add(start + 2ms, [&] { order += 'x'; });
  queue.add(start, [&] {
    order += 'a';
    queue.cancel(other);
    queue.add(start + 1ms, [&] { order += 'b'; });
  });
  while (auto task = queue.take_due(start + 5ms)) (*task)();
  CHECK(order == "ab");
  queue.add(start, [&] { queue.clear(); });
  queue.add(start, [&] { order += 'x'; });
  while (auto task = queue.take_due(start)) (*task)();
  CHECK(order == "ab");
}

TEST_CASE("deadline wheel: never early, and late by at most two ticks", "[timers]") {
  for (const auto after :
       {0ms, 1ms, 249ms, 250ms, 251ms, 500ms, 10'000ms, 127'750ms, 128'000ms, 128'250ms, 600'000ms}) {
    DeadlineWheel wheel;
    Deadline entry;
    for (int i = 0; i < 7; ++i) wheel.advance();
    wheel.set(entry, after);
    const int ticks = ticks_until(wheel, entry, 5000);
    INFO(after.count() << " ms: " << ticks << " ticks");
    // It may have been set just before a tick.
    CHECK((ticks - 1) * DeadlineWheel::tick >= after);
    CHECK((ticks - 2) * DeadlineWheel::tick < after);
    CHECK(wheel.empty());
    CHECK(ticks_until(wheel, entry, 600) == -1);
  }
}

TEST_CASE("deadline wheel: deadlines of several rounds in one slot keep their rounds", "[timers]") {
  DeadlineWheel wheel;
  const auto round = 512 * DeadlineWheel::tick;
  std::vector<Deadline> entries(4);
  for (std::size_t i = 0; i < entries.size(); ++i) wheel.set(entries[i], round * i);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    CHECK(ticks_until(wheel, entries[i], 512) == (i == 0 ? 1 : 512));
    for (std::size_t j = 0; j < entries.size(); ++j) CHECK(entries[j].fired == (j <= i ? 1 : 0));
  }
}

TEST_CASE("deadline wheel: setting again moves a deadline, clearing removes it, repeating has no effect", "[timers]") {
  DeadlineWheel wheel;
  Deadline a, b, c;
  for (Deadline* entry : {&a, &b, &c}) wheel.set(*entry, 1s);
  wheel.set(b, 3s);
  wheel.clear(c);
  wheel.clear(c);
  CHECK_FALSE(wheel.empty());
  CHECK(ticks_until(wheel, a, 100) == 5);
  CHECK(b.fired == 0);
  CHECK(ticks_until(wheel, b, 100) == 8);
  CHECK(c.fired == 0);
  CHECK(wheel.empty());
  wheel.clear(a);
  CHECK(wheel.empty());
}

TEST_CASE("deadline wheel: an entry may clear or move others that are due with it", "[timers]") {
  // Whatever their position in the slot's list.
  for (std::size_t who = 0; who < 3; ++who) {
    for (std::size_t whom = 0; whom < 3; ++whom) {
      for (const bool move : {false, true}) {
        if (who == whom) continue;
        DeadlineWheel wheel;
        std::vector<Deadline> entries(3);
        for (Deadline& entry : entries) wheel.set(entry, 1s);
        bool was_first = false;
        entries[who].then = [&] {
          was_first = entries[whom].fired == 0;
          if (move) {
            wheel.set(entries[whom], 1s);
          } else {
            wheel.clear(entries[whom]);
          }
        };
        for (int i = 0; i < 5; ++i) wheel.advance();
        INFO(who << " acts on " << whom << (move ? ", moving" : ", clearing"));
        CHECK(entries[who].fired == 1);
        CHECK(entries[3 - who - whom].fired == 1);
        CHECK(entries[whom].fired == (was_first ? 0 : 1));
        for (int i = 0; i < 10; ++i) wheel.advance();
        CHECK(entries[whom].fired == (move ? (was_first ? 1 : 2) : (was_first ? 0 : 1)));
      }
    }
  }
}

TEST_CASE("deadline wheel: an entry may set itself again, one round away too", "[timers]") {
  DeadlineWheel wheel;
  Deadline entry, other;
  auto again = 1s;
  entry.then = [&] { wheel.set(entry, again); };
  wheel.set(other, 1s);
  wheel.set(entry, 1s);
  CHECK(ticks_until(wheel, entry, 10) == 5);
  CHECK(other.fired == 1);
  again = std::chrono::duration_cast<std::chrono::seconds>(511 * DeadlineWheel::tick);
  CHECK(ticks_until(wheel, entry, 10) == 5);
  CHECK(ticks_until(wheel, entry, 1000) == 1 + static_cast<int>(again / DeadlineWheel::tick));
}

TEST_CASE("deadline wheel: an entry set into the slot that is being walked waits for its round", "[timers]") {
  DeadlineWheel wheel;
  Deadline first, second;
  wheel.set(first, 1s);
  first.then = [&] { wheel.set(second, 511 * DeadlineWheel::tick); };  // due in 512 ticks: the same slot
  CHECK(ticks_until(wheel, first, 10) == 5);
  CHECK(second.fired == 0);
  CHECK(ticks_until(wheel, second, 1000) == 512);
}

}  // namespace timer_queue_test
