// The store of revocations in SQL: the algorithm of all three databases.
#pragma once

#include "row_table.hpp"

#include <flux/storage/sql.hpp>

#include <memory>
#include <string>
#include <vector>

namespace flux::storage::sql {

/// Threading: any thread.
class RevocationTable {
 public:
  static constexpr StoreName name{"revocation store", "revocations"};

  /// Creates or checks the table. Errors: throws `Error` (store_failed, or bad_config if an option is out of its range).
  RevocationTable(std::unique_ptr<Database> database, const SqlRevocationOptions& options);

  Result<std::vector<Revocation>> load();
  Result<void> save(const Revocation& revocation);
  Result<void> remove(RevocationKind kind, const std::string& subject);

 private:
  RowTable rows_;
};

}  // namespace flux::storage::sql
