// A Socket.IO endpoint and its namespaces.
#pragma once

#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/endpoints/socketio/socketio_namespace.hpp>
#include <flux/socketio.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {

/// The state behind `socketio::Io`. Threading: any thread. Functions that handles may call after the server's end do
/// not use the server.
class SocketIoServer {
 public:
  SocketIoServer(Hub& hub, socketio::Options options);

  const socketio::Options& options() const noexcept { return *options_; }
  Hub& hub() noexcept { return hub_; }
  EngineIoServer& engine() noexcept { return engine_; }
  /// Whether this is the first call.
  bool begin_sharing() noexcept { return !shares_.exchange(true); }
  const protocol::SocketIoLimits& packet_limits() const noexcept { return packet_limits_; }
  /// `{}`, shared by all clients without an auth payload.
  const std::shared_ptr<const JsonText>& no_auth() const noexcept { return no_auth_; }

  /// Creates the namespace if it does not exist. Errors: throws `Error` (bad_config).
  std::shared_ptr<SocketIoNamespace> of(const std::string& name);
  void of(std::function<bool(std::string_view, const JsonText&)> matches,
          std::function<void(socketio::Namespace)> made);
  /// Adds a user to the namespace of that name. Null if there is none, and no predicate accepts the name.
  std::shared_ptr<SocketIoNamespace> take(std::string_view name, const JsonText& auth);
  /// The server is being destroyed; handles may keep this object longer.
  void end();
  /// Removes a user.
  void release(const std::shared_ptr<SocketIoNamespace>& nsp);

 private:
  struct Dynamic {
    std::function<bool(std::string_view, const JsonText&)> matches;
    std::function<void(socketio::Namespace)> made;
  };

  std::shared_ptr<SocketIoNamespace> make(const std::string& name) const;
  std::shared_ptr<SocketIoNamespace> enter(const std::shared_ptr<SocketIoNamespace>& fresh,
                                           std::vector<std::shared_ptr<SocketIoNamespace>>& ended);

  Hub& hub_;  // ends with the server; handles may outlive it
  const std::size_t fanout_bytes_max_;
  const std::weak_ptr<core::CallFaults> call_faults_;
  const std::shared_ptr<const socketio::Options> options_;
  const protocol::SocketIoLimits packet_limits_;
  const std::shared_ptr<const JsonText> no_auth_ = std::make_shared<const JsonText>(CheckedJson::text("{}"));
  EngineIoServer engine_;
  std::atomic<bool> shares_{false};
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<SocketIoNamespace>, std::less<>> namespaces_;
  std::shared_ptr<const std::vector<Dynamic>> dynamic_ = std::make_shared<std::vector<Dynamic>>();
};

}  // namespace flux::detail
