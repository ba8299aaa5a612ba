// The format of a file's id.
#pragma once

#include <cstddef>
#include <string_view>

namespace flux::storage {

/// Whether `text` is a UUID (RFC 9562, section 4) in lower case. Only such text may become part of a path.
constexpr bool is_file_id(std::string_view text) noexcept {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    if (is_dash ? c != '-' : !is_digit) return false;
  }
  return true;
}

}  // namespace flux::storage
