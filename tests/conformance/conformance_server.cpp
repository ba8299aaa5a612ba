// The program that the official conformance suites of Engine.IO and Socket.IO drive, with the settings that they want.
//
// usage: flux-conformance-server [PORT [THREADS]]     0: a free port, which it prints. Ends with SIGTERM.
//
// The suites are test-suite/ in github.com/socketio/engine.io-protocol and github.com/socketio/socket.io-protocol; both
// expect port 3000.
#include <flux/flux.hpp>
#include <flux/socketio.hpp>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;

std::atomic<bool> ended{false};

template <class Options>
Options with_limits(Options options) {
  options.ping_interval = 300ms;
  options.ping_timeout = 200ms;
  options.payload_bytes_max = 1'000'000;
  return options;
}

/// What is done a little later, on the thread of `main`.
class Later {
 public:
  void add(std::function<void()> task) {
    const std::lock_guard lock(mutex_);
    tasks_.emplace_back(std::chrono::steady_clock::now() + 10ms, std::move(task));
  }
  void run_until_ended() {
    while (!ended) {
      std::this_thread::sleep_for(1ms);
      for (const auto& task : due()) task();
    }
  }

 private:
  std::vector<std::function<void()>> due() {
    std::vector<std::function<void()>> tasks;
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    while (!tasks_.empty() && tasks_.front().first <= now) {
      tasks.push_back(std::move(tasks_.front().second));
      tasks_.pop_front();
    }
    return tasks;
  }

  std::mutex mutex_;
  std::deque<std::pair<std::chrono::steady_clock::time_point, std::function<void()>>> tasks_;
};

void serve(flux::socketio::Namespace nsp, Later& later) {
  nsp.on_connection([&later](flux::socketio::Socket socket) {
    // The suite looks for each frame only when it has seen the one before: CONNECT must have a read of its own.
    later.add([socket] { socket.emit("auth", {socket.handshake().auth()}); });
    socket.on("message", [socket](flux::socketio::Event& event) { socket.emit("message-back", event.args()); });
    socket.on("message-with-ack", [](flux::socketio::Event& event) { event.ack(event.args()); });
  });
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [&](int index, unsigned fallback) {
    return argc > index ? static_cast<unsigned>(std::strtoul(argv[index], nullptr, 10)) : fallback;
  };
  std::signal(SIGTERM, [](int) { ended = true; });

  Later later;
  flux::Config config;
  config.listen = {{"127.0.0.1", static_cast<std::uint16_t>(number(1, 0))}};
  config.threads = number(2, 1);
  flux::Server server(config);

  flux::engineio::Endpoint echo;
  echo.on_message = [](const flux::engineio::Socket& socket, std::string_view message, flux::MessageType type) {
    socket.send(message, type);
  };
  flux::engineio::serve(server, echo, with_limits(flux::engineio::Options()));

  auto options = with_limits(flux::socketio::Options());
  options.connect_timeout = 1s;
  flux::socketio::Io io(server, options);
  serve(io.of("/"), later);
  serve(io.of("/custom"), later);

  server.start();
  std::printf("listening on http://127.0.0.1:%u/\n", static_cast<unsigned>(server.port()));
  std::fflush(stdout);
  later.run_until_ended();
  server.stop(std::chrono::milliseconds(100));
}
