#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/detail/transport/multipart.hpp>

#include <algorithm>
#include <utility>

namespace flux::transport {

namespace multipart_detail {

struct Parameter {
  std::string_view name;
  std::string value;
};

/// The rest of a quoted string behind its first quote, which is removed from `text`. None if its last quote is missing.
inline std::optional<std::string> take_quoted(std::string_view& text) {
  std::string value;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    // Browsers do not escape a backslash, so one before any other character is itself.
    const bool escape = text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == '"' || text[i + 1] == '\\');
    if (escape) ++i;
    value += text[i];
  }
  return std::nullopt;
}

/// Removes `; name=value` from the front of `text`. None if that is something else.
inline std::optional<Parameter> take_parameter(std::string_view& text) {
  text = detail::trim_blanks(text);
  if (text.empty() || text.front() != ';') return std::nullopt;
  text = detail::trim_blanks(text.substr(1));
  const std::size_t equals = std::min(text.find('='), text.size());
  Parameter parameter{text.substr(0, equals), {}};
  if (!detail::is_token(parameter.name) || equals == text.size()) return std::nullopt;
  text.remove_prefix(equals + 1);
  if (!text.empty() && text.front() == '"') {
    text.remove_prefix(1);
    auto value = take_quoted(text);
    if (!value) return std::nullopt;
    parameter.value = std::move(*value);
    return parameter;
  }
  const std::string_view value = detail::trim_blanks(text.substr(0, text.find(';')));
  if (!detail::is_token(value)) return std::nullopt;
  text.remove_prefix(std::min(text.find(';'), text.size()));
  parameter.value = value;
  return parameter;
}

/// A name as a browser wrote it: of all escapes it writes only these three, and `%` itself is not escaped.
inline std::string browser_name(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    const std::string_view escape = text.substr(0, 3);
    const char decoded = escape == "%22"                     ? '"'
                         : equals_ignore_case(escape, "%0D") ? '\r'
                         : equals_ignore_case(escape, "%0A") ? '\n'
                                                             : '\0';
    name += decoded == '\0' ? text.front() : decoded;
    text.remove_prefix(decoded == '\0' ? 1 : 3);
  }
  return name;
}

/// RFC 2046 section 5.1.1.
inline bool is_boundary(std::string_view text) {
  const auto is_boundary_char = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || detail::is_digit(c) ||
           std::string_view("'()+_,-./:=? ").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= 70 && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), is_boundary_char);
}

}  // namespace multipart_detail

FLUX_DECL std::optional<std::string> multipart_boundary(std::string_view content_type) {
  std::string_view rest = content_type.substr(std::min(content_type.find(';'), content_type.size()));
  while (auto parameter = multipart_detail::take_parameter(rest)) {
    if (!equals_ignore_case(parameter->name, "boundary")) continue;
    if (!multipart_detail::is_boundary(parameter->value)) return std::nullopt;
    return std::move(parameter->value);
  }
  return std::nullopt;
}

FLUX_DECL MultipartParser::MultipartParser(std::string_view boundary, const MultipartLimits& limits)
    : limits_(limits), delimiter_(std::string("\r\n--").append(boundary)) {}

FLUX_DECL MultipartParser::Event MultipartParser::next(std::string_view& in) {
  if (state_ == State::failed) return Event::error;
  // The end of a part whose data stood right before it in the same piece is reported without more input.
  while (!in.empty() || (state_ == State::data && at_boundary())) {
    if (const auto event = step(in)) return *event;
  }
  return Event::need_more;
}

FLUX_DECL std::optional<MultipartParser::Event> MultipartParser::step(std::string_view& in) {
  switch (state_) {
    case State::preamble: return read_preamble(in);
    case State::boundary: return read_tail(in);
    case State::head: return read_head(in);
    case State::data: return read_data(in);
    case State::epilogue: return ignore(std::exchange(in, {}).size());
    case State::failed: break;
  }
  return Event::error;
}

FLUX_DECL bool MultipartParser::fails(std::string why) {
  state_ = State::failed;
  error_ = std::move(why);
  return false;
}

FLUX_DECL MultipartParser::Event MultipartParser::fail(std::string why) {
  fails(std::move(why));
  return Event::error;
}

// --- Boundaries ---

/// Removes bytes from the front of `in`, and returns those that do not belong to a boundary: maybe none, also when the
/// boundary has been read (`at_boundary`).
FLUX_DECL std::string_view MultipartParser::take_until_boundary(std::string_view& in) {
  if (matched_ > 0) {
    while (!at_boundary() && !in.empty() && in.front() == delimiter_[matched_]) {
      ++matched_;
      in.remove_prefix(1);
    }
    if (at_boundary() || in.empty()) return {};
    return std::string_view(delimiter_).substr(0, std::exchange(matched_, 0));
  }
  const std::string_view delimiter = delimiter_;
  std::size_t end = in.find('\r');
  while (end != std::string_view::npos && !delimiter.starts_with(in.substr(end, delimiter.size()))) {
    end = in.find('\r', end + 1);
  }
  const std::string_view before = in.substr(0, end);
  in.remove_prefix(before.size());
  matched_ = std::min(in.size(), delimiter.size());
  in.remove_prefix(matched_);
  return before;
}

FLUX_DECL void MultipartParser::begin_boundary() {
  state_ = State::boundary;
  tail_ = Tail::none;
}

FLUX_DECL std::optional<MultipartParser::Event> MultipartParser::ignore(std::size_t bytes) {
  ignored_ += bytes;
  if (ignored_ <= limits_.ignored_bytes_max) return std::nullopt;
  return fail("the form has more than " + std::to_string(limits_.ignored_bytes_max) +
              " bytes outside its parts; does the boundary match the Content-Type?");
}

FLUX_DECL std::optional<MultipartParser::Event> MultipartParser::read_preamble(std::string_view& in) {
  const std::size_t bytes = take_until_boundary(in).size();
  if (at_boundary()) begin_boundary();
  return ignore(bytes);
}

/// Reads what follows a boundary: two dashes behind the last one, otherwise blanks and a line end.
FLUX_DECL std::optional<MultipartParser::Event> MultipartParser::read_tail(std::string_view& in) {
  const char c = in.front();
  in.remove_prefix(1);
  const Tail before = tail_;
  if (c == '-' && before == Tail::none) {
    tail_ = Tail::dash;
  } else if (c == '-' && before == Tail::dash) {
    state_ = State::epilogue;
    return Event::end;
  } else if (detail::is_blank(c) && (before == Tail::none || before == Tail::padding)) {
    tail_ = Tail::padding;
    return ignore(1);
  } else if (c == '\r' && (before == Tail::none || before == Tail::padding)) {
    tail_ = Tail::cr;
  } else if (c == '\n' && before == Tail::cr) {
    if (++parts_ > limits_.parts_max) {
      return fail("a form has at most " + std::to_string(limits_.parts_max) + " fields and files");
    }
    state_ = State::head;
    head_bytes_ = 0;
    has_disposition_ = false;
    part_ = {};
  } else {
    return fail("a boundary of the form is not followed by a line end or two dashes");
  }
  return std::nullopt;
}

FLUX_DECL std::optional<MultipartParser::Event> MultipartParser::read_data(std::string_view& in) {
  data_ = take_until_boundary(in);
  if (!data_.empty()) return Event::data;
  if (!at_boundary()) return std::nullopt;
  begin_boundary();
  return Event::part_end;
}

// --- The header of a part ---

FLUX_DECL std::optional<MultipartParser::Event> MultipartParser::read_head(std::string_view& in) {
  const std::size_t end = in.find('\n');
  const std::string_view taken = in.substr(0, end);
  head_bytes_ += taken.size() + 1;
  if (head_bytes_ > limits_.head_bytes_max) {
    return fail("the header of a part has at most " + std::to_string(limits_.head_bytes_max) + " bytes");
  }
  line_ += taken;
  in.remove_prefix(taken.size());
  if (in.empty()) {
    --head_bytes_;  // no line end yet
    return std::nullopt;
  }
  in.remove_prefix(1);
  if (line_.empty() || line_.back() != '\r') return fail("a line of a part's header does not end with CR LF");
  line_.pop_back();
  const std::string line = std::exchange(line_, {});
  if (line.empty()) return finish_head();
  if (!read_field(line)) return Event::error;
  return std::nullopt;
}

FLUX_DECL std::optional<MultipartParser::Event> MultipartParser::finish_head() {
  if (!has_disposition_) return fail("a part of the form has no Content-Disposition");
  state_ = State::data;
  matched_ = 0;
  return Event::part;
}

FLUX_DECL bool MultipartParser::read_field(std::string_view line) {
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string_view name = line.substr(0, colon);
  if (colon == line.size() || !detail::is_token(name) || !detail::all_chars(line, detail::value_char)) {
    return fails("a part's header has a line that is not a field");
  }
  const std::string_view value = detail::trim_blanks(line.substr(colon + 1));
  if (equals_ignore_case(name, "Content-Disposition")) return read_disposition(value);
  if (equals_ignore_case(name, "Content-Type")) part_.media_type = value;
  if (!equals_ignore_case(name, "Content-Transfer-Encoding")) return true;
  for (const std::string_view plain : {"binary", "8bit", "7bit"}) {
    if (equals_ignore_case(value, plain)) return true;
  }
  return fails("a part has a Content-Transfer-Encoding: send its bytes as they are");
}

FLUX_DECL bool MultipartParser::read_disposition(std::string_view value) {
  if (std::exchange(has_disposition_, true)) return fails("a part of the form has two Content-Dispositions");
  const std::size_t end = std::min(value.find(';'), value.size());
  if (!equals_ignore_case(detail::trim_blanks(value.substr(0, end)), "form-data")) {
    return fails("the Content-Disposition of a part is not form-data");
  }
  std::optional<std::string> name;
  bool extended = false;
  for (value.remove_prefix(end); !value.empty();) {
    auto parameter = multipart_detail::take_parameter(value);
    if (!parameter) return fails("the Content-Disposition of a part is malformed");
    const bool is_file_name = equals_ignore_case(parameter->name, "filename");
    extended = extended || equals_ignore_case(parameter->name, "filename*");
    if (!is_file_name && !equals_ignore_case(parameter->name, "name")) continue;
    auto& target = is_file_name ? part_.file_name : name;
    if (target) return fails("the Content-Disposition of a part has two names");
    target = multipart_detail::browser_name(parameter->value);
  }
  if (!name) return fails("a part of the form has no name");
  if (extended && !part_.file_name) return fails("a form has file names as filename=\"...\" in UTF-8, not filename*");
  part_.name = std::move(*name);
  return true;
}

}  // namespace flux::transport
