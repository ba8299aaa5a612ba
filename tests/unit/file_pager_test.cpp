// Pages of files; what they hold is in the contract of file stores.
#include "catch.hpp"

#include <flux/detail/storage/file_pager.hpp>

namespace file_pager_test {

using flux::storage::FilePager;

TEST_CASE("file pager: a page begins only after what another page returned") {
  for (const char* after : {"x", "12", "12:", ":a", "99999999999999999999:a", " 1:a", "1;a"}) {
    INFO(after);
    CHECK(FilePager::make({.after = after}).error().code() == flux::Errc::invalid_argument);
  }
  CHECK(FilePager::make({.after = "-12:a"}).ok());
  CHECK(FilePager::make({}).ok());
}

}  // namespace file_pager_test
