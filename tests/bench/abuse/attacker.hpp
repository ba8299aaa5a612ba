#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "../descriptor.hpp"
#include "attack.hpp"

namespace flux::bench {

/// Clients that send requests as fast as their sockets accept them and read nothing.
class Attackers {
 public:
  /// Connects `count` clients and performs the door's handshake, whose responses are read.
  /// Errors: throws std::runtime_error.
  Attackers(const Attack& attack, std::uint16_t port, std::size_t count);

  /// Sends requests for `duration`.
  void ask(std::chrono::milliseconds duration);

 private:
  struct Client {
    Descriptor socket;
    std::string output;
    std::size_t sent = 0;
    std::size_t asked = 0;
    bool closed = false;
    std::string session;  ///< the Engine.IO session id, over polling
  };

  void open(Client& client, std::uint16_t port);
  void fill(Client& client);
  std::string encoded(const Client& client, const Message& message, bool compressed) const;
  void send(Client& client);

  const Attack& attack_;
  std::vector<Client> clients_;
};

}  // namespace flux::bench
