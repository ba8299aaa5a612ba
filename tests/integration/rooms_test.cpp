// Rooms as the application's own: events that it consumes, who may create and join, and whom it moves.
#include "support/awaited.hpp"
#include "support/memory_room_store.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/sharing.hpp>
#include <flux/testing/manual_clock.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace rooms_test {

using namespace flux_test;

TEST_CASE("rooms: an event that the application consumes is answered by its reply, in both protocols") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_event([](flux::EventMessage& message) {
    if (message.event == "guess") message.consume(flux::JsonText::object({{"right", true}}));
    if (message.event == "seen") message.consume();
    if (message.event == "asked") {
      std::thread([reply = message.consume_later()] { reply.reply(flux::JsonText::number(7)); }).join();
    }
  });
  server.start();
  LiveClient ann(server.port());
  ann.join("r");
  SocketIoClient ben(server.port());
  REQUIRE(ben.ask("room:join", "\"r\"").get<bool>("/success") == true);

  CHECK(ann.request("broadcast_event", R"({"event":"guess"})").at("/payload")->text() == R"({"right":true})");
  const auto seen = ann.request("broadcast_event", R"({"event":"seen"})");
  CHECK(type_of(seen) == "ack");
  CHECK_FALSE(seen.at("/payload"));
  CHECK(ann.request("broadcast_event", R"({"event":"asked"})").at("/payload")->text() == "7");
  CHECK(type_of(ann.request("broadcast_event", R"({"event":"said"})")) == "ack");

  const auto guessed = ben.ask("room:event", R"({"roomId":"r","event":"guess"})");
  CHECK(guessed.get<bool>("/success") == true);
  CHECK(guessed.at("/result")->text() == R"({"right":true})");
  CHECK_FALSE(ben.ask("room:event", R"({"roomId":"r","event":"seen"})").at("/result"));
  CHECK(ben.ask("room:event", R"({"roomId":"r","event":"asked"})").at("/result")->text() == "7");

  CHECK(text_at(ben.next("room:event"), "/1/event") == "said");
  CHECK(server.stats().messages_bad == 0);
}

TEST_CASE("rooms: what the application sends when a client has joined arrives after room_joined") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_joined([](const flux::Session& session, const flux::RoomId& room) {
    session.send("hello", flux::JsonText::string(session.id()), room).value();
  });
  server.start();
  LiveClient ann(server.port());
  ann.send("join_room", R"({"roomId":"r"})", "1");
  CHECK(type_of(ann.next()) == "room_joined");
  CHECK(type_of(ann.next()) == "ack");
  const auto hello = ann.next();
  CHECK(text_at(hello, "/payload/event") == "hello");
  SocketIoClient ben(server.port());
  CHECK(ben.ask("room:join", "\"r\"").get<bool>("/success") == true);
  CHECK(text_at(ben.next("hello"), "/2") == "r");
}

TEST_CASE("rooms: what the join handler tells a client is in its welcome alone, in both protocols") {
  auto config = test_config();
  config.limits.application_data_bytes_max = 100;
  flux::Server server(config);
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_join([joins = std::make_shared<std::atomic<int>>(0)](flux::JoinRequest& join) {
    if (join.room == "silent") return;
    if (join.room == "much") {
      join.welcome = flux::JsonText::string(std::string(99, 'x'));
      return;
    }
    join.welcome = flux::JsonText::object({{"join", ++*joins}});
  });
  server.start();
  server.create_room("r", {.permanent = true}).value();
  LiveClient ann(server.port());
  CHECK(ann.join("r").at("/payload/welcome")->text() == R"({"join":1})");
  CHECK(ann.join("r").at("/payload/welcome")->text() == R"({"join":2})");  // again
  SocketIoClient ben(server.port());
  CHECK(ben.ask("room:join", "\"r\"").at("/welcome")->text() == R"({"join":3})");
  for (const auto& message : ann.so_far()) CHECK_FALSE(message.at("/payload/welcome"));
  CHECK_FALSE(ann.join("silent").at("/payload/welcome"));

  CHECK(text_at(ann.request("join_room", R"({"roomId":"much"})"), "/payload/code") == "MESSAGE_TOO_LARGE");
  CHECK(server.stats().handler_errors == 1);
}

TEST_CASE("rooms: a welcome of the application's counts against the size of the answer, lists are cut for it") {
  auto config = test_config();
  config.limits.answer_bytes_max = 4'096;
  config.limits.application_data_bytes_max = 3'000;
  flux::Server server(config);
  server.on_join([](flux::JoinRequest& join) {
    if (join.room == "r") join.welcome = flux::JsonText::string(std::string(2'900, 'x'));
  });
  server.start();
  for (const char* room : {"r", "silent"}) {
    server.create_room(room, {.mode = flux::RoomMode::history, .permanent = true}).value();
    for (int i = 0; i < 3; ++i) {
      REQUIRE(share(server, room, flux::JsonText::string(std::string(600, 'i'))).ok());
    }
  }
  LiveClient ann(server.port());
  const auto silent = ann.join("silent");
  CHECK(silent.at("/payload/data/2"));
  CHECK_FALSE(silent.at("/payload/more"));
  const auto joined = ann.join("r");
  CHECK(joined.at("/payload/data/0"));
  CHECK_FALSE(joined.at("/payload/data/1"));
  CHECK(joined.text().size() <= 4'096 + 300);
  CHECK(joined.get<bool>("/payload/more") == true);
}

TEST_CASE("rooms: a welcome has the time of the server's clock, in both protocols") {
  auto config = test_config();
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  config.clock = clock;
  flux::Server server(config);
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.start();
  server.create_room("r", {.permanent = true}).value();
  LiveClient ann(server.port());
  SocketIoClient ben(server.port());
  for (int i = 0; i < 2; ++i) {
    CHECK(ann.join("r").get<std::int64_t>("/payload/serverTime") == clock->unix_ms());
    CHECK(ben.ask("room:join", "\"r\"").get<std::int64_t>("/serverTime") == clock->unix_ms());
    clock->advance(1234ms);
  }
  server.create_room("s").value();
  const auto id = server.presence("r")[1].connection_id;
  REQUIRE(answer_of<void>([&](auto done) { server.join(id, "s", {}, done); }).ok());
  CHECK(ben.next("room:joined").get<std::int64_t>("/1/serverTime") == clock->unix_ms());
}

TEST_CASE("rooms: a user is removed from a room with every client in it, the others stay, and other rooms too") {
  auto config = test_config(2);
  config.limits.rooms_per_connection = 2;
  flux::Server server(config);
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_connect([](flux::ConnectRequest& request) {
    request.accept({.user_id = request.token().empty() ? "ann" : request.token()});
  });
  server.start();
  server.create_room("r", {.permanent = true}).value();
  const auto path = [](const std::string& user) { return "/live?access_token=" + user; };
  LiveClient first(server.port(), path("ann"));
  LiveClient second(server.port(), path("ann"));
  LiveClient elsewhere(server.port(), path("ann"));
  LiveClient other(server.port(), path("ben"));
  SocketIoClient third(server.port());
  for (LiveClient* client : {&first, &second, &other}) client->join("r");
  first.join("s");
  elsewhere.join("s");
  REQUIRE(third.ask("room:join", "\"r\"").get<bool>("/success") == true);

  CHECK(server.leave_user("ann", "r", "that's enough") == 3);
  for (LiveClient* client : {&first, &second}) {
    const auto left = client->next("room_left");
    CHECK(text_at(left, "/payload/roomId") == "r");
    CHECK(text_at(left, "/payload/reason") == "that's enough");
  }
  CHECK(text_at(third.next("room:left"), "/1/reason") == "that's enough");
  CHECK(eventually([&] { return server.room("r")->members == 1; }));
  CHECK(server.room("s")->members == 2);
  CHECK(server.presence("r")[0].connection_id == other.id);
  CHECK(server.leave_user("ann", "r") == 0);
  CHECK(server.leave_user("nobody", "r") == 0);
  CHECK(server.leave_user("ben", "no such room") == 0);
  CHECK(server.stats().calls_failed == 0);
}

TEST_CASE("rooms: a room that a client creates by joining is stored if the application makes it a kept one") {
  auto config = test_config();
  const auto store = std::make_shared<MemoryRoomStore>();
  config.rooms.store = store;
  const auto make = [](flux::RoomCreation& creation) { creation.options.mode = flux::RoomMode::singleton; };
  {
    flux::Server server(config);
    server.on_create_room(make);
    server.start();
    LiveClient ann(server.port());
    CHECK(text_at(ann.join("r"), "/payload/mode") == "singleton");
    server.stop(0ms);
  }
  flux::Server server(config);
  server.start();
  REQUIRE(server.room("r"));
  CHECK(server.room("r")->mode == flux::RoomMode::singleton);
}

TEST_CASE("rooms: the application refuses a client's new room, or changes what it keeps, in both protocols") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_create_room([](flux::RoomCreation& creation) {
    if (creation.room == "no") return creation.refuse("not this one", flux::Errc::limit_exceeded);
    creation.options.mode = flux::RoomMode::singleton;
  });
  server.start();
  LiveClient ann(server.port());
  const auto refused = ann.request("join_room", R"({"roomId":"no"})");
  CHECK(text_at(refused, "/payload/code") == "LIMIT_EXCEEDED");
  CHECK(text_at(refused, "/payload/message") == "not this one");
  CHECK(text_at(ann.request("create_room", R"({"roomId":"no","mode":"live"})"), "/payload/code") == "LIMIT_EXCEEDED");
  CHECK(text_at(ann.join("r"), "/payload/mode") == "singleton");
  SocketIoClient ben(server.port());
  CHECK(text_at(ben.ask("room:create", R"({"roomId":"no","capacity":2,"mode":"live"})"), "/message") == "not this one");
  CHECK(ben.ask("room:create", R"({"roomId":"s","capacity":2,"mode":"live"})").get<bool>("/success") == true);
  CHECK(server.room("s")->mode == flux::RoomMode::singleton);
}

namespace {

using Act = std::function<void(std::function<void(flux::Result<void>)>)>;
flux::Errc code_of(const Act& act) {
  const auto result = answer_of<void>(act);
  return result ? flux::Errc() : result.error().code();
}

}  // namespace

TEST_CASE("rooms: the application removes, places and moves clients of both protocols") {
  std::atomic<int> left{0};  // outlives the server, whose end is handled
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_join([](flux::JoinRequest& join) {
    if (join.room == "vip") join.refuse("by invitation only");
  });
  server.on_leave([&](const flux::Session&, const flux::RoomId& room) { left += room == "lobby" ? 1 : 0; });
  server.start();
  server.create_room("vip", {.mode = flux::RoomMode::singleton, .permanent = true}).value();
  REQUIRE(share(server, "vip", flux::JsonText::string("now")).ok());
  LiveClient ann(server.port());
  ann.join("lobby");
  SocketIoClient ben(server.port());
  REQUIRE(ben.ask("room:join", "\"lobby\"").get<bool>("/success") == true);
  const std::string ben_id = text_at(ben.ask("room:members", "\"lobby\""), "/connectionId");

  SECTION("removed") {
    CHECK(code_of([&](auto done) { server.leave(ann.id, "lobby", "rude \xFF", done); }) == flux::Errc());
    const auto out = ann.next("room_left");
    CHECK(out.at("/payload")->text() == "{\"roomId\":\"lobby\",\"reason\":\"rude \xEF\xBF\xBD\"}");
    CHECK(left == 1);
    CHECK(text_at(ben.next("room:presence"), "/1/left/0") == ann.id);
    CHECK(code_of([&](auto done) { server.leave(ann.id, "lobby", {}, done); }) == flux::Errc::not_in_room);
    CHECK(code_of([&](auto done) { server.leave(ben_id, "lobby", {}, done); }) == flux::Errc());
    CHECK(ben.next("room:left").at("/1")->text() == R"({"roomId":"lobby"})");
    CHECK(ben.ask("room:join", "\"vip\"").get<bool>("/success") == false);
  }
  SECTION("placed") {
    for (const std::string& id : {ann.id, ben_id}) {
      CHECK(code_of([&](auto done) {
              server.join(id, "vip", flux::JsonText::object({{"seat", 1}}), done);
            }) == flux::Errc());
    }
    const auto joined = ann.next("room_joined");
    CHECK_FALSE(joined.at("/id"));
    CHECK(text_at(joined, "/payload/roomId") == "vip");
    CHECK(text_at(joined, "/payload/data/data") == "now");
    const auto told = ben.next("room:joined");
    CHECK(text_at(told, "/1/roomId") == "vip");
    CHECK(text_at(told, "/1/mode") == "singleton");
    CHECK(text_at(told, "/1/data") == "now");
    REQUIRE(server.presence("vip").size() == 2);
    CHECK(server.presence("vip")[1].presence.text() == R"({"seat":1})");
  }
  SECTION("moved") {
    CHECK(code_of([&](auto done) { server.move(ben_id, "lobby", "vip", "promoted", done); }) == flux::Errc());
    CHECK(ben.next("room:left").at("/1")->text() == R"({"roomId":"lobby","reason":"promoted"})");
    CHECK(text_at(ben.next("room:joined"), "/1/roomId") == "vip");
    CHECK(code_of([&](auto done) { server.move(ben_id, "lobby", "vip", {}, done); }) == flux::Errc::not_in_room);
  }
  SECTION("not there") {
    CHECK(code_of([&](auto done) { server.move(ann.id, "", "vip", {}, done); }) == flux::Errc::room_not_found);
    CHECK(code_of([&](auto done) { server.join("nobody", "vip", {}, done); }) == flux::Errc::session_not_found);
    CHECK(code_of([&](auto done) { server.join(ann.id, "nowhere", {}, done); }) == flux::Errc::room_not_found);
    server.leave(ann.id, "nowhere");  // without a callback
  }
}

TEST_CASE("rooms: the application sends an event to some members, whatever their protocol") {
  flux::Server server(test_config(2));
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.start();
  LiveClient ann(server.port()), cat(server.port());
  ann.join("r");
  cat.join("r");
  SocketIoClient ben(server.port());
  REQUIRE(ben.ask("room:join", "\"r\"").get<bool>("/success") == true);
  const std::string ben_id = text_at(ben.ask("room:members", "\"r\""), "/connectionId");
  using flux::Recipients;
  const auto one = flux::JsonText::number(1);
  REQUIRE(server.broadcast("r", "ann and ben", one, Recipients::only({ann.id, ben_id})).ok());
  REQUIRE(server.broadcast("r", "not ann", one, Recipients::except({ann.id})).ok());
  REQUIRE(server.broadcast("r", "cat", one, Recipients::only({cat.id}), flux::Delivery::newest("k")).ok());
  REQUIRE(server.broadcast("r", "all", one).ok());
  const auto events = [](const std::function<std::string()>& next) {
    std::vector<std::string> heard;
    while (heard.empty() || heard.back() != "all") heard.push_back(next());
    return heard;
  };
  const auto live = [](LiveClient& client) {
    return [&client] { return text_at(client.next("broadcast_event"), "/payload/event"); };
  };
  using Heard = std::vector<std::string>;
  CHECK(events(live(ann)) == Heard{"ann and ben", "all"});
  CHECK(events(live(cat)) == Heard{"not ann", "cat", "all"});
  CHECK(events([&] { return text_at(ben.next("room:event"), "/1/event"); }) == Heard{"ann and ben", "not ann", "all"});
}

TEST_CASE("rooms: the application's data of rooms and sessions can be read in handlers, and ends with them") {
  auto config = test_config();
  config.limits.application_data_bytes_max = 10;
  flux::Server server(config);
  server.on_joined([&](const flux::Session& session, const flux::RoomId& room) {
    session.set_data(flux::JsonText::number(7)).value();
    server.set_room_data(room, flux::JsonText::number(3)).value();
  });
  server.on_event([&](flux::EventMessage& message) {
    message.consume(flux::JsonText::object(
        {{"session", message.session.data()}, {"room", server.room_data(message.room).value()}}));
  });
  server.start();
  CHECK(server.room_data("r").error().code() == flux::Errc::room_not_found);
  CHECK(server.set_room_data("r", {}).error().code() == flux::Errc::room_not_found);
  LiveClient ann(server.port());
  ann.join("r");
  const auto found = ann.request("broadcast_event", R"({"event":"look"})");
  CHECK(found.at("/payload")->text() == R"({"session":7,"room":3})");
  CHECK(server.set_room_data("r", flux::JsonText::string("too much of it")).error().code() ==
        flux::Errc::message_too_large);
  CHECK(server.set_room_data("r", {}).ok());
  CHECK(server.room_data("r").value().text() == "null");
  CHECK(server.set_room_data("r", flux::JsonText::number(4)).ok());
  CHECK(server.close_room("r").ok());
  server.create_room("r").value();
  CHECK(server.room_data("r").value().text() == "null");
}

TEST_CASE("rooms: a client that joins late finds the present state of a singleton room, any JSON, in both protocols") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.start();
  server.create_room("quiz", {.mode = flux::RoomMode::singleton, .permanent = true}).value();
  LiveClient early(server.port());
  CHECK_FALSE(early.join("quiz").at("/payload/data"));
  REQUIRE(share(server, "quiz", flux::JsonText::object({{"question", 1}})).ok());
  REQUIRE(share(server, "quiz", flux::JsonText::object({{"question", 2}})).ok());
  CHECK(early.next("room_data").at("/payload/data")->text() == R"({"question":1})");
  CHECK(early.next("room_data").at("/payload/data")->text() == R"({"question":2})");
  LiveClient late(server.port());
  CHECK(late.join("quiz").at("/payload/data/data")->text() == R"({"question":2})");
  SocketIoClient other(server.port());
  CHECK(other.ask("room:join", "\"quiz\"").at("/data")->text() == R"({"question":2})");
}

}  // namespace rooms_test
