#pragma once

#include <flux/detail/transport/http_chars.hpp>
#include <flux/detail/transport/http_date.hpp>

#include <array>

namespace flux::transport {

namespace detail {

inline constexpr std::array<std::string_view, 7> day_names = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                              "Thursday", "Friday", "Saturday"};
inline constexpr std::array<std::string_view, 12> month_names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// Parses a date from left to right; after the first mismatch `ok` stays false.
struct DateReader {
  std::string_view text;
  bool ok = true;

  void literal(std::string_view expected) {
    ok = ok && text.substr(0, expected.size()) == expected;
    if (ok) text.remove_prefix(expected.size());
  }

  /// Exactly `digits` digits; with `padded` the first may be a space.
  int number(std::size_t digits, bool padded = false) {
    int value = 0;
    ok = ok && text.size() >= digits;
    for (std::size_t i = 0; ok && i < digits; ++i) {
      if (padded && i == 0 && text[0] == ' ') continue;
      ok = is_digit(text[i]);
      value = value * 10 + (text[i] - '0');
    }
    if (ok) text.remove_prefix(digits);
    return ok ? value : 0;
  }

  unsigned month() {
    for (unsigned i = 0; ok && i < month_names.size(); ++i) {
      if (text.substr(0, 3) != month_names[i]) continue;
      text.remove_prefix(3);
      return i + 1;
    }
    ok = false;
    return 0;
  }

  std::chrono::seconds time_of_day() {
    const int hours = number(2);
    literal(":");
    const int minutes = number(2);
    literal(":");
    const int seconds = number(2);
    ok = ok && hours < 24 && minutes < 60 && seconds <= 60;  // 60: a leap second
    return std::chrono::hours(hours) + std::chrono::minutes(minutes) + std::chrono::seconds(seconds);
  }
};

}  // namespace detail

FLUX_DECL std::string http_date(std::chrono::sys_seconds time) {
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const auto seconds = static_cast<unsigned>((time - day).count());
  std::string text;
  text.reserve(29);
  const auto digits = [&text](unsigned value, unsigned divisor) {
    for (; divisor > 0; divisor /= 10) text.push_back(static_cast<char>('0' + value / divisor % 10));
  };
  text += detail::day_names[std::chrono::weekday(day).c_encoding()].substr(0, 3);
  text += ", ";
  digits(static_cast<unsigned>(date.day()), 10);
  text += ' ';
  text += detail::month_names[static_cast<unsigned>(date.month()) - 1];
  text += ' ';
  digits(static_cast<unsigned>(static_cast<int>(date.year())), 1000);
  text += ' ';
  digits(seconds / 3600, 10);
  text += ':';
  digits(seconds / 60 % 60, 10);
  text += ':';
  digits(seconds % 60, 10);
  text += " GMT";
  return text;
}

FLUX_DECL std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text, std::chrono::sys_seconds now) {
  namespace chrono = std::chrono;
  std::size_t name = 0;
  bool full_name = false;
  for (; name < detail::day_names.size(); ++name) {
    full_name = text.substr(0, detail::day_names[name].size()) == detail::day_names[name];
    if (full_name || text.substr(0, 3) == detail::day_names[name].substr(0, 3)) break;
  }
  if (name == detail::day_names.size()) return std::nullopt;
  text.remove_prefix(full_name ? detail::day_names[name].size() : 3);

  detail::DateReader reader{text};
  int year = 0;
  unsigned month = 0;
  int day = 0;
  chrono::seconds time{};
  if (full_name) {  // Sunday, 06-Nov-94 08:49:37 GMT
    reader.literal(", ");
    day = reader.number(2);
    reader.literal("-");
    month = reader.month();
    reader.literal("-");
    const int this_year = static_cast<int>(chrono::year_month_day(chrono::floor<chrono::days>(now)).year());
    year = reader.number(2) + this_year / 100 * 100;
    if (year > this_year + 50) year -= 100;
    reader.literal(" ");
    time = reader.time_of_day();
    reader.literal(" GMT");
  } else if (text.substr(0, 1) == ",") {  // Sun, 06 Nov 1994 08:49:37 GMT
    reader.literal(", ");
    day = reader.number(2);
    reader.literal(" ");
    month = reader.month();
    reader.literal(" ");
    year = reader.number(4);
    reader.literal(" ");
    time = reader.time_of_day();
    reader.literal(" GMT");
  } else {  // Sun Nov  6 08:49:37 1994
    reader.literal(" ");
    month = reader.month();
    reader.literal(" ");
    day = reader.number(2, true);
    reader.literal(" ");
    time = reader.time_of_day();
    reader.literal(" ");
    year = reader.number(4);
  }
  const chrono::year_month_day date(chrono::year(year), chrono::month(month), chrono::day(static_cast<unsigned>(day)));
  if (!reader.ok || !reader.text.empty() || !date.ok()) return std::nullopt;
  return chrono::sys_days(date) + time;
}

}  // namespace flux::transport
