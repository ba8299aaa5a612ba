// Rooms and the public space in a SQLite file. Target flux::sqlite.
#pragma once

#include <flux/storage/sql_room_store.hpp>

#include <cstdint>
#include <string>

namespace flux {

struct SqliteRoomOptions : SqlRoomOptions {
  /// The database's size at most; what is past it fails. 0: what the disk has.
  std::uint64_t file_bytes_max = 0;
};

/// Write-ahead log with `synchronous=FULL`, as `SqliteChatStore`. The file may hold chat and the file index too.
class SqliteRoomStore final : public SqlRoomStore {
 public:
  /// `path`: of the file, which is made where it is not there (its folder is not). No database in memory.
  explicit SqliteRoomStore(const std::string& path, const SqliteRoomOptions& options = {});
};

}  // namespace flux
