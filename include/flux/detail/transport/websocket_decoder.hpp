// Decodes what a WebSocket client sends (RFC 6455; RFC 7692 with an Inflater): bytes in, messages and control frames
// out. It reads no socket and keeps no input; a decoder between two messages owns no memory.
//
// Threading: a decoder belongs to one thread at a time, and so do all that share an Inflater.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace flux::transport {

class Inflater;

struct DecoderLimits {
  /// The largest message in bytes, as sent and as inflated. 0: only empty messages.
  std::size_t message_bytes_max = 64 * 1024;
  /// The most frames of one message, at least 1.
  std::uint32_t frames_per_message_max = 65'536;
};

class WebSocketDecoder {
 public:
  enum class Event : std::uint8_t {
    need_more,  ///< all input is used, except for a frame header that is not whole (less than 14 bytes)
    text,       ///< a whole message; its payload is UTF-8
    binary,     ///< a whole message
    ping,       ///< to be answered by a pong with the same payload; may come between the frames of a message
    pong,
    close,  ///< to be answered by a close frame; what comes after it is skipped
    error,  ///< the connection is to be closed with close_code(); further calls say the same and use nothing
  };

  /// `inflater`, which outlives the decoder: permessage-deflate was negotiated. nullptr: a compressed message is an
  /// error.
  explicit WebSocketDecoder(const DecoderLimits& limits, Inflater* inflater = nullptr) noexcept;
  ~WebSocketDecoder();
  WebSocketDecoder(WebSocketDecoder&&) noexcept;
  WebSocketDecoder& operator=(WebSocketDecoder&&) noexcept;

  /// Reads from the `n` bytes at `p`, moves `p` and `n` past what it used, and returns what it found. The bytes are
  /// changed: a frame is unmasked where it lies. To be called until it returns need_more, close or error, so that it
  /// also frees what the last message took; what is then left of the input comes again, with more after it.
  /// Memory: an unfragmented message that is whole in the input takes none; otherwise it follows what has arrived, not
  /// what a header announces, and never passes message_bytes_max by more than a control frame. When more than
  /// `reserved_from_bytes` of a message need room, that for all that may come of it is reserved at once, so that much
  /// need not be copied again; systems that give memory when it is written to count it then.
  Event next(char*& p, std::size_t& n);
  static constexpr std::size_t reserved_from_bytes = 1'000'000;

  /// The payload of the last text, binary, ping or pong, the reason of the last close, or the text of the error. It
  /// points into the input, the decoder or the Inflater, and is valid until any of them changes: until the next call of
  /// next().
  std::string_view payload() const noexcept { return payload_; }

  /// The payload of the last text or binary, moved out, where the decoder has put it together; payload() is invalid
  /// then. None where it lies elsewhere.
  std::optional<std::string> take_payload();

  /// After close: the code it held, or 1005 if it held none. After error: the code to answer with (1002, 1007 or 1009).
  std::uint16_t close_code() const noexcept { return close_code_; }

  /// After error: what was wrong, with which value. Otherwise empty.
  std::string_view error_text() const noexcept { return state_ == State::failed ? payload_ : std::string_view{}; }

  /// Whether a frame or a message has begun and its end has not come.
  bool mid_message() const noexcept { return state_ == State::open && assembly_ != nullptr; }

  /// How much of a message has come that is not whole.
  std::size_t message_bytes() const noexcept;

  /// Of the last text or binary: how many bytes of it came out of the Inflater; 0 where it was not compressed.
  std::size_t inflated_bytes() const noexcept { return state_ == State::inflater_given ? payload_.size() : 0; }

  /// The bytes that it owns beside itself; 0 between two messages.
  std::size_t memory_bytes() const noexcept;

 private:
  struct Header;
  struct Assembly;
  // What the next call finds; the two `given` states say whose memory the last payload is in.
  enum class State : std::uint8_t { open, assembly_given, inflater_given, closed, failed };

  bool read_header(const char* p, std::size_t n, Header& header);
  bool check_kind(const Header& header, bool reserved_bits);
  bool check_length(const Header& header, std::size_t length_bytes);
  Event whole_frame(const Header& header, char* payload);
  void begin_frame(const Header& header);
  bool take_payload(char*& p, std::size_t& n);
  Event end_frame();
  bool check_text(std::string_view text);
  bool inflate(std::string_view compressed, Opcode opcode);
  Event read_close(std::string_view payload);
  bool fail(std::uint16_t code, const std::string& text);

  std::unique_ptr<Assembly> assembly_;  // a message or frame that is not whole, or the text of an error
  Inflater* inflater_;
  std::string_view payload_;
  std::size_t message_bytes_max_;
  std::uint32_t frames_per_message_max_;
  std::uint16_t close_code_ = 0;
  State state_ = State::open;
};

// A server has one of them per connection.
static_assert(sizeof(WebSocketDecoder) <= 6 * sizeof(void*) || sizeof(void*) < 8);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/websocket_decoder.ipp>
#endif
