// How TLS connections end: with close_notify if everything was sent, without it if something may be missing.
#include "support/server.hpp"

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS

#include "unit/support/certificate.hpp"

#include <flux/testing/manual_clock.hpp>

#include <memory>
#include <optional>
#include <string>

namespace tls_end_test {

using namespace flux_test;

namespace {

struct TlsServer {
  TlsServer() {
    auto config = test_config();
    config.tls = {certificate.certificate_file(), certificate.private_key_file()};
    config.clock = clock;
    server.emplace(config);
    flux::WebSocketEndpoint closing;
    closing.on_message = [](const flux::WebSocket& socket, std::string_view, flux::MessageType) { socket.close(); };
    server->websocket("/closing", closing);
    server->route("GET", "/whole", [](flux::HttpExchange exchange) { exchange.respond(200, "whole"); });
    server->route("GET", "/half", [this](flux::HttpExchange exchange) {
      exchange.begin(200, {});
      exchange.write("half");
      half.emplace(std::move(exchange));
    });
    server->start();
  }
  Target target() const { return {.port = server->port(), .ca_file = certificate.certificate_file()}; }
  /// Lets every deadline expire that the server has set by now.
  void pass_time() {
    CHECK(HttpClient(target()).request(get("/whole")).body == "whole");  // what clients sent before it has been read
    clock->advance(1h);
  }

  std::shared_ptr<flux::testing::ManualClock> clock = std::make_shared<flux::testing::ManualClock>();
  flux::testing::TestCertificate certificate;
  std::optional<flux::HttpExchange> half;  // not finished until the server ends
  std::optional<flux::Server> server;
};

}  // namespace

TEST_CASE("tls: a client that does not answer the close frame is closed with close_notify") {
  const bool stops = GENERATE(false, true);
  TlsServer tls;
  WebSocketClient client(tls.target(), "/closing");
  if (!stops) client.send_text("close");
  if (stops) tls.server->stop(0ms);
  const auto last = client.frame();
  REQUIRE(last);
  CHECK(last->opcode == flux::transport::Opcode::close);
  if (!stops) tls.pass_time();
  CHECK_FALSE(client.frame());
  CHECK(client.tcp.tls_ended());
}

TEST_CASE("tls: an idle HTTP connection is closed with close_notify") {
  const bool stops = GENERATE(false, true);
  const bool asks = stops || GENERATE(false, true);  // before it has sent anything, its handshake may be unfinished
  TlsServer tls;
  HttpClient client(tls.target());
  if (asks) CHECK(client.request(get("/whole")).body == "whole");
  stops ? tls.server->stop(0ms) : tls.pass_time();
  CHECK(client.to_end().empty());
  CHECK(client.tls_ended());
}

TEST_CASE("tls: a response that is cut off has no close_notify") {
  TlsServer tls;
  HttpClient client(tls.target());
  client.send(get("/half"));
  REQUIRE(client.receive());
  tls.server->stop(0ms);
  client.to_end();
  CHECK_FALSE(client.tls_ended());
}

}  // namespace tls_end_test

#endif
