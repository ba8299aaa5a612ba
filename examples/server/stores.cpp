#include "stores.hpp"

#include <flux/storage/memory_chat_store.hpp>
#include <flux/storage/mysql.hpp>
#include <flux/storage/postgres.hpp>
#include <flux/storage/sqlite.hpp>

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

/// Opens a store with `open(database)`. None: this program was built without that kind of database. The conditions depend
/// on the template, so that databases that are not linked are not referenced.
template <class Store, class Open>
std::shared_ptr<Store> open_in(const std::string& kind, const std::string& where, const Open& open) {
  const bool is_url = where.starts_with("//");
  if constexpr (with_sqlite) {
    if (kind == "sqlite") return open(flux::SqliteDatabase(where));
  }
  if constexpr (with_postgres) {
    if (kind == "postgres" || kind == "postgresql") {
      return open(flux::PostgresDatabase(is_url ? kind + ":" + where : where));
    }
  }
  if constexpr (with_mysql) {
    if (kind == "mysql") return open(flux::MysqlDatabase(is_url ? kind + ":" + where : where));
  }
  return nullptr;
}

template <class Store, class Open>
std::shared_ptr<Store> make(const std::string& option, const std::string& spec, const std::string& others,
                            const Open& open) {
  const std::string kind = spec.substr(0, spec.find(':'));
  const std::string where = kind == spec ? std::string() : spec.substr(kind.size() + 1);
  try {
    if (auto store = open_in<Store>(kind, where, open)) return store;
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
  return make<flux::ChatStore>("--chat", spec, "memory",
                               [](const flux::SqlDatabase& database) { return database.chat_store(); });
}

std::shared_ptr<flux::RoomStore> make_room_store(const std::string& spec) {
  return make<flux::RoomStore>("--rooms", spec, "",
                               [](const flux::SqlDatabase& database) { return database.room_store(); });
}

std::shared_ptr<flux::ChannelStore> make_channel_store(const std::string& spec) {
  return make<flux::ChannelStore>("--channel-store", spec, "",
                                  [](const flux::SqlDatabase& database) { return database.channel_store(); });
}

std::shared_ptr<flux::FileIndex> make_file_index(const std::string& spec) {
  return make<flux::FileIndex>("--file-index", spec, "",
                               [](const flux::SqlDatabase& database) { return database.file_index(); });
}
