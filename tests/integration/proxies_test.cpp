// Clients that connect through a proxy.
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/socketio.hpp>

#include <ifaddrs.h>
#include <net/if.h>

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace proxies_test {

using namespace flux_test;

namespace {

constexpr std::string_view forwarded = "X-Forwarded-For: 192.0.2.66, 203.0.113.9\r\n";

flux::Config behind(std::vector<std::string> proxies) {
  auto config = test_config();
  config.trusted_proxies = std::move(proxies);
  return config;
}

/// An IPv4 address of this machine that is not loopback; empty if it has none.
std::string own_address() {
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return {};
  std::string own;
  for (const ifaddrs* one = all; one != nullptr && own.empty(); one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET || (one->ifa_flags & IFF_LOOPBACK) != 0)
      continue;
    char text[INET_ADDRSTRLEN] = "";
    const auto& address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr)->sin_addr;
    if (::inet_ntop(AF_INET, &address, text, sizeof text) != nullptr) own = text;
  }
  ::freeifaddrs(all);
  return own;
}

/// The address that each kind of handler was given.
struct Addresses {
  Awaited<std::string> connect, session, websocket, socketio;

  void watch(flux::Server& server, flux::socketio::Io& io) {
    server.on_connect([this](flux::ConnectRequest& request) {
      if (request.path() == "/live") connect.set(request.remote_address());
      request.accept();
    });
    server.on_join([this](flux::JoinRequest& request) { session.set(request.session.remote_address()); });
    server.route("GET", "/who", [](const flux::HttpExchange& e) { e.respond(200, e.remote_address()); });
    flux::WebSocketEndpoint endpoint;
    endpoint.on_open = [this](const flux::WebSocket& socket) { websocket.set(socket.remote_address()); };
    server.websocket("/raw", std::move(endpoint));
    io.on_connection([this](const flux::socketio::Socket& socket) {
      socketio.set(std::string(socket.handshake().remote_address()));
    });
  }
};

}  // namespace

TEST_CASE("proxies: behind a trusted one every handler gets the client's address") {
  flux::Server server(behind({"127.0.0.0/8"}));
  flux::socketio::Io io(server);
  Addresses told;
  told.watch(server, io);
  server.start();
  HttpClient http(server.port());
  CHECK(http.request(get("/who", forwarded)).body == "203.0.113.9");
  // A proxy reuses its connection for other clients.
  CHECK(http.request(get("/who", "Forwarded: for=\"[2001:db8::9]:80\"\r\n")).body == "[2001:db8::9]:80");
  CHECK(http.request(get("/who")).body.starts_with("127.0.0.1:"));
  LiveClient client(server.port(), "/live", forwarded);
  client.join("r");
  CHECK(told.connect.get() == "203.0.113.9");
  CHECK(told.session.get() == "203.0.113.9");
  WebSocketClient raw(server.port(), "/raw", forwarded);
  CHECK(told.websocket.get() == "203.0.113.9");
  WebSocketClient socket(server.port(), "/socket.io/?EIO=4&transport=websocket", forwarded);
  socket.send_text("40");
  CHECK(told.socketio.get() == "203.0.113.9");
}

TEST_CASE("proxies: other peers are not trusted") {
  flux::Server server(behind(GENERATE(std::vector<std::string>{}, std::vector<std::string>{"10.0.0.0/8"})));
  flux::socketio::Io io(server);
  Addresses told;
  told.watch(server, io);
  server.start();
  CHECK(HttpClient(server.port()).request(get("/who", forwarded)).body.starts_with("127.0.0.1:"));
  LiveClient client(server.port(), "/live", forwarded);
  client.join("r");
  CHECK(told.connect.get().starts_with("127.0.0.1:"));
  CHECK(told.session.get().starts_with("127.0.0.1:"));
}

TEST_CASE("proxies: an invalid entry is refused at the start") {
  const auto [code, text] = thrown_by([] { flux::Server server(behind({"proxy.example"})); });
  CHECK(code == flux::Errc::bad_config);
  CHECK(text.find("Config::trusted_proxies") != std::string::npos);
  CHECK(text.find("proxy.example") != std::string::npos);
}

TEST_CASE("proxies: behind a trusted one a connection counts for the client of its latest request") {
  auto config = behind({"127.0.0.0/8"});
  config.limits.connections_per_address_max = 2;
  std::vector<std::string> warnings;
  config.log = [&](flux::LogLevel level, std::string_view text) {
    if (level == flux::LogLevel::warning) warnings.emplace_back(text);
  };
  flux::Server server(config);
  server.route("GET", "/", [](const flux::HttpExchange& e) { e.respond(200, "hello"); });
  server.start();
  const auto from = [](std::string_view address) { return "X-Forwarded-For: " + std::string(address) + "\r\n"; };
  const std::string client = from("203.0.113.9");
  LiveClient one(server.port(), "/live", client);
  auto two = std::make_unique<HttpClient>(server.port());
  CHECK(two->request(get("/", client)).status == 200);
  CHECK(two->request(get("/", client)).status == 200);  // it has its seat
  // One too many, whatever it requests.
  HttpClient three(server.port());
  const auto refused = three.request(get("/", client));
  CHECK(refused.status == 429);
  CHECK(refused.body == "too many connections from this address");
  CHECK(three.to_end().empty());
  CHECK(HttpClient(server.port()).request(handshake("/live", client)).status == 429);
  CHECK(server.stats().connections_refused == 2);
  CHECK(warnings.size() == 1);
  CHECK(warnings.at(0).find("203.0.113.9") != std::string::npos);
  // Others are not affected, and an IPv6 network counts as one client.
  CHECK(HttpClient(server.port()).request(get("/", from("203.0.113.10"))).status == 200);
  HttpClient six(server.port()), seven(server.port()), eight(server.port());
  CHECK(six.request(get("/", from("2001:db8::1"))).status == 200);
  CHECK(seven.request(get("/", from("2001:db8::2"))).status == 200);
  CHECK(eight.request(get("/", from("2001:db8::3"))).status == 429);
  // The proxy uses the second connection for another client: the seat is free.
  CHECK(two->request(get("/", from("203.0.113.11"))).status == 200);
  LiveClient again(server.port(), "/live", client);
  CHECK(HttpClient(server.port()).request(get("/", client)).status == 429);
  one.tcp.close();
  CHECK(eventually([&] { return HttpClient(server.port()).request(get("/", client)).status == 200; }));
}

TEST_CASE("proxies: a proxy that names no client is counted itself") {
  auto config = behind({"127.0.0.0/8"});
  config.limits.connections_per_address_max = 1;
  flux::Server server(config);
  server.route("GET", "/", [](const flux::HttpExchange& e) { e.respond(200, "hello"); });
  server.start();
  HttpClient one(server.port()), two(server.port());
  CHECK(one.request(get("/")).status == 200);
  CHECK(two.request(get("/", "X-Forwarded-For: nonsense\r\n")).status == 429);
}

TEST_CASE("limits: connections_per_address_max, one too many of an address is closed; a freed place can be used") {
  const std::string own = own_address();
  if (own.empty()) return;  // this machine has only loopback
  auto config = test_config(GENERATE(1U, 2U));
  config.listen = {{"0.0.0.0", 0}};
  config.limits.connections_per_address_max = 2;
  std::atomic<int> warnings{0};
  config.log = [&](flux::LogLevel level, std::string_view) { warnings += level == flux::LogLevel::warning; };
  flux::Server server(config);
  server.start();
  const Target target{server.port(), own};
  LiveClient one(target, "/live");
  auto two = std::make_unique<LiveClient>(target, "/live");
  for (int i = 0; i < 3; ++i) {
    HttpClient three(target);
    three.send(get("/"));
    CHECK(three.to_end().empty());
  }
  CHECK(server.stats().connections_refused == 3);
  CHECK(server.stats().connections_now == 2);
  CHECK(warnings == 1);
  CHECK_NOTHROW(LiveClient(server.port()));
  two.reset();
  CHECK(eventually([&] {
    HttpClient next(target);
    next.send(get("/"));
    return next.receive();
  }));
}

TEST_CASE("limits: connections_per_address_max does not count the machine's own") {
  auto config = test_config(2);
  config.limits.connections_per_address_max = 1;
  flux::Server server(config);
  server.start();
  std::vector<LiveClient> clients;
  for (int i = 0; i < 5; ++i) clients.emplace_back(server.port());
  for (LiveClient& client : clients) CHECK(type_of(client.request("leave_room")) == "ack");
}

}  // namespace proxies_test
