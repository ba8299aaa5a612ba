#include "swarm.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace flux::bench {
namespace {

constexpr std::size_t receive_buffer_bytes = 256 * 1024;
constexpr std::size_t handshakes_at_once = 64;
/// A source address has about 28,000 ports for one destination; more connections come from more loopback addresses.
constexpr std::size_t connections_per_source = 20'000;
constexpr std::string_view client_mask{"\x12\x34\x56\x78", mask_bytes};

[[noreturn]] void fail(const std::string& what) { throw std::system_error(errno, std::generic_category(), what); }

void allow_open_files(std::size_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) fail("getrlimit");
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) fail("setrlimit");
  if (limit.rlim_cur < wanted) {
    throw std::runtime_error("only " + std::to_string(limit.rlim_cur) +
                             " open files are allowed; raise `ulimit -n` to " + std::to_string(wanted));
  }
}

void enable(int socket, int level, int option) {
  const int on = 1;
  if (::setsockopt(socket, level, option, &on, sizeof on) != 0) fail("setsockopt");
}

bool is_loopback(const in_addr& address) { return ntohl(address.s_addr) >> 24 == 127; }

void bind_source(int socket, std::size_t connection) {
  enable(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  sockaddr_in source{};
  source.sin_family = AF_INET;
  source.sin_addr.s_addr =
      htonl(INADDR_LOOPBACK + 256 * static_cast<std::uint32_t>(connection / connections_per_source));
  if (::bind(socket, reinterpret_cast<const sockaddr*>(&source), sizeof source) != 0) fail("bind");
}

std::string close_frame_text(std::string_view payload) {
  if (payload.size() < 2) return "closed by the server without a code";
  const int code = static_cast<std::uint8_t>(payload[0]) << 8 | static_cast<std::uint8_t>(payload[1]);
  return "closed by the server with " + std::to_string(code) + " " + std::string(payload.substr(2));
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    reset();
    std::swap(value_, other.value_);
  }
  return *this;
}

void Descriptor::reset() {
  if (value_ >= 0) ::close(value_);
  value_ = -1;
}

Swarm::Swarm(Target target, std::size_t connections)
    : target_(std::move(target)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      connections_(connections),
      receive_buffer_(receive_buffer_bytes) {
  if (epoll_.get() < 0) fail("epoll_create1");
  allow_open_files(connections + 64);
}

void Swarm::open() {
  using std::chrono::milliseconds;
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    connect(i);
    if ((i + 1) % handshakes_at_once != 0 && i + 1 != connections_.size()) continue;
    while (upgraded_ <= i) {
      if (!turn(milliseconds(5000))) throw std::runtime_error("no answer to the handshake within 5 s");
      if (closed_ > 0) throw std::runtime_error("closed during the handshake: " + close_reason_);
    }
  }
}

void Swarm::connect(std::size_t index) {
  Connection& connection = connections_[index];
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target_.port);
  if (::inet_pton(AF_INET, target_.host.c_str(), &address.sin_addr) != 1) {
    throw std::runtime_error(target_.host + " is no IPv4 address");
  }
  connection.socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int socket = connection.socket.get();
  if (socket < 0) fail("socket");
  enable(socket, IPPROTO_TCP, TCP_NODELAY);
  if (is_loopback(address.sin_addr)) bind_source(socket, index);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connection " + std::to_string(index) + " to port " + std::to_string(target_.port));
  }
  if (::fcntl(socket, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
  connection.output.append("GET ").append(target_.path).append(" HTTP/1.1\r\nHost: ").append(target_.host);
  connection.output.append(":").append(std::to_string(target_.port)).append("\r\nUpgrade: websocket\r\n");
  connection.output.append("Connection: Upgrade\r\nSec-WebSocket-Key: ").append(handshake_key);
  connection.output.append("\r\nSec-WebSocket-Version: 13\r\n\r\n");
  flush(index);
}

void Swarm::send(std::size_t index, std::string_view text) {
  std::string& output = connections_[index].output;
  append_head(output, Opcode::text, true, text.size());
  output.append(client_mask);
  append_masked(output, text, client_mask);
}

void Swarm::flush(std::size_t index) {
  Connection& connection = connections_[index];
  if (connection.socket.get() < 0) return;
  while (connection.output_sent < connection.output.size()) {
    const ssize_t sent = ::send(connection.socket.get(), connection.output.data() + connection.output_sent,
                                connection.output.size() - connection.output_sent, MSG_NOSIGNAL);
    if (sent <= 0) break;  // full: epoll tells when to go on; broken: the next read tells
    connection.output_sent += static_cast<std::size_t>(sent);
  }
  const bool done = connection.output_sent == connection.output.size();
  if (done) {
    connection.output.clear();
    connection.output_sent = 0;
  }
  watch_writes(index, !done);
}

void Swarm::watch_writes(std::size_t index, bool wanted) {
  Connection& connection = connections_[index];
  if (connection.waits_for_write == wanted) return;
  connection.waits_for_write = wanted;
  epoll_event event{};
  event.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = index;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.socket.get(), &event) != 0) fail("epoll_ctl");
}

bool Swarm::turn(std::chrono::milliseconds timeout) {
  std::array<epoll_event, 1024> events;
  const int count =
      ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), static_cast<int>(timeout.count()));
  if (count < 0 && errno != EINTR) fail("epoll_wait");
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const auto index = static_cast<std::size_t>(event.data.u64);
    if ((event.events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) readable(index);
    flush(index);
  }
  return count > 0;
}

void Swarm::settle() {
  using std::chrono::milliseconds;
  auto last_activity = Clock::now();
  while (Clock::now() - last_activity < milliseconds(300)) {
    if (turn(milliseconds(50))) last_activity = Clock::now();
  }
}

void Swarm::readable(std::size_t index) {
  Connection& connection = connections_[index];
  while (connection.socket.get() >= 0) {
    const ssize_t received = ::recv(connection.socket.get(), receive_buffer_.data(), receive_buffer_.size(), 0);
    if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (received < 0) return close(index, std::strerror(errno));
    if (received == 0) return close(index, "the server ended the connection");
    const auto bytes = static_cast<std::size_t>(received);
    if (!receive(index, {receive_buffer_.data(), bytes}) || bytes < receive_buffer_.size()) return;
  }
}

/// Returns whether the connection is still open.
bool Swarm::receive(std::size_t index, std::string_view data) {
  Connection& connection = connections_[index];
  const bool has_remainder = !connection.input.empty();
  if (has_remainder) {
    connection.input.append(data);
    data = connection.input;
  }
  std::size_t used = connection.upgraded ? 0 : upgrade(connection, data);
  if (connection.upgraded) used += consume_frames(index, data.substr(used));
  if (has_remainder) {
    connection.input.erase(0, used);
  } else if (used < data.size()) {
    connection.input.assign(data.substr(used));
  }
  return connection.socket.get() >= 0;
}

/// Returns the bytes of the response, or 0 while it is not complete.
std::size_t Swarm::upgrade(Connection& connection, std::string_view data) {
  const std::size_t end = data.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  const std::string_view head = data.substr(0, end);
  if (!head.starts_with("HTTP/1.1 101 ") || head.find(handshake_accept) == std::string_view::npos) {
    throw std::runtime_error("handshake refused: " + std::string(head.substr(0, head.find('\r'))));
  }
  connection.upgraded = true;
  ++upgraded_;
  return end + 4;
}

std::size_t Swarm::consume_frames(std::size_t index, std::string_view data) {
  std::size_t used = 0;
  while (const auto head = read_head(data.substr(used))) {
    if (head->masked) throw std::runtime_error("the server masked a frame");
    if (data.size() - used < head->frame_bytes()) break;
    handle(index, head->opcode, data.substr(used + head->head_bytes, head->payload_bytes));
    used += head->frame_bytes();
  }
  return used;
}

void Swarm::handle(std::size_t index, Opcode opcode, std::string_view payload) {
  switch (opcode) {
    case Opcode::text:
    case Opcode::binary:
      ++counters_.frames;
      counters_.payload_bytes += payload.size();
      if (handler_) handler_(index, payload);
      return;
    case Opcode::ping: {
      std::string& output = connections_[index].output;
      append_head(output, Opcode::pong, true, payload.size());
      output.append(client_mask);
      append_masked(output, payload, client_mask);
      return;
    }
    case Opcode::close:
      close(index, close_frame_text(payload));
      return;
    case Opcode::pong:
      return;
  }
  throw std::runtime_error("the server sent a frame with an unknown opcode");
}

void Swarm::close(std::size_t index, std::string reason) {
  Connection& connection = connections_[index];
  if (connection.socket.get() < 0) return;
  connection.socket.reset();
  ++closed_;
  if (close_reason_.empty()) close_reason_ = std::move(reason);
}

}  // namespace flux::bench
