// One Socket.IO connection: turns its packets into calls of its sockets in namespaces.
#pragma once

#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/endpoints/socketio/socketio_namespace.hpp>
#include <flux/detail/mode.hpp>
#include <flux/socketio.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {

class SocketIoServer;

/// One connection and its sockets. Threading: the session's loop.
class SocketIoClient final : public EngineIoClient, public std::enable_shared_from_this<SocketIoClient> {
 public:
  SocketIoClient(SocketIoServer& server, EngineIoSession& session, std::shared_ptr<const EngineIoOpening> opening);

  /// Called once, after construction.
  void start();
  FLUX_DECL void on_message(std::string_view message, bool binary, std::string* owner) override;
  FLUX_DECL void on_transport_changed() override;
  FLUX_DECL void on_drained() override;
  FLUX_DECL void on_closing() override;
  FLUX_DECL void on_close(EndReason reason) override;
  /// The socket has left its namespace.
  void forget(const std::shared_ptr<SocketIoSocket>& socket);
  /// Sends every socket a DISCONNECT packet, then ends the connection.
  FLUX_DECL void disconnect() override;
  void end_access() override { disconnect(); }

 private:
  using Timer = std::optional<core::TimerQueue::Id>;
  /// The state of a client that is not idle.
  struct Unfinished {
    explicit Unfinished(const protocol::SocketIoLimits& limits) : decoder(limits) {}
    protocol::SocketIoDecoder decoder;
    Timer timer;            // while attachments are due
    std::size_t bytes = 0;  // of the next one, received before the timer was started
  };

  struct LongPacket;

  void came(const Result<bool>& whole);
  void read_aside(std::string text, std::size_t begin);
  void came_aside(LongPacket& packet);
  /// `arguments`: the packet's, if they have been parsed already; they are moved from. Null if not.
  void handle(const protocol::SocketIoDecoder& decoder, socketio::Args* arguments);
  void connect(const protocol::SocketIoPacket& packet);
  bool recover(const std::shared_ptr<SocketIoSocket>& asked);
  std::shared_ptr<SocketIoSocket> make_socket(const std::shared_ptr<SocketIoNamespace>& nsp, std::string id,
                                              std::shared_ptr<const JsonText> auth);
  class Shown;
  class Sender;
  void ask_gate(const std::shared_ptr<SocketIoSocket>& socket);
  void ask_middlewares(const std::shared_ptr<SocketIoSocket>& socket, std::size_t index);
  void admit(const std::shared_ptr<SocketIoSocket>& socket);
  void welcome(const std::shared_ptr<SocketIoSocket>& socket, const std::vector<protocol::SocketIoMessagePtr>& missed);
  void reject(const std::shared_ptr<SocketIoSocket>& socket, const std::string& message,
              const std::optional<JsonText>& data);
  void refuse(const std::shared_ptr<SocketIoSocket>& socket, const Error& why);
  std::shared_ptr<SocketIoSocket> socket_in(std::string_view nsp) const;
  bool has(const std::shared_ptr<SocketIoSocket>& socket) const;
  void withdraw(const std::shared_ptr<SocketIoSocket>& socket);
  void send(const Result<protocol::SocketIoMessagePtr>& message);
  void close_after(Timer& timer, std::chrono::milliseconds time, EndReason reason);
  void await_attachments();
  void stop(Timer& timer);

  SocketIoServer& server_;
  EngineIoSession& session_;
  const std::shared_ptr<const EngineIoOpening> opening_;
  std::unique_ptr<Unfinished> unfinished_;                // while a packet is incomplete
  std::vector<std::shared_ptr<SocketIoSocket>> sockets_;  // connected, or waiting for middlewares
  std::size_t withdrawn_ = 0;                             // sockets replaced before their middlewares have answered
  Timer connect_timer_;                                   // until it is in a namespace
  bool was_here_ = false;  // has joined a namespace before: the first CONNECT does not count for the rate
  bool closed_ = false;
};

}  // namespace flux::detail
