#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::bench {

/// How a client reaches the server.
enum class Door {
  live,      ///< a WebSocket at /live
  socketio,  ///< Socket.IO over a WebSocket
  polling,   ///< Socket.IO over HTTP: POSTs without any poll
  raw,       ///< a WebSocket at an echo endpoint of the application
  http,      ///< pipelined requests on one connection
};

std::string_view name_of(Door door);

/// One request, sent again and again by clients that read nothing.
struct Attack {
  Door door;
  std::string name;
  std::vector<std::string> begin;               ///< messages sent before the first request, in the door's encoding
  std::function<std::string(std::size_t)> ask;  ///< the `n`th request: a message, or for http the whole request
};

/// Every request of every protocol: those of protocol live and of data sharing from the codecs' tables, those of HTTP
/// as each method at each kind of path, and the packets of Engine.IO and Socket.IO.
/// Errors: throws std::runtime_error if this program has no payload for a request in a table.
std::vector<Attack> all_attacks();

}  // namespace flux::bench
