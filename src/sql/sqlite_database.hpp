#pragma once

#include "database.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace flux::storage::sql {

/// `options` are checked by whoever uses it. Errors: throws `Error` (bad_config) where `path` names no file.
std::unique_ptr<Database> sqlite_database(const StoreName& name, const std::string& path, const SqlOptions& options,
                                          std::uint64_t file_bytes_max);

}  // namespace flux::storage::sql
