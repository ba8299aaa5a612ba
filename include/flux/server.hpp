// The server, which an application creates, configures and calls.
#pragma once

#include <flux/config.hpp>
#include <flux/events.hpp>
#include <flux/http.hpp>
#include <flux/session.hpp>
#include <flux/stats.hpp>
#include <flux/storage/revocation_store.hpp>
#include <flux/timer.hpp>
#include <flux/types.hpp>
#include <flux/websocket.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

namespace detail {
class ServerState;
struct ServerAccess;
}  // namespace detail

/// A real-time server: rooms, presence, events and chat over WebSocket and HTTP on one port.
///
///     flux::Server server({.listen = {{"127.0.0.1", 8080}}});
///     server.on_chat([](flux::ChatDraft& chat) { if (chat.message.empty()) chat.refuse("say something"); });
///     server.run();
///
/// Set handlers and routes before the start; afterwards these functions throw `Error` (already_running). A setter of one
/// handler, and `route`, throw bad_config if it is empty.
/// Threading: every method may be called from any thread, including from handlers, and none blocks on I/O except `run`
/// and `stop`, which wait. On an event loop, a method may call its `done` before it returns, and a method of a handle
/// may call handlers (`socketio::Socket::disconnect` those of `on_disconnect`): hold no mutex that they take.
class Server {
 public:
  /// Checks the configuration; listens on nothing yet: addresses, TLS files and `Limits::operations` are checked by the
  /// start. Errors: throws `Error` (bad_config) that names the wrong setting.
  explicit Server(const Config& config = {}) : Server(config, detail::link_mode()) {}
  /// Stops at once and returns when the server has stopped. When called inside a handler, or a callback made by one of
  /// the server's loops, it only begins to stop and logs a warning: the server stops after the handler returns. Until
  /// then the handlers, and what they captured, stay alive and may be called because sessions end, so they must not use
  /// the object. Handles (`Session`, `WebSocket`, `HttpExchange`, `Io` and the like) may outlive the server and the
  /// application's io_context: what they are asked to send is dropped.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // --- Life ---

  /// Starts the server and returns when it has been stopped. The calling thread runs the first event loop.
  /// Errors: throws `Error` (address_unavailable, tls_failed, already_running; store_failed if a store can't be read;
  /// bad_config for what only the start can check, if the system has no more threads, and if a route is authenticated and
  /// there is no `flux::Auth`, and neither `on_connect` nor `on_token` was called). The start can then be repeated.
  void run();
  /// Starts the server on threads of its own and returns once it listens on every address. Errors: as for `run`.
  void start();
  /// Stops the server: accepts nothing more, closes every session with 1001 and, after `grace` at most, its connection;
  /// then finishes pending store calls, whose callbacks may come on a store's thread. Returns when that is done; from
  /// a handler or callback it only begins. Does nothing if the server is not running. It may be started again.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds(5));
  /// Returns when the server has been stopped; at once if it is not running, or from a handler or callback, which would
  /// wait for itself.
  void wait() const;
  /// Whether the server has been started and not been stopped.
  bool running() const;
  /// The port of the `index`th address of `Config::listen` while the server is running, otherwise 0.
  std::uint16_t port(std::size_t index = 0) const;
  /// Where clients on this machine reach the server, to be printed at the start: a URL for each address of
  /// `Config::listen`, in that order, such as "http://127.0.0.1:8080", "https://[::1]:8443" with TLS, and
  /// "http://localhost:8080" for "0.0.0.0" and "::", which stand for all networks. Empty unless the server is running.
  std::vector<std::string> urls() const;
  /// Reads the certificate and key again; new connections use them. Errors: tls_failed; the old ones stay in use.
  Outcome<void> reload_certificates();
  /// Takes over a connection that the application accepted: a native socket, and the bytes already read from it,
  /// beginning with the request line, or, if the server has TLS (`AdoptOptions::tls`), with the handshake. Takes ownership of the socket, which may be a blocking one. `flux/asio.hpp` has the
  /// form for Asio sockets. A request that is not an upgrade is answered, and the connection closed, unless `options` keep
  /// it. Errors: stopped, and the socket is closed without an answer; invalid_argument if it is not an open socket, or not
  /// one of TCP, which is closed.
  Outcome<void> adopt(std::intptr_t native_socket, std::string bytes_read, AdoptOptions options = {});

  // --- Handlers ---

  /// Decides who may connect, over every protocol; see `ConnectRequest`.
  void on_connect(ConnectHandler handler);
  /// Verifies the tokens of `join_room`, and of handshakes if no connect handler is set.
  void on_token(TokenVerifier verifier);
  /// Called when a session has disconnected, after it has left its rooms.
  void on_disconnect(DisconnectHandler handler);
  /// Called before a session joins a room, when nothing else prevents it; may refuse.
  void on_join(JoinHandler handler);
  /// Called when a session has become a member of a room, and `room_joined` is on its way: what the handler sends to it
  /// arrives after that. Not called when a member joins again.
  void on_joined(JoinedHandler handler);
  /// Called before a client creates a room, by a request or by joining; may refuse or change its options. Not called for
  /// the application's own `create_room`.
  void on_create_room(CreateRoomHandler handler);
  /// Called when a session has left a room, by itself, by disconnecting or because the room has ended.
  void on_leave(LeaveHandler handler);
  /// Called before an event of a session is sent to its room; may refuse, change or consume it.
  void on_event(EventHandler handler);
  /// Called before a chat message of a session is stored and sent; may refuse or change it.
  void on_chat(ChatHandler handler);
  /// Called before a session edits a chat message; may refuse or change it, and let others edit than its author.
  void on_chat_edit(ChatEditHandler handler);
  /// Called before a session deletes a chat message; may refuse, and let others delete it than its author.
  void on_chat_delete(ChatDeleteHandler handler);
  /// Called before data of a session is shared in a room or the public space; may refuse or change it.
  void on_share(ShareHandler handler);
  /// Called when a client removes the newest item of the public space, over any protocol; not for the server's own
  /// `public_delete_last`. Without a handler every client may remove it.
  void on_public_delete(PublicDeleteHandler handler);
  /// Called before a session's presence changes in a room; may refuse or change it. Not called for the presence that it
  /// joins with, which `on_join` gets.
  void on_presence(PresenceHandler handler);
  /// Called for every file operation of a client over HTTP (`Config::files`), except for signed links.
  void on_file(FileHandler handler);
  /// Called once for every file that a client has uploaded, over any protocol, when it is complete and durable and before
  /// the client gets its answer; see `StoredFile`.
  void on_file_stored(StoredFileHandler handler);
  /// Answers the calls that clients make of `method`, over protocol live and data sharing; a second handler for the same
  /// method replaces the first. A client that calls a method without a handler gets the error INVALID_MESSAGE, which
  /// names the method.
  /// Errors: also bad_config for a method whose name is not UTF-8 of 1 to Limits::event_name_bytes_max bytes, and for a
  /// permission that is not "operation:name".
  void on_call(std::string_view method, CallHandler handler, const CallOptions& options = {});

  // --- HTTP ---

  /// Answers requests of `method` whose path matches `pattern`: `{name}` matches one segment, as in "/files/{id}", and
  /// `*name` the rest of the path, as in "/static/*rest". A literal segment wins over `{}`, and `{}` over `*`.
  /// Errors: throws `Error`: bad_config if the pattern is invalid or taken, also by a WebSocket endpoint, or a standard
  /// method is not in capitals; already_running.
  void route(std::string_view method, std::string_view pattern, HttpHandler handler, RouteOptions options = {});
  /// Serves the files of `folder` under `prefix`, with types, ETags and ranges; never dot files or anything outside the
  /// folder.
  /// Errors: throws `Error`: bad_config if the folder does not exist or the prefix is taken, already_running.
  void static_files(std::string_view prefix, std::string_view folder, StaticOptions options = {});
  /// Adds a raw WebSocket endpoint. `path` is matched exactly; the query is not part of it.
  /// Errors: throws `Error`: bad_config if the path does not begin with "/" or is taken, already_running.
  void websocket(std::string_view path, WebSocketEndpoint endpoint);

  // --- Rooms ---

  /// Creates a room. If it is kept (`Config::rooms`) and its store may block, the room is stored shortly afterwards: if
  /// the process ends before, the room does not exist after a restart. If storing it fails, an error is logged, and the
  /// room's next item or the next start tries again. May be called before the start; then a kept room of this id and
  /// mode is restored with these options, and one of another mode is replaced.
  /// Errors: room_exists, invalid_argument (the id), limit_exceeded (Limits::rooms_max); store_failed if a store that
  /// does not block fails. On an error there is no room.
  Outcome<void> create_room(const RoomId& room, const RoomOptions& options = {});
  /// As above; `done` is called when the room is stored: on an event loop, or before this returns if nothing blocks.
  /// Clients can already use the room before that. Rooms that clients create are answered in this way.
  /// Errors: the same, and for a kept room also store_failed, overloaded, stopped (the server must be running), and
  /// room_not_found if it was closed meanwhile. On an error there is no room, and clients that had joined it are told
  /// that it was closed.
  void create_room(const RoomId& room, const RoomOptions& options, std::function<void(Result<void>)> done);
  /// Ends the room: its members get `room_closed`, leave it, and stay connected. The room is removed from its store
  /// (`Config::rooms`) shortly afterwards, or, if the server is not running, when it starts again or is destroyed. If
  /// the process ends before that, the room is restored at the next start.
  /// Bytes of `reason` that are not UTF-8 become U+FFFD. Errors: room_not_found.
  Outcome<void> close_room(const RoomId& room, std::string_view reason = {});
  /// Puts a client in a room, which must exist. `on_join` is not asked, `on_joined` is called. The client gets the same
  /// `room_joined` as if it had asked, but no ack; in data sharing `room:joined`. `presence`: an object; none: what the
  /// client has set in that room, otherwise `{}`. A client that may be in one room only leaves its other room, as when it
  /// joins by itself. `done`, if given, is called on an event loop, or before this returns.
  /// Errors: session_not_found, also if the client disconnects meanwhile; forbidden or unauthorized if its grant lacks what
  /// the room demands (`Demands::join`); room_not_found; room_full; limit_exceeded (`Limits::rooms_per_connection`,
  /// `SharingOptions::rooms_per_client_max`); invalid_argument and message_too_large (the presence); overloaded if 200
  /// joins of the client wait for the chat store.
  void join(const SessionId& session, const RoomId& room, std::optional<JsonText> presence = {},
            std::function<void(Result<void>)> done = {});
  /// Removes a client from a room. It gets `room_left` with the reason (data sharing: `room:left`), the other members are
  /// told that it has left, and `on_leave` is called. It stays connected, and may join again unless `on_join` refuses.
  /// Bytes of `reason` that are not UTF-8 become U+FFFD. `done`: as for `join`.
  /// Errors: session_not_found; room_not_found; not_in_room.
  void leave(const SessionId& session, const RoomId& room, std::string_view reason = {},
             std::function<void(Result<void>)> done = {});
  /// Removes a user from a room: calls `leave` for each of the user's clients that are in it. Returns how many those are.
  /// A client that joins meanwhile is not removed; it is up to `on_join` to refuse the user from now on. `revoke_user` bans
  /// a user from the server.
  std::size_t leave_user(std::string_view user_id, const RoomId& room, std::string_view reason = {});
  /// `join` and then `leave`, in one step: a client that can't join `to` stays in `from`, and `from` does not count
  /// against its rooms. It gets `room_left` with the reason, then `room_joined`. Its presence in `to` is the one that it
  /// had in `from`. `done`: as for `join`.
  /// Errors: those of `join`; not_in_room, room_not_found for `from`; invalid_argument if both are the same.
  void move(const SessionId& session, const RoomId& from, const RoomId& to, std::string_view reason = {},
            std::function<void(Result<void>)> done = {});
  /// All rooms, in no particular order. Cost: O(rooms).
  std::vector<RoomInfo> rooms() const;
  /// What is known of one room; none if it does not exist.
  std::optional<RoomInfo> room(const RoomId& room) const;
  /// The members of the room, in the order of joining; empty if the room does not exist.
  std::vector<Member> presence(const RoomId& room) const;
  /// What the application has stored with the room; null if nothing. Clients never get it. Handlers of several clients may
  /// run at the same time: a handler that reads the value, changes it and sets it needs a lock of its own.
  /// Errors: room_not_found.
  Result<JsonText> room_data(const RoomId& room) const;
  /// Stores a value of the application's own with the room; null removes it. It replaces the previous one, is gone when
  /// the room ends, and is not kept in the room store.
  /// Errors: room_not_found; message_too_large above `Limits::application_data_bytes_max`.
  Outcome<void> set_room_data(const RoomId& room, JsonText data);

  /// Sends `event` with `payload` to every member of the room, as `server_connection_id`. `delivery`: what happens to
  /// members that read too slowly.
  /// Ordering: calls from one thread to one room keep their order for every member.
  /// Errors: room_not_found; invalid_argument (the event's name, the delivery's key); message_too_large above
  /// Limits::message_bytes_max; overloaded if Limits::fanout_bytes_max is reached: the caller is faster than the event
  /// loops send.
  /// Cost: one encoding per wire protocol present, then one send per member.
  Outcome<Position> broadcast(const RoomId& room, std::string_view event, const JsonText& payload,
                              const Delivery& delivery = Delivery::all());
  /// The same for some of the members. Its order with other messages of the room is kept. Errors: also overloaded if too
  /// many exceptions are pending.
  /// Cost: as above, plus a look-up for each member, and for each member of the list an entry that is pending with the
  /// message.
  Outcome<Position> broadcast(const RoomId& room, std::string_view event, const JsonText& payload,
                              const Recipients& recipients, const Delivery& delivery = Delivery::all());
  /// Shares `data`, any JSON, in the room according to its mode, as `server_connection_id`. In mode singleton it is the
  /// present state of the room: members get it as `room_data`, clients that join later as `data` of `room_joined`. `done`,
  /// if given, is called with the item's position once it is stored and sent: on an event loop, or before this returns if
  /// nothing blocks. May be called before the start, unless the room is kept.
  /// Ordering: calls from one thread to one room keep their order.
  /// Errors: room_not_found; message_too_large above Limits::message_bytes_max; overloaded as for `broadcast`. For a
  /// kept room (`Config::rooms`) also store_failed, overloaded and stopped; then no member gets the item.
  void share(const RoomId& room, const JsonText& data, std::function<void(Result<Position>)> done = {});
  /// The items that the room keeps, oldest first. Errors: room_not_found.
  Result<std::vector<SharedItem>> room_items(const RoomId& room) const;

  /// Stores a message and sends it to the room's members, as `server_connection_id`. The room need not exist. NUL, and
  /// bytes that are not UTF-8, become U+FFFD. `done`, if given, is called with the stored message, or with store_failed,
  /// overloaded, message_too_large, invalid_argument (the room's id) or stopped: on an event loop, or before this returns
  /// if the store does not block.
  void send_chat(const RoomId& room, std::string_view message, std::optional<JsonText> metadata = {},
                 std::function<void(Result<ChatMessage>)> done = {});
  /// The same for a message with further members, such as its author:
  ///
  ///     server.send_chat("lobby", {.message = "I'm on my way", .user_id = "anna"});
  ///
  /// Errors: invalid_argument also for a user, session or id that is not UTF-8, contains a control character or has
  /// more than 1,024 bytes.
  void send_chat(const RoomId& room, const ChatPost& post, std::function<void(Result<ChatMessage>)> done = {});
  /// Edits the chat message with this offset and sends it to the room's members. Without metadata, that of the message
  /// stays. `done` is called as for `send_chat`. Errors: besides those, chat_message_not_found; forbidden if the store
  /// can't edit (`ChatStore::can_edit`).
  void edit_chat(const RoomId& room, Offset offset, std::string_view message, std::optional<JsonText> metadata = {},
                 std::function<void(Result<ChatMessage>)> done = {});
  /// Deletes the chat message with this offset, and tells the room's members. In histories it keeps its place, with
  /// `ChatMessage::deleted_at` and without text. `done` and errors: as for `edit_chat`.
  void delete_chat(const RoomId& room, Offset offset, std::function<void(Result<ChatMessage>)> done = {});
  /// Passes the newest `limit` messages before `before` (0: the end), oldest first, to `done`, called as for
  /// `send_chat`.
  void chat_history(const RoomId& room, std::size_t limit, Offset before,
                    std::function<void(Result<std::vector<ChatMessage>>)> done);

  // --- The public space ---

  /// Appends `data`, removes the oldest items beyond `Limits::public_history_items_max`, and notifies watching clients:
  /// with the list, at most `Limits::public_list_bytes_per_second`, or with the change. `done` is called as for
  /// `share`.
  /// Errors: message_too_large above Limits::message_bytes_max; with `Config::rooms` also store_failed, overloaded and
  /// stopped; then nothing has changed.
  void public_share(const JsonText& data, std::function<void(Result<Position>)> done = {});
  /// The kept items, oldest first.
  std::vector<SharedItem> public_items() const;
  /// Removes the newest item. `done` is called as for `share`; false: there was none. Errors: with `Config::rooms`
  /// store_failed, overloaded and stopped; then nothing has changed.
  void public_delete_last(std::function<void(Result<bool>)> done = {});

  // --- Files ---

  /// Shares a complete file in the room according to its mode, as `server_connection_id`. `done`, if given, is called
  /// on an event loop, or before this returns if the stores of files and rooms do not block.
  /// Errors: file_not_found, room_not_found, overloaded, stopped, store_failed; forbidden without a file store.
  void share_file(const RoomId& room, const FileId& file, std::function<void(Result<Position>)> done = {});
  /// The same for the public space.
  void public_share_file(const FileId& file, std::function<void(Result<Position>)> done = {});
  /// Stores a file of the application's own, such as a report, or one in a user's name. `done`, if given, is called when
  /// the file is complete and durable: on an event loop, or before this returns. The file is then like one that a client
  /// has uploaded: `share_file` and `file_link` make it available, and if nothing shares it within
  /// `FilesOptions::unshared_expires`, it is deleted. `on_file` and `on_file_stored` are not called. A file that fails
  /// leaves nothing behind. The server must be running.
  ///
  ///     server.store_file({.bytes = csv, .name = "scores.csv", .media_type = "text/csv"}, [&](const auto& stored) {
  ///       if (stored) server.share_file("quiz", stored->id);
  ///     });
  ///
  /// The bytes are in memory until they are stored, in pieces of 4 MiB.
  /// Errors: file_too_large above `FilesOptions::file_bytes_max`; quota_exceeded if the store has no space left for the
  /// owner; invalid_argument (the name, the type, the owner); overloaded, stopped, store_failed; forbidden without a file
  /// store.
  void store_file(NewFile file, std::function<void(Result<FileInfo>)> done = {});
  /// A link that downloads the file without further checks for `valid_for` (until the server ends, if
  /// `FilesOptions::link_key` is empty), 1 s to 100 years: a path with a query, to be
  /// appended to the address at which clients reach the server, including a prefix that a proxy strips:
  /// "https://example.com/rt" + link. `file_name`: the name that the client saves it under, at most
  /// `file_name_bytes_max`, repaired if it is not UTF-8; empty: the uploader's name.
  /// Errors: invalid_argument (the id, the time, the name); forbidden without a file store or in a build without TLS.
  Result<std::string> file_link(const FileId& file, std::chrono::seconds valid_for,
                                std::string_view file_name = {}) const;
  /// Looks up a complete file. `done` is called as for `share_file`. Errors: file_not_found, also if it is not complete or
  /// deleted; overloaded, stopped, store_failed; forbidden without a file store.
  void file(const FileId& file, std::function<void(Result<FileInfo>)> done) const;
  /// Lists the complete files of the store, of one owner or of all, in pages: `files({.owner = "ann"}, done)`. `done` is
  /// called as for `share_file`. Errors: invalid_argument if `FileQuery::after` is not from a page; overloaded, stopped,
  /// store_failed; forbidden without a file store.
  void files(FileQuery query, std::function<void(Result<FilesPage>)> done);
  /// The files that the room keeps (`room_items`), each once, oldest item first, as they were when they were shared.
  /// Errors: room_not_found.
  Result<std::vector<FileInfo>> room_files(const RoomId& room) const;
  /// Removes now, from disk, the files that were overwritten, dropped or deleted, or whose rooms have ended; the server
  /// itself does so every `FilesOptions::cleanup_interval`. `done` is called as for `share_file`. Errors: overloaded,
  /// stopped, store_failed; forbidden without a file store.
  void cleanup_deleted_files(std::function<void(Result<FileCleanup>)> done = {});

  // --- Sessions ---

  /// One page of the connected clients of every protocol: live, data sharing, Engine.IO, Socket.IO and raw WebSocket
  /// endpoints, with counts of their messages.
  /// `limit`: the most clients of the page; less than 1 counts as 1, more than 10,000 as 10,000.
  /// `after`: what the previous page returned as `after`; empty: from the beginning.
  /// A client that stays connected is in exactly one page, one that connects meanwhile may be in none. A client of data
  /// sharing is not listed as a client of Socket.IO, too.
  /// `Session::rooms` has the rooms, `Stats` the counts of all clients.
  /// Cost: O(clients / 16) a page.
  ClientsPage clients(std::size_t limit, std::string_view after = {}) const;
  /// The connected clients of protocol live and of data sharing (`socketio::serve_sharing`). Cost: O(sessions); the
  /// functions below look up by key.
  std::vector<Session> sessions() const;
  /// The session with this id (`Session::id`), or of the data sharing client whose `socket.id` this is; none if there is no
  /// such client. `socketio::socket_of` is the way back.
  std::optional<Session> session(std::string_view id) const;
  /// The sessions whose identity has this user id.
  std::vector<Session> sessions_of_user(std::string_view user_id) const;
  /// Calls `Session::send` for each session of the user; returns the number of sessions that it was sent to.
  std::size_t send_to_user(std::string_view user_id, std::string_view event, const JsonText& payload);
  /// Disconnects a client of any protocol. `id`: as `clients` lists it, or the `socket.id` of a data sharing client.
  /// Clients of Engine.IO, Socket.IO and data sharing get neither the code nor the reason. Errors: session_not_found.
  Outcome<void> disconnect(const SessionId& id, CloseCode code, std::string_view reason = {});
  /// Closes every session of the user; returns their number.
  std::size_t disconnect_user(std::string_view user_id, CloseCode code, std::string_view reason = {});

  /// Withdraws the user's grants. When the call returns, no message of the user's clients is acted on any more, over any
  /// protocol, and their rooms send them nothing more, not even what was sent in the same turn; their upload tickets are
  /// invalid. Soon after that all leave their rooms, then all are disconnected, with 4401 and the reason if the protocol has
  /// close codes. Returns the number of clients. Whether the user may connect again is up to the handlers. A client that a
  /// handler has not yet answered is not affected. `leave` removes one client from one room.
  /// Cost: O(clients of the user) for the call. Many clients are ended in portions, so that the other clients of their
  /// loops are served in between.
  std::size_t revoke_user(std::string_view user_id, std::string_view reason = "access was revoked");
  /// The same for one client of any protocol; `id` as for `disconnect`. It may come back with the same token, which
  /// `revoke_credential` prevents. Errors: session_not_found.
  Outcome<void> revoke(const SessionId& id, std::string_view reason = "access was revoked");

  /// Revokes the user until this time: its clients are disconnected as above, and until then the gate refuses every grant
  /// for it with `unauthorized` and the reason, whatever a handler answers: at handshakes, at refreshes, for files, and for
  /// questions that are pending now. This is how to ban a user. `Grant::TimePoint::max()`: until `allow_user`. A later call
  /// for the same user replaces the time and the reason; a time that has passed only disconnects. The reason is cut to
  /// `Revocation::reason_bytes_max`; NUL, and bytes that are not UTF-8, become U+FFFD.
  /// `done` is called on a loop when `Config::revocations.store` holds it, or at once if there is no store. An error says
  /// that a restart now would lose it; the server tries again every ten seconds, and after a start.
  /// Returns the number of clients. Errors: invalid_argument (see `Revocation`), then nothing is done; limit_exceeded
  /// (`RevocationsOptions::count_max`), then clients are disconnected, but may connect again.
  Outcome<std::size_t> revoke_user(std::string_view user_id, Grant::TimePoint until,
                                   std::string_view reason = "access was revoked",
                                   std::function<void(Result<void>)> done = {});
  /// The same for the clients whose grant has this `Grant::credential`: those of one token or key. `until`: when the token
  /// ends; nobody can show it after that.
  Outcome<std::size_t> revoke_credential(std::string_view credential, Grant::TimePoint until,
                                         std::string_view reason = "access was revoked",
                                         std::function<void(Result<void>)> done = {});
  /// Takes back the revocation of a user; clients may connect again. Returns whether there was one. `done`: as above, when
  /// the store no longer holds it.
  bool allow_user(std::string_view user_id, std::function<void(Result<void>)> done = {});
  /// The same for a credential.
  bool allow_credential(std::string_view credential, std::function<void(Result<void>)> done = {});
  /// The revocations that are in force, in the order of their ends.
  std::vector<Revocation> revocations() const;

  // --- Time ---

  /// Calls `call` once, after `delay`, on the server's first event loop. Time is that of `Config::clock`.
  /// May be called before the start: then `delay` counts from the start. When the server stops, calls that have not begun
  /// are dropped; none comes after `stop` has returned, and none is repeated if the server is started again.
  /// The call must not block. An exception is logged and counted in `Stats::handler_errors`.
  /// An empty `call` is an error, which is logged and counted in `Stats::calls_failed`; nothing is scheduled.
  Timer call_after(std::chrono::milliseconds delay, std::function<void()> call);
  /// The same, again and again: for the first time after `period`, at least 1 ms, until it is cancelled or the server
  /// stops. Calls do not drift; those that are missed, because the loop was busy or the machine slept, are left out.
  Timer call_every(std::chrono::milliseconds period, std::function<void()> call);

  // --- Statistics ---

  /// Counts of the whole server. Cost: O(threads).
  Stats stats() const;

 private:
  friend struct detail::ServerAccess;
  Server(const Config& config, bool link_mode);
  std::shared_ptr<detail::ServerState> state_;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/server.ipp>
#endif
