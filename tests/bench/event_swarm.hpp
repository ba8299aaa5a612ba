#pragma once

#include <vector>

#include "websocket_swarm.hpp"

namespace flux::bench {

/// The first client is a WebSocket of `/realtime`, for publishing; the others read the server-sent events of one channel.
class EventSwarm final : public WebSocketSwarm {
 public:
  /// `target.path`: that of the WebSocket.
  EventSwarm(const Target& target, std::size_t clients, std::string_view channel);

 private:
  void begin(std::size_t client) override;
  std::size_t consume(std::size_t client, std::string_view data) override;

  Target events_;
  std::vector<char> opened_;  ///< of each client, whether its stream has begun
};

}  // namespace flux::bench
