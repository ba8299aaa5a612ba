// HTTP routes of the application.
#pragma once

#include <flux/error.hpp>
#include <flux/grant.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux {

namespace detail {
class HttpExchangeState;
}

/// Header fields as pairs of name and value, in the order in which they are sent.
using HttpFields = std::vector<std::pair<std::string, std::string>>;

/// A request and its answer. A handle: keep a copy to answer later. If the last copy is destroyed without an answer,
/// the client gets 500.
/// Threading: `respond`, `begin`, `write`, `end`, `identity`, `grant` and `remote_address` from any thread; the methods
/// that read the request, and `on_...`, only inside the route's handler and the callbacks set there, which run on the
/// connection's loop.
class HttpExchange {
 public:
  /// For flux itself.
  explicit HttpExchange(std::shared_ptr<detail::HttpExchangeState> state) : state_(std::move(state)) {}

  // --- The request ---

  /// "GET", "POST" and so on.
  std::string_view method() const;
  /// The path, decoded, without the query.
  std::string_view path() const;
  /// The value of `{name}` or `*name` in the route's pattern.
  std::string_view parameter(std::string_view name) const;
  /// The decoded value of a parameter of the query string; the first one of that name.
  std::optional<std::string> query(std::string_view name) const;
  /// A header by its name, in any case; the first one of that name.
  std::optional<std::string_view> header(std::string_view name) const;
  /// The token: `?access_token=`, otherwise, or if that is empty, `Authorization: Bearer`; empty if there is none.
  std::string token() const;
  /// A cookie's value as it was sent, without quotes around it.
  std::optional<std::string> cookie(std::string_view name) const;
  /// Who the client is; empty unless the route is added with `RouteOptions::authenticated`.
  Identity identity() const;
  /// What the connect handler has granted for this request; empty unless the route is added with
  /// `RouteOptions::authenticated`. Its expiry was checked when the request began.
  Grant grant() const;
  /// "192.0.2.7:49152"; behind a proxy of `Config::trusted_proxies` the client's address, without its port.
  std::string remote_address() const;

  /// Collects the body, then calls `done` with all of it. A body over `RouteOptions::body_bytes_max` is answered with
  /// 413 and `done` is never called.
  void read_body(std::function<void(std::string body)> done) const;
  /// Streams the body: calls `chunk` for each piece (valid during the call), then `done` with true, or with false if
  /// the client disconnected before the end. Without `read_body` or `on_body` the body is read and discarded.
  void on_body(std::function<void(std::string_view piece)> chunk, std::function<void(bool complete)> done) const;
  /// Pauses reading the body; TCP then holds back the client.
  void pause_body() const;
  /// Resumes reading the body.
  void resume_body() const;
  /// Called once if the client disconnects before the answer is complete. A client that has ended only its sending side
  /// may still read, so an orderly close is noticed only when something is written.
  void on_abort(std::function<void()> aborted) const;

  // --- The answer ---

  /// Sends a complete answer. Only the first answer to a request counts. One that HTTP does not allow is logged, counted
  /// in `Stats::handler_errors`, and the client gets 500: a status that is not within 200 to 999, a body with 204 or 205,
  /// a field name that is not a token, a field value with a control character, Content-Length or Transfer-Encoding.
  void respond(int status, std::string body, std::string_view content_type = "text/plain; charset=utf-8",
               HttpFields fields = {}) const;
  /// Begins a streamed answer of `content_length` bytes, or of unknown length (chunked) if none is given.
  void begin(int status, HttpFields fields, std::optional<std::uint64_t> content_length = {}) const;
  /// Sends the next piece of a streamed answer. `congested`: wait for `on_drain` before writing more. `dropped`: the
  /// client has disconnected, or is disconnected because more than `Limits::outbox_bytes_max` was pending.
  Sent write(std::string piece) const;
  /// Ends a streamed answer. If fewer bytes than announced were written, the connection is closed.
  void end() const;
  /// Called each time all output has been sent after a write was `congested`.
  void on_drain(std::function<void()> drained) const;

  /// For flux itself.
  const std::shared_ptr<detail::HttpExchangeState>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<detail::HttpExchangeState> state_;
};

/// The handler of a route. Runs on the connection's loop and must not block. If it, or a callback of the exchange,
/// throws, the client gets 500, or a truncated answer if the answer has already begun.
using HttpHandler = std::function<void(HttpExchange)>;

/// Options of a route.
struct RouteOptions {
  std::optional<std::uint64_t> body_bytes_max{};  ///< of a request; none: `Limits::body_bytes_max`
  /// Whether the client must identify itself. `flux::Auth`, or the server's connect handler, is asked about each request
  /// before the route's handler is called, now or later, as protocol "http". If there is neither, the token verifier is
  /// asked about the client's token, and a client without one gets 401. Without any of the three the server does not start
  /// (`bad_config`). A refused client gets 401 or 403 with the reason (`AccessRequest::refuse`), 503 if there is no answer in time. The body is read
  /// afterwards. Browsers send cookies with the requests of any page, so those of an origin that may not connect
  /// (`Config::origins`) get 403 unless they only read: GET, HEAD and OPTIONS.
  bool authenticated = false;
};

/// What happens to a connection that the application has accepted (`Server::adopt`).
struct AdoptOptions {
  /// Whether it stays open after the answer to a plain HTTP request. False: it is closed (`Connection: close`), because the
  /// client may send its next request to the application, which no longer reads it. True: flux answers all that follow.
  bool keep_alive = false;
  /// Whether the connection is encrypted if the server has TLS (`Config::tls`); the bytes already read are the client's
  /// then, as they came. False: it is plain HTTP, for example because a proxy in front of the application decrypts.
  bool tls = true;
};

/// Options of a folder of static files.
struct StaticOptions {
  std::string cache_control = "no-cache";  ///< the Cache-Control of every file
  bool authenticated = false;              ///< as `RouteOptions::authenticated`, for every file
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/http.ipp>
#endif
