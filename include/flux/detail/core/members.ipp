#pragma once

#include <flux/detail/core/members.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/mode.hpp>

#include <charconv>
#include <utility>

namespace flux::core {

FLUX_DECL std::string_view kind_name(JsonText::Kind kind) noexcept {
  static constexpr std::string_view names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};
  return names[static_cast<std::size_t>(kind)];
}

// --- Collecting ---

FLUX_DECL std::string_view Members::from(std::string_view text) {
  text_ = relayed_ = text;
  if (auto mended = detail::without_lone_surrogates(text)) relayed_ = mended_.emplace_front(std::move(*mended));
  return relayed_;
}

FLUX_DECL std::size_t Members::index_of(std::string_view name) const {
  for (std::size_t i = 0; i < declared_.size() && !declared_[i].name.empty(); ++i) {
    if (declared_[i].name == name) return i;
  }
  return members_max;
}

FLUX_DECL void Members::key(std::string_view name) {
  next_ = index_of(name);
  if (next_ != members_max && !values_[next_].json.empty()) twice_ = next_;
}

FLUX_DECL void Members::value(JsonText::Kind kind, std::size_t begin, std::size_t end) {
  const std::size_t index = std::exchange(next_, members_max);
  if (index == members_max) return;
  const Member::Kind read_as = declared_[index].kind;
  const bool as_it_came = read_as == Member::Kind::name || read_as == Member::Kind::nested;
  const std::string_view from = as_it_came ? text_ : relayed_;
  values_[index].json = from.substr(begin, end - begin);
  values_[index].kind = kind;
}

FLUX_DECL void Members::whole(std::size_t index, JsonText::Kind kind) {
  next_ = index;
  value(kind, 0, text_.size());
}

FLUX_DECL Result<void> Members::scan(std::size_t depth_max) {
  struct Visitor {
    Members& members;
    bool key(std::size_t depth, std::string_view name) {
      if (depth == 1) members.key(name);
      return true;
    }
    bool open(std::size_t, JsonText::Kind, std::size_t) { return true; }
    bool value(std::size_t depth, JsonText::Kind kind, std::size_t begin, std::size_t end) {
      if (depth == 1) members.value(kind, begin, end);
      return true;
    }
  } visitor{*this};
  const auto scanned = detail::scan_json(relayed_, depth_max, visitor, detail::LoneSurrogates::refused);
  return scanned ? check_once() : scanned;
}

// --- Reading ---

FLUX_DECL Result<void> Members::check_once() const {
  if (twice_ == members_max) return {};
  return Error(Errc::invalid_message, "member \"" + std::string(declared_[twice_].name) + "\" appears twice");
}

FLUX_DECL Result<void> Members::read(const Limits& limits) {
  if (auto once = check_once(); !once) return once;
  for (std::size_t i = 0; i < declared_.size() && !declared_[i].name.empty(); ++i) {
    if (auto done = read(declared_[i], values_[i], limits); !done) return done;
  }
  return {};
}

FLUX_DECL Result<void> Members::read(std::string_view name, const Limits& limits) {
  const std::size_t index = index_of(name);
  return read(declared_[index], values_[index], limits);
}

FLUX_DECL Error wrong_kind(std::string_view name, JsonText::Kind found, std::string_view right) {
  const std::string_view what = found == JsonText::Kind::null ? "missing" : kind_name(found);
  return {Errc::invalid_message, std::string(name).append(" is ").append(what).append("; it must be ").append(right)};
}

namespace members_detail {

using Kind = Member::Kind;

struct Fitting {
  Kind kind;
  JsonText::Kind json;
  std::string_view right;
};
/// The other kinds accept any value.
inline constexpr Fitting fitting[] = {{Kind::name, JsonText::Kind::string, "a string"},
                                      {Kind::text, JsonText::Kind::string, "a string"},
                                      {Kind::flag, JsonText::Kind::boolean, "a boolean"},
                                      {Kind::object, JsonText::Kind::object, "an object"},
                                      {Kind::nested, JsonText::Kind::object, "an object"}};

/// If there is no value, returns the error that says that it is missing.
FLUX_DECL Result<void> read_number(std::string name, MemberValue& value, std::uint64_t least, std::uint64_t most) {
  const char* const last = value.json.data() + value.json.size();
  const auto [end, ec] = std::from_chars(value.json.data(), last, value.number);
  const bool is_integer = value.kind == JsonText::Kind::number && ec == std::errc() && end == last;
  if (is_integer && value.number >= least && value.number <= most) return {};
  return Error(Errc::invalid_message, std::move(name) + " is " + (value.json.empty() ? "missing" : shown(value.json)) +
                                          "; it must be an integer from " + std::to_string(least) + " to " +
                                          std::to_string(most));
}

}  // namespace members_detail

FLUX_DECL Result<void> Members::read(const Member& member, MemberValue& value, const Limits& limits) const {
  using Kind = Member::Kind;
  const std::uint64_t most = member.limit != nullptr ? limits.*member.limit : member.most;
  if (value.kind == JsonText::Kind::null && member.kind != Kind::any) value.json = {};
  if (value.json.empty() && !member.is_required) return {};
  if (member.kind == Kind::number) return members_detail::read_number(shown_name(member), value, member.least, most);
  for (const auto& [kind, json, right] : members_detail::fitting) {
    if (member.kind == kind && value.kind != json) return wrong_kind(shown_name(member), value.kind, right);
  }
  if (value.json.empty()) return wrong_kind(shown_name(member), value.kind, "a value");
  const bool is_text = member.kind == Kind::name || member.kind == Kind::text;
  if (is_text) {
    auto decoded = detail::decode_json_string(value.json);
    if (!decoded) {
      return Error(Errc::invalid_message, shown_name(member) + " contains a lone surrogate, which is not a character");
    }
    value.text = std::move(*decoded);
  }
  const std::size_t bytes = is_text ? value.text.size() : value.json.size();
  if (bytes > most) {
    return Error(Errc::message_too_large, shown_name(member) + " has " + std::to_string(bytes) + " bytes; at most " +
                                              std::to_string(most) + " are allowed");
  }
  const std::string fault = member.check != nullptr ? member.check(value) : std::string();
  return fault.empty() ? Result<void>() : Error(Errc::invalid_message, shown_name(member) + fault);
}

}  // namespace flux::core
