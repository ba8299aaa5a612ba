// The configuration of a server. Every limit has a unit, a default and, where it differs, the meaning of 0.
#pragma once

#include <flux/clock.hpp>
#include <flux/storage/chat_store.hpp>
#include <flux/storage/file_store.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

class RoomStore;  // flux/storage/room_store.hpp

enum class LogLevel : std::uint8_t { off, error, warning, info, debug };
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

/// permessage-deflate (RFC 7692) without context takeover: one compressed frame serves every member of a room, and no
/// connection keeps a compressor.
struct DeflateOptions {
  bool enabled = false;
  int level = 6;                        ///< 1 (fast) to 9 (small)
  std::size_t message_bytes_min = 128;  ///< shorter messages are sent uncompressed
  /// How many bytes the clients of one event loop may have inflated in one turn, counted after inflation; at least 1.
  /// The rest of their input waits for the next turns.
  std::size_t inflated_per_turn_max = 8'388'608;
};

/// What one client, room or server may use. Everything that can grow is bounded here.
struct Limits {
  // Connections
  std::size_t connections_max = 0;  ///< 0: as many as the system allows
  /// Per client, which is an IPv4 address or an IPv6 /64 network; 0: unlimited. Connections from the machine itself
  /// (loopback) are not counted. Behind a proxy of `Config::trusted_proxies` a connection counts for the client whose
  /// request it carried last. A connection over the limit is closed at once; behind a proxy its request is answered
  /// with 429.
  std::size_t connections_per_address_max = 1'000;
  std::chrono::milliseconds handshake_timeout{10'000};  ///< for a request's head, TLS, a handler's deferred answer
  std::chrono::milliseconds veto_timeout{10'000};  ///< for a verdict that a handler gives `later`; 0: no time limit
  std::chrono::milliseconds http_idle_timeout{60'000};  ///< between requests, and for a stalled body
  std::chrono::milliseconds ping_interval{25'000};      ///< to silent WebSocket clients; 0: no pings
  std::chrono::milliseconds pong_timeout{20'000};       ///< after a ping, with nothing received: closed with 4408
  std::chrono::milliseconds close_timeout{5'000};       ///< for the peer's close frame
  /// While output is pending, a client must take `output_bytes_per_second_min` on average over each such period (or all
  /// that is pending, if that is less); otherwise it is closed, a WebSocket with 4413. 0: no time limit.
  std::chrono::milliseconds output_stall_timeout{60'000};
  std::uint32_t output_bytes_per_second_min = 128;  ///< 0: any progress is enough
  /// A WebSocket message or request body that has begun must grow by `input_bytes_per_second_min` on average over each
  /// such period until it is complete; otherwise the client is closed with 4408, or its request answered with 408. Time
  /// in which the server itself pauses reading does not count. 0: no time limit.
  std::chrono::milliseconds input_stall_timeout{30'000};
  std::uint32_t input_bytes_per_second_min = 128;  ///< 0: any progress is enough

  // HTTP
  std::size_t request_line_bytes_max = 8'192;
  std::size_t field_bytes_max = 8'192;
  std::size_t fields_max = 100;
  std::size_t head_bytes_max = 32'768;
  std::uint64_t body_bytes_max = 1'048'576;  ///< a route may set its own limit

  // Messages
  std::size_t message_bytes_max = 1'048'576;      ///< after reassembly and inflation
  std::size_t message_id_bytes_max = 256;         ///< of a client's `id`, as JSON text; at least 16, at most 65536
  std::uint32_t frames_per_message_max = 65'536;  ///< fragments of one WebSocket message, at least 1
  std::size_t json_depth_max = 64;
  /// Size of one answer that holds a list: chat, members, rooms, items of a room or of the public space. What does not
  /// fit is left out; the answer says so (`more`) and how to request it. An entry that alone exceeds the limit is sent
  /// alone. At least 4'096; capped at `outbox_bytes_max`.
  std::size_t answer_bytes_max = 1'048'576;
  /// Messages per second that one connection may send, on average, with bursts of `message_burst`. 0: unlimited.
  /// Messages beyond it are answered with RATE_LIMITED and not acted on.
  std::uint32_t messages_per_second = 0;
  std::uint32_t message_burst = 100;
  /// A connection that had this many messages in a row refused is closed with 4429. 0: never.
  std::uint32_t rate_limit_strikes_max = 1'000;

  // Slow readers
  /// At this size a reader gets only the newest presence, and nothing more is read from its WebSocket until the outbox
  /// has drained to half of it: TCP holds back a client that sends requests without reading the answers.
  std::size_t outbox_bytes_congested = 65'536;
  std::size_t outbox_bytes_max = 4'194'304;  ///< beyond it the reader is closed with 4413

  /// Encoded messages to one room or namespace that an event loop has not yet sent, in bytes. Beyond it events, chat
  /// and data for it are answered with overloaded and sent to no member. Socket.IO emits to several rooms at once, and
  /// all emits with connection state recovery, count together for their namespace. 1 MiB to 1 GiB.
  std::size_t fanout_bytes_max = 67'108'864;

  // Rooms
  std::size_t rooms_max = 100'000;
  std::size_t rooms_per_connection = 1;  ///< with 1, joining a second room leaves the first
  std::size_t room_members_max = 10'000;
  std::size_t room_id_bytes_max = 256;
  std::size_t room_history_items_max = 1'000;
  std::size_t room_history_bytes_max = 16'777'216;
  std::size_t presence_bytes_max = 16'384;
  std::size_t event_name_bytes_max = 256;
  std::size_t chat_bytes_max = 65'536;
  std::size_t metadata_bytes_max = 16'384;
  std::size_t identity_field_bytes_max = 1'024;  ///< name and email as given by a client
  std::size_t rooms_created_max = 100;           ///< by one connection; rooms that have ended do not count
  std::size_t store_queue_per_room_max = 1'000;  ///< pending calls to a store that may block
  std::size_t store_queue_max = 10'000;
  std::size_t public_history_items_max = 50;  ///< 0: the public space keeps nothing
  std::size_t public_history_bytes_max = 16'777'216;
  /// Bytes per second of the public space's list that one watching client is sent, on average; as much may be sent in
  /// one burst. Changes that come sooner are sent with the next list. 0: every change is sent at once.
  std::size_t public_list_bytes_per_second = 1'048'576;
};

struct ChatOptions {
  /// Where messages are kept; none: a `MemoryChatStore` with its defaults.
  std::shared_ptr<ChatStore> store{};
  std::size_t join_history = 100;  ///< newest messages sent to a joining client, 0 to 1000
  /// How long a join waits for a store that may block, at least 1 ms. After that, or if the store fails, the join
  /// completes without the history and the answer says so.
  std::chrono::milliseconds join_history_timeout{2'000};
};

/// Files that clients upload and delete over HTTP (whole or resumable: tus 1.0) and share in rooms.
/// The room hears of a member's upload while it arrives: event "upload_progress" from the member's connection with
/// `{uploadId, fileName, offset, length, done, fileId?}`, at most every 200 ms. A member proves the upload to be its
/// own with a ticket for the room (request `upload_ticket` of protocol live, `room:uploadTicket` of data sharing), sent
/// as `?ticket=` or as `ticket` in tus's Upload-Metadata. Instead, the file handler may accept the upload as a user
/// with a session in the room that `?room=` names (`room` in Upload-Metadata). Tickets for the public space
/// (`public_upload_ticket`, `public:uploadTicket`) announce nothing: they make the file the connection's, so that it is
/// deleted when it leaves the public space. `uploadId` is the client's name for the upload (`upload_id`, in the same
/// place), or one that the server chose; the last event has the `fileId`. After a restart of the server the room hears
/// no more of an upload that continues.
struct FilesOptions {
  std::shared_ptr<FileStore> store{};  ///< for example a `DiskFileStore`; none: the server takes no files
  std::string path = "/files";         ///< POST here; GET, HEAD, PATCH, DELETE at `path` + "/{id}"
  /// Where no file handler is set, the connect handler is asked about every request, as for `WebSocketEndpoint`; but links
  /// and tickets need no further answer. False: open to all.
  bool authenticated = true;
  std::uint64_t file_bytes_max = 100'000'000;
  /// For a store that may block, 1 to 256. All but one may write to disk at the same time.
  std::size_t worker_threads = 4;
  /// Size of a request with Upload-Checksum (tus), 1 to 1 GiB: it stays in memory until it has been checked. At most 16
  /// times as much for all such requests together.
  std::size_t checked_chunk_bytes_max = 8'388'608;
  /// What all downloads together hold in memory for clients slower than the store. Below it a download holds up to 1
  /// MiB; beyond it 16 KiB, with no read-ahead. 0: always 16 KiB.
  std::size_t download_bytes_max = 67'108'864;
  /// An unfinished upload that received nothing for this long is removed; at most 100 years. 0: never.
  std::chrono::seconds upload_expires{86'400};
  /// The same for an upload that was created and has not received a byte; at most 100 years. 0: as any other.
  std::chrono::seconds unstarted_upload_expires{3'600};
  /// Unfinished uploads of clients without a user id, per IPv4 address or IPv6 /64; 0: any number. Files without an
  /// owner share one quota of the store, where an unfinished upload counts with its whole length: this and the next
  /// limit keep one client from taking all of it. Over HTTP (POST and tus) an upload past either is refused with 429 and
  /// Retry-After, for it is accepted once others are complete, removed or expired. Files inside a Socket.IO message do
  /// not count: they arrive whole. Behind a proxy, set `Config::trusted_proxies`. Uploads begun before the server was
  /// started do not count either.
  std::size_t unfinished_uploads_per_address_max = 64;
  /// Bytes of those uploads: the length of each or, as long as it is unknown, what it has received. The only one of an
  /// address may have any length up to `file_bytes_max`. 0: any number.
  std::uint64_t unfinished_bytes_per_address_max = 268'435'456;
  /// A complete file that was not shared within this time is deleted, or as soon as no room or public space shows it
  /// any more; at most 100 years. 0: it stays. A file counts as shared when its owner, the application, or a member of
  /// the room that it was uploaded to has put it in a room or the public space.
  std::chrono::seconds unshared_expires{86'400};
  /// How often deleted files are removed from disk, beginning at start-up; at most 100 years. 0: only by
  /// `Server::cleanup_deleted_files`.
  std::chrono::seconds cleanup_interval{600};
  bool sha256 = false;  ///< compute the SHA-256 of every file. Needs a build with TLS
  /// Types that browsers may display inline (`image/png`, `image/*`). All others are served as downloads, so that an
  /// uploaded page never runs in this origin. Leave out types that may hold scripts.
  std::vector<std::string> inline_types{};
  /// Origins whose pages may upload and delete files (CORS): `*` or a list; none: pages of this origin only.
  std::vector<std::string> cors_origins{};
  /// How long after it was issued a ticket may begin uploads, while its connection is in its room; 1 s to 100 years.
  std::chrono::seconds ticket_expires{3'600};
  /// Signs the links of `Server::file_link` and the tickets; at least 16 bytes. Empty: a random key, so links become
  /// invalid when the server ends.
  std::string link_key{};
};

/// Keeps rooms of the modes singleton and history, and the public space, over a restart of the server.
struct RoomsOptions {
  std::shared_ptr<RoomStore> store{};  ///< none: rooms end with the process
  std::size_t worker_threads = 2;      ///< for a store that may block, 1 to 256; with 1 a slow call delays every room
  /// Bytes of items pending for a store that may block; one room may use a quarter of it. A room with none pending
  /// accepts one of any size. Items beyond it are answered with overloaded.
  std::size_t waiting_bytes_max = 67'108'864;
  /// After a start, how long a restored room that is not `permanent` waits for its first member (or
  /// `Config::room_linger`, if that is longer) before it ends; at most 100 years.
  std::chrono::seconds rejoin_time{300};
};

struct Config {
  std::vector<ListenAddress> listen = {ListenAddress{}};  ///< may be empty for a server that only adopts connections
  std::size_t threads = 1;                                ///< event loops, 1 to 256
  std::string live_path = "/live";                        ///< of protocol live; empty: not served
  TlsOptions tls{};
  DeflateOptions deflate{};
  /// For protocol live, in order of preference: the first one that the client also offers is selected. Empty: the first
  /// one that the client offers, because browsers reject an answer without one of theirs. Tokens (RFC 9110, 5.6.2).
  std::vector<std::string> live_subprotocols{};
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
  /// The least time between two presence updates of one connection. The newest update within it is sent when it ends.
  std::chrono::milliseconds presence_throttle{100};

  /// How long a room without members stays (`permanent` rooms always do). 0: it ends with its last member.
  std::chrono::milliseconds room_linger{0};

  ChatOptions chat{};
  FilesOptions files{};
  RoomsOptions rooms{};
  std::size_t worker_threads = 2;  ///< for stores that may block, 1 to 256; started only if there is such a store
  Limits limits{};

  LogLevel log_level = LogLevel::info;
  LogSink log{};                   ///< none: nothing is logged
  std::shared_ptr<Clock> clock{};  ///< none: the machine's clock
  std::uint64_t seed = 0;          ///< of connection ids and epochs, for tests; 0: from the system's entropy
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/config.ipp>
#endif
