#include "dialect.hpp"

#include <utility>

namespace flux::storage::sql {

std::string Dialect::type_of(Content content) const {
  switch (content) {
    case Content::word: return "VARCHAR(16)";
    case Content::number: return "BIGINT";
    case Content::flag: return "SMALLINT";
    default: return "TEXT";
  }
}

void Dialect::swap_in(Connection& connection, const std::string& table, const std::string& fresh,
                      const std::string& kept) const {
  connection.run("ALTER TABLE " + quoted(table) + " RENAME TO " + quoted(kept));
  connection.run("ALTER TABLE " + quoted(fresh) + " RENAME TO " + quoted(table));
}

std::string Dialect::or_replace(const std::string& key, std::span<const Field> columns) const {
  std::string text = " ON CONFLICT (" + key + ") DO UPDATE SET ";
  const char* separator = "";
  for (const Field& column : columns) {
    text.append(std::exchange(separator, ", ")).append(column.name).append(" = excluded.").append(column.name);
  }
  return text;
}

std::map<std::string, std::int64_t> Dialect::add_to_counters(Connection& connection, const std::string& counters,
                                                             const std::map<std::string, std::int64_t>& added) const {
  Statement upsert("INSERT INTO " + counters + " (room_id, last_offset) VALUES ");
  const char* separator = "(";
  for (const auto& [room, count] : added) {
    upsert.sql(separator).bind(room).sql(", " + std::to_string(count) + ")");
    separator = ", (";
  }
  upsert.sql(" ON CONFLICT (room_id) DO UPDATE SET last_offset = " + counters +
             ".last_offset + excluded.last_offset RETURNING room_id, last_offset");
  return to_counters(connection.run(upsert, 2));
}

std::vector<Key> Dialect::to_keys(const Rows& rows) {
  std::vector<Key> keys;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i == 0 || rows[i].at(0) != rows[i - 1].at(0)) keys.emplace_back();
    keys.back().insert(rows[i].at(1).value_or(""));
  }
  return keys;
}

std::map<std::string, std::int64_t> Dialect::to_counters(const Rows& rows) {
  std::map<std::string, std::int64_t> counters;
  for (const Row& row : rows) counters.emplace(to_text(row.at(0)), to_int(row.at(1)));
  return counters;
}

}  // namespace flux::storage::sql
