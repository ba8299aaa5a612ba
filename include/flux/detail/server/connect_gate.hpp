// The way from an HTTP upgrade request to a session: origin, identity, agreement on subprotocol and compression.
#pragma once

#include <flux/detail/gate/origin.hpp>
#include <flux/detail/server/hub.hpp>
#include <flux/detail/transport/http_connection.hpp>
#include <flux/detail/transport/websocket_stream.hpp>

#include <map>
#include <memory>
#include <string>

namespace flux::detail {

class EngineIoServer;

/// Endpoints by their path.
struct WebSocketEndpoints {
  std::map<std::string, WebSocketEndpoint> raw;
  std::map<std::string, EngineIoServer*> engineio;
};

/// The answer to a handshake that is let in.
struct WebSocketAnswer {
  std::string head;
  int deflate_window_bits;  // 0: no compression
};
/// `deflate`: agree on compression where the server does and the client offers it.
WebSocketAnswer answer_websocket(const Config& config, const transport::HttpHead& head, const std::string& subprotocol,
                                 bool deflate);

/// The first that the client offers, for browsers take no answer without one of theirs; empty: it offers none.
std::string first_subprotocol(const transport::HttpHead& head);

/// Threading: the loop of the connection.
class ConnectGate {
 public:
  /// All of them outlive the gate.
  ConnectGate(Hub& hub, const WebSocketEndpoints& endpoints, transport::WebSocketService& websockets);

  /// Whether there is a WebSocket endpoint at `path`.
  bool serves(const std::string& path) const;
  /// Answers the handshake, now or when the application has.
  void upgrade(const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head);

 private:
  /// A handshake that is permitted, but for what the application says.
  struct Handshake {
    std::shared_ptr<transport::HttpConnection> http;
    transport::HttpHead head;
    const WebSocketEndpoint* endpoint;  // null: protocol live
  };

  void ask(const std::shared_ptr<Handshake>& handshake);
  void refuse(Handshake& handshake, const Error& why);
  /// `grant`: null: an empty one.
  void admit(Handshake& handshake, std::shared_ptr<const Grant> grant);
  std::string choose_subprotocol(const Handshake& handshake) const;

  Hub& hub_;
  const WebSocketEndpoints& endpoints_;
  transport::WebSocketService& websockets_;
};

}  // namespace flux::detail
