#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/transport/content_disposition.hpp>
#include <flux/detail/transport/http_message.hpp>

#include <cstdint>

namespace flux::transport {

namespace detail {

/// The size of the code point that begins with `lead`, in valid UTF-8.
constexpr std::size_t utf8_size(char lead) noexcept {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

inline std::uint32_t code_point(std::string_view utf8) noexcept {
  constexpr std::uint32_t lead_bits[] = {0x7f, 0x1f, 0x0f, 0x07};
  std::uint32_t value = static_cast<unsigned char>(utf8.front()) & lead_bits[utf8.size() - 1];
  for (const char c : utf8.substr(1)) value = value << 6 | (static_cast<unsigned char>(c) & 0x3f);
  return value;
}

/// Characters that can make a name misleading: controls, line ends, direction marks and overrides (a name that reads
/// "exe.txt" may end in "txt.exe"), and invisible characters.
constexpr bool misleads(std::uint32_t c) noexcept {
  return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb);
}

constexpr std::string_view trim_name(std::string_view name) noexcept {
  while (!name.empty() && name.front() == ' ') name.remove_prefix(1);
  while (!name.empty() && name.back() == ' ') name.remove_suffix(1);
  return name;
}

/// Characters that may stand between quotes without an escape, which some clients would misread.
constexpr bool is_plain_in_quotes(char c) noexcept {
  return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '%';
}

}  // namespace detail

FLUX_DECL std::string suggested_file_name(std::string_view name) {
  const bool valid = core::valid_utf8(name);
  std::string clean;
  while (!name.empty()) {
    const std::size_t size = valid ? detail::utf8_size(name.front()) : 1;
    const std::string_view character = name.substr(0, size);
    name.remove_prefix(size);
    const bool broken = !valid && static_cast<unsigned char>(character.front()) >= 0x80;
    if (broken || character == "/" || character == "\\") {
      clean += '_';
    } else if (!detail::misleads(detail::code_point(character))) {
      clean += character;
    }
  }
  const std::string_view trimmed = detail::trim_name(clean);
  if (trimmed.find_first_not_of('.') == std::string_view::npos) return "file";
  return std::string(trimmed);
}

FLUX_DECL std::string content_disposition(Disposition disposition, std::string_view name) {
  const std::string clean = suggested_file_name(name);
  std::string field = disposition == Disposition::in_place ? "inline" : "attachment";
  field += "; filename=\"";
  bool all_plain = true;
  for (std::size_t at = 0; at < clean.size(); at += detail::utf8_size(clean[at])) {
    const bool plain = detail::is_plain_in_quotes(clean[at]);
    all_plain = all_plain && plain;
    field += plain ? clean[at] : '_';
  }
  field += '"';
  if (!all_plain) field += "; filename*=UTF-8''" + url_encode(clean);
  return field;
}

}  // namespace flux::transport
