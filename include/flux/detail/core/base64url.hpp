// Base64 with the URL-safe alphabet and without padding (RFC 4648, section 5; RFC 7515, section 2), as in tokens.
//
// Threading: any thread.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace flux::core {

/// The most bytes that a text of this size decodes to.
constexpr std::size_t decoded_base64url_size(std::size_t text) noexcept { return text / 4 * 3 + text % 4 * 3 / 4; }

/// Appends `bytes`. They must not be part of `out`.
void append_base64url(std::string& out, std::string_view bytes);

/// Decodes `text` to `to`, which must have room for `decoded_base64url_size(text.size())` bytes. Returns the number of
/// bytes written.
/// Errors: none if `text` is not what `append_base64url` produces: another alphabet, padding, whitespace, a length that
/// no bytes have, unused bits that are set. The contents of `to` are then unspecified.
std::optional<std::size_t> decode_base64url(std::string_view text, char* to) noexcept;

/// The same, into a new string.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/base64url.ipp>
#endif
