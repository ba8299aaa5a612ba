// Tables of rows that are numbered within a room or channel.
#pragma once

#include "database.hpp"

#include <cstdint>
#include <initializer_list>
#include <limits>
#include <map>
#include <string>
#include <string_view>

namespace flux::storage::sql {

/// No row has a larger number.
inline constexpr auto number_max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

/// Clamped to what fits into a column.
std::int64_t to_column(std::uint64_t number);

bool has_nul(std::initializer_list<const std::string*> texts);

/// A table (quoted) with its columns of a key and a number.
struct NumberedRows {
  const std::string& table;
  const char* key;
  const char* number;
};
/// Deletes of each key the rows whose number is smaller than the one given.
void delete_before(Connection& connection, const Dialect& dialect, const NumberedRows& rows,
                   const std::map<std::string_view, std::uint64_t>& first_kept);

}  // namespace flux::storage::sql
