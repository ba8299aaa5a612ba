// A wire protocol at its paths, as the server sees it.
#pragma once

#include <flux/detail/core/grant_holder.hpp>
#include <flux/detail/core/listed_client.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/transport/http_connection.hpp>
#include <flux/detail/transport/router.hpp>
#include <flux/detail/transport/websocket_stream.hpp>
#include <flux/error.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::endpoints {

/// What the connections of one event loop share.
struct LoopHome {
  transport::ConnectionGroup& connections;
  transport::WebSocketService& websockets;
};

/// Returns the home of a loop's connections. Called on that loop; none if the loop accepts no new connections.
using Homes = std::function<std::optional<LoopHome>(const core::Loop&)>;

/// The server holds a list of endpoints and calls each at the points below. An endpoint is added while the server does
/// not run, and lives as long as the server.
///
/// Order: `check` and `add_routes` once, when the endpoint is added; then for each life of the server `start`, any
/// number of requests and handshakes, `stop` once, and `end` once on each loop.
class Endpoint {
 public:
  Endpoint() = default;
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  virtual ~Endpoint() = default;

  /// The paths of its WebSocket handshakes, matched exactly. Never changes.
  virtual std::vector<std::string> websocket_paths() const { return {}; }
  /// Checks its options. Errors: throws `Error` (bad_config).
  virtual void check() const {}
  /// Adds the HTTP requests that it answers. Errors: throws `Error` (bad_config) if a path is taken.
  virtual void add_routes(transport::Router&) {}

  /// The server starts; no loop runs yet.
  virtual void start(const Homes&) {}
  /// Answers a WebSocket handshake at one of its paths, now or later. The origin has been checked. On the connection's
  /// loop.
  virtual void upgrade(const std::shared_ptr<transport::HttpConnection>&, const transport::HttpHead&,
                       transport::WebSocketService&) {}
  /// Its connected clients that are not in the directory of sessions: at most `limit` after the one with the id
  /// `after`, which may have disconnected; empty: from the first one. Threading: any thread.
  virtual std::vector<core::ListedClient> clients(std::string_view, std::size_t) const { return {}; }
  /// Ends the connection of the client that `clients` lists with this id, with the code and the reason if its protocol
  /// has them. Returns false if there is no such client. Threading: any thread.
  virtual bool disconnect(std::string_view, CloseCode, std::string_view) { return false; }
  /// Returns the holder through which the access of the client is ended that `clients` lists with this id; null if there is
  /// no such client. Threading: any thread.
  virtual std::shared_ptr<core::GrantHolder> holder(std::string_view) { return nullptr; }
  /// The key of the session of the client that this endpoint's protocol knows by the id; none if there is no such client.
  /// Threading: any thread.
  virtual std::optional<std::uint64_t> session_key(std::string_view) const { return std::nullopt; }
  /// The server begins to stop: closes the sessions that own no connection. The server itself tells every connection.
  /// Threading: any thread.
  virtual void stop() {}
  /// The loop ends: no session of this endpoint is left on it. The connections of the loop are already closed. On that
  /// loop.
  virtual void end(const core::Loop&) {}
};

}  // namespace flux::endpoints
