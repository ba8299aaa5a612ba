#pragma once

#include <flux/detail/core/base64.hpp>
#include <flux/detail/endpoints/files/tus.hpp>

#include <algorithm>
#include <limits>

namespace flux::protocol {

namespace tus_detail {

inline std::string_view without_blanks(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Visible ASCII without spaces and commas.
inline bool is_tus_key(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f && c != ','; });
}

/// A client's text for messages: shortened, and printable.
inline std::string shown(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text.substr(0, 40)) quoted += c >= ' ' && c < 0x7f ? c : '?';
  return quoted + (text.size() > 40 ? "...\"" : "\"");
}

}  // namespace tus_detail

FLUX_DECL std::optional<std::uint64_t> read_tus_number(std::string_view text) noexcept {
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (text.empty()) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(c - '0');
    if (value > (most - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

FLUX_DECL Result<TusChecksum> read_tus_checksum(std::string_view text) {
  const std::size_t space = text.find(' ');
  const std::string_view algorithm = text.substr(0, space);
  auto digest = space == std::string_view::npos ? std::nullopt : decode_base64(text.substr(space + 1));
  if (!tus_detail::is_tus_key(algorithm) || !digest || digest->empty()) {
    return Error(Errc::invalid_argument,
                 "Upload-Checksum is an algorithm, a space and base64, not " + tus_detail::shown(text));
  }
  return TusChecksum{std::string(algorithm), std::move(*digest)};
}

FLUX_DECL std::string tus_metadata_without(std::string_view text, std::string_view key) {
  std::string kept;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    const std::string_view pair = tus_detail::without_blanks(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
    if (pair.substr(0, pair.find(' ')) == key) continue;
    if (!kept.empty()) kept += ',';
    kept += pair;
  }
  return kept;
}

FLUX_DECL Result<TusMetadata> TusMetadata::read(std::string_view text) {
  TusMetadata metadata;
  if (text.size() > bytes_max) {
    return Error(Errc::message_too_large, "Upload-Metadata has at most " + std::to_string(bytes_max) +
                                              " bytes here, not " + std::to_string(text.size()));
  }
  text = tus_detail::without_blanks(text);
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view pair = tus_detail::without_blanks(text.substr(0, comma));
    const bool last = comma == std::string_view::npos;
    text.remove_prefix(last ? text.size() : comma + 1);
    const std::size_t space = pair.find(' ');
    const std::string_view key = pair.substr(0, space);
    if (!tus_detail::is_tus_key(key) || (!last && text.empty())) {
      return Error(Errc::invalid_argument, "Upload-Metadata has a key that is empty or not ASCII");
    }
    if (metadata.find(key)) {
      return Error(Errc::invalid_argument, "Upload-Metadata has the key " + tus_detail::shown(key) + " twice");
    }
    auto value = decode_base64(space == std::string_view::npos ? std::string_view() : pair.substr(space + 1));
    if (!value) {
      return Error(Errc::invalid_argument,
                   "Upload-Metadata: the value of " + tus_detail::shown(key) + " is not base64");
    }
    metadata.entries_.emplace_back(key, std::move(*value));
  }
  return metadata;
}

FLUX_DECL std::optional<std::string_view> TusMetadata::find(std::string_view key) const noexcept {
  for (const auto& [name, value] : entries_) {
    if (name == key) return value;
  }
  return std::nullopt;
}

FLUX_DECL std::string_view TusMetadata::first_of(std::string_view key, std::string_view other) const noexcept {
  if (const auto value = find(key)) return *value;
  return find(other).value_or(std::string_view());
}

}  // namespace flux::protocol
