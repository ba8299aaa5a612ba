// Values that clients must not be able to predict: hashes of texts that they choose, and successive ids.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string_view>

namespace flux::core {

/// SipHash (Aumasson and Bernstein, 2012) with `C` rounds per word and `D` final rounds. Without the key it is
/// impossible to tell which texts collide.
template <int C, int D>
std::uint64_t siphash(std::uint64_t key0, std::uint64_t key1, std::string_view text) noexcept {
  std::uint64_t v0 = key0 ^ 0x736f6d6570736575;
  std::uint64_t v1 = key1 ^ 0x646f72616e646f6d;
  std::uint64_t v2 = key0 ^ 0x6c7967656e657261;
  std::uint64_t v3 = key1 ^ 0x7465646279746573;
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1;
      v1 = std::rotl(v1, 13) ^ v0;
      v0 = std::rotl(v0, 32);
      v2 += v3;
      v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3;
      v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1;
      v1 = std::rotl(v1, 17) ^ v2;
      v2 = std::rotl(v2, 32);
    }
  };
  const auto take = [&](std::uint64_t word) {
    v3 ^= word;
    rounds(C);
    v0 ^= word;
  };
  const auto word_of = [](std::string_view bytes) {  // little endian on every machine
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      word |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    return word;
  };
  std::string_view rest = text;
  for (; rest.size() >= 8; rest.remove_prefix(8)) take(word_of(rest.substr(0, 8)));
  take(word_of(rest) | std::uint64_t{text.size()} << 56);
  v2 ^= 0xff;
  rounds(D);
  return v0 ^ v1 ^ v2 ^ v3;
}

/// 128 bits known only to this process.
class Secret {
 public:
  /// `seed` 0: from the system's entropy; otherwise derived from the seed, for repeatable tests.
  explicit Secret(std::uint64_t seed = 0) {
    if (seed != 0) {
      first_ = siphash<2, 4>(seed, 0, "first");
      second_ = siphash<2, 4>(seed, 0, "second");
      return;
    }
    std::random_device entropy;
    for (std::uint64_t* half : {&first_, &second_}) *half = (std::uint64_t{entropy()} << 32) ^ entropy();
  }

  Secret(std::uint64_t first, std::uint64_t second) noexcept : first_(first), second_(second) {}

  /// A separate secret for each purpose: output of one reveals nothing about the others.
  Secret derived(std::string_view purpose) const noexcept {
    const std::uint64_t first = siphash<2, 4>(first_, second_, purpose);
    return {first, siphash<2, 4>(first_ ^ first, second_, purpose)};
  }

  std::uint64_t first() const noexcept { return first_; }
  std::uint64_t second() const noexcept { return second_; }

 private:
  std::uint64_t first_;
  std::uint64_t second_;
};

/// The hash for containers whose keys clients choose (SipHash-1-3): clients can't create keys that share a bucket. Each
/// hash has a secret of its own, except copies.
class SeededHash {
 public:
  using is_transparent = void;

  SeededHash() = default;
  explicit SeededHash(const Secret& secret) : secret_(secret) {}

  // Not noexcept: for a hash that may throw, libstdc++ stores the hash beside the key, and so walks a bucket without
  // hashing again.
  std::size_t operator()(std::string_view text) const {
    return static_cast<std::size_t>(siphash<1, 3>(secret_.first(), secret_.second(), text));
  }

 private:
  Secret secret_;
};

/// A permutation of 64 bits. Applied to a counter it gives numbers that never repeat and can't be predicted from one
/// another. Speck64/128 (Beaulieu and others, 2013).
class Permutation {
 public:
  explicit Permutation(const Secret& secret) noexcept {
    const auto low = [](std::uint64_t n) { return static_cast<std::uint32_t>(n); };
    std::uint32_t key = low(secret.first());
    std::uint32_t later[3] = {low(secret.first() >> 32), low(secret.second()), low(secret.second() >> 32)};
    for (std::uint32_t i = 0; i < rounds; ++i) {
      keys_[i] = key;
      std::uint32_t& word = later[i % 3];
      word = (std::rotr(word, 8) + key) ^ i;
      key = std::rotl(key, 3) ^ word;
    }
  }

  std::uint64_t operator()(std::uint64_t n) const noexcept {
    auto high = static_cast<std::uint32_t>(n >> 32);
    auto low = static_cast<std::uint32_t>(n);
    for (const std::uint32_t key : keys_) {
      high = (std::rotr(high, 8) + low) ^ key;
      low = std::rotl(low, 3) ^ high;
    }
    return std::uint64_t{high} << 32 | low;
  }

 private:
  static constexpr std::uint32_t rounds = 27;
  std::uint32_t keys_[rounds];
};

/// Keys that are unique within the sequence, unpredictable from one another, and repeatable from a seed. Threading: any
/// thread.
class KeySequence {
 public:
  explicit KeySequence(const Secret& secret) noexcept : permutation_(secret) {}
  std::uint64_t next() noexcept { return permutation_(count_.fetch_add(1, std::memory_order_relaxed)); }

 private:
  const Permutation permutation_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace flux::core
