// Rows of a file index as bytes. The contract of indexes says what each field may hold.
#include "catch.hpp"

#include <flux/detail/storage/file_row.hpp>

#include <cstdint>
#include <string>

namespace file_row_test {

using namespace flux;
using namespace flux::storage;

TEST_CASE("file row: written rows are read back, with any bytes in them", "[file_row]") {
  FileInfo file;
  file.id = std::string("\0id", 3);
  file.name = std::string("\xff\0\n", 3);
  file.media_type = "m";
  file.owner = std::string(1, '\0');
  file.metadata = std::string(70'000, '\x80');
  file.length = UINT64_MAX;
  file.size = UINT64_MAX - 1;
  file.wants_sha256 = true;
  file.sha256 = "s";
  file.state = FileState::deleted;
  file.created_at = INT64_MIN;
  file.modified_at = -1;
  std::string row;
  append_file_row(row, file);
  CHECK((read_file_row(row) == file));
}

TEST_CASE("file row: truncated, overlong or malformed input is not a row", "[file_row]") {
  FileInfo file;
  file.id = "id";
  file.name = "name";
  std::string row;
  append_file_row(row, file);
  REQUIRE(read_file_row(row) == file);
  for (std::size_t size = 0; size < row.size(); ++size) CHECK_FALSE(read_file_row(row.substr(0, size)));
  CHECK_FALSE(read_file_row(row + '\0'));
  std::string unknown_flag = row;
  unknown_flag[0] = 8;
  CHECK_FALSE(read_file_row(unknown_flag));
  std::string unknown_state = row;
  unknown_state[1] = 3;
  CHECK_FALSE(read_file_row(unknown_state));
}

}  // namespace file_row_test
