// permessage-deflate (RFC 7692) without context takeover in either direction, so that no connection keeps its state:
// each event loop has one Deflater and one Inflater for all of its connections.
//
// Threading: one thread at a time per object. Throws std::bad_alloc if memory runs out.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/mode.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace flux::transport {

/// The window sizes that clients may request, as powers of 2 (RFC 7692, section 7.1.2.1).
inline constexpr int deflate_window_bits_min = 8;
inline constexpr int deflate_window_bits_max = 15;

/// Compresses messages independently of one another. Allocates memory with the first one: 256 KiB for the largest
/// window.
class Deflater {
 public:
  /// The receiver needs a window of at least 2^`window_bits` bytes.
  /// Errors: throws Error, bad_config, if the level is not in 1 to 9 or the window not in 8 to 15.
  explicit Deflater(int level, int window_bits = deflate_window_bits_max);
  ~Deflater();
  Deflater(Deflater&&) noexcept;
  Deflater& operator=(Deflater&&) noexcept;

  /// Appends `in` as the payload of a frame with RSV1 set (RFC 7692, section 7.2.1). Returns false and leaves `out`
  /// unchanged if that would not be smaller than `in`, or the compressor has no memory: then send `in` uncompressed.
  /// `in` must not be part of `out`.
  bool compress(std::string_view in, std::string& out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Decompresses messages, independently of one another, into its own buffer.
class Inflater {
 public:
  /// too_large: the message has more than `out_max` bytes. invalid: `in` is not DEFLATE data, or does not end as a
  /// message must.
  enum class Status { ok, too_large, invalid };

  Inflater();
  ~Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater& operator=(Inflater&&) noexcept;

  /// Decompresses the whole payload of a message (RFC 7692, section 7.2.2). Blocks may follow one with BFINAL set
  /// (7.2.1, 7.2.3.4), up to 128 times. The payload may end with such a block, and an empty payload is an empty
  /// message, although a strict sender would end both with an empty block. Time and memory are proportional to the
  /// output, which never exceeds `out_max`.
  Status inflate(std::string_view in, std::size_t out_max);

  /// The output of the last inflate(); valid until the next inflate() or trim().
  std::string_view output() const noexcept;

  /// Drops the output, and frees its memory if it is more than 256 KiB.
  void trim() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace flux::transport

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/transport/deflate.ipp>
#endif
