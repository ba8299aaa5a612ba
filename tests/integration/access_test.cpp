// Who is let in at every door, and what becomes of clients whose grants end while they are connected.
#include "support/memory_file_store.hpp"
#include "support/server.hpp"
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"

#include <flux/engineio.hpp>
#include <flux/socketio.hpp>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <vector>

using namespace flux_test;

namespace {

constexpr std::string_view over_websocket = "/socket.io/?EIO=4&transport=websocket";

flux::Grant::TimePoint in(std::chrono::milliseconds time) {
  return std::chrono::time_point_cast<flux::Grant::TimePoint::duration>(std::chrono::system_clock::now()) + time;
}

/// A connect handler that does what the token says, and writes down who asked.
struct Doorkeeper {
  void watch(flux::Server& server) {
    server.on_connect([this](flux::ConnectRequest& request) { answer(request); });
  }
  void answer(flux::ConnectRequest& request) {
    const std::string token = request.token();
    {
      const std::lock_guard lock(mutex);
      asked.push_back(std::string(request.protocol()) + " " + std::string(request.path()) + " " + token);
    }
    const flux::Grant ann({.user_id = "ann"}, {"read:*"});
    if (token == "good") return request.accept(ann);
    if (token == "short") return request.accept(flux::Grant(ann.identity, {}, in(300ms)));
    if (token == "ended") return request.accept(flux::Grant(ann.identity, {}, in(-1ms)));
    if (token == "throws") throw std::runtime_error("thrown on purpose");
    if (token == "silent") return;
    if (token == "dropped") return static_cast<void>(request.later());
    if (token == "never") {
      const std::lock_guard lock(mutex);
      return kept.push_back(request.later());
    }
    if (token == "later") {
      crew.add([later = request.later(), ann] { later.accept(ann); });
      return;
    }
    request.refuse("wrong token");
  }
  std::vector<std::string> questions() {
    const std::lock_guard lock(mutex);
    return asked;
  }
  std::mutex mutex;
  std::vector<std::string> asked;
  std::vector<flux::LaterAnswer> kept;
  Crew crew;
};

flux::Config impatient() {
  auto config = test_config();
  config.limits.handshake_timeout = 300ms;
  return config;
}

/// The answer to CONNECT with this auth payload.
std::string join_over_websocket(std::uint16_t port, std::string_view auth) {
  WebSocketClient client(port, over_websocket);
  client.message();
  client.send_text("40" + std::string(auth));
  return client.message();
}
std::string join_over_polling(std::uint16_t port, std::string_view auth) {
  Poller client(port, false);
  client.post("40" + std::string(auth));
  return client.poll();
}
std::string with_token(std::string_view token) { return R"({"token":")" + std::string(token) + "\"}"; }
std::string refusal(std::string_view reason) { return R"(44{"message":")" + std::string(reason) + "\"}"; }

/// An open Socket.IO connection in the namespace "/", as ann.
WebSocketClient joined(std::uint16_t port, std::string_view token) {
  WebSocketClient client(port, over_websocket);
  client.message();
  client.send_text("40" + with_token(token));
  if (client.message().substr(0, 2) != "40") throw std::runtime_error("not let in");
  return client;
}

}  // namespace

// --- Doors ---

TEST_CASE("access: every door of a handshake asks the connect handler, and its answer is the same at all of them") {
  Doorkeeper keeper;
  flux::Server server(impatient());
  keeper.watch(server);
  server.websocket("/raw", {});
  flux::engineio::serve(server, {});
  server.start();
  const auto status = [&](const std::string& path) {
    HttpClient client(server.port());
    return client.request(handshake(path)).status;
  };
  for (const std::string door : {"/live?", "/raw?", "/engine.io/?EIO=4&transport=websocket&"}) {
    CAPTURE(door);
    CHECK(status(door + "access_token=good") == 101);
    CHECK(status(door + "access_token=later") == 101);
    CHECK(status(door) == 401);
    CHECK(status(door + "access_token=bad") == 401);
    CHECK(status(door + "access_token=ended") == 401);
    CHECK(status(door + "access_token=silent") == 401);
    CHECK(status(door + "access_token=dropped") == 401);
    CHECK(status(door + "access_token=throws") == 500);
    CHECK(status(door + "access_token=never") == 503);
  }
  const auto asked = keeper.questions();
  CHECK(asked.front() == "live /live good");
  CHECK(asked.at(9) == "websocket /raw good");
  CHECK(asked.at(18) == "engine.io /engine.io/ good");
}

TEST_CASE("access: an Engine.IO handshake over polling asks, and is opened by name") {
  Doorkeeper keeper;
  flux::Server server(impatient());
  keeper.watch(server);
  flux::engineio::serve(server, {});
  flux::engineio::Options open;
  open.path = "/open/";
  open.authenticated = false;
  flux::engineio::serve(server, {}, open);
  server.start();
  const auto ask = [&](const std::string& path) {
    HttpClient client(server.port());
    return client.request(get(path));
  };
  const std::string door = "/engine.io/?EIO=4&transport=polling&access_token=";
  CHECK(ask(door + "good").status == 200);
  CHECK(ask(door + "later").status == 200);
  CHECK(ask(door + "bad").status == 401);
  CHECK(ask(door + "bad").body.find("wrong token") != std::string::npos);
  CHECK(ask(door + "silent").status == 401);
  CHECK(ask(door + "throws").status == 500);
  CHECK(ask(door + "never").status == 503);
  const auto before = keeper.questions().size();
  CHECK(ask("/open/?EIO=4&transport=polling").status == 200);
  CHECK(keeper.questions().size() == before);
}

TEST_CASE("access: Socket.IO asks when a namespace is joined, with the auth payload, over both transports") {
  Doorkeeper keeper;
  flux::Server server(impatient());
  keeper.watch(server);
  flux::socketio::Io io(server);
  std::atomic<int> connected{0}, known{0};
  io.on_connection([&](const flux::socketio::Socket& socket) {
    ++connected;
    if (socket.grant().identity.user_id == "ann" && socket.grant().allows("read", "x")) ++known;
  });
  server.start();
  for (const auto& join : {join_over_websocket, join_over_polling}) {
    CHECK(join(server.port(), with_token("good")).substr(0, 7) == R"(40{"sid)");
    CHECK(join(server.port(), with_token("later")).substr(0, 7) == R"(40{"sid)");
    CHECK(join(server.port(), "") == refusal("wrong token"));
    CHECK(join(server.port(), with_token("bad")) == refusal("wrong token"));
    CHECK(join(server.port(), with_token("ended")) == refusal("the token has expired"));
    CHECK(join(server.port(), with_token("silent")) == refusal("unauthorized"));
    CHECK(join(server.port(), with_token("dropped")) == refusal("nobody answered"));
    CHECK(join(server.port(), with_token("throws")) == refusal("the server failed to handle this request"));
    CHECK(join(server.port(), with_token("never")) == refusal("the application took too long to answer"));
  }
  CHECK(connected == 4);
  CHECK(known == 4);
  CHECK(keeper.questions().front() == "socket.io /socket.io/ good");
}

TEST_CASE("access: a Socket.IO endpoint that is opened by name asks its middlewares alone") {
  Doorkeeper keeper;
  flux::Server server(test_config());
  keeper.watch(server);
  flux::socketio::Options options;
  options.authenticated = false;
  flux::socketio::Io io(server, options);
  io.use([](const flux::socketio::Socket& socket, const flux::socketio::Next& next) {
    if (socket.handshake().auth().get<std::string>("/token") == "good") {
      CHECK(socket.set_grant(flux::Grant({.user_id = "bob"})).ok());
      next();
    } else if (socket.handshake().auth().get<std::string>("/token") == "bad") {
      next.refuse("not you");
    }
  });
  Awaited<std::string> user;
  io.on_connection([&](const flux::socketio::Socket& socket) { user.set(socket.grant().identity.user_id); });
  server.start();
  CHECK(join_over_websocket(server.port(), with_token("bad")) == refusal("not you"));
  CHECK(join_over_websocket(server.port(), "") == refusal("nobody answered"));
  CHECK(join_over_websocket(server.port(), with_token("good")).substr(0, 2) == "40");
  CHECK(user.get() == "bob");
  CHECK(keeper.questions().empty());
}

TEST_CASE("access: a client begins a namespace anew while the gate is asked, the first answer no longer counts") {
  Awaited<flux::LaterAnswer> first;
  std::atomic<int> asked{0};
  flux::Server server(test_config());
  server.on_connect([&](flux::ConnectRequest& request) {
    if (asked++ == 0) return first.set(request.later());
    request.accept({.user_id = "second"});
  });
  flux::socketio::Io io(server);
  Awaited<std::string> user;
  std::atomic<int> connected{0};
  io.on_connection([&](const flux::socketio::Socket& socket) {
    ++connected;
    user.set(socket.grant().identity.user_id);
  });
  server.start();
  WebSocketClient client(server.port(), over_websocket);
  client.message();
  client.send_text("40");
  const auto answer = first.get();
  client.send_text("40");
  CHECK(client.message().substr(0, 2) == "40");
  answer.accept({.user_id = "first"});
  client.send_text("40/none,");  // answered behind it
  CHECK(client.message().substr(0, 2) == "44");
  CHECK(user.get() == "second");
  CHECK(connected == 1);
}

TEST_CASE("access: files ask the connect handler where no file handler is set, unless they are opened by name") {
  for (const bool authenticated : {true, false}) {
    Doorkeeper keeper;
    auto config = impatient();
    config.files.store = std::make_shared<MemoryFileStore>();
    config.files.authenticated = authenticated;
    flux::Server server(config);
    keeper.watch(server);
    server.start();
    const auto put = [&](const std::string& token) {
      HttpClient client(server.port());
      return client.request(post("/files", "x", "Authorization: Bearer " + token + "\r\n")).status;
    };
    CHECK(put("good") == 201);
    CHECK(put("later") == 201);
    CHECK(put("bad") == (authenticated ? 403 : 201));
    CHECK(put("silent") == (authenticated ? 403 : 201));
    CHECK(put("throws") == (authenticated ? 500 : 201));
    CHECK(put("never") == (authenticated ? 503 : 201));
    if (authenticated) CHECK(keeper.questions().front() == "files /files good");
    CHECK(keeper.questions().size() == (authenticated ? 6U : 0U));
  }
}

// --- The end of a grant ---

TEST_CASE("access: a live session is closed with 4401 when its grant ends, one that never ends stays") {
  Doorkeeper keeper;
  flux::Server server(test_config());
  keeper.watch(server);
  server.start();
  LiveClient stays(server.port(), "/live?access_token=good");
  stays.join("r");
  LiveClient ends(server.port(), "/live?access_token=short");
  ends.join("r");
  CHECK(server.session(ends.id)->grant().expires_at);
  const auto closed = ends.closed();
  CHECK(closed.code == 4401);
  CHECK(closed.reason == "the token has expired");
  CHECK(text_at(stays.next("presence_updated"), "/payload/joined/0/userId") == "ann");
  CHECK(text_at(stays.next("presence_updated"), "/payload/left/0") == ends.id);
  CHECK(type_of(stays.request("broadcast_event", R"({"event":"e"})")) == "ack");
}

TEST_CASE("access: a live client that shows a new token with join_room stays, one that does not is closed") {
  flux::Server server(test_config());
  server.on_token([](flux::TokenRequest& request) {
    const auto time = request.token() == "short" ? 500ms : 60'000ms;
    request.accept(flux::Grant({.user_id = "ann"}, {}, in(time)));
  });
  server.start();
  LiveClient refreshed(server.port(), "/live?access_token=short");
  refreshed.join("r", R"("accessToken":"long")");
  LiveClient ends(server.port(), "/live?access_token=short");
  CHECK(ends.closed().code == 4401);  // the earlier end of the other one has passed
  CHECK(type_of(refreshed.request("broadcast_event", R"({"event":"e"})")) == "ack");
}

TEST_CASE("access: the application prolongs and ends the grant of a session") {
  Doorkeeper keeper;
  flux::Server server(test_config());
  keeper.watch(server);
  server.start();
  LiveClient client(server.port(), "/live?access_token=short");
  client.join("r");
  const auto session = server.session(client.id).value();
  CHECK(session.set_grant(flux::Grant({.user_id = "\xff"})).error().code() == flux::Errc::invalid_argument);
  REQUIRE(session.set_grant(flux::Grant({.user_id = "bob"}, {"write:x"})).ok());
  LiveClient other(server.port(), "/live?access_token=short");
  CHECK(other.closed().code == 4401);
  CHECK(type_of(client.request("broadcast_event", R"({"event":"e"})")) == "ack");
  CHECK(session.grant().allows("write", "x"));
  CHECK(server.sessions_of_user("ann").empty());
  CHECK(server.sessions_of_user("bob").size() == 1);
  REQUIRE(session.set_grant(flux::Grant({.user_id = "bob"}, {}, in(0ms))).ok());
  CHECK(client.closed().code == 4401);
  CHECK(eventually([&] { return !session.connected(); }));
  CHECK(session.set_grant(flux::Grant()).error().code() == flux::Errc::session_not_found);
}

TEST_CASE("access: a raw connection is closed with 4401 when its grant ends") {
  Doorkeeper keeper;
  flux::Server server(test_config());
  keeper.watch(server);
  flux::WebSocketEndpoint endpoint;
  endpoint.on_open = [](const flux::WebSocket& socket) {
    socket.send(socket.grant().identity.user_id + (socket.grant().allows("read", "x") ? " reads" : ""));
  };
  endpoint.on_message = [](const flux::WebSocket& socket, std::string_view message, flux::MessageType) {
    if (message == "refresh") CHECK(socket.set_grant(flux::Grant({.user_id = "ann"}, {}, in(60'000ms))).ok());
    socket.send(message);
  };
  server.websocket("/raw", std::move(endpoint));
  server.start();
  WebSocketClient stays(server.port(), "/raw?access_token=good");
  CHECK(stays.message() == "ann reads");
  WebSocketClient refreshed(server.port(), "/raw?access_token=short");
  CHECK(refreshed.message() == "ann");
  refreshed.send_text("refresh");
  CHECK(refreshed.message() == "refresh");
  WebSocketClient ends(server.port(), "/raw?access_token=short");
  CHECK(ends.message() == "ann");
  CHECK(ends.closed().code == 4401);
  for (WebSocketClient* client : {&stays, &refreshed}) {
    client->send_text("x");
    CHECK(client->message() == "x");
  }
}

TEST_CASE("access: a Socket.IO connection ends with the grant of its socket, over both transports") {
  Doorkeeper keeper;
  flux::Server server(test_config());
  keeper.watch(server);
  flux::socketio::Io io(server);
  std::mutex mutex;
  std::vector<std::string> reasons;
  io.on_connection([&](const flux::socketio::Socket& socket) {
    socket.on_disconnect([&](std::string_view reason) {
      const std::lock_guard lock(mutex);
      reasons.emplace_back(reason);
    });
  });
  server.start();
  auto client = joined(server.port(), "short");
  CHECK(client.message() == "41");
  CHECK(client.closed().code == 1000);
  Poller poller(server.port(), false);
  poller.post("40" + with_token("short"));
  CHECK(poller.poll().substr(0, 2) == "40");
  CHECK(poller.poll().substr(0, 2) == "41");
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return reasons == std::vector<std::string>{"server namespace disconnect", "server namespace disconnect"};
  }));
}

// --- Revoking ---

TEST_CASE("access: a user is revoked, all of the user's clients go at once, whatever they speak") {
  Doorkeeper keeper;
  flux::Server server(test_config(2));
  keeper.watch(server);
  server.websocket("/raw", {});
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  flux::socketio::Options plain;
  plain.path = "/plain/";
  flux::socketio::Io other(server, plain);
  std::atomic<int> connected{0};
  other.on_connection([&](const flux::socketio::Socket&) { ++connected; });
  server.start();
  LiveClient live(server.port(), "/live?access_token=good");
  live.join("r");
  WebSocketClient raw(server.port(), "/raw?access_token=good");
  auto sharing = joined(server.port(), "good");
  sharing.message();  // public:history
  WebSocketClient socket(server.port(), "/plain/?EIO=4&transport=websocket");
  socket.message();
  socket.send_text("40" + with_token("good"));
  socket.message();
  REQUIRE(eventually([&] { return connected == 1 && server.sessions_of_user("ann").size() == 2; }));
  CHECK(server.revoke_user("nobody") == 0);
  CHECK(server.revoke_user("ann", "no longer") == 4);
  // The client has not answered the close frame yet, and is in no room all the same.
  CHECK(eventually([&] { return !server.room("r"); }));
  for (WebSocketClient* client : {static_cast<WebSocketClient*>(&live), &raw}) {
    const auto closed = client->closed();
    CHECK(closed.code == 4401);
    CHECK(closed.reason == "no longer");
  }
  CHECK(sharing.message() == "41");
  CHECK(socket.message() == "41");
  CHECK(eventually([&] { return server.sessions().empty() && server.revoke_user("ann") == 0; }));
}

TEST_CASE("access: one session is revoked, the user's others stay") {
  Doorkeeper keeper;
  flux::Server server(test_config());
  keeper.watch(server);
  server.start();
  LiveClient phone(server.port(), "/live?access_token=good");
  LiveClient laptop(server.port(), "/live?access_token=good");
  phone.join("r");
  laptop.join("r");
  REQUIRE(server.revoke(phone.id).ok());
  CHECK(phone.closed().reason == "access was revoked");
  CHECK(text_at(laptop.next("presence_updated"), "/payload/left/0") == phone.id);
  CHECK(eventually([&] { return !server.session(phone.id); }));
  CHECK(server.revoke(phone.id).error().code() == flux::Errc::session_not_found);
  CHECK(type_of(laptop.request("broadcast_event", R"({"event":"e"})")) == "ack");
}

TEST_CASE("access: a handler revokes the session it was called for") {
  Doorkeeper keeper;
  flux::Server server(test_config());
  keeper.watch(server);
  server.on_event([&](flux::EventMessage& event) { CHECK(server.revoke(event.session.id()).ok()); });
  server.start();
  LiveClient client(server.port(), "/live?access_token=good");
  client.join("r");
  client.send("broadcast_event", R"({"event":"e"})");
  CHECK(client.closed().code == 4401);
  CHECK(eventually([&] { return !server.room("r"); }));
}

TEST_CASE("access: a user is revoked while a join waits for its token, the join comes to nothing") {
  Awaited<flux::LaterAnswer> question;
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "ann"}); });
  server.on_token([&](flux::TokenRequest& request) { question.set(request.later()); });
  server.start();
  LiveClient client(server.port());
  client.send("join_room", R"({"roomId":"r","accessToken":"t"})");
  const auto answer = question.get();
  CHECK(server.revoke_user("ann") == 1);
  CHECK(client.frame()->opcode == flux::transport::Opcode::close);
  answer.accept({.user_id = "ann"});
  client.send_close(4401);
  CHECK(eventually([&] { return server.stats().connections_now == 0; }));
  CHECK_FALSE(server.room("r"));
}

TEST_CASE("access: a user is revoked while a join waits for its verdict, the join comes to nothing") {
  Awaited<flux::LaterVerdict> question;
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "ann"}); });
  server.on_join([&](flux::JoinRequest& join) { question.set(join.later()); });
  server.start();
  LiveClient client(server.port());
  client.send("join_room", R"({"roomId":"r"})");
  const auto verdict = question.get();
  CHECK(server.revoke_user("ann") == 1);
  CHECK(client.frame()->opcode == flux::transport::Opcode::close);
  verdict.accept();
  const auto ran = std::make_shared<Awaited<bool>>();
  server.send_chat("elsewhere", "a turn of the loop", {}, [ran](const auto&) { ran->set(true); });
  CHECK(ran->get());
  HttpClient other(server.port());  // another turn: the verdict has been acted on
  CHECK(other.request(get("/none")).status == 404);
  CHECK_FALSE(server.room("r"));
}
