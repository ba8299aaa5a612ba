// Tickets with which a member of a room shows over HTTP that an upload is that member's, until they expire.
#pragma once

#include <flux/error.hpp>
#include <flux/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flux::gate {

/// What a ticket says: this connection was in this room when it was given.
struct UploadTicket {
  SessionId connection;
  RoomId room;                  ///< empty: none
  std::int64_t expires_at = 0;  ///< milliseconds since 1970
  friend bool operator==(const UploadTicket&, const UploadTicket&) = default;
};

/// Signs tickets with HMAC-SHA256. Their text has letters, digits and dots only, so it goes into a URL as it is.
/// Threading: immutable; any thread.
class UploadTickets {
 public:
  /// `key`: at least 16 bytes; empty: a random one.
  explicit UploadTickets(std::string key);

  /// Errors: server_error in a build without digests.
  Result<std::string> sign(const UploadTicket& ticket) const;
  /// None where it is not what `sign` gave, or `now` (milliseconds since 1970) is past it.
  std::optional<UploadTicket> read(std::string_view text, std::int64_t now) const;

 private:
  Result<std::string> signature(std::string_view claims) const;
  const std::string key_;
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/upload_ticket.ipp>
#endif
