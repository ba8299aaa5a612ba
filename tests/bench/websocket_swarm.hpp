#pragma once

#include <vector>

#include "frame.hpp"
#include "swarm.hpp"

namespace flux::bench {

/// Clients with one WebSocket each.
class WebSocketSwarm : public Swarm {
 public:
  WebSocketSwarm(Target target, std::size_t clients, Dialect dialect);

  /// As a masked frame.
  void send(std::size_t client, std::string_view text) override { send(client, Opcode::text, text); }
  void flush(std::size_t client) override { sockets().flush(client); }

 protected:
  void begin(std::size_t client) override;
  std::size_t consume(std::size_t client, std::string_view data) override;

 private:
  std::size_t upgrade(std::size_t client, std::string_view data);
  std::size_t consume_frames(std::size_t client, std::string_view data);
  void handle(std::size_t client, Opcode opcode, std::string_view payload);
  void send(std::size_t client, Opcode opcode, std::string_view payload);

  Target target_;
  std::vector<char> upgraded_;  ///< of each client, whether its handshake is complete
};

}  // namespace flux::bench
