#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

/// The subset of HTTP/1.1 needed by a client whose server always sends Content-Length.
namespace flux::bench {

struct ResponseHead {
  int status;
  std::string_view text;  ///< the status line and the fields
  std::uint64_t body_bytes;

  std::size_t head_bytes() const { return text.size() + 4; }
};

inline bool equals_ignore_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

/// The value of the field `name` in a head; none if it is missing.
inline std::optional<std::string_view> field_of(std::string_view head, std::string_view name) {
  for (std::size_t line = head.find("\r\n"); line != std::string_view::npos; line = head.find("\r\n", line)) {
    line += 2;
    const std::string_view field = head.substr(line, head.find("\r\n", line) - line);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos || !equals_ignore_case(field.substr(0, colon), name)) continue;
    const std::size_t value = field.find_first_not_of(' ', colon + 1);
    return value == std::string_view::npos ? std::string_view() : field.substr(value);
  }
  return std::nullopt;
}

/// Reads the head at the start of `data`; none if `data` does not hold the whole head yet.
/// Errors: throws std::runtime_error for anything but an HTTP/1.1 response with Content-Length.
inline std::optional<ResponseHead> read_response_head(std::string_view data) {
  constexpr std::string_view version = "HTTP/1.1 ";
  const std::size_t end = data.find("\r\n\r\n");
  if (end == std::string_view::npos) return std::nullopt;
  const auto number = [](std::string_view text, auto value) {
    const auto [last, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && last == text.data() + text.size() ? std::optional(value) : std::nullopt;
  };
  const std::string_view head = data.substr(0, end);
  const auto status = head.starts_with(version) ? number(head.substr(version.size(), 3), int{}) : std::nullopt;
  const auto length = number(field_of(head, "Content-Length").value_or(""), std::uint64_t{});
  if (!status || !length) {
    throw std::runtime_error("the server answered in a way that is not understood: " +
                             std::string(head.substr(0, head.find('\r'))));
  }
  return ResponseHead{*status, head, *length};
}

}  // namespace flux::bench
