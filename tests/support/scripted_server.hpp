// A server whose behaviour towards its clients is scripted by a test.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace flux_test {

/// Listens on a free port of 127.0.0.1 and serves one client at a time, on one thread.
class ScriptedServer {
 public:
  /// Returns when the client has been served, at the latest when its socket is shut down.
  using Serve = std::function<void(int client)>;

  explicit ScriptedServer(Serve serve) : serve_(std::move(serve)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_, any, size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, any, &size) != 0) {
      throw std::runtime_error(std::string("a scripted server can't listen: ") + std::strerror(errno));
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { work(); });
  }
  ~ScriptedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (client_ >= 0) ::shutdown(client_, SHUT_RDWR);
    }
    thread_.join();
    ::close(listener_);
  }
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const { return port_; }

 private:
  void work() {
    for (;;) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      if (hold(client)) serve_(client);
      hold(-1);
      ::close(client);
    }
  }
  bool hold(int client) {
    const std::lock_guard lock(mutex_);
    client_ = client;
    return !stopping_;
  }

  const Serve serve_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::mutex mutex_;
  int client_ = -1;
  bool stopping_ = false;
  std::thread thread_;
};

/// False: the peer has disconnected.
inline bool send_all(int to, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// The next bytes received; "": the peer has disconnected.
inline std::string receive_some(int from) {
  std::string bytes(64 * 1024, '\0');
  const ssize_t size = ::recv(from, bytes.data(), bytes.size(), 0);
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return bytes;
}

/// Sends a byte every 20 ms, whatever it receives, until the client disconnects.
inline void trickle(int client) {
  for (;;) {
    pollfd ready{client, POLLIN, 0};
    if (::poll(&ready, 1, 20) < 0) return;
    if (ready.revents != 0 && receive_some(client).empty()) return;
    if (ready.revents == 0 && !send_all(client, "x")) return;
  }
}

/// Relays bytes in both directions until one side disconnects.
inline void relay(int client, int server) {
  for (;;) {
    pollfd ready[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
    if (::poll(ready, 2, -1) < 0) return;
    for (int i = 0; i < 2; ++i) {
      if (ready[i].revents == 0) continue;
      const std::string bytes = receive_some(ready[i].fd);
      if (bytes.empty() || !send_all(ready[1 - i].fd, bytes)) return;
    }
  }
}

}  // namespace flux_test
