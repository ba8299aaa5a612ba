// A server of files that the tests in JavaScript drive: DiskFileStore, and the settings that they want.
//
// usage: flux-file-server --dir DIR [--port N] [--threads N] [--max-file-size BYTES] [--idle-ms N] [--upload-expires S]
//     [--cors ORIGIN] [--inline TYPE] [--checked-chunk-max BYTES] [--quota BYTES] [--sha256 1] [--auth now|later]
//
// --auth: who has no `Authorization: Bearer NAME` is refused; NAME owns what it puts up; "thief" may do nothing with
// what others own; only "admin" removes complete files. GET /link/{id}?seconds=N&name=NAME gives a signed link. Ends
// with SIGTERM.
#include <flux/flux.hpp>
#include <flux/storage/disk_file_store.hpp>

#include "support/later.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>

namespace {

using namespace std::chrono_literals;

/// None: may do it. Else why not.
std::string refusal(const flux::FileRequest& request) {
  const std::string user = request.token();
  if (user.empty()) return "say who you are";
  if (user == "thief" && request.file().owner != user) return "this is not yours";
  const bool complete = request.file().state == flux::FileState::complete;
  if (request.action() == flux::FileAction::remove && complete && user != "admin") return "only admin removes files";
  return {};
}

void answer(const flux::LaterAnswer& later, const std::string& user, const std::string& why_not) {
  if (!why_not.empty()) return later.refuse(why_not);
  later.accept({.user_id = user});
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  for (int i = 1; i + 1 < argc; i += 2) options[argv[i]] = argv[i + 1];
  const auto number = [&](const char* name, std::uint64_t fallback) {
    const auto found = options.find(name);
    return found == options.end() ? fallback : std::strtoull(found->second.c_str(), nullptr, 10);
  };
  Later main_thread;

  flux::Config config;
  config.listen = {{"127.0.0.1", static_cast<std::uint16_t>(number("--port", 0))}};
  config.threads = static_cast<std::size_t>(number("--threads", 1));
  config.presence_interval = 0ms;
  config.limits.http_idle_timeout = std::chrono::milliseconds(number("--idle-ms", 60'000));
  config.limits.close_timeout = 1s;
  config.files.store = std::make_shared<flux::DiskFileStore>(
      options["--dir"], flux::DiskFileStoreOptions{.bytes_max = number("--quota", 0)});
  config.files.file_bytes_max = number("--max-file-size", 100'000'000);
  config.files.upload_expires = std::chrono::seconds(number("--upload-expires", 86'400));
  config.files.checked_chunk_bytes_max =
      static_cast<std::size_t>(number("--checked-chunk-max", config.files.checked_chunk_bytes_max));
  config.files.sha256 = number("--sha256", 0) != 0;
  if (options.count("--cors") != 0) config.files.cors_origins = {options["--cors"]};
  if (options.count("--inline") != 0) config.files.inline_types = {options["--inline"]};
  config.log_level = flux::LogLevel::warning;
  config.log = [](flux::LogLevel, std::string_view text) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  };
  flux::Server server(config);

  const std::string auth = options["--auth"];
  if (auth == "now") {
    server.on_file([](flux::FileRequest& request) {
      const std::string why_not = refusal(request);
      if (!why_not.empty()) return request.refuse(why_not);
      request.accept({.user_id = request.token()});
    });
  } else if (auth == "later") {
    server.on_file([&main_thread](flux::FileRequest& request) {
      main_thread.add(20ms, [later = request.later(), user = request.token(), why_not = refusal(request)] {
        answer(later, user, why_not);
      });
    });
  }
  server.route("GET", "/link/{id}", [&server](const flux::HttpExchange& exchange) {
    const std::chrono::seconds valid_for(std::strtol(exchange.query("seconds").value_or("60").c_str(), nullptr, 10));
    const auto link =
        server.file_link(std::string(exchange.parameter("id")), valid_for, exchange.query("name").value_or(""));
    exchange.respond(link ? 200 : 400, link ? *link : link.error().message());
  });
  if (const auto made = server.create_room("watched", {.permanent = true}); !made) return 1;

  server.start();
  std::printf("listening on http://127.0.0.1:%u/\n", static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  main_thread.run();
  server.stop(100ms);
}
