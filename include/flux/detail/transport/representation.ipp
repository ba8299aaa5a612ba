#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/http_date.hpp>
#include <flux/detail/transport/representation.hpp>

#include <algorithm>
#include <limits>
#include <optional>

namespace flux::transport {

namespace detail {

/// RFC 9110 section 8.8.3.2: whether a list of entity tags, or `*`, contains `etag`, which is strong. A malformed list
/// counts up to the mistake.
inline bool lists_etag(std::string_view list, std::string_view etag, bool weak_matches) noexcept {
  list = trim_blanks(list);
  if (list == "*") return true;
  for (;;) {
    while (!list.empty() && (is_blank(list.front()) || list.front() == ',')) list.remove_prefix(1);
    const bool weak = list.substr(0, 2) == "W/";
    if (weak) list.remove_prefix(2);
    if (list.empty() || list.front() != '"') return false;
    const std::size_t end = list.find('"', 1);
    if (end == std::string_view::npos) return false;
    if ((weak_matches || !weak) && list.substr(0, end + 1) == etag) return true;
    list.remove_prefix(end + 1);
  }
}

/// The status that the preconditions of a request lead to, in the order of RFC 9110 section 13.2.2; 200 if they hold.
inline int evaluate_preconditions(const HttpHead& request, const Representation& file, std::chrono::sys_seconds now) {
  const auto date_of = [&](std::string_view name) -> std::optional<std::chrono::sys_seconds> {
    const auto value = file.modified ? request.header(name) : std::nullopt;
    return value ? parse_http_date(*value, now) : std::nullopt;
  };
  if (request.header("If-Match")) {
    if (!lists_etag(request.all_headers("If-Match"), file.etag, false)) return 412;
  } else if (const auto since = date_of("If-Unmodified-Since")) {
    if (*file.modified > *since) return 412;
  }
  if (request.header("If-None-Match")) {
    if (lists_etag(request.all_headers("If-None-Match"), file.etag, true)) return 304;
  } else if (const auto since = date_of("If-Modified-Since")) {
    if (*file.modified <= *since) return 304;
  }
  return 200;
}

/// Whether the Range field applies (RFC 9110 section 13.1.5): not if If-Range has a tag or date that is no longer this
/// file's.
inline bool range_applies(const HttpHead& request, const Representation& file, std::chrono::sys_seconds now) {
  if (request.method() != "GET" || !request.header("Range")) return false;
  const auto if_range = request.header("If-Range");
  if (!if_range) return true;
  if (if_range->substr(0, 1) == "\"" || if_range->substr(0, 2) == "W/") return *if_range == file.etag;
  return file.modified && parse_http_date(*if_range, now) == file.modified;
}

/// Parses digits; a number that is too large gives the maximum. None for empty text and for other characters.
inline std::optional<std::uint64_t> parse_offset(std::string_view digits) noexcept {
  constexpr std::uint64_t max = std::numeric_limits<std::uint64_t>::max();
  if (digits.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    value = value > (max - digit) / 10 ? max : value * 10 + digit;
  }
  return value;
}

enum class RangeKind { none, satisfiable, unsatisfiable };

struct Range {
  RangeKind kind = RangeKind::none;  ///< none: ignored
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// RFC 9110 section 14.1.2, a single range: "bytes=0-499", "bytes=500-", "bytes=-500".
inline Range parse_range(std::string_view value, std::uint64_t size) noexcept {
  constexpr std::string_view unit = "bytes=";
  if (!equals_ignore_case(value.substr(0, unit.size()), unit)) return {};
  value = trim_blanks(value.substr(unit.size()));
  const std::size_t dash = value.find('-');
  if (dash == std::string_view::npos) return {};
  const auto first = parse_offset(value.substr(0, dash));
  const auto last = parse_offset(value.substr(dash + 1));
  if (dash == 0) {  // the last bytes
    if (!last) return {};
    if (*last == 0) return {RangeKind::unsatisfiable, 0, 0};
    if (size == 0) return {};  // satisfiable, but Content-Range has no form for it
    const std::uint64_t length = std::min(*last, size);
    return {RangeKind::satisfiable, size - length, length};
  }
  const bool open = dash + 1 == value.size();
  if (!first || (!open && (!last || *last < *first))) return {};
  if (*first >= size) return {RangeKind::unsatisfiable, 0, 0};
  const std::uint64_t left = size - *first;
  return {RangeKind::satisfiable, *first, open || *last - *first >= left ? left : *last - *first + 1};
}

}  // namespace detail

FLUX_DECL RepresentationPlan plan_representation(const HttpHead& request, const Representation& file,
                                                 std::string_view cache_control, std::chrono::sys_seconds now) {
  RepresentationPlan plan;
  plan.status = detail::evaluate_preconditions(request, file, now);
  if (plan.status == 412) return plan;
  plan.fields.emplace_back("ETag", file.etag);
  if (file.modified) plan.fields.emplace_back("Last-Modified", http_date(*file.modified));
  if (!cache_control.empty()) plan.fields.emplace_back("Cache-Control", cache_control);
  if (plan.status == 304) return plan;

  plan.fields.emplace_back("Accept-Ranges", "bytes");
  const std::string size = std::to_string(file.size);
  detail::Range range;
  if (detail::range_applies(request, file, now)) range = detail::parse_range(request.all_headers("Range"), file.size);
  if (range.kind == detail::RangeKind::unsatisfiable) {
    plan.status = 416;
    plan.fields.emplace_back("Content-Range", "bytes */" + size);
    return plan;
  }
  plan.length = file.size;
  if (range.kind == detail::RangeKind::satisfiable) {
    plan.status = 206;
    plan.offset = range.offset;
    plan.length = range.length;
    plan.fields.emplace_back("Content-Range", "bytes " + std::to_string(range.offset) + "-" +
                                                  std::to_string(range.offset + range.length - 1) + "/" + size);
  }
  return plan;
}

}  // namespace flux::transport
