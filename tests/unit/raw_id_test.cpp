// The ids of clients of raw WebSocket endpoints.
#include "catch.hpp"

#include <flux/detail/endpoints/raw/raw_clients.hpp>

#include <string>

namespace raw_id_test {

using flux::detail::RawId;

TEST_CASE("raw id: its text is read again") {
  for (const RawId id : {RawId{0, 0}, RawId{0xffff'ffff'ffff'ffff, 0xffff'ffff}, RawId{0x123456789abcdef0, 7}}) {
    const std::string text = id.text();
    CHECK(text.size() == 26);
    const auto read = RawId::parse(text);
    REQUIRE(read);
    CHECK(read->key == id.key);
    CHECK(read->slot == id.slot);
  }
}

TEST_CASE("raw id: other texts are none") {
  const std::string good = RawId{42, 7}.text();
  CHECK_FALSE(RawId::parse(""));
  CHECK_FALSE(RawId::parse(good.substr(1)));
  CHECK_FALSE(RawId::parse(good + "0"));
  CHECK_FALSE(RawId::parse("U" + good.substr(1)));
  CHECK_FALSE(RawId::parse(good.substr(0, 13) + "0000004000000"));  // a slot of 2^32
}

}  // namespace raw_id_test
