// Fuzzes the WebSocket decoder. The first byte of the input selects the limits and whether compression is on, the
// second how the rest, a client's stream, is split. Checked besides what the sanitizers detect: the events do not
// depend on the splits, text is UTF-8, no limit is exceeded, and no complete header is left unread.
#include "unit/websocket_client_frames.hpp"

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/transport/deflate.hpp>
#include <flux/detail/transport/websocket_decoder.hpp>
#include <flux/detail/transport/websocket_handshake.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace {

using namespace flux::transport;
using flux::core::valid_utf8;
using flux::testing::Seen;
using Event = WebSocketDecoder::Event;

void require(bool holds) {
  if (!holds) std::abort();
}

void check(const WebSocketDecoder& decoder, Event event, const DecoderLimits& limits) {
  const std::string_view payload = decoder.payload();
  switch (event) {
    case Event::text: require(valid_utf8(payload) && payload.size() <= limits.message_bytes_max); break;
    case Event::binary: require(payload.size() <= limits.message_bytes_max); break;
    case Event::ping:
    case Event::pong: require(payload.size() <= control_payload_bytes_max); break;
    case Event::close:
      require(payload.size() <= control_payload_bytes_max - 2 && valid_utf8(payload));
      require(decoder.close_code() == 1005 || valid_close_code(decoder.close_code()));
      break;
    case Event::error:
      require(decoder.close_code() == 1002 || decoder.close_code() == 1007 || decoder.close_code() == 1009);
      require(!decoder.error_text().empty());
      break;
    case Event::need_more: break;
  }
}

std::vector<Seen> decode(std::string_view bytes, std::size_t piece_size, const DecoderLimits& limits,
                         Inflater* inflater) {
  WebSocketDecoder decoder(limits, inflater);
  return flux::testing::decode(
      decoder, bytes, [&] { return piece_size; },
      [&](Event event) {
        check(decoder, event, limits);
        if (event == Event::need_more) require(decoder.memory_bytes() <= 1024 + limits.message_bytes_max);
      });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  static Inflater shared_inflater;
  Inflater* const inflater = (data[0] & 1) != 0 ? &shared_inflater : nullptr;
  const DecoderLimits limits{.message_bytes_max = (data[0] & 2) != 0 ? std::size_t{1} << 20 : 200,
                             .frames_per_message_max = (data[0] & 4) != 0 ? 1000u : 3u};
  const auto whole = decode(bytes, std::max<std::size_t>(bytes.size(), 1), limits, inflater);
  require(decode(bytes, 1 + data[1], limits, inflater) == whole);
  require(decode(bytes, 1, limits, inflater) == whole);

  const DeflateAgreement agreement = negotiate_deflate(bytes, {.enabled = true});
  require(agreement.enabled == !agreement.response_header.empty());
  if (agreement.enabled) require(negotiate_deflate(agreement.response_header, {.enabled = true}).enabled);
  return 0;
}
