#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/transport/deflate.hpp>
#include <flux/detail/transport/websocket_decoder.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <utility>

#include <websocketpp/close.hpp>
#include <websocketpp/frame.hpp>

namespace flux::transport {

namespace decoder_detail {

using MaskingKey = std::array<char, 4>;

inline constexpr std::size_t assembly_bytes_min = 512;

// Applies the key to n bytes in place, beginning with its first byte. Returns whether the result is all ASCII.
inline bool unmask(char* p, std::size_t n, const MaskingKey& key) noexcept {
  std::uint32_t half;
  std::memcpy(&half, key.data(), sizeof half);
  const std::uint64_t word_key = static_cast<std::uint64_t>(half) << 32 | half;
  std::uint64_t seen = 0;
  for (; n >= 32; p += 32, n -= 32) {
    std::uint64_t words[4];
    std::memcpy(words, p, sizeof words);
    for (std::uint64_t& word : words) word ^= word_key;
    std::memcpy(p, words, sizeof words);
    seen |= (words[0] | words[1]) | (words[2] | words[3]);
  }
  for (; n >= 8; p += 8, n -= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    word ^= word_key;
    std::memcpy(p, &word, sizeof word);
    seen |= word;
  }
  for (std::size_t i = 0; i < n; ++i) {
    p[i] = static_cast<char>(p[i] ^ key[i % 4]);
    seen |= static_cast<unsigned char>(p[i]);
  }
  return (seen & 0x8080808080808080u) == 0;
}

inline bool is_control(Opcode opcode) noexcept {
  return websocketpp::frame::opcode::is_control(static_cast<websocketpp::frame::opcode::value>(opcode));
}

inline std::string hex_byte(char c) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  return {'0', 'x', digits[byte >> 4], digits[byte & 15]};
}

// Appends to a message whose size will not exceed `end`.
FLUX_DECL void append_within(std::string& message, std::string_view piece, std::size_t end) {
  const std::size_t needed = message.size() + piece.size();
  if (needed > message.capacity()) {
    const std::size_t doubled = std::min(end, std::max({needed, 2 * message.capacity(), assembly_bytes_min}));
    std::string larger;  // growing in place could reserve more than `end`
    try {
      larger.reserve(needed < WebSocketDecoder::reserved_from_bytes ? doubled : end);
    } catch (const std::exception&) {  // the limit exceeds the machine's memory
      larger.reserve(doubled);
    }
    larger.append(message);
    message.swap(larger);
  }
  message.append(piece);
}

}  // namespace decoder_detail

struct WebSocketDecoder::Header {
  std::size_t size = 0;  // of the header; 0 if it is incomplete
  std::uint64_t payload_size = 0;
  Opcode opcode = Opcode::continuation;
  bool final = false;
  bool compressed = false;
  decoder_detail::MaskingKey key{};
};

struct WebSocketDecoder::Assembly {
  // The message so far: unmasked, and checked if it is uncompressed text.
  std::string message;
  core::Utf8Validator utf8;
  Opcode opcode = Opcode::continuation;  // of the message; continuation: there is none, only a control frame
  bool compressed = false;
  std::uint32_t frames = 0;

  // The frame being read. A control frame is stored separately, because it may come within a message.
  bool in_frame = false;
  bool final = false;
  Opcode frame_opcode = Opcode::continuation;
  decoder_detail::MaskingKey key{};  // rotated so that its first byte applies to the next payload byte
  std::uint64_t payload_left = 0;
  std::size_t control_size = 0;
  std::array<char, control_payload_bytes_max> control;
};

FLUX_DECL WebSocketDecoder::WebSocketDecoder(const DecoderLimits& limits, Inflater* inflater) noexcept
    : inflater_(inflater),
      message_bytes_max_(limits.message_bytes_max),
      frames_per_message_max_(limits.frames_per_message_max) {}
FLUX_DECL WebSocketDecoder::~WebSocketDecoder() = default;
FLUX_DECL WebSocketDecoder::WebSocketDecoder(WebSocketDecoder&&) noexcept = default;
FLUX_DECL WebSocketDecoder& WebSocketDecoder::operator=(WebSocketDecoder&&) noexcept = default;

FLUX_DECL WebSocketDecoder::Event WebSocketDecoder::next(char*& p, std::size_t& n) {
  if (state_ != State::open) {
    if (state_ == State::failed) return Event::error;
    if (state_ == State::inflater_given) inflater_->trim();
    assembly_.reset();
    if (state_ == State::closed) {
      payload_ = {};
      p += n;
      n = 0;
      return Event::need_more;
    }
    state_ = State::open;
  }
  payload_ = {};
  for (;;) {
    if (!assembly_ || !assembly_->in_frame) {
      Header header;
      if (!read_header(p, n, header)) return Event::error;
      if (header.size == 0) return Event::need_more;
      p += header.size;
      n -= header.size;
      if (header.payload_size <= n && (decoder_detail::is_control(header.opcode) || (header.final && !mid_message()))) {
        char* const payload = p;
        p += header.payload_size;
        n -= static_cast<std::size_t>(header.payload_size);
        return whole_frame(header, payload);
      }
      begin_frame(header);
    }
    if (!take_payload(p, n)) return Event::error;
    if (assembly_->payload_left > 0) return Event::need_more;
    assembly_->in_frame = false;
    if (decoder_detail::is_control(assembly_->frame_opcode) || assembly_->final) return end_frame();
  }
}

FLUX_DECL std::optional<std::string> WebSocketDecoder::take_payload() {
  if (state_ != State::assembly_given || !assembly_ || payload_.data() != assembly_->message.data())
    return std::nullopt;
  payload_ = {};
  return std::move(assembly_->message);
}

FLUX_DECL std::size_t WebSocketDecoder::message_bytes() const noexcept {
  return mid_message() ? assembly_->message.size() : 0;
}

FLUX_DECL std::size_t WebSocketDecoder::memory_bytes() const noexcept {
  return assembly_ ? sizeof(Assembly) + assembly_->message.capacity() : 0;
}

// Reads the header at p, if it is complete. Each check is made as soon as its bytes are available, so that which of
// several errors is found does not depend on how the bytes arrived.
FLUX_DECL bool WebSocketDecoder::read_header(const char* p, std::size_t n, Header& header) {
  namespace frame = websocketpp::frame;
  if (n < frame::BASIC_HEADER_LENGTH) return true;
  const frame::basic_header basic(static_cast<std::uint8_t>(p[0]), static_cast<std::uint8_t>(p[1]));
  header.opcode = static_cast<Opcode>(frame::get_opcode(basic));
  header.final = frame::get_fin(basic);
  header.compressed = frame::get_rsv1(basic);
  header.payload_size = frame::get_basic_size(basic);
  if (!frame::get_masked(basic)) return fail(1002, "a client's frame is not masked");
  if (!check_kind(header, frame::get_rsv2(basic) || frame::get_rsv3(basic))) return false;

  std::size_t length_bytes = 0;
  if (header.payload_size >= frame::payload_size_code_16bit) {
    length_bytes = header.payload_size == frame::payload_size_code_16bit ? 2 : 8;
    if (n < 2 + length_bytes) return true;
    header.payload_size = 0;
    for (std::size_t i = 0; i < length_bytes; ++i) {
      header.payload_size = header.payload_size << 8 | static_cast<unsigned char>(p[2 + i]);
    }
  }
  if (!check_length(header, length_bytes)) return false;
  if (n < 2 + length_bytes + header.key.size()) return true;
  std::memcpy(header.key.data(), p + 2 + length_bytes, header.key.size());
  header.size = 2 + length_bytes + header.key.size();
  return true;
}

// RFC 6455, sections 5.2, 5.4 and 5.5; RFC 7692, section 6.
FLUX_DECL bool WebSocketDecoder::check_kind(const Header& header, bool reserved_bits) {
  namespace opcode = websocketpp::frame::opcode;
  const auto value = static_cast<opcode::value>(header.opcode);
  const auto number = [&] { return std::to_string(static_cast<int>(value)); };
  if (reserved_bits) return fail(1002, "reserved bit RSV2 or RSV3 is set");
  if (opcode::reserved(value)) return fail(1002, "opcode " + number() + " is reserved");
  if (opcode::is_control(value)) {
    if (!header.final) return fail(1002, "control frame of opcode " + number() + " is fragmented");
    if (header.compressed) return fail(1002, "control frame of opcode " + number() + " is compressed");
    if (header.payload_size > control_payload_bytes_max) {
      return fail(1002, "control frame of opcode " + number() + " has more than 125 bytes of payload");
    }
    return true;
  }
  const bool in_message = assembly_ && assembly_->opcode != Opcode::continuation;
  if (header.opcode == Opcode::continuation) {
    if (!in_message) return fail(1002, "continuation frame without a message to continue");
    if (header.compressed) return fail(1002, "RSV1 is set on a continuation frame");
  } else {
    if (in_message) return fail(1002, "frame of opcode " + number() + " within a fragmented message");
    if (header.compressed && !inflater_) return fail(1002, "RSV1 is set, but no compression was negotiated");
  }
  const std::uint32_t frames_before = in_message ? assembly_->frames : 0;
  if (frames_before >= frames_per_message_max_) {
    return fail(1009, "message has more than " + std::to_string(frames_per_message_max_) + " frames");
  }
  return true;
}

FLUX_DECL bool WebSocketDecoder::check_length(const Header& header, std::size_t length_bytes) {
  const std::uint64_t size = header.payload_size;
  if ((length_bytes == 2 && size <= websocketpp::frame::limits::payload_size_basic) ||
      (length_bytes == 8 && size <= websocketpp::frame::limits::payload_size_extended)) {
    return fail(1002, "payload length " + std::to_string(size) + " is written in " + std::to_string(length_bytes) +
                          " bytes, more than it needs");
  }
  if (size > websocketpp::frame::limits::payload_size_jumbo) return fail(1002, "payload length is 2^63 or more");
  if (decoder_detail::is_control(header.opcode)) return true;
  // The size so far is within the limit, so the difference cannot wrap; a sum could.
  const std::size_t there = assembly_ ? assembly_->message.size() : 0;
  if (size > message_bytes_max_ - there) {
    return fail(1009, "frame of " + std::to_string(size) + " bytes after " + std::to_string(there) +
                          " makes the message larger than " + std::to_string(message_bytes_max_) + " bytes");
  }
  return true;
}

// Handles a control frame, or a message of one frame, that is complete in the input.
FLUX_DECL WebSocketDecoder::Event WebSocketDecoder::whole_frame(const Header& header, char* payload) {
  const bool ascii = decoder_detail::unmask(payload, static_cast<std::size_t>(header.payload_size), header.key);
  payload_ = {payload, static_cast<std::size_t>(header.payload_size)};
  switch (header.opcode) {
    case Opcode::ping: return Event::ping;
    case Opcode::pong: return Event::pong;
    case Opcode::close: return read_close(payload_);
    default: break;
  }
  if (header.compressed) {
    if (!inflate(payload_, header.opcode)) return Event::error;
  } else if (header.opcode == Opcode::text && !ascii && !check_text(payload_)) {
    return Event::error;
  }
  return header.opcode == Opcode::text ? Event::text : Event::binary;
}

FLUX_DECL void WebSocketDecoder::begin_frame(const Header& header) {
  if (!assembly_) assembly_ = std::make_unique<Assembly>();
  Assembly& assembly = *assembly_;
  assembly.in_frame = true;
  assembly.frame_opcode = header.opcode;
  assembly.key = header.key;
  assembly.payload_left = header.payload_size;
  assembly.control_size = 0;
  if (decoder_detail::is_control(header.opcode)) return;
  assembly.final = header.final;
  ++assembly.frames;
  if (header.opcode != Opcode::continuation) {
    assembly.opcode = header.opcode;
    assembly.compressed = header.compressed;
  }
}

// Moves the available part of the current frame's payload from the input to the assembly.
FLUX_DECL bool WebSocketDecoder::take_payload(char*& p, std::size_t& n) {
  Assembly& assembly = *assembly_;
  const std::size_t size = static_cast<std::size_t>(std::min<std::uint64_t>(n, assembly.payload_left));
  decoder_detail::unmask(p, size, assembly.key);
  const std::string_view piece(p, size);
  p += size;
  n -= size;
  assembly.payload_left -= size;
  // The next piece continues in the key where this one ended.
  const auto key = assembly.key;
  for (std::size_t i = 0; i < key.size(); ++i) assembly.key[i] = key[(size + i) % key.size()];
  if (decoder_detail::is_control(assembly.frame_opcode)) {
    std::copy(piece.begin(), piece.end(),
              assembly.control.begin() + static_cast<std::ptrdiff_t>(assembly.control_size));
    assembly.control_size += size;
    return true;
  }
  if (assembly.opcode == Opcode::text && !assembly.compressed) {
    const std::size_t good = assembly.utf8.scan(piece);
    if (good < size) {
      return fail(1007, "text is not UTF-8: " + decoder_detail::hex_byte(piece[good]) + " at byte " +
                            std::to_string(assembly.message.size() + good));
    }
  }
  // The end of the message, if known; it is within the limit.
  const std::size_t end = assembly.message.size() + size + static_cast<std::size_t>(assembly.payload_left);
  decoder_detail::append_within(assembly.message, piece, assembly.final ? end : message_bytes_max_);
  return true;
}

// Called when the assembly holds a complete control frame or message.
FLUX_DECL WebSocketDecoder::Event WebSocketDecoder::end_frame() {
  Assembly& assembly = *assembly_;
  if (decoder_detail::is_control(assembly.frame_opcode)) {
    payload_ = {assembly.control.data(), assembly.control_size};
    if (assembly.opcode == Opcode::continuation) state_ = State::assembly_given;
    if (assembly.frame_opcode == Opcode::close) return read_close(payload_);
    return assembly.frame_opcode == Opcode::ping ? Event::ping : Event::pong;
  }
  payload_ = assembly.message;
  state_ = State::assembly_given;
  const Opcode opcode = assembly.opcode;
  if (assembly.compressed) {
    if (!inflate(payload_, opcode)) return Event::error;
    assembly_.reset();
  } else if (opcode == Opcode::text && !assembly.utf8.complete()) {
    fail(1007, "text is not UTF-8: it ends inside a code point");
    return Event::error;
  }
  return opcode == Opcode::text ? Event::text : Event::binary;
}

FLUX_DECL bool WebSocketDecoder::check_text(std::string_view text) {
  core::Utf8Validator utf8;
  const std::size_t good = utf8.scan(text);
  if (good < text.size()) {
    return fail(1007,
                "text is not UTF-8: " + decoder_detail::hex_byte(text[good]) + " at byte " + std::to_string(good));
  }
  return utf8.complete() || fail(1007, "text is not UTF-8: it ends inside a code point");
}

FLUX_DECL bool WebSocketDecoder::inflate(std::string_view compressed, Opcode opcode) {
  switch (inflater_->inflate(compressed, message_bytes_max_)) {
    case Inflater::Status::too_large:
      return fail(1009, "message inflates to more than " + std::to_string(message_bytes_max_) + " bytes");
    case Inflater::Status::invalid:
      return fail(1007,
                  "compressed message of " + std::to_string(compressed.size()) + " bytes is not valid DEFLATE data");
    case Inflater::Status::ok: break;
  }
  payload_ = inflater_->output();
  state_ = State::inflater_given;
  return opcode != Opcode::text || check_text(payload_);
}

// RFC 6455, sections 5.5.1 and 7.4.
FLUX_DECL WebSocketDecoder::Event WebSocketDecoder::read_close(std::string_view payload) {
  close_code_ = websocketpp::close::status::no_status;
  payload_ = {};
  if (payload.size() == 1) {
    fail(1002, "close frame has 1 byte of payload; a code takes 2");
    return Event::error;
  }
  if (payload.size() >= 2) {
    close_code_ = static_cast<std::uint16_t>(static_cast<unsigned char>(payload[0]) << 8 |
                                             static_cast<unsigned char>(payload[1]));
    payload_ = payload.substr(2);
    if (!valid_close_code(close_code_)) {
      fail(1002, "close code " + std::to_string(close_code_) + " may not be sent");
      return Event::error;
    }
    if (!core::valid_utf8(payload_)) {
      fail(1007, "the reason in a close frame is not UTF-8");
      return Event::error;
    }
  }
  state_ = State::closed;
  return Event::close;
}

// Returns false, so that callers can return the result.
FLUX_DECL bool WebSocketDecoder::fail(std::uint16_t code, const std::string& text) {
  if (state_ == State::inflater_given) inflater_->trim();
  assembly_ = std::make_unique<Assembly>();
  assembly_->message = text;
  payload_ = assembly_->message;
  close_code_ = code;
  state_ = State::failed;
  return false;
}

}  // namespace flux::transport
