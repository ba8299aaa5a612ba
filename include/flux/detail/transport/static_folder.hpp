// Files of a folder as HTTP resources: which file answers a request, and with which head (RFC 9110 sections 13 and 14).
#pragma once

#include <flux/detail/transport/http_message.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace flux::transport {

/// The answer to a request for a file.
struct StaticPlan {
  /// 200 or 206: send the file. 304, 308, 404, 405, 412 or 416: no file.
  int status = 404;
  /// All fields except Content-Length, Date and Connection, which the encoder writes.
  HttpFields fields;
  /// The file to open (UTF-8); empty if none is sent. Also set for HEAD: open it only to send a body.
  std::string file;
  /// The part of the file to send, in bytes.
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

/// A folder whose files are served. Nothing outside it can be reached: a path is refused if any of its segments is
/// empty, begins with a dot, or contains a backslash or a control character, and after resolving symbolic links the
/// file must be inside the folder. Hidden files are not served and folders not listed; only regular files are served.
///
/// Names are checked before the caller opens the file. Users who can rename or link files inside the folder while it is
/// served can read, through the server, everything that the server's user can read.
/// Threading: immutable; any thread. May block on the file system.
class StaticFolder {
 public:
  /// `folder`: an existing folder, UTF-8. If it is a symbolic link, it is resolved once, here.
  /// `cache_control`: the Cache-Control of every file; empty: not sent.
  /// Errors: throws flux::Error (bad_config) if the folder does not exist or `cache_control` is not a field value.
  explicit StaticFolder(std::string_view folder, std::string cache_control = "no-cache");

  /// Plans the answer to `request` for the file `path`: decoded, relative to the folder, "" for the folder itself, as
  /// captured by `*rest` in a route such as "/static/*rest".
  /// - GET and HEAD only; others get 405 with Allow.
  /// - "" and "a/" mean their index.html; "a" gets 308 to "a/" if it is a folder.
  /// - If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since and If-Range are evaluated. The ETag is strong
  ///   and changes with size, modification time (nanoseconds) and inode of the file.
  /// - A single byte range gives 206, or 416 if it begins past the end. Several ranges, other units and malformed ones
  ///   are ignored, as RFC 9110 section 14.2 allows.
  StaticPlan plan(const HttpHead& request, std::string_view path) const;

  /// Whether it has a file at `path`, which is as for `plan`: whether that would answer a GET with the file.
  bool has(std::string_view path) const;

 private:
  std::string locate(std::string_view path) const;

  std::string folder_;  // canonical
  std::string cache_control_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/static_folder.ipp>
#endif
