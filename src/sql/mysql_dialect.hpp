// The SQL of MySQL and MariaDB.
#pragma once

#include "dialect.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace flux::storage::sql {

class MysqlDialect final : public Dialect {
 public:
  std::string quoted(const std::string& name) const override { return '`' + name + '`'; }
  std::string begin() const override { return "START TRANSACTION"; }
  std::string type_of(Content content) const override;
  std::string table_suffix() const override {
    return " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";
  }
  std::string or_replace(const std::string& key, std::span<const Field> columns) const override;
  std::vector<Column> columns_of(Connection& connection, const std::string& table) const override;
  std::vector<Key> keys_of(Connection& connection, const std::string& table) const override;
  std::span<const char* const> types_for(Content content) const override;
  void lock_schema(Connection& connection, const std::string& table) const override;
  void unlock_schema(Connection& connection, const std::string& table) const override;
  void swap_in(Connection& connection, const std::string& table, const std::string& fresh,
               const std::string& kept) const override;
  std::string as_text(const std::string& column) const override { return "CONVERT(" + column + " USING utf8mb4)"; }
  std::string as_key(const std::string& column) const override { return "CAST(" + as_text(column) + " AS BINARY)"; }
  std::optional<std::string> as_ms(const Column& column) const override;
  std::map<std::string, std::int64_t> add_to_counters(Connection& connection, const std::string& counters,
                                                      const std::map<std::string, std::int64_t>& added) const override;
};

}  // namespace flux::storage::sql
