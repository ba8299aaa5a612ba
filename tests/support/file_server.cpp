// A file server driven by the JavaScript tests: DiskFileStore, with the settings that they need.
//
// usage: flux-file-server --dir DIR [--port N] [--threads N] [--max-file-size BYTES] [--idle-ms N] [--upload-expires S]
//     [--cors ORIGIN] [--inline TYPE,...] [--checked-chunk-max BYTES] [--quota BYTES] [--sha256 1] [--auth now|later]
//
// --auth: a client without `Authorization: Bearer NAME` is refused; NAME owns what it uploads; "thief" may not touch
// files that others own; only "admin" may delete complete files. GET /link/{id}?seconds=N&name=NAME returns a signed
// link. Ends on SIGTERM.
#include <flux/flux.hpp>
#include <flux/storage/disk_file_store.hpp>

#include "support/server_program.hpp"

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <sstream>
#include <string>

namespace {

using namespace std::chrono_literals;

/// The reason for a refusal; none if the request is allowed.
std::string refusal(const flux::FileRequest& request) {
  const std::string user = request.token();
  if (user.empty()) return "say who you are";
  if (user == "thief" && request.file().owner != user) return "this is not yours";
  const bool complete = request.file().state == flux::FileState::complete;
  if (request.action() == flux::FileAction::remove && complete && user != "admin") return "only admin removes files";
  return {};
}

flux::Errc code_for(const std::string& user) { return user.empty() ? flux::Errc::unauthorized : flux::Errc::forbidden; }

void answer(const flux::LaterAnswer& later, const std::string& user, const std::string& why_not) {
  if (!why_not.empty()) return later.refuse(why_not, code_for(user));
  later.accept({.user_id = user});
}

}  // namespace

int main(int argc, char** argv) {
  const Arguments arguments(argc, argv);
  Later main_thread;

  flux::Config config = config_of(arguments);
  config.limits.http_idle_timeout = arguments.ms("--idle-ms", 60s);
  config.limits.output_stall_timeout = config.limits.http_idle_timeout;
  config.limits.close_timeout = 1s;
  config.files.store = std::make_shared<flux::DiskFileStore>(
      arguments.text("--dir"), flux::DiskFileStoreOptions{.bytes_max = arguments.number<std::uint64_t>("--quota", 0)});
  config.files.file_bytes_max = arguments.number<std::uint64_t>("--max-file-size", 100'000'000);
  config.files.upload_expires = std::chrono::seconds(arguments.number("--upload-expires", 86'400));
  config.files.checked_chunk_bytes_max = arguments.number("--checked-chunk-max", config.files.checked_chunk_bytes_max);
  config.files.sha256 = arguments.number("--sha256", 0) != 0;
  if (arguments.has("--cors")) config.files.cors_origins = {arguments.text("--cors")};
  std::istringstream types(arguments.has("--inline") ? arguments.text("--inline") : "");
  for (std::string type; std::getline(types, type, ',');) config.files.inline_types.push_back(type);
  config.log_level = flux::LogLevel::warning;
  config.log = [](flux::LogLevel, std::string_view text) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
  };
  flux::Server server(config);

  const std::string auth = arguments.text("--auth");
  if (auth == "now") {
    server.on_file([](flux::FileRequest& request) {
      const std::string why_not = refusal(request);
      if (!why_not.empty()) return request.refuse(why_not, code_for(request.token()));
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

  run_server(server, main_thread);
}
