#include "catch.hpp"

#include <flux/detail/core/base64.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>
#include <flux/detail/transport/websocket_frame.hpp>
#include <flux/json.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

namespace engineio_codec_test {

using namespace flux;
using namespace flux::protocol;
using namespace std::string_view_literals;
using Added = EngineIoPayloadWriter::Added;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Read {
  std::vector<EngineIoPacket> packets;
  std::optional<Error> error;
};

/// `reader` owns the memory that the packets point into.
Read read_all(EngineIoPayloadReader& reader) {
  Read read;
  while (const auto packet = reader.next()) read.packets.push_back(*packet);
  read.error = reader.error();
  return read;
}

std::string first_error(std::string payload, const EngineIoLimits& limits = {}) {
  EngineIoPayloadReader reader(std::move(payload), limits);
  const Read read = read_all(reader);
  CHECK(!reader.next());
  return read.error ? read.error->message() : "";
}

std::string random_bytes(std::mt19937& random, std::size_t size_max) {
  std::string bytes(random() % (size_max + 1), '\0');
  for (char& c : bytes) c = static_cast<char>(random());
  return bytes;
}

EngineIoPacket text(EngineIoType type, std::string_view data = {}) { return {type, false, data}; }
EngineIoPacket bytes(std::string_view data) { return {EngineIoType::message, true, data}; }

}  // namespace

// --- Base64 ---

TEST_CASE("base64: the vectors of RFC 4648, they encode and decode", "[base64]") {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    std::string out = ">";
    append_base64(out, plain);
    CHECK(out == ">" + encoded);
    CHECK(base64_size(plain.size()) == encoded.size());
    CHECK(decode_base64(encoded) == plain);
  }
}

TEST_CASE("base64: any bytes, they survive the round trip, in place too", "[base64]") {
  std::mt19937 random(Catch::rngSeed());
  for (int i = 0; i < 2'000; ++i) {
    const std::string plain = random_bytes(random, 40);
    std::string encoded;
    append_base64(encoded, plain);
    REQUIRE(decode_base64(encoded) == plain);
    const auto size = decode_base64(encoded, encoded.data());
    REQUIRE(size == plain.size());
    REQUIRE(encoded.substr(0, *size) == plain);
  }
}

TEST_CASE("base64: non-canonical text, it is refused", "[base64]") {
  for (const std::string_view bad :
       {"Z"sv,      "Zg"sv,       "Zg="sv,      "Zg==="sv, "="sv,     "=="sv,         "==="sv,    "===="sv,
        "Z==="sv,   "=Zg="sv,     "Zg==Zg=="sv, "Zh=="sv,  "Zm9="sv,  "Zm-v"sv,       "Zm_v"sv,   "Zm 9"sv,
        "Zm9v\n"sv, "Zm9v===="sv, "Z=9v"sv,     "Zm=v"sv,  "Z\0=="sv, "\xc3\xa9=="sv, "Zm9\xff"sv}) {
    CAPTURE(bad);
    CHECK(!decode_base64(bad));
  }
  // Of all four-character texts over a part of the alphabet, exactly those that encoding produces.
  const std::string_view some = "AQgw=/\xff";
  for (const char a : some) {
    for (const char b : some) {
      for (const char c : some) {
        for (const char d : some) {
          const std::string encoded{a, b, c, d};
          const auto decoded = decode_base64(encoded);
          if (!decoded) continue;
          std::string again;
          append_base64(again, *decoded);
          REQUIRE(again == encoded);
        }
      }
    }
  }
}

// --- Packets ---

TEST_CASE("engine.io packet: each type with and without data, it is read", "[engineio]") {
  std::string decoded;
  for (int i = 0; i <= 6; ++i) {
    const auto type = static_cast<EngineIoType>(i);
    CHECK(read_engineio_text(std::to_string(i), decoded).value() == text(type));
    CHECK(read_engineio_text(std::to_string(i) + "probe", decoded).value() == text(type, "probe"));
  }
  CHECK(read_engineio_text("bAQIDBA==", decoded).value() == bytes("\x01\x02\x03\x04"));
  CHECK(read_engineio_text("b", decoded).value() == bytes(""));
}

TEST_CASE("engine.io packet: no valid type, it is refused with the reason", "[engineio]") {
  std::string decoded;
  for (const std::string_view bad : {""sv, "7"sv, "9"sv, "a4"sv, " 4"sv, "-1"sv, "\xc3\xa9"sv, "B"sv, "\0"sv}) {
    CAPTURE(bad);
    const auto read = read_engineio_text(bad, decoded);
    REQUIRE(!read);
    CHECK(read.error().code() == Errc::invalid_message);
  }
  CHECK_THAT(read_engineio_text("7", decoded).error().message(), ContainsSubstring("begins with \"7\""));
  CHECK_THAT(read_engineio_text("bAQ", decoded).error().message(), ContainsSubstring("base64"));
}

TEST_CASE("engine.io frame: text and bytes of any size, one WebSocket frame", "[engineio]") {
  for (const std::size_t size : {0u, 1u, 123u, 124u, 125u, 126u, 65'533u, 65'534u, 65'535u, 65'536u}) {
    CAPTURE(size);
    const std::string data(size, 'x');
    std::string frame, expected;
    append_engineio_frame(frame, EngineIoType::message, data);
    transport::append_frame(expected, transport::Opcode::text, "4" + data);
    CHECK(frame == expected);
    frame.clear(), expected.clear();
    append_engineio_binary_frame(frame, data);
    transport::append_frame(expected, transport::Opcode::binary, data);
    CHECK(frame == expected);
    frame.clear(), expected.clear();
    append_engineio_base64_frame(frame, data);
    std::string encoded = "b";
    append_base64(encoded, data);
    transport::append_frame(expected, transport::Opcode::text, encoded);
    CHECK(frame == expected);
  }
  std::string ping;
  append_engineio_frame(ping, EngineIoType::ping);
  CHECK(ping ==
        "\x81\x01"
        "2");
}

// --- Payloads ---

TEST_CASE("engine.io payload: the specification's examples, they are read", "[engineio]") {
  EngineIoPayloadReader first(
      "4hello\x1e"
      "2\x1e"
      "4world",
      {});
  CHECK(read_all(first).packets == std::vector{text(EngineIoType::message, "hello"), text(EngineIoType::ping),
                                               text(EngineIoType::message, "world")});
  EngineIoPayloadReader second(
      "4hello\x1e"
      "bAQIDBA==",
      {});
  CHECK(read_all(second).packets == std::vector{text(EngineIoType::message, "hello"), bytes("\x01\x02\x03\x04")});
}

TEST_CASE("engine.io payload: a bad packet, those before it are read and the error names it", "[engineio]") {
  EngineIoPayloadReader reader(
      "4a\x1e"
      "bAQ=\x1e"
      "4b",
      {});
  const Read read = read_all(reader);
  CHECK(read.packets == std::vector{text(EngineIoType::message, "a")});
  REQUIRE(read.error);
  CHECK(read.error->code() == Errc::invalid_message);
  CHECK_THAT(read.error->message(), ContainsSubstring("packet 2 of the payload"));

  CHECK_THAT(first_error(""), ContainsSubstring("packet 1 of the payload is empty"));
  CHECK_THAT(first_error("4a\x1e"), ContainsSubstring("packet 2 of the payload is empty"));
  CHECK_THAT(first_error("\x1e"
                         "4a"),
             ContainsSubstring("packet 1 of the payload is empty"));
  CHECK_THAT(first_error("4a\x1e\x1e"
                         "4a"),
             ContainsSubstring("packet 2 of the payload is empty"));
  CHECK_THAT(first_error("x4"), ContainsSubstring("begins with \"x\""));
  CHECK_THAT(first_error("4\xff"), ContainsSubstring("not valid UTF-8"));
  CHECK_THAT(first_error("4\xc3\x1e"
                         "4a"),
             ContainsSubstring("not valid UTF-8"));
  CHECK_THAT(first_error("b\xff==="), ContainsSubstring("base64"));
  CHECK(first_error("4\xc3\xa9").empty());
}

TEST_CASE("engine.io payload: its limits, values at a limit are accepted and values past it refused", "[engineio]") {
  EngineIoLimits limits;
  limits.payload_bytes_max = 8;
  limits.packets_max = 3;
  CHECK(first_error("4234567\x1e"
                    "4",
                    limits) == "the payload has 9 bytes; at most 8 are allowed");
  CHECK(first_error("423456\x1e"
                    "4",
                    limits)
            .empty());
  CHECK(first_error("4\x1e"
                    "4\x1e"
                    "4",
                    limits)
            .empty());
  CHECK(first_error("4\x1e"
                    "4\x1e"
                    "4\x1e"
                    "4",
                    limits) == "packet 4 of the payload is one too many; at most 3 are allowed");
  EngineIoPayloadReader large(std::string(9, '4'), limits);
  CHECK(!large.next());
  REQUIRE(large.error());
  CHECK(large.error()->code() == Errc::message_too_large);
}

TEST_CASE("engine.io payload: any packets, written and read back", "[engineio]") {
  std::mt19937 random(Catch::rngSeed());
  for (int round = 0; round < 300; ++round) {
    EngineIoPayloadWriter writer({});
    std::vector<std::pair<EngineIoPacket, std::string>> sent(1 + random() % 6);
    for (auto& [packet, data] : sent) {
      if (random() % 2 == 0) {
        data = random_bytes(random, 20);
        packet = {EngineIoType::message, true, data};
        REQUIRE(writer.add_binary(data) == Added::yes);
      } else {
        data = std::string(random() % 20, 'z');
        packet = {static_cast<EngineIoType>(random() % 7), false, data};
        REQUIRE(writer.add(packet.type, data) == Added::yes);
      }
    }
    CHECK(writer.packets() == sent.size());
    EngineIoPayloadReader reader(writer.take().packets, {});
    CHECK(writer.empty());
    CHECK(writer.bytes() == 0);
    for (const auto& [packet, data] : sent) REQUIRE(reader.next() == packet);
    REQUIRE(!reader.next());
    REQUIRE(!reader.error());
  }
}

TEST_CASE("engine.io payload writer: no space left, it reports that and is unchanged", "[engineio]") {
  EngineIoLimits limits;
  limits.payload_bytes_max = 10;
  limits.packets_max = 3;
  EngineIoPayloadWriter writer(limits);
  CHECK(writer.add(EngineIoType::message, "123") == Added::yes);
  CHECK(writer.add(EngineIoType::message, "123") == Added::yes);
  CHECK(writer.add(EngineIoType::noop) == Added::full);
  CHECK(writer.add_binary("") == Added::full);
  CHECK(writer.bytes() == 9);
  CHECK(writer.take().packets ==
        "4123\x1e"
        "4123");

  CHECK(writer.add_binary("abc") == Added::yes);
  CHECK(writer.add_binary("abc") == Added::full);
  CHECK(writer.add_encoded("4", 3) == Added::full);
  CHECK(writer.add_encoded("4\x1e"
                           "b",
                           2) == Added::yes);
  CHECK(writer.add(EngineIoType::noop) == Added::full);  // three packets
  CHECK(writer.take().packets ==
        "bYWJj\x1e"
        "4\x1e"
        "b");

  CHECK(writer.add(EngineIoType::message,
                   "a\x1e"
                   "4b") == Added::unsendable);
  CHECK(writer.empty());
}

namespace {

/// Everything written, in portions of `bytes`.
std::string written_out(EngineIoPayload payload, std::size_t bytes) {
  EngineIoPayloadPortions portions(std::move(payload));
  std::string all;
  bool may_go_on = true;
  for (;;) {
    const std::string portion = portions.next(bytes);
    if (portion.empty()) return all;
    REQUIRE(may_go_on);
    REQUIRE(portion.size() <= bytes);
    may_go_on = portion.size() + 8 > bytes;  // otherwise it must have been the last
    all += portion;
  }
}

}  // namespace

TEST_CASE("engine.io payload: long bytes beside text, the portions equal the payload in one piece", "[engineio]") {
  std::mt19937 random(Catch::rngSeed());
  for (int round = 0; round < 300; ++round) {
    EngineIoPayloadWriter whole({});
    EngineIoPayloadWriter apart({});
    for (auto packets = 1 + random() % 6; packets > 0; --packets) {
      const std::string data = random_bytes(random, 40);
      switch (random() % 3) {
        case 0:
          REQUIRE(whole.add_binary(data) == Added::yes);
          REQUIRE(apart.add_long(std::make_shared<const std::string>(data)) == Added::yes);
          break;
        case 1:
          REQUIRE(whole.add_binary(data) == Added::yes);
          REQUIRE(apart.add_binary(data) == Added::yes);
          break;
        default:
          REQUIRE(whole.add_encoded("4a\x1e"
                                    "4b",
                                    2) == Added::yes);
          REQUIRE(apart.add_encoded("4a\x1e"
                                    "4b",
                                    2) == Added::yes);
      }
    }
    CHECK(apart.bytes() == whole.bytes());
    const std::string expected = whole.take().packets;
    const EngineIoPayload payload = apart.take();
    CHECK(apart.empty());
    CHECK(payload.size() == expected.size());
    REQUIRE(written_out(payload, 8 + random() % 60) == expected);
    REQUIRE(written_out(payload, 10'000) == expected);
  }
  CHECK(written_out({}, 8).empty());
}

TEST_CASE("engine.io payload writer: the first long bytes do not reduce the space for others", "[engineio]") {
  EngineIoLimits limits;
  limits.payload_bytes_max = 10;
  EngineIoPayloadWriter writer(limits);
  const auto many = std::make_shared<const std::string>(3'000, 'x');
  CHECK(writer.add(EngineIoType::message, "123") == Added::yes);
  CHECK(writer.add_long(many) == Added::yes);
  CHECK(writer.add(EngineIoType::message, "12") == Added::yes);
  CHECK(writer.bytes() == 4 + 1 + 4'001 + 1 + 3);
  CHECK(writer.add(EngineIoType::message, "1") == Added::full);
  CHECK(writer.add_long(many) == Added::yes);
  CHECK(writer.add_long(many) == Added::full);
  CHECK(writer.packets() == 4);
}

TEST_CASE("engine.io payload writer: one large packet among the pending ones does not count, a second one does") {
  EngineIoLimits limits;
  limits.payload_bytes_max = 10;
  EngineIoPayloadWriter writer(limits);
  const std::string large(30, 'x');
  CHECK(writer.add(EngineIoType::message, "123") == Added::yes);
  CHECK(writer.add(EngineIoType::message, large) == Added::yes);
  CHECK(writer.add(EngineIoType::message, large) == Added::full);
  CHECK(writer.add(EngineIoType::message, "123") == Added::yes);
  CHECK(writer.add(EngineIoType::noop) == Added::full);
  CHECK(writer.take(10).packets == "4123");
  CHECK(writer.add(EngineIoType::message, large) == Added::full);  // the first is still pending
  CHECK(writer.take(10).packets == "4" + large);
  CHECK(writer.add(EngineIoType::message, large) == Added::yes);
  CHECK(writer.take(10).packets == "4123");
  CHECK(writer.take(10).packets == "4" + large);
  CHECK(writer.empty());
  CHECK(writer.bytes() == 0);
}

TEST_CASE("engine.io payload writer: taken in portions, the same packets, and no portion is too large", "[engineio]") {
  std::mt19937 random(Catch::rngSeed());
  for (int round = 0; round < 300; ++round) {
    EngineIoPayloadWriter whole({});
    EngineIoPayloadWriter portioned({});
    std::size_t largest = 0;
    for (auto packets = 1 + random() % 12; packets > 0; --packets) {
      const std::string data = random_bytes(random, 40);
      if (random() % 2 == 0) {
        REQUIRE(whole.add_binary(data) == Added::yes);
        REQUIRE(portioned.add_long(std::make_shared<const std::string>(data)) == Added::yes);
        largest = std::max(largest, 1 + base64_size(data.size()));
      } else {
        const std::string text = "4" + std::string(data.size(), 'a') + "\x1e" + "2";
        REQUIRE(whole.add_encoded(text, 2) == Added::yes);
        REQUIRE(portioned.add_encoded(text, 2) == Added::yes);
        largest = std::max(largest, 1 + data.size());
      }
    }
    const std::size_t portion = 1 + random() % 80;
    std::string joined;
    while (!portioned.empty()) {
      const std::size_t before = portioned.bytes();
      const EngineIoPayload payload = portioned.take(portion);
      const std::string text = written_out(payload, 10'000);
      REQUIRE(payload.size() == text.size());
      REQUIRE(text.size() <= std::max(portion, largest));
      const auto packets = 1 + std::count(text.begin(), text.end(), engineio_separator);
      if (text.size() > portion) REQUIRE(packets == 1);
      REQUIRE(portioned.bytes() == (portioned.empty() ? 0 : before - text.size() - 1));
      joined += (joined.empty() ? "" : "\x1e") + text;
    }
    REQUIRE(joined == whole.take().packets);
  }
}

TEST_CASE("engine.io base64 portions: their frames joined, the same message as in one frame", "[engineio]") {
  std::string frames;
  append_engineio_base64_portion(frames, "abcdef", true, false);
  append_engineio_base64_portion(frames, "ghi", false, false);
  append_engineio_base64_portion(frames, "j", false, true);
  CHECK(frames ==
        "\x01\x09"
        "bYWJjZGVm"
        "\x00\x04"
        "Z2hp"
        "\x80\x04"
        "ag=="sv);
  std::string one;
  append_engineio_base64_portion(one, "abc", true, true);
  std::string same;
  append_engineio_base64_frame(same, "abc");
  CHECK(one == same);
}

// --- Sessions ---

TEST_CASE("engine.io handshake: its JSON has the form that clients read", "[engineio]") {
  CHECK(engineio_handshake({.sid = "lv_VI97HAXpY6yYWAAAC"}) ==
        R"({"sid":"lv_VI97HAXpY6yYWAAAC","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,)"
        R"("maxPayload":1000000})");
  const std::string other = engineio_handshake({.sid = "a\"b",
                                                .websocket_upgrade = false,
                                                .ping_interval = std::chrono::milliseconds(300),
                                                .ping_timeout = std::chrono::milliseconds(200),
                                                .payload_bytes_max = 100'000'000});
  CHECK(other == R"({"sid":"a\"b","upgrades":[],"pingInterval":300,"pingTimeout":200,"maxPayload":100000000})");
  CHECK(JsonText::parse(other));
}

TEST_CASE("engine.io query: its parameters, they are read", "[engineio]") {
  const EngineIoQuery query = read_engineio_query("EIO=4&transport=polling&t=Ox1.2&sid=a%2Fb&b64=1");
  CHECK(query.version_4);
  CHECK(query.transport == EngineIoTransport::polling);
  CHECK(query.sid == "a/b");
  CHECK(query.base64);
  const EngineIoQuery none = read_engineio_query("");
  CHECK(!none.version_4);
  CHECK(!none.transport);
  CHECK(none.sid.empty());
  CHECK(!none.base64);
  CHECK(read_engineio_query("transport=websocket").transport == EngineIoTransport::websocket);
  CHECK(!read_engineio_query("transport=webtransport").transport);
  CHECK(!read_engineio_query("transport=").transport);
  CHECK(!read_engineio_query("transport=polling&transport=x").transport);
  CHECK(read_engineio_query("sid=a&sid=b").sid == "b");
  CHECK(read_engineio_query("sid=%zz").sid.empty());
  CHECK(read_engineio_query("sid=__proto__").sid == "__proto__");
  CHECK(!read_engineio_query("EIO=3").version_4);
  CHECK(!read_engineio_query("EIO=abc").version_4);
  CHECK(!read_engineio_query("EIO=44&eio=4").version_4);
  CHECK(!read_engineio_query("b64=&b64").base64);
  CHECK(read_engineio_query("&&EIO=4&=&x").version_4);
}

TEST_CASE("engine.io request: each kind of error, refused as engine.io does", "[engineio]") {
  using Refusal = EngineIoRefusal;
  using Session = std::optional<EngineIoTransport>;
  const auto polling = EngineIoTransport::polling;
  const auto websocket = EngineIoTransport::websocket;
  struct Case {
    std::string_view query, method;
    bool handshake;
    Session session;
    std::optional<Refusal> refusal;
  };
  const std::string_view poll = "EIO=4&transport=polling", socket = "EIO=4&transport=websocket";
  const std::string_view poll_a = "EIO=4&transport=polling&sid=a", socket_a = "EIO=4&transport=websocket&sid=a";
  const Case cases[] = {
      {poll, "GET", false, {}, {}},
      {socket, "GET", true, {}, {}},
      {poll_a, "GET", false, polling, {}},
      {poll_a, "POST", false, polling, {}},
      {socket_a, "GET", true, polling, {}},
      {"", "GET", false, {}, Refusal::transport_unknown},
      {"EIO=4", "GET", false, {}, Refusal::transport_unknown},
      {"EIO=4&transport=abc", "GET", false, {}, Refusal::transport_unknown},
      {"EIO=4&transport=abc&sid=a", "POST", false, polling, Refusal::transport_unknown},
      {poll_a, "GET", false, {}, Refusal::session_unknown},
      {poll_a, "PUT", false, {}, Refusal::session_unknown},
      {socket_a, "GET", true, {}, Refusal::session_unknown},
      {"transport=polling&sid=a", "GET", false, {}, Refusal::session_unknown},
      {poll, "POST", false, {}, Refusal::bad_handshake_method},
      {poll, "PUT", false, {}, Refusal::bad_handshake_method},
      {"transport=polling", "POST", false, {}, Refusal::bad_handshake_method},
      {socket, "GET", false, {}, Refusal::bad_request},
      {poll, "GET", true, {}, Refusal::bad_request},
      {poll_a, "PUT", false, polling, Refusal::bad_request},
      {poll_a, "GET", true, polling, Refusal::bad_request},
      {poll_a, "GET", false, websocket, Refusal::bad_request},
      {socket_a, "GET", false, polling, Refusal::bad_request},
      {socket_a, "GET", false, websocket, Refusal::bad_request},
      {socket_a, "GET", true, websocket, Refusal::bad_request},
      {socket_a, "POST", true, polling, Refusal::bad_request},
      {"transport=polling&sid=a", "GET", false, polling, Refusal::bad_request},
      {"EIO=3&transport=websocket&sid=a", "GET", true, polling, Refusal::bad_request},
      {"transport=polling", "GET", false, {}, Refusal::unsupported_protocol_version},
      {"EIO=3&transport=polling", "GET", false, {}, Refusal::unsupported_protocol_version},
      {"EIO=abc&transport=websocket", "GET", true, {}, Refusal::unsupported_protocol_version},
  };
  for (const Case& c : cases) {
    CAPTURE(c.query, c.method, c.handshake);
    const EngineIoQuery query = read_engineio_query(c.query);
    CHECK(check_engineio_request({query, c.method, c.handshake}, {.session = c.session}) == c.refusal);
  }
  const EngineIoQuery poll_query = read_engineio_query(poll), socket_query = read_engineio_query(socket);
  CHECK(check_engineio_request({poll_query, "GET", false}, {.polling = false}) == Refusal::transport_unknown);
  CHECK(check_engineio_request({socket_query, "GET", true}, {.websocket = false}) == Refusal::transport_unknown);
  CHECK(!check_engineio_request({socket_query, "GET", true}, {.polling = false}));
}

TEST_CASE("engine.io refusal: each has the status and body that engine.io sends", "[engineio]") {
  CHECK(engineio_refusal_body(EngineIoRefusal::transport_unknown) == R"({"code":0,"message":"Transport unknown"})");
  CHECK(engineio_refusal_body(EngineIoRefusal::session_unknown) == R"({"code":1,"message":"Session ID unknown"})");
  CHECK(engineio_refusal_body(EngineIoRefusal::bad_handshake_method) ==
        R"({"code":2,"message":"Bad handshake method"})");
  CHECK(engineio_refusal_body(EngineIoRefusal::bad_request) == R"({"code":3,"message":"Bad request"})");
  CHECK(engineio_refusal_body(EngineIoRefusal::forbidden) == R"({"code":4,"message":"Forbidden"})");
  CHECK(engineio_refusal_body(EngineIoRefusal::unsupported_protocol_version) ==
        R"({"code":5,"message":"Unsupported protocol version"})");
  CHECK(engineio_refusal_body(EngineIoRefusal::forbidden, "not \"you\"") == R"({"code":4,"message":"not \"you\""})");
  CHECK(engineio_refusal_status(EngineIoRefusal::forbidden) == 403);
  CHECK(engineio_refusal_status(EngineIoRefusal::bad_request) == 400);
  CHECK(to_string(EngineIoTransport::polling) == "polling");
  CHECK(to_string(EngineIoTransport::websocket) == "websocket");
}

TEST_CASE("engine.io payload: a long packet is read in portions, into memory that can be moved", "[engineio]") {
  const std::string bytes(300'001, 'y');
  std::string payload =
      "4first\x1e"
      "b";
  flux::protocol::append_base64(payload, bytes);
  payload +=
      "\x1e"
      "4last";
  std::string text = "ends in the middle of \xc3";
  while (text.size() < 200'000) text.insert(0, "\xe2\x82\xac and such, ");
  text += '\xa9';
  payload +=
      "\x1e"
      "4" +
      text;
  EngineIoPayloadReader reader(payload, {1'000'000, 10});
  std::size_t pauses = 0;
  std::vector<std::string> read;
  for (;;) {
    const auto packet = reader.next(20'000);
    if (!packet && reader.unfinished()) {
      ++pauses;
      CHECK(reader.owner() == nullptr);
      continue;
    }
    if (!packet) break;
    REQUIRE((reader.owner() != nullptr) == (packet->data.size() > 100));
    if (reader.owner() != nullptr) CHECK(reader.owner()->data() == packet->data.data());
    read.push_back(reader.owner() != nullptr ? std::move(*reader.owner()) : std::string(packet->data));
  }
  CHECK_FALSE(reader.error());
  CHECK(read == std::vector<std::string>{"first", bytes, "last", text});
  CHECK(pauses >= 15);
}

TEST_CASE("engine.io payload: long text that is not UTF-8, refused wherever the error is", "[engineio]") {
  for (const std::size_t at : {std::size_t{0}, std::size_t{70'000}, std::size_t{99'999}}) {
    std::string text(100'000, 'x');
    text[at] = '\xc3';
    EngineIoPayloadReader reader("4" + text, {1'000'000, 10});
    while (!reader.next(20'000) && reader.unfinished()) {
    }
    REQUIRE(reader.error());
    CHECK_FALSE(reader.unfinished());
    CHECK_THAT(reader.error()->message(), ContainsSubstring("packet 1 of the payload is not valid UTF-8"));
    CHECK_FALSE(reader.next());
  }
}

TEST_CASE("engine.io payload: message size limit, bytes count decoded, text with its type", "[engineio]") {
  for (const std::size_t size : {std::size_t{10}, std::size_t{100'000}, std::size_t{100'001}}) {
    const EngineIoLimits limits{1'000'000, 10, size};
    const auto error_of = [&](const std::string& bytes) {
      std::string payload = "b";
      flux::protocol::append_base64(payload, bytes);
      return first_error(payload, limits);
    };
    CHECK(error_of(std::string(size, 'x')).empty());
    CHECK(error_of(std::string(size + 1, 'x')) == "packet 1 of the payload has " + std::to_string(size + 1) +
                                                      " bytes; at most " + std::to_string(size) + " are allowed");
    CHECK(first_error("4" + std::string(size - 1, 'x'), limits).empty());
    CHECK_THAT(first_error("4" + std::string(size, 'x'), limits), ContainsSubstring("are allowed"));
  }
}

}  // namespace engineio_codec_test
