// The program that the official conformance suites of Engine.IO and Socket.IO drive, with the settings
// that they require.
//
// usage: flux-conformance-server [PORT [THREADS [PING_MS PATIENCE_MS]]]     PORT 0: any free port, which it prints.
// PING_MS and PATIENCE_MS: pingInterval and pingTimeout, by default 300 and 200, which the suites require. SIGTERM
// ends the program.
//
// The suites are test-suite/ in github.com/socketio/engine.io-protocol and github.com/socketio/socket.io-protocol; both
// expect port 3000.
#include <flux/flux.hpp>
#include <flux/socketio.hpp>

#include "support/server_program.hpp"

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace {

using namespace std::chrono_literals;

struct Pings {
  std::chrono::milliseconds interval, timeout;
};

template <class Options>
Options with_limits(Options options, const Pings& pings) {
  options.ping_interval = pings.interval;
  options.ping_timeout = pings.timeout;
  options.payload_bytes_max = 1'000'000;
  return options;
}

void serve(flux::socketio::Namespace nsp, Later& later) {
  nsp.on_connection([&later](flux::socketio::Socket socket) {
    // The suite waits for each frame only after it has seen the one before: CONNECT must arrive in a read of its own.
    later.add(10ms, [socket] { socket.emit("auth", {socket.handshake().auth()}); });
    socket.on("message", [socket](flux::socketio::Event& event) { socket.emit("message-back", event.args()); });
    socket.on("message-with-ack", [](flux::socketio::Event& event) { event.ack(event.args()); });
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int index, unsigned fallback) {
    return argc > index ? static_cast<unsigned>(std::strtoul(argv[index], nullptr, 10)) : fallback;
  };
  const Pings pings{std::chrono::milliseconds(number(3, 300)), std::chrono::milliseconds(number(4, 200))};
  Later later;
  flux::Config config;
  config.listen = {{"127.0.0.1", static_cast<std::uint16_t>(number(1, 0))}};
  config.threads = number(2, 1);
  config.origins = {"*"};
  flux::Server server(config);

  flux::engineio::Endpoint echo;
  echo.on_message = [](const flux::engineio::Socket& socket, std::string_view message, flux::MessageType type) {
    socket.send(message, type);
  };
  flux::engineio::serve(server, echo, with_limits(flux::engineio::Options(), pings));

  auto options = with_limits(flux::socketio::Options(), pings);
  options.connect_timeout = 1s;
  flux::socketio::Io io(server, options);
  serve(io.of("/"), later);
  serve(io.of("/custom"), later);

  run_server(server, later);
}
