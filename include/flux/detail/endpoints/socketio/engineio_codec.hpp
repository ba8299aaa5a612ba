// The Engine.IO protocol, version 4, between bytes and types: packets, polling payloads, the handshake, and how a
// request is read. No I/O: every function works on its arguments.
// Source: the specification in github.com/socketio/engine.io-protocol, or engine.io 6 where that says nothing.
//
// Threading: values and free functions; an object belongs to one thread at a time.
#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/error.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::protocol {

// --- Packets ---

/// The numbers are those on the wire.
enum class EngineIoType : std::uint8_t { open, close, ping, pong, message, upgrade, noop };

/// `data` points into the text that the packet was read from.
struct EngineIoPacket {
  EngineIoType type = EngineIoType::noop;
  bool binary = false;    ///< only messages: `data` is bytes, not text
  std::string_view data;  ///< text is valid UTF-8
  friend bool operator==(const EngineIoPacket&, const EngineIoPacket&) = default;
};

/// Reads the content of a WebSocket text frame: type and text, or `b` and base64 from a client that cannot send bytes.
/// The bytes of such a message are put into `decoded`. (A WebSocket binary frame is a message without any encoding.)
/// `text` is valid UTF-8: the reader of the frame has checked it.
/// Errors: invalid_message.
Result<EngineIoPacket> read_engineio_text(std::string_view text, std::string& decoded);

/// Append a WebSocket frame: a packet as text, and a message as bytes. `data` is valid UTF-8.
void append_engineio_frame(std::string& out, EngineIoType type, std::string_view data = {});
void append_engineio_binary_frame(std::string& out, std::string_view bytes);
/// A message of bytes for a client that asked for `EngineIoQuery::base64`: a text frame of `b` and base64.
void append_engineio_base64_frame(std::string& out, std::string_view bytes);
/// The same as several frames with one portion each; every portion but the last is a multiple of 3 bytes. Frames of
/// other messages must not come between them.
void append_engineio_base64_portion(std::string& out, std::string_view bytes, bool first, bool last);

// --- Polling payloads ---

/// The limits of one payload.
struct EngineIoLimits {
  std::size_t payload_bytes_max = 1'000'000;
  std::size_t packets_max = 131'072;  ///< more than the messages with any content that fit into a payload of 1 MB
  /// Of one packet that is read, after its base64 is decoded. 0: the limit of its payload.
  std::size_t message_bytes_max = 0;
};

/// The separator between the packets of a payload.
inline constexpr char engineio_separator = '\x1e';

/// Reads the packets of a POST's body one by one, so that the packets before a bad one take effect, as in engine.io.
class EngineIoPayloadReader {
 public:
  EngineIoPayloadReader(std::string payload, const EngineIoLimits& limits);
  EngineIoPayloadReader(const EngineIoPayloadReader&) = delete;
  EngineIoPayloadReader& operator=(const EngineIoPayloadReader&) = delete;

  static constexpr std::size_t no_limit = static_cast<std::size_t>(-1);

  /// The next packet, whose data is valid until the next call; none at the end, and none after an error. A call decodes
  /// or checks at most `bytes` of a long packet, or searches eight times as many for its end. If that was not enough it
  /// returns none, `unfinished` is true, and the next call continues.
  std::optional<EngineIoPacket> next(std::size_t bytes = no_limit);
  bool unfinished() const noexcept { return work_ != Work::none; }
  /// The data of the last packet, which may be moved from, if it was long and so has a string of its own; otherwise
  /// null.
  std::string* owner() noexcept { return long_.empty() || unfinished() ? nullptr : &long_; }
  /// The payload, for callers that care on which thread it is freed.
  std::string release() noexcept { return std::move(payload_); }

  /// invalid_message for an empty packet (an empty payload is one), an unknown type, bad base64 and text that is not
  /// UTF-8; message_too_large and limit_exceeded past the limits. Names the packet, counted from 1.
  const std::optional<Error>& error() const noexcept { return error_; }

 private:
  std::nullopt_t fail(Errc code, std::string_view what);
  bool find_end(std::size_t bytes);
  bool fits(std::size_t size);
  std::optional<EngineIoPacket> read_packet(std::string_view packet, std::size_t bytes);
  std::optional<EngineIoPacket> decode(std::string_view base64);
  std::optional<EngineIoPacket> decode_long(std::size_t bytes);
  std::optional<EngineIoPacket> check_long(std::size_t bytes);

  std::string payload_;
  std::size_t packets_max_;
  std::size_t message_bytes_max_;
  std::size_t at_ = 0;   // of the packet
  std::size_t end_ = 0;  // of it, or of the part that has been searched for its end
  std::size_t packets_ = 0;
  bool done_ = false;
  enum class Work : std::uint8_t { none, finding_end, decoding, checking } work_ = Work::none;
  std::string long_;            // data that is long: decoded base64, or text
  std::string_view long_rest_;  // the part of it that is not yet decoded or checked
  EngineIoType long_type_ = EngineIoType::message;
  core::Utf8Validator long_utf8_;
  std::optional<Error> error_;
};

/// The body of a GET's answer. Long bytes are kept beside its text and encoded as base64 in portions, when they are
/// sent.
struct EngineIoPayload {
  /// A separate packet, after the first `at` bytes of the text.
  struct Bytes {
    std::size_t at;
    std::shared_ptr<const std::string> bytes;
  };

  std::string packets;  ///< with a separator between two, but none beside `bytes`
  std::vector<Bytes> bytes;

  bool empty() const noexcept { return packets.empty() && bytes.empty(); }
  /// The size on the wire.
  std::size_t size() const noexcept;
  /// Call before appending `more` bytes of packets. A large payload grows in steps, because a string that doubles its
  /// capacity takes twice the memory.
  void make_room(std::size_t more);
  /// One or more, joined.
  void append(std::string_view encoded);
  void append(std::shared_ptr<const std::string> long_bytes) {
    bytes.push_back({packets.size(), std::move(long_bytes)});
  }
  /// Removes from the front as many packets as fit into `bytes_max`, but at least one. Adds their number to `taken`.
  EngineIoPayload take_front(std::size_t bytes_max, std::size_t& taken);
  /// Calls `on_packets(std::string_view)` for texts and `on_bytes(bytes)` for each of `bytes`, in their order.
  template <class OnPackets, class OnBytes>
  void for_each_part(const OnPackets& on_packets, const OnBytes& on_bytes) const {
    std::size_t begin = 0;
    for (const Bytes& part : bytes) {
      if (begin < part.at) on_packets(std::string_view(packets).substr(begin, part.at - begin));
      begin = part.at;
      on_bytes(part.bytes);
    }
    if (begin < packets.size()) on_packets(std::string_view(packets).substr(begin));
  }
};

/// Writes a payload in portions.
class EngineIoPayloadPortions {
 public:
  explicit EngineIoPayloadPortions(EngineIoPayload payload) : payload_(std::move(payload)) {}

  /// The next portion, of at most `bytes` (8 or more); only the last portion is shorter than that by more than 8. Empty
  /// at the end.
  std::string next(std::size_t bytes);

 private:
  void next_packets(std::string& out, std::size_t bytes, std::size_t end);
  void next_bytes(std::string& out, std::size_t bytes);
  void begin_part(std::string& out);

  EngineIoPayload payload_;
  std::size_t packets_at_ = 0;
  std::size_t part_ = 0;  // of the payload's bytes
  std::size_t part_at_ = 0;
  bool begun_ = false;  // with the payload
  bool in_part_ = false;
};

/// Collects packets for the answers of GETs, which take them in one portion or in several.
class EngineIoPayloadWriter {
 public:
  enum class Added : std::uint8_t {
    yes,
    full,        ///< nothing was added: too much is pending
    unsendable,  ///< nothing was added: text with U+001E would end the packet early (JSON never holds it unescaped)
  };

  static constexpr std::size_t no_limit = static_cast<std::size_t>(-1);

  /// `limits` apply to everything that is pending. Additions of more than half the limit, and all those of `add_long`,
  /// are large; the first large one that is pending does not count, because it says nothing about the client's speed.
  explicit EngineIoPayloadWriter(const EngineIoLimits& limits) : limits_(limits) {}

  /// The first packet is never refused for its size: it cannot be sent in parts.
  Added add(EngineIoType type, std::string_view data = {});
  Added add_binary(std::string_view bytes);
  /// The same for many bytes, which are not copied.
  Added add_long(std::shared_ptr<const std::string> bytes);
  /// Packets that were encoded and joined before: `SocketIoMessage::polling` and its `packets`.
  Added add_encoded(std::string_view encoded, std::size_t packets);

  bool empty() const noexcept { return packets_ == 0; }
  std::size_t packets() const noexcept { return packets_; }
  /// Of all packets as one payload.
  std::size_t bytes() const noexcept { return bytes_; }
  /// Removes and returns the next payload: as many packets as fit into `bytes`, but at least one.
  EngineIoPayload take(std::size_t bytes = no_limit);

 private:
  /// An addition that is large.
  struct Large {
    std::uint64_t end;  // how much had been added with it
    std::size_t bytes;
  };

  bool begin(std::size_t bytes, std::size_t packets, bool is_long = false);

  EngineIoLimits limits_;
  EngineIoPayload payload_;
  std::size_t bytes_ = 0;
  std::size_t packets_ = 0;
  std::uint64_t added_bytes_ = 0;
  std::vector<Large> large_;  // those that are pending
};

// --- Sessions ---

/// What the open packet tells a client.
struct EngineIoHandshake {
  std::string_view sid;
  bool websocket_upgrade = true;  ///< `upgrades`: `["websocket"]`, else `[]`
  std::chrono::milliseconds ping_interval{25'000};
  std::chrono::milliseconds ping_timeout{20'000};
  std::size_t payload_bytes_max = 1'000'000;
};

/// The open packet's data, JSON.
std::string engineio_handshake(const EngineIoHandshake& handshake);

enum class EngineIoTransport : std::uint8_t { polling, websocket };
std::string_view to_string(EngineIoTransport transport) noexcept;

/// The parameters of a request. `t` is not among them: it only defeats caches.
struct EngineIoQuery {
  bool version_4 = false;                      ///< `EIO` is 4
  std::optional<EngineIoTransport> transport;  ///< none: another, or none at all
  std::string sid;                             ///< any bytes; empty: the client asks for a new session
  bool base64 = false;                         ///< `b64` is set: the client accepts no WebSocket binary frames
};

/// `query`: the part of a request's target after its `?`. If a parameter is repeated, the last one counts; one with a
/// malformed escape counts as missing.
EngineIoQuery read_engineio_query(std::string_view query);

/// Why a request is refused. The numbers are those on the wire.
enum class EngineIoRefusal : std::uint8_t {
  transport_unknown,
  session_unknown,
  bad_handshake_method,
  bad_request,
  forbidden,  ///< the application refused; `check_engineio_request` never returns it
  unsupported_protocol_version,
};
/// As Engine.IO's server words it: "Transport unknown" and so on. Also the body of the answer to a WebSocket handshake
/// that is refused.
std::string_view to_string(EngineIoRefusal refusal) noexcept;
/// 403 for forbidden, otherwise 400.
int engineio_refusal_status(EngineIoRefusal refusal) noexcept;
/// `{"code":…,"message":…}`, of type application/json. `message` replaces the usual one if it is not empty.
std::string engineio_refusal_body(EngineIoRefusal refusal, std::string_view message = {});

/// A request, as its HTTP head describes it.
struct EngineIoRequest {
  const EngineIoQuery& query;
  std::string_view method;
  bool websocket = false;  ///< it is a WebSocket handshake
};

/// The server's side of a request: the transports that it offers, and the transport of the request's session.
struct EngineIoState {
  bool polling = true;
  bool websocket = true;
  std::optional<EngineIoTransport> session{};  ///< the transport of session `query.sid`; none: there is no such session
};

/// Why a request is refused; none if it is not. Checked in engine.io's order: the transport, the session, its transport
/// and version; for a new session the method, the handshake and the version. In addition, only GET and POST poll, a
/// WebSocket handshake must have `transport=websocket`, and a session has at most one WebSocket.
std::optional<EngineIoRefusal> check_engineio_request(const EngineIoRequest& request, const EngineIoState& state);

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/socketio/engineio_codec.ipp>
#endif
