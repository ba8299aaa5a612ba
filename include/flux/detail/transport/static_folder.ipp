#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/media_type.hpp>
#include <flux/detail/transport/representation.hpp>
#include <flux/detail/transport/static_folder.hpp>
#include <flux/error.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
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

/// A hash of size, modification time and inode, which change with the content. Hashed, so as not to reveal inode
/// numbers.
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

/// The file's properties from the file system. Errors: none if it does not exist or is not a regular file.
inline std::optional<Representation> file_facts(const std::filesystem::path& file) {
  namespace chrono = std::chrono;
  Representation facts;
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

/// Whether a relative path may be looked up at all. `path` may end with a slash.
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

/// Whether `file`, with all symbolic links resolved, is inside `folder` and no folder on the way to it is hidden.
inline bool is_inside(const std::filesystem::path& folder, const std::filesystem::path& file) {
  const auto [folder_end, rest] = std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  return folder_end == folder.end() && std::none_of(rest, file.end(), [](const std::filesystem::path& segment) {
           return segment.native().front() == '.';
         });
}

/// From "a/b" to "a/b/". Relative, so that no part of it can be taken for a host, and correct behind any proxy.
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
  const std::string located = locate(path);
  if (located.empty()) return plan;

  std::error_code error;
  const fs::path file = detail::path_from_utf8(located);
  const bool asks_for_folder = path.empty() || path.back() == '/';
  if (!asks_for_folder && fs::is_directory(file, error)) {
    plan.status = 308;
    plan.fields.emplace_back("Location", detail::folder_location(path, request.query()));
    return plan;
  }
  const auto facts = detail::file_facts(file);
  if (!facts) return plan;

  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  RepresentationPlan answer = plan_representation(request, *facts, cache_control_, now);
  plan.status = answer.status;
  plan.fields = std::move(answer.fields);
  if (!answer.has_body()) return plan;
  plan.offset = answer.offset;
  plan.length = answer.length;
  plan.fields.emplace_back("Content-Type", media_type(asks_for_folder ? "index.html" : path));
  plan.fields.emplace_back("X-Content-Type-Options", "nosniff");
  plan.file = located;
  return plan;
}

FLUX_DECL bool StaticFolder::has(std::string_view path) const {
  const std::string located = locate(path);
  return !located.empty() && detail::file_facts(detail::path_from_utf8(located));
}

/// The file or folder at `path`, with all symbolic links resolved; empty if there is none, or it may not be looked up.
FLUX_DECL std::string StaticFolder::locate(std::string_view path) const {
  namespace fs = std::filesystem;
  if (!detail::is_visible_path(path)) return {};
  const fs::path folder = detail::path_from_utf8(folder_);
  fs::path file = folder;
  if (path.empty() || path.back() == '/') {
    if (!path.empty()) file /= detail::path_from_utf8(path.substr(0, path.size() - 1));
    file /= "index.html";
  } else {
    file /= detail::path_from_utf8(path);
  }
  std::error_code error;
  file = fs::canonical(file, error);
  return error || !detail::is_inside(folder, file) ? std::string() : detail::path_to_utf8(file);
}

}  // namespace flux::transport
