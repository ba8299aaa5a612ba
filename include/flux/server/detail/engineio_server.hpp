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
  EngineIoOpening(const transport::HttpHead& head, std::string_view remote_address);
  std::string_view query() const noexcept { return std::string_view(text_).substr(0, query_end_); }
  std::string_view remote_address() const noexcept {
    return std::string_view(text_).substr(query_end_, fields_begin_ - query_end_);
  }
  /// The first of that name, whatever its case. Those of the WebSocket handshake are not kept.
  std::optional<std::string_view> header(std::string_view name) const;
  HttpFields headers() const;

 private:
  std::string_view fields() const noexcept { return std::string_view(text_).substr(fields_begin_); }

  std::string text_;  // the query, the address, and of each field its name, NUL, its value, NUL
  std::size_t query_end_;
  std::size_t fields_begin_;
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
    std::unordered_map<std::string_view, std::shared_ptr<EngineIoSession>> sessions;  // by their own sid
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
