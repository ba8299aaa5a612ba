#pragma once

#include <flux/detail/core/utf8.hpp>

#include <cstring>

namespace flux::core {

namespace utf8_detail {

// The end of the run of ASCII that starts at p.
inline const unsigned char* skip_ascii(const unsigned char* p, const unsigned char* end) noexcept {
  constexpr std::uint64_t top_bits = 0x8080808080808080u;
  if (p == end || *p >= 0x80) return p;
  while (end - p >= 32) {
    std::uint64_t words[4];
    std::memcpy(words, p, sizeof words);
    if (((words[0] | words[1] | words[2] | words[3]) & top_bits) != 0) break;
    p += sizeof words;
  }
  while (end - p >= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    if ((word & top_bits) != 0) break;
    p += sizeof word;
  }
  while (p != end && *p < 0x80) ++p;
  return p;
}

// The end of the run, starting at p, of code points of two or three bytes whose lead byte allows every continuation
// byte.
inline const unsigned char* skip_common(const unsigned char* p, const unsigned char* end) noexcept {
  const auto continues = [](unsigned char c) { return (c & 0xC0) == 0x80; };
  while (end - p >= 3) {
    if (p[0] >= 0xE1 && p[0] <= 0xEF && p[0] != 0xED && continues(p[1]) && continues(p[2])) {
      p += 3;
    } else if (p[0] >= 0xC2 && p[0] <= 0xDF && continues(p[1])) {
      p += 2;
    } else {
      break;
    }
  }
  return p;
}

// The size of `text`, whose bytes are valid so far, without a code point that it ends inside of.
inline std::size_t whole_code_points(std::string_view text) noexcept {
  std::size_t lead = text.size();
  do {
    if (lead == 0) return 0;
  } while ((static_cast<unsigned char>(text[--lead]) & 0xC0) == 0x80);
  const auto c = static_cast<unsigned char>(text[lead]);
  const std::size_t size = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
  return lead + size > text.size() ? lead : text.size();
}

}  // namespace utf8_detail

FLUX_DECL bool valid_utf8(std::string_view text) noexcept {
  Utf8Validator validator;
  return validator.scan(text) == text.size() && validator.complete();
}

FLUX_DECL bool has_control_characters(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x20 || byte == 0x7f) return true;
    if (byte == 0xc2 && static_cast<unsigned char>(text[at + 1]) < 0xa0) return true;  // U+0080 to U+009F
  }
  return false;
}

FLUX_DECL std::string_view beginning(std::string_view text, std::size_t bytes_max) noexcept {
  if (text.size() <= bytes_max) return text;
  std::size_t size = bytes_max;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

FLUX_DECL std::string repaired(std::string text) {
  if (valid_utf8(text)) return text;
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    Utf8Validator validator;
    const std::size_t good = validator.scan(rest);
    const std::size_t whole = utf8_detail::whole_code_points(rest.substr(0, good));
    out.append(rest.substr(0, whole));
    if (whole == rest.size()) break;
    const std::size_t bad_end = whole < good ? good : good + 1;
    for (std::size_t bad = whole; bad < bad_end; ++bad) out += "\xEF\xBF\xBD";
    rest.remove_prefix(bad_end);
  }
  return out;
}

FLUX_DECL std::string without_control_characters(std::string text) {
  if (!has_control_characters(text)) return text;
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = static_cast<unsigned char>(text[at]) == 0xc2 ? 2 : 1;  // U+0080 to U+00BF, or a byte
    const std::string_view next = std::string_view(text).substr(at, size);
    out.append(has_control_characters(next) ? "\xEF\xBF\xBD" : next);
    at += size;
  }
  return out;
}

FLUX_DECL std::string shown(std::string_view text) {
  constexpr std::size_t bytes_max = 40;
  const std::string_view first = beginning(text, bytes_max);
  return without_control_characters(repaired(std::string(first))).append(first.size() < text.size() ? "…" : "");
}

FLUX_DECL std::size_t Utf8Validator::scan(std::string_view piece) noexcept {
  const auto* const begin = reinterpret_cast<const unsigned char*>(piece.data());
  const auto* const end = begin + piece.size();
  const auto* p = begin;
  // Copies that the compiler can keep in registers.
  unsigned missing = missing_, low = low_, high = high_;
  for (;;) {
    for (; missing > 0 && p != end; --missing, ++p, low = 0x80, high = 0xBF) {
      if (*p < low || *p > high) return static_cast<std::size_t>(p - begin);
    }
    p = utf8_detail::skip_ascii(p, end);
    if (p == end) break;
    const unsigned char* const common_end = utf8_detail::skip_common(p, end);
    if (common_end != p) {
      p = common_end;
      continue;
    }
    const unsigned lead = *p;
    if (lead < 0xC2 || lead > 0xF4) return static_cast<std::size_t>(p - begin);
    missing = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xED) high = 0x9F;
    if (lead == 0xF4) high = 0x8F;
    ++p;
  }
  missing_ = static_cast<std::uint8_t>(missing);
  low_ = static_cast<std::uint8_t>(low);
  high_ = static_cast<std::uint8_t>(high);
  return piece.size();
}

}  // namespace flux::core
