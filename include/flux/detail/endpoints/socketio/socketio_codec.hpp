// The Socket.IO protocol, version 5, between bytes and types: packets, their attachments, and messages that are encoded
// once for all who get them. JSON stays text: no tree is built of it, in either direction. No I/O.
// Source: the specification in github.com/socketio/socket.io-protocol; where it is silent, socket.io-parser 4.2.
//
// Threading: values and free functions. An object belongs to one thread at a time, but a SocketIoMessage to any.
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

/// The largest acknowledgment id: JavaScript counts no further.
inline constexpr std::uint64_t socketio_id_max = (std::uint64_t{1} << 53) - 1;

/// Whether neither side may emit an event of this name: connect, connect_error, disconnect, disconnecting, newListener,
/// removeListener.
bool is_reserved_socketio_event(std::string_view name) noexcept;

// --- Values ---

/// Bytes that nobody changes: one copy for all whom they go to.
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
  std::string_view nsp = "/";       ///< as sent, a query included: for socket.io that is a part of the name
  std::optional<std::uint64_t> id;  ///< what an ack acknowledges, or an event wants acknowledged
  std::size_t attachments = 0;      ///< how many follow
  std::string_view data;            ///< JSON text; empty: none
  std::string event;                ///< the name, decoded; of a numeric one its text
  std::vector<Slice> arguments;     ///< of events, behind the name, and of acks
  std::vector<SocketIoPlaceholder> placeholders;  ///< of `data`, in its order; each num below `attachments` once

  bool is_event() const noexcept { return type == SocketIoType::event || type == SocketIoType::binary_event; }
  bool is_ack() const noexcept { return type == SocketIoType::ack || type == SocketIoType::binary_ack; }
};

/// Reads a packet's text (an Engine.IO message without its `4`), which is valid UTF-8, in one pass over the data.
/// Takes what socket.io-parser takes, except: the data that the specification calls mandatory, and an ack's id, must
/// be there; numbers are plain digits; ids end at `socketio_id_max`; placeholders are exactly the attachments; names
/// have no control characters; the limits. On an error `out` means nothing. Errors: invalid_message, invalid_json;
/// limit_exceeded and message_too_large past the limits.
Result<void> read_socketio_packet(std::string_view text, const SocketIoLimits& limits, SocketIoPacket& out);

/// Puts packets together: a text, then exactly as many binary messages as it announces.
/// After an error nothing is kept; the next text begins anew, though socket.io closes such connections.
class SocketIoDecoder {
 public:
  explicit SocketIoDecoder(const SocketIoLimits& limits) : limits_(limits.resolved()) {}
  SocketIoDecoder(const SocketIoDecoder&) = delete;
  SocketIoDecoder& operator=(const SocketIoDecoder&) = delete;

  /// A text message. Returns whether the packet is whole; else attachments follow. A packet without attachments points
  /// into `text`, others into the decoder.
  /// Errors: those of `read_socketio_packet`; invalid_message where an attachment should have come.
  Result<bool> text(std::string_view text);
  /// A binary message, which is never copied, and not null. Returns whether the packet is whole.
  /// Errors: invalid_message where no attachment is due; message_too_large past `attachment_bytes_max`.
  Result<bool> binary(SharedBytes bytes);
  Result<bool> binary(std::string bytes) { return binary(std::make_shared<const std::string>(std::move(bytes))); }

  /// Whether attachments are due: a peer may never send them, so that the caller's clock must run.
  bool waiting() const noexcept { return attachments_.size() < packet_.attachments; }
  /// What is kept of an unfinished packet, in bytes.
  std::size_t bytes() const noexcept { return waiting() ? text_.size() + attachment_bytes_ : 0; }

  /// The packet that became whole, until the next call of `text` or `reset`.
  const SocketIoPacket& packet() const noexcept { return packet_; }
  const std::vector<SharedBytes>& attachments() const noexcept { return attachments_; }
  /// An argument of that packet with its bytes; `index` is below `packet().arguments.size()`.
  SocketIoValue argument(std::size_t index) const;
  std::vector<SocketIoValue> arguments() const;

  /// Forgets the packet, whole or not, and gives its memory back: an idle connection needs none.
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

  /// Whole WebSocket frames, to be written in this order; the attachments themselves are among them, not copied.
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
// reserved events, for ids past `socketio_id_max`, and where JSON that looks like a placeholder is to go out beside
// bytes: its receiver would take it for one. A receiver with socket.io-parser's defaults takes 10 attachments.

/// `id`: asks for an acknowledgment. `event`: what is not UTF-8 becomes U+FFFD. So do, in arguments, halves of surrogate
/// pairs.
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
