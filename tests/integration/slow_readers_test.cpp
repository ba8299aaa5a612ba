// Slow readers: closed or caught up, depending on the policy, and counted; nobody else is delayed.
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace slow_readers_test {

using namespace flux_test;
using namespace flux::literals;

namespace {

/// Creates room r and joins it, over data sharing.
void enter_new_room(SocketIoClient& client) {
  client.ask("room:create", R"({"roomId":"r","capacity":10,"mode":"live"})");
  client.ask("room:join", "\"r\"");
}
void enter_new_room(Poller& client) {
  client.post("420[\"room:create\",{\"roomId\":\"r\",\"capacity\":10,\"mode\":\"live\"}]");
  client.post("421[\"room:join\",\"r\"]");
}

}  // namespace

TEST_CASE("slow reader: past its limit it is closed with 4413, its room loses nothing, and it is counted") {
  const std::size_t threads = GENERATE(1u, 2u);
  auto config = test_config(threads);
  config.limits.outbox_bytes_congested = 50'000;
  config.limits.outbox_bytes_max = 500'000;
  Awaited<flux::CloseCode> gone;
  flux::Server server(config);
  server.on_disconnect([&](const flux::Session&, const flux::Disconnect& how) {
    if (how.code != flux::CloseCode::normal) gone.set(how.code);
  });
  server.start();
  LiveClient slow(Target{server.port(), "127.0.0.1", 4096}, "/live");
  LiveClient good(server.port());
  slow.join("r");
  good.join("r");
  const std::string payload = quoted_x(20'000);
  int sent = 0;
  while (server.stats().slow_readers_closed == 0) {
    REQUIRE(server.broadcast("r", numbered("e", sent), flux::JsonText::trusted(payload)).ok());
    CHECK(text_at(good.next("broadcast_event"), "/payload/event") == numbered("e", sent));
    REQUIRE(++sent < 5000);
  }
  CHECK(slow.closed().code == 4413);
  // The part that it received is complete and in order.
  int expected = 0;
  for (const std::string& text : slow.before_close) {
    const auto message = flux::JsonText::parse(text).value();
    if (type_of(message) == "broadcast_event")
      CHECK(text_at(message, "/payload/event") == "e" + std::to_string(expected++));
  }
  CHECK(expected > 0);
  CHECK(expected < sent);
  CHECK(gone.get() == flux::CloseCode::slow_reader);
  CHECK(server.stats().messages_dropped >= static_cast<std::uint64_t>(sent - expected) / 2);
  CHECK(eventually([&] { return server.room("r")->members == 1; }));
  CHECK(type_of(good.request("leave_room")) == "ack");
}

TEST_CASE("slow reader: congested, it gets no presence except each member's newest once it has caught up") {
  auto config = test_config();
  config.limits.outbox_bytes_congested = 50'000;
  config.limits.outbox_bytes_max = 20'000'000;
  flux::Server server(config);
  server.start();
  LiveClient slow(Target{server.port(), "127.0.0.1", 4096}, "/live");
  LiveClient mover(server.port());
  LiveClient leaver(server.port());
  slow.join("r");
  mover.join("r", R"("presence":{"n":0})");
  leaver.join("r");
  const std::string payload = quoted_x(100'000);
  for (int i = 0; i < 80; ++i) REQUIRE(server.broadcast("r", "big", flux::JsonText::trusted(payload)).ok());
  constexpr int moves = 200;
  for (int i = 1; i <= moves; ++i) mover.request("update_presence", "{\"presence\":{\"n\":" + std::to_string(i) + "}}");
  leaver.request("leave_room");
  LiveClient joiner(server.port());
  joiner.join("r", R"("presence":{"new":true})");
  CHECK(server.stats().states_coalesced >= moves);

  int big = 0;
  int updates = 0;
  bool left = false;
  bool joined = false;
  std::int64_t newest = 0;
  while (!(newest == moves && left && joined)) {
    const auto message = slow.next();
    if (type_of(message) == "broadcast_event") ++big;
    if (type_of(message) != "presence_updated") continue;
    ++updates;
    for (int i = 0; message.at("/payload/updated/" + std::to_string(i)); ++i) {
      const std::string entry = "/payload/updated/" + std::to_string(i);
      if (text_at(message, entry + "/connectionId") != mover.id) continue;
      const std::int64_t n = number_at(message, entry + "/presence/n");
      CHECK(n > newest);
      newest = n;
    }
    if (message.text().find("\"left\":[\"" + leaver.id) != std::string::npos) left = true;
    if (message.text().find("\"joined\":[{\"connectionId\":\"" + joiner.id) != std::string::npos) joined = true;
  }
  CHECK(big == 80);     // messages are not coalesced
  CHECK(updates < 20);  // presence is
  CHECK(server.stats().slow_readers_closed == 0);
  // From now on it is treated like any other.
  mover.request("update_presence", R"({"presence":{"n":1000}})");
  CHECK(number_at(slow.next("presence_updated"), "/payload/updated/0/presence/n") == 1000);
}

TEST_CASE("slow reader: over Socket.IO, too, it gets no presence except the newest once it has caught up") {
  auto config = test_config();
  config.limits.outbox_bytes_congested = 50'000;
  config.limits.outbox_bytes_max = 20'000'000;
  SharingScene scene(config);
  flux::Server& server = scene.server;
  SocketIoClient slow(Target{server.port(), "127.0.0.1", 4096});
  enter_new_room(slow);
  LiveClient mover(server.port());
  LiveClient leaver(server.port());
  mover.join("r", R"("presence":{"n":0})");
  leaver.join("r");
  const std::string payload = quoted_x(100'000);
  for (int i = 0; i < 80; ++i) REQUIRE(server.broadcast("r", "big", flux::JsonText::trusted(payload)).ok());
  constexpr int moves = 200;
  for (int i = 1; i <= moves; ++i) mover.request("update_presence", "{\"presence\":{\"n\":" + std::to_string(i) + "}}");
  leaver.request("leave_room");
  mover.so_far();  // answered once the room has been told of it
  CHECK(server.stats().states_coalesced >= moves);

  int big = 0;
  int updates = 0;
  bool left = false;
  std::int64_t newest = 0;
  while (!(newest == moves && left)) {
    const auto event = slow.next();
    if (text_at(event, "/0") == "room:event") ++big;
    if (text_at(event, "/0") != "room:presence") continue;
    ++updates;
    for (int i = 0; event.at("/1/updated/" + std::to_string(i)); ++i) {
      const std::string entry = "/1/updated/" + std::to_string(i);
      if (text_at(event, entry + "/connectionId") != mover.id) continue;
      const std::int64_t n = number_at(event, entry + "/presence/n");
      CHECK(n > newest);
      newest = n;
    }
    if (event.text().find("\"left\":[\"" + leaver.id) != std::string::npos) left = true;
  }
  CHECK(big == 80);
  CHECK(updates < 20);
  CHECK(server.stats().slow_readers_closed == 0);
  mover.request("update_presence", R"({"presence":{"n":1000}})");
  CHECK(number_at(slow.next("room:presence"), "/1/updated/0/presence/n") == 1000);
}

TEST_CASE("slow reader: over polling it gets no presence except the newest, after what is queued for its next poll") {
  auto config = test_config();
  config.limits.outbox_bytes_congested = 50'000;
  config.limits.outbox_bytes_max = 1'000'000;
  SharingScene scene(config);
  flux::Server& server = scene.server;
  Poller slow(server.port());
  enter_new_room(slow);
  LiveClient mover(server.port());
  mover.join("r", R"("presence":{"n":0})");
  std::string before;
  while (before.find(mover.id) == std::string::npos) before += slow.poll();
  const std::string payload = quoted_x(100'000);
  for (int i = 0; i < 3; ++i) REQUIRE(server.broadcast("r", "big", flux::JsonText::trusted(payload)).ok());
  // Each of 10 kB: all of them together would exceed its outbox.
  const std::string much = quoted_x(10'000);
  constexpr int moves = 200;
  for (int i = 1; i <= moves; ++i) {
    mover.request("update_presence", "{\"presence\":{\"n\":" + std::to_string(i) + ",\"much\":" + much + "}}");
  }
  mover.so_far();
  CHECK(server.stats().states_coalesced >= moves);
  std::string all = slow.poll();
  CHECK(all.find("room:presence") == std::string::npos);
  all += slow.poll();
  CHECK(all.find("\"n\":200") != std::string::npos);
  const auto count = [&](std::string_view what) {
    int found = 0;
    for (std::size_t at = all.find(what); at != std::string::npos; at = all.find(what, at + 1)) ++found;
    return found;
  };
  CHECK(count("room:event") == 3);
  CHECK(count("room:presence") == 1);
  CHECK(server.stats().slow_readers_closed == 0);
  mover.request("update_presence", R"({"presence":{"n":1000}})");
  CHECK(slow.poll().find("\"n\":1000") != std::string::npos);
}

namespace {

const auto close_slow = flux::Delivery::close_slow();

/// Sends so much to room r that a member that does not read is congested. `other`, another member, reads all of it.
void fill_the_slow(flux::Server& server, LiveClient& other, int big) {
  const std::string payload = quoted_x(100'000);
  for (int i = 0; i < big; ++i) REQUIRE(server.broadcast("r", "big", flux::JsonText::trusted(payload)).ok());
  for (int i = 0; i < big; ++i) REQUIRE(text_at(other.next("broadcast_event"), "/payload/event") == "big");
  other.so_far();  // answered in a later turn than that of the last message
}

/// Makes a reader congested, which is visible because it does not get a state, and sends a message that closes congested
/// readers. `mover` gets that one.
void close_the_slow(flux::Server& server, LiveClient& mover, int big) {
  fill_the_slow(server, mover, big);
  mover.request("update_presence", R"({"presence":{"n":1}})");
  REQUIRE(eventually([&] { return server.stats().states_coalesced > 0; }));
  CHECK(server.stats().slow_readers_closed == 0);
  REQUIRE(server.broadcast("r", "tick", "1"_json, close_slow).ok());
  CHECK(eventually([&] { return server.stats().slow_readers_closed == 1; }));
  CHECK(text_at(mover.next("broadcast_event"), "/payload/event") == "tick");
  REQUIRE(server.broadcast("r", "tick", "2"_json, close_slow).ok());
  CHECK(number_at(mover.next("broadcast_event"), "/payload/payload") == 2);
  CHECK(server.stats().slow_readers_closed == 1);
}

flux::Config closing_config() {
  auto config = test_config();
  config.limits.outbox_bytes_congested = 50'000;
  config.limits.outbox_bytes_max = 20'000'000;
  return config;
}

}  // namespace

TEST_CASE("slow reader: a message that closes slow readers closes it with 4413 if it is congested, and only then") {
  flux::Server server(closing_config());
  server.start();
  LiveClient slow(Target{server.port(), "127.0.0.1", 4096}, "/live");
  LiveClient mover(server.port());
  slow.join("r");
  mover.join("r", R"("presence":{"n":0})");
  REQUIRE(server.broadcast("r", "tick", "0"_json, close_slow).ok());
  CHECK(number_at(slow.next("broadcast_event"), "/payload/payload") == 0);
  CHECK(number_at(mover.next("broadcast_event"), "/payload/payload") == 0);
  close_the_slow(server, mover, 80);
  CHECK(slow.closed().code == 4413);
  CHECK(flux::should_reconnect(flux::CloseCode::slow_reader));
  CHECK(eventually([&] { return server.room("r")->members == 1; }));
}

TEST_CASE("slow reader: a message that closes slow readers closes it over Socket.IO too") {
  SharingScene scene(closing_config());
  flux::Server& server = scene.server;
  SocketIoClient slow(Target{server.port(), "127.0.0.1", 4096});
  enter_new_room(slow);
  LiveClient mover(server.port());
  mover.join("r", R"("presence":{"n":0})");
  close_the_slow(server, mover, 80);
  CHECK(slow.closed().code == 4413);
  CHECK(eventually([&] { return server.room("r")->members == 1; }));
}

TEST_CASE("slow reader: over polling, a message that closes slow readers ends its session") {
  SharingScene scene(closing_config());
  flux::Server& server = scene.server;
  Poller slow(server.port());
  enter_new_room(slow);
  LiveClient mover(server.port());
  mover.join("r", R"("presence":{"n":0})");
  std::string before;
  while (before.find(mover.id) == std::string::npos) before += slow.poll();
  close_the_slow(server, mover, 3);
  CHECK(eventually([&] { return server.room("r")->members == 1; }));
}

namespace {

/// Fills the reader of room r until it is congested, then moves two cursors many times. `other` is also in the room.
void move_cursors(flux::Server& server, LiveClient& other, int big) {
  fill_the_slow(server, other, big);
  for (int i = 1; i <= 100; ++i) {
    for (const char* key : {"ann", "ben"}) {
      const auto value = flux::JsonText::trusted(std::to_string(i));
      REQUIRE(server.broadcast("r", key, value, flux::Delivery::newest(key)).ok());
    }
  }
  REQUIRE(eventually([&] { return server.stats().states_coalesced > 0; }));
}

}  // namespace

TEST_CASE("slow reader: if it is congested, it gets only the newest event of each key, once it has caught up") {
  flux::Server server(closing_config());
  server.start();
  LiveClient slow(Target{server.port(), "127.0.0.1", 4096}, "/live");
  LiveClient other(server.port());
  slow.join("r");
  other.join("r");
  move_cursors(server, other, 80);
  std::map<std::string, std::vector<std::int64_t>> got;
  while (got["ann"].empty() || got["ben"].empty() || got["ann"].back() != 100 || got["ben"].back() != 100) {
    const auto message = slow.next("broadcast_event");
    const std::string event = text_at(message, "/payload/event");
    if (event != "big") got[event].push_back(number_at(message, "/payload/payload"));
  }
  CHECK(got["ann"].size() < 20);
  CHECK(std::is_sorted(got["ann"].begin(), got["ann"].end()));
  CHECK(server.stats().slow_readers_closed == 0);
  REQUIRE(server.broadcast("r", "ann", "101"_json, flux::Delivery::newest("ann")).ok());
  CHECK(number_at(slow.next("broadcast_event"), "/payload/payload") == 101);
  CHECK(server.broadcast("r", "ann", "1"_json, flux::Delivery::newest("")).error().code() ==
        flux::Errc::invalid_argument);
}

TEST_CASE("slow reader: over Socket.IO too, it gets only the newest event of each key, once it has caught up") {
  SharingScene scene(closing_config());
  SocketIoClient slow(Target{scene.server.port(), "127.0.0.1", 4096});
  enter_new_room(slow);
  LiveClient other(scene.server.port());
  other.join("r");
  move_cursors(scene.server, other, 80);
  std::map<std::string, std::vector<std::int64_t>> got;
  while (got["ann"].empty() || got["ben"].empty() || got["ann"].back() != 100 || got["ben"].back() != 100) {
    const auto message = slow.next("room:event");
    const std::string event = text_at(message, "/1/event");
    if (event != "big") got[event].push_back(number_at(message, "/1/payload"));
  }
  CHECK(got["ann"].size() < 20);
  CHECK(scene.server.stats().slow_readers_closed == 0);
}

TEST_CASE("slow reader: over polling, it gets only the newest event of each key, after what is queued") {
  SharingScene scene(closing_config());
  Poller slow(scene.server.port());
  enter_new_room(slow);
  std::string all;
  while (all.find("431") == std::string::npos) all += slow.poll();
  LiveClient other(scene.server.port());
  other.join("r");
  move_cursors(scene.server, other, 3);
  all.clear();
  const auto has = [&](const char* event) {
    return all.find("\"event\":\"" + std::string(event) + "\",\"payload\":100}") != std::string::npos;
  };
  for (int polls = 0; !(has("ann") && has("ben")); ++polls) {
    REQUIRE(polls < 10);
    all += slow.poll();
  }
  CHECK(all.find("\"payload\":50}") == std::string::npos);
  CHECK(scene.server.stats().slow_readers_closed == 0);
}

TEST_CASE("slow reader: many messages to its room in one turn do not exceed its limit either") {
  flux::Server server(test_config());
  server.on_event([&](flux::EventMessage& message) {
    const std::string payload = quoted_x(1'000'000);
    if (message.event != "much") return;
    for (int i = 0; i < 40; ++i) CHECK(server.broadcast("r", numbered("e", i), flux::JsonText::trusted(payload)).ok());
  });
  server.start();
  LiveClient slow(Target{server.port(), "127.0.0.1", 4096}, "/live");
  slow.join("r");
  LiveClient other(server.port());
  other.join("other");
  other.request("broadcast_event", R"({"event":"much"})");
  CHECK(eventually([&] { return server.stats().slow_readers_closed == 1; }));
  CHECK(slow.closed().code == 4413);
  // The part that it received is complete and in order.
  int expected = 0;
  for (const std::string& text : slow.before_close) {
    const auto message = flux::JsonText::parse(text).value();
    if (type_of(message) == "broadcast_event") CHECK(text_at(message, "/payload/event") == numbered("e", expected++));
  }
  CHECK(expected < 40);
}

TEST_CASE("slow reader: one of many members, it does not delay the others") {
  auto config = test_config(2);
  config.limits.outbox_bytes_max = 50'000'000;
  flux::Server server(config);
  server.start();
  LiveClient slow(Target{server.port(), "127.0.0.1", 4096}, "/live");
  slow.join("r");
  std::vector<std::unique_ptr<LiveClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<LiveClient>(server.port()));
    clients.back()->join("r");
  }
  const std::string payload = quoted_x(50'000);
  constexpr int count = 200;
  Crew crew;
  for (const auto& client : clients) {
    crew.add([&client = *client] {
      for (int i = 0; i < count; ++i) {
        if (text_at(client.next("broadcast_event"), "/payload/event") != std::to_string(i))
          throw std::runtime_error("out of order");
      }
    });
  }
  for (int i = 0; i < count; ++i)
    REQUIRE(server.broadcast("r", std::to_string(i), flux::JsonText::trusted(payload)).ok());
  crew.join();  // while the slow one has read nothing
  for (int i = 0; i < count; ++i) CHECK(text_at(slow.next("broadcast_event"), "/payload/event") == std::to_string(i));
}

}  // namespace slow_readers_test
