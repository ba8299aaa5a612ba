// Peers that read their output, or send their input, more slowly than the limits permit: closed in time, while those
// that make progress stay connected. The clock is stepped.
#include "support/server.hpp"

#include <flux/testing/manual_clock.hpp>

namespace stalled_transfers_test {

using namespace flux_test;

namespace {

struct Stepped {
  std::shared_ptr<flux::testing::ManualClock> clock = std::make_shared<flux::testing::ManualClock>();
  flux::Config config = test_config();

  Stepped() {
    config.clock = clock;
    config.limits.ping_interval = 0ms;  // pings have their own limits
  }
};

/// The loop has handled what was due: it answers another client.
void settle(flux::Server& server) { HttpClient(server.port()).request(get("/")); }

/// A server whose endpoint /pour sends `message` to every client, and /wait blocks its loop until `gate` opens.
struct Pouring : Stepped {
  explicit Pouring(std::chrono::milliseconds ping_interval = 0ms) {
    config.limits.outbox_bytes_max = 100'000'000;
    config.limits.ping_interval = ping_interval;
    server = std::make_unique<flux::Server>(config);
    flux::WebSocketEndpoint pour;
    pour.on_open = [this](const flux::WebSocket& socket) { socket.send(message); };
    pour.on_close = [this](const flux::WebSocket&, const flux::Disconnect& how) { gone.set(how); };
    server->websocket("/pour", pour);
    flux::WebSocketEndpoint wait;
    wait.on_message = [this](const flux::WebSocket&, std::string_view, flux::MessageType) {
      waiting.set(true);
      gate.wait();
    };
    server->websocket("/wait", wait);
    server->start();
  }

  const std::string message = std::string(8'000'000, 'x');
  Awaited<flux::Disconnect> gone;
  Awaited<bool> waiting;
  Gate gate;
  std::unique_ptr<flux::Server> server;
};

std::string ping() { return flux::testing::ClientFrame{.opcode = flux::transport::Opcode::ping}.bytes(); }

std::string fragment(flux::transport::Opcode opcode, std::string payload, bool final) {
  return flux::testing::ClientFrame{.opcode = opcode, .payload = std::move(payload), .final = final}.bytes();
}

/// Sends `bytes` once a second until there is an answer; returns the number of seconds, at most 60.
int seconds_until_answered(Stepped& stepped, flux::Server& server, HttpClient& client, std::string_view bytes) {
  int seconds = 0;
  for (; seconds < 60; ++seconds) {
    client.send_some(bytes);
    settle(server);
    stepped.clock->advance(1000ms);
    settle(server);
    pollfd readable{client.native(), POLLIN, 0};
    if (::poll(&readable, 1, 0) == 1) break;
  }
  return seconds;
}

}  // namespace

TEST_CASE("output stall: a client that does not read is closed with 4413, whatever it sends meanwhile") {
  Pouring pouring;
  WebSocketClient client(Target{pouring.server->port(), "127.0.0.1", 4096}, "/pour");
  // Bytes still moving between the kernels' buffers count as read, so this may take more than one period.
  CHECK(eventually([&] {
    client.tcp.send_some(ping());
    pouring.clock->advance(61s);
    settle(*pouring.server);
    return pouring.server->stats().connections_now == 0;
  }));
  CHECK(pouring.gone.get().code == flux::CloseCode::slow_reader);
  CHECK(pouring.server->stats().slow_readers_closed == 1);
}

TEST_CASE("output stall: a client that reads a little in each period is not closed and gets everything") {
  Pouring pouring;
  WebSocketClient client(Target{pouring.server->port(), "127.0.0.1", 4096}, "/pour");
  settle(*pouring.server);  // the sockets are full, and the first period has begun
  for (int period = 0; period < 6; ++period) {
    while (client.tcp.received.size() < static_cast<std::size_t>(period + 1) * 200'000) REQUIRE(client.tcp.receive());
    pouring.clock->advance(61s);
    settle(*pouring.server);
  }
  CHECK(pouring.server->stats().connections_now >= 1);
  CHECK(client.message() == pouring.message);
}

TEST_CASE("output stall: the server was suspended while the client read its output, it is not closed") {
  Pouring pouring;
  WebSocketClient client(Target{pouring.server->port(), "127.0.0.1", 4096}, "/pour");
  WebSocketClient holder(pouring.server->port(), "/wait");
  holder.send_text("hold");
  pouring.waiting.get();
  while (client.tcp.received.size() < 100'000) REQUIRE(client.tcp.receive());  // the bytes in the socket buffers
  pouring.clock->advance(61s);
  pouring.gate.open();
  settle(*pouring.server);
  CHECK(client.message() == pouring.message);
  CHECK(pouring.server->stats().slow_readers_closed == 0);
}

TEST_CASE("output stall: 0, a client may read slowly") {
  Stepped stepped;
  stepped.config.limits.output_stall_timeout = 0ms;
  flux::Server server(stepped.config);
  server.route("GET", "/big", [](const flux::HttpExchange& exchange) {
    exchange.respond(200, std::string(20'000'000, 'x'), "text/plain");
  });
  server.start();
  HttpClient client(Target{server.port(), "127.0.0.1", 4096});
  client.send(get("/big"));
  REQUIRE(client.receive());
  for (int period = 0; period < 5; ++period) {
    stepped.clock->advance(600s);
    settle(server);
  }
  CHECK(client.reply().body.size() == 20'000'000);
}

TEST_CASE("ping: a client with pending output owes no pong, it is not closed for that") {
  Pouring pouring(1000ms);
  WebSocketClient client(Target{pouring.server->port(), "127.0.0.1", 4096}, "/pour");
  for (int seconds = 0; seconds < 50; ++seconds) {
    pouring.clock->advance(1000ms);
    settle(*pouring.server);
  }
  CHECK(client.message() == pouring.message);
  CHECK(pouring.server->stats().slow_readers_closed == 0);
}

TEST_CASE("input stall: a slowly sent fragmented message is closed with 4408, pings between its frames or not") {
  Stepped stepped;
  Awaited<flux::Disconnect> gone;
  flux::Server server(stepped.config);
  server.on_disconnect([&](const flux::Session&, const flux::Disconnect& how) { gone.set(how); });
  server.start();
  WebSocketClient client(server.port());
  client.tcp.send(fragment(flux::transport::Opcode::text, "{", false));
  int seconds = 0;
  for (bool closed = false; !closed && seconds < 60; ++seconds) {
    client.tcp.send(fragment(flux::transport::Opcode::continuation, "  ", false) + ping());
    const auto answer = client.frame();
    REQUIRE(answer);
    closed = answer->opcode == flux::transport::Opcode::close;
    if (closed) client.note_close(answer->payload);
    stepped.clock->advance(1000ms);
    settle(server);
  }
  CHECK(seconds >= 29);
  CHECK(seconds < 40);
  client.tcp.close();
  CHECK(client.how_closed.code == 4408);
  CHECK(gone.get().code == flux::CloseCode::timed_out);
}

TEST_CASE("input stall: part of a frame's header, or of its payload, and then nothing") {
  const std::string text = flux::testing::text_frame(std::string(1000, 'x'));
  const std::size_t sent = GENERATE(std::size_t{1}, std::size_t{5}, std::size_t{500});
  Stepped stepped;
  flux::Server server(stepped.config);
  server.start();
  WebSocketClient client(server.port());
  client.tcp.send(std::string_view(text).substr(0, sent));
  settle(server);
  stepped.clock->advance(29s);
  settle(server);
  CHECK(server.stats().sessions_now == 1);
  stepped.clock->advance(2s);
  CHECK(client.closed().code == 4408);
}

TEST_CASE("input stall: a message at the required rate is accepted, and silence between messages is allowed") {
  Stepped stepped;
  Awaited<std::string> got;
  flux::Server server(stepped.config);
  flux::WebSocketEndpoint endpoint;
  endpoint.on_message = [&](const flux::WebSocket&, std::string_view message, flux::MessageType) {
    got.set(std::string(message));
  };
  server.websocket("/raw", endpoint);
  server.start();
  WebSocketClient client(server.port(), "/raw");
  const std::string text(100'000, 'x');
  std::string frame = flux::testing::text_frame(text);
  for (int period = 0; period < 10; ++period) {
    client.tcp.send(std::string_view(frame).substr(0, 5000));
    frame.erase(0, 5000);
    settle(server);
    stepped.clock->advance(29s);
    settle(server);
  }
  client.tcp.send(frame);
  CHECK(got.get() == text);
  for (int period = 0; period < 5; ++period) {
    stepped.clock->advance(100s);
    settle(server);
  }
  client.send_close();
  CHECK(client.closed().code == 1000);
}

TEST_CASE("input stall: a slowly sent body, sized or chunked, is answered with 408") {
  const bool chunked = GENERATE(false, true);
  Stepped stepped;
  Awaited<bool> ended;
  flux::Server server(stepped.config);
  server.route("POST", "/", [&](const flux::HttpExchange& exchange) {
    exchange.on_body([](std::string_view) {}, [&, exchange](bool complete) { ended.set(complete); });
  });
  server.start();
  HttpClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\n");
  client.send(chunked ? "Transfer-Encoding: chunked\r\n\r\n" : "Content-Length: 1000000\r\n\r\n");
  const int seconds = seconds_until_answered(stepped, server, client, chunked ? "1\r\nx\r\n1\r\nx\r\n" : "xx");
  CHECK(seconds >= 29);
  CHECK(seconds < 40);
  CHECK(client.reply().status == 408);
  CHECK_FALSE(ended.get());
}

TEST_CASE("input stall: an upload paused by the server itself is not timed") {
  Stepped stepped;
  Awaited<flux::HttpExchange> paused;
  flux::Server server(stepped.config);
  server.route("POST", "/", [&](const flux::HttpExchange& exchange) {
    const auto bytes = std::make_shared<std::size_t>(0);
    exchange.on_body(
        [&paused, exchange, bytes](std::string_view piece) {
          if (*bytes == 0) {
            exchange.pause_body();
            paused.set(exchange);
          }
          *bytes += piece.size();
        },
        [exchange, bytes](bool) { exchange.respond(200, std::to_string(*bytes)); });
  });
  server.start();
  HttpClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabcde");
  const flux::HttpExchange exchange = paused.get();
  for (int period = 0; period < 5; ++period) {
    settle(server);
    stepped.clock->advance(100s);
  }
  exchange.resume_body();
  settle(server);
  stepped.clock->advance(25s);  // a whole period begins now
  settle(server);
  client.send("fghij");
  CHECK(client.reply().body == "10");
}

TEST_CASE("frames_per_message_max: one frame more closes with 1009") {
  auto config = test_config();
  config.limits.frames_per_message_max = 3;
  flux::Server server(config);
  flux::WebSocketEndpoint echo;
  echo.on_message = [](const flux::WebSocket& socket, std::string_view message, flux::MessageType) {
    socket.send(message);
  };
  server.websocket("/echo", echo);
  server.start();
  WebSocketClient client(server.port(), "/echo");
  using flux::transport::Opcode;
  client.tcp.send(fragment(Opcode::text, "a", false) + fragment(Opcode::continuation, "b", false) +
                  fragment(Opcode::continuation, "c", true));
  CHECK(client.message() == "abc");
  client.tcp.send(fragment(Opcode::text, "a", false) + fragment(Opcode::continuation, "b", false) +
                  fragment(Opcode::continuation, "c", false) + fragment(Opcode::continuation, "d", true));
  CHECK(client.closed().code == 1009);
}

}  // namespace stalled_transfers_test
