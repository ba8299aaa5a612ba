// A web server for tests of clients: scripted, with or without TLS.
#pragma once

#include "support/scripted_server.hpp"

#include <flux/detail/transport/tls.hpp>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux_test {

/// The connection of one client.
class IssuerPeer {
 public:
  /// `tls` null: plain.
  IssuerPeer(int socket, std::unique_ptr<flux::transport::TlsEngine> tls) : socket_(socket), tls_(std::move(tls)) {}

  /// The head of the request; "": the client has disconnected.
  std::string read_head() {
    std::string plain;
    while (plain.find("\r\n\r\n") == std::string::npos) {
      const std::string bytes = receive_some(socket_);
      if (bytes.empty()) return {};
      if (!tls_) {
        plain += bytes;
        continue;
      }
      std::string to_client;
      const bool is_right = tls_->receive(bytes, plain, to_client);
      if (!send_all(socket_, to_client) || !is_right) return {};
    }
    return plain;
  }
  /// False: the client has disconnected.
  bool send(std::string_view plain) {
    if (!tls_) return send_all(socket_, plain);
    std::string to_client;
    tls_->send(plain, to_client);
    return send_all(socket_, to_client);
  }
  /// Ends what is sent, with close_notify.
  void finish() {
    std::string to_client;
    if (tls_) tls_->finish(to_client);
    send_all(socket_, to_client);
    ::shutdown(socket_, SHUT_WR);
  }
  /// Waits until the client disconnects.
  void wait_for_end() const {
    while (!receive_some(socket_).empty()) {
    }
  }
  int socket() const noexcept { return socket_; }

 private:
  const int socket_;
  const std::unique_ptr<flux::transport::TlsEngine> tls_;
};

inline std::string ok_response(std::string_view body, std::string_view fields = "") {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

/// Serves one client at a time, as its script says. Keeps the heads of all requests.
class Issuer {
 public:
  /// Called when a request was read; what it returns is sent.
  using Answer = std::function<std::string(const std::string& head)>;
  /// Called instead, for what is no response. The connection is closed when it returns.
  using Serve = std::function<void(IssuerPeer& peer)>;

  /// `tls` null: plain HTTP.
  explicit Issuer(Serve serve, std::shared_ptr<const flux::transport::TlsContext> tls = nullptr)
      : serve_(std::move(serve)), tls_(std::move(tls)), server_([this](int client) { work(client); }) {}
  static Serve answer(Answer answer) {
    return [answer = std::move(answer)](IssuerPeer& peer) {
      if (const std::string head = peer.read_head(); !head.empty()) peer.send(answer(head));
      peer.finish();
    };
  }
  static Serve answer(std::string response) {
    return answer([response = std::move(response)](const std::string&) { return response; });
  }

  std::string url(std::string_view path = "/keys", std::string_view host = "127.0.0.1") const {
    return (tls_ ? "https://" : "http://") + std::string(host) + ":" + std::to_string(server_.port()) +
           std::string(path);
  }
  std::uint16_t port() const { return server_.port(); }
  /// The number of clients so far, including one that is being served.
  int clients() const {
    const std::lock_guard lock(mutex_);
    return clients_;
  }
  /// Waits until so many clients have connected. False: it took longer than 20 s.
  bool wait_for_clients(int count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(20), [&] { return clients_ >= count; });
  }

 private:
  void work(int client) {
    {
      const std::lock_guard lock(mutex_);
      ++clients_;
    }
    changed_.notify_all();
    IssuerPeer peer(client, tls_ ? tls_->engine() : nullptr);
    serve_(peer);
  }

  const Serve serve_;
  const std::shared_ptr<const flux::transport::TlsContext> tls_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int clients_ = 0;
  ScriptedServer server_;  // last: its thread uses the others
};

}  // namespace flux_test
