// Router: which handler answers which request.
#include "catch.hpp"

#include <flux/detail/transport/router.hpp>

#include <filesystem>
#include <string>

namespace router_test {

using flux::transport::PathCaptures;
using flux::transport::RouteMatch;
using flux::transport::Router;

namespace {

flux::HttpHandler any_handler() {
  return [](const flux::HttpExchange&) {};
}

/// The pattern is identified by the limit that the route was added with.
std::uint64_t tag_of(const Router& router, std::string_view method, std::string_view path) {
  PathCaptures captures;
  const RouteMatch match = router.match(method, path, captures);
  return match.route == nullptr ? 0 : match.route->options.body_bytes_max.value_or(0);
}

flux::Errc add_error(Router& router, std::string_view method, std::string_view pattern,
                     flux::HttpHandler handler = any_handler()) {
  try {
    router.add(method, pattern, std::move(handler));
  } catch (const flux::Error& error) {
    return error.code();
  }
  return flux::Errc::server_error;  // nothing was thrown
}

}  // namespace

TEST_CASE("router: a literal, a parameter and a rest match one path, the more literal one wins") {
  Router router;
  router.add("GET", "/files/*rest", any_handler(), {3});
  router.add("GET", "/files/{id}", any_handler(), {2});
  router.add("GET", "/files/new", any_handler(), {1});
  CHECK(tag_of(router, "GET", "/files/new") == 1);
  CHECK(tag_of(router, "GET", "/files/7") == 2);
  CHECK(tag_of(router, "GET", "/files/7/8") == 3);
}

TEST_CASE("router: a pattern has parameters, the match captures them") {
  Router router;
  router.add("GET", "/rooms/{room}/files/*file", any_handler());
  PathCaptures captures;
  const std::string path = "/rooms/blue/files/a/b.txt";
  REQUIRE(router.match("GET", path, captures).route != nullptr);
  CHECK(captures.find("room") == "blue");
  CHECK(captures.find("file") == "a/b.txt");
}

TEST_CASE("router: the best pattern lacks the method, the next one that has it answers") {
  Router router;
  router.add("POST", "/items/new", any_handler(), {1});
  router.add("GET", "/items/{id}", any_handler(), {2});
  CHECK(tag_of(router, "POST", "/items/new") == 1);
  CHECK(tag_of(router, "GET", "/items/new") == 2);
}

TEST_CASE("router: HEAD without a handler, GET's answers; its own has precedence") {
  Router router;
  router.add("GET", "/a", any_handler(), {1});
  router.add("GET", "/b", any_handler(), {2});
  router.add("HEAD", "/b", any_handler(), {3});
  CHECK(tag_of(router, "HEAD", "/a") == 1);
  CHECK(tag_of(router, "HEAD", "/b") == 3);
}

TEST_CASE("router: no handler for the path, 404; for the method, 405 with the allowed ones") {
  Router router;
  router.add("GET", "/a", any_handler());
  router.add("PUT", "/{name}", any_handler());
  PathCaptures captures;
  CHECK(router.match("GET", "/a/b", captures).status == 404);
  const RouteMatch match = router.match("DELETE", "/a", captures);
  CHECK(match.route == nullptr);
  CHECK(match.status == 405);
  CHECK(match.allow == "GET, HEAD, PUT, OPTIONS");
  CHECK(router.match("get", "/a", captures).status == 405);
}

TEST_CASE("router: OPTIONS without a handler, 204 with the methods allowed there, or anywhere for *") {
  Router router;
  router.add("GET", "/a", any_handler());
  router.add("POST", "/b", any_handler());
  router.add("OPTIONS", "/own", any_handler(), {1});
  PathCaptures captures;
  CHECK(router.match("OPTIONS", "/a", captures).status == 204);
  CHECK(router.match("OPTIONS", "/a", captures).allow == "GET, HEAD, OPTIONS");
  CHECK(router.match("OPTIONS", "*", captures).allow == "OPTIONS, GET, HEAD, POST");
  CHECK(router.match("OPTIONS", "/none", captures).status == 404);
  CHECK(tag_of(router, "OPTIONS", "/own") == 1);
}

TEST_CASE("router: an invalid route is added, bad_config") {
  Router router;
  router.add("GET", "/a/{id}", any_handler());
  CHECK(add_error(router, "GET", "no-slash") == flux::Errc::bad_config);
  CHECK(add_error(router, "GE T", "/b") == flux::Errc::bad_config);
  CHECK(add_error(router, "", "/b") == flux::Errc::bad_config);
  CHECK(add_error(router, "CONNECT", "/b") == flux::Errc::bad_config);
  CHECK(add_error(router, "GET", "/b", nullptr) == flux::Errc::bad_config);
  CHECK(add_error(router, "GET", "/a/{other}") == flux::Errc::bad_config);
  CHECK(add_error(router, "PUT", "/a/{other}") == flux::Errc::server_error);
}

TEST_CASE("router: a standard method in small letters is refused with the right one; other methods may have any case") {
  flux::transport::Router router;
  for (const char* method : {"get", "Post", "delete", "pAtch"}) {
    try {
      router.add(method, "/a", [](const flux::HttpExchange&) {});
      FAIL(method);
    } catch (const flux::Error& error) {
      CHECK(error.code() == flux::Errc::bad_config);
      CHECK_THAT(error.message(),
                 Catch::Matchers::StartsWith("route " + std::string(method) + " /a: the method must be in capitals") &&
                     Catch::Matchers::Matches(".*\"(GET|POST|DELETE|PATCH)\""));
    }
  }
  CHECK_NOTHROW(router.add("purge", "/a", [](const flux::HttpExchange&) {}));
}

TEST_CASE("router: a static folder serves GET and HEAD at its prefix and below") {
  Router router;
  router.add_static("/files/", std::filesystem::temp_directory_path().string());
  PathCaptures captures;
  const std::string path = "/files/a/b.css";
  const RouteMatch match = router.match("GET", path, captures);
  REQUIRE(match.route != nullptr);
  CHECK(match.route->files != nullptr);
  CHECK(captures.all().back().second == "a/b.css");
  CHECK(router.match("HEAD", "/files/", captures).route == match.route);
  CHECK(router.match("GET", "/files", captures).status == 404);
  CHECK(router.match("POST", path, captures).allow == "GET, HEAD, OPTIONS");
}

TEST_CASE("router: a static folder that does not exist, has a parameter in its prefix or is taken: bad_config") {
  const std::string folder = std::filesystem::temp_directory_path().string();
  Router router;
  CHECK_THROWS_AS(router.add_static("/x", folder + "/flux-no-such-folder"), flux::Error);
  CHECK_THROWS_AS(router.add_static("/{x}", folder), flux::Error);
  router.add_static("/", folder);
  CHECK_THROWS_AS(router.add_static("/", folder), flux::Error);
  CHECK_THROWS_AS(router.add("GET", "/*rest", any_handler()), flux::Error);
}

TEST_CASE("router: a route that yields, any other that answers there has precedence") {
  Router router;
  PathCaptures captures;
  router.add_yielding("/x", any_handler());
  const RouteMatch yielding = router.match("HEAD", "/x", captures);
  REQUIRE(yielding.route != nullptr);
  CHECK(yielding.route->yields);
  CHECK_FALSE(router.has("/x"));
  CHECK(router.match("POST", "/x", captures).allow == "GET, HEAD, OPTIONS");
  router.add("POST", "/x", any_handler(), {1});
  CHECK(tag_of(router, "POST", "/x") == 1);
  CHECK(router.match("GET", "/x", captures).route->yields);
  router.add_static("/", std::filesystem::temp_directory_path().string());
  CHECK(router.match("GET", "/x", captures).route->yields);
  CHECK(captures.all().empty());
  CHECK(router.match("GET", "/y", captures).route->files != nullptr);
  router.add("GET", "/{name}", any_handler(), {2});
  CHECK(tag_of(router, "GET", "/x") == 2);
  router.add("GET", "/x", any_handler(), {3});
  CHECK(tag_of(router, "GET", "/x") == 3);
  CHECK(add_error(router, "GET", "/x") == flux::Errc::bad_config);
}

}  // namespace router_test
