#include "chat_schema.hpp"

#include "schema.hpp"

#include <array>

namespace flux::storage::sql {

namespace {

constexpr int current_version = 1;
constexpr std::array<Field, 8> message_fields = {{{"id", Content::key},
                                                  {"room_id", Content::key},
                                                  {"connection_id", Content::text},
                                                  {"user_id", Content::text, true},
                                                  {"message", Content::text},
                                                  {"metadata", Content::text, true},
                                                  {"created_at", Content::number},
                                                  {"room_offset", Content::number}}};
constexpr TableShape message_shape{message_fields, {"room_id, room_offset", "room_id, id"}};
/// What a table of somebody else has, too.
constexpr auto common_fields = std::span(message_fields).first(7);
constexpr std::array<Field, 2> counter_fields = {{{"room_id", Content::key}, {"last_offset", Content::number}}};
constexpr TableShape counter_shape{counter_fields, {"room_id", nullptr}};

/// Whether there is such a table. Errors: throws `Failure` where it is somebody else's.
bool has_counters(Connection& connection, const Dialect& dialect, const ChatTables& tables) {
  const auto columns = dialect.columns_of(connection, tables.rooms_name);
  if (!columns.empty()) {
    check_shape(connection, dialect, tables.rooms_name, columns, counter_shape, "chat's counters");
  }
  return !columns.empty();
}

/// Whether our tables are there, of a version that we know. What is somebody else's is told before anything is made.
bool are_made(Connection& connection, const Dialect& dialect, const ChatTables& tables,
              const std::vector<Column>& columns) {
  const auto version = version_of(connection, dialect, tables.name, current_version);
  const bool counted = has_counters(connection, dialect, tables);
  if (columns.empty()) return false;
  check_names(tables.name, columns, common_fields, "chat");
  if (find(columns, "room_offset") == nullptr) return false;
  check_shape(connection, dialect, tables.name, columns, message_shape, "chat");
  return counted && version;
}

/// Under the name `table`, quoted; its index by age has the name that it keeps.
void make_messages(Connection& connection, const Dialect& dialect, const ChatTables& tables, const std::string& table) {
  make_table(connection, dialect, table, message_shape);
  connection.run("CREATE INDEX " + dialect.quoted(tables.name + "_age") + " ON " + table + " (created_at)");
}

/// Runs the statement that copies, which has a time of its own.
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

/// Copies somebody else's messages to a table of ours, with offsets.
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
                                            "\", which is there already");
  }
  const std::string fresh = dialect.quoted(tables.fresh_name);
  if (!dialect.columns_of(connection, tables.fresh_name).empty()) {
    connection.run("DROP TABLE " + fresh);  // of a start that was broken off, where tables are made at once
  }
  make_messages(connection, dialect, tables, fresh);
  const auto text = [&](const char* column) { return dialect.as_text(column) + " AS " + column; };
  copy(connection, tables, timeout,
       "INSERT INTO " + fresh + " (" + list_of(message_fields) + ") SELECT id, room_id, COALESCE(connection_id, ''), " +
           "user_id, COALESCE(message, ''), metadata, created_at, ROW_NUMBER() OVER (PARTITION BY room_id ORDER BY " +
           "created_at, old_id) FROM (SELECT " + dialect.as_key("room_id") + " AS room_id, id AS old_id, " +
           text("id") + ", " + text("connection_id") + ", " + text("user_id") + ", " + text("message") + ", " +
           text("metadata") + ", COALESCE(" + *ms + ", 0) AS created_at FROM " + tables.messages +
           " WHERE room_id IS NOT NULL) AS old_rows");
  connection.set_deadline(database.late_deadline());
  dialect.swap_in(connection, tables.name, tables.fresh_name, tables.kept_name);
}

/// The counters and the version.
void complete(Connection& connection, const Dialect& dialect, const ChatTables& tables) {
  if (!has_counters(connection, dialect, tables)) make_table(connection, dialect, tables.rooms, counter_shape);
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

void prepare_chat_schema(Connection& connection, const Database& database, const ChatTables& tables,
                         std::chrono::milliseconds take_over_timeout) {
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
      take_over(connection, database, tables, columns, take_over_timeout);
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
  if (drops) connection.run("DELETE FROM " + tables.messages + " WHERE 1 = 0");
}

}  // namespace flux::storage::sql
