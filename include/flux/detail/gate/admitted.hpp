// The clients whose grants the gate can end: when they expire, or when the application revokes them.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/grant_holder.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/core/secret.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace flux::gate {

/// Holds one entry for each client that is watched. Grants without an end and without a user need none, so clients that
/// are let in with them cost nothing here.
/// Threading: any thread. `GrantHolder::end_access` is called without a lock, on the loop that watches or on the thread
/// that revokes.
class Admitted {
 public:
  /// How often the wall clock is compared with the next end. It may be set meanwhile, and the machine may sleep, so one
  /// long timer would miss the end.
  static constexpr std::chrono::milliseconds check_interval{1'000};

  explicit Admitted(std::shared_ptr<Clock> clock) : clock_(std::move(clock)) {}

  /// The loop on which ends are noticed, from the start of the server on. On it.
  void start(const std::shared_ptr<core::Loop>& loop);

  enum class Find : std::uint8_t { by_end, by_end_and_user };
  /// Watches the client with its present grant, in place of an earlier one. `by_end`: others find it by its user.
  void watch(const std::shared_ptr<core::GrantHolder>& holder, Find find);
  /// The client is gone. Does nothing if it is not watched.
  void forget(const core::GrantHolder* holder);

  /// Ends the grants of the user's clients that are found by user; returns how many there were.
  std::size_t revoke_user(std::string_view user, CloseCode code, std::string_view reason);

  std::size_t size() const;

 private:
  using Ends = std::multimap<std::int64_t, const core::GrantHolder*>;
  using Users = std::unordered_multimap<std::string, const core::GrantHolder*, core::SeededHash, std::equal_to<>>;
  struct Entry {
    std::weak_ptr<core::GrantHolder> holder;
    Ends::iterator end;    // Ends::end(): never
    Users::iterator user;  // Users::end(): not found by user
  };
  using Entries = std::unordered_map<const core::GrantHolder*, Entry>;

  void remove(Entries::iterator entry);
  void check_soon();
  void check_in(const std::shared_ptr<core::Loop>& loop, std::chrono::milliseconds delay);
  void check();

  const std::shared_ptr<Clock> clock_;
  mutable std::mutex mutex_;  // guards what follows
  Entries entries_;
  Ends ends_;
  Users users_;
  std::weak_ptr<core::Loop> loop_;
  bool checking_ = false;  // a check is due on the loop
};

}  // namespace flux::gate

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/gate/admitted.ipp>
#endif
