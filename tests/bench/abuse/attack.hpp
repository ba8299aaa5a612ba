#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::bench {

/// How a client reaches the server.
enum class Door {
  live,      ///< a WebSocket at /live
  deflate,   ///< the same with permessage-deflate; every message is compressed
  socketio,  ///< Socket.IO over a WebSocket
  polling,   ///< Socket.IO over HTTP: POSTs without any poll
  raw,       ///< a WebSocket at an echo endpoint of the application
  http,      ///< pipelined requests on one connection
};

std::string_view name_of(Door door);

/// What a client sends at once, in its door's encoding; for http a whole request.
struct Message {
  enum class Kind { text, binary, ping };
  std::string bytes;
  Kind kind = Kind::text;
  std::string attachment{};  ///< of Socket.IO: sent after it
};

/// One request, sent again and again by clients that read nothing.
struct Attack {
  Door door;
  std::string name;
  std::vector<std::string> begin;           ///< texts sent before the first request
  std::function<Message(std::size_t)> ask;  ///< the `n`th request
};

/// Every request of every protocol: those of protocol live and of data sharing from the codecs' tables, those of HTTP
/// as each method at each kind of path, with and without a body, and the packets of Engine.IO and Socket.IO.
/// Errors: throws std::runtime_error if this program has no payload for a request in a table.
std::vector<Attack> all_attacks();

}  // namespace flux::bench
