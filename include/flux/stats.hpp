// Counts of a running server.
#pragma once

#include <cstddef>
#include <cstdint>

namespace flux {

/// Counted since the server was constructed, except for the values named "now".
struct Stats {
  std::size_t connections_now = 0;          ///< TCP connections of every kind
  std::size_t sessions_now = 0;             ///< clients of protocol live and of Engine.IO, which includes Socket.IO
  std::size_t rooms_now = 0;                ///< rooms of every mode
  std::uint64_t connections = 0;            ///< TCP connections; not those closed at once, over a limit
  std::uint64_t connections_refused = 0;    ///< over a limit, wrong origin, not authorized, failed handshakes
  std::uint64_t requests = 0;               ///< HTTP requests, upgrades included
  std::uint64_t messages_in = 0;            ///< WebSocket messages
  std::uint64_t messages_bad = 0;           ///< answered with an error
  std::uint64_t messages_rate_limited = 0;  ///< not acted on: over a rate of `Limits`
  std::uint64_t frames_out = 0;             ///< WebSocket frames passed to the system or put in an outbox
  std::uint64_t bytes_in = 0;               ///< read from sockets; with TLS, encrypted
  std::uint64_t bytes_out = 0;              ///< written to sockets; with TLS, encrypted
  std::uint64_t states_coalesced = 0;  ///< states (presence, public lists, `Delivery::newest`) that newer ones replaced
  std::uint64_t messages_dropped = 0;  ///< not sent, because the reader was too slow or disconnected
  std::uint64_t slow_readers_closed = 0;  ///< connections that were closed because they read too slowly
  std::uint64_t handler_errors = 0;       ///< exceptions thrown by handlers
  std::uint64_t slow_handlers = 0;        ///< handlers that held their event loop for `Config::slow_handler`
  std::uint64_t store_errors = 0;  ///< failed calls to the application's stores, and invalid rows that they returned
  std::uint64_t calls_failed = 0;  ///< calls of the application whose `Outcome` is an error
};

}  // namespace flux
