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
/// Threading: every method may be called from any thread, handlers included, and none blocks on I/O, but `run` and
/// `stop`, which wait. Handlers and routes are set before the start.
class Server {
 public:
  /// Errors: throws `Error` (bad_config) naming the setting that is wrong.
  explicit Server(const Config& config = {}) : Server(config, detail::link_mode()) {}
  /// Stops at once, and returns when all of it is done. Inside a handler, or a callback that one of the server's loops
  /// makes, it only begins: the server stops when the handler has returned, which is logged as a warning. Handlers that
  /// were set, and what they hold, live until then and may be called with the ends of sessions, so they must not use
  /// the object. Handles (`Session`, `WebSocket`, `HttpExchange`, `Io` and the like) may be kept and used longer, also
  /// than the application's io_context: what they are asked to send is dropped.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // --- Life ---

  /// Starts, and returns when the server has been stopped. The calling thread is the first event loop.
  /// Errors: throws `Error` (address_unavailable, tls_failed, already_running).
  void run();
  /// Starts on threads of its own and returns once every address is listened on. Errors as for `run`.
  void start();
  /// Stops: accepts nothing more, closes every session with 1001, lets what is queued go out, for at most `grace`; then
  /// ends what is left. Returns when all of it is done. From a handler it only begins, and does not wait. Does nothing
  /// where the server does not run. It may be started again.
  void stop(std::chrono::milliseconds grace = std::chrono::seconds(5));
  bool running() const;
  /// The port of the `index`th address of `Config::listen`, while running; else 0.
  std::uint16_t port(std::size_t index = 0) const;
  /// Reads certificate and key again; new connections use them. Errors: tls_failed; the old ones stay in use.
  Result<void> reload_certificates();
  /// Takes over a connection that the application accepted: a native socket, and what has been read from it, beginning
  /// with the request line. Owns the socket from here on. `flux/asio.hpp` has the form for Asio sockets.
  /// Errors: stopped, and the socket is closed; invalid_argument where it is no open socket.
  Result<void> adopt(std::intptr_t native_socket, std::string bytes_read);

  // --- Handlers: set before the start. Errors: throw `Error` (already_running) ---

  void on_connect(ConnectHandler handler);
  /// Verifies the tokens of `join_room`, and of handshakes where no connect handler is set.
  void on_token(TokenVerifier verifier);
  void on_disconnect(DisconnectHandler handler);
  void on_join(JoinHandler handler);
  void on_leave(LeaveHandler handler);
  void on_event(EventHandler handler);
  void on_chat(ChatHandler handler);
  void on_share(ShareHandler handler);
  /// Asked when a client removes the newest item of the public space, over any protocol; not about
  /// `public_delete_last` of the server's own. Without a handler every client may.
  void on_public_delete(PublicDeleteHandler handler);
  void on_presence(PresenceHandler handler);
  /// Asked about everything that clients do with files over HTTP (`Config::files`), but signed links.
  void on_file(FileHandler handler);

  // --- Routes: set before the start. Patterns: "/files/{id}", "/static/*rest". Literals win over {}, those over * ---

  /// Errors: throws `Error` (bad_config) for a bad pattern or one that is taken, already_running.
  void route(std::string_view method, std::string_view pattern, HttpHandler handler, RouteOptions options = {});
  /// Serves the files of `folder` under `prefix`: types, ETag, ranges; never what lies outside, nor dot files.
  /// Errors: throws `Error` (bad_config) where there is no such folder or the prefix is taken, already_running.
  void static_files(std::string_view prefix, std::string_view folder, StaticOptions options = {});
  /// A raw WebSocket endpoint. `path` is matched exactly; the query is not part of it.
  /// Errors: throws `Error` (bad_config) where the path does not begin with "/" or is taken, already_running.
  void websocket(std::string_view path, WebSocketEndpoint endpoint);

  // --- Rooms ---

  /// Makes a room. Where it is kept (`Config::rooms`) and its store may block, the store has it a little later: a
  /// process that ends before has not made it. Where that fails an error is logged, and its next item or the next start
  /// tries again. Before the start, too: then a room of this id and mode that was kept is had again, with these
  /// options; one of another mode is replaced.
  /// Errors: room_exists, invalid_argument (the id), limit_exceeded (Limits::rooms_max); where a store that does not
  /// block fails, store_failed. Then there is no room.
  Result<void> create_room(const RoomId& room, RoomOptions options = {});
  /// The same, and `done` is called when the store has the room: on an event loop, or before this returns where nothing
  /// blocks. Until then it is there for everybody already. Clients that make a room are answered like this.
  /// Errors: the same, and where the room is kept also store_failed, overloaded, stopped (the server must run), and
  /// room_not_found where it was closed meanwhile. Then there is no room, and who has joined it is told that it was
  /// closed.
  void create_room(const RoomId& room, RoomOptions options, std::function<void(Result<void>)> done);
  /// Ends the room: its members are told (`room_closed`), leave it, and stay connected. From its store
  /// (`Config::rooms`) it goes a little later; while the server does not run, when it starts again or is destroyed. A
  /// process that ends before has it again.
  /// What is not UTF-8 in `reason` becomes U+FFFD. Errors: room_not_found.
  Result<void> close_room(const RoomId& room, std::string_view reason = {});
  /// In no particular order. Cost: O(rooms).
  std::vector<RoomInfo> rooms() const;
  std::optional<RoomInfo> room(const RoomId& room) const;
  /// Who is in the room, in the order of joining; empty where there is no such room.
  std::vector<Member> presence(const RoomId& room) const;

  /// Sends `event` with `payload` to every member of the room, as `server_connection_id`.
  /// Ordering: calls from one thread to one room keep their order for every member.
  /// Errors: room_not_found; invalid_argument (the event's name); message_too_large above Limits::message_bytes_max;
  /// overloaded where Limits::fanout_bytes_max is reached: the caller is faster than the event loops send.
  /// Cost: one encoding per wire protocol present, then one send per member.
  Result<Position> broadcast(const RoomId& room, std::string_view event, const JsonText& payload);
  /// Shares `data` in the room, as its mode says, as `server_connection_id`. `done`, if given, is called with where it
  /// is in the room, when it is stored and sent: on an event loop, or before this returns where nothing blocks.
  /// Ordering: calls from one thread to one room keep their order.
  /// Errors: room_not_found; message_too_large above Limits::message_bytes_max; overloaded as for `broadcast`; where the
  /// room is kept
  /// (`Config::rooms`) also store_failed, overloaded and stopped, and nobody hears of the item.
  void share(const RoomId& room, const JsonText& data, std::function<void(Result<Position>)> done = {});
  /// What the room keeps, oldest first. Errors: room_not_found.
  Result<std::vector<SharedItem>> room_items(const RoomId& room) const;

  /// Stores a message and sends it to the room's members, as `server_connection_id`. The room need not exist.
  /// `done`, if given, is called with the stored message, or with store_failed, overloaded, invalid_argument or
  /// stopped: on an event loop, or before this returns where the store does not block.
  void send_chat(const RoomId& room, std::string_view message, std::optional<JsonText> metadata = {},
                 std::function<void(Result<ChatMessage>)> done = {});
  /// The newest `limit` messages before `before` (0: the end), oldest first, to `done`: where and when as `send_chat`.
  void chat_history(const RoomId& room, std::size_t limit, Offset before,
                    std::function<void(Result<std::vector<ChatMessage>>)> done);

  // --- The public space: one list that every client shares ---

  /// Appends `data`, forgets the oldest past `Limits::public_history_items_max`, and tells who watches: with the list, at
  /// most `Limits::public_list_bytes_per_second`, or with the change.
  /// `done` as for `share`. Errors: message_too_large above Limits::message_bytes_max; with `Config::rooms` also
  /// store_failed, overloaded and stopped, and nothing has changed.
  void public_share(const JsonText& data, std::function<void(Result<Position>)> done = {});
  /// Oldest first.
  std::vector<SharedItem> public_items() const;
  /// Removes the newest item. `done` is called as for `share`; false: there is none. Errors: with `Config::rooms`
  /// store_failed, overloaded and stopped, and nothing has changed.
  void public_delete_last(std::function<void(Result<bool>)> done = {});

  // --- Files: `Config::files` ---

  /// Shares a complete file in the room, as its mode says, as `server_connection_id`. `done`, if given, is called on an
  /// event loop, or before this returns where the stores of files and rooms do not block.
  /// Errors: file_not_found, room_not_found, overloaded, stopped, store_failed; forbidden without a file store.
  void share_file(const RoomId& room, const FileId& file, std::function<void(Result<Position>)> done = {});
  /// The same for the public space.
  void public_share_file(const FileId& file, std::function<void(Result<Position>)> done = {});
  /// A link to download the file without any further question, until `valid_for` is over, which is at most 100 years: a
  /// path with a query, to be put behind the address at which clients reach the server, with the prefix that a proxy
  /// strips, if it does: "https://example.com/rt" + link. `file_name`: what the client is to call it, at most
  /// `file_name_bytes_max`, repaired where it is not UTF-8; empty: as its uploader did.
  /// Errors: invalid_argument (the id, the time, the name); forbidden without a file store or in a build without TLS.
  Result<std::string> file_link(const FileId& file, std::chrono::seconds valid_for,
                                std::string_view file_name = {}) const;
  /// Removes from disk the files that were overwritten, dropped or deleted, or whose rooms have ended, now: the server
  /// does so every `FilesOptions::cleanup_interval`. `done` is called as for `share_file`. Errors: overloaded, stopped,
  /// store_failed; forbidden without a file store.
  void cleanup_deleted_files(std::function<void(Result<FileCleanup>)> done = {});

  // --- Sessions ---

  /// Clients of protocol live and of data sharing (`socketio::serve_sharing`) that are connected now. Cost:
  /// O(sessions), for this one; the others find by key.
  std::vector<Session> sessions() const;
  std::optional<Session> session(const SessionId& id) const;
  std::vector<Session> sessions_of_user(std::string_view user_id) const;
  /// `Session::send` to each session of the user; returns to how many of them it went.
  std::size_t send_to_user(std::string_view user_id, std::string_view event, const JsonText& payload);
  /// Closes the session. Errors: session_not_found.
  Result<void> disconnect(const SessionId& id, CloseCode code, std::string_view reason = {});
  /// Closes every session of the user; returns how many there were.
  std::size_t disconnect_user(std::string_view user_id, CloseCode code, std::string_view reason = {});

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
