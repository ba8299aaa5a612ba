// The state shared by the handles of one HTTP request: the request, its callbacks, and access to its connection.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/detail/transport/path_pattern.hpp>
#include <flux/error.hpp>
#include <flux/grant.hpp>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flux::transport {
class Connection;
class StreamHandler;
}  // namespace flux::transport

namespace flux::detail {

/// The connection as an exchange sees it. Threading: its loop's thread. All methods except `serves` and
/// `handler_failed` are called only while it serves that exchange, and call no callback of the exchange before they
/// return.
class HttpExchangeOwner {
 public:
  /// Whether the exchange with that number is the current one.
  virtual bool serves(std::uint64_t exchange) const = 0;
  virtual void respond(int status, std::string body, std::string_view content_type, transport::HttpFields fields) = 0;
  virtual void begin(int status, transport::HttpFields fields, std::optional<std::uint64_t> content_length) = 0;
  virtual Sent write(std::string piece) = 0;
  /// Writes the first `size` of `bytes`, which must not change until they have been sent.
  virtual Sent write(const std::shared_ptr<const std::string>& bytes, std::size_t size) = 0;
  virtual void end() = 0;
  /// Abandons the answer: sends what is already written, then closes the connection, so that the client sees that it is
  /// incomplete.
  virtual void cut(std::string_view reason) = 0;
  /// Closes the connection, in a new turn, because its reader is too slow.
  virtual void drop() = 0;
  /// Closes the connection, in a new turn, as if the client had disconnected.
  virtual void abort() = 0;
  /// The last handle was destroyed.
  virtual void abandoned() = 0;
  /// The application reads the body from now on.
  virtual void body_wanted() = 0;
  virtual void pause_body() = 0;
  virtual void resume_body() = 0;
  virtual std::size_t outbox_bytes() const = 0;
  /// Has `HttpExchangeState::drained` called when the outbox is empty; returns false if it is empty now.
  virtual bool notify_drained() = 0;
  /// The same as `HttpExchangeState::hand_over`.
  virtual transport::Connection* hand_over(std::string_view response_head,
                                           std::shared_ptr<transport::StreamHandler> next) = 0;
  /// A callback of the exchange threw.
  virtual void handler_failed(std::uint64_t exchange, const std::exception_ptr& error) = 0;

 protected:
  ~HttpExchangeOwner() = default;
};

/// Ownership: by its handles alone, so that the destruction of the last one is noticed. Callbacks may hold handles: the
/// connection breaks that cycle when the body has been read, the answer is complete, or the client has disconnected.
/// Threading: `respond`, `begin`, `write`, `end`, `pause_body`, `resume_body`, the request and the address from any
/// thread; the rest on the loop.
class HttpExchangeState final : public std::enable_shared_from_this<HttpExchangeState> {
 public:
  using BodyPiece = std::function<void(std::string_view piece)>;
  using BodyDone = std::function<void(bool complete)>;

  HttpExchangeState(std::shared_ptr<core::Loop> loop, std::weak_ptr<HttpExchangeOwner> owner, std::uint64_t number,
                    transport::HttpHead head, const core::ClientAddress& client, const Limits& limits);
  ~HttpExchangeState();
  HttpExchangeState(const HttpExchangeState&) = delete;
  HttpExchangeState& operator=(const HttpExchangeState&) = delete;

  const transport::HttpHead& head() const noexcept { return head_; }
  const std::shared_ptr<core::Loop>& loop() const noexcept { return loop_; }
  const transport::PathCaptures& captures() const noexcept { return captures_; }
  /// To be filled before the first handle is created.
  transport::PathCaptures& captures() noexcept { return captures_; }
  /// The client's address, which behind trusted proxies is not that of the connection's peer.
  const core::ClientAddress& client() const noexcept { return client_; }

  /// What the client was granted for this request; null: nothing, or nobody was asked.
  const std::shared_ptr<const Grant>& grant() const noexcept { return grant_; }
  /// To be called before the route's handler gets a handle.
  void set_grant(std::shared_ptr<const Grant> grant) noexcept { grant_ = std::move(grant); }

  // For the application
  void on_body(BodyPiece piece, BodyDone done);
  void pause_body();
  void resume_body();
  void on_abort(std::function<void()> aborted);
  void on_drain(std::function<void()> drained);
  void respond(int status, std::string body, std::string_view content_type, transport::HttpFields fields);
  void begin(int status, transport::HttpFields fields, std::optional<std::uint64_t> content_length);
  Sent write(std::string piece);
  void end();

  // For answers that flux itself gives, on the loop
  /// Sends the first `size` of `bytes` without copying; they must not change until they have been sent.
  Sent write_shared(const std::shared_ptr<const std::string>& bytes, std::size_t size);
  /// Discards the rest of the body; removes its callbacks without calling them.
  void ignore_body();
  void cut(std::string_view reason);
  /// Calls the `on_drain` callback when all output has been sent, congested or not; never before this returns.
  void ask_drained();
  /// Disconnects the client; callbacks learn that as if the client had done it.
  void abort();
  /// Writes `response_head` and passes the connection to `next`, of a request without a body that was not answered yet: for
  /// an answer that has no end. The exchange is over then. `next` is not called before this returns. Null, and nothing
  /// happens: the client has disconnected, or has been answered.
  transport::Connection* hand_over(std::string_view response_head, std::shared_ptr<transport::StreamHandler> next);
  bool over() const noexcept { return over_.load(std::memory_order_relaxed); }
  /// Keeps the object until the answer is complete or the client has disconnected.
  void hold(std::shared_ptr<void> object) { held_ = std::move(object); }
  /// From now on a client that has ended its sending side counts as disconnected: it would not read the answer.
  void end_with_client() noexcept { ends_with_client_ = true; }

  // For the connection
  bool reads_body() const noexcept { return reads_body_; }
  bool ends_with_client() const noexcept { return ends_with_client_; }
  void body_piece(std::string_view piece);
  void body_end(bool complete);
  void drained();
  /// The answer is complete, or the application will not give one.
  void answer_over();
  /// Removes every callback without calling it.
  void release();
  /// The client has disconnected: calls the callbacks that wait for it.
  void connection_closed();

 private:
  std::shared_ptr<HttpExchangeOwner> owner() const;
  template <class Call>
  void on_owner(Call call);
  template <class Call>
  void guarded(Call&& call);
  template <class Write>
  Sent write_here(Write write);
  void write_posted(std::string piece);
  void tell_drained();

  const std::shared_ptr<core::Loop> loop_;
  const std::weak_ptr<HttpExchangeOwner> owner_;
  const std::uint64_t number_;
  const transport::HttpHead head_;
  transport::PathCaptures captures_;
  const core::ClientAddress client_;
  std::shared_ptr<const Grant> grant_;
  std::shared_ptr<void> held_;  // null once the answer is over
  const std::size_t congested_bytes_;
  const std::size_t outbox_bytes_max_;

  BodyPiece body_piece_;
  BodyDone body_done_;
  std::function<void()> aborted_;
  std::function<void()> drained_;
  bool reads_body_ = false;
  bool ends_with_client_ = false;

  std::atomic<std::size_t> posted_bytes_{0};  // written by other threads, on the way to the loop
  std::atomic<std::size_t> outbox_bytes_{0};  // of the connection, when the loop last looked
  std::atomic<bool> over_{false};             // the answer is complete, or the client has disconnected
  std::atomic<bool> wants_drained_{false};
};

}  // namespace flux::detail

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/http_exchange.ipp>
#endif
