#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "descriptor.hpp"

namespace flux::bench {

struct Target {
  std::string host;  ///< an IPv4 address
  std::uint16_t port;
  std::string path;
  std::string fields = {};  ///< header fields of a WebSocket handshake besides the required ones, each with its CR LF
};

/// Many TCP connections to one server, driven by one thread on epoll: as little client as possible, so that the server
/// is what is measured.
class Sockets {
 public:
  using Clock = std::chrono::steady_clock;
  /// Receives the bytes that arrived and were not consumed before. Returns how many of them it consumes; the rest is
  /// passed again, with what follows. It may append to the output of this socket, which is flushed when it returns.
  using Consumer = std::function<std::size_t(std::size_t index, std::string_view data)>;

  /// Errors: throws std::runtime_error if the limit of open files is too low for `count`.
  Sockets(std::size_t count, Consumer consume);

  void connect(std::size_t index, const Target& target);
  /// The output buffer; flush() sends it.
  std::string& output(std::size_t index) { return connections_[index].output; }
  void flush(std::size_t index);
  void close(std::size_t index, std::string reason);

  /// Waits at most `timeout` for input and handles it. Returns whether there was any.
  bool turn(std::chrono::milliseconds timeout);
  /// Turns until nothing has arrived for 300 ms.
  void settle();

  std::size_t closed() const { return closed_; }
  /// Why the first connection was closed; empty while all are open.
  const std::string& close_reason() const { return close_reason_; }

 private:
  struct Connection {
    Descriptor socket;
    std::string input;  ///< bytes that the consumer has not consumed
    std::string output;
    std::size_t output_sent = 0;
    bool waits_for_write = false;
  };

  void readable(std::size_t index);
  bool receive(std::size_t index, std::string_view data);
  void watch_writes(std::size_t index, bool wanted);

  Consumer consume_;
  Descriptor epoll_;
  std::vector<Connection> connections_;
  std::vector<char> receive_buffer_;
  std::size_t closed_ = 0;
  std::string close_reason_;
};

}  // namespace flux::bench
