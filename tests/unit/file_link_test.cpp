// Signed links to files.
#include "catch.hpp"

#include <flux/detail/core/digest.hpp>
#include <flux/detail/core/uuid.hpp>
#include <flux/detail/gate/file_link.hpp>
#include <flux/detail/storage/file_id.hpp>

#include <set>
#include <string>

namespace file_link_test {

using flux::gate::FileLinks;

namespace {

constexpr const char* file = "0b56a1c0-9d0e-4f57-8a51-0123456789ab";
constexpr const char* other_file = "1b56a1c0-9d0e-4f57-8a51-0123456789ab";

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

}  // namespace

TEST_CASE("file link: valid only for its file, name and time") {
  if (!flux::core::has_digests()) return;
  const FileLinks links("a key of 16 bytes or more");
  const std::string query = links.query(file, 1'000, "n\xc3\xa4me & more.txt").value();
  CHECK(query.find("filename=n%C3%A4me%20%26%20more.txt&expires=1000&signature=") == 0);
  CHECK(links.admits(file, query, 999));
  CHECK_FALSE(links.admits(file, query, 1'000));
  CHECK_FALSE(links.admits(other_file, query, 999));
  CHECK_FALSE(links.admits(file, replaced(query, "expires=1000", "expires=2000"), 999));
  CHECK_FALSE(links.admits(file, replaced(query, "expires=1000", "expires=01000"), 999));
  CHECK_FALSE(links.admits(file, replaced(query, "more", "less"), 999));
  CHECK_FALSE(links.admits(file, query.substr(query.find('&') + 1), 999));
  CHECK_FALSE(links.admits(file, query.substr(0, query.size() - 1), 999));
  CHECK_FALSE(links.admits(file, query + "0", 999));
  CHECK_FALSE(FileLinks("another key of 16 bytes").admits(file, query, 999));
}

TEST_CASE("file link: without a name it permits none; signed text can't be shifted into the name") {
  if (!flux::core::has_digests()) return;
  const FileLinks links("a key of 16 bytes or more");
  const std::string query = links.query(file, 1'000, "").value();
  CHECK(query.find("expires=1000&signature=") == 0);
  CHECK(links.admits(file, query, 0));
  CHECK_FALSE(links.admits(file, query + "&filename=x", 0));
  const std::string shifted = links.query(file, 1, "2\nx").value();
  CHECK_FALSE(links.admits(file, replaced(shifted, "filename=2%0Ax&expires=1", "filename=x&expires=1%0A2"), 0));
}

TEST_CASE("file link: each server without a configured key has its own") {
  if (!flux::core::has_digests()) return;
  const FileLinks one("");
  const FileLinks two("");
  const std::string query = one.query(file, 1'000, "").value();
  CHECK(one.admits(file, query, 0));
  CHECK_FALSE(two.admits(file, query, 0));
}

TEST_CASE("file link: a query with any part of a link is treated as one") {
  CHECK(FileLinks::is_link("signature=00&expires=1"));
  CHECK(FileLinks::is_link("filename=x&expires=1"));
  CHECK(FileLinks::is_link("signature"));
  CHECK(FileLinks::is_link("a=b&signature=%zz"));
  CHECK(FileLinks::is_link("%73ignature=1"));
  CHECK_FALSE(FileLinks::is_link("filename=signature&x=expires"));
  CHECK_FALSE(FileLinks::is_link(""));
}

TEST_CASE("uuid: random ones differ and have the format of version 4") {
  std::set<std::string> seen;
  for (int i = 0; i < 1'000; ++i) {
    const std::string id = flux::core::random_uuid();
    REQUIRE(flux::storage::is_file_id(id));
    REQUIRE(id[14] == '4');
    REQUIRE(std::string("89ab").find(id[19]) != std::string::npos);
    REQUIRE(seen.insert(id).second);
  }
}

}  // namespace file_link_test
