#include <flux/storage/sqlite.hpp>

#include "database.hpp"
#include "sqlite_connection.hpp"

namespace flux {

using namespace storage::sql;

static std::shared_ptr<const Access> access_to(const std::string& path, const SqliteOptions& options) {
  check_options({.connections = options.connections, .call_timeout = options.call_timeout});
  if (path.empty() || path == ":memory:" || path.starts_with("file:") || path.find('\0') != std::string::npos) {
    throw Error(Errc::bad_config, "a SQLite database needs the path of a file, not \"" + path + "\"");
  }
  const SqliteConnection::Options writer{path, true, options.call_timeout, options.file_bytes_max};
  const SqliteConnection::Options reader{path, false, options.call_timeout, 0};
  const auto pool_of = [](std::size_t size, const SqliteConnection::Options& of) {
    return std::make_shared<ConnectionPool>(size, [of] { return std::make_unique<SqliteConnection>(of); });
  };
  return std::make_shared<const Access>(Access{"\"" + path + "\"", std::make_unique<SqliteDialect>(),
                                               pool_of(1, writer), pool_of(options.connections, reader),
                                               options.call_timeout});
}

SqliteDatabase::SqliteDatabase(const std::string& path, const SqliteOptions& options)
    : SqlDatabase(access_to(path, options)) {}

}  // namespace flux
