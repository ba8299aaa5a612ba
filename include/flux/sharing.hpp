// Data sharing for socket.io-client: a public space and private rooms for text and files, on the namespace "/". Rooms
// are those of the whole server: clients of protocol live are in them, too.
//
//     flux::Server server;
//     flux::socketio::Io io(server);
//     flux::socketio::serve_sharing(server, io);
//     server.run();
//
// Client to server; each may ask for an acknowledgment, `{success, message, …}`, also of what comes faster than
// `Limits::messages_per_second`, which is not acted on:
//   public:upload TransferData         appends to the public space
//   public:deleteLast                  removes its newest item, whoever shared it (Server::on_public_delete may refuse)
//   room:create {roomId, capacity, mode: "live" | "singleton" | "history"}     acknowledged with roomId, too:
//                                      where the room is kept (`Config::rooms`), when its store has it
//   public:items {limit?, before?}     acknowledged with data: the array
//   room:join roomId                   acknowledged with data, too: the item (singleton), the array (history)
//   room:history roomId, {limit?, before?}        the same; of mode history
//   room:upload {roomId, data: TransferData}
//   room:leave roomId
//   room:close {roomId, reason?}       by the connection that has created it
//   room:list {limit?, after?}         acknowledged with rooms: [{roomId, mode, capacity, members}], in the order of
//                                      their ids, behind the id `after`; and with total
//   room:members {roomId, limit?, after?}, or roomId
//                                      acknowledged with members: [Entry], and connectionId: one's own
//   room:event {roomId, event, payload?}          to the others
//   room:chat {roomId, message, metadata?}        acknowledged with id, createdAt, offset
//   room:chatHistory {roomId, limit?, before?}    acknowledged with messages: [Stored]
//   room:presence {roomId, presence}
//   room:uploadTicket roomId           acknowledged with ticket, and expires in milliseconds since 1970: it shows over
//                                      HTTP that an upload is this client's, see `FilesOptions`
//   public:uploadTicket                the same, for the public space
//   call method, payload?              calls a method of the application's (Server::on_call); acknowledged with its result
// An acknowledgment with a list has at most `Limits::answer_bytes_max` bytes; an entry that alone is longer comes alone.
// Of arrays of data and of chat the newest come. What did not fit, or was not asked for, is told by more: true; the next
// request goes on with the acknowledgment's before or after. limit is 1 to 1000; without it rooms and chat come by the
// hundred.
// Server to client:
//   public:history [StoredData]        at first, and after each change; after several quick ones once, with the list of
//                                      then: at most Limits::public_list_bytes_per_second, and to a slow reader when it
//                                      has caught up. The newest that fit Limits::answer_bytes_max: public:items has all
//   room:data StoredData, roomId
//   room:event {roomId, connectionId, userId?, event, payload?}
//   room:chat Stored
//   room:presence {roomId, joined?: [Entry], left?: [connectionId], updated?: [Entry]}
//   room:closed {roomId, reason?}
// TransferData is {type: "string", content}, {type: "file", content: bytes, fileName, mimeType?} or {type: "file",
// fileId} for a file that was put up over HTTP. StoredData is the string object as it came, or {type: "file", fileId,
// fileName, mimeType, size}. Entry and Stored are those of protocol live.
#pragma once

#include <flux/socketio.hpp>
#include <flux/types.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>

namespace flux::socketio {

struct SharingOptions {
  bool room_list = false;  ///< whether clients may ask which rooms there are
  std::size_t rooms_per_client_max = 100;
  std::size_t uploads_per_client_max = 10;          ///< files in messages that are on their way into the store
  std::uint64_t uploads_bytes_max = 1'073'741'824;  ///< of all of those, of all clients: they are in memory
  /// Who a client is: asked once, when the middlewares have let it in. One with a user id counts as verified. None:
  /// nobody is known.
  std::function<Identity(const Socket&)> identity{};
};

/// Serves data sharing on the namespace "/" of `io`, which is an endpoint of `server`. Once for each `Io`, before the
/// start. Its clients are sessions of the server, as those of protocol live are: its handlers are asked about them, and
/// its methods reach them. `Session::send` emits the event with the payload, and the room where one is given;
/// `Session::close` and `Server::disconnect` end the whole connection. Events that the application handles itself
/// (`Socket::on`) are its own. What nobody knows is acknowledged with an error.
///
/// A file is shared when it is stored: what its client shares meanwhile goes before it.
/// Files in messages need `Config::files`, and are bounded by its `file_bytes_max` after they have got through the
/// bounds of the endpoint: `Options::payload_bytes_max` and `packet_limits.attachment_bytes_max`. A share handler is
/// asked when the file is in the store; where it refuses, the file is deleted.
///
/// After connection state recovery a client is in no room. The second argument of `room:data` looks like an offset to
/// clients of a server that recovers, so that who gets any is not recovered: rooms and recovery are for different
/// `Io`s.
/// Errors: throws `Error`: bad_config, also for an `io` of another server and at a second call for one;
/// already_running.
void serve_sharing(Server& server, Io& io, SharingOptions options = {});

}  // namespace flux::socketio

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/sharing/sharing.ipp>
#endif
