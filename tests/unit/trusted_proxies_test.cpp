#include "catch.hpp"

#include <flux/detail/transport/http_parser.hpp>
#include <flux/detail/transport/trusted_proxies.hpp>
#include <flux/error.hpp>

namespace trusted_proxies_test {

using namespace flux;
using transport::TrustedProxies;

namespace {

const std::vector<std::string> ours{"10.0.0.0/8", "2001:db8:1::/48"};

std::string client(std::string_view fields, std::string_view peer = "10.0.0.1:5000") {
  transport::HttpRequestParser parser;
  const std::string text = "GET / HTTP/1.1\r\nHost: example.org\r\n" + std::string(fields) + "\r\n";
  std::string_view rest = text;
  parser.next(rest);
  const TrustedProxies proxies("Config::trusted_proxies", ours);
  return proxies.client(core::ClientAddress::parse(peer).value(), parser.take_head()).text();
}

}  // namespace

TEST_CASE("trusted proxies: the client named by X-Forwarded-For, read from its end", "[proxies]") {
  CHECK(client("X-Forwarded-For: 203.0.113.9\r\n") == "203.0.113.9");
  CHECK(client("X-Forwarded-For: 203.0.113.9:6000\r\n") == "203.0.113.9:6000");
  CHECK(client("X-Forwarded-For: 2001:db8::9\r\n") == "2001:db8::9");
  CHECK(client("X-Forwarded-For:  198.51.100.1 ,\t203.0.113.9 , 10.9.9.9\r\n") == "203.0.113.9");
  CHECK(client("X-Forwarded-For: 198.51.100.1\r\nX-Forwarded-For: 203.0.113.9\r\n") == "203.0.113.9");
  CHECK(client("X-Forwarded-For: 203.0.113.9\r\n", "[2001:db8:1::5]:443") == "203.0.113.9");
  CHECK(client("X-Forwarded-For: 10.3.3.3, 10.2.2.2\r\n") == "10.3.3.3");  // it comes from inside
}

TEST_CASE("trusted proxies: forged entries in front of the proxy's are ignored", "[proxies]") {
  CHECK(client("X-Forwarded-For: 192.0.2.66, 203.0.113.9\r\n") == "203.0.113.9");
  CHECK(client("X-Forwarded-For: nonsense, \"10.0.0.1, 203.0.113.9\r\n") == "203.0.113.9");
  CHECK(client("Forwarded: for=\"nonsense, for=203.0.113.9\r\n") == "203.0.113.9");
}

TEST_CASE("trusted proxies: from an untrusted peer the fields are ignored", "[proxies]") {
  CHECK(client("X-Forwarded-For: 203.0.113.9\r\n", "198.51.100.7:40000") == "198.51.100.7:40000");
  CHECK(client("Forwarded: for=203.0.113.9\r\n", "198.51.100.7:40000") == "198.51.100.7:40000");
  CHECK(client("X-Forwarded-For: 203.0.113.9\r\n", "[2001:db8:2::5]:443") == "[2001:db8:2::5]:443");
}

TEST_CASE("trusted proxies: Forwarded of RFC 7239", "[proxies]") {
  CHECK(client("Forwarded: for=203.0.113.9\r\n") == "203.0.113.9");
  CHECK(client("Forwarded: proto=https; For=\"[2001:db8::9]:4711\" ;by=10.0.0.1\r\n") == "[2001:db8::9]:4711");
  CHECK(client("Forwarded: for=192.0.2.66, for=203.0.113.9;proto=http, for=10.1.1.1\r\n") == "203.0.113.9");
  for (const char* hidden : {"unknown", "_gazonk", "\"\"", ""}) {
    CHECK(client("Forwarded: for=" + std::string(hidden) + "\r\n") == "10.0.0.1:5000");
  }
  CHECK(client("Forwarded: proto=https\r\n") == "10.0.0.1:5000");
}

TEST_CASE("trusted proxies: an unreadable list gives the peer's address", "[proxies]") {
  CHECK(client("") == "10.0.0.1:5000");
  for (const char* list : {"", "nonsense", "203.0.113.9,", "203.0.113.9, 10.0.0.300", "203.0.113.9, , 10.1.1.1"}) {
    INFO(list);
    CHECK(client("X-Forwarded-For: " + std::string(list) + "\r\n") == "10.0.0.1:5000");
  }
}

TEST_CASE("trusted proxies: one of two fields may be the client's own, so they must agree", "[proxies]") {
  CHECK(client("X-Forwarded-For: 203.0.113.9\r\nForwarded: for=192.0.2.66\r\n") == "10.0.0.1:5000");
  CHECK(client("X-Forwarded-For: 203.0.113.9\r\nForwarded: nonsense\r\n") == "10.0.0.1:5000");
  CHECK(client("X-Forwarded-For: 203.0.113.9\r\nForwarded: for=\"203.0.113.9:99\"\r\n") == "203.0.113.9:99");
}

TEST_CASE("trusted proxies: an entry that is neither an address nor a range is named in the error", "[proxies]") {
  for (const char* bad : {"proxy.example", "10.0.0.1/8", ""}) {
    try {
      TrustedProxies("Config::trusted_proxies", {"10.0.0.0/8", bad});
      FAIL("taken: " << bad);
    } catch (const Error& error) {
      CHECK(error.code() == Errc::bad_config);
      CHECK(error.message().starts_with("Config::trusted_proxies takes addresses and ranges"));
      CHECK(error.message().ends_with("not \"" + std::string(bad) + "\""));
    }
  }
}

}  // namespace trusted_proxies_test
