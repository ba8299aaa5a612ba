// The WebSocket handshake's values (RFC 6455, section 4.2; RFC 7692, section 7.1). Reading the request itself, its
// method, version and header fields, is the HTTP parser's.
//
// Threading: free functions of their arguments.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/transport/deflate.hpp>

#include <string>
#include <string_view>

namespace flux::transport {

/// Whether a Sec-WebSocket-Key is base64 of exactly 16 bytes.
bool valid_key(std::string_view sec_websocket_key) noexcept;

/// The Sec-WebSocket-Accept that answers a Sec-WebSocket-Key.
std::string accept_key(std::string_view sec_websocket_key);

/// What became of a client's offers of compression.
struct DeflateAgreement {
  /// Whether messages may be compressed, in both directions.
  bool enabled = false;
  /// What we compress with must need no larger window than 2^`window_bits` bytes; 8 to 15.
  int window_bits = deflate_window_bits_max;
  /// The Sec-WebSocket-Extensions to answer with; empty if not enabled.
  std::string response_header;
};

/// Takes the first offer of permessage-deflate that can be met as it stands; others and other extensions are declined.
/// The value is all fields named Sec-WebSocket-Extensions joined by ", "; if it is not well-formed, nothing is agreed.
/// The answer always rules out context takeover in both directions, so that one compressed frame serves every member who
/// has the same window. A server_max_window_bits is agreed to as it stands.
DeflateAgreement negotiate_deflate(std::string_view sec_websocket_extensions, const DeflateOptions& options);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/websocket_handshake.ipp>
#endif
