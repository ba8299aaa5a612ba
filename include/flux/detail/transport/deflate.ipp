#pragma once

#include <flux/detail/transport/deflate.hpp>
#include <flux/error.hpp>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>

#include <zlib.h>

namespace flux::transport {

namespace deflate_detail {

// A negative window tells zlib to use raw DEFLATE, without a header.
inline constexpr int raw_window_bits = -deflate_window_bits_max;
// zlib can't compress with a window of 2^8 bytes. With 2^9 it refers back at most 250 bytes, because it reserves the
// longest match and one byte (MAX_DIST in its deflate.h), so 2^9 serves for both.
inline constexpr int zlib_window_bits_min = 9;
inline constexpr std::size_t window_bytes = 32768;
// The end of each message, which is not sent (RFC 7692, section 7.2.1): the lengths of an empty stored block.
inline constexpr std::string_view deflate_trailer{"\x00\x00\xFF\xFF", 4};
// Each of these copies the window, so a message may not have many.
inline constexpr int final_blocks_max = 128;
inline constexpr std::size_t inflate_buffer_bytes_min = 4096;
inline constexpr int memory_level = 8;  // zlib's default: a Deflater takes 256 KiB
inline constexpr std::size_t inflate_buffer_bytes_kept = 256 * 1024;

// zlib does not write through next_in, but declares it const only with ZLIB_CONST.
inline Bytef* zlib_input(std::string_view in) noexcept {
  return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(in.data()));
}

inline uInt zlib_size(std::size_t size) noexcept {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

}  // namespace deflate_detail

struct Deflater::Impl {
  Impl(int l, int w) : level(l), window_bits(w) {
    if (level < 1 || level > 9)
      throw Error(Errc::bad_config, "deflate level " + std::to_string(level) + " is not in 1 to 9");
    if (window_bits < deflate_window_bits_min || window_bits > deflate_window_bits_max)
      throw Error(Errc::bad_config, "deflate window " + std::to_string(window_bits) + " is not in 8 to 15 bits");
  }
  ~Impl() { deflateEnd(&stream); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // Returns false if there is no memory.
  bool reset() {
    if (ready) return deflateReset(&stream) == Z_OK;
    const int raw_bits = -std::max(window_bits, deflate_detail::zlib_window_bits_min);
    ready =
        deflateInit2(&stream, level, Z_DEFLATED, raw_bits, deflate_detail::memory_level, Z_DEFAULT_STRATEGY) == Z_OK;
    return ready;
  }

  const int level;
  const int window_bits;
  bool ready = false;
  z_stream stream{};  // zlib keeps its address
};

FLUX_DECL Deflater::Deflater(int level, int window_bits) : impl_(std::make_unique<Impl>(level, window_bits)) {}
FLUX_DECL Deflater::~Deflater() = default;
FLUX_DECL Deflater::Deflater(Deflater&&) noexcept = default;
FLUX_DECL Deflater& Deflater::operator=(Deflater&&) noexcept = default;

FLUX_DECL bool Deflater::compress(std::string_view in, std::string& out) {
  // With this size a result smaller than `in` leaves a byte free, which is also how zlib shows that its output is
  // complete.
  const std::size_t room = in.size() + deflate_detail::deflate_trailer.size();
  if (in.empty() || room > std::numeric_limits<uInt>::max() || !impl_->reset()) return false;
  z_stream& stream = impl_->stream;
  const std::size_t before = out.size();
  out.resize(before + room);
  stream.next_in = deflate_detail::zlib_input(in);
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
  stream.avail_out = static_cast<uInt>(room);
  const bool smaller = ::deflate(&stream, Z_SYNC_FLUSH) == Z_OK && stream.avail_out > 0;
  out.resize(smaller ? before + room - stream.avail_out - deflate_detail::deflate_trailer.size() : before);
  return smaller;
}

struct Inflater::Impl {
  Impl() {
    if (inflateInit2(&stream, deflate_detail::raw_window_bits) != Z_OK) throw std::bad_alloc();
  }
  ~Impl() { inflateEnd(&stream); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  Status feed(std::string_view in, std::size_t out_max);
  void grow(std::size_t out_max);
  bool continue_after_final_block();

  z_stream stream{};  // zlib keeps its address
  std::unique_ptr<char[]> buffer;
  std::size_t capacity = 0;
  std::size_t size = 0;
  int final_blocks = 0;
  bool ended = false;  // nothing followed the last final block
};

// One byte more than out_max reveals a message that is too large.
FLUX_DECL void Inflater::Impl::grow(std::size_t out_max) {
  const std::size_t most = out_max == std::numeric_limits<std::size_t>::max() ? out_max : out_max + 1;
  const std::size_t wanted =
      std::max(deflate_detail::inflate_buffer_bytes_min, capacity > most / 2 ? most : 2 * capacity);
  std::unique_ptr<char[]> larger(new char[wanted]);
  std::copy_n(buffer.get(), size, larger.get());
  buffer = std::move(larger);
  capacity = wanted;
}

// For zlib a final block ends the stream, but it ends neither the message nor the window (RFC 7692, section 7.2.1).
FLUX_DECL bool Inflater::Impl::continue_after_final_block() {
  if (++final_blocks > deflate_detail::final_blocks_max) return false;
  inflateReset(&stream);
  const std::size_t window = std::min(size, deflate_detail::window_bytes);
  return inflateSetDictionary(&stream, reinterpret_cast<const Bytef*>(buffer.get() + size - window),
                              static_cast<uInt>(window)) == Z_OK;
}

FLUX_DECL Inflater::Status Inflater::Impl::feed(std::string_view in, std::size_t out_max) {
  do {
    if (ended && !continue_after_final_block()) return Status::invalid;
    ended = false;
    if (size == capacity) grow(out_max);
    const uInt given = deflate_detail::zlib_size(in.size());
    const uInt room = deflate_detail::zlib_size(capacity - size);
    stream.next_in = deflate_detail::zlib_input(in);
    stream.avail_in = given;
    stream.next_out = reinterpret_cast<Bytef*>(buffer.get() + size);
    stream.avail_out = room;
    const int result = ::inflate(&stream, Z_SYNC_FLUSH);
    in.remove_prefix(given - stream.avail_in);
    size += room - stream.avail_out;
    if (size > out_max) return Status::too_large;
    if (result == Z_MEM_ERROR) throw std::bad_alloc();
    ended = result == Z_STREAM_END;
    const bool nothing_left = result == Z_BUF_ERROR && given == 0;  // the output exactly filled the buffer
    if (result != Z_OK && !ended && !nothing_left) return Status::invalid;
  } while (!in.empty() || (stream.avail_out == 0 && !ended));
  return Status::ok;
}

FLUX_DECL Inflater::Inflater() : impl_(std::make_unique<Impl>()) {}
FLUX_DECL Inflater::~Inflater() = default;
FLUX_DECL Inflater::Inflater(Inflater&&) noexcept = default;
FLUX_DECL Inflater& Inflater::operator=(Inflater&&) noexcept = default;

FLUX_DECL Inflater::Status Inflater::inflate(std::string_view in, std::size_t out_max) {
  Impl& impl = *impl_;
  impl.size = 0;
  impl.final_blocks = 0;
  impl.ended = false;
  if (in.empty()) return Status::ok;
  inflateReset(&impl.stream);
  if (const Status status = impl.feed(in, out_max); status != Status::ok || impl.ended) return status;
  // The trailer must complete an empty block and nothing else: it must not add bytes to the message.
  const std::size_t message_size = impl.size;
  if (const Status status = impl.feed(deflate_detail::deflate_trailer, out_max); status != Status::ok)
    return Status::invalid;
  const int position = impl.stream.data_type;  // 128: between blocks; the low six bits: unused bits of the last byte
  const bool between_blocks = impl.ended || ((position & 128) != 0 && (position & 63) == 0);
  return impl.size == message_size && between_blocks ? Status::ok : Status::invalid;
}

FLUX_DECL std::string_view Inflater::output() const noexcept { return {impl_->buffer.get(), impl_->size}; }

FLUX_DECL void Inflater::trim() noexcept {
  impl_->size = 0;
  if (impl_->capacity > deflate_detail::inflate_buffer_bytes_kept) {
    impl_->buffer.reset();
    impl_->capacity = 0;
  }
}

}  // namespace flux::transport
