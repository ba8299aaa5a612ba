#include "catch.hpp"

#include <flux/detail/transport/deflate.hpp>
#include <flux/error.hpp>

#include <zlib.h>

#include <random>

namespace deflate_test {

using namespace flux::transport;

namespace {

using Status = Inflater::Status;
using namespace std::string_literals;

constexpr std::size_t no_limit = SIZE_MAX;

std::string random_text(std::size_t size, unsigned seed, int letters) {
  std::mt19937 random(seed);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>(std::uniform_int_distribution<int>(0, letters - 1)(random));
  return text;
}

// Raw DEFLATE that ends with a final block.
std::string finished(std::string_view text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string inflated(Inflater& inflater, std::string_view in) {
  REQUIRE(inflater.inflate(in, no_limit) == Status::ok);
  return std::string(inflater.output());
}

}  // namespace

TEST_CASE("deflate: text compressed for a window size can be inflated with that window", "[deflate]") {
  const int bits = GENERATE(range(deflate_window_bits_min, deflate_window_bits_max + 1));
  const int level = GENERATE(1, 6, 9);
  Deflater deflater(level, bits);
  // Repeats at every distance, near and far.
  std::string text;
  for (unsigned i = 0; i < 300; ++i) text += random_text(1 + i * 7 % 700, i % 23, 20);
  std::string compressed;
  REQUIRE(deflater.compress(text, compressed));
  compressed += "\x00\x00\xFF\xFF"s;
  z_stream stream{};
  REQUIRE(inflateInit2(&stream, -bits) == Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_in = static_cast<uInt>(compressed.size());
  std::string out;
  // One byte at a time, so that zlib's back references point into its window, not into the output.
  for (Bytef byte = 0; out.size() < text.size(); out.push_back(static_cast<char>(byte))) {
    stream.next_out = &byte;
    stream.avail_out = 1;
    REQUIRE(inflate(&stream, Z_SYNC_FLUSH) == Z_OK);
    REQUIRE(stream.avail_out == 0);
  }
  inflateEnd(&stream);
  CHECK(out == text);
}

TEST_CASE("deflate: an invalid window size is bad_config", "[deflate]") {
  CHECK_THROWS_AS(Deflater(6, 7), flux::Error);
  CHECK_THROWS_AS(Deflater(6, 16), flux::Error);
}

TEST_CASE("deflate: texts of all sizes survive the round trip at every level", "[deflate]") {
  const int level = GENERATE(range(1, 10));
  Deflater deflater(level);
  Inflater inflater;
  for (const std::size_t size : {100u, 200u, 4095u, 4096u, 4097u, 8192u, 65536u, 300000u}) {
    for (const int letters : {1, 2, 20}) {
      const std::string text = random_text(size, static_cast<unsigned>(size), letters);
      std::string out = "before";
      REQUIRE(deflater.compress(text, out));
      REQUIRE(out.substr(0, 6) == "before");
      REQUIRE(out.size() - 6 < size);
      REQUIRE(inflated(inflater, out.substr(6)) == text);
    }
  }
}

TEST_CASE("deflate: the same text gives the same bytes, whatever was compressed before", "[deflate]") {
  Deflater deflater(6);
  const std::string text = random_text(1000, 1, 4);
  std::string first, other, again;
  REQUIRE(deflater.compress(text, first));
  REQUIRE(deflater.compress(random_text(50000, 2, 9), other));
  CHECK_FALSE(deflater.compress(random_text(50000, 3, 256), other));
  REQUIRE(deflater.compress(text, again));
  CHECK(first == again);
}

TEST_CASE("deflate: a text that does not shrink is left uncompressed", "[deflate]") {
  Deflater deflater(6);
  std::string out = "before";
  for (const std::string& text : {""s, "a"s, "Hello"s, random_text(1000, 1, 256), random_text(100000, 2, 256)}) {
    CHECK_FALSE(deflater.compress(text, out));
    CHECK(out == "before");
  }
}

TEST_CASE("deflate: a level that zlib does not have is refused", "[deflate]") {
  CHECK_THROWS_AS(Deflater(0), flux::Error);
  CHECK_THROWS_AS(Deflater(10), flux::Error);
}

TEST_CASE("inflate: the examples of RFC 7692, section 7.2.3", "[deflate]") {
  Inflater inflater;
  CHECK(inflated(inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00"s) == "Hello");                          // 7.2.3.1
  CHECK(inflated(inflater, "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"s) == "Hello");          // 7.2.3.3
  CHECK(inflated(inflater, "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"s) == "Hello");                      // 7.2.3.4
  CHECK(inflated(inflater, "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"s) == "Hello");  // 7.2.3.5
  CHECK(inflated(inflater, "\x00"s).empty());                                                     // 7.2.3.6
  // 7.2.3.2: a second message that refers to the first needs a shared context, which was not negotiated.
  CHECK(inflater.inflate("\xf2\x00\x11\x00\x00"s, no_limit) == Status::invalid);
}

TEST_CASE("inflate: blocks after a final one are read, with the same window", "[deflate]") {
  Inflater inflater;
  const std::string hello = finished("Hello");
  CHECK(inflated(inflater, hello) == "Hello");
  CHECK(inflated(inflater, hello + hello) == "HelloHello");
  CHECK(inflated(inflater, hello + finished(" world") + "\0"s) == "Hello world");
  // A final block, then a copy of 5 bytes from 5 bytes back: fixed codes, as zlib produces them after a first "Hello".
  CHECK(inflated(inflater, "\xf3\x48\xcd\xc9\xc9\x07\x00"s + "\x02\x13\x00\x00"s) == "HelloHello");
  const std::string text = random_text(100000, 1, 30);
  CHECK(inflated(inflater, finished(text) + hello) == text + "Hello");
  CHECK(inflated(inflater, "\x01"s).empty());  // the block that the trailer ends may be final
}

TEST_CASE("inflate: a message that consists only of final blocks is refused", "[deflate]") {
  Inflater inflater;
  std::string blocks = finished(std::string(40000, 'x'));
  for (int i = 0; i < 100; ++i) blocks += "\x03\x00"s;
  CHECK(inflater.inflate(blocks, no_limit) == Status::ok);
  for (int i = 0; i < 100; ++i) blocks += "\x03\x00"s;
  CHECK(inflater.inflate(blocks, no_limit) == Status::invalid);
}

TEST_CASE("inflate: the output limit holds to the byte", "[deflate]") {
  Inflater inflater;
  Deflater deflater(6);
  for (const std::size_t size : {100u, 4095u, 4096u, 4097u, 8191u, 8192u, 8193u, 100000u}) {
    std::string in;
    REQUIRE(deflater.compress(std::string(size, 'a'), in));
    CHECK(inflater.inflate(in, size) == Status::ok);
    CHECK(inflater.output().size() == size);
    CHECK(inflater.inflate(in, size - 1) == Status::too_large);
    CHECK(inflater.inflate(in, size + 1) == Status::ok);
    CHECK(inflater.inflate(in, 0) == Status::too_large);
    const Inflater fresh;
    CHECK(Inflater().inflate(in, size) == Status::ok);
    CHECK(Inflater().inflate(in, size - 1) == Status::too_large);
  }
  CHECK(inflater.inflate("\0"s, 0) == Status::ok);
  CHECK(inflater.inflate("", 0) == Status::ok);
}

TEST_CASE("inflate: invalid or truncated data is refused, the next message is not", "[deflate]") {
  Inflater inflater;
  Deflater deflater(6);
  std::string good;
  const std::string text = random_text(500, 1, 10);
  REQUIRE(deflater.compress(text, good));
  for (std::size_t size = 1; size < good.size(); ++size) {
    const Status status = inflater.inflate(std::string_view(good).substr(0, size), no_limit);
    INFO("cut to " << size);
    CHECK(status == Status::invalid);
    CHECK(inflated(inflater, good) == text);
  }
  CHECK(inflater.inflate("\x07"s, no_limit) == Status::invalid);                  // a block of the reserved type
  CHECK(inflater.inflate("\x00\x04\x00\xfb\xff"s, no_limit) == Status::invalid);  // stored bytes taken from the trailer
  CHECK(inflater.inflate("\x00\x02\x00\xfd\xff"s, no_limit) == Status::invalid);
  CHECK(inflater.inflate(good + "\xff\xff"s, no_limit) == Status::invalid);
  CHECK(inflater.inflate(finished("Hello") + "\xff"s, no_limit) == Status::invalid);
  CHECK(inflated(inflater, good) == text);
}

TEST_CASE("inflate: random bytes never crash it or exceed the limit", "[deflate]") {
  Inflater inflater;
  std::mt19937 random(11);
  for (int round = 0; round < 20000; ++round) {
    const std::string bytes = random_text(1 + random() % 60, static_cast<unsigned>(round), 256);
    inflater.inflate(bytes, 5000);
    if (inflater.output().size() > 5000 + 4096) FAIL("too much came out");
  }
  CHECK(inflated(inflater, "\xf2\x48\xcd\xc9\xc9\x07\x00"s) == "Hello");
}

TEST_CASE("inflate: trim drops the output", "[deflate]") {
  Inflater inflater;
  Deflater deflater(1);
  std::string in;
  REQUIRE(deflater.compress(std::string(3'000'000, 'a'), in));
  CHECK(inflated(inflater, in).size() == 3'000'000);
  inflater.trim();
  CHECK(inflater.output().empty());
  CHECK(inflated(inflater, in).size() == 3'000'000);
  Inflater moved = std::move(inflater);
  CHECK(moved.output().size() == 3'000'000);
}

}  // namespace deflate_test
