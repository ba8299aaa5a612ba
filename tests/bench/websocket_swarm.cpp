#include "websocket_swarm.hpp"

#include <stdexcept>

namespace flux::bench {
namespace {

constexpr std::string_view client_mask{"\x12\x34\x56\x78", mask_bytes};

std::string close_frame_text(std::string_view payload) {
  if (payload.size() < 2) return "closed by the server without a code";
  const int code = static_cast<std::uint8_t>(payload[0]) << 8 | static_cast<std::uint8_t>(payload[1]);
  return "closed by the server with " + std::to_string(code) + " " + std::string(payload.substr(2));
}

}  // namespace

WebSocketSwarm::WebSocketSwarm(Target target, std::size_t clients, Dialect dialect)
    : Swarm(clients, 1, dialect), target_(std::move(target)), upgraded_(clients) {}

void WebSocketSwarm::begin(std::size_t client) {
  sockets().connect(client, target_);
  std::string& request = sockets().output(client);
  request.append("GET ").append(target_.path).append(" HTTP/1.1\r\nHost: ").append(target_.host);
  request.append(":").append(std::to_string(target_.port)).append("\r\nUpgrade: websocket\r\n");
  request.append("Connection: Upgrade\r\nSec-WebSocket-Key: ").append(handshake_key);
  request.append("\r\nSec-WebSocket-Version: 13\r\n").append(target_.fields).append("\r\n");
  flush(client);
}

void WebSocketSwarm::send(std::size_t client, Opcode opcode, std::string_view payload) {
  std::string& output = sockets().output(client);
  append_head(output, opcode, true, payload.size());
  output.append(client_mask);
  append_masked(output, payload, client_mask);
}

std::size_t WebSocketSwarm::consume(std::size_t client, std::string_view data) {
  std::size_t used = upgraded_[client] ? 0 : upgrade(client, data);
  if (upgraded_[client]) used += consume_frames(client, data.substr(used));
  return used;
}

/// Returns the bytes of the response, or 0 while it is not complete.
std::size_t WebSocketSwarm::upgrade(std::size_t client, std::string_view data) {
  const std::size_t end = data.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  const std::string_view head = data.substr(0, end);
  if (!head.starts_with("HTTP/1.1 101 ") || head.find(handshake_accept) == std::string_view::npos) {
    throw std::runtime_error("handshake refused: " + std::string(head.substr(0, head.find('\r'))));
  }
  upgraded_[client] = true;
  connected();
  return end + 4;
}

std::size_t WebSocketSwarm::consume_frames(std::size_t client, std::string_view data) {
  std::size_t used = 0;
  while (const auto head = read_head(data.substr(used))) {
    if (head->masked) throw std::runtime_error("the server masked a frame");
    if (data.size() - used < head->frame_bytes()) break;
    handle(client, head->opcode, data.substr(used + head->head_bytes, head->payload_bytes));
    used += head->frame_bytes();
  }
  return used;
}

void WebSocketSwarm::handle(std::size_t client, Opcode opcode, std::string_view payload) {
  switch (opcode) {
    case Opcode::text:
    case Opcode::binary: return received(client, payload);
    case Opcode::ping: return send(client, Opcode::pong, payload);
    case Opcode::close: return sockets().close(client, close_frame_text(payload));
    case Opcode::pong: return;
  }
  throw std::runtime_error("the server sent a frame with an unknown opcode");
}

}  // namespace flux::bench
