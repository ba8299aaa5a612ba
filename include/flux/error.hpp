// The registry of error codes and close codes; results.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flux {

/// What went wrong. The numbers are stable; `to_wire_name` returns the names used on the wire.
enum class Errc : std::uint16_t {
  // 1xx: start-up, thrown as `Error`
  bad_config = 101,
  address_unavailable = 102,
  tls_failed = 103,
  already_running = 104,
  // 2xx: invalid input
  invalid_json = 201,
  invalid_message = 202,
  unknown_type = 203,
  message_too_large = 204,
  invalid_argument = 205,
  file_too_large = 206,
  checksum_mismatch = 207,
  // 3xx: what the input names does not exist, or is in another state
  room_not_found = 301,
  room_exists = 302,
  room_full = 303,
  not_in_room = 304,
  session_not_found = 305,
  limit_exceeded = 306,
  wrong_mode = 307,
  file_not_found = 308,
  wrong_offset = 309,  // the upload has a different number of bytes
  quota_exceeded = 310,
  // 4xx: not allowed
  unauthorized = 401,
  forbidden = 403,
  rate_limited = 429,
  // 5xx: failures of the server
  server_error = 500,
  store_failed = 501,
  overloaded = 503,
  stopped = 504,
};

/// `room_full` -> "room_full".
std::string_view to_string(Errc code) noexcept;
/// The code that clients see: `INVALID_JSON`, `INVALID_MESSAGE` and `SERVER_ERROR` of the reference, and flux's own,
/// such as `ROOM_FULL` (protocol live).
std::string_view to_wire_name(Errc code) noexcept;

/// An error: its code, and a sentence that says what was wrong, with which value, and what would be right. Thrown at
/// start-up; returned in a `Result` at run time.
class Error : public std::exception {
 public:
  /// `cause`: the underlying reason, if clients must not read it.
  Error(Errc code, std::string message, std::string cause = {})
      : code_(code), message_(std::move(message)), cause_(std::move(cause)) {}
  Errc code() const noexcept { return code_; }
  const std::string& message() const noexcept { return message_; }
  /// The underlying reason, for the application's log: what a store reported, which may name hosts, tables and files.
  /// Never sent to clients. The message, if there is no other.
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
  /// Requires that `ok()` is false.
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
  going_away = 1001,  ///< the server is stopping: reconnect
  protocol_error = 1002,
  invalid_data = 1007,  ///< invalid UTF-8
  policy_violation = 1008,
  message_too_big = 1009,
  internal_error = 1011,
  try_again_later = 1013,
  unauthorized = 4401,  ///< the connect handler refused, or the token expired
  timed_out = 4408,     ///< no pong, or no complete message, in time
  slow_reader = 4413,   ///< pending output exceeded its limit
  rate_limited = 4429,
  handler_failed = 4500,  ///< the connect handler threw
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
