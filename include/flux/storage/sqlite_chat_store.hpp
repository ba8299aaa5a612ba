// Chat in a SQLite file. Target flux::sqlite.
#pragma once

#include <flux/storage/sql_chat_store.hpp>

namespace flux {

struct SqliteChatOptions : SqlChatOptions {
  /// The database's size at most; a message past it fails. 0: what the disk has.
  std::uint64_t file_bytes_max = 0;
};

/// Write-ahead log with `synchronous=FULL`: a transaction is on the disk when it is acknowledged. The file may hold
/// other tables and have other users; they wait for one another up to `call_timeout`.
class SqliteChatStore final : public SqlChatStore {
 public:
  /// `path`: of the file, which is made where it is not there (its folder is not). No database in memory: that is what
  /// `MemoryChatStore` is for.
  explicit SqliteChatStore(const std::string& path, const SqliteChatOptions& options = {});
};

}  // namespace flux
