// How much of the store unfinished uploads of clients without a user may occupy.
#include "catch.hpp"

#include <flux/detail/features/unfinished_uploads.hpp>

#include <set>
#include <string>

namespace unfinished_uploads_test {

using namespace flux;
using namespace flux::features;

namespace {

core::IpAddress ip(const std::string& text) { return core::IpAddress::parse(text).value(); }

Errc code_of(const Result<void>& result) { return result ? Errc{} : result.error().code(); }

}  // namespace

TEST_CASE("unfinished uploads: one address reaches its limit, other addresses and uploads continue",
          "[unfinished_uploads]") {
  UnfinishedUploads uploads(2, 0);
  CHECK(uploads.add("a", ip("192.0.2.1"), 1).ok());
  CHECK(uploads.add("b", ip("192.0.2.1"), 1).ok());
  CHECK(code_of(uploads.add("c", ip("192.0.2.1"), 1)) == Errc::limit_exceeded);
  CHECK(uploads.add("c", ip("192.0.2.2"), 1).ok());
  uploads.remove("a");
  CHECK(uploads.add("d", ip("192.0.2.1"), 1).ok());
  CHECK_FALSE(uploads.add("e", ip("192.0.2.1"), 1).ok());
}

TEST_CASE("unfinished uploads: IPv6 counts by /64", "[unfinished_uploads]") {
  UnfinishedUploads uploads(1, 0);
  CHECK(uploads.add("a", ip("2001:db8::1"), 1).ok());
  CHECK_FALSE(uploads.add("b", ip("2001:db8::ffff:2"), 1).ok());
  CHECK(uploads.add("b", ip("2001:db8:0:1::1"), 1).ok());
}

TEST_CASE("unfinished uploads: the bytes of one address are limited, but its only upload may have any length",
          "[unfinished_uploads]") {
  UnfinishedUploads uploads(0, 100);
  const auto client = ip("192.0.2.1");
  CHECK(uploads.add("large", client, 1000).ok());
  CHECK_FALSE(uploads.add("small", client, 1).ok());
  CHECK(uploads.add("empty", ip("192.0.2.2"), UINT64_MAX).ok());
  CHECK_FALSE(uploads.add("overflow", ip("192.0.2.2"), UINT64_MAX).ok());
  uploads.remove("large");
  CHECK(uploads.add("a", client, 60).ok());
  CHECK(uploads.add("b", client, 40).ok());
  CHECK_FALSE(uploads.add("c", client, 1).ok());
}

TEST_CASE("unfinished uploads: an upload of unknown length counts with what it has received", "[unfinished_uploads]") {
  UnfinishedUploads uploads(0, 100);
  const auto client = ip("192.0.2.1");
  CHECK(uploads.add("a", client, 0).ok());
  CHECK(uploads.grow("a", 500).value() == 0);  // the only one
  CHECK_FALSE(uploads.add("b", client, 1).ok());
  uploads.shrink("a", 50);
  CHECK(uploads.add("b", client, 0).ok());
  CHECK(uploads.grow("b", 50).value() == 0);
  CHECK(uploads.grow("b", 20).value() == 50);  // nothing changes
  CHECK_FALSE(uploads.grow("b", 51).ok());
  CHECK_FALSE(uploads.grow("a", 51).ok());
  uploads.remove("b");
  CHECK(uploads.grow("a", 51).value() == 50);
  CHECK(uploads.grow("unknown", 1'000'000).ok());
  uploads.remove("unknown");
}

TEST_CASE("unfinished uploads: those that the store has created are named", "[unfinished_uploads]") {
  UnfinishedUploads uploads(0, 0);
  CHECK(uploads.add("a", ip("192.0.2.1"), 1).ok());
  CHECK(uploads.add("b", ip("192.0.2.1"), 1).ok());
  uploads.note_created("a");
  uploads.note_created("unknown");
  CHECK(uploads.created() == std::vector<FileId>{"a"});
  uploads.remove("a");
  CHECK(uploads.created().empty());
}

}  // namespace unfinished_uploads_test
