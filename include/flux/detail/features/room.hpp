// One room: members, presence, the data it keeps, and the positions of its messages.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/audience.hpp>
#include <flux/detail/features/addressees.hpp>
#include <flux/detail/features/client_view.hpp>
#include <flux/detail/features/kept_items.hpp>
#include <flux/detail/features/membership.hpp>
#include <flux/detail/features/newest_events.hpp>
#include <flux/detail/features/presence_board.hpp>
#include <flux/detail/features/room_life.hpp>
#include <flux/detail/features/room_log.hpp>
#include <flux/detail/features/room_users.hpp>

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace flux::features {

/// A client that joins, and how the room reaches it.
struct Joiner {
  core::SessionKey key;
  SessionId connection_id;
  std::shared_ptr<const Identity> identity;  // null: unknown
  core::Outlet* outlet;
  std::shared_ptr<core::Loop> loop;
  const RoomView* view;
  /// Items and members share it. Only in mode singleton, or in a welcome without members, may one item exceed it.
  std::size_t welcome_bytes_max = no_limit;
  bool lists_members = true;               ///< whether the welcome lists the members
  std::string_view application_welcome{};  ///< as in `RoomSnapshot`
  bool gets_items = true;                  ///< whether the welcome contains what the room keeps
};

/// Null if nothing is demanded.
std::shared_ptr<const Demands> shared_demands(const Demands& demands);

/// Threading: `join`, `leave` and `update_presence` on the member's loop; everything else from any thread. The room's
/// lock is its own and is held for the encoding of a message, never while anything is sent.
class Room final : public std::enable_shared_from_this<Room> {
 public:
  struct Settings {
    std::chrono::milliseconds presence_interval;
    std::size_t members_max;
    std::size_t history_items_max;
    std::size_t history_bytes_max;
    std::size_t catch_up_bytes_max = no_limit;  ///< of presence that one slow reader missed
    std::size_t fanout_bytes_max = no_limit;    ///< of messages that are pending
    std::size_t newest_keys_max = no_limit;
    std::size_t newest_bytes_max = no_limit;
    bool counts_users = false;                 ///< the capacity is one of users, `Config::capacity_counts_users`
    std::shared_ptr<const Demands> demands{};  ///< of rooms without their own; null: nothing is demanded
  };

  Room(RoomId id, RoomOptions options, std::string epoch, const Settings& settings);
  /// Keeps the room in the room store under this life, with the items it had before. Not in mode live. Must be called
  /// before others know the room.
  void keep_in_store(StoredRoom stored, std::vector<std::uint64_t> numbers, const std::vector<SharedItem>& items,
                     InStore in_store);

  const RoomId& id() const noexcept { return id_; }
  RoomMode mode() const noexcept { return mode_; }
  bool permanent() const noexcept { return life_.permanent(); }
  bool is_kept() const noexcept { return kept_ != nullptr; }
  /// Which permissions its clients need; null: none.
  const Demands* demands() const noexcept { return demands_.get(); }
  /// What a client with this grant may do here; null: it has no permissions.
  gate::RoomPermits permits(const Grant* grant) const { return {demands_.get(), grant, id_}; }
  /// For the log, which adds items instead of `share`. Null: the room is not kept in a store.
  KeptRoomPtr kept();

  /// Whether another client could join now; `join` checks it itself. `who`: null if unknown. Errors: room_full.
  Result<void> has_place(const Identity* who) const;
  /// Adds a member and calls `welcome` with what it finds, under the lock: later messages are not in the snapshot, and
  /// reach the member after it. Errors: room_full; room_not_found if the room has ended meanwhile.
  Result<void> join(Membership& membership, const Joiner& joiner, std::string presence,
                    const std::function<void(const RoomSnapshot&)>& welcome);
  /// A member joins again: it gets another welcome, and its identity and presence are replaced. Earlier messages reach
  /// it first. Errors: room_not_found if the room has ended meanwhile; room_full if it has become another user, for whom
  /// there is no place: then it stays what it was.
  Result<void> join_again(Membership& membership, const Joiner& joiner, std::string presence,
                          const std::function<void(const RoomSnapshot&)>& welcome);
  void leave(Membership& membership);
  /// From now on reaches the member through another view and outlet. Returns what was pending for it in the old one,
  /// with `separator` between the messages.
  std::string change_view(Membership& membership, const RoomView* view, core::Outlet& outlet, char separator);
  void update_presence(Membership& membership, std::string presence);

  /// Whether a message may be sent to the members now. `publish` and `share` check it themselves; call it before a
  /// message that is stored first. Errors: overloaded, if `Limits::fanout_bytes_max` is reached.
  Result<void> takes_messages() const;
  /// Sends to all members except `sender` (null: the application; otherwise call it on its loop). Errors:
  /// room_not_found; overloaded.
  Result<Position> publish(const Membership* sender, const EventNotice& notice,
                           core::SegmentPolicy policy = core::SegmentPolicy::all);
  /// Sends an event of the application to some members (null: all). Errors: as for `publish`; overloaded also if the
  /// lists of members that are pending with messages reach `Limits::fanout_bytes_max`.
  Result<Position> publish_to(const Addressees* to, const EventNotice& notice,
                              core::SegmentPolicy policy = core::SegmentPolicy::all);
  /// The same; slow readers get only the newest of each key.
  Result<Position> publish_newest(std::string key, const EventNotice& notice,
                                  std::shared_ptr<const Addressees> to = nullptr);
  /// Keeps the item as the mode requires, and sends it: in mode live to the others, otherwise to all members. Sets
  /// `item.offset`.
  Result<Position> share(const Membership* sender, SharedItem item);
  void publish_chat(const ChatMessage& message);

  /// Encodes into `out` the messages that bring a slow reader up to date (`LaneSeat::state_known`): the presence changes
  /// and the newest events that it missed. False if too much has happened since for it to catch up. On its loop.
  bool catch_up(Membership& membership, const RoomView& view, std::vector<std::string>& out);

  RoomInfo info() const;
  /// What the application has stored with the room; null: nothing.
  JsonText data() const;
  void set_data(JsonText data);
  std::vector<Member> presence() const;
  MembersPage presence(const MembersRequest& asked) const;
  /// The presence that the member has set last.
  JsonText presence_of(const Membership& membership) const;
  std::vector<SharedItem> items() const;
  /// A page for a member. All earlier messages are sent to it first; later ones follow. On its loop.
  ItemsPage items_sent_to(Membership& membership, const PageRequest& asked);
  std::vector<core::SessionKey> member_keys() const;

  /// One step of the room's life, `step(life)`, under the lock; see `RoomLife`. Once it has ended, no client can join
  /// it. Use `end` if it may have members.
  template <class Step>
  auto advance_life(const Step& step) {
    const std::lock_guard lock(mutex_);
    return step(life_);
  }
  /// Ends the room and tells its members, which the caller then removes one by one.
  void end(std::string_view reason);

 private:
  class Kept;
  void describe(const Joiner& joiner, const PresenceBoard::Place& as_member,
                const std::function<void(const RoomSnapshot&)>& welcome) const;
  Position position() const { return {epoch_, offset_}; }
  /// Sends what `encode(view, out)` writes to all members.
  template <class Encode>
  void append(const Encode& encode, core::SegmentPolicy policy = core::SegmentPolicy::all,
              core::SegmentFor whom = core::SegmentFor::unlisted);
  Result<void> takes_message_to(const Addressees* to) const;
  void append_to(const Addressees* to, const EventNotice& notice, core::SegmentPolicy policy);
  void presence_changed(core::Loop& loop);
  void send_presence();
  Result<Position> publish_kept(SharedItem item);
  void announce_joiners();
  Result<void> takes_messages_locked() const;
  Result<void> has_place_locked(const Identity* who) const;
  Result<void> change_user(const Identity* from, const Identity* to);
  Error ended_error() const { return Error(Errc::room_not_found, "no room \"" + id_ + "\""); }

  const RoomId id_;
  const RoomMode mode_;
  const std::size_t capacity_;
  const std::shared_ptr<const Demands> demands_;  // null: nothing is demanded
  const std::string epoch_;
  const Settings& settings_;

  std::unique_ptr<KeptRoom> kept_;  // set once, before others know the room

  mutable std::mutex mutex_;
  RoomLife life_;
  Offset offset_ = 0;
  core::Audience audience_{mutex_};
  PresenceBoard board_;                                      // the members
  std::unique_ptr<RoomUsers> users_;                         // of the members; null: the capacity counts connections
  std::unique_ptr<NewestEvents> newest_;                     // null until one is sent
  std::unique_ptr<KeptItems> items_;                         // null in mode live
  std::unique_ptr<JsonText> data_;                           // the application's; null: none
  std::vector<std::shared_ptr<const FileHold>> live_files_;  // shared in mode live: held until the room is destroyed
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/room.ipp>
#endif
