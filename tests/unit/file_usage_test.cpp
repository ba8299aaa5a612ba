// The space that files use in a store: limits, and that exactly the reserved amount is released.
#include "catch.hpp"

#include <flux/detail/storage/file_usage.hpp>

#include <cstdint>

namespace file_usage_test {

using namespace flux;
using flux::storage::FileUsage;

TEST_CASE("file usage: each limit holds to the last byte, and a refusal counts nothing", "[file_usage]") {
  FileUsage usage({.bytes_max = 10, .bytes_per_owner_max = 6, .files_max = 3});
  CHECK(usage.reserve("ann", 1, 6).ok());
  CHECK(usage.reserve("ann", 0, 1).error().code() == Errc::owner_quota_exceeded);
  CHECK(usage.reserve("bob", 1, 5).error().code() == Errc::quota_exceeded);
  CHECK(usage.reserve("bob", 1, UINT64_MAX).error().code() == Errc::quota_exceeded);
  CHECK(usage.reserve("bob", 1, 4).ok());
  CHECK(usage.reserve("bob", 1, 0).ok());
  CHECK(usage.reserve("bob", 1, 0).error().code() == Errc::quota_exceeded);
  usage.release("bob", 1, 0);
  usage.release("ann", 1, 6);
  CHECK(usage.reserve("bob", 1, 2).ok());
  CHECK(usage.reserve("bob", 0, 1).error().code() == Errc::owner_quota_exceeded);
  CHECK(usage.reserve("cyd", 0, 4).ok());
  CHECK(usage.reserve("dan", 0, 1).error().code() == Errc::quota_exceeded);
}

TEST_CASE("file usage: 0 is no limit", "[file_usage]") {
  FileUsage usage({});
  for (int i = 0; i < 3; ++i) CHECK(usage.reserve("ann", 1000, std::uint64_t{1} << 60).ok());
}

TEST_CASE("file usage: space that an owner released counts for the store until the file is deleted", "[file_usage]") {
  FileUsage usage({.bytes_max = 10, .bytes_per_owner_max = 6, .files_max = 0});
  REQUIRE(usage.reserve("ann", 1, 6).ok());
  usage.release_of_owner("ann", 1, 6);
  CHECK(usage.reserve("ann", 1, 5).error().message() ==
        "the file store may have 10 bytes and has 6 of them: there is no room for 5 more");
  CHECK(usage.reserve("ann", 1, 4).ok());
  usage.release_of_store(1, 6);
  CHECK(usage.reserve("ann", 1, 2).ok());
}

TEST_CASE("file usage: the files of an owner, empty ones included, are limited separately from others",
          "[file_usage]") {
  FileUsage usage({.bytes_max = 0, .bytes_per_owner_max = 0, .files_max = 0, .files_per_owner_max = 2});
  CHECK(usage.reserve("ann", 2, 0).ok());
  CHECK(usage.reserve("ann", 1, 0).error().message() == "an owner of files may have 2 files, and has that many");
  CHECK(usage.reserve("ann", 0, 5).ok());
  CHECK(usage.reserve("bob", 1, 0).ok());
  usage.release_of_owner("ann", 1, 5);
  CHECK(usage.reserve("ann", 1, 0).ok());
  CHECK(usage.reserve("ann", 1, 0).error().code() == Errc::owner_quota_exceeded);
}

TEST_CASE("file usage: existing files may exceed a lowered limit, but nothing can be added", "[file_usage]") {
  FileUsage usage({.bytes_max = 10, .bytes_per_owner_max = 5, .files_max = 1});
  usage.add("ann", 2, 20);
  CHECK(usage.reserve("bob", 0, 1).error().code() == Errc::quota_exceeded);
  CHECK(usage.reserve("bob", 1, 0).error().code() == Errc::quota_exceeded);
  usage.release("ann", 2, 20);
  CHECK(usage.reserve("bob", 1, 5).ok());
}

}  // namespace file_usage_test
