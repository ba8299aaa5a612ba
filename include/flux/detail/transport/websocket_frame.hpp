// WebSocket frames sent by a server (RFC 6455, section 5.2).
//
// Threading: any thread.
#pragma once

#include <flux/detail/mode.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace flux::transport {

/// The opcodes of RFC 6455, section 5.2; all others are reserved.
enum class Opcode : std::uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// The longest header of a server's frame, which has no masking key.
inline constexpr std::size_t frame_header_bytes_max = 10;

/// The longest payload of a ping, pong or close frame.
inline constexpr std::size_t control_payload_bytes_max = 125;

/// Writes the header of a final, unmasked frame to `to`, which must have room for frame_header_bytes_max bytes. `rsv1`
/// marks a message compressed by permessage-deflate (RFC 7692, section 6). Returns the header's size: 2, 4 or 10 bytes.
std::size_t write_frame_header(char* to, Opcode opcode, std::uint64_t payload_size, bool rsv1 = false) noexcept;

/// Appends a complete message, as one unmasked frame, to `out`. A control payload must not exceed
/// control_payload_bytes_max bytes.
void append_frame(std::string& out, Opcode opcode, std::string_view payload, bool rsv1 = false);

/// Encodes a close frame. `reason` is cut to 123 bytes at the end of a code point, and before anything that is not
/// UTF-8. A code that may not be sent (RFC 6455, section 7.4: 1005 for "none", 1006, 1015 and the reserved ones) gives
/// a frame with neither code nor reason.
std::string close_frame(std::uint16_t code, std::string_view reason);

/// Whether a close frame may contain this code: 1000 to 4999 without 1004, 1005, 1006 and the unassigned 1015 to 2999.
bool valid_close_code(std::uint16_t code) noexcept;

/// The size, header included, of the unmasked frame that starts at `bytes`; 0 if its header is incomplete. The frame
/// may extend past the end of `bytes`.
std::uint64_t server_frame_size(std::string_view bytes) noexcept;

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/websocket_frame.ipp>
#endif
