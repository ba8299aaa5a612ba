#pragma once

#include <flux/detail/gate/api_key_text.hpp>

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <random>

namespace flux::gate {

namespace api_key_detail {

inline constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

inline bool is_letter(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline bool is_digit(char c) noexcept { return is_letter(c) || (c >= '0' && c <= '9'); }
inline bool are_digits(std::string_view text) noexcept { return std::all_of(text.begin(), text.end(), is_digit); }

/// From the system's entropy, every digit equally likely.
inline std::string random_digits(std::size_t count) {
  std::random_device entropy;
  std::string text;
  while (text.size() < count) {
    const std::size_t byte = entropy() & 0xffU;
    if (byte < 4 * digits.size()) text += digits[byte % digits.size()];
  }
  return text;
}

inline std::string checksum(std::string_view text) {
  std::uint64_t rest = ::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
  std::string sum(api_key_checksum_digits, digits[0]);
  for (std::size_t i = sum.size(); i-- > 0; rest /= digits.size()) sum[i] = digits[rest % digits.size()];
  return sum;
}

/// The parts of a text that has the form of a generated key.
struct Parts {
  std::string_view prefix, id, before_checksum, checksum;
};

inline std::optional<Parts> parts_of(std::string_view key) noexcept {
  constexpr std::size_t after_id = 1 + api_key_secret_digits + api_key_checksum_digits;
  constexpr std::size_t after_prefix = 1 + api_key_id_digits + after_id;
  if (key.size() <= after_prefix) return std::nullopt;
  const std::size_t prefix_bytes = key.size() - after_prefix;
  const std::string_view prefix = key.substr(0, prefix_bytes);
  const std::string_view id = key.substr(prefix_bytes + 1, api_key_id_digits);
  const std::string_view secret = key.substr(key.size() - after_id + 1);
  if (!is_api_key_prefix(prefix) || key[prefix_bytes] != '_' || key[key.size() - after_id] != '_') return std::nullopt;
  if (!are_digits(id) || !are_digits(secret)) return std::nullopt;
  return Parts{prefix, id, key.substr(0, key.size() - api_key_checksum_digits),
               key.substr(key.size() - api_key_checksum_digits)};
}

}  // namespace api_key_detail

FLUX_DECL bool is_api_key_prefix(std::string_view prefix) noexcept {
  using namespace api_key_detail;
  const auto allowed = [](char c) { return is_digit(c) || c == '_'; };
  return !prefix.empty() && prefix.size() <= 20 && is_letter(prefix.front()) &&
         std::all_of(prefix.begin(), prefix.end(), allowed);
}

FLUX_DECL std::string new_api_key_id() { return api_key_detail::random_digits(api_key_id_digits); }

FLUX_DECL std::string new_api_key_text(std::string_view prefix, std::string_view id) {
  std::string key(prefix);
  key.append("_").append(id).append("_").append(api_key_detail::random_digits(api_key_secret_digits));
  return key += api_key_detail::checksum(key);
}

FLUX_DECL std::optional<std::string_view> id_in_api_key(std::string_view key) noexcept {
  const auto parts = api_key_detail::parts_of(key);
  if (!parts || api_key_detail::checksum(parts->before_checksum) != parts->checksum) return std::nullopt;
  return parts->id;
}

FLUX_DECL bool is_misspelled_api_key(std::string_view key) noexcept {
  const auto parts = api_key_detail::parts_of(key);
  return parts && api_key_detail::checksum(parts->before_checksum) != parts->checksum;
}

FLUX_DECL std::string shown_api_key(std::string_view key) {
  if (!id_in_api_key(key)) return "an API key of " + std::to_string(key.size()) + " bytes";
  return std::string(key.substr(0, key.size() - api_key_secret_digits - api_key_checksum_digits)) + "...";
}

}  // namespace flux::gate
