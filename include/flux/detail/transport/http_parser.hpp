// A strict, incremental parser of HTTP/1.1 requests (RFC 9112) for servers. Bytes in, events out; no I/O.
#pragma once

#include <flux/detail/transport/http_message.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace flux::transport {

/// Limits of one request. Sizes are bytes; lines count without their CRLF. Each limit except body_bytes_max is at most
/// 1 GiB (larger values are reduced to that); 0 allows nothing.
struct HttpLimits {
  std::size_t request_line_bytes_max = 8192;          ///< above: 414
  std::size_t field_bytes_max = 8192;                 ///< one field line; above: 431
  std::size_t fields_max = 100;                       ///< fields of a head, and fields of a trailer; above: 431
  std::size_t head_bytes_max = 32768;                 ///< the head without its final empty line; above: 431
  std::uint64_t body_bytes_max = 1024 * 1024;         ///< above: 413
  std::size_t chunk_line_bytes_max = 256;             ///< size and extensions of one chunk; above: 400
  std::size_t chunk_extension_bytes_max = 16 * 1024;  ///< extensions of all chunks of a body; above: 400
  std::size_t trailer_bytes_max = 8192;               ///< the trailer without its final empty line; above: 431
};

/// Splits a stream of bytes into requests, one event per call:
///
///   head, body..., end, head, body..., end, ...   with need_more whenever bytes are missing, or a final error.
///
/// Besides bad grammar it refuses: lines that end with a bare LF; bare CR, NUL and other control characters anywhere in
/// the head; whitespace before a colon; folded lines; a second Host, or none on HTTP/1.1; a second Content-Length;
/// Content-Length together with Transfer-Encoding; every transfer coding except `chunked`; `#`, `%2F` and escaped
/// control characters in a path. Trailer fields are checked and discarded.
///
/// The work per byte is constant however the stream is cut. Memory: one copy of the head; nothing is reserved for sizes
/// that a request merely declares.
/// Threading: one thread at a time.
class HttpRequestParser {
 public:
  enum class Event {
    need_more,  ///< nothing to report: call again with the rest of `in` followed by more bytes
    head,       ///< head() is complete
    body,       ///< body_chunk() is the next piece of the body, not empty
    end,        ///< the request is complete; the next call begins the next one
    error       ///< see error_status() and error_text(). Final: the framing is lost, so close the connection
  };

  explicit HttpRequestParser(const HttpLimits& limits = {});

  /// Reads the next event from the front of `in` and removes the bytes it consumed. Bytes of an unfinished head or line
  /// are scanned but not consumed: the caller keeps them and passes them again, unchanged, followed by more. A buffer
  /// of head_bytes_max + 2 bytes always suffices.
  ///
  /// After a head that expects_continue(), `need_more` is the time to send 100 (Continue); if the declared body is too
  /// long, `error` (413) is returned instead. After a head that upgrades, do not call again: `in` begins with the first
  /// bytes of the new protocol.
  Event next(std::string_view& in);

  /// The head of the current request, from `head` until the call after `end`; empty once taken.
  const HttpHead& head() const noexcept { return head_; }
  HttpHead take_head() noexcept;

  /// The piece of the body from the last call: a view into its `in`, valid as long as those bytes.
  std::string_view body_chunk() const noexcept { return body_chunk_; }

  /// Replaces HttpLimits::body_bytes_max for the current request; only between `head` and the call after it.
  void set_body_bytes_max(std::uint64_t bytes) noexcept { body_bytes_left_ = bytes; }

  /// True from `head` to `end`: the stream ending now would cut off a request.
  bool in_message() const noexcept { return state_ > State::fields && state_ < State::failed; }

  /// After `error`: 400, 413, 414, 431, 501 or 505.
  int error_status() const noexcept { return error_status_; }

  /// After `error`: what was wrong, in English, without a period; static text that contains nothing of the request.
  std::string_view error_text() const noexcept { return error_text_; }

 private:
  enum class State : std::uint8_t {
    start,
    request_line,
    fields,
    body_start,
    sized_body,
    chunk_size,
    chunk_data,
    chunk_end,
    trailer,
    failed
  };
  enum class Step : std::uint8_t { done, need_more, failed };
  enum class Coding : std::uint8_t { none, chunked, unsupported, malformed };

  /// What the fields of the head say about framing, collected while they arrive.
  struct Framing {
    std::uint64_t content_length = 0;
    std::size_t hosts = 0;
    std::size_t content_lengths = 0;
    std::size_t transfer_encodings = 0;
    Coding coding = Coding::none;
    bool close = false;
    bool keep_alive = false;
    bool upgrade = false;
    bool websocket = false;
    bool expects_continue = false;
    bool target_names_host = false;
  };

  Event fail(int status, std::string_view text) noexcept;
  Step refuse(int status, std::string_view text) noexcept;
  Step read_line(std::string_view in, std::size_t bytes_max, int status, std::string_view text, std::string_view& line);
  Step read_head_line(std::string_view in, std::size_t bytes_max, int status, std::string_view text,
                      std::string_view& line);
  void consume_lines(std::string_view& in) noexcept;

  Step start(std::string_view& in);
  Step read_head(std::string_view& in);
  Step read_chunk_size(std::string_view& in);
  Step read_chunk_end(std::string_view& in);
  Step read_trailer(std::string_view& in);

  Step parse_request_line(std::string_view line);
  Step parse_target(std::string_view target, std::size_t offset);
  Step parse_absolute_target(std::string_view target, std::size_t offset);
  Step parse_path(std::string_view path);
  Step parse_field(std::string_view line, HttpHead::FieldSpan& field, std::size_t offset);
  Step apply_field(std::string_view name, std::string_view value, HttpHead::Span value_span);
  Step parse_content_length(std::string_view value);
  Step finish_head(std::string_view text);
  Step parse_chunk_size(std::string_view line);

  HttpLimits limits_;
  HttpHead head_;
  Framing framing_;
  std::string_view body_chunk_;
  std::string_view error_text_;
  std::uint64_t body_bytes_left_ = 0;   ///< body bytes that the limit still allows
  std::uint64_t chunk_bytes_left_ = 0;  ///< bytes outstanding of the current chunk, or of the sized body
  std::size_t line_begin_ = 0;          ///< where the current line begins in `in`
  std::size_t scanned_ = 0;             ///< how far `in` was searched for the end of that line
  std::size_t chunk_extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  std::size_t trailer_fields_ = 0;
  int error_status_ = 0;
  State state_ = State::start;
  bool empty_line_seen_ = false;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/http_parser.ipp>
#endif
