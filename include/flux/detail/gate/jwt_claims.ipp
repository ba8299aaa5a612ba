#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/gate/jwt_claims.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

namespace flux::jwt::detail {

FLUX_DECL Result<std::optional<UnixSeconds>> read_time(std::string_view name, MemberText json, Rounding rounding) {
  constexpr UnixSeconds most = UnixSeconds{1} << 53;  // beyond it, doubles skip whole numbers
  if (json.empty()) return std::optional<UnixSeconds>();
  const auto wrong = [&] {
    return Error(Errc::invalid_argument, std::string(name) + " is " + core::shown(json) +
                                             ", but must be a number of seconds since 1970, from 0 to 2^53");
  };
  if (json.front() < '0' || json.front() > '9') return wrong();
  UnixSeconds seconds = 0;
  const auto [end, ec] = std::from_chars(json.data(), json.data() + json.size(), seconds);
  if (ec != std::errc()) return wrong();
  if (end != json.data() + json.size()) {
    const auto number = flux::detail::read_double(json);
    if (!number || *number > static_cast<double>(most)) return wrong();
    seconds = static_cast<UnixSeconds>(rounding == Rounding::down ? std::floor(*number) : std::ceil(*number));
  }
  if (seconds > most) return wrong();
  return std::optional(seconds);
}

FLUX_DECL std::chrono::system_clock::time_point time_point(UnixSeconds seconds) noexcept {
  constexpr UnixSeconds year_2200 = 7'258'118'400;
  return std::chrono::system_clock::time_point(std::chrono::seconds(std::min(seconds, year_2200)));
}

inline bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

/// "exp 1700000000 was 90 s ago, leeway 30 s". Made for many tokens at once when their clients reconnect.
inline std::string about_time(std::string_view name, UnixSeconds time, UnixSeconds now, UnixSeconds leeway) {
  std::string text;
  text.reserve(80);
  const auto append = [&text](UnixSeconds number) {
    char digits[24];
    text.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  };
  text.append(name) += ' ';
  append(time);
  text += time > now ? " is in " : " was ";
  append(time > now ? time - now : now - time);
  text += time > now ? " s, leeway " : " s ago, leeway ";
  append(leeway);
  return text += " s";
}

struct Times {
  std::optional<UnixSeconds> expires;
  std::optional<UnixSeconds> not_before;
  std::optional<UnixSeconds> issued;
};

inline std::optional<Refused> check_times(const Times& times, const Rules& rules,
                                          std::chrono::system_clock::time_point now) {
  using namespace std::chrono;
  const UnixSeconds leeway = std::clamp(rules.leeway, seconds(0), seconds(hours(24))).count();
  const UnixSeconds seconds_now = floor<seconds>(now.time_since_epoch()).count();
  if (!times.expires && rules.expiry_required) {
    return Refused{Refusal::malformed, "the token has no exp: let it expire, or set Rules::expiry_required to false"};
  }
  if (times.expires && seconds_now >= *times.expires + leeway) {
    return Refused{Refusal::expired, about_time("exp", *times.expires, seconds_now, leeway)};
  }
  if (times.not_before && seconds_now < *times.not_before - leeway) {
    return Refused{Refusal::not_yet_valid, about_time("nbf", *times.not_before, seconds_now, leeway)};
  }
  if (times.issued && seconds_now < *times.issued - leeway) {
    return Refused{Refusal::not_yet_valid, about_time("iat", *times.issued, seconds_now, leeway)};
  }
  return std::nullopt;
}

inline std::optional<Refused> check_issuer(MemberText issuer, const Rules& rules) {
  if (rules.issuers.empty()) return std::nullopt;
  std::string buffer;
  const auto name = string_of(issuer, buffer);
  if (name && contains(rules.issuers, *name)) return std::nullopt;
  return Refused{Refusal::issuer, issuer.empty() ? std::string("the token has no iss, but Rules::issuers demands one")
                                                 : "iss " + core::shown(issuer) + " is not in Rules::issuers"};
}

/// Whether `aud`, a string or an array of strings, contains one of ours.
inline bool is_for_us(MemberText audience, const std::vector<std::string>& ours) {
  std::string buffer;
  if (const auto name = string_of(audience, buffer)) return contains(ours, *name);
  if (!audience.starts_with('[')) return false;
  const JsonText list = flux::detail::CheckedJson::text(std::string(audience));
  bool found = false;
  for (const JsonView element : list.elements()) {
    const auto name = string_of(element.text(), buffer);
    if (!name) return false;
    found = found || contains(ours, *name);
  }
  return found;
}

inline std::optional<Refused> check_audience(MemberText audience, const Rules& rules) {
  if (rules.audiences.empty()) {
    if (audience.empty()) return std::nullopt;
    return Refused{Refusal::audience, "aud " + core::shown(audience) +
                                          ": the token is for an application that Rules::audiences does not name; if "
                                          "that is this one, add its name there"};
  }
  if (audience.empty()) {
    return Refused{Refusal::audience, "the token has no aud, but Rules::audiences demands one"};
  }
  if (is_for_us(audience, rules.audiences)) return std::nullopt;
  return Refused{Refusal::audience, "aud " + core::shown(audience) + " has no name that is in Rules::audiences"};
}

FLUX_DECL std::optional<Refused> check_claims(std::string claims, const Rules& rules,
                                              std::chrono::system_clock::time_point now, Token& token) {
  static constexpr std::array<std::string_view, 6> names{"exp", "nbf", "iat", "iss", "aud", "jti"};
  std::array<MemberText, names.size()> values;
  token.claims = flux::detail::CheckedJson::text(std::move(claims));  // `values` refer to it
  if (const auto read = read_object("claims", token.claims.text(), names, values); !read) {
    return Refused{Refusal::malformed, read.error().message()};
  }
  Times times;
  const std::array<std::pair<std::optional<UnixSeconds>*, Rounding>, 3> fields{
      {{&times.expires, Rounding::down}, {&times.not_before, Rounding::up}, {&times.issued, Rounding::up}}};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const auto time = read_time(names[i], values[i], fields[i].second);
    if (!time) return Refused{Refusal::malformed, time.error().message()};
    *fields[i].first = *time;
  }
  if (auto refused = check_times(times, rules, now)) return refused;
  if (auto refused = check_issuer(values[3], rules)) return refused;
  if (auto refused = check_audience(values[4], rules)) return refused;
  if (!values[5].empty()) {
    std::string buffer;
    const auto id = string_of(values[5], buffer);
    if (!id || id->empty()) {
      return Refused{Refusal::malformed, "jti is " + core::shown(values[5]) + ", but must be a string, and not empty"};
    }
    token.id = *id;
  }
  if (times.expires) token.expires_at = time_point(*times.expires);
  if (times.issued) token.issued_at = time_point(*times.issued);
  return std::nullopt;
}

}  // namespace flux::jwt::detail
