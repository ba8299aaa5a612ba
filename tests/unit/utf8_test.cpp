#include "catch.hpp"

#include <flux/detail/core/utf8.hpp>

#include <string>
#include <vector>

namespace utf8_test {

using flux::core::beginning;
using flux::core::has_control_characters;
using flux::core::repaired;
using flux::core::shown;
using flux::core::Utf8Validator;
using flux::core::valid_utf8;

TEST_CASE("utf8: every code point and no other byte sequence is valid", "[utf8]") {
  // All sequences of one to four bytes that start with each lead byte, against the ranges of RFC 3629, section 4.
  const auto well_formed = [](std::string_view s) {
    std::vector<unsigned> b(s.begin(), s.end());
    for (unsigned& byte : b) byte &= 0xFF;
    const auto in = [](unsigned byte, unsigned low, unsigned high) { return byte >= low && byte <= high; };
    const auto tail = [&](std::size_t i) { return in(b[i], 0x80, 0xBF); };
    switch (b.size()) {
      case 1: return b[0] < 0x80;
      case 2: return in(b[0], 0xC2, 0xDF) && tail(1);
      case 3:
        return tail(2) && ((b[0] == 0xE0 && in(b[1], 0xA0, 0xBF)) || (in(b[0], 0xE1, 0xEC) && tail(1)) ||
                           (b[0] == 0xED && in(b[1], 0x80, 0x9F)) || (in(b[0], 0xEE, 0xEF) && tail(1)));
      default:
        return tail(2) && tail(3) &&
               ((b[0] == 0xF0 && in(b[1], 0x90, 0xBF)) || (in(b[0], 0xF1, 0xF3) && tail(1)) ||
                (b[0] == 0xF4 && in(b[1], 0x80, 0x8F)));
    }
  };
  const std::vector<unsigned> edges = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
  std::size_t wrong = 0;
  for (unsigned lead = 0; lead < 256; ++lead) {
    const std::string one(1, static_cast<char>(lead));
    wrong += valid_utf8(one) != well_formed(one);
    if (lead < 0x80) continue;  // a longer sequence would be two
    for (unsigned second = 0; second < 256; ++second) {
      const std::string two = one + static_cast<char>(second);
      wrong += valid_utf8(two) != well_formed(two);
      for (const unsigned third : edges) {
        const std::string three = two + static_cast<char>(third);
        wrong += valid_utf8(three) != (well_formed(three) || (well_formed(two) && third < 0x80));
        for (const unsigned fourth : edges) {
          const std::string four = three + static_cast<char>(fourth);
          const bool parts = (well_formed(three) && fourth < 0x80) ||
                             (well_formed(two) && well_formed(four.substr(2))) ||
                             (well_formed(two) && third < 0x80 && fourth < 0x80);
          wrong += valid_utf8(four) != (well_formed(four) || parts);
        }
      }
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("utf8: a bad byte is found at any position, however the text is split", "[utf8]") {
  const std::string ascii(70, 'a');
  const std::string text = ascii + "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80" + ascii;
  CHECK(valid_utf8(text));
  for (std::size_t at = 0; at <= text.size(); ++at) {
    Utf8Validator validator;
    CHECK(validator.scan(std::string_view(text).substr(0, at)) == at);
    CHECK(validator.complete() == valid_utf8(text.substr(0, at)));
    CHECK(validator.scan(std::string_view(text).substr(at)) == text.size() - at);
    CHECK(validator.complete());
    std::string bad = text;
    bad.insert(at, 1, '\xFF');
    Utf8Validator finder;
    CHECK(finder.scan(bad) == at);
    CHECK_FALSE(valid_utf8(bad));
  }
}

TEST_CASE("utf8: repaired, each byte outside a code point becomes U+FFFD", "[utf8]") {
  const auto marks = [](std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += "\xEF\xBF\xBD";
    return text;
  };
  CHECK(repaired("").empty());
  CHECK(repaired("caf\xC3\xA9 \xF0\x9F\x98\x80") == "caf\xC3\xA9 \xF0\x9F\x98\x80");
  for (const std::string cut : {"\xC3", "\xE2", "\xE2\x82", "\xF0", "\xF0\x9F", "\xF0\x9F\x98", "\xFF", "\x80\xBF"}) {
    CHECK(repaired(cut) == marks(cut.size()));
    CHECK(repaired("a" + cut + "b") == "a" + marks(cut.size()) + "b");
    CHECK(repaired("\xC3\xA9" + cut + "\xC3\xA9") == "\xC3\xA9" + marks(cut.size()) + "\xC3\xA9");
  }
  // No overlong forms, no surrogates, nothing above U+10FFFF.
  CHECK(repaired("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") == marks(8) + "A");
  CHECK(repaired("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") == marks(8) + "A");
  CHECK(repaired("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") == marks(5) + "A" + marks(2) + "B");
}

TEST_CASE("utf8: repaired, any bytes become UTF-8 and valid parts stay", "[utf8]") {
  const std::string text = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z";
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      std::string changed = text;
      changed[at] = static_cast<char>(byte);
      const std::string whole = repaired(changed);
      CHECK(valid_utf8(whole));
      CHECK((whole == changed) == valid_utf8(changed));
    }
    CHECK(valid_utf8(repaired(text.substr(0, at))));
    CHECK(valid_utf8(repaired(text.substr(at))));
  }
}

TEST_CASE("utf8: a truncated text ends at the end of a code point", "[utf8]") {
  const std::string text = "a\xC3\xA9\xF0\x9F\x98\x80";
  const std::size_t ends[] = {0, 1, 1, 3, 3, 3, 3, 7, 7};
  for (std::size_t most = 0; most < 9; ++most) CHECK(beginning(text, most).size() == ends[most]);
  CHECK(shown("short") == "short");
  CHECK(shown(std::string(39, 'x') + "\xC3\xA9") == std::string(39, 'x') + "…");
  CHECK(shown("\xFF") == "\xEF\xBF\xBD");
  CHECK(valid_utf8(shown(std::string(100, '\x80'))));
  CHECK(shown("a\n\x1F\x7F\xC2\x85\xC2\xA0z") == "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xC2\xA0z");
}

TEST_CASE("utf8: control characters of both ranges are found, their neighbours are not", "[utf8]") {
  for (const char* text : {"\x01", "a\x1f", "\x7f", "\xC2\x80", "b\xC2\x9F"}) CHECK(has_control_characters(text));
  CHECK(has_control_characters(std::string_view("\0", 1)));
  for (const char* text : {"", " ", "~", "\xC2\xA0", "\xC3\x80", "\xE2\x82\xAC"})
    CHECK_FALSE(has_control_characters(text));
}

}  // namespace utf8_test
