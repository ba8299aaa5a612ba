// Tables of a store: made once, checked, told apart by a version.
#pragma once

#include "dialect.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace flux::storage::sql {

/// None: there is no such column.
const Column* find(const std::vector<Column>& columns, const std::string& name);

/// "id, name, size"
std::string list_of(std::span<const Field> fields);

/// `table`: quoted.
void make_table(Connection& connection, const Dialect& dialect, const std::string& table, const TableShape& shape);

/// Errors: throws `Failure` where one of the fields is no column; `content` is what such a table keeps.
void check_names(const std::string& table, const std::vector<Column>& columns, std::span<const Field> fields,
                 const std::string& content);
/// The same, and where a column has a type that changes or refuses what is in it, or a unique key is missing, without
/// which rows would be there twice. `columns`: the table's. Errors: throws `Failure`.
void check_shape(Connection& connection, const Dialect& dialect, const std::string& table,
                 const std::vector<Column>& columns, const TableShape& shape, const std::string& content);

/// The version of a store's tables, which is in a table of its own, `<table>_version`; none: they were not made, or not
/// to their end. Errors: throws `Failure` where it is above `newest`.
std::optional<int> version_of(Connection& connection, const Dialect& dialect, const std::string& table, int newest);
/// The last step of making the tables: without it all of that is done again.
void write_version(Connection& connection, const Dialect& dialect, const std::string& table, int version);

/// Tries the rights to insert, update and delete rows of a table, quoted. Nothing is written. Errors: throws `Failure`.
void check_rights(Connection& connection, const std::string& table, const std::string& columns,
                  const std::string& a_column);

/// Has one process at a time `make` tables where they are not `there`. Tables that are there are left alone, so that a
/// user who may make none can start then. Errors: throws `Failure`.
template <class There, class Make>
void make_once(Connection& connection, const Dialect& dialect, const std::string& table, const There& there,
               const Make& make) {
  if (there()) return;
  Transaction transaction(connection, dialect.begin());
  dialect.lock_schema(connection, table);
  if (!there()) make();  // somebody may have been faster
  transaction.commit();
  dialect.unlock_schema(connection, table);
}

}  // namespace flux::storage::sql
