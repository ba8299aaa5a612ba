// Valid JSON, kept as text and read by JSON Pointer.
#pragma once

#include <flux/error.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace flux {

namespace detail {
struct CheckedJson;
}

/// The types that `get` returns: every arithmetic type, and std::string.
template <class T>
concept JsonReadable = (std::is_arithmetic_v<T> && std::same_as<T, std::remove_cv_t<T>> &&
                        (std::floating_point<T> || sizeof(T) <= sizeof(std::int64_t))) ||
                       std::same_as<T, std::string>;

/// The types of JSON values.
enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

struct JsonMember;
template <class Item>
class JsonItems;

/// A JSON value inside a text that is kept elsewhere: all of a `JsonText`, an element or a member's value. Copied like a
/// std::string_view, and like that valid only while the text is.
/// Threading: a value type, like std::string_view.
class JsonView {
 public:
  /// `null`.
  JsonView() = default;

  /// The JSON text of the value, as it was received.
  std::string_view text() const noexcept { return text_; }
  /// The value's type. Cost: constant.
  JsonKind kind() const noexcept;

  /// The value at an RFC 6901 pointer (`""` is the whole, `"/user/tags/0"` an element); none if there is no such value.
  /// Of members with the same name the first counts. Cost: one pass over the text.
  std::optional<JsonView> at(std::string_view pointer) const;

  /// The value at `pointer` as `T`: bool, any other arithmetic type, or std::string. None if there is no such value, it
  /// has another type, or it does not fit into `T` (300 is no std::int8_t, -1 no unsigned, 1.5 no int). Character types
  /// are read as numbers. A string with an escaped lone surrogate gives none.
  template <JsonReadable T>
  std::optional<T> get(std::string_view pointer = {}) const {
    if constexpr (std::same_as<T, bool> || std::same_as<T, std::string>) {
      return read_as<T, T>(pointer);
    } else if constexpr (std::floating_point<T>) {
      return read_as<T, double>(pointer);
    } else if constexpr (std::signed_integral<T>) {
      return read_as<T, std::int64_t>(pointer);
    } else {
      return read_as<T, std::uint64_t>(pointer);
    }
  }
  /// The string at `pointer` without a copy where that is possible: a view of the text, or of `buffer`, into which a
  /// string with escapes is decoded (any client may write `"\u0041"` for `"A"`). Otherwise as `get<std::string>`.
  template <std::same_as<std::string_view> T>
  std::optional<T> get(std::string_view pointer, std::string& buffer) const {
    T value;
    return read(pointer, buffer, value) ? std::optional<T>(value) : std::nullopt;
  }

  /// The elements of the array at `pointer`, in order; no elements if there is no array.
  ///
  ///     for (const flux::JsonView tag : json.elements("/tags")) use(tag.get<std::string>());
  JsonItems<JsonView> elements(std::string_view pointer = {}) const;
  /// The members of the object at `pointer`, in the order of the text, also those with a name that occurred before; no
  /// members if there is no object.
  ///
  ///     for (const auto& [name, value] : json.members("/scores")) scores[name] = value.get<int>().value_or(0);
  JsonItems<JsonMember> members(std::string_view pointer = {}) const;

  /// Whether the texts are equal, byte for byte.
  friend bool operator==(JsonView a, JsonView b) { return a.text_ == b.text_; }

 private:
  friend class JsonText;
  template <class Item>
  friend class JsonItems;
  explicit JsonView(std::string_view text) : text_(text) {}
  JsonView view_at(std::string_view pointer) const;

  // Each returns whether there is a value of that type, and sets `value` if so. They return no std::optional, because
  // every unit that includes flux would have to instantiate one for each type.
  bool read(std::string_view pointer, bool& value) const;
  bool read(std::string_view pointer, std::int64_t& value) const;
  bool read(std::string_view pointer, std::uint64_t& value) const;
  bool read(std::string_view pointer, double& value) const;
  bool read(std::string_view pointer, std::string& value) const;
  bool read(std::string_view pointer, std::string& buffer, std::string_view& value) const;
  template <class T, class Wide>
  std::optional<T> read_as(std::string_view pointer) const {
    Wide value{};
    if (!read(pointer, value)) return std::nullopt;
    if constexpr (sizeof(T) < sizeof(Wide)) {
      constexpr auto least = static_cast<Wide>(std::numeric_limits<T>::lowest());
      constexpr auto most = static_cast<Wide>(std::numeric_limits<T>::max());
      if (value < least || value > most) return std::nullopt;
    }
    return static_cast<T>(std::move(value));
  }

  std::string_view text_ = "null";
};

/// A member of an object.
struct JsonMember {
  std::string name;  ///< decoded; a lone surrogate in it is U+FFFD
  JsonView value;    ///< valid while the text is
};

/// The elements of an array (`JsonView`) or the members of an object (`JsonMember`), found one after the other while a
/// loop goes over them. Valid while the text is.
template <class Item>
class JsonItems {
 public:
  /// For flux itself: an input iterator.
  class Iterator {
   public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;

    const Item& operator*() const { return item_; }
    const Item* operator->() const { return &item_; }
    Iterator& operator++() {
      advance();
      return *this;
    }
    void operator++(int) { advance(); }
    friend bool operator==(const Iterator& at, std::default_sentinel_t) { return at.ended_; }

   private:
    friend class JsonItems;
    explicit Iterator(std::string_view rest) : rest_(rest) { advance(); }
    void advance();

    std::string_view rest_;  // what follows the item
    Item item_;
    bool ended_ = false;
  };

  /// For range-based loops.
  Iterator begin() const { return Iterator(inside_); }
  /// For range-based loops.
  std::default_sentinel_t end() const { return {}; }

 private:
  friend class JsonView;
  explicit JsonItems(std::string_view inside) : inside_(inside) {}
  std::string_view inside_;  // the text after the opening bracket; empty: no items
};

template <>
void JsonItems<JsonView>::Iterator::advance();
template <>
void JsonItems<JsonMember>::Iterator::advance();

class JsonInput;
struct JsonField;

/// A JSON value, kept as its text. Payloads pass through flux as text: they are relayed byte for byte and parsed only
/// when a caller reads them. Always holds exactly one valid JSON value in valid UTF-8. An escaped lone surrogate
/// (`"\ud83d"`), which JSON's grammar allows, is kept here and becomes U+FFFD when flux sends it.
/// Threading: a value type, like std::string.
class JsonText {
 public:
  /// The types of JSON values.
  using Kind = JsonKind;

  /// `null`.
  JsonText() : text_("null") {}
  /// A copy of what `view` shows.
  explicit JsonText(JsonView view) : text_(view.text()) {}

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
  /// `true` or `false`.
  static JsonText boolean(bool value) { return JsonText(value ? "true" : "false"); }
  /// `object({{"name", "Ada"}, {"age", 36}, {"tags", JsonText::array({"x", "y"})}})`: the members in this order. Values
  /// are what `JsonInput` takes. Names are converted as by `string`; the caller ensures that they are unique.
  static JsonText object(std::initializer_list<JsonField> members);
  /// The same from pairs, such as a `std::map<std::string, int>`.
  template <class Pairs>
  static JsonText object(const Pairs& members);
  /// `array({1, "two", JsonText::object({{"n", 3}})})`.
  static JsonText array(std::initializer_list<JsonInput> elements);
  /// The same from values, such as a `std::vector<std::string>`.
  template <class Values>
  static JsonText array(const Values& elements);
  /// Takes `text` without parsing it: the caller guarantees one valid JSON value. Bytes that are not UTF-8 become
  /// U+FFFD, because invalid UTF-8 would close the connections of its receivers.
  static JsonText trusted(std::string text);

  /// The JSON text.
  const std::string& text() const& noexcept { return text_; }
  /// The JSON text, moved out of a temporary.
  std::string&& text() && noexcept { return std::move(text_); }
  /// The value's type.
  Kind kind() const noexcept { return view().kind(); }

  /// This value as a view, for functions that take one. Not for a temporary, whose text ends with it.
  JsonView view() const& noexcept { return JsonView(text_); }
  JsonView view() const&& = delete;

  /// As `JsonView::at`, but a copy. To go over what is inside, pass the pointer: `json.members("/x")`. A loop over
  /// `json.at("/x")->members()` would read a copy that no longer exists, as would one over `server.room_data(r)->members()`.
  std::optional<JsonText> at(std::string_view pointer) const;
  /// As `JsonView::get`.
  template <JsonReadable T>
  std::optional<T> get(std::string_view pointer = {}) const {
    return view().get<T>(pointer);
  }
  /// As `JsonView::get` with a buffer. Not of a temporary.
  template <std::same_as<std::string_view> T>
  std::optional<T> get(std::string_view pointer, std::string& buffer) const& {
    return view().get<T>(pointer, buffer);
  }
  template <std::same_as<std::string_view> T>
  std::optional<T> get(std::string_view pointer, std::string& buffer) const&& = delete;
  /// As `JsonView::elements`. Not of a temporary.
  JsonItems<JsonView> elements(std::string_view pointer = {}) const& { return view().elements(pointer); }
  JsonItems<JsonView> elements(std::string_view pointer = {}) const&& = delete;
  /// As `JsonView::members`. Not of a temporary.
  JsonItems<JsonMember> members(std::string_view pointer = {}) const& { return view().members(pointer); }
  JsonItems<JsonMember> members(std::string_view pointer = {}) const&& = delete;

  /// Whether the texts are equal, byte for byte.
  friend bool operator==(const JsonText& a, const JsonText& b) { return a.text_ == b.text_; }

 private:
  friend struct detail::CheckedJson;
  explicit JsonText(std::string text) : text_(std::move(text)) {}
  static JsonText of_double(double value);
  static void append_member(std::string& text, std::string_view name, const JsonInput& value);
  static void append_element(std::string& text, const JsonInput& value);

  std::string text_;
};

/// A number or a truth value, but not a character, which could mean a number or a text.
template <class T>
concept JsonNumber = std::is_arithmetic_v<T> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
                     !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// What `JsonText::object` and `JsonText::array` take for a value: a bool, a number, a text (converted as by
/// `JsonText::string`), `nullptr` for null, or JSON.
class JsonInput {
 public:
  /// `null`.
  JsonInput(std::nullptr_t) {}
  /// JSON.
  JsonInput(JsonText json) : json_(std::move(json)) {}
  /// JSON; copied.
  JsonInput(JsonView json) : json_(json) {}
  /// What it holds, as by the other constructors; `null` if it is empty.
  template <class T>
  requires std::constructible_from<JsonInput, const T&> JsonInput(const std::optional<T>& value)
      : json_(value ? JsonInput(*value).json_ : JsonText()) {}
  /// A bool, a number or a text.
  template <class T>
  requires(JsonNumber<T> || std::convertible_to<const T&, std::string_view>) JsonInput(const T& value) {
    if constexpr (std::same_as<T, bool>) {
      json_ = JsonText::boolean(value);
    } else if constexpr (JsonNumber<T>) {
      json_ = JsonText::number(value);
    } else {
      json_ = JsonText::string(value);
    }
  }

  /// The value as JSON.
  const JsonText& json() const noexcept { return json_; }

 private:
  JsonText json_;
};

/// A member of the object that `JsonText::object` makes.
struct JsonField {
  std::string_view name;  ///< converted as by `JsonText::string`
  JsonInput value;        ///< anything that `JsonInput` takes
};

template <class Pairs>
JsonText JsonText::object(const Pairs& members) {
  std::string text = "{";
  for (const auto& [name, value] : members) append_member(text, name, value);
  return JsonText(text += '}');
}

template <class Values>
JsonText JsonText::array(const Values& elements) {
  std::string text = "[";
  for (const auto& element : elements) append_element(text, element);
  return JsonText(text += ']');
}

namespace detail {
/// For flux itself: wraps JSON that flux has parsed or written, without checking it again.
struct CheckedJson {
  static JsonText text(std::string json) { return JsonText(std::move(json)); }
};

/// For flux itself: reads a JSON number, rounded to the nearest double. None if it is out of range, or no number.
std::optional<double> read_double(std::string_view number);

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
