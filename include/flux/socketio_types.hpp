// The values in Socket.IO's events, and the limits of its packets.
#pragma once

#include <flux/error.hpp>
#include <flux/json.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::protocol {
class SocketIoDecoder;
class SocketIoWriter;
}  // namespace flux::protocol

namespace flux::detail {

/// For flux itself: a part of a JSON text, `[begin, end)`, that stands for attachment `num`.
struct SocketIoPlaceholder {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t num = 0;
};

}  // namespace flux::detail

namespace flux::socketio {

/// The limits of one packet.
struct PacketLimits {
  std::size_t attachments_max = 10;  ///< of one packet, as in socket.io-parser. 0: no bytes in packets
  /// Size of one packet's attachments together. None: the larger of 10,000,000 and the size of a message
  /// (`payload_bytes_max`).
  std::optional<std::size_t> attachment_bytes_max{};
  /// Size of one packet's text, at least 1; 1 MB takes 5 to 10 ms to parse. None: the size of a message
  /// (`payload_bytes_max`).
  std::optional<std::size_t> text_bytes_max{};
  std::size_t arguments_max = 1'024;       ///< of one event or acknowledgment. 0: none
  std::size_t namespace_bytes_max = 256;   ///< of a namespace's name, at least 1
  std::size_t event_name_bytes_max = 256;  ///< of an event's name, at least 1
  std::size_t json_depth_max = 64;         ///< levels of the data, at least 1; an argument begins at the second
};

/// Immutable bytes: all clients that receive them share one copy.
using SharedBytes = std::shared_ptr<const std::string>;

/// An argument of an event or of an acknowledgment: JSON in which bytes may replace any value.
class Value {
 public:
  /// `null`.
  Value() = default;
  /// A value without bytes in it.
  Value(JsonText json) : json_(std::move(json)) {}
  /// A value that is bytes. The pointer must not be null.
  static Value bytes(SharedBytes bytes);
  /// A value that is bytes.
  static Value bytes(std::string bytes);
  /// JSON in which each `{"_placeholder":true,"num":n}` stands for `attachments[n]` (none of them null).
  /// Errors: invalid_json; invalid_message unless each attachment has exactly one placeholder.
  static Result<Value> parse(const std::string& json, std::vector<SharedBytes> attachments,
                             std::size_t depth_max = 128);

  /// The value with placeholders for the bytes, numbered from 0 in the order of the text, each exactly
  /// `{"_placeholder":true,"num":n}`.
  const JsonText& json() const noexcept { return json_; }
  /// The bytes, in the order of their placeholders.
  const std::vector<SharedBytes>& attachments() const noexcept { return attachments_; }

  /// The bytes at an RFC 6901 pointer (`""` is the whole); null if there is another value, or none.
  SharedBytes bytes_at(std::string_view pointer = {}) const;
  /// The value at the pointer, with the bytes in it; none if there is none.
  std::optional<Value> at(std::string_view pointer) const;

  /// Whether texts and bytes are equal.
  friend bool operator==(const Value& a, const Value& b);

 private:
  friend class protocol::SocketIoDecoder;
  friend class protocol::SocketIoWriter;

  /// The part `[begin, end)` of `text`, with the placeholders in it.
  static Value cut(std::string_view text, std::size_t begin, std::size_t end,
                   std::span<const detail::SocketIoPlaceholder> placeholders, std::span<const SharedBytes> attachments);

  JsonText json_;
  std::vector<detail::SocketIoPlaceholder> placeholders_;  // one for each of attachments_, in the order of both
  std::vector<SharedBytes> attachments_;
};

/// The arguments of an event or of an acknowledgment.
using Args = std::vector<Value>;

}  // namespace flux::socketio

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/socketio_codec.ipp>
#endif
