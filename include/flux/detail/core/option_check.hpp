// Checks of options, and their error messages.
#pragma once

#include <flux/error.hpp>

#include <chrono>
#include <cstddef>
#include <string>

namespace flux::core {

/// Errors: throws `Error` (bad_config) with `text` if the option is wrong.
inline void require_option(bool is_right, const std::string& text) {
  if (!is_right) throw Error(Errc::bad_config, text);
}

/// ", not 7": the end of such a message.
inline std::string given(std::size_t value) { return ", not " + std::to_string(value); }

/// Errors: throws `Error` (bad_config) if the option `name` is less than `least`.
inline void require_at_least(std::size_t least, std::size_t value, const char* name) {
  require_option(value >= least, std::string(name) + " must be at least " + std::to_string(least) + given(value));
}

/// Returns the function that the application gave to `method`. Errors: throws `Error` (bad_config) if it is empty.
template <class Function>
Function callable(const char* method, Function function) {
  require_option(static_cast<bool>(function), std::string(method) + " needs a function to call; this one is empty");
  return function;
}

/// Bounds options in seconds, so that milliseconds of them never overflow.
inline constexpr std::chrono::hours hundred_years(24 * 36'525);

}  // namespace flux::core
