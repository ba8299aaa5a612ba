// UTF-8 (RFC 3629).
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flux::core {

/// Whether `text` is valid UTF-8: no surrogates, no overlong forms, nothing above U+10FFFF.
bool valid_utf8(std::string_view text) noexcept;

/// Whether valid UTF-8 contains a control character: U+0000 to U+001F, U+007F to U+009F.
bool has_control_characters(std::string_view text) noexcept;

/// `text` with U+FFFD for each byte that is not part of a code point. Valid UTF-8 is returned unchanged; other text may
/// triple in size.
std::string repaired(std::string text);

/// The longest beginning of `text` that has at most `bytes_max` bytes and ends with a whole code point.
std::string_view beginning(std::string_view text, std::size_t bytes_max) noexcept;

/// `text`, which is UTF-8, with U+FFFD for each control character: no client can begin a line of the log.
std::string without_control_characters(std::string text);

/// `text` for error messages and the log: its first 40 bytes, repaired, without control characters, with an ellipsis if
/// it was longer.
std::string shown(std::string_view text);

/// Validates UTF-8 that arrives in pieces, which may end anywhere.
class Utf8Validator {
 public:
  /// Checks the next piece. Returns the number of valid bytes: piece.size(), or the index of the first invalid byte,
  /// after which the validator can't be used again.
  std::size_t scan(std::string_view piece) noexcept;

  /// Whether the input so far ends with a whole code point.
  bool complete() const noexcept { return missing_ == 0; }

 private:
  std::uint8_t missing_ = 0;  // continuation bytes that the current code point still needs
  std::uint8_t low_ = 0x80;   // the range of the next one; narrower after E0, ED, F0 and F4
  std::uint8_t high_ = 0xBF;
};

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/utf8.ipp>
#endif
