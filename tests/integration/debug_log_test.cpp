// Level debug of the log: what an operator needs to follow one client.
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/socketio.hpp>

#include <algorithm>
#include <mutex>
#include <string>
#include <vector>

namespace debug_log_test {

using namespace flux_test;

namespace {

/// The lines of level debug.
class DebugLines {
 public:
  flux::LogSink sink() {
    return [this](flux::LogLevel level, std::string_view line) {
      const std::lock_guard lock(mutex_);
      if (level == flux::LogLevel::debug) lines_.emplace_back(line);
    };
  }
  /// Whether a line that contains all of `parts` is logged in time.
  bool has(const std::vector<std::string>& parts) const {
    return eventually([&] {
      const std::lock_guard lock(mutex_);
      return std::any_of(lines_.begin(), lines_.end(), [&](const std::string& line) {
        return std::all_of(parts.begin(), parts.end(), [&](const auto& part) { return line.find(part) != line.npos; });
      });
    });
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return lines_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace

TEST_CASE("debug log: a client of protocol live, from its connection to its end, refusals with their reason") {
  DebugLines lines;
  auto config = test_config();
  config.log = lines.sink();
  config.log_level = flux::LogLevel::debug;
  config.origins = {"https://app.example.com"};
  flux::Server server(config);
  server.on_connect(
      [](flux::ConnectRequest& request) { request.query("token") ? request.accept({}) : request.refuse("no token"); });
  server.on_join([](flux::JoinRequest& join) {
    if (join.room == "closed") join.refuse("members only");
  });
  server.start();
  LiveClient ann(server.port(), "/live?token=x");
  ann.join("r");
  const auto id = ann.id;
  CHECK(code_of(ann.request("join_room", R"({"roomId":"closed"})")) == "FORBIDDEN");
  server.disconnect(id, flux::CloseCode::unauthorized, "enough");
  CHECK(ann.closed().code == 4401);
  CHECK(lines.has({"live client " + id + " connected from 127.0.0.1:"}));
  CHECK(lines.has({"live client " + id + " joined room \"r\""}));
  CHECK(lines.has({"live client " + id + " was refused by the join handler: members only"}));
  CHECK(lines.has({"live client " + id + " left room \"r\""}));
  CHECK(lines.has({"live client " + id + " disconnected: 4401 \"enough\""}));

  HttpClient stranger(server.port());
  stranger.send(handshake("/live"));
  CHECK(lines.has({"the connect handler refused 127.0.0.1:", ": no token"}));
  HttpClient page(server.port());
  page.send(handshake("/live", "Origin: https://evil.example\r\n"));
  CHECK(lines.has({"refused 127.0.0.1:", ": origin \"https://evil.example\" is not allowed"}));
}

TEST_CASE("debug log: clients of raw endpoints and of Socket.IO") {
  DebugLines lines;
  auto config = test_config();
  config.log = lines.sink();
  config.log_level = flux::LogLevel::debug;
  flux::Server server(config);
  server.websocket("/raw", {});
  flux::socketio::Io io(server);
  server.start();
  {
    WebSocketClient raw(server.port(), "/raw");
    SocketIoClient socket(server.port());
    CHECK(lines.has({"websocket client 127.0.0.1:", " connected"}));
    CHECK(lines.has({"socket.io client 127.0.0.1:", " joined namespace /"}));
  }
  CHECK(lines.has({"websocket client 127.0.0.1:", " disconnected: "}));
  CHECK(lines.has({"socket.io client 127.0.0.1:", " left namespace /: transport close"}));
}

TEST_CASE("debug log: at level info there is none of it") {
  DebugLines lines;
  auto config = test_config();
  config.log = lines.sink();
  flux::Server server(config);
  server.start();
  LiveClient(server.port()).join("r");
  server.stop(0ms);
  CHECK(lines.size() == 0);
}

}  // namespace debug_log_test
