// Counts of a running server.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flux {

/// All since the server was made, but those named "now".
struct Stats {
  std::size_t connections_now = 0;  ///< TCP connections of every kind
  std::size_t sessions_now = 0;     ///< clients of protocol live, of Engine.IO and so of Socket.IO
  std::size_t rooms_now = 0;
  std::uint64_t connections = 0;
  std::uint64_t connections_refused = 0;  ///< over a limit, wrong origin, not authorised, failed handshakes
  std::uint64_t requests = 0;             ///< HTTP requests, upgrades included
  std::uint64_t messages_in = 0;          ///< WebSocket messages
  std::uint64_t messages_bad = 0;         ///< answered with an error
  std::uint64_t messages_rate_limited = 0;
  std::uint64_t frames_out = 0;  ///< WebSocket frames handed to the system or an outbox
  std::uint64_t bytes_in = 0;
  std::uint64_t bytes_out = 0;
  std::uint64_t presence_coalesced = 0;  ///< presence frames and public lists that slow readers got merged
  std::uint64_t messages_dropped = 0;    ///< not sent, their reader being too slow or gone
  std::uint64_t slow_readers_closed = 0;
  std::uint64_t handler_errors = 0;  ///< exceptions out of handlers
  std::uint64_t store_errors = 0;    ///< calls of the application's stores that failed, and bad rows that they gave
};

}  // namespace flux
