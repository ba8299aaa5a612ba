#include "sqlite_connection.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include <sqlite3.h>

namespace flux::storage::sql {

namespace {

/// Statements with different numbers of rows have different texts. At this number the cache is emptied.
constexpr std::size_t statements_max = 64;

Failure::Kind kind_of(int extended) {
  switch (extended) {
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_UNIQUE: return Failure::Kind::duplicate;
    default: break;
  }
  switch (extended & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Failure::Kind::conflict;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG: return Failure::Kind::bad_value;
    default: return Failure::Kind::other;
  }
}

/// Resets a cached statement when its use ends, and clears its bindings.
class Use {
 public:
  explicit Use(sqlite3_stmt* statement) : statement_(statement) {}
  ~Use() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  sqlite3_stmt* statement_;
};

std::string text_at(sqlite3_stmt* statement, int column) {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, column));
  return {text, static_cast<std::size_t>(sqlite3_column_bytes(statement, column))};
}

}  // namespace

void SqliteConnection::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }
void SqliteConnection::Close::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

SqliteConnection::SqliteConnection(const Options& options) : lock_timeout_(options.lock_timeout) {
  sqlite3* opened = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (options.create ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(options.path.c_str(), &opened, flags, nullptr);
  database_.reset(opened);  // even if opening failed
  if (code != SQLITE_OK) fail("can't open it");
  sqlite3_extended_result_codes(opened, 1);
  sqlite3_busy_timeout(opened, static_cast<int>(lock_timeout_.count()));
  if (sqlite3_db_readonly(opened, "main") == 1) throw Failure(Failure::Kind::other, "the file is read-only");
  set_write_ahead_log();
  run("PRAGMA synchronous = FULL");
  if (options.file_bytes_max != 0) {
    const auto page_bytes = std::stoull(run("PRAGMA page_size", 1).at(0).at(0).value());
    run("PRAGMA max_page_count = " + std::to_string(std::max<std::uint64_t>(1, options.file_bytes_max / page_bytes)));
  }
}

SqliteConnection::~SqliteConnection() = default;

/// If several connections set this on a new file at the same time, SQLite refuses all but one, without waiting for the
/// lock.
void SqliteConnection::set_write_ahead_log() {
  const auto deadline = std::chrono::steady_clock::now() + lock_timeout_;
  for (;;) {
    try {
      const Rows mode = run("PRAGMA journal_mode = WAL", 1);
      if (!mode.empty() && mode[0].at(0) == "wal") return;
      throw Failure(Failure::Kind::other, "can't enable write-ahead logging, which needs a file on a local disk");
    } catch (const Failure& failure) {
      if (failure.kind() != Failure::Kind::conflict || std::chrono::steady_clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Rows SqliteConnection::run(const Statement& statement, std::size_t columns) {
  sqlite3_stmt* compiled = prepared(statement.text());
  const Use use(compiled);
  bind(compiled, statement.values());
  Rows rows;
  for (;;) {
    const int code = sqlite3_step(compiled);
    if (code == SQLITE_DONE) return rows;
    if (code != SQLITE_ROW) fail();
    Row row;
    for (int i = 0; i < static_cast<int>(columns); ++i) {
      const bool null = sqlite3_column_type(compiled, i) == SQLITE_NULL;
      row.push_back(null ? std::nullopt : std::optional(text_at(compiled, i)));
    }
    if (columns != 0) rows.push_back(std::move(row));
  }
}

sqlite3_stmt* SqliteConnection::prepared(const std::string& text) {
  if (const auto known = statements_.find(text); known != statements_.end()) return known->second.get();
  sqlite3_stmt* compiled = nullptr;
  const int code =
      sqlite3_prepare_v2(database_.get(), text.c_str(), static_cast<int>(text.size() + 1), &compiled, nullptr);
  if (code != SQLITE_OK) fail();
  if (statements_.size() >= statements_max) statements_.clear();
  return statements_.emplace(text, compiled).first->second.get();
}

void SqliteConnection::bind(sqlite3_stmt* statement, const std::vector<Value>& values) {
  int index = 0;
  for (const Value& value : values) {
    ++index;
    int code = SQLITE_OK;  // an unbound parameter is NULL
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      code = sqlite3_bind_int64(statement, index, *number);
    } else if (const auto* text = std::get_if<std::string>(&value)) {
      // The text outlives the step, so it is not copied.
      code = sqlite3_bind_text64(statement, index, text->data(), text->size(), SQLITE_STATIC, SQLITE_UTF8);
    }
    if (code != SQLITE_OK) fail();
  }
}

void SqliteConnection::set_deadline(TimePoint deadline) {
  using std::chrono::milliseconds;
  const auto left = std::chrono::duration_cast<milliseconds>(deadline - std::chrono::steady_clock::now());
  sqlite3_busy_timeout(database_.get(), static_cast<int>(std::clamp(left, milliseconds(1), lock_timeout_).count()));
}

void SqliteConnection::fail(const std::string& what) const {
  const std::string reason = database_ ? sqlite3_errmsg(database_.get()) : "out of memory";
  const int code = database_ ? sqlite3_extended_errcode(database_.get()) : SQLITE_NOMEM;
  throw Failure(kind_of(code),
                (what.empty() ? reason : what + ": " + reason) + " (SQLite " + std::to_string(code) + ")");
}

/// By the rules of https://www.sqlite.org/datatype3.html, section 3.1.
std::vector<Column> SqliteDialect::columns_of(Connection& connection, const std::string& table) const {
  std::vector<Column> columns;
  Statement ask(
      "SELECT name, CASE WHEN type LIKE '%int%' THEN 'integer' WHEN type LIKE '%char%' OR type LIKE '%clob%' OR type "
      "LIKE '%text%' THEN 'text' WHEN type LIKE '%blob%' OR type = '' THEN 'blob' WHEN type LIKE '%real%' OR type LIKE "
      "'%floa%' OR type LIKE '%doub%' THEN 'real' ELSE 'numeric' END FROM pragma_table_info(");
  const Rows rows = connection.run(ask.bind(table).sql(")"), 2);
  for (const Row& row : rows) columns.push_back({row.at(0).value_or(""), row.at(1).value_or("")});
  return columns;
}

std::vector<Key> SqliteDialect::keys_of(Connection& connection, const std::string& table) const {
  Statement ask("SELECT one.name, part.name FROM pragma_index_list(");
  ask.bind(table).sql(") AS one, pragma_index_info(one.name) AS part WHERE one.\"unique\" AND NOT one.partial ");
  return to_keys(connection.run(ask.sql("ORDER BY one.name"), 2));
}

std::span<const char* const> SqliteDialect::types_for(Content content) const {
  static constexpr std::array text = {"text"};
  static constexpr std::array number = {"integer"};
  return content == Content::number || content == Content::flag ? number : text;
}

/// SQLite has no type for times, so this depends on each value. Text is a time if its date functions accept it.
std::optional<std::string> SqliteDialect::as_ms(const Column& column) const {
  const std::string& name = column.name;
  return "CASE typeof(" + name + ") WHEN 'text' THEN CAST(ROUND((julianday(" + name +
         ") - 2440587.5) * 86400000.0) AS INTEGER) ELSE CAST(" + name + " AS INTEGER) END";
}

}  // namespace flux::storage::sql
