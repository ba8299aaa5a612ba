// Limits and timeouts, the latter with a clock that the test steps.
#include "support/leaping_clock.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"

#include <flux/sharing.hpp>
#include <flux/socketio.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <memory>
#include <vector>

namespace limits_test {

using namespace flux_test;

namespace {

struct Stepped {
  std::shared_ptr<flux::testing::ManualClock> clock = std::make_shared<flux::testing::ManualClock>();
  flux::Config config = with_clock(clock);

  static flux::Config with_clock(std::shared_ptr<flux::Clock> clock) {
    auto config = test_config();
    config.clock = std::move(clock);
    return config;
  }
};

int count_of(const std::vector<flux::JsonText>& messages, std::string_view type) {
  return static_cast<int>(
      std::count_if(messages.begin(), messages.end(), [&](const auto& m) { return type_of(m) == type; }));
}

}  // namespace

TEST_CASE("limits: rooms_max, a join or create beyond it answers LIMIT_EXCEEDED until a room ends") {
  auto config = test_config();
  config.limits.rooms_max = 2;
  flux::Server server(config);
  server.start();
  LiveClient one(server.port());
  LiveClient two(server.port());
  LiveClient three(server.port());
  one.join("a");
  two.join("b");
  CHECK(code_of(three.request("join_room", R"({"roomId":"c"})")) == "LIMIT_EXCEEDED");
  CHECK(code_of(three.request("create_room", R"({"roomId":"c","mode":"live"})")) == "LIMIT_EXCEEDED");
  three.join("a");
  two.request("leave_room");
  CHECK(type_of(three.join("c")) == "room_joined");
}

TEST_CASE("limits: connections_max, one too many is closed and counted; a freed place can be used") {
  auto config = test_config(2);
  config.limits.connections_max = 2;
  flux::Server server(config);
  server.start();
  LiveClient one(server.port());
  {
    LiveClient two(server.port());
    two.join("r");
    HttpClient three(server.port());
    three.send(get("/"));
    CHECK(three.to_end().empty());
    CHECK(server.stats().connections_refused == 1);
    CHECK(server.stats().connections_now == 2);
  }
  CHECK(eventually([&] { return server.stats().connections_now == 1; }));
  CHECK_NOTHROW(LiveClient(server.port()));
}

TEST_CASE("limits: rooms_per_connection 2, messages go to the room they name, otherwise to the last one joined") {
  auto config = test_config();
  config.limits.rooms_per_connection = 2;
  flux::Server server(config);
  server.start();
  LiveClient a(server.port());
  LiveClient b(server.port());
  LiveClient both(server.port());
  a.join("a");
  b.join("b");
  both.join("a");
  both.join("b");
  CHECK(server.session(both.id)->rooms() == std::vector<flux::RoomId>{"a", "b"});
  CHECK(code_of(both.request("join_room", R"({"roomId":"c"})")) == "LIMIT_EXCEEDED");
  CHECK(server.room("c") == std::nullopt);
  both.request("broadcast_event", R"({"event":"to a","roomId":"a"})");
  both.request("broadcast_event", R"({"event":"to the last"})");
  both.request("send_chat", R"({"message":"chat in a","roomId":"a"})");
  both.request("update_presence", R"({"presence":{"in":"b"},"roomId":"b"})");
  CHECK(code_of(both.request("broadcast_event", R"({"event":"e","roomId":"c"})")) == "NOT_IN_ROOM");
  CHECK(text_at(a.next("broadcast_event"), "/payload/event") == "to a");
  CHECK(text_at(a.next("chat_message"), "/payload/roomId") == "a");
  CHECK(a.so_far().empty());
  CHECK(text_at(b.next("broadcast_event"), "/payload/event") == "to the last");
  CHECK(text_at(b.next("presence_updated"), "/payload/updated/0/presence/in") == "b");
  both.join("a");  // again: nothing changes
  CHECK(server.session(both.id)->rooms() == std::vector<flux::RoomId>{"a", "b"});
  both.request("leave_room", R"({"roomId":"b"})");
  both.request("leave_room", R"({"roomId":"unknown"})");
  CHECK(server.session(both.id)->rooms() == std::vector<flux::RoomId>{"a"});
  both.join("c");
  both.send_close();
  both.closed();
  CHECK(eventually([&] { return server.rooms().size() == 2; }));
}

TEST_CASE("limits: a room's capacity and rooms_created_max") {
  auto config = test_config();
  config.limits.rooms_created_max = 2;
  flux::Server server(config);
  server.start();
  LiveClient one(server.port());
  LiveClient two(server.port());
  CHECK(type_of(one.request("create_room", R"({"roomId":"small","mode":"live","capacity":1})")) == "ack");
  CHECK(code_of(one.request("create_room", R"({"roomId":"small","mode":"live"})")) == "ROOM_EXISTS");
  one.join("small");
  CHECK(code_of(two.request("join_room", R"({"roomId":"small"})")) == "ROOM_FULL");
  CHECK(type_of(one.join("small")) == "room_joined");  // its own place
  CHECK(type_of(one.request("create_room", R"({"roomId":"two","mode":"history"})")) == "ack");
  CHECK(code_of(one.request("create_room", R"({"roomId":"three","mode":"live"})")) == "LIMIT_EXCEEDED");
}

TEST_CASE("limits: a capacity of users counts a user's connections once, in both protocols") {
  auto config = test_config(2);
  config.capacity_counts_users = true;
  config.limits.room_members_max = 6;
  flux::Server server(config);
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_connect([](flux::ConnectRequest& request) {
    request.accept({.user_id = request.token().empty() ? "ann" : request.token()});
  });
  server.start();
  server.create_room("r", {.capacity = 2, .permanent = true}).value();
  const auto enters = [&](LiveClient& client) {
    return type_of(client.request("join_room", R"({"roomId":"r"})")) == "ack";
  };
  const auto path = [](const std::string& user) { return "/live?access_token=" + user; };
  LiveClient ann(server.port(), path("ann"));
  LiveClient ben(server.port(), path("ben"));
  LiveClient cid(server.port(), path("cid"));
  CHECK(enters(ann));
  CHECK(enters(ben));
  CHECK(code_of(cid.request("join_room", R"({"roomId":"r"})")) == "ROOM_FULL");
  LiveClient tab(server.port(), path("ann"));
  CHECK(enters(tab));
  CHECK(enters(tab));  // again
  SocketIoClient phone(server.port());
  CHECK(phone.ask("room:join", "\"r\"").get<bool>("/success") == true);
  CHECK(server.room("r")->members == 4);

  // A user's place is free when its last connection has left.
  ann.request("leave_room");
  tab.request("leave_room");
  CHECK_FALSE(enters(cid));
  CHECK(phone.ask("room:leave", "\"r\"").get<bool>("/success") == true);
  CHECK(enters(cid));
  CHECK_FALSE(enters(ann));

  // A member that has become another user needs that user's place when it joins again; refused, it stays what it was.
  const flux::Session session = server.sessions_of_user("cid").at(0);
  REQUIRE(session.set_grant({flux::Identity{.user_id = "dan"}}).ok());
  CHECK(enters(cid));
  LiveClient second(server.port(), path("dan"));
  CHECK(enters(second));
  REQUIRE(session.set_grant({flux::Identity{.user_id = "eve"}}).ok());
  CHECK_FALSE(enters(cid));
  CHECK(server.room("r")->members == 3);
  LiveClient third(server.port(), path("dan"));
  CHECK(enters(third));

  // Connections are bounded all the same.
  std::vector<std::unique_ptr<LiveClient>> tabs;
  for (int i = 0; i < 2; ++i) {
    tabs.push_back(std::make_unique<LiveClient>(server.port(), path("ben")));
    CHECK(enters(*tabs.back()));
  }
  LiveClient too_many(server.port(), path("ben"));
  CHECK(code_of(too_many.request("join_room", R"({"roomId":"r"})")) == "ROOM_FULL");
}

TEST_CASE("limits: with a capacity of users, a client without a user id takes a place of its own") {
  auto config = test_config();
  config.capacity_counts_users = true;
  flux::Server server(config);
  server.start();
  server.create_room("r", {.capacity = 2, .permanent = true}).value();
  LiveClient one(server.port());
  LiveClient two(server.port());
  LiveClient three(server.port());
  one.join("r");
  two.join("r", R"("name":"Ann","email":"ann@example.com")");
  CHECK(code_of(three.request("join_room", R"({"roomId":"r"})")) == "ROOM_FULL");
  one.request("leave_room");
  three.join("r");
}

TEST_CASE("limits: messages_per_second, a burst passes, then RATE_LIMITED until time passes, finally 4429") {
  Stepped stepped;
  stepped.config.limits.messages_per_second = 10;
  stepped.config.limits.message_burst = 3;
  stepped.config.limits.rate_limit_strikes_max = 4;
  flux::Server server(stepped.config);
  server.start();
  LiveClient client(server.port());
  const std::string message = R"({"type":"leave_room","id":"m"})";
  const auto answers = [&](int count) {
    std::string kinds;
    for (int i = 0; i < count; ++i) client.send_text(message);
    for (int i = 0; i < count; ++i) {
      const auto answer = client.next();
      kinds += type_of(answer) == "ack" ? 'a' : code_of(answer) == "RATE_LIMITED" ? 'r' : '?';
    }
    return kinds;
  };
  CHECK(answers(5) == "aaarr");
  stepped.clock->advance(100ms);
  CHECK(answers(2) == "ar");  // one token is back; earlier refusals are forgotten
  stepped.clock->advance(10s);
  CHECK(answers(4) == "aaar");
  CHECK(server.stats().messages_rate_limited == 4);
  for (int i = 0; i < 3; ++i) client.send_text(message);
  CHECK(client.closed().code == 4429);
  CHECK(server.stats().messages_rate_limited == 7);
}

TEST_CASE("limits: message_bytes_max, a longer message closes with 1009, the others stay") {
  auto config = test_config();
  config.limits.message_bytes_max = 1000;
  flux::Server server(config);
  server.start();
  LiveClient one(server.port());
  LiveClient two(server.port());
  one.join("r");
  two.join("r");
  one.request("broadcast_event", "{\"event\":\"e\",\"payload\":\"" + std::string(800, 'x') + "\"}");
  CHECK(text_at(two.next("broadcast_event"), "/payload/payload").size() == 800);
  one.send_text(std::string(1001, ' '));
  CHECK(one.closed().code == 1009);
  CHECK(two.request("leave_room").text() == R"({"type":"ack","id":"r1"})");
}

TEST_CASE("presence: the throttle sends the newest update when its window ends") {
  Stepped stepped;
  stepped.config.presence_throttle = 100ms;
  flux::Server server(stepped.config);
  server.start();
  LiveClient sender(server.port());
  LiveClient other(server.port());
  other.join("r");
  sender.join("r");
  other.so_far();
  for (int i = 1; i <= 5; ++i) {
    CHECK(type_of(sender.request("update_presence", "{\"presence\":{\"n\":" + std::to_string(i) + "}}")) == "ack");
  }
  auto seen = other.so_far();
  REQUIRE(seen.size() == 1);
  CHECK(number_at(seen[0], "/payload/updated/0/presence/n") == 1);
  stepped.clock->advance(99ms);
  CHECK(sender.so_far().empty());  // the loop has handled the step
  CHECK(other.so_far().empty());
  stepped.clock->advance(1ms);
  CHECK(number_at(other.next("presence_updated"), "/payload/updated/0/presence/n") == 5);
  // Then its own window begins.
  sender.request("update_presence", R"({"presence":{"n":6}})");
  CHECK(other.so_far().empty());
  stepped.clock->advance(100ms);
  CHECK(number_at(other.next("presence_updated"), "/payload/updated/0/presence/n") == 6);
  stepped.clock->advance(100ms);
  sender.request("update_presence", R"({"presence":{"n":7}})");
  CHECK(other.so_far().size() == 1);
}

TEST_CASE("presence: changes within the interval go out in one frame, join and leave cancel out") {
  Stepped stepped;
  stepped.config.presence_interval = 25ms;
  flux::Server server(stepped.config);
  server.start();
  LiveClient witness(server.port());
  LiveClient one(server.port());
  LiveClient two(server.port());
  LiveClient passing(server.port());
  witness.join("r");
  stepped.clock->advance(25ms);
  CHECK(witness.so_far().empty());  // nothing but its own entry
  one.join("r", R"("presence":{"n":1})");
  two.join("r");
  passing.join("r");
  one.request("update_presence", R"({"presence":{"n":2}})");
  one.request("update_presence", R"({"presence":{"n":3}})");
  passing.request("leave_room");
  CHECK(witness.so_far().empty());
  stepped.clock->advance(25ms);
  const auto frame = witness.next("presence_updated");
  CHECK(number_at(frame, "/payload/joined/0/presence/n") == 3);
  CHECK(text_at(frame, "/payload/joined/1/connectionId") == two.id);
  CHECK_FALSE(frame.at("/payload/joined/2"));
  CHECK_FALSE(frame.at("/payload/left"));
  CHECK_FALSE(frame.at("/payload/updated"));
  CHECK(witness.so_far().empty());
  for (int i = 0; i < 10; ++i) one.request("update_presence", "{\"presence\":{\"n\":" + std::to_string(i) + "}}");
  two.request("leave_room");
  CHECK(count_of(one.so_far(), "presence_updated") <= 1);  // of the joins
  stepped.clock->advance(25ms);
  const auto next = witness.next("presence_updated");
  CHECK(number_at(next, "/payload/updated/0/presence/n") == 9);
  CHECK(text_at(next, "/payload/left/0") == two.id);
  CHECK(witness.so_far().empty());
}

TEST_CASE("ping: a silent client is pinged, a pong keeps it connected, without one it is closed with 4408") {
  Stepped stepped;
  stepped.config.limits.ping_interval = 1000ms;
  stepped.config.limits.pong_timeout = 500ms;
  Awaited<flux::Disconnect> gone;
  flux::Server server(stepped.config);
  server.on_disconnect([&](const flux::Session&, const flux::Disconnect& how) { gone.set(how); });
  server.start();
  LiveClient client(server.port());
  client.join("r");
  const auto step_to_ping = [&] {
    for (int i = 0; i < 40; ++i) {
      stepped.clock->advance(100ms);
      // Once it answers another connection, the loop has handled the step.
      HttpClient(server.port()).request(get("/"));
      if (!client.tcp.received.empty()) return true;
      pollfd readable{client.tcp.native(), POLLIN, 0};
      if (::poll(&readable, 1, 0) == 1) return true;
    }
    return false;
  };
  for (int i = 0; i < 3; ++i) {
    REQUIRE(step_to_ping());
    const auto frame = client.frame();
    REQUIRE(frame);
    REQUIRE(frame->opcode == flux::transport::Opcode::ping);
    client.tcp.send(
        flux::testing::ClientFrame{.opcode = flux::transport::Opcode::pong, .payload = frame->payload}.bytes());
    CHECK(type_of(client.request("leave_room")) == "ack");
  }
  REQUIRE(step_to_ping());
  CHECK(client.frame()->opcode == flux::transport::Opcode::ping);
  REQUIRE(step_to_ping());  // this time it is the close frame
  CHECK(client.closed().code == 4408);
  CHECK(gone.get().code == flux::CloseCode::timed_out);
}

TEST_CASE("ping: by default 25 s after the last input, and 20 s later a dead peer is closed") {
  Stepped stepped;
  flux::Server server(stepped.config);
  server.start();
  LiveClient client(server.port());
  client.join("r");
  LiveClient other(server.port());
  // Steps to the next frame, in which the time is sent.
  const auto time_to_frame = [&] {
    for (auto time = 250ms; time < 100s; time += 250ms) {
      stepped.clock->advance(250ms);
      other.request("leave_room");  // answered after the step
      pollfd readable{client.tcp.native(), POLLIN, 0};
      if (!client.tcp.received.empty() || ::poll(&readable, 1, 0) == 1) return time;
    }
    return std::chrono::milliseconds(0);
  };
  constexpr auto slack = 500ms;  // of a deadline
  for (int i = 0; i < 3; ++i) {
    const auto time = time_to_frame();
    CHECK(time >= 25s);
    CHECK(time <= 25s + slack);
    const auto ping = client.frame();
    REQUIRE(ping->opcode == flux::transport::Opcode::ping);
    const auto bytes_in = server.stats().bytes_in;
    client.tcp.send(flux::testing::ClientFrame{.opcode = flux::transport::Opcode::pong}.bytes());
    REQUIRE(eventually([&] { return server.stats().bytes_in == bytes_in + 6; }));
  }
  // A client that has just sent something is silent from then on.
  for (int i = 0; i < 40; ++i) {
    stepped.clock->advance(250ms);
    other.request("leave_room");
  }
  client.request("leave_room");
  CHECK(time_to_frame() >= 25s);
  CHECK(client.frame()->opcode == flux::transport::Opcode::ping);
  const auto to_close = time_to_frame();
  CHECK(to_close >= 20s);
  CHECK(to_close <= 20s + slack);
  CHECK(client.closed().code == 4408);
}

TEST_CASE("ping: a pong_timeout longer than ping_interval is waited for in full, and pings continue") {
  Stepped stepped;
  stepped.config.limits.ping_interval = 1000ms;
  stepped.config.limits.pong_timeout = 4000ms;
  flux::Server server(stepped.config);
  server.start();
  LiveClient client(server.port());
  const auto step = [&](std::chrono::milliseconds time) {
    for (; time > 0ms; time -= 250ms) {
      stepped.clock->advance(250ms);
      HttpClient(server.port()).request(get("/"));
    }
  };
  step(1500ms);
  CHECK(client.frame()->opcode == flux::transport::Opcode::ping);
  client.request("leave_room");  // any input counts like a pong
  step(1500ms);
  CHECK(client.frame()->opcode == flux::transport::Opcode::ping);
  step(3000ms);
  client.request("leave_room");  // it is still open
  step(1500ms);
  CHECK(client.frame()->opcode == flux::transport::Opcode::ping);
  step(4500ms);
  CHECK(client.frame()->opcode == flux::transport::Opcode::close);
}

TEST_CASE("pause: clients that answer in time after the process resumes stay connected, in every protocol") {
  auto config = test_config();
  const auto clock = std::make_shared<LeapingClock>();
  config.clock = clock;
  config.limits.ping_interval = 500ms;
  config.limits.pong_timeout = 5000ms;
  flux::Server server(config);
  flux::socketio::Io io(server);
  io.on_connection([](const flux::socketio::Socket& socket) {
    socket.on("ask", [](flux::socketio::Event& event) { event.ack({flux::JsonText::number(1)}); });
  });
  server.route("GET", "/hello", [](const flux::HttpExchange& exchange) { exchange.respond(200, "hello"); });
  server.start();
  std::vector<LiveClient> clients;
  for (int i = 0; i < 20; ++i) clients.emplace_back(server.port());
  SocketIoClient socket(server.port());
  Poller poller(server.port());
  HttpClient half(server.port());
  half.send("GET /hello HTTP/1.1\r\n");
  HttpClient idle(server.port());
  CHECK(idle.request(get("/hello")).body == "hello");

  for (int pause = 0; pause < 2; ++pause) {
    clock->leap(50s);
    for (LiveClient& client : clients) {
      const auto frame = client.frame();
      REQUIRE(frame);
      REQUIRE(frame->opcode == flux::transport::Opcode::ping);
      client.tcp.send(flux::testing::ClientFrame{.opcode = flux::transport::Opcode::pong}.bytes());
    }
  }
  for (LiveClient& client : clients) CHECK(type_of(client.request("leave_room")) == "ack");
  CHECK(socket.ask("ask").text() == "1");
  CHECK(poller.post(R"(420["ask"])") == "ok");
  CHECK(poller.poll() == "430[1]");
  half.send("Host: h\r\n\r\n");
  CHECK(half.reply().body == "hello");
  CHECK(idle.request(get("/hello")).body == "hello");
}

TEST_CASE("handshake: a head that never ends, the connection is closed in time") {
  Stepped stepped;
  stepped.config.limits.handshake_timeout = 1000ms;
  flux::Server server(stepped.config);
  server.start();
  HttpClient slow(server.port());
  slow.send("GET /live HTTP/1.1\r\nHos");
  REQUIRE(eventually([&] { return server.stats().bytes_in == 23; }));
  for (int i = 0; i < 30; ++i) stepped.clock->advance(100ms);
  const std::string answer = slow.to_end();
  CHECK((answer.empty() || answer.find(" 408 ") != std::string::npos));
}

TEST_CASE("origins: listed origins and clients that are not pages may connect, others get 403") {
  auto config = test_config();
  config.origins = {"https://app.example.com", "http://localhost:3000"};
  flux::Server server(config);
  server.websocket("/raw", {});
  server.start();
  const auto status = [&](std::string_view path, const std::string& origin) {
    HttpClient client(server.port());
    return client.request(handshake(path, origin.empty() ? "" : "Origin: " + origin + "\r\n")).status;
  };
  for (const char* path : {"/live", "/raw"}) {
    CHECK(status(path, "https://app.example.com") == 101);
    CHECK(status(path, "http://localhost:3000") == 101);
    CHECK(status(path, "") == 101);
    CHECK(status(path, "https://evil.example.com") == 403);
    CHECK(status(path, "https://app.example.com.evil.com") == 403);
    CHECK(status(path, "http://app.example.com") == 403);
    CHECK(status(path, "null") == 403);
  }
  CHECK(server.stats().connections_refused == 8);
}

TEST_CASE("origins: without a list only a page of the same origin may connect, by WebSocket and by polling") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  server.websocket("/raw", {});
  server.start();
  const std::string here = "127.0.0.1:" + std::to_string(server.port());
  const auto status = [&](std::string_view path, const std::string& origin, bool upgrade) {
    HttpClient client(server.port());
    const std::string fields = origin.empty() ? "" : "Origin: " + origin + "\r\n";
    return client
        .request("GET " + std::string(path) + " HTTP/1.1\r\nHost: " + here + "\r\n" + fields +
                 (upgrade ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
                          : "\r\n"))
        .status;
  };
  const auto all = [&](const std::string& origin) {
    return std::vector<int>{status("/live", origin, true), status("/raw", origin, true),
                            status("/socket.io/?EIO=4&transport=websocket", origin, true),
                            status("/socket.io/?EIO=4&transport=polling", origin, false)};
  };
  const std::vector<int> let_in{101, 101, 101, 200}, refused(4, 403);
  CHECK(all("") == let_in);
  CHECK(all("http://" + here) == let_in);
  CHECK(all("https://" + here) == let_in);  // a proxy may terminate TLS
  for (const std::string origin :
       {"http://evil.example", "null", "file://", "http://127.0.0.1", "http://127.0.0.1:1"}) {
    CAPTURE(origin);
    CHECK(all(origin) == refused);
  }
}

TEST_CASE("origins: an entry may be a file, a star, or a name with letters outside ASCII") {
  const auto status = [](std::vector<std::string> origins, const std::string& origin) {
    auto config = test_config();
    config.origins = std::move(origins);
    flux::Server server(config);
    server.start();
    HttpClient client(server.port());
    return client.request(handshake("/live", "Origin: " + origin + "\r\n")).status;
  };
  CHECK(status({"*"}, "https://evil.example") == 101);
  CHECK(status({"file://"}, "file://") == 101);
  CHECK(status({"file://"}, "null") == 403);
  CHECK(status({"https://b\u00fccher.example:8443"}, "https://xn--bcher-kva.example:8443") == 101);
  CHECK(status({"https://b\u00fccher.example"}, "https://bucher.example") == 403);
}

TEST_CASE("origins: pages of listed origins may read what they poll") {
  auto config = test_config();
  config.origins = {"https://app.example.com"};
  flux::Server server(config);
  flux::socketio::Io io(server);
  server.start();
  HttpClient client(server.port());
  const auto reply = client.request(get("/socket.io/?EIO=4&transport=polling", "Origin: https://app.example.com\r\n"));
  CHECK(reply.status == 200);
  CHECK(reply.has("Access-Control-Allow-Origin: https://app.example.com"));
}

TEST_CASE("live: one offered subprotocol is confirmed, the first or the one that the server prefers") {
  const auto chosen = [](std::vector<std::string> preferred, const std::string& offered) {
    auto config = test_config();
    config.live_subprotocols = std::move(preferred);
    flux::Server server(config);
    server.start();
    HttpClient client(server.port());
    const auto reply = client.request(handshake("/live", "Sec-WebSocket-Protocol: " + offered + "\r\n"));
    CHECK(reply.status == 101);
    const std::string field = "Sec-WebSocket-Protocol: ";
    const std::size_t at = reply.head.find(field);
    if (at == std::string::npos) return std::string("(none)");
    const std::size_t value = at + field.size();
    return reply.head.substr(value, reply.head.find("\r\n", value) - value);
  };
  CHECK(chosen({}, "v2.chat, v1.chat") == "v2.chat");
  CHECK(chosen({}, " ,,, v1.chat ,v2.chat") == "v1.chat");
  CHECK(chosen({}, "no token, v1.chat") == "v1.chat");
  CHECK(chosen({}, ",") == "(none)");
  CHECK(chosen({"v1.chat", "v2.chat"}, "v2.chat, v1.chat") == "v1.chat");
  CHECK(chosen({"v3.chat"}, "v2.chat, v1.chat") == "(none)");
}

TEST_CASE("live_path: a different one, or none") {
  auto config = test_config();
  config.live_path = "/rt";
  flux::Server other(config);
  other.start();
  CHECK_NOTHROW(LiveClient(other.port(), "/rt").join("r"));
  CHECK_THROWS(LiveClient(other.port(), "/live"));
  config.live_path = "";
  flux::Server none(config);
  none.start();
  CHECK_THROWS(LiveClient(none.port(), "/live"));
}

}  // namespace limits_test
