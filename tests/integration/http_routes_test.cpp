// HTTP routes of the application: every statement of flux/http.hpp.
#include "support/server.hpp"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>

namespace http_routes_test {

using namespace flux_test;
using flux::HttpExchange;

TEST_CASE("http routes: a route at the path of a WebSocket endpoint is refused, and the other way round") {
  flux::Server server(test_config());
  server.websocket("/raw", {});
  const auto answer = [](const flux::HttpExchange& exchange) { exchange.respond(200, "hello"); };
  CHECK(thrown_by([&] { server.route("GET", "/live", answer); }) ==
        std::pair<flux::Errc, std::string>(
            flux::Errc::bad_config,
            "route GET /live: protocol live is served there; choose another path, or another live_path"));
  CHECK(thrown_by([&] { server.route("POST", "/raw", answer); }).second ==
        "route POST /raw: a WebSocket endpoint is served there; choose another path");
  server.route("GET", "/live/x", answer);
  CHECK(thrown_by([&] { server.websocket("/live/x", {}); }) ==
        std::pair<flux::Errc, std::string>(flux::Errc::bad_config, "there is already a route at \"/live/x\""));
  CHECK_NOTHROW(server.websocket("/live/x/raw", {}));
  auto config = test_config();
  config.live_path = "";
  flux::Server without(config);
  without.route("GET", "/live", answer);
}

TEST_CASE("route: a handler reads the request") {
  flux::Server server(test_config());
  server.route("GET", "/files/{id}/*rest", [](HttpExchange exchange) {
    std::string text(exchange.method());
    text.append("|").append(exchange.path());
    text.append("|").append(exchange.parameter("id")).append("|").append(exchange.parameter("rest"));
    text.append("|").append(exchange.parameter("none"));
    text.append("|").append(exchange.query("q").value_or("-")).append("|").append(exchange.query("none").value_or("-"));
    text.append("|")
        .append(exchange.header("x-TEST").value_or("-"))
        .append("|")
        .append(exchange.header("x-none").value_or("-"));
    text.append("|").append(exchange.remote_address().substr(0, 10));
    exchange.respond(200, text);
  });
  server.start();
  HttpClient client(server.port());
  const auto reply = client.request(get("/files/a%20b/c/d?q=%C3%A9%26&r=1", "X-Test: v\r\n"));
  CHECK(reply.status == 200);
  CHECK(reply.body == "GET|/files/a b/c/d|a b|c/d||é&|-|v|-|127.0.0.1:");
  CHECK(reply.has("Content-Type: text/plain; charset=utf-8"));
}

TEST_CASE("route: the token comes from the query, otherwise from the Authorization field") {
  flux::Server server(test_config());
  server.route("GET", "/", [](const HttpExchange& exchange) { exchange.respond(200, exchange.token()); });
  server.start();
  HttpClient client(server.port());
  CHECK(client.request(get("/")).body.empty());
  CHECK(client.request(get("/", "Authorization: bEARER  a.b\r\n")).body == "a.b");
  CHECK(client.request(get("/?access_token=c%20d", "Authorization: Bearer a.b\r\n")).body == "c d");
  CHECK(client.request(get("/", "Authorization: Basic YTpi\r\n")).body.empty());
  CHECK(client.request(get("/", "Authorization: Bearer\r\n")).body.empty());
}

TEST_CASE("route: literals take precedence over names, names over the rest; other methods and paths are refused") {
  flux::Server server(test_config());
  const auto say = [](const char* what) { return [what](HttpExchange exchange) { exchange.respond(200, what); }; };
  server.route("GET", "/a/b", say("literal"));
  server.route("GET", "/a/{x}", say("name"));
  server.route("GET", "/a/*x", say("rest"));
  server.route("PUT", "/a/b", say("put"));
  server.start();
  HttpClient client(server.port());
  CHECK(client.request(get("/a/b")).body == "literal");
  CHECK(client.request(get("/a/c")).body == "name");
  CHECK(client.request(get("/a/c/d")).body == "rest");
  CHECK(client.request("PUT /a/b HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").body == "put");
  const auto refused = client.request("DELETE /a/b HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(refused.status == 405);
  CHECK(refused.head.find("Allow: ") != std::string::npos);
  CHECK(client.request(get("/b")).status == 404);
  CHECK(client.request(get("/live")).status == 426);
}

TEST_CASE("route: answered later from another thread; answers of pipelined requests keep their order") {
  Awaited<HttpExchange> slow;
  flux::Server server(test_config(2));
  server.route("GET", "/slow", [&](HttpExchange exchange) { slow.set(exchange); });
  server.route("GET", "/fast", [](HttpExchange exchange) { exchange.respond(200, "fast"); });
  server.start();
  HttpClient client(server.port());
  client.send(get("/slow") + get("/fast"));
  std::thread([exchange = slow.get()] {
    exchange.respond(201, "slow", "text/x-slow", {{"X-Own", "1"}});
    exchange.respond(500, "the first one counts");
  }).join();
  const auto first = client.reply();
  CHECK(first.status == 201);
  CHECK(first.body == "slow");
  CHECK(first.has("Content-Type: text/x-slow"));
  CHECK(first.has("X-Own: 1"));
  CHECK(client.reply().body == "fast");
}

TEST_CASE("route: the last handle is released without an answer, or the handler throws, the client gets 500") {
  flux::Server server(test_config());
  server.route("GET", "/silent", [](HttpExchange) {});
  server.route("GET", "/throws", [](HttpExchange) { throw std::runtime_error("thrown on purpose"); });
  server.route("POST", "/body", [](HttpExchange exchange) {
    exchange.read_body([exchange](const std::string&) { throw std::runtime_error("thrown on purpose"); });
  });
  Awaited<std::unique_ptr<HttpExchange>> kept;
  server.route("GET", "/kept",
               [&](HttpExchange exchange) { kept.set(std::make_unique<HttpExchange>(std::move(exchange))); });
  server.start();
  CHECK(HttpClient(server.port()).request(get("/silent")).status == 500);
  CHECK(HttpClient(server.port()).request(get("/throws")).status == 500);
  CHECK(HttpClient(server.port()).request(post("/body", "x")).status == 500);
  CHECK(server.stats().handler_errors == 2);
  HttpClient client(server.port());
  client.send(get("/kept"));
  auto exchange = kept.get();
  std::thread([&] { exchange.reset(); }).join();
  CHECK(client.reply().status == 500);
}

TEST_CASE("route: read_body collects, chunked or with a length; without it the body is discarded") {
  flux::Server server(test_config());
  server.route("POST", "/echo", [](HttpExchange exchange) {
    exchange.read_body([exchange](std::string body) { exchange.respond(200, std::move(body)); });
  });
  server.route("POST", "/ignore", [](HttpExchange exchange) { exchange.respond(200, "ok"); });
  server.start();
  HttpClient client(server.port());
  CHECK(client.request(post("/echo", "hello")).body == "hello");
  CHECK(client
            .request("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
                     "chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n")
            .body == "abcde");
  const std::string big(300'000, 'b');
  CHECK(client.request(post("/echo", big)).body == big);
  CHECK(client.request(post("/ignore", big)).body == "ok");
  CHECK(client.request(post("/echo", "")).body.empty());  // still on the same connection
}

TEST_CASE("route: a body over its limit is answered with 413 and done is never called") {
  auto config = test_config();
  config.limits.body_bytes_max = 100;
  std::atomic<int> done{0};
  flux::Server server(config);
  const auto take = [&](HttpExchange exchange) {
    exchange.read_body([&done, exchange](const std::string&) {
      ++done;
      exchange.respond(200, "taken");
    });
  };
  server.route("POST", "/small", take);
  server.route("POST", "/large", take, {1000});
  server.route("POST", "/none", take, {0});
  server.start();
  CHECK(HttpClient(server.port()).request(post("/small", std::string(100, 'x'))).status == 200);
  CHECK(HttpClient(server.port()).request(post("/small", std::string(101, 'x'))).status == 413);
  CHECK(HttpClient(server.port()).request(post("/large", std::string(1000, 'x'))).status == 200);
  CHECK(HttpClient(server.port()).request(post("/large", std::string(1001, 'x'))).status == 413);
  CHECK(HttpClient(server.port()).request(post("/none", "x")).status == 413);
  CHECK(HttpClient(server.port()).request(post("/none", "")).status == 200);
  HttpClient chunked(server.port());
  const auto reply = chunked.request("POST /small HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" +
                                     std::string(0x65, 'x') + "\r\n0\r\n\r\n");
  CHECK(reply.status == 413);
  CHECK(done == 3);
}

TEST_CASE("route: on_body streams, and pausing it blocks the client") {
  Awaited<HttpExchange> paused;
  std::mutex mutex;
  std::size_t bytes = 0;
  flux::Server server(test_config());
  server.route("POST", "/stream",
               [&](HttpExchange exchange) {
                 exchange.pause_body();
                 exchange.on_body(
                     [&](std::string_view piece) {
                       const std::lock_guard lock(mutex);
                       bytes += piece.size();
                     },
                     [&, exchange](bool complete) {
                       const std::lock_guard lock(mutex);
                       exchange.respond(200, std::to_string(bytes) + (complete ? " whole" : " cut"));
                     });
                 paused.set(exchange);
               },
               {100'000'000});
  server.start();
  HttpClient client(server.port());
  constexpr std::size_t size = 40'000'000;
  client.send("POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
  const HttpExchange exchange = paused.get();
  const std::string block(100'000, 'b');
  std::size_t sent = 0;
  while (sent < size) {  // until the sockets' buffers are full
    const std::size_t taken = client.send_some(block);
    sent += taken;
    if (taken == 0) break;
  }
  CHECK(sent < size);
  {
    const std::lock_guard lock(mutex);
    CHECK(bytes < 1'000'000);
  }
  std::thread([&] { exchange.resume_body(); }).join();
  while (sent < size) {
    const std::string_view rest = std::string_view(block).substr(0, std::min(block.size(), size - sent));
    client.send(rest);
    sent += rest.size();
  }
  CHECK(client.reply().body == std::to_string(size) + " whole");
}

TEST_CASE("route: a body that is paused and resumed while a piece is handled goes on") {
  Gate first;
  flux::Server server(test_config());
  server.route("POST", "/stream", [&](HttpExchange exchange) {
    exchange.on_body(
        [&, exchange, is_first = true](std::string_view) mutable {
          exchange.pause_body();
          exchange.resume_body();
          if (std::exchange(is_first, false)) first.open();
        },
        [exchange](bool complete) { exchange.respond(200, complete ? "whole" : "cut"); });
  });
  server.start();
  HttpClient client(server.port());
  client.send("POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na");
  first.wait();
  client.send("b");
  CHECK(client.reply().body == "whole");
}

TEST_CASE("route: the client disconnects, done gets false and on_abort is called once") {
  Awaited<bool> complete;
  Awaited<bool> reading;
  std::atomic<int> aborted{0};
  flux::Server server(test_config());
  server.route("POST", "/stream", [&](HttpExchange exchange) {
    exchange.on_abort([&] { ++aborted; });
    exchange.on_body(
        [&, first = true](std::string_view) mutable {
          if (std::exchange(first, false)) reading.set(true);
        },
        [&, exchange](bool whole) { complete.set(whole); });
  });
  server.start();
  HttpClient client(server.port());
  client.send("POST /stream HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
  CHECK(reading.get());
  client.reset();
  CHECK_FALSE(complete.get());
  CHECK(eventually([&] { return aborted == 1; }));
  server.stop(0ms);
  CHECK(aborted == 1);
}

TEST_CASE("route: a body requested after the client disconnected, done gets false") {
  Awaited<HttpExchange> waiting;
  Awaited<bool> complete;
  flux::Server server(test_config());
  server.route("POST", "/late", [&](HttpExchange exchange) {
    exchange.on_abort([&, exchange] {
      exchange.on_body([exchange](std::string_view) {}, [&, exchange](bool whole) { complete.set(whole); });
    });
    waiting.set(exchange);
  });
  server.start();
  HttpClient client(server.port());
  client.send("POST /late HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
  static_cast<void>(waiting.get());
  client.reset();
  CHECK_FALSE(complete.get());
}

TEST_CASE("route: streamed answers, with known length and chunked, from the loop and from another thread") {
  Awaited<HttpExchange> later;
  flux::Server server(test_config());
  server.route("GET", "/sized", [](HttpExchange exchange) {
    exchange.begin(200, {{"Content-Type", "text/x"}}, 6);
    exchange.write("abc");
    exchange.write("def");
    exchange.end();
  });
  server.route("GET", "/chunked", [&](HttpExchange exchange) { later.set(exchange); });
  server.start();
  HttpClient client(server.port());
  const auto sized = client.request(get("/sized"));
  CHECK(sized.body == "abcdef");
  CHECK(sized.has("Content-Length: 6"));
  client.send(get("/chunked"));
  std::thread([exchange = later.get()] {
    exchange.begin(200, {});
    for (int i = 0; i < 100; ++i) exchange.write(std::to_string(i) + ",");
    exchange.end();
  }).join();
  const auto chunked = client.reply();
  CHECK(chunked.has("Transfer-Encoding: chunked"));
  CHECK(chunked.complete);
  CHECK(chunked.body.substr(0, 6) == "0,1,2,");
  CHECK(client.request(get("/sized")).complete);  // kept alive
}

TEST_CASE("route: a slow reader, write reports congested and on_drain when to continue, nothing is lost") {
  const bool on_loop = GENERATE(true, false);
  auto config = test_config();
  config.limits.outbox_bytes_congested = 50'000;
  config.limits.outbox_bytes_max = 2'000'000;
  std::atomic<int> congested{0};
  std::atomic<int> dropped{0};
  Awaited<bool> started;
  Crew writer;
  flux::Server server(config);
  constexpr std::size_t pieces = 300;
  const std::string piece(20'000, 'p');
  server.route("GET", "/big", [&](HttpExchange exchange) {
    exchange.begin(200, {}, pieces * piece.size());
    if (on_loop) {
      const auto left = std::make_shared<std::size_t>(pieces);
      const auto more = [&, exchange, left] {
        while (*left > 0) {
          --*left;
          const auto sent = exchange.write(piece);
          if (sent == flux::Sent::dropped) ++dropped;
          if (sent == flux::Sent::congested) {
            ++congested;
            return;
          }
        }
        exchange.end();
      };
      exchange.on_drain(more);
      more();
    } else {
      auto drained = std::make_shared<std::atomic<int>>(0);
      exchange.on_drain([drained] { ++*drained; });
      writer.add([&, exchange, drained] {
        for (std::size_t i = 0; i < pieces; ++i) {
          const int before = *drained;
          const auto sent = exchange.write(piece);
          if (sent == flux::Sent::dropped) ++dropped;
          if (sent == flux::Sent::congested) {
            ++congested;
            if (!eventually([&] { return *drained != before; })) throw std::runtime_error("never drained");
          }
        }
        exchange.end();
      });
    }
    started.set(true);
  });
  server.start();
  HttpClient client(Target{server.port(), "127.0.0.1", 8192});
  client.send(get("/big"));
  CHECK(started.get());
  const auto reply = client.reply();
  CHECK(reply.complete);
  CHECK(reply.body.size() == pieces * piece.size());
  writer.join();
  CHECK(congested > 0);
  CHECK(dropped == 0);
}

TEST_CASE("route: HEAD gets the head of GET's answer, 100-continue is sent if the body is wanted") {
  flux::Server server(test_config());
  server.route("GET", "/page", [](HttpExchange exchange) { exchange.respond(200, "hello"); });
  server.route("POST", "/upload", [&](HttpExchange exchange) {
    exchange.read_body([exchange](std::string body) { exchange.respond(200, body); });
  });
  server.route("POST", "/refuse", [](HttpExchange exchange) { exchange.respond(403, "no"); });
  server.start();
  HttpClient client(server.port());
  client.send("HEAD /page HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto head = client.reply(true);
  CHECK(head.status == 200);
  CHECK(head.has("Content-Length: 5"));
  CHECK(client.request(get("/page")).body == "hello");  // no body preceded it
  client.send("POST /upload HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  CHECK(client.reply().status == 100);
  CHECK(client.request("body").body == "body");
  client.send("POST /refuse HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  CHECK(client.reply().status == 403);
}

TEST_CASE("route: a handle that outlives its request, its connection and the server does nothing") {
  std::optional<HttpExchange> kept;
  {
    Awaited<HttpExchange> first;
    flux::Server server(test_config());
    server.route("GET", "/", [&](HttpExchange exchange) {
      exchange.respond(200, "done");
      first.set(exchange);
    });
    server.route("GET", "/other", [](HttpExchange exchange) { exchange.respond(200, "other"); });
    server.start();
    HttpClient client(server.port());
    CHECK(client.request(get("/")).body == "done");
    kept = first.get();
    kept->respond(200, "again");
    kept->begin(200, {});
    CHECK(kept->write("x") == flux::Sent::dropped);
    kept->end();
    CHECK(client.request(get("/other")).body == "other");
  }
  kept->respond(200, "again");
  CHECK(kept->write("x") == flux::Sent::dropped);
  kept->pause_body();
  kept->end();
  CHECK(kept->remote_address().substr(0, 10) == "127.0.0.1:");
}

TEST_CASE("route: unanswered when the server stops, a later answer through the handle has no effect") {
  Awaited<HttpExchange> waiting;
  Awaited<bool> aborted;
  std::optional<HttpExchange> kept;
  {
    flux::Server server(test_config());
    server.route("GET", "/", [&](HttpExchange exchange) {
      exchange.on_abort([&] { aborted.set(true); });
      waiting.set(exchange);
    });
    server.start();
    HttpClient client(server.port());
    client.send(get("/"));
    kept = waiting.get();
    server.stop(1ms);
    CHECK(aborted.get());
    CHECK(client.to_end().empty());
  }
  kept->respond(200, "too late");
}

TEST_CASE("route: a graceful stop lets a pending request finish") {
  Awaited<HttpExchange> waiting;
  flux::Server server(test_config());
  server.route("GET", "/", [&](HttpExchange exchange) { waiting.set(exchange); });
  server.start();
  HttpClient idle(server.port());
  HttpClient client(server.port());
  client.send(get("/"));
  const HttpExchange exchange = waiting.get();
  Crew crew;
  crew.add([&] { server.stop(20s); });
  CHECK(eventually([&] { return !server.running(); }));
  exchange.respond(200, "in time");
  CHECK(client.reply().body == "in time");
  CHECK(client.to_end().empty());
  client.close();
  CHECK(idle.to_end().empty());
  idle.close();
  crew.join();
}

TEST_CASE("static files: types, ETag, no way out of the folder") {
  std::string folder = (std::filesystem::temp_directory_path() / "flux-test-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  std::filesystem::create_directory(folder + "/public");
  std::ofstream(folder + "/public/a.html") << "<p>hello";
  std::ofstream(folder + "/public/.hidden") << "secret";
  std::ofstream(folder + "/secret.txt") << "secret";
  {
    flux::Server server(test_config());
    server.static_files("/s", folder + "/public", {"max-age=5"});
    server.start();
    HttpClient client(server.port());
    const auto page = client.request(get("/s/a.html"));
    CHECK(page.status == 200);
    CHECK(page.body == "<p>hello");
    CHECK(page.has("Cache-Control: max-age=5"));
    CHECK(page.head.find("Content-Type: text/html") != std::string::npos);
    const auto at = page.head.find("ETag: ") + 6;
    const std::string etag = page.head.substr(at, page.head.find("\r\n", at) - at);
    CHECK(client.request(get("/s/a.html", "If-None-Match: " + etag + "\r\n")).status == 304);
    for (const char* path :
         {"/s/.hidden", "/s/../secret.txt", "/s/%2e%2e/secret.txt", "/s/..%2fsecret.txt", "/s/none"}) {
      HttpClient other(server.port());
      CHECK(other.request(get(path)).body.find("secret") == std::string::npos);
    }
  }
  std::filesystem::remove_all(folder);
}

// --- flux.js ---

namespace {

std::string flux_js() {
  std::ifstream file("../src/js/flux.js", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string field_of(const HttpReply& reply, const std::string& name) {
  const auto at = reply.head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 4;
  return reply.head.substr(begin, reply.head.find("\r\n", begin) - begin);
}

}  // namespace

TEST_CASE("flux.js: served as it is in src/js, to everybody, with a tag that saves the next transfer") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) { request.refuse("nobody may connect"); });
  server.start();
  HttpClient client(server.port());
  const auto reply = client.request(get("/flux.js"));
  REQUIRE(reply.status == 200);
  REQUIRE(reply.body.size() > 10'000);
  CHECK(reply.body == flux_js());
  CHECK(reply.has("Content-Type: text/javascript; charset=utf-8"));
  CHECK(reply.has("Cache-Control: no-cache"));
  CHECK(reply.has("X-Content-Type-Options: nosniff"));
  CHECK(field_of(reply, "Last-Modified").empty());
  const std::string etag = field_of(reply, "ETag");
  CHECK(etag.size() > 20);
  CHECK(etag.front() == '"');

  const auto same = client.request(get("/flux.js", "If-None-Match: \"x\", W/" + etag + "\r\n"));
  CHECK(same.status == 304);
  CHECK(same.body.empty());
  CHECK(field_of(same, "ETag") == etag);
  CHECK(client.request(get("/flux.js", "If-None-Match: \"x\"\r\n")).status == 200);
  // It has no date to compare with.
  CHECK(client.request(get("/flux.js", "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT\r\n")).status == 200);
  CHECK(client.request(get("/flux.js", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n")).status == 200);
  const auto part = client.request(get("/flux.js", "Range: bytes=3-9\r\n"));
  CHECK(part.status == 206);
  CHECK(part.body == reply.body.substr(3, 7));
  CHECK(client.request(get("/flux.js", "Range: bytes=3-9\r\nIf-Range: yesterday\r\n")).status == 200);
}

TEST_CASE("flux.js: HEAD gets the head of GET's answer, other methods are refused") {
  flux::Server server(test_config());
  server.start();
  HttpClient client(server.port());
  client.send("HEAD /flux.js HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto head = client.reply(true);
  CHECK(head.status == 200);
  CHECK(head.has("Content-Length: " + std::to_string(flux_js().size())));
  CHECK(client.request(get("/none")).status == 404);  // HEAD was sent no body
  const auto posted = client.request(post("/flux.js", "x"));
  CHECK(posted.status == 405);
  CHECK(posted.has("Allow: GET, HEAD, OPTIONS"));
}

TEST_CASE("flux.js: pages of the origins that may connect may import it") {
  const auto allowed = [](const std::vector<std::string>& origins, const std::string& origin) {
    auto config = test_config();
    config.origins = origins;
    flux::Server server(config);
    server.start();
    HttpClient client(server.port());
    const auto reply = client.request(get("/flux.js", origin.empty() ? "" : "Origin: " + origin + "\r\n"));
    CHECK(reply.status == 200);
    CHECK(field_of(reply, "Vary") == (origins.empty() || origins[0] == "*" ? "" : "Origin"));
    return field_of(reply, "Access-Control-Allow-Origin");
  };
  CHECK(allowed({}, "https://a.example").empty());
  CHECK(allowed({"*"}, "https://a.example") == "*");
  CHECK(allowed({"https://a.example"}, "https://a.example") == "https://a.example");
  CHECK(allowed({"https://a.example"}, "https://b.example").empty());
  CHECK(allowed({"https://a.example"}, "").empty());
}

TEST_CASE("script_path: a different one, or none; a path that no request has is refused") {
  auto config = test_config();
  config.script_path = "/js/client.js";
  {
    flux::Server server(config);
    server.start();
    HttpClient client(server.port());
    CHECK(client.request(get("/js/client.js")).body == flux_js());
    CHECK(client.request(get("/flux.js")).status == 404);
  }
  config.script_path = "";
  {
    flux::Server server(config);
    server.start();
    HttpClient client(server.port());
    CHECK(client.request(get("/flux.js")).status == 404);
  }
  for (const char* path : {"flux.js", "/{name}.js", "/js/*rest"}) {
    config.script_path = path;
    CHECK(thrown_by([&] { flux::Server server(config); }) ==
          std::pair<flux::Errc, std::string>(
              flux::Errc::bad_config,
              "Config::script_path must begin with \"/\" and have no parameters, or be empty, not \"" +
                  std::string(path) + "\""));
  }
}

TEST_CASE("flux.js: the application serves something else there, that is served instead") {
  const auto say = [](const char* what) {
    return [what](const HttpExchange& exchange) { exchange.respond(200, what); };
  };
  const auto served = [](flux::Server& server) {
    server.start();
    HttpClient client(server.port());
    return client.request(get("/flux.js"));
  };
  {
    flux::Server server(test_config());
    server.route("GET", "/flux.js", say("own"));
    CHECK(thrown_by([&] { server.route("GET", "/flux.js", say("twice")); }).second == "route GET /flux.js is taken");
    CHECK(served(server).body == "own");
  }
  {
    flux::Server server(test_config());
    server.route("GET", "/*path", say("everything"));
    CHECK(served(server).body == "everything");
  }
  {
    flux::Server server(test_config());
    server.route("POST", "/flux.js", say("posted"));
    CHECK(served(server).body == flux_js());
    HttpClient client(server.port());
    CHECK(client.request(post("/flux.js", "x")).body == "posted");
    CHECK(client.request("PUT /flux.js HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
              .has("Allow: GET, HEAD, POST, OPTIONS"));
  }
  std::string folder = (std::filesystem::temp_directory_path() / "flux-test-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  std::ofstream(folder + "/index.html") << "<p>hello";
  {
    flux::Server server(test_config());
    server.static_files("/", folder);
    CHECK(served(server).body == flux_js());
    HttpClient client(server.port());
    CHECK(client.request(get("/")).body == "<p>hello");
    CHECK(client.request(get("/none.js")).status == 404);
    std::ofstream(folder + "/flux.js") << "mine";
    CHECK(client.request(get("/flux.js")).body == "mine");
  }
  std::filesystem::remove(folder + "/flux.js");
  {
    flux::Server server(test_config());
    server.on_connect([](flux::ConnectRequest& request) { request.refuse("nobody may connect"); });
    server.static_files("/", folder, {.authenticated = true});
    CHECK(served(server).body == flux_js());
    HttpClient client(server.port());
    CHECK(client.request(get("/none.js")).status == 401);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace http_routes_test
