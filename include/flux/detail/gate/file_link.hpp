// Links that let whoever has them download one file, until they expire.
#pragma once

#include <flux/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace flux::gate {

/// Signs links with HMAC-SHA256 over file, expiry and name.
/// Threading: immutable; any thread.
class FileLinks {
 public:
  /// `key`: at least 16 bytes; empty: a random one.
  explicit FileLinks(std::string key);

  /// The query of a link to `file` that is good until `expires` (seconds since 1970):
  /// "filename=NAME&expires=SECONDS&signature=HEX"; without the name where it is empty.
  /// Errors: server_error in a build without digests.
  Result<std::string> query(std::string_view file, std::int64_t expires, std::string_view name) const;

  /// Whether a query wants to be that of a link: such a request has no other way in.
  static bool is_link(std::string_view query);
  /// Whether the query is one that `query` gave for this file, and `now` (seconds since 1970) is not past it.
  bool admits(std::string_view file, std::string_view query, std::int64_t now) const;

 private:
  Result<std::string> signature(std::string_view file, std::string_view expires, std::string_view name) const;
  const std::string key_;
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/file_link.ipp>
#endif
