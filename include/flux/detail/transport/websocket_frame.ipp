#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <websocketpp/close.hpp>

namespace flux::transport {

namespace frame_detail {

inline char byte_of(std::uint64_t value, unsigned index) noexcept {
  return static_cast<char>(static_cast<unsigned char>(value >> (8 * index)));
}

}  // namespace frame_detail

FLUX_DECL std::size_t write_frame_header(char* to, Opcode opcode, std::uint64_t payload_size, bool rsv1) noexcept {
  to[0] = static_cast<char>(0x80u | (rsv1 ? 0x40u : 0u) | static_cast<unsigned>(opcode));
  if (payload_size < 126) {
    to[1] = frame_detail::byte_of(payload_size, 0);
    return 2;
  }
  const unsigned length_bytes = payload_size <= 0xFFFF ? 2 : 8;
  to[1] = length_bytes == 2 ? 126 : 127;
  for (unsigned i = 0; i < length_bytes; ++i) to[2 + i] = frame_detail::byte_of(payload_size, length_bytes - 1 - i);
  return 2 + length_bytes;
}

FLUX_DECL void append_frame(std::string& out, Opcode opcode, std::string_view payload, bool rsv1) {
  char header[frame_header_bytes_max];
  const std::size_t header_size = write_frame_header(header, opcode, payload.size(), rsv1);
  out.append(header, header_size);
  out.append(payload);
}

FLUX_DECL bool valid_close_code(std::uint16_t code) noexcept {
  return !websocketpp::close::status::invalid(code) && !websocketpp::close::status::reserved(code);
}

FLUX_DECL std::string close_frame(std::uint16_t code, std::string_view reason) {
  std::string payload;
  if (valid_close_code(code)) {
    reason = reason.substr(0, control_payload_bytes_max - 2);
    while (!core::valid_utf8(reason)) reason.remove_suffix(1);
    payload.push_back(frame_detail::byte_of(code, 1));
    payload.push_back(frame_detail::byte_of(code, 0));
    payload.append(reason);
  }
  std::string frame;
  append_frame(frame, Opcode::close, payload);
  return frame;
}

FLUX_DECL std::uint64_t server_frame_size(std::string_view bytes) noexcept {
  if (bytes.size() < 2) return 0;
  const unsigned code = static_cast<unsigned char>(bytes[1]) & 0x7Fu;
  if (code < 126) return 2 + code;
  const std::size_t length_bytes = code == 126 ? 2 : 8;
  if (bytes.size() < 2 + length_bytes) return 0;
  std::uint64_t length = 0;
  for (const char c : bytes.substr(2, length_bytes)) length = length << 8 | static_cast<unsigned char>(c);
  return 2 + length_bytes + length;
}

}  // namespace flux::transport
