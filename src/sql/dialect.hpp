// The differences between the databases' SQL.
#pragma once

#include "connection.hpp"
#include "table_shape.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace flux::storage::sql {

class Dialect {
 public:
  virtual ~Dialect() = default;

  virtual std::string quoted(const std::string& name) const { return '"' + name + '"'; }
  virtual std::string begin() const { return "BEGIN"; }
  /// The type of a column, and what follows the columns in CREATE TABLE.
  virtual std::string type_of(Content content) const;
  virtual std::string table_suffix() const { return {}; }

  /// Rows that one statement inserts. Many save round trips to a server; with one, the statement is compiled once.
  virtual std::size_t insert_rows_max() const { return 1000; }
  /// Follows an INSERT: if the row's key (a list of columns) exists already, these columns are replaced.
  virtual std::string or_replace(const std::string& key, std::span<const Field> columns) const;
  /// Follows a SELECT: its rows stay locked until the transaction ends.
  virtual std::string for_update() const { return " FOR UPDATE"; }

  /// Empty if there is no such table.
  virtual std::vector<Column> columns_of(Connection& connection, const std::string& table) const = 0;
  virtual std::vector<Key> keys_of(Connection& connection, const std::string& table) const = 0;
  /// The types of columns, as `columns_of` returns them, that store such content unchanged.
  virtual std::span<const char* const> types_for(Content content) const = 0;
  /// Makes other processes that are about to do the same wait; inside a transaction, if it can create tables.
  virtual void lock_schema(Connection& connection, const std::string& table) const = 0;
  virtual void unlock_schema(Connection&, const std::string&) const {}
  /// Replaces `table`, which is kept as `kept`, by `fresh`.
  virtual void swap_in(Connection& connection, const std::string& table, const std::string& fresh,
                       const std::string& kept) const;

  /// Expressions for a column of another program's table: as text, as a key, and as milliseconds since 1970 (none: a
  /// column of this type is not a time).
  virtual std::string as_text(const std::string& column) const = 0;
  virtual std::string as_key(const std::string& column) const { return as_text(column); }
  virtual std::optional<std::string> as_ms(const Column& column) const = 0;

  /// Adds to the rooms' counters (a table, quoted), creates missing ones, and returns their new values; they stay locked
  /// until the transaction ends. The order of the map is the order of the locks, so that transactions can't deadlock.
  virtual std::map<std::string, std::int64_t> add_to_counters(Connection& connection, const std::string& counters,
                                                              const std::map<std::string, std::int64_t>& added) const;

 protected:
  /// From rows with the name of a key and of one of its columns, ordered by the first.
  static std::vector<Key> to_keys(const Rows& rows);
  static std::map<std::string, std::int64_t> to_counters(const Rows& rows);
};

}  // namespace flux::storage::sql
