// The shared state of a channel: a map of JSON values, each with a version.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace flux::features {

struct StateEntry {
  std::string value{};  // JSON
  std::uint64_t version = 0;
  SessionId owner{};            // the client with whose connection it ends; empty: none
  std::int64_t expires_at = 0;  // milliseconds since 1970; 0: never
};

/// What the application or a client wants of an entry.
struct StateWish {
  std::string_view key;
  std::optional<std::string_view> value{};  // JSON; none: remove it
  std::optional<std::uint64_t> version{};   // only if this is the entry's; 0: only if there is none
  SessionId client{};                       // who wishes; empty: the application
  bool is_bound = false;                    // to the client's connection
  std::int64_t expires_at = 0;
};

/// Threading: its channel's lock.
class ChannelState {
 public:
  using Entries = std::map<std::string, StateEntry, std::less<>>;
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  enum class Outcome : std::uint8_t {
    changed,
    unchanged,  // the version is another one, or there is nothing to remove
    owned,      // by another client's connection
    full
  };

  /// `count_max` and `bytes_max`: of the keys and values together.
  Outcome change(const StateWish& wish, std::size_t count_max, std::size_t bytes_max);
  /// Removes an entry without checking its owner.
  void remove(Entries::iterator entry);

  /// Of the newest change; 0: there was none.
  std::uint64_t version() const noexcept { return version_; }
  /// Null: there is none.
  const StateEntry* find(std::string_view key) const;
  const Entries& entries() const noexcept { return entries_; }
  /// The time when the next entry expires; `never`: none will.
  std::int64_t next_expiry() const noexcept;
  /// Calls `removed(key)` for each entry that it removes: those that `is_over`.
  void remove_if(const std::function<bool(const StateEntry&)>& is_over,
                 const std::function<void(const std::string& key)>& removed);

 private:
  Entries entries_;
  std::uint64_t version_ = 0;
  std::size_t bytes_ = 0;
  std::size_t expiring_ = 0;  // entries that expire
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_state.ipp>
#endif
