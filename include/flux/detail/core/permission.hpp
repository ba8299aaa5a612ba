// The form of a permission.
#pragma once

#include <flux/detail/core/utf8.hpp>

#include <cstddef>
#include <string_view>

namespace flux::core {

/// Whether `text` is an "operation:scope" or "admin" (see `permission_matches`), in UTF-8 without control characters.
inline bool is_permission(std::string_view text) noexcept {
  if (!valid_utf8(text) || has_control_characters(text)) return false;
  const std::size_t colon = text.find(':');
  const bool has_both = colon != std::string_view::npos && colon != 0 && colon + 1 < text.size();
  return has_both || text == "admin";
}

}  // namespace flux::core
