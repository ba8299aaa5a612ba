// Engine.IO 4: messages over HTTP long-polling and WebSocket, with an upgrade from one to the other. What Socket.IO runs
// on; of use by itself to applications whose clients speak engine.io-client. Source: the Engine.IO protocol, version 4.
#pragma once

#include <flux/server.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {
class EngineIoSession;
}

namespace flux::engineio {

struct Options {
  std::string path = "/engine.io/";
  std::chrono::milliseconds ping_interval{25'000};
  std::chrono::milliseconds ping_timeout{20'000};  ///< without a pong: closed
  std::size_t payload_bytes_max = 1'000'000;       ///< of a POST, and of a WebSocket message; clients know it as maxPayload
  std::chrono::milliseconds upgrade_timeout{10'000};  ///< for the upgrade to WebSocket
  bool polling = true;
  bool websocket = true;
  /// Origins whose pages may use long-polling (CORS): `*`, or some; none: no cross-origin access. WebSockets of pages are
  /// held to `Config::origins`.
  std::vector<std::string> cors_origins = {"*"};
};

/// One client. A handle, as `WebSocket` is. Threading: any thread.
class Socket {
 public:
  explicit Socket(std::shared_ptr<detail::EngineIoSession> session) : session_(std::move(session)) {}
  /// The session id.
  std::string id() const;
  /// Text must be valid UTF-8 without U+001E.
  void send(std::string_view message, MessageType type = MessageType::text) const;
  void close() const;
  friend bool operator==(const Socket&, const Socket&) = default;

 private:
  std::shared_ptr<detail::EngineIoSession> session_;
};

/// Called on the client's event loop, one at a time for each client.
struct Endpoint {
  std::function<void(const Socket&)> on_open;
  std::function<void(const Socket&, std::string_view message, MessageType type)> on_message;
  /// `reason` as engine.io words it: "transport close", "transport error", "ping timeout", "forced close", "parse error".
  std::function<void(const Socket&, std::string_view reason)> on_close;
};

/// Serves an Engine.IO endpoint. Before the start. Errors: throws `Error` (bad_config, already_running).
void serve(Server& server, Endpoint endpoint, Options options = {});

}  // namespace flux::engineio

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/engineio.ipp>
#endif
