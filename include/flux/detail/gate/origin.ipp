#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/gate/origin.hpp>
#include <flux/detail/transport/http_message.hpp>

#include <algorithm>
#include <cstdint>

namespace flux::gate {

namespace origin_detail {

inline bool has_ascii_upper(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
}

inline bool is_ascii(std::string_view text) noexcept {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

/// The code points of `text`, which is UTF-8.
FLUX_DECL std::vector<std::uint32_t> code_points(std::string_view text) {
  std::vector<std::uint32_t> points;
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t point = size == 1 ? lead : lead & (0x7fu >> size);
    for (std::size_t i = 1; i < size; ++i) point = point << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3fu);
    points.push_back(point);
    at += size;
  }
  return points;
}

/// Letters that browsers do not transform: in lower case if their script has cases, composed, not a compatibility form
/// (UTS 46 maps all others, with a table of 9,000 rows).
FLUX_DECL bool stays_as_it_is(std::uint32_t point) noexcept {
  struct Range {
    std::uint32_t first, last;
  };
  static constexpr Range ranges[] = {
      {0x00df, 0x00f6}, {0x00f8, 0x00ff},                    // Latin
      {0x0390, 0x0390}, {0x03ac, 0x03ce},                    // Greek
      {0x0430, 0x045f},                                      // Cyrillic
      {0x05d0, 0x05ea},                                      // Hebrew
      {0x0620, 0x063f}, {0x0641, 0x064a},                    // Arabic
      {0x3041, 0x3096}, {0x30a1, 0x30fa}, {0x30fc, 0x30fc},  // kana
      {0x3400, 0x4dbf}, {0x4e00, 0x9fff},                    // Han
      {0xac00, 0xd7a3},                                      // Hangul
  };
  if (std::any_of(std::begin(ranges), std::end(ranges),
                  [&](const Range& r) { return r.first <= point && point <= r.last; })) {
    return true;
  }
  // Latin Extended-A: capital and small letters alternate, except a few that are mapped to others.
  if (point < 0x0100 || point > 0x017e) return false;
  for (const std::uint32_t mapped : {0x0133u, 0x0140u, 0x0149u}) {
    if (point == mapped) return false;
  }
  const bool small_is_even = (point >= 0x0138 && point <= 0x0148) || point >= 0x0179;
  return (point % 2 == 0) == small_is_even;
}

/// Errors: with a sentence that says what is wrong.
FLUX_DECL Result<std::string> normal_host(std::string_view host) {
  std::string normal;
  for (std::size_t at = 0; at <= host.size();) {
    const std::size_t end = std::min(host.find('.', at), host.size());
    const std::string_view label = host.substr(at, end - at);
    if (at != 0) normal += '.';
    if (is_ascii(label)) {
      normal += label;
    } else {
      const auto points = code_points(label);
      constexpr std::size_t label_size_max = 63;  // of DNS
      if (points.size() > label_size_max ||
          !std::all_of(points.begin(), points.end(), [](std::uint32_t p) { return p < 0x80 || stays_as_it_is(p); })) {
        return Error(Errc::bad_config, "has the label \"" + std::string(label) +
                                           "\", which browsers transform; write it as they send it, as xn--…, with "
                                           "`new URL(…).origin` for instance");
      }
      normal.append("xn--").append(punycode(label));
    }
    at = end + 1;
  }
  return normal;
}

FLUX_DECL Result<std::string> normal_origin(const std::string& entry) {
  if (entry == "*" || entry == "null" || entry == "file://") return entry;
  const std::size_t colon = entry.find("://");
  const std::string_view scheme = std::string_view(entry).substr(0, std::min(colon, entry.size()));
  const std::string_view place =
      colon == std::string::npos ? std::string_view() : std::string_view(entry).substr(colon + 3);
  const bool own_port = (scheme == "http" && place.ends_with(":80")) || (scheme == "https" && place.ends_with(":443"));
  if (scheme.empty() || place.empty() || place.find_first_of("/?#@* ") != std::string_view::npos || own_port ||
      has_ascii_upper(entry) || !is_ascii(scheme) || !core::valid_utf8(entry)) {
    return Error(Errc::bad_config,
                 "is not an origin; write \"https://app.example.com\", in lower case, without a path and without the "
                 "scheme's own port, or \"null\", \"file://\" or \"*\"");
  }
  const std::size_t port = std::min(place.rfind(':'), place.size());
  auto host = normal_host(place.substr(0, port));
  if (!host) return host;
  return std::string(scheme).append("://").append(*host).append(place.substr(port));
}

}  // namespace origin_detail

/// RFC 3492, 6.3, with the parameters of section 5.
FLUX_DECL std::string punycode(std::string_view label) {
  constexpr std::uint32_t base = 36, t_min = 1, t_max = 26, skew = 38, damp = 700;
  constexpr char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
  const auto points = origin_detail::code_points(label);
  std::string out;
  for (const std::uint32_t point : points) {
    if (point < 0x80) out += static_cast<char>(point);
  }
  const auto basic = static_cast<std::uint32_t>(out.size());
  if (basic > 0) out += '-';
  std::uint32_t n = 0x80, delta = 0, bias = 72;
  for (std::uint32_t handled = basic; handled < points.size();) {
    std::uint32_t next = 0xffffffff;
    for (const std::uint32_t point : points) {
      if (point >= n) next = std::min(next, point);
    }
    delta += (next - n) * (handled + 1);
    n = next;
    for (const std::uint32_t point : points) {
      if (point < n) ++delta;
      if (point != n) continue;
      std::uint32_t rest = delta;
      for (std::uint32_t k = base;; k += base) {
        const std::uint32_t t = k <= bias ? t_min : k >= bias + t_max ? t_max : k - bias;
        if (rest < t) break;
        out += digits[t + (rest - t) % (base - t)];
        rest = (rest - t) / (base - t);
      }
      out += digits[rest];
      delta = handled == basic ? delta / damp : delta / 2;
      delta += delta / (handled + 1);
      std::uint32_t k = 0;
      for (; delta > (base - t_min) * t_max / 2; k += base) delta /= base - t_min;
      bias = k + (base - t_min + 1) * delta / (delta + skew);
      delta = 0;
      ++handled;
    }
    ++delta;
    ++n;
  }
  return out;
}

FLUX_DECL bool same_origin(std::string_view origin, std::string_view host, bool tls) {
  const std::size_t colon = origin.find("://");
  const std::string_view scheme = origin.substr(0, std::min(colon, origin.size()));
  if (scheme != "https" && (tls || scheme != "http")) return false;
  const std::string_view own_port = scheme == "https" ? ":443" : ":80";
  if (host.ends_with(own_port)) host.remove_suffix(own_port.size());
  return !host.empty() && transport::equals_ignore_case(origin.substr(colon + 3), host);
}

FLUX_DECL bool origin_allowed(const std::vector<std::string>& allowed, std::optional<std::string_view> origin,
                              std::string_view host, bool tls) {
  if (!origin) return true;
  if (allowed.empty()) return same_origin(*origin, host, tls);
  return std::any_of(allowed.begin(), allowed.end(),
                     [&](const std::string& entry) { return entry == "*" || entry == *origin; });
}

FLUX_DECL std::vector<std::string> normal_origins(std::string_view setting, const std::vector<std::string>& entries) {
  std::vector<std::string> normal;
  for (const std::string& entry : entries) {
    auto origin = origin_detail::normal_origin(entry);
    if (!origin) {
      throw Error(Errc::bad_config,
                  std::string(setting).append(": \"").append(entry).append("\" ").append(origin.error().message()));
    }
    normal.push_back(std::move(*origin));
  }
  return normal;
}

}  // namespace flux::gate
