// Calls of the application whose result it ignores: failures are counted and logged. Ignoring one is no warning, or this
// would not compile.
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/detail/core/log_limit.hpp>
#include <flux/socketio.hpp>
#include <flux/testing/manual_clock.hpp>

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace call_faults_test {

using namespace flux_test;
using namespace flux::literals;

namespace {

using flux::LogLevel;

/// The lines of a server's log, with their levels.
struct Lines {
  struct Line {
    LogLevel level;
    std::string text;
  };
  flux::LogSink sink() {
    return [this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex);
      all.push_back({level, std::string(text)});
    };
  }
  std::size_t count(LogLevel level, std::string_view text) const {
    const std::lock_guard lock(mutex);
    std::size_t found = 0;
    for (const Line& line : all) found += line.level == level && line.text == text ? 1U : 0U;
    return found;
  }
  std::size_t size() const {
    const std::lock_guard lock(mutex);
    return all.size();
  }
  mutable std::mutex mutex;
  std::vector<Line> all;
};

flux::Config logging_config(Lines& lines, LogLevel level = LogLevel::warning) {
  auto config = test_config();
  config.log = lines.sink();
  config.log_level = level;
  return config;
}

/// The session of a client that has disconnected.
flux::Session disconnected_session(flux::Server& server) {
  std::optional<LiveClient> client(server.port());
  client->join("r");
  const flux::Session session = server.session(client->id).value();
  client.reset();
  REQUIRE(eventually([&] { return !session.connected(); }));
  return session;
}

}  // namespace

TEST_CASE("ignored results: failures of the server's methods are counted and logged, successes are not") {
  Lines lines;
  flux::Server server(logging_config(lines));
  server.start();
  server.create_room("r", {flux::RoomMode::live, 0, true});
  server.broadcast("r", "hello", "1"_json);
  CHECK(server.stats().calls_failed == 0);
  server.broadcast("elsewhere", "hello", "1"_json);
  server.create_room("r");
  server.close_room("nowhere");
  server.adopt(-1, {});
  server.share("nowhere", "1"_json);  // without a callback
  CHECK(server.stats().calls_failed == 5);
  CHECK(lines.count(LogLevel::warning, "broadcast \"hello\" failed: no room \"elsewhere\"") == 1);
  CHECK(lines.count(LogLevel::warning, "close_room \"nowhere\" failed: no room \"nowhere\"") == 1);
  CHECK(lines.count(LogLevel::warning, "share failed: no room \"nowhere\"") == 1);
  CHECK(lines.size() == 5);
}

TEST_CASE("ignored results: what a disconnected client does not get is counted, and logged at level debug") {
  Lines lines;
  flux::Server server(logging_config(lines, LogLevel::debug));
  server.start();
  const flux::Session session = disconnected_session(server);
  session.send("late", "1"_json);
  session.set_grant({});
  CHECK(server.stats().calls_failed == 2);
  CHECK(lines.count(LogLevel::debug, "send \"late\" failed: session " + session.id() + " is gone") == 1);
}

TEST_CASE("ignored results: an emit that can't be sent is counted and logged") {
  Lines lines;
  flux::Server server(logging_config(lines));
  flux::socketio::Io io(server);
  Awaited<flux::socketio::Socket> connected;
  io.on_connection([&](const flux::socketio::Socket& socket) { connected.set(socket); });
  server.start();
  const SocketIoClient client(server.port());
  const auto socket = connected.get();
  socket.emit("fine");
  socket.join("room");
  CHECK(server.stats().calls_failed == 0);
  socket.emit("\xff");
  socket.join("");
  io.to("room").emit("disconnect");
  CHECK(server.stats().calls_failed == 3);
  CHECK(lines.size() == 3);
}

TEST_CASE("ignored results: at most 50 lines are logged in ten seconds, and the next one says what was left out") {
  Lines lines;
  auto config = logging_config(lines);
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  config.clock = clock;
  flux::Server server(config);
  const auto limit = flux::core::LogLimit::lines_max;
  for (std::size_t i = 0; i < limit + 7; ++i) server.broadcast("r", "e", "1"_json);
  CHECK(lines.size() == limit);
  CHECK(server.stats().calls_failed == limit + 7);
  clock->advance(flux::core::LogLimit::window);
  server.broadcast("r", "e", "1"_json);
  CHECK(lines.count(LogLevel::warning, "7 lines about failed calls were left out") == 1);
  CHECK(lines.size() == limit + 2);
}

TEST_CASE("ignored results: lines about disconnected clients leave out no warnings") {
  Lines lines;
  flux::Server server(logging_config(lines, LogLevel::debug));
  server.start();
  const flux::Session session = disconnected_session(server);
  for (std::size_t i = 0; i < flux::core::LogLimit::lines_max; ++i) session.send("late", "1"_json);
  server.broadcast("elsewhere", "hello", "1"_json);
  CHECK(lines.count(LogLevel::warning, "broadcast \"hello\" failed: no room \"elsewhere\"") == 1);
}

TEST_CASE("ignored results: a handle that outlives its server fails without logging") {
  Lines lines;
  std::optional<flux::Session> session;
  {
    flux::Server server(logging_config(lines, LogLevel::debug));
    server.start();
    LiveClient client(server.port());
    client.join("r");
    session = server.session(client.id);
    REQUIRE(session);
  }
  const auto before = lines.size();
  session->send("late", "1"_json);
  CHECK(lines.size() == before);
}

}  // namespace call_faults_test
