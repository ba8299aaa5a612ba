// UTF-8 (RFC 3629).
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flux::core {

/// Whether `text` is UTF-8: no surrogates, no overlong forms, nothing above U+10FFFF.
bool valid_utf8(std::string_view text) noexcept;

/// `text` with U+FFFD for each byte that is not part of a code point. Text that is UTF-8 comes back as it is; other text
/// may become three times as long.
std::string repaired(std::string text);

/// The beginning of `text`: at most `bytes_max` bytes, cut at the end of a code point.
std::string_view beginning(std::string_view text, std::size_t bytes_max) noexcept;

/// `text` as error messages show it: repaired, the first 40 bytes of it, and an ellipsis where more was there.
std::string shown(std::string_view text);

/// Checks UTF-8 that comes in pieces, which may end anywhere.
class Utf8Validator {
 public:
  /// Checks the next piece. Returns how many of its bytes are good: piece.size(), or the index of the first byte that
  /// cannot stand where it does. After a bad byte the validator is used up.
  std::size_t scan(std::string_view piece) noexcept;

  /// Whether what was checked so far ends at the end of a code point.
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
