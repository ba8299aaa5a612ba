// Data sharing between Socket.IO and types: requests in the arguments of events, what rooms and the public space say as
// events. No I/O. Source: protocols/socketio.md, "Data sharing".
#pragma once

#include <flux/config.hpp>
#include <flux/detail/endpoints/socketio/socketio_codec.hpp>
#include <flux/detail/features/room_view.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux::protocol {

// --- Reading ---

enum class SharingType : std::uint8_t {
  public_upload,
  public_delete_last,
  room_create,
  room_join,
  room_history,
  room_upload,
  // Ours
  room_leave,
  room_close,
  room_list,
  room_members,
  room_event,
  room_chat,
  room_chat_history,
  room_presence,
  public_items,
  room_upload_ticket,
  public_upload_ticket,
  call,
};

struct SharingTypeName {
  std::string_view name;
  SharingType type;
};

/// Every event of data sharing that a client may send, the frequent ones first.
inline constexpr SharingTypeName sharing_types[] = {
    {"room:upload", SharingType::room_upload},
    {"room:event", SharingType::room_event},
    {"room:chat", SharingType::room_chat},
    {"room:presence", SharingType::room_presence},
    {"public:upload", SharingType::public_upload},
    {"public:deleteLast", SharingType::public_delete_last},
    {"room:join", SharingType::room_join},
    {"room:create", SharingType::room_create},
    {"room:history", SharingType::room_history},
    {"room:leave", SharingType::room_leave},
    {"room:close", SharingType::room_close},
    {"room:list", SharingType::room_list},
    {"room:members", SharingType::room_members},
    {"room:chatHistory", SharingType::room_chat_history},
    {"public:items", SharingType::public_items},
    {"room:uploadTicket", SharingType::room_upload_ticket},
    {"public:uploadTicket", SharingType::public_upload_ticket},
    {"call", SharingType::call},
};

/// What the event of this name asks for; none: it is no event of data sharing.
std::optional<SharingType> sharing_type(std::string_view event) noexcept;

/// What is shared: a string, a file in the message, or one that was put up before.
struct TransferData {
  JsonText string;    ///< the whole object, as it came; where it is no file
  FileId file_id;     ///< of a file that was put up before
  SharedBytes bytes;  ///< of a file in the message; else null
  std::string file_name;
  std::string media_type;
};

/// What a client asks for. Members that its type does not need are left as they are.
struct SharingRequest {
  SharingType type{};
  RoomId room;  ///< any string: whether it may name a room is for the rooms to say
  RoomOptions options;
  TransferData data;
  std::string event;
  std::string method;
  std::string message;
  std::string reason;
  std::optional<JsonText> payload;
  std::optional<JsonText> metadata;
  JsonText presence;      ///< an object
  std::size_t limit = 0;  ///< 1 to 1000, or `features::no_limit`
  Offset before = 0;
  std::uint64_t after = 0;  ///< among the members of a room
  RoomId after_room;        ///< among the rooms
};

/// `mimeType` of a file in a message.
inline constexpr std::size_t media_type_bytes_max = 255;
inline constexpr std::string_view media_type_unknown = "application/octet-stream";

/// Errors: invalid_message, naming the member, what it holds and what would be right; message_too_large for a member
/// over its limit. The size of a file is not looked at.
Result<SharingRequest> read_sharing_request(SharingType type, std::span<const SocketIoValue> arguments,
                                            const Limits& limits);

// --- Writing ---

/// Appends events as whole WebSocket frames, or as packets for a polling payload. No event has bytes, so the frames
/// serve clients that take no binary ones, too.
/// Threading: any thread.
class SharingWriter final : public features::RoomView, public features::PublicView {
 public:
  enum class Form : std::uint8_t { websocket, polling };
  explicit SharingWriter(Form form) : form_(form) {}

  void event(std::string& out, const features::EventNotice& notice) const override;
  void chat(std::string& out, const ChatMessage& stored) const override;
  void data(std::string& out, std::string_view room, const SharedItem& item) const override;
  void presence(std::string& out, const features::PresenceNotice& notice) const override;
  void closed(std::string& out, std::string_view room, std::string_view reason) const override;
  void public_history(std::string& out, const features::ItemsView& items) const override;

 private:
  void put(std::string& out, std::string_view event, std::span<const SocketIoValue> arguments) const;
  void put(std::string& out, std::string_view event, std::string payload) const;

  const Form form_;
};

/// The object of an acknowledgment: `{success, message, …}`.
class SharingAnswer {
 public:
  SharingAnswer(bool success, std::string_view message);
  SharingAnswer& string(std::string_view name, std::string_view value);
  SharingAnswer& json(std::string_view name, std::string_view text);
  /// There is more, and the next request goes on with this; 0: there is none.
  SharingAnswer& more_before(Offset before);
  /// The same; `after`: JSON text.
  SharingAnswer& more_after(std::string_view after);
  JsonText take();

 private:
  std::string text_;
};

/// StoredData of each item, as an array.
std::string sharing_items(const std::vector<SharedItem>& items);
std::string sharing_items(const features::ItemsView& items);
/// How long a room is in `sharing_rooms`, at most.
std::size_t sharing_room_bytes(const RoomInfo& room) noexcept;
/// `{roomId, mode, capacity, members}` of each.
std::string sharing_rooms(std::span<const RoomInfo> rooms);
/// An Entry of protocol live for each.
std::string sharing_members(const std::vector<Member>& members);
/// Stored, of protocol live, of each.
std::string sharing_chat(const std::vector<ChatMessage>& messages);

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/sharing/sharing_codec.ipp>
#endif
