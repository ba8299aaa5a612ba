// A raw WebSocket endpoint of the application (`Server::websocket`).
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/endpoints/raw/raw_clients.hpp>
#include <flux/detail/mode.hpp>
#include <flux/websocket.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::detail {

/// What the clients of an endpoint have in common and their handles may still ask for when the server has ended.
struct RawTerms {
  const std::size_t outbox_bytes_congested;
  const std::size_t outbox_bytes_max;
  const std::vector<std::string> subprotocols;
};

class RawEndpoint final : public endpoints::Endpoint {
 public:
  RawEndpoint(Hub& hub, std::string path, WebSocketEndpoint options);

  Hub& hub() noexcept { return hub_; }
  const WebSocketEndpoint& options() const noexcept { return options_; }
  /// What handles need after the server has ended.
  const std::shared_ptr<const RawTerms>& terms() const noexcept { return terms_; }
  RawClients& connected() noexcept { return clients_; }

  std::vector<std::string> websocket_paths() const override { return {path_}; }
  FLUX_DECL void check() const override;
  FLUX_DECL void upgrade(const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
                         transport::WebSocketService& websockets) override;
  std::vector<core::ListedClient> clients(std::string_view after, std::size_t limit) const override {
    return clients_.page(after, limit);
  }
  FLUX_DECL std::shared_ptr<core::GrantHolder> holder(std::string_view id) override;
  FLUX_DECL bool disconnect(std::string_view id, CloseCode code, std::string_view reason) override;

 private:
  std::shared_ptr<WebSocketState> find(std::string_view id) const;

  Hub& hub_;
  const std::string path_;
  const WebSocketEndpoint options_;
  const std::shared_ptr<const RawTerms> terms_;
  RawClients clients_;
};

}  // namespace flux::detail
