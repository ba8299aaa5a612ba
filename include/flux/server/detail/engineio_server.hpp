// An Engine.IO endpoint: its sessions, and the way of requests to them.
#pragma once

#include <flux/engineio.hpp>
#include <flux/server/detail/engineio_session.hpp>
#include <flux/transport/detail/http_connection.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flux::detail {

/// What the request that opened a session said. Immutable, and small: idle clients keep it.
class EngineIoOpening {
 public:
  EngineIoOpening(const transport::HttpHead& head, std::string remote_address);
  const std::string& query() const noexcept { return query_; }
  const std::string& remote_address() const noexcept { return remote_address_; }
  /// The first of that name, whatever its case.
  std::optional<std::string_view> header(std::string_view name) const;
  HttpFields headers() const;

 private:
  std::string query_;
  std::string remote_address_;
  std::string fields_;  // name, NUL, value, NUL, and so on
};

/// What the loop of a session has for a WebSocket that comes from another one.
struct EngineIoHome {
  transport::ConnectionGroup& connections;
  transport::WebSocketService& websockets;
};

/// Threading: any thread.
class EngineIoServer {
 public:
  /// Makes what speaks over a session; called on the session's loop once it is open.
  using Factory =
      std::function<std::shared_ptr<EngineIoClient>(EngineIoSession&, std::shared_ptr<const EngineIoOpening>)>;
  /// Called on that loop; null where it takes no more connections.
  using HomeFinder = std::function<std::optional<EngineIoHome>(const core::Loop&)>;

  /// Errors: throws `Error` (bad_config).
  EngineIoServer(Hub& hub, engineio::Options options, Factory factory);
  /// Before the start.
  void set_homes(HomeFinder homes) { homes_ = std::move(homes); }

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
  /// Leaves none behind on this loop, which ends. On it.
  void end(const core::Loop& loop);
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
  std::vector<std::shared_ptr<EngineIoSession>> all();
  /// Null where there are too many.
  std::shared_ptr<EngineIoSession> make(std::shared_ptr<core::Loop> loop, bool base64);
  void bring_over(const std::shared_ptr<transport::HttpConnection>& http, std::string answer,
                  const std::shared_ptr<EngineIoSession>& session);
  void serve_post(const HttpExchange& exchange, const std::shared_ptr<EngineIoSession>& session);

  Hub& hub_;
  const engineio::Options options_;
  const Factory factory_;
  HomeFinder homes_;
  std::atomic<std::size_t> count_{0};
  std::array<Shard, 16> shards_;
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/server/engineio_server.ipp>
#endif
