// Checks of what the application configures, and their error messages.
#pragma once

#include <flux/error.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace flux::core {

/// Errors: throws `Error` (bad_config) with `text` if the option is wrong.
inline void require_option(bool is_right, const std::string& text) {
  if (!is_right) throw Error(Errc::bad_config, text);
}

/// ", not 7": the end of such a message.
inline std::string given(std::size_t value) { return ", not " + std::to_string(value); }

/// Errors: throws `Error` (bad_config) if the option `name` is less than `least`.
inline void require_at_least(std::size_t least, std::size_t value, std::string_view name) {
  require_option(value >= least, std::string(name) + " must be at least " + std::to_string(least) + given(value));
}

/// The same for a time: it must be more than 0.
inline void require_time(std::chrono::milliseconds value, std::string_view name) {
  require_option(value.count() > 0,
                 std::string(name) + " must be more than 0, not " + std::to_string(value.count()) + " ms");
}

/// Why `method` refuses a function.
inline std::string empty_function(const char* method) {
  return std::string(method) + " needs a function to call; this one is empty";
}

/// Returns the function that the application gave to `method`. Errors: throws `Error` (bad_config) if it is empty.
template <class Function>
Function require_function(const char* method, Function function) {
  require_option(static_cast<bool>(function), empty_function(method));
  return function;
}

/// Bounds options in seconds, so that milliseconds of them never overflow.
inline constexpr std::chrono::hours hundred_years(24 * 36'525);

}  // namespace flux::core
