// Writes HTTP/1.1 responses (RFC 9112): heads and chunks. Appends to strings; no sockets.
//
// Threading: functions without state.
#pragma once

#include <flux/detail/transport/http_message.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flux::transport {

/// What a response has to know of the request that it answers, and of its connection.
struct HttpResponseContext {
  int version_minor = 1;      ///< of the request
  bool head_request = false;  ///< the method was HEAD: the head is that of GET, no body follows
  bool keep_alive = true;     ///< whether the connection is to stay open, as far as client and server are concerned
  std::string_view date;      ///< IMF-fixdate (HttpDateCache); empty: no Date field
};

/// How the body follows the head.
enum class HttpBodyFraming {
  none,        ///< Nothing may follow, whatever the application has.
  sized,       ///< Exactly content_length bytes.
  chunked,     ///< Chunks (append_chunk), then http_last_chunk.
  until_close  ///< Plain bytes, then the end of the connection (HTTP/1.0 without a length).
};

enum class HttpEncodeError {
  none,
  bad_status,        ///< not within 100 to 999
  bad_field_name,    ///< not a token
  bad_field_value,   ///< holds CR, LF, NUL or another control character
  framing_field,     ///< the fields hold Content-Length or Transfer-Encoding, which only the encoder writes
  body_not_allowed,  ///< a length above 0 with a status that has no body (1xx, 204, 205)
};

struct HttpEncodedHead {
  HttpEncodeError error = HttpEncodeError::none;
  HttpBodyFraming framing = HttpBodyFraming::none;
  bool keep_alive = false;  ///< false: close the connection after this response

  explicit operator bool() const noexcept { return error == HttpEncodeError::none; }
};

/// Appends status line, `fields`, and what the framing needs: Date (unless among `fields`), Connection, and
/// Content-Length or Transfer-Encoding. `content_length` is that of the body in bytes; nothing: not known yet, so the
/// body is chunked, or ends with the connection for an HTTP/1.0 client. For a HEAD request it is the length that GET
/// would have, and for 304 that of 200. A Connection field among `fields` is sent as it is; if it lists `close`, the
/// connection closes.
/// 101 closes nothing and gets neither length nor Connection added: its fields say it all.
/// Errors: as above; `out` is unchanged then.
HttpEncodedHead append_response_head(std::string& out, int status, const HttpFields& fields,
                                     std::optional<std::uint64_t> content_length, const HttpResponseContext& context);

/// Appends a whole response with a text body, such as the answer to a parser error. `text` may be empty.
/// Errors: bad_status, bad_field_value (of the date), body_not_allowed; `out` is unchanged then.
HttpEncodedHead append_text_response(std::string& out, int status, std::string_view text,
                                     const HttpResponseContext& context);

/// The line in front of a chunk's data, held in place, so that data need not be copied: send text(), the data,
/// http_crlf.
class HttpChunkHead {
 public:
  /// `bytes`: size of the data, at least 1, for a chunk of 0 bytes ends the body.
  explicit HttpChunkHead(std::size_t bytes) noexcept;
  std::string_view text() const noexcept { return std::string_view(text_.data() + begin_, text_.size() - begin_); }

 private:
  std::array<char, 18> text_{};
  std::size_t begin_ = 0;
};

inline constexpr std::string_view http_crlf = "\r\n";

/// Ends a chunked body; no trailer is sent.
inline constexpr std::string_view http_last_chunk = "0\r\n\r\n";

/// Asks for the body of a request that expects it.
inline constexpr std::string_view http_continue = "HTTP/1.1 100 Continue\r\n\r\n";

/// Appends `data` as one chunk; nothing for empty data.
void append_chunk(std::string& out, std::string_view data);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/http_encoder.ipp>
#endif
