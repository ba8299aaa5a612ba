// The header fields of tus 1.0, the protocol of resumable uploads (https://tus.io/protocols/resumable-upload). No I/O.
//
// Threading: free functions of their arguments.
#pragma once

#include <flux/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::protocol {

inline constexpr std::string_view tus_version = "1.0.0";
inline constexpr std::string_view tus_extensions =
    "creation,creation-with-upload,creation-defer-length,checksum,termination,expiration";
/// The type of a body that holds a part of an upload.
inline constexpr std::string_view tus_media_type = "application/offset+octet-stream";
/// The checksum does not match the bytes (the checksum extension).
inline constexpr int tus_checksum_mismatch_status = 460;

/// Upload-Offset and Upload-Length: digits alone, up to 2^63 - 1. Errors: none for anything else.
std::optional<std::uint64_t> read_tus_number(std::string_view text) noexcept;

/// Upload-Checksum: the name of an algorithm, and the digest as raw bytes.
struct TusChecksum {
  std::string algorithm;
  std::string digest;
  friend bool operator==(const TusChecksum&, const TusChecksum&) = default;
};

/// "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=". Errors: invalid_argument if it is not a name, one space and base64.
Result<TusChecksum> read_tus_checksum(std::string_view text);

/// The key in Upload-Metadata whose value, a secret, proves who owns the upload.
inline constexpr std::string_view tus_ticket_key = "ticket";

/// Removes the pair of `key` from Upload-Metadata that `TusMetadata::read` accepts.
std::string tus_metadata_without(std::string_view text, std::string_view key);

/// Upload-Metadata: the client's metadata of the file.
class TusMetadata {
 public:
  /// HEAD returns it, and proxies commonly accept no more than 4 kB of header fields from a server.
  static constexpr std::size_t bytes_max = 3'072;

  /// Reads pairs of a key and a base64 value separated by one space, or keys alone, separated by commas. An empty text
  /// has none. Errors: message_too_large past `bytes_max`; invalid_argument if a key is empty, not visible ASCII, or
  /// repeated, or a value is not base64.
  static Result<TusMetadata> read(std::string_view text);

  /// The decoded value of the key: any bytes. Empty if the key has none.
  std::optional<std::string_view> find(std::string_view key) const noexcept;

  // The values that flux uses; empty if missing.
  std::string_view file_name() const noexcept { return first_of("filename", "name"); }
  std::string_view media_type() const noexcept { return first_of("filetype", "type"); }
  std::string_view room() const noexcept { return find("room").value_or(std::string_view()); }
  std::string_view ticket() const noexcept { return find(tus_ticket_key).value_or(std::string_view()); }
  std::string_view upload_id() const noexcept { return find("upload_id").value_or(std::string_view()); }

 private:
  std::string_view first_of(std::string_view key, std::string_view other) const noexcept;
  std::vector<std::pair<std::string, std::string>> entries_;
};

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/files/tus.ipp>
#endif
