#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "frame.hpp"

namespace flux::bench {

/// A file descriptor and its owner.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : value_(other.value_) { other.value_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  int get() const { return value_; }
  void reset();

 private:
  int value_;
};

struct Target {
  std::string host;  ///< an IPv4 address
  std::uint16_t port;
  std::string path;
};

/// Many WebSocket client connections to one server, driven by one thread on epoll: as little client as possible, so
/// that what is measured is the server.
class Swarm {
 public:
  using Clock = std::chrono::steady_clock;
  /// Gets each text or binary message. The text is only valid during the call, which may call send().
  using MessageHandler = std::function<void(std::size_t connection, std::string_view message)>;

  struct Counters {
    std::uint64_t frames = 0;         ///< text and binary messages received
    std::uint64_t payload_bytes = 0;  ///< of those, without frame heads
  };

  /// Errors: throws std::runtime_error where the limit of open files is too low for `connections`.
  Swarm(Target target, std::size_t connections);

  /// Connects and completes all handshakes, 64 at a time so that no accept queue overflows.
  /// Errors: throws std::runtime_error for a refusal, or when nothing happens for five seconds.
  void open();

  void on_message(MessageHandler handler) { handler_ = std::move(handler); }

  /// Queues a masked text frame. It leaves with flush(), or when the message handler for this connection returns.
  void send(std::size_t connection, std::string_view text);
  void flush(std::size_t connection);

  /// Waits at most `timeout` for something to arrive and handles it. Returns whether anything did.
  bool turn(std::chrono::milliseconds timeout);
  /// Turns until nothing has arrived for 300 ms.
  void settle();

  std::size_t size() const { return connections_.size(); }
  std::size_t closed() const { return closed_; }
  /// Why the first connection was closed; empty while all are open.
  const std::string& close_reason() const { return close_reason_; }
  const Counters& counters() const { return counters_; }

 private:
  struct Connection {
    Descriptor socket;
    std::string input;  ///< the remainder of an unfinished handshake or frame
    std::string output;
    std::size_t output_sent = 0;
    bool upgraded = false;
    bool waits_for_write = false;
  };

  void connect(std::size_t connection);
  void readable(std::size_t index);
  bool receive(std::size_t index, std::string_view data);
  std::size_t upgrade(Connection& connection, std::string_view data);
  std::size_t consume_frames(std::size_t index, std::string_view data);
  void handle(std::size_t index, Opcode opcode, std::string_view payload);
  void watch_writes(std::size_t index, bool wanted);
  void close(std::size_t index, std::string reason);

  Target target_;
  Descriptor epoll_;
  std::vector<Connection> connections_;
  std::vector<char> receive_buffer_;
  MessageHandler handler_;
  Counters counters_;
  std::size_t upgraded_ = 0;
  std::size_t closed_ = 0;
  std::string close_reason_;
};

}  // namespace flux::bench
