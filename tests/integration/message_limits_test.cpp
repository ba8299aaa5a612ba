// Limits of messages by connection, user and address, over every protocol.
#include "support/server.hpp"

#include <flux/engineio.hpp>
#include <flux/sharing.hpp>
#include <flux/testing/manual_clock.hpp>

#include <atomic>

namespace message_limits_test {

using namespace flux_test;

namespace {

std::string from(std::string_view address) { return "X-Forwarded-For: " + std::string(address) + "\r\n"; }
std::string with_token(std::string_view user) { return R"({"token":")" + std::string(user) + "\"}"; }

/// A server that serves every protocol, behind a proxy. Tokens are user ids, and time stands still.
struct Everything {
  explicit Everything(const std::function<void(flux::Limits&)>& change) : server(config(change)) {
    server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = request.token()}); });
    flux::WebSocketEndpoint raw;
    raw.on_message = [](const auto& socket, std::string_view message, auto) { socket.send(message); };
    server.websocket("/raw", raw);
    flux::engineio::Endpoint engine;
    engine.on_message = [](const auto& socket, std::string_view message, auto) { socket.send(message); };
    flux::engineio::serve(server, engine);
    flux::socketio::Io sharing(server);
    flux::socketio::serve_sharing(server, sharing);
    flux::socketio::Options options;
    options.path = "/plain/";
    flux::socketio::Io plain(server, options);
    plain.on_connection([](const flux::socketio::Socket& socket) {
      socket.on("work", [](flux::socketio::Event& event) { event.ack({flux::JsonText::string("done")}); });
      socket.on_refused([](flux::socketio::Event& event, const std::string& why, const auto&) {
        event.ack({flux::JsonText::string(why)});
      });
    });
    server.start();
  }
  flux::Config config(const std::function<void(flux::Limits&)>& change) const {
    auto made = test_config();
    made.clock = clock;
    made.trusted_proxies = {"127.0.0.0/8"};
    change(made.limits);
    return made;
  }
  std::uint64_t refused() const { return server.stats().messages_rate_limited; }
  bool refused_one_more(std::uint64_t before) const {
    return eventually([&] { return refused() == before + 1; });
  }

  const std::shared_ptr<flux::testing::ManualClock> clock = std::make_shared<flux::testing::ManualClock>();
  flux::Server server;
};

/// A client of each protocol, all of one user at one address.
struct Clients {
  Clients(Everything& e, const std::string& user, const std::string& address)
      : everything(e),
        live(e.server.port(), "/live?access_token=" + user, from(address)),
        raw(e.server.port(), "/raw?access_token=" + user, from(address)),
        engine(e.server.port(), "/engine.io/?EIO=4&transport=websocket&access_token=" + user, from(address)),
        sharing(e.server.port(), "/socket.io/?EIO=4&transport=websocket", from(address)),
        plain(e.server.port(), "/plain/?EIO=4&transport=websocket", from(address)) {
    engine.message();  // the open packet
    for (WebSocketClient* client : {&sharing, &plain}) {
      client->message();
      client->send_text("40" + with_token(user));
      client->message();
    }
    sharing.message();  // public:history
  }
  std::string by_live() {
    const auto answer = live.request("leave_room");
    return type_of(answer) == "ack" ? "done" : code_of(answer) + ": " + text_at(answer, "/payload/message");
  }
  std::string by_sharing() {
    sharing.send_text(R"(421["public:items"])");
    const auto answer = flux::JsonText::parse(sharing.message().substr(3)).value();
    return answer.get<bool>("/0/success").value_or(false) ? "done" : text_at(answer, "/0/message");
  }
  std::string by_plain() {
    plain.send_text(R"(421["work"])");
    return text_at(flux::JsonText::parse(plain.message().substr(3)).value(), "/0");
  }
  /// Whether the endpoint's handler gets a message.
  bool by_raw(bool expected = true) { return passes(raw, "x", expected); }
  bool by_engine(bool expected = true) { return passes(engine, "4x", expected); }

  /// A message of each client.
  void all_pass() {
    CHECK(by_live() == "done");
    CHECK(by_sharing() == "done");
    CHECK(by_plain() == "done");
    CHECK(by_raw());
    CHECK(by_engine());
  }
  void all_refused(const std::string& why) {
    CHECK(by_live() == "RATE_LIMITED: " + why);
    CHECK(by_sharing() == why);
    CHECK(by_plain() == why);
    CHECK_FALSE(by_raw(false));
    CHECK_FALSE(by_engine(false));
  }

  Everything& everything;
  LiveClient live;
  WebSocketClient raw, engine, sharing, plain;

 private:
  bool passes(WebSocketClient& client, const std::string& message, bool expected) const {
    const auto before = everything.refused();
    client.send_text(message);
    return expected ? client.message() == message : !everything.refused_one_more(before);
  }
};

}  // namespace

TEST_CASE("message limits: the clients of one address share a limit, whatever they speak") {
  Everything everything([](flux::Limits& limits) {
    limits.address_messages_per_second = 1;
    limits.address_message_burst = 5;
  });
  Clients clients(everything, "ann", "203.0.113.9");
  clients.all_pass();
  const std::string why = "more than 1 messages a second of one address; this one was not acted on";
  clients.all_refused(why);
  CHECK(everything.refused() == 5);
  Clients elsewhere(everything, "ann", "203.0.113.10");
  CHECK(elsewhere.by_live() == "done");
  CHECK(elsewhere.by_engine());
  everything.clock->advance(2s);
  CHECK(clients.by_raw());
  CHECK(clients.by_engine());
  CHECK(clients.by_sharing() == why);
}

TEST_CASE("message limits: the clients of one user share a limit, whatever they speak and wherever they are") {
  Everything everything([](flux::Limits& limits) {
    limits.user_messages_per_second = 1;
    limits.user_message_burst = 5;
  });
  Clients clients(everything, "ann", "203.0.113.9");
  clients.all_pass();
  const std::string why = "more than 1 messages a second of one user; this one was not acted on";
  clients.all_refused(why);
  CHECK(everything.refused() == 5);
  CHECK(Clients(everything, "bob", "203.0.113.9").by_raw());
  CHECK(Clients(everything, "ann", "203.0.113.10").by_live() == "RATE_LIMITED: " + why);
}

TEST_CASE("message limits: the messages of a data sharing client count for its user") {
  auto config = test_config();
  config.clock = std::make_shared<flux::testing::ManualClock>();
  config.limits.user_messages_per_second = 1;
  config.limits.user_message_burst = 1;
  flux::Server server(config);
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "ann"}); });
  server.start();
  const auto asks = [&] {
    WebSocketClient client(server.port(), "/socket.io/?EIO=4&transport=websocket");
    client.message();
    client.send_text("40");
    client.message();
    client.message();
    client.send_text(R"(421["public:items"])");
    return client.message().find("\"success\":true") != std::string::npos;
  };
  CHECK(asks());
  CHECK_FALSE(asks());
}

TEST_CASE("message limits: raw and Engine.IO messages past the connection's are dropped, then it is closed with 4429") {
  Everything everything([](flux::Limits& limits) {
    limits.messages_per_second = 1;
    limits.message_burst = 2;
    limits.rate_limit_strikes_max = 3;
  });
  Clients clients(everything, "ann", "203.0.113.9");
  CHECK(clients.by_raw());
  CHECK(clients.by_raw());
  CHECK_FALSE(clients.by_raw(false));
  CHECK_FALSE(clients.by_raw(false));
  CHECK(clients.by_engine());  // a connection of its own
  everything.clock->advance(1s);
  CHECK(clients.by_raw());
  for (int i = 0; i < 3; ++i) clients.raw.send_text("x");
  const auto closed = clients.raw.closed();
  CHECK(closed.code == 4429);
  CHECK(closed.reason == "too many messages");
  CHECK(clients.raw.before_close.empty());
  CHECK(everything.refused() == 5);
  CHECK(clients.by_engine());
  CHECK(clients.by_engine());
  for (int i = 0; i < 3; ++i) clients.engine.send_text("4x");
  CHECK(clients.engine.closed().code == 4429);
}

TEST_CASE("message limits: a burst of 0 is refused at the start") {
  for (const bool of_user : {true, false}) {
    auto config = test_config();
    (of_user ? config.limits.user_messages_per_second : config.limits.address_messages_per_second) = 1;
    (of_user ? config.limits.user_message_burst : config.limits.address_message_burst) = 0;
    const auto [code, text] = thrown_by([&] { flux::Server server(config); });
    CHECK(code == flux::Errc::bad_config);
    CHECK(text ==
          std::string("Limits::") + (of_user ? "user" : "address") + "_message_burst must be at least 1, not 0");
  }
}

}  // namespace message_limits_test
