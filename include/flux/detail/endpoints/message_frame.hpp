// Messages as whole WebSocket text frames, compressed if that makes them smaller.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/transport/deflate.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>

namespace flux::protocol {

/// Compresses messages for all clients that have agreed on a window of one size. Threading: any thread.
class MessageCompressor {
 public:
  MessageCompressor(const DeflateOptions& options, int window_bits)
      : deflater_(options.level, window_bits), bytes_min_(options.message_bytes_min) {}

  /// Appends it to `out`, if that makes it smaller. Returns whether it did.
  bool compress(std::string_view message, std::string& out) {
    if (message.size() < bytes_min_) return false;
    const std::lock_guard lock(mutex_);
    return deflater_.compress(message, out);
  }

 private:
  std::mutex mutex_;
  transport::Deflater deflater_;
  const std::size_t bytes_min_;
};

/// What is appended to `out` while this exists becomes one message in its own frame. The size of the header depends on the
/// message, which is written after it: space is left for the usual header, and corrected at the end.
class MessageFrame {
 public:
  /// `compressor`: null: the message is not compressed.
  MessageFrame(std::string& out, MessageCompressor* compressor)
      : compressor_(compressor), out_(out), start_(out.size()) {
    out_.append(header_room, '\0');
  }
  MessageFrame(const MessageFrame&) = delete;
  MessageFrame& operator=(const MessageFrame&) = delete;
  ~MessageFrame() {
    const std::size_t payload = start_ + header_room;
    bool compressed = false;
    if (compressor_ != nullptr) {
      std::string smaller;
      compressed = compressor_->compress(std::string_view(out_).substr(payload), smaller);
      if (compressed) out_.replace(payload, std::string::npos, smaller);
    }
    char header[transport::frame_header_bytes_max];
    const std::size_t size =
        transport::write_frame_header(header, transport::Opcode::text, out_.size() - payload, compressed);
    out_.replace(start_, header_room, header, size);
  }

 private:
  static constexpr std::size_t header_room = 4;
  MessageCompressor* const compressor_;
  std::string& out_;
  const std::size_t start_;
};

/// The writers of a protocol: one for each window that clients can agree on, so that these share the encoded frames.
/// `Writer` is constructed with a pointer to its compressor, which may be null, and what else it needs.
template <class Writer>
class FrameWriters {
 public:
  template <class... Args>
  explicit FrameWriters(const DeflateOptions& deflate, const Args&... args) : plain_(nullptr, args...) {
    for (int bits = transport::deflate_window_bits_min; deflate.enabled && bits <= transport::deflate_window_bits_max;
         ++bits) {
      compressors_.emplace_back(deflate, bits);
      deflated_.emplace_back(&compressors_.back(), args...);
    }
  }
  /// `deflate_window_bits`: 0: no compression.
  const Writer& of(int deflate_window_bits) const {
    if (deflate_window_bits == 0) return plain_;
    return deflated_[static_cast<std::size_t>(deflate_window_bits - transport::deflate_window_bits_min)];
  }

 private:
  std::deque<MessageCompressor> compressors_;
  Writer plain_;
  std::deque<Writer> deflated_;  // indexed by window bits, from `deflate_window_bits_min` on
};

}  // namespace flux::protocol
