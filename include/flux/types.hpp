// Types that every part of flux shares: rooms, positions, identities, messages.
#pragma once

#include <flux/json.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace flux::features {
class FileHold;
}

namespace flux {

/// 1 to `Limits::room_id_bytes_max` bytes of valid UTF-8 without control characters.
using RoomId = std::string;
/// 13 characters, chosen by the server, unique for the server's lifetime. Protocol live calls it `connectionId`.
using SessionId = std::string;
/// Counts the messages of one room from 1; 0 means "before the first" or "none".
using Offset = std::uint64_t;

/// The `connectionId` of messages that the application itself sends.
inline constexpr const char* server_connection_id = "server";

/// A position in a room's log. Offsets of different epochs can't be compared: a room that has ended and is created
/// again gets a new epoch.
struct Position {
  std::string epoch;
  Offset offset = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

/// What a room keeps of the data shared in it (protocols/socketio.md, "Data sharing").
enum class RoomMode : std::uint8_t {
  live,       ///< nothing
  singleton,  ///< the newest item
  history,    ///< every item, up to `Limits::room_history_items_max` and `room_history_bytes_max`
};
std::string_view to_string(RoomMode mode) noexcept;

/// Who a user is. Empty members are unknown. `verified`: the application vouched for the identity (its connect handler
/// or token verifier returned it); otherwise the client only claims it.
struct Identity {
  std::string user_id{};
  std::string name{};
  std::string email{};
  std::string provider{};
  bool verified = false;
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// The type of a WebSocket message.
enum class MessageType : std::uint8_t { text, binary };

/// A chat message as it is stored.
struct ChatMessage {
  std::string id;  ///< chosen by the server, unique
  RoomId room;
  SessionId connection_id;      ///< of the sender; `server_connection_id` for the application's own
  std::string user_id;          ///< empty: unknown
  std::string message;          ///< valid UTF-8 without NUL
  std::string metadata;         ///< JSON text as received; empty: none
  std::int64_t created_at = 0;  ///< milliseconds since 1970
  Offset offset = 0;            ///< assigned by the store, from 1 without gaps in each room
  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

/// A shared item of a room or of the public space.
struct SharedItem {
  SessionId connection_id;
  JsonText data;  ///< `{type:"string", content}` or `{type:"file", fileId, fileName, mimeType, size}`
  Offset offset = 0;
  /// For flux itself: keeps the item's file while the item exists.
  std::shared_ptr<const features::FileHold> file{};
  /// For flux itself: the item's number in the room's store; 0: it is not stored.
  std::uint64_t number = 0;
};

/// A member of a room, with its latest presence object.
struct Member {
  SessionId connection_id;
  Identity identity;
  JsonText presence;
};

struct RoomInfo {
  RoomId id;
  RoomMode mode = RoomMode::live;
  std::size_t capacity = 0;  ///< 0: only `Limits::room_members_max` applies
  std::size_t members = 0;
  Position position;
};

/// The options of a new room.
struct RoomOptions {
  RoomMode mode = RoomMode::live;
  std::size_t capacity = 0;  ///< members; 0: `Limits::room_members_max`
  /// Keeps the room when it has no members, until `close_room`.
  bool permanent = false;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/types.ipp>
#endif
