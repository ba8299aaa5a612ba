#pragma once

#include <flux/detail/core/option_check.hpp>
#include <flux/detail/endpoints/handshake.hpp>
#include <flux/detail/endpoints/raw/raw_endpoint.hpp>
#include <flux/detail/endpoints/raw/raw_websocket.hpp>
#include <flux/detail/mode.hpp>

namespace flux::detail {

FLUX_DECL RawEndpoint::RawEndpoint(Hub& hub, std::string path, WebSocketEndpoint options)
    : hub_(hub),
      path_(std::move(path)),
      options_(std::move(options)),
      terms_(new RawTerms{hub.config.limits.outbox_bytes_congested, hub.config.limits.outbox_bytes_max,
                          options_.subprotocols}) {}

FLUX_DECL void RawEndpoint::check() const {
  endpoints::check_subprotocols("WebSocketEndpoint::subprotocols", options_.subprotocols);
  if (options_.message_bytes_max) {
    core::require_at_least(1, *options_.message_bytes_max, "WebSocketEndpoint::message_bytes_max");
  }
}

FLUX_DECL void RawEndpoint::upgrade(const std::shared_ptr<transport::HttpConnection>& http,
                                    const transport::HttpHead& head, transport::WebSocketService& websockets) {
  const auto admit = [this, http, &websockets](const transport::HttpHead& asked, std::shared_ptr<const Grant> grant) {
    const std::string subprotocol = endpoints::choose_subprotocol(asked, options_.subprotocols);
    const auto answer = endpoints::answer_websocket(hub_.config, asked, subprotocol, true);
    auto socket = std::make_shared<WebSocketState>(*this, *http->connection(), http->client(asked), websockets,
                                                   answer.deflate_window_bits, subprotocol);
    if (http->accept_upgrade(answer.head, socket)) socket->opened(std::move(grant));
  };
  if (!options_.authenticated) return admit(head, nullptr);
  endpoints::let_in(hub_, "websocket", http, head, hub_.config.refuse_with, admit);
}

FLUX_DECL std::shared_ptr<WebSocketState> RawEndpoint::find(std::string_view id) const {
  const auto parsed = RawId::parse(id);
  return parsed ? clients_.find(*parsed) : nullptr;
}

FLUX_DECL std::shared_ptr<core::GrantHolder> RawEndpoint::holder(std::string_view id) {
  const auto client = find(id);
  return client ? client->holder() : nullptr;
}

FLUX_DECL bool RawEndpoint::disconnect(std::string_view id, CloseCode code, std::string_view reason) {
  const auto client = find(id);
  if (!client) return false;
  client->close_from_anywhere(code, reason);
  return true;
}

}  // namespace flux::detail
