// The protocol of channels at `ChannelsOptions::path`.
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/realtime/realtime_session.hpp>
#include <flux/detail/mode.hpp>

#include <memory>
#include <string>
#include <vector>

namespace flux::detail {

class RealtimeEndpoint final : public endpoints::Endpoint {
 public:
  RealtimeEndpoint(features::Backend& backend, std::string path) : clients_(backend, std::move(path)) {}

  std::vector<std::string> websocket_paths() const override { return {clients_.path}; }
  FLUX_DECL void check() const override;
  FLUX_DECL void upgrade(const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
                         transport::WebSocketService& websockets) override;

 private:
  const RealtimeClients clients_;
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/realtime/realtime_endpoint.ipp>
#endif
