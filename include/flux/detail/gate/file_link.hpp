// Links with which anyone can download one file, until they expire.
#pragma once

#include <flux/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace flux::gate {

/// The path of a file in the folder of `FilesOptions::path`, percent-encoded.
std::string file_path(std::string_view folder, std::string_view file);

/// Signs links with HMAC-SHA256 over file, expiry and name.
/// Threading: immutable; any thread.
class FileLinks {
 public:
  /// `key`: at least 16 bytes; empty: a random one.
  explicit FileLinks(std::string key);

  /// The query of a link to `file` that is valid until `expires` (milliseconds since 1970):
  /// "filename=NAME&expires=MILLISECONDS&signature=HEX"; without the filename if it is empty.
  /// Errors: server_error in a build without digests.
  Result<std::string> query(std::string_view file, std::int64_t expires, std::string_view name) const;

  /// Whether a query claims to be that of a link: such a request is permitted by its signature only.
  static bool is_link(std::string_view query);
  /// Whether `query` returned this query for this file, and it has not expired at `now` (milliseconds since 1970).
  bool admits(std::string_view file, std::string_view query, std::int64_t now) const;

 private:
  Result<std::string> signature(std::string_view file, std::string_view expires, std::string_view name) const;
  const std::string key_;
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/file_link.ipp>
#endif
