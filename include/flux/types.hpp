// The words that every part of flux shares: rooms, positions, identities, messages.
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
/// 13 characters, made by the server, unique for its life. Protocol live calls it `connectionId`.
using SessionId = std::string;
/// Counts the messages of one room from 1; 0 means "before the first" or "none".
using Offset = std::uint64_t;

/// The `connectionId` of what the application itself sends.
inline constexpr const char* server_connection_id = "server";

/// Where a room's log stands. Offsets of different epochs have nothing to do with one another: a room that ended and
/// was made again has a new epoch.
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

/// Who somebody is. Empty members are unknown. `verified` tells an identity that the application vouched for (its
/// connect handler or token verifier gave it) from one that the client only claims.
struct Identity {
  std::string user_id{};
  std::string name{};
  std::string email{};
  std::string provider{};
  bool verified = false;
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// Of a WebSocket message.
enum class MessageType : std::uint8_t { text, binary };

/// A chat message as it is stored.
struct ChatMessage {
  std::string id;  ///< made by the server, unique
  RoomId room;
  SessionId connection_id;      ///< of the sender; `server_connection_id` for the application's own
  std::string user_id;          ///< empty: unknown
  std::string message;          ///< valid UTF-8 without NUL
  std::string metadata;         ///< JSON text as it came; empty: none
  std::int64_t created_at = 0;  ///< milliseconds since 1970
  Offset offset = 0;            ///< given by the store, from 1 without gaps in each room
  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

/// A shared item of a room or of the public space.
struct SharedItem {
  SessionId connection_id;
  JsonText data;  ///< `{type:"string", content}` or `{type:"file", fileId, fileName, mimeType, size}`
  Offset offset = 0;
  /// For flux itself: while an item has it, its file is kept.
  std::shared_ptr<const features::FileHold> file{};
  /// For flux itself: its place in the room's store; 0: it is in none.
  std::uint64_t number = 0;
};

/// Who is in a room, with the presence object it set last.
struct Member {
  SessionId connection_id;
  Identity identity;
  JsonText presence;
};

struct RoomInfo {
  RoomId id;
  RoomMode mode = RoomMode::live;
  std::size_t capacity = 0;  ///< 0: no limit but `Limits::room_members_max`
  std::size_t members = 0;
  Position position;
};

/// How a room is made.
struct RoomOptions {
  RoomMode mode = RoomMode::live;
  std::size_t capacity = 0;  ///< members; 0: `Limits::room_members_max`
  /// Keeps the room without members, until `close_room`.
  bool permanent = false;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/types.ipp>
#endif
