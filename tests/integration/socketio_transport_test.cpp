// Edge cases of the Engine.IO transports: a close during an upgrade, a refusal that the client can read, more than one
// poll takes, pings while something long is being sent.
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"

#include <flux/detail/core/base64.hpp>
#include <flux/sharing.hpp>
#include <flux/socketio.hpp>
#include <flux/testing/manual_clock.hpp>

#include <atomic>
#include <future>
#include <memory>

namespace socketio_transport_test {

using namespace flux_test;
using flux::JsonText;
using flux::socketio::Event;
using flux::socketio::Io;
using flux::socketio::Options;
using flux::socketio::Socket;
using flux::socketio::Value;

namespace {

std::string websocket_path(const Poller& poller) { return "/socket.io/?EIO=4&transport=websocket&sid=" + poller.sid; }

std::string base64_of(std::string_view bytes) {
  std::string text;
  flux::protocol::append_base64(text, bytes);
  return text;
}

}  // namespace

// --- A close during an upgrade ---

TEST_CASE("engine.io: the server closes during an upgrade, the client gets earlier messages on either transport") {
  flux::Server server(test_config());
  Io io(server);
  io.on_connection([](const Socket& socket) {
    socket.on("close me", [socket](Event&) {
      socket.emit("last words", {Value::bytes(std::string(70'000, 'x'))});
      socket.disconnect(true);
    });
  });
  server.start();
  const std::string words = R"(451-["last words",{"_placeholder":true,"num":0}])";
  Poller poller(server.port());
  WebSocketClient client(server.port(), websocket_path(poller));
  client.send_text("2probe");
  REQUIRE(client.message() == "3probe");
  CHECK(poller.post(R"(42["close me"])") == "ok");
  SECTION("its polls are paused: it completes the upgrade and is told there") {
    client.send_text("5");
    CHECK(client.message() == words);
    CHECK((client.message() == std::string(70'000, 'x')));
    CHECK(client.message() == "41");
    CHECK(client.closed().code == 1000);
    CHECK(poller.get().status == 400);
  }
  SECTION("it continues polling") {
    CHECK((poller.poll() == words + "\x1e" + "b" + base64_of(std::string(70'000, 'x')) + "\x1e" + "41"));
    CHECK(poller.poll() == "1");
    CHECK(client.closed().code == 1000);
  }
  SECTION("it polls once, then upgrades") {
    CHECK(poller.poll().substr(0, words.size()) == words);
    client.send_text("5");
    CHECK(client.closed().code == 1000);
  }
  SECTION("it starts another probe") {
    client.send_text("2probe");
    CHECK(client.closed().code == 1000);
    CHECK(poller.poll().substr(0, words.size()) == words);
  }
  CHECK(eventually([&] { return server.stats().sessions_now == 0; }));
}

// --- The same limits on every path ---

TEST_CASE("engine.io: a client without binary frames may send as much after an upgrade, whichever loop it came from") {
  flux::Server server(test_config(2));
  Io io(server);
  io.on_connection([](const Socket& socket) {
    socket.on("file",
              [](Event& event) { event.ack({JsonText::trusted(std::to_string(event.arg(0).bytes_at()->size()))}); });
  });
  server.start();
  const std::string file(1'000'000, 'x');  // exceeds the limit as base64
  for (int i = 0; i < 2; ++i) {
    Poller poller(server.port(), true, "&b64=1");
    std::vector<TcpClient> others;  // connections are distributed over the loops in turn
    for (int n = 0; n < i; ++n) others.emplace_back(server.port());
    WebSocketClient client(server.port(), websocket_path(poller));
    client.send_text("2probe");
    REQUIRE(client.message() == "3probe");
    client.send_text("5");
    client.send_text(R"(451-1["file",{"_placeholder":true,"num":0}])");
    client.send_text("b" + base64_of(file));
    CHECK(client.message() == "431[1000000]");
  }
}

TEST_CASE("engine.io: a refused POST is answered before its session ends") {
  std::promise<void> answered;
  std::promise<bool> ended;
  flux::Server server(test_config());
  Options options;
  options.payload_bytes_max = 10'000;
  Io io(server, options);
  io.on_connection([&](const Socket& socket) {
    socket.on_disconnect([&](std::string_view) {
      ended.set_value(answered.get_future().wait_for(patience / 2) == std::future_status::ready);
    });
  });
  server.start();
  Poller poller(server.port());
  const std::string path = "/socket.io/?EIO=4&transport=polling&sid=" + poller.sid;
  int expected = 413;
  std::string request;
  SECTION("a body of unannounced length that grows too long") {
    request = "POST " + path + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n30d40\r\n" +
              std::string(200'000, 'x') + "\r\n0\r\n\r\n";
  }
  SECTION("a message that is too long") { request = post(path, "42[\"" + std::string(10'000, 'x') + "\"]"); }
  SECTION("not a packet") {
    request = post(path, "x");
    expected = 400;
  }
  SECTION("a packet that only servers send") {
    request = post(path, "0");
    expected = 400;
  }
  poller.begin_poll();
  CHECK(HttpClient(server.port()).request(request).status == expected);
  answered.set_value();
  auto in_time = ended.get_future();
  REQUIRE(in_time.wait_for(patience) == std::future_status::ready);
  CHECK(in_time.get());
  CHECK(poller.end_poll().body == "1");
  CHECK(poller.get().status == 400);
}

// --- More than a poll takes ---

TEST_CASE("engine.io: messages that exceed one poll are sent in several, in order, and a large packet alone") {
  flux::Server server(test_config());
  Io io(server);
  const std::string list = quoted_x(9'000'000);
  io.on_connection([&](const Socket& socket) {
    socket.emit("small", {JsonText::trusted("1")});
    socket.emit("list", {JsonText::trusted(list)});
    for (int i = 0; i < 30; ++i) socket.emit("part", {JsonText::trusted(quoted_x(100'000))});
    socket.emit("last");
  });
  server.start();
  Poller poller(server.port(), false);
  REQUIRE(poller.post("40") == "ok");
  const std::string first = poller.poll();
  CHECK(first.substr(0, 2) == "40");
  CHECK(first.find("\x1e"
                   R"(42["small",1])") != std::string::npos);
  CHECK(first.size() < 1'000);
  CHECK((poller.poll() == "42[\"list\"," + list + "]"));  // compared as a bool: it would be long to print
  std::string rest;
  int polls = 0;
  while (rest.find("last") == std::string::npos) {
    REQUIRE(++polls <= 30);
    const std::string payload = poller.poll();
    CHECK(payload.size() <= 1'000'000);
    rest += (rest.empty() ? "" : "\x1e") + payload;
  }
  CHECK(polls == 4);
  CHECK(static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '\x1e')) == 30);
  CHECK(server.stats().slow_readers_closed == 0);
  CHECK(server.stats().messages_dropped == 0);
}

TEST_CASE("engine.io: messages pending for a client that is disconnected come in several polls before the end") {
  flux::Server server(test_config());
  Io io(server);
  Awaited<Socket> came;
  io.on_connection([&](const Socket& socket) { came.set(socket); });
  server.start();
  Poller poller(server.port());
  const Socket socket = came.get();
  for (int i = 0; i < 30; ++i) socket.emit("part", {JsonText::trusted(quoted_x(100'000))});
  socket.disconnect(true);
  std::string all;
  for (std::string payload = poller.poll(); payload != "1"; payload = poller.poll()) {
    CHECK(payload.size() <= 1'000'000);
    all += (all.empty() ? "" : "\x1e") + payload;
  }
  CHECK(std::count(all.begin(), all.end(), '\x1e') == 30);
  CHECK(all.substr(all.size() - 3) ==
        "\x1e"
        "41");
}

TEST_CASE("sharing: lists that together exceed the outbox's limit reach a polling client") {
  auto config = test_config();
  config.limits.answer_bytes_max = config.limits.outbox_bytes_max;  // 4 MB
  flux::Server server(config);
  Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.start();
  SocketIoClient owner(server.port());
  const auto succeeds = [&](std::string_view event, std::string_view arguments) {
    return owner.ask(event, arguments).get<bool>("/success") == true;
  };
  CHECK(succeeds("room:create", R"({"roomId":"r","capacity":10,"mode":"history"})"));
  CHECK(succeeds("room:join", R"("r")"));
  const std::string item = R"({"type":"string","content":)" + quoted_x(990'000) + "}";
  for (int i = 0; i < 5; ++i) {
    CHECK(succeeds("public:upload", item));
    CHECK(succeeds("room:upload", R"({"roomId":"r","data":)" + item + "}"));
  }
  Poller poller(server.port(), false);
  REQUIRE(poller.post("40\x1e"
                      R"(421["room:join","r"])") == "ok");
  CHECK(poller.poll().substr(0, 2) == "40");
  const auto is_public_list = [](const std::string& packet) { return packet.rfind("42[\"public:history\"", 0) == 0; };
  std::string list = poller.poll();
  CHECK(is_public_list(list));
  CHECK(list.size() > 3'900'000);
  // On a busy machine the list that followed the last upload comes in between.
  while (is_public_list(list)) list = poller.poll();
  CHECK(list.substr(0, 4) == "431[");
  CHECK(list.size() > 3'900'000);
  CHECK(poller.post(R"(422["room:history","r"])") == "ok");
  do list = poller.poll();
  while (is_public_list(list));
  CHECK(list.substr(0, 4) == "432[");
  CHECK(list.size() > 3'900'000);
  CHECK(server.stats().slow_readers_closed == 0);
}

// --- Pings while something long is being sent ---

TEST_CASE("engine.io: pings continue while a long message arrives, in frames or in a POST, though no pong comes") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = test_config();
  config.clock = clock;
  config.limits.http_idle_timeout = 1h;
  config.limits.input_stall_timeout = 0ms;  // the message comes more slowly than permitted
  flux::Server server(config);
  Options options;  // a ping after 25 s; a client waits 45 s for the next
  options.attachments_timeout = 1h;
  Io io(server, options);
  server.start();
  const auto arrive = [&](TcpClient& client, std::string_view bytes) {
    const auto before = server.stats().bytes_in;
    client.send(bytes);
    REQUIRE(eventually([&] { return server.stats().bytes_in >= before + bytes.size(); }));
  };
  const std::string part(100, 'x');
  SECTION("one frame, bit by bit") {
    SocketIoClient client(server.port());
    const std::string whole =
        flux::testing::ClientFrame{.opcode = flux::transport::Opcode::binary, .payload = std::string(1'000, 'x')}
            .bytes();
    arrive(client.tcp,
           flux::testing::text_frame(R"(451-["file",{"_placeholder":true,"num":0}])") + whole.substr(0, 50));
    for (std::size_t i = 0; i < 6; ++i) {
      clock->advance(i == 0 ? 26s : 21s);
      CHECK(client.message() == "2");
      arrive(client.tcp, std::string_view(whole).substr(50 + 10 * i, 10));
    }
    CHECK(server.stats().sessions_now == 1);
  }
  SECTION("a POST, bit by bit") {
    Poller poller(server.port());
    HttpClient post(server.port());
    arrive(post, "POST /socket.io/?EIO=4&transport=polling&sid=" + poller.sid +
                     " HTTP/1.1\r\nHost: h\r\nContent-Length: 10000\r\n\r\n42");
    for (int i = 0; i < 6; ++i) {
      poller.begin_poll();
      clock->advance(i == 0 ? 26s : 21s);
      CHECK(poller.end_poll().body == "2");
      arrive(post, part);
    }
    CHECK(server.stats().sessions_now == 1);
  }
}

TEST_CASE("engine.io: a ping queued after a long message is not due before the message has been read") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = test_config();
  config.clock = clock;
  config.limits.output_stall_timeout = 0ms;  // the client starts reading when its patience would be over
  flux::Server server(config);
  Io io(server);
  Awaited<Socket> came;
  io.on_connection([&](const Socket& socket) { came.set(socket); });
  server.start();
  SocketIoClient client(server.port());
  const std::string file(40'000'000, 'x');  // more than the system's buffers hold
  came.get().emit("file", {Value::bytes(file)});
  REQUIRE(eventually([&] { return server.stats().bytes_out > 100'000; }));
  clock->advance(26s);
  clock->advance(21s);
  clock->advance(21s);
  CHECK(client.message() == R"(451-["file",{"_placeholder":true,"num":0}])");
  CHECK(client.message().size() == file.size());
  CHECK(client.message() == "2");
  client.send_text("3");
  CHECK(server.stats().sessions_now == 1);
  CHECK(eventually([&] {
    clock->advance(21s);
    return server.stats().sessions_now == 0;
  }));
}

}  // namespace socketio_transport_test
