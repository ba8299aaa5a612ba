#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/handshake.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/websocket_handshake.hpp>
#include <flux/error.hpp>

#include <algorithm>
#include <utility>

namespace flux::endpoints {

namespace handshake_detail {

FLUX_DECL void refuse(transport::HttpConnection& http, const Error& why) {
  switch (why.code()) {
    case Errc::unauthorized:
      http.connection()->loop().counters().connections_refused.add();
      return http.refuse_upgrade(401, why.message(), {{"WWW-Authenticate", "Bearer"}});
    case Errc::overloaded: return http.refuse_upgrade(503, why.message());
    default: return http.refuse_upgrade(500, why.message());
  }
}

}  // namespace handshake_detail

FLUX_DECL void let_in(gate::Gate& gate, std::string_view protocol,
                      const std::shared_ptr<transport::HttpConnection>& http, const transport::HttpHead& head,
                      Admit admit) {
  const gate::ShownOverHttp shown(protocol, head, http->client(head));
  gate.let_in(http->connection()->shared_loop(), shown, [http, head, admit = std::move(admit)](Result<Grant> grant) {
    if (http->closed()) return;
    if (!grant) return handshake_detail::refuse(*http, grant.error());
    const bool is_empty = *grant == Grant();
    admit(head, is_empty ? nullptr : std::make_shared<const Grant>(std::move(*grant)));
  });
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
                                      .append("\" is no subprotocol; one is a token, such as \"v1.chat\""));
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
