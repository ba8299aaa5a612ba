// Users and credentials that are revoked: connected clients, clients that are just connecting, and later ones.
#include "support/memory_file_store.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"
#include "support/temp_folder.hpp"

#include <flux/engineio.hpp>
#include <flux/sharing.hpp>
#include <flux/storage/file_revocation_store.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

namespace revocation_test {

using namespace flux_test;
using flux::Grant;

namespace {

Grant::TimePoint in(std::chrono::milliseconds time) {
  return std::chrono::time_point_cast<Grant::TimePoint::duration>(std::chrono::system_clock::now()) + time;
}

/// The grant of a token "ann.k1": user ann, with the credential k1.
Grant grant_of(const std::string& token) {
  const auto dot = token.find('.');
  Grant grant({.user_id = token.substr(0, dot)});
  if (dot != std::string::npos) grant.credential = token.substr(dot + 1);
  return grant;
}

/// A server with every protocol, whose clients show their grants as tokens. A token that ends in "?" is answered when the
/// test says so.
struct Site {
  explicit Site(flux::Config config = with_files()) : server(config), io(server), plain(server, plain_options()) {
    server.on_connect([this](flux::ConnectRequest& request) {
      std::string token = request.token();
      if (token.empty()) return request.refuse("no token");
      if (token.back() != '?') return request.accept(grant_of(token));
      token.pop_back();
      const std::lock_guard lock(mutex);
      pending.push_back([later = request.later(), token] { later.accept(grant_of(token)); });
    });
    server.on_call("who",
                   [](flux::Call& call) { call.reply(flux::JsonText::string(call.session().identity().user_id)); });
    server.websocket("/raw", {});
    server.route("GET", "/who",
                 [](const flux::HttpExchange& exchange) { exchange.respond(200, exchange.identity().user_id); },
                 {.authenticated = true});
    flux::socketio::serve_sharing(server, io);
    flux::engineio::serve(server, {});
    server.start();
  }
  static flux::Config with_files() {
    auto config = test_config(2);
    config.files.store = std::make_shared<MemoryFileStore>();
    return config;
  }
  static flux::socketio::Options plain_options() {
    flux::socketio::Options options;
    options.path = "/plain/";
    return options;
  }
  std::uint16_t port() const { return server.port(); }

  LiveClient live(const std::string& token) const { return LiveClient(port(), "/live?access_token=" + token); }
  /// What a client hears at each door, "in" if it is let in.
  std::string at_live(const std::string& token) const {
    auto client = live(token);
    client.send("call", R"({"method":"who"})");
    const auto frame = client.frame();
    if (frame && frame->opcode == flux::transport::Opcode::text) return "in";
    client.note_close(frame.value().payload);
    return std::to_string(client.how_closed.code) + " " + client.how_closed.reason;
  }
  std::string at_raw(const std::string& token) const {
    WebSocketClient client(port(), "/raw?access_token=" + token);
    // A client that is accepted gets an answer to its close frame, one that is not gets the server's own first.
    client.send_close(1000);
    const auto closed = client.closed();
    return closed.code == 1000 ? "in" : std::to_string(closed.code) + " " + closed.reason;
  }
  std::string at_socketio(const std::string& token) const {
    WebSocketClient client(port(), "/plain/?EIO=4&transport=websocket");
    client.message();
    client.send_text(R"(40{"token":")" + token + "\"}");
    return heard(client.message());
  }
  std::string at_polling(const std::string& token) const {
    Poller client(port(), false);
    client.post(R"(40{"token":")" + token + "\"}");
    return heard(client.poll());
  }
  std::string at_http(std::string_view request_line, const std::string& token) const {
    HttpClient client(port());
    const std::string field = "Authorization: Bearer " + token + "\r\n";
    const auto reply =
        client.request(request_line == "POST /files" ? post("/files", "x", field)
                       : request_line == "GET /who"  ? get("/who", field)
                                                    : get("/engine.io/?EIO=4&transport=polling&access_token=" + token));
    return reply.status < 300 ? "in" : std::to_string(reply.status);
  }
  static std::string heard(const std::string& packet) {
    if (packet.substr(0, 2) == "40") return "in";
    return text_at(flux::JsonText::parse(packet.substr(2)).value(), "/message");
  }
  /// What all doors say, each once.
  std::vector<std::string> doors(const std::string& token) const {
    std::vector<std::string> all = {at_live(token),
                                    at_raw(token),
                                    at_socketio(token),
                                    at_polling(token),
                                    at_http("POST /files", token),
                                    at_http("GET /who", token),
                                    at_http("GET /engine.io", token)};
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  /// Waits until this many questions are pending, and answers them.
  void answer(std::size_t count) {
    REQUIRE(eventually([&] {
      const std::lock_guard lock(mutex);
      return pending.size() == count;
    }));
    std::vector<std::function<void()>> answers;
    {
      const std::lock_guard lock(mutex);
      answers.swap(pending);
    }
    for (const auto& answer_one : answers) answer_one();
  }
  void wait_for_questions(std::size_t count) {
    REQUIRE(eventually([&] {
      const std::lock_guard lock(mutex);
      return pending.size() == count;
    }));
  }

  std::mutex mutex;
  std::vector<std::function<void()>> pending;
  flux::Server server;
  flux::socketio::Io io;
  flux::socketio::Io plain;
};

const std::vector<std::string> all_in{"in"};
const std::vector<std::string> all_refused{"401", "4401 left the team", "left the team"};

}  // namespace

TEST_CASE("revocation: a revoked user is disconnected over every protocol, and refused at every door until the end") {
  Site site;
  LiveClient live = site.live("ann.k1");
  live.join("r");
  WebSocketClient raw(site.port(), "/raw?access_token=ann.k2");
  WebSocketClient socket(site.port(), "/plain/?EIO=4&transport=websocket");
  socket.message();
  socket.send_text(R"(40{"token":"ann"})");
  REQUIRE(socket.message().substr(0, 2) == "40");
  Poller poller(site.port(), false);
  poller.post(R"(40{"token":"ann"})");
  REQUIRE(poller.poll().substr(0, 2) == "40");
  WebSocketClient engine(site.port(), "/engine.io/?EIO=4&transport=websocket&access_token=ann");
  engine.message();
  LiveClient bob = site.live("bob.k1");
  const auto revoked = site.server.revoke_user("ann", in(1h), "left the team");
  REQUIRE(revoked.ok());
  CHECK(*revoked == 5);
  for (WebSocketClient* client : {static_cast<WebSocketClient*>(&live), &raw}) {
    const auto closed = client->closed();
    CHECK(closed.code == 4401);
    CHECK(closed.reason == "left the team");
  }
  CHECK(socket.message() == "41");
  std::string last = poller.poll();
  if (last.substr(0, 2) == "42") last = poller.poll();
  CHECK(last.substr(0, 2) == "41");
  CHECK(engine.closed().code == 4401);
  CHECK(site.doors("ann.k3") == all_refused);
  CHECK(site.doors("bob") == all_in);
  CHECK(text_at(bob.request("call", R"({"method":"who"})"), "/payload") == "bob");
  const auto list = site.server.revocations();
  REQUIRE(list.size() == 1);
  CHECK(list.front().name == "ann");
  CHECK(site.server.allow_user("ann"));
  CHECK_FALSE(site.server.allow_user("ann"));
  CHECK(site.doors("ann.k3") == all_in);
}

TEST_CASE("revocation: a revoked credential ends the clients that have shown it, and no others") {
  Site site;
  LiveClient first = site.live("ann.k1");
  LiveClient second = site.live("ann.k2");
  WebSocketClient raw(site.port(), "/raw?access_token=bob.k1");
  REQUIRE(eventually([&] { return site.server.sessions_of_user("ann").size() == 2; }));
  const auto revoked = site.server.revoke_credential("k1", in(1h), "left the team");
  REQUIRE(revoked.ok());
  CHECK(*revoked == 2);
  CHECK(first.closed().code == 4401);
  CHECK(raw.closed().code == 4401);
  CHECK(text_at(second.request("call", R"({"method":"who"})"), "/payload") == "ann");
  CHECK(site.doors("ann.k1") == all_refused);
  CHECK(site.doors("k1.ann") == all_in);
  CHECK(site.doors("ann.k2") == all_in);
  CHECK(site.server.allow_credential("k1"));
  CHECK(site.doors("ann.k1") == all_in);
}

TEST_CASE("revocation: clients that are being let in when their user is revoked are refused") {
  Site site;
  Crew crew;
  std::mutex mutex;
  std::vector<std::string> said;
  const auto try_door = [&](std::function<std::string()> door) {
    crew.add([&, door = std::move(door)] {
      auto what = door();
      const std::lock_guard lock(mutex);
      said.push_back(std::move(what));
    });
  };
  try_door([&] { return site.at_live("ann?"); });
  try_door([&] { return site.at_socketio("ann?"); });
  try_door([&] { return site.at_polling("ann?"); });
  try_door([&] { return site.at_http("POST /files", "ann?"); });
  try_door([&] { return site.at_http("GET /who", "ann?"); });
  try_door([&] { return site.at_http("GET /engine.io", "ann?"); });
  try_door([&] {
    WebSocketClient client(site.port(), "/raw?access_token=ann?");
    const auto closed = client.closed();
    return std::to_string(closed.code) + " " + closed.reason;
  });
  site.wait_for_questions(7);
  CHECK(site.server.revoke_user("ann", in(1h), "left the team").value() == 0);
  site.answer(7);
  crew.join();
  std::sort(said.begin(), said.end());
  CHECK(said == std::vector<std::string>{"401", "401", "401", "4401 left the team", "4401 left the team",
                                         "left the team", "left the team"});
  CHECK(site.server.sessions().empty());
}

TEST_CASE("revocation: a token with a revoked credential is refused in band, and its client keeps what it has") {
  Site site;
  REQUIRE(site.server.revoke_credential("k2", in(1h), "left the team").ok());
  LiveClient client = site.live("ann.k1");
  client.join("r");
  const auto refused = client.request("refresh", R"({"accessToken":"ann.k2"})");
  CHECK(code_of(refused) == "UNAUTHORIZED");
  CHECK(text_at(refused, "/payload/message") == "left the team");
  CHECK(site.server.room("r").has_value());
  CHECK(type_of(client.request("refresh", R"({"accessToken":"ann.k3"})")) == "refreshed");
  CHECK(site.server.revoke_credential("k1", in(1h)).value() == 0);
  client.send("refresh", R"({"accessToken":"ann.k4?"})");
  site.wait_for_questions(1);
  CHECK(site.server.revoke_credential("k4", in(1h), "leaked").value() == 0);
  CHECK(site.server.revoke_credential("k3", in(1h), "leaked, too").value() == 1);
  site.answer(1);
  CHECK(client.closed().reason == "leaked, too");
}

TEST_CASE("revocation: what is vetoed later has no effect if the user is revoked before the verdict") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of(request.token())); });
  Awaited<flux::LaterVerdict> join_question;
  Awaited<flux::LaterVerdict> event_question;
  Awaited<flux::LaterReply> call_question;
  server.on_join([&](flux::JoinRequest& join) {
    if (join.room == "held") join_question.set(join.later());
  });
  server.on_event([&](flux::EventMessage& event) {
    if (event.event == "held") event_question.set(event.later());
  });
  server.on_call("held", [&](flux::Call& call) { call_question.set(call.later()); });
  server.start();
  const auto connect = [&](const std::string& token) {
    return LiveClient(server.port(), "/live?access_token=" + token);
  };
  LiveClient watcher = connect("bob");
  watcher.join("lobby");
  LiveClient joins = connect("ann");
  joins.send("join_room", R"({"roomId":"held"})");
  LiveClient publishes = connect("ann");
  publishes.join("lobby");
  publishes.send("broadcast_event", R"({"event":"held"})");
  LiveClient calls = connect("ann");
  calls.send("call", R"({"method":"held"})", "c1");
  const auto may_join = join_question.get();
  const auto may_publish = event_question.get();
  const auto result = call_question.get();
  CHECK(server.revoke_user("ann", in(1h)).value() == 3);
  // The server reads nothing of a client that it holds, so the answer to its close frame is not waited for.
  for (LiveClient* client : {&joins, &publishes, &calls}) {
    auto frame = client->frame();
    while (frame && frame->opcode != flux::transport::Opcode::close) frame = client->frame();
    REQUIRE(frame);
    CHECK(frame->payload.substr(2) == "access was revoked");
  }
  may_join.accept();
  may_publish.accept();
  result.reply(flux::JsonText::string("secret"));
  REQUIRE(server.broadcast("lobby", "end", {}).ok());
  const auto event = watcher.next("broadcast_event");
  CHECK(text_at(event, "/payload/event") == "end");
  CHECK_FALSE(server.room("held"));
}

TEST_CASE("revocation: a Socket.IO client whose middleware still thinks is refused if its grant ends meanwhile") {
  const std::string how = GENERATE("revoked", "expires");
  flux::Server server(test_config());
  std::atomic<bool> short_grants{false};
  server.on_connect([&](flux::ConnectRequest& request) {
    Grant grant = grant_of(request.token());
    if (short_grants) grant.expires_at = in(50ms);
    request.accept(grant);
  });
  flux::socketio::Options options;
  options.recovery_max = 60s;
  flux::socketio::Io io(server, options);
  std::atomic<bool> thinks{false};
  Awaited<std::pair<flux::socketio::Socket, flux::socketio::Next>> question;
  io.use([&](const flux::socketio::Socket& socket, flux::socketio::Next next) {
    if (!thinks) return next();
    question.set({socket, next});
  });
  server.start();
  const auto connected = [&](const std::string& auth) {
    WebSocketClient client(server.port(), "/socket.io/?EIO=4&transport=websocket");
    client.message();
    client.send_text("40" + auth);
    return client;
  };
  auto lost = connected(R"({"token":"ann"})");
  const auto welcome = flux::JsonText::parse(lost.message().substr(2)).value();
  lost.tcp.reset();
  REQUIRE(eventually([&] { return !io.of("/").socket(text_at(welcome, "/sid")); }));
  io.emit("missed", {});
  thinks = true;
  short_grants = how == "expires";
  auto back = connected(R"({"token":"ann","pid":")" + text_at(welcome, "/pid") + "\"}");
  const auto [socket, next] = question.get();
  if (how == "revoked") {
    REQUIRE(server.revoke_user("ann", in(1h), "left the team").ok());
  } else {
    const auto end = socket.grant().expires_at.value();
    REQUIRE(eventually([&] { return std::chrono::system_clock::now() > end; }));
  }
  next();
  const std::string answer = back.message();
  CHECK(answer ==
        R"(44{"message":")" + std::string(how == "revoked" ? "left the team" : "the token has expired") + "\"}");
}

TEST_CASE("revocation: a client that is removed from a room and then revoked is told why, then disconnected") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of("ann.k1")); });
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.start();
  server.create_room("r", {.permanent = true}).value();
  LiveClient live(server.port());
  live.join("r");
  SocketIoClient sharing(server.port());
  sharing.ask("room:join", R"("r")");
  // In one turn, so that nothing can happen in between.
  server.call_after(1ms, [&] {
    server.leave_user("ann", "r", "the host has removed you");
    server.revoke_user("ann");
  });
  CHECK(text_at(live.next("room_left"), "/payload/reason") == "the host has removed you");
  CHECK(live.closed().code == 4401);
  CHECK(text_at(sharing.next("room:left"), "/1/reason") == "the host has removed you");
  sharing.closed();
}

TEST_CASE("revocation: a data sharing client and its upload are ended by their user and by their credential") {
  const std::string who = GENERATE("ann", "eve");
  CAPTURE(who);
  const bool refreshed = GENERATE(false, true);
  CAPTURE(refreshed);
  const auto files = std::make_shared<MemoryFileStore>();
  auto config = test_config();
  config.files.store = files;
  Awaited<flux::Disconnect> ended;  // outlives the server
  flux::Server server(config);
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of("ann.k1")); });
  server.on_token([](flux::TokenRequest& request) { request.accept(grant_of(request.token())); });
  server.on_disconnect([&](const flux::Session&, const flux::Disconnect& how) { ended.set(how); });
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.start();
  SocketIoClient client(server.port());
  const std::string room = R"({"roomId":"r","mode":"live","capacity":9})";
  client.ask("room:create", room);
  client.ask("room:join", R"("r")");
  if (refreshed) {
    REQUIRE(client.ask("refresh", R"({"accessToken":"ann.k2"})").get<bool>("/success") == true);
  }
  const auto ticket = text_at(client.ask("room:uploadTicket", R"("r")"), "/ticket");
  HttpClient uploader(server.port());
  uploader.send("POST /files?ticket=" + ticket + " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nx");
  REQUIRE(eventually([&] { return files->files() == 1; }));
  CHECK(server.revoke_credential("k3", in(1h)).value() == 0);
  const auto revoked = server.revoke_user(who, in(1h), "left the team");
  REQUIRE(revoked.ok());
  CHECK(*revoked == (who == "eve" ? 0U : 2U));
  if (who == "eve") {
    CHECK(server.revoke_credential(refreshed ? "k2" : "k1", in(1h), "left the team").value() == 2);
  }
  const auto how = ended.get();
  CHECK(how.code == flux::CloseCode::unauthorized);
  CHECK(how.reason == "left the team");
  CHECK(uploader.to_end().empty());
  CHECK(server.sessions().empty());
  CHECK_FALSE(server.room("r"));
}

TEST_CASE(
    "revocation: a middleware that changes the identity of a data sharing client leaves the rest of its grant in "
    "force") {
  auto config = test_config();
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  config.clock = clock;
  Awaited<flux::Disconnect> ended;  // outlives the server
  flux::Server server(config);
  const auto now = [&] { return flux::Grant::TimePoint(std::chrono::milliseconds(clock->unix_ms())); };
  server.on_connect([&](flux::ConnectRequest& request) {
    auto grant = grant_of("ann.k1");
    grant.expires_at = now() + 2s;
    request.accept(grant);
  });
  server.on_disconnect([&](const flux::Session&, const flux::Disconnect& how) { ended.set(how); });
  flux::socketio::Io io(server);
  io.use([](const flux::socketio::Socket& socket, const flux::socketio::Next& next) {
    auto grant = socket.grant();
    grant.identity = {.user_id = "guest", .verified = true};
    socket.set_grant(grant);
    next();
  });
  flux::socketio::serve_sharing(server, io);
  server.start();
  SocketIoClient client(server.port());
  client.next("public:history");
  CHECK(server.sessions_of_user("guest").size() == 1);
  CHECK(server.revoke_user("ann", now() + 1h).value() == 0);
  SECTION("it ends with its credential") { CHECK(server.revoke_credential("k1", now() + 1h).value() == 1); }
  SECTION("it ends with its new user") { CHECK(server.revoke_user("guest", now() + 1h).value() == 1); }
  SECTION("it ends when the grant expires") {
    CHECK(eventually([&] {
      clock->advance(100ms);
      return server.sessions().empty();
    }));
  }
  CHECK(ended.get().code == flux::CloseCode::unauthorized);
}

TEST_CASE("revocation: a data sharing client with the user of its grant counts once") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of("ann.k1")); });
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.start();
  SocketIoClient client(server.port());
  client.next("public:history");
  CHECK(server.revoke_user("ann") == 1);
}

TEST_CASE("revocation: connection state recovery gives nobody the state of another user") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of(request.token())); });
  flux::socketio::Options options;
  options.recovery_max = 60s;
  flux::socketio::Io io(server, options);
  server.start();
  const auto connect = [&](const std::string& auth) {
    WebSocketClient client(server.port(), "/socket.io/?EIO=4&transport=websocket");
    client.message();
    client.send_text("40" + auth);
    return client;
  };
  auto lost = connect(R"({"token":"ann"})");
  const auto welcome = flux::JsonText::parse(lost.message().substr(2)).value();
  const std::string sid = text_at(welcome, "/sid");
  const std::string recovery = "\",\"pid\":\"" + text_at(welcome, "/pid") + "\"}";
  lost.tcp.reset();
  REQUIRE(eventually([&] { return !io.of("/").socket(sid); }));
  auto eve = connect(R"({"token":"eve)" + recovery);
  CHECK(text_at(flux::JsonText::parse(eve.message().substr(2)).value(), "/sid") != sid);
  auto ann = connect(R"({"token":"ann)" + recovery);
  CHECK(text_at(flux::JsonText::parse(ann.message().substr(2)).value(), "/sid") == sid);
}

TEST_CASE("revocation: an upload and a request in progress end") {
  auto config = test_config();
  const auto store = std::make_shared<MemoryFileStore>();
  config.files.store = store;
  Awaited<flux::HttpExchange> kept;
  std::atomic<bool> aborted{false};
  flux::Server server(config);
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of(request.token())); });
  server.route("GET", "/stream",
               [&](const flux::HttpExchange& exchange) {
                 exchange.on_abort([&] { aborted = true; });
                 kept.set(exchange);
               },
               {.authenticated = true});
  server.start();
  const auto head = [](const std::string& token) {
    return "POST /files HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer " + token + "\r\nContent-Length: 1000\r\n\r\n";
  };
  HttpClient ann(server.port());
  ann.send(head("ann.k1") + std::string(500, 'x'));
  HttpClient bob(server.port());
  bob.send(head("bob.k1") + std::string(500, 'x'));
  HttpClient stream(server.port());
  stream.send(get("/stream", "Authorization: Bearer ann.k2\r\n"));
  const auto exchange = kept.get();
  REQUIRE(eventually([&] { return store->appends == 2; }));
  CHECK(server.revoke_user("ann", in(1h)).value() == 2);
  CHECK(ann.to_end().empty());
  CHECK(stream.to_end().empty());
  CHECK(eventually([&] { return aborted.load(); }));
  bob.send(std::string(500, 'x'));
  CHECK(bob.reply().status == 201);
  CHECK(eventually([&] { return store->files() == 1; }));
}

TEST_CASE("revocation: revocations are kept over a restart, and a server that can't load them does not start") {
  const TempFolder folder;
  auto config = test_config();
  config.revocations.store = std::make_shared<flux::FileRevocationStore>(folder / "revocations");
  const auto done = [](const auto& call) { return answer_of<void>(call).ok(); };
  {
    flux::Server server(config);
    server.start();
    CHECK(done([&](auto kept) { CHECK(server.revoke_user("ann", in(1h), "left the team", kept).ok()); }));
    CHECK(done([&](auto kept) { CHECK(server.revoke_user("eve", in(1h), "left the team", kept).ok()); }));
    CHECK(
        done([&](auto kept) { CHECK(server.revoke_credential("k1", Grant::TimePoint::max(), "leaked", kept).ok()); }));
    CHECK(done([&](auto kept) { CHECK(server.allow_user("eve", kept)); }));
  }
  config.revocations.store = nullptr;  // closes the file
  config.revocations.store = std::make_shared<flux::FileRevocationStore>(folder / "revocations");
  {
    flux::Server server(config);
    server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of(request.token())); });
    server.start();
    CHECK(how_closed(server.port(), "/live?access_token=ann").reason == "left the team");
    CHECK(how_closed(server.port(), "/live?access_token=bob.k1").reason == "leaked");
    LiveClient eve(server.port(), "/live?access_token=eve");
    CHECK(server.revocations().size() == 2);
  }
  config.revocations.store = nullptr;
  write_bytes(folder / "revocations", "not a file of flux");
  config.revocations.store = std::make_shared<flux::FileRevocationStore>(folder / "revocations");
  flux::Server server(config);
  CHECK(thrown_by([&] { server.start(); }).first == flux::Errc::store_failed);
}

TEST_CASE("revocation: a torn record of the file is a warning in the log, at the first start only") {
  const TempFolder folder;
  const std::string path = folder / "revocations";
  {
    flux::FileRevocationStore store(path);
    REQUIRE(store.load().ok());
    REQUIRE(store.save({flux::RevocationKind::user, "ann", 4'102'444'800'000, "left"}).ok());
    REQUIRE(store.save({flux::RevocationKind::user, "bob", 4'102'444'800'000, "left"}).ok());
  }
  const std::string whole = bytes_of(path);
  write_bytes(path, whole.substr(0, whole.size() - 3));
  auto config = test_config();
  std::mutex mutex;
  std::vector<std::string> warnings;
  config.log = [&](flux::LogLevel level, std::string_view line) {
    const std::lock_guard lock(mutex);
    if (level == flux::LogLevel::warning) warnings.emplace_back(line);
  };
  config.revocations.store = std::make_shared<flux::FileRevocationStore>(path);
  flux::Server server(config);
  for (int life = 0; life < 2; ++life) {
    server.start();
    CHECK(server.revocations().size() == 1);
    server.stop();
  }
  const std::lock_guard lock(mutex);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find(path) != std::string::npos);
  CHECK(warnings[0].find("bytes were removed") != std::string::npos);
}

TEST_CASE("revocation: what can't be revoked is an error that says why") {
  auto config = test_config();
  config.revocations.count_max = 1;
  flux::Server server(config);
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of(request.token())); });
  server.start();
  LiveClient client(server.port(), "/live?access_token=ann");
  REQUIRE(eventually([&] { return server.sessions().size() == 1; }));
  CHECK(server.revoke_user("", in(1h)).error().code() == flux::Errc::invalid_argument);
  CHECK(server.sessions().size() == 1);
  REQUIRE(server.revoke_user("bob", in(1h)).ok());
  CHECK(server.revoke_user("ann", in(1h)).error().code() == flux::Errc::limit_exceeded);
  CHECK(client.closed().code == 4401);  // it may come back, but is out now
  CHECK(server.revoke_user("bob", in(-1s)).ok());
  CHECK(server.revocations().empty());
}

TEST_CASE("revocation: a reason that is too long or not UTF-8 is repaired, and the user is revoked") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of(request.token())); });
  server.start();
  LiveClient client(server.port(), "/live?access_token=ann");
  REQUIRE(eventually([&] { return server.sessions().size() == 1; }));
  CHECK(server.revoke_user("ann", in(1h), std::string("\xff\0", 2) + std::string(116, 'x') + "\xf0\x9f\x99\x82")
            .value() == 1);
  const std::string reason = "\xef\xbf\xbd\xef\xbf\xbd" + std::string(116, 'x');  // the emoji is left out whole
  CHECK(server.revocations().at(0).reason == reason);
  CHECK(client.closed().reason == reason);
}

TEST_CASE("revocation: what a client has sent is not acted on once its user is revoked, over any protocol") {
  auto config = test_config();
  flux::Server server(config);
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of(request.token())); });
  std::mutex mutex;
  std::vector<std::string> heard;
  const auto hear = [&](const std::string& what) {
    const std::lock_guard lock(mutex);
    heard.push_back(what);
    if (what.find("first") != std::string::npos) server.revoke_user("ann");
  };
  const auto heard_so_far = [&] {
    const std::lock_guard lock(mutex);
    return std::exchange(heard, {});
  };
  server.on_event([&](flux::EventMessage& event) { hear("event " + event.event); });
  server.on_chat([&](flux::ChatDraft& draft) { hear("chat " + draft.message); });
  flux::WebSocketEndpoint raw;
  raw.on_message = [&](const flux::WebSocket&, std::string_view message, flux::MessageType) {
    hear("raw " + std::string(message));
  };
  server.websocket("/raw", std::move(raw));
  flux::engineio::Endpoint engine;
  engine.on_message = [&](const flux::engineio::Socket&, std::string_view message, flux::MessageType) {
    hear("engine " + std::string(message));
  };
  flux::engineio::serve(server, std::move(engine));
  flux::socketio::Io io(server, {});
  io.on_connection([&](const flux::socketio::Socket& socket) {
    socket.on("packet", [&](flux::socketio::Event& event) {
      hear("socket " + event.args().front().json().get<std::string>("").value_or(""));
    });
  });
  flux::socketio::serve_sharing(server, io);
  server.start();
  const auto texts = [](std::initializer_list<const char*> all) {
    std::string bytes;
    for (const char* text : all) bytes += flux::testing::text_frame(text);
    return bytes;
  };
  LiveClient bob(server.port(), "/live?access_token=bob");
  bob.join("r");
  {
    LiveClient ann(server.port(), "/live?access_token=ann");
    ann.join("r");
    bob.next("presence_updated");
    ann.tcp.send(texts({R"({"type":"broadcast_event","payload":{"event":"first"}})",
                        R"({"type":"send_chat","payload":{"message":"second"}})",
                        R"({"type":"broadcast_event","payload":{"event":"third"}})"}));
    CHECK(ann.closed().code == 4401);
    CHECK(heard_so_far() == std::vector<std::string>{"event first"});
    // The members hear that it has left, and nothing of what it has sent.
    CHECK(type_of(bob.next()) == "presence_updated");
  }
  {
    WebSocketClient ann(server.port(), "/raw?access_token=ann");
    ann.tcp.send(texts({"first", "second"}));
    CHECK(ann.closed().code == 4401);
    CHECK(heard_so_far() == std::vector<std::string>{"raw first"});
  }
  {
    WebSocketClient ann(server.port(), "/engine.io/?EIO=4&transport=websocket&access_token=ann");
    ann.message();
    ann.tcp.send(texts({"4first", "4second"}));
    CHECK(ann.closed().code == 4401);
    CHECK(heard_so_far() == std::vector<std::string>{"engine first"});
  }
  {
    WebSocketClient ann(server.port(), "/socket.io/?EIO=4&transport=websocket");
    ann.message();
    ann.send_text(R"(40{"token":"ann"})");
    REQUIRE(ann.message().substr(0, 2) == "40");
    ann.tcp.send(texts({R"(42["packet","first"])", R"(42["packet","second"])", R"(421["room:join","r"])"}));
    ann.closed();
    CHECK(heard_so_far() == std::vector<std::string>{"socket first"});
    CHECK(ann.before_close.back() == "41");
  }
  {
    Poller ann(server.port(), false);
    ann.post(R"(40{"token":"ann"})");
    REQUIRE(ann.poll().substr(0, 2) == "40");
    ann.post(
        "42[\"packet\",\"first\"]\x1e"
        "42[\"packet\",\"second\"]");
    CHECK(heard_so_far() == std::vector<std::string>{"socket first"});
  }
}

TEST_CASE("revocation: clients that are revoked together hear nothing more of their room, nor of one another") {
  auto config = test_config();  // presence is sent at once
  flux::Server server(config);
  server.on_connect([](flux::ConnectRequest& request) { request.accept(grant_of(request.token())); });
  server.on_call("revoke", [&](flux::Call& call) {
    const auto revoked = server.revoke_user("ann", in(1h), "left the team");
    CHECK(server.broadcast("r", "after", {}).ok());
    call.reply(flux::JsonText::number(revoked.value()));
  });
  flux::socketio::Io io(server, {});
  flux::socketio::serve_sharing(server, io);
  server.start();
  LiveClient bob(server.port(), "/live?access_token=bob");
  bob.join("r");
  std::vector<LiveClient> anns;
  for (int i = 0; i < 5; ++i) {
    anns.emplace_back(server.port(), "/live?access_token=ann");
    anns.back().join("r");
  }
  WebSocketClient shares(server.port(), "/socket.io/?EIO=4&transport=websocket");
  shares.message();
  shares.send_text(R"(40{"token":"ann"})");
  while (shares.message().substr(0, 2) != "40") {
  }
  shares.send_text(R"(421["room:join","r"])");
  while (shares.message().substr(0, 3) != "431") {
  }
  // Each hears of those that joined after it.
  REQUIRE(eventually([&] { return server.presence("r").size() == 7; }));
  for (LiveClient& ann : anns) CHECK(type_of(ann.request("call", R"({"method":"none"})")) == "error");
  CHECK(number_at(bob.request("call", R"({"method":"revoke"})"), "/payload") == 6);
  for (LiveClient& ann : anns) {
    const auto closed = ann.closed();
    CHECK(closed.code == 4401);
    CHECK(closed.reason == "left the team");
    CHECK(ann.before_close.empty());
  }
  shares.closed();
  CHECK(shares.before_close == std::vector<std::string>{"41"});
  // Bob hears the event, and of each that has left.
  std::size_t left = 0;
  bool after = false;
  while (left < 6) {
    const auto message = bob.next();
    after = after || text_at(message, "/payload/event") == "after";
    for (std::size_t i = 0; message.get<std::string>("/payload/left/" + std::to_string(i)); ++i) ++left;
  }
  CHECK(after);
}

}  // namespace revocation_test
