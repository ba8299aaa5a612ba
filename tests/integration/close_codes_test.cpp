// Each close code as the server sends it, and clients that are refused with one.
#include "support/server.hpp"

#include <flux/engineio.hpp>
#include <flux/testing/manual_clock.hpp>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <vector>

namespace close_codes_test {

using namespace flux_test;
using flux::CloseCode;
using flux::testing::ClientFrame;
using flux::transport::Opcode;

namespace {

/// A server on which a client can provoke every close code.
struct Site {
  explicit Site(const std::function<void(flux::Config&)>& change = {}) : server(config(change)) {
    server.on_connect([this](flux::ConnectRequest& request) {
      const std::string token = request.token();
      if (token == "throws") throw std::runtime_error("thrown on purpose");
      if (token == "late") return question.set(request.later());
      if (token == "bad") return request.refuse("log in first");
      request.accept({.user_id = "ann"});
    });
    server.websocket(
        "/raw", {.on_open = [this](const flux::WebSocket&) { ++told; },
                 .on_message =
                     [](const flux::WebSocket& socket, std::string_view message, flux::MessageType) {
                       if (message == "throw") throw std::runtime_error("thrown on purpose");
                       while (message == "flood" && socket.send(std::string(100'000, 'x')) != flux::Sent::dropped) {
                       }
                       if (message == "bye") socket.close();
                     },
                 .on_close = [this](const flux::WebSocket&, const flux::Disconnect&) { ++told; }});
    server.on_disconnect([this](const flux::Session&, const flux::Disconnect&) { ++told; });
    flux::engineio::serve(server, {});
    server.start();
  }
  WebSocketClient raw() const { return WebSocketClient(server.port(), "/raw"); }

  Awaited<flux::LaterAnswer> question;
  std::atomic<int> told{0};  // calls of handlers that are told of clients that have connected or disconnected
  flux::Server server;

 private:
  static flux::Config config(const std::function<void(flux::Config&)>& change) {
    auto config = test_config();
    config.limits.message_bytes_max = 1000;
    config.limits.answer_timeout = 100ms;
    if (change) change(config);
    return config;
  }
};

std::string token(std::string_view value) { return "?access_token=" + std::string(value); }

/// Sends this to a raw endpoint.
Closed after(const Site& site, std::string_view bytes) {
  WebSocketClient client = site.raw();
  client.answers_pings = false;
  client.tcp.send(bytes);
  return client.closed();
}
std::string text(std::string_view message) { return flux::testing::text_frame(std::string(message)); }

/// How a client gets to be closed with the code.
struct Provoked {
  CloseCode code;
  bool reconnect;
  std::function<Closed()> by;
};

}  // namespace

TEST_CASE("close codes: each one is sent, and says whether the client should come back") {
  const auto refused = [](std::string_view shown) {
    const Site site;
    return how_closed(site.server.port(), "/live" + token(shown));
  };
  const auto after_bytes = [](const std::string& bytes, const std::function<void(flux::Config&)>& change = {}) {
    return after(Site(change), bytes);
  };
  const std::vector<Provoked> table = {
      {CloseCode::normal, false, [&] { return after_bytes(text("bye")); }},
      {CloseCode::going_away, true,
       [] {
         Site site;
         WebSocketClient client = site.raw();
         std::thread stop([&] { site.server.stop(patience); });
         const Closed closed = client.closed();
         stop.join();
         return closed;
       }},
      {CloseCode::protocol_error, false,
       [&] { return after_bytes(ClientFrame{.opcode = Opcode::continuation, .payload = "x"}.bytes()); }},
      {CloseCode::invalid_data, false, [&] { return after_bytes(text("\xFF")); }},
      {CloseCode::policy_violation, false,
       [] {
         const Site site;
         const std::string path = "/engine.io/?EIO=4&transport=websocket";
         WebSocketClient first(site.server.port(), path);
         const auto opening = flux::JsonText::parse(first.message().substr(1)).value();
         return how_closed(site.server.port(), path + "&sid=" + text_at(opening, "/sid"));
       }},
      {CloseCode::message_too_big, false, [&] { return after_bytes(text(std::string(1001, 'x'))); }},
      {CloseCode::internal_error, true, [&] { return after_bytes(text("throw")); }},
      {CloseCode::try_again_later, true, [&] { return refused("late"); }},
      {CloseCode::unauthorized, false, [&] { return refused("bad"); }},
      {CloseCode::timed_out, true,
       [&] {
         return after_bytes(
             "", [](flux::Config& config) { config.limits.ping_interval = config.limits.pong_timeout = 250ms; });
       }},
      {CloseCode::slow_reader, true, [&] { return after_bytes(text("flood")); }},
      {CloseCode::rate_limited, true,
       [&] {
         return after_bytes(text("1") + text("2"), [](flux::Config& config) {
           config.limits.messages_per_second = config.limits.message_burst = 1;
           config.limits.rate_limit_strikes_max = 1;
         });
       }},
      {CloseCode::handler_failed, true, [&] { return refused("throws"); }},
  };
  for (const Provoked& provoked : table) {
    CAPTURE(static_cast<int>(provoked.code));
    CHECK(provoked.by().code == static_cast<int>(provoked.code));
    CHECK(flux::should_reconnect(provoked.code) == provoked.reconnect);
  }
}

// --- Clients that are refused ---

TEST_CASE("refused: the handshake of a live or raw client succeeds, with its first subprotocol and no compression") {
  Site site([](flux::Config& config) { config.deflate.enabled = true; });
  for (const std::string path : {"/live", "/raw"}) {
    WebSocketClient client(site.server.port(), path + token("bad"),
                           "Sec-WebSocket-Protocol: v2, v1\r\nSec-WebSocket-Extensions: permessage-deflate\r\n");
    CHECK(client.upgraded.has("Sec-WebSocket-Protocol: v2"));
    CHECK(client.upgraded.head.find("Sec-WebSocket-Extensions") == std::string::npos);
    CHECK(client.closed().reason == "log in first");
    CHECK(client.before_close.empty());
  }
  CHECK(site.server.stats().connections_refused == 2);
}

TEST_CASE("refused: nothing of the client is read, it is no session, and no handler is told of it") {
  Site site;
  const std::string join = R"({"type":"join_room","id":1,"payload":{"roomId":"r"}})";
  for (const std::string path : {"/live", "/raw"}) {
    HttpClient client(site.server.port());
    // Not valid after the first message: a client that is read would be closed with another code.
    client.send(handshake(path + token("bad")) + text(join) + std::string(100'000, '\xFF'));
    REQUIRE(client.reply().status == 101);
    WebSocketClient refused(std::move(client));
    CHECK(refused.closed().code == 4401);
    CHECK(refused.before_close.empty());
  }
  CHECK(site.server.stats().messages_in == 0);
  CHECK(site.server.stats().sessions_now == 0);
  CHECK(site.server.rooms().empty());
  REQUIRE(eventually([&] { return site.server.stats().connections_now == 0; }));
  CHECK(site.told == 0);
}

TEST_CASE(
    "refused: a client that neither answers nor leaves is disconnected after close_timeout, and counted until then") {
  const std::string client = "X-Forwarded-For: 203.0.113.9\r\n";
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  const Site site([&](flux::Config& config) {
    config.clock = clock;
    config.trusted_proxies = {"127.0.0.0/8"};
    config.limits.connections_per_address_max = 1;
  });
  const auto next_status = [&] { return HttpClient(site.server.port()).request(handshake("/live", client)).status; };
  WebSocketClient refused(site.server.port(), "/live" + token("bad"), client);
  refused.tcp.send(std::string(1000, 'x'));
  CHECK(next_status() == 429);
  clock->advance(6s);
  CHECK(eventually([&] { return next_status() == 101; }));
}

TEST_CASE("refused: a client whose answer is given after it was refused stays refused") {
  Site site;
  CHECK(how_closed(site.server.port(), "/raw" + token("late")).code == 1013);
  site.question.get().accept();
  CHECK(site.raw().upgraded.status == 101);
  CHECK(eventually([&] { return site.told == 2; }));  // of the second client only
}

}  // namespace close_codes_test
