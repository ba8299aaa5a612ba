#include "postgres_database.hpp"

#include "postgres_connection.hpp"

namespace flux::storage::sql {

static std::string connection_of(const SqlAddress& address) {
  std::string text = "host=" + postgres_quoted(address.host);
  if (address.port != 0) text += " port=" + std::to_string(address.port);
  if (!address.database.empty()) text += " dbname=" + postgres_quoted(address.database);
  if (!address.user.empty()) text += " user=" + postgres_quoted(address.user);
  if (!address.password.empty()) text += " password=" + postgres_quoted(address.password);
  return text;
}

std::unique_ptr<Database> postgres_database(const StoreName& name, const std::string& connection,
                                            const SqlOptions& options) {
  const PostgresTimeouts timeouts{options.connect_timeout, options.call_timeout};
  const auto parameters = postgres_parameters(connection, timeouts);
  const auto pool = std::make_shared<ConnectionPool>(options.connections, [parameters, timeouts] {
    return std::make_unique<PostgresConnection>(parameters, timeouts.call);
  });
  return std::make_unique<Database>(name, "PostgreSQL", std::make_unique<PostgresDialect>(), pool, pool,
                                    options.call_timeout);
}

std::unique_ptr<Database> postgres_database(const StoreName& name, const SqlAddress& address,
                                            const SqlOptions& options) {
  return postgres_database(name, connection_of(address), options);
}

}  // namespace flux::storage::sql
