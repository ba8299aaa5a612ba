// The members of a client's request: which ones it may have, how they are read, and the values read. No I/O.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/json_scanner.hpp>
#include <flux/error.hpp>
#include <flux/json.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <forward_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flux::core {

/// The value read for one member.
struct MemberValue {
  std::string_view json;  ///< its text, with U+FFFD for lone surrogates except in names; empty: absent
  JsonText::Kind kind = JsonText::Kind::null;
  std::string text;          ///< of a string, decoded
  std::uint64_t number = 0;  ///< of a number
};

/// How one member is read. null counts as absent: some clients send it for that.
struct Member {
  enum class Kind : std::uint8_t {
    name,    ///< a string that names something: a lone surrogate is refused
    text,    ///< a string for people: a lone surrogate becomes U+FFFD
    number,  ///< an integer
    flag,    ///< a boolean
    object,
    nested,  ///< an object that the act itself reads: as received
    json,    ///< any value
    any,     ///< any value, including null
  };
  /// Describes what is wrong with a value, as text that follows the member's name; empty: nothing.
  using Check = std::string (*)(const MemberValue&);
  static constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();

  std::string_view name;  ///< empty: no member
  Kind kind = Kind::any;
  std::size_t Limits::*limit = nullptr;  ///< replaces `most`
  Check check = nullptr;
  std::uint64_t least = 0;         ///< of a number
  std::uint64_t most = unlimited;  ///< of a number; otherwise in bytes: of a string when decoded, of JSON as received
  bool is_required = false;

  constexpr Member required() const {
    Member member = *this;
    member.is_required = true;
    return member;
  }
};

/// The most members that a request can declare.
inline constexpr std::size_t members_max = 6;

/// A request's name and members.
struct RequestShape {
  std::string_view name;
  std::array<Member, members_max> members{};
  bool only_answers = false;  ///< it only answers, so one without an id is an error
};

/// The declared members of one object: collects them while it is scanned, then reads them.
class Members {
 public:
  /// `prefix`: precedes the names in errors.
  explicit Members(std::string_view prefix = {}) : prefix_(prefix) {}
  // `json` may point into the object itself.
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;
  Members(Members&&) = default;
  Members& operator=(Members&&) = default;

  /// `members` outlives this.
  void declare(std::span<const Member, members_max> members) { declared_ = members; }

  // --- Collecting ---

  /// The members collected next are in `text`, which outlives this. Returns the text to scan: `text` with `\ufffd` in
  /// place of each lone surrogate, which has the same length.
  std::string_view from(std::string_view text);
  /// Nothing is collected any more: for another scan.
  void forget() {
    values_ = {};
    next_ = twice_ = members_max;
  }
  /// The next value belongs to the member with this name.
  void key(std::string_view name);
  void value(JsonText::Kind kind, std::size_t begin, std::size_t end);
  /// The member with this index is the whole text.
  void whole(std::size_t index, JsonText::Kind kind);
  /// Scans the whole text, which is an object. Errors: invalid_json; invalid_message for a duplicate member.
  Result<void> scan(std::size_t depth_max);

  // --- Reading ---

  /// Reads all of them. Errors: invalid_message, which names the member, its value and what is expected;
  /// message_too_large for one over its limit. If several are wrong, the error is about the one declared first.
  Result<void> read(const Limits& limits);
  /// Reads one.
  Result<void> read(std::string_view name, const Limits& limits);

  // --- The values read, by the names of declared members ---

  const MemberValue& operator[](std::string_view name) const { return values_[index_of(name)]; }
  bool has(std::string_view name) const { return !(*this)[name].json.empty(); }
  const std::string& text(std::string_view name) const { return (*this)[name].text; }
  std::uint64_t number(std::string_view name, std::uint64_t otherwise = 0) const {
    return has(name) ? (*this)[name].number : otherwise;
  }
  bool flag(std::string_view name) const { return (*this)[name].json == "true"; }
  std::optional<std::string_view> json(std::string_view name) const {
    return has(name) ? std::optional((*this)[name].json) : std::nullopt;
  }
  /// A copy; none: absent.
  std::optional<JsonText> copy(std::string_view name) const {
    return has(name) ? std::optional(detail::CheckedJson::text(std::string((*this)[name].json))) : std::nullopt;
  }

 private:
  std::size_t index_of(std::string_view name) const;
  Result<void> check_once() const;
  Result<void> read(const Member& member, MemberValue& value, const Limits& limits) const;
  std::string shown_name(const Member& member) const { return std::string(prefix_).append(member.name); }

  std::string_view prefix_;
  std::span<const Member> declared_;
  std::array<MemberValue, members_max + 1> values_;  // the last one stays absent
  std::string_view text_;                            // as received
  std::string_view relayed_;                         // the same without lone surrogates
  std::size_t next_ = members_max;
  std::size_t twice_ = members_max;  // a duplicate member: refused, because we can't tell which one is meant
  std::forward_list<std::string> mended_;
};

/// "a string", "null", …
std::string_view kind_name(JsonText::Kind kind) noexcept;
/// The error for a value of the wrong kind; null counts as missing. `right`: what is expected. Code: invalid_message.
Error wrong_kind(std::string_view name, JsonText::Kind found, std::string_view right);

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/members.ipp>
#endif
