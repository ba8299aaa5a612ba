// Which clients each endpoint accepts, and what happens when their grants expire while they are connected.
#include "support/memory_file_store.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"

#include <flux/engineio.hpp>
#include <flux/sharing.hpp>

#include <atomic>
#include <mutex>
#include <stdexcept>
#include <vector>

namespace access_test {

using namespace flux_test;

namespace {

constexpr std::string_view over_websocket = "/socket.io/?EIO=4&transport=websocket";

flux::Grant::TimePoint in(std::chrono::milliseconds time) {
  return std::chrono::time_point_cast<flux::Grant::TimePoint::duration>(std::chrono::system_clock::now()) + time;
}

/// A connect handler that answers as the token says, and records the questions.
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
    if (token == "short") return request.accept(flux::Grant(ann.identity, {}, in(1000ms)));
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
    if (token == "banned") return request.refuse("banned", flux::Errc::forbidden);
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

/// A server whose doorkeeper is asked at every endpoint. It starts when its port is first used.
struct Scene {
  explicit Scene(const flux::Config& config = test_config()) : server(config) { keeper.watch(server); }
  std::uint16_t port() {
    if (!server.running()) server.start();
    return server.port();
  }
  LiveClient live(const std::string& token) { return LiveClient(port(), "/live?access_token=" + token); }
  flux::socketio::Io serve_sharing() {
    flux::socketio::Io io(server);
    flux::socketio::serve_sharing(server, io);
    return io;
  }

  Doorkeeper keeper;
  flux::Server server;
};

/// For a scene whose clients are all told that there was no answer: an answer from another thread may take longer.
flux::Config impatient(flux::Config config = test_config()) {
  config.limits.answer_timeout = 300ms;
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

TEST_CASE("access: every endpoint asks the connect handler at the handshake, and may refuse with HTTP statuses") {
  auto config = test_config();
  config.refuse_with = flux::RefuseWith::http_status;
  Scene scene(config), hasty(impatient(config));
  for (Scene* one : {&scene, &hasty}) {
    one->server.websocket("/raw", {});
    flux::engineio::serve(one->server, {});
  }
  const auto status_of = [](Scene& at, const std::string& path) {
    HttpClient client(at.port());
    return client.request(handshake(path)).status;
  };
  const auto status = [&](const std::string& path) { return status_of(scene, path); };
  for (const std::string door : {"/live?", "/raw?", "/engine.io/?EIO=4&transport=websocket&"}) {
    CAPTURE(door);
    CHECK(status(door + "access_token=good") == 101);
    CHECK(status(door + "access_token=later") == 101);
    CHECK(status(door) == 401);
    CHECK(status(door + "access_token=bad") == 401);
    CHECK(status(door + "access_token=banned") == 403);
    CHECK(status(door + "access_token=ended") == 401);
    CHECK(status(door + "access_token=silent") == 401);
    CHECK(status(door + "access_token=dropped") == 401);
    CHECK(status(door + "access_token=throws") == 500);
    CHECK(status_of(hasty, door + "access_token=never") == 503);
  }
  const auto asked = scene.keeper.questions();
  CHECK(asked.front() == "live /live good");
  CHECK(asked.at(9) == "websocket /raw good");
  CHECK(asked.at(18) == "engine.io /engine.io/ good");
}

TEST_CASE("access: an Engine.IO handshake over polling asks the handler, unless the endpoint is open to all") {
  Scene scene, hasty(impatient());
  for (Scene* one : {&scene, &hasty}) flux::engineio::serve(one->server, {});
  flux::engineio::Options open;
  open.path = "/open/";
  open.authenticated = false;
  flux::engineio::serve(scene.server, {}, open);
  const auto ask_at = [](Scene& at, const std::string& path) {
    HttpClient client(at.port());
    return client.request(get(path));
  };
  const auto ask = [&](const std::string& path) { return ask_at(scene, path); };
  const std::string door = "/engine.io/?EIO=4&transport=polling&access_token=";
  CHECK(ask(door + "good").status == 200);
  CHECK(ask(door + "later").status == 200);
  CHECK(ask(door + "bad").status == 401);
  CHECK(ask(door + "bad").has("WWW-Authenticate: Bearer"));
  CHECK(ask(door + "banned").status == 403);
  CHECK(ask(door + "bad").body.find("wrong token") != std::string::npos);
  CHECK(ask(door + "silent").status == 401);
  CHECK(ask(door + "throws").status == 500);
  CHECK(ask_at(hasty, door + "never").status == 503);
  const auto before = scene.keeper.questions().size();
  CHECK(ask("/open/?EIO=4&transport=polling").status == 200);
  CHECK(scene.keeper.questions().size() == before);
}

TEST_CASE(
    "access: Socket.IO asks the handler when a client joins a namespace, with the auth payload, over both transports") {
  Scene scene, hasty(impatient());
  flux::socketio::Io io(scene.server), hasty_io(hasty.server);
  std::atomic<int> connected{0}, known{0};
  io.on_connection([&](const flux::socketio::Socket& socket) {
    ++connected;
    if (socket.grant().identity.user_id == "ann" && socket.grant().allows("read", "x")) ++known;
  });
  for (const auto& join : {join_over_websocket, join_over_polling}) {
    CHECK(join(scene.port(), with_token("good")).substr(0, 7) == R"(40{"sid)");
    CHECK(join(scene.port(), with_token("later")).substr(0, 7) == R"(40{"sid)");
    CHECK(join(scene.port(), "") == refusal("wrong token"));
    CHECK(join(scene.port(), with_token("bad")) == refusal("wrong token"));
    CHECK(join(scene.port(), with_token("ended")) == refusal("the token has expired"));
    CHECK(join(scene.port(), with_token("silent")) == refusal("unauthorized"));
    CHECK(join(scene.port(), with_token("dropped")) == refusal("nobody answered"));
    CHECK(join(scene.port(), with_token("throws")) == refusal("the server failed to handle this request"));
    CHECK(join(hasty.port(), with_token("never")) ==
          R"(44{"message":"the application took too long to answer","data":{"code":"OVERLOADED"}})");
  }
  CHECK(connected == 4);
  CHECK(known == 4);
  CHECK(scene.keeper.questions().front() == "socket.io /socket.io/ good");
}

TEST_CASE("access: a Socket.IO endpoint that is open to all asks only its middlewares") {
  Scene scene;
  flux::socketio::Options options;
  options.authenticated = false;
  flux::socketio::Io io(scene.server, options);
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
  CHECK(join_over_websocket(scene.port(), with_token("bad")) == refusal("not you"));
  CHECK(join_over_websocket(scene.port(), "") == refusal("nobody answered"));
  CHECK(join_over_websocket(scene.port(), with_token("good")).substr(0, 2) == "40");
  CHECK(user.get() == "bob");
  CHECK(scene.keeper.questions().empty());
}

TEST_CASE("access: if a client joins a namespace again while the gate is asked, the first answer is ignored") {
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
  client.send_text("40/none,");  // answered after it
  CHECK(client.message().substr(0, 2) == "44");
  CHECK(user.get() == "second");
  CHECK(connected == 1);
}

TEST_CASE("access: files ask the connect handler if no file handler is set, unless they are open to all") {
  for (const bool authenticated : {true, false}) {
    auto config = test_config();
    config.files.store = std::make_shared<MemoryFileStore>();
    config.files.authenticated = authenticated;
    auto hasty_config = impatient(config);
    hasty_config.files.store = std::make_shared<MemoryFileStore>();
    Scene scene(config), hasty(hasty_config);
    const auto put_at = [](Scene& at, const std::string& token) {
      HttpClient client(at.port());
      return client.request(post("/files", "x", "Authorization: Bearer " + token + "\r\n")).status;
    };
    const auto put = [&](const std::string& token) { return put_at(scene, token); };
    CHECK(put("good") == 201);
    CHECK(put("later") == 201);
    CHECK(put("bad") == (authenticated ? 401 : 201));
    CHECK(put("banned") == (authenticated ? 403 : 201));
    CHECK(put("silent") == (authenticated ? 401 : 201));
    CHECK(put("throws") == (authenticated ? 500 : 201));
    CHECK(put_at(hasty, "never") == (authenticated ? 503 : 201));
    if (authenticated) CHECK(scene.keeper.questions().front() == "files /files good");
    CHECK(scene.keeper.questions().size() == (authenticated ? 6U : 0U));
  }
}

// --- The end of a grant ---

TEST_CASE("access: a live session is closed with 4401 when its grant expires; one without an expiry stays") {
  Scene scene;
  LiveClient stays = scene.live("good");
  stays.join("r");
  LiveClient ends = scene.live("short");
  ends.join("r");
  CHECK(scene.server.session(ends.id)->grant().expires_at);
  const auto closed = ends.closed();
  CHECK(closed.code == 4401);
  CHECK(closed.reason == "the token has expired");
  CHECK(text_at(stays.next("presence_updated"), "/payload/joined/0/userId") == "ann");
  CHECK(text_at(stays.next("presence_updated"), "/payload/left/0") == ends.id);
  CHECK(type_of(stays.request("broadcast_event", R"({"event":"e"})")) == "ack");
}

TEST_CASE("access: a live client that presents a new token with join_room stays; one that does not is closed") {
  flux::Server server(test_config());
  server.on_token([](flux::TokenRequest& request) {
    const auto time = request.token() == "short" ? 1500ms : 60'000ms;
    request.accept(flux::Grant({.user_id = "ann"}, {}, in(time)));
  });
  server.start();
  LiveClient refreshed(server.port(), "/live?access_token=short");
  refreshed.join("r", R"("accessToken":"long")");
  LiveClient ends(server.port(), "/live?access_token=short");
  CHECK(ends.closed().code == 4401);  // the other one's earlier expiry has passed
  CHECK(type_of(refreshed.request("broadcast_event", R"({"event":"e"})")) == "ack");
}

TEST_CASE("access: an accessToken of join_room is refused if the server has no token verifier") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.accept(); });
  server.start();
  LiveClient client(server.port());
  const auto refused = client.request("join_room", R"({"roomId":"r","accessToken":"t"})");
  CHECK(code_of(refused) == "FORBIDDEN");
  CHECK(text_at(refused, "/payload/message") == "this server verifies no tokens: leave accessToken out");
  CHECK_FALSE(server.room("r"));
  CHECK(type_of(client.join("r")) == "room_joined");
}

TEST_CASE("access: the application extends and ends the grant of a session") {
  Scene scene;
  LiveClient client = scene.live("short");
  client.join("r");
  const auto session = scene.server.session(client.id).value();
  CHECK(session.set_grant(flux::Grant({.user_id = "\xff"})).error().code() == flux::Errc::invalid_argument);
  REQUIRE(session.set_grant(flux::Grant({.user_id = "bob"}, {"write:x"})).ok());
  LiveClient other = scene.live("short");
  CHECK(other.closed().code == 4401);
  CHECK(type_of(client.request("broadcast_event", R"({"event":"e"})")) == "ack");
  CHECK(session.grant().allows("write", "x"));
  CHECK(scene.server.sessions_of_user("ann").empty());
  CHECK(scene.server.sessions_of_user("bob").size() == 1);
  REQUIRE(session.set_grant(flux::Grant({.user_id = "bob"}, {}, in(0ms))).ok());
  CHECK(client.closed().code == 4401);
  CHECK(eventually([&] { return !session.connected(); }));
  CHECK(session.set_grant(flux::Grant()).error().code() == flux::Errc::session_not_found);
}

TEST_CASE("access: a raw connection is closed with 4401 when its grant ends") {
  Scene scene;
  flux::WebSocketEndpoint endpoint;
  endpoint.on_open = [](const flux::WebSocket& socket) {
    socket.send(socket.grant().identity.user_id + (socket.grant().allows("read", "x") ? " reads" : ""));
  };
  endpoint.on_message = [](const flux::WebSocket& socket, std::string_view message, flux::MessageType) {
    if (message == "refresh") CHECK(socket.set_grant(flux::Grant({.user_id = "ann"}, {}, in(60'000ms))).ok());
    socket.send(message);
  };
  scene.server.websocket("/raw", std::move(endpoint));
  WebSocketClient stays(scene.port(), "/raw?access_token=good");
  CHECK(stays.message() == "ann reads");
  WebSocketClient refreshed(scene.port(), "/raw?access_token=short");
  CHECK(refreshed.message() == "ann");
  refreshed.send_text("refresh");
  CHECK(refreshed.message() == "refresh");
  WebSocketClient ends(scene.port(), "/raw?access_token=short");
  CHECK(ends.message() == "ann");
  CHECK(ends.closed().code == 4401);
  for (WebSocketClient* client : {&stays, &refreshed}) {
    client->send_text("x");
    CHECK(client->message() == "x");
  }
}

TEST_CASE("access: a Socket.IO connection ends with the grant of its socket, over both transports") {
  Scene scene;
  flux::socketio::Io io(scene.server);
  std::mutex mutex;
  std::vector<std::string> reasons;
  io.on_connection([&](const flux::socketio::Socket& socket) {
    socket.on_disconnect([&](std::string_view reason) {
      const std::lock_guard lock(mutex);
      reasons.emplace_back(reason);
    });
  });
  auto client = joined(scene.port(), "short");
  CHECK(client.message() == "41");
  CHECK(client.closed().code == 1000);
  Poller poller(scene.port(), false);
  poller.post("40" + with_token("short"));
  CHECK(poller.poll().substr(0, 2) == "40");
  CHECK(poller.poll().substr(0, 2) == "41");
  CHECK(eventually([&] {
    const std::lock_guard lock(mutex);
    return reasons == std::vector<std::string>{"server namespace disconnect", "server namespace disconnect"};
  }));
}

TEST_CASE("access: an Engine.IO session has its grant and is closed when that ends, over both transports") {
  std::mutex mutex;
  std::vector<std::string> closed;
  Scene scene;
  flux::engineio::Endpoint endpoint;
  endpoint.on_message = [](const flux::engineio::Socket& socket, std::string_view message, flux::MessageType) {
    if (message == "refresh") CHECK(socket.set_grant(flux::Grant({.user_id = "ann"}, {"read:x"})).ok());
    socket.send(socket.identity().user_id + (socket.grant().allows("read", "x") ? " reads" : ""));
  };
  endpoint.on_close = [&](const flux::engineio::Socket& socket, std::string_view why) {
    const std::lock_guard lock(mutex);
    closed.push_back(std::string(why) + ", " + socket.identity().user_id);
    CHECK(socket.set_grant(flux::Grant()).error().code() == flux::Errc::session_not_found);
  };
  flux::engineio::serve(scene.server, endpoint);
  const std::string path = "/engine.io/?EIO=4&access_token=short&transport=";
  WebSocketClient refreshed(scene.port(), path + "websocket");
  refreshed.message();
  refreshed.send_text("4who");
  CHECK(refreshed.message() == "4ann");
  refreshed.send_text("4refresh");
  CHECK(refreshed.message() == "4ann reads");
  WebSocketClient ends(scene.port(), path + "websocket");
  CHECK(ends.closed().code == 4401);
  HttpClient polls(scene.port());
  const auto opened = polls.request(get(path + "polling")).body;
  const auto sid = text_at(flux::JsonText::parse(opened.substr(1)).value(), "/sid");
  CHECK(polls.request(get("/engine.io/?EIO=4&transport=polling&sid=" + sid)).body == "1");
  refreshed.send_text("4who");
  CHECK(refreshed.message() == "4ann reads");
  const std::lock_guard lock(mutex);
  CHECK(closed == std::vector<std::string>{"access ended, ann", "access ended, ann"});
}

TEST_CASE("access: a data sharing client is disconnected when its grant ends, and leaves its rooms") {
  Scene scene;
  scene.serve_sharing();
  LiveClient stays = scene.live("good");
  stays.join("r");
  auto ends = joined(scene.port(), "short");
  ends.message();  // public:history
  ends.send_text(R"(421["room:join","r"])");
  CHECK(text_at(stays.next("presence_updated"), "/payload/joined/0/userId") == "ann");
  std::string last;
  while (last != "41") last = ends.message();
  CHECK(stays.next("presence_updated").at("/payload/left/0"));
  CHECK(eventually([&] { return scene.server.sessions().size() == 1; }));
}

TEST_CASE("access: a grant given to a data sharing socket becomes its session's, and ends the session") {
  auto config = test_config();
  config.expiry_notice = 0ms;
  Scene scene(config);
  auto io = scene.serve_sharing();
  io.on_connection([](const flux::socketio::Socket& socket) {
    for (const auto& [event, time] : {std::pair("prolong", 60'000ms), std::pair("end", 0ms)}) {
      socket.on(event, [socket, time = time](flux::socketio::Event& asked) {
        CHECK(socket.set_grant(flux::Grant({.user_id = "bob"}, {"write:x"}, in(time))).ok());
        asked.ack();
      });
    }
  });
  auto client = joined(scene.port(), "short");
  client.message();  // public:history
  client.send_text(R"(421["prolong"])");
  CHECK(client.message() == "431[]");
  CHECK(scene.server.sessions_of_user("ann").empty());
  REQUIRE(scene.server.sessions_of_user("bob").size() == 1);
  CHECK(scene.server.sessions_of_user("bob").front().grant().allows("write", "x"));
  auto other = joined(scene.port(), "short");
  while (other.message() != "41") {
  }
  client.send_text(R"(422["end"])");  // its first grant has expired by now
  CHECK(client.message() == "432[]");
  CHECK(client.message() == "41");
  CHECK(eventually([&] { return scene.server.sessions().empty(); }));
}

// --- Refreshing a grant ---

/// A token verifier for tokens "USER MILLISECONDS": the user, and how long the grant lasts.
void verify_tokens(flux::Server& server) {
  server.on_token([](flux::TokenRequest& request) {
    const std::string& token = request.token();
    const auto space = token.find(' ');
    if (space == std::string::npos) return request.refuse("wrong token");
    const std::chrono::milliseconds time(std::stoi(token.substr(space)));
    request.accept(flux::Grant({.user_id = token.substr(0, space)}, {}, in(time)));
  });
}
std::string token_of(std::string_view text) { return R"({"accessToken":")" + std::string(text) + "\"}"; }

TEST_CASE("access: a live client is told before its grant expires, and stays if it presents a new token in time") {
  auto config = test_config();
  config.expiry_notice = 59'800ms;
  flux::Server server(config);
  verify_tokens(server);
  server.start();
  LiveClient client(server.port(), "/live?access_token=ann%2060000");
  client.join("r");
  const auto expires = server.session(client.id)->grant().expires_at.value();
  const auto told = client.next("access_expiring");
  CHECK(number_at(told, "/payload/expiresAt") ==
        std::chrono::duration_cast<std::chrono::milliseconds>(expires.time_since_epoch()).count());
  const auto refreshed = client.request("refresh", token_of("ann 120000"));
  CHECK(type_of(refreshed) == "refreshed");
  CHECK(number_at(refreshed, "/payload/expiresAt") > number_at(told, "/payload/expiresAt"));
  CHECK(server.session(client.id)->grant().expires_at > expires);
  CHECK(server.session(client.id)->rooms() == std::vector<flux::RoomId>{"r"});
}

TEST_CASE("access: a live client whose new token is refused keeps its grant, and is closed when that expires") {
  flux::Server server(test_config());
  verify_tokens(server);
  server.start();
  LiveClient client(server.port(), "/live?access_token=ann%201500");
  client.join("r");
  for (const auto* const type : {"refresh", "join_room"}) {
    const auto shown = [&](const std::string& token) {
      return client.request(type, R"({"roomId":"r","accessToken":")" + token + "\"}");
    };
    CHECK(code_of(shown("bad")) == "UNAUTHORIZED");
    const auto other = shown("bob 60000");
    CHECK(code_of(other) == "UNAUTHORIZED");
    CHECK(text_at(other, "/payload/message") == "the token is another user's");
  }
  CHECK(server.sessions_of_user("ann").size() == 1);
  CHECK(client.closed().code == 4401);
}

TEST_CASE("access: a server without any token handler answers a refresh with FORBIDDEN") {
  flux::Server server(test_config());
  server.start();
  LiveClient client(server.port());
  CHECK(code_of(client.request("refresh", token_of("t"))) == "FORBIDDEN");
}

TEST_CASE("access: a data sharing client is told before its grant expires, and presents a new token") {
  auto config = test_config();
  config.expiry_notice = 1h;
  flux::Server server(config);
  verify_tokens(server);
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.start();
  auto client = joined(server.port(), "ann 1500");
  client.message();  // public:history
  CHECK(client.message().starts_with(R"(42["access_expiring",{"expiresAt":1)"));
  client.send_text(R"(421["refresh",)" + token_of("bob 60000") + "]");
  CHECK(client.message() == R"(431[{"success":false,"message":"the token is another user's"}])");
  client.send_text(R"(422["refresh",)" + token_of("ann 60000") + "]");
  CHECK(client.message().starts_with(R"(432[{"success":true,"message":"Refreshed.","expiresAt":1)"));
  CHECK(client.message().starts_with(R"(42["access_expiring",{"expiresAt":1)"));
  auto ends = joined(server.port(), "ann 1500");
  while (ends.message() != "41") {
  }
  client.send_text(R"(423["public:items"])");  // its first grant has expired by now
  CHECK(client.message().starts_with(R"(433[{"success":true,)"));
}

// --- Revoking ---

TEST_CASE("access: revoking a user closes all of the user's clients immediately, over every protocol") {
  Scene scene(test_config(2));
  scene.server.websocket("/raw", {});
  scene.serve_sharing();
  flux::socketio::Options plain;
  plain.path = "/plain/";
  flux::socketio::Io other(scene.server, plain);
  std::atomic<int> connected{0};
  other.on_connection([&](const flux::socketio::Socket&) { ++connected; });
  flux::engineio::serve(scene.server, {});
  LiveClient live = scene.live("good");
  live.join("r");
  WebSocketClient raw(scene.port(), "/raw?access_token=good");
  auto sharing = joined(scene.port(), "good");
  sharing.message();  // public:history
  WebSocketClient socket(scene.port(), "/plain/?EIO=4&transport=websocket");
  socket.message();
  socket.send_text("40" + with_token("good"));
  socket.message();
  WebSocketClient engine(scene.port(), "/engine.io/?EIO=4&transport=websocket&access_token=good");
  engine.message();
  REQUIRE(eventually([&] { return connected == 1 && scene.server.sessions_of_user("ann").size() == 2; }));
  CHECK(scene.server.revoke_user("nobody") == 0);
  CHECK(scene.server.revoke_user("ann", "no longer") == 5);
  // The client has not answered the close frame yet, but is no longer in any room.
  CHECK(eventually([&] { return !scene.server.room("r"); }));
  for (WebSocketClient* client : {static_cast<WebSocketClient*>(&live), &raw}) {
    const auto closed = client->closed();
    CHECK(closed.code == 4401);
    CHECK(closed.reason == "no longer");
  }
  CHECK(sharing.message() == "41");
  CHECK(socket.message() == "41");
  CHECK(engine.closed().code == 4401);
  CHECK(eventually([&] { return scene.server.sessions().empty() && scene.server.revoke_user("ann") == 0; }));
}

TEST_CASE("access: revoking one session leaves the user's other sessions connected") {
  Scene scene;
  LiveClient phone = scene.live("good");
  LiveClient laptop = scene.live("good");
  phone.join("r");
  laptop.join("r");
  REQUIRE(scene.server.revoke(phone.id).ok());
  CHECK(phone.closed().reason == "access was revoked");
  CHECK(text_at(laptop.next("presence_updated"), "/payload/left/0") == phone.id);
  CHECK(eventually([&] { return !scene.server.session(phone.id); }));
  CHECK(scene.server.revoke(phone.id).error().code() == flux::Errc::session_not_found);
  CHECK(type_of(laptop.request("broadcast_event", R"({"event":"e"})")) == "ack");
}

TEST_CASE("access: a handler can revoke the session that it was called for") {
  Scene scene;
  scene.server.on_event([&](flux::EventMessage& event) { CHECK(scene.server.revoke(event.session.id()).ok()); });
  LiveClient client = scene.live("good");
  client.join("r");
  client.send("broadcast_event", R"({"event":"e"})");
  CHECK(client.closed().code == 4401);
  CHECK(eventually([&] { return !scene.server.room("r"); }));
}

TEST_CASE("access: a join that waits for its token fails if the user is revoked") {
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
  client.tcp.end();
  CHECK(eventually([&] { return server.stats().connections_now == 0; }));
  CHECK_FALSE(server.room("r"));
}

TEST_CASE("access: a join that waits for its verdict fails if the user is revoked") {
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
  HttpClient other(server.port());  // another turn: the verdict has taken effect
  CHECK(other.request(get("/none")).status == 404);
  CHECK_FALSE(server.room("r"));
}

// --- Claims ---

TEST_CASE("access: the claims of a grant are read in the handlers of every protocol, and not seen by other members") {
  auto config = test_config();
  config.files.store = std::make_shared<MemoryFileStore>();
  flux::Server server(config);
  const auto role_of = [](const flux::Grant& grant) { return grant.claims.get<std::string>("/role").value_or("none"); };
  server.on_connect([](flux::ConnectRequest& request) {
    request.accept(flux::Grant({.user_id = "ann"}, {}, std::nullopt, flux::JsonText::object({{"role", "admin"}})));
  });
  Awaited<std::string> live, sharing, socketio, raw, file;
  server.on_join(
      [&](flux::JoinRequest& join) { (join.room == "live" ? live : sharing).set(role_of(join.session.grant())); });
  server.on_file([&](flux::FileRequest& request) {
    if (request.session()) file.set(role_of(request.session()->grant()));
    request.accept();
  });
  server.websocket("/raw", {.on_open = [&](const flux::WebSocket& socket) { raw.set(role_of(socket.grant())); }});
  server.route("GET", "/me",
               [&](const flux::HttpExchange& exchange) { exchange.respond(200, role_of(exchange.grant())); },
               {.authenticated = true});
  flux::socketio::Io io(server);
  io.on_connection([&](const flux::socketio::Socket& socket) { socketio.set(role_of(socket.grant())); });
  flux::socketio::serve_sharing(server, io);
  server.start();
  LiveClient client(server.port());
  CHECK(client.join("live").text().find("admin") == std::string::npos);
  CHECK(live.get() == "admin");
  const std::string id =
      text_at(flux::JsonText::parse(HttpClient(server.port()).request(post("/files", "x")).body).value(), "/fileId");
  CHECK(type_of(client.request("share", R"({"data":{"type":"file","fileId":")" + id + "\"}}")) == "ack");
  CHECK(file.get() == "admin");
  const WebSocketClient opened(server.port(), "/raw");
  CHECK(raw.get() == "admin");
  CHECK(HttpClient(server.port()).request(get("/me")).body == "admin");
  WebSocketClient shared = joined(server.port(), "t");
  CHECK(socketio.get() == "admin");
  REQUIRE(server.create_room("shared"));
  shared.send_text(R"(42["room:join","shared"])");
  CHECK(sharing.get() == "admin");
}

TEST_CASE("access: claims that are too long refuse the client, and are no new grant") {
  auto config = test_config();
  flux::Server server(config);
  const auto with = [](std::size_t bytes) {
    return flux::Grant({.user_id = "ann"}, {}, std::nullopt, flux::JsonText::parse(quoted_x(bytes - 2)).value());
  };
  server.on_connect([&](flux::ConnectRequest& request) {
    request.accept(with(flux::Grant::claims_bytes_max + (request.token() == "long" ? 1 : 0)));
  });
  server.start();
  CHECK(how_closed(server.port(), "/live?access_token=long").code == 4401);
  LiveClient client(server.port());
  client.join("r");
  const flux::Session session = server.session(client.id).value();
  const auto set = session.set_grant(with(flux::Grant::claims_bytes_max + 1));
  REQUIRE_FALSE(set);
  CHECK(set.error().code() == flux::Errc::invalid_argument);
  CHECK(set.error().message() == "Grant::claims has 16385 bytes; at most 16384");
  CHECK(session.grant().claims.text().size() == flux::Grant::claims_bytes_max);
}

// --- The session and the socket of one client ---

TEST_CASE("access: a data sharing client's session is found by its socket's id, and its socket by the session") {
  Scene scene;
  auto io = scene.serve_sharing();
  Awaited<flux::socketio::Socket> connected;
  io.on_connection([&](const flux::socketio::Socket& socket) { connected.set(socket); });
  const WebSocketClient client = joined(scene.port(), "good");
  const auto socket = connected.get();
  const auto session = scene.server.session(socket.id());
  REQUIRE(session);
  CHECK(session->id() != socket.id());
  CHECK(scene.server.session(session->id()) == session);
  CHECK(session->identity().user_id == "ann");
  CHECK(flux::socketio::socket_of(*session) == socket);
  CHECK_FALSE(scene.server.session(socket.id() + "x"));
  LiveClient live = scene.live("good");
  live.join("r");
  CHECK_FALSE(flux::socketio::socket_of(scene.server.session(live.id).value()));
}

TEST_CASE("access: a grant that is set on a data sharing client's session is its socket's, too") {
  Scene scene;
  auto io = scene.serve_sharing();
  Awaited<flux::socketio::Socket> connected;
  io.on_connection([&](const flux::socketio::Socket& socket) { connected.set(socket); });
  WebSocketClient client = joined(scene.port(), "good");
  const auto socket = connected.get();
  const auto session = scene.server.session(socket.id()).value();
  CHECK(session.set_grant(flux::Grant({.user_id = "bob"}, {"write:x"})).ok());
  REQUIRE(eventually([&] { return session.grant().identity.user_id == "bob"; }));
  CHECK(socket.grant() == session.grant());
  CHECK(socket.set_grant(flux::Grant({.user_id = "eve"})).ok());
  REQUIRE(eventually([&] { return session.grant().identity.user_id == "eve"; }));
  CHECK(socket.grant() == session.grant());
  // The new expiry ends both, and the earlier one nothing.
  CHECK(session.set_grant(flux::Grant({.user_id = "eve"}, {}, in(100ms))).ok());
  CHECK(eventually([&] { return !socket.connected(); }));
  CHECK(eventually([&] { return !session.connected(); }));
  CHECK(eventually([&] { return scene.server.session(socket.id()) == std::nullopt; }));
}

}  // namespace access_test
