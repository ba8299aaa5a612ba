#pragma once

#include <flux/detail/core/base64url.hpp>

#include <array>
#include <cstdint>

namespace flux::core {

namespace base64url_detail {

inline constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// 0xFF: not in the alphabet.
inline constexpr std::array<std::uint8_t, 256> digit_values = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(0xFF);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

inline std::uint32_t digit(char c) noexcept { return digit_values[static_cast<unsigned char>(c)]; }
inline std::uint32_t byte(char c) noexcept { return static_cast<unsigned char>(c); }
inline char low_byte(std::uint32_t value) noexcept { return static_cast<char>(static_cast<unsigned char>(value)); }

}  // namespace base64url_detail

FLUX_DECL void append_base64url(std::string& out, std::string_view bytes) {
  using namespace base64url_detail;
  out.reserve(out.size() + (bytes.size() * 4 + 2) / 3);
  const auto put = [&out](std::uint32_t bits) { out += alphabet[bits & 63]; };
  for (; bytes.size() >= 3; bytes.remove_prefix(3)) {
    const std::uint32_t group = byte(bytes[0]) << 16 | byte(bytes[1]) << 8 | byte(bytes[2]);
    put(group >> 18);
    put(group >> 12);
    put(group >> 6);
    put(group);
  }
  if (bytes.empty()) return;
  const std::uint32_t group = byte(bytes[0]) << 16 | (bytes.size() == 2 ? byte(bytes[1]) << 8 : 0);
  put(group >> 18);
  put(group >> 12);
  if (bytes.size() == 2) put(group >> 6);
}

FLUX_DECL std::optional<std::size_t> decode_base64url(std::string_view text, char* to) noexcept {
  using namespace base64url_detail;
  const char* const start = to;
  // An invalid digit leaves its high bits in `all`.
  std::uint32_t all = 0;
  for (; text.size() >= 4; text.remove_prefix(4)) {
    const std::uint32_t a = digit(text[0]), b = digit(text[1]), c = digit(text[2]), d = digit(text[3]);
    all |= a | b | c | d;
    const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
    *to++ = low_byte(group >> 16);
    *to++ = low_byte(group >> 8);
    *to++ = low_byte(group);
  }
  if (text.size() == 1) return std::nullopt;
  if (!text.empty()) {
    const std::uint32_t a = digit(text[0]), b = digit(text[1]), c = text.size() == 3 ? digit(text[2]) : 0;
    all |= a | b | c;
    if ((text.size() == 3 ? c & 3 : b & 15) != 0) return std::nullopt;
    *to++ = low_byte(a << 2 | b >> 4);
    if (text.size() == 3) *to++ = low_byte(b << 4 | c >> 2);
  }
  if (all > 63) return std::nullopt;
  return static_cast<std::size_t>(to - start);
}

FLUX_DECL std::optional<std::string> decode_base64url(std::string_view text) {
  std::string bytes(decoded_base64url_size(text.size()), '\0');
  const auto size = decode_base64url(text, bytes.data());
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

}  // namespace flux::core
