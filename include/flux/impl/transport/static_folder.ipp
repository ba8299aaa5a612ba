#pragma once

#include <flux/error.hpp>
#include <flux/transport/detail/http_chars.hpp>
#include <flux/transport/http_date.hpp>
#include <flux/transport/media_type.hpp>
#include <flux/transport/static_folder.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <limits>
#include <optional>
#include <system_error>
#include <utility>

#if !defined(_WIN32)
#include <sys/stat.h>
#endif

namespace flux::transport {

namespace detail {

inline std::filesystem::path path_from_utf8(std::string_view text) {
  return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

inline std::string path_to_utf8(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return std::string(text.begin(), text.end());
}

/// What the file system says about a file.
struct FileFacts {
  std::uint64_t size = 0;
  std::chrono::sys_seconds modified;
  std::string etag;
};

/// The size and a hash of everything that changes with the content; a hash, for inode numbers are nobody else's
/// business.
inline std::string make_etag(std::uint64_t size, std::uint64_t modified_ns, std::uint64_t inode) {
  const auto mix = [](std::uint64_t value) {  // the finalizer of SplitMix64
    value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27U)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31U);
  };
  std::uint64_t hash = mix(modified_ns + mix(inode + mix(size)));
  std::string etag = "\"";
  for (int i = 0; i < 16; ++i, hash >>= 4U) etag += "0123456789abcdef"[hash & 15U];
  etag += '"';
  return etag;
}

/// Errors: nothing if it is not there or no regular file.
inline std::optional<FileFacts> file_facts(const std::filesystem::path& file) {
  namespace chrono = std::chrono;
  FileFacts facts;
#if defined(_WIN32)
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) return std::nullopt;
  facts.size = std::filesystem::file_size(file, error);
  if (error) return std::nullopt;
  const auto modified = std::filesystem::last_write_time(file, error);
  if (error) return std::nullopt;
  const auto since_epoch = chrono::clock_cast<chrono::system_clock>(modified).time_since_epoch();
  const std::uint64_t inode = 0;
#else
  struct ::stat status = {};
  if (::stat(file.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  facts.size = static_cast<std::uint64_t>(status.st_size);
#if defined(__APPLE__)
  const ::timespec& modified = status.st_mtimespec;
#else
  const ::timespec& modified = status.st_mtim;
#endif
  const auto since_epoch = chrono::seconds(modified.tv_sec) + chrono::nanoseconds(modified.tv_nsec);
  const std::uint64_t inode = status.st_ino;
#endif
  facts.modified = chrono::sys_seconds(chrono::floor<chrono::seconds>(since_epoch));
  const auto modified_ns = chrono::duration_cast<chrono::nanoseconds>(since_epoch).count();
  facts.etag = make_etag(facts.size, static_cast<std::uint64_t>(modified_ns), inode);
  return facts;
}

/// True if a relative path may be looked up at all. `path` may end with a slash.
inline bool is_visible_path(std::string_view path) noexcept {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find('/'), path.size());
    const std::string_view segment = path.substr(0, end);
    if (segment.empty() || segment.front() == '.') return false;
    for (const char c : segment) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f || c == '\\') return false;
#if defined(_WIN32)
      if (c == ':') return false;  // a drive, or a stream of a file
#endif
    }
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return true;
}

/// True if `file`, where all symbolic links are resolved, lies inside `folder` and nothing on the way to it is hidden.
inline bool is_inside(const std::filesystem::path& folder, const std::filesystem::path& file) {
  const auto [folder_end, rest] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return folder_end == folder.end() && std::none_of(rest, file.end(), [](const std::filesystem::path& segment) {
           return segment.native().front() == '.';
         });
}

/// RFC 9110 section 8.8.3.2: whether a list of entity tags, or `*`, holds `etag`, which is strong. A malformed list
/// holds what stands before the mistake.
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
inline int evaluate_preconditions(const HttpHead& request, const FileFacts& facts, std::chrono::sys_seconds now) {
  const auto date_of = [&](std::string_view name) -> std::optional<std::chrono::sys_seconds> {
    const auto value = request.header(name);
    return value ? parse_http_date(*value, now) : std::nullopt;
  };
  if (request.header("If-Match")) {
    if (!lists_etag(request.all_headers("If-Match"), facts.etag, false)) return 412;
  } else if (const auto since = date_of("If-Unmodified-Since")) {
    if (facts.modified > *since) return 412;
  }
  if (request.header("If-None-Match")) {
    if (lists_etag(request.all_headers("If-None-Match"), facts.etag, true)) return 304;
  } else if (const auto since = date_of("If-Modified-Since")) {
    if (facts.modified <= *since) return 304;
  }
  return 200;
}

/// Whether the Range field is to be looked at: RFC 9110 section 13.1.5. Not past a tag or date that is no longer this
/// file's.
inline bool range_applies(const HttpHead& request, const FileFacts& facts, std::chrono::sys_seconds now) {
  if (request.method() != "GET" || !request.header("Range")) return false;
  const auto if_range = request.header("If-Range");
  if (!if_range) return true;
  if (if_range->substr(0, 1) == "\"" || if_range->substr(0, 2) == "W/") return *if_range == facts.etag;
  return parse_http_date(*if_range, now) == facts.modified;
}

/// Digits as a number; what is too large for it is the largest. Nothing for an empty text and for other characters.
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
  RangeKind kind = RangeKind::none;  ///< none: to be ignored
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// RFC 9110 section 14.1.2, one range alone: "bytes=0-499", "bytes=500-", "bytes=-500".
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

/// From "a/b" to "a/b/". Relative, so that no part of it can be taken for a host, and right behind any proxy.
inline std::string folder_location(std::string_view path, std::string_view query) {
  const std::size_t slash = path.rfind('/');
  std::string location = "./" + url_encode(path.substr(slash == std::string_view::npos ? 0 : slash + 1)) + "/";
  if (!query.empty()) location.append("?").append(query);
  return location;
}

}  // namespace detail

FLUX_DECL StaticFolder::StaticFolder(std::string_view folder, std::string cache_control)
    : cache_control_(std::move(cache_control)) {
  std::error_code error;
  const auto canonical = std::filesystem::canonical(detail::path_from_utf8(folder), error);
  if (error || !std::filesystem::is_directory(canonical, error)) {
    throw Error(Errc::bad_config, "static folder \"" + std::string(folder) + "\" is not an existing folder");
  }
  if (!detail::all_chars(cache_control_, detail::value_char)) {
    throw Error(Errc::bad_config, "the Cache-Control of a static folder holds a control character");
  }
  folder_ = detail::path_to_utf8(canonical);
}

FLUX_DECL StaticPlan StaticFolder::plan(const HttpHead& request, std::string_view path) const {
  namespace fs = std::filesystem;
  StaticPlan plan;
  if (request.method() != "GET" && request.method() != "HEAD") {
    plan.status = 405;
    plan.fields.emplace_back("Allow", "GET, HEAD");
    return plan;
  }
  if (!detail::is_visible_path(path)) return plan;

  std::error_code error;
  const fs::path folder = detail::path_from_utf8(folder_);
  const bool asks_for_folder = path.empty() || path.back() == '/';
  fs::path file = folder;
  if (asks_for_folder) {
    if (!path.empty()) file /= detail::path_from_utf8(path.substr(0, path.size() - 1));
    file /= "index.html";
  } else {
    file /= detail::path_from_utf8(path);
  }
  file = fs::canonical(file, error);
  if (error || !detail::is_inside(folder, file)) return plan;
  if (!asks_for_folder && fs::is_directory(file, error)) {
    plan.status = 308;
    plan.fields.emplace_back("Location", detail::folder_location(path, request.query()));
    return plan;
  }
  const auto facts = detail::file_facts(file);
  if (!facts) return plan;

  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  plan.status = detail::evaluate_preconditions(request, *facts, now);
  if (plan.status == 412) return plan;
  plan.fields.emplace_back("ETag", facts->etag);
  plan.fields.emplace_back("Last-Modified", http_date(facts->modified));
  if (!cache_control_.empty()) plan.fields.emplace_back("Cache-Control", cache_control_);
  if (plan.status == 304) return plan;

  plan.fields.emplace_back("Accept-Ranges", "bytes");
  const std::string size = std::to_string(facts->size);
  detail::Range range;
  if (detail::range_applies(request, *facts, now))
    range = detail::parse_range(request.all_headers("Range"), facts->size);
  if (range.kind == detail::RangeKind::unsatisfiable) {
    plan.status = 416;
    plan.fields.emplace_back("Content-Range", "bytes */" + size);
    return plan;
  }
  plan.length = facts->size;
  if (range.kind == detail::RangeKind::satisfiable) {
    plan.status = 206;
    plan.offset = range.offset;
    plan.length = range.length;
    plan.fields.emplace_back("Content-Range", "bytes " + std::to_string(range.offset) + "-" +
                                                  std::to_string(range.offset + range.length - 1) + "/" + size);
  }
  plan.fields.emplace_back("Content-Type", media_type(asks_for_folder ? "index.html" : path));
  plan.fields.emplace_back("X-Content-Type-Options", "nosniff");
  plan.file = detail::path_to_utf8(file);
  return plan;
}

}  // namespace flux::transport
