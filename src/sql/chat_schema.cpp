#include "chat_schema.hpp"

#include "schema.hpp"

#include <array>

namespace flux::storage::sql {

namespace {

constexpr int current_version = 2;
constexpr std::array<Field, 10> message_fields = {{{"id", Content::key},
                                                   {"room_id", Content::key},
                                                   {"connection_id", Content::text},
                                                   {"user_id", Content::text, true},
                                                   {"message", Content::text},
                                                   {"metadata", Content::text, true},
                                                   {"created_at", Content::number},
                                                   {"room_offset", Content::number},
                                                   {"edited_at", Content::number, true},
                                                   {"deleted_at", Content::number, true}}};
constexpr TableShape message_shape{message_fields, {"room_id, room_offset", "room_id, id"}};
/// The columns of version 1. The others were added in version 2, and are NULL in messages that were never changed.
constexpr auto first_fields = std::span(message_fields).first(8);
constexpr auto added_fields = std::span(message_fields).last(2);
/// The columns that another program's table has as well.
constexpr auto common_fields = std::span(message_fields).first(7);
constexpr std::array<Field, 2> counter_fields = {{{"room_id", Content::key}, {"last_offset", Content::number}}};
constexpr TableShape counter_shape{counter_fields, {"room_id", nullptr}};

/// Whether the table of counters exists. Errors: throws `Failure` if it is another program's.
bool has_counters(Connection& connection, const Dialect& dialect, const ChatTables& tables) {
  const auto columns = dialect.columns_of(connection, tables.rooms_name);
  if (!columns.empty()) {
    check_shape(connection, dialect, tables.rooms_name, columns, counter_shape, "chat's counters");
  }
  return !columns.empty();
}

/// Whether our tables exist, with a known version. Errors: throws `Failure` if one is another program's, before
/// anything is created.
bool are_made(Connection& connection, const Dialect& dialect, const ChatTables& tables,
              const std::vector<Column>& columns) {
  const auto version = version_of(connection, dialect, tables.name, current_version);
  const bool counted = has_counters(connection, dialect, tables);
  if (columns.empty()) return false;
  check_names(tables.name, columns, common_fields, "chat");
  if (find(columns, "room_offset") == nullptr) return false;
  const bool is_current = counted && version == current_version;
  const TableShape shape{is_current ? std::span<const Field>(message_fields) : first_fields, message_shape.keys};
  check_shape(connection, dialect, tables.name, columns, shape, "chat");
  return is_current;
}

/// Adds the columns that tables of version 1 lack.
void add_columns(Connection& connection, const Dialect& dialect, const ChatTables& tables,
                 const std::vector<Column>& columns) {
  for (const Field& field : added_fields) {
    if (find(columns, field.name) != nullptr) continue;
    connection.run("ALTER TABLE " + tables.messages + " ADD COLUMN " + field.name + " " +
                   dialect.type_of(field.content));
  }
}

/// Creates the table as `table` (quoted). Its index by age gets its final name.
void make_messages(Connection& connection, const Dialect& dialect, const ChatTables& tables, const std::string& table) {
  make_table(connection, dialect, table, message_shape);
  connection.run("CREATE INDEX " + dialect.quoted(tables.name + "_age") + " ON " + table + " (created_at)");
}

/// Runs the statement that copies the rows, with its own timeout.
void copy(Connection& connection, const ChatTables& tables, std::chrono::milliseconds timeout,
          const std::string& text) {
  const TimePoint until = std::chrono::steady_clock::now() + timeout;
  connection.set_deadline(until);
  try {
    connection.run(text);
  } catch (const Failure& failure) {
    if (std::chrono::steady_clock::now() < until) throw;
    throw Failure(failure.kind(), "the table \"" + tables.name + "\" was not copied within take_over_timeout, " +
                                      std::to_string(timeout.count()) + " ms: " + failure.what());
  }
}

/// Copies another program's messages to a table of ours, with offsets.
void take_over(Connection& connection, const Database& database, const ChatTables& tables,
               const std::vector<Column>& columns, std::chrono::milliseconds timeout) {
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
                                            "\", which already exists");
  }
  const std::string fresh = dialect.quoted(tables.fresh_name);
  if (!dialect.columns_of(connection, tables.fresh_name).empty()) {
    connection.run("DROP TABLE " + fresh);  // left by an interrupted start, if CREATE TABLE can't be rolled back
  }
  make_messages(connection, dialect, tables, fresh);
  const auto text = [&](const char* column) { return dialect.as_text(column) + " AS " + column; };
  copy(connection, tables, timeout,
       "INSERT INTO " + fresh + " (" + list_of(first_fields) + ") SELECT id, room_id, COALESCE(connection_id, ''), " +
           "user_id, COALESCE(message, ''), metadata, created_at, ROW_NUMBER() OVER (PARTITION BY room_id ORDER BY " +
           "created_at, old_id) FROM (SELECT " + dialect.as_key("room_id") + " AS room_id, id AS old_id, " +
           text("id") + ", " + text("connection_id") + ", " + text("user_id") + ", " + text("message") + ", " +
           text("metadata") + ", COALESCE(" + *ms + ", 0) AS created_at FROM " + tables.messages +
           " WHERE room_id IS NOT NULL) AS old_rows");
  connection.set_deadline(database.late_deadline());
  dialect.swap_in(connection, tables.name, tables.fresh_name, tables.kept_name);
}

/// Creates the counters, from what is stored.
void make_counters(Connection& connection, const Dialect& dialect, const ChatTables& tables) {
  if (!has_counters(connection, dialect, tables)) make_table(connection, dialect, tables.rooms, counter_shape);
  connection.run("DELETE FROM " + tables.rooms);
  connection.run("INSERT INTO " + tables.rooms + " (room_id, last_offset) SELECT room_id, MAX(room_offset) FROM " +
                 tables.messages + " GROUP BY room_id");
}

/// Creates the counters and writes the version. The counters of a table that has a version are right, and must stay: a
/// room's last messages may have been dropped.
void complete(Connection& connection, const Dialect& dialect, const ChatTables& tables) {
  const bool was_made = version_of(connection, dialect, tables.name, current_version).has_value();
  if (!was_made || !has_counters(connection, dialect, tables)) make_counters(connection, dialect, tables);
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

void prepare_chat_schema(Connection& connection, const Database& database, const ChatTables& tables,
                         std::chrono::milliseconds take_over_timeout) {
  const Dialect& dialect = database.dialect();
  std::vector<Column> columns;
  const auto there = [&] {
    columns = dialect.columns_of(connection, tables.name);
    return are_made(connection, dialect, tables, columns);
  };
  make_once(connection, dialect, tables.name, there, [&] {
    const bool is_ours = find(columns, "room_offset") != nullptr;
    // A version and counters that are there belong to an earlier table with this name. The version is removed first, for
    // databases that can't roll back what follows; without it the counters are made anew.
    if (!is_ours) forget_version(connection, dialect, tables.name);
    if (columns.empty()) {
      make_messages(connection, dialect, tables, tables.messages);
    } else if (!is_ours) {
      take_over(connection, database, tables, columns, take_over_timeout);
    } else {
      add_columns(connection, dialect, tables, columns);
    }
    complete(connection, dialect, tables);
  });
}

void check_rights(Connection& connection, const ChatTables& tables, bool drops) {
  const std::string columns = list_of(message_fields);
  connection.run("INSERT INTO " + tables.messages + " (" + columns + ") SELECT " + columns + " FROM " +
                 tables.messages + " WHERE 1 = 0");
  connection.run("INSERT INTO " + tables.rooms + " (room_id, last_offset) SELECT room_id, last_offset FROM " +
                 tables.rooms + " WHERE 1 = 0");
  connection.run("UPDATE " + tables.rooms + " SET last_offset = last_offset WHERE 1 = 0");
  connection.run("UPDATE " + tables.messages + " SET message = message WHERE 1 = 0");
  if (drops) connection.run("DELETE FROM " + tables.messages + " WHERE 1 = 0");
}

}  // namespace flux::storage::sql
