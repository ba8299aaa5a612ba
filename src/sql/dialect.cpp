#include "dialect.hpp"

#include <utility>

namespace flux::storage::sql {

void Dialect::swap_in(Connection& connection, const std::string& table, const std::string& fresh,
                      const std::string& kept) const {
  connection.run("ALTER TABLE " + quoted(table) + " RENAME TO " + quoted(kept));
  connection.run("ALTER TABLE " + quoted(fresh) + " RENAME TO " + quoted(table));
}

std::string Dialect::or_replace(const std::string& key, std::span<const char* const> columns) const {
  std::string text = " ON CONFLICT (" + key + ") DO UPDATE SET ";
  const char* separator = "";
  for (const char* column : columns) {
    text.append(std::exchange(separator, ", ")).append(column).append(" = excluded.").append(column);
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

std::map<std::string, std::int64_t> Dialect::to_counters(const Rows& rows) {
  std::map<std::string, std::int64_t> counters;
  for (const Row& row : rows) counters.emplace(to_text(row.at(0)), to_int(row.at(1)));
  return counters;
}

}  // namespace flux::storage::sql
