// An Engine.IO endpoint: its sessions, and the way of requests to them.
#pragma once

#include <flux/engineio.hpp>
#include <flux/server/detail/engineio_session.hpp>
#include <flux/transport/detail/http_connection.hpp>

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace flux::detail {

/// What a request to open a session says; for handshake data and middlewares.
struct EngineIoOpening {
  std::string query;
  std::string remote_address;
  HttpFields headers;
};

/// Threading: any thread.
class EngineIoServer {
 public:
  /// Makes what speaks over a session; called on the session's loop once it is open.
  using Factory = std::function<std::unique_ptr<EngineIoClient>(EngineIoSession&, EngineIoOpening)>;

  EngineIoServer(Hub& hub, engineio::Options options, Factory factory);

  const engineio::Options& options() const noexcept { return options_; }
  protocol::EngineIoLimits limits() const { return {options_.payload_bytes_max, 131'072}; }
  Hub& hub() noexcept { return hub_; }

  /// A GET, POST or OPTIONS. On the connection's loop.
  void serve(const HttpExchange& exchange);
  /// A WebSocket handshake that has been let in. On the connection's loop.
  void upgrade(const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
               transport::WebSocketService& websockets);
  /// Closes every session: the server stops.
  void stop();
  void forget(const std::string& sid);
  void refuse(const HttpExchange& exchange, protocol::EngineIoRefusal refusal) const;
  /// What lets pages of other origins read the answer.
  HttpFields cors(const HttpExchange& exchange) const;

 private:
  struct Shard {
    std::mutex mutex;
    std::unordered_map<std::string, std::shared_ptr<EngineIoSession>> sessions;
  };

  Shard& shard(const std::string& sid) { return shards_[std::hash<std::string>{}(sid) % shards_.size()]; }
  std::shared_ptr<EngineIoSession> find(const std::string& sid);
  std::shared_ptr<EngineIoSession> make(std::shared_ptr<core::Loop> loop, bool base64);
  void serve_post(const HttpExchange& exchange, const std::shared_ptr<EngineIoSession>& session);

  Hub& hub_;
  const engineio::Options options_;
  const Factory factory_;
  std::array<Shard, 16> shards_;
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/server/engineio_server.ipp>
#endif
