#pragma once

#include <flux/detail/core/base64.hpp>
#include <flux/detail/endpoints/socketio/socketio_delivery.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace flux::detail {

namespace delivery_detail {

FLUX_DECL void append(std::string& out, const protocol::SocketIoMessage& message, EngineIoEncoding encoding) {
  switch (encoding) {
    case EngineIoEncoding::websocket: return message.append_websocket(out);
    case EngineIoEncoding::websocket_base64: return message.append_websocket_base64(out);
    case EngineIoEncoding::polling: out += message.polling();
  }
}

/// Whether the session encodes some of the attachments as base64.
FLUX_DECL bool has_long(const protocol::SocketIoMessage& message, EngineIoEncoding encoding) {
  const auto& all = message.attachments();
  return encoding != EngineIoEncoding::websocket &&
         std::any_of(all.begin(), all.end(), [](const auto& one) { return one->size() >= engineio_long_bytes; });
}

/// Splits such a message: calls `on_packets(encoded, count)`, and `on_bytes` for each long attachment, in their order.
template <class OnPackets, class OnBytes>
void for_each_part(const protocol::SocketIoMessage& message, EngineIoEncoding encoding, const OnPackets& on_packets,
                   const OnBytes& on_bytes) {
  const bool polls = encoding == EngineIoEncoding::polling;
  std::string packets;
  std::size_t count = 1;
  if (polls) {
    packets.append("4").append(message.text());
  } else {
    protocol::append_engineio_frame(packets, protocol::EngineIoType::message, message.text());
  }
  const auto flush = [&] {
    if (count > 0) on_packets(std::string_view(packets), std::exchange(count, 0));
    packets.clear();
  };
  for (const protocol::SharedBytes& attachment : message.attachments()) {
    if (attachment->size() >= engineio_long_bytes) {
      flush();
      on_bytes(attachment);
      continue;
    }
    if (!polls) {
      protocol::append_engineio_base64_frame(packets, *attachment);
    } else {
      if (count > 0) packets += protocol::engineio_separator;
      packets += 'b';
      protocol::append_base64(packets, *attachment);
    }
    ++count;
  }
  flush();
}

}  // namespace delivery_detail

FLUX_DECL void append_socketio(core::Lane& lane, const protocol::SocketIoMessage& message, const void* view) {
  constexpr std::size_t many_bytes = 16'384;
  const EngineIoEncoding encoding = engineio_encoding(view);
  if (delivery_detail::has_long(message, encoding)) {
    return delivery_detail::for_each_part(
        message, encoding, [&](std::string_view packets, std::size_t) { lane.pending_bytes() += packets; },
        [&](const protocol::SharedBytes& attachment) { lane.insert(attachment, true); });
  }
  if (message.attachments().empty() || encoding != EngineIoEncoding::websocket) {
    return delivery_detail::append(lane.pending_bytes(), message, encoding);
  }
  const auto pieces = message.websocket();
  lane.pending_bytes() += *pieces.front();
  for (const protocol::SharedBytes& piece : pieces.subspan(1)) {
    if (piece->size() < many_bytes) {
      lane.pending_bytes() += *piece;
    } else {
      lane.insert(piece, true);
    }
  }
}

FLUX_DECL void send_message(EngineIoSession& session, const protocol::SocketIoMessage& message) {
  session.count_sent();
  const EngineIoEncoding encoding = session.encoding();
  if (encoding == EngineIoEncoding::websocket) {
    const auto pieces = message.websocket();
    if (pieces.size() > 1 || pieces[0]->size() > core::few_bytes) return session.send_shared(pieces, message.packets());
    return session.send_encoded(*pieces[0], {}, 1);
  }
  if (delivery_detail::has_long(message, encoding)) {
    return delivery_detail::for_each_part(
        message, encoding,
        [&](std::string_view packets, std::size_t count) { session.send_encoded(packets, packets, count); },
        [&](const protocol::SharedBytes& attachment) { session.send_long(attachment); });
  }
  if (encoding == EngineIoEncoding::polling) return session.send_encoded({}, message.polling(), message.packets());
  std::string frames;
  message.append_websocket_base64(frames);
  session.send_encoded(frames, {}, message.packets());
}

}  // namespace flux::detail
