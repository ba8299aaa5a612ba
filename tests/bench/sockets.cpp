#include "sockets.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace flux::bench {
namespace {

constexpr std::size_t receive_buffer_bytes = 256 * 1024;
/// A source address has about 28,000 ports for one destination; further connections use further loopback addresses.
constexpr std::size_t connections_per_source = 20'000;

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

}  // namespace

Sockets::Sockets(std::size_t count, Consumer consume)
    : consume_(std::move(consume)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      connections_(count),
      receive_buffer_(receive_buffer_bytes) {
  if (epoll_.get() < 0) fail("epoll_create1");
  allow_open_files(count + 64);
}

void Sockets::connect(std::size_t index, const Target& target) {
  Connection& connection = connections_[index];
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(target.port);
  if (::inet_pton(AF_INET, target.host.c_str(), &address.sin_addr) != 1) {
    throw std::runtime_error(target.host + " is no IPv4 address");
  }
  connection.socket = Descriptor(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int socket = connection.socket.get();
  if (socket < 0) fail("socket");
  enable(socket, IPPROTO_TCP, TCP_NODELAY);
  if (is_loopback(address.sin_addr)) bind_source(socket, index);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("connection " + std::to_string(index) + " to port " + std::to_string(target.port));
  }
  if (::fcntl(socket, F_SETFL, O_NONBLOCK) != 0) fail("fcntl");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = index;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) != 0) fail("epoll_ctl");
}

void Sockets::flush(std::size_t index) {
  Connection& connection = connections_[index];
  if (connection.socket.get() < 0) return;
  while (connection.output_sent < connection.output.size()) {
    const ssize_t sent = ::send(connection.socket.get(), connection.output.data() + connection.output_sent,
                                connection.output.size() - connection.output_sent, MSG_NOSIGNAL);
    if (sent <= 0) break;  // full: epoll says when to continue; broken: the next read reports it
    connection.output_sent += static_cast<std::size_t>(sent);
  }
  const bool done = connection.output_sent == connection.output.size();
  if (done) {
    connection.output.clear();
    connection.output_sent = 0;
  }
  watch_writes(index, !done);
}

void Sockets::watch_writes(std::size_t index, bool wanted) {
  Connection& connection = connections_[index];
  if (connection.waits_for_write == wanted) return;
  connection.waits_for_write = wanted;
  epoll_event event{};
  event.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.u64 = index;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, connection.socket.get(), &event) != 0) fail("epoll_ctl");
}

bool Sockets::turn(std::chrono::milliseconds timeout) {
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

void Sockets::settle() {
  using std::chrono::milliseconds;
  auto last_activity = Clock::now();
  while (Clock::now() - last_activity < milliseconds(300)) {
    if (turn(milliseconds(50))) last_activity = Clock::now();
  }
}

void Sockets::readable(std::size_t index) {
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
bool Sockets::receive(std::size_t index, std::string_view data) {
  Connection& connection = connections_[index];
  const bool has_remainder = !connection.input.empty();
  if (has_remainder) {
    connection.input.append(data);
    data = connection.input;
  }
  const std::size_t used = consume_(index, data);
  if (has_remainder) {
    connection.input.erase(0, used);
  } else if (used < data.size()) {
    connection.input.assign(data.substr(used));
  }
  return connection.socket.get() >= 0;
}

void Sockets::close(std::size_t index, std::string reason) {
  Connection& connection = connections_[index];
  if (connection.socket.get() < 0) return;
  connection.socket.reset();
  ++closed_;
  if (close_reason_.empty()) close_reason_ = std::move(reason);
}

}  // namespace flux::bench
