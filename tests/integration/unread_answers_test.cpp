// Clients that send requests and do not read: nothing more is read from them until they do, and no answer is lost.
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/socketio_poller.hpp"

#include <flux/socketio.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <atomic>
#include <vector>

namespace unread_answers_test {

using namespace flux_test;

namespace {

constexpr int tiny_buffer = 4096;

/// Sends `bytes` as far as the server accepts them. It has stopped reading when nothing could be sent for many of its
/// turns, each shown by another client's request. Returns the rest.
std::string_view send_until_held(flux::Server& server, TcpClient& client, std::string_view bytes) {
  for (int refused = 0; refused < 50 && !bytes.empty();) {
    const std::size_t sent = client.send_some(bytes);
    bytes.remove_prefix(sent);
    refused = sent > 0 ? 0 : refused + 1;
    HttpClient(server.port()).request(get("/"));
  }
  return bytes;
}

/// A server whose Socket.IO clients get 100 kB for each "ask", at most ten of them unread.
struct Asked {
  explicit Asked(flux::Config c = test_config()) : config(std::move(c)) {
    config.limits.outbox_bytes_max = 1'000'000;
    server.emplace(config);
    io.emplace(*server);
    io->on_connection([this](const flux::socketio::Socket& socket) {
      socket.on("ask", [this](flux::socketio::Event& event) {
        ++asked;
        event.ack({flux::JsonText::string(std::string(100'000, 'y'))});
      });
      socket.on_disconnect([this](std::string_view reason) {
        const std::lock_guard lock(mutex);
        reasons.emplace_back(reason);
      });
    });
    server->start();
  }
  std::vector<std::string> ended() {
    const std::lock_guard lock(mutex);
    return reasons;
  }
  flux::Config config;
  std::atomic<int> asked{0};
  std::mutex mutex;
  std::vector<std::string> reasons;  // handlers write to it until the server has ended
  std::optional<flux::Server> server;
  std::optional<flux::socketio::Io> io;
};

/// A POST's body that asks `count` times, with the ids from 0 on.
std::string asks(int count) {
  std::string payload;
  for (int i = 0; i < count; ++i)
    payload += numbered(i == 0 ? "42"
                               : "\x1e"
                                 "42",
                        i) +
               R"(["ask"])";
  return payload;
}

/// How many acknowledgements there are in a payload, whose first one must be that of `next`.
int acks_in(std::string_view payload, int next) {
  int count = 0;
  while (!payload.empty()) {
    const auto packet = payload.substr(0, payload.find('\x1e'));
    CHECK(packet.substr(0, packet.find('[')) == numbered("43", next + count));
    CHECK(packet.size() > 100'000);
    ++count;
    payload.remove_prefix(std::min(payload.size(), packet.size() + 1));
  }
  return count;
}

}  // namespace

TEST_CASE("unread answers: a raw endpoint that echoes, the client is paused and then gets every echo") {
  auto config = test_config();
  config.limits.outbox_bytes_max = 1'000'000;
  std::size_t most_waiting = 0;
  flux::Server server(config);
  flux::WebSocketEndpoint echo;
  echo.on_message = [&](const flux::WebSocket& socket, std::string_view message, flux::MessageType) {
    socket.send(message);
    most_waiting = std::max(most_waiting, socket.outbox_bytes());
  };
  server.websocket("/echo", echo);
  server.start();
  WebSocketClient client(Target{server.port(), "127.0.0.1", tiny_buffer}, "/echo");
  constexpr int count = 200;
  std::string sent;
  for (int i = 0; i < count; ++i) sent += flux::testing::text_frame(numbered("", i) + std::string(100'000, 'x'));
  const std::string_view held = send_until_held(server, client.tcp, sent);
  CHECK_FALSE(held.empty());
  CHECK(server.stats().slow_readers_closed == 0);

  Crew crew;
  crew.add([&] { client.tcp.send(held); });
  int good = 0;
  for (int i = 0; i < count; ++i) good += client.message() == numbered("", i) + std::string(100'000, 'x') ? 1 : 0;
  CHECK(good == count);
  crew.join();
  server.stop(0ms);
  // What was congested, one echo, and what one turn collects.
  CHECK(most_waiting <= config.limits.outbox_bytes_congested + 100'020 + 262'144);
}

TEST_CASE("unread answers: repeated public_history, one answer is pending and the others follow as it is read") {
  auto config = test_config();
  config.limits.outbox_bytes_max = 1'000'000;
  flux::Server server(config);
  server.start();
  for (int i = 0; i < 50; ++i) REQUIRE(public_share(server, flux::JsonText::trusted(quoted_x(60'000))).ok());
  LiveClient client(Target{server.port(), "127.0.0.1", tiny_buffer}, "/live");
  constexpr int count = 100;
  for (int i = 0; i < count; ++i) client.send("public_history", "{}", numbered("h", i));
  // A later request of another client is answered at once, by the loop that has stopped reading from the first.
  LiveClient other(server.port());
  for (int i = 0; i < 20; ++i) CHECK(type_of(other.request("leave_room")) == "ack");
  CHECK(server.stats().messages_in < 20 + count / 2);  // the socket buffers also hold some answers
  for (int i = 0; i < count; ++i) {
    const auto answer = client.next("ack");
    CHECK(text_at(answer, "/id") == numbered("h", i));
    CHECK(answer.text().size() > 900'000);
  }
  CHECK(server.stats().slow_readers_closed == 0);
}

TEST_CASE("unread answers: Socket.IO over WebSocket, the client is paused and then gets every acknowledgement") {
  auto config = test_config();
  config.limits.outbox_bytes_max = 1'000'000;
  flux::Server server(config);
  flux::socketio::Io io(server);
  io.on_connection([](const flux::socketio::Socket& socket) {
    socket.on("ask",
              [](flux::socketio::Event& event) { event.ack({flux::JsonText::string(std::string(100'000, 'y'))}); });
  });
  server.start();
  WebSocketClient client(Target{server.port(), "127.0.0.1", tiny_buffer}, "/socket.io/?EIO=4&transport=websocket");
  CHECK(client.message().front() == '0');
  client.send_text("40");
  CHECK(client.message().substr(0, 2) == "40");
  constexpr int count = 100;
  for (int i = 0; i < count; ++i) client.send_text(numbered("42", i) + R"(["ask"])");
  HttpClient other(server.port());
  for (int i = 0; i < 20; ++i) CHECK(other.request(get("/")).status == 404);
  CHECK(server.stats().slow_readers_closed == 0);
  for (int i = 0; i < count; ++i) {
    const std::string answer = client.message();
    CHECK(answer.substr(0, answer.find('[')) == numbered("43", i));
  }
}

TEST_CASE("unread answers: a close sent after them is answered once they have been read") {
  flux::Server server(test_config());
  server.start();
  for (int i = 0; i < 50; ++i) REQUIRE(public_share(server, flux::JsonText::trusted(quoted_x(60'000))).ok());
  LiveClient client(Target{server.port(), "127.0.0.1", tiny_buffer}, "/live");
  for (int i = 0; i < 3; ++i) client.send("public_history", "{}", numbered("h", i));
  client.send_close(1000, "enough");
  CHECK(client.closed().code == 1000);
  CHECK(client.before_close.size() == 3);
}

TEST_CASE("unread answers: Socket.IO over polling, posted packets wait for the polls that fetch the answers") {
  Asked asked;
  Poller client(asked.server->port());
  constexpr int count = 100;
  CHECK(client.post(asks(count)) == "ok");  // a client may begin to poll only now
  Crew crew;
  std::string posted;
  crew.add([&] { posted = client.post(numbered("42", count) + R"(["ask"])"); });  // waits for it
  HttpClient other(asked.server->port());
  for (int i = 0; i < 20; ++i) CHECK(other.request(get("/")).status == 404);
  CHECK(asked.asked == 1);  // its answer alone congests the output
  for (int answered = 0; answered < count + 1;) {
    const HttpReply reply = client.get();
    REQUIRE(reply.status == 200);
    const int some = acks_in(reply.body, answered);
    REQUIRE(some > 0);
    answered += some;
    CHECK(asked.asked <= answered + 1);
  }
  crew.join();
  CHECK(posted == "ok");
  CHECK(asked.server->stats().slow_readers_closed == 0);
  CHECK(client.post(R"(42["ask"])") == "ok");
}

TEST_CASE("unread answers: an invalid packet in a POST that was already answered ends the session") {
  Asked asked;
  Poller client(asked.server->port());
  CHECK(client.post(asks(2) + "\x1ewrong") == "ok");
  CHECK(acks_in(client.get().body, 0) == 1);
  REQUIRE(eventually([&] { return asked.ended() == std::vector<std::string>{"parse error"}; }));
  CHECK(client.get().status == 400);
}

TEST_CASE("unread answers: a client that posts and never polls is closed when its output has stalled") {
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  auto config = test_config();
  config.clock = clock;
  config.limits.output_stall_timeout = 3000ms;
  Asked asked(config);
  Poller client(asked.server->port());
  HttpReply posted;
  Crew crew;
  crew.add([&] { posted = client.post_reply(asks(100)); });
  REQUIRE(eventually([&] { return asked.asked == 1; }));
  HttpClient other(asked.server->port());
  const auto step = [&](std::chrono::milliseconds time) {
    clock->advance(time);
    other.request(get("/"));
  };
  step(2900ms);
  CHECK(asked.server->stats().slow_readers_closed == 0);
  CHECK(client.get().status == 200);  // it reads something: another period begins
  REQUIRE(eventually([&] { return asked.asked == 2; }));
  step(2900ms);
  CHECK(asked.server->stats().slow_readers_closed == 0);
  step(3100ms);
  // Deadlines have some slack, and the last period may have begun later than the poll.
  REQUIRE(eventually([&] {
    step(250ms);
    return asked.server->stats().slow_readers_closed == 1;
  }));
  crew.join();
  CHECK(posted.status == 200);
  REQUIRE(eventually([&] { return asked.ended() == std::vector<std::string>{"transport error"}; }));
  CHECK(asked.asked == 2);
  CHECK(client.get().status == 400);
}

TEST_CASE("unread answers: a client that tries a WebSocket while its POST waits gets everything over that") {
  Asked asked;
  Poller client(asked.server->port());
  constexpr int count = 8;
  Crew crew;
  std::string posted;
  crew.add([&] { posted = client.post(asks(count)); });
  REQUIRE(eventually([&] { return asked.asked == 1; }));
  WebSocketClient socket(Target{asked.server->port()}, "/socket.io/?EIO=4&transport=websocket&sid=" + client.sid);
  socket.send_text("2probe");
  CHECK(socket.message() == "3probe");
  crew.join();
  CHECK(posted == "ok");
  CHECK(asked.asked == count);
  socket.send_text("5");
  for (int i = 0; i < count; ++i) CHECK(acks_in(socket.message(), i) == 1);
  CHECK(asked.server->stats().slow_readers_closed == 0);
}

}  // namespace unread_answers_test
