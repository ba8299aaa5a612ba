#include "schema.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace flux::storage::sql {

const Column* find(const std::vector<Column>& columns, const std::string& name) {
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const Column& c) { return c.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

std::string list_of(std::span<const Field> fields) {
  std::string list;
  for (const Field& field : fields) list.append(list.empty() ? "" : ", ").append(field.name);
  return list;
}

void make_table(Connection& connection, const Dialect& dialect, const std::string& table, const TableShape& shape) {
  std::string text = "CREATE TABLE " + table + " (";
  for (const Field& field : shape.fields) {
    text += field.name + (' ' + dialect.type_of(field.content)) + (field.may_be_null ? ", " : " NOT NULL, ");
  }
  text.append("PRIMARY KEY (").append(shape.keys[0]).append(")");
  if (shape.keys[1] != nullptr) text.append(", UNIQUE (").append(shape.keys[1]).append(")");
  connection.run(text + ")" + dialect.table_suffix());
}

void check_names(const std::string& table, const std::vector<Column>& columns, std::span<const Field> fields,
                 const std::string& content) {
  const auto has = [&](const Field& field) { return find(columns, field.name) != nullptr; };
  const auto missing = std::find_if_not(fields.begin(), fields.end(), has);
  if (missing == fields.end()) return;
  throw Failure(Failure::Kind::other, "the table \"" + table + "\" has no column \"" + missing->name +
                                          "\". A table of " + content + " has " + list_of(fields) +
                                          "; choose another name for ours");
}

namespace {

void check_type(const Dialect& dialect, const std::string& table, const Column& column, Content content) {
  const auto types = dialect.types_for(content);
  if (std::find(types.begin(), types.end(), column.type) != types.end()) return;
  std::string list;
  for (const char* type : types) list.append(list.empty() ? "" : " or ").append(type);
  throw Failure(Failure::Kind::other, "the column \"" + column.name + "\" of the table \"" + table +
                                          "\" has the type " + column.type + " instead of " + list +
                                          "; choose another name for our table");
}

/// "room_id, id"
Key key_of(std::string_view list) {
  Key key;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(", "), list.size());
    key.emplace(list.substr(0, end));
    list.remove_prefix(std::min(end + 2, list.size()));
  }
  return key;
}

}  // namespace

void check_shape(Connection& connection, const Dialect& dialect, const std::string& table,
                 const std::vector<Column>& columns, const TableShape& shape, const std::string& content) {
  check_names(table, columns, shape.fields, content);
  for (const Field& field : shape.fields) check_type(dialect, table, *find(columns, field.name), field.content);
  const auto keys = dialect.keys_of(connection, table);
  for (const char* needed : shape.keys) {
    if (needed == nullptr || std::find(keys.begin(), keys.end(), key_of(needed)) != keys.end()) continue;
    throw Failure(Failure::Kind::other, "the table \"" + table + "\" has no unique key of (" + needed +
                                            "), so its rows could be duplicated; choose another name for ours");
  }
}

/// Errors: throws `Failure` if the table is another program's, from which nothing may be deleted.
static bool has_version_table(Connection& connection, const Dialect& dialect, const std::string& name) {
  static constexpr std::array fields = {Field{"version", Content::number}};
  const auto columns = dialect.columns_of(connection, name);
  if (!columns.empty()) check_names(name, columns, fields, "versions");
  return !columns.empty();
}

std::optional<int> version_of(Connection& connection, const Dialect& dialect, const std::string& table, int newest) {
  const std::string name = table + "_version";
  if (!has_version_table(connection, dialect, name)) return {};
  const Rows rows = connection.run("SELECT version FROM " + dialect.quoted(name), 1);
  if (rows.empty()) return {};
  const std::int64_t version = to_int(rows[0].at(0));
  if (version > newest) {
    throw Failure(Failure::Kind::other, "the table \"" + table + "\" has version " + std::to_string(version) +
                                            ", created by a newer flux; this one supports " + std::to_string(newest));
  }
  return static_cast<int>(version);
}

bool forget_version(Connection& connection, const Dialect& dialect, const std::string& table) {
  const std::string name = table + "_version";
  if (!has_version_table(connection, dialect, name)) return false;
  connection.run("DELETE FROM " + dialect.quoted(name));
  return true;
}

void write_version(Connection& connection, const Dialect& dialect, const std::string& table, int version) {
  const std::string name = table + "_version";
  if (!forget_version(connection, dialect, table)) {
    connection.run("CREATE TABLE " + dialect.quoted(name) + " (version INTEGER NOT NULL)" + dialect.table_suffix());
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
