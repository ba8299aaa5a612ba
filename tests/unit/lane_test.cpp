#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/core/audience.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

namespace lane_test {

using namespace flux;
using namespace flux::core;
using namespace flux::testing;

namespace {

/// An audience with its lock, like a room.
struct Hall {
  std::mutex mutex;
  Audience audience{mutex};
};

struct Listener {
  Inbox inbox;
  LaneSeat seat;
  std::shared_ptr<Lane> lane;
  SessionKey key;
  Listener(Hall& hall, const std::shared_ptr<Loop>& loop, const void* view, SessionKey k) : key(k) {
    const std::lock_guard lock(hall.mutex);
    lane = hall.audience.enter({key, &inbox, loop}, view, seat);
  }
  void leave(Hall& hall) {
    const std::lock_guard lock(hall.mutex);
    hall.audience.leave(*lane, seat);
  }
};

const int views[] = {1, 2};

/// Sends `text` to all but `except`. Returns how often it was encoded.
int say(const std::shared_ptr<Hall>& hall, const std::string& text, const Listener* except = nullptr,
        SegmentPolicy policy = SegmentPolicy::all, std::uint64_t state_before = 0) {
  int encodings = 0;
  const std::lock_guard lock(hall->mutex);
  hall->audience.append(
      [&](const void* view, std::string& out) {
        ++encodings;
        out += text + (view == &views[0] ? "" : "'");
      },
      hall, policy, state_before);
  if (except != nullptr) except->lane->list_in_last(except->key);
  return encodings;
}

}  // namespace

TEST_CASE("lane: messages arrive in order and complete, except at excluded readers", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], views, 1), b(*hall, loops[0], views, 2), c(*hall, loops[0], views, 3);
  say(hall, "one", &a);
  say(hall, "two", &a);
  say(hall, "three");
  say(hall, "four", &b);
  say(hall, "five", &a);
  say(hall, "six");
  say(hall, "seven", &a);
  loops.settle();
  CHECK(a.inbox.take() == Lines{"three", "four", "six"});
  CHECK(b.inbox.take() == Lines{"one", "two", "three", "five", "six", "seven"});
  CHECK(c.inbox.take() == Lines{"one", "two", "three", "four", "five", "six", "seven"});
  CHECK(c.inbox.batches == 1);
}

TEST_CASE("lane: exclusions of one batch do not affect the next", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], views, 1);
  say(hall, "one", &a);
  loops.settle();
  say(hall, "two");
  loops.settle();
  CHECK(a.inbox.take() == Lines{"two"});
}

namespace {

/// Sends `text` to `listeners` alone.
void whisper(const std::shared_ptr<Hall>& hall, const std::string& text, const std::vector<const Listener*>& listeners,
             SegmentPolicy policy = SegmentPolicy::all, std::uint64_t state_before = 0) {
  const std::lock_guard lock(hall->mutex);
  hall->audience.append([&](const void*, std::string& out) { out += text; }, hall, policy, state_before,
                        SegmentFor::listed);
  for (const Listener* listener : listeners) listener->lane->list_in_last(listener->key);
}

}  // namespace

TEST_CASE("lane: messages for listed members reach only these, in order with the others", "[lane]") {
  SteppedLoops loops(2);
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], views, 1), b(*hall, loops[0], views, 2), c(*hall, loops[1], views, 3);
  say(hall, "one", &a);
  whisper(hall, "two", {&a});
  say(hall, "three");
  whisper(hall, "four", {&a, &c});
  say(hall, "five", &c);
  whisper(hall, "six", {});
  loops.settle();
  CHECK(a.inbox.take() == Lines{"two", "three", "four", "five"});
  CHECK(b.inbox.take() == Lines{"one", "three", "five"});
  CHECK(c.inbox.take() == Lines{"one", "three", "four"});
  say(hall, "seven");  // nothing of an earlier batch applies to the next
  loops.settle();
  for (Listener* each : {&a, &b, &c}) CHECK(each->inbox.take() == Lines{"seven"});
}

TEST_CASE("lane: a new member gets no pending message for listed members, and a moved one takes its own along",
          "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], views, 1), b(*hall, loops[0], views, 2);
  whisper(hall, "one", {&b});
  say(hall, "two");
  whisper(hall, "three", {&a});
  say(hall, "four");
  whisper(hall, "five", {&b});
  Listener late(*hall, loops[0], views, 3);
  whisper(hall, "six", {&late});
  {
    const std::lock_guard lock(hall->mutex);
    CHECK(hall->audience.change_view(a.lane, a.seat, &views[1], 1, a.inbox, ';') == "two;three;four");
  }
  loops.settle();
  CHECK(a.inbox.take().empty());
  CHECK(b.inbox.take() == Lines{"one", "two", "four", "five"});
  CHECK(late.inbox.take() == Lines{"six"});
}

TEST_CASE("delivery: policies apply to messages for listed members, and only to these", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener slow(*hall, loops[0], views, 1), other(*hall, loops[0], views, 2);
  slow.inbox.congested = other.inbox.congested = true;
  whisper(hall, "one", {&slow});
  whisper(hall, "s2", {&slow}, SegmentPolicy::newest, 1);
  loops.settle();
  CHECK(slow.inbox.take() == Lines{"one"});
  CHECK(slow.seat.state_known == 1);
  CHECK(other.seat.state_known == 0);
  whisper(hall, "now", {&slow}, SegmentPolicy::close);
  loops.settle();
  CHECK_FALSE(slow.inbox.open);
  CHECK(other.inbox.open);
}

TEST_CASE("lane: a new member does not get pending messages, one that leaves gets nothing more", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], views, 1), b(*hall, loops[0], views, 2);
  say(hall, "one");
  Listener late(*hall, loops[0], views, 3);
  say(hall, "two");
  a.leave(*hall);
  loops.settle();
  CHECK(a.inbox.take().empty());
  CHECK(b.inbox.take() == Lines{"one", "two"});
  CHECK(late.inbox.take() == Lines{"two"});
  CHECK(late.seat.lane == late.lane.get());
  CHECK(a.seat.lane == nullptr);
}

TEST_CASE("audience: a message is encoded once for each view, whatever the number of loops", "[lane]") {
  SteppedLoops loops(3);
  const auto hall = std::make_shared<Hall>();
  // The order of entering must not group the lanes of one view by accident.
  Listener a(*hall, loops[0], &views[0], 1), b(*hall, loops[0], &views[1], 2), c(*hall, loops[1], &views[0], 3),
      d(*hall, loops[1], &views[1], 4), e(*hall, loops[2], &views[0], 5), f(*hall, loops[2], &views[0], 6);
  CHECK(say(hall, "one") == 2);
  CHECK(say(hall, "two", &f) == 2);
  loops.settle();
  for (Listener* plain : {&a, &c, &e}) CHECK(plain->inbox.take() == Lines{"one", "two"});
  for (Listener* other : {&b, &d}) CHECK(other->inbox.take() == Lines{"one'", "two'"});
  CHECK(f.inbox.take() == Lines{"one"});
  CHECK(e.lane == f.lane);
  // An empty lane gets nothing more.
  for (Listener* gone : {&b, &d}) gone->leave(*hall);
  CHECK(say(hall, "three") == 1);
  loops.settle();
  CHECK(a.inbox.take() == Lines{"three"});
}

TEST_CASE("audience: a reader that changes its view takes pending messages along, with inserts in their places",
          "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], &views[0], 1), b(*hall, loops[0], &views[0], 2);
  const auto bytes = std::make_shared<const std::string>("...");
  const auto say_with_insert = [&](const std::string& before, const std::string& behind) {
    const std::lock_guard lock(hall->mutex);
    hall->audience.append(
        [&](const void*, Lane& lane) {
          lane.pending_bytes() += before;
          lane.insert(bytes, true);
          lane.pending_bytes() += behind;
        },
        hall);
  };
  say(hall, "one");
  say_with_insert("two", "");
  say(hall, "not for a", &a);
  say(hall, "three");
  say_with_insert("four", "five");
  std::vector<Insert> inserts;
  {
    const std::lock_guard lock(hall->mutex);
    const std::string waiting = hall->audience.change_view(a.lane, a.seat, &views[1], 1, a.inbox, ';', &inserts);
    CHECK(waiting == "one;twothree;fourfive");
  }
  REQUIRE(inserts.size() == 2);
  CHECK(inserts[0].at == std::string("one;two").size());
  CHECK(inserts[1].at == std::string("one;twothree;four").size());
  CHECK(inserts[1].bytes == bytes);
  loops.settle();
  CHECK(a.inbox.take().empty());
}

TEST_CASE("delivery: a congested reader gets all messages, but no states of which only the newest matters", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener slow(*hall, loops[0], views, 1), quick(*hall, loops[0], views, 2);
  const auto state = [&](const std::string& text, std::uint64_t before, const Listener* except = nullptr) {
    say(hall, text, except, SegmentPolicy::newest, before);
  };
  slow.inbox.congested = true;
  say(hall, "one");
  state("s4", 3);
  say(hall, "two");
  say(hall, "three");
  state("s5", 4);
  loops.settle();
  CHECK(slow.inbox.take() == Lines{"one", "two", "three"});
  CHECK(slow.inbox.runs == 2);  // adjacent segments are delivered together
  CHECK(slow.inbox.held_back == 2);
  CHECK(slow.seat.state_known == 3);  // the first one that it missed counts
  CHECK(quick.inbox.take() == Lines{"one", "s4", "two", "three", "s5"});
  CHECK(quick.inbox.runs == 1);
  CHECK(quick.seat.state_known == 0);
  // A segment that is not meant for it is not held back either.
  slow.seat.state_known = 0;
  state("s6", 5, &slow);
  say(hall, "four");
  loops.settle();
  CHECK(slow.inbox.take() == Lines{"four"});
  CHECK(slow.seat.state_known == 0);
  slow.inbox.congested = false;
  state("s7", 6);
  loops.settle();
  CHECK(slow.inbox.take() == Lines{"s7"});
}

TEST_CASE("delivery: a message with that policy closes a congested reader, and others get it", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener slow(*hall, loops[0], views, 1), quick(*hall, loops[0], views, 2), sender(*hall, loops[0], views, 3);
  slow.inbox.congested = sender.inbox.congested = true;
  say(hall, "one");
  loops.settle();
  CHECK(slow.inbox.open);
  say(hall, "two");
  say(hall, "now", &sender, SegmentPolicy::close);
  say(hall, "three");
  loops.settle();
  CHECK_FALSE(slow.inbox.open);
  CHECK(slow.inbox.take() == Lines{"one"});
  CHECK(slow.seat.state_known == 0);
  CHECK(quick.inbox.take() == Lines{"one", "two", "now", "three"});
  CHECK(sender.inbox.open);  // the message is not meant for it
  CHECK(sender.inbox.take() == Lines{"one", "two", "three"});
}

TEST_CASE("delivery: a reader that is behind gets no newer state before it has been brought up to date", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener slow(*hall, loops[0], views, 1);
  slow.inbox.congested = true;
  say(hall, "s4", nullptr, SegmentPolicy::newest, 3);
  loops.settle();
  slow.inbox.congested = false;
  say(hall, "one");
  loops.settle();
  CHECK(slow.inbox.take() == Lines{"one"});
  say(hall, "s5", nullptr, SegmentPolicy::newest, 4);
  say(hall, "two");
  loops.settle();
  CHECK(slow.inbox.take() == Lines{"two"});
  CHECK(slow.seat.state_known == 3);
  slow.seat.state_known = 0;  // brought up to date
  say(hall, "s6", nullptr, SegmentPolicy::newest, 5);
  loops.settle();
  CHECK(slow.inbox.take() == Lines{"s6"});
}

TEST_CASE("delivery: text inserted into a segment is delivered or held back with it", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener slow(*hall, loops[0], views, 1), quick(*hall, loops[0], &views[1], 2);
  const auto bytes = std::make_shared<const std::string>("...");
  const auto say_inserted = [&](const std::string& before, const std::string& behind, SegmentPolicy policy) {
    const std::lock_guard lock(hall->mutex);
    hall->audience.append(
        [&](const void*, Lane& lane) {
          lane.pending_bytes() += before;
          lane.insert(bytes, false);
          lane.pending_bytes() += behind;
        },
        hall, policy, policy == SegmentPolicy::newest ? 1 : 0);
  };
  slow.inbox.congested = true;
  say_inserted("", "", SegmentPolicy::all);  // nothing but the inserted text
  say_inserted("state ", "", SegmentPolicy::newest);
  say_inserted("one", "two", SegmentPolicy::all);
  say_inserted("", "state", SegmentPolicy::newest);
  say(hall, "three");
  loops.settle();
  CHECK(slow.inbox.take() == Lines{"...", "one...two", "three"});
  CHECK(quick.inbox.take() == Lines{"...", "state ...", "one...two", "...state", "three'"});
}

TEST_CASE("delivery: a reader that closes during delivery gets nothing more", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], views, 1);
  a.inbox.open = false;
  a.inbox.congested = true;
  say(hall, "one");
  say(hall, "s", nullptr, SegmentPolicy::newest, 1);
  loops.settle();
  CHECK(a.inbox.take().empty());
  CHECK(a.seat.state_known == 0);
}

TEST_CASE("audience: states are not taken along to another view, the reader catches up on them", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], &views[0], 1);
  say(hall, "one");
  say(hall, "s8", nullptr, SegmentPolicy::newest, 7);
  say(hall, "two");
  {
    const std::lock_guard lock(hall->mutex);
    CHECK(hall->audience.change_view(a.lane, a.seat, &views[1], 1, a.inbox, ';') == "one;two");
  }
  CHECK(a.seat.state_known == 7);
}

namespace {

std::string long_text(char letter) { return std::string(900'000, letter); }
Lines beginnings(const Lines& lines) {
  Lines short_lines;
  for (const std::string& line : lines) short_lines.push_back(line.substr(0, 2));
  return short_lines;
}

}  // namespace

TEST_CASE("lane: many messages added in one turn are sent in batches of bounded size, in order", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], views, 1), b(*hall, loops[0], views, 2);
  loops.turn(0, [&] {
    for (const char letter : {'1', '2', '3', '4', '5', '6', '7'})
      say(hall, long_text(letter), letter == '2' ? &b : nullptr);
  });
  CHECK(beginnings(a.inbox.take()) == Lines{"11", "22", "33", "44", "55", "66", "77"});
  CHECK(beginnings(b.inbox.take()) == Lines{"11", "33", "44", "55", "66", "77"});
  CHECK(a.inbox.batches == 3);
  CHECK(a.lane->pending_size() == 0);
}

TEST_CASE("lane: other work of the loop runs between two batches", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], views, 1);
  std::vector<std::size_t> batches_seen;
  std::function<void()> look = [&] {
    batches_seen.push_back(a.inbox.batches);
    if (a.inbox.batches < 3) loops[0]->post(look);
  };
  loops.turn(0, [&] {
    for (int i = 0; i < 9; ++i) say(hall, long_text('x'));
    loops[0]->post(look);
  });
  CHECK(std::count(batches_seen.begin(), batches_seen.end(), 1) > 0);
  CHECK(std::count(batches_seen.begin(), batches_seen.end(), 2) > 0);
  CHECK(a.inbox.take().size() == 9);
}

TEST_CASE("lane: entering, leaving and flushing take every pending batch into account", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], &views[0], 1);
  loops.turn(0, [&] {
    for (const char letter : {'1', '2', '3', '4'}) say(hall, long_text(letter));
    Listener late(*hall, loops[0], &views[0], 2);
    say(hall, "5");
    SECTION("pending_size counts every batch") { CHECK(a.lane->pending_size() == 4 * 900'000 + 1); }
    SECTION("a new member gets what was sent since it entered") {
      late.lane->flush_now();
      CHECK(late.inbox.take() == Lines{"5"});
      CHECK(a.inbox.take().size() == 5);
      CHECK_FALSE(a.lane->has_pending());
    }
    SECTION("a reader that changes its view takes all of it along") {
      const std::lock_guard lock(hall->mutex);
      const std::string waiting = hall->audience.change_view(a.lane, a.seat, &views[1], 1, a.inbox, ';');
      CHECK(waiting == long_text('1') + ';' + long_text('2') + ';' + long_text('3') + ';' + long_text('4') + ";5");
    }
    late.leave(*hall);
  });
}

TEST_CASE("lane: the owner lives exactly until its pending messages are sent", "[lane]") {
  SteppedLoops loops;
  auto hall = std::make_shared<Hall>();
  const std::weak_ptr<Hall> weak = hall;
  Listener a(*hall, loops[0], views, 1);
  say(hall, "one");
  hall.reset();
  CHECK_FALSE(weak.expired());
  loops.settle();
  CHECK(a.inbox.take() == Lines{"one"});
  CHECK(weak.expired());
}

TEST_CASE("lane: a buffer is reused, unless a reader still holds it or it has grown large", "[lane]") {
  SteppedLoops loops;
  const auto hall = std::make_shared<Hall>();
  struct Keeper final : Outlet {
    std::vector<const std::string*> buffers;
    std::shared_ptr<std::string> kept;
    bool keep = false;
    void deliver(const Batch& batch, std::span<const Listed>, LaneSeat&) override {
      buffers.push_back(batch.bytes.get());
      if (keep) kept = batch.bytes;
    }
  } keeper;
  LaneSeat seat;
  std::shared_ptr<Lane> lane;
  {
    const std::lock_guard lock(hall->mutex);
    lane = hall->audience.enter({1, &keeper, loops[0]}, views, seat);
  }
  for (int i = 0; i < 6; ++i) {
    keeper.keep = i == 2;
    say(hall, std::to_string(i));
    loops.settle();
  }
  // Two buffers alternate; the one that is held keeps its text and is replaced.
  CHECK(keeper.buffers[0] == keeper.buffers[2]);
  CHECK(keeper.buffers[1] == keeper.buffers[3]);
  CHECK(keeper.buffers[4] != keeper.buffers[2]);
  CHECK(*keeper.kept == "2");
  say(hall, std::string(100'000, 'x'));
  loops.settle();
  say(hall, "y");
  loops.settle();
  CHECK(lane->pending_bytes().capacity() <= 4096);
}

TEST_CASE("lane: messages from several threads reach every loop in one order, each thread's in its own",
          "[lane][threads]") {
  constexpr int messages = 2000;
  std::vector<std::shared_ptr<Loop>> loops;
  std::vector<std::thread> runners;
  for (std::size_t i = 0; i < 2; ++i) loops.push_back(Loop::make(i, std::make_shared<SystemClock>(), nullptr));
  const auto hall = std::make_shared<Hall>();
  Listener a(*hall, loops[0], views, 1), b(*hall, loops[1], views, 2);
  for (const auto& loop : loops) runners.emplace_back([&loop] { loop->run(); });
  std::vector<std::thread> speakers;
  for (const char name : {'x', 'y'}) {
    speakers.emplace_back([&, name] {
      for (int i = 0; i < messages; ++i) say(hall, name + std::to_string(i));
    });
  }
  for (std::thread& speaker : speakers) speaker.join();
  for (const auto& loop : loops) loop->post([&loop] { loop->release_work(); });
  for (std::thread& runner : runners) runner.join();
  CHECK(a.inbox.lines.size() == 2 * messages);
  CHECK(a.inbox.lines == b.inbox.lines);
  for (const char name : {'x', 'y'}) {
    int next = 0;
    for (const std::string& line : a.inbox.lines) {
      if (line[0] == name) REQUIRE(line == name + std::to_string(next++));
    }
  }
}

}  // namespace lane_test
