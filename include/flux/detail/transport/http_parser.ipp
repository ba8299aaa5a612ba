#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/http_parser.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace flux::transport {

namespace detail {

/// RFC 3986 section 3.2: uri-host [ ":" port ], without user information. May be empty, because a Host field may be.
inline bool is_host(std::string_view host) noexcept {
  std::size_t i = 0;
  if (!host.empty() && host.front() == '[') {
    for (i = 1; i < host.size() && host[i] != ']'; ++i) {
      if (hex_value(host[i]) < 0 && host[i] != ':' && host[i] != '.') return false;
    }
    if (i == 1 || i == host.size()) return false;
    ++i;
  } else {
    while (i < host.size() && host[i] != ':') {
      const bool escape =
          host[i] == '%' && i + 2 < host.size() && hex_value(host[i + 1]) >= 0 && hex_value(host[i + 2]) >= 0;
      if (!escape && !is_char(host[i], host_char)) return false;
      i += escape ? 3 : 1;
    }
  }
  if (i == host.size()) return true;
  const std::string_view port = host.substr(i + 1);
  return host[i] == ':' && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit);
}

inline std::size_t scheme_size(std::string_view target) noexcept {
  for (const std::string_view scheme : {std::string_view("http://"), std::string_view("https://")}) {
    if (equals_ignore_case(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

}  // namespace detail

FLUX_DECL HttpRequestParser::HttpRequestParser(const HttpLimits& limits) : limits_(limits) {
  // Offsets into a head are 32 bits wide.
  constexpr std::size_t cap = std::size_t{1} << 30U;
  for (std::size_t* limit :
       {&limits_.request_line_bytes_max, &limits_.field_bytes_max, &limits_.fields_max, &limits_.head_bytes_max,
        &limits_.chunk_line_bytes_max, &limits_.chunk_extension_bytes_max, &limits_.trailer_bytes_max}) {
    *limit = std::min(*limit, cap);
  }
}

FLUX_DECL HttpHead HttpRequestParser::take_head() noexcept { return std::exchange(head_, HttpHead()); }

FLUX_DECL HttpRequestParser::Event HttpRequestParser::next(std::string_view& in) {
  body_chunk_ = {};
  for (;;) {
    Step step = Step::done;
    switch (state_) {
      case State::start: step = start(in); break;
      case State::request_line:
      case State::fields:
        step = read_head(in);
        if (step == Step::done) return Event::head;
        break;
      case State::body_start:
        if (framing_.coding == Coding::chunked) {
          state_ = State::chunk_size;
          break;
        }
        if (framing_.content_length > body_bytes_left_) return fail(413, "the declared body is too long");
        chunk_bytes_left_ = framing_.content_length;
        state_ = State::sized_body;
        break;
      case State::sized_body:
      case State::chunk_data:
        if (chunk_bytes_left_ > 0) {
          if (in.empty()) return Event::need_more;
          body_chunk_ = in.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(chunk_bytes_left_, in.size())));
          in.remove_prefix(body_chunk_.size());
          chunk_bytes_left_ -= body_chunk_.size();
          return Event::body;
        }
        if (state_ == State::chunk_data) {
          state_ = State::chunk_end;
          break;
        }
        state_ = State::start;
        return Event::end;
      case State::chunk_size: step = read_chunk_size(in); break;
      case State::chunk_end: step = read_chunk_end(in); break;
      case State::trailer:
        step = read_trailer(in);
        if (step == Step::done) return Event::end;
        break;
      case State::failed: return Event::error;
    }
    if (step == Step::need_more) return Event::need_more;
    if (step == Step::failed) return Event::error;
  }
}

FLUX_DECL HttpRequestParser::Event HttpRequestParser::fail(int status, std::string_view text) noexcept {
  state_ = State::failed;
  error_status_ = status;
  error_text_ = text;
  return Event::error;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::refuse(int status, std::string_view text) noexcept {
  fail(status, text);
  return Step::failed;
}

// The outcome must not depend on how the stream is cut: an unfinished line fails only if the finished one would fail
// too.
FLUX_DECL HttpRequestParser::Step HttpRequestParser::read_line(std::string_view in, std::size_t bytes_max, int status,
                                                               std::string_view text, std::string_view& line) {
  if (in.size() < scanned_) return refuse(400, "bytes that were presented before are missing");
  if (in.size() == scanned_) return Step::need_more;
  const void* found = std::memchr(in.data() + scanned_, '\n', in.size() - scanned_);
  const std::size_t end =
      found == nullptr ? in.size() : static_cast<std::size_t>(static_cast<const char*>(found) - in.data());
  if (end - line_begin_ > bytes_max + 1) return refuse(status, text);
  if (found == nullptr) {
    scanned_ = end;
    return Step::need_more;
  }
  if (end == line_begin_ || in[end - 1] != '\r') return refuse(400, "a line ends with LF alone, not with CRLF");
  line = in.substr(line_begin_, end - 1 - line_begin_);
  line_begin_ = scanned_ = end + 1;
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::read_head_line(std::string_view in, std::size_t bytes_max,
                                                                    int status, std::string_view text,
                                                                    std::string_view& line) {
  const std::size_t left = limits_.head_bytes_max - std::min(limits_.head_bytes_max, line_begin_ + 2);
  if (left < bytes_max) return read_line(in, left, 431, "the head of the request is too long", line);
  return read_line(in, bytes_max, status, text, line);
}

FLUX_DECL void HttpRequestParser::consume_lines(std::string_view& in) noexcept {
  in.remove_prefix(line_begin_);
  line_begin_ = scanned_ = 0;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::start(std::string_view& in) {
  if (in.empty()) return Step::need_more;
  const char first = in.front();
  if (first == '\r' && !empty_line_seen_) {  // RFC 9112 section 2.2: some clients send an extra CRLF after a body
    if (in.size() == 1) return Step::need_more;
    if (in[1] != '\n') return refuse(400, "CR without LF before the request");
    in.remove_prefix(2);
    empty_line_seen_ = true;
    return Step::done;
  }
  if (first == '\x16') return refuse(400, "a TLS handshake was received on a port without TLS");
  if (first == '\r') return refuse(400, "more than one empty line before the request");
  if (first == '\n') return refuse(400, "a line ends with LF alone, not with CRLF");
  if (!detail::is_char(first, detail::token_char)) return refuse(400, "the request does not begin with a method");
  head_.clear();
  framing_ = {};
  line_begin_ = scanned_ = 0;
  body_bytes_left_ = limits_.body_bytes_max;
  chunk_extension_bytes_ = trailer_bytes_ = trailer_fields_ = 0;
  empty_line_seen_ = false;
  state_ = State::request_line;
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::read_head(std::string_view& in) {
  std::string_view line;
  if (state_ == State::request_line) {
    const Step step = read_head_line(in, limits_.request_line_bytes_max, 414, "the request line is too long", line);
    if (step != Step::done) return step;
    if (parse_request_line(line) == Step::failed) return Step::failed;
    state_ = State::fields;
  }
  for (;;) {
    const Step step = read_head_line(in, limits_.field_bytes_max, 431, "a header field is too long", line);
    if (step != Step::done) return step;
    if (line.empty()) break;
    if (head_.fields_.size() >= limits_.fields_max) return refuse(431, "too many header fields");
    const auto offset = static_cast<std::size_t>(line.data() - in.data());
    HttpHead::FieldSpan field;
    if (parse_field(line, field, offset) == Step::failed) return Step::failed;
    const std::string_view name = in.substr(field.name.offset, field.name.size);
    const std::string_view value = in.substr(field.value.offset, field.value.size);
    if (apply_field(name, value, field.value) == Step::failed) return Step::failed;
    head_.fields_.push_back(field);
  }
  if (finish_head(in.substr(0, line_begin_)) == Step::failed) return Step::failed;
  consume_lines(in);
  state_ = State::body_start;
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::parse_request_line(std::string_view line) {
  const std::size_t method_end = std::min(line.find(' '), line.size());
  if (!detail::is_token(line.substr(0, method_end))) return refuse(400, "the method is not a token");
  if (method_end == line.size()) return refuse(400, "the request line has no target");
  const std::size_t target_begin = method_end + 1;
  const std::size_t target_end = std::min(line.find(' ', target_begin), line.size());
  const std::string_view target = line.substr(target_begin, target_end - target_begin);
  if (target.empty()) return refuse(400, "the request line has no target, or more than one space before it");
  if (!detail::all_chars(target, detail::target_char))
    return refuse(400, "the target holds a character that is not allowed");
  if (target_end == line.size()) return refuse(505, "the request line has no version: HTTP/0.9 is not supported");

  const std::string_view version = line.substr(target_end + 1);
  const bool well_formed = version.size() == 8 && version.substr(0, 5) == "HTTP/" && detail::is_digit(version[5]) &&
                           version[6] == '.' && detail::is_digit(version[7]);
  if (!well_formed) return refuse(400, "the request line does not end with an HTTP version");
  if (line == "PRI * HTTP/2.0") return refuse(505, "this is HTTP/2, only HTTP/1.1 and HTTP/1.0 are supported");
  if (version[5] != '1') return refuse(505, "only HTTP/1.1 and HTTP/1.0 are supported");
  head_.version_minor_ = version[7] == '0' ? 0 : 1;  // RFC 9110 section 2.5: a higher minor version is read as 1.1
  head_.method_ = {0, static_cast<std::uint32_t>(method_end)};
  head_.target_ = {static_cast<std::uint32_t>(target_begin), static_cast<std::uint32_t>(target.size())};
  if (line.substr(0, method_end) == "CONNECT") {
    if (target.find(':') == std::string_view::npos || target.front() == ':' || !detail::is_host(target)) {
      return refuse(400, "the target of CONNECT is not host:port");
    }
    head_.host_ = head_.target_;
    framing_.target_names_host = true;
    return Step::done;
  }
  if (target == "*") {
    if (line.substr(0, method_end) != "OPTIONS") return refuse(400, "the target * is only for OPTIONS");
    head_.path_ = target;
    return Step::done;
  }
  const Step step = parse_target(target, target_begin);
  // RFC 9112 section 3.2.4: for OPTIONS an absolute target without a path means *
  if (step == Step::done && head_.path_.empty()) head_.path_ = line.substr(0, method_end) == "OPTIONS" ? "*" : "/";
  return step;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::parse_target(std::string_view target, std::size_t offset) {
  if (target.front() != '/') return parse_absolute_target(target, offset);
  const std::size_t path_end = std::min(target.find('?'), target.size());
  if (path_end < target.size()) {
    head_.query_ = {static_cast<std::uint32_t>(offset + path_end + 1),
                    static_cast<std::uint32_t>(target.size() - path_end - 1)};
  }
  return parse_path(target.substr(0, path_end));
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::parse_absolute_target(std::string_view target,
                                                                           std::size_t offset) {
  const std::size_t host_begin = detail::scheme_size(target);
  if (host_begin == 0) return refuse(400, "the target is neither a path nor an http URL");
  const std::size_t host_end = std::min(target.find_first_of("/?", host_begin), target.size());
  const std::string_view host = target.substr(host_begin, host_end - host_begin);
  if (host.empty() || host.front() == ':' || !detail::is_host(host)) {
    return refuse(400, "the host of the target is malformed");
  }
  head_.host_ = {static_cast<std::uint32_t>(offset + host_begin), static_cast<std::uint32_t>(host.size())};
  framing_.target_names_host = true;
  const std::size_t path_end = std::min(target.find('?', host_end), target.size());
  if (path_end < target.size()) {
    head_.query_ = {static_cast<std::uint32_t>(offset + path_end + 1),
                    static_cast<std::uint32_t>(target.size() - path_end - 1)};
    if (path_end == host_end) head_.path_ = "/";
  }
  return path_end == host_end ? Step::done : parse_path(target.substr(host_end, path_end - host_end));
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::parse_path(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const std::size_t escape = std::min(path.find('%', i), path.size());
    head_.path_.append(path.substr(i, escape - i));
    i = escape;
    if (i == path.size()) break;
    const int high = i + 2 < path.size() ? detail::hex_value(path[i + 1]) : -1;
    const int low = i + 2 < path.size() ? detail::hex_value(path[i + 2]) : -1;
    if (high < 0 || low < 0) return refuse(400, "the path holds a malformed % escape");
    const auto decoded = static_cast<unsigned char>(high * 16 + low);
    if (decoded < 0x20 || decoded == 0x7f) return refuse(400, "the path holds an escaped control character");
    // Decoded it would move the boundaries of segments; left encoded it would look like %252F.
    if (decoded == '/') return refuse(400, "the path holds an escaped slash");
    head_.path_.push_back(static_cast<char>(decoded));
    i += 2;
  }
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::parse_field(std::string_view line, HttpHead::FieldSpan& field,
                                                                 std::size_t offset) {
  if (detail::is_blank(line.front())) return refuse(400, "a header field is folded over several lines");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return refuse(400, "a header field has no colon");
  const std::string_view name = line.substr(0, colon);
  if (!name.empty() && detail::is_blank(name.back()))
    return refuse(400, "whitespace between a field name and its colon");
  if (!detail::is_token(name)) return refuse(400, "a field name is not a token");
  const std::string_view value = detail::trim_blanks(line.substr(colon + 1));
  if (!detail::all_chars(value, detail::value_char)) return refuse(400, "a field value holds a control character");
  field.name = {static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(name.size())};
  field.value = {static_cast<std::uint32_t>(offset + static_cast<std::size_t>(value.data() - line.data())),
                 static_cast<std::uint32_t>(value.size())};
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::apply_field(std::string_view name, std::string_view value,
                                                                 HttpHead::Span value_span) {
  switch (name.size()) {
    case 4:
      if (!equals_ignore_case(name, "Host")) break;
      if (++framing_.hosts > 1) return refuse(400, "more than one Host field");
      if (!detail::is_host(value)) return refuse(400, "the Host field is malformed");
      if (!framing_.target_names_host) head_.host_ = value_span;
      break;
    case 6:
      if (equals_ignore_case(name, "Expect")) framing_.expects_continue |= header_has_token(value, "100-continue");
      break;
    case 7:
      if (equals_ignore_case(name, "Upgrade")) framing_.websocket |= header_has_token(value, "websocket");
      break;
    case 10:
      if (!equals_ignore_case(name, "Connection")) break;
      framing_.close |= header_has_token(value, "close");
      framing_.keep_alive |= header_has_token(value, "keep-alive");
      framing_.upgrade |= header_has_token(value, "upgrade");
      break;
    case 14:
      if (equals_ignore_case(name, "Content-Length")) return parse_content_length(value);
      break;
    case 17: {
      if (!equals_ignore_case(name, "Transfer-Encoding")) break;
      ++framing_.transfer_encodings;
      const std::size_t comma = value.rfind(',');
      const bool list = comma != std::string_view::npos;
      if (equals_ignore_case(value, "chunked")) {
        framing_.coding = Coding::chunked;
      } else if (list && equals_ignore_case(detail::trim_blanks(value.substr(comma + 1)), "chunked") &&
                 !header_has_token(value.substr(0, comma), "chunked")) {
        framing_.coding = Coding::unsupported;  // the length can be determined, but the content not decoded
      } else {
        framing_.coding = Coding::malformed;
      }
      break;
    }
    default: break;
  }
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::parse_content_length(std::string_view value) {
  if (++framing_.content_lengths > 1) return refuse(400, "more than one Content-Length field");
  if (value.empty() || !std::all_of(value.begin(), value.end(), detail::is_digit)) {
    return refuse(400, "Content-Length is not a number");
  }
  constexpr std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t length = 0;
  for (const char c : value) {
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (length > (max - digit) / 10) return refuse(413, "the declared body is too long");
    length = length * 10 + digit;
  }
  framing_.content_length = length;
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::finish_head(std::string_view text) {
  const bool http_1_1 = head_.version_minor_ == 1;
  if (http_1_1 && framing_.hosts == 0) return refuse(400, "no Host field");
  if (framing_.transfer_encodings > 0) {
    if (!http_1_1) return refuse(400, "Transfer-Encoding in a request of HTTP/1.0");
    if (framing_.content_lengths > 0) return refuse(400, "both Content-Length and Transfer-Encoding");
    if (framing_.transfer_encodings > 1) return refuse(400, "more than one Transfer-Encoding field");
    if (framing_.coding == Coding::malformed)
      return refuse(400, "chunked is not the last transfer coding, or not once");
    if (framing_.coding == Coding::unsupported) return refuse(501, "chunked is the only supported transfer coding");
  }
  head_.text_.assign(text);
  head_.chunked_ = framing_.coding == Coding::chunked;
  if (framing_.content_lengths > 0) head_.content_length_ = framing_.content_length;
  head_.keep_alive_ = !framing_.close && (http_1_1 || framing_.keep_alive);
  head_.expects_continue_ = http_1_1 && framing_.expects_continue && head_.has_body();
  head_.upgrade_websocket_ =
      http_1_1 && framing_.upgrade && framing_.websocket && head_.method() == "GET" && !head_.has_body();
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::read_chunk_size(std::string_view& in) {
  std::string_view line;
  const Step step = read_line(in, limits_.chunk_line_bytes_max, 400, "the line of a chunk size is too long", line);
  if (step != Step::done) return step;
  if (parse_chunk_size(line) == Step::failed) return Step::failed;
  consume_lines(in);
  state_ = chunk_bytes_left_ > 0 ? State::chunk_data : State::trailer;
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::parse_chunk_size(std::string_view line) {
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (; digits < line.size() && detail::hex_value(line[digits]) >= 0; ++digits) {
    if (digits == 16) return refuse(400, "a chunk size has more than 16 digits");
    size = size * 16 + static_cast<std::uint64_t>(detail::hex_value(line[digits]));
  }
  if (digits == 0) return refuse(400, "a chunk size is not a hexadecimal number");
  const std::string_view extension = line.substr(digits);
  if (!extension.empty()) {
    // Whitespace before the semicolon is bad but legal (RFC 9112 section 7.1.1); without a semicolon it is illegal.
    if (detail::trim_blanks(extension).substr(0, 1) != ";")
      return refuse(400, "a chunk size is followed by something else");
    if (!detail::all_chars(extension, detail::value_char))
      return refuse(400, "a chunk extension holds a control character");
    chunk_extension_bytes_ += extension.size();
    if (chunk_extension_bytes_ > limits_.chunk_extension_bytes_max) return refuse(400, "too many chunk extensions");
  }
  if (size > body_bytes_left_) return refuse(413, "the body is too long");
  body_bytes_left_ -= size;
  chunk_bytes_left_ = size;
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::read_chunk_end(std::string_view& in) {
  constexpr std::string_view crlf = "\r\n";
  if (in.substr(0, 2) != crlf.substr(0, std::min<std::size_t>(in.size(), 2))) {
    return refuse(400, "a chunk is longer than its size says, or does not end with CRLF");
  }
  if (in.size() < 2) return Step::need_more;
  in.remove_prefix(2);
  state_ = State::chunk_size;
  return Step::done;
}

FLUX_DECL HttpRequestParser::Step HttpRequestParser::read_trailer(std::string_view& in) {
  for (;;) {
    std::string_view line;
    const std::size_t left = limits_.trailer_bytes_max - std::min(limits_.trailer_bytes_max, trailer_bytes_ + 2);
    const bool field_limit = limits_.field_bytes_max <= left;
    const Step step = read_line(in, field_limit ? limits_.field_bytes_max : left, 431, "the trailer is too long", line);
    if (step != Step::done) return step;
    if (!line.empty()) {
      if (++trailer_fields_ > limits_.fields_max) return refuse(431, "too many trailer fields");
      HttpHead::FieldSpan field;
      if (parse_field(line, field, 0) == Step::failed) return Step::failed;
      trailer_bytes_ += line.size() + 2;
    }
    const bool last = line.empty();
    consume_lines(in);
    if (!last) continue;
    state_ = State::start;
    return Step::done;
  }
}

}  // namespace flux::transport
