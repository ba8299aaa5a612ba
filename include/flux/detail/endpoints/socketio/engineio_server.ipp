#pragma once

#include <flux/detail/core/base64.hpp>
#include <flux/detail/core/option_check.hpp>
#include <flux/detail/endpoints/handshake.hpp>
#include <flux/detail/endpoints/http_refusal.hpp>
#include <flux/detail/endpoints/socketio/engineio_server.hpp>
#include <flux/detail/gate/origin.hpp>
#include <flux/detail/gate/shown.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_exchange.hpp>
#include <flux/detail/transport/websocket_handshake.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <exception>
#include <memory>
#include <random>

namespace flux::detail {

using protocol::EngineIoRefusal;
using protocol::EngineIoTransport;

/// 90 bits from the system's entropy, because a client proves with it which session is its own. Short enough for a
/// string's internal buffer.
FLUX_DECL std::string new_engineio_sid() {
  static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::random_device entropy;
  std::string sid(engineio_sid_size, '\0');
  unsigned bits = 0;
  for (std::size_t i = 0; i < sid.size(); ++i) {
    if (i % 5 == 0) bits = entropy();
    sid[i] = alphabet[bits & 63];
    bits >>= 6;
  }
  return sid;
}

FLUX_DECL std::size_t engineio_post_bytes_max(std::size_t message_bytes_max) noexcept {
  constexpr std::size_t around_bytes = 65'536;  // for instance the text of an event with such an attachment
  constexpr std::size_t any = static_cast<std::size_t>(-1);
  return message_bytes_max > (any - around_bytes) / 2 ? any : protocol::base64_size(message_bytes_max) + around_bytes;
}

FLUX_DECL engineio::Options with_origins(engineio::Options options, const Config& config) {
  auto& origins = options.cors_origins;
  origins = origins.empty() ? config.origins : gate::normal_origins("engineio::Options::cors_origins", origins);
  return options;
}

FLUX_DECL EngineIoServer::EngineIoServer(Hub& hub, std::string_view protocol, engineio::Options options,
                                         Factory factory)
    : hub_(hub),
      protocol_(protocol),
      options_(with_origins(std::move(options), hub.config)),
      post_bytes_max_(engineio_post_bytes_max(options_.payload_bytes_max)),
      factory_(std::move(factory)),
      pollers_(std::make_shared<EngineIoPollers>(options_.polling_limits)) {
  using core::require_option, core::require_time;
  const std::string type = protocol == "socket.io" ? "socketio::Options" : "engineio::Options";
  require_time(options_.ping_interval, type + "::ping_interval");
  require_time(options_.ping_timeout, type + "::ping_timeout");
  require_time(options_.upgrade_timeout, type + "::upgrade_timeout");
  core::require_at_least(1, options_.payload_bytes_max, type + "::payload_bytes_max");
  const auto& origins = options_.cors_origins;
  require_option(!options_.cors_credentials || std::find(origins.begin(), origins.end(), "*") == origins.end(),
                 type + "::cors_credentials needs cors_origins that are named: browsers refuse it together with *");
  require_option(options_.polling || options_.websocket, type + " must leave polling or websocket on");
}

FLUX_DECL std::vector<std::string> EngineIoServer::websocket_paths() const {
  const std::string& path = options_.path;
  if (path.empty() || path == "/") return {path};
  const bool has_slash = path.back() == '/';
  return {path, has_slash ? path.substr(0, path.size() - 1) : path + "/"};
}

FLUX_DECL void EngineIoServer::add_routes(transport::Router& router) {
  for (const char* method : {"GET", "POST", "OPTIONS", "HEAD", "PUT", "PATCH", "DELETE"}) {  // the last are refused
    for (const std::string& path : websocket_paths()) {
      router.add(method, path, [this](const HttpExchange& exchange) { serve(exchange); }, {post_bytes_max_});
    }
  }
}

FLUX_DECL std::shared_ptr<EngineIoSession> EngineIoServer::find(std::string_view sid) {
  Shard& s = shard(sid);
  const std::lock_guard lock(s.mutex);
  const auto found = s.sessions.find(sid);
  return found == s.sessions.end() ? nullptr : *found;
}

FLUX_DECL std::shared_ptr<EngineIoSession> EngineIoServer::make(std::shared_ptr<core::Loop> loop, bool base64) {
  const std::size_t most = hub_.config.limits.connections_max;
  if (count_.fetch_add(1, std::memory_order_relaxed) >= most && most != 0) {
    count_.fetch_sub(1, std::memory_order_relaxed);
    loop->counters().connections_refused.add();
    return nullptr;
  }
  auto session = std::make_shared<EngineIoSession>(*this, new_engineio_sid(), std::move(loop), base64);
  Shard& s = shard(session->sid());
  const std::lock_guard lock(s.mutex);
  s.sessions.insert(session);
  return session;
}

FLUX_DECL std::shared_ptr<EngineIoClient> EngineIoServer::client_of(EngineIoSession& session,
                                                                    std::shared_ptr<const EngineIoOpening> opening,
                                                                    GrantPtr grant) {
  if (grant) (void)session.set_grant(std::move(grant));  // never fails: it is open
  return factory_(session, std::move(opening));
}

FLUX_DECL std::shared_ptr<const EngineIoOpening> EngineIoServer::open_with(const transport::HttpHead& head,
                                                                           std::string_view remote_address) {
  return std::make_shared<const EngineIoOpening>(head, remote_address, common_fields_);
}

FLUX_DECL void EngineIoServer::forget(std::string_view sid) {
  std::shared_ptr<EngineIoSession> last;  // destroyed without the lock
  Shard& s = shard(sid);
  const std::lock_guard lock(s.mutex);
  const auto found = s.sessions.find(sid);
  if (found == s.sessions.end()) return;
  last = *found;
  s.sessions.erase(found);
  count_.fetch_sub(1, std::memory_order_relaxed);
}

FLUX_DECL std::vector<std::shared_ptr<EngineIoSession>> EngineIoServer::all() {
  std::vector<std::shared_ptr<EngineIoSession>> list;
  for (Shard& s : shards_) {
    const std::lock_guard lock(s.mutex);
    list.insert(list.end(), s.sessions.begin(), s.sessions.end());
  }
  return list;
}

FLUX_DECL std::vector<core::ListedClient> EngineIoServer::clients(std::string_view after, std::size_t limit) const {
  const std::size_t first = after.empty() ? 0 : shard_index(after);
  return core::list_shards(shards_, first, limit, [&](const Shard& of, std::vector<core::ListedClient>& list) {
    for (const auto& session : of.sessions) {
      if (!session->is_open() || session->in_directory()) continue;
      if (&of != &shards_[first] || session->sid() > after) {
        list.push_back({std::string(session->sid()), protocol_, session->connected_at(), session->counts()});
      }
    }
  });
}

FLUX_DECL std::shared_ptr<core::GrantHolder> EngineIoServer::holder(std::string_view sid) {
  const auto session = find(sid);
  return session && session->is_open() && !session->in_directory() ? session->holder() : nullptr;
}

/// The protocol has neither a code nor a reason.
FLUX_DECL bool EngineIoServer::disconnect(std::string_view sid, CloseCode, std::string_view) {
  auto session = find(sid);
  if (!session || !session->is_open()) return false;
  const auto loop = session->loop();
  return loop->dispatch([session = std::move(session)] {
    if (EngineIoClient* const client = session->client()) client->disconnect();
  });
}

FLUX_DECL void EngineIoServer::stop() {
  for (const auto& session : all()) {
    session->loop()->dispatch([session] { session->close(EndReason::server_shutting_down); });
  }
}

FLUX_DECL void EngineIoServer::end(const core::Loop& loop) {
  for (const auto& session : all()) {
    if (session->loop().get() != &loop) continue;
    session->close(EndReason::server_shutting_down);
    forget(session->sid());
  }
}

FLUX_DECL HttpFields EngineIoServer::cors(const HttpExchange& exchange) const {
  const auto& allowed = options_.cors_origins;
  if (std::find(allowed.begin(), allowed.end(), "*") != allowed.end()) return {{"Access-Control-Allow-Origin", "*"}};
  if (allowed.empty()) return {};
  HttpFields fields{{"Vary", "Origin"}};
  const auto origin = exchange.header("origin");
  if (!origin || std::find(allowed.begin(), allowed.end(), *origin) == allowed.end()) return fields;
  fields.emplace_back("Access-Control-Allow-Origin", *origin);
  if (options_.cors_credentials) fields.emplace_back("Access-Control-Allow-Credentials", "true");
  return fields;
}

FLUX_DECL HttpFields EngineIoServer::answer_fields(const HttpExchange& exchange) const {
  HttpFields fields = cors(exchange);
  fields.emplace_back("Cache-Control", "no-store");
  return fields;
}

FLUX_DECL void EngineIoServer::refuse(const HttpExchange& exchange, EngineIoRefusal refusal) const {
  exchange.respond(protocol::engineio_refusal_status(refusal), protocol::engineio_refusal_body(refusal),
                   "application/json", answer_fields(exchange));
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
  if (!gate::origin_allowed(hub_.config.origins, exchange.header("origin"), state.head().host(), hub_.speaks_tls())) {
    state.loop()->counters().connections_refused.add();
    return refuse(exchange, EngineIoRefusal::forbidden);
  }
  if (transport::query_parameter(state.head().query(), "j")) {
    return exchange.respond(
        400, protocol::engineio_refusal_body(EngineIoRefusal::bad_request, "JSONP polling is not supported; use CORS"),
        "application/json", answer_fields(exchange));
  }
  const protocol::EngineIoQuery query = protocol::read_engineio_query(state.head().query());
  const auto session = query.sid.empty() ? nullptr : find(query.sid);
  const protocol::EngineIoState known{options_.polling, options_.websocket,
                                      session ? std::optional(session->transport_now()) : std::nullopt};
  if (const auto refusal = protocol::check_engineio_request({query, exchange.method(), false}, known)) {
    return refuse(exchange, *refusal);
  }
  if (session && exchange.method() == "POST") return serve_post(exchange, session);
  if (session) {
    exchange.state()->end_with_client();
    exchange.on_abort(
        [session] { session->loop()->dispatch([session] { session->close(EndReason::transport_error); }); });
    session->loop()->dispatch([session, exchange] { session->poll(exchange); });
    return;
  }
  let_in(exchange, query.base64);
}

FLUX_DECL void EngineIoServer::let_in(const HttpExchange& exchange, bool base64) {
  if (!options_.authenticated) return open_polling(exchange, base64, nullptr);
  const auto& state = *exchange.state();
  const auto gone = std::make_shared<bool>(false);
  exchange.on_abort([gone] { *gone = true; });
  const gate::ShownOverHttp shown("engine.io", state.head(), state.client());
  hub_.gate.let_in(state.loop(), shown, [this, exchange, base64, gone](Result<Grant> grant) {
    if (*gone) return;
    if (grant) return open_polling(exchange, base64, gate::kept(std::move(*grant)));
    if (endpoints::is_refusal(grant.error().code())) {
      exchange.state()->loop()->counters().connections_refused.add();
    }
    auto [status, fields] = endpoints::http_refusal(grant.error().code());
    for (auto& field : answer_fields(exchange)) fields.push_back(std::move(field));
    exchange.respond(status, protocol::engineio_refusal_body(EngineIoRefusal::forbidden, grant.error().message()),
                     "application/json", std::move(fields));
  });
}

FLUX_DECL void EngineIoServer::open_polling(const HttpExchange& exchange, bool base64, GrantPtr grant) {
  const auto& state = *exchange.state();
  const auto opened = make(state.loop(), base64);
  if (!opened) return exchange.respond(503, "too many clients", "text/plain", answer_fields(exchange));
  auto opening = open_with(state.head(), state.client().text());
  std::vector<std::shared_ptr<EngineIoSession>> displaced;
  auto place = pollers_->enter(opened, state.client().ip, opening->bytes(), displaced);
  for (const auto& session : displaced) {
    session->loop()->dispatch([session] { session->close(EndReason::unused); });
  }
  if (place) {
    auto client = client_of(*opened, std::move(opening), std::move(grant));
    return opened->open_polling(exchange, std::move(place), std::move(client));
  }
  forget(opened->sid());
  state.loop()->counters().connections_refused.add();
  exchange.respond(
      429,
      protocol::engineio_refusal_body(EngineIoRefusal::forbidden,
                                      "Too many polling sessions from this address; end some, or use WebSocket"),
      "application/json", answer_fields(exchange));
}

struct EngineIoPost {
  EngineIoPost(std::shared_ptr<EngineIoSession> s, std::shared_ptr<core::Reclaimer> r)
      : session(std::move(s)), reclaimer(std::move(r)) {}
  EngineIoPost(const EngineIoPost&) = delete;
  EngineIoPost& operator=(const EngineIoPost&) = delete;
  ~EngineIoPost() {
    end();
    reclaimer->take(std::move(body));
  }
  /// `most`: the largest size it can reach. Memory for that is reserved once a good part of it has been received.
  void append(std::string_view piece, std::size_t most) {
    const std::size_t needed = body.size() + piece.size();
    if (needed > body.capacity() && needed >= core::Reclaimer::large_bytes && needed <= most) reserve(most);
    body.append(piece);
  }
  void reserve(std::size_t bytes) {
    try {
      body.reserve(bytes);
    } catch (const std::exception&) {  // more is announced than there is memory; the body grows as it is received
    }
  }
  /// The client may send another POST once this one has been read, or can no longer be read.
  void end() {
    if (!std::exchange(ended, true)) session->end_post();
  }
  const std::shared_ptr<EngineIoSession> session;
  const std::shared_ptr<core::Reclaimer> reclaimer;
  std::string body;
  bool ended = false;
};

FLUX_DECL void EngineIoServer::serve_post(const HttpExchange& exchange,
                                          const std::shared_ptr<EngineIoSession>& session) {
  if (!session->begin_post()) {
    refuse(exchange, EngineIoRefusal::bad_request);
    return close_behind(exchange, session, EndReason::transport_error);
  }
  auto post = std::make_shared<EngineIoPost>(session, reclaimer_);
  std::size_t most = post_bytes_max_;
  if (const auto length = exchange.header("content-length")) {
    std::from_chars(length->data(), length->data() + length->size(), most);  // the HTTP parser has checked it
  }
  exchange.on_body([post, end = std::min(most, post_bytes_max_)](std::string_view piece) { post->append(piece, end); },
                   [this, exchange, post](bool complete) {
                     if (complete) return take_post(exchange, post);
                     close_behind(exchange, post->session, EndReason::transport_error);  // its packets are lost
                   });
}

/// In a later turn, when the answer has been sent: a poll that reports the end must not overtake it.
FLUX_DECL void EngineIoServer::close_behind(const HttpExchange& exchange,
                                            const std::shared_ptr<EngineIoSession>& session, EndReason reason,
                                            const std::shared_ptr<EngineIoPost>& post) {
  exchange.state()->loop()->post(
      [session, reason, post] { session->loop()->dispatch([session, reason, post] { session->close(reason); }); });
}

FLUX_DECL void EngineIoServer::take_post(const HttpExchange& exchange, const std::shared_ptr<EngineIoPost>& post) {
  const auto& session = post->session;
  session->loop()->dispatch([this, exchange, post, session] {
    const auto answer = [this, exchange, post, session](int status, std::optional<EndReason> why) {
      if (!why) post->end();
      if (status == 200) return exchange.respond(200, "ok", "text/html", answer_fields(exchange));
      if (status == 413) {
        exchange.respond(413, {}, {}, answer_fields(exchange));
      } else {
        refuse(exchange, EngineIoRefusal::bad_request);
      }
      if (why) close_behind(exchange, session, *why, post);
    };
    if (!session->is_open() || session->over_websocket()) return answer(400, {});
    session->posted(std::move(post->body), answer);
  });
}

FLUX_DECL void EngineIoServer::upgrade(const std::shared_ptr<transport::HttpConnection>& http,
                                       const transport::HttpHead& head, transport::WebSocketService& websockets) {
  const protocol::EngineIoQuery query = protocol::read_engineio_query(head.query());
  auto session = query.sid.empty() ? nullptr : find(query.sid);
  const protocol::EngineIoState known{options_.polling, options_.websocket,
                                      session ? std::optional(session->transport_now()) : std::nullopt};
  if (const auto refusal = protocol::check_engineio_request({query, head.method(), true}, known)) {
    // A session accepts no second WebSocket; the handshake is accepted so that a close frame can tell the client.
    const bool second = session && session->transport_now() == EngineIoTransport::websocket && options_.websocket;
    if (!second) return http->refuse_upgrade(protocol::engineio_refusal_status(*refusal), to_string(*refusal));
  }
  transport::Connection& connection = *http->connection();
  const auto answer = endpoints::answer_websocket(hub_.config, head, endpoints::first_subprotocol(head), false);
  if (session && session->loop() != connection.shared_loop()) return bring_over(http, answer.head, session);
  if (!session) return let_in(http, head, answer.head, query.base64, websockets);
  const auto websocket =
      std::make_shared<EngineIoWebSocket>(session, connection, websockets, frame_bytes_max(*session));
  if (http->accept_upgrade(answer.head, websocket)) session->probe(websocket);
}

FLUX_DECL void EngineIoServer::let_in(const std::shared_ptr<transport::HttpConnection>& http,
                                      const transport::HttpHead& head, const std::string& answer, bool base64,
                                      transport::WebSocketService& websockets) {
  const auto admit = [this, http, answer, base64, &websockets](const transport::HttpHead& asked, GrantPtr grant) {
    open_websocket(http, asked, answer, base64, websockets, std::move(grant));
  };
  if (!options_.authenticated) return admit(head, nullptr);
  endpoints::let_in(hub_, "engine.io", http, head, RefuseWith::http_status, admit);
}

FLUX_DECL void EngineIoServer::open_websocket(const std::shared_ptr<transport::HttpConnection>& http,
                                              const transport::HttpHead& head, const std::string& answer, bool base64,
                                              transport::WebSocketService& websockets, GrantPtr grant) {
  transport::Connection& connection = *http->connection();
  const auto session = make(connection.shared_loop(), base64);
  if (!session) return http->refuse_upgrade(503, "too many clients");
  const auto opening = open_with(head, http->client(head).text());
  const auto websocket =
      std::make_shared<EngineIoWebSocket>(session, connection, websockets, frame_bytes_max(*session));
  if (!http->accept_upgrade(answer, websocket)) return forget(session->sid());
  session->open_websocket(websocket, client_of(*session, opening, std::move(grant)));
}

/// A session and its WebSocket must be on the same loop. The client waits for the answer to its handshake meanwhile, so
/// no input can be lost.
FLUX_DECL void EngineIoServer::bring_over(const std::shared_ptr<transport::HttpConnection>& http, std::string answer,
                                          const std::shared_ptr<EngineIoSession>& session, int tries) {
  // In a separate turn, because the connection is inside its handler now. TLS sends its pending records before that, in
  // another turn.
  http->connection()->loop().post([this, http, session, tries, answer = std::move(answer)] {
    if (http->closed()) return;
    const std::shared_ptr<transport::ConnectionInTransit> transit = http->connection()->detach();
    if (!transit && tries > 1) return bring_over(http, answer, session, tries - 1);
    if (!transit) return http->refuse_upgrade(503, "earlier answers are still being sent");
    session->loop()->post([this, session, transit, answer] {
      const auto home = homes_(*session->loop());
      if (!home) return;
      const auto connection = transit->arrive(session->loop(), home->connections);
      if (!connection) return;
      const auto websocket =
          std::make_shared<EngineIoWebSocket>(session, *connection, home->websockets, frame_bytes_max(*session));
      connection->write(answer);
      session->probe(websocket);
      connection->start(websocket);
      connection->resume_input();
    });
  });
}

}  // namespace flux::detail
