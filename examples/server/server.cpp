// flux-server: the ready-made server.
#include "options.hpp"

#include <flux/channels.hpp>
#include <flux/log.hpp>
#include <flux/sharing.hpp>
#include <flux/signals.hpp>
#include <flux/socketio.hpp>
#include <flux/storage/disk_file_store.hpp>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace {

flux::socketio::Options socketio_options(const Options& options) {
  flux::socketio::Options socketio;
  socketio.payload_bytes_max = options.config.limits.message_bytes_max;
  socketio.packet_limits.text_bytes_max = options.config.limits.message_bytes_max;
  if (!options.files_folder.empty()) {              // clients send files in their messages
    constexpr std::uint64_t around_bytes = 65'536;  // what a message holds besides its file, such as its name
    const auto with_file = static_cast<std::size_t>(options.config.files.file_bytes_max + around_bytes);
    socketio.payload_bytes_max = std::max(socketio.payload_bytes_max, with_file);
  }
  socketio.client_file = options.socketio_client;
  return socketio;
}

void add_echo(flux::Server& server, const std::string& path) {
  flux::WebSocketEndpoint echo;
  echo.on_message = [](const flux::WebSocket& socket, std::string_view message, flux::MessageType type) {
    socket.send(message, type);
  };
  server.websocket(path, std::move(echo));
}

int serve(Options& options) {
  options.config.log = flux::log_to_stderr();
  std::signal(SIGPIPE, SIG_IGN);  // the reader of the log may exit
  if (!options.files_folder.empty()) {
    options.config.files.store = std::make_shared<flux::DiskFileStore>(options.files_folder, options.file_store);
  }
  flux::Server server(options.config);
  std::optional<flux::Auth> auth;
  if (options.auth) auth.emplace(server, std::move(*options.auth));
  flux::socketio::Io io(server, socketio_options(options));
  flux::socketio::serve_sharing(server, io, {.room_list = options.room_list});
  const flux::Channels channels(server, options.channels);
  for (const auto& [prefix, folder] : options.static_folders) server.static_files(prefix, folder);
  if (!options.echo_path.empty()) add_echo(server, options.echo_path);
  flux::stop_on_signals(server, {.reload_certificates = true});
  server.start();
  for (const std::string& url : server.urls()) std::printf("listening on %s/\n", url.c_str());
  std::fflush(stdout);
  server.wait();
  return 0;
}

}  // namespace

int main(int count, char** values) {
  try {
    Options options = read_options({values + 1, values + count});
    if (options.help) {
      std::fputs(usage(), stdout);
      return 0;
    }
    if (options.version) {
      std::puts("flux-server " FLUX_VERSION_STRING);
      return 0;
    }
    return serve(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "flux-server: %s\n", e.what());
    return 1;
  }
}
