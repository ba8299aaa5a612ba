#include <flux/storage/postgres.hpp>

#include "database.hpp"
#include "postgres_connection.hpp"

namespace flux {

using namespace storage::sql;

static std::string connection_of(const SqlAddress& address) {
  std::string text = "host=" + postgres_quoted(address.host);
  if (address.port != 0) text += " port=" + std::to_string(address.port);
  if (!address.database.empty()) text += " dbname=" + postgres_quoted(address.database);
  if (!address.user.empty()) text += " user=" + postgres_quoted(address.user);
  if (!address.password.empty()) text += " password=" + postgres_quoted(address.password);
  return text;
}

static std::shared_ptr<const Access> access_to(const std::string& connection, const SqlOptions& options) {
  check_options(options);
  const PostgresTimeouts timeouts{options.connect_timeout, options.call_timeout};
  const auto parameters = postgres_parameters(connection, timeouts);
  const auto pool = std::make_shared<ConnectionPool>(options.connections, [parameters, timeouts] {
    return std::make_unique<PostgresConnection>(parameters, timeouts.call);
  });
  return std::make_shared<const Access>(
      Access{"PostgreSQL", std::make_unique<PostgresDialect>(), pool, pool, options.call_timeout});
}

PostgresDatabase::PostgresDatabase(const std::string& connection, const SqlOptions& options)
    : SqlDatabase(access_to(connection, options)) {}

PostgresDatabase::PostgresDatabase(const SqlAddress& address, const SqlOptions& options)
    : SqlDatabase(access_to(connection_of(address), options)) {}

}  // namespace flux
