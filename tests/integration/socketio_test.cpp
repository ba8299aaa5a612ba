// A Socket.IO server in a whole server, with clients that speak the wire protocol over sockets.
#include "support/server.hpp"
#include "support/socketio_poller.hpp"

#include <flux/detail/core/base64.hpp>
#include <flux/socketio.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

namespace socketio_test {

using namespace flux_test;
using flux::Errc;
using flux::JsonText;
using flux::socketio::Args;
using flux::socketio::Event;
using flux::socketio::Io;
using flux::socketio::Namespace;
using flux::socketio::Options;
using flux::socketio::Socket;
using flux::socketio::Value;

namespace {

/// Over a WebSocket, in the namespace "/".
class WsClient : public WebSocketClient {
 public:
  explicit WsClient(std::uint16_t port) : WsClient(Target{port}) {}
  explicit WsClient(const Target& target, bool connects = true)
      : WebSocketClient(target, "/socket.io/?EIO=4&transport=websocket") {
    REQUIRE(next().substr(0, 1) == "0");
    if (!connects) return;
    send_text("40");
    connected = next();
  }
  /// The next message; pings are answered.
  std::string next() {
    for (;;) {
      std::string text = message();
      if (text != "2") return text;
      send_text("3");
    }
  }
  /// Everything before the answer to the request sent here.
  std::vector<std::string> settle() {
    send_text("499[\"settle\"]");
    send_text("42999[\"settle\"]");
    std::vector<std::string> before;
    for (auto text = next(); text != "43999[]"; text = next()) before.push_back(std::move(text));
    return before;
  }
  std::string connected;
};

/// The reasons with which sockets ended.
class Reasons {
 public:
  void listen(const Socket& socket) {
    socket.on_disconnect([this](std::string_view reason) {
      const std::lock_guard lock(mutex_);
      reasons_.emplace(reason);
    });
  }
  std::multiset<std::string> all() const {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }

 private:
  mutable std::mutex mutex_;
  std::multiset<std::string> reasons_;
};

Value number(std::size_t n) { return JsonText::trusted(std::to_string(n)); }
std::string bytes_of(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 % 251);
  return bytes;
}
const std::string one_attachment = R"(451-["file",{"_placeholder":true,"num":0}])";

}  // namespace

// --- Lifetimes ---

TEST_CASE("socket.io: handles outlive the server, every call then returns an error or does nothing") {
  std::optional<Io> io;
  std::optional<Socket> socket;
  std::vector<Args> answered;
  {
    flux::Server server(test_config());
    io.emplace(server);
    Awaited<Socket> came;
    io->on_connection([&](const Socket& s) {
      static_cast<void>(s.join("room"));
      came.set(s);
    });
    server.start();
    const WsClient client(server.port());
    socket = came.get();
    REQUIRE(socket->connected());
  }
  const Namespace nsp = socket->nsp();
  CHECK_FALSE(socket->connected());
  CHECK(socket->emit("a").error().code() == Errc::session_not_found);
  CHECK(socket->volatile_emit("a").error().code() == Errc::session_not_found);
  CHECK(socket->emit("a", {}, 1s, {}).error().code() == Errc::session_not_found);
  CHECK(socket->join("b").error().code() == Errc::session_not_found);
  CHECK(socket->rooms().empty());
  socket->leave("room");
  socket->set_data(JsonText::trusted("1"));
  CHECK(socket->data() == JsonText::trusted("1"));
  socket->on("a", [s = *socket](Event&) {});
  socket->once("a", [](Event&) {});
  socket->off("a");
  socket->on_any([s = *socket](Event&) {});
  socket->use([s = *socket](Event&, flux::socketio::Next) {});
  socket->on_disconnecting([s = *socket](std::string_view) {});
  socket->on_disconnect([s = *socket](std::string_view) {});
  CHECK(socket->handshake().query("EIO") == "4");
  CHECK(socket->transport() == "websocket");
  socket->to("room").emit("a");
  socket->disconnect(true);
  CHECK(nsp.sockets().empty());
  CHECK(nsp.emit("a").ok());
  CHECK(nsp.to("room").to("other").emit("a").ok());
  CHECK(nsp.to("room")
            .emit("a", {},
                  [&](const auto& missing, std::vector<Args> answers) {
                    CHECK_FALSE(missing);
                    answered = std::move(answers);
                  })
            .ok());
  CHECK(answered.empty());
  nsp.sockets_join("c");
  nsp.disconnect_sockets(true);
  CHECK(io->of("/late").sockets().empty());
  io->on_connection([](const Socket&) {});
}

TEST_CASE("socket.io: a stop is announced to clients of both transports, and the same server accepts them again") {
  Reasons reasons;
  flux::Server server(test_config(2));
  Io io(server);
  io.on_connection([&](const Socket& socket) {
    reasons.listen(socket);
    socket.on("echo", [](Event& event) { event.ack(event.args()); });
  });
  for (std::size_t life = 1; life <= 3; ++life) {
    server.start();
    WsClient ws(server.port());
    Poller poller(server.port());
    Poller waiting(server.port());
    waiting.begin_poll();
    ws.send_text(R"(421["echo","x"])");
    CHECK(ws.next() == R"(431["x"])");
    CHECK(poller.post(R"(422["echo","y"])") == "ok");
    CHECK(poller.poll() == R"(432["y"])");
    CHECK(server.stats().sessions_now == 3);
    server.stop(200ms);
    CHECK(ws.closed().code == 1001);
    CHECK(waiting.end_poll().body == "1");
    CHECK(server.stats().sessions_now == 0);
    CHECK(io.of("/").sockets().empty());
    CHECK(reasons.all().count("server shutting down") == 3 * life);
  }
}

TEST_CASE("socket.io: a handler throws, on_refused tells the client, and an answer that was sent before counts") {
  std::atomic<std::size_t> refused{0};
  flux::Server server(test_config());
  Io io(server);
  io.on_connection([&](const Socket& socket) {
    socket.on("throw", [](Event&) { throw std::runtime_error("as the test wants it"); });
    socket.on("answer and throw", [](Event& event) {
      event.ack({JsonText::number(1)});
      throw std::runtime_error("as the test wants it");
    });
    socket.on_refused([&](Event& event, const std::string& message, const std::optional<JsonText>&) {
      ++refused;
      event.ack({JsonText::string(message)});
    });
  });
  server.start();
  WsClient ws(server.port());
  ws.send_text(R"(421["throw"])");
  CHECK(ws.next() == R"(431["the server failed to handle this event"])");
  ws.send_text(R"(422["answer and throw"])");
  CHECK(ws.next() == "432[1]");
  CHECK(eventually([&] { return refused == 2; }));
}

TEST_CASE("socket.io: a connection handler throws, the client leaves the namespace and no later handler is called") {
  std::atomic<bool> called{false};
  flux::Server server(test_config());
  Io io(server);
  io.on_connection([](const Socket&) { throw std::runtime_error("as the test wants it"); });
  io.on_connection([&](const Socket&) { called = true; });
  server.start();
  WsClient ws(server.port());
  CHECK(ws.next() == "41");
  CHECK_FALSE(called);
  CHECK(io.sockets().empty());
  CHECK(server.stats().handler_errors == 1);
}

TEST_CASE("socket.io: an empty handler of an event, middleware or namespace is refused, others are removed by one") {
  flux::Server server(test_config());
  Io io(server);
  const auto refused = [](auto&& set) { return thrown_by(set).first == Errc::bad_config; };
  CHECK(refused([&] { io.use({}); }));
  CHECK(refused([&] { io.on_connection({}); }));
  CHECK(refused([&] { io.of([](std::string_view, const JsonText&) { return true; }, nullptr); }));
  CHECK(refused([&] { io.of(nullptr, [](const Namespace&) {}); }));
  std::atomic<int> called{0};
  std::atomic<bool> checked{false};
  io.on_connection([&](const Socket& socket) {
    socket.on("e", {});
    socket.once("e", {});
    socket.on("disconnect", [](Event&) {});
    socket.once("disconnecting", [](Event&) {});
    socket.use({});
    socket.use([](Event&, flux::socketio::Next next) { next.refuse("no"); });
    socket.on_any([&](Event&) { ++called; });
    socket.on_any({});
    socket.on_refused([&](Event&, const std::string&, const std::optional<JsonText>&) { ++called; });
    socket.on_refused({});
    socket.on_disconnecting([&](std::string_view) { ++called; });
    socket.on_disconnecting({});
    socket.on_disconnect([&](std::string_view) { ++called; });
    socket.on_disconnect({});
    checked = server.stats().calls_failed == 5;
  });
  server.start();
  WsClient ws(server.port());
  ws.send_text(R"(42["e"])");
  ws.send_text("41");
  CHECK(eventually([&] { return io.sockets().empty(); }));
  CHECK(checked);
  CHECK(called == 0);
  CHECK(server.stats().handler_errors == 0);
}

TEST_CASE("socket.io: options that an endpoint could not work with are refused by their name and value") {
  const std::vector<std::pair<std::string, std::function<void(Options&)>>> wrong = {
      {"socketio::Options::ping_interval must be more than 0, not 0 ms", [](auto& o) { o.ping_interval = 0ms; }},
      {"socketio::Options::ping_timeout must be more than 0, not -1 ms", [](auto& o) { o.ping_timeout = -1ms; }},
      {"socketio::Options::upgrade_timeout must be more than 0, not 0 ms", [](auto& o) { o.upgrade_timeout = 0ms; }},
      {"socketio::Options::payload_bytes_max must be at least 1, not 0", [](auto& o) { o.payload_bytes_max = 0; }},
      {"socketio::Options::connect_timeout must be more than 0, not 0 ms", [](auto& o) { o.connect_timeout = 0ms; }},
      {"socketio::Options::namespaces_max must be at least 1, not 0", [](auto& o) { o.namespaces_max = 0; }},
      {"socketio::PacketLimits::text_bytes_max must be at least 1, not 0",
       [](auto& o) { o.packet_limits.text_bytes_max = 0; }},
      {"socketio::PacketLimits::namespace_bytes_max must be at least 1, not 0",
       [](auto& o) { o.packet_limits.namespace_bytes_max = 0; }},
      {"socketio::PacketLimits::event_name_bytes_max must be at least 1, not 0",
       [](auto& o) { o.packet_limits.event_name_bytes_max = 0; }},
      {"socketio::PacketLimits::json_depth_max must be at least 1, not 0",
       [](auto& o) { o.packet_limits.json_depth_max = 0; }},
      {"socketio::Options::auth_bytes_max must be at least 2, not 1", [](auto& o) { o.auth_bytes_max = 1; }},
      {"socketio::Options must leave polling or websocket on", [](auto& o) { o.polling = o.websocket = false; }},
  };
  for (const auto& [text, change] : wrong) {
    flux::Server server(test_config());
    Options options;
    change(options);
    CHECK(thrown_by([&] { Io io(server, options); }) == std::pair(Errc::bad_config, text));
  }
}

TEST_CASE("socket.io: the statistics count its sessions, messages and errors") {
  flux::Server server(test_config());
  Io io(server);
  io.on_connection([](const Socket& socket) {
    socket.on("throw", [](Event&) { throw std::runtime_error("as the test wants it"); });
    socket.on("settle", [](Event& event) { event.ack(); });
  });
  server.start();
  const auto before = server.stats();
  {
    WsClient ws(server.port());
    Poller poller(server.port());
    CHECK(server.stats().sessions_now == 2);
    ws.send_text(R"(42["throw"])");
    ws.send_text(R"(42999["settle"])");
    CHECK(ws.next() == "43999[]");
    const auto now = server.stats();
    CHECK(now.handler_errors == before.handler_errors + 1);
    CHECK(now.messages_in == before.messages_in + 4);  // 40, throw, settle; 40 by a POST
    CHECK(now.frames_out == before.frames_out + 3);    // open, CONNECT, the acknowledgment
    CHECK(now.messages_bad == before.messages_bad);
    ws.send_text("42[");
    CHECK(ws.closed().code == 1000);
    CHECK(server.stats().messages_bad == before.messages_bad + 1);
    CHECK(poller.post("1") == "ok");
  }
  CHECK(eventually([&] { return server.stats().sessions_now == 0; }));
}

// --- Slow readers ---

TEST_CASE("socket.io: a poller that does not poll and a WebSocket that does not read are closed, peers lose nothing") {
  Reasons reasons;
  auto config = test_config();
  config.limits.outbox_bytes_max = 262'144;
  config.limits.close_timeout = 200ms;
  flux::Server server(config);
  Io io(server);
  io.on_connection([&](const Socket& socket) {
    static_cast<void>(socket.join("room"));
    reasons.listen(socket);
  });
  server.start();
  WsClient peer(server.port());
  Poller slow_poller(server.port());
  const WsClient slow_reader(Target{.port = server.port(), .receive_buffer_bytes = 4096});
  REQUIRE(eventually([&] { return io.to("room").sockets().size() == 3; }));
  const Value filling(JsonText::trusted(quoted_x(16'000)));
  std::size_t sent = 0;
  while (server.stats().slow_readers_closed < 2) {
    REQUIRE(sent < 20'000);
    io.to("room").emit("news", {number(sent), filling});
    const std::string got = peer.next();
    REQUIRE(got.substr(0, 20) == ("42[\"news\"," + std::to_string(sent) + ",\"xxxxxxxxxx").substr(0, 20));
    ++sent;
  }
  CHECK(eventually([&] { return reasons.all() == std::multiset<std::string>{"transport close", "transport error"}; }));
  CHECK(server.stats().slow_readers_closed == 2);
  CHECK(server.stats().messages_dropped > 0);
  CHECK(io.to("room").sockets().size() == 1);
  CHECK(slow_poller.get().status == 400);
  io.to("room").emit("last");
  CHECK(peer.next() == R"(42["last"])");
}

TEST_CASE("socket.io: the rest of a payload posted by a slow poller is not handled") {
  auto config = test_config();
  config.limits.outbox_bytes_max = 262'144;
  config.limits.outbox_bytes_congested = 262'144;  // otherwise its POST would wait
  flux::Server server(config);
  Io io(server);
  std::atomic<int> calls{0};
  const Value filling(JsonText::trusted(quoted_x(100'000)));
  io.on_connection([&](const Socket& socket) {
    socket.on("fill", [&](Event& event) {
      ++calls;
      event.ack({filling});
    });
  });
  server.start();
  Poller poller(server.port());
  std::string payload;
  for (int i = 0; i < 1000; ++i) payload += (i == 0 ? "" : "\x1e") + std::string("421[\"fill\"]");
  poller.post(payload);
  CHECK(eventually([&] { return server.stats().slow_readers_closed == 1; }));
  CHECK(calls == 3);
}

TEST_CASE("socket.io: a client that joins and leaves a namespace all the time is rate limited") {
  auto config = test_config();
  config.limits.messages_per_second = 1;
  config.limits.message_burst = 5;
  flux::Server server(config);
  Io io(server);
  std::atomic<int> connections{0};
  io.on_connection([&](const Socket&) { ++connections; });
  server.start();
  WsClient client(server.port());
  std::string answer = client.connected;
  while (answer.substr(0, 2) == "40") {
    REQUIRE(connections < 50);
    client.send_text("41");
    client.send_text("40");
    answer = client.next();
  }
  CHECK(answer == R"(44{"message":"Too many packets; try again later"})");
  CHECK(server.stats().messages_rate_limited == 1);
}

TEST_CASE("socket.io: other threads use a socket while its middlewares decide") {
  flux::Server server(test_config(2));
  Io io(server);
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::vector<Socket> sockets;
  io.use([&](const Socket& socket, const flux::socketio::Next& next) {
    {
      const std::lock_guard lock(mutex);
      sockets.push_back(socket);
    }
    next();
  });
  server.start();
  Crew crew;
  const std::shared_ptr<void> stops(nullptr, [&](void*) { stop = true; });  // before waiting for the crew
  crew.add([&] {
    while (!stop) {
      std::vector<Socket> all;
      {
        const std::lock_guard lock(mutex);
        all = sockets;
      }
      for (const Socket& socket : all) {
        socket.set_data(JsonText::string("data"));
        static_cast<void>(socket.join("room"));
        static_cast<void>(socket.rooms());
      }
    }
  });
  for (int i = 0; i < 20; ++i) {
    WsClient client(server.port());
    CHECK(client.connected.substr(0, 2) == "40");
    REQUIRE(eventually([&] { return io.to("room").sockets().size() == 1; }));
    client.send_text("41");
    REQUIRE(eventually([&] { return io.to("room").sockets().empty(); }));
  }
  stop = true;
  crew.join();
}

TEST_CASE("socket.io: a client that vanishes while a middleware is pending ends at the ping timeout") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = test_config();
  config.clock = clock;
  flux::Server server(config);
  Io io(server, {.ping_interval = 1s, .ping_timeout = 1s, .connect_timeout = 1h});
  std::mutex mutex;
  std::vector<flux::socketio::Next> open;  // questions that are not answered
  std::vector<std::weak_ptr<flux::detail::SocketIoSocket>> sockets;
  Reasons reasons;
  const auto think = [&](const Socket& socket, const flux::socketio::Next& next) {
    const std::lock_guard lock(mutex);
    open.push_back(next);
    sockets.push_back(socket.state());
  };
  const auto asked = [&] {
    const std::lock_guard lock(mutex);
    return open.size();
  };
  const bool about_event = GENERATE(false, true);
  io.use([&](const Socket& socket, const flux::socketio::Next& next) { about_event ? next() : think(socket, next); });
  io.on_connection([&](const Socket& socket) {
    reasons.listen(socket);
    socket.use([&, socket](Event&, const flux::socketio::Next& next) { think(socket, next); });
  });
  server.start();
  WsClient over_websocket(Target{server.port()}, false);
  Poller over_polling(server.port(), false);
  over_websocket.send_text("40");
  REQUIRE(over_polling.post("40") == "ok");
  if (about_event) {
    CHECK(over_websocket.next().substr(0, 2) == "40");
    CHECK(over_polling.poll().substr(0, 2) == "40");
    over_websocket.send_text(R"(421["event"])");
    REQUIRE(over_polling.post(R"(421["event"])") == "ok");
  }
  REQUIRE(eventually([&] { return asked() == 2; }));
  CHECK(server.stats().sessions_now == 2);
  CHECK(eventually([&] {
    clock->advance(500ms);
    return server.stats().sessions_now == 0;
  }));
  const auto told =
      about_event ? std::multiset<std::string>{"ping timeout", "ping timeout"} : std::multiset<std::string>{};
  CHECK(eventually([&] { return reasons.all() == told; }));
  // Late answers are harmless, and with the questions the last of the sockets is destroyed.
  for (const auto& next : open) next();
  open.clear();
  CHECK(eventually([&] {
    return std::all_of(sockets.begin(), sockets.end(), [](const auto& socket) { return socket.expired(); });
  }));
  CHECK(io.of("/").sockets().empty());
}

// --- Acknowledgments ---

TEST_CASE("socket.io: a rate limited event goes to on_refused if it asks for an acknowledgment, otherwise nowhere") {
  auto config = test_config();
  config.clock = std::make_shared<flux::testing::ManualClock>();  // time stands still
  config.limits.messages_per_second = 1;
  config.limits.message_burst = 1;
  config.limits.rate_limit_strikes_max = 5;
  flux::Server server(config);
  Io io(server);
  std::atomic<int> handled{0};
  std::atomic<int> refused{0};
  const bool listens = GENERATE(true, false);
  io.on_connection([&](const Socket& socket) {
    socket.on("work", [&](Event& event) {
      ++handled;
      event.ack();
    });
    if (!listens) return;
    socket.on_refused([&](Event& event, const std::string& message, const std::optional<JsonText>&) {
      ++refused;
      event.ack({JsonText::string(message), event.arg(0)});
    });
  });
  server.start();
  WsClient client(server.port());
  client.send_text(R"(421["work"])");
  CHECK(client.next() == "431[]");
  client.send_text(R"(42["work"])");
  client.send_text(R"(422["work","again"])");
  client.send_text("42[\"work\"]");
  if (listens) CHECK(client.next() == R"(432["more than 1 messages a second; this one was not acted on","again"])");
  client.send_text(R"(423["work"])");
  if (listens) CHECK(client.next().substr(0, 3) == "433");
  client.send_text(R"(424["work"])");  // one too many
  CHECK(client.closed().code == 4429);
  CHECK(client.before_close.empty());
  CHECK(handled == 1);
  CHECK(refused == (listens ? 2 : 0));
}

TEST_CASE("socket.io: acks that were not requested, are repeated or late do nothing") {
  flux::Server server(test_config());
  Io io(server);
  std::atomic<int> answers{0};
  std::atomic<int> failures{0};
  io.on_connection([&](const Socket& socket) {
    socket.on("ask me", [&, socket](Event& event) {
      const auto time = event.arg(0).json().get<std::int64_t>().value_or(0);
      socket.emit("question", {}, std::chrono::milliseconds(time),
                  [&](const flux::Result<Args>& answer) { ++(answer ? answers : failures); });
    });
    socket.on("settle", [](Event& event) { event.ack(); });
  });
  server.start();
  WsClient client(server.port());
  client.send_text(R"(4300["nobody asked"])");
  client.send_text(R"(439007199254740991[])");
  client.send_text(R"(42["ask me",20000])");
  const std::string question = client.next();
  REQUIRE(question.substr(0, 2) == "42");
  const std::string id = question.substr(2, question.find('[') - 2);
  client.send_text("43" + id + "[1]");
  client.send_text("43" + id + "[2]");
  client.send_text(R"(42["ask me",1])");
  const std::string late = client.next();
  REQUIRE(eventually([&] { return failures == 1; }));
  client.send_text("43" + late.substr(2, late.find('[') - 2) + "[1]");
  client.send_text(R"(42999["settle"])");
  CHECK(client.next() == "43999[]");
  CHECK(answers == 1);
  CHECK(failures == 1);
}

TEST_CASE("socket.io: an answer given later to an event that asks for none does nothing") {
  flux::Server server(test_config());
  Io io(server);
  std::atomic<int> answered{0};
  io.on_connection([&](const Socket& socket) {
    socket.on("work", [&](Event& event) {
      const auto answer = event.later();
      if (answer({}).ok()) ++answered;
    });
  });
  server.start();
  WsClient client(server.port());
  client.send_text(R"(42["work"])");
  client.send_text(R"(427["work"])");
  CHECK(client.next() == "437[]");
  CHECK(eventually([&] { return answered == 2; }));
}

TEST_CASE("socket.io: pending acks and answers of the application are limited; a client that asks for more is closed") {
  flux::Server server(test_config());
  Options options;
  options.acks_waiting_max = 3;
  Io io(server, options);
  std::mutex mutex;
  std::vector<Event::Ack> owed;
  std::vector<flux::socketio::Next> asked;
  io.on_connection([&](const Socket& socket) {
    socket.on("never", [&](Event& event) {
      const std::lock_guard lock(mutex);
      owed.push_back(event.later());
    });
    socket.use([&](Event& event, flux::socketio::Next next) {
      if (event.name() != "thought about") return next();
      const std::lock_guard lock(mutex);
      asked.push_back(std::move(next));
    });
  });
  server.start();
  for (const std::string packet : {R"(421["never"])", R"(42["thought about"])"}) {
    WsClient client(server.port());
    for (int i = 0; i < 4; ++i) client.send_text(packet);
    CHECK(client.closed().code == 1000);
  }
  const std::lock_guard lock(mutex);
  CHECK(owed.size() == 3);
  CHECK(asked.size() == 3);
}

// --- Attachments and large messages ---

TEST_CASE("socket.io: attachments that are missing, too many, too large or not expected end the connection") {
  flux::Server server(test_config());
  Options options;
  options.attachments_timeout = 50ms;
  options.payload_bytes_max = 1'000;
  options.packet_limits.attachment_bytes_max = 1'500;
  Reasons reasons;
  Io io(server, options);
  io.on_connection([&](const Socket& socket) { reasons.listen(socket); });
  server.start();
  const auto ends = [&](const std::vector<std::string>& texts, const std::vector<std::string>& attachments) {
    WsClient client(server.port());
    std::string frames;  // in one piece: the time for an attachment begins with its packet
    for (const auto& text : texts) frames += flux::testing::text_frame(text);
    for (const auto& bytes : attachments) {
      frames += flux::testing::ClientFrame{.opcode = flux::transport::Opcode::binary, .payload = bytes}.bytes();
    }
    client.tcp.send(frames);
    return client.closed().code;
  };
  CHECK(ends({one_attachment}, {}) == 1000);
  CHECK(ends({R"(452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])"}, {"x"}) == 1000);
  CHECK(ends({}, {"x"}) == 1000);
  CHECK(ends({one_attachment}, {"x", "y"}) == 1000);
  CHECK(ends({one_attachment, one_attachment}, {}) == 1000);
  CHECK(ends({R"(4511-["a"])"}, {}) == 1000);
  CHECK(ends({R"(452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])"},
             {std::string(1'000, 'x'), std::string(501, 'x')}) == 1000);
  CHECK(ends({one_attachment}, {std::string(1'001, 'x')}) == 1009);
  CHECK(eventually([&] { return reasons.all().count("parse error") == 7 && reasons.all().size() == 8; }));
}

TEST_CASE("socket.io: large attachments reach a room in order among small ones, on every loop and transport") {
  const std::string content = bytes_of(300'000);
  flux::Server server(test_config(2));
  Io io(server);
  io.on_connection([](const Socket& socket) { static_cast<void>(socket.join("room")); });
  server.start();
  std::vector<std::unique_ptr<WsClient>> members;
  for (int i = 0; i < 4; ++i) members.push_back(std::make_unique<WsClient>(server.port()));
  Poller poller(server.port());
  REQUIRE(eventually([&] { return io.to("room").sockets().size() == 5; }));
  const std::string left_out = text_at(JsonText::parse(members[3]->connected.substr(2)).value(), "/sid");
  const auto file = Value::bytes(content);
  for (std::size_t round = 0; round < 20; ++round) {
    io.to("room").emit("n", {number(2 * round)});
    io.to("room").except(left_out).emit("file", {file, file});
    io.to("room").emit("n", {number(2 * round + 1)});
    for (std::size_t m = 0; m < members.size(); ++m) {
      CHECK(members[m]->next() == "42[\"n\"," + std::to_string(2 * round) + "]");
      if (m != 3) {
        CHECK(members[m]->next() == R"(452-["file",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}])");
        REQUIRE(members[m]->next() == content);
        REQUIRE(members[m]->next() == content);
      }
      CHECK(members[m]->next() == "42[\"n\"," + std::to_string(2 * round + 1) + "]");
    }
    std::size_t packets = 0;
    while (packets < 5) {
      const auto payload = poller.poll();
      packets += 1 + static_cast<std::size_t>(std::count(payload.begin(), payload.end(), '\x1e'));
    }
    CHECK(packets == 5);
  }
}

TEST_CASE(
    "socket.io: a long text before an attachment belongs to its event, even if a client missed the previous one") {
  const Value text(JsonText::trusted(quoted_x(20'000)));
  const auto file = Value::bytes(bytes_of(20'000));
  flux::Server server(test_config());
  Io io(server);
  io.on_connection([&](const Socket& socket) {
    static_cast<void>(socket.join("room"));
    socket.on("go", [&, socket](Event&) {  // in one batch
      socket.to("room").emit("to others");
      io.to("room").emit("file", {text, file});
      socket.to("room").emit("file", {text, file});
      io.to("room").emit("to all");
    });
  });
  server.start();
  WsClient sender(server.port());
  WsClient other(server.port());
  REQUIRE(eventually([&] { return io.to("room").sockets().size() == 2; }));
  sender.send_text(R"(42["go"])");
  const std::string header = "451-[\"file\"," + text.json().text() + R"(,{"_placeholder":true,"num":0}])";
  CHECK(sender.next() == header);
  CHECK(sender.next() == bytes_of(20'000));
  CHECK(sender.next() == R"(42["to all"])");
  CHECK(other.next() == R"(42["to others"])");
  for (int i = 0; i < 2; ++i) {
    CHECK(other.next() == header);
    CHECK(other.next() == bytes_of(20'000));
  }
  CHECK(other.next() == R"(42["to all"])");
}

TEST_CASE("socket.io: events to several rooms arrive once and in order") {
  flux::Server server(test_config(2));
  Io io(server);
  io.on_connection([](const Socket& socket) {
    for (const char* room : {"a", "b"}) static_cast<void>(socket.join(room));
  });
  server.start();
  std::vector<std::unique_ptr<WsClient>> members;
  for (int i = 0; i < 4; ++i) members.push_back(std::make_unique<WsClient>(server.port()));
  REQUIRE(eventually([&] { return io.to("a").to("b").sockets().size() == 4; }));
  const Value long_text(JsonText::trusted(quoted_x(10'000)));
  for (std::size_t n = 0; n < 50; ++n) {
    io.to("a").emit("one", {number(n)});
    io.to("a").to("b").emit("two", {number(n), long_text});
  }
  for (const auto& member : members) {
    std::size_t ones = 0;
    std::size_t twos = 0;
    while (ones + twos < 100) {
      const std::string text = member->next();
      const bool one = text.substr(0, 8) == R"(42["one")";
      const std::string number = std::to_string(one ? ones++ : twos++);
      REQUIRE((text == (one ? "42[\"one\"," + number + "]" : "42[\"two\"," + number + "," + quoted_x(10'000) + "]")));
    }
    CHECK(ones == 50);
  }
}

// --- Protocol violations ---

TEST_CASE("socket.io: a second CONNECT to a namespace ends the connection, another namespace does not") {
  Reasons reasons;
  flux::Server server(test_config());
  Io io(server);
  io.of("/other");
  io.on_connection([&](const Socket& socket) { reasons.listen(socket); });
  server.start();
  WsClient client(server.port());
  client.send_text("40/other,");
  CHECK(client.next().substr(0, 16) == R"(40/other,{"sid":)");
  client.send_text("40");
  CHECK(client.closed().code == 1000);
  CHECK(eventually([&] { return reasons.all() == std::multiset<std::string>{"parse error"}; }));
  WsClient patient(server.port());
  patient.send_text("41");
  patient.send_text("40");
  CHECK(patient.next().substr(0, 9) == R"(40{"sid":)");
}

TEST_CASE("engine.io: a client in the middle of a long message is alive without a pong, an idle one is not") {
  for (const auto interval : {1'000ms, 25'000ms}) {
    const auto clock = std::make_shared<flux::testing::ManualClock>();
    auto config = test_config();
    config.clock = clock;
    config.limits.input_stall_timeout = 0ms;  // it sends more slowly than that permits
    flux::Server server(config);
    Options options;
    options.ping_interval = interval;
    options.ping_timeout = interval;
    options.attachments_timeout = 1h;
    Reasons reasons;
    Io io(server, options);
    io.on_connection([&](const Socket& socket) { reasons.listen(socket); });
    server.start();
    WsClient client(server.port());
    REQUIRE(eventually([&] { return io.of("/").sockets().size() == 1; }));
    const auto send = [&](std::string_view bytes) {
      const auto before = server.stats().bytes_in;
      client.tcp.send(bytes);
      REQUIRE(eventually([&] { return server.stats().bytes_in == before + bytes.size(); }));
    };
    const auto step = interval + 500ms;
    const std::string whole =
        flux::testing::ClientFrame{.opcode = flux::transport::Opcode::binary, .payload = std::string(1'000, 'x')}
            .bytes();
    send(flux::testing::text_frame(one_attachment) + whole.substr(0, 100));
    clock->advance(step);
    CHECK(client.message() == "2");
    for (std::size_t part = 1; part <= 5; ++part) {
      send(std::string_view(whole).substr(part * 100, 100));
      clock->advance(step);
    }
    send(std::string_view(whole).substr(600, 100));  // read after the loop has handled the last step
    CHECK(io.of("/").sockets().size() == 1);
    CHECK(eventually([&] {
      clock->advance(step);
      return !reasons.all().empty();
    }));
    CHECK(reasons.all() == std::multiset<std::string>{"ping timeout"});
    client.tcp.reset();
  }
}

TEST_CASE("engine.io: a client that posts is alive without a pong, a silent one is not") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = test_config();
  config.clock = clock;
  flux::Server server(config);
  Options options;
  options.ping_interval = options.ping_timeout = 1s;
  Reasons reasons;
  Io io(server, options);
  io.on_connection([&](const Socket& socket) { reasons.listen(socket); });
  server.start();
  Poller poller(server.port());
  poller.begin_poll();
  clock->advance(1'500ms);
  CHECK(poller.end_poll().body == "2");
  for (int i = 0; i < 5; ++i) {
    REQUIRE(poller.post(R"(42["note"])") == "ok");
    clock->advance(1'500ms);
  }
  CHECK(poller.post(R"(42["note"])") == "ok");
  CHECK(reasons.all().empty());
  CHECK(eventually([&] {
    clock->advance(1'500ms);
    return !reasons.all().empty();
  }));
  CHECK(reasons.all() == std::multiset<std::string>{"ping timeout"});
}

}  // namespace socketio_test
