#pragma once

#include <flux/detail/endpoints/http_refusal.hpp>
#include <flux/detail/endpoints/realtime/sse_endpoint.hpp>
#include <flux/detail/gate/cross_origin.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_exchange.hpp>

#include <algorithm>
#include <utility>

namespace flux::detail {

FLUX_DECL void SseEndpoint::add_routes(transport::Router& router) {
  router.add("GET", clients_.hub->options().path + "/sse",
             [this](const HttpExchange& exchange) { serve(exchange.state()); });
}

FLUX_DECL void SseEndpoint::refuse(HttpExchangeState& exchange, const Error& why) const {
  auto refusal =
      why.code() == Errc::invalid_argument ? endpoints::HttpRefusal{400, {}} : endpoints::http_refusal(why.code());
  for (auto& field : gate::cors_fields(server_.config.origins, exchange.head())) refusal.fields.push_back(field);
  exchange.respond(refusal.status, why.message(), "text/plain; charset=utf-8", std::move(refusal.fields));
}

/// Pages of other origins must be allowed, as for WebSockets: a browser would hide the answer from them, but keep the
/// connection.
FLUX_DECL void SseEndpoint::serve(const ExchangePtr& exchange) const {
  const transport::HttpHead& head = exchange->head();
  if (!gate::may_change_things(server_.config.origins, head, server_.speaks_tls())) {
    return refuse(*exchange, Error(Errc::forbidden, "pages of this origin may not connect"));
  }
  if (head.method() == "HEAD") return exchange->respond(200, {}, "text/event-stream", {});
  auto channels = transport::query_parameters(head.query(), "channel");
  std::sort(channels.begin(), channels.end());
  channels.erase(std::unique(channels.begin(), channels.end()), channels.end());
  if (channels.empty())
    return refuse(*exchange, Error(Errc::invalid_argument, "?channel= is missing: which channels?"));
  if (channels.size() > SseClients::channels_max) {
    return refuse(*exchange, Error(Errc::invalid_argument, "too many channels: at most " +
                                                               std::to_string(SseClients::channels_max) +
                                                               "; a pattern counts as one"));
  }
  const gate::ShownOverHttp shown("sse", head, exchange->client());
  server_.gate.let_in(exchange->loop(), shown, [this, exchange, channels = std::move(channels)](Result<Grant> granted) {
    if (exchange->over()) return;
    if (!granted) {
      if (endpoints::is_refusal(granted.error().code())) exchange->loop()->counters().connections_refused.add();
      return refuse(*exchange, granted.error());
    }
    open(exchange, channels, gate::kept(std::move(*granted)));
  });
}

/// What can be known is refused with a status: then EventSource does not try again.
FLUX_DECL void SseEndpoint::open(const ExchangePtr& exchange, const std::vector<std::string>& channels,
                                 std::shared_ptr<const Grant> grant) const {
  for (const std::string& channel : channels) {
    if (const auto allowed = clients_.hub->may_subscribe(grant.get(), channel); !allowed) {
      return refuse(*exchange, allowed.error());
    }
  }
  const transport::HttpHead& head = exchange->head();
  std::string answer =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
      "Connection: close\r\n";
  for (const auto& field : gate::cors_fields(server_.config.origins, head)) {
    answer.append(field.first).append(": ").append(field.second).append("\r\n");
  }
  answer += "\r\n";
  std::optional<std::vector<Position>> last;
  // A page that opens a new EventSource can't set the field.
  auto shown = transport::query_parameter(head.query(), "lastEventId");
  if (const auto field = head.header("Last-Event-ID")) shown = std::string(*field);
  if (shown && !shown->empty()) last = protocol::read_event_id(*shown).value_or(std::vector<Position>());
  auto session =
      std::make_shared<SseSession>(clients_, exchange->loop(), exchange->client(), std::move(grant), channels);
  if (auto* const connection = exchange->hand_over(answer, session)) session->opened(*connection, channels, last);
}

}  // namespace flux::detail
