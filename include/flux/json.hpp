// JSON as text that is known to be valid, read by JSON Pointer.
#pragma once

#include <flux/error.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace flux {

/// A JSON value, kept as its text. Payloads pass through flux as text: what a client sent is relayed byte for byte and
/// read only where somebody asks. Never holds anything but one valid JSON value in valid UTF-8.
/// Threading: a value type, like std::string.
class JsonText {
 public:
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

  /// `null`.
  JsonText() : text_("null") {}

  /// Checks `text`: one JSON value (RFC 8259), valid UTF-8, at most `depth_max` levels.
  /// Errors: invalid_json, with the offset of the first byte that is wrong.
  static Result<JsonText> parse(std::string text, std::size_t depth_max = 128);
  /// The JSON string that stands for `utf8`. Bytes that are not UTF-8 become U+FFFD.
  static JsonText string(std::string_view utf8);
  /// The shortest text that is read as the same number. Infinity and NaN, which JSON does not have, become `null`.
  template <class Number>
  requires(std::is_arithmetic_v<Number> && !std::is_same_v<Number, bool>) static JsonText number(Number value) {
    if constexpr (std::is_floating_point_v<Number>) {
      return of_double(static_cast<double>(value));
    } else {
      return JsonText(std::to_string(value));
    }
  }
  static JsonText boolean(bool value) { return JsonText(value ? "true" : "false"); }
  /// `object({{"name", JsonText::string("Ada")}, {"age", JsonText::number(36)}})`: the members in this order. Their
  /// names are as for `string`; that each stands there once is up to the caller.
  static JsonText object(const std::vector<std::pair<std::string, JsonText>>& members);
  static JsonText array(const std::vector<JsonText>& elements);
  /// Takes `text` as it is. The caller knows that it is valid JSON.
  static JsonText trusted(std::string text) { return JsonText(std::move(text)); }

  const std::string& text() const& noexcept { return text_; }
  std::string&& text() && noexcept { return std::move(text_); }
  Kind kind() const noexcept;

  /// The value at an RFC 6901 pointer (`""` is the whole, `"/user/tags/0"` an element); none where there is no such
  /// value. Of members with the same name the first counts. Cost: one pass over the text.
  std::optional<JsonText> at(std::string_view pointer) const;

  /// The value at `pointer` as `T`: bool, std::int64_t, std::uint64_t, double or std::string; none where there is no
  /// such value, or it is of another type, or does not fit. An escaped lone surrogate in a string gives none.
  template <class T>
  std::optional<T> get(std::string_view pointer = {}) const;

  friend bool operator==(const JsonText& a, const JsonText& b) { return a.text_ == b.text_; }

 private:
  explicit JsonText(std::string text) : text_(std::move(text)) {}
  static JsonText of_double(double value);
  std::string text_;
};

template <>
std::optional<bool> JsonText::get<bool>(std::string_view pointer) const;
template <>
std::optional<std::int64_t> JsonText::get<std::int64_t>(std::string_view pointer) const;
template <>
std::optional<std::uint64_t> JsonText::get<std::uint64_t>(std::string_view pointer) const;
template <>
std::optional<double> JsonText::get<double>(std::string_view pointer) const;
template <>
std::optional<std::string> JsonText::get<std::string>(std::string_view pointer) const;

namespace literals {
/// `R"({"n":1})"_json`. Errors: throws `Error` (invalid_json).
inline JsonText operator""_json(const char* text, std::size_t size) {
  return JsonText::parse(std::string(text, size)).value();
}
}  // namespace literals

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/json.ipp>
#endif
