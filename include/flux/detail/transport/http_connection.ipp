#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/transport/file_answer.hpp>
#include <flux/detail/transport/http_connection.hpp>
#include <flux/detail/transport/websocket_handshake.hpp>

#include <chrono>
#include <exception>
#include <utility>

namespace flux::transport {

namespace detail {

/// A body of at least this size is sent without copying it after its head.
inline constexpr std::size_t sent_in_place_bytes = 16 * 1024;

inline HttpLimits http_limits(const Limits& limits) {
  HttpLimits http;
  http.request_line_bytes_max = limits.request_line_bytes_max;
  http.field_bytes_max = limits.field_bytes_max;
  http.fields_max = limits.fields_max;
  http.head_bytes_max = limits.head_bytes_max;
  http.body_bytes_max = limits.body_bytes_max;
  return http;
}

}  // namespace detail

FLUX_DECL HttpConnection::HttpConnection(Connection& connection, HttpService& service, bool one_request)
    : connection_(&connection), service_(service), one_request_(one_request) {
  connection.set_deadline(service.limits->handshake_timeout);
}

// --- Input ---

FLUX_DECL std::size_t HttpConnection::on_data(char* data, std::size_t size) {
  std::string_view in(data, size);
  in_data_ = true;
  while (step(in)) {
  }
  in_data_ = false;
  settle(in.size());
  return size - in.size();
}

/// Takes one event from the input. Returns false if the rest must wait, for more input or for the application.
FLUX_DECL bool HttpConnection::step(std::string_view& in) {
  if (connection_ == nullptr) return false;
  if (request_ && request_->over()) end_request();
  if (closing_) {
    in = {};
    return false;
  }
  if (!request_) {
    if (in.empty() || connection_->congested()) return false;
    begin_request();
  }
  if (request_->read || request_->upgrading || request_->body_paused) return false;
  switch (request_->parser.next(in)) {
    case HttpRequestParser::Event::need_more: return false;
    case HttpRequestParser::Event::head: on_head(); return true;
    case HttpRequestParser::Event::body: on_body_bytes(request_->parser.body_chunk()); return true;
    case HttpRequestParser::Event::end: on_body_end(); return true;
    case HttpRequestParser::Event::error: on_parse_error(); return true;
  }
  return false;
}

FLUX_DECL void HttpConnection::begin_request() {
  request_ = std::make_unique<Request>(detail::http_limits(*service_.limits));
  ++request_number_;
}

FLUX_DECL void HttpConnection::end_request() {
  const bool keep_alive = request_->keep_alive && !stopping_;
  connection_->unwatch_input();
  request_.reset();
  if (!keep_alive) close_when_sent();
}

FLUX_DECL void HttpConnection::on_head() {
  connection_->loop().counters().requests.add();
  Request& request = *request_;
  const HttpHead& head = request.parser.head();
  request.head_read = true;
  request.awaits_continue = head.expects_continue();
  request.context.version_minor = head.version_minor();
  request.context.head_request = head.method() == "HEAD";
  request.context.keep_alive = head.keep_alive() && !one_request_;
  const core::ClientAddress sender = client(head);
  if (!may_connect(sender)) return refuse(429, "too many connections from this address");
  if (head.method() == "CONNECT") return refuse(501, "CONNECT is for proxies");
  if (head.upgrade_websocket() && is_websocket(head.path())) return begin_upgrade();

  const auto length = head.content_length();
  auto exchange =
      std::make_shared<flux::detail::HttpExchangeState>(connection_->shared_loop(), weak_from_this(), request_number_,
                                                        request.parser.take_head(), sender, *service_.limits);
  request.exchange = exchange;
  const RouteMatch match =
      service_.router->match(exchange->head().method(), exchange->head().path(), exchange->captures());
  std::uint64_t body_bytes_max = service_.limits->body_bytes_max;
  if (match.route != nullptr) body_bytes_max = match.route->options.body_bytes_max.value_or(body_bytes_max);
  request.parser.set_body_bytes_max(body_bytes_max);
  // A folder served around a WebSocket endpoint does not hide it.
  const bool hides_websocket = match.route != nullptr && match.route->files && is_websocket(exchange->head().path());
  if (match.route == nullptr || hides_websocket) {
    if (length.value_or(0) > body_bytes_max) request.context.keep_alive = false;
    return answer_without_route(hides_websocket ? RouteMatch{nullptr, 404, {}} : match, exchange->head().method(),
                                exchange->head().path());
  }
  if (length.value_or(0) > body_bytes_max) return refuse(413, "the declared body is too long");
  match.route->options.authenticated ? ask_about(*match.route, exchange) : call_route(*match.route, exchange);
}

FLUX_DECL core::ClientAddress HttpConnection::client(const HttpHead& head) const {
  const core::ClientAddress peer = connection_->peer();
  return service_.proxies != nullptr ? service_.proxies->client(peer, head) : peer;
}

/// A proxy's connection counts for the client whose request it carries.
FLUX_DECL bool HttpConnection::may_connect(const core::ClientAddress& sender) {
  if (service_.proxies == nullptr || !service_.proxies->trusts(connection_->peer().ip)) return true;
  if (connection_->count_for(sender.ip)) return true;
  connection_->loop().counters().connections_refused.add();
  return false;
}

/// The body is held back until the route's handler can read it.
FLUX_DECL void HttpConnection::ask_about(const Route& route,
                                         const std::shared_ptr<flux::detail::HttpExchangeState>& exchange) {
  if (exchange->head().has_body()) pause_body();
  service_.let_in(exchange, [self = shared_from_this(), &route, exchange, number = request_number_] {
    if (!self->serves(number)) return;
    self->resume_body();
    if (!self->serves(number)) return;  // the client had ended its sending side inside the body
    self->call_route(route, exchange);
  });
}

FLUX_DECL void HttpConnection::call_route(const Route& route,
                                          const std::shared_ptr<flux::detail::HttpExchangeState>& exchange) {
  const core::RunningHandler::Call call(connection_->loop().counters().running, "HTTP", exchange->client(),
                                        exchange->head().path());
  try {
    if (route.files) {
      answer_with_file(exchange, *route.files, exchange->captures().all().back().second);
    } else {
      route.handler(HttpExchange(exchange));
    }
  } catch (...) {
    handler_failed(request_number_, std::current_exception());
  }
}

FLUX_DECL void HttpConnection::answer_without_route(const RouteMatch& match, std::string_view method,
                                                    std::string_view path) {
  if (match.status == 404 && is_websocket(path)) {
    if (method == "GET" || method == "HEAD") {
      return answer_text(426, "This is a WebSocket endpoint", {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}});
    }
    const bool options = method == "OPTIONS";
    return answer_text(options ? 204 : 405, options ? "" : reason_phrase(405), {{"Allow", "GET, HEAD, OPTIONS"}});
  }
  HttpFields fields;
  if (!match.allow.empty()) fields.emplace_back("Allow", match.allow);
  answer_text(match.status, match.status == 204 ? std::string_view() : reason_phrase(match.status), std::move(fields));
}

FLUX_DECL void HttpConnection::on_body_bytes(std::string_view bytes) {
  request_->awaits_continue = false;
  request_->body_bytes += bytes.size();
  const auto exchange = request_->exchange.lock();
  if (exchange && exchange->reads_body()) {
    exchange->body_piece(bytes);
  } else {
    request_->body_discarded = true;
  }
}

FLUX_DECL void HttpConnection::on_body_end() {
  request_->read = true;
  if (const auto exchange = request_->exchange.lock()) exchange->body_end(true);
}

FLUX_DECL void HttpConnection::on_parse_error() {
  refuse(request_->parser.error_status(), request_->parser.error_text());
}

/// For a request that can't be parsed further, or whose rest is not wanted: answers, unless an answer has begun, and
/// closes.
FLUX_DECL void HttpConnection::refuse(int status, std::string_view text) {
  const auto exchange = request_->exchange.lock();
  if (exchange) {
    exchange->answer_over();
    request_->exchange.reset();
  }
  if (!request_->begun) {
    request_->context.keep_alive = false;
    answer_text(status, text);
  }
  if (exchange) exchange->body_end(false);
  if (connection_ != nullptr) close_when_sent();
}

// --- Upgrades ---

FLUX_DECL bool HttpConnection::is_websocket(std::string_view path) const {
  return service_.is_websocket && service_.is_websocket(std::string(path));
}

FLUX_DECL void HttpConnection::begin_upgrade() {
  const HttpHead head = request_->parser.take_head();  // the request is destroyed once the upgrade is accepted
  if (head.all_headers("Sec-WebSocket-Version") != "13") {
    return answer_text(426, "Only version 13 of WebSocket is supported",
                       {{"Upgrade", "websocket"}, {"Connection", "Upgrade"}, {"Sec-WebSocket-Version", "13"}});
  }
  if (!valid_key(head.all_headers("Sec-WebSocket-Key"))) {
    return answer_text(400, "Sec-WebSocket-Key is not the base64 of 16 bytes");
  }
  request_->upgrading = true;
  try {
    service_.upgrade(shared_from_this(), head);
  } catch (...) {
    handler_failed(request_number_, std::current_exception());
  }
}

FLUX_DECL bool HttpConnection::accept_upgrade(std::string_view response_head, std::shared_ptr<StreamHandler> next) {
  if (connection_ == nullptr || closing_ || !request_ || !request_->upgrading) return false;
  pass_on(response_head, std::move(next));
  return true;
}

/// Afterwards `closed`.
FLUX_DECL Connection& HttpConnection::pass_on(std::string_view response_head, std::shared_ptr<StreamHandler> next) {
  const auto self = shared_from_this();  // the connection now holds `next` instead
  Connection& connection = *std::exchange(connection_, nullptr);
  request_.reset();
  connection.clear_deadline();
  connection.write(response_head);
  connection.set_handler(std::move(next));
  if (!in_data_) connection.resume_input();  // otherwise the connection continues with the rest by itself
  return connection;
}

FLUX_DECL void HttpConnection::refuse_upgrade(int status, std::string_view reason, const HttpFields& fields) {
  if (connection_ == nullptr || closing_ || !request_ || !request_->upgrading) return;
  request_->upgrading = false;
  request_->read = true;
  request_->context.keep_alive = false;
  answer_text(status, reason, fields);
}

FLUX_DECL Connection* HttpConnection::hand_over(std::string_view response_head, std::shared_ptr<StreamHandler> next) {
  const auto exchange = request_->exchange.lock();
  if (request_->begun || stopping_ || !exchange || exchange->head().has_body()) return nullptr;
  connection_->unwatch_input();
  Connection& connection = pass_on(response_head, std::move(next));
  exchange->release();
  return &connection;
}

// --- The answer ---

FLUX_DECL bool HttpConnection::serves(std::uint64_t exchange) const {
  return connection_ != nullptr && !closing_ && request_ && request_->head_read && request_number_ == exchange;
}

FLUX_DECL void HttpConnection::answer_text(int status, std::string_view text, HttpFields fields) {
  respond(status, std::string(text), "text/plain; charset=utf-8", std::move(fields));
}

/// Appends the head of the answer to `out`. Returns false if it can't be sent: then the client has been sent 500
/// instead.
FLUX_DECL bool HttpConnection::write_head(std::string& out, int status, HttpFields fields,
                                          std::optional<std::uint64_t> content_length) {
  Request& request = *request_;
  if (!service_.server_name.empty() && !find_field(fields, "Server"))
    fields.emplace_back("Server", service_.server_name);
  const std::chrono::milliseconds now(connection_->loop().clock().unix_ms());
  HttpResponseContext context = request.context;
  context.date = service_.date.at(std::chrono::system_clock::time_point(now));
  // A client that was not told to send its body may send it or not: the next bytes would be ambiguous.
  context.keep_alive = context.keep_alive && !stopping_ && !request.awaits_continue;
  request.begun = true;
  HttpEncodedHead head;
  if (status >= 200) {
    head = append_response_head(out, status, fields, content_length, context);
  } else {
    head.error = HttpEncodeError::bad_status;  // only flux sends interim responses
  }
  if (head) {
    request.keep_alive = head.keep_alive;
    request.framing = head.framing;
    request.bytes_left = content_length.value_or(0);
    return true;
  }
  connection_->loop().counters().handler_errors.add();
  constexpr std::string_view reasons[] = {"",
                                          "its status is not within 200 to 999",
                                          "a field name is not a token",
                                          "a field value holds a control character",
                                          "Content-Length and Transfer-Encoding are not the handler's to set",
                                          "its status allows no body"};
  log_error("an HTTP handler's answer cannot be sent: " + std::string(reasons[static_cast<std::size_t>(head.error)]) +
            request_in_log());
  request.keep_alive = append_text_response(out, 500, reason_phrase(500), context).keep_alive;
  write_bytes(out);
  complete_answer();
  return false;
}

FLUX_DECL void HttpConnection::respond(int status, std::string body, std::string_view content_type, HttpFields fields) {
  if (request_->begun) return;
  const bool typed = !content_type.empty() && status != 204 && status != 304;
  if (typed && !find_field(fields, "Content-Type")) fields.emplace_back("Content-Type", content_type);
  std::optional<std::uint64_t> length = body.size();
  if (status == 304 && body.empty()) length.reset();  // it would be the length of the 200 answer, which is unknown
  std::string& out = service_.scratch;
  out.clear();
  if (!write_head(out, status, std::move(fields), length)) return;
  if (request_->framing != HttpBodyFraming::sized) {
    write_bytes(out);
  } else if (body.size() < detail::sent_in_place_bytes) {
    out += body;
    write_bytes(out);
  } else {
    const std::size_t size = body.size();
    write_bytes(out, std::make_shared<const std::string>(std::move(body)), size, {});
  }
  complete_answer();
}

FLUX_DECL void HttpConnection::begin(int status, HttpFields fields, std::optional<std::uint64_t> content_length) {
  if (request_->begun) return;
  std::string& out = service_.scratch;
  out.clear();
  if (!write_head(out, status, std::move(fields), content_length)) return;
  write_bytes(out);
  if (!in_data_) update_deadline(0);
}

FLUX_DECL Sent HttpConnection::write(std::string piece) {
  const std::size_t size = piece.size();
  return write(std::make_shared<const std::string>(std::move(piece)), size);
}

FLUX_DECL Sent HttpConnection::write(const SharedBytes& bytes, std::size_t size) {
  Request& request = *request_;
  if (!request.begun || request.answered) return Sent::dropped;
  if (size == 0 || request.framing == HttpBodyFraming::none) {
    return connection_->congested() ? Sent::congested : Sent::queued;
  }
  std::string& out = service_.scratch;
  out.clear();
  std::string_view behind;
  bool too_much = false;
  if (request.framing == HttpBodyFraming::sized) {
    too_much = size > request.bytes_left;
    if (too_much) {
      log_error("an HTTP handler wrote more than the content length that it gave; the rest is cut off");
      size = static_cast<std::size_t>(request.bytes_left);
    }
    request.bytes_left -= size;
    if (size == 0) return Sent::dropped;
  } else if (request.framing == HttpBodyFraming::chunked) {
    out += HttpChunkHead(size).text();
    behind = http_crlf;
  }
  Sent sent = Sent::queued;
  if (size < detail::sent_in_place_bytes) {
    out.append(*bytes, 0, size).append(behind);
    sent = write_bytes(out);
  } else {
    sent = write_bytes(out, bytes, size, behind);
  }
  if (!in_data_) update_deadline(0);
  return too_much ? Sent::dropped : sent;
}

FLUX_DECL void HttpConnection::end() {
  if (!request_->begun || request_->answered) return;
  if (request_->framing == HttpBodyFraming::sized && request_->bytes_left > 0) {
    return cut("an HTTP handler ended its answer before the content length that it gave");
  }
  if (request_->framing == HttpBodyFraming::chunked) write_bytes(http_last_chunk);
  complete_answer();
}

FLUX_DECL void HttpConnection::cut(std::string_view reason) {
  if (request_->answered) return;
  log_error(reason);
  if (const auto exchange = request_->exchange.lock()) exchange->release();
  request_->answered = true;
  close_when_sent();
}

FLUX_DECL void HttpConnection::drop() {
  connection_->loop().counters().slow_readers_closed.add();
  abort();
}

FLUX_DECL void HttpConnection::abort() {
  connection_->loop().post([self = shared_from_this()] {
    if (self->connection_ != nullptr) self->connection_->close();
  });
}

FLUX_DECL void HttpConnection::abandoned() {
  if (request_->answered) return;
  if (!request_->begun) {
    log_error("the last handle of an HTTP exchange was destroyed without an answer" + request_in_log());
    return answer_text(500, reason_phrase(500));
  }
  if (request_->framing == HttpBodyFraming::none ||
      (request_->framing == HttpBodyFraming::sized && request_->bytes_left == 0)) {
    return complete_answer();
  }
  cut("the last handle of an HTTP exchange was destroyed before its answer was complete");
}

FLUX_DECL void HttpConnection::handler_failed(std::uint64_t exchange, const std::exception_ptr& error) {
  std::string reason = "an exception that is not a std::exception";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& exception) {
    reason = exception.what();
  } catch (...) {
  }
  if (connection_ != nullptr) connection_->loop().counters().handler_errors.add();
  const bool serves_it = serves(exchange);
  log_error("an HTTP handler threw: " + reason + (serves_it ? request_in_log() : std::string()));
  if (!serves_it) return;
  if (const auto state = request_->exchange.lock()) state->release();
  if (request_->upgrading) return refuse_upgrade(500, reason_phrase(500));
  request_->body_paused = false;
  if (request_->answered) return;
  if (request_->begun) return cut("its answer is cut off");
  answer_text(500, reason_phrase(500));
}

FLUX_DECL Sent HttpConnection::write_bytes(std::string_view bytes) {
  const Sent sent = connection_->write(bytes);
  if (sent == Sent::dropped) drop();  // an answer with a gap would be worse than none
  return sent;
}

/// Sends a large piece, without copying it, and its framing.
FLUX_DECL Sent HttpConnection::write_bytes(const std::string& before, const SharedBytes& piece, std::size_t size,
                                           std::string_view behind) {
  if (!before.empty() && write_bytes(before) == Sent::dropped) return Sent::dropped;
  const Sent sent = connection_->write(piece, 0, size);
  if (sent == Sent::dropped) drop();
  if (sent == Sent::dropped || behind.empty()) return sent;
  return write_bytes(behind);
}

FLUX_DECL void HttpConnection::complete_answer() {
  request_->answered = true;
  const auto exchange = request_->exchange.lock();
  const bool body_read = !request_->read && exchange && exchange->reads_body() && !request_->awaits_continue;
  if (exchange) exchange->answer_over();
  if (!request_->keep_alive && !body_read) return close_when_sent();
  proceed();
}

// --- The body ---

FLUX_DECL void HttpConnection::body_wanted() {
  if (request_->read || request_->body_discarded) {  // requested too late
    connection_->loop().post([exchange = request_->exchange.lock(), complete = !request_->body_discarded] {
      if (exchange) exchange->body_end(complete);
    });
    return;
  }
  if (!request_->awaits_continue || request_->begun) return;
  request_->awaits_continue = false;
  write_bytes(http_continue);
}

FLUX_DECL void HttpConnection::pause_body() {
  if (request_->read) return;
  request_->body_paused = true;
  if (!in_data_) connection_->pause_reading();  // otherwise `settle` does, unless the body is resumed before
}

FLUX_DECL void HttpConnection::resume_body() {
  if (!request_->body_paused) return;
  request_->body_paused = false;
  proceed();
  if (connection_ == nullptr || connection_->unused_bytes() > 0) return;
  // If the last byte was taken before the pause, only the end of the body is outstanding, and no input will trigger it.
  connection_->loop().post([self = shared_from_this(), number = request_number_] {
    if (self->serves(number) && self->connection_->unused_bytes() == 0) self->on_data(nullptr, 0);
  });
}

// --- The next step ---

FLUX_DECL std::size_t HttpConnection::outbox_bytes() const {
  return connection_ != nullptr ? connection_->outbox_bytes() : 0;
}

FLUX_DECL bool HttpConnection::notify_drained() { return connection_->notify_drained(); }

FLUX_DECL void HttpConnection::on_drained() {
  if (closing_) return connection_->finish(service_.limits->close_timeout);
  const auto exchange = request_ ? request_->exchange.lock() : nullptr;
  if (exchange) exchange->drained();
  if (connection_ == nullptr || closing_) return;
  if (request_) {
    update_deadline(0);
  } else {
    proceed();
  }
}

/// Closes when the client has taken all output. Keeps reading meanwhile: a client that is still sending would otherwise
/// get a reset, which may overtake the answer.
FLUX_DECL void HttpConnection::close_when_sent() {
  if (closing_) return;
  closing_ = true;
  connection_->unwatch_input();
  connection_->resume_reading();
  if (connection_->notify_drained()) {
    wait_for(Wait::nothing);
  } else {
    connection_->finish(service_.limits->close_timeout);
  }
}

/// Closes a connection without a request.
FLUX_DECL void HttpConnection::close_idle() {
  connection_->end_output();
  connection_->close();
}

/// Continues with pending input. Inside `on_data`, that does it.
FLUX_DECL void HttpConnection::proceed() {
  if (in_data_) return;
  if (request_ && request_->over()) end_request();
  if (closing_) return;
  if (connection_->unused_bytes() > 0) return connection_->resume_input();  // calls `settle` afterwards
  if (!request_ || !request_->body_paused) connection_->resume_reading();
  settle(0);
}

/// After each step: decides whether to close, whether to pause reading, and what to wait for. `unread`: bytes received
/// and not used.
FLUX_DECL void HttpConnection::settle(std::size_t unread) {
  if (connection_ == nullptr || closing_) return;
  if (peer_ended_) {
    const bool between = !request_ || !request_->head_read;
    if (between && (request_ || unread == 0)) return close_when_sent();
    // An incomplete request is not answered: its beginning might mean something else than the whole.
    if (!between && !request_->read && !request_->body_paused) return connection_->close();
    const auto exchange = request_ ? request_->exchange.lock() : nullptr;
    if (exchange && exchange->ends_with_client() && !request_->answered) return connection_->close();
  }
  const bool waiting = !request_ || request_->read || request_->upgrading;
  if ((waiting && unread > service_.limits->head_bytes_max) || (request_ && request_->body_paused)) {
    connection_->pause_reading();
  }
  update_deadline(unread);
}

FLUX_DECL void HttpConnection::on_end() {
  peer_ended_ = true;
  if (connection_->unused_bytes() > 0) return connection_->resume_input();
  settle(0);
}

FLUX_DECL void HttpConnection::on_stop() {
  stopping_ = true;
  if (closing_) return;
  // Browsers keep idle connections half closed for a long time: as after the idle timeout, there is nothing to wait
  // for.
  if (!request_ && connection_->outbox_bytes() == 0) return close_idle();
  if (!request_ || !request_->head_read) return close_when_sent();
  if (request_->upgrading) refuse_upgrade(503, "The server is stopping");
}

FLUX_DECL void HttpConnection::on_closed() {
  connection_ = nullptr;
  const auto exchange = request_ ? request_->exchange.lock() : nullptr;
  if (exchange) exchange->connection_closed();
  if (!in_data_) request_.reset();
}

// --- Deadlines ---

FLUX_DECL void HttpConnection::update_deadline(std::size_t unread) {
  if (closing_) return;
  const bool awaits_body =
      request_ && request_->head_read && !request_->upgrading && !request_->read && !request_->awaits_continue;
  if (awaits_body) {
    connection_->watch_input(request_->body_bytes, false);
  } else {
    connection_->unwatch_input();
  }
  if (!request_) {
    if (connection_->notify_drained()) return wait_for(Wait::nothing);  // as long as its output makes progress
    if (unread == 0 && request_number_ > 0) wait_for(Wait::request);
  } else if (!request_->head_read) {
    if (wait_ != Wait::head) wait_for(Wait::head);  // for the complete head, however slowly it arrives
  } else {
    wait_for(awaits_body && !request_->body_paused ? Wait::body : Wait::nothing);
  }
}

FLUX_DECL void HttpConnection::wait_for(Wait wait) {
  if (wait == Wait::nothing && wait_ == wait) return;
  wait_ = wait;
  if (wait == Wait::nothing) return connection_->clear_deadline();
  const Limits& limits = *service_.limits;
  connection_->set_deadline(wait == Wait::head ? limits.handshake_timeout : limits.http_idle_timeout);
}

FLUX_DECL void HttpConnection::on_deadline() {
  switch (std::exchange(wait_, Wait::nothing)) {
    case Wait::nothing: return;
    case Wait::head:
      if (!request_) return close_idle();
      request_->head_read = true;
      return refuse(408, "the head of the request took too long");
    case Wait::request: return close_idle();
    case Wait::body: return refuse_slow_body("the body of the request took too long");
  }
}

FLUX_DECL void HttpConnection::on_input_stalled() {
  if (wait_ != Wait::body) return;
  refuse_slow_body("the body of the request came with less than " +
                   std::to_string(service_.limits->input_bytes_per_second_min) + " bytes a second");
}

FLUX_DECL void HttpConnection::refuse_slow_body(std::string_view text) {
  if (request_->begun && !request_->answered) return connection_->close();
  refuse(408, text);
}

/// " (GET /path, client 192.0.2.7:49152)"; empty if the handler has released the exchange. Without the query, which may
/// hold a token.
FLUX_DECL std::string HttpConnection::request_in_log() const {
  const auto state = request_->exchange.lock();
  if (!state) return {};
  const HttpHead& head = state->head();
  return " (" + core::shown(head.method()) + " " + core::shown(head.path()) + ", client " + state->client().text() +
         ")";
}

FLUX_DECL void HttpConnection::log_error(std::string_view text) {
  if (service_.log) service_.log(LogLevel::error, text);
}

}  // namespace flux::transport
