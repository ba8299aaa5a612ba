// Where the databases' SQL differs.
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
  /// The type of our columns, and behind a table's columns.
  virtual std::string type_of(Content content) const;
  virtual std::string table_suffix() const { return {}; }

  /// Rows that one statement inserts. Many save ways to a server and back; one is a statement that is compiled once.
  virtual std::size_t insert_rows_max() const { return 1000; }
  /// Behind an INSERT: where the row's key (a list of columns) is there already, these columns are replaced.
  virtual std::string or_replace(const std::string& key, std::span<const Field> columns) const;
  /// Behind a SELECT: its rows stay locked until the transaction ends.
  virtual std::string for_update() const { return " FOR UPDATE"; }

  /// None: there is no such table.
  virtual std::vector<Column> columns_of(Connection& connection, const std::string& table) const = 0;
  virtual std::vector<Key> keys_of(Connection& connection, const std::string& table) const = 0;
  /// The types of columns, as `columns_of` tells them, that keep such content as it was written.
  virtual std::span<const char* const> types_for(Content content) const = 0;
  /// Has other processes wait that are about to do the same, inside a transaction where tables can be made in one.
  virtual void lock_schema(Connection& connection, const std::string& table) const = 0;
  virtual void unlock_schema(Connection&, const std::string&) const {}
  /// Puts `fresh` in the place of `table`, which is kept as `kept`.
  virtual void swap_in(Connection& connection, const std::string& table, const std::string& fresh,
                       const std::string& kept) const;

  /// Expressions over a column of somebody else's table: as text, as a key, and as milliseconds since 1970 (none: a
  /// column of this type is no time).
  virtual std::string as_text(const std::string& column) const = 0;
  virtual std::string as_key(const std::string& column) const { return as_text(column); }
  virtual std::optional<std::string> as_ms(const Column& column) const = 0;

  /// Adds to the rooms' counters (a table, quoted), which makes those that are missing, keeps them locked until the
  /// transaction ends, and returns what they are then. The order of a map is the order of the locks, so transactions
  /// can't block one another.
  virtual std::map<std::string, std::int64_t> add_to_counters(Connection& connection, const std::string& counters,
                                                              const std::map<std::string, std::int64_t>& added) const;

 protected:
  /// Of rows with the name of a key and of one of its columns, ordered by the first.
  static std::vector<Key> to_keys(const Rows& rows);
  static std::map<std::string, std::int64_t> to_counters(const Rows& rows);
};

}  // namespace flux::storage::sql
