// Conditional requests and ranges (RFC 9110, sections 13 and 14): which part of a representation is sent, if any.
//
// Threading: any thread.
#pragma once

#include <flux/detail/transport/http_message.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flux::transport {

/// The properties of a file that a request may depend on.
struct Representation {
  std::uint64_t size = 0;
  std::optional<std::chrono::sys_seconds> modified;  ///< none: unknown, and conditions on it are ignored
  std::string etag;                                  ///< strong, with its quotes
};

/// The answer to a GET or HEAD.
struct RepresentationPlan {
  int status = 200;  ///< 200, 206, 304, 412 or 416
  /// ETag, Last-Modified, Cache-Control, Accept-Ranges, Content-Range, as the status requires.
  HttpFields fields;
  std::uint64_t offset = 0;  ///< where the body begins in the representation
  std::uint64_t length = 0;  ///< of the body in bytes

  bool has_body() const noexcept { return status == 200 || status == 206; }
};

/// Evaluates If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since, If-Range and a single Range; a request
/// for several ranges gets the whole. `cache_control`: empty: no such field.
RepresentationPlan plan_representation(const HttpHead& request, const Representation& file,
                                       std::string_view cache_control, std::chrono::sys_seconds now);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/representation.ipp>
#endif
