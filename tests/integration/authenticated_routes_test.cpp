// HTTP routes and static files that ask who the client is.
#include "support/server.hpp"
#include "support/temp_folder.hpp"

#include <stdexcept>

namespace authenticated_routes_test {

using namespace flux_test;
using flux::HttpExchange;

namespace {

constexpr std::string_view ann = "Authorization: Bearer ann\r\n";

/// Routes that answer with the client's user id, behind a connect handler whose answer follows from the token.
struct Site {
  explicit Site(std::chrono::milliseconds answer_timeout = patience) : server(config(answer_timeout)) {
    server.on_connect([this](flux::ConnectRequest& request) {
      ++asked;
      CHECK(request.protocol() == "http");
      const std::string token = request.token();
      if (token.empty()) return request.refuse("log in first");
      if (token == "banned") return request.refuse("you may not", flux::Errc::forbidden);
      if (token == "throws") throw std::runtime_error("thrown on purpose");
      if (token == "later") return question.set(request.later());
      request.accept({.user_id = token});
    });
    const auto who = [](const HttpExchange& exchange) { exchange.respond(200, exchange.identity().user_id); };
    const auto body = [](const HttpExchange& exchange) {
      exchange.read_body(
          [exchange](const std::string& text) { exchange.respond(200, exchange.identity().user_id + " " + text); });
    };
    server.route("GET", "/open", who);
    server.route("GET", "/me", who, {.authenticated = true});
    server.route("POST", "/me", body, {.authenticated = true});
    server.route("GET", "/throws", [](const HttpExchange&) { throw std::runtime_error("thrown on purpose"); },
                 {.authenticated = true});
  }
  HttpReply reply(const std::string& request) const { return HttpClient(server.port()).request(request); }

  int asked = 0;
  Awaited<flux::LaterAnswer> question;
  flux::Server server;

 private:
  static flux::Config config(std::chrono::milliseconds answer_timeout) {
    auto config = test_config();
    config.limits.answer_timeout = answer_timeout;
    return config;
  }
};

}  // namespace

TEST_CASE("authenticated routes: the connect handler is asked before the route's handler, which knows the client") {
  Site site;
  site.server.start();
  HttpClient client(site.server.port());
  CHECK(client.request(get("/me", ann)).body == "ann");
  CHECK(client.request(get("/me?access_token=", ann)).body == "ann");
  CHECK(client.request(get("/me", "Authorization: Bearer bob\r\n")).body ==
        "bob");  // of this request, not the last one
  CHECK(client.request(get("/open", ann)).body.empty());
  CHECK(site.asked == 3);
}

TEST_CASE("authenticated routes: a refused client gets 401 or 403 with the reason, and the connection stays") {
  Site site(100ms);
  site.server.start();
  HttpClient client(site.server.port());
  const auto stranger = client.request(get("/me"));
  CHECK(stranger.status == 401);
  CHECK(stranger.body == "log in first");
  CHECK(stranger.has("WWW-Authenticate: Bearer"));
  const auto banned = client.request(get("/me?access_token=banned"));
  CHECK(banned.status == 403);
  CHECK(banned.body == "you may not");
  CHECK(client.request(get("/me?access_token=throws")).status == 500);
  const auto late = client.request(get("/me?access_token=later"));
  CHECK(late.status == 503);
  CHECK(late.has("Retry-After: 1"));
  CHECK(client.request(get("/me", ann)).body == "ann");
}

TEST_CASE("authenticated routes: the body waits for the answer, and is not read if the client is refused") {
  Site site;
  site.server.start();
  HttpClient client(site.server.port());
  CHECK(client.request(post("/me", "hello", ann)).body == "ann hello");
  client.send(post("/me", "hello again", "Authorization: Bearer later\r\n"));
  std::thread([answer = site.question.get()] { answer.accept({.user_id = "bob"}); }).join();
  CHECK(client.reply().body == "bob hello again");
  client.send(post("/me", get("/open", ann)));  // a body that could be taken for a request
  CHECK(client.reply().status == 401);
  CHECK(client.to_end().empty());
}

TEST_CASE("authenticated routes: a client that expects 100 is told to send its body once it is accepted") {
  Site site;
  site.server.start();
  const std::string expects = "Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n";
  HttpClient client(site.server.port());
  client.send("POST /me HTTP/1.1\r\nHost: h\r\n" + std::string(ann) + expects + "\r\n");
  CHECK(client.reply().status == 100);
  client.send("hi");
  CHECK(client.reply().body == "ann hi");
  CHECK(site.reply("POST /me HTTP/1.1\r\nHost: h\r\n" + expects + "\r\n").status == 401);
}

TEST_CASE("authenticated routes: a handler that throws after a later answer, 500; a client that leaves is forgotten") {
  Site site;
  site.server.start();
  HttpClient client(site.server.port());
  SECTION("throws") {
    client.send(get("/throws?access_token=later"));
    site.question.get().accept({.user_id = "bob"});
    CHECK(client.reply().status == 500);
    CHECK(client.request(get("/me", ann)).body == "ann");
  }
  SECTION("leaves") {
    client.send(get("/me?access_token=later"));
    const auto answer = site.question.get();
    client.reset();
    REQUIRE(eventually([&] { return site.server.stats().connections_now == 0; }));
    answer.accept({.user_id = "bob"});
    CHECK(site.reply(get("/me", ann)).body == "ann");
  }
}

TEST_CASE("authenticated routes: static files, too") {
  Site site;
  const TempFolder folder;
  write_bytes(folder / "page.txt", "hello");
  site.server.static_files("/closed", folder.path().string(), {.authenticated = true});
  site.server.static_files("/public", folder.path().string());
  site.server.start();
  CHECK(site.reply(get("/closed/page.txt")).status == 401);
  CHECK(site.reply(get("/closed/none.txt")).status == 401);
  CHECK(site.reply(get("/closed/page.txt", ann)).body == "hello");
  CHECK(site.reply(get("/public/page.txt")).body == "hello");
}

TEST_CASE("authenticated routes: without a connect handler a token is verified, and clients without one are refused") {
  flux::Server server(test_config());
  server.on_token([](flux::TokenRequest& request) {
    if (request.token() == "bad") return request.refuse("no");
    request.accept({.user_id = request.token()});
  });
  server.route("GET", "/me",
               [](const HttpExchange& exchange) { exchange.respond(200, "user " + exchange.grant().identity.user_id); },
               {.authenticated = true});
  server.start();
  HttpClient client(server.port());
  CHECK(client.request(get("/me", ann)).body == "user ann");
  CHECK(client.request(get("/me?access_token=bad")).status == 401);
  CHECK(client.request(get("/me")).status == 401);
}

TEST_CASE("authenticated routes: a server that could ask nobody does not start, and says which route needs it") {
  const TempFolder folder;
  const auto start_error = [](const auto& add_to) {
    flux::Server server(test_config());
    add_to(server);
    return thrown_by([&] { server.start(); });
  };
  const auto [route_code, route_text] = start_error(
      [](flux::Server& server) { server.route("POST", "/me", [](const HttpExchange&) {}, {.authenticated = true}); });
  CHECK(route_code == flux::Errc::bad_config);
  CHECK(route_text ==
        "route POST /me is authenticated, but nobody can log in: add a flux::Auth, or set on_connect or on_token");
  const auto [files_code, files_text] = start_error(
      [&](flux::Server& server) { server.static_files("/closed", folder.path().string(), {.authenticated = true}); });
  CHECK(files_code == flux::Errc::bad_config);
  CHECK_THAT(files_text, Catch::Matchers::ContainsSubstring("/closed/"));
}

TEST_CASE(
    "authenticated routes: a page of another origin may read, but its other requests get 403 before anybody is asked") {
  Site site;
  site.server.start();
  HttpClient client(site.server.port());
  const std::string elsewhere = std::string(ann) + "Origin: https://elsewhere.example\r\n";
  CHECK(client.request(get("/me", elsewhere)).status == 200);
  CHECK(client.request(post("/me", "hello", std::string(ann) + "Origin: http://h\r\n")).status == 200);
  const int asked = site.asked;
  CHECK(client.request(post("/me", "hello", elsewhere)).status == 403);
  CHECK(client.to_end().empty());  // the body is not read
  CHECK(site.reply(post("/me", "hello", std::string(ann) + "Sec-Fetch-Site: cross-site\r\n")).status == 403);
  CHECK(site.asked == asked);
}

TEST_CASE("authenticated routes: a client that ends its stream inside the body of a later request is disconnected") {
  Site site;
  Awaited<HttpExchange> slow;
  site.server.route("GET", "/slow", [&](const HttpExchange& exchange) { slow.set(exchange); });
  site.server.start();
  HttpClient client(site.server.port());
  client.send(get("/slow") +
              "POST /me HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer later\r\nContent-Length: 10\r\n\r\n");
  client.end();
  slow.get().respond(200, "slow");
  CHECK(client.reply().body == "slow");
  site.question.get().accept({.user_id = "bob"});
  CHECK(client.to_end().empty());
  CHECK(site.reply(get("/me", ann)).body == "ann");
}

TEST_CASE("routes: a cookie is read by its name, without quotes around its value") {
  flux::Server server(test_config());
  server.route("GET", "/",
               [](const HttpExchange& exchange) { exchange.respond(200, exchange.cookie("b").value_or("-")); });
  server.start();
  HttpClient client(server.port());
  CHECK(client.request(get("/")).body == "-");
  CHECK(client.request(get("/", "Cookie: a=1; b=\"2\"; b=3\r\n")).body == "2");
  CHECK(client.request(get("/", "Cookie: bb=1;b=\r\n")).body.empty());
}

}  // namespace authenticated_routes_test
