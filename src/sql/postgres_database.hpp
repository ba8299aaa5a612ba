#pragma once

#include "database.hpp"

#include <flux/storage/sql_address.hpp>

#include <memory>
#include <string>

namespace flux::storage::sql {

/// `options` are checked by whoever uses it. Errors: throws `Error` (bad_config) where `connection` is no connection
/// string.
std::unique_ptr<Database> postgres_database(const StoreName& name, const std::string& connection,
                                            const SqlOptions& options);
std::unique_ptr<Database> postgres_database(const StoreName& name, const SqlAddress& address,
                                            const SqlOptions& options);

}  // namespace flux::storage::sql
