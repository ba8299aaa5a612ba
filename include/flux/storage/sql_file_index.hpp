// What the file indexes in SQLite, PostgreSQL and MySQL have in common.
#pragma once

#include <flux/storage/file_index.hpp>
#include <flux/storage/sql_options.hpp>

#include <memory>
#include <string>
#include <vector>

namespace flux {

namespace storage::sql {
class FileTable;
}

struct SqlFileIndexOptions : SqlOptions {
  /// 1 to 40 letters, digits and `_`, no digit first. `<table>_version` is made beside it.
  std::string table = "flux_files";
};

/// Keeps what a `DiskFileStore` knows of its files in a table of a database: one row for each file, a column for each
/// member of `FileInfo`. The tables are made at the first start, by one process at a time. A table is for one store:
/// two that share one would each take the other's files for lost.
///
/// Durability: what `save` and `erase` have returned is on the disk. Each is a transaction.
/// Errors:     the constructors throw store_failed, or bad_config for an option out of its range. Calls give
///             store_failed, within `call_timeout` and one attempt to connect; while the database is known to be away,
///             at once. Text with a NUL, and sizes of 2^63 bytes and more, are refused with invalid_argument.
/// Threading:  any thread.
class SqlFileIndex : public FileIndex {
 public:
  ~SqlFileIndex() override;
  SqlFileIndex(const SqlFileIndex&) = delete;
  SqlFileIndex& operator=(const SqlFileIndex&) = delete;

  Result<std::vector<FileInfo>> load() final;
  Result<void> save(const FileInfo& file) final;
  Result<void> erase(const FileId& id) final;

 protected:
  explicit SqlFileIndex(std::unique_ptr<storage::sql::FileTable> table);

 private:
  const std::unique_ptr<storage::sql::FileTable> table_;
};

}  // namespace flux
