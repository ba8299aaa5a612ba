#include "catch.hpp"
#include "websocket_client_frames.hpp"

#include <flux/detail/transport/websocket_frame.hpp>

#include <utility>

namespace websocket_decoder_test {

namespace {

using namespace flux::testing;
using namespace flux::transport;
using Event = WebSocketDecoder::Event;

Seen only(const std::vector<Seen>& seen) {
  REQUIRE(seen.size() == 1);
  return seen.front();
}

std::string text_of_size(std::size_t size) {
  std::string text(size, 'a');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

// Whole, split once at every position, byte by byte, and in random pieces: the events must be the same.
std::vector<Seen> decode_every_way(std::string_view bytes, const DecoderLimits& limits = {},
                                   Inflater* inflater = nullptr) {
  const std::vector<Seen> whole = decode(bytes, limits, inflater);
  for (std::size_t at = 1; at < bytes.size(); ++at) {
    WebSocketDecoder decoder(limits, inflater);
    bool first = true;
    const auto seen = decode(decoder, bytes, [&] { return std::exchange(first, false) ? at : bytes.size(); });
    INFO("split at " << at);
    REQUIRE(seen == whole);
  }
  WebSocketDecoder bytewise(limits, inflater);
  REQUIRE(decode(bytewise, bytes, [] { return std::size_t{1}; }) == whole);
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    WebSocketDecoder decoder(limits, inflater);
    std::uniform_int_distribution<std::size_t> size(1, round % 2 == 0 ? 9 : 200);
    REQUIRE(decode(decoder, bytes, [&] { return size(random); }) == whole);
  }
  return whole;
}

void require_error(const std::string& bytes, int code, const std::string& text, const DecoderLimits& limits = {},
                   Inflater* inflater = nullptr) {
  const Seen seen = decode_every_way(bytes, limits, inflater).back();
  CHECK(seen.event == Event::error);
  CHECK(seen.close_code == code);
  CHECK(seen.payload == text);
}

std::string compressed(std::string_view text) {
  std::string out;
  Deflater deflater(6);
  REQUIRE(deflater.compress(text, out));
  return out;
}

}  // namespace

TEST_CASE("websocket decoder: frames of any length give the same message", "[websocket]") {
  const std::size_t size =
      GENERATE(0u, 1u, 2u, 3u, 7u, 8u, 9u, 31u, 32u, 33u, 125u, 126u, 127u, 1000u, 65535u, 65536u, 70000u);
  const Opcode opcode = GENERATE(Opcode::text, Opcode::binary);
  const std::string payload = text_of_size(size);
  const std::string bytes = ClientFrame{.opcode = opcode, .payload = payload}.bytes();
  const Seen expected{opcode == Opcode::text ? Event::text : Event::binary, payload};
  const DecoderLimits limits{.message_bytes_max = 70000};
  CHECK(only(decode(bytes, limits)) == expected);
  for (const std::size_t piece :
       {std::size_t{1}, std::size_t{3}, std::size_t{13}, std::size_t{64}, std::size_t{4099}}) {
    WebSocketDecoder decoder(limits);
    CHECK(only(decode(decoder, bytes, [&] { return piece; })) == expected);
    CHECK_FALSE(decoder.mid_message());
  }
}

TEST_CASE("websocket decoder: a stream of all kinds of frames, split anywhere, gives the same events", "[websocket]") {
  const std::string bytes =
      text_frame("hello") + ClientFrame{.opcode = Opcode::ping, .payload = "are you there"}.bytes() +
      ClientFrame{.opcode = Opcode::binary, .payload = std::string("\0\xFF\x80", 3)}.bytes() +
      ClientFrame{.opcode = Opcode::text, .payload = "three \xE2\x82", .final = false}.bytes() +
      ClientFrame{.opcode = Opcode::ping, .payload = "between"}.bytes() +
      ClientFrame{.opcode = Opcode::continuation, .payload = "", .final = false}.bytes() +
      ClientFrame{.opcode = Opcode::pong, .payload = ""}.bytes() +
      ClientFrame{.opcode = Opcode::continuation, .payload = "\xAC pieces"}.bytes() + text_frame(text_of_size(130)) +
      text_frame("") +
      ClientFrame{.opcode = Opcode::close, .payload = close_payload(1001, "bye \xE2\x82\xAC")}.bytes() +
      text_frame("too late");
  CHECK(decode_every_way(bytes) == std::vector<Seen>{{Event::text, "hello"},
                                                     {Event::ping, "are you there"},
                                                     {Event::binary, std::string("\0\xFF\x80", 3)},
                                                     {Event::ping, "between"},
                                                     {Event::pong, ""},
                                                     {Event::text, "three \xE2\x82\xAC pieces"},
                                                     {Event::text, text_of_size(130)},
                                                     {Event::text, ""},
                                                     {Event::close, "bye \xE2\x82\xAC", 1001}});
}

TEST_CASE("websocket decoder: random messages in random fragments with pings between, all are decoded", "[websocket]") {
  const unsigned seed = GENERATE(1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u);
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto below = [&](std::size_t end) { return std::uniform_int_distribution<std::size_t>(0, end - 1)(random); };
  const std::vector<std::string> code_points = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "z"};
  Deflater deflater(6);
  Inflater inflater;
  std::string bytes;
  std::vector<Seen> expected;
  for (int message = 0; message < 60; ++message) {
    std::string payload;
    for (std::size_t left = below(message % 10 == 0 ? 30000 : 300); left > 0; --left) payload += code_points[below(5)];
    const Opcode opcode = below(2) == 0 ? Opcode::text : Opcode::binary;
    std::string sent = payload;
    std::string smaller;
    const bool compress = below(2) == 0 && deflater.compress(payload, smaller);
    if (compress) sent = smaller;
    const std::size_t fragments = 1 + below(5);
    for (std::size_t i = 0; i < fragments; ++i) {
      const bool final = i + 1 == fragments;
      const std::size_t size = final ? sent.size() : below(sent.size() + 1);
      ClientFrame frame{
          .opcode = i == 0 ? opcode : Opcode::continuation, .payload = sent.substr(0, size), .final = final};
      frame.rsv1 = compress && i == 0;
      for (auto& byte : frame.key) byte = static_cast<unsigned char>(below(256));
      bytes += frame.bytes();
      sent.erase(0, size);
      if (!final && below(3) == 0) {
        expected.push_back({Event::ping, std::string(below(126), 'p')});
        bytes += ClientFrame{.opcode = Opcode::ping, .payload = expected.back().payload}.bytes();
      }
    }
    expected.push_back({opcode == Opcode::text ? Event::text : Event::binary, payload});
  }
  const DecoderLimits limits{.message_bytes_max = 200000};
  CHECK(decode(bytes, limits, &inflater) == expected);
  for (const std::size_t most : {std::size_t{2}, std::size_t{40}, std::size_t{5000}, std::size_t{70000}}) {
    WebSocketDecoder decoder(limits, &inflater);
    CHECK(decode(decoder, bytes, [&] { return 1 + below(most); }) == expected);
  }
}

TEST_CASE("websocket decoder: frames that break RFC 6455, each is refused with 1002", "[websocket]") {
  const auto ping = [](std::size_t size) {
    return ClientFrame{.opcode = Opcode::ping, .payload = std::string(size, 'p')};
  };
  const std::string first = ClientFrame{.payload = "a", .final = false}.bytes();
  require_error(ClientFrame{.payload = "a", .masked = false}.bytes(), 1002, "a client's frame is not masked");
  require_error(ClientFrame{.payload = "a", .rsv1 = true}.bytes(), 1002,
                "RSV1 is set, but no compression was negotiated");
  require_error(ClientFrame{.payload = "a", .rsv2 = true}.bytes(), 1002, "reserved bit RSV2 or RSV3 is set");
  require_error(ClientFrame{.payload = "a", .rsv3 = true}.bytes(), 1002, "reserved bit RSV2 or RSV3 is set");
  for (const int opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15}) {
    require_error(ClientFrame{.opcode = static_cast<Opcode>(opcode)}.bytes(), 1002,
                  "opcode " + std::to_string(opcode) + " is reserved");
  }
  ClientFrame fragmented = ping(3);
  fragmented.final = false;
  require_error(fragmented.bytes(), 1002, "control frame of opcode 9 is fragmented");
  require_error(ping(126).bytes(), 1002, "control frame of opcode 9 has more than 125 bytes of payload");
  CHECK(only(decode_every_way(ping(125).bytes())).event == Event::ping);
  require_error(ClientFrame{.opcode = Opcode::continuation, .payload = "a"}.bytes(), 1002,
                "continuation frame without a message to continue");
  require_error(text_frame("a") + ClientFrame{.opcode = Opcode::continuation, .payload = "a"}.bytes(), 1002,
                "continuation frame without a message to continue");
  require_error(first + text_frame("b"), 1002, "frame of opcode 1 within a fragmented message");
  require_error(first + ClientFrame{.opcode = Opcode::binary}.bytes(), 1002,
                "frame of opcode 2 within a fragmented message");

  Inflater inflater;
  require_error(first + ClientFrame{.opcode = Opcode::continuation, .rsv1 = true}.bytes(), 1002,
                "RSV1 is set on a continuation frame", {}, &inflater);
  ClientFrame compressed_ping = ping(3);
  compressed_ping.rsv1 = true;
  require_error(compressed_ping.bytes(), 1002, "control frame of opcode 9 is compressed", {}, &inflater);
}

TEST_CASE("websocket decoder: a length not in its shortest form, or of 2^63, is refused with 1002", "[websocket]") {
  const DecoderLimits no_limit{.message_bytes_max = SIZE_MAX};
  const auto announce = [](std::uint64_t length, int width) {
    return ClientFrame{.length_bytes = width, .announced = length}.bytes();
  };
  require_error(announce(125, 2), 1002, "payload length 125 is written in 2 bytes, more than it needs", no_limit);
  require_error(announce(0, 8), 1002, "payload length 0 is written in 8 bytes, more than it needs", no_limit);
  require_error(announce(65535, 8), 1002, "payload length 65535 is written in 8 bytes, more than it needs", no_limit);
  require_error(announce(std::uint64_t{1} << 63, 8), 1002, "payload length is 2^63 or more", no_limit);
  CHECK(decode_every_way(announce(126, 2), no_limit).empty());
  CHECK(decode_every_way(announce(65536, 8), no_limit).empty());
  CHECK(decode_every_way(announce((std::uint64_t{1} << 63) - 1, 8), no_limit).empty());
}

TEST_CASE("websocket decoder: a message at the limit passes, one byte more is refused with 1009", "[websocket]") {
  const DecoderLimits limits{.message_bytes_max = 300};
  CHECK(only(decode_every_way(text_frame(text_of_size(300)), limits)).payload.size() == 300);
  require_error(text_frame(text_of_size(301)), 1009,
                "frame of 301 bytes after 0 makes the message larger than 300 bytes", limits);
  const std::string first = ClientFrame{.payload = text_of_size(200), .final = false}.bytes();
  const auto last = [](std::size_t size) {
    return ClientFrame{.opcode = Opcode::continuation, .payload = text_of_size(size)}.bytes();
  };
  CHECK(only(decode_every_way(first + last(100), limits)).payload.size() == 300);
  require_error(first + last(101), 1009, "frame of 101 bytes after 200 makes the message larger than 300 bytes",
                limits);
  // The header alone is enough to refuse.
  CHECK(only(decode(text_frame(text_of_size(301)).substr(0, 4), limits)).close_code == 1009);
  CHECK(only(decode_every_way(text_frame(""), {.message_bytes_max = 0})).event == Event::text);
}

TEST_CASE("websocket decoder: a message of too many frames is refused with 1009", "[websocket]") {
  const DecoderLimits limits{.message_bytes_max = 100, .frames_per_message_max = 3};
  const std::string first = ClientFrame{.payload = "a", .final = false}.bytes();
  const std::string middle = ClientFrame{.opcode = Opcode::continuation, .payload = "", .final = false}.bytes();
  const std::string last = ClientFrame{.opcode = Opcode::continuation, .payload = "c"}.bytes();
  CHECK(decode_every_way(first + middle + last + first + middle + last, limits).size() == 2);
  require_error(first + middle + middle + last, 1009, "message has more than 3 frames", limits);
}

TEST_CASE("websocket decoder: text that is not UTF-8 is refused with 1007 as soon as it is detected", "[websocket]") {
  require_error(text_frame("abc\xFF"), 1007, "text is not UTF-8: 0xff at byte 3");
  require_error(text_frame("\xED\xA0\x80"), 1007, "text is not UTF-8: 0xa0 at byte 1");
  require_error(text_frame(text_of_size(100) + "\xE2\x82"), 1007, "text is not UTF-8: it ends inside a code point");
  CHECK(only(decode_every_way(ClientFrame{.opcode = Opcode::binary, .payload = "\xFF"}.bytes())).event ==
        Event::binary);

  // The bad byte is refused although neither its frame nor its message has ended.
  const std::string bytes = ClientFrame{.payload = "good"}.bytes();
  const std::string bad = ClientFrame{.payload = "good\xC0 and much more", .final = false}.bytes();
  WebSocketDecoder decoder({});
  CHECK(decode(decoder, std::string_view(bad).substr(0, 6 + 4)).empty());
  CHECK(decoder.mid_message());
  CHECK(only(decode(decoder, std::string_view(bad).substr(6 + 4, 1))).payload == "text is not UTF-8: 0xc0 at byte 4");
}

TEST_CASE("websocket decoder: valid close frames are read, invalid ones refused", "[websocket]") {
  const auto close = [](std::string payload) {
    return ClientFrame{.opcode = Opcode::close, .payload = std::move(payload)}.bytes();
  };
  CHECK(only(decode_every_way(close(""))) == Seen{Event::close, "", 1005});
  for (const int code :
       {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999}) {
    CHECK(only(decode_every_way(close(close_payload(static_cast<unsigned>(code), "why")))) ==
          Seen{Event::close, "why", code});
  }
  CHECK(only(decode_every_way(close(close_payload(1000, std::string(123, 'r'))))).payload.size() == 123);
  require_error(close("\x03"), 1002, "close frame has 1 byte of payload; a code takes 2");
  for (const unsigned code : {0u, 1u, 999u, 1004u, 1005u, 1006u, 1015u, 1016u, 1100u, 2999u, 5000u, 65535u}) {
    require_error(close(close_payload(code)), 1002, "close code " + std::to_string(code) + " may not be sent");
  }
  require_error(close(close_payload(1000, "\xC3")), 1007, "the reason in a close frame is not UTF-8");
  require_error(close(close_payload(1000, "a\xED\xBF\xBF")), 1007, "the reason in a close frame is not UTF-8");
  // Within a message too.
  const std::string first = ClientFrame{.payload = "a", .final = false}.bytes();
  CHECK(only(decode_every_way(first + close(close_payload(1000)))) == Seen{Event::close, "", 1000});
  require_error(first + close("\x03"), 1002, "close frame has 1 byte of payload; a code takes 2");
}

TEST_CASE("websocket decoder: everything after a close frame is skipped", "[websocket]") {
  std::string bytes = ClientFrame{.opcode = Opcode::close}.bytes() + "\xFF\xFF\xFF garbage " + text_frame("late");
  WebSocketDecoder decoder({});
  char* p = bytes.data();
  std::size_t n = bytes.size();
  CHECK(decoder.next(p, n) == Event::close);
  CHECK(n == bytes.size() - 6);
  CHECK(decoder.next(p, n) == Event::need_more);
  CHECK(n == 0);
  CHECK(p == bytes.data() + bytes.size());
}

TEST_CASE("websocket decoder: an incomplete header stays in the input", "[websocket]") {
  const std::string whole = ClientFrame{.payload = text_of_size(65536)}.bytes();
  const DecoderLimits limits{.message_bytes_max = 65536};
  for (std::size_t size = 0; size < 14; ++size) {
    WebSocketDecoder decoder(limits);
    std::string bytes = whole.substr(0, size);
    char* p = bytes.data();
    std::size_t n = bytes.size();
    CHECK(decoder.next(p, n) == Event::need_more);
    CHECK(n == size);
    CHECK_FALSE(decoder.mid_message());
  }
  WebSocketDecoder decoder(limits);
  std::string bytes = whole.substr(0, 14);
  char* p = bytes.data();
  std::size_t n = bytes.size();
  CHECK(decoder.next(p, n) == Event::need_more);
  CHECK(n == 0);
  CHECK(decoder.mid_message());
}

TEST_CASE("websocket decoder: a whole frame is returned in place and allocates nothing", "[websocket]") {
  std::string bytes = text_frame(text_of_size(5000)) + text_frame("\xE2\x82\xAC") +
                      ClientFrame{.opcode = Opcode::ping, .payload = "ping"}.bytes();
  WebSocketDecoder decoder({});
  char* p = bytes.data();
  std::size_t n = bytes.size();
  CHECK(decoder.next(p, n) == Event::text);
  CHECK(decoder.payload().data() == bytes.data() + 8);
  CHECK(decoder.memory_bytes() == 0);
  CHECK(decoder.next(p, n) == Event::text);
  CHECK(decoder.next(p, n) == Event::ping);
  CHECK(decoder.memory_bytes() == 0);
  CHECK(decoder.next(p, n) == Event::need_more);
}

TEST_CASE("websocket decoder: an announced length reserves nothing, memory follows what arrives", "[websocket]") {
  const DecoderLimits limits{.message_bytes_max = 100'000'000};
  std::string bytes = ClientFrame{.opcode = Opcode::binary, .announced = 100'000'000}.bytes() + std::string(10, 'x');
  WebSocketDecoder decoder(limits);
  char* p = bytes.data();
  std::size_t n = bytes.size();
  CHECK(decoder.next(p, n) == Event::need_more);
  CHECK(decoder.memory_bytes() < 1024);

  // Its memory at most doubles what has arrived, grows seldom, never exceeds the message, and is freed after it.
  constexpr std::size_t size = 1'000'000;
  bytes = ClientFrame{.opcode = Opcode::binary, .payload = std::string(size, 'x')}.bytes();
  WebSocketDecoder other(limits);
  std::size_t growths = 0;
  std::size_t memory = 0;
  std::size_t left = bytes.size();
  p = bytes.data();
  while (left > 0) {
    n = std::min<std::size_t>(left, 100);
    left -= n;
    REQUIRE(other.next(p, n) == (left > 0 ? Event::need_more : Event::binary));
    growths += std::exchange(memory, other.memory_bytes()) != other.memory_bytes();
    REQUIRE(memory <= 1024 + 2 * (bytes.size() - left));
    REQUIRE(memory <= 512 + size);
  }
  CHECK(other.payload() == std::string(size, 'x'));
  CHECK(growths < 16);
  CHECK(other.next(p, n) == Event::need_more);
  CHECK(other.memory_bytes() == 0);
}

TEST_CASE("websocket decoder: space for a large message is reserved once much of it has arrived, then it is moved out",
          "[websocket]") {
  constexpr std::size_t size = 5'000'000;
  const DecoderLimits limits{.message_bytes_max = 8'000'000};
  const std::string content(size, 'x');
  const auto whole = [&](const std::vector<std::size_t>& frames) {
    std::string bytes;
    std::size_t at = 0;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      bytes += ClientFrame{.opcode = i == 0 ? Opcode::binary : Opcode::continuation,
                           .payload = content.substr(at, frames[i]),
                           .final = i + 1 == frames.size()}
                   .bytes();
      at += frames[i];
    }
    return bytes;
  };
  for (std::string bytes : {whole({size}), whole({3'000'000, 2'000'000})}) {
    WebSocketDecoder decoder(limits);
    std::size_t growths_when_large = 0;
    std::size_t memory = 0;
    char* p = bytes.data();
    for (std::size_t arrived = 0; arrived < bytes.size();) {
      const std::size_t piece = std::min<std::size_t>(bytes.size() - arrived, 10'000);
      arrived += piece;
      std::size_t n = piece;
      REQUIRE(decoder.next(p, n) == (arrived < bytes.size() ? Event::need_more : Event::binary));
      const bool grown = std::exchange(memory, decoder.memory_bytes()) != decoder.memory_bytes();
      if (arrived > 2 * WebSocketDecoder::reserved_from_bytes) growths_when_large += grown;
      REQUIRE(memory <= 1024 + limits.message_bytes_max);
    }
    CHECK(growths_when_large == 0);
    const char* const place = decoder.payload().data();
    const auto taken = decoder.take_payload();
    REQUIRE(taken);
    CHECK(taken->data() == place);
    CHECK(*taken == content);
    std::size_t none = 0;
    CHECK(decoder.next(p, none) == Event::need_more);
    CHECK(decoder.memory_bytes() == 0);
  }
  // A message inside the input can't be moved out.
  std::string small = text_frame("here");
  WebSocketDecoder decoder(limits);
  char* p = small.data();
  std::size_t n = small.size();
  CHECK(decoder.next(p, n) == Event::text);
  CHECK_FALSE(decoder.take_payload());
  CHECK(decoder.payload() == "here");
}

TEST_CASE("websocket decoder: after an error every call reports the same and consumes nothing", "[websocket]") {
  std::string bytes = text_frame("\xFF") + text_frame("good");
  WebSocketDecoder decoder({});
  char* p = bytes.data();
  std::size_t n = bytes.size();
  CHECK(decoder.next(p, n) == Event::error);
  std::string good = text_frame("good");
  for (int call = 0; call < 3; ++call) {
    p = good.data();
    n = good.size();
    CHECK(decoder.next(p, n) == Event::error);
    CHECK(p == good.data());
    CHECK(n == good.size());
    CHECK(decoder.close_code() == 1007);
    CHECK(decoder.error_text() == "text is not UTF-8: 0xff at byte 0");
    CHECK_FALSE(decoder.mid_message());
  }
  CHECK(good == text_frame("good"));
}

TEST_CASE("websocket decoder: moved in the middle of a message, it continues", "[websocket]") {
  const std::string bytes = ClientFrame{.payload = "a message in two halves"}.bytes();
  WebSocketDecoder first({});
  CHECK(decode(first, std::string_view(bytes).substr(0, 15)).empty());
  WebSocketDecoder second(std::move(first));
  CHECK(second.mid_message());
  CHECK(only(decode(second, std::string_view(bytes).substr(15))).payload == "a message in two halves");
}

// Defects of websocketpp 0.8.2, one test each.

TEST_CASE("websocketpp defect: a continuation's length that wraps past the limit is refused", "[websocket]") {
  const DecoderLimits limits{.message_bytes_max = 1000};
  const std::string first = ClientFrame{.opcode = Opcode::binary, .payload = "0123456789", .final = false}.bytes();
  for (const std::uint64_t length : {(std::uint64_t{1} << 63) - 1, (std::uint64_t{1} << 63) - 10, std::uint64_t{991}}) {
    const std::string lie = ClientFrame{.opcode = Opcode::continuation, .announced = length}.bytes();
    require_error(first + lie, 1009,
                  "frame of " + std::to_string(length) + " bytes after 10 makes the message larger than 1000 bytes",
                  limits);
  }
  // 10 + (2^64 - 10) is 0.
  const std::string wrap = ClientFrame{.opcode = Opcode::continuation, .announced = UINT64_MAX - 9}.bytes();
  require_error(first + wrap, 1002, "payload length is 2^63 or more", limits);
  const DecoderLimits no_limit{.message_bytes_max = SIZE_MAX};
  CHECK(decode(first + ClientFrame{.opcode = Opcode::continuation, .announced = INT64_MAX}.bytes(), no_limit).empty());
}

TEST_CASE("websocketpp defect: the inflated size of a message is limited", "[websocket]") {
  Inflater inflater;
  const DecoderLimits limits{.message_bytes_max = 64 * 1024};
  const std::string bomb = compressed(std::string(20'000'000, '0'));
  REQUIRE(bomb.size() < 20'000);
  const std::string frame = ClientFrame{.payload = bomb, .rsv1 = true}.bytes();
  WebSocketDecoder decoder(limits, &inflater);
  std::string bytes = frame;
  char* p = bytes.data();
  std::size_t n = bytes.size();
  CHECK(decoder.next(p, n) == Event::error);
  CHECK(decoder.close_code() == 1009);
  CHECK(decoder.error_text() == "message inflates to more than 65536 bytes");
  // Also in two fragments.
  std::string fragments = ClientFrame{.payload = bomb.substr(0, 9000), .final = false, .rsv1 = true}.bytes() +
                          ClientFrame{.opcode = Opcode::continuation, .payload = bomb.substr(9000)}.bytes();
  CHECK(only(decode(fragments, limits, &inflater)).close_code == 1009);
  // At the limit it passes, one byte more does not.
  const auto sized = [&](std::size_t size) {
    return only(
        decode(ClientFrame{.payload = compressed(std::string(size, 'a')), .rsv1 = true}.bytes(), limits, &inflater));
  };
  CHECK(sized(65536).payload.size() == 65536);
  CHECK(sized(65537).close_code == 1009);
}

TEST_CASE("websocketpp defect: messages after one with a final deflate block are inflated as well", "[websocket]") {
  Inflater inflater;
  const std::string final_block("\xf3\x48\xcd\xc9\xc9\x07\x00\x00", 8);  // RFC 7692, section 7.2.3.4
  const std::string plain("\xf2\x48\xcd\xc9\xc9\x07\x00", 7);            // 7.2.3.1
  const std::string bytes = ClientFrame{.payload = final_block, .rsv1 = true}.bytes() +
                            ClientFrame{.payload = plain, .rsv1 = true}.bytes() +
                            ClientFrame{.payload = final_block, .rsv1 = true}.bytes();
  const Seen hello{Event::text, "Hello"};
  CHECK(decode_every_way(bytes, {}, &inflater) == std::vector<Seen>{hello, hello, hello});
}

TEST_CASE("websocketpp defect: fragmented text that ends inside a code point is refused", "[websocket]") {
  const std::string bytes = ClientFrame{.payload = "a", .final = false}.bytes() +
                            ClientFrame{.opcode = Opcode::continuation, .payload = "\xE2\x82"}.bytes();
  require_error(bytes, 1007, "text is not UTF-8: it ends inside a code point");
  // The next message does not complete it, and a frame boundary inside a code point is not an error.
  require_error(bytes + text_frame("\xAC"), 1007, "text is not UTF-8: it ends inside a code point");
  CHECK(only(decode_every_way(ClientFrame{.payload = "\xE2", .final = false}.bytes() +
                              ClientFrame{.opcode = Opcode::continuation, .payload = "\x82", .final = false}.bytes() +
                              ClientFrame{.opcode = Opcode::continuation, .payload = "\xAC"}.bytes()))
            .payload == "\xE2\x82\xAC");
}

TEST_CASE("websocketpp defect: no byte of the deflate trailer becomes part of a message", "[websocket]") {
  Inflater inflater;
  // A stored block that announces four bytes and holds none: the trailer would fill it, unchecked.
  const std::string stored("\x00\x04\x00\xfb\xff", 5);
  require_error(ClientFrame{.payload = stored, .rsv1 = true}.bytes(), 1007,
                "compressed message of 5 bytes is not valid DEFLATE data", {}, &inflater);
  // Inflated text is checked to its last byte, and fragments of compressed bytes are not taken for text.
  const auto text = [&](std::string_view inflated) {
    return ClientFrame{.payload = compressed(inflated), .rsv1 = true};
  };
  const std::string prefix(100, 'a');
  require_error(text(prefix + "\xFF").bytes(), 1007, "text is not UTF-8: 0xff at byte 100", {}, &inflater);
  require_error(text(prefix + "\xE2\x82").bytes(), 1007, "text is not UTF-8: it ends inside a code point", {},
                &inflater);
  ClientFrame binary = text(prefix + "\xFF");
  binary.opcode = Opcode::binary;
  CHECK(only(decode_every_way(binary.bytes(), {}, &inflater)).payload == prefix + "\xFF");
}

TEST_CASE("websocketpp defect: an Inflater is shared by decoders and costs them nothing", "[websocket]") {
  Inflater inflater;
  WebSocketDecoder a({}, &inflater);
  WebSocketDecoder b({}, &inflater);
  const std::string text = text_of_size(3000);
  const std::string bytes = ClientFrame{.payload = compressed(text), .rsv1 = true}.bytes();
  const std::string_view view = bytes;
  CHECK(decode(a, view.substr(0, 20)).empty());
  CHECK(only(decode(b, view)) == Seen{Event::text, text});
  CHECK(only(decode(a, view.substr(20))) == Seen{Event::text, text});
  CHECK(only(decode(b, text_frame("not compressed"))) == Seen{Event::text, "not compressed"});
  CHECK(sizeof(WebSocketDecoder) <= 48);
}

TEST_CASE("websocket frame: headers have the shortest length field and can be read back", "[websocket]") {
  for (const std::size_t size : {0u, 1u, 125u, 126u, 127u, 65535u, 65536u}) {
    std::string out = "before";
    append_frame(out, Opcode::binary, std::string(size, 'x'), size == 126);
    const std::string_view frame = std::string_view(out).substr(6);
    const std::size_t header = size < 126 ? 2 : size < 65536 ? 4 : 10;
    CHECK(frame.size() == header + size);
    CHECK(static_cast<unsigned char>(frame[0]) == (size == 126 ? 0xC2 : 0x82));
    CHECK((static_cast<unsigned char>(frame[1]) & 0x80) == 0);
    for (std::size_t have = 0; have < header; ++have) {
      const bool small = have >= 2 && size < 126;
      CHECK(server_frame_size(frame.substr(0, have)) == (small ? frame.size() : 0));
    }
    CHECK(server_frame_size(frame.substr(0, header)) == frame.size());
    CHECK(server_frame_size(out.substr(6) + "more") == frame.size());
  }
  std::string hello;
  append_frame(hello, Opcode::text, "Hello");
  CHECK(hello == "\x81\x05Hello");  // RFC 6455, section 5.7
  char header[frame_header_bytes_max];
  CHECK(write_frame_header(header, Opcode::text, 0x0102030405060708u) == 10);
  CHECK(std::string(header, 10) == std::string("\x81\x7F\x01\x02\x03\x04\x05\x06\x07\x08", 10));
}

TEST_CASE("websocket frame: a close frame has a permitted code and a reason that fits", "[websocket]") {
  CHECK(close_frame(1000, "") == std::string("\x88\x02\x03\xE8", 4));
  CHECK(close_frame(4401, "who?") == std::string("\x88\x06\x11\x31", 4) + "who?");
  for (const int code : {0, 999, 1004, 1005, 1006, 1015, 2000, 5000}) {
    CHECK(close_frame(static_cast<std::uint16_t>(code), "reason") == std::string("\x88\x00", 2));
  }
  CHECK(close_frame(1000, std::string(500, 'r')).substr(4) == std::string(123, 'r'));
  CHECK(close_frame(1000, std::string(121, 'r') + "\xE2\x82\xAC").substr(4) == std::string(121, 'r'));
  CHECK(close_frame(1000, std::string(120, 'r') + "\xE2\x82\xAC").substr(4) == std::string(120, 'r') + "\xE2\x82\xAC");
  CHECK(close_frame(1000, "ok\xFFnot ok").substr(4) == "ok");
}

}  // namespace websocket_decoder_test
