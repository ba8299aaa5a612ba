// What a server is told at its start. Every limit has a unit, a default and, where it differs, the meaning of 0.
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

/// Takes what the server has to say. Threading: called from any of its threads, at the same time too, and under its
/// locks: must not block, nor call the server.
using LogSink = std::function<void(LogLevel level, std::string_view message)>;

/// One address to listen on. "::" takes every IPv4 address, too, unless "0.0.0.0" is listed with the same port.
struct ListenAddress {
  /// An IPv4 or IPv6 address, or "localhost". The default lets in this machine alone; "0.0.0.0" listens to all networks.
  std::string host = "127.0.0.1";
  std::uint16_t port = 8080;  ///< 0: one that is free; `Server::port` tells which
};

/// Certificates for HTTPS and WSS on every address. Needs a build with TLS (`FLUX_WITH_TLS`).
struct TlsOptions {
  std::string certificate_file{};  ///< PEM, with the chain; empty: no TLS
  std::string private_key_file{};  ///< PEM
};

/// permessage-deflate (RFC 7692), without context takeover: one compressed frame serves every member of a room, and a
/// connection keeps no compressor.
struct DeflateOptions {
  bool enabled = false;
  int level = 6;                        ///< 1 (fast) to 9 (small)
  std::size_t message_bytes_min = 128;  ///< shorter messages go out as they are
  /// What the clients of one event loop may have inflated in one turn of it, in bytes that come out; at least 1. The
  /// rest of their input waits for the next turns.
  std::size_t inflated_per_turn_max = 8'388'608;
};

/// What one client, room or server may use. Everything that can grow has its bound here.
struct Limits {
  // Connections
  std::size_t connections_max = 0;  ///< 0: as many as the system gives
  /// Of one client, which is an IPv4 address or an IPv6 network of 64 bits; 0: any number. Connections from the machine
  /// itself (loopback) are not counted. Behind a proxy of `Config::trusted_proxies` a connection counts for the client
  /// whose request came over it last. One too many is closed at once, behind a proxy it is answered with 429.
  std::size_t connections_per_address_max = 1'000;
  std::chrono::milliseconds handshake_timeout{10'000};  ///< for a request's whole head, TLS, a handler's later answer
  std::chrono::milliseconds http_idle_timeout{60'000};  ///< between requests, and for a body that stalls
  std::chrono::milliseconds ping_interval{25'000};      ///< to silent WebSocket clients; 0: no pings
  std::chrono::milliseconds pong_timeout{20'000};       ///< after a ping without any sign of life: closed with 4408
  std::chrono::milliseconds close_timeout{5'000};       ///< for the peer's half of the closing handshake
  /// While output waits for a client, it must take `output_bytes_per_second_min` on the average of each such period (or
  /// all that waits, if that is less), else it is closed: a WebSocket with 4413. 0: it may take its time.
  std::chrono::milliseconds output_stall_timeout{60'000};
  std::uint32_t output_bytes_per_second_min = 128;  ///< 0: any progress will do
  /// A WebSocket message, and the body of a request, that has begun must grow by `input_bytes_per_second_min` on the
  /// average of each such period until its end, else it is refused: by closing with 4408, by status 408. Not while the
  /// server itself reads no further. 0: it may take its time.
  std::chrono::milliseconds input_stall_timeout{30'000};
  std::uint32_t input_bytes_per_second_min = 128;  ///< 0: any progress will do

  // HTTP
  std::size_t request_line_bytes_max = 8'192;
  std::size_t field_bytes_max = 8'192;
  std::size_t fields_max = 100;
  std::size_t head_bytes_max = 32'768;
  std::uint64_t body_bytes_max = 1'048'576;  ///< a route may set its own

  // Messages
  std::size_t message_bytes_max = 1'048'576;      ///< after reassembly and inflation
  std::size_t message_id_bytes_max = 256;         ///< of a client's `id`, as JSON text; at least 16, at most 65536
  std::uint32_t frames_per_message_max = 65'536;  ///< fragments of one WebSocket message, at least 1
  std::size_t json_depth_max = 64;
  /// Of one answer that holds a list: chat, members, rooms, items of a room or of the public space. What does not fit
  /// is left out, and the answer says so (`more`) and how to get it. An entry that alone is longer is sent alone. At
  /// least 4'096; what is more than `outbox_bytes_max` counts as that.
  std::size_t answer_bytes_max = 1'048'576;
  /// Messages a second that one connection may send, averaged; bursts of `message_burst` are let through. 0: any.
  /// What comes faster is answered with RATE_LIMITED and not acted on.
  std::uint32_t messages_per_second = 0;
  std::uint32_t message_burst = 100;
  /// A connection that was refused this many messages in a row is closed with 4429. 0: never.
  std::uint32_t rate_limit_strikes_max = 1'000;

  // Slow readers
  /// At this size a reader gets only the newest presence, and nothing more is read from its WebSocket until the outbox
  /// has drained to half of it: TCP holds back a client that sends requests without reading the answers.
  std::size_t outbox_bytes_congested = 65'536;
  std::size_t outbox_bytes_max = 4'194'304;  ///< beyond it the reader is closed with 4413

  /// Of messages to one room or namespace, encoded, that an event loop has not come to send yet. Beyond it events, chat
  /// and data for it are answered with overloaded, and nobody gets them. 1 MiB to 1 GiB.
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
  std::size_t identity_field_bytes_max = 1'024;  ///< name and email as a client gives them
  std::size_t rooms_created_max = 100;           ///< by one connection; ended ones do not count
  std::size_t store_queue_per_room_max = 1'000;  ///< calls that wait for a store that may block
  std::size_t store_queue_max = 10'000;
  std::size_t public_history_items_max = 50;  ///< 0: the public space keeps nothing
  std::size_t public_history_bytes_max = 16'777'216;
  /// Of the public space's list to one client that watches it, a second, averaged; as much may go at once. A change that
  /// comes sooner is told with the next list. 0: each change is told at once.
  std::size_t public_list_bytes_per_second = 1'048'576;
};

struct ChatOptions {
  /// Where messages are kept; none: a `MemoryChatStore` with its defaults.
  std::shared_ptr<ChatStore> store{};
  std::size_t join_history = 100;  ///< newest messages sent to who joins, 0 to 1000
  /// How long a join waits for a store that may block, at least 1 ms. Then it goes on without the history, and says so,
  /// as it does where the store fails.
  std::chrono::milliseconds join_history_timeout{2'000};
};

/// Files that clients put up and take down over HTTP (whole or resumable: tus 1.0) and share in rooms.
/// The room hears of a member's upload while it arrives: event "upload_progress" from the member's connection with
/// `{uploadId, fileName, offset, length, done, fileId?}`, at most every 200 ms. A member proves the upload to be its own
/// with a ticket for the room (request `upload_ticket` of protocol live, `room:uploadTicket` of data sharing), sent as
/// `?ticket=` or as `ticket` in tus's Upload-Metadata. Instead, the file handler may accept the upload as a user with a
/// session in the room that `?room=` names (`room` in Upload-Metadata). Tickets for the public space
/// (`public_upload_ticket`, `public:uploadTicket`) announce nothing: they make the file the connection's, so that it is
/// deleted when it leaves the public space. `uploadId` is the client's name for the upload (`upload_id`, in the same
/// place), or one that the server chose; the last event has the `fileId`. After a restart of the server the room hears
/// no more of an upload that continues.
struct FilesOptions {
  std::shared_ptr<FileStore> store{};  ///< `DiskFileStore`, say; none: the server takes no files
  std::string path = "/files";         ///< POST here; GET, HEAD, PATCH, DELETE at `path` + "/{id}"
  std::uint64_t file_bytes_max = 100'000'000;
  /// For a store that may block, 1 to 256. All but one may be bringing bytes to disk at the same time.
  std::size_t worker_threads = 4;
  /// Of a request with Upload-Checksum (tus), 1 to 1 GiB: it waits in memory until it is checked. At most 16 times as
  /// much for all.
  std::size_t checked_chunk_bytes_max = 8'388'608;
  /// Of what all downloads together hold in memory for clients that are slower than the store. Past it each holds 16 KiB,
  /// and nothing is read ahead; below it up to 1 MiB. 0: always so little.
  std::size_t download_bytes_max = 67'108'864;
  /// An unfinished upload to which nothing was added for so long is removed; at most 100 years. 0: never.
  std::chrono::seconds upload_expires{86'400};
  /// A complete file that nobody has shared within this time is deleted, or as soon as nobody shows it any more; at
  /// most 100 years. 0: it stays. Shared is what its owner, the application, or somebody in the room that it was
  /// uploaded to has put in a room or the public space.
  std::chrono::seconds unshared_expires{86'400};
  /// How often deleted files are removed from disk, beginning with the start; at most 100 years. 0: only by
  /// `Server::cleanup_deleted_files`.
  std::chrono::seconds cleanup_interval{600};
  bool sha256 = false;  ///< every file gets its SHA-256. Needs a build with TLS
  /// Types that browsers may show in place (`image/png`, `image/*`). Everything else is only offered to be saved, so
  /// that an uploaded page never runs in this origin. Types that may hold scripts are best left out.
  std::vector<std::string> inline_types{};
  /// Origins whose pages may put files up and down (CORS): `*`, or some; none: pages of this origin only.
  std::vector<std::string> cors_origins{};
  /// How long after it was given a ticket may begin uploads, as long as its connection is in its room; 1 s to 100 years.
  std::chrono::seconds ticket_expires{3'600};
  /// Signs the links of `Server::file_link`, and tickets; at least 16 bytes. Empty: a random one, so links end with the
  /// server.
  std::string link_key{};
};

/// What rooms of the modes singleton and history and the public space have, over a restart of the server.
struct RoomsOptions {
  std::shared_ptr<RoomStore> store{};  ///< none: rooms end with the process
  std::size_t worker_threads = 2;      ///< for a store that may block, 1 to 256; with 1 a slow call delays every room
  /// Of the items that wait for a store that may block; in one room, a quarter of it. A room in which none waits takes
  /// one of any size. What is past it is answered with overloaded.
  std::size_t waiting_bytes_max = 67'108'864;
  /// After a start a room that was there before and is not `permanent` waits so long for its first member (or
  /// `Config::room_linger`, if that is longer), then it ends; at most 100 years.
  std::chrono::seconds rejoin_time{300};
};

struct Config {
  std::vector<ListenAddress> listen = {ListenAddress{}};  ///< may be empty for a server that only adopts connections
  std::size_t threads = 1;                                ///< event loops, 1 to 256
  std::string live_path = "/live";                        ///< of protocol live; empty: not served
  TlsOptions tls{};
  DeflateOptions deflate{};
  /// Of protocol live, by preference: the first that the client offers, too, is confirmed. Empty: the first that the
  /// client offers, for browsers take no answer without one of theirs. Tokens (RFC 9110, 5.6.2).
  std::vector<std::string> live_subprotocols{};
  /// Origins (`https://app.example.com`) whose pages may connect: open WebSockets, and poll (Engine.IO, Socket.IO).
  /// Empty: pages of the same origin, whose Origin is the Host that they ask for. `*`: any. `null`: pages without an
  /// origin, such as sandboxed frames and files; `file://`: what Chromium says for the latter. Letters outside ASCII
  /// become `xn--…`. A request without an Origin header comes from no page and is let in.
  std::vector<std::string> origins{};
  /// Proxies that requests come through: addresses ("192.0.2.7") and ranges ("10.0.0.0/8", "2001:db8::/32"). Of what
  /// they send, `X-Forwarded-For` or `Forwarded` (RFC 7239) is read from its end, and the first address that is none of
  /// these is the client's: `remote_address()` is it everywhere. Empty, or from anybody else: those fields are ignored.
  /// A proxy that is named here must append to one of them; where a request has both and they differ, or what it says
  /// is no address, `remote_address()` is the proxy's.
  std::vector<std::string> trusted_proxies{};

  /// What changes in a room's presence within this time goes out in one frame. 0: at once.
  std::chrono::milliseconds presence_interval{25};
  /// The least time between two presence updates of one connection. The newest one inside it is sent at its end.
  std::chrono::milliseconds presence_throttle{100};

  /// How long a room without members stays (rooms that are `permanent` always do). 0: it ends with its last member.
  std::chrono::milliseconds room_linger{0};

  ChatOptions chat{};
  FilesOptions files{};
  RoomsOptions rooms{};
  std::size_t worker_threads = 2;  ///< for stores that may block, 1 to 256; none is started without such a store
  Limits limits{};

  LogLevel log_level = LogLevel::info;
  LogSink log{};                   ///< none: nothing is logged
  std::shared_ptr<Clock> clock{};  ///< none: the machine's
  std::uint64_t seed = 0;          ///< of connection ids and epochs, for tests; 0: from the system's entropy
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/server/config.ipp>
#endif
