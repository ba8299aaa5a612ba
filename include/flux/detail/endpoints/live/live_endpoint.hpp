// Protocol live at `Config::live_path`.
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/live/live_clients.hpp>
#include <flux/detail/mode.hpp>

#include <memory>
#include <string>
#include <vector>

namespace flux::detail {

class LiveEndpoint final : public endpoints::Endpoint {
 public:
  explicit LiveEndpoint(features::Backend& backend);

  /// None if `Config::live_path` is empty.
  FLUX_DECL std::vector<std::string> websocket_paths() const override;
  FLUX_DECL void check() const override;
  FLUX_DECL void upgrade(const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
                         transport::WebSocketService& websockets) override;

 private:
  const LiveClients clients_;
};

}  // namespace flux::detail
