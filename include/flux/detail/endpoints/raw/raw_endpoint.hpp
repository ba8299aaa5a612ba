// A raw WebSocket endpoint of the application (`Server::websocket`).
#pragma once

#include <flux/detail/endpoints/endpoint.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/websocket.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace flux::detail {

class RawEndpoint final : public endpoints::Endpoint {
 public:
  RawEndpoint(Hub& hub, std::string path, WebSocketEndpoint options)
      : hub_(hub), path_(std::move(path)), options_(std::move(options)) {}

  std::vector<std::string> websocket_paths() const override { return {path_}; }
  void check() const override;
  void upgrade(const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
               transport::WebSocketService& websockets) override;

 private:
  Hub& hub_;
  const std::string path_;
  const WebSocketEndpoint options_;
};

}  // namespace flux::detail
