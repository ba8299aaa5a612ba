#include "numbered_rows.hpp"

#include <algorithm>

namespace flux::storage::sql {

std::int64_t to_column(std::uint64_t number) { return static_cast<std::int64_t>(std::min(number, number_max)); }

bool has_nul(std::initializer_list<const std::string*> texts) {
  return std::any_of(texts.begin(), texts.end(),
                     [](const std::string* text) { return text->find('\0') != std::string::npos; });
}

void delete_before(Connection& connection, const Dialect& dialect, const NumberedRows& rows,
                   const std::map<std::string_view, std::uint64_t>& first_kept) {
  constexpr std::size_t together = 100;  // databases limit the depth of an expression
  const std::size_t most = std::min(together, dialect.insert_rows_max());
  const std::string begin = "(" + std::string(rows.key) + " = ";
  const std::string end = " AND " + std::string(rows.number) + " <= ";
  for (auto one = first_kept.begin(); one != first_kept.end();) {
    Statement drop("DELETE FROM " + rows.table + " WHERE ");
    std::size_t count = 0;
    for (; one != first_kept.end() && count < most; ++one) {
      if (one->second <= 1) continue;  // numbers begin there
      drop.sql(count++ == 0 ? "" : " OR ").sql(begin).bind(std::string(one->first));
      drop.sql(end).bind(to_column(one->second - 1)).sql(")");
    }
    if (count != 0) connection.run(drop);
  }
}

}  // namespace flux::storage::sql
