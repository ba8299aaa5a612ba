#include "mysql_database.hpp"

#include "mysql_connection.hpp"
#include "mysql_dialect.hpp"
#include "mysql_parameters.hpp"

namespace flux::storage::sql {

static MysqlParameters parameters_of(const SqlAddress& address) {
  MysqlParameters parameters;
  if (!address.host.empty()) parameters[address.host.front() == '/' ? "unix_socket" : "host"] = address.host;
  if (address.port != 0) parameters["port"] = std::to_string(address.port);
  if (!address.database.empty()) parameters["db"] = address.database;
  if (!address.user.empty()) parameters["user"] = address.user;
  if (!address.password.empty()) parameters["password"] = address.password;
  for (const auto& [name, value] : parameters) {
    if (value.find('\0') == std::string::npos) continue;
    throw Error(Errc::bad_config, "MySQL address: its " + name + " holds a NUL character (U+0000)");
  }
  return parameters;
}

static std::unique_ptr<Database> database_of(const StoreName& name, const MysqlParameters& parameters,
                                             const SqlOptions& options) {
  const MysqlTimeouts timeouts{options.connect_timeout, options.call_timeout};
  const auto guard = std::make_shared<CallGuard>();
  const auto pool = std::make_shared<ConnectionPool>(options.connections, [parameters, timeouts, guard] {
    return std::make_unique<MysqlConnection>(parameters, timeouts, guard);
  });
  return std::make_unique<Database>(name, "MySQL", std::make_unique<MysqlDialect>(), pool, pool, options.call_timeout);
}

std::unique_ptr<Database> mysql_database(const StoreName& name, const std::string& url, const SqlOptions& options) {
  return database_of(name, mysql_parameters(url), options);
}

std::unique_ptr<Database> mysql_database(const StoreName& name, const SqlAddress& address, const SqlOptions& options) {
  return database_of(name, parameters_of(address), options);
}

}  // namespace flux::storage::sql
