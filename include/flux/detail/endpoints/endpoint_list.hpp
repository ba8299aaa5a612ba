// The endpoints of a server.
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux::endpoints {

/// Filled while the server does not run. Threading: `find` and the calls to all of them from any thread once nothing is
/// added any more.
class EndpointList {
 public:
  /// Checks the endpoint, adds its routes to `router` and keeps it. Errors: throws `Error` (bad_config) where its options
  /// are wrong, or a path does not begin with "/" or is taken; then nothing has changed but the routes that were added.
  void add(std::shared_ptr<Endpoint> endpoint, transport::Router& router);

  /// The endpoint whose WebSocket handshakes come to `path`; null where there is none.
  Endpoint* find(std::string_view path) const {
    const auto found = by_path_.find(path);
    return found == by_path_.end() ? nullptr : found->second;
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
