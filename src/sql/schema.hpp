// The tables of a store: created once, checked, and versioned.
#pragma once

#include "dialect.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace flux::storage::sql {

/// Null if there is no such column.
const Column* find(const std::vector<Column>& columns, const std::string& name);

/// "id, name, size"
std::string list_of(std::span<const Field> fields);

/// `table`: quoted.
void make_table(Connection& connection, const Dialect& dialect, const std::string& table, const TableShape& shape);

/// Errors: throws `Failure` if a field is missing among the columns; `content` is what errors call the table's content.
void check_names(const std::string& table, const std::vector<Column>& columns, std::span<const Field> fields,
                 const std::string& content);
/// Also checks that no column has a type that would change or refuse its content, and that no unique key is missing,
/// without which rows could be doubled. `columns`: the table's. Errors: throws `Failure`.
void check_shape(Connection& connection, const Dialect& dialect, const std::string& table,
                 const std::vector<Column>& columns, const TableShape& shape, const std::string& content);

/// The version of a store's tables, from a table of its own, `<table>_version`; none if they were not created
/// completely. Errors: throws `Failure` if it is above `newest`.
std::optional<int> version_of(Connection& connection, const Dialect& dialect, const std::string& table, int newest);
/// Removes the version, if there is one: the first step of creating the tables anew. Returns whether the table of versions
/// exists.
bool forget_version(Connection& connection, const Dialect& dialect, const std::string& table);
/// The last step of creating the tables; without it the next start repeats all steps.
void write_version(Connection& connection, const Dialect& dialect, const std::string& table, int version);

/// Checks the privileges to insert, update and delete rows of a table (quoted). Writes nothing. Errors: throws `Failure`.
void check_rights(Connection& connection, const std::string& table, const std::string& columns,
                  const std::string& a_column);

/// Calls `make` unless `there()`, in one process at a time. Existing tables are left alone, so that a user who may not
/// create tables can start then. Errors: throws `Failure`.
template <class There, class Make>
void make_once(Connection& connection, const Dialect& dialect, const std::string& table, const There& there,
               const Make& make) {
  if (there()) return;
  Transaction transaction(connection, dialect.begin());
  dialect.lock_schema(connection, table);
  if (!there()) make();  // another process may have been faster
  transaction.commit();
  dialect.unlock_schema(connection, table);
}

}  // namespace flux::storage::sql
