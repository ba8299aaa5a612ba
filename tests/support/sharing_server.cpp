// A data sharing server driven by the JavaScript tests, over Socket.IO and protocol live.
//
// usage: flux-sharing-server [--threads N] [--dir DIR] [--max-file-size BYTES] [--room-list 1] [--rooms-per-client N]
//     [--public-max N] [--linger-ms N] [--rate N] [--files-expire SECONDS] [--kept-max N]
//
// --dir: where files are kept; without it they are refused. --files-expire: how long unfinished uploads and unshared
// files are kept; without it as long as the library does by default. --kept-max: how many chat messages and items a room
// keeps; without it 1000. A client is identified by `user` in its auth payload. The content "forbidden" is refused. POST
// /test/cleanup removes deleted files, POST /test/close/{room} closes a room, GET /test/stats returns counts, GET
// /test/allocated the bytes that the program has allocated. Ends on SIGTERM.
#include <flux/flux.hpp>
#include <flux/sharing.hpp>
#include <flux/storage/disk_file_store.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include "support/server_program.hpp"

#if __has_include(<malloc.h>)
#include <malloc.h>
#endif

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

std::string list(const std::vector<flux::FileId>& ids) {
  std::string text;
  for (const auto& id : ids) text += (text.empty() ? "\"" : ",\"") + id + "\"";
  return "[" + text + "]";
}

/// What the program has allocated and not freed; 0 where the allocator does not say.
std::size_t allocated_bytes() {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
  const auto info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
#else
  return 0;
#endif
}

void serve_tests(flux::Server& server) {
  server.route("POST", "/test/cleanup", [&server](const flux::HttpExchange& exchange) {
    server.cleanup_deleted_files([exchange](const flux::Result<flux::FileCleanup>& cleanup) {
      if (!cleanup) return exchange.respond(500, cleanup.error().message());
      exchange.respond(200, "{\"deleted\":" + list(cleanup->deleted) + ",\"failed\":" + list(cleanup->failed) + "}",
                       "application/json");
    });
  });
  server.route("POST", "/test/close/{room}", [&server](const flux::HttpExchange& exchange) {
    const auto closed = server.close_room(std::string(exchange.parameter("room")), "by the server");
    exchange.respond(closed ? 200 : 404, {});
  });
  server.route("GET", "/test/stats", [&server](const flux::HttpExchange& exchange) {
    const flux::Stats stats = server.stats();
    exchange.respond(200,
                     "{\"sessions\":" + std::to_string(stats.sessions_now) + ",\"connections\":" +
                         std::to_string(stats.connections_now) + ",\"rooms\":" + std::to_string(stats.rooms_now) +
                         ",\"slowReadersClosed\":" + std::to_string(stats.slow_readers_closed) +
                         ",\"handlerErrors\":" + std::to_string(stats.handler_errors) + "}",
                     "application/json");
  });
  server.route("GET", "/test/allocated",
               [](const flux::HttpExchange& exchange) { exchange.respond(200, std::to_string(allocated_bytes())); });
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  Later main_thread;

  flux::Config config = config_of(arguments);
  config.room_linger = arguments.ms("--linger-ms", 0ms);
  config.limits.public_history_items_max = arguments.number<std::size_t>("--public-max", 50);
  config.limits.messages_per_second = arguments.number<std::uint32_t>("--rate", 0);
  config.limits.message_burst = 5;
  const std::size_t kept_max = arguments.number<std::size_t>("--kept-max", 1'000);
  config.limits.room_history_items_max = kept_max;
  config.chat.store = std::make_shared<flux::MemoryChatStore>(kept_max);
  if (arguments.has("--dir")) config.files.store = std::make_shared<flux::DiskFileStore>(arguments.text("--dir"));
  // All clients of a test have one address, and those of the soak leave uploads unfinished.
  config.files.unfinished_uploads_per_address_max = 0;
  config.files.unfinished_bytes_per_address_max = 0;
  if (arguments.has("--files-expire")) {
    const auto expires = std::chrono::seconds(arguments.number("--files-expire", 0));
    config.files.upload_expires = config.files.unstarted_upload_expires = expires;
    config.files.unshared_expires = config.files.cleanup_interval = expires;
  }
  config.files.file_bytes_max = arguments.number<std::uint64_t>("--max-file-size", 100'000'000);
  flux::Server server(config);
  server.on_share([](flux::ShareDraft& share) {
    if (share.data.get<std::string>("/content") == "forbidden") share.refuse("that is forbidden");
  });
  serve_tests(server);

  flux::socketio::Options socketio;
  socketio.payload_bytes_max = 110'000'000;
  socketio.packet_limits.attachment_bytes_max = 110'000'000;
  flux::socketio::Io io(server, socketio);
  flux::socketio::SharingOptions sharing;
  sharing.room_list = arguments.number("--room-list", 0) != 0;
  sharing.rooms_per_client_max = arguments.number<std::size_t>("--rooms-per-client", 100);
  io.use([](const flux::socketio::Socket& socket, const flux::socketio::Next& next) {
    const auto user = socket.handshake().auth().get<std::string>("/user");
    if (user) socket.set_grant(flux::Grant({.user_id = *user, .verified = true}));
    next();
  });
  flux::socketio::serve_sharing(server, io, sharing);

  run_server(server, main_thread);
}
