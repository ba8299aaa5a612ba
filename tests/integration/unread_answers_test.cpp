// Clients that send requests and do not read: nothing more is read from them until they do, and no answer is lost.
#include "support/server.hpp"

#include <flux/socketio.hpp>

#include <algorithm>

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

TEST_CASE("unread answers: repeated public_history, one answer is pending and the others come as it is read") {
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
  CHECK(server.stats().messages_in < 20 + count / 2);  // the socket buffers hold some answers, too
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
