#include "connection.hpp"

#include <charconv>

namespace flux::storage::sql {

const std::string& to_text(const std::optional<std::string>& column) {
  if (!column) throw Failure(Failure::Kind::other, "a column that must not be NULL is NULL in a row");
  return *column;
}

std::int64_t to_int(const std::optional<std::string>& column) {
  const std::string& text = to_text(column);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Failure(Failure::Kind::other, "\"" + text + "\" is in a column of integers");
  }
  return number;
}

}  // namespace flux::storage::sql
