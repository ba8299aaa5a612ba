// The clients whose grants the gate can end: when they expire, or when the application revokes them.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/grant_holder.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/gate/end_access.hpp>
#include <flux/detail/gate/revocations.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace flux::gate {

/// Holds one entry for each watched client. Grants without an expiry, a credential and a user need none, so clients
/// accepted with them cost nothing here.
/// Threading: any thread. Methods of a `GrantHolder`, except `loop`, are called without a lock, in turns of the client's
/// loop.
class Admitted {
 public:
  /// How often the wall clock is compared with the next expiry. The clock may be set and the machine may sleep, so one
  /// long timer would miss the expiry.
  static constexpr std::chrono::milliseconds check_interval{1'000};

  /// `notice`: how long before the end of its grant a client is told; 0: never. `revocations`: refuse clients that are
  /// watched from now on; null: none do. They must outlive this object.
  Admitted(std::shared_ptr<Clock> clock, std::chrono::milliseconds notice, const Revocations* revocations = nullptr)
      : clock_(std::move(clock)), notice_(notice), revocations_(revocations) {}

  /// Sets the loop that checks for expired grants, when the server starts. Called on that loop.
  void start(const std::shared_ptr<core::Loop>& loop);

  enum class Find : std::uint8_t { by_end, by_end_and_user };
  /// Watches the client with its present grant, which replaces an earlier one. `by_end`: not found by user here,
  /// because others find it so. If the grant is revoked, the client's access ends soon: a grant may have been decided
  /// just before its revocation, and the client was not yet to be found then.
  void watch(const std::shared_ptr<core::GrantHolder>& holder, Find find);
  /// The client has disconnected. Does nothing if it is not watched.
  void forget(const core::GrantHolder* holder);
  /// Whether a client with this grant is watched, so that `forget` has something to do. `grant` may be null.
  static bool needs_entry(const Grant* grant, Find find) noexcept;

  /// The clients that are watched by user.
  Holders of_user(std::string_view user) const;
  /// The clients with a grant from this credential.
  Holders of_credential(std::string_view credential) const;

  std::size_t size() const;

 private:
  using Times = std::multimap<std::int64_t, const core::GrantHolder*>;
  // Not a hash table: one user may have many clients, and each must be removed without looking at the others.
  using Names = std::multimap<std::string, const core::GrantHolder*, std::less<>>;
  struct Entry {
    std::weak_ptr<core::GrantHolder> holder;
    std::int64_t ends_at;
    Times::iterator due;         // first when the client is told, then when the grant expires; Times::end(): never
    Names::iterator user;        // Names::end(): not found by user
    Names::iterator credential;  // likewise
  };
  using Entries = std::unordered_map<const core::GrantHolder*, Entry>;

  void remove(Entries::iterator entry);
  Holders find(const Names& names, std::string_view name) const;
  void check_by(std::int64_t due);
  std::chrono::milliseconds until(std::int64_t due) const;
  void check(std::uint64_t number);

  const std::shared_ptr<Clock> clock_;
  const std::chrono::milliseconds notice_;
  const Revocations* const revocations_;
  mutable std::mutex mutex_;  // guards everything below
  Entries entries_;
  Times due_;
  Names users_, credentials_;
  std::weak_ptr<core::Loop> loop_;
  std::int64_t check_at_ = 0;  // when the next check is due, by the wall clock
  std::uint64_t checks_ = 0;   // counts those that were scheduled: only the last one counts
  bool checking_ = false;      // a check is due on the loop
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/admitted.ipp>
#endif
