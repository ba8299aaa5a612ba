#pragma once

#include <flux/detail/endpoints/handshake.hpp>
#include <flux/detail/endpoints/live/live_endpoint.hpp>
#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/mode.hpp>

namespace flux::detail {

FLUX_DECL LiveEndpoint::LiveEndpoint(features::Backend& backend) : clients_(backend, LiveSession::request_types()) {}

FLUX_DECL std::vector<std::string> LiveEndpoint::websocket_paths() const {
  const std::string& path = clients_.backend.config.live_path;
  return path.empty() ? std::vector<std::string>() : std::vector{path};
}

FLUX_DECL void LiveEndpoint::check() const {
  const std::string& path = clients_.backend.config.live_path;
  if (!path.empty() && path.front() != '/') {
    throw Error(Errc::bad_config, "Config::live_path must begin with \"/\" or be empty, not \"" + path + "\"");
  }
  endpoints::check_subprotocols("Config::live_subprotocols", clients_.backend.config.live_subprotocols);
}

FLUX_DECL void LiveEndpoint::upgrade(const std::shared_ptr<transport::HttpConnection>& http,
                                     const transport::HttpHead& head, transport::WebSocketService& websockets) {
  const auto admit = [this, http, &websockets](const transport::HttpHead& asked, std::shared_ptr<const Grant> grant) {
    const auto& spoken = clients_.backend.config.live_subprotocols;
    const std::string subprotocol =
        spoken.empty() ? endpoints::first_subprotocol(asked) : endpoints::choose_subprotocol(asked, spoken);
    const auto answer = endpoints::answer_websocket(clients_.backend.config, asked, subprotocol, true);
    auto session = std::make_shared<LiveSession>(clients_, *http->connection(), http->client(asked), websockets,
                                                 answer.deflate_window_bits, std::move(grant));
    if (http->accept_upgrade(answer.head, session)) session->opened();
  };
  endpoints::let_in(clients_.backend, "live", http, head, clients_.backend.config.refuse_with, admit);
}

}  // namespace flux::detail
