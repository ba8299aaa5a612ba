// A table of rows that are read all together and written one by one: the file index, API keys, and revocations.
#pragma once

#include "database.hpp"

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux::storage::sql {

/// Threading: any thread.
class RowTable {
 public:
  /// What the rows are. Everything outlives the table.
  struct Content {
    StoreName store;                // of the store that the table belongs to
    const char* rows;               // what errors call them: "files"
    std::span<const Field> fields;  // the first ones are the primary key
    int version;                    // of the table's form
    std::size_t key_fields = 1;     // how many fields the key has
  };

  /// Creates or checks the table. Errors: throws `Error` (store_failed, or bad_config for a name that no table can have).
  RowTable(std::unique_ptr<Database> database, const std::string& name, const Content& content);

  /// Every row, as `read(row)` returns it, within `deadline`. Errors: store_failed.
  template <class Read>
  auto load(TimePoint deadline, const Read& read) -> Result<std::vector<std::invoke_result_t<Read, const Row&>>> {
    try {
      const Rows rows = database_->read(deadline, [this](Connection& connection, int) {
        return connection.run("SELECT " + columns_ + " FROM " + table_, content_.fields.size());
      });
      std::vector<std::invoke_result_t<Read, const Row&>> values;
      values.reserve(rows.size());
      for (const Row& row : rows) values.push_back(read(row));
      return values;
    } catch (const Failure& failure) {
      return database_->failed(failure);
    }
  }

  /// The beginning of a statement for `put`, which expects the values of all fields in their order, separated by commas.
  Statement row() const;
  /// Inserts the row, or replaces the one with the same key. Errors: store_failed.
  Result<void> put(Statement row);
  /// Does nothing if there is no row with this key, which has a value for each of its fields. Errors: store_failed.
  Result<void> erase(std::initializer_list<std::string_view> key);

  const Database& database() const noexcept { return *database_; }

 private:
  void prepare(Connection& connection) const;
  Result<void> run(const Statement& statement);

  const std::unique_ptr<Database> database_;
  const Content content_;
  const std::string name_;
  const std::string table_;    // quoted
  const std::string columns_;  // "id, name, size"
  const std::string key_;      // "id"
};

}  // namespace flux::storage::sql
