// HTTP/1.1 on a connection: reads requests, routes them, and writes the answers in order.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/connection.hpp>
#include <flux/detail/transport/http_date.hpp>
#include <flux/detail/transport/http_encoder.hpp>
#include <flux/detail/transport/http_exchange.hpp>
#include <flux/detail/transport/http_parser.hpp>
#include <flux/detail/transport/router.hpp>
#include <flux/detail/transport/trusted_proxies.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace flux::transport {

class HttpConnection;

/// State shared by the HTTP connections of one loop; outlives them. Threading: that loop's thread.
struct HttpService {
  const Router* router = nullptr;
  const Limits* limits = nullptr;
  const TrustedProxies* proxies = nullptr;  ///< null: none
  std::string server_name;                  ///< the Server field; empty: not sent

  /// Whether a WebSocket endpoint is at this path. A request there that no route answers gets 426.
  std::function<bool(const std::string& path)> is_websocket;
  /// Takes a WebSocket handshake for such a path, after method, version, key and Connection were checked. Must answer
  /// it, now or in bounded time, on the loop, with `accept_upgrade` or `refuse_upgrade`. The head is valid during the
  /// call.
  std::function<void(const std::shared_ptr<HttpConnection>&, const HttpHead&)> upgrade;
  /// Whether the client may make this request, of a route that wants to know: calls `admitted`, now or in bounded time, on
  /// the loop, or answers the request.
  std::function<void(const std::shared_ptr<flux::detail::HttpExchangeState>&, std::function<void()> admitted)> let_in;
  std::function<void(LogLevel, std::string_view)> log;

  HttpDateCache date;
  std::string scratch;  ///< a buffer for building answers
};

/// One client. Handles one request at a time; later ones stay unread in the Connection. The state of a request is
/// allocated when it begins and freed when it ends: an idle connection has only this object.
/// Ownership: by the Connection, as its handler.
/// Threading: the connection's loop.
class HttpConnection final : public StreamHandler,
                             public flux::detail::HttpExchangeOwner,
                             public std::enable_shared_from_this<HttpConnection> {
 public:
  /// The head of the first request must be complete within `Limits::handshake_timeout` from now. `one_request`: the
  /// connection closes after the first answer, unless that accepts an upgrade.
  HttpConnection(Connection& connection, HttpService& service, bool one_request = false);

  /// Writes `response_head` and passes the connection to `next`, with the bytes that were read after the request.
  /// Afterwards this handler is `closed` and the connection has no deadline. `next` is not called before this returns.
  /// Returns false and does nothing if no upgrade is pending any more.
  bool accept_upgrade(std::string_view response_head, std::shared_ptr<StreamHandler> next);
  /// Answers the upgrade like any request; the connection closes afterwards. `reason`: the text of the body.
  void refuse_upgrade(int status, std::string_view reason, const HttpFields& fields = {});

  bool closed() const noexcept { return connection_ == nullptr; }
  /// Null once `closed`.
  Connection* connection() noexcept { return connection_; }
  /// The sender of this request: the peer or, behind trusted proxies, the client that they name. Not to be called once
  /// `closed`.
  core::ClientAddress client(const HttpHead& head) const;

  // StreamHandler
  FLUX_DECL std::size_t on_data(char* data, std::size_t size) override;
  FLUX_DECL void on_end() override;
  FLUX_DECL void on_drained() override;
  FLUX_DECL void on_deadline() override;
  FLUX_DECL void on_input_stalled() override;
  FLUX_DECL void on_stop() override;
  FLUX_DECL void on_closed() override;

  // HttpExchangeOwner
  FLUX_DECL bool serves(std::uint64_t exchange) const override;
  FLUX_DECL void respond(int status, std::string body, std::string_view content_type, HttpFields fields) override;
  FLUX_DECL void begin(int status, HttpFields fields, std::optional<std::uint64_t> content_length) override;
  FLUX_DECL Sent write(std::string piece) override;
  FLUX_DECL Sent write(const SharedBytes& bytes, std::size_t size) override;
  FLUX_DECL void end() override;
  FLUX_DECL void cut(std::string_view reason) override;
  FLUX_DECL void drop() override;
  FLUX_DECL void abort() override;
  FLUX_DECL void abandoned() override;
  FLUX_DECL void body_wanted() override;
  FLUX_DECL void pause_body() override;
  FLUX_DECL void resume_body() override;
  FLUX_DECL std::size_t outbox_bytes() const override;
  FLUX_DECL bool notify_drained() override;
  FLUX_DECL Connection* hand_over(std::string_view response_head, std::shared_ptr<StreamHandler> next) override;
  FLUX_DECL void handler_failed(std::uint64_t exchange, const std::exception_ptr& error) override;

 private:
  /// What the connection is waiting for, and so the meaning of the deadline.
  enum class Wait : std::uint8_t {
    nothing,  // for the application, which may take its time
    head,     // the rest of a head, or the first request
    request,  // another request
    body
  };

  struct Request {
    explicit Request(const HttpLimits& limits) : parser(limits) {}

    HttpRequestParser parser;
    std::weak_ptr<flux::detail::HttpExchangeState> exchange;
    HttpResponseContext context;
    std::uint64_t body_bytes = 0;  // received
    std::uint64_t bytes_left = 0;  // still to be sent of an answer with a declared length
    HttpBodyFraming framing = HttpBodyFraming::none;
    bool head_read = false;
    bool read = false;             // up to the end of its body
    bool upgrading = false;        // passed to the service
    bool awaits_continue = false;  // the client waits before it sends its body
    bool body_paused = false;
    bool body_discarded = false;  // at least a part of it
    bool begun = false;           // the head of the answer is written
    bool answered = false;        // the answer is complete
    bool keep_alive = false;      // stay open after the answer

    bool over() const noexcept { return read && answered; }
  };

  bool step(std::string_view& in);
  void begin_request();
  void end_request();
  void on_head();
  bool may_connect(const core::ClientAddress& sender);
  void on_body_bytes(std::string_view bytes);
  void on_body_end();
  void on_parse_error();
  bool is_websocket(std::string_view path) const;
  void begin_upgrade();
  Connection& pass_on(std::string_view response_head, std::shared_ptr<StreamHandler> next);
  void ask_about(const Route& route, const std::shared_ptr<flux::detail::HttpExchangeState>& exchange);
  void call_route(const Route& route, const std::shared_ptr<flux::detail::HttpExchangeState>& exchange);
  void answer_without_route(const RouteMatch& match, std::string_view method, std::string_view path);
  void answer_text(int status, std::string_view text, HttpFields fields = {});
  void refuse(int status, std::string_view text);
  void refuse_slow_body(std::string_view text);

  bool write_head(std::string& out, int status, HttpFields fields, std::optional<std::uint64_t> content_length);
  Sent write_bytes(std::string_view bytes);
  Sent write_bytes(const std::string& before, const SharedBytes& piece, std::size_t size, std::string_view behind);
  void complete_answer();
  void close_when_sent();
  void close_idle();
  void proceed();
  void settle(std::size_t unread);
  void wait_for(Wait wait);
  void update_deadline(std::size_t unread);
  std::string request_in_log() const;
  void log_error(std::string_view text);

  Connection* connection_;
  HttpService& service_;
  std::unique_ptr<Request> request_;
  std::uint64_t request_number_ = 0;
  Wait wait_ = Wait::head;
  bool in_data_ = false;
  const bool one_request_;
  bool closing_ = false;  // no further requests are answered
  bool stopping_ = false;
  bool peer_ended_ = false;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/http_connection.ipp>
#endif
