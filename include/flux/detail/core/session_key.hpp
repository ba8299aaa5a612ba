// The text of keys of sessions, epochs and messages, which `core::KeySequence` generates.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <string_view>

namespace flux::core {

/// `seed`, or if it is 0 the system's entropy.
inline std::uint64_t seed_or_entropy(std::uint64_t seed) {
  if (seed != 0) return seed;
  std::random_device entropy;
  return (std::uint64_t{entropy()} << 32) ^ entropy();
}

/// A bijection of 64 bits (the finalizer of SplitMix64). Easily inverted: it hides nothing.
constexpr std::uint64_t mixed(std::uint64_t n) noexcept {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

/// The inverse of `mixed`.
constexpr std::uint64_t unmixed(std::uint64_t key) noexcept {
  key = (key ^ (key >> 31) ^ (key >> 62)) * 0x319642b2d24d8ec3;
  key = (key ^ (key >> 27) ^ (key >> 54)) * 0x96de1b173f119089;
  return (key ^ (key >> 30) ^ (key >> 60)) - 0x9e3779b97f4a7c15;
}
static_assert(unmixed(mixed(0)) == 0 && unmixed(mixed(0x123456789abcdef0)) == 0x123456789abcdef0);

inline constexpr std::string_view key_alphabet = "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford's base 32

/// 13 characters: short enough for a std::string without allocation.
inline std::string key_text(std::uint64_t key) {
  std::string text(13, '0');
  for (std::size_t i = text.size(); i-- > 0; key >>= 5) text[i] = key_alphabet[key & 31];
  return text;
}

/// 22 characters: a time (up to the year 3084) and a key. These texts sort by time, so rows stored together are
/// neighbours in a database index; random keys alone would touch another page for nearly every row.
inline std::string timed_key_text(std::int64_t unix_ms, std::uint64_t key) {
  return key_text(static_cast<std::uint64_t>(unix_ms)).substr(13 - 9) + key_text(key);
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
