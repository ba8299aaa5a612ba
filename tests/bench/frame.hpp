#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

/// The parts of RFC 6455 that the load generator and the floor share. Whole frames only: neither side fragments or
/// compresses, and a peer that does is reported instead of being measured wrongly.
namespace flux::bench {

enum class Opcode : std::uint8_t { text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

/// The only key that the load generator sends, and its accept value (RFC 6455, section 1.3).
inline constexpr std::string_view handshake_key = "dGhlIHNhbXBsZSBub25jZQ==";
inline constexpr std::string_view handshake_accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

inline constexpr std::size_t mask_bytes = 4;

struct FrameHead {
  Opcode opcode;
  bool masked;
  std::size_t head_bytes;  ///< including the mask, if there is one
  std::size_t payload_bytes;

  std::size_t frame_bytes() const { return head_bytes + payload_bytes; }
};

/// Reads the head at the start of `data`; none if `data` does not hold the whole head yet.
/// Errors: throws std::runtime_error for a fragment, a reserved bit or a length above 1 GB.
inline std::optional<FrameHead> read_head(std::string_view data) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(data[at]); };
  if (data.size() < 2) return std::nullopt;
  if ((byte(0) & 0xf0) != 0x80) throw std::runtime_error("the peer sent a fragment or a reserved bit");
  const bool masked = (byte(1) & 0x80) != 0;
  const std::uint8_t short_length = byte(1) & 0x7f;
  const std::size_t length_bytes = short_length == 127 ? 8 : short_length == 126 ? 2 : 0;
  const std::size_t head_bytes = 2 + length_bytes + (masked ? mask_bytes : 0);
  if (data.size() < head_bytes) return std::nullopt;
  std::uint64_t length = length_bytes == 0 ? short_length : 0;
  for (std::size_t i = 0; i < length_bytes; ++i) length = length << 8 | byte(2 + i);
  if (length > 1'000'000'000) throw std::runtime_error("the peer announced a frame above 1 GB");
  return FrameHead{static_cast<Opcode>(byte(0) & 0x0f), masked, head_bytes, static_cast<std::size_t>(length)};
}

/// Appends the head of a whole frame, without the mask itself.
inline void append_head(std::string& out, Opcode opcode, bool masked, std::size_t payload_bytes) {
  const auto put = [&](std::size_t value) { out.push_back(static_cast<char>(value & 0xff)); };
  const std::size_t mask_bit = masked ? 0x80 : 0;
  put(0x80 | static_cast<std::size_t>(opcode));
  if (payload_bytes < 126) {
    put(mask_bit | payload_bytes);
    return;
  }
  const int length_bytes = payload_bytes < 65536 ? 2 : 8;
  put(mask_bit | (length_bytes == 2 ? 126u : 127u));
  for (int i = length_bytes - 1; i >= 0; --i) put(payload_bytes >> (8 * i));
}

/// Appends `payload` with the mask applied; masking and unmasking are the same. `mask` holds four bytes.
inline void append_masked(std::string& out, std::string_view payload, std::string_view mask) {
  const char key[mask_bytes] = {mask[0], mask[1], mask[2], mask[3]};
  const std::size_t start = out.size();
  out.append(payload);
  for (std::size_t i = 0; i < payload.size(); ++i) out[start + i] = static_cast<char>(out[start + i] ^ key[i & 3]);
}

}  // namespace flux::bench
