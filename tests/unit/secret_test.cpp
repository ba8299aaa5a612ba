#include "catch.hpp"

#include <flux/detail/core/secret.hpp>

#include <set>
#include <string>

namespace secret_test {

using namespace flux::core;

namespace {

const Secret counted(0x0706050403020100, 0x0f0e0d0c0b0a0908);  // bytes 0 to 15, as in the papers

}  // namespace

TEST_CASE("siphash: the authors' test vectors", "[secret]") {
  std::string text;
  for (char c = 0; c < 15; ++c) text += c;
  CHECK(siphash<2, 4>(counted.first(), counted.second(), text) == 0xa129ca6149be45e5);
  CHECK(siphash<1, 3>(counted.first(), counted.second(), "") == 0xabac0158050fc4dc);
}

TEST_CASE("permutation: the authors' test vector", "[secret]") {
  const Permutation permutation(Secret(0x0b0a090803020100, 0x1b1a191813121110));
  CHECK(permutation(0x3b7265747475432d) == 0x8c6fa548454e028b);
}

TEST_CASE("secret: equal for the same seed, different for other seeds and purposes, random without a seed",
          "[secret]") {
  const auto both = [](const Secret& secret) { return std::pair(secret.first(), secret.second()); };
  CHECK(both(Secret(7)) == both(Secret(7)));
  CHECK(both(Secret(7)) != both(Secret(8)));
  CHECK(both(Secret()) != both(Secret()));
  CHECK(both(Secret(7).derived("a")) == both(Secret(7).derived("a")));
  CHECK(both(Secret(7).derived("a")) != both(Secret(7).derived("b")));
  CHECK(both(Secret(7).derived("a")) != both(Secret(8).derived("a")));
}

TEST_CASE("key sequence: keys never repeat, and a seed repeats its sequence", "[secret]") {
  KeySequence keys(Secret(42));
  KeySequence same(Secret(42));
  KeySequence other(Secret(43));
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t key = keys.next();
    seen.insert(key);
    REQUIRE(key == same.next());
    REQUIRE(key != other.next());
  }
  CHECK(seen.size() == 100'000);
}

TEST_CASE("key sequence: a key does not reveal the next one by inverting SplitMix64, as it does for earlier ones",
          "[secret]") {
  // What a client can do that knows the source code but no secret.
  const auto unmixed = [](std::uint64_t key) {
    key = (key ^ (key >> 31) ^ (key >> 62)) * 0x319642b2d24d8ec3;
    key = (key ^ (key >> 27) ^ (key >> 54)) * 0x96de1b173f119089;
    return (key ^ (key >> 30) ^ (key >> 60)) - 0x9e3779b97f4a7c15;
  };
  KeySequence keys{Secret()};
  for (std::uint64_t before = keys.next(), i = 0; i < 1000; ++i) {
    const std::uint64_t key = keys.next();
    REQUIRE(unmixed(key) - unmixed(before) != 1);
    before = key;
  }
}

TEST_CASE("seeded hash: copies agree, others do not", "[secret]") {
  const SeededHash hash;
  const SeededHash copy = hash;  // NOLINT(performance-unnecessary-copy-initialization)
  const SeededHash other;
  CHECK(hash("room") == copy("room"));
  CHECK(hash("room") != other("room"));
  CHECK(hash("room") != hash("rooms"));
  CHECK(hash("") != hash(std::string_view("\0", 1)));
}

}  // namespace secret_test
