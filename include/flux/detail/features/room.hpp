// One room: members, presence, the data it keeps, and the positions of its messages.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/audience.hpp>
#include <flux/detail/features/kept_items.hpp>
#include <flux/detail/features/membership.hpp>
#include <flux/detail/features/presence_board.hpp>
#include <flux/detail/features/room_life.hpp>
#include <flux/detail/features/room_log.hpp>
#include <flux/detail/features/room_view.hpp>

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
  bool lists_members = true;  ///< whether the welcome lists the members
};

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
  };

  Room(RoomId id, RoomOptions options, std::string epoch, const Settings& settings);
  /// Has it kept in the room store under this life, with the items it had before. Not in mode live. To be called before
  /// the room is shared.
  void keep_in_store(StoredRoom stored, std::vector<std::uint64_t> numbers, const std::vector<SharedItem>& items,
                     InStore in_store);

  const RoomId& id() const noexcept { return id_; }
  RoomMode mode() const noexcept { return mode_; }
  bool permanent() const noexcept { return life_.permanent(); }
  bool is_kept() const noexcept { return kept_ != nullptr; }
  /// For the log, through which its items go instead of `share`. Null: the room is not kept in a store.
  KeptRoomPtr kept();

  /// Adds a member and calls `welcome` with what it finds, under the lock: later messages are not in the snapshot, and
  /// reach the member after it. Errors: room_full; room_not_found if the room has ended meanwhile.
  Result<void> join(Membership& membership, const Joiner& joiner, std::string presence,
                    const std::function<void(const RoomSnapshot&)>& welcome);
  /// A member joins again: it gets another welcome, and its identity and presence are replaced. Earlier messages reach
  /// it first. Errors: room_not_found if the room has ended meanwhile.
  Result<void> join_again(Membership& membership, const Joiner& joiner, std::string presence,
                          const std::function<void(const RoomSnapshot&)>& welcome);
  void leave(Membership& membership);
  /// Reaches the member through another view and outlet from now on. The result is what was pending for it in the old
  /// one, with `separator` between the messages.
  std::string change_view(Membership& membership, const RoomView* view, core::Outlet& outlet, char separator);
  void update_presence(Membership& membership, std::string presence);

  /// Whether a message may be sent to the members now. `publish` and `share` check it themselves; call it before a
  /// message that is stored first. Errors: overloaded, if `Limits::fanout_bytes_max` is reached.
  Result<void> takes_messages() const;
  /// Sends to all members but `sender` (null: the application; else on its loop). Errors: room_not_found; overloaded.
  Result<Position> publish(const Membership* sender, const EventNotice& notice);
  /// Keeps the item as the mode says, and sends it: to the others in mode live, else to all. Sets `item.offset`.
  Result<Position> share(const Membership* sender, SharedItem item);
  void publish_chat(const ChatMessage& message);

  /// Encodes into `out` the presence changes that a slow reader missed (`LaneSeat::state_known`). False if too much has
  /// happened since for it to catch up.
  bool catch_up(Membership& membership, const RoomView& view, std::string& out);

  RoomInfo info() const;
  std::vector<Member> presence() const;
  MembersPage presence(const MembersRequest& asked) const;
  /// The presence that the member set last.
  JsonText presence_of(const Membership& membership) const;
  std::vector<SharedItem> items() const;
  /// A page for a member. All earlier messages are sent to it first; later ones follow. On its loop.
  ItemsPage items_sent_to(Membership& membership, const PageRequest& asked);
  std::vector<core::SessionKey> member_keys() const;

  /// One step of the room's life, `step(life)`, under the lock; see `RoomLife`. Once it has ended, nobody can join it.
  /// `end` is the one to use where it may have members.
  template <class Step>
  auto advance_life(const Step& step) {
    const std::lock_guard lock(mutex_);
    return step(life_);
  }
  /// Ends the room and tells its members, who are then to be removed one by one.
  void end(std::string_view reason);

 private:
  class Kept;
  std::unique_lock<std::mutex> lock_when_sent(core::Lane& lane);
  void describe(const Joiner& joiner, const PresenceBoard::Place& as_member,
                const std::function<void(const RoomSnapshot&)>& welcome) const;
  Position position() const { return {epoch_, offset_}; }
  /// Sends what `encode(view, out)` writes to all members.
  template <class Encode>
  void append(const Encode& encode, core::SegmentPolicy policy = core::SegmentPolicy::all);
  void presence_changed(core::Loop& loop);
  void send_presence();
  Result<Position> publish_kept(SharedItem item);
  void announce_joiners();
  Result<void> takes_messages_locked() const;
  Error ended_error() const { return Error(Errc::room_not_found, "no room \"" + id_ + "\""); }

  const RoomId id_;
  const RoomMode mode_;
  const std::size_t capacity_;
  const std::string epoch_;
  const Settings& settings_;

  std::unique_ptr<KeptRoom> kept_;  // set once, before others know the room

  mutable std::mutex mutex_;
  RoomLife life_;
  Offset offset_ = 0;
  core::Audience audience_{mutex_};
  PresenceBoard board_;                                      // the members
  std::unique_ptr<KeptItems> items_;                         // null in mode live
  std::vector<std::shared_ptr<const FileHold>> live_files_;  // shared in mode live: held until the room is destroyed
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/room.ipp>
#endif
