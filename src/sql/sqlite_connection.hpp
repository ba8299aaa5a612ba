// SQLite, through its C interface.
#pragma once

#include "connection.hpp"
#include "dialect.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

struct sqlite3;
struct sqlite3_stmt;

namespace flux::storage::sql {

/// Caches compiled statements: compiling each of them again would slow down what group commit is to speed up.
class SqliteConnection final : public Connection {
 public:
  struct Options {
    std::string path;
    bool create = false;
    std::chrono::milliseconds lock_timeout{0};  // for another program's transaction
    std::uint64_t file_bytes_max = 0;           // 0: any
  };
  /// Errors: throws `Failure`.
  explicit SqliteConnection(const Options& options);
  ~SqliteConnection() override;

  using Connection::run;
  Rows run(const Statement& statement, std::size_t columns) override;
  void set_deadline(TimePoint deadline) override;

 private:
  struct Close {
    void operator()(sqlite3* database) const;
    void operator()(sqlite3_stmt* statement) const;
  };

  void set_write_ahead_log();
  sqlite3_stmt* prepared(const std::string& text);
  void bind(sqlite3_stmt* statement, const std::vector<Value>& values);
  [[noreturn]] void fail(const std::string& what = {}) const;

  const std::chrono::milliseconds lock_timeout_;
  std::unique_ptr<sqlite3, Close> database_;
  std::unordered_map<std::string, std::unique_ptr<sqlite3_stmt, Close>> statements_;
};

class SqliteDialect final : public Dialect {
 public:
  std::string begin() const override { return "BEGIN IMMEDIATE"; }
  std::size_t insert_rows_max() const override { return 1; }
  std::string for_update() const override { return {}; }  // BEGIN IMMEDIATE has locked the file
  /// The types are SQLite's affinities, whatever type names the columns were declared with.
  std::vector<Column> columns_of(Connection& connection, const std::string& table) const override;
  std::vector<Key> keys_of(Connection& connection, const std::string& table) const override;
  std::span<const char* const> types_for(Content content) const override;
  void lock_schema(Connection&, const std::string&) const override {}  // BEGIN IMMEDIATE has locked the file
  std::string as_text(const std::string& column) const override { return "CAST(" + column + " AS TEXT)"; }
  std::optional<std::string> as_ms(const Column& column) const override;
};

}  // namespace flux::storage::sql
