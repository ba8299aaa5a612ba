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
  polling,   ///< Socket.IO over HTTP: POSTs that nobody polls after
  raw,       ///< a WebSocket at an endpoint of the application, which echoes
  http,      ///< requests one behind the other on one connection
};

std::string_view name_of(Door door);

/// One request, asked again and again by clients that read nothing.
struct Attack {
  Door door;
  std::string name;
  std::vector<std::string> begin;               ///< messages before the first request, as the door has them
  std::function<std::string(std::size_t)> ask;  ///< the `n`th request: a message, or with http the whole request
};

/// Every request of every protocol: those of protocol live and of data sharing by walking the codecs' tables, those of
/// HTTP as each method at each kind of path, and the packets of Engine.IO and Socket.IO.
/// Errors: throws std::runtime_error for a request in a table that this program has no payload for.
std::vector<Attack> all_attacks();

}  // namespace flux::bench
