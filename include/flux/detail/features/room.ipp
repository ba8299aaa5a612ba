#pragma once

#include <flux/detail/features/room.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <unordered_set>

namespace flux::features {

FLUX_DECL Room::Room(RoomId id, RoomOptions options, std::string epoch, const Settings& settings)
    : id_(std::move(id)),
      mode_(options.mode),
      capacity_(options.capacity == 0 ? settings.members_max : std::min(options.capacity, settings.members_max)),
      epoch_(std::move(epoch)),
      settings_(settings),
      life_(options.permanent) {
  if (mode_ == RoomMode::live) return;
  items_ =
      std::make_unique<KeptItems>(ItemBounds::of_room(mode_, settings.history_items_max, settings.history_bytes_max));
}

/// The room as the log sees it.
class Room::Kept final : public KeptRoom {
 public:
  Kept(Room& room, StoredRoom stored, std::vector<std::uint64_t> numbers)
      : KeptRoom(room.mutex_, room.life_, *room.items_, std::move(stored), std::move(numbers)), room_(room) {}

  Result<Position> publish(SharedItem item) override { return room_.publish_kept(std::move(item)); }
  void forget_newest() override {
    const std::lock_guard lock(room_.mutex_);
    room_.items_->remove_newest();
  }

 private:
  Room& room_;
};

FLUX_DECL void Room::keep_in_store(StoredRoom stored, std::vector<std::uint64_t> numbers,
                                   const std::vector<SharedItem>& items, InStore in_store) {
  kept_ = std::make_unique<Kept>(*this, std::move(stored), std::move(numbers));
  life_.restored(in_store);
  for (const SharedItem& item : items) {
    offset_ = item.offset;
    items_->add(item);
  }
}

FLUX_DECL KeptRoomPtr Room::kept() { return kept_ ? KeptRoomPtr(shared_from_this(), kept_.get()) : nullptr; }

// --- Members ---

FLUX_DECL Result<void> Room::join(Membership& membership, const Joiner& joiner, std::string presence,
                                  const std::function<void(const RoomSnapshot&)>& welcome) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return ended_error();
  if (members_.size() >= capacity_) {
    return Error(Errc::room_full, "room \"" + id_ + "\" is full: it has its " + std::to_string(capacity_) + " members");
  }
  life_.enter();
  if (members_.empty()) presence_scheduled_ = false;  // the loop that held the timer may have ended with its server
  membership.room = shared_from_this();
  membership.key = joiner.key;
  membership.lane = audience_.enter(joiner.loop, joiner.view, joiner.key, *joiner.outlet, membership.seat);
  membership.member_index = static_cast<std::uint32_t>(members_.size());
  const std::uint64_t seq = ++presence_seq_;
  // Who left and came back before anybody was told has only changed.
  const auto gone = std::find_if(pending_left_.begin(), pending_left_.end(),
                                 [&](const Leaver& leaver) { return leaver.key == joiner.key; });
  const bool returned = gone != pending_left_.end() && gone->unheard_before == 0;
  std::uint64_t known_from = seq;
  if (gone != pending_left_.end()) {
    if (!returned) known_from = gone->unheard_before;
    pending_left_.erase(gone);
  }
  members_.push_back({&membership, joiner.connection_id, joiner.identity, std::move(presence), seq, seq,
                      returned ? Change::updated : Change::joined, known_from});

  describe(joiner, members_.back(), welcome);
  presence_changed(*joiner.loop);
  return {};
}

/// Items and members have a half of the welcome each, and what the other leaves of its half.
FLUX_DECL void Room::describe(const Joiner& joiner, const MemberState& as_member,
                              const std::function<void(const RoomSnapshot&)>& welcome) const {
  std::vector<PresenceEntry> entries;
  RoomSnapshot snapshot{id_, as_member.connection_id, mode_, position(), entries};
  const std::size_t most = joiner.welcome_bytes_max;
  std::size_t members_bytes = 0;
  if (joiner.lists_members) {
    for (const MemberState& member : members_) members_bytes += json_bytes(entry(member));
  }
  if (items_) {
    const bool alone = !joiner.lists_members || mode_ == RoomMode::singleton;
    const std::size_t for_items = std::max(most / 2, most - std::min(most, members_bytes));
    snapshot.items = items_->page({no_limit, 0, for_items}, alone ? First::always : First::if_it_fits);
  }
  if (joiner.lists_members) {
    std::size_t left = most;
    for (const SharedItem& item : snapshot.items) left -= std::min(left, json_bytes(item));
    if (members_bytes <= left) {
      entries.reserve(members_.size());
      for (const MemberState& member : members_) entries.push_back(entry(member));
    } else {
      entries.push_back(entry(as_member));
      left -= std::min(left, json_bytes(entries.front()));
      for (const MemberState* member :
           members_in_order({no_limit, 0, left}, First::if_it_fits, snapshot.members_after)) {
        if (member != &as_member) entries.push_back(entry(*member));
      }
    }
  }
  welcome(snapshot);
}

/// A heap, as a page is short in a room for which it is needed.
FLUX_DECL std::vector<const Room::MemberState*> Room::members_in_order(const MembersRequest& asked, First first,
                                                                       std::optional<std::uint64_t>& after) const {
  std::vector<const MemberState*> rest;
  for (const MemberState& member : members_) {
    if (member.joined_at > asked.after) rest.push_back(&member);
  }
  const auto later = [](const MemberState* a, const MemberState* b) { return a->joined_at > b->joined_at; };
  std::make_heap(rest.begin(), rest.end(), later);
  std::vector<const MemberState*> page;
  PageSize size(asked.bytes_max, first);
  while (!rest.empty()) {
    const MemberState* next = rest.front();
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

FLUX_DECL Result<void> Room::join_again(Membership& membership, const Joiner& joiner, std::string presence,
                                        const std::function<void(const RoomSnapshot&)>& welcome) {
  const auto lock = lock_when_sent(*membership.lane);
  if (life_.ended()) return ended_error();
  MemberState& member = members_[membership.member_index];
  const bool changes = member.presence != presence || member.identity != joiner.identity;
  member.identity = joiner.identity;
  if (changes) change_presence(membership, std::move(presence));
  describe(joiner, member, welcome);
  return {};
}

/// The room's lock, taken when nothing waits in the lane.
FLUX_DECL std::unique_lock<std::mutex> Room::lock_when_sent(core::Lane& lane) {
  for (;;) {
    lane.flush_now();
    std::unique_lock lock(mutex_);
    if (!lane.has_pending()) return lock;
  }
}

FLUX_DECL void Room::leave(Membership& membership) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<core::Lane> lane = std::move(membership.lane);
  audience_.leave(*lane, membership.seat);

  MemberState& place = members_[membership.member_index];
  MemberState leaver = std::move(place);
  place = std::move(members_.back());
  place.membership->member_index = membership.member_index;
  members_.pop_back();
  membership.room.reset();
  if (life_.ended()) return;
  if (members_.empty()) life_.empty_at(lane->loop().clock().now());
  const std::uint64_t unheard_before = leaver.pending == Change::joined ? leaver.known_from : 0;
  pending_left_.push_back({membership.key, std::move(leaver.connection_id), ++presence_seq_, unheard_before});
  presence_changed(lane->loop());
}

FLUX_DECL std::string Room::change_view(Membership& membership, const RoomView* view, core::Outlet& outlet,
                                        char separator) {
  const std::lock_guard lock(mutex_);
  return audience_.change_view(membership.lane, membership.seat, view, membership.key, outlet, separator);
}

FLUX_DECL void Room::update_presence(Membership& membership, std::string presence) {
  const std::lock_guard lock(mutex_);
  change_presence(membership, std::move(presence));
}

FLUX_DECL void Room::change_presence(Membership& membership, std::string presence) {
  MemberState& member = members_[membership.member_index];
  member.presence = std::move(presence);
  member.changed_at = ++presence_seq_;
  if (member.pending == Change::none) member.pending = Change::updated;
  presence_changed(membership.lane->loop());
}

FLUX_DECL PresenceEntry Room::entry(const MemberState& member) {
  return {member.connection_id, member.identity.get(), member.presence};
}

// --- Messages ---

template <class Encode>
void Room::append(const Encode& encode, core::SegmentPolicy policy) {
  audience_.append([&](const void* view, std::string& out) { encode(*static_cast<const RoomView*>(view), out); },
                   shared_from_this(), policy, std::max<std::uint64_t>(presence_sent_, 1));
}

FLUX_DECL Result<void> Room::takes_messages() const {
  const std::lock_guard lock(mutex_);
  return takes_messages_locked();
}

FLUX_DECL Result<void> Room::takes_messages_locked() const {
  const std::size_t pending = audience_.pending_size();
  if (pending < settings_.fanout_bytes_max) return {};
  return Error(Errc::overloaded, "room \"" + id_ + "\" has " + std::to_string(pending) +
                                     " bytes that wait to be sent to its members; try again");
}

FLUX_DECL Result<Position> Room::publish(const Membership* sender, const EventNotice& notice) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return ended_error();
  if (const auto taken = takes_messages_locked(); !taken) return taken.error();
  // The others must know the sender before they hear from it.
  if (sender != nullptr && members_[sender->member_index].pending == Change::joined) send_presence();
  ++offset_;
  if (sender == nullptr || members_.size() > 1) {
    append([&](const RoomView& view, std::string& out) { view.event(out, notice); });
    if (sender != nullptr) sender->lane->exclude_from_last(sender->key);
  }
  return position();
}

FLUX_DECL Result<Position> Room::share(const Membership* sender, SharedItem item) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return ended_error();
  if (const auto taken = takes_messages_locked(); !taken) return taken.error();
  if (sender != nullptr && members_[sender->member_index].pending == Change::joined) send_presence();
  item.offset = ++offset_;
  append([&](const RoomView& view, std::string& out) { view.data(out, id_, item); });
  if (mode_ == RoomMode::live) {
    if (sender != nullptr) sender->lane->exclude_from_last(sender->key);
    const auto known = [&] {
      return std::find(live_files_.begin(), live_files_.end(), item.file) != live_files_.end();
    };
    if (item.file && !known()) live_files_.push_back(item.file);
  } else {
    items_->add(std::move(item));
  }
  return position();
}

/// Whoever shared it may have left meanwhile.
FLUX_DECL Result<Position> Room::publish_kept(SharedItem item) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return ended_error();
  announce_joiners();
  item.offset = ++offset_;
  append([&](const RoomView& view, std::string& out) { view.data(out, id_, item); });
  items_->add(std::move(item));
  return position();
}

FLUX_DECL void Room::publish_chat(const ChatMessage& message) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return;
  announce_joiners();
  ++offset_;
  append([&](const RoomView& view, std::string& out) { view.chat(out, message); });
}

/// Before a message of which it is not known whether its sender is one of them.
FLUX_DECL void Room::announce_joiners() {
  const auto joined = [](const MemberState& member) { return member.pending == Change::joined; };
  if (std::any_of(members_.begin(), members_.end(), joined)) send_presence();
}

// --- Presence ---

FLUX_DECL void Room::presence_changed(core::Loop& loop) {
  if (settings_.presence_interval.count() == 0) return send_presence();
  if (presence_scheduled_) return;
  presence_scheduled_ = true;
  loop.call_after(settings_.presence_interval, [weak = weak_from_this()] {
    const auto room = weak.lock();
    if (!room) return;
    const std::lock_guard lock(room->mutex_);
    room->presence_scheduled_ = false;
    room->send_presence();
  });
}

FLUX_DECL void Room::send_presence() {
  if (presence_sent_ == presence_seq_) return;
  PresenceNotice notice;
  notice.room = id_;
  // The newest change, and the newest by anybody else: they tell for each member whether there is news for it.
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
  for (const MemberState& member : members_) {
    if (member.pending == Change::none) continue;
    (member.pending == Change::joined ? notice.joined : notice.updated).push_back(entry(member));
    note(member.membership->key, member.changed_at);
  }
  drop_unheard_leavers();
  for (const Leaver& leaver : pending_left_) {
    notice.left.push_back(leaver.connection_id);
    note(leaver.key, leaver.left_at);
  }

  // A joiner knows from its snapshot what was there; a frame must hold something newer, and not only one's own entry.
  std::vector<const MemberState*> nothing_new;
  for (MemberState& member : members_) {
    if (member.pending == Change::none) continue;
    const std::uint64_t others = newest_by == member.membership->key ? newest_other : newest;
    if (others <= member.joined_at) nothing_new.push_back(&member);
    member.pending = Change::none;
  }
  const bool nothing = notice.joined.empty() && notice.left.empty() && notice.updated.empty();
  if (!nothing && nothing_new.size() < members_.size()) {
    append([&](const RoomView& view, std::string& out) { view.presence(out, notice); }, core::SegmentPolicy::newest);
    for (const MemberState* member : nothing_new) {
      member->membership->lane->exclude_from_last(member->membership->key);
    }
  }

  constexpr std::size_t left_kept = 512;
  std::move(pending_left_.begin(), pending_left_.end(), std::back_inserter(left_));
  pending_left_.clear();
  if (left_.size() > 2 * left_kept) {
    const auto kept = left_.end() - static_cast<std::ptrdiff_t>(left_kept);
    left_forgotten_ = std::prev(kept)->left_at;
    left_.erase(left_.begin(), kept);
  }
  presence_sent_ = presence_seq_;
}

/// A join and leave cancel out, unless somebody found the leaver in its snapshot.
FLUX_DECL void Room::drop_unheard_leavers() {
  const auto cancelled = [](const Leaver& leaver) { return leaver.unheard_before != 0; };
  if (std::none_of(pending_left_.begin(), pending_left_.end(), cancelled)) return;
  std::vector<std::uint64_t> joins;
  for (const MemberState& member : members_) {
    if (member.joined_at > presence_sent_) joins.push_back(member.joined_at);
  }
  std::sort(joins.begin(), joins.end());
  const auto unheard = [&](const Leaver& leaver) {
    const auto next = std::upper_bound(joins.begin(), joins.end(), leaver.unheard_before);
    return cancelled(leaver) && (next == joins.end() || *next > leaver.left_at);
  };
  pending_left_.erase(std::remove_if(pending_left_.begin(), pending_left_.end(), unheard), pending_left_.end());
}

FLUX_DECL bool Room::catch_up(Membership& membership, const RoomView& view, std::string& out) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t known = std::exchange(membership.seat.state_known, 0);
  if (known == 0 || life_.ended()) return true;
  if (known < left_forgotten_) return false;
  PresenceNotice notice;
  notice.room = id_;
  PageSize size(settings_.catch_up_bytes_max, First::if_it_fits);
  for (const MemberState& member : members_) {
    // A join that is still pending goes out with the next frame, or is cancelled by a leave.
    if (member.changed_at <= known || member.membership == &membership || member.pending == Change::joined) continue;
    if (!size.takes(json_bytes(entry(member)))) return false;
    (member.joined_at > known ? notice.joined : notice.updated).push_back(entry(member));
  }
  // Each leaver once, and not who is back.
  std::unordered_set<core::SessionKey> skipped;
  for (const MemberState& member : members_) {
    if (member.joined_at > known && member.pending != Change::joined) skipped.insert(member.membership->key);
  }
  for (const Leaver& leaver : left_) {
    if (leaver.left_at > known && skipped.insert(leaver.key).second) notice.left.push_back(leaver.connection_id);
  }
  if (!notice.joined.empty() || !notice.left.empty() || !notice.updated.empty()) view.presence(out, notice);
  return true;
}

// --- What the application asks ---

FLUX_DECL RoomInfo Room::info() const {
  const std::lock_guard lock(mutex_);
  return {id_, mode_, capacity_, members_.size(), position()};
}

FLUX_DECL std::vector<Member> Room::presence() const {
  const std::lock_guard lock(mutex_);
  std::vector<const MemberState*> order;
  order.reserve(members_.size());
  for (const MemberState& member : members_) order.push_back(&member);
  std::sort(order.begin(), order.end(),
            [](const MemberState* a, const MemberState* b) { return a->joined_at < b->joined_at; });
  std::vector<Member> list;
  list.reserve(order.size());
  for (const MemberState* state : order) list.push_back(member(*state));
  return list;
}

FLUX_DECL MembersPage Room::presence(const MembersRequest& asked) const {
  const std::lock_guard lock(mutex_);
  MembersPage page;
  for (const MemberState* state : members_in_order(asked, First::always, page.after)) {
    page.members.push_back(member(*state));
  }
  return page;
}

FLUX_DECL Member Room::member(const MemberState& state) {
  return {state.connection_id, state.identity ? *state.identity : Identity{},
          detail::CheckedJson::text(state.presence)};
}

FLUX_DECL JsonText Room::presence_of(const Membership& membership) const {
  const std::lock_guard lock(mutex_);
  return detail::CheckedJson::text(members_[membership.member_index].presence);
}

FLUX_DECL std::vector<SharedItem> Room::items() const {
  const std::lock_guard lock(mutex_);
  return items_ ? items_->all() : std::vector<SharedItem>();
}

FLUX_DECL ItemsPage Room::items_sent_to(Membership& membership, const PageRequest& asked) {
  const auto lock = lock_when_sent(*membership.lane);
  return items_ ? items_->page(asked).copy() : ItemsPage();
}

FLUX_DECL std::vector<core::SessionKey> Room::member_keys() const {
  const std::lock_guard lock(mutex_);
  std::vector<core::SessionKey> keys;
  keys.reserve(members_.size());
  for (const MemberState& member : members_) keys.push_back(member.membership->key);
  return keys;
}

FLUX_DECL void Room::end(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return;
  append([&](const RoomView& view, std::string& out) { view.closed(out, id_, reason); });
  life_.end();
}

}  // namespace flux::features
