// Digests: the vectors of FIPS 180-4 and RFC 4231, incremental input, comparison.
#include "catch.hpp"

#include <flux/detail/core/digest.hpp>

#include <string>
#include <utility>

namespace digest_test {

using namespace flux;
using namespace flux::core;

TEST_CASE("digest: the standard's examples give the digests it lists", "[digest]") {
  if (!has_digests()) {
    CHECK(sha1("abc").error().code() == Errc::server_error);
    CHECK(hmac_sha256("key", "abc").error().code() == Errc::server_error);
    return;
  }
  CHECK(to_hex(sha1("").value()) == "da39a3ee5e6b4b0d3255bfef95601890afd80709");
  CHECK(to_hex(sha1("abc").value()) == "a9993e364706816aba3e25717850c26c9cd0d89d");
  CHECK(to_hex(sha256("").value()) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(sha256("abc").value()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256(std::string(3, '\0')).value() != sha256(std::string(2, '\0')).value());
}

TEST_CASE("digest: input in pieces gives the same digest as the whole", "[digest]") {
  if (!has_digests()) return;
  Digest digest = Digest::begin(DigestKind::sha256).value();
  const std::string million(1'000'000, 'a');
  std::size_t piece = 1;
  for (std::size_t at = 0; at < million.size(); at += piece, piece = piece * 2 + 1) {
    digest.update(std::string_view(million).substr(at, piece));
    digest.update("");
  }
  Digest moved = std::move(digest);
  CHECK(to_hex(moved.finish().value()) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("digest: HMAC-SHA256 matches RFC 4231", "[digest]") {
  if (!has_digests()) return;
  CHECK(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There").value()) ==
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?").value()) ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  CHECK(
      to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First").value()) ==
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(to_hex(hmac_sha256("", "").value()) == "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST_CASE("digest: secrets are equal only if their length and every byte are", "[digest]") {
  CHECK(equal_in_constant_time("", ""));
  CHECK(equal_in_constant_time("secret", "secret"));
  CHECK_FALSE(equal_in_constant_time("secret", "secreT"));
  CHECK_FALSE(equal_in_constant_time("secret", "Secret"));
  CHECK_FALSE(equal_in_constant_time("secret", "secre"));
  CHECK_FALSE(equal_in_constant_time("secret", ""));
  CHECK_FALSE(equal_in_constant_time(std::string(1, '\0'), std::string(1, '\x80')));
}

TEST_CASE("digest: hexadecimal text is in lower case and twice as long", "[digest]") {
  CHECK(to_hex("").empty());
  CHECK(to_hex(std::string("\x00\x0f\xf0\xff", 4)) == "000ff0ff");
}

}  // namespace digest_test
