#include "catch.hpp"

#include <flux/detail/core/ip_address.hpp>

namespace ip_address_test {

using namespace flux::core;

namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
bool in_range(std::string_view range, std::string_view address) {
  return IpRange::parse(range).value().contains(ip(address));
}

}  // namespace

TEST_CASE("ip address: text is parsed and written back, IPv4 inside IPv6 is IPv4", "[ip]") {
  for (const char* text : {"192.0.2.7", "0.0.0.0", "255.255.255.255", "::", "::1", "2001:db8::7", "fe80::1"}) {
    CHECK(ip(text).text() == text);
  }
  CHECK(ip("2001:0DB8:0:0:0:0:0:7").text() == "2001:db8::7");
  CHECK(ip("::ffff:192.0.2.7") == ip("192.0.2.7"));
  CHECK(ip("fe80::1%1").text() == "fe80::1");
  CHECK(IpAddress() == ip("::"));
  CHECK(ip("192.0.2.7").is_v4());
  CHECK_FALSE(ip("::1").is_v4());
}

TEST_CASE("ip address: invalid text gives none", "[ip]") {
  for (const char* text : {"", "localhost", "192.0.2", "192.0.2.256", "192.0.2.7:80", "1.2.3.4.5", ":::", "[::1]",
                           "2001:db8::7::1", " 192.0.2.7", "192.0.2.7 ", "unknown", "_hidden", "12345"}) {
    INFO(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
  CHECK_FALSE(IpAddress::parse(std::string(5000, '1')));
  CHECK_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)));
}

TEST_CASE("ip address: loopback is 127.0.0.0/8 and ::1", "[ip]") {
  for (const char* text : {"127.0.0.1", "127.255.0.3", "::1", "::ffff:127.0.0.1"}) CHECK(ip(text).is_loopback());
  for (const char* text : {"126.255.255.255", "128.0.0.1", "::", "::2", "2001:db8::1"}) {
    CHECK_FALSE(ip(text).is_loopback());
  }
}

TEST_CASE("ip address: a client is counted by its IPv4 address, or by its /64", "[ip]") {
  CHECK(ip("192.0.2.7").client_network() == ip("192.0.2.7"));
  CHECK(ip("2001:db8:1:2:3:4:5:6").client_network() == ip("2001:db8:1:2::"));
  CHECK(ip("2001:db8:1:2:ffff::").client_network() == ip("2001:db8:1:2::1").client_network());
  CHECK(ip("2001:db8:1:3::1").client_network() != ip("2001:db8:1:2::1").client_network());
}

TEST_CASE("ip range: the prefix decides, and a single address is a range of one", "[ip]") {
  CHECK(in_range("10.0.0.0/8", "10.255.3.4"));
  CHECK_FALSE(in_range("10.0.0.0/8", "11.0.0.0"));
  CHECK(in_range("172.16.0.0/12", "172.31.255.255"));
  CHECK_FALSE(in_range("172.16.0.0/12", "172.32.0.0"));
  CHECK(in_range("192.0.2.7", "192.0.2.7"));
  CHECK_FALSE(in_range("192.0.2.7", "192.0.2.6"));
  CHECK(in_range("0.0.0.0/0", "203.0.113.9"));
  CHECK_FALSE(in_range("0.0.0.0/0", "2001:db8::1"));
  CHECK(in_range("2001:db8::/33", "2001:db8:7fff::1"));
  CHECK_FALSE(in_range("2001:db8::/33", "2001:db8:8000::1"));
  CHECK(in_range("::1/128", "::1"));
}

TEST_CASE("ip range: invalid text is refused, and a prefix with host bits set too", "[ip]") {
  for (const char* text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/ 8",
                           "10.0.0.1/8", "2001:db8::/129", "2001:db8::1/32", "example.org"}) {
    INFO(text);
    CHECK_FALSE(IpRange::parse(text));
  }
}

TEST_CASE("client address: with a port if there is one", "[ip]") {
  for (const char* text : {"192.0.2.7:49152", "[2001:db8::7]:1", "192.0.2.7", "2001:db8::7"}) {
    CHECK(ClientAddress::parse(text).value().text() == text);
  }
  CHECK(ClientAddress::parse("[2001:db8::7]").value().text() == "2001:db8::7");
  CHECK(ClientAddress::parse("192.0.2.7:49152").value().port == 49152);
  for (const char* text : {"", ":80", "192.0.2.7:", "192.0.2.7:65536", "192.0.2.7:8x", "[192.0.2.7]:80", "[::1", "[]",
                           "[::1]80", "[::1]:", "example.org:80", "unknown"}) {
    INFO(text);
    CHECK_FALSE(ClientAddress::parse(text));
  }
}

}  // namespace ip_address_test
