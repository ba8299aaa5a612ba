// Base64 (RFC 4648, section 4), as Engine.IO carries bytes where only text goes.
//
// Threading: free functions of their arguments.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace flux::protocol {

/// The size of the text that stands for so many bytes.
constexpr std::size_t base64_size(std::size_t bytes) noexcept { return (bytes + 2) / 3 * 4; }

/// How many bytes such a text stands for, where it is valid.
constexpr std::size_t decoded_base64_size(std::string_view text) noexcept {
  std::size_t size = text.size() / 4 * 3;
  for (std::size_t padding = 0; padding < 2 && size != 0 && text[text.size() - 1 - padding] == '='; ++padding) --size;
  return size;
}

/// Appends the padded text of `bytes`, which must not be a part of `out`.
void append_base64(std::string& out, std::string_view bytes);

/// Writes the bytes that `text` stands for to `to`, which has room for `text.size() / 4 * 3` bytes and may be where
/// `text` is. Returns their number.
/// Errors: none where the text is not what `append_base64` gives: another alphabet, whitespace, missing or superfluous
/// padding, bits set that no byte uses. What is at `to` means nothing then.
std::optional<std::size_t> decode_base64(std::string_view text, char* to) noexcept;

/// The same, into a string of its own.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/base64.ipp>
#endif
