// One Socket.IO connection: its packets become calls of the sockets that it has in namespaces.
#pragma once

#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/endpoints/socketio/socketio_namespace.hpp>
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

/// One connection: packets in, and the sockets that it has in namespaces. The session's loop.
class SocketIoClient final : public EngineIoClient, public std::enable_shared_from_this<SocketIoClient> {
 public:
  SocketIoClient(SocketIoServer& server, EngineIoSession& session, std::shared_ptr<const EngineIoOpening> opening);

  /// Once, when it is made.
  void start();
  void on_message(std::string_view message, bool binary, std::string* owner) override;
  void on_transport_changed() override;
  void on_drained() override;
  void on_closing() override;
  void on_close(EndReason reason) override;
  /// The socket has left its namespace.
  void forget(const std::shared_ptr<SocketIoSocket>& socket);
  /// Every socket is told, then the connection ends.
  void disconnect();

 private:
  using Timer = std::optional<core::TimerQueue::Id>;
  /// Of a client that is not idle.
  struct Unfinished {
    explicit Unfinished(const protocol::SocketIoLimits& limits) : decoder(limits) {}
    protocol::SocketIoDecoder decoder;
    Timer timer;            // while attachments are due
    std::size_t bytes = 0;  // that had come of the next one when the timer began
  };

  struct LongPacket;

  void came(const Result<bool>& whole);
  void read_aside(std::string text, std::size_t begin);
  void came_aside(LongPacket& packet);
  /// `arguments`: where they have been made already; they may be moved from there.
  void handle(const protocol::SocketIoDecoder& decoder, socketio::Args* arguments);
  void connect(const protocol::SocketIoPacket& packet);
  bool recover(const std::shared_ptr<SocketIoSocket>& asked);
  std::shared_ptr<SocketIoSocket> make_socket(const std::shared_ptr<SocketIoNamespace>& nsp, std::string id,
                                              std::shared_ptr<const JsonText> auth);
  class Shown;
  void ask_gate(const std::shared_ptr<SocketIoSocket>& socket);
  void ask_middlewares(const std::shared_ptr<SocketIoSocket>& socket, std::size_t index);
  void admit(const std::shared_ptr<SocketIoSocket>& socket);
  void welcome(const std::shared_ptr<SocketIoSocket>& socket, const std::vector<protocol::SocketIoMessagePtr>& missed);
  void reject(const std::shared_ptr<SocketIoSocket>& socket, const std::string& message,
              const std::optional<JsonText>& data);
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
  std::unique_ptr<Unfinished> unfinished_;                // while a packet is
  std::vector<std::shared_ptr<SocketIoSocket>> sockets_;  // connected, or being asked about
  std::size_t withdrawn_ = 0;                             // whose middlewares have not answered yet
  Timer connect_timer_;                                   // until it is in a namespace
  bool was_here_ = false;  // has asked for a namespace: the first one is not counted for the rate
  bool closed_ = false;
};

}  // namespace flux::detail
