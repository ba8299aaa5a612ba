#include "sqlite_database.hpp"

#include "sqlite_connection.hpp"

namespace flux::storage::sql {

std::unique_ptr<Database> sqlite_database(const StoreName& name, const std::string& path, const SqlOptions& options,
                                          std::uint64_t file_bytes_max) {
  if (path.empty() || path == ":memory:" || path.starts_with("file:") || path.find('\0') != std::string::npos) {
    throw Error(Errc::bad_config,
                "a SQLite " + std::string(name.store) + " needs the path of a file, not \"" + path + "\"");
  }
  const SqliteConnection::Options writer{path, true, options.call_timeout, file_bytes_max};
  const SqliteConnection::Options reader{path, false, options.call_timeout, 0};
  const auto pool_of = [](std::size_t size, const SqliteConnection::Options& of) {
    return std::make_shared<ConnectionPool>(size, [of] { return std::make_unique<SqliteConnection>(of); });
  };
  return std::make_unique<Database>(name, "\"" + path + "\"", std::make_unique<SqliteDialect>(), pool_of(1, writer),
                                    pool_of(options.connections, reader), options.call_timeout);
}

}  // namespace flux::storage::sql
