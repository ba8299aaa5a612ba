#include "chat_schema.hpp"

#include <algorithm>
#include <array>

namespace flux::storage::sql {

namespace {

constexpr int current_version = 1;
/// What a table of somebody else has, too.
constexpr std::array<const char*, 7> common_columns = {"id",      "room_id",  "connection_id", "user_id",
                                                       "message", "metadata", "created_at"};
constexpr const char* all_columns = "room_id, room_offset, id, connection_id, user_id, message, metadata, created_at";

const Column* find(const std::vector<Column>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

void check_shape(const ChatTables& tables, const std::vector<Column>& columns) {
  for (const char* name : common_columns) {
    if (find(columns, name) != nullptr) continue;
    throw Failure(Failure::Kind::other,
                  "the table \"" + tables.name + "\" has no column \"" + name +
                      "\". A table of chat has the columns id, room_id, connection_id, user_id, message, metadata and "
                      "created_at; choose another name for ours");
  }
}

/// Which version of our tables is there; none: they have to be made or completed.
std::optional<int> version_of(Connection& connection, const Dialect& dialect, const ChatTables& tables,
                              const std::vector<Column>& columns) {
  if (!columns.empty()) check_shape(tables, columns);
  if (find(columns, "room_offset") == nullptr || dialect.columns_of(connection, tables.version_name).empty()) return {};
  const Rows rows = connection.run("SELECT version FROM " + tables.version, 1);
  if (rows.empty()) return {};
  const int version = std::stoi(rows[0].at(0).value_or("0"));
  if (version > current_version) {
    throw Failure(Failure::Kind::other, "the table \"" + tables.name + "\" has version " + std::to_string(version) +
                                            ", which a newer flux made; this one knows " +
                                            std::to_string(current_version));
  }
  return version;
}

/// Under the name `table`, quoted; its index by age has the name that it keeps.
void make_messages(Connection& connection, const Dialect& dialect, const ChatTables& tables, const std::string& table) {
  const std::string key = dialect.key_type() + " NOT NULL, ";
  const std::string text = dialect.text_type();
  connection.run("CREATE TABLE " + table + " (room_id " + key + "room_offset BIGINT NOT NULL, id " + key +
                 "connection_id " + text + " NOT NULL, user_id " + text + ", message " + text + " NOT NULL, metadata " +
                 text + ", created_at BIGINT NOT NULL, PRIMARY KEY (room_id, room_offset), UNIQUE (room_id, id))" +
                 dialect.table_suffix());
  connection.run("CREATE INDEX " + dialect.quoted(tables.name + "_age") + " ON " + table + " (created_at)");
}

/// Copies somebody else's messages to a table of ours, with offsets.
void take_over(Connection& connection, const Dialect& dialect, const ChatTables& tables,
               const std::vector<Column>& columns) {
  const Column& created_at = *find(columns, "created_at");
  const auto ms = dialect.as_ms(created_at);
  if (!ms) {
    throw Failure(Failure::Kind::other, "the table \"" + tables.name + "\" can't be taken over: its created_at is \"" +
                                            created_at.type + "\", neither a number of milliseconds nor a time");
  }
  if (!dialect.columns_of(connection, tables.kept_name).empty()) {
    throw Failure(Failure::Kind::other, "the table \"" + tables.name +
                                            "\" can't be taken over: it would be kept as \"" + tables.kept_name +
                                            "\", which is there already");
  }
  const std::string fresh = dialect.quoted(tables.fresh_name);
  if (!dialect.columns_of(connection, tables.fresh_name).empty()) {
    connection.run("DROP TABLE " + fresh);  // of a start that was broken off, where tables are made at once
  }
  make_messages(connection, dialect, tables, fresh);
  const auto text = [&](const char* column) { return dialect.as_text(column) + " AS " + column; };
  connection.run(
      "INSERT INTO " + fresh + " (" + all_columns + ") SELECT room_id, ROW_NUMBER() OVER (PARTITION BY room_id " +
      "ORDER BY created_at, old_id), id, COALESCE(connection_id, ''), user_id, COALESCE(message, ''), metadata, " +
      "created_at FROM (SELECT " + dialect.as_key("room_id") + " AS room_id, id AS old_id, " + text("id") + ", " +
      text("connection_id") + ", " + text("user_id") + ", " + text("message") + ", " + text("metadata") + ", " +
      "COALESCE(" + *ms + ", 0) AS created_at FROM " + tables.messages + " WHERE room_id IS NOT NULL) AS old_rows");
  dialect.swap_in(connection, tables.name, tables.fresh_name, tables.kept_name);
}

/// The counters and the version, which is written last: without it all of this is done again.
void complete(Connection& connection, const Dialect& dialect, const ChatTables& tables) {
  const std::string suffix = dialect.table_suffix();
  if (dialect.columns_of(connection, tables.rooms_name).empty()) {
    connection.run("CREATE TABLE " + tables.rooms + " (room_id " + dialect.key_type() +
                   " NOT NULL PRIMARY KEY, last_offset BIGINT NOT NULL)" + suffix);
  }
  if (dialect.columns_of(connection, tables.version_name).empty()) {
    connection.run("CREATE TABLE " + tables.version + " (version INTEGER NOT NULL)" + suffix);
  }
  connection.run("DELETE FROM " + tables.rooms);
  connection.run("INSERT INTO " + tables.rooms + " (room_id, last_offset) SELECT room_id, MAX(room_offset) FROM " +
                 tables.messages + " GROUP BY room_id");
  connection.run("INSERT INTO " + tables.version + " (version) VALUES (" + std::to_string(current_version) + ")");
}

}  // namespace

ChatTables::ChatTables(const Dialect& dialect, const std::string& table)
    : name(table),
      rooms_name(table + "_rooms"),
      version_name(table + "_version"),
      fresh_name(table + "_fresh"),
      kept_name(table + "_before_flux"),
      messages(dialect.quoted(name)),
      rooms(dialect.quoted(rooms_name)),
      version(dialect.quoted(version_name)) {}

void prepare_chat_schema(Connection& connection, const Dialect& dialect, const ChatTables& tables) {
  if (version_of(connection, dialect, tables, dialect.columns_of(connection, tables.name))) return;
  Transaction transaction(connection, dialect.begin());
  dialect.lock_schema(connection, tables.name);
  const auto columns = dialect.columns_of(connection, tables.name);  // somebody may have been faster
  if (!version_of(connection, dialect, tables, columns)) {
    if (columns.empty()) {
      make_messages(connection, dialect, tables, tables.messages);
    } else if (find(columns, "room_offset") == nullptr) {
      take_over(connection, dialect, tables, columns);
    }
    complete(connection, dialect, tables);
  }
  transaction.commit();
  dialect.unlock_schema(connection, tables.name);
}

void check_rights(Connection& connection, const ChatTables& tables, bool drops) {
  connection.run("INSERT INTO " + tables.messages + " (" + all_columns + ") SELECT " + all_columns + " FROM " +
                 tables.messages + " WHERE 1 = 0");
  connection.run("INSERT INTO " + tables.rooms + " (room_id, last_offset) SELECT room_id, last_offset FROM " +
                 tables.rooms + " WHERE 1 = 0");
  connection.run("UPDATE " + tables.rooms + " SET last_offset = last_offset WHERE 1 = 0");
  if (drops) connection.run("DELETE FROM " + tables.messages + " WHERE 1 = 0");
}

}  // namespace flux::storage::sql
