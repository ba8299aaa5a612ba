#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/path_pattern.hpp>
#include <flux/error.hpp>

namespace flux::transport {

namespace detail {

[[noreturn]] inline void refuse_pattern(std::string_view pattern, std::string_view reason) {
  throw Error(Errc::bad_config, "path pattern \"" + std::string(pattern) + "\": " + std::string(reason));
}

}  // namespace detail

FLUX_DECL PathPattern::PathPattern(std::string_view text) : text_(text) {
  if (text.empty() || text.front() != '/') detail::refuse_pattern(text, "must begin with /");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) detail::refuse_pattern(text, "holds a control character");
    if (c == '?' || c == '#') detail::refuse_pattern(text, "holds ? or #, but only a path is matched");
  }
  for (std::size_t begin = 1; begin <= text.size();) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    if (!segments_.empty() && segments_.back().kind == Kind::rest) {
      detail::refuse_pattern(text, "*name must be the last segment");
    }
    const Segment segment = parse_segment(begin, end);
    for (const Segment& other : segments_) {
      if (segment.kind != Kind::text && other.kind != Kind::text && view(other) == view(segment)) {
        detail::refuse_pattern(text, "two parameters have the same name");
      }
    }
    segments_.push_back(segment);
    begin = end + 1;
  }
}

FLUX_DECL PathPattern::Segment PathPattern::parse_segment(std::size_t begin, std::size_t end) const {
  const std::string_view segment = std::string_view(text_).substr(begin, end - begin);
  if (segment.empty() && end < text_.size()) detail::refuse_pattern(text_, "holds an empty segment");
  const bool parameter = segment.size() >= 2 && segment.front() == '{' && segment.back() == '}';
  const bool rest = !segment.empty() && segment.front() == '*';
  if (!parameter && !rest) {
    if (segment.find_first_of("{}*") != std::string_view::npos) {
      detail::refuse_pattern(text_, "braces and stars must be a whole segment: {name} or *name");
    }
    if (segment.size() > 1 && segment.front() == ':') {
      detail::refuse_pattern(text_, "a parameter is written {" + std::string(segment.substr(1)) + "}");
    }
    return {Kind::text, begin, segment.size()};
  }
  const std::string_view name = parameter ? segment.substr(1, segment.size() - 2) : segment.substr(1);
  const bool valid = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return c == '_' || detail::is_digit(c) || (detail::to_lower(c) >= 'a' && detail::to_lower(c) <= 'z');
  });
  if (!valid) detail::refuse_pattern(text_, "a parameter needs a name of letters, digits and _");
  return {parameter ? Kind::parameter : Kind::rest, begin + 1, name.size()};
}

FLUX_DECL bool PathPattern::match(std::string_view path, PathCaptures& captures) const {
  captures.captures_.clear();
  const auto fits = [&] {
    if (path.empty() || path.front() != '/') return false;
    std::size_t begin = 1;
    for (const Segment& segment : segments_) {
      if (begin > path.size()) return false;
      if (segment.kind == Kind::rest) {
        captures.captures_.emplace_back(view(segment), path.substr(begin));
        return true;
      }
      const std::size_t end = std::min(path.find('/', begin), path.size());
      const std::string_view part = path.substr(begin, end - begin);
      if (segment.kind == Kind::text ? part != view(segment) : part.empty()) return false;
      if (segment.kind == Kind::parameter) captures.captures_.emplace_back(view(segment), part);
      begin = end + 1;
    }
    return begin > path.size();
  };
  if (fits()) return true;
  captures.captures_.clear();
  return false;
}

FLUX_DECL int PathPattern::compare(const PathPattern& left, const PathPattern& right) noexcept {
  const std::size_t common = std::min(left.segments_.size(), right.segments_.size());
  for (std::size_t i = 0; i < common; ++i) {
    const Segment& a = left.segments_[i];
    const Segment& b = right.segments_[i];
    if (a.kind != b.kind) return a.kind < b.kind ? -1 : 1;
    if (a.kind != Kind::text) continue;
    const int order = left.view(a).compare(right.view(b));
    if (order != 0) return order;
  }
  if (left.segments_.size() == right.segments_.size()) return 0;
  return left.segments_.size() < right.segments_.size() ? -1 : 1;
}

}  // namespace flux::transport
