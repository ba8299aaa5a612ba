#include <flux/storage/mysql_chat_store.hpp>

#include "chat.hpp"
#include "mysql_connection.hpp"

#include <memory>

namespace flux {

namespace {

using namespace storage::sql;

std::unique_ptr<Chat> open(const MysqlParameters& parameters, const SqlChatOptions& options) {
  check_options(options);
  const MysqlTimeouts timeouts{options.connect_timeout, options.call_timeout};
  const auto pool = std::make_shared<ConnectionPool>(options.connections,
                                                     [parameters, timeouts, guard = std::make_shared<CallGuard>()] {
                                                       return MysqlConnection::open(parameters, timeouts, guard);
                                                     });
  return std::make_unique<Chat>("MySQL", std::make_unique<MysqlDialect>(), pool, pool, options);
}

MysqlParameters parameters_of(const SqlAddress& address) {
  MysqlParameters parameters;
  if (!address.host.empty()) parameters[address.host.front() == '/' ? "unix_socket" : "host"] = address.host;
  if (address.port != 0) parameters["port"] = std::to_string(address.port);
  if (!address.database.empty()) parameters["db"] = address.database;
  if (!address.user.empty()) parameters["user"] = address.user;
  if (!address.password.empty()) parameters["password"] = address.password;
  return parameters;
}

}  // namespace

MysqlChatStore::MysqlChatStore(const std::string& url, const SqlChatOptions& options)
    : SqlChatStore(open(mysql_parameters(url), options)) {}

MysqlChatStore::MysqlChatStore(const SqlAddress& address, const SqlChatOptions& options)
    : SqlChatStore(open(parameters_of(address), options)) {}

}  // namespace flux
