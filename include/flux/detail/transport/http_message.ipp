#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/http_message.hpp>

#include <algorithm>
#include <array>

namespace flux::transport {

namespace detail {

inline constexpr auto reason_phrases = std::to_array<std::pair<int, std::string_view>>({
    {100, "Continue"},
    {101, "Switching Protocols"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {511, "Network Authentication Required"},
});

}  // namespace detail

FLUX_DECL bool equals_ignore_case(std::string_view left, std::string_view right) noexcept {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (detail::to_lower(left[i]) != detail::to_lower(right[i])) return false;
  }
  return true;
}

FLUX_DECL std::optional<std::string_view> find_field(const HttpFields& fields, std::string_view name) noexcept {
  for (const HttpField& field : fields) {
    if (equals_ignore_case(field.first, name)) return field.second;
  }
  return std::nullopt;
}

FLUX_DECL bool header_has_token(std::string_view value, std::string_view token) noexcept {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    if (equals_ignore_case(detail::trim_blanks(value.substr(0, comma)), token)) return true;
    value.remove_prefix(std::min(comma + 1, value.size()));
  }
  return false;
}

FLUX_DECL std::optional<std::string> url_decode(std::string_view text, PlusSign plus) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus == PlusSign::is_space) {
      decoded.push_back(' ');
    } else if (text[i] != '%') {
      decoded.push_back(text[i]);
    } else {
      const int high = i + 1 < text.size() ? detail::hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? detail::hex_value(text[i + 2]) : -1;
      if (high < 0 || low < 0) return std::nullopt;
      decoded.push_back(static_cast<char>(static_cast<unsigned char>(high * 16 + low)));
      i += 2;
    }
  }
  return decoded;
}

FLUX_DECL std::string url_encode(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (detail::is_char(c, detail::unreserved_char)) {
      encoded.push_back(c);
    } else {
      const auto byte = static_cast<unsigned char>(c);
      encoded.push_back('%');
      encoded.push_back(digits[byte >> 4U]);
      encoded.push_back(digits[byte & 15U]);
    }
  }
  return encoded;
}

namespace detail {

/// Calls `visit` with the value of each parameter with that name, until it returns false.
template <class Visit>
void each_query_parameter(std::string_view query, std::string_view name, const Visit& visit) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (url_decode(pair.substr(0, equals), PlusSign::is_space) != name) continue;
    if (!visit(url_decode(pair.substr(std::min(equals + 1, pair.size())), PlusSign::is_space))) return;
  }
}

}  // namespace detail

FLUX_DECL std::optional<std::string> query_parameter(std::string_view query, std::string_view name) {
  std::optional<std::string> first;
  detail::each_query_parameter(query, name, [&](std::optional<std::string> value) {
    first = std::move(value);
    return false;
  });
  return first;
}

FLUX_DECL std::vector<std::string> query_parameters(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  detail::each_query_parameter(query, name, [&](std::optional<std::string> value) {
    if (value) values.push_back(std::move(*value));
    return true;
  });
  return values;
}

FLUX_DECL std::string bearer_token(std::optional<std::string_view> authorization) {
  constexpr std::string_view scheme = "Bearer ";
  if (!authorization || !equals_ignore_case(authorization->substr(0, scheme.size()), scheme)) return {};
  std::string_view token = authorization->substr(scheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  return std::string(token);
}

namespace detail {

FLUX_DECL std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view blank = " \t";
  text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
  return text.substr(0, text.find_last_not_of(blank) + 1);
}

}  // namespace detail

FLUX_DECL std::string_view take_part(std::string_view& rest, char separator) {
  const std::size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return detail::without_blanks(part);
}

FLUX_DECL std::optional<std::string> cookie_value(std::optional<std::string_view> cookies, std::string_view name) {
  std::string_view rest = cookies.value_or(std::string_view());
  while (!rest.empty()) {
    const std::string_view pair = take_part(rest, ';');
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || detail::without_blanks(pair.substr(0, equals)) != name) continue;
    std::string_view value = detail::without_blanks(pair.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return std::string(value);
  }
  return std::nullopt;
}

FLUX_DECL std::string_view reason_phrase(int status) noexcept {
  for (const auto& [known, phrase] : detail::reason_phrases) {
    if (known == status) return phrase;
  }
  return "Unknown";
}

FLUX_DECL std::optional<std::string_view> HttpHead::header(std::string_view name) const noexcept {
  for (const FieldSpan& field : fields_) {
    if (equals_ignore_case(view(field.name), name)) return view(field.value);
  }
  return std::nullopt;
}

FLUX_DECL std::string HttpHead::all_headers(std::string_view name) const {
  std::string joined;
  bool first = true;
  for (const FieldSpan& field : fields_) {
    if (!equals_ignore_case(view(field.name), name)) continue;
    if (!first) joined += ", ";
    first = false;
    joined += view(field.value);
  }
  return joined;
}

FLUX_DECL void HttpHead::clear() noexcept {
  text_.clear();
  path_.clear();
  fields_.clear();
  content_length_.reset();
  method_ = target_ = query_ = host_ = {};
  version_minor_ = 1;
  keep_alive_ = chunked_ = expects_continue_ = upgrade_websocket_ = false;
}

}  // namespace flux::transport
