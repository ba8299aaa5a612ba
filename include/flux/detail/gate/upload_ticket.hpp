// Tickets with which a member of a room proves over HTTP that an upload is its own, until they expire.
#pragma once

#include <flux/error.hpp>
#include <flux/types.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flux::gate {

/// The content of a ticket: this connection was in this room when it was issued.
struct UploadTicket {
  SessionId connection;
  RoomId room;                  ///< empty: none
  std::int64_t expires_at = 0;  ///< milliseconds since 1970
  friend bool operator==(const UploadTicket&, const UploadTicket&) = default;
};

/// Signs tickets with HMAC-SHA256. Their text has only letters, digits and dots, so it needs no encoding in a URL.
/// Threading: immutable; any thread.
class UploadTickets {
 public:
  /// `key`: at least 16 bytes; empty: a random one.
  explicit UploadTickets(std::string key);

  /// Errors: server_error in a build without digests.
  Result<std::string> sign(const UploadTicket& ticket) const;
  /// Returns none if `sign` did not create it, or it has expired at `now` (milliseconds since 1970).
  std::optional<UploadTicket> read(std::string_view text, std::int64_t now) const;

 private:
  Result<std::string> signature(std::string_view claims) const;
  const std::string key_;
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/upload_ticket.ipp>
#endif
