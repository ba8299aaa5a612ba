// An Engine.IO endpoint: its sessions, and the dispatch of requests to them.
#pragma once

#include <flux/detail/core/reclaimer.hpp>
#include <flux/detail/core/side_thread.hpp>
#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/socketio/engineio_opening.hpp>
#include <flux/detail/endpoints/socketio/engineio_pollers.hpp>
#include <flux/detail/endpoints/socketio/engineio_session.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_connection.hpp>
#include <flux/engineio.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

namespace flux::detail {

/// Sessions by their own sids.
struct EngineIoBySid {
  using is_transparent = void;
  static std::string_view sid(const std::shared_ptr<EngineIoSession>& session) noexcept { return session->sid(); }
  static std::string_view sid(std::string_view sid) noexcept { return sid; }
  std::size_t operator()(const auto& of) const noexcept { return std::hash<std::string_view>{}(sid(of)); }
  bool operator()(const auto& a, const auto& b) const noexcept { return sid(a) == sid(b); }
};

/// Collects the body of a POST; large bodies are freed on the reclaimer's thread.
struct EngineIoPost;

/// Threading: any thread.
class EngineIoServer : public endpoints::Endpoint {
 public:
  /// Creates the client object of a session; called on the session's loop once it is open.
  using Factory =
      std::function<std::shared_ptr<EngineIoClient>(EngineIoSession&, std::shared_ptr<const EngineIoOpening>)>;

  /// `protocol`: a literal, named as in `ConnectedClient::protocol`. Errors: throws `Error` (bad_config).
  EngineIoServer(Hub& hub, std::string_view protocol, engineio::Options options, Factory factory);

  const engineio::Options& options() const noexcept { return options_; }
  /// The limit of a POST's body: the longest message as base64, and room for the packets around it.
  std::size_t post_bytes_max() const noexcept { return post_bytes_max_; }
  protocol::EngineIoLimits limits() const { return {post_bytes_max_, 131'072, options_.payload_bytes_max}; }
  Hub& hub() noexcept { return hub_; }
  const std::shared_ptr<core::Reclaimer>& reclaimer() const noexcept { return reclaimer_; }
  /// Parses long texts.
  core::SideThread& aside() noexcept { return aside_; }

  /// A GET, POST or OPTIONS. On the connection's loop.
  void serve(const HttpExchange& exchange);

  /// With a slash at the end, and without.
  FLUX_DECL std::vector<std::string> websocket_paths() const override;
  FLUX_DECL void add_routes(transport::Router& router) override;
  void start(const endpoints::Homes& homes) override { homes_ = homes; }
  FLUX_DECL void upgrade(const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
                         transport::WebSocketService& websockets) override;
  FLUX_DECL std::vector<core::ListedClient> clients(std::string_view after, std::size_t limit) const override;
  FLUX_DECL std::shared_ptr<core::GrantHolder> holder(std::string_view sid) override;
  FLUX_DECL bool disconnect(std::string_view sid, CloseCode code, std::string_view reason) override;
  FLUX_DECL void stop() override;
  FLUX_DECL void end(const core::Loop& loop) override;

  void forget(std::string_view sid);
  void refuse(const HttpExchange& exchange, protocol::EngineIoRefusal refusal) const;
  /// The header fields that let pages of other origins read the answer.
  HttpFields cors(const HttpExchange& exchange) const;
  /// The same, and a field that keeps the answer out of caches.
  HttpFields answer_fields(const HttpExchange& exchange) const;

 private:
  using GrantPtr = std::shared_ptr<const Grant>;  // null: an empty one
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_set<std::shared_ptr<EngineIoSession>, EngineIoBySid, EngineIoBySid> sessions;
  };

  std::size_t shard_index(std::string_view sid) const { return std::hash<std::string_view>{}(sid) % shards_.size(); }
  Shard& shard(std::string_view sid) { return shards_[shard_index(sid)]; }
  std::shared_ptr<EngineIoSession> find(std::string_view sid);
  std::vector<std::shared_ptr<EngineIoSession>> all();
  /// Null if there are too many.
  std::shared_ptr<EngineIoSession> make(std::shared_ptr<core::Loop> loop, bool base64);
  /// The client object of a session. The session gets the grant.
  std::shared_ptr<EngineIoClient> client_of(EngineIoSession& session, std::shared_ptr<const EngineIoOpening> opening,
                                            GrantPtr grant);
  std::shared_ptr<const EngineIoOpening> open_with(const transport::HttpHead& head, std::string_view remote_address);
  void bring_over(const std::shared_ptr<transport::HttpConnection>& http, std::string answer,
                  const std::shared_ptr<EngineIoSession>& session, int tries = 10);
  /// The limit of a message on a session's WebSocket; with base64 the session checks the decoded size itself.
  std::size_t frame_bytes_max(const EngineIoSession& session) const noexcept {
    return session.base64() ? post_bytes_max_ : options_.payload_bytes_max;
  }
  // A new client: asks the gate where the endpoint is authenticated, then opens its session.
  void let_in(const HttpExchange& exchange, bool base64);
  void open_polling(const HttpExchange& exchange, bool base64, GrantPtr grant);
  void let_in(const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
              const std::string& answer, bool base64, transport::WebSocketService& websockets);
  void open_websocket(const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
                      const std::string& answer, bool base64, transport::WebSocketService& websockets, GrantPtr grant);
  void serve_post(const HttpExchange& exchange, const std::shared_ptr<EngineIoSession>& session);
  void take_post(const HttpExchange& exchange, const std::shared_ptr<EngineIoPost>& post);
  /// Ends the session of a request that has just been answered, and keeps `post` until then.
  static void close_behind(const HttpExchange& exchange, const std::shared_ptr<EngineIoSession>& session,
                           EndReason reason, const std::shared_ptr<EngineIoPost>& post = nullptr);

  Hub& hub_;
  const std::string_view protocol_;
  const engineio::Options options_;
  const std::size_t post_bytes_max_;
  const Factory factory_;
  const std::shared_ptr<core::Reclaimer> reclaimer_ = std::make_shared<core::Reclaimer>();
  const std::shared_ptr<EngineIoPollers> pollers_;
  EngineIoCommonFields common_fields_;
  endpoints::Homes homes_;
  std::atomic<std::size_t> count_{0};
  std::array<Shard, 16> shards_;
  core::SideThread aside_;
};

}  // namespace flux::detail
