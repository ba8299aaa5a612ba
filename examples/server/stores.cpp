#include "stores.hpp"

#include <flux/storage/memory_chat_store.hpp>
#include <flux/storage/mysql_chat_store.hpp>
#include <flux/storage/mysql_file_index.hpp>
#include <flux/storage/mysql_room_store.hpp>
#include <flux/storage/postgres_chat_store.hpp>
#include <flux/storage/postgres_file_index.hpp>
#include <flux/storage/postgres_room_store.hpp>
#include <flux/storage/sqlite_chat_store.hpp>
#include <flux/storage/sqlite_file_index.hpp>
#include <flux/storage/sqlite_room_store.hpp>

#include <stdexcept>

namespace {

// The targets define which of them this program is linked with.
#if defined(FLUX_WITH_SQLITE)
constexpr bool with_sqlite = true;
#else
constexpr bool with_sqlite = false;
#endif
#if defined(FLUX_WITH_POSTGRES)
constexpr bool with_postgres = true;
#else
constexpr bool with_postgres = false;
#endif
#if defined(FLUX_WITH_MYSQL)
constexpr bool with_mysql = true;
#else
constexpr bool with_mysql = false;
#endif

/// `others`: what else the option accepts.
std::string choices(std::string others) {
  const auto add = [&](const char* choice) { others += (others.empty() ? "" : ", ") + std::string(choice); };
  if (with_sqlite) add("sqlite:PATH");
  if (with_postgres) add("postgres:URL");
  if (with_mysql) add("mysql:URL");
  return others.empty() ? "nothing" : others;
}

/// None: this program was built without that kind. A template, so that stores that are not linked are not referenced.
template <class Sqlite, class Postgres, class Mysql, class Store>
std::shared_ptr<Store> open(const std::string& kind, const std::string& where) {
  const bool is_url = where.starts_with("//");
  if constexpr (with_sqlite) {
    if (kind == "sqlite") return std::make_shared<Sqlite>(where);
  }
  if constexpr (with_postgres) {
    if (kind == "postgres" || kind == "postgresql") {
      return std::make_shared<Postgres>(is_url ? kind + ":" + where : where);
    }
  }
  if constexpr (with_mysql) {
    if (kind == "mysql") return std::make_shared<Mysql>(is_url ? kind + ":" + where : where);
  }
  return nullptr;
}

template <class Sqlite, class Postgres, class Mysql, class Store>
std::shared_ptr<Store> make(const std::string& option, const std::string& spec, const std::string& others) {
  const std::string kind = spec.substr(0, spec.find(':'));
  const std::string where = kind == spec ? std::string() : spec.substr(kind.size() + 1);
  try {
    if (auto store = open<Sqlite, Postgres, Mysql, Store>(kind, where)) return store;
  } catch (const flux::Error& error) {
    throw flux::Error(error.code(), option + ": " + error.message());
  }
  // Name the kind alone: the rest may hold a password.
  throw std::invalid_argument(option + " takes " + choices(others) + ", as this program was built, not \"" + kind +
                              "\"");
}

}  // namespace

std::shared_ptr<flux::ChatStore> make_chat_store(const std::string& spec) {
  if (spec == "memory") return std::make_shared<flux::MemoryChatStore>();
  return make<flux::SqliteChatStore, flux::PostgresChatStore, flux::MysqlChatStore, flux::ChatStore>("--chat", spec,
                                                                                                     "memory");
}

std::shared_ptr<flux::RoomStore> make_room_store(const std::string& spec) {
  return make<flux::SqliteRoomStore, flux::PostgresRoomStore, flux::MysqlRoomStore, flux::RoomStore>("--rooms", spec,
                                                                                                     "");
}

std::shared_ptr<flux::FileIndex> make_file_index(const std::string& spec) {
  return make<flux::SqliteFileIndex, flux::PostgresFileIndex, flux::MysqlFileIndex, flux::FileIndex>("--file-index",
                                                                                                     spec, "");
}
