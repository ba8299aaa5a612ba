#pragma once

#include <flux/detail/core/base64.hpp>

#include <array>
#include <cstdint>

namespace flux::protocol {

namespace base64_detail {

inline constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
inline constexpr std::uint8_t no_digit = 0xFF;

inline constexpr std::array<std::uint8_t, 256> digit_values = [] {
  std::array<std::uint8_t, 256> values{};
  values.fill(no_digit);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return values;
}();

inline std::uint32_t digit(char c) noexcept { return digit_values[static_cast<unsigned char>(c)]; }
inline std::uint32_t byte(char c) noexcept { return static_cast<unsigned char>(c); }
inline char low_byte(std::uint32_t value) noexcept { return static_cast<char>(static_cast<unsigned char>(value)); }

}  // namespace base64_detail

FLUX_DECL void append_base64(std::string& out, std::string_view bytes) {
  using namespace base64_detail;
  const std::size_t start = out.size();
  out.resize(start + base64_size(bytes.size()));
  char* to = out.data() + start;
  const auto put = [&to](std::uint32_t bits) { *to++ = alphabet[bits & 63]; };
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
  if (bytes.size() == 2) {
    put(group >> 6);
  } else {
    *to++ = '=';
  }
  *to = '=';
}

FLUX_DECL std::optional<std::size_t> decode_base64(std::string_view text, char* to) noexcept {
  using namespace base64_detail;
  if (text.size() % 4 != 0) return std::nullopt;
  const char* const start = to;
  std::size_t padding = 0;
  if (!text.empty() && text.back() == '=') padding = text[text.size() - 2] == '=' ? 2 : 1;
  const std::string_view last = padding != 0 ? text.substr(text.size() - 4) : std::string_view();
  text.remove_suffix(last.size());
  // Decoding in place works because the digits of a group are read before its bytes are written, and the bytes are
  // fewer. An invalid digit leaves its high bits in `all`.
  std::uint32_t all = 0;
  for (; !text.empty(); text.remove_prefix(4)) {
    const std::uint32_t a = digit(text[0]), b = digit(text[1]), c = digit(text[2]), d = digit(text[3]);
    all |= a | b | c | d;
    const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
    *to++ = low_byte(group >> 16);
    *to++ = low_byte(group >> 8);
    *to++ = low_byte(group);
  }
  if (padding != 0) {
    const std::uint32_t a = digit(last[0]), b = digit(last[1]), c = padding == 1 ? digit(last[2]) : 0;
    all |= a | b | c;
    if ((padding == 1 ? c & 3 : b & 15) != 0) return std::nullopt;
    *to++ = low_byte(a << 2 | b >> 4);
    if (padding == 1) *to++ = low_byte(b << 4 | c >> 2);
  }
  if (all > 63) return std::nullopt;
  return static_cast<std::size_t>(to - start);
}

FLUX_DECL std::optional<std::string> decode_base64(std::string_view text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  const auto size = decode_base64(text, bytes.data());
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

}  // namespace flux::protocol
