// The header fields of tus.
#include "catch.hpp"

#include <flux/detail/endpoints/files/tus.hpp>

namespace tus_test {

using flux::Errc;
using flux::protocol::read_tus_checksum;
using flux::protocol::read_tus_number;
using flux::protocol::TusMetadata;

TEST_CASE("tus: numbers consist of digits only, up to 2^63 - 1") {
  CHECK(read_tus_number("0") == 0);
  CHECK(read_tus_number("0012") == 12);
  CHECK(read_tus_number("9223372036854775807") == 9'223'372'036'854'775'807U);
  for (const char* bad : {"", "-1", "+1", " 1", "1 ", "1.0", "0x10", "1e3", "9223372036854775808",
                          "18446744073709551616", "99999999999999999999999", "1, 1", "one"}) {
    INFO(bad);
    CHECK_FALSE(read_tus_number(bad));
  }
}

TEST_CASE("tus: a checksum is an algorithm, a space and base64") {
  const auto checksum = read_tus_checksum("sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=");
  REQUIRE(checksum);
  CHECK(checksum->algorithm == "sha1");
  CHECK(checksum->digest.size() == 20);
  CHECK(static_cast<unsigned char>(checksum->digest[0]) == 0x2a);
  for (const char* bad : {"", "sha1", "sha1 ", " Kq5sNclPz7QV2+lfQIuc6R7oRu0=", "sha1  Kq5sNclPz7QV2+lfQIuc6R7oRu0=",
                          "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0", "sha1 not base64!", "sha1 Kq5s, sha1 Kq5s",
                          "s,1 Kq5sNclPz7QV2+lfQIuc6R7oRu0="}) {
    INFO(bad);
    const auto refused = read_tus_checksum(bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Errc::invalid_argument);
  }
}

TEST_CASE("tus: metadata is read pair by pair") {
  const auto metadata =
      TusMetadata::read("filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential,filetype YS9i");
  REQUIRE(metadata);
  CHECK(metadata->file_name() == "world_domination_plan.pdf");
  CHECK(metadata->media_type() == "a/b");
  CHECK(metadata->find("is_confidential") == "");
  CHECK_FALSE(metadata->find("FileName"));
  CHECK(metadata->room().empty());
  CHECK(TusMetadata::read("")->file_name().empty());
  CHECK(TusMetadata::read(" a YQ== , b Yg== ")->find("b") == "b");
}

TEST_CASE("tus: metadata may use other names for name and type; the first name wins") {
  const auto metadata = TusMetadata::read("name YQ==,type Yi9j,room cg==");
  REQUIRE(metadata);
  CHECK(metadata->file_name() == "a");
  CHECK(metadata->media_type() == "b/c");
  CHECK(metadata->room() == "r");
  CHECK(TusMetadata::read("name YQ==,filename Yg==")->file_name() == "b");
}

TEST_CASE("tus: malformed metadata is refused") {
  for (const char* bad : {",", "a YQ==,", ",a YQ==", "a YQ==,,b Yg==", "a YQ=", "a not-base64",
                          "a YQ==,a Yg==", "a  YQ==", "a YQ== YQ==", "\xc3\xa9 YQ==", "filename \x01", "a YR=="}) {
    INFO(bad);
    const auto refused = TusMetadata::read(bad);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Errc::invalid_argument);
    for (const char c : refused.error().message()) CHECK((c >= ' ' && c <= '~'));
  }
  const std::string longest(TusMetadata::bytes_max, 'a');
  CHECK(TusMetadata::read(longest));
  const auto refused = TusMetadata::read(longest + "a");
  CHECK(refused.error().code() == Errc::message_too_large);
  CHECK(refused.error().message() == "Upload-Metadata has at most 3072 bytes here, not 3073");
}

TEST_CASE("tus: removing a key from metadata leaves the rest unchanged") {
  CHECK(flux::protocol::tus_metadata_without("", "ticket").empty());
  CHECK(flux::protocol::tus_metadata_without("ticket YQ==", "ticket").empty());
  CHECK(flux::protocol::tus_metadata_without("ticket", "ticket").empty());
  CHECK(flux::protocol::tus_metadata_without("a YQ==, ticket YQ== ,b", "ticket") == "a YQ==,b");
  CHECK(flux::protocol::tus_metadata_without("tickets YQ==,a ticket", "ticket") == "tickets YQ==,a ticket");
}

}  // namespace tus_test
