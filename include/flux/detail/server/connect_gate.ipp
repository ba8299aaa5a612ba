#pragma once

#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/endpoints/raw/raw_websocket.hpp>
#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/connect_gate.hpp>
#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/websocket_handshake.hpp>

#include <algorithm>

namespace flux::detail {

FLUX_DECL ConnectGate::ConnectGate(Hub& hub, const WebSocketEndpoints& endpoints,
                                   transport::WebSocketService& websockets)
    : hub_(hub), endpoints_(endpoints), websockets_(websockets) {}

FLUX_DECL bool ConnectGate::serves(const std::string& path) const {
  return (!hub_.config.live_path.empty() && path == hub_.config.live_path) || endpoints_.raw.count(path) != 0 ||
         endpoints_.engineio.count(path) != 0;
}

FLUX_DECL void ConnectGate::upgrade(const std::shared_ptr<transport::HttpConnection>& http,
                                    const transport::HttpHead& head) {
  core::LoopCounters& counters = http->connection()->loop().counters();
  if (!gate::origin_allowed(hub_.config.origins, head.header("origin"), head.host(), hub_.speaks_tls())) {
    counters.connections_refused.add();
    return http->refuse_upgrade(403, "origin not allowed");
  }
  const std::string path(head.path());
  if (const auto engineio = endpoints_.engineio.find(path); engineio != endpoints_.engineio.end()) {
    return engineio->second->upgrade(http, head, websockets_);
  }
  const auto endpoint = endpoints_.raw.find(path);
  ask(std::make_shared<Handshake>(
      Handshake{http, head, endpoint == endpoints_.raw.end() ? nullptr : &endpoint->second}));
}

FLUX_DECL void ConnectGate::ask(const std::shared_ptr<Handshake>& handshake) {
  const bool is_live = handshake->endpoint == nullptr;
  if (!is_live && !handshake->endpoint->authenticated) return admit(*handshake, nullptr);
  transport::HttpConnection& http = *handshake->http;
  const gate::ShownOverHttp shown(is_live ? "live" : "websocket", handshake->head, http.client(handshake->head));
  hub_.gate.let_in(http.connection()->shared_loop(), shown, [this, handshake](Result<Grant> grant) {
    if (handshake->http->closed()) return;
    if (!grant) return refuse(*handshake, grant.error());
    const bool empty = *grant == Grant();
    admit(*handshake, empty ? nullptr : std::make_shared<const Grant>(std::move(*grant)));
  });
}

FLUX_DECL void ConnectGate::refuse(Handshake& handshake, const Error& why) {
  switch (why.code()) {
    case Errc::unauthorized:
      handshake.http->connection()->loop().counters().connections_refused.add();
      return handshake.http->refuse_upgrade(401, why.message(), {{"WWW-Authenticate", "Bearer"}});
    case Errc::overloaded: return handshake.http->refuse_upgrade(503, why.message());
    default: return handshake.http->refuse_upgrade(500, why.message());
  }
}

FLUX_DECL std::string first_subprotocol(const transport::HttpHead& head) {
  constexpr std::string_view blank = " \t";
  const std::string offered = head.all_headers("sec-websocket-protocol");
  for (std::string_view rest = offered; !rest.empty();) {
    std::string_view first = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(first.size() + 1, rest.size()));
    first.remove_prefix(std::min(first.find_first_not_of(blank), first.size()));
    first = first.substr(0, first.find_last_not_of(blank) + 1);
    if (transport::detail::is_token(first)) return std::string(first);
  }
  return {};
}

FLUX_DECL std::string ConnectGate::choose_subprotocol(const Handshake& handshake) const {
  const bool is_live = handshake.endpoint == nullptr;
  const auto& all = is_live ? hub_.config.live_subprotocols : handshake.endpoint->subprotocols;
  if (is_live && all.empty()) return first_subprotocol(handshake.head);
  const std::string offered = handshake.head.all_headers("sec-websocket-protocol");
  for (const std::string& spoken : all) {
    if (transport::header_has_token(offered, spoken)) return spoken;
  }
  return {};
}

FLUX_DECL WebSocketAnswer answer_websocket(const Config& config, const transport::HttpHead& head,
                                           const std::string& subprotocol, bool deflate) {
  transport::DeflateAgreement agreement;
  if (deflate && config.deflate.enabled) {
    agreement = transport::negotiate_deflate(head.all_headers("sec-websocket-extensions"), config.deflate);
  }
  std::string response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
  response += "Sec-WebSocket-Accept: " + transport::accept_key(*head.header("sec-websocket-key")) + "\r\n";
  if (!subprotocol.empty()) response += "Sec-WebSocket-Protocol: " + subprotocol + "\r\n";
  if (agreement.enabled) response += "Sec-WebSocket-Extensions: " + agreement.response_header + "\r\n";
  return {response + "\r\n", agreement.enabled ? agreement.window_bits : 0};
}

FLUX_DECL void ConnectGate::admit(Handshake& handshake, std::shared_ptr<const Grant> grant) {
  const transport::HttpHead& head = handshake.head;
  const std::string subprotocol = choose_subprotocol(handshake);
  const WebSocketAnswer answer = answer_websocket(hub_.config, head, subprotocol, true);

  transport::Connection& connection = *handshake.http->connection();
  const core::ClientAddress client = handshake.http->client(head);
  if (handshake.endpoint == nullptr) {
    auto session = std::make_shared<LiveSession>(hub_, connection, client, websockets_, answer.deflate_window_bits,
                                                 std::move(grant));
    if (handshake.http->accept_upgrade(answer.head, session)) session->opened();
  } else {
    auto socket = std::make_shared<WebSocketState>(hub_, *handshake.endpoint, connection, client, websockets_,
                                                   answer.deflate_window_bits, subprotocol);
    if (handshake.http->accept_upgrade(answer.head, socket)) socket->opened(std::move(grant));
  }
}

}  // namespace flux::detail
