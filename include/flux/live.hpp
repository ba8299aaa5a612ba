// Protocol live: rooms, presence, events and chat as JSON over a plain WebSocket. The names of its messages and
// members, for writing a client, a test or a proxy.
//
// Every message is one text frame with `{"type": …, "payload": {…}}`; a client may also send it in a binary frame. A
// client message may have an `"id"`, a string or a number. It is answered by an `ack` or an `error` with that id, even
// if the message is not valid JSON after the id. Members without a value are left out. Half of a surrogate pair
// (`"\ud83d"`), which JavaScript leaves when it cuts a string, becomes U+FFFD in payload, presence, metadata, data,
// message and name; in a member that names something it is refused.
//
// An answer that holds a list has at most `Limits::answer_bytes_max` bytes; an entry that alone is longer is sent
// alone. `more: true` says that entries are missing, because they did not fit or were not requested; the next request
// continues with the answer's `before` or `after`.
#pragma once

#include <flux/types.hpp>

#include <string_view>

namespace flux::live {

/// Client to server.
namespace request {
/// `{roomId, presence?, accessToken?, name?, email?}`: joins the room, and creates it if it does not exist.
inline constexpr std::string_view join_room = "join_room";
/// `{roomId?}`
inline constexpr std::string_view leave_room = "leave_room";
/// `{presence, roomId?}`: replaces the presence object.
inline constexpr std::string_view update_presence = "update_presence";
/// `{event, payload?, roomId?}`: sent to all others in the room.
inline constexpr std::string_view broadcast_event = "broadcast_event";
/// `{message, metadata?, roomId?}`: stored, then sent to all in the room.
inline constexpr std::string_view send_chat = "send_chat";
// Requests of flux's own.
/// `{method, payload?}`: calls a method of the application's (`Server::on_call`); the ack's payload is its result.
inline constexpr std::string_view call = "call";
/// `{roomId, mode: "live" | "singleton" | "history", capacity?}`: creates a room without joining it; ack `{roomId}`,
/// for a kept room (`Config::rooms`) once it is stored.
inline constexpr std::string_view create_room = "create_room";
/// `{data, roomId?}`: data is `{type: "string", content}`; ack `{offset}`.
inline constexpr std::string_view share = "share";
/// `{limit?, before?, roomId?}`: chat of the room, the newest `limit` (1 to 1000, default 100) below offset `before`,
/// oldest first; ack `{roomId, messages: [Stored…], more?, before?}`.
inline constexpr std::string_view get_history = "get_history";
/// `{limit?, after?, roomId?}`: members of the room in the order of joining, at most `limit` (1 to 1000); ack `{roomId,
/// members: [Entry…], more?, after?}`.
inline constexpr std::string_view get_presence = "get_presence";
/// `{limit?, before?, roomId?}`: items of the room, the newest `limit` (1 to 1000) below offset `before`, oldest first;
/// ack `{roomId, items: [{connectionId, data, offset}…], more?, before?}`.
inline constexpr std::string_view room_items = "room_items";
/// `{roomId?}`: a ticket that proves over HTTP that an upload is this connection's, see `FilesOptions`; ack `{ticket,
/// expires}`, in milliseconds since 1970.
inline constexpr std::string_view upload_ticket = "upload_ticket";
/// `{data}`: shares in the public space; ack `{offset}`.
inline constexpr std::string_view public_share = "public_share";
/// `{limit?, before?, changes?}`: the newest `limit` (1 to 1000) items below offset `before`, oldest first; ack
/// `{items: [{connectionId, data, offset}…], more?, before?}`. From then on the client gets a `public_history` after
/// changes or, with `changes: true`, a `public_item` or `public_removed` for each change.
inline constexpr std::string_view public_history = "public_history";
/// `{}`: removes the newest item of the public space, whichever client shared it; ack `{deleted}`. The application may
/// refuse (`Server::on_public_delete`).
inline constexpr std::string_view public_delete_last = "public_delete_last";
/// `{}`: as `upload_ticket`, for an upload that is shared in the public space, or in a room that must not hear of it.
inline constexpr std::string_view public_upload_ticket = "public_upload_ticket";
}  // namespace request

/// Server to client.
namespace reply {
/// `{roomId, connectionId, presence: {connectionId: Entry…}, chatHistory: [Stored…], mode, position: {epoch, offset},
/// data?}`; `data`: the item of a singleton room, or the array of a history room, as `{connectionId, data, offset}`. If
/// the chat store fails or takes too long, `chatHistory` is empty and `chatHistoryError: {code, message}` says so. If
/// not everything fits: `more`, and for each list that was cut, where to continue: `presenceAfter` (get_presence),
/// `chatBefore` (get_history), `dataBefore` (room_items).
inline constexpr std::string_view room_joined = "room_joined";
/// `{roomId, joined?: [Entry…], left?: [connectionId…], updated?: [Entry…]}`
inline constexpr std::string_view presence_updated = "presence_updated";
/// `{roomId, connectionId, userId?, event, payload?}`
inline constexpr std::string_view broadcast_event = "broadcast_event";
/// Stored: `{roomId, connectionId, userId?, message, metadata?, id, createdAt}`, and flux's own `offset`.
inline constexpr std::string_view chat_message = "chat_message";
/// `{code, message}`
inline constexpr std::string_view error = "error";
// Replies of flux's own.
/// `{type: "ack", id, payload?}`
inline constexpr std::string_view ack = "ack";
/// `{roomId, connectionId, data, offset}`: shared data. In mode live it is sent to the others, otherwise to all
/// members.
inline constexpr std::string_view room_data = "room_data";
/// `{roomId, reason?}`: the application ended the room.
inline constexpr std::string_view room_closed = "room_closed";
/// `{items: [{connectionId, data, offset}…], more?, before?}`: the newest items of the public space after a change,
/// sent to clients that have requested the list once. Several quick changes are sent as one list, the latest: at most
/// `Limits::public_list_bytes_per_second`, and to a slow reader when it has drained.
inline constexpr std::string_view public_history = "public_history";
/// `{item: {connectionId, data, offset}, offset}`: an item was shared in the public space; sent to clients that
/// requested changes.
inline constexpr std::string_view public_item = "public_item";
/// `{offset}`: that item was deleted, or removed as the oldest one; sent to clients that requested changes.
inline constexpr std::string_view public_removed = "public_removed";
}  // namespace reply

}  // namespace flux::live
