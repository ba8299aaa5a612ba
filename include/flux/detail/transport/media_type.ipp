#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/media_type.hpp>

#include <algorithm>
#include <array>

namespace flux::transport {

namespace detail {

struct MediaType {
  std::string_view extension;
  std::string_view type;
};

/// Sorted by extension. Types as registered with IANA; text/javascript by RFC 9239.
inline constexpr auto media_types = std::to_array<MediaType>({
    {"aac", "audio/aac"},
    {"apng", "image/apng"},
    {"atom", "application/atom+xml"},
    {"avif", "image/avif"},
    {"bmp", "image/bmp"},
    {"css", "text/css; charset=utf-8"},
    {"csv", "text/csv; charset=utf-8"},
    {"flac", "audio/flac"},
    {"geojson", "application/geo+json"},
    {"gif", "image/gif"},
    {"glb", "model/gltf-binary"},
    {"gltf", "model/gltf+json"},
    {"gz", "application/gzip"},
    {"htm", "text/html; charset=utf-8"},
    {"html", "text/html; charset=utf-8"},
    {"ico", "image/x-icon"},
    {"ics", "text/calendar; charset=utf-8"},
    {"jpeg", "image/jpeg"},
    {"jpg", "image/jpeg"},
    {"js", "text/javascript; charset=utf-8"},
    {"json", "application/json"},
    {"jsonld", "application/ld+json"},
    {"m4a", "audio/mp4"},
    {"map", "application/json"},
    {"md", "text/markdown; charset=utf-8"},
    {"mjs", "text/javascript; charset=utf-8"},
    {"mov", "video/quicktime"},
    {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},
    {"mpeg", "video/mpeg"},
    {"oga", "audio/ogg"},
    {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},
    {"opus", "audio/ogg"},
    {"otf", "font/otf"},
    {"pdf", "application/pdf"},
    {"png", "image/png"},
    {"rss", "application/rss+xml"},
    {"svg", "image/svg+xml"},
    {"tar", "application/x-tar"},
    {"tif", "image/tiff"},
    {"tiff", "image/tiff"},
    {"ttf", "font/ttf"},
    {"txt", "text/plain; charset=utf-8"},
    {"vtt", "text/vtt; charset=utf-8"},
    {"wasm", "application/wasm"},
    {"wav", "audio/wav"},
    {"weba", "audio/webm"},
    {"webm", "video/webm"},
    {"webmanifest", "application/manifest+json"},
    {"webp", "image/webp"},
    {"woff", "font/woff"},
    {"woff2", "font/woff2"},
    {"xhtml", "application/xhtml+xml"},
    {"xml", "application/xml"},
    {"zip", "application/zip"},
});

static_assert(std::is_sorted(media_types.begin(), media_types.end(),
                             [](const MediaType& a, const MediaType& b) { return a.extension < b.extension; }));

}  // namespace detail

FLUX_DECL std::string_view media_type(std::string_view file_name) noexcept {
  constexpr std::string_view unknown = "application/octet-stream";
  constexpr std::size_t longest = 11;
  const std::size_t dot = file_name.find_last_of("./\\");
  if (dot == std::string_view::npos || file_name[dot] != '.') return unknown;
  std::array<char, longest> lower{};
  const std::string_view extension = file_name.substr(dot + 1);
  if (extension.size() > longest) return unknown;
  std::transform(extension.begin(), extension.end(), lower.begin(), detail::to_lower);
  const std::string_view key(lower.data(), extension.size());
  const auto* const found = std::lower_bound(
      detail::media_types.data(), detail::media_types.data() + detail::media_types.size(), key,
      [](const detail::MediaType& entry, std::string_view wanted) { return entry.extension < wanted; });
  const bool known = found != detail::media_types.data() + detail::media_types.size() && found->extension == key;
  return known ? found->type : unknown;
}

FLUX_DECL bool is_media_type(std::string_view text) noexcept {
  const std::size_t end = std::min(text.find(';'), text.size());
  const std::string_view type = detail::trim_blanks(text.substr(0, end));
  const std::size_t slash = type.find('/');
  if (text.size() > 255 || slash == std::string_view::npos) return false;
  if (!detail::is_token(type.substr(0, slash)) || !detail::is_token(type.substr(slash + 1))) return false;
  for (const char c : text.substr(end)) {  // parameters are passed on unchanged if they are ASCII
    if (c < ' ' || c > '~') return false;
  }
  return true;
}

}  // namespace flux::transport
