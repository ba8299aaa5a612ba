// The file index in a SQLite file. Target flux::sqlite.
#pragma once

#include <flux/storage/sql_file_index.hpp>

#include <cstdint>
#include <string>

namespace flux {

struct SqliteFileIndexOptions : SqlFileIndexOptions {
  /// The database's size at most; what is past it fails. 0: what the disk has.
  std::uint64_t file_bytes_max = 0;
};

/// Write-ahead log with `synchronous=FULL`, as `SqliteChatStore`. The file may hold chat and rooms too.
class SqliteFileIndex final : public SqlFileIndex {
 public:
  /// `path`: of the file, which is made where it is not there (its folder is not). No database in memory.
  explicit SqliteFileIndex(const std::string& path, const SqliteFileIndexOptions& options = {});
};

}  // namespace flux
