// Values that Socket.IO's events carry, and what one of its packets may hold.
#pragma once

#include <flux/error.hpp>
#include <flux/json.hpp>

#include <algorithm>
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

/// For flux itself: a stretch of a JSON text, `[begin, end)`, that stands for attachment `num`.
struct SocketIoPlaceholder {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t num = 0;
};

}  // namespace flux::detail

namespace flux::socketio {

/// What one packet may hold.
struct PacketLimits {
  std::size_t attachments_max = 10;  ///< of one packet, as in socket.io-parser
  /// Of one packet's attachments together. 0: 10,000,000, or what one message may hold (`payload_bytes_max`) where that
  /// is more.
  std::size_t attachment_bytes_max = 0;
  /// Of one packet's text. 0: what one message may hold (`payload_bytes_max`). 1 MB takes 5 to 10 ms to parse.
  std::size_t text_bytes_max = 0;
  std::size_t arguments_max = 1'024;
  std::size_t namespace_bytes_max = 256;
  std::size_t event_name_bytes_max = 256;
  std::size_t json_depth_max = 64;  ///< levels of the data; an argument begins at the second

  /// The same with the zeros replaced by what they mean.
  PacketLimits resolved(std::size_t message_bytes_max = 0) const {
    PacketLimits limits = *this;
    if (attachment_bytes_max == 0) limits.attachment_bytes_max = std::max<std::size_t>(10'000'000, message_bytes_max);
    return limits;
  }
};

/// Bytes that nobody changes: all clients that they are sent to share one copy.
using SharedBytes = std::shared_ptr<const std::string>;

/// An argument of an event or of an acknowledgment: JSON in which bytes may stand anywhere a value may.
class Value {
 public:
  /// `null`.
  Value() = default;
  /// A value without bytes in it.
  Value(JsonText json) : json_(std::move(json)) {}
  /// A value that is bytes; never null.
  static Value bytes(SharedBytes bytes);
  static Value bytes(std::string bytes);
  /// JSON in which each `{"_placeholder":true,"num":n}` stands for `attachments[n]` (none of them null).
  /// Errors: invalid_json; invalid_message unless each attachment has exactly one placeholder.
  static Result<Value> parse(const std::string& json, std::vector<SharedBytes> attachments,
                             std::size_t depth_max = 128);

  /// The value with placeholders for the bytes, numbered from 0 in the order of the text, each
  /// `{"_placeholder":true,"num":n}` and no more.
  const JsonText& json() const noexcept { return json_; }
  /// The bytes, in the order of their placeholders.
  const std::vector<SharedBytes>& attachments() const noexcept { return attachments_; }

  /// The bytes at an RFC 6901 pointer (`""` is the whole); null where something else is, or nothing.
  SharedBytes bytes_at(std::string_view pointer = {}) const;
  /// What is at the pointer, with the bytes in it; none where nothing is.
  std::optional<Value> at(std::string_view pointer) const;

  friend bool operator==(const Value& a, const Value& b);

 private:
  friend class protocol::SocketIoDecoder;
  friend class protocol::SocketIoWriter;

  /// The part `[begin, end)` of `text`, with those of the placeholders that are in it.
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
