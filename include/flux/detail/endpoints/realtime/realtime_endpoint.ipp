#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/endpoints/handshake.hpp>
#include <flux/detail/endpoints/realtime/realtime_endpoint.hpp>
#include <flux/detail/mode.hpp>

namespace flux::detail {

FLUX_DECL void RealtimeEndpoint::check() const {
  core::require_option(clients_.path.front() == '/',
                       "ChannelsOptions::path must begin with \"/\" or be empty, not \"" + clients_.path + "\"");
}

FLUX_DECL void RealtimeEndpoint::upgrade(const std::shared_ptr<transport::HttpConnection>& http,
                                         const transport::HttpHead& head, transport::WebSocketService& websockets) {
  const auto admit = [this, http, &websockets](const transport::HttpHead& asked, std::shared_ptr<const Grant> grant) {
    const auto answer =
        endpoints::answer_websocket(clients_.backend.config, asked, endpoints::first_subprotocol(asked), true);
    auto session = std::make_shared<RealtimeSession>(clients_, *http->connection(), http->client(asked), websockets,
                                                     answer.deflate_window_bits, std::move(grant));
    if (http->accept_upgrade(answer.head, session)) session->opened();
  };
  endpoints::let_in(clients_.backend, "realtime", http, head, clients_.backend.config.refuse_with, admit);
}

}  // namespace flux::detail
