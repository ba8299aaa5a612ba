// The configuration of a server. Every limit has a unit and a default. 0 allows none, unless the comment says what else it
// means or which least value is needed.
#pragma once

#include <flux/clock.hpp>
#include <flux/storage/chat_store.hpp>
#if !defined(FLUX_HEADER_ONLY)
#include <flux/storage/file_store.hpp>
#endif

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

class FileStore;        // flux/storage/file_store.hpp
class RevocationStore;  // flux/storage/revocation_store.hpp
class RoomStore;        // flux/storage/room_store.hpp

/// How much is logged: each level includes the ones before it. `debug` follows each client: that it connected, was refused
/// and why, joined and left rooms, disconnected and with which code; for plain Engine.IO clients, only refusals.
enum class LogLevel : std::uint8_t { off, error, warning, info, debug };
/// "off", "error", "warning", "info" or "debug".
std::string_view to_string(LogLevel level) noexcept;

/// Receives the server's log lines. Threading: called from any of the server's threads, concurrently, and while the
/// server holds locks: it must neither block nor call the server.
using LogSink = std::function<void(LogLevel level, std::string_view message)>;

/// One address to listen on. "::" also accepts IPv4, unless "0.0.0.0" is listed with the same port.
struct ListenAddress {
  /// An IPv4 or IPv6 address, or "localhost". The default accepts connections from this machine only; "0.0.0.0" listens
  /// on all networks.
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;  ///< 0: any free port; `Server::port` returns it
};

/// Certificates for HTTPS and WSS on every address. Needs a build with TLS (`FLUX_WITH_TLS`).
struct TlsOptions {
  std::string certificate_file{};  ///< PEM, with the chain; empty: no TLS
  std::string private_key_file{};  ///< PEM
};

/// How a WebSocket client that may not connect is told.
enum class RefuseWith : std::uint8_t {
  /// By a close code and a reason, which pages can read: the handshake succeeds, and the connection is closed at once with
  /// 4401 (refused), 1013 (no answer in time) or 4500 (the handler threw). Nothing that the client sends is read.
  close_code,
  /// By the status of the handshake: 401 or 403, 503 or 500, with the reason as its body. In a page this looks like a
  /// broken network: close code 1006 without a reason.
  http_status,
};

/// permessage-deflate (RFC 7692) without context takeover: one compressed frame serves every member of a room, and no
/// connection keeps a compressor.
struct DeflateOptions {
  bool enabled = false;                 ///< whether clients that offer the extension get it
  int level = 6;                        ///< 1 (fast) to 9 (small)
  std::size_t message_bytes_min = 128;  ///< shorter messages are sent uncompressed
  /// How many bytes the clients of one event loop may have inflated in one turn, counted after inflation; at least 1.
  /// The rest of their input waits for the next turns.
  std::size_t inflated_per_turn_max = 8'388'608;
};

/// How often something may be done: `count` times in each `per` on average, and `count` times at once.
struct Rate {
  std::uint32_t count = 0;               ///< 0: unlimited
  std::chrono::milliseconds per{1'000};  ///< 1 ms to one day
  friend bool operator==(const Rate&, const Rate&) = default;
};

/// How often one operation may be done, see `Limits::operations`.
struct OperationRates {
  Rate connection{};  ///< by one connection; requests over HTTP have none
  Rate user{};        ///< by all connections of one user (`Identity::user_id`) together
  /// By all connections of one client together, counted as for `Limits::connections_per_address_max`.
  Rate address{};
};

/// The rates of operations, by name. Not a std::map, whose header every unit that includes flux would have to compile.
/// Threading: a value type, like std::vector.
class RatesByOperation {
 public:
  /// An operation that has rates.
  struct Entry {
    std::string name;        ///< of the operation
    OperationRates rates{};  ///< its rates
  };

  RatesByOperation() = default;
  /// `{{"send_chat", {.user = {.count = 5}}}}`: one entry for each operation.
  RatesByOperation(std::initializer_list<Entry> entries) : entries_(entries) {}

  /// The rates of this operation; they are added, unlimited, if it has none.
  OperationRates& operator[](std::string_view operation);
  /// For range-based loops, in the order of adding.
  std::vector<Entry>::const_iterator begin() const noexcept { return entries_.begin(); }
  /// For range-based loops.
  std::vector<Entry>::const_iterator end() const noexcept { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

/// What one client, room or server may use. Everything that can grow is bounded here.
///
/// 0 is a number like any other: a limit of 0 allows none. Where it means something else ("0: unlimited"), or a server
/// could not work with it ("at least 1"), the comment says so, and the constructor of `Server` refuses what is not
/// allowed (bad_config, with the name and the least value).
struct Limits {
  // --- Connections ---

  std::size_t connections_max = 0;  ///< 0: unlimited
  /// Per client, which is an IPv4 address or an IPv6 /64 network; 0: unlimited. Connections from the machine itself
  /// (loopback) are not counted. Behind a proxy of `Config::trusted_proxies` a connection counts for the client whose
  /// request it carried last. A connection over the limit is closed at once; behind a proxy its request is answered
  /// with 429.
  std::size_t connections_per_address_max = 1'000;
  std::chrono::milliseconds handshake_timeout{10'000};  ///< for a request's head and TLS; more than 0
  /// For whatever a handler answers `later`: who may connect, a verdict, a call. After that the client gets OVERLOADED, or
  /// 503 over HTTP. More than 0.
  std::chrono::milliseconds answer_timeout{10'000};
  std::chrono::milliseconds http_idle_timeout{60'000};  ///< between requests, and for a stalled body; more than 0
  std::chrono::milliseconds ping_interval{25'000};      ///< to silent WebSocket clients; 0: no pings
  std::chrono::milliseconds pong_timeout{
      20'000};  ///< after a ping, with nothing received: closed with 4408; more than 0
  std::chrono::milliseconds close_timeout{5'000};  ///< for the peer's close frame; more than 0
  /// While output is pending, a client must take `output_bytes_per_second_min` on average over each such period (or all
  /// that is pending, if that is less); otherwise it is closed, a WebSocket with 4413. 0: no time limit.
  std::chrono::milliseconds output_stall_timeout{60'000};
  std::uint32_t output_bytes_per_second_min = 128;  ///< 0: any progress is enough
  /// A WebSocket message or request body that has begun must grow by `input_bytes_per_second_min` on average over each
  /// such period until it is complete; otherwise the client is closed with 4408, or its request answered with 408. Time
  /// in which the server itself pauses reading does not count. 0: no time limit.
  std::chrono::milliseconds input_stall_timeout{30'000};
  std::uint32_t input_bytes_per_second_min = 128;  ///< 0: any progress is enough

  // --- HTTP ---

  std::size_t request_line_bytes_max = 8'192;  ///< method, target and version, at least 1; 414 beyond it
  std::size_t field_bytes_max = 8'192;         ///< one header field, at least 1; 431 beyond it
  std::size_t fields_max = 100;                ///< header fields, at least 1; 431 beyond it
  std::size_t head_bytes_max = 32'768;         ///< request line and all fields, at least 1; 431 beyond it
  std::uint64_t body_bytes_max = 1'048'576;    ///< of a request, 413 beyond it; a route may set its own limit

  // --- Messages ---

  std::size_t message_bytes_max = 1'048'576;      ///< after reassembly and inflation; at least 1
  std::size_t message_id_bytes_max = 256;         ///< of a client's `id`, as JSON text; at least 16, at most 65536
  std::uint32_t frames_per_message_max = 65'536;  ///< fragments of one WebSocket message, at least 1
  std::size_t json_depth_max = 64;                ///< nested objects and arrays of a message; at least 3
  /// Size of one answer that holds a list: chat, members, rooms, items of a room or of the public space. What does not
  /// fit is left out; the answer says so (`more`) and how to request it. An entry that alone exceeds the limit is sent
  /// alone. At least 4'096; capped at `outbox_bytes_max`.
  std::size_t answer_bytes_max = 1'048'576;
  /// Messages per second that one connection may send, on average, with bursts of `message_burst` (at least 1). 0:
  /// unlimited. The limit holds in every protocol, raw WebSocket and Engine.IO endpoints included. Messages beyond it are
  /// not acted on and counted in `Stats::messages_rate_limited`. Protocol live answers them with RATE_LIMITED, data
  /// sharing and Socket.IO in the acknowledgment where one is requested; raw endpoints and Engine.IO have no answer to
  /// give: where no message may be lost, set `rate_limit_strikes_max` to 1.
  std::uint32_t messages_per_second = 0;
  std::uint32_t message_burst = 100;  ///< messages that may arrive at once, see `messages_per_second`
  /// As `messages_per_second`, for all connections of one user (`Identity::user_id`) together, in every protocol. 0:
  /// unlimited.
  std::uint32_t user_messages_per_second = 0;
  std::uint32_t user_message_burst = 200;  ///< messages that may arrive at once, see `user_messages_per_second`
  /// As `messages_per_second`, for all connections of one client together. A client is counted as for
  /// `connections_per_address_max`: an IPv4 address, which many users may share, or an IPv6 /64 network; loopback is not
  /// counted. 0: unlimited.
  std::uint32_t address_messages_per_second = 0;
  std::uint32_t address_message_burst = 1'000;  ///< messages that may arrive at once
  /// A connection that had this many messages in a row refused, by any of these limits, is closed with 4429. 0: never.
  std::uint32_t rate_limit_strikes_max = 1'000;
  /// Rates of single operations, by name: `operations["send_chat"].user = {.count = 5, .per = 10s}`. Names are those of the
  /// requests of protocol live ("join_room", "broadcast_event", "call"; all are in flux/live.hpp), which requests of data
  /// sharing with the same effect count for; "close_room" and "list_rooms", which only data sharing has; those of requests
  /// that modules add; and "file_upload" (each request that begins or continues an upload), "file_download" (also one
  /// that asks how far an upload is) and "file_remove" over HTTP, which also count requests for unknown ids. A request beyond its rate is not acted on, is counted in `Stats::messages_rate_limited`, and
  /// is answered with RATE_LIMITED and when to try again: `retryAfter` in milliseconds, over HTTP 429 with Retry-After. It
  /// does not count for `rate_limit_strikes_max`. A name that no request has is refused when the server starts.
  RatesByOperation operations{};

  // --- Slow readers ---

  /// At this size a reader gets only the newest presence, and nothing more is read from its WebSocket until the outbox
  /// has drained to half of it: TCP holds back a client that sends requests without reading the answers. At least 1.
  std::size_t outbox_bytes_congested = 65'536;
  /// Beyond it the reader is closed with 4413. At least `outbox_bytes_congested`.
  std::size_t outbox_bytes_max = 4'194'304;

  /// Encoded messages to one room or namespace that an event loop has not yet sent, in bytes. Beyond it events, chat
  /// and data for it are answered with overloaded and sent to no member. Socket.IO emits to several rooms at once, and
  /// all emits with connection state recovery, count together for their namespace. 1 MiB to 1 GiB.
  std::size_t fanout_bytes_max = 67'108'864;

  // --- Rooms ---

  std::size_t rooms_max = 100'000;        ///< of the server
  std::size_t rooms_per_connection = 1;   ///< at least 1; with 1, joining a second room leaves the first
  std::size_t room_members_max = 10'000;  ///< of one room, at least 1
  std::size_t room_id_bytes_max = 256;    ///< of a room's name, at least 1
  /// Items that a room of mode history keeps; the oldest is dropped for a new one.
  std::size_t room_history_items_max = 1'000;
  std::size_t room_history_bytes_max = 16'777'216;  ///< of those items together
  /// Messages with `Delivery::newest` that a room remembers for slow readers: the newest of at most so many keys, at
  /// least 1, and of so many bytes. The newest of all is remembered whatever its size.
  std::size_t room_newest_keys_max = 1'000;
  std::size_t room_newest_bytes_max = 1'048'576;  ///< see `room_newest_keys_max`
  std::size_t presence_bytes_max = 16'384;        ///< of one presence object, as JSON text; at least 2, the size of {}
  std::size_t event_name_bytes_max = 256;         ///< of events and of methods that clients call, at least 1
  std::size_t chat_bytes_max = 65'536;            ///< of the text of a chat message
  std::size_t metadata_bytes_max = 16'384;        ///< of a chat message's metadata, as JSON text
  std::size_t identity_field_bytes_max = 1'024;   ///< name and email as given by a client
  /// Of what the application stores with a session (`Session::set_data`) or room (`Server::set_room_data`).
  std::size_t application_data_bytes_max = 65'536;
  std::size_t rooms_created_max = 100;                ///< by one connection; rooms that have ended do not count
  std::size_t store_queue_per_room_max = 1'000;       ///< pending calls to a store that may block; at least 1
  std::size_t store_queue_max = 10'000;               ///< the same for all rooms together; at least 1
  std::size_t public_history_items_max = 50;          ///< 0: the public space keeps nothing
  std::size_t public_history_bytes_max = 16'777'216;  ///< of the public space's items together
  /// Bytes per second of the public space's list that one watching client is sent, on average; as much may be sent in
  /// one burst. Changes that come sooner are sent with the next list. 0: every change is sent at once.
  std::size_t public_list_bytes_per_second = 1'048'576;
};

/// Where chat is kept, and what a joining client gets of it.
struct ChatOptions {
  /// Where messages are kept; none: a `MemoryChatStore` with its defaults.
  std::shared_ptr<ChatStore> store{};
  std::size_t join_history = 100;  ///< newest messages sent to a joining client, 0 to 1000
  /// How long a join waits for a store that may block, at least 1 ms. After that, or if the store fails, the join
  /// completes without the history and the answer says so.
  std::chrono::milliseconds join_history_timeout{2'000};
};

/// Which permissions clients need for files. As in `Demands`, each member names an operation; it must be allowed on the
/// id of the room that the file is uploaded to or shared in, and on "files" where there is no such room. Signed links
/// (`Server::file_link`) need no permission. A client whose permissions are demanded must present credentials even
/// if `FilesOptions::authenticated` is false: those of a ticket's session, or its own.
struct FileDemands {
  std::string upload{};    ///< to upload a file, over HTTP or in a message
  std::string download{};  ///< to download one; on "files"
  std::string remove{};    ///< to delete one; on "files"
  std::string share{};     ///< to share a file that was uploaded before, besides `Demands::share`
};

/// Files that clients upload and delete over HTTP (whole or resumable: tus 1.0) and share in rooms.
/// The room is told of a member's upload while it arrives: event "upload_progress" from the member's connection with
/// `{uploadId, fileName, offset, length, done, fileId?}`, at most every 200 ms. A member proves the upload to be its
/// own with a ticket for the room (request `upload_ticket` of protocol live, `room:uploadTicket` of data sharing), sent
/// as `?ticket=` or as `ticket` in tus's Upload-Metadata. Instead, the file handler may accept the upload as a user
/// with a session in the room that `?room=` names (`room` in Upload-Metadata). Tickets for the public space
/// (`public_upload_ticket`, `public:uploadTicket`) announce nothing: they make the file the connection's, so that it is
/// deleted when it leaves the public space. `uploadId` is the client's name for the upload (`upload_id`, in the same
/// place), or one that the server chose; the last event has the `fileId`. After a restart of the server the room is no
/// longer told of an upload that continues.
///
/// A form (multipart/form-data: `curl -F`, HTML) uploads its files all or none; the answer has `{files: [...]}`. It has at
/// most 100 parts. Its fields `room`, `ticket` and `upload_id`, which come before the files, replace those of the query.
struct FilesOptions {
  /// For example a `DiskFileStore`; none: the server takes no files. Two servers that run must not share one.
  std::shared_ptr<FileStore> store{};
  std::string path = "/files";  ///< POST here; GET, HEAD, PATCH, DELETE at `path` + "/{id}"
  /// If no file handler is set, the connect handler is asked about every request, as for `WebSocketEndpoint`; links and
  /// tickets need no further answer. False: open to all.
  bool authenticated = true;
  std::uint64_t file_bytes_max = 100'000'000;  ///< size of one file
  /// For a store that may block, 1 to 256. All but one may write to disk at the same time.
  std::size_t worker_threads = 4;
  /// Size of a request with Upload-Checksum (tus), 1 to 1 GiB: it stays in memory until it has been checked. At most 16
  /// times as much for all such requests together.
  std::size_t checked_chunk_bytes_max = 8'388'608;
  /// Memory that all downloads together hold for clients slower than the store. Below it a download holds up to 1 MiB;
  /// beyond it 16 KiB, with no read-ahead. 0: always 16 KiB.
  std::size_t download_bytes_max = 67'108'864;
  /// An unfinished upload that received nothing for this long is removed; at most 100 years. 0: never.
  std::chrono::seconds upload_expires{86'400};
  /// The same for an upload that was created and has not received a byte; at most 100 years. 0: no sooner.
  std::chrono::seconds unstarted_upload_expires{3'600};
  /// Unfinished uploads of clients without a user id, per IPv4 address or IPv6 /64; 0: unlimited. Files without an
  /// owner share one quota of the store, where an unfinished upload counts with its whole length: this and the next
  /// limit keep one client from taking all of it. Over HTTP (POST and tus) an upload past either is refused with 429 and
  /// Retry-After, because it may succeed once others are complete, removed or expired. The files of a form are unfinished until
  /// all are received: a form that exceeds a limit by itself is refused with 413. Files inside a Socket.IO message do
  /// not count: they arrive whole. Behind a proxy, set `Config::trusted_proxies`. Uploads begun before the server was
  /// started do not count either.
  std::size_t unfinished_uploads_per_address_max = 64;
  /// Bytes of those uploads: the length of each or, as long as it is unknown, what it has received. The only one of an
  /// address may have any length up to `file_bytes_max`. 0: unlimited.
  std::uint64_t unfinished_bytes_per_address_max = 268'435'456;
  /// A complete file that was not shared within this time is deleted, or as soon as no room or public space shows it
  /// any more; at most 100 years. 0: it stays. A file counts as shared when its owner, the application, or a member of
  /// the room that it was uploaded to has put it in a room or the public space.
  std::chrono::seconds unshared_expires{86'400};
  /// How often deleted files are removed from disk, beginning at start-up; at most 100 years. 0: only by
  /// `Server::cleanup_deleted_files`.
  std::chrono::seconds cleanup_interval{600};
  bool sha256 = false;  ///< compute the SHA-256 of every file. Needs a build with TLS
  /// Types that browsers may display inline: `image/png`, `image/*`. All others are served as downloads, so that an
  /// uploaded page never runs in this origin. Leave out types that may hold scripts.
  std::vector<std::string> inline_types{};
  /// Origins whose pages may upload and delete files (CORS): `*` or a list; none: pages of this origin only.
  std::vector<std::string> cors_origins{};
  /// How long after it was issued a ticket may begin uploads, while its connection is in its room; 1 s to 100 years.
  std::chrono::seconds ticket_expires{3'600};
  FileDemands demands{};  ///< which permissions clients need
  /// Signs the links of `Server::file_link` and the tickets; at least 16 bytes. Empty: a random key, so links become
  /// invalid when the server ends.
  std::string link_key{};
};

/// What clients may write: checked in every room and in the public space, over every protocol, before a handler is asked.
/// It concerns events (their names and payloads), chat messages with their metadata, edits of those, shared data and
/// presence; not files, and nothing that the application sends or a handler changes. A message that is refused is answered
/// with an error and sent to nobody. `Auth::validate_message` does the same for texts that the application gets elsewhere.
struct ContentRules {
  /// The longest message, in bytes: a chat message with its metadata, an event's name and payload, and other data as JSON. A
  /// longer one is answered with MESSAGE_TOO_LARGE. 0: unlimited, up to those of `Limits`.
  std::size_t message_bytes_max = 0;
  /// Refuses messages with script tags, `javascript:` or event attributes (`on…=`) with INVALID_MESSAGE, in JSON also if they
  /// are written with escapes. It stops common attacks only: whatever renders the text must still escape it.
  bool refuse_scripts = false;
  friend bool operator==(const ContentRules&, const ContentRules&) = default;
};

/// What rooms demand of their clients; and a store that keeps rooms of the modes singleton and history, and the public space,
/// across restarts of the server.
struct RoomsOptions {
  Demands demands{};  ///< of rooms without demands of their own (`RoomOptions::demands`)
  /// The operation that a grant must allow on the id of a room that its client creates, also by joining one that does not
  /// exist; empty: every client may create rooms.
  std::string create_demand{};
  ContentRules content{};              ///< what clients may write; nothing is refused by default
  std::shared_ptr<RoomStore> store{};  ///< none: rooms end with the process
  std::size_t worker_threads = 2;      ///< for a store that may block, 1 to 256; with 1 a slow call delays every room
  /// Bytes of items pending for a store that may block; one room may use a quarter of it. A room with none pending
  /// accepts one of any size. Items beyond it are answered with overloaded.
  std::size_t waiting_bytes_max = 67'108'864;
  /// After a start, how long a restored room that is not `permanent` waits for its first member (or
  /// `Config::room_linger`, if that is longer) before it ends; at most 100 years.
  std::chrono::seconds rejoin_time{300};
};

/// Users and credentials that are refused for a time (`Server::revoke_user`, `Server::revoke_credential`).
struct RevocationsOptions {
  /// Keeps them over a restart: a `FileRevocationStore`, for example. None: they end with the process.
  std::shared_ptr<RevocationStore> store{};
  /// How many may be in force at the same time, with about 200 bytes of memory each, plus those of the name and the reason. At
  /// most 10,000,000; 0: none.
  std::size_t count_max = 100'000;
};

/// The configuration of a `Server`. The defaults serve this machine and pages of the server's own origin.
struct Config {
  std::vector<ListenAddress> listen = {ListenAddress{}};  ///< may be empty for a server that only adopts connections
  std::size_t threads = 1;                                ///< event loops, 1 to 256
  std::string live_path = "/live";                        ///< of protocol live; empty: not served
  /// Where pages load flux.js, the client for browsers (`import {Flux} from '/flux.js'`), in the version that belongs to this
  /// server: GET and HEAD, without a log-in, for pages of `origins`. A route of the application, or a file of one of its
  /// folders, is served instead if there is one at this path. Empty: not served.
  std::string script_path = "/flux.js";
  TlsOptions tls{};          ///< HTTPS and WSS
  DeflateOptions deflate{};  ///< compression of WebSocket messages
  /// For protocol live, in order of preference: the first one that the client also offers is selected. Empty: the first
  /// one that the client offers, because browsers reject an answer without one of theirs. Tokens (RFC 9110, 5.6.2).
  std::vector<std::string> live_subprotocols{};
  /// How protocol live and raw endpoints refuse a client. Engine.IO and Socket.IO refuse a handshake with HTTP statuses,
  /// which their clients expect. Handshakes of other origins always get 403.
  RefuseWith refuse_with = RefuseWith::close_code;
  /// Origins (`https://app.example.com`) whose pages may open WebSockets and poll (Engine.IO, Socket.IO). Empty: pages
  /// of the same origin, whose Origin matches the Host that they request. `*`: any. `null`: pages without an origin,
  /// such as sandboxed frames and files; `file://`: what Chromium sends for files. Letters outside ASCII become
  /// `xn--…`. A request without an Origin header does not come from a page and is allowed.
  std::vector<std::string> origins{};
  /// Proxies that requests come through: addresses ("192.0.2.7") and ranges ("10.0.0.0/8", "2001:db8::/32"). The
  /// `X-Forwarded-For` or `Forwarded` field (RFC 7239) that they send is read from its end, and the first address that
  /// is not a trusted proxy is the client's, returned by every `remote_address()`. Empty, or from any other peer: these
  /// fields are ignored. A proxy that is listed must append to one of them; if a request has both and they differ, or a
  /// value is not an address, `remote_address()` is the proxy's.
  std::vector<std::string> trusted_proxies{};

  /// Changes of a room's presence within this time are sent in one frame. 0: at once.
  std::chrono::milliseconds presence_interval{25};
  /// The least time between two presence updates of one connection. The newest update within it is sent when it ends. 0:
  /// each is sent.
  std::chrono::milliseconds presence_throttle{100};

  /// How long before the end of its grant (`Grant::expires_at`) a client that can show a new token (`refresh`) is told
  /// (`access_expiring`): over protocol live and data sharing. One whose grant is shorter is told at once. 0: never.
  std::chrono::milliseconds expiry_notice{30'000};

  /// Whether `RoomOptions::capacity` counts users instead of connections: a user's further tabs and devices do not count.
  /// A client without a user id counts as a user of its own. `Limits::room_members_max` still bounds the connections, and
  /// `RoomInfo::members` counts them.
  bool capacity_counts_users = false;

  /// How long a room without members stays (`permanent` rooms always do). 0: it ends with its last member.
  std::chrono::milliseconds room_linger{0};

  ChatOptions chat{};                ///< where chat is kept
  FilesOptions files{};              ///< uploads and downloads
  RoomsOptions rooms{};              ///< which room data survives a restart
  RevocationsOptions revocations{};  ///< which revocations survive a restart, and how many there may be
  std::size_t worker_threads = 2;    ///< for stores that may block, 1 to 256; started only if there is such a store
  Limits limits{};                   ///< what one client, room or server may use

  /// A handler that holds its event loop for this long is logged, while it still runs and when it has returned, and
  /// counted in `Stats::slow_handlers`: until it returns, the loop serves no other client. Detected within a quarter of
  /// this time; at most 100 years. 0: not watched. Timers and the callbacks of an HttpExchange are handlers, too; the
  /// `done` callbacks of calls such as `Server::share` are not. The line has the name of the event or method, or the path
  /// of the request (47 bytes of it), and the client if it is known: one of bare Engine.IO after it has connected only if
  /// a limit counts addresses.
  std::chrono::milliseconds slow_handler{1'000};

  LogLevel log_level = LogLevel::info;  ///< lines above this level are not passed to `log`
  LogSink log{};                        ///< none: nothing is logged
  std::shared_ptr<Clock> clock{};       ///< none: the machine's clock
  std::uint64_t seed = 0;               ///< of connection ids and epochs, for tests; 0: from the system's entropy
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/config.ipp>
#endif
