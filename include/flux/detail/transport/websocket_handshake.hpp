// The values of the WebSocket handshake (RFC 6455, section 4.2; RFC 7692, section 7.1). The HTTP parser reads the
// request itself: method, version and header fields.
//
// Threading: any thread.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/transport/deflate.hpp>

#include <string>
#include <string_view>

namespace flux::transport {

/// Whether a Sec-WebSocket-Key is the base64 of exactly 16 bytes.
bool valid_key(std::string_view sec_websocket_key) noexcept;

/// The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key.
std::string accept_key(std::string_view sec_websocket_key);

/// The result of negotiating compression.
struct DeflateAgreement {
  /// Whether messages may be compressed, in both directions.
  bool enabled = false;
  /// The server must compress with a window of at most 2^`window_bits` bytes; 8 to 15.
  int window_bits = deflate_window_bits_max;
  /// The Sec-WebSocket-Extensions of the response; empty if not enabled.
  std::string response_header;
};

/// Accepts the first offer of permessage-deflate that can be met unchanged; other offers and extensions are declined.
/// `sec_websocket_extensions`: the values of all fields with that name joined by ", "; if malformed, compression is not
/// enabled. The response always excludes context takeover in both directions, so that one compressed frame serves every
/// member with the same window. A server_max_window_bits is accepted as offered.
DeflateAgreement negotiate_deflate(std::string_view sec_websocket_extensions, const DeflateOptions& options);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/websocket_handshake.ipp>
#endif
