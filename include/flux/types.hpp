// Types that every part of flux shares: rooms, positions, identities, messages.
#pragma once

#include <flux/json.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace flux::features {
class FileHold;
}

namespace flux {

/// 1 to `Limits::room_id_bytes_max` bytes of valid UTF-8 without control characters.
using RoomId = std::string;
/// 13 characters, chosen by the server, unique for the server's lifetime. Protocol live calls it `connectionId`.
using SessionId = std::string;
/// A number that grows with the messages of one room, from 1; 0 means "before the first" or "none". Chat messages are
/// counted by the store, and everything that is sent in a room by its `Position`: the two can't be compared.
using Offset = std::uint64_t;

/// The `connectionId` of messages that the application itself sends.
inline constexpr const char* server_connection_id = "server";

/// A position in a room's log. Offsets of different epochs can't be compared: a room that has ended and is created
/// again gets a new epoch.
struct Position {
  std::string epoch;  ///< 13 letters and digits; another one if the room is created again
  Offset offset = 0;  ///< of the newest message
  friend bool operator==(const Position&, const Position&) = default;
};

/// What a room keeps of the data shared in it, and sends to a client that joins.
enum class RoomMode : std::uint8_t {
  live,       ///< nothing
  singleton,  ///< the newest item: the room's present state, any JSON, which clients that join later find, too
  history,    ///< every item, up to `Limits::room_history_items_max` and `room_history_bytes_max`
};
/// "live", "singleton" or "history", as in the protocols.
std::string_view to_string(RoomMode mode) noexcept;

/// Who a user is. Empty members are unknown. Other members of a room see all of it but `verified`.
struct Identity {
  std::string user_id{};   ///< the application's id of the user
  std::string name{};      ///< for people
  std::string email{};     ///< for people
  std::string provider{};  ///< of the login, such as "google"
  /// Whether the application vouched for the identity: its connect handler or token verifier returned it, or `set_grant`
  /// set it with a user id. Otherwise the client only claims it.
  bool verified = false;
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// How many messages have been exchanged with a client since it connected. What counts as one message:
/// of protocol live and of raw endpoints, a WebSocket message, whatever the number of its frames;
/// of Engine.IO, a message;
/// of Socket.IO and data sharing, an event, an acknowledgment or another packet, together with its attachments.
/// The handshakes, pings, pongs and close frames of WebSocket and Engine.IO do not count.
/// A count that has reached its largest possible value stays there.
struct ClientCounts {
  std::uint32_t received = 0;  ///< from the client, including those refused or over a rate limit
  std::uint32_t sent = 0;      ///< to the client, including those still pending because it reads slowly
  friend bool operator==(const ClientCounts&, const ClientCounts&) = default;
};

/// The type of a WebSocket message.
enum class MessageType : std::uint8_t { text, binary };

/// A chat message as it is stored.
struct ChatMessage {
  std::string id;               ///< unique in its room; at most 1,024 bytes. See `live::request::send_chat`
  RoomId room;                  ///< the room that it was sent to
  SessionId connection_id;      ///< of the sender; `server_connection_id` for the application's own
  std::string user_id;          ///< empty: unknown
  std::string message;          ///< valid UTF-8 without NUL
  std::string metadata;         ///< JSON text as received; empty: none
  std::int64_t created_at = 0;  ///< milliseconds since 1970
  Offset offset = 0;            ///< assigned by the store, from 1 without gaps in each room
  std::int64_t edited_at = 0;   ///< milliseconds since 1970 of the last edit; 0: not edited
  std::int64_t deleted_at = 0;  ///< milliseconds since 1970; if not 0 it is deleted: `message` and `metadata` are empty
  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

/// A chat message that the application sends (`Server::send_chat`): in its own name, or in a user's.
struct ChatPost {
  std::string message{};               ///< at most `Limits::chat_bytes_max`; NUL and what is not UTF-8 become U+FFFD
  std::optional<JsonText> metadata{};  ///< at most `Limits::metadata_bytes_max`
  /// Who it is from: this user, who may edit and delete it. Empty: the user of `session`, if that is connected.
  std::string user_id{};
  /// The connection that it is from, which need not be connected. A message without a user is this connection's.
  SessionId session = server_connection_id;
  /// The id that it is stored with, at most 1,024 bytes without control characters: if the room has a message with this id,
  /// nothing is stored or sent, and that one is the result. Empty: the server chooses one.
  std::string id{};
};

/// What happens to the members of a room that read too slowly when a message is sent to it: those with at least
/// `Limits::outbox_bytes_congested` bytes pending. The same in every protocol.
class Delivery {
 public:
  /// See the functions of the same names.
  enum class Kind : std::uint8_t { all, newest, close_slow };

  /// The message is queued for them, too. They are closed only beyond `Limits::outbox_bytes_max`.
  static Delivery all() noexcept { return Delivery(Kind::all, {}); }
  /// They get the message only if no later one with the same key replaces it before their output has drained. For states
  /// of which only the newest matters, such as cursors, positions and scores. `key`: of the state, in its room; 1 to
  /// `Limits::event_name_bytes_max` bytes. A room remembers the newest message of `Limits::room_newest_keys_max` keys; a
  /// member that missed one that is no longer remembered is closed with 4413. Messages with one key replace each other
  /// even if their `Recipients` differ, so give those different keys. What was replaced is counted in
  /// `Stats::states_coalesced`. A member may get the newest message of a key twice.
  static Delivery newest(std::string key) { return Delivery(Kind::newest, std::move(key)); }
  /// They are closed with 4413, or their polling session ends, instead of getting the message late: they may reconnect and
  /// start from the present state. For messages that are worthless late, such as the ticks of a game. What is pending for
  /// them is dropped. Counted in `Stats::slow_readers_closed`.
  static Delivery close_slow() noexcept { return Delivery(Kind::close_slow, {}); }

  /// What was chosen.
  Kind kind() const noexcept { return kind_; }
  /// Of `newest`; otherwise empty.
  const std::string& key() const noexcept { return key_; }

 private:
  Delivery(Kind kind, std::string key) noexcept : kind_(kind), key_(std::move(key)) {}
  Kind kind_;
  std::string key_;
};

/// Which members of a room get a message. The same in every protocol.
class Recipients {
 public:
  /// See the functions of the same names.
  enum class Kind : std::uint8_t { all, except, only };

  /// All members.
  static Recipients all() { return {Kind::all, {}}; }
  /// All members but these. Ids of sessions that are not in the room are ignored.
  static Recipients except(std::vector<SessionId> ids) { return {Kind::except, std::move(ids)}; }
  /// These members. Ids of sessions that are not in the room are ignored.
  static Recipients only(std::vector<SessionId> ids) { return {Kind::only, std::move(ids)}; }

  /// What was chosen.
  Kind kind() const noexcept { return kind_; }
  /// Of `except` and `only`; otherwise empty.
  const std::vector<SessionId>& ids() const noexcept { return ids_; }

 private:
  Recipients(Kind kind, std::vector<SessionId> ids) : kind_(kind), ids_(std::move(ids)) {}
  Kind kind_;
  std::vector<SessionId> ids_;
};

/// A shared item of a room or of the public space.
struct SharedItem {
  SessionId connection_id;  ///< of the client that shared it; `server_connection_id` for the application's own
  /// Of clients `{type:"string", content}` or `{type:"file", fileId, fileName, mimeType, size}`; of the application any
  /// JSON.
  JsonText data;
  Offset offset = 0;  ///< in the room's log; increasing, with gaps
  /// For flux itself: keeps the item's file while the item exists.
  std::shared_ptr<const features::FileHold> file{};
  /// For flux itself: the item's number in the room's store; 0: it is not stored.
  std::uint64_t number = 0;
};

/// A member of a room, with its latest presence object.
struct Member {
  SessionId connection_id;  ///< the id of its session
  Identity identity;        ///< its identity when it joined
  JsonText presence;        ///< the object that it last set; `{}` if none
};

/// What is known of a room.
struct RoomInfo {
  RoomId id;                       ///< its name
  RoomMode mode = RoomMode::live;  ///< what it keeps of the data shared in it
  std::size_t capacity = 0;        ///< 0: unlimited, up to `Limits::room_members_max`
  std::size_t members = 0;         ///< how many there are
  Position position;               ///< of the newest message
};

/// Which permissions the clients of a room need. Each member names an operation, such as "write", that a client's grant
/// must allow on the room's id: `Grant::allows("write", id)`, see `permission_matches`. An empty one demands nothing.
/// They hold in every protocol, and for clients that the application itself lets join. A client that lacks a permission
/// gets FORBIDDEN, or UNAUTHORIZED if it is not logged in. If a client loses the permission to be in a room because its
/// grant changes (`Session::set_grant`, a new token), its membership ends.
///
///     flux::Demands{.join = "read", .events = "write", .chat = "write", .share = "write"}
struct Demands {
  std::string join{};      ///< to join the room and to remain in it
  std::string events{};    ///< to send events to it
  std::string presence{};  ///< to set a presence; with the request to join, one other than `{}`
  std::string chat{};      ///< to send, edit and delete chat messages
  std::string share{};     ///< to share data in it, and to get tickets for uploads to it
  /// To get what was sent before: its chat history and its items. A client without this permission may join, if it has
  /// that for `join`, and finds neither.
  std::string history{};
  friend bool operator==(const Demands&, const Demands&) = default;
};

/// The options of a new room.
struct RoomOptions {
  RoomMode mode = RoomMode::live;  ///< what it keeps of the data shared in it
  /// Members, or users if `Config::capacity_counts_users` is set. 0: unlimited, up to `Limits::room_members_max`.
  std::size_t capacity = 0;
  /// Keeps the room when it has no members, until `close_room`.
  bool permanent = false;
  /// Which permissions its clients need; none: `RoomsOptions::demands`. A room store keeps them with the room.
  std::optional<Demands> demands{};
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/types.ipp>
#endif
