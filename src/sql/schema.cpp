#include "schema.hpp"

#include <algorithm>
#include <cstdint>

namespace flux::storage::sql {

const Column* find(const std::vector<Column>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

std::string list_of(std::span<const char* const> columns) {
  std::string list;
  for (const char* column : columns) list.append(list.empty() ? "" : ", ").append(column);
  return list;
}

void check_shape(const std::string& table, const std::vector<Column>& columns, std::span<const char* const> needed,
                 const std::string& content) {
  const auto has = [&](const char* name) { return find(columns, name) != nullptr; };
  const auto missing = std::find_if_not(needed.begin(), needed.end(), has);
  if (missing == needed.end()) return;
  std::string names;
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if (i != 0) names += i + 1 == needed.size() ? " and " : ", ";
    names += needed[i];
  }
  throw Failure(Failure::Kind::other, "the table \"" + table + "\" has no column \"" + *missing + "\". A table of " +
                                          content + " has the columns " + names + "; choose another name for ours");
}

std::optional<int> version_of(Connection& connection, const Dialect& dialect, const std::string& table, int newest) {
  const std::string name = table + "_version";
  if (dialect.columns_of(connection, name).empty()) return {};
  const Rows rows = connection.run("SELECT version FROM " + dialect.quoted(name), 1);
  if (rows.empty()) return {};
  const std::int64_t version = to_int(rows[0].at(0));
  if (version > newest) {
    throw Failure(Failure::Kind::other, "the table \"" + table + "\" has version " + std::to_string(version) +
                                            ", which a newer flux made; this one knows " + std::to_string(newest));
  }
  return static_cast<int>(version);
}

void write_version(Connection& connection, const Dialect& dialect, const std::string& table, int version) {
  const std::string name = table + "_version";
  if (dialect.columns_of(connection, name).empty()) {
    connection.run("CREATE TABLE " + dialect.quoted(name) + " (version INTEGER NOT NULL)" + dialect.table_suffix());
  } else {
    connection.run("DELETE FROM " + dialect.quoted(name));  // of tables that somebody has dropped
  }
  connection.run("INSERT INTO " + dialect.quoted(name) + " (version) VALUES (" + std::to_string(version) + ")");
}

void check_rights(Connection& connection, const std::string& table, const std::string& columns,
                  const std::string& a_column) {
  connection.run("INSERT INTO " + table + " (" + columns + ") SELECT " + columns + " FROM " + table + " WHERE 1 = 0");
  connection.run("UPDATE " + table + " SET " + a_column + " = " + a_column + " WHERE 1 = 0");
  connection.run("DELETE FROM " + table + " WHERE 1 = 0");
}

}  // namespace flux::storage::sql
