// How TLS connections end: with close_notify if everything was sent, without it if something may be missing.
#include "support/server.hpp"

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS

#include "unit/support/certificate.hpp"

#include <optional>
#include <string>

namespace tls_end_test {

using namespace flux_test;

namespace {

struct TlsServer {
  /// `change`: of the configuration, before the server exists.
  explicit TlsServer(const std::function<void(flux::Config&)>& change) {
    auto config = test_config();
    config.tls = {certificate.certificate_file(), certificate.private_key_file()};
    change(config);
    server.emplace(config);
    server->route("GET", "/whole", [](flux::HttpExchange exchange) { exchange.respond(200, "whole"); });
    server->route("GET", "/half", [this](flux::HttpExchange exchange) {
      exchange.begin(200, {});
      exchange.write("half");
      half.emplace(std::move(exchange));
    });
    server->start();
  }
  Target target() const { return {.port = server->port(), .ca_file = certificate.certificate_file()}; }

  flux::testing::TestCertificate certificate;
  std::optional<flux::HttpExchange> half;  // not finished until the server ends
  std::optional<flux::Server> server;
};

}  // namespace

TEST_CASE("tls: a client that does not answer the close frame is closed with close_notify") {
  const bool stops = GENERATE(false, true);
  TlsServer tls([&](flux::Config& config) {
    if (!stops) config.limits.close_timeout = 100ms;
  });
  WebSocketClient client(tls.target(), "/live");
  if (stops) {
    tls.server->stop(0ms);
  } else {
    client.tcp.send("\xFF\xFF");  // not a frame: closed with 1002
  }
  const auto last = client.frame();
  REQUIRE(last);
  CHECK(last->opcode == flux::transport::Opcode::close);
  CHECK_FALSE(client.frame());
  CHECK(client.tcp.tls_ended());
}

TEST_CASE("tls: an idle HTTP connection is closed with close_notify") {
  const bool stops = GENERATE(false, true);
  const bool asks = stops || GENERATE(false, true);  // before it has sent anything, its handshake may be unfinished
  TlsServer tls([&](flux::Config& config) {
    if (stops) return;
    config.limits.http_idle_timeout = 100ms;
    config.limits.handshake_timeout = 1s;
  });
  HttpClient client(tls.target());
  if (asks) CHECK(client.request(get("/whole")).body == "whole");
  if (stops) tls.server->stop(0ms);
  CHECK(client.to_end().empty());
  CHECK(client.tls_ended());
}

TEST_CASE("tls: a response that is cut off has no close_notify") {
  TlsServer tls([](flux::Config&) {});
  HttpClient client(tls.target());
  client.send(get("/half"));
  REQUIRE(client.receive());
  tls.server->stop(0ms);
  client.to_end();
  CHECK_FALSE(client.tls_ended());
}

}  // namespace tls_end_test

#endif
