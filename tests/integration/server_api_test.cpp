// A server's methods for the application: rooms, messages, sessions, counts.
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/engineio.hpp>
#include <flux/socketio.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace server_api_test {

using namespace flux_test;
using namespace flux::literals;

namespace {

const auto item = R"({"type":"string","content":"x"})"_json;

}  // namespace

TEST_CASE("rooms: created, listed, found, closed; each error has its code") {
  auto config = test_config();
  config.limits.rooms_max = 2;
  flux::Server server(config);
  server.start();
  REQUIRE(server.create_room("a", {flux::RoomMode::history, 5, true}).ok());
  CHECK(server.create_room("a").error().code() == flux::Errc::room_exists);
  CHECK(server.create_room("").error().code() == flux::Errc::invalid_argument);
  CHECK(server.create_room(std::string(257, 'x')).error().code() == flux::Errc::invalid_argument);
  CHECK(server.create_room("a\nb").error().code() == flux::Errc::invalid_argument);
  CHECK(server.create_room("\xff").error().code() == flux::Errc::invalid_argument);
  REQUIRE(server.create_room("b").ok());
  CHECK(server.create_room("c").error().code() == flux::Errc::limit_exceeded);
  CHECK(server.rooms().size() == 2);
  const auto info = server.room("a");
  REQUIRE(info);
  CHECK(info->mode == flux::RoomMode::history);
  CHECK(info->capacity == 5);
  CHECK(info->members == 0);
  CHECK(info->position.offset == 0);
  CHECK_FALSE(server.room("c"));
  CHECK(server.stats().rooms_now == 2);
  CHECK(server.close_room("c").error().code() == flux::Errc::room_not_found);
  REQUIRE(server.close_room("b").ok());
  CHECK(server.close_room("b").error().code() == flux::Errc::room_not_found);
  CHECK(server.stats().rooms_now == 1);
}

TEST_CASE("rooms: a room is closed, members are told, leave it, stay connected; the next one has a new epoch") {
  flux::Server server(test_config(2));
  server.start();
  std::vector<std::unique_ptr<LiveClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<LiveClient>(server.port()));
    clients.back()->join("r");
  }
  const auto before = server.room("r")->position.epoch;
  REQUIRE(server.close_room("r", "the end").ok());
  for (const auto& client : clients) {
    const auto closed = client->next("room_closed");
    CHECK(text_at(closed, "/payload/roomId") == "r");
    CHECK(text_at(closed, "/payload/reason") == "the end");
  }
  for (const auto& client : clients) {
    CHECK(eventually([&] { return server.session(client->id)->rooms().empty(); }));
    CHECK(code_of(client->request("broadcast_event", R"({"event":"e"})")) == "NOT_IN_ROOM");
  }
  CHECK_FALSE(server.room("r"));
  CHECK(server.broadcast("r", "e", "1"_json).error().code() == flux::Errc::room_not_found);
  const auto welcome = clients[0]->join("r");
  CHECK(text_at(welcome, "/payload/position/epoch") != before);
  CHECK(server.room("r")->members == 1);
}

TEST_CASE("rooms: the last member's leave ends it, a permanent room stays") {
  flux::Server server(test_config());
  REQUIRE(server.create_room("hall", {flux::RoomMode::live, 0, true}).ok());
  server.start();
  LiveClient client(server.port());
  client.join("r");
  CHECK(server.room("r"));
  client.join("hall");
  CHECK_FALSE(server.room("r"));
  client.request("leave_room");
  CHECK(server.room("hall"));
  REQUIRE(server.close_room("hall").ok());
  CHECK_FALSE(server.room("hall"));
}

TEST_CASE("presence: the members of a room, in the order of joining") {
  flux::Server server(test_config());
  server.start();
  LiveClient one(server.port());
  LiveClient two(server.port());
  LiveClient three(server.port());
  one.join("r", R"("presence":{"n":1},"name":"Ann")");
  two.join("r", R"("presence":{"n":2})");
  three.join("r", R"("presence":{"n":3})");
  one.request("leave_room");
  one.join("r", R"("presence":{"n":4})");
  const auto members = server.presence("r");
  REQUIRE(members.size() == 3);
  CHECK(members[0].connection_id == two.id);
  CHECK(members[1].connection_id == three.id);
  CHECK(members[2].connection_id == one.id);
  CHECK(members[2].identity.name == "Ann");
  CHECK(members[2].presence.text() == R"({"n":4})");
  CHECK(server.presence("nowhere").empty());
}

TEST_CASE("broadcast: every member gets it from the server; errors have their codes") {
  auto config = test_config();
  config.limits.message_bytes_max = 1000;
  flux::Server server(config);
  server.start();
  LiveClient one(server.port());
  LiveClient two(server.port());
  one.join("r");
  two.join("r");
  const auto position = server.broadcast("r", "news", R"({"a":[1,"é"]})"_json);
  REQUIRE(position.ok());
  CHECK(position->offset == 1);
  CHECK(position->epoch == server.room("r")->position.epoch);
  for (auto* client : {&one, &two}) {
    const auto event = client->next("broadcast_event");
    CHECK(text_at(event, "/payload/connectionId") == flux::server_connection_id);
    CHECK(text_at(event, "/payload/roomId") == "r");
    CHECK(text_at(event, "/payload/event") == "news");
    CHECK(event.at("/payload/payload")->text() == R"({"a":[1,"é"]})");
  }
  CHECK(server.broadcast("no", "e", "1"_json).error().code() == flux::Errc::room_not_found);
  CHECK(server.broadcast("r", "", "1"_json).error().code() == flux::Errc::invalid_argument);
  CHECK(server.broadcast("r", std::string(257, 'e'), "1"_json).error().code() == flux::Errc::invalid_argument);
  CHECK(server.broadcast("r", "e", flux::JsonText::string(std::string(1000, 'x'))).error().code() ==
        flux::Errc::message_too_large);
  CHECK(share(server, "r", flux::JsonText::string(std::string(1000, 'x'))).error().code() ==
        flux::Errc::message_too_large);
}

TEST_CASE("share: by the server, each mode keeps what it should and later joiners get it") {
  flux::Server server(test_config());
  server.start();
  REQUIRE(server.create_room("one", {flux::RoomMode::singleton, 0, true}).ok());
  REQUIRE(server.create_room("all", {flux::RoomMode::history, 0, true}).ok());
  REQUIRE(server.create_room("none", {flux::RoomMode::live, 0, true}).ok());
  for (const char* room : {"one", "all", "none"}) {
    for (int i = 1; i <= 3; ++i) {
      const auto data = flux::JsonText::parse(R"({"type":"string","content":")" + std::to_string(i) + "\"}").value();
      CHECK(share(server, room, data).value().offset == static_cast<flux::Offset>(i));
    }
  }
  CHECK(server.room_items("one").value().size() == 1);
  CHECK(server.room_items("all").value().size() == 3);
  CHECK(server.room_items("none").value().empty());
  CHECK(server.room_items("no").error().code() == flux::Errc::room_not_found);
  CHECK(share(server, "no", item).error().code() == flux::Errc::room_not_found);
  CHECK(server.room_items("one").value()[0].connection_id == flux::server_connection_id);
  CHECK(server.room_items("all").value()[0].offset == 1);
  LiveClient client(server.port());
  CHECK(text_at(client.join("one"), "/payload/data/data/content") == "3");
  const auto all = client.join("all");
  CHECK(text_at(all, "/payload/data/0/data/content") == "1");
  CHECK(text_at(all, "/payload/data/2/data/content") == "3");
  CHECK(text_at(all, "/payload/mode") == "history");
  CHECK(number_at(all, "/payload/position/offset") == 3);
  REQUIRE(share(server, "all", item).ok());
  CHECK(number_at(client.next("room_data"), "/payload/offset") == 4);
  CHECK_FALSE(client.join("none").at("/payload/data"));
}

TEST_CASE("chat: by the server, stored, sent to members, read in pages") {
  flux::Server server(test_config());
  server.start();
  LiveClient client(server.port());
  client.join("r");
  std::vector<flux::ChatMessage> stored;
  for (int i = 1; i <= 5; ++i) {
    server.send_chat("r", numbered("m", i), i == 5 ? std::optional(R"({"k":1})"_json) : std::nullopt,
                     [&](flux::Result<flux::ChatMessage> result) { stored.push_back(result.value()); });
  }
  REQUIRE(stored.size() == 5);  // the memory store answers before `send_chat` returns
  CHECK(stored[4].offset == 5);
  CHECK(stored[4].connection_id == flux::server_connection_id);
  CHECK(stored[4].metadata == R"({"k":1})");
  for (int i = 1; i <= 5; ++i) {
    const auto message = client.next("chat_message");
    CHECK(text_at(message, "/payload/message") == numbered("m", i));
    CHECK(number_at(message, "/payload/offset") == i);
  }
  std::vector<flux::ChatMessage> page;
  const auto read = [&](std::size_t limit, flux::Offset before) {
    server.chat_history("r", limit, before,
                        [&](const flux::Result<std::vector<flux::ChatMessage>>& result) { page = result.value(); });
  };
  read(2, 0);
  REQUIRE(page.size() == 2);
  CHECK(page[0] == stored[3]);
  CHECK(page[1] == stored[4]);
  read(10, 3);
  REQUIRE(page.size() == 2);
  CHECK(page[1] == stored[1]);
  read(10, 1);
  CHECK(page.empty());

  std::vector<flux::Errc> codes;
  const auto note = [&](const auto& result) { codes.push_back(result ? flux::Errc{} : result.error().code()); };
  server.chat_history("r", 0, 0, note);
  server.chat_history("r", 1001, 0, note);
  server.send_chat("", "x", {}, note);
  CHECK(codes == std::vector<flux::Errc>(3, flux::Errc::invalid_argument));
  server.send_chat("r", std::string(65'537, 'x'), {}, note);
  CHECK(codes.back() == flux::Errc::message_too_large);
  // Text for people is repaired, and counts as what it becomes.
  server.send_chat("r", std::string(65'536, '\xff'), {}, note);
  CHECK(codes.back() == flux::Errc::message_too_large);
  server.send_chat("r", std::string("a\0b\xff", 4), "\"\\ud83d\""_json, note);
  CHECK(codes.back() == flux::Errc{});
  read(1, 0);
  CHECK(page.at(0).message == "a\uFFFDb\uFFFD");
  CHECK(page.at(0).metadata == "\"\\ufffd\"");
  server.edit_chat("r", page.at(0).offset, "no \xff", {}, note);
  CHECK(codes.back() == flux::Errc{});
  read(1, 0);
  CHECK(page.at(0).message == "no \uFFFD");
  server.send_chat("a room that is not there", "hello", {}, note);
  CHECK(codes.back() == flux::Errc{});
  server.stop(0ms);
  server.send_chat("r", "x", {}, note);
  CHECK(codes.back() == flux::Errc::stopped);
  server.chat_history("r", 1, 0, note);
  CHECK(codes.back() == flux::Errc::stopped);
}

TEST_CASE("public space: shared and deleted by the server and by clients, watchers are sent the changes") {
  auto config = test_config(2);
  config.limits.public_history_items_max = 3;
  flux::Server server(config);
  server.start();
  LiveClient watcher(server.port());
  LiveClient other(server.port());
  CHECK(watcher.request("public_history").at("/payload/items")->text() == "[]");
  for (int i = 1; i <= 4; ++i) REQUIRE(public_share(server, item).value().offset == static_cast<flux::Offset>(i));
  CHECK(server.public_items().size() == 3);
  CHECK(server.public_items()[0].offset == 2);
  CHECK(number_at(other.request("public_share", R"({"data":{"type":"string","content":"mine"}})"), "/payload/offset") ==
        5);
  CHECK(text_at(server.public_items().back().data, "/content") == "mine");
  CHECK(other.request("public_delete_last").get<bool>("/payload/deleted") == true);
  CHECK(public_delete_last(server).value());
  CHECK(public_delete_last(server).value());
  CHECK_FALSE(public_delete_last(server).value());
  CHECK(other.request("public_delete_last").get<bool>("/payload/deleted") == false);
  CHECK(public_share(server, "1"_json).value().offset == 6);
  for (;;) {
    const auto told = watcher.next("public_history");
    if (number_at(told, "/payload/items/0/offset") == 6) break;
  }
  CHECK(other.so_far().empty());  // a client that has not asked is not told
}

TEST_CASE("sessions: found by id and by user, sent to, closed") {
  flux::Server server(test_config(2));
  server.on_connect([](flux::ConnectRequest& request) {
    request.accept({request.query("user").value_or(""), {}, {}, {}, false});
  });
  server.start();
  LiveClient phone(server.port(), "/live?user=ann");
  LiveClient laptop(server.port(), "/live?user=ann");
  LiveClient other(server.port(), "/live?user=bob");
  phone.join("r");
  laptop.join("s");
  other.join("r");
  CHECK(server.sessions().size() == 3);
  CHECK(server.sessions_of_user("ann").size() == 2);
  CHECK(server.sessions_of_user("nobody").empty());
  CHECK(server.sessions_of_user("").empty());
  const auto session = server.session(phone.id);
  REQUIRE(session);
  CHECK(session->id() == phone.id);
  CHECK(session->connected());
  CHECK(session->rooms() == std::vector<flux::RoomId>{"r"});
  CHECK(session->identity().user_id == "ann");
  CHECK_FALSE(server.session("no such id"));
  CHECK_FALSE(server.session("0000000000000"));

  REQUIRE(session->send("direct", R"({"n":1})"_json, "r").ok());
  const auto direct = phone.next("broadcast_event");
  CHECK(text_at(direct, "/payload/event") == "direct");
  CHECK(text_at(direct, "/payload/roomId") == "r");
  CHECK(text_at(direct, "/payload/connectionId") == flux::server_connection_id);
  CHECK(session->send("", "1"_json).error().code() == flux::Errc::invalid_argument);
  CHECK(session->send(std::string(257, 'e'), "1"_json).error().code() == flux::Errc::invalid_argument);

  CHECK(server.send_to_user("ann", "both", "1"_json) == 2);
  CHECK(server.send_to_user("nobody", "both", "1"_json) == 0);
  CHECK(text_at(phone.next("broadcast_event"), "/payload/event") == "both");
  CHECK(text_at(laptop.next("broadcast_event"), "/payload/event") == "both");
  for (const auto& message : other.so_far()) CHECK(type_of(message) != "broadcast_event");

  CHECK(server.disconnect("no such id", flux::CloseCode::normal).error().code() == flux::Errc::session_not_found);
  CHECK(server.disconnect_user("nobody", flux::CloseCode::normal) == 0);
  CHECK(server.disconnect_user("ann", flux::CloseCode::unauthorized, std::string(200, 'r')) == 2);
  for (auto* client : {&phone, &laptop}) {
    const Closed closed = client->closed();
    CHECK(closed.code == 4401);
    CHECK(closed.reason == std::string(123, 'r'));
  }
  CHECK(eventually([&] { return server.sessions().size() == 1; }));
  CHECK(server.sessions_of_user("ann").empty());
}

TEST_CASE("clients: pages list each client once, with its protocol and connection time, even if some disconnect") {
  flux::Server server(test_config(2));
  flux::engineio::serve(server, {});
  flux::socketio::Io io(server);
  server.start();
  const auto before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  std::vector<std::unique_ptr<LiveClient>> live;
  std::vector<std::unique_ptr<SocketIoClient>> socketio;
  std::set<std::string> expected;
  for (int i = 0; i < 20; ++i) {
    live.push_back(std::make_unique<LiveClient>(server.port()));
    live.back()->join("r");
    expected.insert(live.back()->id);
  }
  for (int i = 0; i < 19; ++i) socketio.push_back(std::make_unique<SocketIoClient>(server.port()));
  WebSocketClient bare(server.port(), "/engine.io/?EIO=4&transport=websocket");
  CHECK(bare.message().substr(0, 1) == "0");
  CHECK(server.clients(100).clients.size() == 40);
  CHECK(server.clients(100).after.empty());
  CHECK(server.clients(40).after.empty());
  CHECK(server.clients(39).clients.size() == 39);
  CHECK(server.clients(0).clients.size() == 1);

  std::set<std::string> listed;
  std::map<std::string_view, int> of;
  std::string after;
  int pages = 0;
  do {
    const auto page = server.clients(7, after);
    REQUIRE(++pages <= 6);
    for (const auto& client : page.clients) {
      ++of[client.protocol];
      CHECK(listed.insert(client.id).second);
      CHECK(client.connected_at >= before);
      CHECK(client.connected_at <= std::chrono::system_clock::now());
      CHECK(client.session.has_value() == (client.protocol == "live"));
    }
    after = page.after;
    if (pages == 1) {  // so that the next page begins after a session that has ended
      const std::string last = page.clients.back().id;
      CHECK(server.disconnect(last, flux::CloseCode::normal).ok());
      for (const auto& client : live) {
        if (client->id == last) client->closed();
      }
      REQUIRE(eventually([&] { return !server.session(last); }));
    }
  } while (!after.empty());
  CHECK(pages == 6);
  CHECK((of["live"] == 20 && of["socket.io"] == 19 && of["engine.io"] == 1));
  CHECK(std::includes(listed.begin(), listed.end(), expected.begin(), expected.end()));
  CHECK(eventually([&] { return server.clients(100).clients.size() == 39; }));
}

TEST_CASE("stats: every count") {
  flux::Server server(test_config(2));
  server.start();
  CHECK(server.stats().connections == 0);
  {
    LiveClient one(server.port());
    LiveClient two(server.port());
    one.join("r");
    two.join("r");
    one.request("broadcast_event", R"({"event":"e"})");
    CHECK(code_of(one.request("broadcast_event", R"({"event":7})")) == "INVALID_MESSAGE");
    one.send_text("no json");
    CHECK(code_of(one.next("error")) == "INVALID_JSON");
    two.next("broadcast_event");
    HttpClient web(server.port());
    CHECK(web.request(get("/")).status == 404);
    const auto stats = server.stats();
    CHECK(stats.connections_now == 3);
    CHECK(stats.sessions_now == 2);
    CHECK(stats.rooms_now == 1);
    CHECK(stats.connections == 3);
    CHECK(stats.requests == 3);
    CHECK(stats.messages_in == 5);
    CHECK(stats.messages_bad == 2);
    // Two welcomes, the joiner to the other, an event, its ack, two errors.
    CHECK(stats.frames_out == 7);
    CHECK(stats.bytes_in > 500);
    CHECK(stats.bytes_out > 500);
    CHECK(stats.handler_errors == 0);
  }
  CHECK(eventually([&] { return server.stats().connections_now == 0; }));
  server.stop();
  CHECK(server.stats().connections == 3);  // kept across the stop
}

TEST_CASE("session: a handle that outlives the connection and the server reports the end and sends nothing") {
  std::optional<flux::Session> session;
  std::string id;
  {
    flux::Server server(test_config());
    server.start();
    LiveClient client(server.port());
    client.join("r", R"("name":"Ann")");
    id = client.id;
    session = server.session(id);
    const auto again = server.session(id);
    CHECK(*session == *again);
    client.send_close();
    client.closed();
    CHECK(eventually([&] { return !session->connected(); }));
    CHECK(session->send("e", "1"_json).error().code() == flux::Errc::session_not_found);
    session->close(flux::CloseCode::normal);
    CHECK(session->identity().name == "Ann");
    CHECK(session->rooms().empty());
    CHECK_FALSE(server.session(id));
    server.stop();
    CHECK(session->send("e", "1"_json).error().code() == flux::Errc::session_not_found);
  }
  CHECK(session->id() == id);
  CHECK(session->identity().name == "Ann");
  CHECK(session->remote_address().substr(0, 10) == "127.0.0.1:");
  CHECK_FALSE(session->connected());
  CHECK(session->rooms().empty());
  CHECK(session->send("e", "1"_json).error().code() == flux::Errc::session_not_found);
  session->close(flux::CloseCode::normal, "nobody there");
}

}  // namespace server_api_test
