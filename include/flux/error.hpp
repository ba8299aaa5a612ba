// Error codes, close codes, and results that hold a value or an error.
#pragma once

#include <flux/detail/mode.hpp>

#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace flux {

/// What went wrong. The numbers are stable; `to_wire_name` returns the names used on the wire.
enum class Errc : std::uint16_t {
  // 1xx: start-up, thrown as `Error`
  bad_config = 101,           ///< a setting, a route or a store can't be used; the message names it
  address_unavailable = 102,  ///< the server can't listen on an address
  tls_failed = 103,           ///< the certificate or its key can't be used
  already_running = 104,      ///< must be called before the start
  // 2xx: invalid input
  invalid_json = 201,       ///< the text is not JSON; the message has the offset of the first wrong byte
  invalid_message = 202,    ///< a member of a client's message is missing, or has a wrong type or value
  unknown_type = 203,       ///< a client's message names no known request, event or method; clients get INVALID_MESSAGE
  message_too_large = 204,  ///< longer than a limit, which the message names
  invalid_argument = 205,   ///< an argument of a C++ call, or a field of an HTTP request
  file_too_large = 206,     ///< over the file's announced length, or `FilesOptions::file_bytes_max`
  checksum_mismatch = 207,  ///< the bytes of an upload do not match its checksum
  // 3xx: what the input names does not exist, or is in another state
  room_not_found = 301,
  room_exists = 302,
  room_full = 303,          ///< the room has as many members as its capacity
  not_in_room = 304,        ///< the client must join the room first
  session_not_found = 305,  ///< the client is not connected
  limit_exceeded = 306,     ///< as many as a limit allows exist already; the message names it
  wrong_mode = 307,         ///< the room's mode (`RoomMode`) does not offer this
  file_not_found = 308,
  wrong_offset = 309,            ///< the upload has a different number of bytes
  quota_exceeded = 310,          ///< the file store, or the disk, has no space left for any file
  chat_message_not_found = 311,  ///< the room's chat has no message with this offset, or it is deleted
  owner_quota_exceeded = 312,    ///< the file's owner has as many files, or bytes of files, as an owner may have
  // 4xx: not allowed
  unauthorized = 401,  ///< not logged in: a connect handler, file handler or token verifier refused the client
  forbidden = 403,     ///< a handler refused the request, or a client that may not connect, logged in or not
  rate_limited =
      429,  ///< over a rate of `Limits`; the request is not acted on, and `Error::retry_after` says when to retry
  // 5xx: failures of the server
  server_error = 500,  ///< a handler threw an exception, or flux itself failed
  store_failed = 501,  ///< a store returned an error
  overloaded = 503,    ///< too much is pending, or an answer did not come in time: try again later
  stopped = 504,       ///< the server is not running
};

/// `room_full` -> "room_full".
std::string_view to_string(Errc code) noexcept;
/// The code that clients of protocol live get, such as `INVALID_MESSAGE` or `ROOM_FULL`.
std::string_view to_wire_name(Errc code) noexcept;

/// An error: its code, and a sentence that says what was wrong, with which value, and what would be right. Thrown at
/// start-up; returned in a `Result` at run time.
class Error : public std::exception {
 public:
  /// `cause`: the underlying reason, if clients must not read it.
  Error(Errc code, std::string message, std::string cause = {})
      : code_(code), message_(std::move(message)), cause_(std::move(cause)) {}
  /// For code that decides what to do.
  Errc code() const noexcept { return code_; }
  /// For people. Sent to clients where one of their requests failed.
  const std::string& message() const noexcept { return message_; }
  /// The underlying reason, for the application's log: what a store reported, which may name hosts, tables and files.
  /// Never sent to clients. The message, if there is no other.
  const std::string& cause() const noexcept { return cause_.empty() ? message_ : cause_; }
  /// For rate_limited: after how long the same request may succeed. 0: unknown. Clients are told.
  std::chrono::milliseconds retry_after() const noexcept { return retry_after_; }
  /// The same error with this time.
  Error with_retry_after(std::chrono::milliseconds time) && {
    retry_after_ = time;
    return std::move(*this);
  }
  /// The same as `message`.
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Errc code_;
  std::string message_;
  std::string cause_;
  std::chrono::milliseconds retry_after_{0};
};

template <class T>
class Result;

namespace detail {
/// Calls `f`, which returns an `R`.
template <class R, class F, class... Arguments>
Result<R> result_of(F&& f, Arguments&&... arguments) {
  if constexpr (std::is_void_v<R>) {
    std::forward<F>(f)(std::forward<Arguments>(arguments)...);
    return Result<R>();
  } else {
    return Result<R>(std::forward<F>(f)(std::forward<Arguments>(arguments)...));
  }
}
template <class F, class... Arguments>
using Returned = std::remove_cvref_t<std::invoke_result_t<F, Arguments...>>;
}  // namespace detail

/// A value or an `Error`.
///
///     if (auto sent = server.broadcast("news", "headline", payload); !sent) log(sent.error().message());
///     flux::Session session = server.session(id).value();  // throws the error, if there is one
///     return find(id).and_then(read).transform(trimmed);  // the text, or the first error
template <class T>
class [[nodiscard]] Result {
 public:
  /// A success.
  Result(T value) : value_(std::move(value)) {}
  /// A failure.
  Result(Error error) : error_(std::move(error)) {}

  /// The same as `ok`.
  explicit operator bool() const noexcept { return value_.has_value(); }
  /// Whether there is a value.
  bool ok() const noexcept { return value_.has_value(); }
  /// The value. Throws the error if there is one.
  T& value() & { return checked(); }
  /// The value. Throws the error if there is one.
  const T& value() const& { return const_cast<Result*>(this)->checked(); }
  /// The value, moved out of a temporary, so that `for (auto& item : f().value())` is safe. Throws the error if there is
  /// one.
  T value() && { return std::move(checked()); }
  /// The value, or `other` if there is an error.
  template <class U = T>
  T value_or(U&& other) const& {
    return value_ ? *value_ : static_cast<T>(std::forward<U>(other));
  }
  /// The value, moved out of a temporary, or `other` if there is an error.
  template <class U = T>
  T value_or(U&& other) && {
    return value_ ? std::move(*value_) : static_cast<T>(std::forward<U>(other));
  }
  /// The value. Requires that `ok()` is true.
  T& operator*() & { return *value_; }
  /// The value. Requires that `ok()` is true.
  const T& operator*() const& { return *value_; }
  /// A member of the value. Requires that `ok()` is true.
  T* operator->() { return &*value_; }
  /// A member of the value. Requires that `ok()` is true.
  const T* operator->() const { return &*value_; }
  /// The error. Requires that `ok()` is false.
  const Error& error() const { return *error_; }

  /// Calls `f(value)` and returns its `Result`; on an error returns the error without calling `f`.
  template <class F>
  auto and_then(F&& f) const& -> detail::Returned<F, const T&> {
    if (!value_) return *error_;
    return std::forward<F>(f)(*value_);
  }
  /// The same; `f` gets the value of a temporary.
  template <class F>
  auto and_then(F&& f) && -> detail::Returned<F, T> {
    if (!value_) return std::move(*error_);
    return std::forward<F>(f)(std::move(*value_));
  }
  /// Like `and_then`, for an `f` that returns a plain value, or nothing.
  template <class F>
  auto transform(F&& f) const& -> Result<detail::Returned<F, const T&>> {
    if (!value_) return *error_;
    return detail::result_of<detail::Returned<F, const T&>>(std::forward<F>(f), *value_);
  }
  /// The same; `f` gets the value of a temporary.
  template <class F>
  auto transform(F&& f) && -> Result<detail::Returned<F, T>> {
    if (!value_) return std::move(*error_);
    return detail::result_of<detail::Returned<F, T>>(std::forward<F>(f), std::move(*value_));
  }

 private:
  T& checked() {
    if (!value_) throw *error_;
    return *value_;
  }
  std::optional<T> value_;
  std::optional<Error> error_;
};

/// Success, or an `Error`.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  /// A failure.
  Result(Error error) : error_(std::move(error)) {}
  /// The same as `ok`.
  explicit operator bool() const noexcept { return !error_; }
  /// Whether there is no error.
  bool ok() const noexcept { return !error_; }
  /// Throws the error if there is one.
  void value() const {
    if (error_) throw *error_;
  }
  /// The error. Requires that `ok()` is false.
  const Error& error() const { return *error_; }

  /// Calls `f()` and returns its `Result`; on an error returns the error without calling `f`.
  template <class F>
  auto and_then(F&& f) const -> detail::Returned<F> {
    if (error_) return *error_;
    return std::forward<F>(f)();
  }
  /// Like `and_then`, for an `f` that returns a plain value, or nothing.
  template <class F>
  auto transform(F&& f) const -> Result<detail::Returned<F>> {
    if (error_) return *error_;
    return detail::result_of<detail::Returned<F>>(std::forward<F>(f));
  }

 private:
  std::optional<Error> error_;
};

/// The `Result` of a call that acts, such as `Server::broadcast`. It may be ignored: failures are also counted in
/// `Stats::calls_failed` and logged, at most 50 lines in 10 s. Failures that are nobody's fault, because the client has
/// disconnected, or that a store has logged already are logged at level debug.
template <class T>
class Outcome : public Result<T> {
 public:
  using Result<T>::Result;
  Outcome() = default;
  /// The same result.
  Outcome(Result<T> result) : Result<T>(std::move(result)) {}
};

/// Close codes of WebSockets: those of RFC 6455, 7.4, and flux's own, from 4000. An application may close a connection
/// with any of them; the comments say when flux does.
enum class CloseCode : std::uint16_t {
  normal = 1000,            ///< the application or the client has ended the connection
  going_away = 1001,        ///< the server is stopping: reconnect
  protocol_error = 1002,    ///< a frame that RFC 6455 does not allow
  invalid_data = 1007,      ///< invalid UTF-8
  policy_violation = 1008,  ///< a WebSocket that an Engine.IO session does not expect
  message_too_big = 1009,   ///< a message over the limit of its endpoint
  internal_error = 1011,    ///< a handler of a raw endpoint threw
  try_again_later = 1013,   ///< whether the client may connect could not be decided now, or not in time
  unauthorized = 4401,      ///< the client may not connect, or its grant has expired or was revoked
  timed_out = 4408,         ///< no pong, or no complete message, in time
  slow_reader = 4413,       ///< pending output exceeded its limit
  rate_limited = 4429,      ///< too many messages in a row exceeded a rate limit
  handler_failed = 4500,    ///< the handler that decides whether the client may connect threw
};

/// Whether a client that was closed with `code` should reconnect by itself. It should not if it would be refused again
/// until it has a new identity or is corrected.
constexpr bool should_reconnect(CloseCode code) noexcept {
  switch (code) {
    case CloseCode::protocol_error:
    case CloseCode::invalid_data:
    case CloseCode::policy_violation:
    case CloseCode::message_too_big:
    case CloseCode::unauthorized:
    case CloseCode::normal: return false;
    default: return true;
  }
}

/// The outcome of sending something.
enum class Sent : std::uint8_t {
  queued,     ///< accepted for sending
  congested,  ///< accepted, but much is pending for its reader: slow down
  dropped,    ///< not sent: the connection is closed or its reader too slow; counted in `Stats`
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/error.ipp>
#endif
