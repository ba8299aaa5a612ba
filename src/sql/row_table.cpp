#include "row_table.hpp"

#include "schema.hpp"

#include <utility>

namespace flux::storage::sql {

RowTable::RowTable(std::unique_ptr<Database> database, const std::string& name, const Content& content)
    : database_((check_table(content.store, name), std::move(database))),
      content_(content),
      name_(name),
      table_(database_->dialect().quoted(name_)),
      columns_(list_of(content_.fields)),
      key_(list_of(content_.fields.first(content_.key_fields))) {
  database_->prepare([this](Connection& connection) { prepare(connection); });
}

void RowTable::prepare(Connection& connection) const {
  const Dialect& dialect = database_->dialect();
  const TableShape shape{content_.fields, {key_.c_str(), nullptr}};
  const auto there = [&] {
    const auto version = version_of(connection, dialect, name_, content_.version);
    const auto found = dialect.columns_of(connection, name_);
    if (found.empty()) return false;
    check_shape(connection, dialect, name_, found, shape, content_.rows);
    return version.has_value();
  };
  make_once(connection, dialect, name_, there, [&] {
    if (dialect.columns_of(connection, name_).empty()) make_table(connection, dialect, table_, shape);
    write_version(connection, dialect, name_, content_.version);
  });
  check_rights(connection, table_, columns_, content_.fields.front().name);
}

Statement RowTable::row() const { return Statement("INSERT INTO " + table_ + " (" + columns_ + ") VALUES ("); }

Result<void> RowTable::put(Statement row) {
  return run(row.sql(")").sql(database_->dialect().or_replace(key_, content_.fields.subspan(content_.key_fields))));
}

Result<void> RowTable::erase(std::initializer_list<std::string_view> key) {
  Statement statement("DELETE FROM " + table_ + " WHERE ");
  const Field* field = content_.fields.data();
  for (const std::string_view value : key) {
    if (value.find('\0') != std::string_view::npos) return {};  // there is no such row
    statement.sql(std::string(field == content_.fields.data() ? "" : " AND ").append(field->name).append(" = "));
    statement.bind(std::string(value));
    ++field;
  }
  return run(statement);
}

Result<void> RowTable::run(const Statement& statement) {
  return database_->transact([&](Connection& connection) { connection.run(statement); });
}

}  // namespace flux::storage::sql
