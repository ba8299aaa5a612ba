#pragma once

#include <flux/detail/core/base64.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/http_message.hpp>
#include <flux/detail/transport/websocket_frame.hpp>
#include <flux/json.hpp>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

namespace flux::protocol {

namespace engineio_detail {

inline char digit_of(EngineIoType type) noexcept { return static_cast<char>('0' + static_cast<int>(type)); }

inline std::optional<EngineIoType> type_of(char digit) noexcept {
  if (digit < '0' || digit > '6') return std::nullopt;
  return static_cast<EngineIoType>(digit - '0');
}

FLUX_DECL std::string unknown_type(char first) {
  const auto byte = static_cast<unsigned char>(first);
  const std::string shown =
      byte > 0x20 && byte < 0x7f ? "\"" + std::string(1, first) + "\"" : "byte " + std::to_string(byte);
  return "begins with " + shown + "; a packet begins with its type, 0 to 6, or with b";
}

inline constexpr std::string_view empty_packet = "is empty; a packet begins with its type, 0 to 6, or with b";
inline constexpr std::size_t long_bytes = 65'536;  // of base64, whole groups of 4

inline constexpr std::string_view bad_base64 = "contains invalid base64 after its b";
inline constexpr std::string_view bad_utf8 = "is not valid UTF-8";

/// The frame's first payload byte, then the rest, which is `rest_size` bytes.
FLUX_DECL void append_text_header(std::string& out, char first, std::size_t rest_size) {
  char header[transport::frame_header_bytes_max];
  out.append(header, transport::write_frame_header(header, transport::Opcode::text, rest_size + 1));
  out.push_back(first);
}

}  // namespace engineio_detail

// --- Packets ---

FLUX_DECL Result<EngineIoPacket> read_engineio_text(std::string_view text, std::string& decoded) {
  const auto bad = [](std::string_view what) {
    return Error(Errc::invalid_message, "the packet " + std::string(what));
  };
  if (text.empty()) return bad(engineio_detail::empty_packet);
  if (text.front() == 'b') {
    auto bytes = decode_base64(text.substr(1));
    if (!bytes) return bad(engineio_detail::bad_base64);
    decoded = std::move(*bytes);
    return EngineIoPacket{EngineIoType::message, true, decoded};
  }
  const auto type = engineio_detail::type_of(text.front());
  if (!type) return bad(engineio_detail::unknown_type(text.front()));
  return EngineIoPacket{*type, false, text.substr(1)};
}

FLUX_DECL void append_engineio_frame(std::string& out, EngineIoType type, std::string_view data) {
  engineio_detail::append_text_header(out, engineio_detail::digit_of(type), data.size());
  out.append(data);
}

FLUX_DECL void append_engineio_binary_frame(std::string& out, std::string_view bytes) {
  transport::append_frame(out, transport::Opcode::binary, bytes);
}

FLUX_DECL void append_engineio_base64_frame(std::string& out, std::string_view bytes) {
  engineio_detail::append_text_header(out, 'b', base64_size(bytes.size()));
  append_base64(out, bytes);
}

FLUX_DECL void append_engineio_base64_portion(std::string& out, std::string_view bytes, bool first, bool last) {
  constexpr char final_bit = '\x80';  // RFC 6455, section 5.2
  const std::size_t begin = out.size();
  if (first) {
    engineio_detail::append_text_header(out, 'b', base64_size(bytes.size()));
  } else {
    char header[transport::frame_header_bytes_max];
    out.append(header,
               transport::write_frame_header(header, transport::Opcode::continuation, base64_size(bytes.size())));
  }
  if (!last) out[begin] = static_cast<char>(out[begin] & ~final_bit);
  append_base64(out, bytes);
}

// --- Polling payloads ---

FLUX_DECL std::size_t EngineIoPayload::size() const noexcept {
  std::size_t parts = 0;
  std::size_t size = 0;
  for_each_part(
      [&](std::string_view text) {
        ++parts;
        size += text.size();
      },
      [&](const std::shared_ptr<const std::string>& part) {
        ++parts;
        size += 1 + base64_size(part->size());
      });
  return parts == 0 ? 0 : size + parts - 1;
}

FLUX_DECL void EngineIoPayload::make_room(std::size_t more) {
  constexpr std::size_t step = 262'144;
  if (packets.size() < step || packets.capacity() - packets.size() >= more) return;
  std::string larger;  // std::string::reserve may also double it
  larger.reserve(packets.size() + std::max(more, step));
  packets.swap(larger.append(packets));
}

FLUX_DECL void EngineIoPayload::append(std::string_view encoded) {
  const bool beside_bytes = !bytes.empty() && bytes.back().at == packets.size();
  if (!packets.empty() && !beside_bytes) packets += engineio_separator;
  packets += encoded;
}

FLUX_DECL EngineIoPayload EngineIoPayload::take_front(std::size_t bytes_max, std::size_t& taken) {
  const std::string_view all(packets);
  std::size_t text = 0;  // where the rest begins
  std::size_t parts = 0;
  std::size_t front_size = 0;
  for (std::size_t count = 0;; ++count) {
    const std::size_t text_end = parts < bytes.size() ? bytes[parts].at : all.size();
    if (text == text_end && parts == bytes.size()) break;
    const std::string_view rest = all.substr(text, text_end - text);
    const std::size_t packet = rest.empty() ? 1 + base64_size(bytes[parts].bytes->size())
                                            : std::min(rest.find(engineio_separator), rest.size());
    front_size += packet + (count == 0 ? 0 : 1);
    if (count > 0 && front_size > bytes_max) break;
    ++taken;
    if (rest.empty()) {
      ++parts;
    } else {
      text += packet < rest.size() ? packet + 1 : packet;
    }
  }
  EngineIoPayload front;
  const auto parts_end = bytes.begin() + static_cast<std::ptrdiff_t>(parts);
  front.bytes.assign(std::make_move_iterator(bytes.begin()), std::make_move_iterator(parts_end));
  bytes.erase(bytes.begin(), parts_end);
  for (Bytes& part : bytes) part.at -= text;
  std::string rest = packets.substr(text);
  packets.resize(text > 0 && packets[text - 1] == engineio_separator ? text - 1 : text);
  front.packets = std::exchange(packets, std::move(rest));
  return front;
}

FLUX_DECL std::string EngineIoPayloadPortions::next(std::size_t bytes) {
  constexpr std::size_t least_bytes = 8;  // a separator, `b`, and four digits
  std::string out;
  out.reserve(bytes);
  while (bytes - out.size() >= least_bytes) {
    const bool has_bytes = part_ < payload_.bytes.size();
    const std::size_t packets_end = has_bytes ? payload_.bytes[part_].at : payload_.packets.size();
    if (packets_at_ < packets_end) {
      next_packets(out, bytes, packets_end);
    } else if (has_bytes) {
      next_bytes(out, bytes);
    } else {
      break;
    }
  }
  return out;
}

FLUX_DECL void EngineIoPayloadPortions::begin_part(std::string& out) {
  if (std::exchange(in_part_, true)) return;
  if (std::exchange(begun_, true)) out += engineio_separator;
}

FLUX_DECL void EngineIoPayloadPortions::next_packets(std::string& out, std::size_t bytes, std::size_t end) {
  begin_part(out);
  const std::size_t size = std::min(end - packets_at_, bytes - out.size());
  out.append(payload_.packets, packets_at_, size);
  packets_at_ += size;
  if (packets_at_ == end) in_part_ = false;
}

FLUX_DECL void EngineIoPayloadPortions::next_bytes(std::string& out, std::size_t bytes) {
  const bool first = !in_part_;
  begin_part(out);
  if (first) out += 'b';
  auto& part = payload_.bytes[part_].bytes;
  const std::string_view portion = std::string_view(*part).substr(part_at_, (bytes - out.size()) / 4 * 3);
  append_base64(out, portion);
  part_at_ += portion.size();
  if (part_at_ < part->size()) return;
  part.reset();
  ++part_;
  part_at_ = 0;
  in_part_ = false;
}

FLUX_DECL EngineIoPayloadReader::EngineIoPayloadReader(std::string payload, const EngineIoLimits& limits)
    : payload_(std::move(payload)),
      packets_max_(limits.packets_max),
      message_bytes_max_(limits.message_bytes_max == 0 ? limits.payload_bytes_max : limits.message_bytes_max) {
  if (payload_.size() > limits.payload_bytes_max) {
    error_.emplace(Errc::message_too_large, "the payload has " + std::to_string(payload_.size()) + " bytes; at most " +
                                                std::to_string(limits.payload_bytes_max) + " are allowed");
  }
}

FLUX_DECL std::nullopt_t EngineIoPayloadReader::fail(Errc code, std::string_view what) {
  work_ = Work::none;
  error_.emplace(code, "packet " + std::to_string(packets_) + " of the payload " + std::string(what));
  return std::nullopt;
}

FLUX_DECL bool EngineIoPayloadReader::fits(std::size_t size) {
  if (size <= message_bytes_max_) return true;
  fail(Errc::message_too_large,
       "has " + std::to_string(size) + " bytes; at most " + std::to_string(message_bytes_max_) + " are allowed");
  return false;
}

FLUX_DECL std::optional<EngineIoPacket> EngineIoPayloadReader::next(std::size_t bytes) {
  if (work_ == Work::decoding) return decode_long(bytes);
  if (work_ == Work::checking) return check_long(bytes);
  long_ = std::string();
  if (done_ || error_ || !find_end(bytes)) return std::nullopt;
  ++packets_;
  if (packets_ > packets_max_) {
    return fail(Errc::limit_exceeded, "is one too many; at most " + std::to_string(packets_max_) + " are allowed");
  }
  const std::string_view packet = std::string_view(payload_).substr(at_, end_ - at_);
  done_ = end_ == payload_.size();
  at_ = ++end_;
  if (packet.empty()) return fail(Errc::invalid_message, engineio_detail::empty_packet);
  return read_packet(packet, bytes);
}

FLUX_DECL std::optional<EngineIoPacket> EngineIoPayloadReader::read_packet(std::string_view packet, std::size_t bytes) {
  const std::string_view data = packet.substr(1);
  const bool is_long = data.size() > engineio_detail::long_bytes;
  if (packet.front() == 'b') {
    if (!fits(decoded_base64_size(data))) return std::nullopt;
    if (!is_long) return decode(data);
    work_ = Work::decoding;
    long_.reserve(data.size() / 4 * 3);
    long_rest_ = data;
    return decode_long(bytes);
  }
  const auto type = engineio_detail::type_of(packet.front());
  if (!type) return fail(Errc::invalid_message, engineio_detail::unknown_type(packet.front()));
  if (!fits(packet.size())) return std::nullopt;
  if (is_long) {
    work_ = Work::checking;
    long_.reserve(data.size());
    long_rest_ = data;
    long_type_ = *type;
    long_utf8_ = core::Utf8Validator();
    return check_long(bytes);
  }
  if (!core::valid_utf8(data)) return fail(Errc::invalid_message, engineio_detail::bad_utf8);
  return EngineIoPacket{*type, false, data};
}

/// Whether the end has been found.
FLUX_DECL bool EngineIoPayloadReader::find_end(std::size_t bytes) {
  constexpr std::size_t quicker = 8;  // than decoding
  const std::string_view rest = std::string_view(payload_).substr(end_);
  const std::string_view part = rest.size() / quicker < bytes ? rest : rest.substr(0, quicker * bytes);
  const std::size_t found = part.find(engineio_separator);
  const bool whole = found != std::string_view::npos || part.size() == rest.size();
  end_ += std::min(found, part.size());
  work_ = whole ? Work::none : Work::finding_end;
  return whole;
}

/// Decodes a short packet in place.
FLUX_DECL std::optional<EngineIoPacket> EngineIoPayloadReader::decode(std::string_view base64) {
  char* const to = payload_.data() + (base64.data() - payload_.data());
  const auto size = decode_base64(base64, to);
  if (!size) return fail(Errc::invalid_message, engineio_detail::bad_base64);
  return EngineIoPacket{EngineIoType::message, true, base64.substr(0, *size)};
}

/// Decodes a long packet into a string of its own, which may be moved from.
FLUX_DECL std::optional<EngineIoPacket> EngineIoPayloadReader::decode_long(std::size_t bytes) {
  std::array<char, engineio_detail::long_bytes / 4 * 3> decoded;
  std::size_t portions = std::max<std::size_t>(bytes / engineio_detail::long_bytes, 1);
  for (; !long_rest_.empty() && portions > 0; --portions) {
    const std::string_view part = long_rest_.substr(0, engineio_detail::long_bytes);
    const bool padded_inside = part.size() < long_rest_.size() && part.back() == '=';
    const auto size = padded_inside ? std::nullopt : decode_base64(part, decoded.data());
    if (!size) return fail(Errc::invalid_message, engineio_detail::bad_base64);
    long_.append(decoded.data(), *size);
    long_rest_.remove_prefix(part.size());
  }
  if (!long_rest_.empty()) return std::nullopt;
  work_ = Work::none;
  return EngineIoPacket{EngineIoType::message, true, long_};
}

/// Copies and checks a long text likewise.
FLUX_DECL std::optional<EngineIoPacket> EngineIoPayloadReader::check_long(std::size_t bytes) {
  const std::string_view part = long_rest_.substr(0, std::max<std::size_t>(bytes, 1));
  if (long_utf8_.scan(part) < part.size()) return fail(Errc::invalid_message, engineio_detail::bad_utf8);
  long_.append(part);
  long_rest_.remove_prefix(part.size());
  if (!long_rest_.empty()) return std::nullopt;
  if (!long_utf8_.complete()) return fail(Errc::invalid_message, engineio_detail::bad_utf8);
  work_ = Work::none;
  return EngineIoPacket{long_type_, false, long_};
}

FLUX_DECL bool EngineIoPayloadWriter::begin(std::size_t bytes, std::size_t packets, bool is_long) {
  const bool is_large = is_long || bytes > limits_.payload_bytes_max / 2;
  if (packets_ != 0) {
    const std::size_t counted = bytes_ - (large_.empty() ? 0 : large_.front().bytes);
    if (packets > limits_.packets_max - std::min(packets_, limits_.packets_max)) return false;
    if (counted >= limits_.payload_bytes_max) return false;
    const bool counts = !is_long && !(is_large && large_.empty());
    if (counts && bytes > limits_.payload_bytes_max - counted - 1) return false;
    ++bytes_;  // the separator
    ++added_bytes_;
  }
  bytes_ += bytes;
  added_bytes_ += bytes;
  packets_ += packets;
  if (is_large) large_.push_back({added_bytes_, bytes});
  if (!is_long) payload_.make_room(1 + bytes);
  return true;
}

FLUX_DECL EngineIoPayloadWriter::Added EngineIoPayloadWriter::add(EngineIoType type, std::string_view data) {
  if (data.find(engineio_separator) != std::string_view::npos) return Added::unsendable;
  if (!begin(1 + data.size(), 1)) return Added::full;
  const char digit = engineio_detail::digit_of(type);
  payload_.append({&digit, 1});
  payload_.packets += data;
  return Added::yes;
}

FLUX_DECL EngineIoPayloadWriter::Added EngineIoPayloadWriter::add_binary(std::string_view bytes) {
  if (!begin(1 + base64_size(bytes.size()), 1)) return Added::full;
  payload_.append("b");
  append_base64(payload_.packets, bytes);
  return Added::yes;
}

FLUX_DECL EngineIoPayloadWriter::Added EngineIoPayloadWriter::add_long(std::shared_ptr<const std::string> bytes) {
  if (!begin(1 + base64_size(bytes->size()), 1, true)) return Added::full;
  payload_.append(std::move(bytes));
  return Added::yes;
}

FLUX_DECL EngineIoPayloadWriter::Added EngineIoPayloadWriter::add_encoded(std::string_view encoded,
                                                                          std::size_t packets) {
  if (!begin(encoded.size(), packets)) return Added::full;
  payload_.append(encoded);
  return Added::yes;
}

FLUX_DECL EngineIoPayload EngineIoPayloadWriter::take(std::size_t bytes) {
  if (bytes_ <= bytes) {
    packets_ = 0;
    bytes_ = 0;
    large_.clear();
    return std::exchange(payload_, {});
  }
  std::size_t taken = 0;
  EngineIoPayload front = payload_.take_front(bytes, taken);
  packets_ -= taken;
  bytes_ = packets_ == 0 ? 0 : bytes_ - front.size() - 1;  // and the separator between the two
  std::erase_if(large_, [end = added_bytes_ - bytes_](const Large& one) { return one.end <= end; });
  return front;
}

// --- Sessions ---

FLUX_DECL std::string engineio_handshake(const EngineIoHandshake& handshake) {
  std::string json = "{\"sid\":" + JsonText::string(handshake.sid).text();
  json += ",\"upgrades\":";
  json += handshake.websocket_upgrade ? "[\"websocket\"]" : "[]";
  json += ",\"pingInterval\":" + std::to_string(handshake.ping_interval.count());
  json += ",\"pingTimeout\":" + std::to_string(handshake.ping_timeout.count());
  json += ",\"maxPayload\":" + std::to_string(handshake.payload_bytes_max) + "}";
  return json;
}

FLUX_DECL std::string_view to_string(EngineIoTransport transport) noexcept {
  return transport == EngineIoTransport::polling ? "polling" : "websocket";
}

FLUX_DECL EngineIoQuery read_engineio_query(std::string_view query) {
  using transport::PlusSign;
  using transport::url_decode;
  EngineIoQuery out;
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto name = url_decode(pair.substr(0, equals), PlusSign::is_space);
    if (name != "EIO" && name != "transport" && name != "sid" && name != "b64") continue;
    std::string value = url_decode(pair.substr(std::min(equals + 1, pair.size())), PlusSign::is_space).value_or("");
    if (name == "EIO") {
      out.version_4 = value == "4";
    } else if (name == "transport") {
      out.transport.reset();
      if (value == "polling") out.transport = EngineIoTransport::polling;
      if (value == "websocket") out.transport = EngineIoTransport::websocket;
    } else if (name == "sid") {
      out.sid = std::move(value);
    } else {
      out.base64 = !value.empty();
    }
  }
  return out;
}

FLUX_DECL std::string_view to_string(EngineIoRefusal refusal) noexcept {
  switch (refusal) {
    case EngineIoRefusal::transport_unknown: return "Transport unknown";
    case EngineIoRefusal::session_unknown: return "Session ID unknown";
    case EngineIoRefusal::bad_handshake_method: return "Bad handshake method";
    case EngineIoRefusal::bad_request: return "Bad request";
    case EngineIoRefusal::forbidden: return "Forbidden";
    case EngineIoRefusal::unsupported_protocol_version: return "Unsupported protocol version";
  }
  return {};
}

FLUX_DECL int engineio_refusal_status(EngineIoRefusal refusal) noexcept {
  return refusal == EngineIoRefusal::forbidden ? 403 : 400;
}

FLUX_DECL std::string engineio_refusal_body(EngineIoRefusal refusal, std::string_view message) {
  return "{\"code\":" + std::to_string(static_cast<int>(refusal)) +
         ",\"message\":" + JsonText::string(message.empty() ? to_string(refusal) : message).text() + "}";
}

FLUX_DECL std::optional<EngineIoRefusal> check_engineio_request(const EngineIoRequest& request,
                                                                const EngineIoState& state) {
  const EngineIoQuery& query = request.query;
  if (!query.transport || !(*query.transport == EngineIoTransport::polling ? state.polling : state.websocket)) {
    return EngineIoRefusal::transport_unknown;
  }
  const bool websocket = *query.transport == EngineIoTransport::websocket;
  if (query.sid.empty()) {
    if (request.method != "GET") return EngineIoRefusal::bad_handshake_method;
    if (websocket != request.websocket) return EngineIoRefusal::bad_request;
    if (!query.version_4) return EngineIoRefusal::unsupported_protocol_version;
    return std::nullopt;
  }
  if (!state.session) return EngineIoRefusal::session_unknown;
  // A poll of a session that polls, or the WebSocket that it goes over to.
  const bool fits = websocket == request.websocket && *state.session == EngineIoTransport::polling &&
                    (request.method == "GET" || (request.method == "POST" && !websocket));
  if (!fits || !query.version_4) return EngineIoRefusal::bad_request;
  return std::nullopt;
}

}  // namespace flux::protocol
