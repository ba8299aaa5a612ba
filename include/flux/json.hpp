// Valid JSON, kept as text and read by JSON Pointer.
#pragma once

#include <flux/error.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace flux {

namespace detail {
struct CheckedJson;
}

/// An integer type, excluding character types and bool.
template <class T>
concept JsonInteger =
    std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
    !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;
/// The types that `JsonText::get` returns.
template <class T>
concept JsonReadable = JsonInteger<T> || std::same_as<T, float> || std::same_as<T, double> || std::same_as<T, bool> ||
    std::same_as<T, std::string>;

/// A JSON value, kept as its text. Payloads pass through flux as text: they are relayed byte for byte and parsed only
/// when a caller reads them. Always holds exactly one valid JSON value in valid UTF-8. An escaped lone surrogate
/// (`"\ud83d"`), which JSON's grammar allows, is kept here and becomes U+FFFD when flux sends it.
/// Threading: a value type, like std::string.
class JsonText {
 public:
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };

  /// `null`.
  JsonText() : text_("null") {}

  /// Checks `text`: one JSON value (RFC 8259), valid UTF-8, nested at most `depth_max` levels.
  /// Errors: invalid_json, with the offset of the first wrong byte.
  static Result<JsonText> parse(std::string text, std::size_t depth_max = 128);
  /// The JSON string for `utf8`. Bytes that are not UTF-8 become U+FFFD.
  static JsonText string(std::string_view utf8);
  /// The shortest text that reads back as the same number. Infinity and NaN, which JSON does not have, become `null`.
  template <class Number>
  requires(std::is_arithmetic_v<Number> && !std::is_same_v<Number, bool>) static JsonText number(Number value) {
    if constexpr (std::is_floating_point_v<Number>) {
      return of_double(static_cast<double>(value));
    } else {
      return JsonText(std::to_string(value));
    }
  }
  static JsonText boolean(bool value) { return JsonText(value ? "true" : "false"); }
  /// `object({{"name", JsonText::string("Ada")}, {"age", JsonText::number(36)}})`: the members in this order. Names are
  /// converted as by `string`; the caller ensures that they are unique.
  static JsonText object(const std::vector<std::pair<std::string, JsonText>>& members);
  static JsonText array(const std::vector<JsonText>& elements);
  /// Takes `text` without parsing it: the caller guarantees one valid JSON value. Bytes that are not UTF-8 become
  /// U+FFFD, because invalid UTF-8 would close the connections of those who receive it.
  static JsonText trusted(std::string text);

  const std::string& text() const& noexcept { return text_; }
  std::string&& text() && noexcept { return std::move(text_); }
  Kind kind() const noexcept;

  /// The value at an RFC 6901 pointer (`""` is the whole, `"/user/tags/0"` an element); none if there is no such value.
  /// Of members with the same name the first counts. Cost: one pass over the text.
  std::optional<JsonText> at(std::string_view pointer) const;

  /// The value at `pointer` as `T`: bool, any integer type, float, double or std::string. None if there is no such
  /// value, it has another type, or it does not fit into `T` (300 is no std::int8_t, -1 no unsigned, 1.5 no int). A
  /// string with an escaped lone surrogate gives none.
  template <JsonReadable T>
  std::optional<T> get(std::string_view pointer = {}) const {
    if constexpr (std::same_as<T, bool>) {
      return bool_at(pointer);
    } else if constexpr (std::same_as<T, std::string>) {
      return string_at(pointer);
    } else if constexpr (std::floating_point<T>) {
      return fitting<T>(double_at(pointer));
    } else if constexpr (std::signed_integral<T>) {
      return fitting<T>(int64_at(pointer));
    } else {
      return fitting<T>(uint64_at(pointer));
    }
  }

  friend bool operator==(const JsonText& a, const JsonText& b) { return a.text_ == b.text_; }

 private:
  friend struct detail::CheckedJson;
  explicit JsonText(std::string text) : text_(std::move(text)) {}
  static JsonText of_double(double value);

  std::optional<bool> bool_at(std::string_view pointer) const;
  std::optional<std::int64_t> int64_at(std::string_view pointer) const;
  std::optional<std::uint64_t> uint64_at(std::string_view pointer) const;
  std::optional<double> double_at(std::string_view pointer) const;
  std::optional<std::string> string_at(std::string_view pointer) const;
  template <class T, class Wide>
  static std::optional<T> fitting(std::optional<Wide> value) {
    constexpr auto least = static_cast<Wide>(std::numeric_limits<T>::lowest());
    constexpr auto most = static_cast<Wide>(std::numeric_limits<T>::max());
    if (!value || *value < least || *value > most) return std::nullopt;
    return static_cast<T>(*value);
  }

  std::string text_;
};

namespace detail {
/// For flux itself: wraps JSON that flux has parsed or written, without checking it again.
struct CheckedJson {
  static JsonText text(std::string json) { return JsonText(std::move(json)); }
};

/// Whether a JSON number is zero with a fraction or an exponent ("0e91"). With full precision RapidJSON 1.1.0 reads some
/// of them as anything but zero.
constexpr bool is_zero_double(std::string_view number) {
  const std::size_t end = number.find_first_not_of("-0.");
  return number.find_first_of(".eE") != std::string_view::npos &&
         (end == std::string_view::npos || number[end] == 'e' || number[end] == 'E');
}

}  // namespace detail

namespace literals {
/// `R"({"n":1})"_json`. Errors: throws `Error` (invalid_json).
inline JsonText operator""_json(const char* text, std::size_t size) {
  return JsonText::parse(std::string(text, size)).value();
}
}  // namespace literals

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/json.ipp>
#endif
