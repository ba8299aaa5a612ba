#include "mysql_dialect.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace flux::storage::sql {

/// Keys are bytes: collations of text ignore spaces at the end, or differ between MySQL and MariaDB.
std::string MysqlDialect::type_of(Content content) const {
  if (content == Content::key) return "VARBINARY(1024)";
  return content == Content::text ? "LONGTEXT" : Dialect::type_of(content);
}

std::vector<Column> MysqlDialect::columns_of(Connection& connection, const std::string& table) const {
  Statement ask(
      "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name "
      "= ");
  std::vector<Column> columns;
  for (const Row& row : connection.run(ask.bind(table), 2)) {
    columns.push_back({row.at(0).value_or(""), row.at(1).value_or("")});
  }
  return columns;
}

/// If a key contains only the beginning of a column, the column gets a name here that matches no column.
std::vector<Key> MysqlDialect::keys_of(Connection& connection, const std::string& table) const {
  Statement ask(
      "SELECT index_name, CONCAT(column_name, IF(sub_part IS NULL, '', '(')) FROM information_schema.statistics WHERE "
      "non_unique = 0 AND table_schema = DATABASE() AND table_name = ");
  return to_keys(connection.run(ask.bind(table).sql(" ORDER BY index_name"), 2));
}

std::span<const char* const> MysqlDialect::types_for(Content content) const {
  static constexpr std::array keys = {"varbinary"};
  static constexpr std::array texts = {"longtext", "mediumtext", "text", "varchar"};
  static constexpr std::array numbers = {"bigint", "int", "mediumint", "smallint", "tinyint"};
  switch (content) {
    case Content::key: return keys;
    case Content::number: return std::span(numbers).first(1);
    case Content::flag: return numbers;
    default: return texts;
  }
}

/// MySQL commits CREATE TABLE at once, whatever the transaction, so this takes a named lock of the server.
void MysqlDialect::lock_schema(Connection& connection, const std::string& table) const {
  const Rows got = connection.run("SELECT GET_LOCK(MD5(CONCAT('flux/', DATABASE(), '/" + table + "')), 30)", 1);
  if (got.empty() || got[0].at(0) != "1") {
    throw Failure(Failure::Kind::other,
                  "another process has been busy with the table \"" + table + "\" for 30 seconds");
  }
}

void MysqlDialect::unlock_schema(Connection& connection, const std::string& table) const {
  connection.run("SELECT RELEASE_LOCK(MD5(CONCAT('flux/', DATABASE(), '/" + table + "')))", 1);
}

void MysqlDialect::swap_in(Connection& connection, const std::string& table, const std::string& fresh,
                           const std::string& kept) const {
  connection.run("RENAME TABLE " + quoted(table) + " TO " + quoted(kept) + ", " + quoted(fresh) + " TO " +
                 quoted(table));
}

std::optional<std::string> MysqlDialect::as_ms(const Column& column) const {
  static const char* const numbers[] = {"tinyint", "smallint", "mediumint", "int",
                                        "bigint",  "decimal",  "float",     "double"};
  if (std::find(std::begin(numbers), std::end(numbers), column.type) != std::end(numbers)) {
    return "CAST(" + column.name + " AS SIGNED)";
  }
  if (column.type != "datetime" && column.type != "timestamp") return std::nullopt;
  return "CAST(ROUND(UNIX_TIMESTAMP(" + column.name + ") * 1000) AS SIGNED)";
}

std::string MysqlDialect::or_replace(const std::string&, std::span<const Field> columns) const {
  std::string text = " ON DUPLICATE KEY UPDATE ";
  const char* separator = "";
  for (const Field& column : columns) {
    text.append(std::exchange(separator, ", "))
        .append(column.name)
        .append(" = VALUES(")
        .append(column.name)
        .append(")");
  }
  return text;
}

/// MySQL has no RETURNING: reads the new values back, under the lock.
std::map<std::string, std::int64_t> MysqlDialect::add_to_counters(
    Connection& connection, const std::string& counters, const std::map<std::string, std::int64_t>& added) const {
  Statement upsert("INSERT INTO " + counters + " (room_id, last_offset) VALUES ");
  Statement read("SELECT room_id, last_offset FROM " + counters + " WHERE room_id IN ");
  const char* separator = "(";
  const char* read_separator = "(";
  for (const auto& [room, count] : added) {
    upsert.sql(separator).bind(room).sql(", " + std::to_string(count) + ")");
    read.sql(read_separator).bind(room);
    separator = ", (";
    read_separator = ", ";
  }
  connection.run(upsert.sql(" ON DUPLICATE KEY UPDATE last_offset = last_offset + VALUES(last_offset)"));
  return to_counters(connection.run(read.sql(")"), 2));
}

}  // namespace flux::storage::sql
