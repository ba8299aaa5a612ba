// Errors, results and close codes: the one registry of both.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flux {

/// What went wrong. The numbers are stable; the wire names are what `to_wire_name` gives.
enum class Errc : std::uint16_t {
  // 1xx: start-up, thrown as `Error`
  bad_config = 101,
  address_unavailable = 102,
  tls_failed = 103,
  already_running = 104,
  // 2xx: what came in is not right
  invalid_json = 201,
  invalid_message = 202,
  unknown_type = 203,
  message_too_large = 204,
  invalid_argument = 205,
  file_too_large = 206,
  checksum_mismatch = 207,
  // 3xx: what it names is not there, or not so
  room_not_found = 301,
  room_exists = 302,
  room_full = 303,
  not_in_room = 304,
  session_not_found = 305,
  limit_exceeded = 306,
  wrong_mode = 307,
  file_not_found = 308,
  wrong_offset = 309,  // an upload has another number of bytes
  quota_exceeded = 310,
  // 4xx: not allowed
  unauthorized = 401,
  forbidden = 403,
  rate_limited = 429,
  // 5xx: the server's side
  server_error = 500,
  store_failed = 501,
  overloaded = 503,
  stopped = 504,
};

/// `room_full` -> "room_full".
std::string_view to_string(Errc code) noexcept;
/// The code that clients see: the reference's `INVALID_JSON`, `INVALID_MESSAGE`, `SERVER_ERROR`, and ours, such as
/// `ROOM_FULL` (protocol live).
std::string_view to_wire_name(Errc code) noexcept;

/// An error with its code and a sentence that says what was wrong, with which value, and what would be right.
/// Thrown at start-up, a value inside `Result` at run time.
class Error : public std::exception {
 public:
  /// `cause`: what is behind it, where clients must not read that.
  Error(Errc code, std::string message, std::string cause = {})
      : code_(code), message_(std::move(message)), cause_(std::move(cause)) {}
  Errc code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  /// What a store of the application said, which may name hosts, tables and files: for its log, and never sent to
  /// clients. The message, where nothing more is known.
  const std::string& cause() const noexcept { return cause_.empty() ? message_ : cause_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  Errc code_;
  std::string message_;
  std::string cause_;
};

/// A value or an `Error`. `value()` on an error throws that error.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(Error error) : error_(std::move(error)) {}

  explicit operator bool() const noexcept { return value_.has_value(); }
  bool ok() const noexcept { return value_.has_value(); }
  T& value() & { return checked(); }
  const T& value() const& { return const_cast<Result*>(this)->checked(); }
  /// By value, so that `for (auto& item : f().value())` is safe.
  T value() && { return std::move(checked()); }
  T& operator*() & { return *value_; }
  const T& operator*() const& { return *value_; }
  T* operator->() { return &*value_; }
  const T* operator->() const { return &*value_; }
  /// Only where `ok()` is false.
  const Error& error() const { return *error_; }

 private:
  T& checked() {
    if (!value_) throw *error_;
    return *value_;
  }
  std::optional<T> value_;
  std::optional<Error> error_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}
  explicit operator bool() const noexcept { return !error_; }
  bool ok() const noexcept { return !error_; }
  void value() const {
    if (error_) throw *error_;
  }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

/// WebSocket close codes that flux sends (RFC 6455, 7.4, and the 4000s of protocol live).
enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,  ///< the server stops: come back
  protocol_error = 1002,
  invalid_data = 1007,  ///< invalid UTF-8
  policy_violation = 1008,
  message_too_big = 1009,
  internal_error = 1011,
  try_again_later = 1013,
  unauthorized = 4401,  ///< the connect handler refused, or the token ended
  timed_out = 4408,     ///< no pong, or no message, in time
  slow_reader = 4413,   ///< what waited for this client went past its limit
  rate_limited = 4429,
  handler_failed = 4500,  ///< the connect handler threw
};

/// Whether a client that was closed with `code` should connect again by itself. Those that would only be refused
/// again should not: a new identity or another program is needed first.
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

/// What became of something that was sent.
enum class Sent : std::uint8_t {
  queued,     ///< on its way
  congested,  ///< on its way, behind much that its reader has not taken yet: slow down
  dropped,    ///< not sent: the connection is gone, or its reader is too slow; counted in `Stats`
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/error.ipp>
#endif
