#include "attacker.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <stdexcept>
#include <string_view>
#include <system_error>

#include "../frame.hpp"

#include <flux/detail/core/base64.hpp>

namespace flux::bench {
namespace {

constexpr std::string_view mask{"\x12\x34\x56\x78", mask_bytes};
constexpr std::size_t output_bytes = 64 * 1024;

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

Descriptor connect_to(std::uint16_t port) {
  Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) fail("socket");
  const int least = 1;  // the kernel raises it to some kilobytes; anything more is queued in the server
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &least, sizeof least) != 0) fail("setsockopt");
  const timeval patience{10, 0};
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) fail("setsockopt");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("connect");
  return socket;
}

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) fail("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

/// Reads up to and including `end`, and not a byte more.
std::string receive_until(int socket, std::string_view end) {
  std::string text;
  char c = 0;
  while (!text.ends_with(end)) {
    if (::recv(socket, &c, 1, 0) != 1) throw std::runtime_error("no whole answer to the handshake: " + text);
    text += c;
  }
  return text;
}

/// The id that the server has given to an Engine.IO session.
std::string open_polling(int socket) {
  send_all(socket, "GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\n\r\n");
  receive_until(socket, "\r\n\r\n");
  const std::string packet = receive_until(socket, "}");
  constexpr std::string_view member = "\"sid\":\"";
  const std::size_t begin = packet.find(member);
  if (begin == std::string::npos) throw std::runtime_error("no session id in " + packet);
  return packet.substr(begin + member.size(), packet.find('"', begin + member.size()) - begin - member.size());
}

void upgrade(int socket, std::string_view path, std::string_view fields = {}) {
  send_all(socket, "GET " + std::string(path) +
                       " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
                       std::string(handshake_key) + "\r\n" + std::string(fields) + "\r\n");
  const std::string answer = receive_until(socket, "\r\n\r\n");
  if (!answer.starts_with("HTTP/1.1 101 ")) throw std::runtime_error("handshake refused: " + answer);
  if (!fields.empty() && answer.find("permessage-deflate") == std::string::npos) {
    throw std::runtime_error("no compression: " + answer);
  }
}

}  // namespace

Attackers::Attackers(const Attack& attack, std::uint16_t port, std::size_t count) : attack_(attack), clients_(count) {
  for (Client& client : clients_) open(client, port);
}

void Attackers::open(Client& client, std::uint16_t port) {
  client.socket = connect_to(port);
  const int socket = client.socket.get();
  switch (attack_.door) {
    case Door::live: upgrade(socket, "/live"); break;
    case Door::deflate: upgrade(socket, "/live", "Sec-WebSocket-Extensions: permessage-deflate\r\n"); break;
    case Door::raw: upgrade(socket, "/echo"); break;
    case Door::socketio: upgrade(socket, "/socket.io/?EIO=4&transport=websocket"); break;
    case Door::polling: client.session = open_polling(socket); break;
    case Door::http: break;
  }
  for (const std::string& text : attack_.begin) client.output += encoded(client, {text}, false);
  if (::fcntl(socket, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
}

std::string Attackers::encoded(const Client& client, const Message& message, bool compressed) const {
  if (attack_.door == Door::http) return message.bytes;
  if (attack_.door == Door::polling) {
    std::string packets = message.bytes;
    if (!message.attachment.empty()) {
      packets +=
          "\x1E"
          "b";
      protocol::append_base64(packets, message.attachment);
    }
    return "POST /socket.io/?EIO=4&transport=polling&sid=" + client.session +
           " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(packets.size()) + "\r\n\r\n" + packets;
  }
  std::string frames;
  const auto add = [&](Opcode opcode, const std::string& bytes) {
    const std::size_t head = frames.size();
    append_head(frames, opcode, true, bytes.size());
    constexpr char compressed_bit = '\x40';  // RFC 7692, section 6
    if (compressed) frames[head] = static_cast<char>(frames[head] | compressed_bit);
    frames += mask;
    append_masked(frames, bytes, mask);
  };
  switch (message.kind) {
    case Message::Kind::text: add(Opcode::text, message.bytes); break;
    case Message::Kind::binary: add(Opcode::binary, message.bytes); break;
    case Message::Kind::ping: add(Opcode::ping, message.bytes); break;
  }
  if (!message.attachment.empty()) add(Opcode::binary, message.attachment);
  return frames;
}

void Attackers::fill(Client& client) {
  if (client.sent < client.output.size()) return;
  client.output.clear();
  client.sent = 0;
  while (client.output.size() < output_bytes)
    client.output += encoded(client, attack_.ask(client.asked++), attack_.door == Door::deflate);
}

void Attackers::send(Client& client) {
  fill(client);
  const ssize_t sent =
      ::send(client.socket.get(), client.output.data() + client.sent, client.output.size() - client.sent, MSG_NOSIGNAL);
  if (sent >= 0) {
    client.sent += static_cast<std::size_t>(sent);
  } else if (errno != EAGAIN) {
    client.closed = true;
  }
}

void Attackers::ask(std::chrono::milliseconds duration) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + duration;
  std::vector<pollfd> waiting(clients_.size());
  while (Clock::now() < end) {
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      waiting[i] = {clients_[i].closed ? -1 : clients_[i].socket.get(), POLLOUT, 0};
    }
    if (::poll(waiting.data(), waiting.size(), 10) < 0) fail("poll");
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (waiting[i].revents != 0) send(clients_[i]);
    }
  }
}

}  // namespace flux::bench
