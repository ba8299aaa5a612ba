// The users and credentials that are refused for a time.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/error.hpp>
#include <flux/grant.hpp>
#include <flux/storage/revocation_store.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

namespace flux::gate {

/// The gate asks it about every grant that a client is to get. Time is the wall clock's. A revocation is removed once it
/// has ended, when the next one is added or by `remove_ended`.
/// Threading: any thread.
class Revocations {
 public:
  /// A revocation's key: its kind and name.
  struct Key {
    RevocationKind kind;
    std::string name;
    friend bool operator<(const Key& a, const Key& b) noexcept {
      return std::tie(a.kind, a.name) < std::tie(b.kind, b.name);
    }
  };

  Revocations(std::shared_ptr<Clock> clock, std::size_t count_max) : clock_(std::move(clock)), count_max_(count_max) {}
  Revocations(const Revocations&) = delete;
  Revocations& operator=(const Revocations&) = delete;

  /// The reason if the grant's user or credential is revoked at present, or its `GrantSource` was changed since. Cost: two
  /// comparisons if nothing is revoked and the grant has no source.
  std::optional<std::string> refusal(const Grant& grant) const;
  /// Adds the revocation, or replaces that of the same key. One that has ended already removes it. `ended`: gets the
  /// keys of those that were removed because they have ended.
  /// Errors: invalid_argument for the name or the reason; limit_exceeded if there are as many as may be.
  Result<void> add(Revocation revocation, std::vector<Key>& ended);
  /// Returns false if there is none.
  bool remove(RevocationKind kind, std::string_view name);
  /// Removes those that have ended, and returns their keys.
  std::vector<Key> remove_ended();
  /// The revocation of this key, which may have ended.
  std::optional<Revocation> find(RevocationKind kind, std::string_view name) const;
  /// Those that have not ended, in the order of their ends.
  std::vector<Revocation> all() const;
  std::size_t size() const noexcept { return size_.load(std::memory_order_relaxed); }

  /// Errors: invalid_argument.
  static Result<void> check(const Revocation& revocation);

 private:
  struct Entry;
  using Names = std::unordered_map<std::string, Entry, core::SeededHash, std::equal_to<>>;
  using Ends = std::multimap<std::int64_t, const Names::value_type*>;
  struct Entry {
    RevocationKind kind;
    std::int64_t until;
    std::string reason;
    Ends::iterator end;
  };

  Names& names(RevocationKind kind) { return names_[static_cast<std::size_t>(kind)]; }
  const Names& names(RevocationKind kind) const { return names_[static_cast<std::size_t>(kind)]; }
  const Entry* current(RevocationKind kind, std::string_view name, std::int64_t now) const;
  void erase(Names::iterator entry);
  void take_ended(std::int64_t now, std::vector<Key>& ended);
  void count() noexcept { size_.store(ends_.size(), std::memory_order_relaxed); }

  const std::shared_ptr<Clock> clock_;
  const std::size_t count_max_;
  mutable std::shared_mutex mutex_;  // guards everything below; `size_` may be read without it
  std::array<Names, 2> names_;       // by kind
  Ends ends_;
  std::atomic<std::size_t> size_{0};
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/revocations.ipp>
#endif
