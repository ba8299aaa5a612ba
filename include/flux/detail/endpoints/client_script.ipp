#pragma once

#include <flux/detail/endpoints/client_script.hpp>
#include <flux/detail/endpoints/flux_js.hpp>
#include <flux/detail/gate/cross_origin.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_exchange.hpp>
#include <flux/detail/transport/representation.hpp>

#include <chrono>
#include <iterator>

namespace flux::detail {

namespace client_script_detail {

FLUX_DECL std::string whole_text() {
  std::string text;
  for (const std::string_view part : endpoints::flux_js_parts) text += part;
  return text;
}

}  // namespace client_script_detail

FLUX_DECL ClientScript::ClientScript(const Hub& server)
    : server_(server),
      text_(server.config.script_path.empty() ? std::string() : client_script_detail::whole_text()),
      etag_('"' + std::string(endpoints::flux_js_sha256.substr(0, 32)) + '"') {}

FLUX_DECL void ClientScript::check() const {
  const std::string& path = server_.config.script_path;
  if (path.empty() || (path.front() == '/' && path.find_first_of("{}*") == std::string::npos)) return;
  throw Error(Errc::bad_config,
              "Config::script_path must begin with \"/\" and have no parameters, or be empty, not \"" + path + "\"");
}

FLUX_DECL void ClientScript::add_routes(transport::Router& router) {
  const std::string& path = server_.config.script_path;
  if (path.empty()) return;
  router.add_yielding(path, [this](const HttpExchange& exchange) { answer(*exchange.state()); });
}

FLUX_DECL void ClientScript::answer(HttpExchangeState& exchange) const {
  const transport::HttpHead& head = exchange.head();
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  // A copy of an older version is asked about before it is used: it may not know what the server says.
  auto plan = transport::plan_representation(head, {text_.size(), std::nullopt, etag_}, "no-cache", now);
  plan.fields.emplace_back("X-Content-Type-Options", "nosniff");
  auto cors = gate::cors_fields(server_.config.origins, head);
  std::move(cors.begin(), cors.end(), std::back_inserter(plan.fields));
  exchange.respond(plan.status, plan.has_body() ? text_.substr(plan.offset, plan.length) : std::string(),
                   "text/javascript; charset=utf-8", std::move(plan.fields));
}

}  // namespace flux::detail
