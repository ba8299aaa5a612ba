// A strict, incremental parser of one HTTP/1.1 response (RFC 9112) to a GET, for clients. Bytes in; no I/O.
#pragma once

#include <flux/detail/transport/http_message.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flux::transport {

/// A response whose body is complete.
struct HttpResponse {
  int status = 0;
  HttpFields fields;
  std::string body;
};

/// Limits of one response, in bytes unless they say otherwise.
struct HttpResponseLimits {
  std::size_t head_bytes_max = 32 * 1024;  ///< the head, with those of interim responses (1xx)
  std::size_t fields_max = 100;            ///< number of fields of a head or a trailer
  std::size_t body_bytes_max = 256 * 1024;
  std::size_t framing_bytes_max = 64 * 1024;  ///< what chunks add to a body: sizes, extensions, line ends, the trailer
};

/// Besides bad grammar it refuses: lines that end with a bare LF; folded lines; control characters; whitespace before a
/// colon; several Content-Length fields, or one together with Transfer-Encoding; every transfer coding except `chunked`
/// once, and that in HTTP/1.0; status 101. A body without a length ends with the connection. Bytes after the response are
/// ignored.
///
/// Memory: what was received, within the limits; nothing is reserved for sizes that a response merely declares.
/// Threading: one thread at a time.
class HttpResponseParser {
 public:
  enum class Step : std::uint8_t {
    need_more,
    done,   ///< `response` is complete
    failed  ///< see `error`; final
  };

  explicit HttpResponseParser(const HttpResponseLimits& limits = {}) : limits_(limits) {}

  /// Reads the next bytes of the connection.
  Step receive(std::string_view bytes);
  /// The connection has ended. Completes a body without a length; fails if anything is missing.
  Step end();

  /// Whether status and fields of the final response are complete.
  bool has_head() const noexcept { return has_head_; }
  /// What was received. Complete when a call has returned `done`.
  HttpResponse& response() noexcept { return response_; }
  /// After `failed`: what was wrong, without a period. Holds nothing of the response.
  const std::string& error() const noexcept { return error_; }

 private:
  enum class State : std::uint8_t {
    status_line,
    field,
    sized_body,
    body_until_end,
    chunk_size,
    chunk_data,
    chunk_end,
    trailer,
    done,
    failed
  };

  bool fail(std::string error);
  bool take_line(std::string_view& in, std::size_t& bytes_left, const char* what);
  bool read_line();
  bool read_status_line();
  bool read_field(HttpFields* kept);
  bool finish_head();
  bool choose_framing();
  bool read_content_length(std::string_view value);
  bool read_chunk_size();
  void take_body(std::string_view& in);
  Step step() const noexcept;

  const HttpResponseLimits limits_;
  HttpResponse response_;
  std::string line_;   // the current line, as far as it was received
  std::string error_;  // why it failed
  std::size_t head_bytes_left_ = limits_.head_bytes_max;
  std::size_t framing_bytes_left_ = limits_.framing_bytes_max;
  std::size_t body_bytes_left_ = limits_.body_bytes_max;
  std::size_t piece_bytes_left_ = 0;  // of the sized body, or of the chunk
  std::size_t trailer_fields_ = 0;
  State state_ = State::status_line;
  bool http_1_1_ = false;
  bool has_head_ = false;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/http_response_parser.ipp>
#endif
