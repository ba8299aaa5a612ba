// Where Socket.IO handlers are destroyed, with the objects they captured.
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/socketio.hpp>

#include <memory>
#include <optional>
#include <thread>

namespace socketio_captures_test {

using namespace flux_test;
using flux::JsonText;
using flux::socketio::Args;
using flux::socketio::Event;
using flux::socketio::Io;
using flux::socketio::Next;
using flux::socketio::Options;
using flux::socketio::Socket;

namespace {

/// An object captured by an application, and the thread on which it is destroyed.
struct Captured {
  Awaited<std::thread::id> ended;
  std::shared_ptr<void> make() {
    return {this, [](void* self) { static_cast<Captured*>(self)->ended.set(std::this_thread::get_id()); }};
  }
};

struct EndedServer {
  EndedServer() : server(test_config(2)), io(server, options()) {}
  static Options options() {
    Options options;
    options.payload_bytes_max = 20'000'000;
    return options;
  }
  flux::Server server;
  Io io;
};

}  // namespace

TEST_CASE("socket.io: a middleware wraps the ack of a long event, its captures end on the client's loop") {
  EndedServer ended;
  Captured captured;
  Awaited<std::thread::id> loop;
  const bool is_long = GENERATE(true, false);
  ended.io.on_connection([&](const Socket& socket) {
    loop.set(std::this_thread::get_id());
    socket.use([&](Event& event, const Next& next) {
      event = Event(event.name(), event.args(),
                    [capture = captured.make(), later = event.later()](Args args) { return later(std::move(args)); });
      next();
    });
    socket.on("note", [](Event& event) { event.ack({JsonText::trusted("1")}); });
  });
  ended.server.start();
  SocketIoClient client(ended.server.port());
  CHECK(client.ask("note", quoted_x(is_long ? 1'000'000 : 10)) == JsonText::trusted("1"));
  CHECK(captured.ended.get() == loop.get());
}

TEST_CASE("socket.io: another thread answers a middleware after the client disconnected, captures end on its loop") {
  EndedServer ended;
  for (int round = 0; round < 50; ++round) {
    Captured captured;
    Awaited<std::thread::id> loop;
    Awaited<Next> asked;
    Awaited<bool> gone;
    ended.io.of("/" + std::to_string(round)).on_connection([&](const Socket& socket) {
      loop.set(std::this_thread::get_id());
      socket.use([&asked, capture = captured.make()](Event&, const Next& next) { asked.set(next); });
      socket.on_disconnect([&](std::string_view) { gone.set(true); });
    });
    if (round == 0) ended.server.start();
    const std::string nsp = "/" + std::to_string(round);
    SocketIoClient client(ended.server.port());
    client.send_text("40" + nsp + ",");
    client.message();
    client.send_text("42" + nsp + ",[\"note\"]");
    std::optional<Next> next = asked.get();
    client.send_text("41" + nsp + ",");
    gone.get();
    if (round % 2 == 0) (*next)();
    next.reset();
    REQUIRE(captured.ended.get() == loop.get());
  }
}

TEST_CASE("socket.io: a collector of many answers is called and ends on the loop of the last one") {
  EndedServer ended;
  ended.server.start();
  SocketIoClient a(ended.server.port()), b(ended.server.port());
  for (int round = 0; round < 50; ++round) {
    Captured captured;
    Awaited<std::thread::id> called;
    auto done = [&called, capture = captured.make()](const auto&, const auto& answers) {
      if (answers.size() == 2) called.set(std::this_thread::get_id());
    };
    ended.io.of("/").broadcast().emit("ask", {}, std::move(done));
    for (SocketIoClient* client : {&a, &b}) {
      const std::string text = client->message();
      client->send_text("43" + text.substr(2, text.find('[') - 2) + "[]");
    }
    REQUIRE(captured.ended.get() == called.get());
  }
}

}  // namespace socketio_captures_test
