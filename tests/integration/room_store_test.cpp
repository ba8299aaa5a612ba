// Rooms and the public space across a restart, with a store that is slow, full or failing. A second server over the
// same store stands for the next process.
#include "support/memory_file_store.hpp"
#include "support/memory_room_store.hpp"
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"

#include <flux/asio.hpp>
#include <flux/sharing.hpp>
#include <flux/testing/manual_clock.hpp>

#include <asio/executor_work_guard.hpp>

#include <algorithm>
#include <mutex>
#include <set>

namespace room_store_test {

using namespace flux_test;
using namespace flux::literals;
using Catch::Matchers::ContainsSubstring;

namespace {

using StorePtr = std::shared_ptr<MemoryRoomStore>;

StorePtr make_store(bool blocks = true, std::size_t batch_max = 1) {
  return std::make_shared<MemoryRoomStore>(MemoryRoomStore::Behaviour{blocks, batch_max});
}
/// A store that does not block, one that does, or one that takes batches.
StorePtr any_store() {
  const int kind = GENERATE(0, 1, 2);
  return make_store(kind > 0, kind == 2 ? 16 : 1);
}

flux::Config with_rooms(const StorePtr& store, std::size_t threads = 1) {
  auto config = test_config(threads);
  config.rooms.store = store;
  return config;
}

/// A server for both protocols, started.
struct Node : SharingScene {
  using SharingScene::SharingScene;
  std::uint16_t port() const { return server.port(); }
};

bool success(const flux::JsonText& answer) { return answer.get<bool>("/success").value_or(false); }
std::string why(const flux::JsonText& answer) { return text_at(answer, "/message"); }
std::string quoted(std::string_view text) { return flux::JsonText::string(text).text(); }
std::string string_data(std::string_view content) { return R"({"type":"string","content":)" + quoted(content) + "}"; }
std::string share_payload(std::string_view content) { return R"({"data":)" + string_data(content) + "}"; }
std::string upload_of(std::string_view room, std::string_view content) {
  return R"({"roomId":)" + quoted(room) + R"(,"data":)" + string_data(content) + "}";
}
std::string room_of(std::string_view room, std::string_view mode) {
  return R"({"roomId":)" + quoted(room) + R"(,"capacity":5,"mode":")" + std::string(mode) + "\"}";
}
/// "a b "
std::string contents(const std::vector<flux::SharedItem>& items) {
  std::string all;
  for (const auto& item : items) all += text_at(item.data, "/content") + ' ';
  return all;
}
std::string contents_of(flux::Server& server, const flux::RoomId& room) {
  return contents(server.room_items(room).value());
}

}  // namespace

// --- Restarts ---

TEST_CASE("rooms kept: the next process has their items, modes and capacities, but not live rooms") {
  const auto store = any_store();
  std::string epoch;
  {
    Node node(with_rooms(store));
    SocketIoClient ann(node.port());
    for (const char* mode : {"history", "singleton", "live"}) {
      REQUIRE(success(ann.ask("room:create", room_of(mode, mode))));
      REQUIRE(success(ann.ask("room:join", quoted(mode))));
      REQUIRE(success(ann.ask("room:upload", upload_of(mode, "from Ann"))));
    }
    LiveClient bob(node.port());
    bob.join("history");
    CHECK(number_at(bob.request("share", share_payload("from Bob")), "/payload/offset") == 2);
    bob.join("singleton");
    CHECK(number_at(bob.request("share", share_payload("from Bob")), "/payload/offset") == 2);
    REQUIRE(share(node.server, "history", flux::JsonText::parse(string_data("by the server")).value()).ok());
    epoch = node.server.room("history")->position.epoch;
    node.server.stop(0ms);
  }
  auto config = with_rooms(store);
  config.seed = 43;
  Node node(config);
  CHECK(node.server.rooms().size() == 2);
  CHECK_FALSE(node.server.room("live"));
  CHECK(contents_of(node.server, "history") == "from Ann from Bob by the server ");
  CHECK(contents_of(node.server, "singleton") == "from Bob ");
  const auto room = node.server.room("history").value();
  CHECK(room.capacity == 5);
  CHECK(room.mode == flux::RoomMode::history);
  CHECK(room.position.offset == 3);
  CHECK(room.position.epoch != epoch);
  SocketIoClient ann(node.port());
  const auto joined = ann.ask("room:join", quoted("history"));
  CHECK(text_at(joined, "/data/0/content") == "from Ann");
  CHECK(text_at(joined, "/data/2/content") == "by the server");
  CHECK(text_at(ann.ask("room:join", quoted("singleton")), "/data/content") == "from Bob");
  LiveClient bob(node.port());
  const auto welcome = bob.join("history");
  CHECK(number_at(welcome, "/payload/data/0/offset") == 1);
  CHECK(number_at(welcome, "/payload/data/2/offset") == 3);
  CHECK(number_at(bob.request("share", share_payload("again")), "/payload/offset") == 4);
  CHECK(text_at(ann.next("room:data"), "/1/content") == "again");
  CHECK(store->numbers_of("history") == std::vector<std::uint64_t>{1, 2, 3, 4});
}

TEST_CASE("rooms kept: the same server keeps them when it starts again, once, and does not load them again") {
  const auto store = any_store();
  flux::Server server(with_rooms(store));
  for (int life = 1; life <= 3; ++life) {
    server.start();
    LiveClient client(server.port());
    if (life == 1) client.request("create_room", R"({"roomId":"r","mode":"history"})");
    client.join("r");
    client.request("share", share_payload(std::to_string(life)));
    server.stop(0ms);
    CHECK(store->has("r"));
    CHECK(server.room_items("r").value().size() == static_cast<std::size_t>(life));
  }
  CHECK(store->loads() == 1);
  CHECK(contents_of(server, "r") == "1 2 3 ");
  CHECK(store->numbers_of("r") == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("rooms kept: stopping in any way keeps them, ending in any way removes them") {
  const auto store = any_store();
  const bool by_its_end = GENERATE(false, true);
  {
    auto node_made = std::make_unique<Node>(with_rooms(store));
    Node& node = *node_made;
    for (const char* room : {"stays", "left", "closed"}) {
      REQUIRE(node.server.create_room(room, {flux::RoomMode::history}).ok());
    }
    SocketIoClient ann(node.port());
    REQUIRE(success(ann.ask("room:create", room_of("never joined", "history"))));
    REQUIRE(success(ann.ask("room:create", room_of("mine", "history"))));
    REQUIRE(success(ann.ask("room:close", R"({"roomId":"mine"})")));
    REQUIRE(success(ann.ask("room:join", quoted("stays"))));
    LiveClient bob(node.port());
    bob.join("left");
    bob.request("leave_room");
    REQUIRE(node.server.close_room("closed").ok());
    CHECK(node.server.rooms().size() == 2);
    if (by_its_end) {
      node_made.reset();
    } else {
      node.server.stop(0ms);
    }
  }
  CHECK(store->has("stays"));
  CHECK(store->has("never joined"));
  CHECK_FALSE(store->has("left"));
  CHECK_FALSE(store->has("closed"));
  CHECK_FALSE(store->has("mine"));
}

TEST_CASE("rooms kept: a room is created or closed while the server is stopped, the store is told at the start") {
  const auto store = any_store();
  const auto item = flux::JsonText::parse(string_data("x")).value();
  flux::Server server(with_rooms(store));
  REQUIRE(server.create_room("before", {flux::RoomMode::history}).ok());
  CHECK(share(server, "before", item).error().code() == flux::Errc::stopped);
  CHECK(public_share(server, item).error().code() == flux::Errc::stopped);
  CHECK(public_delete_last(server).error().code() == flux::Errc::stopped);
  CHECK(server.room_items("before").value().empty());
  CHECK(store->calls() == 0);
  server.start();
  REQUIRE(share(server, "before", item).ok());
  server.stop();
  REQUIRE(server.create_room("between", {flux::RoomMode::history}).ok());
  REQUIRE(server.close_room("before").ok());
  CHECK(store->has("before"));
  server.start();
  server.stop();
  CHECK(store->has("between"));
  CHECK_FALSE(store->has("before"));
}

TEST_CASE("rooms kept: a room closed after the stop is removed from its store when the server is destroyed") {
  const auto store = any_store();
  {
    flux::Server server(with_rooms(store));
    server.start();
    REQUIRE(server.create_room("r", {flux::RoomMode::history}).ok());
    server.stop();
    REQUIRE(server.close_room("r").ok());
    CHECK(store->has("r"));
  }
  CHECK_FALSE(store->has("r"));
}

TEST_CASE("rooms kept: a room with an invalid id is skipped, with a warning, and stays in the store") {
  const auto store = any_store();
  REQUIRE(store->open({"a\nb", "1", flux::RoomMode::history, 0, true}).ok());
  REQUIRE(store->open({"too long", "1", flux::RoomMode::history, 0, true}).ok());
  REQUIRE(store->open({"good", "1", flux::RoomMode::history, 0, true}).ok());
  auto config = with_rooms(store);
  config.limits.room_id_bytes_max = 4;
  std::mutex mutex;
  std::string warnings;
  config.log = [&](flux::LogLevel level, std::string_view what) {
    const std::lock_guard lock(mutex);
    if (level == flux::LogLevel::warning) warnings.append(what).append("\n");
  };
  flux::Server server(config);
  server.start();
  CHECK(server.rooms().size() == 1);
  CHECK(server.room("good"));
  server.stop();
  CHECK(store->has("too long"));
  const std::lock_guard lock(mutex);
  const std::string left_out = "a room of Config::rooms.store is left out: roomId ";
  CHECK(warnings ==
        left_out + "must be UTF-8 without control characters\n" + left_out + "has 8 bytes; at most 4 are allowed\n");
}

TEST_CASE("rooms kept: an application that creates its room before each start gets its items back") {
  const auto store = any_store();
  for (int life = 0; life < 3; ++life) {
    flux::Server server(with_rooms(store));
    REQUIRE(server.create_room("hall", {flux::RoomMode::history, 7, true}).ok());
    server.start();
    CHECK(server.room_items("hall").value().size() == static_cast<std::size_t>(life));
    CHECK(server.room("hall")->capacity == 7);
    REQUIRE(share(server, "hall", flux::JsonText::parse(string_data("x")).value()).ok());
  }
  CHECK(store->numbers_of("hall") == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("rooms kept: after a start they wait for their first member, permanent ones forever") {
  const auto store = any_store();
  {
    flux::Server server(with_rooms(store));
    server.start();
    for (const char* room : {"waits", "joined"}) REQUIRE(server.create_room(room, {flux::RoomMode::history}).ok());
    REQUIRE(server.create_room("permanent", {flux::RoomMode::history, 0, true}).ok());
  }
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = with_rooms(store);
  config.clock = clock;
  config.rooms.rejoin_time = 60s;
  config.limits.ping_interval = 0ms;
  flux::Server server(config);
  server.start();
  LiveClient client(server.port());
  client.join("joined");  // and the timers are set
  clock->advance(59s);
  client.request("leave_room", R"({"roomId":"none"})");
  CHECK(server.rooms().size() == 3);
  clock->advance(1s);
  CHECK(eventually([&] { return !server.room("waits"); }));
  CHECK(eventually([&] { return !store->has("waits"); }));
  CHECK(server.rooms().size() == 2);
  client.request("leave_room");
  CHECK_FALSE(server.room("joined"));
  clock->advance(1h);
  client.request("leave_room", R"({"roomId":"none"})");
  CHECK(server.room("permanent"));
}

TEST_CASE("rooms kept: data that is set before the start stays when the room is restored") {
  const auto store = any_store();
  for (int run = 1; run <= 2; ++run) {
    flux::Server server(with_rooms(store));
    REQUIRE(server.create_room("hall", {flux::RoomMode::history, 0, true}).ok());
    REQUIRE(server.set_room_data("hall", flux::JsonText::number(run)).ok());
    server.start();
    CHECK(eventually([&] { return store->has("hall"); }));
    CHECK(server.room_data("hall").value().text() == std::to_string(run));
  }
}

TEST_CASE("rooms kept: restored rooms count towards the limit, and all of them are restored") {
  const auto store = make_store();
  {
    flux::Server server(with_rooms(store));
    server.start();
    for (int i = 0; i < 3; ++i) REQUIRE(server.create_room(numbered("r", i), {flux::RoomMode::history}).ok());
  }
  auto config = with_rooms(store);
  config.limits.rooms_max = 2;
  flux::Server server(config);
  server.start();
  CHECK(server.rooms().size() == 3);
  CHECK(server.stats().rooms_now == 3);
  CHECK(server.create_room("more").error().code() == flux::Errc::limit_exceeded);
  REQUIRE(server.close_room("r0").ok());
  CHECK(server.create_room("more").error().code() == flux::Errc::limit_exceeded);
  REQUIRE(server.close_room("r1").ok());
  CHECK(server.create_room("more").ok());
}

TEST_CASE("public space kept: the next process has the items not deleted; with a limit of 0 it keeps nothing") {
  const auto store = any_store();
  {
    Node node(with_rooms(store));
    LiveClient bob(node.port());
    for (const char* text : {"a", "b", "c", "d"}) bob.request("public_share", share_payload(text));
    CHECK(bob.request("public_delete_last").get<bool>("/payload/deleted") == true);
    SocketIoClient ann(node.port());
    CHECK(why(ann.ask("public:deleteLast")) == "Data deleted.");
    CHECK(success(ann.ask("public:upload", string_data("e"))));
    CHECK(public_delete_last(node.server).value());
  }
  auto config = with_rooms(store);
  {
    Node node(config);
    CHECK(contents(node.server.public_items()) == "a b ");
    SocketIoClient ann(node.port());
    const auto told = ann.next("public:history");
    CHECK(text_at(told, "/1/0/content") == "a");
    CHECK(text_at(told, "/1/1/content") == "b");
    LiveClient bob(node.port());
    CHECK(number_at(bob.request("public_share", share_payload("f")), "/payload/offset") == 3);
    for (int i = 0; i < 3; ++i) CHECK(public_delete_last(node.server).value());
    CHECK_FALSE(public_delete_last(node.server).value());
    CHECK(why(ann.ask("public:deleteLast")) == "The public space is empty.");
    CHECK(bob.request("public_delete_last").get<bool>("/payload/deleted") == false);
    REQUIRE(success(ann.ask("public:upload", string_data("g"))));
  }
  config.limits.public_history_items_max = 0;
  Node node(config);
  CHECK(node.server.public_items().empty());
  LiveClient bob(node.port());
  CHECK(number_at(bob.request("public_share", share_payload("h")), "/payload/offset") == 1);
  node.server.stop(0ms);
  CHECK_FALSE(store->has(""));
}

// --- Files ---

TEST_CASE("rooms kept: their files are held across a restart, and deleted when their items are removed") {
  const auto rooms = any_store();
  const auto files = std::make_shared<MemoryFileStore>(MemoryFileStoreOptions{.blocks = GENERATE(false, true)});
  const std::string in_room = "0b6f9c1e-6d2b-4c39-9d8f-000000000001";
  const std::string in_public = "0b6f9c1e-6d2b-4c39-9d8f-000000000002";
  const std::string orphan = "0b6f9c1e-6d2b-4c39-9d8f-000000000003";
  const std::string lost = "0b6f9c1e-6d2b-4c39-9d8f-000000000004";
  const std::string unmarked = "0b6f9c1e-6d2b-4c39-9d8f-000000000005";
  for (const auto& id : {in_room, in_public, orphan, lost, unmarked}) {
    flux::FileInfo file;
    file.id = id;
    file.name = "a.txt";
    file.owner = "ann";
    file.length = 1;
    REQUIRE(files->create(file).ok());
    REQUIRE(files->append(id, 0, "x").ok());
    REQUIRE(files->complete(id).ok());
  }
  std::mutex mutex;
  std::string warnings;
  auto config = with_rooms(rooms);
  config.files.store = files;
  config.log = [&](flux::LogLevel level, std::string_view what) {
    const std::lock_guard lock(mutex);
    if (level == flux::LogLevel::warning) warnings.append(what).append("\n");
  };
  {
    flux::Server server(config);
    REQUIRE(server.create_room("r", {flux::RoomMode::singleton, 0, true}).ok());
    REQUIRE(server.create_room("lost", {flux::RoomMode::history, 0, true}).ok());
    server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "ann"}); });
    server.start();
    LiveClient client(server.port());
    client.join("r");
    CHECK(type_of(client.request("share", R"({"data":{"type":"file","fileId":")" + in_room + "\"}}")) == "ack");
    REQUIRE(answer_of<flux::Position>([&](auto done) { server.public_share_file(in_public, done); }).ok());
    REQUIRE(answer_of<flux::Position>([&](auto done) { server.share_file("lost", lost, done); }).ok());
    REQUIRE(share(server, "lost", flux::JsonText::parse(string_data("found")).value()).ok());
  }
  // Marked, but the process ended before any room had it.
  REQUIRE(files->mark_shared(orphan).ok());
  // In its room, but the process ended before it was marked.
  const auto life = rooms->life_of("lost");
  REQUIRE(rooms->append({{"lost", life, flux::RoomMode::history, 0, true}, {3, "A", "3", unmarked}, 1}).ok());
  REQUIRE(files->mark_deleted(lost).ok());
  flux::Server server(config);
  server.start();
  const auto is_there = [&](const std::string& id) { return files->info(id).ok(); };
  CHECK(eventually([&] { return !is_there(orphan); }));
  CHECK(is_there(in_room));
  CHECK(is_there(in_public));
  // It is no longer known whether the sharer may delete it: it stays until it expires.
  CHECK_FALSE(files->info(unmarked).value().shared);
  CHECK(text_at(server.room_items("r").value().at(0).data, "/fileId") == in_room);
  REQUIRE(server.room_items("lost").value().size() == 2);
  CHECK(text_at(server.room_items("lost").value()[0].data, "/content") == "found");
  {
    const std::lock_guard lock(mutex);
    CHECK_THAT(warnings, ContainsSubstring("item 1 of room \"lost\" is left out: file " + lost + " is gone"));
  }
  REQUIRE(share(server, "r", flux::JsonText::parse(string_data("over it")).value()).ok());
  CHECK(eventually([&] { return !is_there(in_room); }));
  REQUIRE(public_delete_last(server).value());
  CHECK(eventually([&] { return !is_there(in_public); }));
}

TEST_CASE("rooms kept: a file whose item could not be stored is unchanged, and can be shared later") {
  const auto rooms = any_store();
  const auto files = std::make_shared<MemoryFileStore>(MemoryFileStoreOptions{.blocks = GENERATE(false, true)});
  const std::string id = "0b6f9c1e-6d2b-4c39-9d8f-000000000001";
  flux::FileInfo file;
  file.id = id;
  file.name = "a.txt";
  file.length = 1;
  REQUIRE(files->create(file).ok());
  REQUIRE(files->append(id, 0, "x").ok());
  REQUIRE(files->complete(id).ok());
  auto config = with_rooms(rooms);
  config.files.store = files;
  const std::string data = R"({"type":"file","fileId":")" + id + "\"}";
  const auto is_shared = [&] { return files->info(id).value().shared; };
  {
    Node node(config);
    REQUIRE(node.server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
    LiveClient bob(node.port());
    SocketIoClient ann(node.port());
    bob.join("r");
    REQUIRE(success(ann.ask("room:join", quoted("r"))));
    REQUIRE(share(node.server, "r", "1"_json).ok());
    rooms->fail(1, 1'000);
    CHECK(code_of(bob.request("share", R"({"data":)" + data + "}")) == "STORE_FAILED");
    CHECK(code_of(bob.request("public_share", R"({"data":)" + data + "}")) == "STORE_FAILED");
    CHECK(why(ann.ask("room:upload", R"({"roomId":"r","data":)" + data + "}")) == "the room store failed");
    const auto shared = answer_of<flux::Position>([&](auto done) { node.server.share_file("r", id, done); });
    CHECK(shared.error().code() == flux::Errc::store_failed);
    const auto nowhere = answer_of<flux::Position>([&](auto done) { node.server.share_file("none", id, done); });
    CHECK(nowhere.error().code() == flux::Errc::room_not_found);
    rooms->fail(1, 0);
  }
  CHECK_FALSE(is_shared());
  flux::Server server(config);
  server.start();
  REQUIRE(answer_of<flux::Position>([&](auto done) { server.share_file("r", id, done); }).ok());
  server.stop(0ms);
  CHECK(is_shared());
  REQUIRE(files->info(id).ok());
}

// --- Stored before it is sent ---

TEST_CASE("rooms kept: an item is acknowledged and sent only once it is stored") {
  const auto store = make_store(true, GENERATE(1u, 16u));
  Node node(with_rooms(store, 2));
  REQUIRE(node.server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
  LiveClient bob(node.port());
  SocketIoClient ann(node.port());
  bob.join("r");
  REQUIRE(success(ann.ask("room:join", quoted("r"))));
  ann.so_far();
  bob.so_far();
  store->hold("r");
  bob.send("share", share_payload("1"), "first");
  REQUIRE(store->somebody_waits());
  bob.send("share", share_payload("2"), "second");
  // Everything else continues, also in the room.
  CHECK(type_of(bob.request("broadcast_event", R"({"event":"e"})")) == "ack");
  ann.next("room:event");
  CHECK(ann.so_far().empty());
  CHECK(bob.so_far().empty());
  CHECK(node.server.room_items("r").value().empty());
  store->let_through();
  for (const char* content : {"1", "2"}) CHECK(text_at(ann.next("room:data"), "/1/content") == content);
  std::vector<std::string> acknowledged, heard;
  while (acknowledged.size() < 2 || heard.size() < 2) {
    const auto message = bob.next();
    if (type_of(message) == "ack") acknowledged.push_back(text_at(message, "/id"));
    if (type_of(message) == "room_data") heard.push_back(text_at(message, "/payload/data/content"));
  }
  CHECK(acknowledged == std::vector<std::string>{"first", "second"});
  CHECK(heard == std::vector<std::string>{"1", "2"});
}

TEST_CASE("rooms kept: a client leaves or disconnects while its item is pending, the others get it") {
  const auto store = make_store();
  Node node(with_rooms(store, 2));
  REQUIRE(node.server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
  SocketIoClient ann(node.port());
  REQUIRE(success(ann.ask("room:join", quoted("r"))));
  store->hold("r");
  {
    LiveClient bob(node.port());
    bob.join("r");
    bob.send("share", share_payload("last words"));
    REQUIRE(store->somebody_waits());
    if (GENERATE(false, true)) bob.tcp.reset();
  }
  CHECK(eventually([&] { return node.server.room("r")->members == 1; }));
  store->let_through();
  CHECK(text_at(ann.next("room:data"), "/1/content") == "last words");
}

TEST_CASE("rooms kept: a store fails, the sender gets STORE_FAILED, others get nothing, and the room continues") {
  const auto store = any_store();
  Node node(with_rooms(store));
  REQUIRE(node.server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
  LiveClient bob(node.port());
  SocketIoClient ann(node.port());
  bob.join("r");
  REQUIRE(success(ann.ask("room:join", quoted("r"))));
  bob.request("share", share_payload("1"));
  bob.request("public_share", share_payload("p"));
  ann.so_far();
  bob.so_far();
  const bool throws = GENERATE(false, true);
  store->fail(1, 1'000, throws);
  CHECK(code_of(bob.request("share", share_payload("2"))) == "STORE_FAILED");
  CHECK(code_of(bob.request("public_share", share_payload("2"))) == "STORE_FAILED");
  CHECK(code_of(bob.request("public_delete_last")) == "STORE_FAILED");
  const std::string message = "the room store failed";
  CHECK(why(ann.ask("room:upload", upload_of("r", "2"))) == message);
  CHECK(why(ann.ask("public:upload", string_data("2"))) == message);
  CHECK(why(ann.ask("public:deleteLast")) == message);
  const auto item = flux::JsonText::parse(string_data("2")).value();
  CHECK(share(node.server, "r", item).error().code() == flux::Errc::store_failed);
  CHECK(public_share(node.server, item).error().code() == flux::Errc::store_failed);
  CHECK(public_delete_last(node.server).error().code() == flux::Errc::store_failed);
  CHECK(ann.so_far().empty());
  CHECK(bob.so_far().empty());
  CHECK(contents_of(node.server, "r") == "1 ");
  CHECK(contents(node.server.public_items()) == "p ");
  CHECK(node.server.stats().store_errors >= 9);
  CHECK(node.server.stats().handler_errors == 0);
  store->fail(1, 0);
  CHECK(number_at(bob.request("share", share_payload("3")), "/payload/offset") == 2);
  CHECK(text_at(ann.next("room:data"), "/1/content") == "3");
}

TEST_CASE("rooms kept: too many pending items, the sender gets OVERLOADED, the rest is stored in order") {
  const auto store = make_store(true, GENERATE(1u, 16u));
  auto config = with_rooms(store);
  config.limits.store_queue_per_room_max = 3;
  flux::Server server(config);
  server.start();
  REQUIRE(server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
  LiveClient client(server.port());
  client.join("r");
  REQUIRE(share(server, "r", "0"_json).ok());
  store->hold("r");
  client.send("share", share_payload("0"), "c0");
  REQUIRE(store->somebody_waits());
  for (int i = 1; i <= 5; ++i) client.send("share", share_payload(std::to_string(i)), numbered("c", i));
  for (int i = 4; i <= 5; ++i) {
    const auto error = client.next("error");
    CHECK(code_of(error) == "OVERLOADED");
    CHECK(text_at(error, "/id") == numbered("c", i));
  }
  CHECK(share(server, "r", "1"_json).error().code() == flux::Errc::overloaded);
  store->let_through();
  for (int i = 0; i <= 3; ++i) CHECK(text_at(client.next("ack"), "/id") == numbered("c", i));
}

TEST_CASE("rooms kept: a store that is slow in one room delays neither other rooms nor live rooms") {
  const auto store = make_store(true, GENERATE(1u, 16u));
  flux::Server server(with_rooms(store));
  server.start();
  for (const char* room : {"slow", "fast"}) REQUIRE(server.create_room(room, {flux::RoomMode::history, 0, true}).ok());
  LiveClient slow(server.port());
  LiveClient fast(server.port());
  LiveClient live(server.port());
  slow.join("slow");
  fast.join("fast");
  live.join("live");
  REQUIRE(share(server, "fast", "0"_json).ok());
  store->hold("slow");
  // Not in a batch with others: that would be one call.
  REQUIRE(server.create_room("made", {flux::RoomMode::history, 0, true}).ok());
  slow.send("share", share_payload("s"), "s");
  REQUIRE(store->somebody_waits());
  for (int i = 0; i < 20; ++i) CHECK(type_of(live.request("share", share_payload("l"))) == "ack");
  for (int i = 0; i < 20; ++i) CHECK(type_of(live.request("send_chat", R"({"message":"m"})")) == "ack");
  if (store->batch_max() == 1) {
    for (int i = 0; i < 20; ++i) CHECK(type_of(fast.request("share", share_payload("f"))) == "ack");
    CHECK(server.room_items("fast").value().size() == 21);
  }
  CHECK(slow.so_far().empty());
  store->let_through();
  CHECK(text_at(slow.next("ack"), "/id") == "s");
}

TEST_CASE("rooms kept: a client that joins while items are pending gets each once, in the data or live") {
  const auto store = make_store(GENERATE(false, true), GENERATE(1u, 16u));
  Node node(with_rooms(store, 2));
  REQUIRE(node.server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
  constexpr int count = 150;
  Crew crew;
  crew.add([&] {
    for (int i = 1; i <= count; ++i) {
      node.server.share("r", flux::JsonText::trusted(std::to_string(i)));
      if (i % 10 == 0) std::this_thread::yield();
    }
  });
  const auto check = [](const std::vector<std::int64_t>& got) {
    if (got.size() != count) throw std::runtime_error("an item was lost or came twice");
    for (int i = 0; i < count; ++i) {
      if (got[static_cast<std::size_t>(i)] != i + 1) throw std::runtime_error("an item is out of order");
    }
  };
  for (int n = 0; n < 3; ++n) {
    crew.add([&] {
      LiveClient joiner(node.port());
      const auto welcome = joiner.join("r");
      std::vector<std::int64_t> got;
      while (const auto item = welcome.at("/payload/data/" + std::to_string(got.size())))
        got.push_back(number_at(*item, "/data"));
      while (got.empty() || got.back() < count) got.push_back(number_at(joiner.next("room_data"), "/payload/data"));
      check(got);
    });
    crew.add([&] {
      SocketIoClient joiner(node.port());
      const auto joined = joiner.ask("room:join", quoted("r"));
      std::vector<std::int64_t> got;
      while (const auto item = joined.at("/data/" + std::to_string(got.size())))
        got.push_back(item->get<std::int64_t>().value());
      while (got.empty() || got.back() < count) got.push_back(number_at(joiner.next("room:data"), "/1"));
      check(got);
    });
  }
  crew.join();
  CHECK_FALSE(store->overlapped());
}

TEST_CASE("rooms kept: a room closed and created again while its store is slow has none of the old items") {
  const auto store = make_store(true, GENERATE(1u, 16u));
  {
    Node node(with_rooms(store, 2));
    SocketIoClient ann(node.port());
    REQUIRE(success(ann.ask("room:create", room_of("r", "history"))));
    REQUIRE(success(ann.ask("room:join", quoted("r"))));
    REQUIRE(success(ann.ask("room:upload", upload_of("r", "old"))));
    LiveClient bob(node.port());
    bob.join("r");
    store->hold("r");
    bob.send("share", share_payload("lost"), "lost");
    REQUIRE(store->somebody_waits());
    REQUIRE(success(ann.ask("room:close", R"({"roomId":"r"})")));
    ann.emit("room:create", room_of("r", "singleton"));
    REQUIRE(success(ann.ask("room:join", quoted("r"))));
    Awaited<flux::Result<flux::Position>> shared;
    node.server.share("r", flux::JsonText::parse(string_data("new")).value(), [&](auto result) { shared.set(result); });
    store->let_through();
    CHECK(shared.get().value().offset == 1);
    const auto error = bob.next("error");
    CHECK(code_of(error) == "ROOM_NOT_FOUND");
    CHECK(text_at(error, "/id") == "lost");
    CHECK(contents_of(node.server, "r") == "new ");
    node.server.stop(0ms);
  }
  flux::Server server(with_rooms(store));
  server.start();
  CHECK(contents_of(server, "r") == "new ");
  CHECK(server.room("r")->mode == flux::RoomMode::singleton);
}

// --- Creation waits for the store ---

namespace {

constexpr const char* live_room = R"({"roomId":"r","mode":"history"})";

/// Requests to create room "r" without waiting for the answer.
void begin_create(SocketIoClient& client) {
  client.send_text("42777[\"room:create\"," + room_of("r", "history") + "]");
}
/// That answer; messages before it are dropped.
flux::JsonText create_answer(SocketIoClient& client) {
  for (;;) {
    const std::string packet = client.message();
    if (packet.substr(0, 5) == "43777") return *flux::JsonText::parse(packet.substr(5)).value().at("/0");
  }
}

}  // namespace

TEST_CASE("rooms kept: the creator is answered once the store has the room; until then the room can be used") {
  const auto store = make_store(true, GENERATE(1u, 16u));
  Node node(with_rooms(store, 2));
  const bool live = GENERATE(false, true);
  LiveClient bob(node.port());
  LiveClient eve(node.port());
  SocketIoClient ann(node.port());
  SocketIoClient zoe(node.port());
  store->hold("r");
  live ? bob.send("create_room", live_room, "made") : begin_create(ann);
  REQUIRE(store->somebody_waits());
  CHECK(code_of(eve.request("create_room", live_room)) == "ROOM_EXISTS");
  CHECK(why(zoe.ask("room:create", room_of("r", "history"))) == "room \"r\" exists already");
  eve.join("r");
  CHECK(success(zoe.ask("room:join", quoted("r"))));
  eve.send("share", share_payload("1"), "shared");
  if (live) {
    bob.join("r");  // requests of its creator meanwhile are carried out
    for (const auto& message : bob.so_far()) CHECK(type_of(message) != "ack");
  }
  CHECK(node.server.room_items("r").value().empty());
  CHECK_FALSE(store->has("r"));
  store->let_through();
  if (live) {
    CHECK(text_at(bob.next("ack"), "/id") == "made");
  } else {
    const auto answer = create_answer(ann);
    CHECK(success(answer));
    CHECK(text_at(answer, "/roomId") == "r");
  }
  CHECK(store->has("r"));
  CHECK(text_at(eve.next("ack"), "/id") == "shared");
  CHECK(text_at(zoe.next("room:data"), "/1/content") == "1");
  CHECK(store->done() == std::vector<std::string>{"open r", "append r 1"});
}

TEST_CASE("rooms kept: if the store refuses the room, the creator gets the error and the room does not exist") {
  const auto store = any_store();
  Node node(with_rooms(store));
  const bool live = GENERATE(false, true);
  const bool throws = GENERATE(false, true);
  const std::string message = "the room store failed";
  LiveClient bob(node.port());
  SocketIoClient ann(node.port());
  store->fail(1, 1, throws);
  const auto made_by_client = [&] {
    if (live) {
      const auto answer = bob.request("create_room", live_room);
      if (type_of(answer) == "ack") return true;
      CHECK(code_of(answer) == "STORE_FAILED");
      CHECK(text_at(answer, "/payload/message") == message);
      return false;
    }
    const auto answer = ann.ask("room:create", room_of("r", "history"));
    if (success(answer)) return true;
    CHECK(why(answer) == message);
    CHECK(text_at(answer, "/roomId").empty());
    return false;
  };
  CHECK_FALSE(made_by_client());
  CHECK_FALSE(node.server.room("r"));
  CHECK(node.server.stats().rooms_now == 0);
  CHECK(made_by_client());
  CHECK(store->has("r"));
  store->fail(1, 1, throws);
  const auto awaited = answer_of<void>([&](auto done) {
    node.server.create_room("awaited", {flux::RoomMode::history, 0, true}, done);
  });
  CHECK(awaited.error().code() == flux::Errc::store_failed);
  CHECK_FALSE(node.server.room("awaited"));
  store->fail(1, 1, throws);
  const auto made = node.server.create_room("not awaited", {flux::RoomMode::history, 0, true});
  CHECK(made.ok() == store->may_block());
  CHECK(node.server.room("not awaited").has_value() == store->may_block());
}

TEST_CASE("rooms kept: if the store refuses a room, its members are told that it was closed") {
  const auto store = make_store();
  Node node(with_rooms(store, 2));
  LiveClient bob(node.port());
  LiveClient eve(node.port());
  SocketIoClient zoe(node.port());
  store->hold("r");
  store->fail(1);
  bob.send("create_room", live_room, "made");
  REQUIRE(store->somebody_waits());
  eve.join("r");
  REQUIRE(success(zoe.ask("room:join", quoted("r"))));
  eve.send("share", share_payload("1"), "shared");
  eve.request("leave_room", R"({"roomId":"none"})");  // its request is now queued after the room's opening
  store->let_through();
  CHECK(text_at(eve.next("room_closed"), "/payload/reason") == "it could not be stored");
  CHECK(code_of(eve.next("error")) == "ROOM_NOT_FOUND");
  zoe.next("room:closed");
  CHECK(code_of(bob.next("error")) == "STORE_FAILED");
  CHECK(eventually([&] { return node.server.rooms().empty(); }));
  node.server.stop(0ms);
  CHECK_FALSE(store->has("r"));
}

TEST_CASE("rooms kept: too many pending calls, the creator gets OVERLOADED and the room does not exist") {
  const auto store = make_store();
  auto config = with_rooms(store);
  config.limits.store_queue_max = 1;
  Node node(config);
  store->hold("slow");
  REQUIRE(node.server.create_room("slow", {flux::RoomMode::history, 0, true}).ok());
  REQUIRE(store->somebody_waits());
  LiveClient bob(node.port());
  SocketIoClient ann(node.port());
  CHECK(code_of(bob.request("create_room", live_room)) == "OVERLOADED");
  CHECK_FALSE(success(ann.ask("room:create", room_of("r", "history"))));
  CHECK(node.server.rooms().size() == 1);
  store->let_through();
  CHECK(eventually([&] { return type_of(bob.request("create_room", live_room)) == "ack"; }));
}

TEST_CASE("rooms kept: a pending room whose creator leaves, or that is closed, does not exist afterwards") {
  const auto store = make_store(true, GENERATE(1u, 16u));
  Node node(with_rooms(store, 2));
  store->hold("r");
  SECTION("its creator leaves") {
    const bool live = GENERATE(false, true);
    LiveClient bob(node.port());
    SocketIoClient ann(node.port());
    live ? bob.send("create_room", live_room) : begin_create(ann);
    REQUIRE(store->somebody_waits());
    live ? bob.tcp.reset() : ann.tcp.reset();
    CHECK(eventually([&] { return !node.server.room("r"); }));
    store->let_through();
  }
  SECTION("it is closed by its creator") {
    SocketIoClient ann(node.port());
    begin_create(ann);
    REQUIRE(store->somebody_waits());
    ann.emit("room:close", R"({"roomId":"r"})");
    CHECK(eventually([&] { return !node.server.room("r"); }));
    store->let_through();
    CHECK(why(create_answer(ann)) == "no room \"r\"");
  }
  SECTION("it is closed by the server") {
    Awaited<flux::Result<void>> made;
    node.server.create_room("r", {flux::RoomMode::history, 0, true}, [&](auto result) { made.set(result); });
    REQUIRE(store->somebody_waits());
    REQUIRE(node.server.close_room("r").ok());
    store->let_through();
    CHECK(made.get().error().code() == flux::Errc::room_not_found);
  }
  node.server.stop(0ms);
  CHECK_FALSE(store->has("r"));
}

TEST_CASE("rooms kept: a stop during a creation, the creator gets no success or the room exists afterwards") {
  const auto store = make_store(true, GENERATE(1u, 16u));
  bool told = false;
  {
    auto config = with_rooms(store, 2);
    config.limits.close_timeout = 100ms;
    Node node(config);
    LiveClient bob(node.port());
    store->hold("r");
    bob.send("create_room", live_room, "made");
    REQUIRE(store->somebody_waits());
    Crew crew;
    const auto grace = GENERATE(1ms, 10'000ms);
    crew.add([&] { node.server.stop(grace); });
    CHECK(eventually([&] { return !node.server.running(); }));
    store->let_through();
    crew.join();
    bob.closed();
    for (const std::string& text : bob.before_close) told |= type_of(flux::JsonText::parse(text).value()) == "ack";
  }
  flux::Server server(with_rooms(store));
  server.start();
  CHECK((!told || server.room("r")));
}

TEST_CASE("rooms kept: a room whose creation waits for the store can only be created while the server runs") {
  const auto store = any_store();
  flux::Server server(with_rooms(store));
  const auto make = [&](const char* room, flux::RoomMode mode) {
    return answer_of<void>([&](auto done) { server.create_room(room, {mode, 0, true}, done); });
  };
  CHECK(make("r", flux::RoomMode::history).error().code() == flux::Errc::stopped);
  CHECK_FALSE(server.room("r"));
  CHECK(make("live", flux::RoomMode::live).ok());
  server.start();
  CHECK(make("r", flux::RoomMode::history).ok());
  CHECK(store->has("r"));
  CHECK(make("r", flux::RoomMode::history).error().code() == flux::Errc::room_exists);
  CHECK(make("", flux::RoomMode::history).error().code() == flux::Errc::invalid_argument);
}

// --- Stopping ---

TEST_CASE("rooms kept: a stop while items are pending loses no acknowledged item, and duplicates none") {
  const auto store = make_store(true, GENERATE(1u, 16u));
  const auto grace = GENERATE(1ms, 10'000ms);
  std::set<std::int64_t> acknowledged;
  std::int64_t next = 0;
  for (int life = 0; life < 3; ++life) {
    auto config = with_rooms(store, 2);
    config.limits.close_timeout = 100ms;  // the client closes only later
    flux::Server server(config);
    server.start();
    if (life == 0) REQUIRE(server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
    LiveClient client(server.port());
    client.join("r");
    store->hold("r");
    for (int i = 0; i < 20; ++i) {
      ++next;
      client.send("share", share_payload(std::to_string(next)), std::to_string(next));
    }
    REQUIRE(store->somebody_waits());
    Crew crew;
    crew.add([&] { server.stop(grace); });
    CHECK(eventually([&] { return !server.running(); }));
    store->let_through();
    crew.join();
    client.closed();
    for (const std::string& text : client.before_close) {
      const auto message = flux::JsonText::parse(text).value();
      if (type_of(message) == "ack") acknowledged.insert(std::stoll(text_at(message, "/id")));
    }
  }
  flux::Server server(with_rooms(store));
  server.start();
  std::set<std::int64_t> kept;
  std::int64_t newest = 0;
  for (const auto& item : server.room_items("r").value()) {
    const std::int64_t value = std::stoll(text_at(item.data, "/content"));
    CHECK(value > newest);
    newest = value;
    CHECK(kept.insert(value).second);
  }
  CHECK(std::includes(kept.begin(), kept.end(), acknowledged.begin(), acknowledged.end()));
  CHECK(kept.size() >= 3);
}

TEST_CASE("rooms kept: in the application's io_context, too, a stop keeps them and waits for pending calls") {
  const auto store = any_store();
  asio::io_context context;
  std::thread application([&, work = asio::make_work_guard(context)] { context.run(); });
  {
    flux::Server server(with_rooms(store));
    flux::use_context(server, context);
    server.start();
    REQUIRE(server.create_room("r", {flux::RoomMode::history}).ok());
    {
      LiveClient client(server.port());
      client.join("r");
      CHECK(number_at(client.request("share", share_payload("1")), "/payload/offset") == 1);
      server.share("r", flux::JsonText::parse(string_data("2")).value());
      server.stop(0ms);
    }
    CHECK(contents_of(server, "r") == "1 2 ");
    server.start();
    CHECK(contents_of(server, "r") == "1 2 ");
    server.stop(0ms);
  }
  context.stop();
  application.join();
  CHECK(store->numbers_of("r") == std::vector<std::uint64_t>{1, 2});
}

TEST_CASE("rooms kept: the server's own share is answered on an event loop if the store blocks, otherwise at once") {
  const bool blocks = GENERATE(false, true);
  const auto store = make_store(blocks);
  Awaited<std::thread::id> loop;
  flux::Server server(with_rooms(store));
  server.on_join([&](flux::JoinRequest&) { loop.set(std::this_thread::get_id()); });
  server.start();
  REQUIRE(server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
  REQUIRE(server.create_room("live", {flux::RoomMode::live, 0, true}).ok());
  LiveClient client(server.port());
  client.join("r");
  const auto loop_id = loop.get();
  const auto called_on = [&](const auto& call) {
    Awaited<std::thread::id> thread;
    call([&](const auto& result) {
      CHECK(result.ok());
      thread.set(std::this_thread::get_id());
    });
    return thread.get();
  };
  const auto expected = blocks ? loop_id : std::this_thread::get_id();
  CHECK(called_on([&](auto done) { server.share("r", "1"_json, done); }) == expected);
  CHECK(called_on([&](auto done) { server.public_share("1"_json, done); }) == expected);
  CHECK(called_on([&](auto done) { server.public_delete_last(done); }) == expected);
  CHECK(called_on([&](auto done) { server.share("live", "1"_json, done); }) == std::this_thread::get_id());
  server.share("r", "2"_json, [](const auto&) { throw std::runtime_error("thrown on purpose"); });
  CHECK(eventually([&] { return server.stats().handler_errors == 1; }));
}

// --- Starting ---

TEST_CASE("rooms kept: a store that can't be loaded fails the start with the reason; the next start may succeed") {
  const auto store = make_store(GENERATE(false, true));
  auto config = with_rooms(store);
  flux::Server server(config);
  const bool throws = GENERATE(false, true);
  store->fail(1, 1, throws);
  const auto [code, message] = thrown_by([&] { server.start(); });
  CHECK(code == flux::Errc::store_failed);
  CHECK(message == (throws ? "Config::rooms.store can't be loaded: it threw: the disk is gone"
                           : "Config::rooms.store can't be loaded: the disk is full"));
  CHECK_FALSE(server.running());
  CHECK(server.port() == 0);
  server.start();
  CHECK(server.running());
  CHECK(store->loads() == 2);
  REQUIRE(server.create_room("r", {flux::RoomMode::history, 0, true}).ok());
  CHECK(share(server, "r", "1"_json).ok());
}

TEST_CASE("rooms kept: invalid options are refused, with the setting's name") {
  const auto refused = [](const std::function<void(flux::RoomsOptions&)>& change) {
    auto config = test_config();
    change(config.rooms);
    const auto [code, message] = thrown_by([&] { const flux::Server server(config); });
    CHECK(code == flux::Errc::bad_config);
    return message;
  };
  CHECK_THAT(refused([](auto& rooms) { rooms.worker_threads = 0; }), ContainsSubstring("Config::rooms.worker_threads"));
  CHECK_THAT(refused([](auto& rooms) { rooms.worker_threads = 257; }), ContainsSubstring("not 257"));
  CHECK_THAT(refused([](auto& rooms) { rooms.rejoin_time = -1s; }), ContainsSubstring("Config::rooms.rejoin_time"));
  CHECK_THAT(refused([](auto& rooms) { rooms.rejoin_time = 24h * 36'526; }), ContainsSubstring("100 years"));
}

}  // namespace room_store_test
