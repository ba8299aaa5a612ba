// Data sharing for socket.io-client: a public space and private rooms for text and files, on the namespace "/". The rooms
// are those of the whole server: clients of protocol live may be in them too.
//
//     flux::Server server;
//     flux::socketio::Io io(server);
//     flux::socketio::serve_sharing(server, io);
//     server.run();
//
// In the lists below `?` marks what may be left out. The shapes are:
// - TransferData: `{type: "string", content}`; `{type: "file", content: bytes, fileName, mimeType?}`; or
//   `{type: "file", fileId}` for a file that was uploaded over HTTP.
// - StoredData: the string object as it was sent, `{type: "file", fileId, fileName, mimeType, size}`, or any JSON of the
//   application's.
// - Entry, a member of a room: `{connectionId, userId?, name?, email?, provider?, presence}`.
// - Stored, a chat message: `{id, roomId, connectionId, userId?, message, metadata?, createdAt, offset, editedAt?,
//   deletedAt?}`, as in flux/live.hpp; times in milliseconds since 1970.
//
// What clients send. Each event may ask for an acknowledgment, `{success, message}` with the further members given here:
// - `public:upload TransferData`: appends to the public space.
// - `public:deleteLast`: removes its newest item, whichever client shared it; `Server::on_public_delete` may refuse.
// - `public:items {limit?, before?}`: `data: [StoredData]`.
// - `public:uploadTicket`: a ticket as from `room:uploadTicket`, for the public space.
// - `room:create {roomId, capacity, mode}`: `roomId`. The mode is "live", "singleton" or "history". Where the room is kept
//   (`Config::rooms`), it is acknowledged once it is stored.
// - `room:join roomId`: `data?`, which is StoredData (mode singleton) or `[StoredData]` (mode history); `serverTime`, the
//   server's clock in milliseconds since 1970; `welcome?`, what the application tells this client (`JoinRequest::welcome`).
// - `room:leave roomId`
// - `room:close {roomId, reason?}`: only for the client that created the room.
// - `room:upload {roomId, data: TransferData}`
// - `room:history roomId, {limit?, before?}`: `data: [StoredData]`, in rooms of mode history.
// - `room:list {limit?, after?}`: `rooms: [{roomId, mode, capacity, members}]` in the order of their ids, after the id
//   `after`; and `total`. Only with `SharingOptions::room_list`.
// - `room:members {roomId, limit?, after?}`, or `room:members roomId`: `members: [Entry]`, and the client's own
//   `connectionId`.
// - `room:event {roomId, event, payload?}`: sent to the others in the room. Or the application consumes it
//   (`EventMessage::consume`): then nobody else hears of it; `result?`, the application's reply.
// - `room:chat {roomId, message, metadata?, messageId?}`: `id`, `createdAt` and `offset`. Sent to all in the room. If
//   the application holds it for now, `id` and `held: true`.
//   `messageId`: the client's own id of the message, with which it may send it again; see `live::request::send_chat`.
// - `room:editChat {roomId, offset, message, metadata?}`: `editedAt`. Edits a chat message of this offset; without
//   metadata, that of the message stays. Who may: see `live::request::edit_chat`.
// - `room:deleteChat {roomId, offset}`: `deletedAt`. Deletes a chat message.
// - `room:chatHistory {roomId, limit?, before?}`: `messages: [Stored]`.
// - `room:presence {roomId, presence}`: replaces the client's presence object.
// - `room:uploadTicket roomId`: `ticket`, and `expires` in milliseconds since 1970. It proves over HTTP that an upload is
//   this client's, see `FilesOptions`.
// - `refresh {accessToken}`: `expiresAt` in milliseconds since 1970, unless the grant never expires. Replaces the client's
//   grant by that of a new token; on an error the present one stays.
// - `call method, payload?`: `result`. Calls a method of the application (`Server::on_call`).
//
// An acknowledgment with a list has at most `Limits::answer_bytes_max` bytes; an entry that alone is longer is sent alone.
// Lists of data and of chat have the newest entries. `more: true` says that entries are missing, because they did not fit
// or were not requested; the next request continues with the acknowledgment's `before` or `after`. `limit` is 1 to 1000; by
// default rooms and chat have 100 entries, other lists as many as fit. An event that exceeds `Limits::messages_per_second`
// or its rate in `Limits::operations` is not acted on, and acknowledged with an error and `retryAfter` in milliseconds.
//
// What the server sends:
// - `public:history [StoredData]`: when the client connects, and after changes; several quick ones are sent as one list, at
//   most `Limits::public_list_bytes_per_second`, and to a slow reader when it has drained. The newest items that fit
//   `Limits::answer_bytes_max`; `public:items` has the others.
// - `room:data StoredData, roomId`
// - `room:event {roomId, connectionId, userId?, event, payload?}`
// - `room:chat Stored`; `room:chatEdited Stored` and `room:chatDeleted Stored` when a message was edited or deleted
// - `room:presence {roomId, joined?: [Entry], left?: [connectionId], updated?: [Entry]}`
// - `room:joined {roomId, mode, serverTime, data?}`: the application put the client in the room (`Server::join`,
//   `Server::move`). Data and time are those of `room:join`; with `more` and `before` if the data is incomplete.
// - `room:left {roomId, reason?}`: the application removed the client from the room (`Server::leave`, `Server::move`), or
//   its grant no longer allows what the room demands (`Demands::join`).
// - `room:closed {roomId, reason?}`
// - `access_expiring {expiresAt}`: the client's grant expires then, unless it sends `refresh` (`Config::expiry_notice`).
#pragma once

#include <flux/session.hpp>
#include <flux/socketio.hpp>
#include <flux/types.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>

namespace flux::socketio {

/// Options of data sharing.
struct SharingOptions {
  bool room_list = false;                           ///< whether clients may list the rooms
  std::size_t rooms_per_client_max = 100;           ///< that one client may be in; at least 1
  std::size_t uploads_per_client_max = 10;          ///< files in messages that are being stored; 0: none
  std::uint64_t uploads_bytes_max = 1'073'741'824;  ///< of those files, of all clients: they are in memory. 0: none
};

/// Serves data sharing on the namespace "/" of `io`, which is an endpoint of `server`. Call it once for each `Io`, before
/// the start. Its clients are sessions of the server, like those of protocol live, with the grant of their socket: handlers
/// are asked about them, and `Server`'s functions reach them. `Session::send` emits the event with the payload and, if there
/// is one, the room; `Session::close` and `Server::disconnect` end the whole connection. An event that the application
/// handles itself (`Socket::on`) is not handled here. Unknown events are acknowledged with an error.
///
/// A file in a message is shared when it is stored: what its client shares in the meantime is sent first. It needs
/// `Config::files` and is bounded by its `file_bytes_max`, after the bounds of the endpoint: `Options::payload_bytes_max`
/// and `packet_limits.attachment_bytes_max`. The share handler is asked when the file is stored; if it refuses, the file
/// is deleted.
///
/// After connection state recovery a client is in no room. Clients of a server with recovery take the second argument of
/// `room:data` for an offset, and a client that received one is not recovered: use different `Io`s for rooms and for
/// recovery.
/// Errors: throws `Error`: bad_config, also for an `io` of another server and for a second call for one;
/// already_running.
void serve_sharing(Server& server, Io& io, SharingOptions options = {});

/// The socket of a client of data sharing, also after it has disconnected; none for a session of another protocol. The ids
/// differ: `Session::id` is the `connectionId` that other members see, `Socket::id` the `socket.id` of the client.
/// `Server::session` finds the session by either. Threading: any thread.
std::optional<Socket> socket_of(const Session& session);

}  // namespace flux::socketio

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/sharing/sharing.ipp>
#endif
