// Decodes a WebSocket client's frames (RFC 6455; RFC 7692 with an Inflater): bytes in, messages and control frames out.
// No I/O; input is not kept, and between two messages a decoder owns no memory.
//
// Threading: one thread at a time for a decoder, and for all decoders that share an Inflater.
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
  /// The largest message in bytes, before and after inflation. 0: only empty messages.
  std::size_t message_bytes_max = 64 * 1024;
  /// The largest number of frames in one message, at least 1.
  std::uint32_t frames_per_message_max = 65'536;
};

class WebSocketDecoder {
 public:
  enum class Event : std::uint8_t {
    need_more,  ///< all input is used, except an incomplete frame header (less than 14 bytes)
    text,       ///< a complete message; its payload is UTF-8
    binary,     ///< a complete message
    ping,       ///< to be answered by a pong with the same payload; may come between the frames of a message
    pong,
    close,  ///< to be answered by a close frame; later input is skipped
    error,  ///< close the connection with close_code(); further calls return the same and use nothing
  };

  /// `inflater`: permessage-deflate was negotiated; must outlive the decoder. nullptr: a compressed message is an
  /// error.
  explicit WebSocketDecoder(const DecoderLimits& limits, Inflater* inflater = nullptr) noexcept;
  ~WebSocketDecoder();
  WebSocketDecoder(WebSocketDecoder&&) noexcept;
  WebSocketDecoder& operator=(WebSocketDecoder&&) noexcept;

  /// Reads from the `n` bytes at `p`, moves `p` and `n` past what it used, and returns what it found. The bytes are
  /// modified: frames are unmasked in place. Call it until it returns need_more, close or error, so that it also frees
  /// the memory of the last message; then pass the remaining input again, followed by more.
  /// Memory: an unfragmented message that is complete in the input takes none. Otherwise memory follows the bytes
  /// received, not the size that a header declares, and exceeds message_bytes_max by at most a control frame. Once a
  /// message needs more than `reserved_from_bytes`, its largest possible size is reserved at once, so that it is not
  /// copied again; systems that commit memory on the first write count it only then.
  Event next(char*& p, std::size_t& n);
  static constexpr std::size_t reserved_from_bytes = 1'000'000;

  /// The payload of the last text, binary, ping or pong, the reason of the last close, or the text of the error. Points
  /// into the input, the decoder or the Inflater; valid until any of them changes, so until the next call of next().
  std::string_view payload() const noexcept { return payload_; }

  /// Moves out the payload of the last text or binary, if the decoder has assembled it; then payload() is invalid. None
  /// if it is stored elsewhere.
  std::optional<std::string> take_payload();

  /// After close: the code in the frame, or 1005 if there was none. After error: the code to answer with (1002, 1007 or
  /// 1009).
  std::uint16_t close_code() const noexcept { return close_code_; }

  /// After error: what was wrong, with which value. Otherwise empty.
  std::string_view error_text() const noexcept { return state_ == State::failed ? payload_ : std::string_view{}; }

  /// Whether a frame or message has begun and is incomplete.
  bool mid_message() const noexcept { return state_ == State::open && assembly_ != nullptr; }

  /// The bytes received so far of an incomplete message.
  std::size_t message_bytes() const noexcept;

  /// How many bytes of the last text or binary the Inflater produced; 0 if it was not compressed.
  std::size_t inflated_bytes() const noexcept { return state_ == State::inflater_given ? payload_.size() : 0; }

  /// The bytes allocated by the decoder; 0 between two messages.
  std::size_t memory_bytes() const noexcept;

 private:
  struct Header;
  struct Assembly;
  // What the next call finds; the two `given` states say which memory holds the last payload.
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

  std::unique_ptr<Assembly> assembly_;  // an incomplete message or frame, or the text of an error
  Inflater* inflater_;
  std::string_view payload_;
  std::size_t message_bytes_max_;
  std::uint32_t frames_per_message_max_;
  std::uint16_t close_code_ = 0;
  State state_ = State::open;
};

// A server has one per connection.
static_assert(sizeof(WebSocketDecoder) <= 6 * sizeof(void*) || sizeof(void*) < 8);

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/websocket_decoder.ipp>
#endif
