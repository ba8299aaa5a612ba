// Checks of options, and the words of their errors.
#pragma once

#include <flux/error.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace flux::core {

/// Errors: throws `Error` (bad_config) with `text` where the option is wrong.
inline void require_option(bool is_right, const std::string& text) {
  if (!is_right) throw Error(Errc::bad_config, text);
}

/// ", not 7": the end of such a text.
inline std::string given(std::size_t value) { return ", not " + std::to_string(value); }

/// Bounds options in seconds, so that milliseconds of them never overflow.
inline constexpr std::chrono::hours hundred_years(24 * 36'525);

}  // namespace flux::core
