// A server in the application's io_context, and connections that the application accepted.
#include "support/application.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/asio.hpp>
#include <flux/socketio.hpp>
#include <flux/storage/memory_chat_store.hpp>

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
#include "unit/support/certificate.hpp"
#endif

#include <asio/post.hpp>
#include <asio/read_until.hpp>
#include <asio/streambuf.hpp>
#include <asio/write.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <optional>

namespace own_context_test {

using namespace flux_test;

namespace {

class BlockingStore final : public flux::ChatStore {
 public:
  flux::Result<flux::Offset> append(const flux::RoomId& room, const flux::ChatMessage& message) override {
    return kept_.append(room, message);
  }
  flux::Result<std::vector<flux::ChatMessage>> history(const flux::RoomId& room, std::size_t limit,
                                                       flux::Offset before) override {
    ++inside;
    gate.wait();
    return kept_.history(room, limit, before);
  }

  Gate gate;
  std::atomic<int> inside{0};

 private:
  flux::MemoryChatStore kept_;
};

}  // namespace

TEST_CASE("own context: a second thread that runs the context gets an error instead of a handler") {
  asio::io_context context;
  flux::Server server(test_config());
  flux::use_context(server, context);
  Gate gate;
  Awaited<bool> inside;
  server.route("GET", "/waits", [&](const flux::HttpExchange& exchange) {
    inside.set(true);
    gate.wait();
    exchange.respond(200, "waited");
  });
  server.start();
  std::thread first([&] { context.run(); });
  HttpClient waiting(server.port());
  waiting.send(get("/waits"));
  inside.get();
  server.call_after(0ms, [] {});
  const auto refused = thrown_by([&] { context.run(); });
  gate.open();
  CHECK(refused.first == flux::Errc::bad_config);
  CHECK_THAT(refused.second, Catch::Matchers::StartsWith("two threads run the io_context"));
  CHECK(waiting.reply().body == "waited");
  server.stop(0ms);
  first.join();
}

TEST_CASE("own context: every handler runs on the application's thread") {
  Application app;
  std::atomic<int> calls{0};
  std::atomic<int> elsewhere{0};
  const auto note = [&] {
    ++calls;
    if (std::this_thread::get_id() != app.id()) ++elsewhere;
  };
  {
    flux::Server server(test_config());
    flux::use_context(server, app.context);
    server.on_connect([&](flux::ConnectRequest& request) {
      note();
      request.accept();
    });
    server.on_join([&](flux::JoinRequest&) { note(); });
    server.on_event([&](flux::EventMessage&) { note(); });
    server.on_chat([&](flux::ChatDraft&) { note(); });
    server.on_disconnect([&](const flux::Session&, const flux::Disconnect&) { note(); });
    server.route("GET", "/page", [&](flux::HttpExchange exchange) {
      note();
      exchange.respond(200, "hello");
    });
    CHECK(thrown_by([&] { server.run(); }).first == flux::Errc::bad_config);
    server.start();
    CHECK(thrown_by([&] { flux::use_context(server, app.context); }).first == flux::Errc::already_running);
    app.run();
    LiveClient one(server.port());
    LiveClient two(server.port());
    one.join("r");
    two.join("r");
    one.request("broadcast_event", R"({"event":"e"})");
    CHECK(text_at(two.next("broadcast_event"), "/payload/event") == "e");
    one.request("send_chat", R"({"message":"m"})");
    HttpClient web(server.port());
    CHECK(web.request(get("/page")).body == "hello");
    Crew closing;
    closing.add([&] { one.closed(); });
    closing.add([&] { two.closed(); });
    web.close();
    server.stop(20s);  // from another thread: it waits
    closing.join();
    CHECK(one.how_closed.code == 1001);
    CHECK(two.how_closed.code == 1001);
    CHECK_FALSE(server.running());
    CHECK(calls == 9);
    CHECK(elsewhere == 0);
    app.call([] {});  // the context keeps running
    app.join();
  }
}

TEST_CASE("own context: more than one thread is refused") {
  asio::io_context context;
  flux::Server server(test_config(2));
  CHECK(thrown_by([&] { flux::use_context(server, context); }).first == flux::Errc::bad_config);
}

TEST_CASE("own context: stop from a handler begins and returns, the server may be started again") {
  Application app;
  flux::Server server(test_config());
  flux::use_context(server, app.context);
  server.on_event([&](flux::EventMessage&) { server.stop(20s); });
  app.run();
  for (int life = 0; life < 3; ++life) {
    app.call([&] { server.start(); });
    LiveClient client(server.port());
    client.join("r");
    client.send("broadcast_event", R"({"event":"quit"})");
    CHECK(client.closed().code == 1001);
    CHECK(eventually([&] { return server.port() == 0; }));
    server.stop();  // waits for the rest
  }
  app.join();
}

TEST_CASE("own context: after the grace period, clients that do not answer are closed") {
  Application app;
  flux::Server server(test_config());
  flux::use_context(server, app.context);
  server.start();
  app.run();
  LiveClient client(server.port());
  client.join("r");
  server.stop(10ms);
  CHECK(client.closed().code == 1001);
  CHECK(server.stats().connections_now == 0);
  app.join();
}

TEST_CASE("own context: destroyed while it runs, on the application's thread or when no thread runs it") {
  const bool on_thread = GENERATE(false, true);
  Application app;
  auto server = std::make_unique<flux::Server>(test_config());
  flux::use_context(*server, app.context);
  server->start();
  app.run();
  LiveClient client(server->port());
  client.join("r");
  if (on_thread) {
    app.call([&] { server.reset(); });
    app.join();
  } else {
    app.context.stop();
    app.join();
    server.reset();
    app.context.restart();
    app.context.run();  // handlers left in it do nothing
  }
  CHECK(client.closed().code == 1006);
}

TEST_CASE("own context: destroyed while another thread is in a handler, an error is logged and it stops there") {
  Application app;
  Gate gate;
  Awaited<bool> inside, left;
  Awaited<std::string> error;
  auto config = test_config();
  config.log = [&](flux::LogLevel level, std::string_view line) {
    if (level == flux::LogLevel::error) error.set(std::string(line));
  };
  auto server = std::make_unique<flux::Server>(config);
  flux::use_context(*server, app.context);
  server->on_event([&](flux::EventMessage&) {
    inside.set(true);
    gate.wait();
  });
  std::thread::id left_on;
  server->on_leave([&](const flux::Session&, const flux::RoomId&) {
    left_on = std::this_thread::get_id();
    left.set(true);
  });
  server->start();
  app.run();
  LiveClient client(server->port());
  client.join("r");
  client.send("broadcast_event", R"({"event":"e"})");
  inside.get();
  server.reset();
  CHECK_THAT(error.get(), Catch::Matchers::ContainsSubstring("while another thread runs its io_context"));
  gate.open();
  left.get();
  CHECK(left_on == app.id());
  client.closed();
  app.join();
}

TEST_CASE("own context: destroyed inside one of its handlers, it stops when the handler has returned") {
  Application app;
  auto server = std::make_unique<flux::Server>(test_config());
  flux::use_context(*server, app.context);
  server->on_event([&](flux::EventMessage&) { server.reset(); });
  server->start();
  app.run();
  LiveClient client(server->port());
  client.join("r");
  client.send("broadcast_event", R"({"event":"quit"})");
  client.closed();
  app.call([&] { CHECK(server == nullptr); });
  app.join();
}

TEST_CASE("own context: handles that outlive the server and the context do nothing and cause no harm") {
  const bool in_context = GENERATE(true, false);
  std::optional<flux::HttpExchange> exchange, streamed, upload;
  std::optional<flux::Session> session;
  std::optional<flux::WebSocket> websocket;
  std::optional<flux::socketio::Socket> socket;
  std::optional<flux::socketio::Io> io;
  std::optional<flux::LaterAnswer> later;
  flux::socketio::Event::Ack ack;
  Awaited<bool> asked, connected, acked, opened, answers, streams, uploads;
  std::vector<std::unique_ptr<HttpClient>> http;
  std::unique_ptr<SocketIoClient> socket_client;
  std::unique_ptr<WebSocketClient> raw_client;
  std::unique_ptr<LiveClient> live_client;
  {
    const auto owned = std::make_unique<Application>();  // not on the stack: sanitizers detect a later read
    Application& app = *owned;
    flux::Server server(test_config());
    if (in_context) flux::use_context(server, app.context);
    io.emplace(server);
    io->on_connection([&](const flux::socketio::Socket& connection) {
      socket = connection;
      connection.on("ask", [&](flux::socketio::Event& event) {
        ack = event.later();
        acked.set(true);
      });
      connected.set(true);
    });
    server.route("GET", "/later", [&](const flux::HttpExchange& e) {
      exchange = e;
      answers.set(true);
    });
    server.route("GET", "/stream", [&](const flux::HttpExchange& e) {
      streamed = e;
      e.begin(200, {});
      streams.set(true);
    });
    server.route("POST", "/body", [&](const flux::HttpExchange& e) {
      upload = e;
      e.on_body([](std::string_view) {}, [keep = e](bool) {});
      uploads.set(true);
    });
    flux::WebSocketEndpoint endpoint;
    endpoint.on_open = [&](const flux::WebSocket& connection) {
      websocket = connection;
      opened.set(true);
    };
    server.websocket("/raw", std::move(endpoint));
    server.on_join([&](flux::JoinRequest& request) { session = request.session; });
    server.on_connect([&](flux::ConnectRequest& request) {
      if (!request.query("later")) return request.accept();
      later = request.later();
      asked.set(true);
    });
    server.start();
    app.run();
    for (const char* path : {"/later", "/stream", "/live?later=1"}) {
      http.push_back(std::make_unique<HttpClient>(server.port()));
      http.back()->send(std::string_view(path).starts_with("/live") ? handshake(path) : get(path));
    }
    http.push_back(std::make_unique<HttpClient>(server.port()));
    http.back()->send("POST /body HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345");
    live_client = std::make_unique<LiveClient>(server.port());
    live_client->join("r");
    raw_client = std::make_unique<WebSocketClient>(server.port(), "/raw");
    socket_client = std::make_unique<SocketIoClient>(server.port());
    socket_client->send_text("420[\"ask\"]");
    for (auto* happened : {&asked, &connected, &acked, &opened, &answers, &streams, &uploads}) happened->get();
    server.stop(0ms);
    app.join();
  }
  exchange->respond(200, "too late");
  CHECK(streamed->write("too late") == flux::Sent::dropped);
  streamed->end();
  upload->pause_body();
  upload->resume_body();
  upload->respond(200, "too late");
  CHECK(exchange->remote_address().starts_with("127.0.0.1:"));
  exchange.reset();
  streamed.reset();
  upload.reset();
  CHECK_FALSE(session->connected());
  CHECK_FALSE(session->send("event", flux::JsonText::boolean(true)).ok());
  session->close(flux::CloseCode::normal);
  CHECK(websocket->send("too late") == flux::Sent::dropped);
  websocket->close();
  CHECK_FALSE(socket->connected());
  CHECK_FALSE(socket->emit("too late").ok());
  CHECK_FALSE(socket->join("room").ok());
  socket->disconnect();
  io->emit("too late");
  ack({});
  later->accept({.user_id = "late"});
}

TEST_CASE("own context: destroyed after a stop has only begun, none of it runs later") {
  Application app;
  auto server = std::make_unique<flux::Server>(test_config());
  flux::use_context(*server, app.context);
  server->start();
  app.run();
  LiveClient client(server->port());
  client.join("r");
  app.call([&] {
    server->stop(0ms);
    server.reset();
  });
  app.call([] {});
  client.closed();
  app.join();
}

TEST_CASE("own context: a stop while joins wait for a blocking store completes") {
  Application app;
  auto store = std::make_shared<BlockingStore>();
  auto config = test_config();
  config.chat.store = store;
  flux::Server server(config);
  flux::use_context(server, app.context);
  server.start();
  app.run();
  std::vector<std::unique_ptr<LiveClient>> clients;
  for (int i = 0; i < 4; ++i) {
    clients.push_back(std::make_unique<LiveClient>(server.port()));
    clients.back()->send("join_room", R"({"roomId":"r"})");
  }
  REQUIRE(eventually([&] { return store->inside > 0; }));
  Crew crew;
  crew.add([&] { server.stop(1ms); });
  store->gate.open();
  crew.join();
  CHECK_FALSE(server.running());
  app.join();
}

// --- Connections that the application accepted ---

namespace {

/// A small HTTP server of the application: it answers /hello itself and hands all other requests over.
class Front {
 public:
  Front(asio::io_context& context, flux::Server& server)
      : server_(server), acceptor_(context, {asio::ip::address_v4::loopback(), 0}) {
    accept();
  }
  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  void close() { acceptor_.close(); }
  std::atomic<bool> head_only{false};  // hands over before the head is complete
  std::atomic<bool> keep_alive{false};

 private:
  struct Visitor {
    explicit Visitor(asio::ip::tcp::socket s) : socket(std::move(s)) {}
    asio::ip::tcp::socket socket;
    std::string input;
  };

  void accept() {
    acceptor_.async_accept([this](std::error_code ec, asio::ip::tcp::socket socket) {
      if (ec) return;
      read(std::make_shared<Visitor>(std::move(socket)));
      accept();
    });
  }
  void read(const std::shared_ptr<Visitor>& visitor) {
    const auto decide = [this, visitor](std::error_code ec, std::size_t) {
      if (ec) return;
      if (visitor->input.rfind("GET /hello ", 0) == 0) {
        asio::write(visitor->socket, asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")), ec);
        return;
      }
      flux::adopt(server_, std::move(visitor->socket), visitor->input, {.keep_alive = keep_alive});
    };
    if (head_only) {
      asio::async_read_until(visitor->socket, asio::dynamic_buffer(visitor->input), ' ', decide);
    } else {
      asio::async_read_until(visitor->socket, asio::dynamic_buffer(visitor->input), "\r\n\r\n", decide);
    }
  }

  flux::Server& server_;
  asio::ip::tcp::acceptor acceptor_;
};

}  // namespace

TEST_CASE("adopt: an application's own HTTP server hands connections over with what it has read") {
  const std::size_t threads = GENERATE(1u, 3u);
  auto config = test_config(threads);
  config.listen.clear();  // it need not listen
  flux::Server server(config);
  server.route("GET", "/flux", [](flux::HttpExchange exchange) { exchange.respond(200, "flux"); });
  server.start();
  CHECK(server.port() == 0);
  Application app;
  Front front(app.context, server);
  app.run();

  HttpClient own(front.port());
  CHECK(own.request(get("/hello")).body == "hi");
  HttpClient page(front.port());
  const auto once = page.request(get("/flux"));
  CHECK(once.body == "flux");
  CHECK(once.has("Connection: close"));
  CHECK(page.to_end().empty());
  front.keep_alive = true;
  HttpClient kept(front.port());
  CHECK(kept.request(get("/flux")).body == "flux");
  CHECK(kept.request(get("/flux")).body == "flux");

  LiveClient one(front.port());
  one.join("r");

  // Frames right after the head, some of them already read by the application.
  HttpClient eager(front.port());
  eager.send(handshake("/live") + flux::testing::text_frame(R"({"type":"join_room","payload":{"roomId":"r"}})") +
             flux::testing::text_frame(R"({"type":"broadcast_event","payload":{"event":"early"}})"));
  CHECK(eager.reply().status == 101);
  LiveClient two(std::move(eager));
  CHECK(type_of(two.next()) == "room_joined");
  CHECK(text_at(one.next("broadcast_event"), "/payload/event") == "early");

  // Handed over in the middle of the head.
  front.head_only = true;
  HttpClient early(front.port());
  const std::string head = handshake("/live");
  early.send(head.substr(0, 10));
  REQUIRE(eventually([&] { return server.stats().connections == 5; }));
  early.send(head.substr(10, 30));
  early.send(head.substr(40));
  CHECK(early.reply().status == 101);
  LiveClient three(std::move(early));
  three.join("r");
  CHECK(server.room("r")->members == 3);
  app.call([&] { front.close(); });
  app.join();
}

TEST_CASE("adopt: with the server stopped, the socket is closed and the error says so; an empty socket is refused") {
  auto config = test_config();
  config.listen.clear();
  flux::Server server(config);
  CHECK(server.adopt(-1, "").error().code() == flux::Errc::invalid_argument);
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
  CHECK(server.adopt(pair[0], "").error().code() == flux::Errc::invalid_argument);
  char byte = 0;
  CHECK(::read(pair[1], &byte, 1) == 0);  // closed
  ::close(pair[1]);
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  for (int way = 0; way < 2; ++way) {
    HttpClient client(acceptor.local_endpoint().port());
    auto socket = acceptor.accept();
    const auto adopted = way == 0 ? flux::adopt(server, std::move(socket), "GET ")
                                  : server.adopt(static_cast<std::intptr_t>(socket.release()), "GET ");
    CHECK(adopted.error().code() == flux::Errc::stopped);
    CHECK(client.to_end().empty());
  }
}

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
TEST_CASE("adopt: a server with TLS takes over a connection that is not encrypted, if the application says so") {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  const flux::testing::TestCertificate certificate;
  auto config = test_config();
  config.listen.clear();
  config.tls = {certificate.certificate_file(), certificate.private_key_file()};
  flux::Server server(config);
  server.start();
  for (const bool tls : {false, true}) {
    HttpClient client(acceptor.local_endpoint().port());
    flux::adopt(server, acceptor.accept(), get("/"), {.tls = tls});
    const std::string answer = client.to_end();
    CHECK((answer.find("HTTP/1.1 404") == 0) == !tls);
  }
}
#endif

TEST_CASE("adopt: while the server stops, every socket is served or closed") {
  asio::io_context context;
  asio::ip::tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), 0});
  auto config = test_config(2);
  config.listen.clear();
  flux::Server server(config);
  for (int round = 0; round < 20; ++round) {
    server.start();
    std::vector<std::unique_ptr<HttpClient>> clients;
    Crew crew;
    crew.add([&] { server.stop(0ms); });
    for (int i = 0; i < 8; ++i) {
      clients.push_back(std::make_unique<HttpClient>(acceptor.local_endpoint().port()));
      flux::adopt(server, acceptor.accept(), get("/"));
    }
    crew.join();
    for (const auto& client : clients) CHECK_NOTHROW(client->to_end());
  }
}

}  // namespace own_context_test
