// The Socket.IO protocol, version 5, between bytes and types: packets, their attachments, and messages that are encoded
// once for all their receivers. JSON stays text in both directions: no tree is built. No I/O.
// Source: the specification in github.com/socketio/socket.io-protocol, or socket.io-parser 4.2 where that says nothing.
//
// Threading: values and free functions. An object belongs to one thread at a time; any thread may use a
// SocketIoMessage.
#pragma once

#include <flux/error.hpp>
#include <flux/json.hpp>
#include <flux/socketio_types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux::protocol {

/// The numbers are those on the wire.
enum class SocketIoType : std::uint8_t { connect, disconnect, event, ack, connect_error, binary_event, binary_ack };

using SocketIoLimits = socketio::PacketLimits;

/// `limits`, with the size of attachments always set.
inline SocketIoLimits resolved(SocketIoLimits limits, std::size_t message_bytes_max = 0) {
  if (!limits.attachment_bytes_max) limits.attachment_bytes_max = std::max<std::size_t>(10'000'000, message_bytes_max);
  return limits;
}

/// The largest acknowledgment id: the largest integer that JavaScript represents exactly.
inline constexpr std::uint64_t socketio_id_max = (std::uint64_t{1} << 53) - 1;

/// Whether neither side may emit an event of this name: connect, connect_error, disconnect, disconnecting, newListener,
/// removeListener.
bool is_reserved_socketio_event(std::string_view name) noexcept;

// --- Values ---

/// Immutable bytes, shared by all their receivers.
using SharedBytes = std::shared_ptr<const std::string>;

using SocketIoPlaceholder = detail::SocketIoPlaceholder;
using SocketIoValue = socketio::Value;

// --- Reading ---

/// One packet of text. All views point into it.
struct SocketIoPacket {
  /// A value of the data, as its JSON text.
  struct Slice {
    std::string_view text;
    JsonText::Kind kind = JsonText::Kind::null;
  };

  SocketIoType type = SocketIoType::disconnect;
  std::string_view nsp = "/";       ///< as sent, with its query, which socket.io treats as a part of the name
  std::optional<std::uint64_t> id;  ///< what an ack acknowledges, or an event wants acknowledged
  std::size_t attachments = 0;      ///< how many follow
  std::string_view data;            ///< JSON text; empty: none
  std::string event;                ///< the decoded name; if it is a number, its text
  std::vector<Slice> arguments;     ///< of an event, after its name, or of an ack
  std::vector<SocketIoPlaceholder> placeholders;  ///< of `data`, in its order; each num below `attachments` once

  bool is_event() const noexcept { return type == SocketIoType::event || type == SocketIoType::binary_event; }
  bool is_ack() const noexcept { return type == SocketIoType::ack || type == SocketIoType::binary_ack; }
};

/// Reads a packet's text (an Engine.IO message without its `4`), which is valid UTF-8, in one pass over the data.
/// Accepts what socket.io-parser accepts, with these exceptions: data that the specification calls mandatory, and an
/// ack's id, are required; numbers are plain digits; ids end at `socketio_id_max`; there is exactly one placeholder for
/// each attachment; names have no control characters; the limits apply. After an error the content of `out` is
/// unspecified.
/// Errors: invalid_message, invalid_json; limit_exceeded and message_too_large past the limits.
Result<void> read_socketio_packet(std::string_view text, const SocketIoLimits& limits, SocketIoPacket& out);

/// Assembles packets: a text, then exactly as many binary messages as it announces.
/// After an error nothing is kept and the next text begins a new packet, though socket.io closes such connections.
class SocketIoDecoder {
 public:
  explicit SocketIoDecoder(const SocketIoLimits& limits) : limits_(resolved(limits)) {}
  SocketIoDecoder(const SocketIoDecoder&) = delete;
  SocketIoDecoder& operator=(const SocketIoDecoder&) = delete;

  /// A text message. Returns whether the packet is complete; otherwise attachments follow. A packet without attachments
  /// points into `text`, others into the decoder.
  /// Errors: those of `read_socketio_packet`; invalid_message if an attachment was due.
  Result<bool> text(std::string_view text);
  /// A binary message, not null, which is not copied. Returns whether the packet is complete.
  /// Errors: invalid_message if no attachment is due; message_too_large past `attachment_bytes_max`.
  Result<bool> binary(SharedBytes bytes);
  Result<bool> binary(std::string bytes) { return binary(std::make_shared<const std::string>(std::move(bytes))); }

  /// Whether attachments are due. The peer may never send them, so the caller needs a time limit.
  bool waiting() const noexcept { return attachments_.size() < packet_.attachments; }
  /// The bytes that are kept of an incomplete packet.
  std::size_t bytes() const noexcept { return waiting() ? text_.size() + attachment_bytes_ : 0; }

  /// The complete packet, valid until the next call of `text` or `reset`.
  const SocketIoPacket& packet() const noexcept { return packet_; }
  const std::vector<SharedBytes>& attachments() const noexcept { return attachments_; }
  /// An argument of that packet with its bytes; `index` is below `packet().arguments.size()`.
  SocketIoValue argument(std::size_t index) const;
  std::vector<SocketIoValue> arguments() const;

  /// Drops the packet, complete or not, and frees its memory, which an idle connection does not need.
  void reset();

 private:
  Error fail(Errc code, std::string what);

  SocketIoLimits limits_;
  SocketIoPacket packet_;
  std::string text_;  // of a packet with attachments
  std::vector<SharedBytes> attachments_;
  std::size_t attachment_bytes_ = 0;
};

// --- Writing ---

/// A packet, encoded once for any number of receivers on any transport. Immutable.
class SocketIoMessage {
 public:
  SocketIoMessage(const SocketIoMessage&) = delete;
  SocketIoMessage& operator=(const SocketIoMessage&) = delete;

  /// The packet's text: `2["a"]`.
  std::string_view text() const noexcept { return message().substr(1); }
  /// The binary messages that follow it.
  const std::vector<SharedBytes>& attachments() const noexcept { return attachments_; }
  /// Engine.IO packets: one, and one for each attachment.
  std::size_t packets() const noexcept { return 1 + attachments_.size(); }

  /// Whole WebSocket frames, to be written in this order. The attachments are among them and not copied.
  std::span<const SharedBytes> websocket() const noexcept { return pieces_; }
  /// The same in one piece, for small messages and batches.
  void append_websocket(std::string& out) const;
  /// For a client that asked for `EngineIoQuery::base64`.
  void append_websocket_base64(std::string& out) const;
  /// The packets as a polling payload holds them, for `EngineIoPayloadWriter::add_encoded`. The first caller pays for
  /// the base64; lives as long as the message.
  std::string_view polling() const;

 private:
  friend class SocketIoWriter;
  SocketIoMessage() = default;
  /// The Engine.IO packet: `4` and the text.
  std::string_view message() const noexcept { return std::string_view(*pieces_.front()).substr(begin_, size_); }

  std::vector<SharedBytes> pieces_;
  std::vector<SharedBytes> attachments_;
  std::size_t begin_ = 0;  // of the Engine.IO packet in the first piece
  std::size_t size_ = 0;
  mutable std::once_flag polling_once_;
  mutable std::string polling_;  // with attachments only
};

using SocketIoMessagePtr = std::shared_ptr<const SocketIoMessage>;

// Namespaces begin with `/` and hold neither `,` nor control characters. Errors: invalid_argument for others, for
// reserved events, for ids past `socketio_id_max`, and for JSON that looks like a placeholder in a message with bytes,
// because its receiver would take it for one. A receiver with socket.io-parser's defaults accepts 10 attachments.

/// `id`: asks for an acknowledgment. `event`: what is not UTF-8 becomes U+FFFD. So do lone surrogates in arguments.
Result<SocketIoMessagePtr> encode_socketio_event(std::string_view nsp, std::string_view event,
                                                 std::span<const SocketIoValue> arguments,
                                                 std::optional<std::uint64_t> id = {});
Result<SocketIoMessagePtr> encode_socketio_ack(std::string_view nsp, std::uint64_t id,
                                               std::span<const SocketIoValue> arguments);
/// `payload`: an object, `{"sid":…}` from a server; none from a client without one.
Result<SocketIoMessagePtr> encode_socketio_connect(std::string_view nsp, const std::optional<JsonText>& payload = {});
/// `{"message":…,"data":…}`, as a refusing middleware's error.
Result<SocketIoMessagePtr> encode_socketio_connect_error(std::string_view nsp, std::string_view message,
                                                         const std::optional<JsonText>& data = {});
Result<SocketIoMessagePtr> encode_socketio_disconnect(std::string_view nsp);

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/socketio_codec.ipp>
#endif
