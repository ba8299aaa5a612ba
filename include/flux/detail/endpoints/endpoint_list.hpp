// The endpoints of a server.
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::endpoints {

/// Filled while the server does not run. Threading: once nothing more is added, `find` and the calls of all endpoints
/// from any thread.
class EndpointList {
 public:
  /// Checks the endpoint, adds its routes to `router` and keeps it. Errors: throws `Error` (bad_config) if its options
  /// are invalid, or a path does not begin with "/" or is taken; then nothing has changed except the routes already
  /// added.
  void add(std::shared_ptr<Endpoint> endpoint, transport::Router& router);

  /// The endpoint for WebSocket handshakes at `path`; null if there is none.
  Endpoint* find(std::string_view path) const {
    const auto found = by_path_.find(path);
    return found == by_path_.end() ? nullptr : found->second;
  }

  std::size_t size() const noexcept { return list_.size(); }
  const Endpoint& at(std::size_t index) const { return *list_[index]; }

  /// As `Endpoint::session_key`, of the first endpoint that knows the id.
  std::optional<std::uint64_t> session_key(std::string_view id) const {
    for (const auto& endpoint : list_) {
      if (const auto key = endpoint->session_key(id)) return key;
    }
    return std::nullopt;
  }

  /// As `Endpoint::disconnect`.
  bool disconnect(std::string_view id, CloseCode code, std::string_view reason) const {
    return std::any_of(list_.begin(), list_.end(),
                       [&](const auto& endpoint) { return endpoint->disconnect(id, code, reason); });
  }

  /// As `Endpoint::holder`, of the first endpoint that knows the id.
  std::shared_ptr<core::GrantHolder> holder(std::string_view id) const {
    for (const auto& endpoint : list_) {
      if (auto holder = endpoint->holder(id)) return holder;
    }
    return nullptr;
  }

  void start(const Homes& homes) const {
    for (const auto& endpoint : list_) endpoint->start(homes);
  }
  /// In reverse order.
  void stop() const {
    for (auto endpoint = list_.rbegin(); endpoint != list_.rend(); ++endpoint) (*endpoint)->stop();
  }
  /// In reverse order. On that loop.
  void end(const core::Loop& loop) const {
    for (auto endpoint = list_.rbegin(); endpoint != list_.rend(); ++endpoint) (*endpoint)->end(loop);
  }

 private:
  std::vector<std::shared_ptr<Endpoint>> list_;
  std::map<std::string, Endpoint*, std::less<>> by_path_;
};

}  // namespace flux::endpoints

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/endpoint_list.ipp>
#endif
