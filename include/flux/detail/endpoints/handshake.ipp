#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/handshake.hpp>
#include <flux/detail/endpoints/http_refusal.hpp>
#include <flux/detail/endpoints/refused_websocket.hpp>
#include <flux/detail/gate/cross_origin.hpp>
#include <flux/detail/gate/grant_source.hpp>
#include <flux/detail/gate/held_grant.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/websocket_handshake.hpp>
#include <flux/error.hpp>

#include <algorithm>
#include <utility>

namespace flux::endpoints {

namespace handshake_detail {

FLUX_DECL void refuse_with_status(transport::HttpConnection& http, const Error& why) {
  const HttpRefusal refusal = http_refusal(why.code());
  http.refuse_upgrade(refusal.status, why.message(), refusal.fields);
}

/// The handshake agrees on what browsers insist on, and on nothing else.
FLUX_DECL void refuse_with_close_code(const Config& config, transport::HttpConnection& http,
                                      const transport::HttpHead& head, const Error& why) {
  const auto connection = http.connection()->shared_from_this();
  const std::string answer = answer_websocket(config, head, first_subprotocol(head), false).head;
  if (!http.accept_upgrade(answer, std::make_shared<RefusedWebSocket>())) return;
  connection->write(transport::close_frame(static_cast<std::uint16_t>(refusal_code(why)), why.message()));
  connection->finish(config.limits.close_timeout);
}

FLUX_DECL void refuse(flux::detail::HttpExchangeState& exchange, const Error& why) {
  auto [status, fields] = http_refusal(why.code());
  if (exchange.head().has_body()) fields.emplace_back("Connection", "close");  // the body is not read
  exchange.ignore_body();
  exchange.respond(status, why.message(), "text/plain; charset=utf-8", std::move(fields));
}

}  // namespace handshake_detail

FLUX_DECL void let_in(const features::Backend& backend, std::string_view protocol,
                      const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
                      RefuseWith refuse_with, Admit admit) {
  const gate::ShownOverHttp shown(protocol, head, http->client(head));
  auto answered = [&config = backend.config, http, head, refuse_with, admit = std::move(admit)](Result<Grant> grant) {
    if (http->closed()) return;
    if (grant) return admit(head, gate::kept(std::move(*grant)));
    if (is_refusal(grant.error().code())) http->connection()->loop().counters().connections_refused.add();
    if (refuse_with == RefuseWith::http_status) return handshake_detail::refuse_with_status(*http, grant.error());
    handshake_detail::refuse_with_close_code(config, *http, head, grant.error());
  };
  backend.gate.let_in(http->connection()->shared_loop(), shown, std::move(answered));
}

namespace handshake_detail {

/// A request in progress as the client of its grant.
class RequestHolder final : public gate::HeldGrant {
 public:
  RequestHolder(std::shared_ptr<const Grant> grant, const std::shared_ptr<flux::detail::HttpExchangeState>& request)
      : HeldGrant(request->loop(), std::move(grant)), request_(request) {}
  /// With the first of the acts that end clients, because input of a request is not skipped before.
  void leave_rooms() override {
    if (const auto request = request_.lock()) request->abort();
  }
  void end_access(CloseCode, std::string_view) override {}

 private:
  void ignore_client() noexcept override {}

  const std::weak_ptr<flux::detail::HttpExchangeState> request_;
};

/// The grants of a request in progress.
class RequestGrants {
 public:
  explicit RequestGrants(gate::Admitted& admitted) : admitted_(admitted) {}
  ~RequestGrants() {
    for (const auto& held : held_) admitted_.forget(held.get());
  }
  RequestGrants(const RequestGrants&) = delete;
  RequestGrants& operator=(const RequestGrants&) = delete;

  void add(std::shared_ptr<gate::HeldGrant> held) {
    admitted_.watch(held, gate::Admitted::Find::by_end_and_user);
    held_.push_back(std::move(held));
  }
  bool empty() const noexcept { return held_.empty(); }

 private:
  gate::Admitted& admitted_;
  std::vector<std::shared_ptr<gate::HeldGrant>> held_;
};

/// The name, if it is the first time that it is seen; otherwise an empty one.
FLUX_DECL std::string first_time(std::vector<std::string>& seen, const std::string& name) {
  if (std::find(seen.begin(), seen.end(), name) != seen.end()) return {};
  return seen.emplace_back(name);
}

}  // namespace handshake_detail

FLUX_DECL void end_with_revocation(features::Backend& backend,
                                   const std::shared_ptr<flux::detail::HttpExchangeState>& exchange,
                                   const std::vector<std::shared_ptr<const Grant>>& grants) {
  if (exchange->over()) return;
  auto watched = std::make_shared<handshake_detail::RequestGrants>(backend.admitted);
  std::vector<std::string> users, credentials;  // a request is found once by each
  for (const auto& grant : grants) {
    if (!grant) continue;
    Grant endless;  // only what it is found by
    endless.identity.user_id = handshake_detail::first_time(users, grant->identity.user_id);
    endless.credential = handshake_detail::first_time(credentials, grant->credential);
    if (endless == Grant()) continue;
    gate::GrantSource::set(endless, gate::GrantSource::of(*grant));
    watched->add(
        std::make_shared<handshake_detail::RequestHolder>(std::make_shared<const Grant>(std::move(endless)), exchange));
  }
  if (!watched->empty()) exchange->hold(std::move(watched));
}

FLUX_DECL void let_in(flux::detail::Hub& hub, const std::shared_ptr<flux::detail::HttpExchangeState>& exchange,
                      std::function<void()> admitted) {
  const transport::HttpHead& head = exchange->head();
  const bool reads = head.method() == "GET" || head.method() == "HEAD" || head.method() == "OPTIONS";
  if (!reads && !gate::may_change_things(hub.config.origins, head, hub.speaks_tls())) {
    return handshake_detail::refuse(*exchange, Error(Errc::forbidden, "pages of this origin may not do this"));
  }
  const gate::ShownOverHttp shown("http", head, exchange->client());
  hub.gate.let_in_known(exchange->loop(), shown, [&hub, exchange, admitted = std::move(admitted)](Result<Grant> grant) {
    if (!grant) return handshake_detail::refuse(*exchange, grant.error());
    exchange->set_grant(gate::kept(std::move(*grant)));
    end_with_revocation(hub, exchange, {exchange->grant()});
    admitted();
  });
}

FLUX_DECL std::string first_subprotocol(const transport::HttpHead& head) {
  const std::string offered = head.all_headers("sec-websocket-protocol");
  for (std::string_view rest = offered; !rest.empty();) {
    if (const auto first = transport::take_part(rest, ','); transport::detail::is_token(first)) {
      return std::string(first);
    }
  }
  return {};
}

FLUX_DECL std::string choose_subprotocol(const transport::HttpHead& head, const std::vector<std::string>& spoken) {
  const std::string offered = head.all_headers("sec-websocket-protocol");
  for (const std::string& name : spoken) {
    if (transport::header_has_token(offered, name)) return name;
  }
  return {};
}

FLUX_DECL void check_subprotocols(std::string_view setting, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (transport::detail::is_token(name)) continue;
    throw Error(Errc::bad_config, std::string(setting)
                                      .append(": \"")
                                      .append(core::shown(name))
                                      .append("\" is not a subprotocol; it must be a token, such as \"v1.chat\""));
  }
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

}  // namespace flux::endpoints
