// Why an Engine.IO session, or a Socket.IO client's membership of a namespace, has ended.
#pragma once

#include <cstdint>
#include <string_view>

namespace flux::detail {

enum class EndReason : std::uint8_t {
  transport_close,  // the client closed the connection, or it broke
  transport_error,  // a request that makes no sense, or output that the client does not fetch
  ping_timeout,
  parse_error,
  forced_close,         // by the application: an Engine.IO session
  forced_server_close,  // by the application: a Socket.IO connection with all its namespaces
  client_namespace_disconnect,
  server_namespace_disconnect,
  server_shutting_down,
  connect_timeout,  // the client joined no namespace in time
  rate_limited,
  access_ended,  // its grant has expired or was revoked: an Engine.IO session
  unused,        // it made room for other sessions: `engineio::PollingLimits`
};

/// The reason as handlers of the application get it: in the words of engine.io and Socket.IO where they have some.
std::string_view to_string(EndReason reason) noexcept;

/// Whether the client did not mean to end, so that connection state recovery keeps its state.
bool was_cut_off(EndReason reason) noexcept;

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/end_reason.ipp>
#endif
