// A proxy between a client and a server on UNIX sockets that disturbs the traffic.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <functional>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace flux_test {

class SocketProxy {
 public:
  /// Listens at `own`, and connects to `server` for each client.
  SocketProxy(const std::string& own, std::string server) : server_(std::move(server)), own_(own) {
    listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = address_of(own);
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(listener_, 16) != 0) {
      throw std::runtime_error("the proxy can't listen at " + own + ": " + std::strerror(errno));
    }
    threads_.emplace_back([this] { accept(); });
  }
  ~SocketProxy() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    cut();
    threads_.front().join();
    for (std::size_t i = 1; i < threads_.size(); ++i) threads_[i].join();
    ::close(listener_);
    for (const int socket : sockets_) ::close(socket);
    std::filesystem::remove(own_);
  }
  SocketProxy(const SocketProxy&) = delete;
  SocketProxy& operator=(const SocketProxy&) = delete;

  /// Closes every connection.
  void cut() {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  /// Stops forwarding, without closing the connections.
  void stall(bool stalled) { stalled_ = stalled; }
  /// Closes new connections at once.
  void refuse(bool refused) { refused_ = refused; }
  /// When the client sends something that contains `text`, forwards it, then closes the connection so that the reply is
  /// lost.
  void lose_answer_to(std::string text) {
    const std::lock_guard lock(mutex_);
    fatal_ = std::move(text);
  }
  int answers_lost() const { return answers_lost_; }
  /// When the server sends something that contains `text`, forwards it, then stops forwarding.
  void stall_after(std::string text) {
    const std::lock_guard lock(mutex_);
    last_ = std::move(text);
  }
  /// When the client sends something that contains `text`, forwards it, then stops forwarding.
  void stall_at(std::string text) {
    const std::lock_guard lock(mutex_);
    last_word_ = std::move(text);
  }
  bool is_stalled() const { return stalled_; }
  /// Passes everything the server sends from now on through `edit`.
  void edit_answers(std::function<void(std::span<char>)> edit) {
    const std::lock_guard lock(mutex_);
    edit_ = std::move(edit);
  }

 private:
  static sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error("too long for a socket: " + path);
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return address;
  }

  void accept() {
    for (;;) {
      const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) return;
      const int server = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr_un address = address_of(server_);
      const bool connected = !refused_ && !stopping_ &&
                             ::connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
      if (!connected) {
        ::close(client);
        ::close(server);
        continue;
      }
      const std::lock_guard lock(mutex_);
      sockets_.push_back(client);
      sockets_.push_back(server);
      threads_.emplace_back([this, client, server] { pass(client, server); });
    }
  }

  void pass(int client, int server) {
    char bytes[64 * 1024];
    bool answer_is_lost = false;
    for (;;) {
      pollfd ready[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(ready, 2, 10) < 0 || stopping_) break;
      if (stalled_) continue;
      if (ready[0].revents != 0) {
        const ssize_t size = ::recv(client, bytes, sizeof bytes, 0);
        if (size <= 0) break;
        const std::string_view sent(bytes, static_cast<std::size_t>(size));
        if (meets(last_word_, sent)) stalled_ = true;
        if (!hand_on(server, sent)) break;
        answer_is_lost = meets(fatal_, sent);
      }
      if (ready[1].revents != 0) {
        const ssize_t size = ::recv(server, bytes, sizeof bytes, 0);
        if (size <= 0) break;
        if (answer_is_lost) {
          ++answers_lost_;
          break;
        }
        edit({bytes, static_cast<std::size_t>(size)});
        const std::string_view answer(bytes, static_cast<std::size_t>(size));
        if (meets(last_, answer)) stalled_ = true;
        if (!hand_on(client, answer)) break;
      }
    }
    ::shutdown(client, SHUT_RDWR);
    ::shutdown(server, SHUT_RDWR);
  }

  bool meets(std::string& mark, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (mark.empty() || bytes.find(mark) == std::string_view::npos) return false;
    mark.clear();  // only once
    return true;
  }

  void edit(std::span<char> bytes) {
    const std::lock_guard lock(mutex_);
    if (edit_) edit_(bytes);
  }

  static bool hand_on(int to, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  const std::string server_, own_;
  int listener_ = -1;
  std::atomic<bool> stopping_{false}, stalled_{false}, refused_{false};
  std::atomic<int> answers_lost_{0};
  std::mutex mutex_;
  std::string fatal_, last_, last_word_;
  std::function<void(std::span<char>)> edit_;
  std::vector<int> sockets_;          // closed at the end, so that no descriptor is reused
  std::vector<std::thread> threads_;  // the first accepts connections and adds the others
};

}  // namespace flux_test
