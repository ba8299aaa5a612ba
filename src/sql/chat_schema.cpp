#include "chat_schema.hpp"

#include "schema.hpp"

#include <array>

namespace flux::storage::sql {

namespace {

constexpr int current_version = 1;
/// What a table of somebody else has, too.
constexpr std::array<const char*, 7> common_columns = {"id",      "room_id",  "connection_id", "user_id",
                                                       "message", "metadata", "created_at"};
constexpr const char* all_columns = "room_id, room_offset, id, connection_id, user_id, message, metadata, created_at";

/// Whether our tables are there, of a version that we know.
bool are_made(Connection& connection, const Dialect& dialect, const ChatTables& tables,
              const std::vector<Column>& columns) {
  if (!columns.empty()) check_shape(tables.name, columns, common_columns, "chat");
  if (find(columns, "room_offset") == nullptr) return false;
  return version_of(connection, dialect, tables.name, current_version).has_value();
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

/// A statement that is waited for as long as its connection lives.
void run_long(Connection& connection, const Database& database, const std::string& text) {
  connection.set_deadline(TimePoint::max());
  try {
    connection.run(text);
  } catch (const Failure&) {
    connection.set_deadline(database.late_deadline());  // for the way back
    throw;
  }
  connection.set_deadline(database.late_deadline());
}

/// Copies somebody else's messages to a table of ours, with offsets.
void take_over(Connection& connection, const Database& database, const ChatTables& tables,
               const std::vector<Column>& columns) {
  const Dialect& dialect = database.dialect();
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
  run_long(
      connection, database,
      "INSERT INTO " + fresh + " (" + all_columns + ") SELECT room_id, ROW_NUMBER() OVER (PARTITION BY room_id " +
          "ORDER BY created_at, old_id), id, COALESCE(connection_id, ''), user_id, COALESCE(message, ''), metadata, " +
          "created_at FROM (SELECT " + dialect.as_key("room_id") + " AS room_id, id AS old_id, " + text("id") + ", " +
          text("connection_id") + ", " + text("user_id") + ", " + text("message") + ", " + text("metadata") + ", " +
          "COALESCE(" + *ms + ", 0) AS created_at FROM " + tables.messages + " WHERE room_id IS NOT NULL) AS old_rows");
  dialect.swap_in(connection, tables.name, tables.fresh_name, tables.kept_name);
}

/// The counters and the version.
void complete(Connection& connection, const Dialect& dialect, const ChatTables& tables) {
  if (dialect.columns_of(connection, tables.rooms_name).empty()) {
    connection.run("CREATE TABLE " + tables.rooms + " (room_id " + dialect.key_type() +
                   " NOT NULL PRIMARY KEY, last_offset BIGINT NOT NULL)" + dialect.table_suffix());
  }
  connection.run("DELETE FROM " + tables.rooms);
  connection.run("INSERT INTO " + tables.rooms + " (room_id, last_offset) SELECT room_id, MAX(room_offset) FROM " +
                 tables.messages + " GROUP BY room_id");
  write_version(connection, dialect, tables.name, current_version);
}

}  // namespace

ChatTables::ChatTables(const Dialect& dialect, const std::string& table)
    : name(table),
      rooms_name(table + "_rooms"),
      fresh_name(table + "_fresh"),
      kept_name(table + "_before_flux"),
      messages(dialect.quoted(name)),
      rooms(dialect.quoted(rooms_name)) {}

void prepare_chat_schema(Connection& connection, const Database& database, const ChatTables& tables) {
  const Dialect& dialect = database.dialect();
  std::vector<Column> columns;
  const auto there = [&] {
    columns = dialect.columns_of(connection, tables.name);
    return are_made(connection, dialect, tables, columns);
  };
  make_once(connection, dialect, tables.name, there, [&] {
    if (columns.empty()) {
      make_messages(connection, dialect, tables, tables.messages);
    } else if (find(columns, "room_offset") == nullptr) {
      take_over(connection, database, tables, columns);
    }
    complete(connection, dialect, tables);
  });
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
