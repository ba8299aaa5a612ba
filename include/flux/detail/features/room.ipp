#pragma once

#include <flux/detail/features/room.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <span>
#include <utility>

namespace flux::features {

FLUX_DECL std::shared_ptr<const Demands> shared_demands(const Demands& demands) {
  return demands == Demands() ? nullptr : std::make_shared<const Demands>(demands);
}

FLUX_DECL Room::Room(RoomId id, RoomOptions options, std::string epoch, const Settings& settings)
    : id_(std::move(id)),
      mode_(options.mode),
      capacity_(options.capacity == 0 ? settings.members_max : std::min(options.capacity, settings.members_max)),
      demands_(options.demands ? shared_demands(*options.demands) : settings.demands),
      epoch_(std::move(epoch)),
      settings_(settings),
      life_(options.permanent),
      users_(settings.counts_users ? std::make_unique<RoomUsers>() : nullptr) {
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

FLUX_DECL Result<void> Room::has_place(const Identity* who) const {
  const std::lock_guard lock(mutex_);
  return has_place_locked(who);
}

FLUX_DECL Result<void> Room::has_place_locked(const Identity* who) const {
  const auto full = [&](std::size_t count, const char* of) {
    return Error(Errc::room_full, "room \"" + id_ + "\" is full: it has " + std::to_string(count) + of);
  };
  if (board_.size() >= (users_ ? settings_.members_max : capacity_)) return full(board_.size(), " members");
  if (users_ && users_->size() >= capacity_ && !users_->has(who)) return full(users_->size(), " users");
  return {};
}

FLUX_DECL Result<void> Room::join(Membership& membership, const Joiner& joiner, std::string presence,
                                  const std::function<void(const RoomSnapshot&)>& welcome) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return ended_error();
  if (auto place = has_place_locked(joiner.identity.get()); !place) return place;
  life_.enter();
  if (users_) users_->add(joiner.identity.get());
  membership.room = shared_from_this();
  membership.key = joiner.key;
  membership.lane = audience_.enter({joiner.key, joiner.outlet, joiner.loop}, joiner.view, membership.seat);
  describe(joiner, board_.join(membership, joiner.connection_id, joiner.identity, std::move(presence)), welcome);
  presence_changed(*joiner.loop);
  return {};
}

/// Items and members each get half of the welcome, plus what the other leaves unused of its half.
FLUX_DECL void Room::describe(const Joiner& joiner, const PresenceBoard::Place& as_member,
                              const std::function<void(const RoomSnapshot&)>& welcome) const {
  std::vector<PresenceEntry> entries;
  RoomSnapshot snapshot{id_, as_member.connection_id, mode_, position(), entries};
  snapshot.server_time = joiner.loop->clock().unix_ms();
  snapshot.application_welcome = joiner.application_welcome;
  const std::size_t most = joiner.welcome_bytes_max;
  std::size_t members_bytes = 0;
  if (joiner.lists_members) {
    for (const auto& place : board_.places()) members_bytes += json_bytes(PresenceBoard::entry(place));
  }
  if (items_ && joiner.gets_items) {
    const bool alone = !joiner.lists_members || mode_ == RoomMode::singleton;
    const std::size_t for_items = std::max(most / 2, most - std::min(most, members_bytes));
    snapshot.items = items_->page({no_limit, 0, for_items}, alone ? First::always : First::if_it_fits);
  }
  if (joiner.lists_members) {
    std::size_t left = most;
    for (const SharedItem& item : snapshot.items) left -= std::min(left, json_bytes(item));
    if (members_bytes <= left) {
      entries.reserve(board_.size());
      for (const auto& place : board_.places()) entries.push_back(PresenceBoard::entry(place));
    } else {
      entries.push_back(PresenceBoard::entry(as_member));
      left -= std::min(left, json_bytes(entries.front()));
      for (const auto* place : board_.in_order({no_limit, 0, left}, First::if_it_fits, snapshot.members_after)) {
        if (place != &as_member) entries.push_back(PresenceBoard::entry(*place));
      }
    }
  }
  welcome(snapshot);
}

FLUX_DECL Result<void> Room::join_again(Membership& membership, const Joiner& joiner, std::string presence,
                                        const std::function<void(const RoomSnapshot&)>& welcome) {
  const auto lock = membership.lane->lock_when_sent();
  if (life_.ended()) return ended_error();
  if (auto place = change_user(board_.place_of(membership).identity.get(), joiner.identity.get()); !place) return place;
  if (board_.replace(membership, joiner.identity, std::move(presence))) presence_changed(membership.lane->loop());
  describe(joiner, board_.place_of(membership), welcome);
  return {};
}

/// A member may have become another user since it joined.
FLUX_DECL Result<void> Room::change_user(const Identity* from, const Identity* to) {
  if (!users_) return {};
  users_->remove(from);
  const bool fits = users_->size() < capacity_ || users_->has(to);
  users_->add(fits ? to : from);
  if (fits) return {};
  return Error(Errc::room_full, "room \"" + id_ + "\" is full: it has " + std::to_string(users_->size()) + " users");
}

FLUX_DECL void Room::leave(Membership& membership) {
  const std::lock_guard lock(mutex_);
  const std::shared_ptr<core::Lane> lane = std::move(membership.lane);
  audience_.leave(*lane, membership.seat);
  if (users_) users_->remove(board_.place_of(membership).identity.get());
  board_.leave(membership);
  membership.room.reset();
  if (life_.ended()) return;
  if (board_.empty()) life_.empty_at(lane->loop().clock().now());
  presence_changed(lane->loop());
}

FLUX_DECL std::string Room::change_view(Membership& membership, const RoomView* view, core::Outlet& outlet,
                                        char separator) {
  const std::lock_guard lock(mutex_);
  return audience_.change_view(membership.lane, membership.seat, view, membership.key, outlet, separator);
}

FLUX_DECL void Room::update_presence(Membership& membership, std::string presence) {
  const std::lock_guard lock(mutex_);
  board_.update(membership, std::move(presence));
  presence_changed(membership.lane->loop());
}

// --- Messages ---

template <class Encode>
void Room::append(const Encode& encode, core::SegmentPolicy policy, core::SegmentFor whom) {
  audience_.append([&](const void* view, std::string& out) { encode(*static_cast<const RoomView*>(view), out); },
                   shared_from_this(), policy, board_.told(), whom);
}

FLUX_DECL void Room::append_to(const Addressees* to, const EventNotice& notice, core::SegmentPolicy policy) {
  const auto whom = to != nullptr && to->only() ? core::SegmentFor::listed : core::SegmentFor::unlisted;
  append([&](const RoomView& view, std::string& out) { view.event(out, notice); }, policy, whom);
  if (to == nullptr) return;
  for (const auto& place : board_.places()) {
    const Membership& member = *place.membership;
    if (to->names(member.key)) member.lane->list_in_last(member.key);
  }
}

FLUX_DECL Result<void> Room::takes_messages() const {
  const std::lock_guard lock(mutex_);
  return takes_messages_locked();
}

FLUX_DECL Result<void> Room::takes_messages_locked() const {
  const std::size_t pending = audience_.pending_size();
  if (pending < settings_.fanout_bytes_max) return {};
  return Error(Errc::overloaded,
               "room \"" + id_ + "\" has " + std::to_string(pending) + " bytes pending for its members; try again");
}

FLUX_DECL Result<Position> Room::publish(const Membership* sender, const EventNotice& notice,
                                         core::SegmentPolicy policy) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return ended_error();
  if (const auto taken = takes_messages_locked(); !taken) return taken.error();
  // The others must know the sender before they receive its message.
  if (sender != nullptr && !board_.is_announced(*sender)) send_presence();
  ++offset_;
  if (sender == nullptr || board_.size() > 1) {
    append([&](const RoomView& view, std::string& out) { view.event(out, notice); }, policy);
    if (sender != nullptr) sender->lane->list_in_last(sender->key);
  }
  return position();
}

/// Lists of members take memory, too, which may be more than that of a short message.
FLUX_DECL Result<void> Room::takes_message_to(const Addressees* to) const {
  auto taken = takes_messages_locked();
  if (!taken || to == nullptr || audience_.pending_listed() * sizeof(core::Listed) < settings_.fanout_bytes_max) {
    return taken;
  }
  return Error(Errc::overloaded,
               "room \"" + id_ + "\" has too many messages pending for some of its members; try again");
}

FLUX_DECL Result<Position> Room::publish_to(const Addressees* to, const EventNotice& notice,
                                            core::SegmentPolicy policy) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return ended_error();
  if (const auto taken = takes_message_to(to); !taken) return taken.error();
  ++offset_;
  append_to(to, notice, policy);
  return position();
}

FLUX_DECL Result<Position> Room::publish_newest(std::string key, const EventNotice& notice,
                                                std::shared_ptr<const Addressees> to) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return ended_error();
  if (const auto taken = takes_message_to(to.get()); !taken) return taken.error();
  ++offset_;
  append_to(to.get(), notice, core::SegmentPolicy::newest);
  if (!newest_) newest_ = std::make_unique<NewestEvents>(settings_.newest_keys_max, settings_.newest_bytes_max);
  newest_->put({std::move(key), std::string(notice.event), std::string(notice.payload.value_or("null")), board_.stamp(),
                std::move(to)});
  return position();
}

FLUX_DECL Result<Position> Room::share(const Membership* sender, SharedItem item) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return ended_error();
  if (const auto taken = takes_messages_locked(); !taken) return taken.error();
  if (sender != nullptr && !board_.is_announced(*sender)) send_presence();
  item.offset = ++offset_;
  append([&](const RoomView& view, std::string& out) { view.data(out, id_, item); });
  if (mode_ == RoomMode::live) {
    if (sender != nullptr) sender->lane->list_in_last(sender->key);
    const auto known = [&] {
      return std::find(live_files_.begin(), live_files_.end(), item.file) != live_files_.end();
    };
    if (item.file && !known()) live_files_.push_back(item.file);
  } else {
    items_->add(std::move(item));
  }
  return position();
}

/// The client that shared it may have left meanwhile.
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

/// Must be called before a message whose sender may be a member that has just joined.
FLUX_DECL void Room::announce_joiners() {
  if (!board_.all_announced()) send_presence();
}

// --- Presence ---

FLUX_DECL void Room::presence_changed(core::Loop& loop) {
  if (settings_.presence_interval.count() == 0) return send_presence();
  auto timer = board_.begin_interval();
  if (!timer) return;
  loop.call_after(settings_.presence_interval, [weak = weak_from_this(), timer = std::move(timer)] {
    const auto room = weak.lock();
    if (!room) return;
    const std::lock_guard lock(room->mutex_);
    room->board_.end_interval();
    room->send_presence();
  });
}

FLUX_DECL void Room::send_presence() {
  board_.tell(id_, [this](const PresenceNotice& notice, std::span<Membership* const> left_out) {
    append([&](const RoomView& view, std::string& out) { view.presence(out, notice); }, core::SegmentPolicy::newest);
    for (Membership* member : left_out) member->lane->list_in_last(member->key);
  });
}

/// Nothing may be pending in the lane, because the reader would get it again.
FLUX_DECL bool Room::catch_up(Membership& membership, const RoomView& view, std::vector<std::string>& out) {
  if (membership.seat.state_known == 0) return true;
  const auto lock = membership.lane->lock_when_sent();
  const std::uint64_t known = std::exchange(membership.seat.state_known, 0);
  if (life_.ended()) return true;
  PresenceNotice notice;
  notice.room = id_;
  if (!board_.catch_up(membership, known, settings_.catch_up_bytes_max, notice)) return false;
  if (!notice.empty()) view.presence(out.emplace_back(), notice);
  if (!newest_) return true;
  if (!newest_->covers(known)) return false;
  newest_->for_each_after(known, [&](const NewestEvents::Entry& entry) {
    if (entry.to && !entry.to->include(membership.key)) return;
    view.event(out.emplace_back(), {id_, server_connection_id, {}, entry.event, entry.payload});
  });
  return true;
}

// --- What the application asks ---

FLUX_DECL RoomInfo Room::info() const {
  const std::lock_guard lock(mutex_);
  return {id_, mode_, capacity_, board_.size(), position()};
}

FLUX_DECL JsonText Room::data() const {
  const std::lock_guard lock(mutex_);
  return data_ ? *data_ : JsonText();
}

FLUX_DECL void Room::set_data(JsonText data) {
  const bool any = data.kind() != JsonText::Kind::null;
  auto stored =
      any ? std::make_unique<JsonText>(std::move(data)) : nullptr;  // the old one is destroyed without the lock
  const std::lock_guard lock(mutex_);
  data_.swap(stored);
}

FLUX_DECL std::vector<Member> Room::presence() const { return presence(MembersRequest{}).members; }

FLUX_DECL MembersPage Room::presence(const MembersRequest& asked) const {
  const std::lock_guard lock(mutex_);
  MembersPage page;
  for (const auto* place : board_.in_order(asked, First::always, page.after)) {
    page.members.push_back(PresenceBoard::member(*place));
  }
  return page;
}

FLUX_DECL JsonText Room::presence_of(const Membership& membership) const {
  const std::lock_guard lock(mutex_);
  return detail::CheckedJson::text(board_.place_of(membership).presence);
}

FLUX_DECL std::vector<SharedItem> Room::items() const {
  const std::lock_guard lock(mutex_);
  return items_ ? items_->all() : std::vector<SharedItem>();
}

FLUX_DECL ItemsPage Room::items_sent_to(Membership& membership, const PageRequest& asked) {
  const auto lock = membership.lane->lock_when_sent();
  return items_ ? items_->page(asked).copy() : ItemsPage();
}

FLUX_DECL std::vector<core::SessionKey> Room::member_keys() const {
  const std::lock_guard lock(mutex_);
  std::vector<core::SessionKey> keys;
  keys.reserve(board_.size());
  for (const auto& place : board_.places()) keys.push_back(place.membership->key);
  return keys;
}

FLUX_DECL void Room::end(std::string_view reason) {
  const std::lock_guard lock(mutex_);
  if (life_.ended()) return;
  append([&](const RoomView& view, std::string& out) { view.closed(out, id_, reason); });
  life_.end();
}

}  // namespace flux::features
