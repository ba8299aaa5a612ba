#pragma once

#include "database.hpp"

#include <flux/storage/sql_address.hpp>

#include <memory>
#include <string>

namespace flux::storage::sql {

/// `options` are checked by whoever uses it. Errors: throws `Error` (bad_config) where `url` is none of MySQL.
std::unique_ptr<Database> mysql_database(const StoreName& name, const std::string& url, const SqlOptions& options);
std::unique_ptr<Database> mysql_database(const StoreName& name, const SqlAddress& address, const SqlOptions& options);

}  // namespace flux::storage::sql
