// Path patterns of routes: "/files/{id}", "/static/*rest".
#pragma once

#include <flux/detail/mode.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::transport {

/// The values of a pattern's parameters in a path. Names are views into the pattern, values into the path: both must
/// outlive this object.
class PathCaptures {
 public:
  std::optional<std::string_view> find(std::string_view name) const noexcept {
    for (const auto& [captured, value] : captures_) {
      if (captured == name) return value;
    }
    return std::nullopt;
  }
  /// In the order of the pattern.
  const std::vector<std::pair<std::string_view, std::string_view>>& all() const noexcept { return captures_; }

 private:
  friend class PathPattern;
  std::vector<std::pair<std::string_view, std::string_view>> captures_;
};

/// A pattern for decoded paths, compared segment by segment (a segment is the text between slashes):
///   text    that segment, exactly;
///   {name}  one segment that is not empty;
///   *name   the rest of the path, including slashes, possibly empty; last segment only.
/// "/files/" and "/files" are different; "/files/*rest" matches "/files/" and "/files/a/b" but not "/files".
/// Threading: immutable; any thread.
class PathPattern {
 public:
  /// `text` is written like a decoded path: without percent-encoding.
  /// Errors: throws flux::Error (bad_config) if the text does not begin with "/"; contains an empty segment before its
  /// last, `?`, `#` or a control character; has braces or a star in other places than above; or has a parameter name
  /// that is empty, contains other characters than letters, digits and `_`, or occurs twice.
  explicit PathPattern(std::string_view text);

  const std::string& text() const noexcept { return text_; }

  /// Fills `captures` and returns true if `path` matches; otherwise clears `captures` and returns false. Cost: O(path).
  bool match(std::string_view path, PathCaptures& captures) const;

  /// The order in which patterns are tried: negative if `left` comes first, 0 if both match the same paths. In the
  /// first segment that differs in kind, text precedes {name} and {name} precedes *name.
  static int compare(const PathPattern& left, const PathPattern& right) noexcept;

 private:
  enum class Kind : std::uint8_t { text, parameter, rest };  // in order of precedence
  struct Segment {
    Kind kind = Kind::text;
    std::size_t offset = 0;  ///< of its text or name in text_
    std::size_t size = 0;
  };

  std::string_view view(const Segment& segment) const noexcept {
    return std::string_view(text_).substr(segment.offset, segment.size);
  }
  Segment parse_segment(std::size_t begin, std::size_t end) const;

  std::string text_;
  std::vector<Segment> segments_;
};

/// Patterns with a value each, searched in the order of PathPattern::compare, whatever the order of insertion.
/// Threading: any number of readers, or one writer.
template <class Value>
class PathTable {
 public:
  /// The value of `pattern`, created with Value() if there is none yet. Patterns that match the same paths, whatever
  /// their parameter names, share the first one's value; captures have its names. The reference is valid until the next
  /// call.
  Value& operator[](const PathPattern& pattern) {
    const auto place = std::lower_bound(
        entries_.begin(), entries_.end(), pattern,
        [](const Entry& entry, const PathPattern& wanted) { return PathPattern::compare(entry.first, wanted) < 0; });
    if (place != entries_.end() && PathPattern::compare(place->first, pattern) == 0) return place->second;
    return entries_.emplace(place, pattern, Value())->second;
  }

  /// The first value whose pattern matches `path` and for which `accept(value)` is true, or null; `captures` belong to
  /// it.
  template <class Accept>
  const Value* find(std::string_view path, PathCaptures& captures, Accept&& accept) const {
    for (const Entry& entry : entries_) {
      if (entry.first.match(path, captures) && accept(entry.second)) return &entry.second;
    }
    captures = {};
    return nullptr;
  }
  const Value* find(std::string_view path, PathCaptures& captures) const {
    return find(path, captures, [](const Value&) { return true; });
  }

  bool empty() const noexcept { return entries_.empty(); }
  std::size_t size() const noexcept { return entries_.size(); }

 private:
  using Entry = std::pair<PathPattern, Value>;
  std::vector<Entry> entries_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/path_pattern.ipp>
#endif
