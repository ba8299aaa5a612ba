// File names of downloads.
#include "catch.hpp"

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/transport/content_disposition.hpp>

#include <random>
#include <string>

namespace content_disposition_test {

using flux::transport::content_disposition;
using flux::transport::Disposition;
using flux::transport::suggested_file_name;

namespace {
std::string attachment(std::string_view name) { return content_disposition(Disposition::attachment, name); }
}  // namespace

TEST_CASE("content disposition: an ASCII name is quoted") {
  CHECK(attachment("a b.txt") == "attachment; filename=\"a b.txt\"");
  CHECK(content_disposition(Disposition::in_place, "x.png") == "inline; filename=\"x.png\"");
}

TEST_CASE("content disposition: other names have a second form in UTF-8") {
  CHECK(attachment("na\xc3\xafve.txt") == "attachment; filename=\"na_ve.txt\"; filename*=UTF-8''na%C3%AFve.txt");
  CHECK(attachment("\xf0\x9f\x98\x80") == "attachment; filename=\"_\"; filename*=UTF-8''%F0%9F%98%80");
  CHECK(attachment("50%.txt") == "attachment; filename=\"50_.txt\"; filename*=UTF-8''50%25.txt");
  CHECK(attachment("a\"b.txt") == "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b.txt");
}

TEST_CASE("content disposition: no name can reach another folder") {
  CHECK(suggested_file_name("../../etc/passwd") == ".._.._etc_passwd");
  CHECK(suggested_file_name("C:\\windows\\x.exe") == "C:_windows_x.exe");
  CHECK(suggested_file_name("..") == "file");
  CHECK(suggested_file_name(".") == "file");
  CHECK(suggested_file_name("") == "file");
  CHECK(suggested_file_name("   ") == "file");
  CHECK(suggested_file_name(".profile") == ".profile");
}

TEST_CASE("content disposition: misleading characters and line breaks are removed") {
  CHECK(suggested_file_name("a\r\nSet-Cookie: b") == "aSet-Cookie: b");
  CHECK(suggested_file_name(std::string("a\0b\x7f", 4)) == "ab");
  CHECK(suggested_file_name("\xe2\x80\xae"
                            "gpj.exe") == "gpj.exe");                                  // right-to-left override
  CHECK(suggested_file_name("\xe2\x81\xa6x\xe2\x81\xa9\xd8\x9c\xe2\x80\x8f") == "x");  // isolates, marks
  CHECK(suggested_file_name("a\xe2\x80\xa8"
                            "b\xc2\x85"
                            "c\xef\xbb\xbf") == "abc");  // line separators, BOM
}

TEST_CASE("content disposition: bytes that are not UTF-8 become underscores") {
  CHECK(suggested_file_name("a\xff\xc3.txt") == "a__.txt");
}

TEST_CASE("content disposition: any name, the field is visible ASCII and the name is UTF-8") {
  std::mt19937 random(7);
  for (int i = 0; i < 5'000; ++i) {
    std::string name;
    for (auto size = random() % 12; size > 0; --size) {
      name += random() % 2 != 0 ? static_cast<char>(random() % 256) : "\r\n\"\\/;%.\xe2\x80\xae"[random() % 11];
    }
    const std::string field = attachment(name);
    for (const char c : field) REQUIRE((c >= ' ' && c <= '~'));
    REQUIRE(flux::core::valid_utf8(suggested_file_name(name)));
    const std::size_t open = field.find('"');
    const std::size_t close = field.find('"', open + 1);
    REQUIRE(close != std::string::npos);
    REQUIRE(field.find('"', close + 1) == std::string::npos);
    REQUIRE(field.substr(open, close - open).find_first_of("\\/") == std::string::npos);
  }
}

}  // namespace content_disposition_test
