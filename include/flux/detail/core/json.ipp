#pragma once

#include <flux/detail/core/json_scanner.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/mode.hpp>
#include <flux/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <locale>
#include <sstream>
#include <string>

namespace flux {

namespace detail {

struct NoJsonVisitor {
  bool key(std::size_t, std::string_view) { return true; }
  bool open(std::size_t, JsonText::Kind, std::size_t) { return true; }
  bool value(std::size_t, JsonText::Kind, std::size_t, std::size_t) { return true; }
};

/// The UTF-16 code unit that `\uXXXX` at `at` escapes; none if there is no such escape.
FLUX_DECL std::optional<unsigned> escaped_unit(std::string_view text, std::size_t at) {
  if (text.size() < 6 || at > text.size() - 6 || text[at] != '\\' || text[at + 1] != 'u') return std::nullopt;
  unsigned unit = 0;
  const char* const end = text.data() + at + 6;
  const auto read = std::from_chars(text.data() + at + 2, end, unit, 16);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return unit;
}

FLUX_DECL std::optional<std::string> without_lone_surrogates(std::string_view text) {
  const auto is_high = [](unsigned unit) { return unit >= 0xd800 && unit < 0xdc00; };
  const auto is_low = [](unsigned unit) { return unit >= 0xdc00 && unit < 0xe000; };
  std::optional<std::string> mended;
  std::size_t step = 0;
  for (std::size_t at = text.find('\\'); at < text.size(); at = text.find('\\', at + step)) {
    step = 2;
    const auto unit = escaped_unit(text, at);
    if (!unit) continue;
    step = 6;
    if (!is_high(*unit) && !is_low(*unit)) continue;
    const auto next = is_high(*unit) ? escaped_unit(text, at + 6) : std::nullopt;
    if (next && is_low(*next)) {
      step = 12;
    } else {
      if (!mended) mended.emplace(text);
      mended->replace(at, 6, "\\ufffd");
    }
  }
  return mended;
}

/// Finds the value that a JSON Pointer refers to.
class PointerVisitor {
 public:
  explicit PointerVisitor(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {}

  bool key(std::size_t depth, std::string_view name) {
    if (depth == matched_ + 1 && depth <= tokens_.size()) hit_ = name == tokens_[depth - 1];
    return true;
  }
  bool open(std::size_t depth, JsonText::Kind kind, std::size_t) {
    if (!here(depth)) return true;
    if (depth == tokens_.size()) {
      inside_target_ = true;
      return true;
    }
    // One level down: array elements are matched by index, object members by name.
    matched_ = depth;
    entered_ = true;
    array_ = kind == JsonText::Kind::array;
    index_ = 0;
    hit_ = array_ && is_index(0, tokens_[depth]);
    return true;
  }
  bool value(std::size_t depth, JsonText::Kind kind, std::size_t begin, std::size_t end) {
    if (inside_target_ ? depth == tokens_.size() : (depth == tokens_.size() && here(depth))) {
      found_.emplace(begin, end);
      kind_ = kind;
      return false;
    }
    if (here(depth)) return false;                    // a scalar, but the pointer continues
    if (entered_ && depth == matched_) return false;  // the container that should hold it has ended
    if (array_ && depth == matched_ + 1) hit_ = is_index(++index_, tokens_[matched_]);
    return true;
  }

  std::optional<std::pair<std::size_t, std::size_t>> found_;
  JsonText::Kind kind_ = JsonText::Kind::null;

 private:
  /// Whether the value at `depth` lies on the path.
  bool here(std::size_t depth) const {
    if (inside_target_) return false;
    if (depth == 0) return true;
    return entered_ && depth == matched_ + 1 && hit_;
  }
  static bool is_index(std::size_t index, const std::string& token) { return token == std::to_string(index); }

  std::vector<std::string> tokens_;
  std::size_t matched_ = 0;  // depth of the innermost container on the path
  std::size_t index_ = 0;
  bool entered_ = false;
  bool array_ = false;
  bool hit_ = false;
  bool inside_target_ = false;
};

/// Splits a JSON Pointer (RFC 6901, 3); none if it is invalid.
FLUX_DECL std::optional<std::vector<std::string>> pointer_tokens(std::string_view pointer) {
  std::vector<std::string> tokens;
  if (pointer.empty()) return tokens;
  if (pointer.front() != '/') return std::nullopt;
  for (std::size_t at = 0; at < pointer.size();) {
    std::size_t end = pointer.find('/', at + 1);
    if (end == std::string_view::npos) end = pointer.size();
    std::string token;
    for (std::size_t i = at + 1; i < end; ++i) {
      if (pointer[i] != '~') {
        token += pointer[i];
      } else if (i + 1 < end && (pointer[i + 1] == '0' || pointer[i + 1] == '1')) {
        token += pointer[++i] == '0' ? '~' : '/';
      } else {
        return std::nullopt;
      }
    }
    tokens.push_back(std::move(token));
    at = end;
  }
  return tokens;
}

FLUX_DECL std::optional<std::string_view> json_at(std::string_view text, std::string_view pointer) {
  auto tokens = pointer_tokens(pointer);
  if (!tokens) return std::nullopt;
  PointerVisitor visitor(std::move(*tokens));
  constexpr std::size_t any_depth = static_cast<std::size_t>(-1);  // the depth was checked when the text was parsed
  if (!scan_json(text, any_depth, visitor) || !visitor.found_) return std::nullopt;
  return text.substr(visitor.found_->first, visitor.found_->second - visitor.found_->first);
}

struct StringSink : rj::BaseReaderHandler<rj::UTF8<>, StringSink> {
  bool Default() { return false; }
  bool String(const char* text, rj::SizeType size, bool) {
    decoded.assign(text, size);
    return true;
  }
  std::string decoded;
};

FLUX_DECL std::optional<std::string> decode_json_string(std::string_view quoted) {
  const std::string_view inside = quoted.substr(1, quoted.size() - 2);
  if (inside.find('\\') == std::string_view::npos) return std::string(inside);
  JsonStream stream(quoted);
  StringSink sink;
  rj::Reader reader;
  if (reader.Parse<rj::kParseNoFlags>(stream, sink).IsError()) return std::nullopt;
  // RapidJSON 1.1.0 decodes an escaped lone low surrogate to bytes that are not UTF-8.
  if (!core::valid_utf8(sink.decoded)) return std::nullopt;
  return std::move(sink.decoded);
}

FLUX_DECL void append_json_string(std::string& out, std::string_view utf8) {
  static constexpr char hex[] = "0123456789abcdef";
  out += '"';
  std::size_t plain = 0;  // the start of the text that needs no escape
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    const auto c = static_cast<unsigned char>(utf8[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(utf8, plain, i - plain);
    plain = i + 1;
    out += '\\';
    switch (c) {
      case '"': out += '"'; break;
      case '\\': out += '\\'; break;
      case '\n': out += 'n'; break;
      case '\r': out += 'r'; break;
      case '\t': out += 't'; break;
      case '\b': out += 'b'; break;
      case '\f': out += 'f'; break;
      default:
        out += "u00";
        out += hex[c >> 4];
        out += hex[c & 15];
    }
  }
  out.append(utf8, plain, utf8.size() - plain);
  out += '"';
}

FLUX_DECL std::size_t json_string_size(std::string_view utf8) noexcept {
  std::size_t size = utf8.size() + 2;
  for (const char character : utf8) {
    const auto c = static_cast<unsigned char>(character);
    if (c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' || c == '\b' || c == '\f') {
      size += 1;
    } else if (c < 0x20) {
      size += 5;
    }
  }
  return size;
}

/// Reads `text` as an integer. Returns whether it is one that fits.
template <class Integer>
bool read_integer(std::string_view text, Integer& number) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  return ec == std::errc() && end == text.data() + text.size();
}

/// Moves the value, if there is one, into `to`. Returns whether there is one.
template <class T>
bool move_to(T& to, std::optional<T> value) {
  if (!value) return false;
  to = *std::move(value);
  return true;
}

/// Whether a number that is not 0 is 1 or more: the power of ten of its first digit, whatever its exponent.
FLUX_DECL bool is_large(std::string_view number) noexcept {
  const std::size_t mantissa_end = std::min(number.find_first_of("eE"), number.size());
  const std::string_view mantissa = number.substr(0, mantissa_end);
  const std::string_view exponent = number.substr(std::min(mantissa_end + 1, number.size()));
  const auto point = static_cast<std::int64_t>(std::min(mantissa.find('.'), mantissa.size()));
  const auto first = static_cast<std::int64_t>(std::min(mantissa.find_first_not_of("-0."), mantissa.size()));
  const std::size_t digits = std::min(exponent.find_first_not_of("+-0"), exponent.size());
  std::int64_t power = 0;
  const auto read = std::from_chars(exponent.data() + digits, exponent.data() + exponent.size(), power);
  if (read.ec == std::errc::result_out_of_range) return !exponent.starts_with('-');
  return point - first + (exponent.starts_with('-') ? -power : power) > 0;
}

/// RapidJSON 1.1.0 is not used for this: with full precision it reads "0e91" and "18446744073709551615.5" wrongly, and
/// beyond its table of powers for 24349.393329304115743782378e-335.
FLUX_DECL std::optional<double> read_double(std::string_view number) {
  if (number.empty() || (number.front() != '-' && (number.front() < '0' || number.front() > '9'))) return std::nullopt;
  double value = 0;
#if defined(__cpp_lib_to_chars)
  const bool in_range =
      std::from_chars(number.data(), number.data() + number.size(), value).ec != std::errc::result_out_of_range;
#else
  std::istringstream stream{std::string(number)};
  stream.imbue(std::locale::classic());
  const bool in_range = static_cast<bool>(stream >> value);
#endif
  if (in_range) return value;
  if (is_large(number)) return std::nullopt;
  return number.front() == '-' ? -0.0 : 0.0;
}

/// `text` without the space, comma or colon before its first token.
FLUX_DECL std::string_view from_token(std::string_view text) noexcept {
  return text.substr(std::min(text.find_first_not_of(" \t\r\n,:"), text.size()));
}

/// What follows the opening bracket `open` of a value; empty if the value has another kind.
FLUX_DECL std::string_view inside(std::string_view value, char open) noexcept {
  value = from_token(value);
  return value.starts_with(open) ? value.substr(1) : std::string_view();
}

/// The size of the string that `text` begins with, with its quotes.
FLUX_DECL std::size_t string_extent(std::string_view text) noexcept {
  std::size_t at = 1;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

/// The size of the value that `text` begins with. Any text is safe; the result is right for valid JSON.
FLUX_DECL std::size_t value_extent(std::string_view text) noexcept {
  std::size_t depth = 0;
  for (std::size_t at = 0; at < text.size();) {
    switch (text[at]) {
      case '"': at += string_extent(text.substr(at)); break;
      case '[':
      case '{': ++depth, ++at; break;
      case ']':
      case '}': --depth, ++at; break;
      default: at = std::min(text.find_first_of("\"[]{}, \t\r\n", at + 1), text.size());
    }
    if (depth == 0) return at;
  }
  return text.size();
}

/// Takes the next value of an array, or name or value of an object, from what follows the previous one; empty at the
/// closing bracket.
FLUX_DECL std::string_view next_json_value(std::string_view& rest) noexcept {
  rest = from_token(rest);
  if (rest.empty() || rest.front() == ']' || rest.front() == '}') return {};
  const std::string_view value = rest.substr(0, value_extent(rest));
  rest.remove_prefix(value.size());
  return value;
}

/// A member's name, with U+FFFD for lone surrogates.
FLUX_DECL std::string decoded_name(std::string_view quoted) {
  const auto mended = without_lone_surrogates(quoted);
  return decode_json_string(mended ? *mended : quoted).value_or(std::string());
}

}  // namespace detail

FLUX_DECL Result<JsonText> JsonText::parse(std::string text, std::size_t depth_max) {
  detail::NoJsonVisitor visitor;
  if (const auto checked = detail::scan_json(text, depth_max, visitor); !checked) return checked.error();
  return JsonText(std::move(text));
}

FLUX_DECL JsonText JsonText::string(std::string_view utf8) {
  std::string text;
  if (core::valid_utf8(utf8)) {
    detail::append_json_string(text, utf8);
  } else {
    detail::append_json_string(text, core::repaired(std::string(utf8)));
  }
  return JsonText(std::move(text));
}

FLUX_DECL JsonText JsonText::trusted(std::string text) { return JsonText(core::repaired(std::move(text))); }

FLUX_DECL JsonText JsonText::of_double(double value) {
  if (!std::isfinite(value)) return {};
  char text[32];
  return JsonText(std::string(text, std::to_chars(text, text + sizeof text, value).ptr));
}

FLUX_DECL JsonText JsonText::object(std::initializer_list<JsonField> members) {
  std::string text = "{";
  for (const JsonField& member : members) append_member(text, member.name, member.value);
  return JsonText(text += '}');
}

FLUX_DECL JsonText JsonText::array(std::initializer_list<JsonInput> elements) {
  std::string text = "[";
  for (const JsonInput& element : elements) append_element(text, element);
  return JsonText(text += ']');
}

FLUX_DECL void JsonText::append_member(std::string& text, std::string_view name, const JsonInput& value) {
  if (text.size() > 1) text += ',';
  text.append(string(name).text()).append(1, ':').append(value.json().text());
}

FLUX_DECL void JsonText::append_element(std::string& text, const JsonInput& value) {
  if (text.size() > 1) text += ',';
  text += value.json().text();
}

FLUX_DECL std::optional<JsonText> JsonText::at(std::string_view pointer) const {
  const auto found = view().at(pointer);
  return found ? std::optional<JsonText>(*found) : std::nullopt;
}

FLUX_DECL JsonKind JsonView::kind() const noexcept {
  const std::string_view value = detail::from_token(text_);
  switch (value.empty() ? 'n' : value.front()) {
    case '{': return JsonKind::object;
    case '[': return JsonKind::array;
    case '"': return JsonKind::string;
    case 't':
    case 'f': return JsonKind::boolean;
    case 'n': return JsonKind::null;
    default: return JsonKind::number;
  }
}

FLUX_DECL std::optional<JsonView> JsonView::at(std::string_view pointer) const {
  const auto found = detail::json_at(text_, pointer);
  if (!found) return std::nullopt;
  return JsonView(*found);
}

FLUX_DECL JsonView JsonView::view_at(std::string_view pointer) const {
  return pointer.empty() ? *this : at(pointer).value_or(JsonView());
}

FLUX_DECL JsonItems<JsonView> JsonView::elements(std::string_view pointer) const {
  return JsonItems<JsonView>(detail::inside(view_at(pointer).text_, '['));
}

FLUX_DECL JsonItems<JsonMember> JsonView::members(std::string_view pointer) const {
  return JsonItems<JsonMember>(detail::inside(view_at(pointer).text_, '{'));
}

template <>
FLUX_DECL void JsonItems<JsonView>::Iterator::advance() {
  const std::string_view element = detail::next_json_value(rest_);
  ended_ = element.empty();
  if (!ended_) item_ = JsonView(element);
}

template <>
FLUX_DECL void JsonItems<JsonMember>::Iterator::advance() {
  const std::string_view name = detail::next_json_value(rest_);
  const std::string_view value = detail::next_json_value(rest_);
  ended_ = value.empty();
  if (ended_) return;
  item_.name = detail::decoded_name(name);
  item_.value = JsonView(value);
}

FLUX_DECL bool JsonView::read(std::string_view pointer, bool& value) const {
  const auto text = detail::json_at(text_, pointer);
  value = text == "true";
  return value || text == "false";
}

FLUX_DECL bool JsonView::read(std::string_view pointer, std::int64_t& value) const {
  const auto text = detail::json_at(text_, pointer);
  return text && detail::read_integer(*text, value);
}

FLUX_DECL bool JsonView::read(std::string_view pointer, std::uint64_t& value) const {
  const auto text = detail::json_at(text_, pointer);
  return text && detail::read_integer(*text, value);
}

FLUX_DECL bool JsonView::read(std::string_view pointer, double& value) const {
  const auto text = detail::json_at(text_, pointer);
  return text && detail::move_to(value, detail::read_double(*text));
}

FLUX_DECL bool JsonView::read(std::string_view pointer, std::string& value) const {
  const auto text = detail::json_at(text_, pointer);
  return text && text->front() == '"' && detail::move_to(value, detail::decode_json_string(*text));
}

FLUX_DECL bool JsonView::read(std::string_view pointer, std::string& buffer, std::string_view& value) const {
  const auto text = detail::json_at(text_, pointer);
  if (!text || text->front() != '"') return false;
  if (text->find('\\') == std::string_view::npos) {
    value = text->substr(1, text->size() - 2);
    return true;
  }
  if (!detail::move_to(buffer, detail::decode_json_string(*text))) return false;
  value = buffer;
  return true;
}

}  // namespace flux
