// The file index in MySQL or MariaDB. Target flux::mysql.
#pragma once

#include <flux/storage/sql_address.hpp>
#include <flux/storage/sql_file_index.hpp>

#include <string>

namespace flux {

/// A MariaDB (10.2 or newer) or MySQL (8.0 or newer) database; durable as `MysqlChatStore`.
class MysqlFileIndex final : public SqlFileIndex {
 public:
  /// `url`: as `MysqlChatStore` takes it.
  explicit MysqlFileIndex(const std::string& url, const SqlFileIndexOptions& options = {});
  explicit MysqlFileIndex(const SqlAddress& address, const SqlFileIndexOptions& options = {});
};

}  // namespace flux
