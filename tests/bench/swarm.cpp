#include "swarm.hpp"

#include <stdexcept>

namespace flux::bench {
namespace {

constexpr std::size_t handshakes_at_once = 64;

}  // namespace

Swarm::Swarm(std::size_t clients, std::size_t sockets_of_each, Dialect dialect)
    : clients_(clients),
      dialect_(dialect),
      sockets_(clients * sockets_of_each,
               [this](std::size_t socket, std::string_view data) { return consume(socket, data); }) {}

void Swarm::open() {
  using std::chrono::milliseconds;
  for (std::size_t i = 0; i < clients_; ++i) {
    begin(i);
    if ((i + 1) % handshakes_at_once != 0 && i + 1 != clients_) continue;
    while (ready_ <= i) {
      if (!turn(milliseconds(5000))) throw std::runtime_error("no answer to the handshake within 5 s");
      if (closed() > 0) throw std::runtime_error("closed during the handshake: " + close_reason());
    }
  }
}

void Swarm::connected() {
  if (dialect_ == Dialect::plain) ++ready_;
}

void Swarm::received(std::size_t client, std::string_view text) {
  if (dialect_ == Dialect::plain) return hand_on(client, text);
  receive_packet(client, text);
}

/// Engine.IO 4: 0 opens, 2 is a ping, 4 a message, 6 a no-op. Socket.IO 5, in a message: 0 connects to the namespace.
void Swarm::receive_packet(std::size_t client, std::string_view packet) {
  if (packet.starts_with("42") || packet.starts_with("43")) return hand_on(client, packet);
  if (packet == "6") return;
  if (packet == "2") return send(client, "3");
  if (packet.starts_with("0{")) return send(client, "40");
  if (packet.starts_with("40")) {
    ++ready_;
    return;
  }
  throw std::runtime_error("the server sent the packet " + std::string(packet.substr(0, 100)));
}

void Swarm::hand_on(std::size_t client, std::string_view message) {
  ++counters_.frames;
  counters_.payload_bytes += message.size();
  if (handler_) handler_(client, message);
}

}  // namespace flux::bench
