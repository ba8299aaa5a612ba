// flux-server: the ready-made server.
#include "options.hpp"

#include <flux/sharing.hpp>
#include <flux/socketio.hpp>
#include <flux/storage/disk_file_store.hpp>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <memory>
#include <thread>
#include <utility>

namespace {

void log_to_stderr(flux::LogLevel level, std::string_view message) {
  char now[32] = "";
  const std::time_t seconds = std::time(nullptr);
  std::tm utc{};
  if (gmtime_r(&seconds, &utc) != nullptr) std::strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
  std::fprintf(stderr, "%s %.*s %.*s\n", now, static_cast<int>(flux::to_string(level).size()),
               flux::to_string(level).data(), static_cast<int>(message.size()), message.data());
}

/// Signals are handled by a thread that waits for them, not by a signal handler. SIGPIPE is ignored: the reader of the
/// log may exit.
sigset_t block_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return signals;
}

void serve_until_told(flux::Server& server, const sigset_t& signals) {
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) break;
    const auto reloaded = server.reload_certificates();
    if (reloaded) {
      log_to_stderr(flux::LogLevel::info, "certificates read again");
    } else {
      log_to_stderr(flux::LogLevel::error, reloaded.error().message());
    }
  }
  server.stop(std::chrono::seconds(5));
}

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
  options.config.log = log_to_stderr;
  const sigset_t signals = block_signals();  // before any thread exists
  if (!options.files_folder.empty()) {
    options.config.files.store = std::make_shared<flux::DiskFileStore>(options.files_folder, options.file_store);
  }
  flux::Server server(options.config);
  flux::socketio::Io io(server, socketio_options(options));
  flux::socketio::serve_sharing(server, io, {.room_list = options.room_list});
  for (const auto& [prefix, folder] : options.static_folders) server.static_files(prefix, folder);
  if (!options.echo_path.empty()) add_echo(server, options.echo_path);
  server.start();
  const std::string& host = options.config.listen[0].host;
  const bool v6 = host.find(':') != std::string::npos;
  std::printf("listening on %s://%s%s%s:%u/\n", options.config.tls.certificate_file.empty() ? "http" : "https",
              v6 ? "[" : "", host.c_str(), v6 ? "]" : "", static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  serve_until_told(server, signals);
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
