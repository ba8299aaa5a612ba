#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/http_response_parser.hpp>

#include <algorithm>
#include <utility>

namespace flux::transport {

FLUX_DECL HttpResponseParser::Step HttpResponseParser::step() const noexcept {
  if (state_ == State::failed) return Step::failed;
  return state_ == State::done ? Step::done : Step::need_more;
}

FLUX_DECL bool HttpResponseParser::fail(std::string error) {
  state_ = State::failed;
  error_ = std::move(error);
  return false;
}

FLUX_DECL HttpResponseParser::Step HttpResponseParser::receive(std::string_view bytes) {
  while (!bytes.empty() && step() == Step::need_more) {
    switch (state_) {
      case State::sized_body:
      case State::body_until_end:
      case State::chunk_data: take_body(bytes); break;
      case State::status_line:
      case State::field:
        if (take_line(bytes, head_bytes_left_, "the head of the response")) read_line();
        break;
      default:
        if (take_line(bytes, framing_bytes_left_, "the framing of the chunked body")) read_line();
    }
  }
  return step();
}

FLUX_DECL HttpResponseParser::Step HttpResponseParser::end() {
  if (step() != Step::need_more) return step();
  if (state_ == State::body_until_end) {
    state_ = State::done;
  } else if (!has_head_) {
    fail("the connection ended before the head of the response was complete");
  } else {
    fail("the connection ended within the body, after " + std::to_string(response_.body.size()) + " bytes");
  }
  return step();
}

/// Moves bytes of `in` to the line. Returns true if it is complete.
FLUX_DECL bool HttpResponseParser::take_line(std::string_view& in, std::size_t& bytes_left, const char* what) {
  const std::size_t end = in.find('\n');
  const std::size_t size = end == std::string_view::npos ? in.size() : end + 1;
  if (size > bytes_left) return fail(std::string(what) + " is too long");
  bytes_left -= size;
  line_ += in.substr(0, size);
  in.remove_prefix(size);
  if (end == std::string_view::npos) return false;
  if (line_.size() < 2 || line_[line_.size() - 2] != '\r') return fail("a line ends with LF alone, not with CRLF");
  line_.resize(line_.size() - 2);
  return true;
}

FLUX_DECL bool HttpResponseParser::read_line() {
  bool is_right = true;
  switch (state_) {
    case State::status_line: is_right = read_status_line(); break;
    case State::field: is_right = line_.empty() ? finish_head() : read_field(&response_.fields); break;
    case State::chunk_size: is_right = read_chunk_size(); break;
    case State::chunk_end:
      is_right = line_.empty() || fail("a chunk is longer than its size says");
      if (is_right) state_ = State::chunk_size;
      break;
    default:  // the trailer, which is checked and dropped
      if (line_.empty()) {
        state_ = State::done;
      } else {
        is_right = read_field(nullptr);
      }
  }
  line_.clear();
  return is_right;
}

// RFC 9112, section 4. Some servers leave out the space in front of an empty reason.
FLUX_DECL bool HttpResponseParser::read_status_line() {
  const std::string_view line = line_;
  const bool well_formed = line.size() >= 12 && line.substr(0, 7) == "HTTP/1." && detail::is_digit(line[7]) &&
                           line[8] == ' ' && std::all_of(line.begin() + 9, line.begin() + 12, detail::is_digit) &&
                           (line.size() == 12 || line[12] == ' ') &&
                           detail::all_chars(line.substr(12), detail::value_char);
  if (!well_formed) return fail("the response does not begin with a status line of HTTP/1.1 or HTTP/1.0");
  http_1_1_ = line[7] != '0';
  response_.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (response_.status < 100 || response_.status > 599) return fail("the status is not between 100 and 599");
  if (response_.status == 101) return fail("the server switched to another protocol, which was not asked for");
  state_ = State::field;
  return true;
}

FLUX_DECL bool HttpResponseParser::read_field(HttpFields* kept) {
  const std::string_view line = line_;
  if (detail::is_blank(line.front())) return fail("a header field is folded over several lines");
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return fail("a header field has no colon");
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = detail::trim_blanks(line.substr(colon + 1));
  if (!detail::is_token(name)) return fail("a field name is not a token");
  if (!detail::all_chars(value, detail::value_char)) return fail("a field value holds a control character");
  const std::size_t fields = kept != nullptr ? kept->size() : trailer_fields_++;
  if (fields >= limits_.fields_max) return fail("the response has too many fields");
  if (kept != nullptr) kept->emplace_back(name, value);
  return true;
}

FLUX_DECL bool HttpResponseParser::finish_head() {
  if (response_.status < 200) {  // the final response follows
    response_ = {};
    state_ = State::status_line;
    return true;
  }
  if (response_.status == 204 || response_.status == 304) {
    state_ = State::done;
  } else if (!choose_framing()) {
    return false;
  }
  has_head_ = true;
  return true;
}

// RFC 9112, section 6.3.
FLUX_DECL bool HttpResponseParser::choose_framing() {
  std::size_t lengths = 0;
  std::size_t codings = 0;
  state_ = State::body_until_end;
  for (const auto& [name, value] : response_.fields) {
    if (equals_ignore_case(name, "Content-Length")) {
      if (++lengths > 1) return fail("more than one Content-Length field");
      if (!read_content_length(value)) return false;
      state_ = piece_bytes_left_ > 0 ? State::sized_body : State::done;
    } else if (equals_ignore_case(name, "Transfer-Encoding")) {
      if (++codings > 1) return fail("more than one Transfer-Encoding field");
      if (!equals_ignore_case(value, "chunked")) return fail("the transfer coding is not chunked");
      if (!http_1_1_) return fail("Transfer-Encoding in a response of HTTP/1.0");
    }
  }
  if (codings == 0) return true;
  if (lengths > 0) return fail("both Content-Length and Transfer-Encoding");
  state_ = State::chunk_size;
  return true;
}

FLUX_DECL bool HttpResponseParser::read_content_length(std::string_view value) {
  if (value.empty() || !std::all_of(value.begin(), value.end(), detail::is_digit)) {
    return fail("Content-Length is not a number");
  }
  piece_bytes_left_ = 0;
  for (const char c : value) {
    piece_bytes_left_ = piece_bytes_left_ * 10 + static_cast<std::size_t>(c - '0');
    if (piece_bytes_left_ > limits_.body_bytes_max) {
      return fail("the declared body has more than " + std::to_string(limits_.body_bytes_max) + " bytes");
    }
  }
  return true;
}

FLUX_DECL bool HttpResponseParser::read_chunk_size() {
  const std::string_view line = line_;
  std::size_t digits = 0;
  piece_bytes_left_ = 0;
  for (; digits < line.size() && detail::hex_value(line[digits]) >= 0; ++digits) {
    piece_bytes_left_ = piece_bytes_left_ * 16 + static_cast<std::size_t>(detail::hex_value(line[digits]));
    if (piece_bytes_left_ > body_bytes_left_) {
      return fail("the body has more than " + std::to_string(limits_.body_bytes_max) + " bytes");
    }
  }
  if (digits == 0) return fail("a chunk size is not a hexadecimal number");
  const std::string_view extension = detail::trim_blanks(line.substr(digits));
  if (!extension.empty() && extension.front() != ';') return fail("a chunk size is followed by something else");
  if (!detail::all_chars(extension, detail::value_char)) return fail("a chunk extension holds a control character");
  state_ = piece_bytes_left_ > 0 ? State::chunk_data : State::trailer;
  return true;
}

FLUX_DECL void HttpResponseParser::take_body(std::string_view& in) {
  const bool has_length = state_ != State::body_until_end;
  const std::string_view piece = has_length ? in.substr(0, piece_bytes_left_) : in;
  if (piece.size() > body_bytes_left_) {
    fail("the body has more than " + std::to_string(limits_.body_bytes_max) + " bytes");
    return;
  }
  response_.body += piece;
  body_bytes_left_ -= piece.size();
  in.remove_prefix(piece.size());
  if (!has_length) return;
  piece_bytes_left_ -= piece.size();
  if (piece_bytes_left_ == 0) state_ = state_ == State::chunk_data ? State::chunk_end : State::done;
}

}  // namespace flux::transport
