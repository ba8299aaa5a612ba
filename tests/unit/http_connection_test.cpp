// HttpConnection: HTTP/1.1 over real sockets on loopback.
#include "http_connection_fixture.hpp"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>

namespace http_connection_test {

using namespace http_test;
using flux::HttpExchange;
using flux::Sent;

namespace {

std::string pattern_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return bytes;
}

void hello(const HttpExchange& exchange) { exchange.respond(200, "hello"); }

}  // namespace

// --- Requests and responses in order ---

TEST_CASE("http: two requests in sequence, both are answered on one connection") {
  TestServer server;
  server.route("GET", "/rooms/{room}", [](const HttpExchange& exchange) {
    exchange.respond(200, std::string(exchange.method()) + " " + std::string(exchange.path()) + " " +
                              std::string(exchange.parameter("room")) + " " + exchange.query("x").value_or("-") + " " +
                              std::string(exchange.header("x-field").value_or("-")));
  });
  server.start();
  Client client(server);
  client.send(get("/rooms/bl%20ue?x=1+2", "X-Field: f\r\n"));
  const Response first = client.response();
  CHECK(first.status == 200);
  CHECK(first.body == "GET /rooms/bl ue bl ue 1 2 f");
  CHECK(first.has("Content-Type: text/plain; charset=utf-8"));
  CHECK(first.has("Server: flux"));
  CHECK(first.head.find("\r\nDate: ") != std::string::npos);
  CHECK(first.head.find("Connection:") == std::string::npos);
  client.send(get("/rooms/2"));
  CHECK(client.response().body == "GET /rooms/2 2 - -");
  CHECK(server.loop->counters().requests.get() == 2);
}

TEST_CASE("http: the remote address is that of the client's socket") {
  TestServer server;
  server.route("GET", "/", [](const HttpExchange& exchange) { exchange.respond(200, exchange.remote_address()); });
  server.start();
  Client client(server);
  client.send(get("/"));
  CHECK(client.response().body == "127.0.0.1:" + std::to_string(client.socket().local_endpoint().port()));
}

TEST_CASE("http: a head sent byte by byte, it is answered") {
  TestServer server;
  server.route("GET", "/", hello);
  server.start();
  Client client(server);
  client.socket().set_option(asio::ip::tcp::no_delay(true));
  for (const char c : get("/")) client.send({&c, 1});
  CHECK(client.response().body == "hello");
}

TEST_CASE("http: pipelined requests whose first is answered last, the answers are in order") {
  std::optional<HttpExchange> slow;
  std::atomic<int> calls{0};
  TestServer server;
  server.route("GET", "/slow", [&](const HttpExchange& exchange) {
    ++calls;
    slow = exchange;
  });
  server.route("GET", "/{name}", [&](const HttpExchange& exchange) {
    ++calls;
    exchange.respond(200, std::string(exchange.parameter("name")));
  });
  server.start();
  Client client(server);
  client.send(get("/slow") + get("/b") + get("/c"));
  REQUIRE(eventually([&] { return calls == 1; }));
  server.on_loop([&] { CHECK(calls == 1); });
  slow->respond(200, "slow");
  slow.reset();
  CHECK(client.response().body == "slow");
  CHECK(client.response().body == "b");
  CHECK(client.response().body == "c");
}

TEST_CASE(
    "http: thousands of pipelined requests from a client that does not read, all are answered and little is buffered") {
  TestServer server;
  server.small_buffers = true;
  server.limits.outbox_bytes_congested = 32 * 1024;
  const std::string body = pattern_bytes(4000);
  server.route("GET", "/", [&](const HttpExchange& exchange) { exchange.respond(200, body); });
  server.start();
  Client client(server, true);
  constexpr int count = 2000;  // 8 MB of answers: more than the socket buffers hold
  std::string requests;
  for (int i = 0; i < count; ++i) requests += get("/");
  client.send_meanwhile(requests);
  REQUIRE(eventually([&] { return server.loop->counters().requests.get() > 50; }));
  server.on_loop([&] { CHECK(server.group.members.front()->outbox_bytes() < 600 * 1024); });
  int answered = 0;
  while (answered < count && client.response().body == body) ++answered;
  CHECK(answered == count);
}

TEST_CASE("http: more input after an unanswered request than a head may have, reading pauses until the answer") {
  std::optional<HttpExchange> slow;
  std::atomic<bool> called{false};
  TestServer server;
  server.limits.head_bytes_max = 1024;
  server.route("GET", "/slow", [&](const HttpExchange& exchange) {
    slow = exchange;
    called = true;
  });
  server.route("GET", "/", hello);
  server.start();
  Client client(server);
  constexpr std::size_t count = 200'000;  // 6 MB and more
  std::string requests = get("/slow");
  for (std::size_t i = 0; i < count; ++i) requests += get("/");
  client.send_meanwhile(requests);
  REQUIRE(eventually([&] { return called.load(); }));
  for (int i = 0; i < 1000; ++i) {  // enough turns to read everything
    client.push();
    server.on_loop([] {});
  }
  const std::uint64_t before = server.loop->counters().bytes_in.get();
  CHECK(before <= 2 * flux::core::Loop::read_buffer_bytes);
  slow->respond(200, "late");
  slow.reset();
  CHECK(client.response().body == "late");
  for (std::size_t i = 0; i < 1000; ++i) REQUIRE(client.response().body == "hello");
  client.close();
}

TEST_CASE("http: HEAD, the same head as GET and no body") {
  TestServer server;
  server.route("GET", "/", hello);
  server.route("GET", "/stream", [](const HttpExchange& exchange) {
    exchange.begin(200, {});
    exchange.write("not for HEAD");
    exchange.end();
  });
  server.start();
  Client client(server);
  client.send("HEAD / HTTP/1.1\r\nHost: h\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n" + get("/"));
  CHECK(client.response(true).has("Content-Length: 5"));
  CHECK(client.response(true).status == 200);
  CHECK(client.response().body == "hello");
}

TEST_CASE("http: the client asks to close, or speaks HTTP/1.0, the connection closes after the answer") {
  TestServer server;
  server.route("GET", "/", hello);
  server.start();
  Client asks(server);
  asks.send(get("/", "Connection: close\r\n"));
  const Response response = asks.response();
  CHECK(response.body == "hello");
  CHECK(response.has("Connection: close"));
  CHECK(asks.ends());
  Client old(server);
  old.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(old.response().body == "hello");
  CHECK(old.ends());
  Client old_keeps(server);
  old_keeps.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(old_keeps.response().has("Connection: keep-alive"));
  old_keeps.send("GET / HTTP/1.0\r\n\r\n");
  CHECK(old_keeps.response().body == "hello");
}

TEST_CASE("http: no route, wrong method, OPTIONS, CONNECT: 404, 405, 204 and 501") {
  TestServer server;
  server.route("GET", "/a", hello);
  server.start();
  Client client(server);
  client.send(get("/b"));
  const Response missing = client.response();
  CHECK(missing.status == 404);
  CHECK(missing.body == "Not Found");
  client.send(post("/a", "some body"));
  const Response wrong = client.response();
  CHECK(wrong.status == 405);
  CHECK(wrong.has("Allow: GET, HEAD, OPTIONS"));
  client.send("OPTIONS /a HTTP/1.1\r\nHost: h\r\n\r\n");
  const Response options = client.response();
  CHECK(options.status == 204);
  CHECK(options.has("Allow: GET, HEAD, OPTIONS"));
  client.send("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(client.response().status == 204);
  client.send("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\nwhatever");
  CHECK(client.response().status == 501);
  CHECK(client.ends());
}

TEST_CASE("http: a malformed request, its status, a short text, then the connection closes") {
  TestServer server;
  server.route("GET", "/", hello);
  server.start();
  Client client(server);
  client.send(get("/") + "GET / HTTP/1.1\r\nHost : h\r\n\r\n" + get("/"));
  CHECK(client.response().status == 200);
  const Response bad = client.response();
  CHECK(bad.status == 400);
  CHECK(bad.has("Connection: close"));
  CHECK(bad.body == "whitespace between a field name and its colon");
  CHECK(client.ends());
  Client long_line(server);
  long_line.send("GET /" + std::string(9000, 'a') + " HTTP/1.1\r\n");
  CHECK(long_line.response().status == 414);
  CHECK(long_line.ends());
}

// --- Request bodies ---

TEST_CASE("http: read_body, bodies of both kinds arrive complete") {
  TestServer server;
  server.route("POST", "/", [](const HttpExchange& exchange) {
    exchange.read_body([exchange](std::string body) { exchange.respond(200, std::move(body)); });
  });
  server.start();
  Client client(server);
  const std::string body = pattern_bytes(600'000);
  client.send(post("/", body));
  CHECK((client.response().body == body));
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n");
  CHECK(client.response().body == "abcdefg");
  client.send(post("/", ""));
  const Response empty = client.response();
  CHECK(empty.status == 200);
  CHECK(empty.body.empty());
}

TEST_CASE("http: a paused body blocks the client; after resuming, all of it arrives in order") {
  std::optional<HttpExchange> paused;
  std::atomic<std::size_t> read{0};
  std::string body;
  std::atomic<bool> has_paused{false};
  TestServer server;
  server.route("POST", "/",
               [&](const HttpExchange& exchange) {
                 exchange.on_body(
                     [&, exchange](std::string_view piece) {
                       body += piece;
                       read = body.size();
                       if (paused) return;
                       exchange.pause_body();
                       paused = exchange;
                       has_paused = true;
                     },
                     [&, exchange](bool complete) { exchange.respond(complete ? 200 : 400, "done"); });
               },
               {64'000'000});
  server.start();
  Client client(server);
  const std::string sent = pattern_bytes(30'000'000);
  client.send_meanwhile(post("/", sent));
  REQUIRE(eventually([&] { return has_paused.load(); }));
  for (int i = 0; i < 1000; ++i) {
    client.push();
    server.on_loop([] {});
  }
  const std::size_t while_paused = read;
  CHECK(while_paused <= flux::core::Loop::read_buffer_bytes);
  CHECK(server.loop->counters().bytes_in.get() <= 2 * flux::core::Loop::read_buffer_bytes);
  paused->resume_body();  // from another thread
  CHECK(client.response().body == "done");
  CHECK((body == sent));
  paused.reset();
}

TEST_CASE("http: a body paused at its last byte, its end is reported after resuming") {
  std::optional<HttpExchange> paused;
  std::atomic<bool> has_paused{false};
  TestServer server;
  server.route("POST", "/", [&](const HttpExchange& exchange) {
    exchange.on_body(
        [&, exchange](std::string_view) {
          exchange.pause_body();
          paused = exchange;
          has_paused = true;
        },
        [&, exchange](bool complete) { exchange.respond(complete ? 200 : 400, "done"); });
  });
  server.start();
  Client client(server);
  for (int i = 0; i < 2; ++i) {
    has_paused = false;
    client.send(post("/", "body"));
    REQUIRE(eventually([&] { return has_paused.load(); }));
    server.on_loop([] {});
    paused->resume_body();  // from another thread
    CHECK(client.response().body == "done");
  }
  paused.reset();
}

TEST_CASE("http: Expect: 100-continue and a handler that reads, 100 is sent before the body") {
  TestServer server;
  server.route("POST", "/", [](const HttpExchange& exchange) {
    exchange.read_body([exchange](std::string body) { exchange.respond(200, std::move(body)); });
  });
  server.start();
  Client client(server);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  CHECK(client.response().status == 100);
  client.send("body");
  CHECK(client.response().body == "body");
  client.send(post("/", "next"));
  CHECK(client.response().body == "next");
}

TEST_CASE("http: Expect: 100-continue and a handler that answers at once, the answer, then the connection closes") {
  TestServer server;
  server.route("POST", "/", [](const HttpExchange& exchange) { exchange.respond(403, "no"); });
  server.start();
  Client client(server);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  const Response response = client.response();
  CHECK(response.status == 403);
  CHECK(response.has("Connection: close"));
  CHECK(client.ends());
}

TEST_CASE("http: a body over the route's limit, 413, then the connection closes; read_body is never called") {
  std::atomic<bool> called{false};
  std::atomic<int> completed{-1};
  TestServer server;
  server.route("POST", "/",
               [&](const HttpExchange& exchange) { exchange.read_body([&](const std::string&) { called = true; }); },
               {10});
  server.route("POST", "/stream",
               [&](const HttpExchange& exchange) {
                 exchange.on_body([exchange](std::string_view) {},
                                  [&](bool complete) { completed = complete ? 1 : 0; });
               },
               {10});
  server.start();
  Client announced(server);
  announced.send(post("/", "eleven byte"));
  CHECK(announced.response().status == 413);
  CHECK(announced.ends());
  Client expecting(server);
  expecting.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 11\r\n\r\n");
  CHECK(expecting.response().status == 413);
  CHECK(expecting.ends());
  Client chunked(server);
  chunked.send("POST /stream HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n1");
  CHECK(chunked.response().status == 413);
  CHECK(chunked.ends());
  CHECK(completed == 0);
  CHECK_FALSE(called);
}

TEST_CASE("http: an unread body is discarded up to the limit, beyond it the connection closes") {
  TestServer server;
  server.limits.body_bytes_max = 100'000;
  server.route("POST", "/", hello);
  server.start();
  Client client(server);
  client.send(post("/", pattern_bytes(100'000)) + post("/", "x"));
  CHECK(client.response().body == "hello");
  CHECK(client.response().body == "hello");
  client.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(client.response().body == "hello");
  client.send("186a1\r\n");
  CHECK(client.ends());
}

TEST_CASE("http: the client disconnects inside its body, done gets false and on_abort is called") {
  Awaited<bool> done;
  Awaited<bool> aborted;
  TestServer server;
  server.route("POST", "/", [&](const HttpExchange& exchange) {
    exchange.on_abort([&] { aborted.set(true); });
    exchange.on_body([exchange](std::string_view) {}, [&](bool complete) { done.set(complete); });
  });
  server.start();
  Client client(server);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
  SECTION("by ending its stream") { client.end(); }
  SECTION("by a reset") { client.reset(); }
  CHECK_FALSE(done.get());
  CHECK(aborted.get());
}

// --- Answers: when, from which thread, how often ---

TEST_CASE("http: answers from other threads, each request gets its own") {
  std::mutex mutex;
  std::vector<std::thread> threads;
  TestServer server;
  server.route("GET", "/{n}", [&](const HttpExchange& exchange) {
    const std::lock_guard lock(mutex);
    threads.emplace_back([exchange] {
      exchange.begin(200, {});
      for (int i = 0; i < 50; ++i) exchange.write(std::string(exchange.parameter("n")) + ":" + std::to_string(i) + ";");
      exchange.end();
    });
  });
  server.start();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<Client>(server));
    clients.back()->send(get("/" + std::to_string(i)) + get("/x"));
  }
  for (int i = 0; i < 8; ++i) {
    for (const std::string& name : {std::to_string(i), std::string("x")}) {
      std::string expected;
      for (int n = 0; n < 50; ++n) expected += name + ":" + std::to_string(n) + ";";
      CHECK(clients[static_cast<std::size_t>(i)]->response().body == expected);
    }
  }
  server.stop();
  for (std::thread& thread : threads) thread.join();
}

TEST_CASE("http: a handler throws, 500, counted and logged, the connection continues") {
  TestServer server;
  server.route("GET", "/", [](const HttpExchange&) { throw std::runtime_error("out of ideas"); });
  server.route("GET", "/odd", [](const HttpExchange&) { throw 7; });
  server.route("POST", "/", [](const HttpExchange& exchange) {
    exchange.on_body([](std::string_view) { throw std::runtime_error("bad piece"); }, [exchange](bool) {});
  });
  server.start();
  Client client(server);
  client.send(get("/?token=secret") + get("/odd") + post("/", "body") + get("/"));
  for (int i = 0; i < 4; ++i) CHECK(client.response().status == 500);
  CHECK(server.loop->counters().handler_errors.get() == 4);
  CHECK(server.log().find("an HTTP handler threw: out of ideas (GET /, client 127.0.0.1:") != std::string::npos);
  CHECK(server.log().find("not a std::exception (GET /odd, client 127.0.0.1:") != std::string::npos);
  CHECK(server.log().find("bad piece (POST /, client 127.0.0.1:") != std::string::npos);
  CHECK(server.log().find("secret") == std::string::npos);
}

TEST_CASE("http: a handler throws during its answer, the answer is truncated") {
  TestServer server;
  server.route("GET", "/", [](const HttpExchange& exchange) {
    exchange.begin(200, {}, 100);
    exchange.write("part");
    throw std::runtime_error("too late");
  });
  server.start();
  Client client(server);
  client.send(get("/"));
  const Response response = client.response();
  CHECK(response.body == "part");
  CHECK_FALSE(response.complete);
}

TEST_CASE("http: the last handle is released without an answer, 500") {
  std::optional<HttpExchange> kept;
  Awaited<bool> called;
  TestServer server;
  server.route("GET", "/", [](const HttpExchange&) {});
  server.route("GET", "/kept", [&](const HttpExchange& exchange) {
    kept = exchange;
    called.set(true);
  });
  server.start();
  Client client(server);
  client.send(get("/"));
  CHECK(client.response().status == 500);
  client.send(get("/kept"));
  called.get();
  server.on_loop([] {});
  std::thread([&] { kept.reset(); }).join();
  CHECK(client.response().status == 500);
}

TEST_CASE("http: answered twice, the first counts") {
  TestServer server;
  server.route("GET", "/", [](const HttpExchange& exchange) {
    exchange.respond(200, "first");
    exchange.respond(500, "second");
    exchange.begin(201, {});
    expect(exchange.write("third") == Sent::dropped);
    exchange.end();
  });
  server.route("GET", "/begun", [](const HttpExchange& exchange) {
    exchange.begin(200, {});
    exchange.respond(500, "second");
    exchange.write("streamed");
    exchange.end();
    exchange.end();
  });
  server.start();
  Client client(server);
  client.send(get("/") + get("/begun") + get("/"));
  CHECK(client.response().body == "first");
  CHECK(client.response().body == "streamed");
  CHECK(client.response().body == "first");
}

TEST_CASE("http: an answer that HTTP does not allow, 500 and a log line") {
  TestServer server;
  server.route("GET", "/split", [](const HttpExchange& exchange) {
    exchange.respond(200, "x", "text/plain", {{"X-Evil", "a\r\nSet-Cookie: b"}});
  });
  server.route("GET", "/length", [](const HttpExchange& exchange) {
    exchange.begin(200, {{"Content-Length", "3"}});
    exchange.write("abc");
    exchange.end();
  });
  server.route("GET", "/interim", [](const HttpExchange& exchange) { exchange.respond(100, ""); });
  server.route("GET", "/none", [](const HttpExchange& exchange) { exchange.respond(204, ""); });
  server.start();
  Client client(server);
  client.send(get("/split") + get("/length") + get("/interim") + get("/none"));
  for (int i = 0; i < 3; ++i) CHECK(client.response().status == 500);
  CHECK(client.response().status == 204);
  CHECK(server.log().find("control character") != std::string::npos);
}

TEST_CASE("http: streamed answers, with known length, chunked, and until close for HTTP/1.0") {
  TestServer server;
  server.route("GET", "/sized", [](const HttpExchange& exchange) {
    exchange.begin(200, {{"X-A", "b"}}, 6);
    exchange.write("abc");
    exchange.write("def");
    exchange.end();
  });
  server.route("GET", "/chunked", [](const HttpExchange& exchange) {
    exchange.begin(200, {});
    exchange.write("abc");
    exchange.write("");
    exchange.write(pattern_bytes(100'000));
    exchange.end();
  });
  server.start();
  Client client(server);
  client.send(get("/sized") + get("/chunked"));
  const Response sized = client.response();
  CHECK(sized.body == "abcdef");
  CHECK(sized.has("Content-Length: 6"));
  CHECK(sized.has("X-A: b"));
  const Response chunked = client.response();
  CHECK(chunked.has("Transfer-Encoding: chunked"));
  CHECK((chunked.body == "abc" + pattern_bytes(100'000)));
  Client old(server);
  old.send("GET /chunked HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const Response to_end = old.response();
  CHECK(to_end.has("Connection: close"));
  CHECK((to_end.body == "abc" + pattern_bytes(100'000)));
}

TEST_CASE("http: more is written than announced, the rest is dropped and the connection continues") {
  TestServer server;
  server.route("GET", "/", [](const HttpExchange& exchange) {
    exchange.begin(200, {}, 4);
    expect(exchange.write("abcdefg") == Sent::dropped);
    exchange.end();
  });
  server.start();
  Client client(server);
  client.send(get("/") + get("/"));
  CHECK(client.response().body == "abcd");
  CHECK(client.response().body == "abcd");
}

TEST_CASE("http: less is written than announced, or the handle is released before the end, the connection closes") {
  TestServer server;
  server.route("GET", "/end", [](const HttpExchange& exchange) {
    exchange.begin(200, {}, 10);
    exchange.write("abc");
    exchange.end();
  });
  server.route("GET", "/gone", [](const HttpExchange& exchange) {
    exchange.begin(200, {});
    exchange.write("abc");
  });
  server.start();
  for (const char* path : {"/end", "/gone"}) {
    Client client(server);
    client.send(get(path));
    const Response response = client.response();
    CHECK(response.body == "abc");
    CHECK_FALSE(response.complete);
  }
}

TEST_CASE("http: a reader slower than the writer, congested, then on_drain, and nothing is lost") {
  struct Producer {
    HttpExchange exchange;
    std::string rest;
    std::atomic<int>& congested;
    void go() {
      while (!rest.empty()) {
        const std::string piece = rest.substr(0, 50'000);
        rest.erase(0, piece.size());
        const Sent sent = exchange.write(piece);
        expect(sent != Sent::dropped);
        if (sent != Sent::congested) continue;
        ++congested;
        return;
      }
      exchange.end();
    }
  };
  std::atomic<int> congested{0};
  const std::string body = pattern_bytes(12'000'000);
  TestServer server;
  server.small_buffers = true;
  server.route("GET", "/", [&](const HttpExchange& exchange) {
    exchange.begin(200, {}, body.size());
    const auto producer = std::make_shared<Producer>(Producer{exchange, body, congested});
    exchange.on_drain([producer] { producer->go(); });
    producer->go();
  });
  server.start();
  Client client(server, true);
  client.send(get("/"));
  REQUIRE(eventually([&] { return congested > 0; }));
  server.on_loop([&] { CHECK(server.group.members.front()->outbox_bytes() < 500'000); });
  CHECK((client.response().body == body));
  CHECK(congested > 1);
  client.send(get("/"));
  CHECK((client.response().body == body));
}

TEST_CASE("http: a writer on another thread, congested tells it to wait and on_drain to continue") {
  std::mutex mutex;
  std::condition_variable drained;
  bool may_write = true;
  int waits = 0;
  std::thread writer;
  const std::string piece = pattern_bytes(40'000);
  constexpr int pieces = 300;
  TestServer server;
  server.small_buffers = true;
  server.route("GET", "/", [&](const HttpExchange& exchange) {
    exchange.on_drain([&] {
      const std::lock_guard lock(mutex);
      may_write = true;
      drained.notify_one();
    });
    exchange.begin(200, {});
    writer = std::thread([&, exchange] {
      for (int i = 0; i < pieces; ++i) {
        std::unique_lock lock(mutex);
        if (!drained.wait_for(lock, patience, [&] { return may_write; })) break;
        may_write = false;
        lock.unlock();
        const Sent sent = exchange.write(piece);
        lock.lock();
        if (sent == Sent::congested) {
          ++waits;
        } else {
          may_write = true;
        }
      }
      exchange.end();
    });
  });
  server.start();
  Client client(server, true);
  client.send(get("/"));
  const Response response = client.response();
  CHECK(response.complete);
  CHECK(response.body.size() == piece.size() * pieces);
  server.stop();
  writer.join();
  CHECK(waits > 0);
}

TEST_CASE("http: a writer that never waits for its reader, the connection closes at the limit and on_abort is called") {
  Awaited<bool> aborted;
  std::thread writer;
  std::optional<HttpExchange> kept;
  TestServer server;
  server.small_buffers = true;
  server.limits.outbox_bytes_max = 300'000;
  const auto write_all = [](const HttpExchange& exchange) {
    for (int i = 0; i < 10'000; ++i) {
      if (exchange.write(std::string(10'000, 'x')) == Sent::dropped) return;
    }
    expect(false);
  };
  server.route("GET", "/loop", [&](const HttpExchange& exchange) {
    exchange.on_abort([&] { aborted.set(true); });
    exchange.begin(200, {});
    kept = exchange;
    write_all(exchange);
  });
  server.route("GET", "/thread", [&](const HttpExchange& exchange) {
    exchange.on_abort([&] { aborted.set(true); });
    exchange.begin(200, {});
    kept = exchange;
    writer = std::thread([exchange, write_all] { write_all(exchange); });
  });
  server.start();
  Client client(server, true);
  SECTION("on the loop") { client.send(get("/loop")); }
  SECTION("on another thread") { client.send(get("/thread")); }
  CHECK(aborted.get());
  CHECK(kept->write("late") == Sent::dropped);
  CHECK(eventually([&] { return server.open_connections() == 0; }));
  if (writer.joinable()) writer.join();
  kept.reset();
}

TEST_CASE("http: the client disconnects before the answer, on_abort is called once and later calls do nothing") {
  std::optional<HttpExchange> kept;
  std::atomic<int> aborts{0};
  Awaited<bool> called;
  TestServer server;
  server.route("GET", "/", [&](const HttpExchange& exchange) {
    exchange.on_abort([&] { ++aborts; });
    kept = exchange;
    called.set(true);
  });
  server.start();
  Client client(server);
  client.send(get("/"));
  called.get();
  server.on_loop([] {});
  client.reset();
  REQUIRE(eventually([&] { return aborts == 1; }));
  kept->respond(200, "late");
  kept->begin(200, {});
  CHECK(kept->write("x") == Sent::dropped);
  kept->end();
  server.on_loop([] {});
  CHECK(aborts == 1);
  CHECK(kept->path() == "/");
  kept.reset();
}

TEST_CASE("http: the client disconnects after a complete answer, no on_abort") {
  std::atomic<int> aborts{0};
  TestServer server;
  server.route("GET", "/", [&](const HttpExchange& exchange) {
    exchange.on_abort([&] { ++aborts; });
    exchange.respond(200, "x");
  });
  server.start();
  Client client(server);
  client.send(get("/"));
  CHECK(client.response().status == 200);
  client.close();
  REQUIRE(eventually([&] { return server.open_connections() == 0; }));
  CHECK(aborts == 0);
}

TEST_CASE("http: the client ends its stream after its requests, all are answered, then the connection closes") {
  std::optional<HttpExchange> slow;
  Awaited<bool> called;
  TestServer server;
  server.route("GET", "/slow", [&](const HttpExchange& exchange) {
    slow = exchange;
    called.set(true);
  });
  server.route("GET", "/", hello);
  server.start();
  Client client(server);
  client.send(get("/slow") + get("/") + get("/"));
  client.end();
  called.get();
  for (int i = 0; i < 5; ++i) server.on_loop([] {});
  slow->respond(200, "late");
  slow.reset();
  CHECK(client.response().body == "late");
  CHECK(client.response().body == "hello");
  CHECK(client.response().body == "hello");
  CHECK(client.ends());
  CHECK(eventually([&] { return server.open_connections() == 0; }));
}

TEST_CASE("http: an answer larger than the socket buffers, then a close, all of it arrives") {
  TestServer server;
  server.small_buffers = true;
  server.limits.close_timeout = 1ms;  // starts only once the client has taken the answer
  const std::string body = pattern_bytes(5'000'000);
  server.route("GET", "/", [&](const HttpExchange& exchange) { exchange.respond(200, body); });
  server.start();
  Client client(server, true);
  client.send(get("/", "Connection: close\r\n"));
  CHECK((client.response().body == body));
  CHECK(client.ends());
}

// --- Static files ---

namespace {

class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("flux-http-" + std::to_string(std::random_device()()))) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string text() const { return path_.string(); }
  void write(const std::string& name, std::string_view bytes) const {
    std::ofstream(path_ / name, std::ios::binary) << bytes;
  }
  void resize(const std::string& name, std::uintmax_t size) const { std::filesystem::resize_file(path_ / name, size); }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("http: static files, whole, by range, by HEAD and by ETag") {
  Folder folder;
  const std::string bytes = pattern_bytes(1'000'000);
  folder.write("big.css", bytes);
  folder.write("empty.txt", "");
  folder.write("index.html", "<p>index</p>");
  TestServer server;
  server.router.add_static("/files", folder.text(), {"max-age=60"});
  server.start();
  Client client(server);
  client.send(get("/files/big.css"));
  const Response whole = client.response();
  CHECK((whole.body == bytes));
  CHECK(whole.has("Content-Type: text/css; charset=utf-8"));
  CHECK(whole.has("Cache-Control: max-age=60"));
  client.send(get("/files/big.css", "Range: bytes=999000-\r\n"));
  const Response part = client.response();
  CHECK(part.status == 206);
  CHECK(part.has("Content-Range: bytes 999000-999999/1000000"));
  CHECK((part.body == bytes.substr(999'000)));
  client.send("HEAD /files/big.css HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(client.response(true).has("Content-Length: 1000000"));
  const std::size_t tag = whole.head.find("ETag: ") + 6;
  const std::string etag = whole.head.substr(tag, whole.head.find("\r\n", tag) - tag);
  client.send(get("/files/big.css", "If-None-Match: " + etag + "\r\n"));
  CHECK(client.response().status == 304);
  client.send(get("/files/big.css", "Range: bytes=1000000-\r\n"));
  CHECK(client.response().status == 416);
  client.send(get("/files/empty.txt"));
  const Response empty = client.response();
  CHECK(empty.status == 200);
  CHECK(empty.body.empty());
  client.send(get("/files/"));
  CHECK(client.response().body == "<p>index</p>");
  for (const char* path : {"/files/none", "/files/../secret", "/files/.hidden"}) {
    client.send(get(path));
    CHECK(client.response().status == 404);
  }
  client.send(post("/files/big.css", "x"));
  CHECK(client.response().status == 405);
}

TEST_CASE("http: a static file and a slow reader, little of it is buffered") {
  Folder folder;
  folder.write("big.bin", pattern_bytes(20'000'000));
  TestServer server;
  server.small_buffers = true;
  server.router.add_static("/", folder.text());
  server.start();
  Client client(server, true);
  client.send(get("/big.bin"));
  client.receive_bytes(100'000);
  server.on_loop([&] { CHECK(server.group.members.front()->outbox_bytes() <= 70'000); });
  CHECK((client.response().body == pattern_bytes(20'000'000)));
}

TEST_CASE("http: a static file shrinks while it is sent, the answer is truncated") {
  Folder folder;
  folder.write("big.bin", pattern_bytes(20'000'000));
  TestServer server;
  server.small_buffers = true;
  server.router.add_static("/", folder.text());
  server.start();
  Client client(server, true);
  client.send(get("/big.bin"));
  client.receive_bytes(100'000);
  folder.resize("big.bin", 100'000);
  const Response response = client.response();
  CHECK(response.status == 200);
  CHECK_FALSE(response.complete);
  CHECK(server.log().find("became shorter") != std::string::npos);
}

// --- Deadlines ---

namespace {

struct SteppedServer : TestServer {
  std::shared_ptr<flux::testing::ManualClock> steps = std::make_shared<flux::testing::ManualClock>();
  SteppedServer() { clock = steps; }
  void advance(std::chrono::milliseconds time) {
    steps->advance(time);
    for (int i = 0; i < 3; ++i) on_loop([] {});
  }
  void received(std::uint64_t bytes) {
    REQUIRE(eventually([&] { return loop->counters().bytes_in.get() >= bytes; }));
    on_loop([] {});
  }
  void connected() {
    REQUIRE(eventually([&] { return open_connections() == 1; }));
    on_loop([] {});
  }
};

}  // namespace

TEST_CASE("http: a slowly sent head, 408 at the handshake timeout, first request or not") {
  SteppedServer server;
  server.route("GET", "/", hello);
  server.start();
  Client client(server);
  server.connected();
  SECTION("the first request") {}
  SECTION("a later one") {
    client.send(get("/"));
    CHECK(client.response().status == 200);
    server.on_loop([] {});
    server.advance(30s);
  }
  const std::uint64_t before = server.loop->counters().bytes_in.get();
  client.send("GET / HT");
  server.received(before + 8);
  server.advance(9s);
  client.send("TP/1.1\r\n");
  server.received(before + 16);
  CHECK(server.open_connections() == 1);
  server.advance(2s);
  CHECK(client.response().status == 408);
  CHECK(client.ends());
}

TEST_CASE("http: a silent connection is closed at the handshake timeout") {
  SteppedServer server;
  server.start();
  Client client(server);
  server.connected();
  server.advance(9s);
  CHECK(server.open_connections() == 1);
  server.advance(2s);
  CHECK(client.ends());
}

TEST_CASE("http: no further request, the connection is closed at the idle timeout") {
  SteppedServer server;
  server.route("GET", "/", hello);
  server.start();
  Client client(server);
  server.connected();
  client.send(get("/"));
  CHECK(client.response().status == 200);
  server.on_loop([] {});
  server.advance(59s);
  CHECK(server.open_connections() == 1);
  server.advance(2s);
  CHECK(client.ends());
}

TEST_CASE("http: a stalled body, 408; a slow handler is not timed") {
  std::optional<HttpExchange> kept;
  Awaited<bool> called;
  SteppedServer server;
  server.limits.input_stall_timeout = 0ms;  // a different limit, for slowly sent bodies
  server.route("POST", "/", [](const HttpExchange& exchange) {
    exchange.read_body([exchange](std::string body) { exchange.respond(200, std::move(body)); });
  });
  server.route("GET", "/", [&](const HttpExchange& exchange) {
    kept = exchange;
    called.set(true);
  });
  server.start();
  {
    Client stalls(server);
    server.connected();
    const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n";
    stalls.send(head + "ab");
    server.received(head.size() + 2);
    server.advance(59s);
    stalls.send("cd");
    server.received(head.size() + 4);
    server.advance(59s);
    CHECK(server.open_connections() == 1);
    server.advance(2s);
    CHECK(stalls.response().status == 408);
    CHECK(stalls.ends());
  }
  Client patient(server);
  patient.send(get("/"));
  called.get();
  server.on_loop([] {});
  server.advance(600s);
  kept->respond(200, "thought about it");
  kept.reset();
  CHECK(patient.response().body == "thought about it");
}

TEST_CASE("http: a client reads nothing of its answer, closed by output_stall_timeout; one that reads some is not") {
  Awaited<bool> aborted;
  std::optional<HttpExchange> kept;
  SteppedServer server;
  server.small_buffers = true;
  server.limits.outbox_bytes_max = 64'000'000;
  const std::string body = pattern_bytes(20'000'000);
  server.route("GET", "/", [&](const HttpExchange& exchange) {
    exchange.on_abort([&] { aborted.set(true); });
    exchange.begin(200, {}, body.size() + 1);
    exchange.write(body);
    kept = exchange;
  });
  server.start();
  Client client(server, true);
  client.send(get("/"));
  REQUIRE(eventually([&] { return client.socket().available() > 0; }));
  client.receive_bytes(1'000'000);
  server.advance(61s);
  client.receive_bytes(2'000'000);
  CHECK(server.open_connections() == 1);
  // Bytes still moving between the socket buffers count as read, so this may take several periods.
  CHECK(eventually([&] {
    server.advance(61s);
    return server.open_connections() == 0;
  }));
  CHECK(aborted.get());
  kept.reset();
}

// --- Stopping the server ---

TEST_CASE("http: the server stops, idle connections close at once, requests in progress are answered first") {
  std::optional<HttpExchange> kept;
  Awaited<bool> called;
  TestServer server;
  server.route("GET", "/", [&](const HttpExchange& exchange) {
    kept = exchange;
    called.set(true);
  });
  server.start();
  Client idle(server);
  Client busy(server);
  busy.send(get("/"));
  called.get();
  REQUIRE(eventually([&] { return server.open_connections() == 2; }));
  server.on_loop([&] {
    for (auto* connection : std::vector<flux::transport::Connection*>(server.group.members)) {
      connection->handler()->on_stop();
    }
  });
  CHECK(idle.ends());
  kept->respond(200, "still");
  kept.reset();
  const Response response = busy.response();
  CHECK(response.body == "still");
  CHECK(response.has("Connection: close"));
  CHECK(busy.ends());
}

// --- WebSocket upgrades ---

namespace {

const std::string upgrade_request =
    "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const std::string switching = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

/// Sends its input back in upper case, but only after a first full stop.
class Shouter final : public flux::transport::StreamHandler {
 public:
  explicit Shouter(flux::transport::Connection& connection) : connection_(connection) {}
  std::size_t on_data(char* data, std::size_t size) override {
    std::string text(data, size);
    if (text.find('.') == std::string::npos) return 0;
    for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    connection_.write(text);
    return size;
  }
  void on_end() override { connection_.finish(100ms); }
  void on_deadline() override {}
  void on_stop() override {}
  void on_closed() override {}

 private:
  flux::transport::Connection& connection_;
};

using Upgrading = std::shared_ptr<flux::transport::HttpConnection>;

void accept(const Upgrading& http) {
  const auto next = std::make_shared<Shouter>(*http->connection());
  http->accept_upgrade(switching, next);
  expect(http->closed());
}

struct UpgradeServer : TestServer {
  UpgradeServer() {
    service.is_websocket = [](const std::string& path) { return path == "/ws"; };
  }
};

}  // namespace

TEST_CASE("http: an upgrade is accepted at once, bytes sent after it reach the new handler") {
  UpgradeServer server;
  server.route("GET", "/", hello);
  server.service.upgrade = [](const Upgrading& http, const flux::transport::HttpHead& head) {
    accept(http);
    expect(head.path() == "/ws");
  };
  server.start();
  Client client(server);
  client.send(get("/") + upgrade_request + "first ");
  CHECK(client.response().body == "hello");
  CHECK(client.response().status == 101);
  client.send("second.");
  client.receive_bytes(13);
  CHECK(client.received == "FIRST SECOND.");
}

TEST_CASE("http: an upgrade is accepted later, bytes sent after it reach the new handler") {
  Awaited<Upgrading> waiting;
  UpgradeServer server;
  server.service.upgrade = [&](const Upgrading& http, const flux::transport::HttpHead&) { waiting.set(http); };
  server.start();
  Client client(server);
  client.send(upgrade_request + "all of it.");
  const Upgrading http = waiting.get();
  server.on_loop([&] { accept(http); });
  CHECK(client.response().status == 101);
  client.receive_bytes(10);
  CHECK(client.received == "ALL OF IT.");
}

TEST_CASE("http: an upgrade is refused, or its client disconnects first") {
  Awaited<Upgrading> waiting;
  UpgradeServer server;
  server.service.upgrade = [&](const Upgrading& http, const flux::transport::HttpHead&) { waiting.set(http); };
  server.start();
  Client client(server);
  client.send(upgrade_request);
  const Upgrading http = waiting.get();
  SECTION("refused") {
    server.on_loop([&] {
      http->refuse_upgrade(401, "who are you?", {{"WWW-Authenticate", "Bearer"}});
      http->refuse_upgrade(500, "twice");
    });
    const Response response = client.response();
    CHECK(response.status == 401);
    CHECK(response.body == "who are you?");
    CHECK(response.has("WWW-Authenticate: Bearer"));
    CHECK(client.ends());
  }
  SECTION("disconnected") {
    client.reset();
    REQUIRE(eventually([&] { return server.open_connections() == 0; }));
    server.on_loop([&] {
      CHECK(http->closed());
      http->accept_upgrade(switching, nullptr);
      http->refuse_upgrade(500, "late");
    });
  }
  SECTION("the server stops") {
    server.on_loop([&] { http->on_stop(); });
    CHECK(client.response().status == 503);
    CHECK(client.ends());
  }
}

TEST_CASE("http: the service throws during an upgrade, 500") {
  UpgradeServer server;
  server.service.upgrade = [](const Upgrading&, const flux::transport::HttpHead&) { throw std::runtime_error("no"); };
  server.start();
  Client client(server);
  client.send(upgrade_request);
  CHECK(client.response().status == 500);
  CHECK(client.ends());
}

TEST_CASE("http: an incomplete WebSocket handshake, 426 or 400, and the connection continues") {
  UpgradeServer server;
  server.service.upgrade = [](const Upgrading&, const flux::transport::HttpHead&) { expect(false); };
  server.start();
  Client client(server);
  const auto replaced = [](std::string_view from, std::string_view to) {
    std::string request = upgrade_request;
    return request.replace(request.find(from), from.size(), to);
  };
  client.send(get("/ws"));
  const Response plain = client.response();
  CHECK(plain.status == 426);
  CHECK(plain.has("Upgrade: websocket"));
  client.send(replaced("keep-alive, Upgrade", "keep-alive"));
  CHECK(client.response().status == 426);
  client.send(replaced("Version: 13", "Version: 12"));
  const Response version = client.response();
  CHECK(version.status == 426);
  CHECK(version.has("Sec-WebSocket-Version: 13"));
  client.send(replaced("dGhlIHNhbXBsZSBub25jZQ==", "short"));
  CHECK(client.response().status == 400);
  client.send(replaced("Sec-WebSocket-Key", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key"));
  CHECK(client.response().status == 400);
  client.send(replaced("GET /ws", "POST /ws"));
  CHECK(client.response().status == 405);
  client.send(replaced("/ws", "/elsewhere"));
  CHECK(client.response().status == 404);
}

}  // namespace http_connection_test
