// Chat, rooms, the file index, API keys and revocations in a SQLite file. Target flux::sqlite.
#pragma once

#include <flux/storage/sql.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

namespace flux {

/// Options of a SQLite file.
struct SqliteOptions {
  std::size_t connections = SqlOptions().connections;                  ///< as in `SqlOptions`: readers of the file
  std::chrono::milliseconds call_timeout = SqlOptions().call_timeout;  ///< as in `SqlOptions`
  /// Maximum size of the database file; what exceeds it fails. 0: unlimited.
  std::uint64_t file_bytes_max = 0;
};

/// A SQLite file, with a write-ahead log and `synchronous=FULL`: a transaction is on disk when it is acknowledged. The
/// file may hold other tables and have other users; they wait for one another up to `call_timeout`.
class SqliteDatabase final : public SqlDatabase {
 public:
  /// `path`: of the file, which is created with the first store if it does not exist (its folder is not). A database in
  /// memory is refused; use `MemoryChatStore` instead. Opens nothing yet.
  /// Errors: throws flux::Error (bad_config) if `path` names no file, or for an option out of its range.
  explicit SqliteDatabase(const std::string& path, const SqliteOptions& options = {});
};

}  // namespace flux
