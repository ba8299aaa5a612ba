#include "catch.hpp"

#include <flux/detail/core/session_key.hpp>

#include <random>
#include <set>

namespace session_key_test {

using namespace flux::core;

TEST_CASE("session key: its text has 13 characters and gives the key back", "[session_key]") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 10'000; ++i) {
    const std::uint64_t key = random();
    const std::string text = key_text(key);
    REQUIRE(text.size() == 13);
    REQUIRE(text.find_first_not_of(key_alphabet) == std::string::npos);
    REQUIRE(key_from_text(text) == key);
  }
  CHECK(key_text(0) == "0000000000000");
  CHECK(key_text(UINT64_MAX) == "fzzzzzzzzzzzz");
  CHECK(key_from_text("0000000000000") == 0);
  CHECK(key_from_text("fzzzzzzzzzzzz") == UINT64_MAX);
}

TEST_CASE("session key: text that is not a key gives none", "[session_key]") {
  for (const char* text : {"", "0", "000000000000", "00000000000000", "g000000000000", "zzzzzzzzzzzzz", "000000000000i",
                           "000000000000A", "00000000000 0", "-000000000000",
                           "000000\xC3\xA9"
                           "00000"}) {
    CHECK(key_from_text(text) == std::nullopt);
  }
  CHECK(key_from_text(std::string_view("000000000000\0", 13)) == std::nullopt);
}

TEST_CASE("session key: keys never repeat, and a seed repeats its sequence", "[session_key]") {
  std::set<std::uint64_t> seen;
  for (std::uint64_t n = 0; n < 100'000; ++n) seen.insert(mixed(n));
  CHECK(seen.size() == 100'000);
  CHECK(mixed(7) == mixed(7));
  static_assert(mixed(0) == 0xe220a8397b1dcdaf);  // the first output of SplitMix64 from seed 0
}

TEST_CASE("session key: a seed is used as given, and 0 means a random one", "[session_key]") {
  CHECK(seed_or_entropy(42) == 42);
  CHECK(seed_or_entropy(0) != seed_or_entropy(0));
}

TEST_CASE("timed key: its text has 22 characters, sorts by time, and ends with the key", "[session_key]") {
  using flux::core::timed_key_text;
  const std::int64_t now = 1'700'000'000'000;
  const std::string text = timed_key_text(now, UINT64_MAX);
  CHECK(text.size() == 22);
  CHECK(text.substr(9) == key_text(UINT64_MAX));
  CHECK(text < timed_key_text(now + 1, 0));
  CHECK(timed_key_text(now + 31, UINT64_MAX) < timed_key_text(now + 32, 0));
  CHECK(timed_key_text(0, 0) == std::string(22, '0'));
  CHECK(timed_key_text((std::int64_t{1} << 45) - 1, 0) == "zzzzzzzzz" + key_text(0));
}

}  // namespace session_key_test
