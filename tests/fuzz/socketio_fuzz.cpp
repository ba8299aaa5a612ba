// Fuzzes the codecs of Engine.IO and Socket.IO. The first byte of the input selects the limits and how much is read and
// written at once, the rest is a polling payload from a client, whose messages then go through the Socket.IO decoder.
// Checked besides what the sanitizers detect: limits hold, slices point into their buffers, and decoded messages can be
// encoded, and decode to the same again.
#include <flux/detail/core/base64.hpp>
#include <flux/detail/core/json_scanner.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/socketio/engineio_codec.hpp>
#include <flux/detail/endpoints/socketio/socketio_codec.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace flux;
using namespace flux::protocol;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_packet(const SocketIoDecoder& decoder, const SocketIoLimits& limits) {
  const SocketIoPacket& packet = decoder.packet();
  require(packet.attachments <= limits.attachments_max && decoder.attachments().size() == packet.attachments);
  require(packet.placeholders.size() == packet.attachments && packet.arguments.size() <= limits.arguments_max);
  require(packet.nsp.starts_with('/') && packet.nsp.size() <= limits.namespace_bytes_max &&
          core::valid_utf8(packet.nsp));
  require(core::valid_utf8(packet.event) && packet.event.size() <= limits.event_name_bytes_max);
  require(!packet.id || *packet.id <= socketio_id_max);
  if (!packet.data.empty()) require(JsonText::parse(std::string(packet.data), limits.json_depth_max).ok());
  std::size_t end = 0;
  for (const SocketIoPlaceholder& placeholder : packet.placeholders) {
    require(placeholder.begin >= end && placeholder.begin < placeholder.end && placeholder.end <= packet.data.size());
    require(packet.data[placeholder.begin] == '{' && packet.data[placeholder.end - 1] == '}');
    end = placeholder.end;
  }
}

/// Lone surrogates are sent as U+FFFD, everything else unchanged.
bool are_sent_as(const std::vector<SocketIoValue>& given, const std::vector<SocketIoValue>& sent) {
  return std::equal(given.begin(), given.end(), sent.begin(), sent.end(),
                    [](const SocketIoValue& before, const SocketIoValue& after) {
                      const auto mended = flux::detail::without_lone_surrogates(before.json().text());
                      return (mended ? *mended : before.json().text()) == after.json().text() &&
                             std::equal(before.attachments().begin(), before.attachments().end(),
                                        after.attachments().begin(), after.attachments().end(),
                                        [](const SharedBytes& a, const SharedBytes& b) { return *a == *b; });
                    });
}

/// Sends `message` to another decoder, in the form for polling clients, and compares.
void check_again(const SocketIoMessage& message, const SocketIoDecoder& first) {
  EngineIoLimits any_size;
  any_size.payload_bytes_max = message.polling().size();
  EngineIoPayloadReader reader(std::string(message.polling()), any_size);
  SocketIoLimits limits;
  limits.arguments_max = limits.attachments_max = limits.namespace_bytes_max = std::size_t{1} << 20;
  limits.attachment_bytes_max = limits.event_name_bytes_max = std::size_t{1} << 20;
  SocketIoDecoder second(limits);
  bool whole = false;
  std::size_t packets = 0;
  while (const auto packet = reader.next()) {
    require(packet->type == EngineIoType::message && !whole);
    whole = (packet->binary ? second.binary(std::string(packet->data)) : second.text(packet->data)).value();
    ++packets;
  }
  require(whole && !reader.error() && packets == message.packets());
  require(second.packet().type == first.packet().type && second.packet().nsp == first.packet().nsp);
  require(second.packet().event == first.packet().event && second.packet().id == first.packet().id);
  require(are_sent_as(first.arguments(), second.arguments()));
  std::string joined, appended;
  for (const SharedBytes& piece : message.websocket()) joined += *piece;
  message.append_websocket(appended);
  require(joined == appended);
}

void use_packet(const SocketIoDecoder& decoder) {
  const SocketIoPacket& packet = decoder.packet();
  const std::vector<SocketIoValue> arguments = decoder.arguments();
  std::size_t attachments = 0;
  for (const SocketIoValue& argument : arguments) {
    attachments += argument.attachments().size();
    require(argument.at("").value() == argument);
    argument.bytes_at("/0");
    const auto again = SocketIoValue::parse(argument.json().text(), argument.attachments());
    require(again.ok() && *again == argument);
  }
  require(attachments == packet.attachments);
  if (packet.is_event())
    check_again(*encode_socketio_event(packet.nsp, packet.event, arguments, packet.id).value(), decoder);
  if (packet.is_ack()) check_again(*encode_socketio_ack(packet.nsp, *packet.id, arguments).value(), decoder);
}

/// Also when it takes several calls.
std::optional<EngineIoPacket> next_packet(EngineIoPayloadReader& reader, std::size_t portion_bytes) {
  auto packet = reader.next(portion_bytes);
  while (!packet && reader.unfinished()) packet = reader.next(portion_bytes);
  return packet;
}

std::string written_out(EngineIoPayload payload, std::size_t portion_bytes) {
  const std::size_t size = payload.size();
  EngineIoPayloadPortions portions(std::move(payload));
  std::string all;
  for (auto portion = portions.next(portion_bytes); !portion.empty(); portion = portions.next(portion_bytes)) {
    require(portion.size() <= portion_bytes);
    all += portion;
  }
  require(all.size() == size);
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  EngineIoLimits payload_limits;
  SocketIoLimits limits;
  if ((data[0] & 1) != 0) {
    payload_limits = {.payload_bytes_max = 200, .packets_max = 5};
    limits = {.attachments_max = 2,
              .attachment_bytes_max = 10,
              .arguments_max = 3,
              .namespace_bytes_max = 8,
              .event_name_bytes_max = 8,
              .json_depth_max = 4};
  }

  constexpr std::array<std::size_t, 4> messages_bytes_max{0, 1, 10, 100};
  payload_limits.message_bytes_max = messages_bytes_max[data[0] >> 1 & 3];
  const std::size_t message_bytes_max =
      payload_limits.message_bytes_max == 0 ? payload_limits.payload_bytes_max : payload_limits.message_bytes_max;
  const std::size_t portion_bytes = (data[0] & 8) != 0 ? 8 : EngineIoPayloadReader::no_limit;

  EngineIoPayloadReader reader{std::string(bytes), payload_limits};
  EngineIoPayloadWriter writer(payload_limits), apart(payload_limits);
  SocketIoDecoder decoder(limits);
  std::size_t packets = 0;
  while (const auto packet = next_packet(reader, portion_bytes)) {
    require(++packets <= payload_limits.packets_max && bytes.size() <= payload_limits.payload_bytes_max);
    require(packet->data.size() <= message_bytes_max);
    require(packet->binary ? packet->type == EngineIoType::message : core::valid_utf8(packet->data));
    require((packet->binary ? writer.add_binary(packet->data) : writer.add(packet->type, packet->data)) ==
            EngineIoPayloadWriter::Added::yes);
    require((packet->binary ? apart.add_long(std::make_shared<const std::string>(packet->data))
                            : apart.add(packet->type, packet->data)) == EngineIoPayloadWriter::Added::yes);
    if (packet->type != EngineIoType::message) continue;
    const auto whole = packet->binary ? decoder.binary(std::string(packet->data)) : decoder.text(packet->data);
    if (!whole) {
      require(!whole.error().message().empty() && core::valid_utf8(whole.error().message()));
      require(!decoder.waiting() && decoder.bytes() == 0);
    } else if (*whole) {
      check_packet(decoder, limits);
      use_packet(decoder);
    } else {
      require(decoder.waiting() && decoder.bytes() <= bytes.size() &&
              decoder.attachments().size() < limits.attachments_max);
    }
  }
  if (!reader.error()) {
    require(writer.take().packets == bytes);
    require(written_out(apart.take(), std::min<std::size_t>(portion_bytes, 1 << 20)) == bytes);
  }

  std::string decoded;
  static_cast<void>(read_engineio_text(bytes, decoded));
  const EngineIoQuery query = read_engineio_query(bytes);
  static_cast<void>(check_engineio_request({query, "GET", false}, {}));
  require(JsonText::parse(engineio_handshake({.sid = query.sid})).ok());
  return 0;
}
