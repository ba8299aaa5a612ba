#include "catch.hpp"

#include <flux/detail/endpoints/socketio/engineio_opening.hpp>
#include <flux/detail/transport/http_parser.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace engineio_opening_test {

using namespace flux;
using detail::EngineIoCommonFields;
using detail::EngineIoOpening;

namespace {

transport::HttpHead head_of(std::string_view fields) {
  transport::HttpRequestParser parser;
  const std::string text =
      "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: example.org\r\n" + std::string(fields) + "\r\n";
  std::string_view rest = text;
  parser.next(rest);
  return parser.take_head();
}

struct Openings {
  EngineIoCommonFields common;
  std::shared_ptr<const EngineIoOpening> open(std::string_view fields, std::string_view address = "192.0.2.7:49152") {
    return std::make_shared<const EngineIoOpening>(head_of(fields), address, common);
  }
};

constexpr std::string_view chromium =
    "Connection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n"
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0\r\n"
    "Upgrade: websocket\r\nOrigin: https://example.org\r\nSec-WebSocket-Version: 13\r\n"
    "sec-ch-ua-mobile: ?0\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nAccept-Language: en-US,en;q=0.9\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";

}  // namespace

TEST_CASE("engine.io opening: every field except those of the handshake is available, shared or not", "[engineio]") {
  Openings openings;
  const auto opening =
      openings.open(std::string(chromium) + "Cookie: a=1\r\nX-Mine: one\r\nCookie: b=2\r\nX-Empty:\r\n");
  CHECK(opening->query() == "EIO=4&transport=websocket");
  CHECK(opening->remote_address() == "192.0.2.7:49152");
  CHECK(opening->header("host") == "example.org");
  CHECK(opening->header("ORIGIN") == "https://example.org");
  CHECK(opening->header("Sec-Ch-Ua-Mobile") == "?0");
  CHECK(opening->header("accept-language") == "en-US,en;q=0.9");
  CHECK(opening->header("cookie") == "a=1");
  CHECK(opening->header("x-mine") == "one");
  CHECK(opening->header("x-empty") == "");
  for (const char* none : {"upgrade", "connection", "sec-websocket-key", "sec-websocket-extensions", "accept"}) {
    CHECK(!opening->header(none));
  }
  CHECK(opening->headers().size() == 12);
  std::vector<std::string> cookies;
  for (const auto& [name, value] : opening->headers()) {
    if (name == "Cookie") cookies.push_back(value);
  }
  CHECK(cookies == std::vector<std::string>{"a=1", "b=2"});
}

TEST_CASE("engine.io opening: fields equal in two browsers are stored once, others separately", "[engineio]") {
  Openings openings;
  const auto one = openings.open(std::string(chromium) + "Cookie: a=1\r\n", "192.0.2.7:1");
  const auto two = openings.open(std::string(chromium) + "Cookie: a=2\r\n", "192.0.2.7:2");
  const auto other = openings.open("User-Agent: curl/7.88.1\r\nCookie: a=1\r\n");
  CHECK(one->header("user-agent")->data() == two->header("user-agent")->data());
  CHECK(one->header("host")->data() == two->header("host")->data());
  CHECK(one->header("cookie")->data() != two->header("cookie")->data());
  CHECK(two->header("cookie") == "a=2");
  CHECK(two->remote_address() == "192.0.2.7:2");
  CHECK(other->header("user-agent") == "curl/7.88.1");
}

TEST_CASE("engine.io opening: fields that outlive their table remain valid", "[engineio]") {
  auto openings = std::make_unique<Openings>();
  const auto opening = openings->open(chromium);
  openings.reset();
  CHECK(opening->header("origin") == "https://example.org");
}

TEST_CASE("engine.io common fields: the table is full, new fields are not shared until some are released",
          "[engineio]") {
  EngineIoCommonFields common;
  std::vector<std::shared_ptr<const std::string>> held;
  for (std::size_t i = 0; i < EngineIoCommonFields::texts_max; ++i) held.push_back(common.share(std::to_string(i)));
  CHECK(common.share("7") == held[7]);
  const auto one = common.share("one more");
  CHECK(*one == "one more");
  CHECK(common.share("one more") != one);
  held.pop_back();
  const auto shared = common.share("one more");
  CHECK(common.share("one more") == shared);
  CHECK(common.share("7") == held[7]);

  const std::string long_text(EngineIoCommonFields::text_bytes_max + 1, 'x');
  const auto long_one = common.share(long_text);
  CHECK(*long_one == long_text);
  CHECK(common.share(long_text) != long_one);
}

}  // namespace engineio_opening_test
