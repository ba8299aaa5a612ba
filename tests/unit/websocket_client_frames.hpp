// Frames from a WebSocket client, valid or not, and the events that a WebSocketDecoder makes of them.
#pragma once

#include <flux/detail/transport/deflate.hpp>
#include <flux/detail/transport/websocket_decoder.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <ostream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace flux::testing {

/// A frame from a client; its defaults make it valid.
struct ClientFrame {
  transport::Opcode opcode = transport::Opcode::text;
  std::string payload{};
  bool final = true;
  bool rsv1 = false;
  bool rsv2 = false;
  bool rsv3 = false;
  bool masked = true;
  std::array<unsigned char, 4> key{0x37, 0xfa, 0x21, 0x3d};
  int length_bytes = -1;             // 0, 2 or 8; -1: the fewest
  std::uint64_t announced = no_lie;  // the length in the header, if it differs from the payload's

  static constexpr std::uint64_t no_lie = UINT64_MAX;

  std::string bytes() const {
    const std::uint64_t length = announced == no_lie ? payload.size() : announced;
    const int width = length_bytes >= 0 ? length_bytes : length < 126 ? 0 : length <= 0xFFFF ? 2 : 8;
    std::string out;
    out.push_back(static_cast<char>((final ? 0x80 : 0) | (rsv1 ? 0x40 : 0) | (rsv2 ? 0x20 : 0) | (rsv3 ? 0x10 : 0) |
                                    static_cast<int>(opcode)));
    const int code = width == 0 ? static_cast<int>(length) : width == 2 ? 126 : 127;
    out.push_back(static_cast<char>((masked ? 0x80 : 0) | code));
    for (int i = width - 1; i >= 0; --i) out.push_back(static_cast<char>(length >> (8 * i) & 0xFF));
    if (masked) out.append(key.begin(), key.end());
    for (std::size_t i = 0; i < payload.size(); ++i) {
      out.push_back(masked ? static_cast<char>(payload[i] ^ static_cast<char>(key[i % 4])) : payload[i]);
    }
    return out;
  }
};

inline std::string text_frame(std::string payload) { return ClientFrame{.payload = std::move(payload)}.bytes(); }

inline std::string close_payload(unsigned code, std::string_view reason = {}) {
  return std::string{static_cast<char>(code >> 8 & 0xFF), static_cast<char>(code & 0xFF)}.append(reason);
}

/// One event of a decoder, with everything it reported.
struct Seen {
  transport::WebSocketDecoder::Event event;
  std::string payload;
  int close_code = 0;  // of close and error

  bool operator==(const Seen&) const = default;
  friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    out << "event " << static_cast<int>(seen.event) << ", code " << seen.close_code << ", " << seen.payload.size()
        << " bytes: ";
    return out << seen.payload.substr(0, 80);
  }
};

/// Passes `decoder` the bytes in pieces of the sizes that `next_size` returns, as a connection would: unconsumed bytes
/// are repeated before the next piece. Each input is a block of its own, so that a sanitizer detects a read past it.
/// `check(event)` is called after every step, `need_more` included.
template <class NextSize, class Check>
std::vector<Seen> decode(transport::WebSocketDecoder& decoder, std::string_view bytes, NextSize next_size,
                         Check check) {
  using Event = transport::WebSocketDecoder::Event;
  std::vector<Seen> seen;
  std::string unused;
  while (!bytes.empty()) {
    const std::size_t size = std::clamp<std::size_t>(next_size(), 1, bytes.size());
    const std::size_t total = unused.size() + size;
    const std::unique_ptr<char[]> input(new char[total]);
    std::copy(unused.begin(), unused.end(), input.get());
    std::copy_n(bytes.begin(), size, input.get() + unused.size());
    bytes.remove_prefix(size);
    char* p = input.get();
    std::size_t n = total;
    for (;;) {
      const Event event = decoder.next(p, n);
      check(event);
      if (p + n != input.get() + total) throw std::logic_error("the decoder lost the end of its input");
      if (event == Event::need_more) break;
      const bool has_code = event == Event::close || event == Event::error;
      seen.push_back({event, std::string(decoder.payload()), has_code ? decoder.close_code() : 0});
      if (event == Event::error) return seen;
    }
    if (n >= 14) throw std::logic_error("the decoder left more than a header");
    unused.assign(p, n);
  }
  return seen;
}

template <class NextSize>
std::vector<Seen> decode(transport::WebSocketDecoder& decoder, std::string_view bytes, NextSize next_size) {
  return decode(decoder, bytes, next_size, [](transport::WebSocketDecoder::Event) {});
}

inline std::vector<Seen> decode(transport::WebSocketDecoder& decoder, std::string_view bytes) {
  return decode(decoder, bytes, [&] { return bytes.size(); });
}

inline std::vector<Seen> decode(std::string_view bytes, const transport::DecoderLimits& limits = {},
                                transport::Inflater* inflater = nullptr) {
  transport::WebSocketDecoder decoder(limits, inflater);
  return decode(decoder, bytes);
}

}  // namespace flux::testing
