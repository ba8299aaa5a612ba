#include "catch.hpp"

#include <flux/detail/features/presence_throttle.hpp>

namespace presence_throttle_test {

using namespace flux;
using namespace flux::features;
using namespace std::chrono_literals;

namespace {

using Update = PresenceThrottle::Update;

const features::Room::Settings settings{0ms, 1, 1, 1};
std::shared_ptr<features::Room> room(const char* id) {
  return std::make_shared<features::Room>(id, RoomOptions(), "epoch", settings);
}
const Clock::TimePoint start{1h};

}  // namespace

TEST_CASE("presence throttle: one update per interval, across rooms") {
  PresenceThrottle throttle;
  CHECK(throttle.pass(start, 100ms));
  CHECK_FALSE(throttle.pass(start + 99ms, 100ms));
  CHECK(throttle.ready() == start + 100ms);
  CHECK(throttle.pass(start + 100ms, 100ms));
  CHECK(throttle.ready() == start + 200ms);
}

TEST_CASE("presence throttle: without an interval every update passes") {
  PresenceThrottle throttle;
  for (int i = 0; i < 3; ++i) CHECK(throttle.pass(start, 0ms));
}

TEST_CASE("presence throttle: the newest update of each room is kept, in the order of their first ones") {
  PresenceThrottle throttle;
  const auto a = room("a");
  const auto b = room("b");
  CHECK(throttle.hold({a, "1"}));
  CHECK_FALSE(throttle.hold({b, "2"}));
  CHECK_FALSE(throttle.hold({a, "3"}));
  CHECK_FALSE(throttle.pass(start, 100ms));  // pending updates go first
  const auto taken = throttle.take(start, 100ms);
  REQUIRE(taken.size() == 2);
  CHECK(taken[0].room == a);
  CHECK(taken[0].presence == "3");
  CHECK(taken[1].presence == "2");
  CHECK_FALSE(throttle.pass(start + 99ms, 100ms));
  CHECK(throttle.pass(start + 100ms, 100ms));
}

TEST_CASE("presence throttle: a room that was left is forgotten") {
  PresenceThrottle throttle;
  const auto a = room("a");
  throttle.hold({a, "1"});
  throttle.forget(a);
  CHECK(throttle.take(start, 100ms).empty());
}

}  // namespace presence_throttle_test
