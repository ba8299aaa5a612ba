#pragma once

#include <flux/detail/mode.hpp>
#include <flux/server/detail/connect_gate.hpp>
#include <flux/server/detail/engineio_server.hpp>
#include <flux/transport/detail/http_exchange.hpp>
#include <flux/transport/websocket_handshake.hpp>

#include <algorithm>
#include <random>

namespace flux::detail {

using protocol::EngineIoRefusal;
using protocol::EngineIoTransport;

/// 120 bits from the system's entropy: whoever knows it is the client.
FLUX_DECL std::string new_engineio_sid() {
  static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::random_device entropy;
  std::string sid(20, '\0');
  unsigned bits = 0;
  for (std::size_t i = 0; i < sid.size(); ++i) {
    if (i % 5 == 0) bits = entropy();
    sid[i] = alphabet[bits & 63];
    bits >>= 6;
  }
  return sid;
}

FLUX_DECL EngineIoServer::EngineIoServer(Hub& hub, engineio::Options options, Factory factory)
    : hub_(hub), options_(std::move(options)), factory_(std::move(factory)) {}

FLUX_DECL std::shared_ptr<EngineIoSession> EngineIoServer::find(const std::string& sid) {
  Shard& s = shard(sid);
  const std::lock_guard lock(s.mutex);
  const auto found = s.sessions.find(sid);
  return found == s.sessions.end() ? nullptr : found->second;
}

FLUX_DECL std::shared_ptr<EngineIoSession> EngineIoServer::make(std::shared_ptr<core::Loop> loop, bool base64) {
  auto session = std::make_shared<EngineIoSession>(*this, new_engineio_sid(), std::move(loop), base64);
  Shard& s = shard(session->sid());
  const std::lock_guard lock(s.mutex);
  s.sessions.emplace(session->sid(), session);
  return session;
}

FLUX_DECL void EngineIoServer::forget(const std::string& sid) {
  Shard& s = shard(sid);
  const std::lock_guard lock(s.mutex);
  s.sessions.erase(sid);
}

FLUX_DECL void EngineIoServer::stop() {
  for (Shard& s : shards_) {
    std::vector<std::shared_ptr<EngineIoSession>> open;
    {
      const std::lock_guard lock(s.mutex);
      for (const auto& [sid, session] : s.sessions) open.push_back(session);
    }
    for (const auto& session : open) {
      session->loop()->dispatch([session] { session->close("server shutting down"); });
    }
  }
}

FLUX_DECL HttpFields EngineIoServer::cors(const HttpExchange& exchange) const {
  const auto& allowed = options_.cors_origins;
  if (std::find(allowed.begin(), allowed.end(), "*") != allowed.end()) return {{"Access-Control-Allow-Origin", "*"}};
  const auto origin = exchange.header("origin");
  if (!origin || std::find(allowed.begin(), allowed.end(), *origin) == allowed.end()) return {};
  return {{"Access-Control-Allow-Origin", std::string(*origin)}, {"Vary", "Origin"}};
}

FLUX_DECL void EngineIoServer::refuse(const HttpExchange& exchange, EngineIoRefusal refusal) const {
  exchange.respond(protocol::engineio_refusal_status(refusal), protocol::engineio_refusal_body(refusal),
                   "application/json", cors(exchange));
}

FLUX_DECL void EngineIoServer::serve(const HttpExchange& exchange) {
  if (exchange.method() == "OPTIONS") {
    HttpFields fields = cors(exchange);
    if (!fields.empty()) {
      fields.emplace_back("Access-Control-Allow-Methods", "GET, POST");
      if (const auto asked = exchange.header("access-control-request-headers")) {
        fields.emplace_back("Access-Control-Allow-Headers", std::string(*asked));
      }
      fields.emplace_back("Access-Control-Max-Age", "600");
    }
    return exchange.respond(204, {}, {}, std::move(fields));
  }
  const auto& state = *exchange.state();
  const protocol::EngineIoQuery query = protocol::read_engineio_query(state.head().query());
  const auto session = query.sid.empty() ? nullptr : find(query.sid);
  const protocol::EngineIoState known{options_.polling, options_.websocket,
                                      session ? std::optional(session->transport_now()) : std::nullopt};
  if (const auto refusal = protocol::check_engineio_request({query, exchange.method(), false}, known)) {
    return refuse(exchange, *refusal);
  }
  if (session && exchange.method() == "POST") return serve_post(exchange, session);
  if (session) {
    exchange.on_abort([session] { session->loop()->dispatch([session] { session->close("transport close"); }); });
    session->loop()->dispatch([session, exchange] { session->poll(exchange); });
    return;
  }
  EngineIoOpening opening{std::string(state.head().query()), exchange.remote_address(), {}};
  for (const auto& field : state.head().fields()) opening.headers.emplace_back(field.name, field.value);
  const auto opened = make(state.loop(), query.base64);
  opened->open_polling(exchange, factory_(*opened, std::move(opening)));
}

FLUX_DECL void EngineIoServer::serve_post(const HttpExchange& exchange,
                                          const std::shared_ptr<EngineIoSession>& session) {
  if (!session->begin_post()) {
    refuse(exchange, EngineIoRefusal::bad_request);
    session->loop()->dispatch([session] { session->close("transport error"); });
    return;
  }
  // Once it can no longer be read, or has been, the next one may come.
  std::shared_ptr<void> posting(nullptr, [session](void*) { session->end_post(); });
  exchange.read_body([this, exchange, session, posting = std::move(posting)](std::string body) {
    session->loop()->dispatch([this, exchange, session, done = posting, body = std::move(body)]() mutable {
      const bool good = session->is_open() && !session->over_websocket() && session->posted(std::move(body));
      done.reset();
      if (good) {
        exchange.respond(200, "ok", "text/html", cors(exchange));
      } else {
        refuse(exchange, EngineIoRefusal::bad_request);
      }
    });
  });
}

FLUX_DECL void EngineIoServer::upgrade(const std::shared_ptr<transport::HttpConnection>& http,
                                       const transport::HttpHead& head, transport::WebSocketService& websockets) {
  const protocol::EngineIoQuery query = protocol::read_engineio_query(head.query());
  auto session = query.sid.empty() ? nullptr : find(query.sid);
  const protocol::EngineIoState known{options_.polling, options_.websocket,
                                      session ? std::optional(session->transport_now()) : std::nullopt};
  if (const auto refusal = protocol::check_engineio_request({query, head.method(), true}, known)) {
    // A session that has its WebSocket takes no second one; it is let in only to be told so in its own terms.
    if (!session) return http->refuse_upgrade(protocol::engineio_refusal_status(*refusal), to_string(*refusal));
  }
  transport::Connection& connection = *http->connection();
  const bool fresh = session == nullptr;
  if (fresh) session = make(connection.shared_loop(), query.base64);
  const WebSocketAnswer answer = answer_websocket(hub_.config, head, {}, false);
  const auto websocket =
      std::make_shared<EngineIoWebSocket>(session, connection, websockets, options_.payload_bytes_max);
  EngineIoOpening opening{std::string(head.query()), connection.remote_address(), {}};
  for (const auto& field : head.fields()) opening.headers.emplace_back(field.name, field.value);
  if (!http->accept_upgrade(answer.head, websocket)) return forget(fresh ? session->sid() : std::string());
  if (fresh) return session->open_websocket(websocket, factory_(*session, std::move(opening)));
  session->probe(websocket);
}

}  // namespace flux::detail
