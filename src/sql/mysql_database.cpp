#include <flux/storage/mysql.hpp>

#include "database.hpp"
#include "mysql_connection.hpp"
#include "mysql_dialect.hpp"
#include "mysql_parameters.hpp"

namespace flux {

using namespace storage::sql;

static MysqlParameters parameters_of(const SqlAddress& address) {
  MysqlParameters parameters;
  if (!address.host.empty()) parameters[address.host.front() == '/' ? "unix_socket" : "host"] = address.host;
  if (address.port != 0) parameters["port"] = std::to_string(address.port);
  if (!address.database.empty()) parameters["db"] = address.database;
  if (!address.user.empty()) parameters["user"] = address.user;
  if (!address.password.empty()) parameters["password"] = address.password;
  for (const auto& [name, value] : parameters) {
    if (value.find('\0') == std::string::npos) continue;
    throw Error(Errc::bad_config, "MySQL address: its " + name + " contains a NUL character (U+0000)");
  }
  return parameters;
}

static std::shared_ptr<const Access> access_to(const MysqlParameters& parameters, const SqlOptions& options) {
  check_options(options);
  const MysqlTimeouts timeouts{options.connect_timeout, options.call_timeout};
  const auto guard = std::make_shared<CallGuard>();
  const auto pool = std::make_shared<ConnectionPool>(options.connections, [parameters, timeouts, guard] {
    return std::make_unique<MysqlConnection>(parameters, timeouts, guard);
  });
  return std::make_shared<const Access>(
      Access{"MySQL", std::make_unique<MysqlDialect>(), pool, pool, options.call_timeout});
}

MysqlDatabase::MysqlDatabase(const std::string& url, const SqlOptions& options)
    : SqlDatabase(access_to(mysql_parameters(url), options)) {}

MysqlDatabase::MysqlDatabase(const SqlAddress& address, const SqlOptions& options)
    : SqlDatabase(access_to(parameters_of(address), options)) {}

}  // namespace flux
