// The file index in PostgreSQL. Target flux::postgres.
#pragma once

#include <flux/storage/sql_address.hpp>
#include <flux/storage/sql_file_index.hpp>

#include <string>

namespace flux {

/// A PostgreSQL database, version 10 or newer, with the encoding UTF8; durable as `PostgresChatStore`.
class PostgresFileIndex final : public SqlFileIndex {
 public:
  /// `connection`: as `PostgresChatStore` takes it.
  explicit PostgresFileIndex(const std::string& connection, const SqlFileIndexOptions& options = {});
  explicit PostgresFileIndex(const SqlAddress& address, const SqlFileIndexOptions& options = {});
};

}  // namespace flux
