#include <flux/storage/sqlite_chat_store.hpp>

#include "chat.hpp"
#include "sqlite_connection.hpp"

#include <memory>

namespace flux {

namespace {

using namespace storage::sql;

std::unique_ptr<Chat> open(const std::string& path, const SqliteChatOptions& options) {
  check_options(options);
  if (path.empty() || path == ":memory:" || path.starts_with("file:") || path.find('\0') != std::string::npos) {
    throw Error(Errc::bad_config, "a SQLite chat store needs the path of a file, not \"" + path + "\"");
  }
  SqliteConnection::Options writer{path, true, options.call_timeout, options.file_bytes_max};
  SqliteConnection::Options reader{path, false, options.call_timeout, 0};
  const auto pool_of = [](std::size_t size, const SqliteConnection::Options& of) {
    return std::make_shared<ConnectionPool>(size, [of] { return std::make_unique<SqliteConnection>(of); });
  };
  return std::make_unique<Chat>("\"" + path + "\"", std::make_unique<SqliteDialect>(), pool_of(1, writer),
                                pool_of(options.connections, reader), options);
}

}  // namespace

SqliteChatStore::SqliteChatStore(const std::string& path, const SqliteChatOptions& options)
    : SqlChatStore(open(path, options)) {}

}  // namespace flux
