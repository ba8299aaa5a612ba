// The list of connected clients: every protocol, with counts; ending a client by its id.
#include "support/server.hpp"
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"

#include <flux/engineio.hpp>
#include <flux/sharing.hpp>
#include <flux/socketio.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace clients_test {

using namespace flux_test;
using namespace flux::literals;
using flux::ClientCounts;
using flux::ConnectedClient;
using flux::WebSocket;
using flux::socketio::Value;

namespace {

std::vector<ConnectedClient> all(const flux::Server& server) {
  const auto page = server.clients(10'000);
  REQUIRE(page.after.empty());
  return page.clients;
}

/// The only client of the protocol.
ConnectedClient only(const flux::Server& server, std::string_view protocol) {
  std::optional<ConnectedClient> found;
  for (const auto& client : all(server)) {
    if (client.protocol != protocol) continue;
    REQUIRE_FALSE(found);
    found = client;
  }
  REQUIRE(found);
  return *found;
}

ClientCounts counts_of(const flux::Server& server, const std::string& id) {
  for (const auto& client : all(server)) {
    if (client.id == id) return client.counts;
  }
  FAIL("client " << id << " is not listed");
  return {};
}

bool counts_are(const flux::Server& server, const std::string& id, ClientCounts expected) {
  return eventually([&] { return counts_of(server, id) == expected; });
}

flux::WebSocketEndpoint echo() {
  flux::WebSocketEndpoint endpoint;
  endpoint.on_message = [](const WebSocket& socket, std::string_view message, flux::MessageType type) {
    socket.send(message, type);
  };
  return endpoint;
}

constexpr const char* engineio_path = "/engine.io/?EIO=4&transport=websocket";

/// A server of every protocol: plain Socket.IO is at "/plain/".
struct Everything {
  /// `asks`: clients of every endpoint get a grant with a user; those of the plain Socket.IO one in their namespace.
  explicit Everything(bool asks = false) : server(test_config(2)) {
    if (asks) server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "ann"}); });
    server.websocket("/raw", echo());
    flux::socketio::Io sharing(server);
    flux::socketio::serve_sharing(server, sharing);
    flux::socketio::Options options;
    options.path = "/plain/";
    flux::socketio::Io plain(server, options);
    flux::engineio::serve(server, {});
    server.start();
  }
  flux::Server server;
};

/// One client of each protocol.
struct OneOfEach {
  explicit OneOfEach(std::uint16_t port)
      : raw(port, "/raw"),
        live(port),
        sharing(port),
        plain(port, "/plain/?EIO=4&transport=websocket"),
        engineio(port, engineio_path) {
    live.join("r");
    plain.message();
    plain.send_text("40");
    plain.message();
    engineio.message();
  }
  WebSocketClient raw;
  LiveClient live;
  SocketIoClient sharing;
  WebSocketClient plain, engineio;
};

}  // namespace

// --- The list ---

TEST_CASE("clients: one of each protocol, each is listed once, with its time, its session and its id") {
  const auto before = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  Everything everything;
  const flux::Server& server = everything.server;
  CHECK(all(server).empty());
  const OneOfEach clients(everything.server.port());
  REQUIRE(eventually([&] { return all(server).size() == 5; }));
  std::set<std::string> ids;
  for (const char* protocol : {"websocket", "live", "sharing", "socket.io", "engine.io"}) {
    const auto client = only(server, protocol);
    CHECK(ids.insert(client.id).second);
    CHECK(client.connected_at >= before);
    CHECK(client.connected_at <= std::chrono::system_clock::now());
    const bool has_session = client.protocol == "live" || client.protocol == "sharing";
    CHECK(client.session.has_value() == has_session);
    if (client.session) CHECK(client.session->id() == client.id);
    if (client.session) CHECK(client.session->counts() == client.counts);
  }
}

TEST_CASE("clients: a page ends among the clients of any protocol, the next one continues there") {
  Everything everything;
  const OneOfEach first(everything.server.port());
  const OneOfEach second(everything.server.port());
  REQUIRE(eventually([&] { return all(everything.server).size() == 10; }));
  for (const std::size_t limit : {1U, 2U, 3U, 9U, 10U}) {
    std::set<std::string> ids;
    std::string after;
    do {
      const auto page = everything.server.clients(limit, after);
      CHECK(page.clients.size() <= limit);
      for (const auto& client : page.clients) CHECK(ids.insert(client.id).second);
      after = page.after;
    } while (!after.empty());
    CHECK(ids.size() == 10);
  }
}

// --- Ending a client ---

TEST_CASE("disconnect: every listed client is disconnected by its id, once") {
  Everything everything;
  flux::Server& server = everything.server;
  OneOfEach clients(server.port());
  REQUIRE(eventually([&] { return all(server).size() == 5; }));
  const auto listed = all(server);
  for (const auto& client : listed) CHECK(server.disconnect(client.id, flux::CloseCode{4321}, "it is late").ok());
  CHECK(clients.raw.closed().code == 4321);
  CHECK(clients.raw.how_closed.reason == "it is late");
  CHECK(clients.live.closed().code == 4321);
  CHECK(clients.live.how_closed.reason == "it is late");
  CHECK(clients.plain.message() == "41");  // Socket.IO's DISCONNECT
  clients.plain.closed();
  clients.sharing.closed();
  clients.engineio.closed();
  CHECK(eventually([&] { return all(server).empty(); }));
  for (const auto& client : listed) {
    const auto again = server.disconnect(client.id, flux::CloseCode::normal);
    REQUIRE_FALSE(again.ok());
    CHECK(again.error().code() == flux::Errc::session_not_found);
  }
}

TEST_CASE("revoke: the access of every listed client is ended by its id, with a grant and without one") {
  Everything everything(GENERATE(false, true));
  flux::Server& server = everything.server;
  OneOfEach clients(server.port());
  REQUIRE(eventually([&] { return all(server).size() == 5; }));
  const auto listed = all(server);
  for (const auto& client : listed) CHECK(server.revoke(client.id, "it is late").ok());
  CHECK(clients.raw.closed().code == 4401);
  CHECK(clients.raw.how_closed.reason == "it is late");
  CHECK(clients.live.closed().code == 4401);
  CHECK(clients.live.how_closed.reason == "it is late");
  CHECK(clients.plain.message() == "41");  // Socket.IO's DISCONNECT
  clients.plain.closed();
  CHECK_NOTHROW(clients.sharing.closed());  // after Socket.IO's DISCONNECT
  CHECK(clients.engineio.closed().code == 4401);
  CHECK(eventually([&] { return all(server).empty(); }));
  for (const auto& client : listed) {
    const auto again = server.revoke(client.id);
    REQUIRE_FALSE(again.ok());
    CHECK(again.error().code() == flux::Errc::session_not_found);
  }
}

TEST_CASE("revoke: a client that is being disconnected gets no new grant") {
  Awaited<WebSocket> opened;
  flux::Server server(test_config());
  flux::WebSocketEndpoint endpoint;
  endpoint.on_message = [&](const WebSocket& socket, std::string_view, flux::MessageType) {
    CHECK(server.revoke(socket.id()).ok());
    CHECK_FALSE(socket.set_grant(flux::Grant({.user_id = "ann"})).ok());
    opened.set(socket);
  };
  server.websocket("/raw", endpoint);
  server.start();
  WebSocketClient client(server.port(), "/raw");
  client.send_text("x");
  opened.get();
  CHECK(client.closed().code == 4401);
}

TEST_CASE("revoke: what a raw client has sent before is not handled afterwards") {
  flux::Server server(test_config());
  std::atomic<int> handled{0};
  flux::WebSocketEndpoint endpoint;
  endpoint.on_message = [&](const WebSocket& socket, std::string_view, flux::MessageType) {
    ++handled;
    CHECK(server.revoke(socket.id()).ok());
  };
  server.websocket("/raw", endpoint);
  server.start();
  WebSocketClient client(server.port(), "/raw");
  client.tcp.send(flux::testing::text_frame("one") + flux::testing::text_frame("two"));
  CHECK(client.closed().code == 4401);
  CHECK(handled == 1);
}

TEST_CASE("disconnect: an id that no client has, session_not_found") {
  Everything everything;
  const OneOfEach clients(everything.server.port());
  REQUIRE(eventually([&] { return all(everything.server).size() == 5; }));
  std::string other = only(everything.server, "websocket").id;
  other[5] = other[5] == '0' ? '1' : '0';  // the slot exists, the key is another one
  for (const std::string& id :
       {other, std::string(), std::string("nobody"), std::string(26, '0'), std::string(15, 'A')}) {
    const auto ended = everything.server.disconnect(id, flux::CloseCode::normal);
    REQUIRE_FALSE(ended.ok());
    CHECK(ended.error().code() == flux::Errc::session_not_found);
  }
  CHECK(all(everything.server).size() == 5);
}

// --- Raw endpoints ---

TEST_CASE("raw clients: they come and go between pages, those that stay are listed once") {
  flux::Server server(test_config(2));
  server.websocket("/raw", echo());
  server.websocket("/other", echo());
  server.start();
  std::map<std::string, std::unique_ptr<WebSocketClient>> staying, going;
  std::vector<std::unique_ptr<WebSocketClient>> coming;
  const auto connect = [&](auto& to) {
    std::set<std::string> known;
    for (const auto& client : all(server)) known.insert(client.id);
    auto client = std::make_unique<WebSocketClient>(server.port(), to.size() % 2 == 0 ? "/raw" : "/other");
    REQUIRE(eventually([&] { return all(server).size() == known.size() + 1; }));
    for (const auto& listed : all(server)) {
      if (!known.contains(listed.id)) to.emplace(listed.id, std::move(client));
    }
  };
  for (int i = 0; i < 10; ++i) {
    connect(staying);
    connect(going);
  }
  std::multiset<std::string> seen;
  std::string after;
  do {
    const auto page = server.clients(3, after);
    for (const auto& client : page.clients) seen.insert(client.id);
    after = page.after;
    if (page.clients.empty() || going.empty()) continue;
    // The last one of the page, if it is one of those, so that the next page begins after a client that has left.
    const auto last = going.find(page.clients.back().id);
    const auto leaving = last != going.end() ? last : going.begin();
    const std::size_t count = all(server).size();
    leaving->second->tcp.reset();
    REQUIRE(eventually([&] { return all(server).size() == count - 1; }));
    going.erase(leaving);
    coming.push_back(std::make_unique<WebSocketClient>(server.port(), "/raw"));
    REQUIRE(eventually([&] { return all(server).size() == count; }));
  } while (!after.empty());
  for (const auto& [id, client] : staying) CHECK(seen.count(id) == 1);
  for (const std::string& id : seen) CHECK(seen.count(id) == 1);
}

TEST_CASE("raw clients: the id of one that has disconnected does not end the one that takes its place") {
  Awaited<int> ended;
  flux::Server server(test_config());
  auto endpoint = echo();
  endpoint.on_close = [&](const WebSocket&, const flux::Disconnect&) { ended.set(1); };
  server.websocket("/raw", endpoint);
  server.start();
  auto first = std::make_unique<WebSocketClient>(server.port(), "/raw");
  WebSocketClient other(server.port(), "/raw");
  REQUIRE(eventually([&] { return all(server).size() == 2; }));
  const std::string gone = all(server).front().id;
  first->tcp.reset();
  ended.get();
  WebSocketClient second(server.port(), "/raw");
  REQUIRE(eventually([&] { return all(server).size() == 2; }));
  const std::string fresh = all(server).front().id;
  CHECK(fresh.substr(13) == gone.substr(13));  // the same slot
  CHECK(fresh != gone);
  CHECK_FALSE(server.disconnect(gone, flux::CloseCode::normal).ok());
  second.send_text("still here");
  CHECK(second.message() == "still here");
  CHECK(server.disconnect(fresh, flux::CloseCode::normal).ok());
  CHECK(second.closed().code == 1000);
}

TEST_CASE(
    "raw clients: the handle has the id that is listed, also while it is opened, and keeps id and counts after the "
    "end") {
  std::optional<WebSocket> kept;
  std::string id;
  ClientCounts counts;
  {
    Awaited<WebSocket> opened;
    flux::Server server(test_config());
    auto endpoint = echo();
    endpoint.on_open = [&](const WebSocket& socket) {
      const auto listed = server.clients(10).clients;
      if (listed.size() == 1 && listed[0].id == socket.id()) opened.set(socket);
    };
    server.websocket("/raw", endpoint);
    server.start();
    WebSocketClient client(server.port(), "/raw");
    kept = opened.get();
    client.send_text("x");
    client.message();
    id = only(server, "websocket").id;
    counts = only(server, "websocket").counts;
  }
  CHECK(kept->id() == id);
  CHECK(kept->counts() == counts);
  CHECK(counts == ClientCounts{1, 1});
}

TEST_CASE("raw clients: connect, are listed and are disconnected from other threads at the same time") {
  flux::Server server(test_config(2));
  server.websocket("/raw", echo());
  server.start();
  std::atomic<bool> done{false};
  Crew crew;
  crew.add([&] {
    while (!done) {
      for (const auto& client : server.clients(10'000).clients) {
        (void)server.disconnect(client.id, flux::CloseCode::going_away);
      }
    }
  });
  for (int i = 0; i < 100; ++i) {
    WebSocketClient client(server.port(), "/raw");
    CHECK(client.closed().code == 1001);
  }
  done = true;
  crew.join();
  CHECK(eventually([&] { return all(server).empty(); }));
}

// --- Counts ---

TEST_CASE("counts: a raw client, whole messages in both directions, no control frames") {
  flux::Server server(test_config());
  server.websocket("/raw", echo());
  server.start();
  WebSocketClient client(server.port(), "/raw");
  REQUIRE(eventually([&] { return all(server).size() == 1; }));
  const std::string id = all(server).front().id;
  CHECK(counts_of(server, id) == ClientCounts{0, 0});
  for (int i = 0; i < 3; ++i) {
    client.send_text("x");
    client.message();
  }
  CHECK(counts_are(server, id, {3, 3}));
  using flux::testing::ClientFrame;
  using flux::transport::Opcode;
  client.tcp.send(ClientFrame{.opcode = Opcode::ping}.bytes());
  client.tcp.send(ClientFrame{.payload = "in two ", .final = false}.bytes());
  client.tcp.send(ClientFrame{.opcode = Opcode::continuation, .payload = "frames"}.bytes());
  REQUIRE(client.frame()->opcode == Opcode::pong);
  CHECK(client.message() == "in two frames");
  CHECK(counts_are(server, id, {4, 4}));
}

TEST_CASE("counts: live clients, requests, answers, and what their room sends") {
  flux::Server server(test_config());
  server.start();
  LiveClient ann(server.port());
  LiveClient bob(server.port());
  ann.join("r");
  bob.join("r");
  (void)ann.so_far();
  (void)bob.so_far();
  const ClientCounts ann_before = counts_of(server, ann.id);
  const ClientCounts bob_before = counts_of(server, bob.id);
  CHECK(bob_before == ClientCounts{2, 2});  // join_room, leave_room; room_joined, ack
  for (int i = 0; i < 5; ++i) ann.request("broadcast_event", R"({"event":"e"})");
  for (int i = 0; i < 5; ++i) bob.next("broadcast_event");
  CHECK(counts_are(server, ann.id, {ann_before.received + 5, ann_before.sent + 5}));
  CHECK(counts_are(server, bob.id, {bob_before.received, bob_before.sent + 5}));
  CHECK(code_of(bob.request("broadcast_event", R"({"event":7})")) == "INVALID_MESSAGE");
  CHECK(counts_are(server, bob.id, {bob_before.received + 1, bob_before.sent + 6}));
  const auto session = server.session(bob.id);
  REQUIRE(session);
  CHECK(session->send("hello", "1"_json).ok());
  bob.next("broadcast_event");
  CHECK(eventually([&] { return session->counts() == ClientCounts{bob_before.received + 1, bob_before.sent + 7}; }));
  bob.send_close();
  bob.closed();
  REQUIRE(eventually([&] { return !session->connected(); }));
  CHECK(session->counts() == ClientCounts{bob_before.received + 1, bob_before.sent + 7});
}

TEST_CASE("counts: messages over a rate limit are received") {
  auto config = test_config();
  config.clock = std::make_shared<flux::testing::ManualClock>();  // so that none is allowed again meanwhile
  config.limits.messages_per_second = 1;
  config.limits.message_burst = 1;
  flux::Server server(config);
  server.websocket("/raw", echo());
  server.start();
  WebSocketClient client(server.port(), "/raw");
  for (int i = 0; i < 3; ++i) client.send_text("x");
  client.message();
  REQUIRE(eventually([&] { return server.stats().messages_rate_limited == 2; }));
  CHECK(only(server, "websocket").counts == ClientCounts{3, 1});
}

TEST_CASE("counts: Engine.IO, over polling and over a WebSocket, heartbeats are not counted") {
  flux::Server server(test_config());
  flux::engineio::Endpoint endpoint;
  endpoint.on_message = [](const flux::engineio::Socket& socket, std::string_view message, flux::MessageType type) {
    socket.send(message, type);
  };
  flux::engineio::Options options;
  options.ping_interval = 50ms;
  flux::engineio::serve(server, endpoint, options);
  server.start();
  {
    WebSocketClient client(server.port(), engineio_path);
    client.message();
    const std::string id = only(server, "engine.io").id;
    CHECK(counts_of(server, id) == ClientCounts{0, 0});
    CHECK(client.message() == "2");  // a ping
    client.send_text("3");
    CHECK(client.message() == "2");
    client.send_text("3");
    client.send_text("4hello");
    while (client.message() != "4hello") client.send_text("3");
    client.send_binary(std::string(100'000, 'x'));
    for (auto frame = client.frame(); frame->opcode != flux::transport::Opcode::binary; frame = client.frame()) {
      client.send_text("3");
    }
    CHECK(counts_are(server, id, {2, 2}));
  }
  REQUIRE(eventually([&] { return all(server).empty(); }));
  HttpClient http(server.port());
  const std::string path = "/engine.io/?EIO=4&transport=polling";
  const auto opened = http.request(get(path)).body;
  const std::string id = text_at(flux::JsonText::parse(opened.substr(1)).value(), "/sid");
  CHECK(counts_of(server, id) == ClientCounts{0, 0});
  CHECK(http.request(post(path + "&sid=" + id,
                          "4a\x1e"
                          "4b\x1e"
                          "bAAAA"))
            .body == "ok");
  CHECK(counts_are(server, id, {3, 3}));
}

TEST_CASE("counts: Socket.IO, a packet counts once with its attachments, in both directions and to rooms") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  const std::string bytes(100'000, 'x');
  io.on_connection([&](const flux::socketio::Socket& socket) {
    socket.on("bytes", [](flux::socketio::Event& event) { event.ack(event.args()); });
  });
  server.start();
  SocketIoClient over_websocket(server.port());
  CHECK(only(server, "socket.io").counts == ClientCounts{1, 1});  // CONNECT, and its answer
  const std::string id = only(server, "socket.io").id;
  Poller over_polling(server.port());
  CHECK(counts_of(server, over_polling.sid) == ClientCounts{1, 1});

  io.emit("news", {flux::JsonText("1"_json)});
  over_websocket.next("news");
  CHECK(over_polling.poll() == R"(42["news",1])");
  CHECK(counts_are(server, id, {1, 2}));
  CHECK(counts_are(server, over_polling.sid, {1, 2}));

  io.emit("bytes", {Value::bytes(bytes), Value::bytes("few")});
  CHECK(over_websocket.message().substr(0, 3) == "452");
  over_websocket.frame();
  over_websocket.frame();
  while (counts_of(server, over_polling.sid).sent < 3) over_polling.poll();
  CHECK(counts_are(server, id, {1, 3}));
  CHECK(counts_of(server, over_polling.sid) == ClientCounts{1, 3});

  over_websocket.send_text(R"(451-7["bytes",{"_placeholder":true,"num":0}])");
  over_websocket.send_binary("some");
  CHECK(over_websocket.message().substr(0, 5) == "461-7");
  over_websocket.frame();
  CHECK(counts_are(server, id, {2, 4}));
}

TEST_CASE("counts: a client that upgrades, what was pending for its next poll is counted once") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  server.start();
  Poller poller(server.port());
  io.emit("news", {flux::JsonText("1"_json)});
  REQUIRE(counts_are(server, poller.sid, {1, 2}));
  WebSocketClient websocket(server.port(), "/socket.io/?EIO=4&transport=websocket&sid=" + poller.sid);
  websocket.send_text("2probe");
  CHECK(websocket.message() == "3probe");
  websocket.send_text("5");
  CHECK(websocket.message() == R"(42["news",1])");
  CHECK(counts_are(server, poller.sid, {1, 2}));
}

TEST_CASE("counts: data sharing, the session has those of its Socket.IO connection") {
  SharingScene scene;
  SocketIoClient ann(scene.server.port());
  (void)ann.so_far();
  const auto client = only(scene.server, "sharing");
  const ClientCounts before = client.counts;
  CHECK(before.received == 2);  // CONNECT, and the unknown event
  REQUIRE(client.session);
  CHECK(client.session->send("news", "1"_json).ok());
  ann.next("news");
  CHECK(counts_are(scene.server, client.id, {before.received, before.sent + 1}));
  CHECK(client.session->counts() == ClientCounts{before.received, before.sent + 1});
}

}  // namespace clients_test
