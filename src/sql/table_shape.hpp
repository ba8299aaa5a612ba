// The columns and keys of our tables: how they are created, and what an existing one must have.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>

namespace flux::storage::sql {

enum class Content : std::uint8_t {
  key,     ///< a name: compared byte by byte, and part of a key
  text,    ///< any text
  word,    ///< one of a few words
  number,  ///< a whole number of 64 bits
  flag,    ///< 0 or 1
};

/// A column of ours.
struct Field {
  const char* name;
  Content content;
  bool may_be_null = false;
};

struct TableShape {
  std::span<const Field> fields;
  /// Unique, as SQL lists their columns ("room_id, id"): the primary key, and one more or none (null).
  std::array<const char*, 2> keys;
};

/// A column as the database describes it.
struct Column {
  std::string name;
  std::string type;  // in lower case
};

/// The columns that are unique together.
using Key = std::set<std::string>;

}  // namespace flux::storage::sql
