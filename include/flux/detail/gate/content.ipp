#pragma once

#include <flux/detail/gate/content.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <cstddef>
#include <string>

namespace flux::gate {

namespace content_detail {

/// Whether `text` contains `word`, which is in lower case, in any case.
FLUX_DECL std::size_t find_in_any_case(std::string_view text, std::string_view word, std::size_t from = 0) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  const auto found = std::search(text.begin() + static_cast<std::ptrdiff_t>(from), text.end(), word.begin(), word.end(),
                                 [&](char a, char b) { return lower(a) == b; });
  return found == text.end() ? std::string_view::npos : static_cast<std::size_t>(found - text.begin());
}

/// An attribute that runs a script: "on", letters, spaces and "=", at the beginning of a word.
FLUX_DECL bool has_event_attribute(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  for (std::size_t at = 0; (at = find_in_any_case(text, "on", at)) != std::string_view::npos; at += 2) {
    if (at != 0 && is_letter(text[at - 1])) continue;
    std::size_t end = at + 2;
    while (end < text.size() && is_letter(text[end])) ++end;
    if (end == at + 2) continue;
    while (end < text.size() && (text[end] == ' ' || text[end] == '\t' || text[end] == '\n')) ++end;
    if (end < text.size() && text[end] == '=') return true;
  }
  return false;
}

/// The character that JSON's four hexadecimal digits stand for, as far as scripts may consist of it; otherwise '?'.
FLUX_DECL char ascii_of(std::string_view digits) {
  unsigned value = 0;
  for (const char c : digits) {
    const char lower = static_cast<char>(c | 0x20);
    value = value * 16 + static_cast<unsigned>(c <= '9' ? c - '0' : lower - 'a' + 10);
  }
  return value < 0x80 ? static_cast<char>(value) : '?';
}

/// Valid JSON without the escapes in its texts.
FLUX_DECL std::string unescaped(std::string_view json) {
  std::string plain;
  plain.reserve(json.size());
  for (std::size_t i = 0; i < json.size(); ++i) {
    if (json[i] != '\\' || i + 1 == json.size()) {
      plain += json[i];
      continue;
    }
    const char escaped = json[++i];
    if (escaped == 'u' && json.size() - i > 4) {
      plain += ascii_of(json.substr(i + 1, 4));
      i += 4;
    } else {
      const bool is_space = escaped == 'n' || escaped == 't' || escaped == 'r' || escaped == 'f' || escaped == 'b';
      plain += is_space ? ' ' : escaped;
    }
  }
  return plain;
}

}  // namespace content_detail

FLUX_DECL bool has_script(std::string_view text) {
  return content_detail::find_in_any_case(text, "<script") != std::string_view::npos ||
         content_detail::find_in_any_case(text, "javascript:") != std::string_view::npos ||
         content_detail::has_event_attribute(text);
}

FLUX_DECL bool has_script_in_json(std::string_view json) {
  return json.find('\\') == std::string_view::npos ? has_script(json) : has_script(content_detail::unescaped(json));
}

FLUX_DECL Result<void> check_content(const ContentRules& rules, std::string_view text, std::string_view json) {
  const std::size_t size = text.size() + json.size();
  if (rules.message_bytes_max != 0 && size > rules.message_bytes_max) {
    return Error(Errc::message_too_large, "Message too large: it has " + std::to_string(size) + " bytes; at most " +
                                              std::to_string(rules.message_bytes_max) + " are allowed");
  }
  if (rules.refuse_scripts && (has_script(text) || has_script_in_json(json))) {
    return Error(
        Errc::invalid_message,
        "Message contains invalid content: script tags, \"javascript:\" and attributes such as \"onclick=\" are "
        "not allowed");
  }
  return {};
}

}  // namespace flux::gate
