// Handlers that hold their event loop are logged and counted.
#include "support/server.hpp"

#include <flux/engineio.hpp>

#include <string>

namespace blocked_loop_test {

using namespace flux_test;
using namespace flux::literals;

namespace {

/// The lines that a server logs about blocked loops.
struct BlockedLines {
  Awaited<std::string> running, returned;

  flux::Config config() {
    auto config = test_config();
    config.slow_handler = 100ms;
    config.log = [this](flux::LogLevel level, std::string_view line) {
      if (level != flux::LogLevel::warning) return;
      if (line.find("holds event loop 0 for more than") != line.npos) running.set(std::string(line));
      if (line.find("returned; it held event loop 0 for about") != line.npos) returned.set(std::string(line));
    };
    return config;
  }
};

}  // namespace

TEST_CASE("blocked loops: a handler that holds its loop is logged with its client while it runs, then with its time") {
  BlockedLines lines;
  flux::Server server(lines.config());
  std::string client, first;
  server.on_event([&](flux::EventMessage& message) {
    client = message.session.remote_address();
    first = lines.running.get();  // holds the loop until that is noticed
  });
  server.start();
  LiveClient ann(server.port());
  ann.join("r");
  ann.send("broadcast_event", R"({"event":"move"})");
  const std::string line = lines.returned.get();
  CHECK(line.find("the \"event\" handler (\"move\") of the client " + client + " returned") == 0);
  CHECK(first.find("the \"event\" handler (\"move\") of the client " + client + " holds") == 0);
  CHECK(server.stats().slow_handlers == 1);
}

TEST_CASE("blocked loops: a callback of an HTTP request is watched, too") {
  BlockedLines lines;
  flux::Server server(lines.config());
  std::string first;
  server.route("POST", "/report", [&](const flux::HttpExchange& exchange) {
    exchange.read_body([&, exchange](const std::string&) {
      first = lines.running.get();
      exchange.respond(200, exchange.remote_address());
    });
  });
  server.start();
  const std::string client = HttpClient(server.port()).request(post("/report", "x")).body;
  lines.returned.get();
  CHECK(first.find("the \"HTTP\" handler (\"/report\") of the client " + client + " holds") == 0);
}

TEST_CASE("blocked loops: a handler of bare Engine.IO is logged with its client if a limit counts addresses") {
  BlockedLines lines;
  auto config = lines.config();
  config.limits.address_messages_per_second = 1'000;
  flux::Server server(config);
  std::string first;
  flux::engineio::serve(server, {.on_message = [&](const flux::engineio::Socket&, std::string_view, flux::MessageType) {
                          first = lines.running.get();
                        }});
  server.start();
  WebSocketClient client(server.port(), "/engine.io/?EIO=4&transport=websocket");
  client.send_text("4hello");
  lines.returned.get();
  CHECK(first.find("the \"message\" handler of the client 127.0.0.1:") == 0);
}

}  // namespace blocked_loop_test
