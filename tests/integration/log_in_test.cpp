// The README's "Who may do what": one connect handler, and each way in which a client may show its token.
#include "support/memory_file_store.hpp"
#include "support/server.hpp"

#include <flux/sharing.hpp>

namespace log_in_test {

using namespace flux_test;

namespace {

/// Every protocol, behind one connect handler.
class Site {
 public:
  Site() : server_(config(store)), io_(server_) {
    server_.on_connect([](flux::ConnectRequest& request) {
      const std::string token = request.token();
      if (token == "secret" || (token.empty() && request.cookie("session") == "secret")) {
        return request.accept({.user_id = "7", .name = "Ada"});
      }
      request.refuse("log in first");
    });
    server_.websocket("/raw",
                      {.on_open = [](const flux::WebSocket& socket) { socket.send(socket.identity().user_id); }});
    flux::socketio::serve_sharing(server_, io_);
    server_.start();
  }
  const std::shared_ptr<MemoryFileStore> store = std::make_shared<MemoryFileStore>();

  std::uint16_t port() const { return server_.port(); }
  flux::Server& server() { return server_; }

  int handshake_status(std::string_view path, std::string_view fields = "") const {
    HttpClient client(port());
    return client.request(handshake(path, fields)).status;
  }
  /// What Socket.IO answers to this auth payload.
  std::string socketio_answer(std::string_view auth, std::string_view fields = "") const {
    WebSocketClient client(port(), "/socket.io/?EIO=4&transport=websocket", fields);
    client.message();
    client.send_text("40" + std::string(auth));
    return client.message();
  }
  HttpReply file_reply(const std::string& request) const {
    HttpClient client(port());
    return client.request(request);
  }

 private:
  static flux::Config config(std::shared_ptr<MemoryFileStore> store) {
    auto config = test_config();
    config.files.store = std::move(store);
    return config;
  }
  flux::Server server_;
  flux::socketio::Io io_;
};

constexpr std::string_view bearer = "Authorization: Bearer secret\r\n";
constexpr std::string_view cookie = "Cookie: theme=dark; session=secret\r\n";

}  // namespace

TEST_CASE("log in: protocol live and raw WebSockets take the token from the query, a header or a cookie") {
  const Site site;
  for (const std::string path : {"/live", "/raw"}) {
    CAPTURE(path);
    CHECK(site.handshake_status(path + "?access_token=secret") == 101);
    CHECK(site.handshake_status(path, bearer) == 101);
    CHECK(site.handshake_status(path, cookie) == 101);
    CHECK(how_closed(site.port(), path).reason == "log in first");
    CHECK(how_closed(site.port(), path + "?access_token=wrong").code == 4401);
  }
  WebSocketClient raw(site.port(), "/raw?access_token=secret");
  CHECK(raw.message() == "7");
}

TEST_CASE(
    "log in: Socket.IO and data sharing take the token from the auth payload or a cookie, and say why they refuse") {
  const Site site;
  const std::string accepted = "40{\"sid\"";
  CHECK(site.socketio_answer(R"({"token":"secret"})").substr(0, accepted.size()) == accepted);
  CHECK(site.socketio_answer("", cookie).substr(0, accepted.size()) == accepted);
  CHECK(site.socketio_answer("") == R"(44{"message":"log in first"})");
  CHECK(site.socketio_answer(R"({"token":"wrong"})") == R"(44{"message":"log in first"})");
}

TEST_CASE("log in: a client of data sharing is a session with the identity of its token") {
  Site site;
  WebSocketClient client(site.port(), "/socket.io/?EIO=4&transport=websocket");
  client.message();
  client.send_text(R"(40{"token":"secret"})");
  client.message();
  client.message();  // public:history, sent once it is a session
  const auto sessions = site.server().sessions_of_user("7");
  REQUIRE(sessions.size() == 1);
  CHECK(sessions.front().identity().name == "Ada");
}

TEST_CASE("log in: files take the token from a header, the query or a cookie, and belong to its user") {
  const Site site;
  const HttpReply uploaded = site.file_reply(post("/files", "x", bearer));
  REQUIRE(uploaded.status == 201);
  const std::string id = text_at(flux::JsonText::parse(uploaded.body).value(), "/fileId");
  CHECK(site.store->info(id).value().owner == "7");
  const std::string path = "/files/" + id;
  CHECK(site.file_reply(get(path + "?access_token=secret")).body == "x");
  CHECK(site.file_reply(get(path, cookie)).status == 200);
  CHECK(site.file_reply(get(path)).status == 401);
  CHECK(site.file_reply(post("/files", "x")).status == 401);
}

}  // namespace log_in_test
