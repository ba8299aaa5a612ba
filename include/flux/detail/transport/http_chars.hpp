// Character classes of HTTP/1.1 (RFC 9110 section 5.6, RFC 3986 section 2) as one table.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace flux::transport::detail {

/// RFC 9110 tchar: methods, field names, list members.
inline constexpr std::uint8_t token_char = 1;
/// Characters of a field value: HTAB, SP, visible ASCII, and bytes from 0x80.
inline constexpr std::uint8_t value_char = 2;
/// Characters of a request target: visible ASCII without `#`.
inline constexpr std::uint8_t target_char = 4;
/// RFC 3986 unreserved and sub-delims: characters of a host name, except `%` escapes.
inline constexpr std::uint8_t host_char = 8;
/// RFC 3986 unreserved: characters that never need percent-encoding.
inline constexpr std::uint8_t unreserved_char = 16;

inline constexpr std::array<std::uint8_t, 256> char_classes = [] {
  std::array<std::uint8_t, 256> classes{};
  const auto add = [&classes](std::string_view chars, std::uint8_t char_class) {
    for (const char c : chars) {
      auto& entry = classes[static_cast<unsigned char>(c)];
      entry = static_cast<std::uint8_t>(entry | char_class);
    }
  };
  constexpr std::string_view alphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  add(alphanumeric, token_char | host_char | unreserved_char);
  add("!#$%&'*+-.^_`|~", token_char);
  add("-._~", host_char | unreserved_char);
  add("!$&'()*+,;=", host_char);
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) classes[c] = static_cast<std::uint8_t>(classes[c] | value_char);
    if (c > 0x20 && c < 0x7f && c != '#') classes[c] = static_cast<std::uint8_t>(classes[c] | target_char);
  }
  return classes;
}();

constexpr bool is_char(char c, std::uint8_t char_class) noexcept {
  return (char_classes[static_cast<unsigned char>(c)] & char_class) != 0;
}

constexpr bool all_chars(std::string_view text, std::uint8_t char_class) noexcept {
  for (const char c : text) {
    if (!is_char(c, char_class)) return false;
  }
  return true;
}

constexpr bool is_token(std::string_view text) noexcept { return !text.empty() && all_chars(text, token_char); }

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

/// 0 to 15, or -1 if `c` is not a hexadecimal digit.
constexpr int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

/// `text` without whitespace (SP, HTAB) at either end.
constexpr std::string_view trim_blanks(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

/// ASCII only, independent of the locale, as HTTP requires.
constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace flux::transport::detail
