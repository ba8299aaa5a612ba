// Keys of sessions and epochs: unique for the life of a server, in no guessable order, and repeatable from a seed.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace flux::core {

/// The system's entropy where `seed` is 0.
inline std::uint64_t seed_or_entropy(std::uint64_t seed) {
  if (seed != 0) return seed;
  std::random_device entropy;
  return (std::uint64_t{entropy()} << 32) ^ entropy();
}

/// A bijection of 64 bits (the finalizer of SplitMix64), so that counting up gives keys that never repeat.
constexpr std::uint64_t mixed(std::uint64_t n) noexcept {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

inline constexpr std::string_view key_alphabet = "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford's base 32

/// 13 characters: short enough for a std::string without allocation.
inline std::string key_text(std::uint64_t key) {
  std::string text(13, '0');
  for (std::size_t i = text.size(); i-- > 0; key >>= 5) text[i] = key_alphabet[key & 31];
  return text;
}

inline std::optional<std::uint64_t> key_from_text(std::string_view text) {
  if (text.size() != 13 || key_alphabet.find(text[0]) > 15) return std::nullopt;
  std::uint64_t key = 0;
  for (const char c : text) {
    const std::size_t digit = key_alphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    key = key << 5 | digit;
  }
  return key;
}

}  // namespace flux::core
