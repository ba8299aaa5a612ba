#include "catch.hpp"

#include <flux/gate/origin.hpp>

using flux::gate::origin_allowed;

TEST_CASE("origin: with no list, or a star in it, every origin may", "[origin]") {
  CHECK(origin_allowed({}, "https://evil.example"));
  CHECK(origin_allowed({"https://app.example.com", "*"}, "https://evil.example"));
  CHECK(origin_allowed({"*"}, "null"));
}

TEST_CASE("origin: only what is on the list may, as a whole", "[origin]") {
  const std::vector<std::string> list = {"https://app.example.com", "http://localhost:8080"};
  CHECK(origin_allowed(list, "https://app.example.com"));
  CHECK(origin_allowed(list, "http://localhost:8080"));
  for (const char* origin :
       {"", "null", "*", "http://app.example.com", "https://app.example.com:444", "https://app.example.com/",
        "https://app.example.com.evil.example", "https://evil.example/https://app.example.com",
        "https://sub.app.example.com", "HTTPS://APP.EXAMPLE.COM", "http://localhost"}) {
    INFO(origin);
    CHECK_FALSE(origin_allowed(list, origin));
  }
}

TEST_CASE("origin: a request without one comes from no page and may", "[origin]") {
  CHECK(origin_allowed({"https://app.example.com"}, std::nullopt));
}
