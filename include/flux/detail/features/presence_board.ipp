#pragma once

#include <flux/detail/features/presence_board.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <iterator>
#include <unordered_set>
#include <utility>

namespace flux::features {

// --- Members ---

/// A heap, because a page is short in a room that needs pages.
FLUX_DECL std::vector<const PresenceBoard::Place*> PresenceBoard::in_order(const MembersRequest& asked, First first,
                                                                           std::optional<std::uint64_t>& after) const {
  std::vector<const Place*> rest;
  rest.reserve(places_.size());
  for (const Place& place : places_) {
    if (place.joined_at > asked.after) rest.push_back(&place);
  }
  const auto later = [](const Place* a, const Place* b) { return a->joined_at > b->joined_at; };
  std::make_heap(rest.begin(), rest.end(), later);
  std::vector<const Place*> page;
  PageSize size(asked.bytes_max, first);
  while (!rest.empty()) {
    const Place* next = rest.front();
    if (page.size() == asked.limit || !size.takes(json_bytes(entry(*next)))) {
      after = page.empty() ? asked.after : page.back()->joined_at;
      break;
    }
    page.push_back(next);
    std::pop_heap(rest.begin(), rest.end(), later);
    rest.pop_back();
  }
  return page;
}

FLUX_DECL Member PresenceBoard::member(const Place& place) {
  return {place.connection_id, place.identity ? *place.identity : Identity{},
          flux::detail::CheckedJson::text(place.presence)};
}

FLUX_DECL const PresenceBoard::Place& PresenceBoard::join(Membership& member, SessionId connection_id,
                                                          std::shared_ptr<const Identity> identity,
                                                          std::string presence) {
  member.member_index = static_cast<std::uint32_t>(places_.size());
  const std::uint64_t seq = ++seq_;
  // A member that left and came back before the others were told has only changed.
  const auto gone = std::find_if(pending_left_.begin(), pending_left_.end(),
                                 [&](const Leaver& leaver) { return leaver.key == member.key; });
  const bool returned = gone != pending_left_.end() && gone->unheard_before == 0;
  std::uint64_t known_from = seq;
  if (gone != pending_left_.end()) {
    if (!returned) known_from = gone->unheard_before;
    pending_left_.erase(gone);
  }
  places_.push_back({&member, std::move(connection_id), std::move(identity), std::move(presence), seq, seq,
                     returned ? Change::updated : Change::joined, known_from});
  return places_.back();
}

FLUX_DECL void PresenceBoard::leave(Membership& member) {
  Place& place = places_[member.member_index];
  Place leaver = std::move(place);
  place = std::move(places_.back());
  place.membership->member_index = member.member_index;
  places_.pop_back();
  const std::uint64_t unheard_before = leaver.pending == Change::joined ? leaver.known_from : 0;
  pending_left_.push_back({member.key, std::move(leaver.connection_id), ++seq_, unheard_before});
}

FLUX_DECL void PresenceBoard::update(Membership& member, std::string presence) {
  Place& place = places_[member.member_index];
  place.presence = std::move(presence);
  place.changed_at = ++seq_;
  if (place.pending == Change::none) place.pending = Change::updated;
}

FLUX_DECL bool PresenceBoard::replace(Membership& member, std::shared_ptr<const Identity> identity,
                                      std::string presence) {
  Place& place = places_[member.member_index];
  const bool changes = place.presence != presence || place.identity != identity;
  place.identity = std::move(identity);
  if (changes) update(member, std::move(presence));
  return changes;
}

// --- The others are told ---

FLUX_DECL std::shared_ptr<void> PresenceBoard::begin_interval() {
  if (!timer_.expired()) return nullptr;
  auto timer = std::make_shared<char>();
  timer_ = timer;
  return timer;
}

/// Fills the notice. Returns the members for which it holds nothing new.
FLUX_DECL std::vector<Membership*> PresenceBoard::gather(PresenceNotice& notice) {
  // The newest change, and the newest one of any other member: they show for each member whether there is news for it.
  core::SessionKey newest_by = 0;
  std::uint64_t newest = 0;
  std::uint64_t newest_other = 0;
  const auto note = [&](core::SessionKey by, std::uint64_t seq) {
    if (by == newest_by) {
      newest = std::max(newest, seq);
    } else if (seq > newest) {
      newest_other = newest;
      newest = seq;
      newest_by = by;
    } else {
      newest_other = std::max(newest_other, seq);
    }
  };
  for (const Place& place : places_) {
    if (place.pending == Change::none) continue;
    (place.pending == Change::joined ? notice.joined : notice.updated).push_back(entry(place));
    note(place.membership->key, place.changed_at);
  }
  drop_unheard_leavers();
  for (const Leaver& leaver : pending_left_) {
    notice.left.push_back(leaver.connection_id);
    note(leaver.key, leaver.left_at);
  }
  // A joiner's snapshot held everything up to then: the notice must hold something newer, and not only its own entry.
  std::vector<Membership*> left_out;
  for (const Place& place : places_) {
    if (place.pending == Change::none) continue;
    const std::uint64_t others = newest_by == place.membership->key ? newest_other : newest;
    if (others <= place.joined_at) left_out.push_back(place.membership);
  }
  return left_out;
}

/// Marks everything as told.
FLUX_DECL void PresenceBoard::settle() {
  for (Place& place : places_) place.pending = Change::none;
  std::move(pending_left_.begin(), pending_left_.end(), std::back_inserter(left_));
  pending_left_.clear();
  if (left_.size() > 2 * leavers_kept) {
    const auto kept = left_.end() - static_cast<std::ptrdiff_t>(leavers_kept);
    left_forgotten_ = std::prev(kept)->left_at;
    left_.erase(left_.begin(), kept);
  }
  told_ = seq_;
}

/// A join and a leave cancel out, unless a client found the leaver in its snapshot.
FLUX_DECL void PresenceBoard::drop_unheard_leavers() {
  const auto cancelled = [](const Leaver& leaver) { return leaver.unheard_before != 0; };
  if (std::none_of(pending_left_.begin(), pending_left_.end(), cancelled)) return;
  std::vector<std::uint64_t> joins;
  for (const Place& place : places_) {
    if (place.joined_at > told_) joins.push_back(place.joined_at);
  }
  std::sort(joins.begin(), joins.end());
  const auto unheard = [&](const Leaver& leaver) {
    const auto next = std::upper_bound(joins.begin(), joins.end(), leaver.unheard_before);
    return cancelled(leaver) && (next == joins.end() || *next > leaver.left_at);
  };
  pending_left_.erase(std::remove_if(pending_left_.begin(), pending_left_.end(), unheard), pending_left_.end());
}

FLUX_DECL bool PresenceBoard::catch_up(const Membership& reader, std::uint64_t known, std::size_t bytes_max,
                                       PresenceNotice& notice) const {
  if (known < left_forgotten_) return false;
  PageSize size(bytes_max, First::if_it_fits);
  for (const Place& place : places_) {
    // A pending join is told with the next notice, or cancelled by a leave.
    if (place.changed_at <= known || place.membership == &reader || place.pending == Change::joined) continue;
    if (!size.takes(json_bytes(entry(place)))) return false;
    (place.joined_at > known ? notice.joined : notice.updated).push_back(entry(place));
  }
  // Lists each leaver once, and none that has returned.
  std::unordered_set<core::SessionKey> skipped;
  for (const Place& place : places_) {
    if (place.joined_at > known && place.pending != Change::joined) skipped.insert(place.membership->key);
  }
  for (const Leaver& leaver : left_) {
    if (leaver.left_at > known && skipped.insert(leaver.key).second) notice.left.push_back(leaver.connection_id);
  }
  return true;
}

}  // namespace flux::features
