#include "catch.hpp"
#include "loop_fixture.hpp"

#include <deque>
#include <map>
#include <random>
#include <set>
#include <sstream>

namespace room_test {

using namespace flux;
using namespace flux::features;
using namespace flux::testing;
using namespace std::chrono_literals;

namespace {

constexpr auto interval = 25ms;

/// One room, and the members that are named.
class Scene {
 public:
  explicit Scene(RoomOptions options = {}, Room::Settings settings = {interval, 100, 10, 1000},
                 std::size_t loop_count = 1)
      : loops(loop_count), settings_(settings), room(std::make_shared<Room>("r", options, "epoch", settings_)) {}

  RoomMember& operator[](const std::string& name) {
    auto& member = members_[name];
    if (!member) member = std::make_unique<RoomMember>(name, loops[0], view);
    return *member;
  }
  /// The others join and everything is delivered; afterwards their inboxes are empty.
  void settled(const std::vector<std::string>& names) {
    for (const std::string& name : names) REQUIRE((*this)[name].join(room).ok());
    step();
    for (const std::string& name : names) (*this)[name].take();
  }
  void chat(const std::string& sender) {
    ChatMessage message;
    message.connection_id = sender;
    message.message = "hi";
    room->publish_chat(message);
  }
  void step() { loops.advance(interval); }
  Lines told(const std::string& name) {
    loops.settle();
    return (*this)[name].take();
  }

  TextView view;
  SteppedLoops loops;

 private:
  const Room::Settings settings_;

 public:
  std::shared_ptr<Room> room;

 private:
  std::map<std::string, std::unique_ptr<RoomMember>> members_;
};

RoomLife::State state_of(Scene& s) {
  return s.room->advance_life([](RoomLife& life) { return life.state(); });
}

}  // namespace

// --- Members ---

TEST_CASE("room: a joiner finds all members, itself included, with their newest presence", "[room]") {
  Scene s;
  s.settled({"A", "B"});
  s["A"].update(R"({"x":1})");
  REQUIRE(s["C"].join(s.room, R"({"c":3})").ok());
  CHECK(s["C"].snapshot == R"(A{"x":1} B{} C{"c":3})");
  CHECK(s["C"].position == Position{"epoch", 0});
  CHECK(s.room->member_keys() == std::vector<core::SessionKey>{s["A"].key(), s["B"].key(), s["C"].key()});
}

TEST_CASE("room: at capacity the next joiner is refused and nobody notices; a freed seat can be taken", "[room]") {
  Scene s({.capacity = 2});
  s.settled({"A", "B"});
  const auto refused = s["C"].join(s.room);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == Errc::room_full);
  s.step();
  CHECK(s.told("A").empty());
  CHECK(s.room->info().members == 2);
  s["A"].leave();
  CHECK(s["C"].join(s.room).ok());
}

TEST_CASE("room: its capacity is never above the server's", "[room]") {
  CHECK(Scene({.capacity = 1000}).room->info().capacity == 100);
  CHECK(Scene({.capacity = 0}).room->info().capacity == 100);
  CHECK(Scene({.capacity = 7}).room->info().capacity == 7);
}

TEST_CASE("room: members leave in any order, the others remain reachable", "[room]") {
  Scene s;
  s.settled({"A", "B", "C", "D"});
  s["A"].leave();
  s["C"].leave();
  REQUIRE(s["D"].publish("hi").ok());
  CHECK(s.told("B") == Lines{"event hi from D"});
  CHECK(s.told("A").empty());
  s["D"].update(R"({"d":1})");
  s.step();
  CHECK(s.told("B") == Lines{R"(presence ~D{"d":1} -A -C)"});
  s["D"].leave();
  s["B"].leave();
  CHECK(s.room->info().members == 0);
}

TEST_CASE("room: presence() lists the members in the order of their joins", "[room]") {
  Scene s;
  s["B"].identity = std::make_shared<const Identity>(Identity{"u", "Bea", "", "", true});
  s.settled({"A", "B", "C", "D"});
  s["A"].leave();  // the last member takes its index
  const auto list = s.room->presence();
  REQUIRE(list.size() == 3);
  CHECK(list[0].connection_id == "B");
  CHECK(list[0].identity.name == "Bea");
  CHECK(list[1].connection_id == "C");
  CHECK(list[1].identity == Identity{});
  CHECK(list[2].connection_id == "D");
}

TEST_CASE("room: once ended it refuses joins and messages and tells its members why", "[room]") {
  Scene s;
  s.settled({"A", "B"});
  s.room->end("closed by the owner");
  s.room->end("again");
  CHECK(s.told("A") == Lines{"closed r: closed by the owner"});
  CHECK(s["C"].join(s.room).error().code() == Errc::room_not_found);
  CHECK(s["A"].publish("hi").error().code() == Errc::room_not_found);
  CHECK(s["A"].share("{}").error().code() == Errc::room_not_found);
  s.chat("A");
  s["A"].leave();
  s.step();
  CHECK(s.told("B") == Lines{"closed r: closed by the owner"});
  CHECK(s["B"].catch_up(1).empty());
}

TEST_CASE("room: a member changes its transport, pending messages move along, none is lost or repeated", "[room]") {
  Scene s;
  TextView other;
  s.settled({"A", "B"});
  s.loops[0]->post([&] {
    REQUIRE(s["A"].publish("one").ok());
    CHECK(s["B"].change_view(other) == "event one from A");
    REQUIRE(s["A"].publish("two").ok());
  });
  CHECK(s.told("B") == Lines{"event two from A"});
  CHECK(s["B"].view() == static_cast<const RoomView*>(&other));
  REQUIRE(s["B"].publish("three").ok());
  CHECK(s.told("A") == Lines{"event three from B"});
  CHECK(s.told("B").empty());
  s["B"].leave();
  REQUIRE(s["A"].publish("four").ok());
  CHECK(s.told("B").empty());
}

TEST_CASE("room: its life follows its members, and ends after the linger", "[room]") {
  using State = RoomLife::State;
  Scene s;
  CHECK(state_of(s) == State::fresh);
  s.settled({"A", "B"});
  CHECK(state_of(s) == State::occupied);
  s["A"].leave();
  CHECK(state_of(s) == State::occupied);
  s.loops.advance(10ms);
  const auto left = s.loops.clock()->now();
  s["B"].leave();
  CHECK(state_of(s) == State::deserted);
  s.room->advance_life([&](RoomLife& life) {
    CHECK(life.begin_linger());
    CHECK(life.linger_over(left - 1ms) == left);
    CHECK_FALSE(life.linger_over(left));
    CHECK(life.ended());
  });
  CHECK(s["B"].join(s.room).error().code() == Errc::room_not_found);
}

TEST_CASE("room: only an empty room ends by itself, and never a permanent one", "[room]") {
  Scene s;
  s.settled({"A"});
  const auto end_if_empty = [](Scene& scene) {
    return scene.room->advance_life([](RoomLife& life) { return life.end_if_empty(); });
  };
  CHECK_FALSE(end_if_empty(s));
  s["A"].leave();
  CHECK(end_if_empty(s));
  CHECK_FALSE(end_if_empty(s));
  CHECK(s["B"].join(s.room).error().code() == Errc::room_not_found);
  Scene permanent({.permanent = true});
  CHECK_FALSE(end_if_empty(permanent));
}

// --- Messages ---

TEST_CASE("room: an event reaches the others once, in order, and never its sender", "[room]") {
  Scene s;
  s.settled({"A", "B", "C"});
  CHECK(s["A"].publish("1").value() == Position{"epoch", 1});
  CHECK(s["B"].publish("2").value() == Position{"epoch", 2});
  CHECK(s["A"].publish("3").value() == Position{"epoch", 3});
  s.loops.settle();
  CHECK(s.told("A") == Lines{"event 2 from B"});
  CHECK(s.told("B") == Lines{"event 1 from A", "event 3 from A"});
  CHECK(s.told("C") == Lines{"event 1 from A", "event 2 from B", "event 3 from A"});
}

TEST_CASE("room: messages of the application reach everybody", "[room]") {
  Scene s;
  s.settled({"A", "B"});
  REQUIRE(s.room->publish(nullptr, {"r", server_connection_id, "u1", "news", R"({"n":1})"}).ok());
  CHECK(s.told("A") == Lines{R"(event news from server/u1 {"n":1})"});
  CHECK(s.told("B").size() == 1);
}

TEST_CASE("room: publishing alone advances the position and sends nothing", "[room]") {
  Scene s;
  s.settled({"A"});
  CHECK(s["A"].publish("1").value().offset == 1);
  CHECK(s.told("A").empty());
  REQUIRE(s["B"].join(s.room).ok());
  CHECK(s["B"].position.offset == 1);
  CHECK(s.told("B").empty());
}

TEST_CASE("room: chat reaches all members, the sender too, and advances the position", "[room]") {
  Scene s;
  s.settled({"A", "B"});
  s.chat("A");
  CHECK(s.told("A") == Lines{"chat hi from A"});
  CHECK(s.told("B") == Lines{"chat hi from A"});
  CHECK(s.room->info().position.offset == 1);
}

TEST_CASE("room: a joiner does not get messages published earlier in the same turn", "[room]") {
  Scene s;
  s.settled({"A", "B"});
  s.loops.turn(0, [&] {
    REQUIRE(s["A"].publish("before").ok());
    REQUIRE(s["C"].join(s.room).ok());
    REQUIRE(s["A"].publish("after").ok());
  });
  CHECK(s["C"].position.offset == 1);
  CHECK(s.told("C") == Lines{"event after from A"});
  CHECK(s.told("B") == Lines{"event before from A", "event after from A"});
}

TEST_CASE("room: messages published in one turn reach a member as one batch", "[room]") {
  Scene s;
  s.settled({"A", "B"});
  const std::size_t before = s["B"].inbox.batches;
  s.loops.turn(0, [&] {
    for (int i = 0; i < 10; ++i) REQUIRE(s["A"].publish("e").ok());
  });
  CHECK(s.told("B").size() == 10);
  CHECK(s["B"].inbox.batches == before + 1);
}

TEST_CASE("room: members on different loops get the same messages", "[room]") {
  Scene s({}, {interval, 100, 10, 1000}, 2);
  RoomMember far("F", s.loops[1], s.view);
  s.settled({"A"});
  REQUIRE(far.join(s.room).ok());
  s.step();
  CHECK(s.told("A") == Lines{"presence +F{}"});
  CHECK(far.take().empty());
  REQUIRE(s["A"].publish("1").ok());
  REQUIRE(far.publish("2").ok());
  s.loops.settle();
  CHECK(far.take() == Lines{"event 1 from A"});
  CHECK(s.told("A") == Lines{"event 2 from F"});
}

// --- Data ---

TEST_CASE("room: mode live keeps no data and sends it to the others", "[room]") {
  Scene s;
  s.settled({"A", "B"});
  CHECK(s["A"].share("1").value().offset == 1);
  CHECK(s.told("A").empty());
  CHECK(s.told("B") == Lines{"data 1 at 1"});
  CHECK(s.room->items().empty());
}

TEST_CASE("room: mode singleton keeps the newest item and sends it to all", "[room]") {
  Scene s({.mode = RoomMode::singleton});
  s.settled({"A", "B"});
  REQUIRE(s["A"].share("1").ok());
  REQUIRE(s["B"].share("2").ok());
  CHECK(s.told("A") == Lines{"data 1 at 1", "data 2 at 2"});
  REQUIRE(s.room->items().size() == 1);
  CHECK(s.room->items()[0].data.text() == "2");
  CHECK(s.room->items()[0].offset == 2);
  REQUIRE(s["C"].join(s.room).ok());
  CHECK(s["C"].items == 1);
  CHECK(s["C"].mode == RoomMode::singleton);
}

TEST_CASE("room: mode history keeps the newest items within its counts of items and bytes", "[room]") {
  const auto kept = [](Scene& s) {
    std::string list;
    for (const SharedItem& item : s.room->items()) list += std::to_string(item.offset) + ' ';
    return list;
  };
  SECTION("items") {
    Scene s({.mode = RoomMode::history}, {interval, 100, 3, 1000});
    s.settled({"A"});
    for (int i = 0; i < 5; ++i) REQUIRE(s["A"].share("1").ok());
    CHECK(kept(s) == "3 4 5 ");
    CHECK(s.told("A").size() == 5);
  }
  SECTION("bytes") {
    Scene s({.mode = RoomMode::history}, {interval, 100, 100, 10});
    s.settled({"A"});
    for (int i = 0; i < 3; ++i) REQUIRE(s["A"].share("12345").ok());
    CHECK(kept(s) == "2 3 ");
    REQUIRE(s["A"].share("123456").ok());
    CHECK(kept(s) == "4 ");
    REQUIRE(s["A"].share("1234").ok());
    CHECK(kept(s) == "4 5 ");
  }
  SECTION("the newest stays, whatever its size") {
    Scene s({.mode = RoomMode::history}, {interval, 100, 100, 10});
    s.settled({"A"});
    REQUIRE(s["A"].share("1").ok());
    REQUIRE(s["A"].share(std::string(50, '7')).ok());
    CHECK(kept(s) == "2 ");
    REQUIRE(s["A"].share("1").ok());
    CHECK(kept(s) == "3 ");
  }
}

// --- Presence ---

TEST_CASE("presence: changes within an interval are sent as one frame with the newest entry of each",
          "[room][presence]") {
  Scene s;
  s.settled({"A", "B", "C"});
  for (int i = 0; i < 5; ++i) s["A"].update("{\"a\":" + std::to_string(i) + "}");
  s["B"].update(R"({"b":1})");
  s.loops.advance(interval - 1ms);
  CHECK(s.told("C").empty());
  s.loops.advance(1ms);
  CHECK(s.told("C") == Lines{R"(presence ~A{"a":4} ~B{"b":1})"});
  s.loops.advance(10 * interval);
  CHECK(s.told("C").empty());
}

TEST_CASE("presence: no member gets a frame that holds only its own entry", "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  s["A"].update(R"({"a":1})");
  s.step();
  CHECK(s.told("A").empty());
  CHECK(s.told("B") == Lines{R"(presence ~A{"a":1})"});
  // If others have changed too, all members get the same frame.
  s["A"].update(R"({"a":2})");
  s["B"].update(R"({"b":2})");
  s.step();
  CHECK(s.told("A") == Lines{R"(presence ~A{"a":2} ~B{"b":2})"});
  CHECK(s.told("B") == Lines{R"(presence ~A{"a":2} ~B{"b":2})"});
}

TEST_CASE("presence: a lone member is sent nothing, and its changes are in the next joiner's snapshot",
          "[room][presence]") {
  Scene s;
  REQUIRE(s["A"].join(s.room).ok());
  s["A"].update(R"({"a":1})");
  s.step();
  CHECK(s.told("A").empty());
  REQUIRE(s["B"].join(s.room).ok());
  s.step();
  CHECK(s["B"].snapshot == R"(A{"a":1} B{})");
  CHECK(s.told("B").empty());
  CHECK(s.told("A") == Lines{"presence +B{}"});
}

TEST_CASE("presence: a joiner's snapshot includes pending changes, and they are not sent to it again",
          "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  s["A"].update(R"({"a":1})");
  s["B"].leave();
  REQUIRE(s["C"].join(s.room).ok());
  CHECK(s["C"].snapshot == R"(A{"a":1} C{})");
  s.step();
  CHECK(s.told("C").empty());
  CHECK(s.told("A") == Lines{R"(presence +C{} ~A{"a":1} -B)"});
}

TEST_CASE("presence: a joiner is sent changes made after it joined within the interval", "[room][presence]") {
  Scene s;
  s.settled({"A"});
  REQUIRE(s["C"].join(s.room).ok());
  s["A"].update(R"({"a":1})");
  s.step();
  CHECK(s.told("C") == Lines{R"(presence +C{} ~A{"a":1})"});
}

TEST_CASE("presence: joins within one interval, each joiner is told of later ones, the last of none",
          "[room][presence]") {
  Scene s;
  for (const char* name : {"A", "B", "C"}) REQUIRE(s[name].join(s.room).ok());
  s.step();
  CHECK(s.told("A") == Lines{"presence +A{} +B{} +C{}"});
  CHECK(s.told("B") == Lines{"presence +A{} +B{} +C{}"});
  CHECK(s.told("C").empty());
}

TEST_CASE("presence: a join and leave within the interval cancel out", "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  REQUIRE(s["C"].join(s.room).ok());
  s["C"].update(R"({"c":1})");
  s["C"].leave();
  s.step();
  CHECK(s.told("A").empty());
  CHECK(s.told("B").empty());
  // They are also left out of a frame that is sent for another member.
  REQUIRE(s["C"].join(s.room).ok());
  s["C"].leave();
  s["A"].update(R"({"a":1})");
  s.step();
  CHECK(s.told("B") == Lines{R"(presence ~A{"a":1})"});
}

TEST_CASE("presence: a leave that cancels a join still reaches a member that found the leaver in its snapshot",
          "[room][presence]") {
  Scene s;
  s.settled({"A"});
  REQUIRE(s["C"].join(s.room).ok());
  REQUIRE(s["D"].join(s.room).ok());
  CHECK(s["D"].snapshot == "A{} C{} D{}");
  s["C"].leave();
  s.step();
  CHECK(s.told("D") == Lines{"presence +D{} -C"});
}

TEST_CASE("presence: a leave that cancels a join is dropped once no member is left that found the leaver",
          "[room][presence]") {
  Scene s;
  s.settled({"A"});
  REQUIRE(s["C"].join(s.room).ok());
  REQUIRE(s["D"].join(s.room).ok());
  s["C"].leave();
  s["D"].leave();
  s.step();
  CHECK(s.told("A").empty());
}

TEST_CASE("presence: a join, leave and join within the interval is one join", "[room][presence]") {
  Scene s;
  s.settled({"A"});
  REQUIRE(s["C"].join(s.room).ok());
  REQUIRE(s["D"].join(s.room).ok());  // finds C, so C's leave must be sent
  s["C"].leave();
  REQUIRE(s["C"].join(s.room, R"({"c":2})").ok());
  s.step();
  CHECK(s.told("A") == Lines{R"(presence +D{} +C{"c":2})"});
}

TEST_CASE("presence: two joins and leaves within the interval still reach a member that found the leaver at first",
          "[room][presence]") {
  Scene s;
  s.settled({"A"});
  REQUIRE(s["C"].join(s.room).ok());
  REQUIRE(s["D"].join(s.room).ok());
  s["C"].leave();
  REQUIRE(s["C"].join(s.room).ok());
  s["C"].leave();
  s.step();
  CHECK(s.told("D") == Lines{"presence +D{} -C"});
}

TEST_CASE("presence: a leave and join of the same connection within the interval is an update", "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  s["B"].leave();
  REQUIRE(s["B"].join(s.room, R"({"b":2})").ok());
  s.step();
  CHECK(s.told("A") == Lines{R"(presence ~B{"b":2})"});
  CHECK(s.told("B").empty());
}

TEST_CASE("presence: a member that left and came back does not get the content of its new snapshot again",
          "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  s["A"].update(R"({"a":1})");
  s["B"].leave();
  REQUIRE(s["B"].join(s.room).ok());
  CHECK(s["B"].snapshot == R"(A{"a":1} B{})");
  s.step();
  CHECK(s.told("B").empty());
  CHECK(s.told("A") == Lines{R"(presence ~A{"a":1} ~B{})"});
}

TEST_CASE("presence: a leave, join and leave within the interval is one leave", "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  s["B"].leave();
  REQUIRE(s["B"].join(s.room).ok());
  s["B"].leave();
  s.step();
  CHECK(s.told("A") == Lines{"presence -B"});
}

TEST_CASE("presence: an update and leave within the interval is a leave only", "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  s["B"].update(R"({"b":1})");
  s["B"].leave();
  s.step();
  CHECK(s.told("A") == Lines{"presence -B"});
}

TEST_CASE("presence: with an interval of 0 every change is sent at once", "[room][presence]") {
  Scene s({}, {0ms, 100, 10, 1000});
  REQUIRE(s["A"].join(s.room).ok());
  CHECK(s.told("A").empty());
  REQUIRE(s["B"].join(s.room).ok());
  CHECK(s.told("A") == Lines{"presence +B{}"});
  s["B"].update(R"({"b":1})");
  s["B"].update(R"({"b":2})");
  CHECK(s.told("A") == Lines{R"(presence ~B{"b":1})", R"(presence ~B{"b":2})"});
  s["B"].leave();
  CHECK(s.told("A") == Lines{"presence -B"});
  CHECK(s.told("B").empty());
}

TEST_CASE("presence: a sender's join is sent before its first message, and only once", "[room][presence]") {
  Scene s;
  s.settled({"A"});
  REQUIRE(s["B"].join(s.room).ok());
  SECTION("event") {
    REQUIRE(s["B"].publish("hi").ok());
    CHECK(s.told("A") == Lines{"presence +B{}", "event hi from B"});
  }
  SECTION("data") {
    REQUIRE(s["B"].share("1").ok());
    CHECK(s.told("A") == Lines{"presence +B{}", "data 1 at 1"});
  }
  SECTION("chat") {
    s.chat("B");
    CHECK(s.told("A") == Lines{"presence +B{}", "chat hi from B"});
  }
  s.step();
  CHECK(s.told("A").empty());
}

TEST_CASE("presence: an event of a known member does not send pending changes early", "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  s["B"].update(R"({"b":1})");
  REQUIRE(s["B"].publish("hi").ok());
  CHECK(s.told("A") == Lines{"event hi from B"});
  s.step();
  CHECK(s.told("A") == Lines{R"(presence ~B{"b":1})"});
}

TEST_CASE("presence: the member whose loop times the interval may leave, the others are still told",
          "[room][presence]") {
  Scene s({}, {interval, 100, 10, 1000}, 2);
  s.settled({"A", "B"});
  auto far = std::make_unique<RoomMember>("F", s.loops[1], s.view);
  REQUIRE(far->join(s.room).ok());
  s["B"].update(R"({"b":1})");
  far.reset();
  s.step();
  CHECK(s.told("A") == Lines{R"(presence ~B{"b":1})"});
}

TEST_CASE("presence: after a room is destroyed its interval timer does nothing", "[room][presence]") {
  Scene s;
  s.settled({"A"});
  s["A"].update("{}");
  s["A"].leave();
  const std::weak_ptr<Room> weak = s.room;
  s.room.reset();
  CHECK(weak.expired());
  s.step();
}

// --- Slow readers ---

TEST_CASE("catch-up: a slow reader gets the newest state of everything it missed, in one frame", "[room][presence]") {
  Scene s;
  s.settled({"A", "B", "C", "D"});
  s["B"].update(R"({"b":1})");
  s.step();
  REQUIRE(s.told("A").size() == 1);
  const std::uint64_t known = s["A"].inbox.state_before;  // as if that frame had been held back
  s["B"].update(R"({"b":2})");
  s["C"].leave();
  REQUIRE(s["E"].join(s.room, R"({"e":1})").ok());
  s["A"].update(R"({"a":1})");
  s.step();
  s.told("A");
  CHECK(s["A"].catch_up(known) == R"(presence +E{"e":1} ~B{"b":2} -C)");
  CHECK(s["A"].catch_up(0).empty());
}

TEST_CASE("catch-up: a reader that missed nothing is sent nothing", "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  s["A"].update(R"({"a":1})");
  s.step();
  REQUIRE(s.told("B").size() == 1);
  // Only its own change came after its known state.
  CHECK(s["A"].catch_up(s["B"].inbox.state_before).empty());
}

TEST_CASE("catch-up: a member that left and returned meanwhile is not reported as left", "[room][presence]") {
  Scene s;
  s.settled({"A", "B", "C"});
  s["C"].update(R"({"c":1})");
  s.step();
  s.told("A");
  const std::uint64_t known = s["A"].inbox.state_before;
  s["B"].leave();
  s.step();
  REQUIRE(s["B"].join(s.room, R"({"b":2})").ok());
  s.step();
  CHECK(s["A"].catch_up(known) == R"(presence +B{"b":2} ~C{"c":1})");
}

TEST_CASE("catch-up: a member that left more than once is named once", "[room][presence]") {
  Scene s;
  s.settled({"A", "B", "C"});
  s["C"].update(R"({"c":1})");
  s.step();
  s.told("A");
  const std::uint64_t known = s["A"].inbox.state_before;
  for (int i = 0; i < 2; ++i) {
    s["B"].leave();
    s.step();
    if (i == 0) REQUIRE(s["B"].join(s.room).ok());
    s.step();
  }
  CHECK(s["A"].catch_up(known) == R"(presence ~C{"c":1} -B)");
}

TEST_CASE("catch-up: a pending join is not sent early, so that its leave can cancel it", "[room][presence]") {
  Scene s;
  s.settled({"A", "B"});
  s["B"].update(R"({"b":1})");
  s.step();
  s.told("A");
  const std::uint64_t known = s["A"].inbox.state_before;
  REQUIRE(s["C"].join(s.room).ok());
  CHECK(s["A"].catch_up(known) == R"(presence ~B{"b":1})");
  s["C"].leave();
  s.step();
  CHECK(s.told("A").empty());
}

TEST_CASE("catch-up: a reader older than the remembered leavers can't catch up", "[room][presence]") {
  Scene s({}, {interval, 2000, 10, 1000});
  s.settled({"A", "B"});
  s["B"].update("{}");
  s.step();
  s.told("A");
  const std::uint64_t known = s["A"].inbox.state_before;
  std::uint64_t later = 0;
  for (int i = 0; i < 1025; ++i) {
    RoomMember visitor("V" + std::to_string(i), s.loops[0], s.view);
    REQUIRE(visitor.join(s.room).ok());
    s.step();
    visitor.leave();
    s.step();
    if (i == 1000) later = s["A"].inbox.state_before;
    if (i < 1024) continue;
    CHECK(s["A"].catch_up(known) == "too late");
    const std::string mended = s["A"].catch_up(later);
    CHECK(mended.substr(0, 14) == "presence -V100");
    CHECK(mended.substr(mended.size() - 6) == "-V1024");
  }
}

TEST_CASE("catch-up: a reader that missed more than may be sent at once can't catch up", "[room][presence]") {
  Scene s({}, {interval, 100, 10, 1000, 1'000});
  s.settled({"A", "B", "C"});
  const std::string large = "{\"x\":\"" + std::string(600, 'x') + "\"}";
  s["B"].update(large);
  s.step();
  s.told("A");
  const std::uint64_t known = s["A"].inbox.state_before;
  CHECK(s["A"].catch_up(known) == "presence ~B" + large);
  s["C"].update(large);
  s.step();
  CHECK(s["A"].catch_up(known) == "too late");
}

// --- Everything together ---

TEST_CASE("presence: random changes, after every interval each member's view equals the room's", "[room][presence]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> names = {"A", "B", "C", "D", "E"};
  Scene s;
  std::map<std::string, std::map<std::string, std::string>> pictures;  // of the current members
  const auto split = [](const std::string& entry) {
    const std::size_t brace = entry.find('{');
    return std::pair(entry.substr(0, brace), entry.substr(brace));
  };
  const auto read = [&](const std::string& name) {
    for (const std::string& line : s.told(name)) {
      if (line.substr(0, 8) != "presence") continue;
      std::istringstream words(line.substr(8));
      std::set<std::string> others;
      for (std::string word; words >> word;) {
        if (word[0] == '-') {
          pictures[name].erase(word.substr(1));
          others.insert(word.substr(1));
        } else {
          const auto [id, presence] = split(word.substr(1));
          pictures[name][id] = presence;
          if (id != name) others.insert(id);
        }
      }
      CHECK_FALSE(others.empty());
    }
  };
  for (int round = 0; round < 2000; ++round) {
    const std::string& name = names[random() % names.size()];
    const std::string presence = "{\"n\":" + std::to_string(round) + "}";
    const bool in = pictures.count(name) != 0;
    switch (random() % 6) {
      case 0:
      case 1:
        if (in) {
          s[name].leave();
          s[name].take();
          pictures.erase(name);
        } else {
          REQUIRE(s[name].join(s.room, presence).ok());
          std::istringstream words(s[name].snapshot);
          for (std::string word; words >> word;) pictures[name].insert(split(word));
        }
        break;
      case 2:
        if (!in) break;
        s[name].update(presence);
        pictures[name][name] = presence;
        break;
      case 3:
        if (in) REQUIRE(s[name].publish("e").ok());
        break;
      default:
        s.step();
        std::map<std::string, std::string> truth;
        for (const Member& member : s.room->presence()) truth[member.connection_id] = member.presence.text();
        for (const auto& [reader, unused] : pictures) read(reader);
        for (const auto& [reader, picture] : pictures) {
          INFO("round " << round << ", member " << reader);
          REQUIRE(picture == truth);
        }
    }
    for (const auto& [reader, unused] : pictures) read(reader);
  }
}

// --- Bounds ---

TEST_CASE("room: messages published faster than they are sent are refused, and all accepted ones arrive", "[room]") {
  Scene s({}, {interval, 100, 10, 1000, no_limit, 100});
  s.settled({"A", "B"});
  int taken = 0;
  Result<Position> last = s["A"].publish("e0");
  for (; last && taken < 100; last = s["A"].publish("e" + std::to_string(taken))) ++taken;
  REQUIRE_FALSE(last);
  CHECK(last.error().code() == Errc::overloaded);
  CHECK(taken < 20);  // of about 10 bytes each
  CHECK(s["A"].share("1").error().code() == Errc::overloaded);
  CHECK(s.room->takes_messages().error().code() == Errc::overloaded);
  s.chat("A");  // is already stored, so it is sent nevertheless
  const Lines lines = s.told("B");
  REQUIRE(lines.size() == static_cast<std::size_t>(taken) + 1);
  for (int i = 0; i < taken; ++i)
    CHECK(lines[static_cast<std::size_t>(i)] == "event e" + std::to_string(i) + " from A");
  CHECK(s.room->info().position.offset == static_cast<Offset>(taken) + 1);
  CHECK(s["A"].publish("later").ok());
  CHECK(s.told("B") == Lines{"event later from A"});
}

TEST_CASE("catch-up: a slow reader gets the newest event of each key that it missed, pending ones included", "[room]") {
  Scene s;
  s.settled({"A", "B"});
  const auto cursor = [&](const char* key, const char* value) {
    const std::string payload = value;
    return s.room->publish_newest(key, {s.room->id(), "server", {}, key, payload});
  };
  REQUIRE(cursor("x", "0").ok());
  s.step();
  CHECK(s.told("A") == Lines{"event x from server 0"});
  s["A"].inbox.congested = true;
  for (const char* value : {"1", "2", "3"}) {
    REQUIRE(cursor("x", value).ok());
    REQUIRE(cursor("y", value).ok());
    s.step();
  }
  CHECK(s.told("A").empty());
  CHECK(s["A"].inbox.held_back == 6);
  s["A"].inbox.congested = false;
  REQUIRE(cursor("x", "4").ok());
  // "x 4" is still pending in the lane; it is not sent twice.
  CHECK(s["A"].catch_up() == "event y from server 3; event x from server 4");
  s.step();
  CHECK(s.told("A").empty());
  CHECK(s.told("B").size() == 8);
  REQUIRE(cursor("x", "5").ok());
  s.step();
  CHECK(s.told("A") == Lines{"event x from server 5"});
}

TEST_CASE("catch-up: a slow reader gets no newest event that was for others", "[room]") {
  Scene s;
  s.settled({"A", "B"});
  const auto cursor = [&](const char* key, bool only) {
    auto to = std::make_shared<const Addressees>(only, std::vector<core::SessionKey>{s["A"].key()});
    return s.room->publish_newest(key, {s.room->id(), "server", {}, key, "1"}, std::move(to));
  };
  s["A"].inbox.congested = s["B"].inbox.congested = true;
  REQUIRE(s.room->publish_newest("all", {s.room->id(), "server", {}, "all", "1"}).ok());
  REQUIRE(cursor("to A", true).ok());
  REQUIRE(cursor("not A", false).ok());
  s.step();
  CHECK(s["A"].catch_up() == "event all from server 1; event to A from server 1");
  CHECK(s["B"].catch_up() == "event all from server 1; event not A from server 1");
}

TEST_CASE("room: lists of recipients that are pending are bounded, too", "[room]") {
  Scene s({}, {.presence_interval = interval,
               .members_max = 100,
               .history_items_max = 10,
               .history_bytes_max = 1000,
               .fanout_bytes_max = 1000});
  s.settled({"A", "B"});
  const Addressees both(false, {s["A"].key(), s["B"].key()});
  std::size_t taken = 0;
  while (s.room->publish_to(&both, {s.room->id(), "server", {}, "e", {}}, core::SegmentPolicy::all).ok()) ++taken;
  CHECK(taken == (1000 + 2 * sizeof(core::Listed) - 1) / (2 * sizeof(core::Listed)));
  CHECK(s.room->publish_to(nullptr, {s.room->id(), "server", {}, "e", {}}).ok());
  s.step();
  CHECK(s.room->publish_to(&both, {s.room->id(), "server", {}, "e", {}}).ok());
  CHECK(s.told("A") == Lines{"event e from server"});
}

TEST_CASE("newest events: bounded by keys and bytes, and it is known what was forgotten", "[room]") {
  NewestEvents newest(2, 100);
  const auto after = [&](std::uint64_t number) {
    std::string keys;
    newest.for_each_after(number, [&](const NewestEvents::Entry& entry) { keys += entry.key + entry.payload; });
    return keys;
  };
  newest.put({"a", "e", "1", 5});
  newest.put({"b", "e", "1", 6});
  newest.put({"a", "e", "2", 7});
  CHECK(after(0) == "b1a2");
  CHECK(after(6) == "a2");
  CHECK(newest.covers(0));  // a replaced event is not a forgotten one
  newest.put({"c", "e", "1", 8});
  CHECK(after(0) == "a2c1");
  CHECK_FALSE(newest.covers(5));
  CHECK(newest.covers(6));
  newest.put({"d", "e", std::string(200, 'x'), 9});
  CHECK(after(0) == "d" + std::string(200, 'x'));
  CHECK_FALSE(newest.covers(7));
  CHECK(newest.covers(8));
}

}  // namespace room_test
