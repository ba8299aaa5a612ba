// SQL text and its values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace flux::storage::sql {

/// NULL, a number or text.
using Value = std::variant<std::monostate, std::int64_t, std::string>;

/// The text that one statement may hold, plus one row: servers limit the size of statements.
inline constexpr std::size_t statement_bytes = 512 * 1024;

/// A statement that is built piece by piece. Each parameter is a `?`, which means nothing else in it.
class Statement {
 public:
  explicit Statement(std::string_view text = {}) : text_(text) {}

  Statement& sql(std::string_view text) {
    text_ += text;
    return *this;
  }
  Statement& bind(Value value) {
    text_ += '?';
    values_.push_back(std::move(value));
    return *this;
  }

  const std::string& text() const { return text_; }
  const std::vector<Value>& values() const { return values_; }

 private:
  std::string text_;
  std::vector<Value> values_;
};

/// A row's columns as text; none: NULL.
using Row = std::vector<std::optional<std::string>>;
using Rows = std::vector<Row>;

}  // namespace flux::storage::sql
