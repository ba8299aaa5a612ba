// What the application's handlers may do, and what happens to clients when they throw.
#include "support/server.hpp"

#include <atomic>
#include <mutex>
#include <type_traits>

namespace handlers_test {

using namespace flux_test;
using namespace flux::literals;
using Catch::Matchers::ContainsSubstring;

namespace {

[[noreturn]] void throw_it() { throw std::runtime_error("thrown on purpose"); }

// A handler that took a copy would lose its veto.
static_assert(std::is_constructible_v<flux::ChatHandler, void (*)(flux::ChatDraft&)>);
static_assert(!std::is_constructible_v<flux::ChatHandler, void (*)(flux::ChatDraft)>);

}  // namespace

// --- Connecting ---

TEST_CASE("connect: the handler reads the request and sets the identity that others see") {
  std::mutex mutex;
  std::vector<std::string> seen;
  flux::Server server(test_config());
  server.on_connect([&](flux::ConnectRequest& request) {
    const std::lock_guard lock(mutex);
    seen = {std::string(request.path()),
            request.query("room").value_or("-"),
            request.query("none").value_or("-"),
            std::string(request.header("x-test").value_or("-")),
            request.remote_address(),
            request.token()};
    request.accept({"u1", "Ann", "ann@example.com", "test", false});
  });
  server.start();
  LiveClient client(server.port(), "/live?room=a%20b&access_token=t", "X-Test: yes\r\nAuthorization: Bearer other\r\n");
  const auto welcome = client.join("r", R"("name":"Mallory","email":"m@example.com")");
  const std::string entry = "/payload/presence/" + client.id;
  CHECK(text_at(welcome, entry + "/userId") == "u1");
  CHECK(text_at(welcome, entry + "/name") == "Ann");
  CHECK(text_at(welcome, entry + "/email") == "ann@example.com");
  CHECK(text_at(welcome, entry + "/provider") == "test");
  CHECK(server.session(client.id)->identity() == flux::Identity{"u1", "Ann", "ann@example.com", "test", true});
  const std::lock_guard lock(mutex);
  CHECK(seen[0] == "/live");
  CHECK(seen[1] == "a b");
  CHECK(seen[2] == "-");
  CHECK(seen[3] == "yes");
  CHECK(seen[4] == server.session(client.id)->remote_address());
  CHECK(seen[5] == "t");
}

TEST_CASE("connect: without a handler everybody may connect, with the claimed name, unverified") {
  flux::Server server(test_config());
  server.start();
  LiveClient client(server.port());
  const auto welcome = client.join("r", R"("name":"Ann","email":"a@example.com")");
  CHECK(text_at(welcome, "/payload/presence/" + client.id + "/name") == "Ann");
  CHECK(server.session(client.id)->identity() == flux::Identity{"", "Ann", "a@example.com", "", false});
}

TEST_CASE("connect: refused, the client is closed with 4401 and the reason, and there is no session") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) {
    request.refuse("not on the list");
    request.accept();  // too late: the first answer counts
  });
  server.start();
  const Closed closed = how_closed(server.port(), "/live");
  CHECK(closed.code == 4401);
  CHECK(closed.reason == "not on the list");
  CHECK(server.stats().connections_refused == 1);
  CHECK(server.stats().sessions_now == 0);
}

TEST_CASE("connect: answered later from another thread, the client's messages meanwhile are not lost") {
  Awaited<flux::LaterAnswer> question;
  flux::Server server(test_config());
  server.on_connect([&](flux::ConnectRequest& request) { question.set(request.later()); });
  server.start();
  HttpClient client(server.port());
  client.send(handshake("/live") + flux::testing::text_frame(R"({"type":"join_room","payload":{"roomId":"r"}})"));
  std::thread other([answer = question.get()] {
    answer.accept({"late", {}, {}, {}, false});
    answer.refuse();  // the first answer counts
  });
  other.join();
  CHECK(client.reply().status == 101);
  LiveClient live(std::move(client));
  const auto welcome = live.next();
  CHECK(type_of(welcome) == "room_joined");
  CHECK(server.sessions_of_user("late").size() == 1);
}

TEST_CASE("connect: refused later from another thread, the client is closed with 4401") {
  Awaited<flux::LaterAnswer> question;
  flux::Server server(test_config());
  server.on_connect([&](flux::ConnectRequest& request) { question.set(request.later()); });
  server.start();
  HttpClient client(server.port());
  client.send(handshake("/live"));
  std::thread([answer = question.get()] { answer.refuse("no"); }).join();
  CHECK(client.reply().status == 101);
  const Closed closed = WebSocketClient(std::move(client)).closed();
  CHECK(closed.code == 4401);
  CHECK(closed.reason == "no");
}

TEST_CASE("connect: the answer is dropped, the client is refused") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.later(); });
  server.start();
  CHECK(how_closed(server.port(), "/live").code == 4401);
}

TEST_CASE("connect: the client disconnects, or the server ends, before the answer, which does nothing") {
  Awaited<flux::LaterAnswer> first;
  Awaited<flux::LaterAnswer> second;
  std::atomic<int> asked{0};
  std::optional<flux::LaterAnswer> left;
  {
    flux::Server server(test_config());
    server.on_connect([&](flux::ConnectRequest& request) { (asked++ == 0 ? first : second).set(request.later()); });
    server.start();
    {
      HttpClient client(server.port());
      client.send(handshake("/live"));
      left = first.get();
    }
    CHECK(eventually([&] { return server.stats().connections_now == 0; }));
    left->accept({"ghost", {}, {}, {}, false});
    HttpClient client(server.port());
    client.send(handshake("/live"));
    left = second.get();
    CHECK(server.sessions_of_user("ghost").empty());
  }
  left->accept();
}

TEST_CASE("connect: the handler throws, the client is closed with 4500 and the next one is served") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) {
    if (request.query("bad")) throw_it();
    if (request.query("odd")) throw 7;
    request.accept();
  });
  server.start();
  CHECK(how_closed(server.port(), "/live?bad=1").code == 4500);
  CHECK(how_closed(server.port(), "/live?odd=1").code == 4500);
  CHECK(type_of(LiveClient(server.port()).join("r")) == "room_joined");
  CHECK(server.stats().handler_errors == 2);
}

// --- Tokens ---

TEST_CASE("token: verified from the query and from the header, refused with 4401, without one the user is unknown") {
  flux::Server server(test_config());
  server.on_token([](flux::TokenRequest& request) {
    if (request.token() == "throw") throw_it();
    if (request.token() == "good") request.accept({"u1", "Ann", {}, "tokens", false});
    if (request.token() == "bad") request.refuse("it has ended");
  });
  server.start();
  LiveClient query(server.port(), "/live?access_token=good");
  query.join("r");
  CHECK(server.session(query.id)->identity() == flux::Identity{"u1", "Ann", "", "tokens", true});
  LiveClient header(server.port(), "/live", "authorization: bearer  good\r\n");
  header.join("r");
  CHECK(server.session(header.id)->identity().user_id == "u1");
  LiveClient nobody(server.port());
  nobody.join("r");
  CHECK(server.session(nobody.id)->identity() == flux::Identity{});
  const Closed refused = how_closed(server.port(), "/live?access_token=bad");
  CHECK(refused.code == 4401);
  CHECK(refused.reason == "it has ended");
  CHECK(how_closed(server.port(), "/live?access_token=unknown").code == 4401);  // without an answer it is refused
  CHECK(how_closed(server.port(), "/live?access_token=throw").code == 4500);
  CHECK(server.stats().sessions_now == 3);
}

TEST_CASE("token: one in a join sets the identity; a bad one is answered with an error and the connection stays") {
  auto config = test_config();
  config.limits.answer_timeout = 100ms;
  std::optional<flux::LaterAnswer> never;
  flux::Server server(config);
  server.on_token([&](flux::TokenRequest& request) {
    if (request.token() == "throw") throw_it();
    if (request.token() == "banned") request.refuse("you may not", flux::Errc::forbidden);
    if (request.token() == "never") never = request.later();
    if (request.token() == "good") request.accept({"u1", "Ann", {}, {}, false});
  });
  server.start();
  LiveClient client(server.port());
  CHECK(code_of(client.request("join_room", R"({"roomId":"r","accessToken":"bad"})")) == "UNAUTHORIZED");
  CHECK(code_of(client.request("join_room", R"({"roomId":"r","accessToken":"banned"})")) == "FORBIDDEN");
  CHECK(code_of(client.request("join_room", R"({"roomId":"r","accessToken":"throw"})")) == "SERVER_ERROR");
  CHECK(code_of(client.request("join_room", R"({"roomId":"r","accessToken":"never"})")) == "OVERLOADED");
  CHECK_FALSE(server.room("r"));
  const auto welcome = client.join("r", R"("accessToken":"good","name":"Mallory")");
  CHECK(text_at(welcome, "/payload/presence/" + client.id + "/name") == "Ann");
  CHECK(server.sessions_of_user("u1").size() == 1);
  CHECK(server.session(client.id)->identity().verified);
}

TEST_CASE("token: verified later, the client's next messages wait for it") {
  Awaited<flux::LaterAnswer> question;
  flux::Server server(test_config());
  server.on_token([&](flux::TokenRequest& request) { question.set(request.later()); });
  server.start();
  LiveClient other(server.port());
  other.join("r");
  LiveClient client(server.port());
  client.send("join_room", R"({"roomId":"r","accessToken":"t"})", "join");
  client.send("broadcast_event", R"({"event":"after"})", "event");
  const auto answer = question.get();
  CHECK(other.so_far().empty());
  std::thread([answer] { answer.accept({"u", {}, {}, {}, false}); }).join();
  CHECK(type_of(client.next()) == "room_joined");
  CHECK(text_at(client.next(), "/id") == "join");
  CHECK(text_at(client.next("ack"), "/id") == "event");
  const auto event = other.next("broadcast_event");
  CHECK(text_at(event, "/payload/event") == "after");
  CHECK(text_at(event, "/payload/userId") == "u");
}

// --- Disconnects ---

TEST_CASE("disconnect: the handler gets the client's code, the server's, or 1006") {
  std::mutex mutex;
  std::vector<std::pair<int, std::string>> seen;
  flux::Server server(test_config());
  server.on_disconnect([&](const flux::Session& session, const flux::Disconnect& how) {
    const std::lock_guard lock(mutex);
    seen.emplace_back(static_cast<int>(how.code), how.reason);
    if (session.connected() || !session.rooms().empty()) seen.emplace_back(0, "it is connected yet");
  });
  server.start();
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return seen.size();
  };
  LiveClient one(server.port());
  one.join("r");
  one.send_close(4321, "bye");
  CHECK(one.closed().code == 4321);  // echoed
  CHECK(eventually([&] { return count() == 1; }));
  LiveClient two(server.port());
  two.join("r");
  two.tcp.reset();
  CHECK(eventually([&] { return count() == 2; }));
  LiveClient three(server.port());
  three.join("r");
  REQUIRE(server.disconnect(three.id, flux::CloseCode::policy_violation, "out").ok());
  const Closed closed = three.closed();
  CHECK(closed.code == 1008);
  CHECK(closed.reason == "out");
  CHECK(eventually([&] { return count() == 3; }));
  const std::lock_guard lock(mutex);
  CHECK(seen[0] == std::pair<int, std::string>(4321, "bye"));
  CHECK(seen[1].first == 1006);
  CHECK(seen[2] == std::pair<int, std::string>(1008, "out"));
}

// --- Vetoes and changes ---

TEST_CASE("join: the handler refuses with its own code, or changes the presence to an object") {
  flux::Server server(test_config());
  server.on_join([](flux::JoinRequest& join) {
    if (join.room == "closed") join.refuse("members only");
    if (join.room == "full") join.refuse("later", flux::Errc::room_full);
    if (join.room == "odd") join.presence = "[1]"_json;
    if (join.room == "none") join.presence = {};
    if (join.room == "open") join.presence = flux::JsonText::parse("{\"was\":" + join.presence.text() + "}").value();
  });
  server.start();
  LiveClient client(server.port());
  const auto refused = client.request("join_room", R"({"roomId":"closed"})");
  CHECK(code_of(refused) == "FORBIDDEN");
  CHECK(text_at(refused, "/payload/message") == "members only");
  CHECK(code_of(client.request("join_room", R"({"roomId":"full"})")) == "ROOM_FULL");
  CHECK(server.rooms().empty());
  const auto welcome = client.join("open", R"("presence":{"x":1})");
  CHECK(number_at(welcome, "/payload/presence/" + client.id + "/presence/was/x") == 1);
  const auto odd = client.request("join_room", R"({"roomId":"odd"})");
  CHECK(code_of(odd) == "INVALID_MESSAGE");
  CHECK(text_at(odd, "/payload/message") == "presence must be an object");
  const auto none = client.join("none");
  CHECK(none.at("/payload/presence/" + client.id + "/presence")->text() == "{}");
}

TEST_CASE("leave: the handler is called for every way of leaving, and may send to the room") {
  auto config = test_config();
  std::mutex mutex;
  std::vector<std::string> left;
  flux::Server server(config);
  server.on_leave([&](const flux::Session& session, const flux::RoomId& room) {
    {
      const std::lock_guard lock(mutex);
      left.push_back(room);
    }
    server.send_chat(room, session.id() + " left");
  });
  server.start();
  LiveClient witness(server.port());
  witness.join("a");
  LiveClient client(server.port());
  client.join("a");
  client.join("a");  // again: it stays a member
  client.join("b");  // leaves a
  CHECK(text_at(witness.next("chat_message"), "/payload/message") == client.id + " left");
  client.request("leave_room");
  client.join("c");
  REQUIRE(server.close_room("c").ok());
  client.next("room_closed");
  client.join("d");
  client.send_close();
  client.closed();
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return left == std::vector<std::string>{"a", "b", "c", "d"};
  }));
}

TEST_CASE("event: the handler refuses, changes name and payload, or removes the payload") {
  flux::Server server(test_config());
  server.on_event([](flux::EventMessage& message) {
    if (message.event == "bad") message.refuse("not that");
    if (message.event == "change") {
      message.payload = flux::JsonText::string(text_at(*message.payload, "/a") + "!");
      message.event = "changed";
    }
    if (message.event == "strip") message.payload.reset();
  });
  server.start();
  LiveClient sender(server.port());
  LiveClient other(server.port());
  sender.join("r");
  other.join("r");
  const auto refused = sender.request("broadcast_event", R"({"event":"bad"})");
  CHECK(code_of(refused) == "FORBIDDEN");
  CHECK(text_at(refused, "/payload/message") == "not that");
  sender.send("broadcast_event", R"({"event":"change","payload":{"a":"b"}})");
  sender.send("broadcast_event", R"({"event":"strip","payload":1})");
  const auto changed = other.next("broadcast_event");
  CHECK(text_at(changed, "/payload/event") == "changed");
  CHECK(text_at(changed, "/payload/payload") == "b!");
  CHECK_FALSE(other.next("broadcast_event").at("/payload/payload"));
}

TEST_CASE("chat: the handler refuses, or changes the stored message") {
  flux::Server server(test_config());
  server.on_chat([](flux::ChatDraft& chat) {
    if (chat.message.empty()) chat.refuse("say something");
    chat.message += "!";
    chat.metadata = R"({"by":"handler"})"_json;
  });
  server.start();
  LiveClient client(server.port());
  client.join("r");
  CHECK(code_of(client.request("send_chat", R"({"message":""})")) == "FORBIDDEN");
  const auto ack = client.request("send_chat", R"({"message":"hi","metadata":{"by":"me"}})");
  const auto message = client.next("chat_message");
  CHECK(text_at(message, "/payload/message") == "hi!");
  CHECK(text_at(message, "/payload/metadata/by") == "handler");
  CHECK(text_at(message, "/payload/id") == text_at(ack, "/payload/id"));
  const auto page = client.request("get_history");
  CHECK(text_at(page, "/payload/messages/0/message") == "hi!");
  CHECK_FALSE(page.at("/payload/messages/1"));
}

TEST_CASE("share: the handler refuses or changes, in rooms and in the public space") {
  flux::Server server(test_config());
  server.on_share([](flux::ShareDraft& share) {
    if (text_at(share.data, "/content") == "bad") share.refuse("no");
    if (text_at(share.data, "/content") == "change") {
      share.data = flux::JsonText::parse(R"({"type":"string","content":"in )" +
                                         (share.room.empty() ? "public" : share.room) + "\"}")
                       .value();
    }
  });
  server.start();
  LiveClient client(server.port());
  REQUIRE(server.create_room("r", {flux::RoomMode::history, 0, false}).ok());
  client.join("r");
  CHECK(code_of(client.request("share", R"({"data":{"type":"string","content":"bad"}})")) == "FORBIDDEN");
  CHECK(code_of(client.request("public_share", R"({"data":{"type":"string","content":"bad"}})")) == "FORBIDDEN");
  CHECK(number_at(client.request("share", R"({"data":{"type":"string","content":"change"}})"), "/payload/offset") == 1);
  client.request("public_share", R"({"data":{"type":"string","content":"change"}})");
  REQUIRE(server.room_items("r").value().size() == 1);
  CHECK(text_at(server.room_items("r").value()[0].data, "/content") == "in r");
  REQUIRE(server.public_items().size() == 1);
  CHECK(text_at(server.public_items()[0].data, "/content") == "in public");
}

TEST_CASE("presence: the handler refuses or changes, and others see its version") {
  flux::Server server(test_config());
  server.on_presence([](flux::PresenceChange& change) {
    if (change.presence.at("/secret")) change.refuse("too much");
    change.presence = R"({"seen":true})"_json;
  });
  server.start();
  LiveClient client(server.port());
  LiveClient other(server.port());
  client.join("r");
  other.join("r");
  CHECK(code_of(client.request("update_presence", R"({"presence":{"secret":1}})")) == "FORBIDDEN");
  CHECK(type_of(client.request("update_presence", R"({"presence":{"x":1}})")) == "ack");
  const auto update = other.next("presence_updated");
  CHECK(update.get<bool>("/payload/updated/0/presence/seen") == true);
  CHECK(server.presence("r")[0].presence.text() == R"({"seen":true})");
}

TEST_CASE("handlers: each that throws answers SERVER_ERROR, is counted, and affects nobody else") {
  auto config = test_config();
  std::mutex mutex;
  std::string log;
  config.log = [&](flux::LogLevel level, std::string_view text) {
    const std::lock_guard lock(mutex);
    log.append(flux::to_string(level)).append(": ").append(text).append("\n");
  };
  flux::Server server(config);
  server.on_join([](flux::JoinRequest& join) {
    if (join.room == "bad") throw_it();
  });
  server.on_leave([](const flux::Session&, const flux::RoomId&) { throw_it(); });
  server.on_event([](flux::EventMessage&) { throw_it(); });
  server.on_chat([](flux::ChatDraft&) { throw_it(); });
  server.on_share([](flux::ShareDraft&) { throw_it(); });
  server.on_presence([](flux::PresenceChange&) { throw_it(); });
  server.on_disconnect([](const flux::Session&, const flux::Disconnect&) { throw_it(); });
  server.start();
  LiveClient other(server.port());
  other.join("r");
  {
    LiveClient client(server.port());
    CHECK(code_of(client.request("join_room", R"({"roomId":"bad"})")) == "SERVER_ERROR");
    client.join("r");
    CHECK(code_of(client.request("broadcast_event", R"({"event":"e"})")) == "SERVER_ERROR");
    CHECK(code_of(client.request("send_chat", R"({"message":"m"})")) == "SERVER_ERROR");
    CHECK(code_of(client.request("share", R"({"data":{"type":"string","content":"x"}})")) == "SERVER_ERROR");
    CHECK(code_of(client.request("update_presence", R"({"presence":{}})")) == "SERVER_ERROR");
    CHECK(type_of(client.request("leave_room")) == "ack");
    client.send_close();
    client.closed();
  }
  CHECK(eventually([&] { return server.stats().handler_errors == 7; }));
  CHECK(server.stats().messages_bad == 5);
  for (const auto& message : other.so_far()) CHECK(type_of(message) == "presence_updated");
  server.stop(0ms);
  const std::lock_guard lock(mutex);
  CHECK_THAT(log, ContainsSubstring("error: join handler threw: thrown on purpose (room \"bad\", client 127.0.0.1:"));
  CHECK_THAT(log,
             ContainsSubstring("error: event handler threw: thrown on purpose (\"e\", room \"r\", client 127.0.0.1:"));
  CHECK_THAT(log, ContainsSubstring("error: leave handler threw: thrown on purpose (room \"r\", client 127.0.0.1:"));
  CHECK_THAT(log, ContainsSubstring("error: disconnect handler threw: thrown on purpose (client 127.0.0.1:"));
}

TEST_CASE("handlers: messages sent to a room arrive before the handler closes the session or the room") {
  flux::Server server(test_config());
  server.on_event([&](flux::EventMessage& message) {
    (void)server.broadcast(message.room, "last words", "1"_json);
    if (message.event == "close room") (void)server.close_room(message.room);
    if (message.event == "close me") message.session.close(flux::CloseCode::normal, "bye");
  });
  server.start();
  LiveClient client(server.port());
  client.join("r");
  client.send("broadcast_event", R"({"event":"close room"})");
  CHECK(type_of(client.next()) == "error");  // the room of its own event no longer exists
  CHECK(text_at(client.next(), "/payload/event") == "last words");
  CHECK(type_of(client.next()) == "room_closed");
  client.join("r");
  client.send("broadcast_event", R"({"event":"close me"})");
  CHECK(text_at(client.next("broadcast_event"), "/payload/event") == "last words");
  CHECK(client.closed().reason == "bye");
}

TEST_CASE("handlers: one at a time per connection, in the order of the messages") {
  std::atomic<int> inside{0};
  flux::Server server(test_config(2));
  std::vector<std::int64_t> order;  // of one connection only, so no lock is needed
  server.on_event([&](flux::EventMessage& message) {
    if (++inside != 1) order.push_back(-1);
    order.push_back(number_at(*message.payload, ""));
    --inside;
  });
  server.start();
  LiveClient client(server.port());
  client.join("r");
  for (int i = 0; i < 200; ++i)
    client.send("broadcast_event", "{\"event\":\"e\",\"payload\":" + std::to_string(i) + "}");
  client.request("leave_room");
  server.stop(0ms);
  REQUIRE(order.size() == 200);
  for (int i = 0; i < 200; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

}  // namespace handlers_test
