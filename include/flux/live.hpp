// Protocol live: rooms, presence, events and chat as JSON over a plain WebSocket. The names of its messages and
// members, for writing a client, a test or a proxy.
//
// Every message is one text frame with `{"type": …, "payload": {…}}`; a client may also send it in a binary frame. A
// client message may have an `"id"`, a string or a number. It is answered by an `ack` or an `error` with that id, even
// if the message is not valid JSON after the id. Members without a value are left out. A lone surrogate (`"\ud83d"`),
// which JavaScript leaves when it cuts a string, becomes U+FFFD in payload, presence, metadata, data, message and name;
// in a member that names something it is refused.
//
// The shapes, where `?` marks what may be missing:
// - Entry, a member of a room: `{connectionId, userId?, name?, email?, provider?, presence}`; `presence` is an object.
// - Stored, a chat message: `{id, roomId, connectionId, userId?, message, metadata?, createdAt, offset, editedAt?,
//   deletedAt?}`; times in milliseconds since 1970. `editedAt`: when its text was last edited. A message with
//   `deletedAt` is deleted: it stays in its place in lists, with an empty text and without metadata.
// - Item, shared data: `{connectionId, data, offset}`; `data` is `{type: "string", content}`, `{type: "file", fileId,
//   fileName, mimeType, size}`, or any JSON of the application's.
//
// An answer that holds a list has at most `Limits::answer_bytes_max` bytes; an entry that alone is longer is sent
// alone. `more: true` says that entries are missing, because they did not fit or were not requested; the next request
// continues with the answer's `before` or `after`.
#pragma once

#include <flux/types.hpp>

#include <string_view>

namespace flux::live {

/// Messages of clients.
namespace request {
/// `{roomId, presence?, accessToken?, name?, email?}`: joins the room, and creates it if it does not exist. FORBIDDEN for
/// an `accessToken` if the server has no token verifier. One that is refused is answered UNAUTHORIZED or FORBIDDEN, one
/// that was not verified in time OVERLOADED; then the client does not join.
inline constexpr std::string_view join_room = "join_room";
/// `{accessToken}`: shows a new token, whose grant replaces the present one; `refreshed` answers it. A client that is
/// known as a user stays that user. On an error the present grant stays.
inline constexpr std::string_view refresh = "refresh";
/// `{roomId?}`: leaves the room. Without `roomId` this and other requests mean the room that the client joined last.
inline constexpr std::string_view leave_room = "leave_room";
/// `{presence, roomId?}`: replaces the presence object.
inline constexpr std::string_view update_presence = "update_presence";
/// `{event, payload?, roomId?}`: sent to all others in the room. Or the application consumes it
/// (`EventMessage::consume`): then nobody else hears of it, and the ack may have a payload, the application's reply.
inline constexpr std::string_view broadcast_event = "broadcast_event";
/// `{message, metadata?, messageId?, roomId?}`: stored, then sent to all in the room; ack `{id, createdAt, offset}`.
/// If the application holds it for now (`ChatDraft::hold`), ack `{id, held: true}`; it may come later, with this id.
///
/// `messageId`: the client's own id of the message, 1 to 128 bytes without control characters. A client that does not know
/// whether its message was stored sends it again with the same id: if it was, the ack is that of the first time, the room
/// does not hear it again, and the first text stays. This holds as long as the store keeps the message, also after a
/// restart. A messageId is one user's in one room; other users may use the same. A client without a user is known by its
/// connection only: after it has reconnected its message is a new one. Stored has as `id` an id that contains the messageId
/// and the user or connection.
inline constexpr std::string_view send_chat = "send_chat";
/// `{offset, message, metadata?, roomId?}`: edits the chat message with this offset, which all in the room get as
/// `chat_edited`; without metadata, that of the message stays; ack `{id, offset, editedAt}`. The author may: the same user
/// or, for a message without a user, the same connection; the application may decide otherwise (`Server::on_chat_edit`).
/// FORBIDDEN also if the server's chat store can't edit.
inline constexpr std::string_view edit_chat = "edit_chat";
/// `{offset, roomId?}`: deletes the chat message with this offset, which all in the room get as `chat_deleted`; ack `{id,
/// offset, deletedAt}`. The same clients may (`Server::on_chat_delete`).
inline constexpr std::string_view delete_chat = "delete_chat";
/// `{method, payload?}`: calls a method of the application (`Server::on_call`); the ack's payload is its result.
inline constexpr std::string_view call = "call";
/// `{roomId, mode: "live" | "singleton" | "history", capacity?}`: creates a room without joining it; ack `{roomId}`,
/// for a kept room (`Config::rooms`) once it is stored.
inline constexpr std::string_view create_room = "create_room";
/// `{data, roomId?}`: data is `{type: "string", content}` or `{type: "file", fileId}`; ack `{offset}`.
inline constexpr std::string_view share = "share";
/// `{limit?, before?, roomId?}`: chat of the room, the newest `limit` (1 to 1000, default 100) below offset `before`,
/// oldest first; ack `{roomId, messages: [Stored…], more?, before?}`.
inline constexpr std::string_view get_history = "get_history";
/// `{limit?, after?, roomId?}`: members of the room in the order of joining, at most `limit` (1 to 1000); ack `{roomId,
/// members: [Entry…], more?, after?}`.
inline constexpr std::string_view get_presence = "get_presence";
/// `{limit?, before?, roomId?}`: items of the room, the newest `limit` (1 to 1000) below offset `before`, oldest first;
/// ack `{roomId, items: [Item…], more?, before?}`.
inline constexpr std::string_view room_items = "room_items";
/// `{roomId?}`: a ticket that proves over HTTP that an upload is this connection's, see `FilesOptions`; ack `{ticket,
/// expires}`, in milliseconds since 1970.
inline constexpr std::string_view upload_ticket = "upload_ticket";
/// `{data}`: shares in the public space; ack `{offset}`.
inline constexpr std::string_view public_share = "public_share";
/// `{limit?, before?, changes?}`: the newest `limit` (1 to 1000) items below offset `before`, oldest first; ack
/// `{items: [Item…], more?, before?}`. From then on the client gets a `public_history` after
/// changes or, with `changes: true`, a `public_item` or `public_removed` for each change.
inline constexpr std::string_view public_history = "public_history";
/// `{}`: removes the newest item of the public space, whichever client shared it; ack `{deleted}`. The application may
/// refuse (`Server::on_public_delete`).
inline constexpr std::string_view public_delete_last = "public_delete_last";
/// `{}`: as `upload_ticket`, for an upload that is shared in the public space, or in a room that must not be told of
/// it.
inline constexpr std::string_view public_upload_ticket = "public_upload_ticket";
}  // namespace request

/// Messages of the server.
namespace reply {
/// `{roomId, connectionId, presence: {connectionId: Entry…}, chatHistory: [Stored…], mode, position: {epoch, offset},
/// serverTime, data?, welcome?}`; `data`: the Item of a singleton room, or the array `[Item…]` of a history room.
/// `serverTime`: what the server's clock said when it made this message, in milliseconds since 1970: by the difference a
/// page corrects times that the server names, such as the end of a countdown, independently of its own clock. `welcome`: what
/// the application tells this client (`JoinRequest::welcome`); not after `Server::join`, which asks no join handler. If
/// the chat store fails or takes too long, or the client may not have the history (`Demands::history`), `chatHistory` is
/// empty and `chatHistoryError: {code, message}` says so; in the last case there is no other data either. If
/// not everything fits: `more`, and for each list that was cut, where to continue: `presenceAfter` (get_presence),
/// `chatBefore` (get_history), `dataBefore` (room_items).
/// Also sent to a client that the application puts in a room (`Server::join`, `Server::move`).
inline constexpr std::string_view room_joined = "room_joined";
/// `{roomId, joined?: [Entry…], left?: [connectionId…], updated?: [Entry…]}`
inline constexpr std::string_view presence_updated = "presence_updated";
/// `{roomId, connectionId, userId?, event, payload?}`
inline constexpr std::string_view broadcast_event = "broadcast_event";
/// Stored: a chat message that has been stored.
inline constexpr std::string_view chat_message = "chat_message";
/// Stored: a message whose text or metadata was edited.
inline constexpr std::string_view chat_edited = "chat_edited";
/// Stored: a message that was deleted.
inline constexpr std::string_view chat_deleted = "chat_deleted";
/// `{code, message, retryAfter?}`; `retryAfter`: of RATE_LIMITED, in milliseconds.
inline constexpr std::string_view error = "error";
/// `{type: "ack", id, payload?}`
inline constexpr std::string_view ack = "ack";
/// `{roomId, connectionId, data, offset}`: shared data. In mode live it is sent to the others, otherwise to all
/// members.
inline constexpr std::string_view room_data = "room_data";
/// `{expiresAt?}`, with the request's `id`: the client's grant ends then, in milliseconds since 1970; without it, never.
inline constexpr std::string_view refreshed = "refreshed";
/// `{expiresAt}`: the client's grant ends then, unless it shows a new token (`refresh`, `join_room`); see
/// `Config::expiry_notice`.
inline constexpr std::string_view access_expiring = "access_expiring";
/// `{roomId, reason?}`: the application removed this client from the room (`Server::leave`, `Server::move`), or its grant
/// no longer allows what the room demands (`Demands::join`).
inline constexpr std::string_view room_left = "room_left";
/// `{roomId, reason?}`: the application ended the room.
inline constexpr std::string_view room_closed = "room_closed";
/// `{items: [Item…], more?, before?}`: the newest items of the public space after a change,
/// sent to clients that have requested the list once. Several quick changes are sent as one list, the latest: at most
/// `Limits::public_list_bytes_per_second`, and to a slow reader when it has drained.
inline constexpr std::string_view public_history = "public_history";
/// `{item: Item, offset}`: an item was shared in the public space; sent to clients that
/// requested changes.
inline constexpr std::string_view public_item = "public_item";
/// `{offset}`: that item was deleted, or removed as the oldest one; sent to clients that requested changes.
inline constexpr std::string_view public_removed = "public_removed";
}  // namespace reply

}  // namespace flux::live
