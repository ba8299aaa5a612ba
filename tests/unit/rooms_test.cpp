#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/features/rooms.hpp>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <random>
#include <set>
#include <thread>

namespace rooms_test {

using namespace flux;
using namespace flux::features;
using namespace flux::testing;
using namespace std::chrono_literals;

namespace {

Config config_of(std::size_t rooms_max) {
  Config config;
  config.limits.rooms_max = rooms_max;
  config.limits.room_id_bytes_max = 8;
  return config;
}

/// Names of 16 characters that have the same libstdc++ `std::hash`, whose seed is public: its function (Murmur) can be
/// inverted, so the second half compensates for the first.
std::vector<std::string> names_with_one_hash(std::size_t count) {
  constexpr std::uint64_t mul = 0xc6a4a7935bd1e995;
  const auto mix = [](std::uint64_t v) { return v ^ (v >> 47); };  // its own inverse
  std::uint64_t inverse = mul;
  for (int i = 0; i < 6; ++i) inverse *= 2 - mul * inverse;
  std::mt19937_64 random(1);
  std::vector<std::string> names;
  while (names.size() < count) {
    std::uint64_t first = 0;
    for (int i = 0; i < 8; ++i) first = first << 8 | (0x30 + random() % 0x40);
    const std::uint64_t before = ((0xc70f6907 ^ (16 * mul)) ^ (mix(first * mul) * mul)) * mul;
    const std::uint64_t second = mix(before * inverse) * inverse;
    std::string name(16, ' ');
    for (std::size_t i = 0; i < 8; ++i) {
      name[i] = static_cast<char>(first >> (8 * i));
      name[8 + i] = static_cast<char>(second >> (8 * i));
    }
    if (std::all_of(name.begin(), name.end(), [](char c) { return c >= 0x20 && c < 0x7f; })) names.push_back(name);
  }
  return names;
}

bool begin_linger(const std::shared_ptr<Room>& room) {
  return room->advance_life([](RoomLife& life) { return life.begin_linger(); });
}
std::optional<Clock::TimePoint> linger_over(const std::shared_ptr<Room>& room, Clock::TimePoint horizon) {
  return room->advance_life([&](RoomLife& life) { return life.linger_over(horizon); });
}

std::chrono::nanoseconds cpu_time() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

TEST_CASE("rooms: names that collide in std::hash cost no more than others", "[rooms]") {
  constexpr std::size_t count = 1500;
  const auto colliding = names_with_one_hash(count);
  if (std::hash<std::string>{}(colliding.front()) != std::hash<std::string>{}(colliding.back())) {
    return;  // another library's hash
  }
  auto config = config_of(count);
  config.limits.room_id_bytes_max = 16;
  const auto time_of = [&](const std::vector<std::string>& names) {
    Rooms rooms(config, 1);
    for (const std::string& name : names) REQUIRE(rooms.create(name, {}).ok());
    const auto before = cpu_time();
    for (int i = 0; i < 10; ++i) {
      for (const std::string& name : names) {
        if (rooms.find(name) == nullptr) FAIL("not found");
      }
    }
    return cpu_time() - before;
  };
  std::vector<std::string> others;
  for (std::size_t i = 0; i < count; ++i) others.push_back("an ordinary " + std::to_string(1000 + i));
  const auto ordinary = time_of(others);
  const auto attack = time_of(colliding);
  INFO("colliding " << attack.count() << " ns, others " << ordinary.count() << " ns");
  CHECK(attack < ordinary * 4);
}

TEST_CASE("rooms: a name has from 1 to the limit of bytes of UTF-8 without control characters", "[rooms]") {
  const Rooms rooms(config_of(10), 1);
  for (const char* id : {"a", "12345678", " ", "\xC3\xA9\xE2\x82\xAC", "\xF0\x9F\x98\x80\xF0\x9F\x98\x80", "a/b\"\\"}) {
    INFO(id);
    CHECK(rooms.check_id(id).ok());
  }
  for (const std::string& id : {std::string(), std::string("123456789"), std::string("a\0b", 3), std::string("a\nb"),
                                std::string("\x7F"), std::string("\xC3"), std::string("\xED\xA0\x80")}) {
    INFO(id);
    CHECK(rooms.check_id(id).error().code() == Errc::invalid_argument);
  }
}

TEST_CASE("rooms: a room is created once, and found by its name", "[rooms]") {
  Rooms rooms(config_of(10), 1);
  CHECK(rooms.find("a") == nullptr);
  const auto made = rooms.create("a", {.mode = RoomMode::history, .capacity = 5}).value();
  CHECK(rooms.create("a", {}).error().code() == Errc::room_exists);
  CHECK(rooms.find("a") == made);
  CHECK(rooms.find_or_create("a").value() == made);
  CHECK(made->info().mode == RoomMode::history);
  CHECK(made->info().capacity == 5);
  CHECK(rooms.find_or_create("b").value()->info().mode == RoomMode::live);
  CHECK(rooms.size() == 2);
  CHECK(rooms.all().size() == 2);
  CHECK(rooms.create("", {}).error().code() == Errc::invalid_argument);
  CHECK(rooms.find_or_create("too long a name").error().code() == Errc::invalid_argument);
  CHECK(rooms.size() == 2);
}

TEST_CASE("rooms: there are no more than the limit, and a freed place can be used", "[rooms]") {
  Rooms rooms(config_of(2), 1);
  REQUIRE(rooms.create("a", {}).ok());
  const auto second = rooms.find_or_create("b").value();
  CHECK(rooms.create("c", {}).error().code() == Errc::limit_exceeded);
  CHECK(rooms.find_or_create("c").error().code() == Errc::limit_exceeded);
  CHECK(rooms.find_or_create("a").ok());
  rooms.remove_if_empty(second);
  CHECK(rooms.find_or_create("c").ok());
}

TEST_CASE("rooms: a room with members, a permanent one and a namesake are not removed", "[rooms]") {
  SteppedLoops loops;
  const TextView view;
  Rooms rooms(config_of(10), 1);
  const auto busy = rooms.find_or_create("busy").value();
  RoomMember member("A", loops[0], view);
  REQUIRE(member.join(busy).ok());
  rooms.remove_if_empty(busy);
  CHECK(rooms.find("busy") == busy);
  const auto permanent = rooms.create("p", {.permanent = true}).value();
  rooms.remove_if_empty(permanent);
  CHECK(rooms.find("p") == permanent);
  CHECK(rooms.take_out("busy", {}) == busy);
  CHECK(rooms.take_out("busy", {}) == nullptr);
  const auto namesake = rooms.find_or_create("busy").value();
  CHECK(namesake != busy);
  member.leave();
  rooms.remove_if_empty(busy);
  CHECK(rooms.find("busy") == namesake);
  CHECK(rooms.size() == 2);
}

TEST_CASE("rooms: with a linger, an empty room stays that long, and one that was joined again stays", "[rooms]") {
  SteppedLoops loops;
  const TextView view;
  Config config = config_of(10);
  config.room_linger = 100ms;
  Rooms rooms(config, 1);
  RoomMember member("A", loops[0], view);
  const auto visit = [&](const std::shared_ptr<Room>& room) {
    REQUIRE(member.join(room).ok());
    member.leave();
    rooms.end_if_empty(room, *loops[0]);
  };
  const auto room = rooms.find_or_create("r").value();
  visit(room);
  loops.advance(60ms);
  CHECK(rooms.find("r") == room);
  visit(room);
  loops.advance(99ms);
  CHECK(rooms.find("r") == room);
  loops.advance(1ms);
  CHECK(rooms.find("r") == nullptr);

  SECTION("members come and go meanwhile, one timer is pending") {
    const auto busy = rooms.find_or_create("busy").value();
    CHECK(begin_linger(busy));
    CHECK_FALSE(begin_linger(busy));
    REQUIRE(member.join(busy).ok());
    CHECK_FALSE(begin_linger(busy));
    const auto horizon = loops.clock()->now() - 100ms;
    CHECK_FALSE(linger_over(busy, horizon));
    member.leave();
    CHECK(begin_linger(busy));
    CHECK(linger_over(busy, horizon) == loops.clock()->now());
    CHECK_FALSE(begin_linger(busy));
    CHECK_FALSE(linger_over(busy, loops.clock()->now()));
  }
  SECTION("nobody has joined it and its loop has ended, another loop times it") {
    const auto made = rooms.find_or_create("made").value();
    CHECK(begin_linger(made));  // by a loop that has ended since
    rooms.start(*loops[0]);
    loops.settle();
    loops.advance(100ms);
    CHECK(rooms.find("made") == nullptr);
  }
  SECTION("its loop has ended, another loop times it") {
    const auto left = rooms.find_or_create("left").value();
    const auto never_entered = rooms.find_or_create("new").value();
    REQUIRE(member.join(left).ok());
    member.leave();
    rooms.start(*loops[0]);
    loops.settle();
    loops.advance(100ms);
    CHECK(rooms.find("left") == nullptr);
    CHECK(rooms.find("new") == never_entered);
  }
}

TEST_CASE("rooms: a room created again has another epoch, and a seed repeats its epochs", "[rooms]") {
  const auto epochs = [](std::uint64_t seed) {
    Rooms rooms(config_of(10), seed);
    std::vector<std::string> list;
    for (int i = 0; i < 3; ++i) {
      const auto room = rooms.find_or_create("a").value();
      list.push_back(room->info().position.epoch);
      rooms.remove_if_empty(room);
    }
    return list;
  };
  const auto first = epochs(7);
  CHECK(std::set<std::string>(first.begin(), first.end()).size() == 3);
  CHECK(epochs(7) == first);
  CHECK(epochs(8) != first);
}

TEST_CASE("rooms: threads that join and leave the same rooms are never in an ended one", "[rooms][threads]") {
  const TextView view;
  Rooms rooms(config_of(10), 1);
  constexpr std::size_t count = 4;
  std::atomic<int> wrong{0};
  {
    SteppedLoops loops(count);
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < count; ++t) {
      threads.emplace_back([&, t] {
        RoomMember member("M" + std::to_string(t), loops[t], view);
        for (int i = 0; i < 500; ++i) {
          const std::string id(1, static_cast<char>('a' + i % 2));
          Result<void> joined;
          std::shared_ptr<Room> room;
          do {
            room = rooms.find_or_create(id).value();
            joined = member.join(room);
          } while (!joined && joined.error().code() == Errc::room_not_found);
          // While it has a member, the directory holds this very room.
          if (!joined || rooms.find(id) != room || !member.publish("e").ok()) ++wrong;
          member.leave();
          rooms.remove_if_empty(room);
          loops[t]->context().poll();
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(wrong == 0);
  CHECK(rooms.size() == 0);
  CHECK(rooms.all().empty());
}

TEST_CASE("rooms: a room is removed once, and never another that was created under its name", "[rooms]") {
  Rooms rooms(config_of(10), 1);
  const auto first = rooms.create("a", {}).value();
  CHECK(rooms.take_out(first, {}));
  CHECK_FALSE(rooms.take_out(first, {}));
  const auto second = rooms.create("a", {}).value();
  CHECK_FALSE(rooms.take_out(first, {}));
  CHECK(rooms.find("a") == second);
  CHECK(rooms.size() == 1);
}

TEST_CASE("rooms: threads that create rooms concurrently never exceed the limit", "[rooms][threads]") {
  Rooms rooms(config_of(50), 1);
  std::atomic<std::size_t> made{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) made += rooms.create(std::to_string(t) + "-" + std::to_string(i), {}).ok();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(made == 50);
  CHECK(rooms.all().size() == 50);
}

}  // namespace rooms_test
