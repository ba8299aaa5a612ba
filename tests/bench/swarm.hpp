#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "sockets.hpp"

namespace flux::bench {

/// How to read a client's text messages.
enum class Dialect {
  plain,     ///< each is an application message
  socketio,  ///< each is an Engine.IO packet: the client connects to the main namespace, answers pings, and passes on
             /// the rest
};

/// Many clients of one server, over WebSocket or HTTP.
class Swarm {
 public:
  using Clock = Sockets::Clock;
  /// Receives each message: with Socket.IO, the whole packet (`42["event",…]`). The text is only valid during the call,
  /// which may call send().
  using MessageHandler = std::function<void(std::size_t client, std::string_view message)>;

  struct Counters {
    std::uint64_t frames = 0;         ///< messages received
    std::uint64_t payload_bytes = 0;  ///< of those, without frame heads
  };

  virtual ~Swarm() = default;
  Swarm(const Swarm&) = delete;
  Swarm& operator=(const Swarm&) = delete;

  /// Connects and completes all handshakes, 64 at a time so that no accept queue overflows.
  /// Errors: throws std::runtime_error on a refusal, or if nothing happens for five seconds.
  void open();

  void on_message(MessageHandler handler) { handler_ = std::move(handler); }

  /// Queues a text message. It is sent by flush(), or when the message handler of this client returns.
  virtual void send(std::size_t client, std::string_view text) = 0;
  virtual void flush(std::size_t client) = 0;

  /// Waits at most `timeout` for input and handles it. Returns whether there was any.
  bool turn(std::chrono::milliseconds timeout) { return sockets_.turn(timeout); }
  /// Turns until nothing has arrived for 300 ms.
  void settle() { sockets_.settle(); }

  std::size_t size() const { return clients_; }
  std::size_t closed() const { return sockets_.closed(); }
  /// Why the first connection was closed; empty while all are open.
  const std::string& close_reason() const { return sockets_.close_reason(); }
  const Counters& counters() const { return counters_; }

 protected:
  Swarm(std::size_t clients, std::size_t sockets_of_each, Dialect dialect);

  Sockets& sockets() { return sockets_; }

  /// Connects `client` and sends its handshake.
  virtual void begin(std::size_t client) = 0;
  /// As Sockets::Consumer.
  virtual std::size_t consume(std::size_t socket, std::string_view data) = 0;

  /// To be called when the transport's handshake is complete.
  void connected();
  /// To be called for each text message received.
  void received(std::size_t client, std::string_view text);

 private:
  void receive_packet(std::size_t client, std::string_view packet);
  void hand_on(std::size_t client, std::string_view message);

  std::size_t clients_;
  Dialect dialect_;
  Sockets sockets_;
  MessageHandler handler_;
  Counters counters_;
  std::size_t ready_ = 0;
};

}  // namespace flux::bench
