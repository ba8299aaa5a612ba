// The store of API keys in SQL: the algorithm of all three databases.
#pragma once

#include "row_table.hpp"

#include <flux/storage/sql.hpp>

#include <memory>
#include <string>
#include <vector>

namespace flux::storage::sql {

/// Threading: any thread.
class KeyTable {
 public:
  static constexpr StoreName name{"key store", "API keys"};

  /// Creates or checks the table. Errors: throws `Error` (store_failed, or bad_config if an option is out of its range).
  KeyTable(std::unique_ptr<Database> database, const SqlKeyOptions& options);

  Result<std::vector<ApiKeyRecord>> load();
  Result<void> put(const ApiKeyRecord& record);
  Result<void> remove(const std::string& id);

 private:
  RowTable rows_;
};

}  // namespace flux::storage::sql
