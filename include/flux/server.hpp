// The server.
#pragma once

#include <flux/config.hpp>
#include <flux/events.hpp>
#include <flux/http.hpp>
#include <flux/session.hpp>
#include <flux/stats.hpp>
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
/// Threading: every method may be called from any thread, including from handlers, and none blocks on I/O except `run`
/// and `stop`, which wait. Set handlers and routes before the start.
class Server {
 public:
  /// Errors: throws `Error` (bad_config) that names the wrong setting.
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
  /// Errors: throws `Error` (address_unavailable, tls_failed, already_running).
  void run();
  /// Starts the server on threads of its own and returns once it listens on every address. Errors: as for `run`.
  void start();
  /// Stops the server: accepts nothing more, closes every session with 1001 and, after `grace` at most, its connection;
  /// then finishes pending store calls, whose callbacks may come on a store's thread. Returns when that is done; from
  /// a handler or callback it only begins. Does nothing if the server is not running. It may be started again.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds(5));
  bool running() const;
  /// The port of the `index`th address of `Config::listen` while the server is running, otherwise 0.
  std::uint16_t port(std::size_t index = 0) const;
  /// Reads the certificate and key again; new connections use them. Errors: tls_failed; the old ones stay in use.
  Result<void> reload_certificates();
  /// Takes over a connection that the application accepted: a native socket, and the bytes already read from it,
  /// beginning with the request line. Takes ownership of the socket. `flux/asio.hpp` has the form for Asio sockets.
  /// Errors: stopped, and the socket is closed; invalid_argument if it is not an open socket.
  Result<void> adopt(std::intptr_t native_socket, std::string bytes_read);

  // --- Handlers: set before the start. Errors: throw `Error` (already_running) ---

  void on_connect(ConnectHandler handler);
  /// Verifies the tokens of `join_room`, and of handshakes if no connect handler is set.
  void on_token(TokenVerifier verifier);
  void on_disconnect(DisconnectHandler handler);
  void on_join(JoinHandler handler);
  void on_leave(LeaveHandler handler);
  void on_event(EventHandler handler);
  void on_chat(ChatHandler handler);
  void on_share(ShareHandler handler);
  /// Called when a client removes the newest item of the public space, over any protocol; not for the server's own
  /// `public_delete_last`. Without a handler every client may remove it.
  void on_public_delete(PublicDeleteHandler handler);
  void on_presence(PresenceHandler handler);
  /// Called for every file operation of a client over HTTP (`Config::files`), except for signed links.
  void on_file(FileHandler handler);
  /// Answers the calls that clients make of `method`, over protocol live and data sharing; a second handler for the same
  /// method replaces the first. A client that calls a method without a handler gets the error INVALID_MESSAGE, which
  /// names the method.
  /// Errors: also bad_config for a method whose name is not UTF-8 of 1 to Limits::event_name_bytes_max bytes.
  void on_call(std::string_view method, CallHandler handler);

  // --- Routes: set before the start. Patterns: "/files/{id}", "/static/*rest". Literals win over {}, {} over * ---

  /// Errors: throws `Error`: bad_config if the pattern is invalid or taken, already_running.
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
  Result<void> create_room(const RoomId& room, RoomOptions options = {});
  /// The same; `done` is called when the room is stored: on an event loop, or before this returns if nothing blocks.
  /// Clients can already use the room before that. Rooms that clients create are answered in this way.
  /// Errors: the same, and for a kept room also store_failed, overloaded, stopped (the server must be running), and
  /// room_not_found if it was closed meanwhile. On an error there is no room, and clients that had joined it are told
  /// that it was closed.
  void create_room(const RoomId& room, RoomOptions options, std::function<void(Result<void>)> done);
  /// Ends the room: its members get `room_closed`, leave it, and stay connected. The room is removed from its store
  /// (`Config::rooms`) shortly afterwards, or, if the server is not running, when it starts again or is destroyed. If
  /// the process ends before that, the room is restored at the next start.
  /// Bytes of `reason` that are not UTF-8 become U+FFFD. Errors: room_not_found.
  Result<void> close_room(const RoomId& room, std::string_view reason = {});
  /// In no particular order. Cost: O(rooms).
  std::vector<RoomInfo> rooms() const;
  std::optional<RoomInfo> room(const RoomId& room) const;
  /// The members of the room, in the order of joining; empty if the room does not exist.
  std::vector<Member> presence(const RoomId& room) const;

  /// Sends `event` with `payload` to every member of the room, as `server_connection_id`.
  /// Ordering: calls from one thread to one room keep their order for every member.
  /// Errors: room_not_found; invalid_argument (the event's name); message_too_large above Limits::message_bytes_max;
  /// overloaded if Limits::fanout_bytes_max is reached: the caller is faster than the event loops send.
  /// Cost: one encoding per wire protocol present, then one send per member.
  Result<Position> broadcast(const RoomId& room, std::string_view event, const JsonText& payload);
  /// Shares `data` in the room according to its mode, as `server_connection_id`. `done`, if given, is called with the
  /// item's position once it is stored and sent: on an event loop, or before this returns if nothing blocks.
  /// Ordering: calls from one thread to one room keep their order.
  /// Errors: room_not_found; message_too_large above Limits::message_bytes_max; overloaded as for `broadcast`. For a
  /// kept room (`Config::rooms`) also store_failed, overloaded and stopped; then no member gets the item.
  void share(const RoomId& room, const JsonText& data, std::function<void(Result<Position>)> done = {});
  /// The items that the room keeps, oldest first. Errors: room_not_found.
  Result<std::vector<SharedItem>> room_items(const RoomId& room) const;

  /// Stores a message and sends it to the room's members, as `server_connection_id`. The room need not exist. `done`,
  /// if given, is called with the stored message, or with store_failed, overloaded, invalid_argument or stopped: on an
  /// event loop, or before this returns if the store does not block.
  void send_chat(const RoomId& room, std::string_view message, std::optional<JsonText> metadata = {},
                 std::function<void(Result<ChatMessage>)> done = {});
  /// Passes the newest `limit` messages before `before` (0: the end), oldest first, to `done`, called as for
  /// `send_chat`.
  void chat_history(const RoomId& room, std::size_t limit, Offset before,
                    std::function<void(Result<std::vector<ChatMessage>>)> done);

  // --- The public space: one list that every client shares ---

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

  // --- Files: `Config::files` ---

  /// Shares a complete file in the room according to its mode, as `server_connection_id`. `done`, if given, is called
  /// on an event loop, or before this returns if the stores of files and rooms do not block.
  /// Errors: file_not_found, room_not_found, overloaded, stopped, store_failed; forbidden without a file store.
  void share_file(const RoomId& room, const FileId& file, std::function<void(Result<Position>)> done = {});
  /// The same for the public space.
  void public_share_file(const FileId& file, std::function<void(Result<Position>)> done = {});
  /// A link that downloads the file without further checks for `valid_for`, which is at most 100 years: a path with a
  /// query, to be appended to the address at which clients reach the server, including a prefix that a proxy strips:
  /// "https://example.com/rt" + link. `file_name`: the name that the client saves it under, at most
  /// `file_name_bytes_max`, repaired if it is not UTF-8; empty: the uploader's name.
  /// Errors: invalid_argument (the id, the time, the name); forbidden without a file store or in a build without TLS.
  Result<std::string> file_link(const FileId& file, std::chrono::seconds valid_for,
                                std::string_view file_name = {}) const;
  /// Removes now, from disk, the files that were overwritten, dropped or deleted, or whose rooms have ended; the server
  /// itself does so every `FilesOptions::cleanup_interval`. `done` is called as for `share_file`. Errors: overloaded,
  /// stopped, store_failed; forbidden without a file store.
  void cleanup_deleted_files(std::function<void(Result<FileCleanup>)> done = {});

  // --- Sessions ---

  /// The connected clients of protocol live and of data sharing (`socketio::serve_sharing`). Cost: O(sessions); the
  /// functions below look up by key.
  std::vector<Session> sessions() const;
  std::optional<Session> session(const SessionId& id) const;
  std::vector<Session> sessions_of_user(std::string_view user_id) const;
  /// Calls `Session::send` for each session of the user; returns the number of sessions that it was sent to.
  std::size_t send_to_user(std::string_view user_id, std::string_view event, const JsonText& payload);
  /// Closes the session. Errors: session_not_found.
  Result<void> disconnect(const SessionId& id, CloseCode code, std::string_view reason = {});
  /// Closes every session of the user; returns their number.
  std::size_t disconnect_user(std::string_view user_id, CloseCode code, std::string_view reason = {});

  /// Takes back what was granted: every client of the user, whatever it speaks, leaves its rooms and is disconnected, with
  /// 4401 and the reason where the protocol tells them. Its tickets for uploads end with it. Returns how many there were.
  /// Clients that are let in later are a matter of the handlers; one whose answer is pending is not yet the user's.
  std::size_t revoke_user(std::string_view user_id, std::string_view reason = "access was revoked");
  /// The same for one session. Errors: session_not_found.
  Result<void> revoke(const SessionId& id, std::string_view reason = "access was revoked");

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
