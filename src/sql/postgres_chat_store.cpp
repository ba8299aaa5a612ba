#include <flux/storage/postgres_chat_store.hpp>

#include "chat.hpp"
#include "postgres_connection.hpp"

#include <memory>

namespace flux {

namespace {

using namespace storage::sql;

std::unique_ptr<Chat> open(const std::string& connection, const SqlChatOptions& options) {
  check_options(options);
  const auto parameters = postgres_parameters(connection, {options.connect_timeout, options.call_timeout});
  const auto pool = std::make_shared<ConnectionPool>(
      options.connections,
      [parameters, guard = std::make_shared<CallGuard>()] { return PostgresConnection::open(parameters, guard); });
  return std::make_unique<Chat>("PostgreSQL", std::make_unique<PostgresDialect>(), pool, pool, options);
}

std::string connection_of(const SqlAddress& address) {
  std::string text = "host=" + postgres_quoted(address.host);
  if (address.port != 0) text += " port=" + std::to_string(address.port);
  if (!address.database.empty()) text += " dbname=" + postgres_quoted(address.database);
  if (!address.user.empty()) text += " user=" + postgres_quoted(address.user);
  if (!address.password.empty()) text += " password=" + postgres_quoted(address.password);
  return text;
}

}  // namespace

PostgresChatStore::PostgresChatStore(const std::string& connection, const SqlChatOptions& options)
    : SqlChatStore(open(connection, options)) {}

PostgresChatStore::PostgresChatStore(const SqlAddress& address, const SqlChatOptions& options)
    : SqlChatStore(open(connection_of(address), options)) {}

}  // namespace flux
