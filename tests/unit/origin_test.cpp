#include "catch.hpp"

#include <flux/gate/origin.hpp>

using flux::gate::check_origins;
using flux::gate::is_origin;
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

TEST_CASE("origin: an entry of the list is one as browsers send it, any other is refused by its name", "[origin]") {
  for (const char* entry : {"*", "null", "https://app.example.com", "http://localhost:8080", "http://[::1]:8080",
                            "https://192.0.2.7", "http://h:443", "capacitor://localhost"}) {
    INFO(entry);
    CHECK(is_origin(entry));
  }
  for (const char* entry :
       {"", "app.example.com", "app.example.com:443", "https://", "://app.example.com", "https://app.example.com/",
        "https://app.example.com/chat", "https://App.example.com", "HTTPS://app.example.com", "https://*.example.com",
        "https://app.example.com:443", "http://app.example.com:80", "https://ada@app.example.com",
        "https://app.example.com https://other.example.com"}) {
    INFO(entry);
    CHECK_FALSE(is_origin(entry));
  }
  CHECK_NOTHROW(check_origins("Config::origins", {"*", "https://app.example.com"}));
  CHECK_THROWS_WITH(check_origins("Config::origins", {"https://app.example.com", "other.example.com"}),
                    Catch::Matchers::StartsWith("Config::origins: \"other.example.com\" is no origin"));
}
