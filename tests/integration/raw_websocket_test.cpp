// Raw WebSocket endpoints of the application.
#include "support/server.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>

namespace raw_websocket_test {

using namespace flux_test;
using flux::MessageType;
using flux::Sent;
using flux::WebSocket;

TEST_CASE("endpoint: opens, receives text and binary, answers, closes; each handler is called") {
  Awaited<std::pair<int, std::string>> closed;
  std::atomic<int> opened{0};
  flux::Server server(test_config());
  flux::WebSocketEndpoint echo;
  echo.on_open = [&](const WebSocket& socket) {
    ++opened;
    socket.send("welcome " + socket.remote_address());
  };
  echo.on_message = [](const WebSocket& socket, std::string_view message, MessageType type) {
    if (message == "close") return socket.close(flux::CloseCode::try_again_later, "as you wish");
    socket.send(message, type);
  };
  echo.on_close = [&](const WebSocket&, const flux::Disconnect& how) {
    closed.set({static_cast<int>(how.code), how.reason});
  };
  server.websocket("/echo", echo);
  server.start();
  WebSocketClient client(server.port(), "/echo");
  CHECK(client.message().substr(0, 18) == "welcome 127.0.0.1:");
  client.send_text("héllo");
  CHECK(client.message() == "héllo");
  client.send_binary(std::string("\0\xff\x80", 3));
  const auto frame = client.frame();
  REQUIRE(frame);
  CHECK(frame->opcode == flux::transport::Opcode::binary);
  CHECK(frame->payload == std::string("\0\xff\x80", 3));
  client.send_text("");
  CHECK(client.message().empty());
  client.send_text("close");
  CHECK(client.closed().code == 1013);
  CHECK(client.how_closed.reason == "as you wish");
  CHECK(closed.get() == std::pair<int, std::string>(1013, "as you wish"));
  CHECK(opened == 1);
  CHECK(server.stats().sessions_now == 0);
}

TEST_CASE("endpoint: the client's close code and reason reach the handler, a lost connection is 1006") {
  std::mutex mutex;
  std::vector<std::pair<int, std::string>> seen;
  flux::Server server(test_config());
  flux::WebSocketEndpoint endpoint;
  endpoint.on_close = [&](const WebSocket&, const flux::Disconnect& how) {
    const std::lock_guard lock(mutex);
    seen.emplace_back(static_cast<int>(how.code), how.reason);
  };
  server.websocket("/raw", endpoint);
  server.start();
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return seen.size();
  };
  WebSocketClient polite(server.port(), "/raw");
  polite.send_close(3999, "done");
  CHECK(polite.closed().code == 3999);
  REQUIRE(eventually([&] { return count() == 1; }));
  WebSocketClient(server.port(), "/raw").tcp.reset();
  REQUIRE(eventually([&] { return count() == 2; }));
  WebSocketClient silent(server.port(), "/raw");
  silent.tcp.send(flux::testing::ClientFrame{.opcode = flux::transport::Opcode::close}.bytes());
  CHECK(silent.closed().code != 1006);
  REQUIRE(eventually([&] { return count() == 3; }));
  const std::lock_guard lock(mutex);
  CHECK(seen[0] == std::pair<int, std::string>(3999, "done"));
  CHECK(seen[1].first == 1006);
  CHECK(seen[2].first == 1005);
}

TEST_CASE("endpoint: without any handler messages are read and dropped") {
  flux::Server server(test_config());
  server.websocket("/sink", {});
  server.start();
  WebSocketClient client(server.port(), "/sink");
  client.send_text("anything");
  client.send_close();
  CHECK(client.closed().code == 1000);
}

TEST_CASE("endpoint: the first of its subprotocols that the client offers is selected") {
  flux::Server server(test_config());
  flux::WebSocketEndpoint endpoint;
  endpoint.subprotocols = {"v2.chat", "v1.chat"};
  endpoint.on_open = [](const WebSocket& socket) { socket.send("[" + socket.subprotocol() + "]"); };
  server.websocket("/raw", endpoint);
  server.start();
  WebSocketClient both(server.port(), "/raw",
                       "Sec-WebSocket-Protocol: v1.chat, other\r\nSec-WebSocket-Protocol: v2.chat\r\n");
  CHECK(both.upgraded.has("Sec-WebSocket-Protocol: v2.chat"));
  CHECK(both.message() == "[v2.chat]");
  WebSocketClient one(server.port(), "/raw", "Sec-WebSocket-Protocol: v1.chat\r\n");
  CHECK(one.message() == "[v1.chat]");
  WebSocketClient other(server.port(), "/raw", "Sec-WebSocket-Protocol: v2\r\n");
  CHECK(other.upgraded.head.find("Sec-WebSocket-Protocol") == std::string::npos);
  CHECK(other.message() == "[]");
}

TEST_CASE("endpoint: the connect handler is asked, unless the endpoint is opened to all by name") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) {
    if (request.token() != "good") return request.refuse("who are you?");
    request.accept({"u1", "Ann", {}, {}, false});
  });
  flux::WebSocketEndpoint endpoint;
  endpoint.on_open = [](const WebSocket& socket) { socket.send("hello " + socket.identity().user_id); };
  server.websocket("/guarded", endpoint);
  endpoint.authenticated = false;
  server.websocket("/open", endpoint);
  server.start();
  CHECK(WebSocketClient(server.port(), "/open").message() == "hello ");
  CHECK(WebSocketClient(server.port(), "/guarded?access_token=good").message() == "hello u1");
  const Closed refused = how_closed(server.port(), "/guarded");
  CHECK(refused.code == 4401);
  CHECK(refused.reason == "who are you?");
}

TEST_CASE("endpoint: its own message_bytes_max, a longer message closes with 1009") {
  auto config = test_config();
  config.limits.message_bytes_max = 100;
  flux::Server server(config);
  flux::WebSocketEndpoint echo;
  echo.on_message = [](const WebSocket& socket, std::string_view message, MessageType type) {
    socket.send(message, type);
  };
  server.websocket("/default", echo);
  echo.message_bytes_max = 1000;
  server.websocket("/larger", echo);
  server.start();
  WebSocketClient first(server.port(), "/default");
  first.send_text(std::string(101, 'x'));
  CHECK(first.closed().code == 1009);
  WebSocketClient second(server.port(), "/larger");
  second.send_text(std::string(1000, 'x'));
  CHECK(second.message().size() == 1000);
  second.send_text(std::string(1001, 'x'));
  CHECK(second.closed().code == 1009);
}

TEST_CASE("endpoint: a handler that throws closes with 1011, other connections continue, it is counted") {
  flux::Server server(test_config());
  flux::WebSocketEndpoint endpoint;
  endpoint.on_open = [](const WebSocket& socket) {
    if (socket.subprotocol() == "throw") throw std::runtime_error("thrown on purpose");
  };
  endpoint.on_message = [](const WebSocket& socket, std::string_view message, MessageType) {
    if (message == "throw") throw std::runtime_error("thrown on purpose");
    if (message == "odd") throw 7;
    socket.send(message);
  };
  endpoint.on_close = [](const WebSocket&, const flux::Disconnect&) { throw std::runtime_error("thrown on purpose"); };
  endpoint.subprotocols = {"throw"};
  server.websocket("/raw", endpoint);
  server.start();
  WebSocketClient other(server.port(), "/raw");
  for (const char* message : {"throw", "odd"}) {
    WebSocketClient client(server.port(), "/raw");
    client.send_text(message);
    CHECK(client.closed().code == 1011);
  }
  CHECK(eventually([&] { return server.stats().handler_errors == 4; }));
  WebSocketClient opening(server.port(), "/raw", "Sec-WebSocket-Protocol: throw\r\n");
  CHECK(opening.closed().code == 1011);
  CHECK(eventually([&] { return server.stats().handler_errors == 6; }));
  other.send_text("still here");
  CHECK(other.message() == "still here");
}

TEST_CASE("endpoint: sent to from other threads, each thread's messages keep their order") {
  Awaited<WebSocket> opened;
  flux::Server server(test_config(2));
  flux::WebSocketEndpoint endpoint;
  endpoint.on_open = [&](const WebSocket& socket) { opened.set(socket); };
  server.websocket("/raw", endpoint);
  server.start();
  WebSocketClient client(server.port(), "/raw");
  const WebSocket socket = opened.get();
  CHECK(socket.key() == WebSocket(socket).key());
  Crew crew;
  constexpr int count = 300;
  for (int n = 0; n < 3; ++n) {
    crew.add([&, n] {
      for (int i = 0; i < count; ++i) {
        if (socket.send(std::to_string(n) + ":" + std::to_string(i)) == Sent::dropped)
          throw std::runtime_error("dropped");
      }
    });
  }
  std::vector<int> next(3);
  for (int i = 0; i < 3 * count; ++i) {
    const std::string message = client.message();
    int& expected = next[static_cast<std::size_t>(message[0] - '0')];
    CHECK(message.substr(2) == std::to_string(expected++));
  }
  crew.join();
  socket.close(flux::CloseCode::normal, "from elsewhere");
  CHECK(client.closed().reason == "from elsewhere");
}

TEST_CASE("endpoint: a client that does not read, send reports congested, then dropped, and it is closed with 4413") {
  const bool on_loop = GENERATE(false, true);
  auto config = test_config();
  config.limits.outbox_bytes_congested = 100'000;
  config.limits.outbox_bytes_max = 1'000'000;
  Awaited<WebSocket> opened;
  Awaited<std::vector<Sent>> told;
  Awaited<flux::CloseCode> closed;
  flux::Server server(config);
  const std::string message(50'000, 'x');
  const auto fill = [&](const WebSocket& socket) {
    std::vector<Sent> verdicts;
    for (int i = 0; i < 2000; ++i) {
      verdicts.push_back(socket.send(message));
      if (verdicts.back() == Sent::dropped) break;
      if (!on_loop) std::this_thread::yield();
    }
    return verdicts;
  };
  flux::WebSocketEndpoint endpoint;
  endpoint.on_open = [&](const WebSocket& socket) {
    if (on_loop) told.set(fill(socket));
    opened.set(socket);
  };
  endpoint.on_close = [&](const WebSocket&, const flux::Disconnect& how) { closed.set(how.code); };
  server.websocket("/raw", endpoint);
  server.start();
  WebSocketClient client(Target{server.port(), "127.0.0.1", 4096}, "/raw");
  const WebSocket socket = opened.get();
  if (!on_loop) told.set(fill(socket));
  const auto verdicts = told.get();
  CHECK(verdicts.front() == Sent::queued);
  CHECK(std::count(verdicts.begin(), verdicts.end(), Sent::congested) > 0);
  CHECK(verdicts.back() == Sent::dropped);
  if (on_loop) {
    client.closed();
    CHECK(client.how_closed.code == 4413);
    CHECK(closed.get() == flux::CloseCode::slow_reader);
    CHECK(server.stats().slow_readers_closed == 1);
    CHECK(server.stats().messages_dropped >= 1);
    CHECK(eventually([&] { return socket.outbox_bytes() == 0; }));
    CHECK(socket.send("gone") == Sent::dropped);
  }
}

TEST_CASE("endpoint: a handle that outlives the connection and the server sends nothing") {
  std::optional<WebSocket> socket;
  {
    Awaited<WebSocket> opened;
    Awaited<Sent> closed;
    flux::Server server(test_config());
    flux::WebSocketEndpoint endpoint;
    endpoint.subprotocols = {"p"};
    endpoint.on_open = [&](const WebSocket& open) { opened.set(open); };
    endpoint.on_close = [&](const WebSocket& gone, const flux::Disconnect&) { closed.set(gone.send("too late")); };
    server.websocket("/raw", endpoint);
    server.start();
    WebSocketClient client(server.port(), "/raw", "Sec-WebSocket-Protocol: p\r\n");
    socket = opened.get();
    client.tcp.reset();
    CHECK(closed.get() == Sent::dropped);
    CHECK(socket->send("x") == Sent::dropped);
    socket->close();
  }
  CHECK(socket->send("x") == Sent::dropped);
  CHECK(socket->outbox_bytes() == 0);
  CHECK(socket->subprotocol() == "p");
  CHECK(socket->remote_address().substr(0, 10) == "127.0.0.1:");
  CHECK(socket->identity() == flux::Identity{});
  socket->close(flux::CloseCode::normal);
}

TEST_CASE("endpoint: handles are used from other threads while the server stops and is destroyed") {
  for (int round = 0; round < 20; ++round) {
    Crew crew;
    std::atomic<bool> done{false};
    auto server = std::make_unique<flux::Server>(test_config());
    Awaited<WebSocket> opened;
    flux::WebSocketEndpoint endpoint;
    endpoint.on_open = [&](const WebSocket& socket) { opened.set(socket); };
    server->websocket("/raw", endpoint);
    server->start();
    WebSocketClient client(server->port(), "/raw");
    LiveClient live(server->port());
    live.join("r");
    const WebSocket socket = opened.get();
    const flux::Session session = server->session(live.id).value();
    crew.add([&, socket] {
      while (!done) socket.send("x");
    });
    crew.add([&, session] {
      while (!done) (void)session.send("e", flux::JsonText());
    });
    client.message();
    server.reset();
    done = true;
    crew.join();
  }
}

TEST_CASE("endpoint: a graceful stop closes its clients with 1001") {
  flux::Server server(test_config());
  server.websocket("/raw", {});
  server.start();
  WebSocketClient client(server.port(), "/raw");
  std::thread stopper([&] { server.stop(20s); });
  CHECK(client.closed().code == 1001);
  stopper.join();
}

}  // namespace raw_websocket_test
