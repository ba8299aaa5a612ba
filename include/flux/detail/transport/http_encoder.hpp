// Writes HTTP/1.1 responses (RFC 9112): heads and chunks. Appends to strings; no I/O.
//
// Threading: any thread.
#pragma once

#include <flux/detail/transport/http_message.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flux::transport {

/// What a response depends on: its request and its connection.
struct HttpResponseContext {
  int version_minor = 1;      ///< of the request
  bool head_request = false;  ///< the method was HEAD: the head is that of GET, no body follows
  bool keep_alive = true;     ///< whether client and server allow the connection to stay open
  std::string_view date;      ///< IMF-fixdate (HttpDateCache); empty: no Date field
};

/// How the body follows the head.
enum class HttpBodyFraming {
  none,        ///< nothing may follow, whatever the application provides
  sized,       ///< exactly content_length bytes
  chunked,     ///< chunks (append_chunk), then http_last_chunk
  until_close  ///< plain bytes, then the end of the connection (HTTP/1.0 without a length)
};

enum class HttpEncodeError {
  none,
  bad_status,        ///< not within 100 to 999
  bad_field_name,    ///< not a token
  bad_field_value,   ///< contains CR, LF, NUL or another control character
  framing_field,     ///< the fields include Content-Length or Transfer-Encoding, which only the encoder writes
  body_not_allowed,  ///< a length above 0 with a status that has no body (1xx, 204, 205)
};

struct HttpEncodedHead {
  HttpEncodeError error = HttpEncodeError::none;
  HttpBodyFraming framing = HttpBodyFraming::none;
  bool keep_alive = false;  ///< false: close the connection after this response

  explicit operator bool() const noexcept { return error == HttpEncodeError::none; }
};

/// Appends the status line, `fields`, and the fields for framing: Date (unless it is in `fields`), Connection, and
/// Content-Length or Transfer-Encoding. `content_length` is the size of the body in bytes; none: unknown, so the body
/// is chunked or, for an HTTP/1.0 client, ends with the connection. For a HEAD request it is the length that GET would
/// have, and for 304 that of 200. A Connection field in `fields` is sent unchanged; if it lists `close`, the connection
/// closes. For 101 the connection stays open and neither length nor Connection is added.
/// Errors: as above; then `out` is unchanged.
HttpEncodedHead append_response_head(std::string& out, int status, const HttpFields& fields,
                                     std::optional<std::uint64_t> content_length, const HttpResponseContext& context);

/// Appends a complete response with a text body, such as the answer to a parser error. `text` may be empty.
/// Errors: bad_status, bad_field_value (of the date), body_not_allowed; then `out` is unchanged.
HttpEncodedHead append_text_response(std::string& out, int status, std::string_view text,
                                     const HttpResponseContext& context);

/// The line before a chunk's data, stored inline, so that the data need not be copied: send text(), the data,
/// http_crlf.
class HttpChunkHead {
 public:
  /// `bytes`: the size of the data, at least 1, because a chunk of 0 bytes ends the body.
  explicit HttpChunkHead(std::size_t bytes) noexcept;
  std::string_view text() const noexcept { return std::string_view(text_.data() + begin_, text_.size() - begin_); }

 private:
  std::array<char, 18> text_{};
  std::size_t begin_ = 0;
};

inline constexpr std::string_view http_crlf = "\r\n";

/// Ends a chunked body; no trailer is sent.
inline constexpr std::string_view http_last_chunk = "0\r\n\r\n";

/// Tells a client that waits for it to send its body.
inline constexpr std::string_view http_continue = "HTTP/1.1 100 Continue\r\n\r\n";

/// Appends `data` as one chunk; nothing if it is empty.
void append_chunk(std::string& out, std::string_view data);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/http_encoder.ipp>
#endif
