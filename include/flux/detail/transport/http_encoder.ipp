#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/http_encoder.hpp>

#include <charconv>

namespace flux::transport {

namespace detail {

/// RFC 9110 section 15: statuses whose responses have no content.
inline bool has_no_body(int status) noexcept { return status < 200 || status == 204 || status == 205 || status == 304; }

inline void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  out += value;
  out += "\r\n";
}

inline void append_content_length(std::string& out, std::uint64_t length) {
  std::array<char, 20> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), length).ptr;
  append_field(out, "Content-Length", std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

inline HttpEncodeError check_response(int status, const HttpFields& fields, std::uint64_t content_length,
                                      std::string_view date) noexcept {
  if (status < 100 || status > 999) return HttpEncodeError::bad_status;
  if (content_length > 0 && has_no_body(status) && status != 304) return HttpEncodeError::body_not_allowed;
  for (const auto& [name, value] : fields) {
    if (!is_token(name)) return HttpEncodeError::bad_field_name;
    if (!all_chars(value, value_char)) return HttpEncodeError::bad_field_value;
    if (equals_ignore_case(name, "Content-Length") || equals_ignore_case(name, "Transfer-Encoding")) {
      return HttpEncodeError::framing_field;
    }
  }
  return all_chars(date, value_char) ? HttpEncodeError::none : HttpEncodeError::bad_field_value;
}

}  // namespace detail

FLUX_DECL HttpEncodedHead append_response_head(std::string& out, int status, const HttpFields& fields,
                                               std::optional<std::uint64_t> content_length,
                                               const HttpResponseContext& context) {
  HttpEncodedHead head;
  head.error = detail::check_response(status, fields, content_length.value_or(0), context.date);
  if (head.error != HttpEncodeError::none) return head;

  const bool interim = status < 200;
  if (!detail::has_no_body(status) && !context.head_request) {
    if (content_length) {
      head.framing = HttpBodyFraming::sized;
    } else {
      head.framing = context.version_minor == 0 ? HttpBodyFraming::until_close : HttpBodyFraming::chunked;
    }
  }
  head.keep_alive = interim || (context.keep_alive && head.framing != HttpBodyFraming::until_close);

  out += "HTTP/1.1 ";
  out += static_cast<char>('0' + status / 100);
  out += static_cast<char>('0' + status / 10 % 10);
  out += static_cast<char>('0' + status % 10);
  out += ' ';
  out += reason_phrase(status);
  out += "\r\n";
  bool has_date = context.date.empty();
  bool has_connection = false;
  for (const auto& [name, value] : fields) {
    detail::append_field(out, name, value);
    if (equals_ignore_case(name, "Date")) has_date = true;
    if (!equals_ignore_case(name, "Connection")) continue;
    if (header_has_token(value, "close")) head.keep_alive = false;
    if (header_has_token(value, "close") || header_has_token(value, "keep-alive")) has_connection = true;
  }
  if (!has_date) detail::append_field(out, "Date", context.date);
  if (!interim && !has_connection) {
    if (!head.keep_alive) detail::append_field(out, "Connection", "close");
    if (head.keep_alive && context.version_minor == 0) detail::append_field(out, "Connection", "keep-alive");
  }
  if (status == 205) {
    detail::append_content_length(out, 0);
  } else if (content_length && !interim && status != 204) {
    detail::append_content_length(out, *content_length);
  } else if (head.framing == HttpBodyFraming::chunked) {
    detail::append_field(out, "Transfer-Encoding", "chunked");
  }
  out += "\r\n";
  return head;
}

FLUX_DECL HttpEncodedHead append_text_response(std::string& out, int status, std::string_view text,
                                               const HttpResponseContext& context) {
  HttpFields fields;
  if (!text.empty()) fields.emplace_back("Content-Type", "text/plain; charset=utf-8");
  const HttpEncodedHead head = append_response_head(out, status, fields, text.size(), context);
  if (head.framing == HttpBodyFraming::sized) out += text;
  return head;
}

FLUX_DECL HttpChunkHead::HttpChunkHead(std::size_t bytes) noexcept {
  static_assert(sizeof(bytes) <= 8, "16 digits hold any size");
  begin_ = text_.size();
  text_[--begin_] = '\n';
  text_[--begin_] = '\r';
  do {
    text_[--begin_] = "0123456789abcdef"[bytes % 16];
    bytes /= 16;
  } while (bytes > 0);
}

FLUX_DECL void append_chunk(std::string& out, std::string_view data) {
  if (data.empty()) return;
  out += HttpChunkHead(data.size()).text();
  out += data;
  out += http_crlf;
}

}  // namespace flux::transport
