// The members of a room with their presence, and the changes that the others have not been told yet.
#pragma once

#include <flux/detail/features/client_view.hpp>
#include <flux/detail/features/membership.hpp>
#include <flux/detail/features/page.hpp>
#include <flux/detail/features/presence_entry.hpp>
#include <flux/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux::features {

/// Coalesces changes: all that happens in one interval becomes one notice, with the newest presence of each member. A
/// join and a leave within it cancel out, unless a client found the leaver in its snapshot; a leave and a join are an
/// update. A member whose snapshot held everything, or that alone has changed, is left out.
///
/// Every change has a sequence number. `told` is the number up to which the members have been told; a reader that
/// missed notices is brought up to date from the number that it knows (`catch_up`).
/// Threading: every method under the room's lock. The board keeps pointers to the memberships between `join` and
/// `leave`, and their `member_index` is the board's.
class PresenceBoard {
 public:
  enum class Change : std::uint8_t { none, joined, updated };

  /// A member's place on the board.
  struct Place {
    Membership* membership;
    SessionId connection_id;
    std::shared_ptr<const Identity> identity;  // null: unknown
    std::string presence;
    std::uint64_t joined_at;  // sequence numbers
    std::uint64_t changed_at;
    Change pending;            // what the others have not been told
    std::uint64_t known_from;  // later joiners may know it from a snapshot: its first join since `told`
  };

  /// Leavers that are remembered for `catch_up`: the newest ones, at least so many and at most twice as many.
  static constexpr std::size_t leavers_kept = 512;

  // --- Members ---

  std::size_t size() const noexcept { return places_.size(); }
  bool empty() const noexcept { return places_.empty(); }
  /// In no particular order. Valid until a member joins or leaves.
  const std::vector<Place>& places() const noexcept { return places_; }
  const Place& place_of(const Membership& member) const { return places_[member.member_index]; }
  /// Some members in the order of joining. `after`: set if there are more, as in `MembersPage`.
  std::vector<const Place*> in_order(const MembersRequest& asked, First first,
                                     std::optional<std::uint64_t>& after) const;

  static PresenceEntry entry(const Place& place) { return {place.connection_id, place.identity.get(), place.presence}; }
  static Member member(const Place& place);

  const Place& join(Membership& member, SessionId connection_id, std::shared_ptr<const Identity> identity,
                    std::string presence);
  void leave(Membership& member);
  void update(Membership& member, std::string presence);
  /// For a member that joins again. Returns false if nothing has changed.
  bool replace(Membership& member, std::shared_ptr<const Identity> identity, std::string presence);

  // --- The others are told ---

  /// Starts an interval. The timer that ends it, with `end_interval`, must hold the result, which is destroyed with it.
  /// Null if a timer is already running.
  std::shared_ptr<void> begin_interval();
  void end_interval() noexcept { timer_.reset(); }

  /// The newest change that the members have been told of; a state for `core::Segment`, and so never 0.
  std::uint64_t told() const noexcept { return std::max<std::uint64_t>(told_, 1); }
  /// The number of a state beside presence, in the same order as changes.
  std::uint64_t stamp() noexcept {
    const bool all_told = told_ == seq_;
    ++seq_;
    if (all_told) told_ = seq_;
    return seq_;
  }
  /// Whether the others know that the member has joined.
  bool is_announced(const Membership& member) const { return place_of(member).pending != Change::joined; }
  /// The same for all members.
  bool all_announced() const {
    return told_ == seq_ || std::none_of(places_.begin(), places_.end(),
                                         [](const Place& place) { return place.pending == Change::joined; });
  }
  /// Takes all pending changes. Calls `send(notice, left_out)` once, or not at all if the notice holds nothing new for
  /// any member; `left_out` are the members for which it holds nothing new.
  template <class Send>
  void tell(std::string_view room, const Send& send) {
    if (told_ == seq_) return;
    PresenceNotice notice;
    notice.room = room;
    const std::vector<Membership*> left_out = gather(notice);
    if (!notice.empty() && left_out.size() < places_.size()) {
      send(std::as_const(notice), std::span<Membership* const>(left_out));
    }
    settle();
  }
  /// Adds to `notice` what `reader` missed since the change `known`. Returns false if the leavers of that time are
  /// forgotten, or the result exceeds `bytes_max`: the reader can't be brought up to date.
  bool catch_up(const Membership& reader, std::uint64_t known, std::size_t bytes_max, PresenceNotice& notice) const;

 private:
  struct Leaver {
    core::SessionKey key;
    SessionId connection_id;
    std::uint64_t left_at;
    std::uint64_t unheard_before;  // if its join was not announced: only later joiners know of it. 0: announced
  };

  std::vector<Membership*> gather(PresenceNotice& notice);
  void settle();
  void drop_unheard_leavers();

  std::vector<Place> places_;
  std::vector<Leaver> pending_left_;
  std::vector<Leaver> left_;          // announced ones, for readers that missed it
  std::uint64_t left_forgotten_ = 0;  // leavers up to here are no longer in `left_`
  std::uint64_t seq_ = 0;             // the newest change
  std::uint64_t told_ = 0;
  std::weak_ptr<void> timer_;  // expires with the timer, even if the loop of the timer ends first
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/presence_board.ipp>
#endif
