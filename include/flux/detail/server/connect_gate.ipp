#pragma once

#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/endpoints/raw/raw_websocket.hpp>
#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/gate/access_question.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/server/connect_gate.hpp>
#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/websocket_handshake.hpp>

#include <algorithm>

namespace flux::detail {

/// What the connect handler is asked.
class ConnectGate::Question final : public gate::AccessQuestion<ConnectRequest> {
 public:
  Question(std::shared_ptr<Handshake> handshake, gate::OneAnswer::Answer answer)
      : AccessQuestion(handshake->head, std::move(answer)), handshake_(std::move(handshake)) {}

  std::string remote_address() const override {
    return handshake_->http->closed() ? std::string() : handshake_->http->client(handshake_->head).text();
  }

 private:
  std::shared_ptr<Handshake> handshake_;
};

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
  core::LoopCounters& counters = handshake->http->connection()->loop().counters();
  const bool open_to_all = handshake->endpoint != nullptr && !handshake->endpoint->authenticated;
  if (open_to_all) return admit(*handshake, nullptr);

  Question question(handshake, answer_to(handshake));
  if (hub_.handlers.connect) {
    const bool returned = hub_.guarded(counters, "connect", [&] { hub_.handlers.connect(question); });
    if (!returned) return handshake->http->refuse_upgrade(500, "the server failed to handle this request");
    return question.returned();
  }
  const std::string token = question.token();
  if (!hub_.handlers.token || token.empty()) return admit(*handshake, nullptr);
  gate::TokenQuestion verification(token, answer_to(handshake));
  if (!hub_.guarded(counters, "token", [&] { hub_.handlers.token(verification); })) {
    return handshake->http->refuse_upgrade(500, "the server failed to verify the token");
  }
  verification.returned();
}

/// The answer may come on any thread and at any time; it is acted on on the loop, if the client still waits.
FLUX_DECL gate::OneAnswer::Answer ConnectGate::answer_to(std::shared_ptr<Handshake> handshake) {
  const std::shared_ptr<core::Loop> loop = handshake->http->connection()->shared_loop();
  return [this, loop, handshake = std::move(handshake)](std::optional<Identity> identity, std::string reason) {
    loop->dispatch([this, handshake, identity = std::move(identity), reason = std::move(reason)]() mutable {
      if (handshake->http->closed()) return;
      hub_.check_given(identity, reason);
      if (!identity) {
        handshake->http->connection()->loop().counters().connections_refused.add();
        return handshake->http->refuse_upgrade(401, reason, {{"WWW-Authenticate", "Bearer"}});
      }
      if (!identity->user_id.empty()) identity->verified = true;
      const bool known = *identity != Identity{};
      admit(*handshake, known ? std::make_shared<const Identity>(std::move(*identity)) : nullptr);
    });
  };
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

FLUX_DECL void ConnectGate::admit(Handshake& handshake, std::shared_ptr<const Identity> identity) {
  const transport::HttpHead& head = handshake.head;
  const std::string subprotocol = choose_subprotocol(handshake);
  const WebSocketAnswer answer = answer_websocket(hub_.config, head, subprotocol, true);

  transport::Connection& connection = *handshake.http->connection();
  const core::ClientAddress client = handshake.http->client(head);
  if (handshake.endpoint == nullptr) {
    auto session = std::make_shared<LiveSession>(hub_, connection, client, websockets_, answer.deflate_window_bits,
                                                 std::move(identity));
    if (handshake.http->accept_upgrade(answer.head, session)) session->opened();
  } else {
    auto socket = std::make_shared<WebSocketState>(hub_, *handshake.endpoint, connection, client, websockets_,
                                                   answer.deflate_window_bits, std::move(identity), subprotocol);
    if (handshake.http->accept_upgrade(answer.head, socket)) socket->opened();
  }
}

}  // namespace flux::detail
