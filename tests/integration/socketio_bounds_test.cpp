// What the server keeps for clients of Engine.IO and Socket.IO is bounded, and which client's part is dropped first.
#include "support/leaping_clock.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"

#include <flux/socketio.hpp>
#include <flux/testing/manual_clock.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace socketio_bounds_test {

using namespace flux_test;
using flux::JsonText;
using flux::socketio::Io;
using flux::socketio::Options;

namespace {

const std::string polling_path = "/socket.io/?EIO=4&transport=polling";

/// Polling sessions opened over one connection.
class Handshakes {
 public:
  explicit Handshakes(std::uint16_t port) : client_(port) {}

  HttpReply ask(std::string_view fields = "") { return client_.request(get(polling_path, fields)); }
  /// Returns the session id.
  std::string open(std::string_view fields = "") {
    const HttpReply reply = ask(fields);
    if (reply.status != 200) throw std::runtime_error("refused: " + reply.body);
    return text_at(JsonText::parse(reply.body.substr(1)).value(), "/sid");
  }
  /// Returns the status.
  int post(const std::string& sid, std::string_view packets) {
    return client_.request(flux_test::post(polling_path + "&sid=" + sid, packets)).status;
  }

 private:
  HttpClient client_;
};

/// A client whose connection can be cut and that may come back.
struct Returning : WebSocketClient {
  /// `auth`: the payload of CONNECT.
  explicit Returning(std::uint16_t port, std::string_view auth = "", std::string_view fields = "")
      : WebSocketClient(port, "/socket.io/?EIO=4&transport=websocket", fields) {
    message();
    send_text("40" + std::string(auth));
    const auto answer = JsonText::parse(message().substr(2)).value();
    id = text_at(answer, "/sid");
    pid = text_at(answer, "/pid");
  }
  /// Cuts the connection and waits until the server has noticed.
  void cut(Io& io) {
    const auto nsp = io.of("/");
    tcp.reset();
    REQUIRE(eventually([&] { return !nsp.socket(id); }));
  }
  std::string recovery(std::string_view offset = "") const {
    std::string auth = R"({"pid":")" + pid + "\"";
    if (!offset.empty()) auth += R"(,"offset":")" + std::string(offset) + "\"";
    return auth + "}";
  }

  std::string id;
  std::string pid;
};

/// Leaves afterwards, so that it is not cut again.
bool recovers(std::uint16_t port, const Returning& lost, std::string_view fields = "", std::string_view offset = "") {
  Returning back(port, lost.recovery(offset), fields);
  back.send_text("41");
  return back.id == lost.id;
}
/// `at`: the pointer to the event's last argument.
std::string offset_of(const std::string& event, std::string_view at) {
  return text_at(JsonText::parse(event.substr(2)).value(), at);
}

Options with_recovery() {
  Options options;
  options.recovery_max = 60s;
  return options;
}

}  // namespace

TEST_CASE("engine.io: unused sessions over one connection, the oldest of them end") {
  flux::Server server(test_config());
  Io io(server);
  server.start();
  Handshakes client(server.port());
  const std::string oldest = client.open();
  const std::string used = client.open();
  CHECK(client.post(used, "40") == 200);
  std::string newest;
  for (int i = 0; i < 1'000; ++i) newest = client.open();
  CHECK(eventually([&] { return server.stats().sessions_now == 1'001; }));
  CHECK(client.post(oldest, "40") == 400);
  CHECK(client.post(used, R"(42["event"])") == 200);
  CHECK(client.post(newest, "40") == 200);
}

TEST_CASE("socket.io: more clients are disconnected than can be recovered, the oldest is forgotten") {
  flux::Server server(test_config());
  Options options = with_recovery();
  options.recovery_sockets_max = 2;
  Io io(server, options);
  server.start();
  Returning first(server.port()), second(server.port()), third(server.port());
  for (Returning* client : {&first, &second, &third}) client->cut(io);
  CHECK_FALSE(recovers(server.port(), first));
  CHECK(recovers(server.port(), third));
  CHECK(recovers(server.port(), second));
}

TEST_CASE("socket.io: a client that has received nothing for long is recovered, whatever others received meanwhile") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = test_config();
  config.clock = clock;
  flux::Server server(config);
  Options options = with_recovery();
  options.recovery_packets_max = 10;
  Io io(server, options);
  server.start();
  Returning ada(server.port()), ben(server.port());
  io.emit("news");
  const std::string news = ada.message();
  REQUIRE(news.substr(0, 10) == R"(42["news",)");
  const std::string offset = offset_of(news, "/1");
  CHECK(ben.message() == news);
  const auto to_ben = [&](int count) {
    for (int i = 0; i < count; ++i) {
      io.to(ben.id).emit("his");
      CHECK(ben.message().substr(0, 9) == R"(42["his",)");
    }
  };
  to_ben(30);
  for (int i = 0; i < 6; ++i) {  // longer than anything is kept
    const auto before = server.stats().messages_in;
    clock->advance(26s);
    for (Returning* client : {&ada, &ben}) {
      CHECK(client->message() == "2");
      client->send_text("3");
    }
    REQUIRE(eventually([&] { return server.stats().messages_in == before + 2; }));
  }
  to_ben(5);
  ada.cut(io);
  Returning back(server.port(), ada.recovery(offset));
  CHECK(back.id == ada.id);
  io.to(back.id).emit("next");
  CHECK(back.message().substr(0, 10) == R"(42["next",)");
}

TEST_CASE("socket.io: the process was stopped for longer than the window, disconnected clients are still recovered") {
  const auto clock = std::make_shared<LeapingClock>();
  auto config = test_config();
  config.clock = clock;
  flux::Server server(config);
  Io io(server, with_recovery());
  server.start();
  Returning ada(server.port()), ben(server.port());
  ada.cut(io);
  io.emit("news");
  CHECK(ben.message().substr(0, 10) == R"(42["news",)");
  clock->leap(1h);
  Returning back(server.port(), ada.recovery());
  CHECK(back.id == ada.id);
  CHECK(back.message().substr(0, 10) == R"(42["news",)");
}

TEST_CASE("socket.io: a client that reconnects after the window is not recovered") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = test_config();
  config.clock = clock;
  flux::Server server(config);
  Io io(server, with_recovery());
  server.start();
  Returning in_time(server.port()), late(server.port());
  late.cut(io);
  clock->advance(20s);
  in_time.cut(io);
  clock->advance(41s);
  CHECK(recovers(server.port(), in_time));
  CHECK_FALSE(recovers(server.port(), late));
}

// --- Emits that no lane takes ---

TEST_CASE("socket.io: emits to several rooms, or with recovery, are refused while too much is pending for a loop") {
  const bool with_state = GENERATE(false, true);
  const bool asks = GENERATE(false, true);
  CAPTURE(with_state, asks);
  auto config = test_config();
  config.limits.fanout_bytes_max = 1'048'576;
  config.limits.ping_interval = 0ms;
  Gate gate;
  std::atomic<bool> blocked{false};
  std::atomic<std::size_t> answers{0};  // also counts those that fail when the server stops
  flux::Server server(config);
  Io io(server, with_state ? with_recovery() : Options());
  io.on_connection([&](const flux::socketio::Socket& socket) {
    for (const char* room : {"a", "b"}) static_cast<void>(socket.join(room));
    socket.on("block", [&](flux::socketio::Event&) {
      blocked = true;
      gate.wait();
    });
  });
  server.start();
  Returning client(server.port());
  REQUIRE(eventually([&] { return io.to("a").to("b").sockets().size() == 1; }));
  client.send_text(R"(42["block"])");
  REQUIRE(eventually([&] { return blocked.load(); }));
  const flux::socketio::Value filling(JsonText::trusted(quoted_x(100'000)));
  const auto emit = [&](std::size_t n) -> flux::Result<flux::Sent> {
    const flux::socketio::Args args{JsonText::number(static_cast<std::int64_t>(n)), filling};
    if (!asks) return io.to("a").to("b").emit("news", args);
    return io.to("a").to("b").timeout(60s).emit("news", args, [&](const auto&, const auto&) { ++answers; });
  };
  std::size_t taken = 0;
  flux::Result<flux::Sent> sent = flux::Sent::queued;
  while (taken < 100 && (sent = emit(taken))) ++taken;
  REQUIRE_FALSE(sent);
  CHECK(sent.error().code() == flux::Errc::overloaded);
  CHECK(taken == 11);
  gate.open();
  for (std::size_t n = 0; n < taken; ++n) {
    const std::string got = client.message();
    const std::string begin = R"(["news",)" + std::to_string(n) + ",\"x";
    CHECK(got.substr(got.find('['), begin.size()) == begin);
  }
  CHECK(eventually([&] { return emit(taken).ok(); }));
  CHECK(client.message().find(R"(["news",11,)") != std::string::npos);
  CHECK(answers == 0);
}

// --- By address ---

namespace {

flux::Config behind_proxy() {
  auto config = test_config();
  config.trusted_proxies = {"127.0.0.1"};
  return config;
}
std::string from(std::string_view address) { return "X-Forwarded-For: " + std::string(address) + "\r\n"; }
std::string with_head_of(std::size_t bytes) { return "X-Large: " + std::string(bytes, 'x') + "\r\n"; }

}  // namespace

TEST_CASE("engine.io: polling sessions per address are limited, one more is refused until one ends or upgrades") {
  flux::Server server(behind_proxy());
  Options options;
  options.polling_limits.sessions_per_address_max = 2;
  Io io(server, options);
  server.start();
  Handshakes client(server.port());
  const std::string first = client.open(from("2001:db8::1"));
  CHECK(client.post(first, "40") == 200);
  const std::string second = client.open(from("2001:db8::2"));  // in the same network
  CHECK(client.post(second, "40") == 200);
  const HttpReply refused = client.ask(from("2001:db8::3"));
  CHECK(refused.status == 429);
  CHECK(number_at(JsonText::parse(refused.body).value(), "/code") == 4);
  CHECK(server.stats().connections_refused == 1);
  CHECK(client.ask(from("2001:db8:0:1::1")).status == 200);
  CHECK(client.ask(from("192.0.2.7")).status == 200);
  SECTION("one upgrades") {
    WebSocketClient websocket(server.port(), "/socket.io/?EIO=4&transport=websocket&sid=" + first);
    websocket.send_text("2probe");
    CHECK(websocket.message() == "3probe");
    websocket.send_text("5");
    CHECK(websocket.message().substr(0, 2) == "40");
    CHECK(client.ask(from("2001:db8::3")).status == 200);
    CHECK(client.ask(from("2001:db8::4")).status == 200);  // takes the place of the previous one, which is unused
    CHECK(client.post(second, R"(42["event"])") == 200);
  }
  SECTION("one ends") {
    CHECK(client.post(first, "x") == 400);
    CHECK(eventually([&] { return client.ask(from("2001:db8::3")).status == 200; }));
  }
}

TEST_CASE("engine.io: the memory for requests of polling sessions is bounded in bytes") {
  flux::Server server(behind_proxy());
  Options options;
  SECTION("of an address: refused") {
    options.polling_limits.head_bytes_per_address_max = 20'000;
    Io io(server, options);
    server.start();
    Handshakes client(server.port());
    for (int i = 0; i < 2; ++i) CHECK(client.post(client.open(with_head_of(8'000)), "40") == 200);
    CHECK(client.ask(with_head_of(8'000)).status == 429);
    CHECK(client.ask(from("192.0.2.7") + with_head_of(8'000)).status == 200);
    CHECK(client.ask().status == 200);
  }
  SECTION("of all unused ones: the oldest ends") {
    options.polling_limits.unused_head_bytes_max = 20'000;
    Io io(server, options);
    server.start();
    Handshakes client(server.port());
    std::vector<std::string> sids;
    for (const std::string_view ip : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) {
      sids.push_back(client.open(from(ip) + with_head_of(8'000)));
    }
    CHECK(eventually([&] { return server.stats().sessions_now == 2; }));
    CHECK(client.post(sids[0], "40") == 400);
    CHECK(client.post(sids[1], "40") == 200);
    CHECK(client.post(sids[2], "40") == 200);
  }
  SECTION("their number, over all addresses: the oldest ends") {
    options.polling_limits.unused_max = 2;
    Io io(server, options);
    server.start();
    Handshakes client(server.port());
    std::vector<std::string> sids;
    for (const std::string_view ip : {"192.0.2.1", "192.0.2.2", "192.0.2.3"}) sids.push_back(client.open(from(ip)));
    CHECK(eventually([&] { return server.stats().sessions_now == 2; }));
    CHECK(client.post(sids[0], "40") == 400);
    CHECK(client.post(sids[1], "40") == 200);
    CHECK(client.post(sids[2], "40") == 200);
  }
}

TEST_CASE("socket.io: clients of one address disconnect again and again, others are still recovered") {
  flux::Server server(behind_proxy());
  Options options = with_recovery();
  options.recovery_sockets_max = 4;
  options.recovery_sockets_per_address_max = 2;
  Io io(server, options);
  server.start();
  const std::string ours = from("2001:db8:1::7"), theirs = from("192.0.2.7");
  Returning other(server.port(), "", ours);
  other.cut(io);
  std::vector<std::unique_ptr<Returning>> many;
  for (int i = 0; i < 5; ++i) {
    many.push_back(std::make_unique<Returning>(server.port(), "", theirs));
    many.back()->cut(io);
  }
  CHECK_FALSE(recovers(server.port(), *many[2], theirs));
  CHECK(recovers(server.port(), *many[4], theirs));
  CHECK(recovers(server.port(), other, ours));
}

TEST_CASE(
    "socket.io: a client that missed more than can be sent at once starts anew, and is not closed as a slow reader") {
  auto config = test_config();
  config.limits.outbox_bytes_max = 200'000;
  flux::Server server(config);
  Io io(server, with_recovery());
  server.start();
  Returning much(server.port()), little(server.port());
  much.cut(io);
  const auto emit = [&](std::size_t bytes) { io.emit("news", {JsonText::trusted(quoted_x(bytes))}); };
  emit(60'000);
  const std::string offset = offset_of(little.message(), "/2");
  little.cut(io);
  emit(60'000);
  CHECK_FALSE(recovers(server.port(), much));
  CHECK(recovers(server.port(), little, "", offset));
  CHECK(server.stats().slow_readers_closed == 0);
}

}  // namespace socketio_bounds_test
