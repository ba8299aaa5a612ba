// The file index in SQL: the algorithm of all three databases.
#pragma once

#include "row_table.hpp"

#include <flux/storage/sql.hpp>

#include <memory>
#include <string>
#include <vector>

namespace flux::storage::sql {

/// Threading: any thread.
class FileTable {
 public:
  static constexpr StoreName name{"file index", "file index"};

  /// Creates or checks the table. Errors: throws `Error` (store_failed, or bad_config if an option is out of its range).
  FileTable(std::unique_ptr<Database> database, const SqlFileIndexOptions& options);

  Result<std::vector<FileInfo>> load();
  Result<void> save(const FileInfo& file);
  Result<void> erase(const FileId& id);

 private:
  RowTable rows_;
};

}  // namespace flux::storage::sql
