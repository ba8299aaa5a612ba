// A connected client, as the application sees it.
#pragma once

#include <flux/grant.hpp>
#include <flux/types.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

namespace detail {
class SessionState;
}

/// A handle to a connected client. Copies share the client; a handle may outlive the connection, and then reads what
/// was known at the end, and sends nothing.
/// Threading: every method from any thread; none blocks.
class Session {
 public:
  explicit Session(std::shared_ptr<detail::SessionState> state) : state_(std::move(state)) {}

  /// The `connectionId` that clients know it by.
  SessionId id() const;
  Identity identity() const;
  /// What it was let in with, or has been given since; empty where nobody was asked.
  Grant grant() const;
  /// Grants something else, which counts from now on: `expires_at` replaces the earlier one. The session stays in its
  /// rooms, where others see a new identity when it joins again; `Server::revoke` ends memberships, too.
  /// Errors: invalid_argument (text that is not UTF-8); session_not_found once it is gone.
  Result<void> set_grant(Grant grant) const;
  /// "192.0.2.7:49152"; the client's, without its port, behind a proxy of `Config::trusted_proxies`.
  std::string remote_address() const;
  /// The rooms it is in now, in the order of joining.
  std::vector<RoomId> rooms() const;
  bool connected() const;

  /// Sends `event` to this client alone. Protocol live: a `broadcast_event` from `server_connection_id`, with `room` as
  /// its roomId. Data sharing: the event itself, with the payload and, where it is given, `room`. Ordering: calls from
  /// one thread keep their order. Errors: session_not_found once it is gone; invalid_argument for an event that is empty,
  /// too long, not UTF-8 or (data sharing) reserved, and for a room that is not UTF-8; message_too_large above
  /// Limits::message_bytes_max. The verdict is that of the client's loop if this is called on it; on other threads it is
  /// `queued`.
  Result<Sent> send(std::string_view event, const JsonText& payload, const RoomId& room = {}) const;
  /// Closes with `code` and `reason` (repaired where it is not UTF-8, and cut to 123 bytes); Socket.IO tells its clients neither. Does nothing where it is
  /// closed already.
  void close(CloseCode code, std::string_view reason = {}) const;

  friend bool operator==(const Session&, const Session&) = default;
  /// For flux itself.
  const std::shared_ptr<detail::SessionState>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::SessionState> state_;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/events.hpp>  // brings the definitions, which need what it declares
#endif
