// Clients of a flux::Server under test: blocking, over POSIX sockets, with a bound on every wait. They throw if
// something does not arrive in time, so they may be used on any thread (Catch2's macros may not).
#pragma once

#include "support/awaited.hpp"
#include "support/http_reply.hpp"
#include "unit/websocket_client_frames.hpp"

#include <flux/detail/transport/tls_client.hpp>
#include <flux/json.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux_test {

/// The address to connect to, the size of the receive buffer, and whose certificate to trust.
struct Target {
  std::uint16_t port = 0;
  std::string host = "127.0.0.1";
  int receive_buffer_bytes = 0;  // 0: the system's default
  std::string ca_file = {};      // of TLS; empty: plain
};

class TcpClient {
 public:
  explicit TcpClient(std::uint16_t port) : TcpClient(Target{port}) {}
  explicit TcpClient(const Target& target) {
    sockaddr_storage address{};
    socklen_t size = 0;
    const bool v6 = target.host.find(':') != std::string::npos;
    if (v6) {
      auto& to = reinterpret_cast<sockaddr_in6&>(address);
      to.sin6_family = AF_INET6;
      to.sin6_port = htons(target.port);
      size = sizeof to;
      if (::inet_pton(AF_INET6, target.host.c_str(), &to.sin6_addr) != 1) throw std::runtime_error("bad address");
    } else {
      auto& to = reinterpret_cast<sockaddr_in&>(address);
      to.sin_family = AF_INET;
      to.sin_port = htons(target.port);
      size = sizeof to;
      if (::inet_pton(AF_INET, target.host.c_str(), &to.sin_addr) != 1) throw std::runtime_error("bad address");
    }
    fd_ = ::socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (target.receive_buffer_bytes != 0) {
      ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &target.receive_buffer_bytes, sizeof target.receive_buffer_bytes);
    }
    const int yes = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
      const std::string why = std::strerror(errno);
      close();
      throw std::runtime_error("can't connect: " + why);
    }
    if (!target.ca_file.empty()) begin_tls(target);
  }
  ~TcpClient() { close(); }
  TcpClient(TcpClient&& other) noexcept
      : received(std::move(other.received)), fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}
  TcpClient& operator=(TcpClient&&) = delete;

  /// Bytes that a server no longer accepts because it has closed are dropped.
  void send(std::string_view bytes) {
    if (!tls_) return send_all(bytes);
    std::string encrypted;
    tls_->send(bytes, encrypted);
    send_all(encrypted);
  }
  /// Without TLS. Sends as much of `bytes` as the socket accepts without blocking; returns the number of bytes.
  std::size_t send_some(std::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }

  /// Receives more input. False at the end of the stream.
  bool receive() {
    const std::size_t before = received.size();
    while (received.size() == before) {
      if (!receive_some()) return false;
    }
    return true;
  }
  std::string to_end() {
    while (receive()) {
    }
    return std::exchange(received, {});
  }
  void end() { ::shutdown(fd_, SHUT_WR); }
  void close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }
  int native() const { return fd_; }
  /// Ends the connection with a reset.
  void reset() {
    const linger hard{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close();
  }

  /// Whether the server has ended TLS before the connection, so that nothing can have been cut off.
  bool tls_ended() const { return tls_ && tls_->peer_finished(); }

  std::string received;

 private:
  void begin_tls(const Target& target) {
    tls_ = flux::transport::make_tls_client(target.host, target.ca_file).value();
    std::string hello;
    tls_->receive({}, received, hello);
    send_all(hello);
    while (!tls_->handshake_done()) {
      if (!receive_some()) throw std::runtime_error("no TLS: " + tls_->error());
    }
  }
  void send_all(std::string_view bytes) {
    while (!bytes.empty()) {
      wait(POLLOUT);
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent < 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// Receives once, which with TLS need not yield input.
  bool receive_some() {
    wait(POLLIN);
    char bytes[64 * 1024];
    const ssize_t size = ::recv(fd_, bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    const std::string_view arrived(bytes, static_cast<std::size_t>(size));
    if (!tls_) {
      received.append(arrived);
      return true;
    }
    std::string answer;
    const bool is_right = tls_->receive(arrived, received, answer);
    send_all(answer);
    return is_right;
  }
  void wait(short event) {
    pollfd waiting{fd_, event, 0};
    const int ready = ::poll(&waiting, 1, static_cast<int>(patience.count()));
    if (ready == 0) throw std::runtime_error("nothing happened in time; so far: " + received.substr(0, 300));
  }

  int fd_ = -1;
  std::unique_ptr<flux::transport::TlsEngine> tls_;  // null: plain
};

// --- HTTP ---

class HttpClient : public TcpClient {
 public:
  using TcpClient::TcpClient;

  /// Incomplete if the stream ends before the reply does.
  HttpReply reply(bool to_head_request = false) { return read_reply(*this, to_head_request); }
  HttpReply request(std::string_view bytes) {
    send(bytes);
    return reply();
  }
};

// --- WebSocket ---

inline std::string handshake(std::string_view path, std::string_view fields = "") {
  return get(path,
             "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
                 std::string(fields));
}

struct ServerFrame {
  flux::transport::Opcode opcode = flux::transport::Opcode::text;
  std::string payload;
  bool final = true;
};

struct Closed {
  int code = 1006;  // 1006: the stream ended without a close frame
  std::string reason;
};

/// A handshake, then frames. Pings are answered unless `answers_pings` is false.
class WebSocketClient {
 public:
  explicit WebSocketClient(std::uint16_t port, std::string_view path = "/live", std::string_view fields = "")
      : WebSocketClient(Target{port}, path, fields) {}
  WebSocketClient(const Target& target, std::string_view path, std::string_view fields = "") : tcp(target) {
    tcp.send(handshake(path, fields));
    upgraded = tcp.reply();
    if (upgraded.status != 101) {
      throw std::runtime_error("the handshake was answered with " + std::to_string(upgraded.status));
    }
  }
  /// Takes over a connection that has already been upgraded.
  explicit WebSocketClient(HttpClient connection) : tcp(std::move(connection)) {}

  void send_text(std::string_view text) { tcp.send(flux::testing::text_frame(std::string(text))); }
  void send_binary(std::string_view bytes) {
    tcp.send(
        flux::testing::ClientFrame{.opcode = flux::transport::Opcode::binary, .payload = std::string(bytes)}.bytes());
  }
  void send_close(int code = 1000, std::string_view reason = {}) {
    tcp.send(flux::testing::ClientFrame{.opcode = flux::transport::Opcode::close,
                                        .payload = flux::testing::close_payload(static_cast<unsigned>(code), reason)}
                 .bytes());
  }

  /// The next frame of any kind; none at the end of the stream.
  std::optional<ServerFrame> frame() {
    for (;;) {
      if (auto whole = take_frame()) return whole;
      if (!tcp.receive()) return std::nullopt;
    }
  }
  /// The next text or binary message. Throws if the server closes instead.
  std::string message() {
    std::string begun;
    while (auto next = frame()) {
      if (next->opcode == flux::transport::Opcode::ping) {
        pong(*next);
      } else if (next->opcode == flux::transport::Opcode::close) {
        note_close(next->payload);
        throw std::runtime_error("closed with " + std::to_string(how_closed.code) + " " + how_closed.reason);
      } else if (next->opcode != flux::transport::Opcode::pong) {
        if (begun.empty() && next->final) return std::move(next->payload);
        begun += next->payload;
        if (next->final) return begun;
      }
    }
    throw std::runtime_error("the connection ended");
  }
  /// Reads to the server's close frame, answers it, and reads to the end of the stream.
  Closed closed() {
    while (how_closed.code == 1006) {
      auto next = frame();
      if (!next) return how_closed;
      if (next->opcode == flux::transport::Opcode::ping) pong(*next);
      if (next->opcode == flux::transport::Opcode::text) before_close.push_back(std::move(next->payload));
      if (next->opcode == flux::transport::Opcode::close) note_close(next->payload);
    }
    tcp.to_end();
    tcp.close();
    return how_closed;
  }

  HttpClient tcp;
  HttpReply upgraded;
  bool answers_pings = true;
  Closed how_closed;
  std::vector<std::string> before_close;  // messages that `closed` read

  /// Records and answers a close frame that `frame` returned.
  void note_close(const std::string& payload) {
    how_closed.code = 1005;
    if (payload.size() >= 2) {
      how_closed.code = static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
      how_closed.reason = payload.substr(2);
    }
    tcp.send(flux::testing::ClientFrame{.opcode = flux::transport::Opcode::close, .payload = payload}.bytes());
  }

 private:
  std::optional<ServerFrame> take_frame() {
    const std::string& in = tcp.received;
    if (in.size() < 2) return std::nullopt;
    const auto byte = [&](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(in[i])); };
    std::uint64_t length = byte(1) & 0x7F;
    std::size_t head = 2;
    if (length >= 126) {
      const std::size_t width = length == 126 ? 2 : 8;
      if (in.size() < 2 + width) return std::nullopt;
      length = 0;
      for (std::size_t i = 0; i < width; ++i) length = length << 8 | byte(2 + i);
      head += width;
    }
    if (in.size() - head < length) return std::nullopt;
    if ((byte(1) & 0x80) != 0 || (byte(0) & 0x70) != 0) throw std::runtime_error("not a frame that a server sends");
    ServerFrame frame{static_cast<flux::transport::Opcode>(byte(0) & 0x0F), in.substr(head, length),
                      (byte(0) & 0x80) != 0};
    tcp.received.erase(0, head + static_cast<std::size_t>(length));
    return frame;
  }
  void pong(const ServerFrame& ping) {
    if (!answers_pings) return;
    tcp.send(flux::testing::ClientFrame{.opcode = flux::transport::Opcode::pong, .payload = ping.payload}.bytes());
  }
};

/// How the server closes a connection to `path`.
inline Closed how_closed(std::uint16_t port, std::string_view path, std::string_view fields = "") {
  return WebSocketClient(port, path, fields).closed();
}

// --- Protocol live ---

inline std::string text_at(const flux::JsonText& json, std::string_view pointer) {
  return json.get<std::string>(pointer).value_or("(none)");
}
inline std::int64_t number_at(const flux::JsonText& json, std::string_view pointer) {
  return json.get<std::int64_t>(pointer).value_or(-1);
}
inline std::string type_of(const flux::JsonText& json) { return text_at(json, "/type"); }
/// The code of an error; "(none)" if it is not an error.
inline std::string code_of(const flux::JsonText& json) {
  return type_of(json) == "error" ? text_at(json, "/payload/code") : "(none)";
}

class LiveClient : public WebSocketClient {
 public:
  explicit LiveClient(std::uint16_t port, std::string_view path = "/live", std::string_view fields = "")
      : WebSocketClient(port, path, fields) {}
  LiveClient(const Target& target, std::string_view path, std::string_view fields = "")
      : WebSocketClient(target, path, fields) {}
  using WebSocketClient::WebSocketClient;

  void send(std::string_view type, std::string_view payload = "{}", std::string_view request_id = "") {
    std::string text = "{\"type\":\"" + std::string(type) + "\",";
    if (!request_id.empty()) text += "\"id\":\"" + std::string(request_id) + "\",";
    send_text(text + "\"payload\":" + std::string(payload) + "}");
  }

  /// The next message, beginning with those that were set aside.
  flux::JsonText next() {
    if (aside_.empty()) return fresh();
    auto first = std::move(aside_.front());
    aside_.pop_front();
    return first;
  }
  /// The next message of this type; earlier ones are dropped.
  flux::JsonText next(std::string_view type) {
    for (;;) {
      auto message = next();
      if (type_of(message) == type) return message;
    }
  }
  /// Sends a request and returns its reply, an ack or an error; messages received before it are set aside.
  flux::JsonText request(std::string_view type, std::string_view payload = "{}") {
    const std::string request_id = "r" + std::to_string(++requests_);
    send(type, payload, request_id);
    for (;;) {
      auto message = fresh();
      if (text_at(message, "/id") == request_id) return message;
      aside_.push_back(std::move(message));
    }
  }
  /// Joins and returns the welcome; throws if the room refuses.
  flux::JsonText join(std::string_view room, std::string_view members = "") {
    std::string payload = "{\"roomId\":\"" + std::string(room) + "\"";
    if (!members.empty()) payload.append(",").append(members);
    send("join_room", payload + "}");
    for (;;) {
      auto message = fresh();
      if (type_of(message) == "room_joined" && text_at(message, "/payload/roomId") == room) {
        id = text_at(message, "/payload/connectionId");
        return message;
      }
      if (type_of(message) == "error") throw std::runtime_error("join: " + message.text());
      aside_.push_back(std::move(message));
    }
  }
  /// All messages received so far: sends a request and reads up to its reply.
  std::vector<flux::JsonText> so_far() {
    request("leave_room", R"({"roomId":"a room that nobody is in"})");
    std::vector<flux::JsonText> all(aside_.begin(), aside_.end());
    aside_.clear();
    return all;
  }

  std::string id;  // the connectionId, known after joining

 private:
  flux::JsonText fresh() { return flux::JsonText::parse(message()).value(); }

  std::deque<flux::JsonText> aside_;
  int requests_ = 0;
};

}  // namespace flux_test
