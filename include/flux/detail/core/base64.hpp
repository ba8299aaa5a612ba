// Base64 (RFC 4648, section 4), in which Engine.IO sends binary data over text.
//
// Threading: any thread.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace flux::protocol {

/// The size of the Base64 text for `bytes` bytes.
constexpr std::size_t base64_size(std::size_t bytes) noexcept { return (bytes + 2) / 3 * 4; }

/// The number of bytes that `text` decodes to, if it is valid.
constexpr std::size_t decoded_base64_size(std::string_view text) noexcept {
  std::size_t size = text.size() / 4 * 3;
  for (std::size_t padding = 0; padding < 2 && size != 0 && text[text.size() - 1 - padding] == '='; ++padding) --size;
  return size;
}

/// Appends `bytes` as padded Base64. `bytes` must not be part of `out`.
void append_base64(std::string& out, std::string_view bytes);

/// Decodes `text` to `to`, which must have room for `text.size() / 4 * 3` bytes and may point to `text` itself. Returns
/// the number of bytes written.
/// Errors: none if `text` is not what `append_base64` produces: another alphabet, whitespace, missing or superfluous
/// padding, unused bits that are set. The contents of `to` are then unspecified.
std::optional<std::size_t> decode_base64(std::string_view text, char* to) noexcept;

/// The same, into a new string.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/base64.ipp>
#endif
