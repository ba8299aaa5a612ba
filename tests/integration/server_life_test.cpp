// A server's lifetime: start, run, stop, restart, and what remains.
#include "support/child.hpp"
#include "support/sanitized.hpp"
#include "support/server.hpp"

#include <flux/detail/core/session_key.hpp>

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
#include "unit/support/certificate.hpp"
#endif

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace server_life_test {

using namespace flux_test;
using namespace flux::literals;

namespace {

bool ipv6_there() {
  const int fd = ::socket(AF_INET6, SOCK_STREAM, 0);
  if (fd < 0) return false;
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const bool there = ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return there;
}

#if defined(__linux__)
std::ptrdiff_t entries(const char* folder) {
  return std::distance(std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator());
}

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}
#endif

}  // namespace

TEST_CASE("server: started, it has a port and answers; stopped, it has none and can be started again") {
  flux::Server server(test_config());
  CHECK_FALSE(server.running());
  CHECK(server.port() == 0);
  for (int life = 0; life < 3; ++life) {
    server.start();
    CHECK(server.running());
    REQUIRE(server.port() != 0);
    CHECK(server.port(1) == 0);
    LiveClient client(server.port());
    CHECK(type_of(client.join("r")) == "room_joined");
    CHECK(thrown_by([&] { server.start(); }).first == flux::Errc::already_running);
    client.tcp.close();
    server.stop();
    CHECK_FALSE(server.running());
    CHECK(server.port() == 0);
    CHECK(server.stats().connections_now == 0);
    CHECK(server.stats().sessions_now == 0);
    CHECK(server.rooms().empty());
  }
  CHECK(server.stats().connections == 3);
  server.stop();  // does nothing
}

TEST_CASE("server: run in a thread, it returns when another one stops it") {
  const std::size_t threads = GENERATE(1u, 3u);
  flux::Server server(test_config(threads));
  for (int life = 0; life < 2; ++life) {
    std::thread runner([&] { server.run(); });
    REQUIRE(eventually([&] { return server.running(); }));
    LiveClient client(server.port());
    client.join("r");
    server.stop(0ms);
    runner.join();
    CHECK_FALSE(server.running());
    CHECK_NOTHROW(client.closed());
  }
}

TEST_CASE("server: stop from a handler only begins, and run returns") {
  const std::size_t threads = GENERATE(1u, 2u);
  flux::Server server(test_config(threads));
  server.on_event([&](flux::EventMessage& message) {
    if (message.event == "quit") server.stop();
  });
  for (int life = 0; life < 2; ++life) {
    std::thread runner([&] { server.run(); });
    REQUIRE(eventually([&] { return server.running(); }));
    LiveClient client(server.port());
    client.join("r");
    client.send("broadcast_event", R"({"event":"quit"})");
    CHECK(client.closed().code == 1001);
    runner.join();
    CHECK_FALSE(server.running());
  }
}

TEST_CASE("server: stop from two threads and a handler at once, all return and it has stopped") {
  for (int round = 0; round < 20; ++round) {
    flux::Server server(test_config(2));
    server.on_event([&](flux::EventMessage&) { server.stop(); });
    server.start();
    LiveClient client(server.port());
    client.join("r");
    Gate go;
    Crew crew;
    for (int i = 0; i < 2; ++i) {
      crew.add([&] {
        go.wait();
        server.stop(1000ms);
        if (server.running()) throw std::runtime_error("stop came back too early");
      });
    }
    crew.add([&] {
      go.wait();
      client.send("broadcast_event", R"({"event":"quit"})");
      client.closed();
    });
    go.open();
    crew.join();
    CHECK_FALSE(server.running());
  }
}

TEST_CASE("server: destroyed while it runs, clients are disconnected and the port is free") {
  std::uint16_t port = 0;
  std::vector<std::unique_ptr<LiveClient>> clients;
  {
    flux::Server server(test_config(2));
    server.start();
    port = server.port();
    for (int i = 0; i < 4; ++i) {
      clients.push_back(std::make_unique<LiveClient>(port));
      clients.back()->join("r");
    }
  }
  for (const auto& client : clients) CHECK_NOTHROW(client->closed());
  auto config = test_config();
  config.listen = {{"127.0.0.1", port}};
  flux::Server again(config);
  CHECK_NOTHROW(again.start());
}

TEST_CASE("server: destroyed inside one of its handlers, it stops when the handler has returned") {
  const std::size_t threads = GENERATE(1u, 2u);
  const bool runs = GENERATE(false, true);
  auto config = test_config(threads);
  Awaited<std::string> warned;
  config.log = [&](flux::LogLevel level, std::string_view text) {
    if (level == flux::LogLevel::warning) warned.set(std::string(text));
  };
  // Objects held by a handler live until the server has ended.
  Awaited<bool> ended;
  auto held = std::shared_ptr<int>(new int(1), [&](const int* gone) {
    delete gone;
    ended.set(true);
  });
  auto server = std::make_unique<flux::Server>(config);
  server->on_event([&server, held = std::move(held)](flux::EventMessage&) { server.reset(); });
  std::thread runner;
  if (runs) {
    runner = std::thread([&] { server->run(); });
    REQUIRE(eventually([&] { return server->running(); }));
  } else {
    server->start();
  }
  LiveClient client(server->port());
  LiveClient other(server->port());
  client.join("r");
  other.join("r");
  client.send("broadcast_event", R"({"event":"quit"})");
  CHECK_NOTHROW(client.closed());
  CHECK_NOTHROW(other.closed());
  CHECK(ended.get());
  if (runs) runner.join();
  CHECK(server == nullptr);
  CHECK(warned.get().find("inside one of its own handlers") != std::string::npos);
}

TEST_CASE("server: a client can't derive the next client's id from its own") {
  auto config = test_config();
  config.seed = 0;
  flux::Server server(config);
  server.start();
  LiveClient one(server.port());
  LiveClient two(server.port());
  one.join("r");
  two.join("r");
  const auto count_of = [](const LiveClient& client) {
    return flux::core::unmixed(flux::core::key_from_text(client.id).value());
  };
  CHECK(count_of(two) - count_of(one) != 1);
}

TEST_CASE("server: \"::\" accepts IPv4 too, unless that has its own address on this port") {
  if (!ipv6_there()) return;
  auto config = test_config();
  config.listen = {{"::", 0}};
  std::uint16_t port = 0;
  {
    flux::Server server(config);
    server.start();
    port = server.port();
    LiveClient four(port);
    LiveClient six(Target{port, "::1"}, "/live");
    four.join("r");
    six.join("r");
    CHECK_THAT(server.session(four.id)->remote_address(), Catch::Matchers::StartsWith("127.0.0.1:"));
    CHECK_THAT(server.session(six.id)->remote_address(), Catch::Matchers::StartsWith("[::1]:"));
  }
  config.listen = {{"::", port}, {"0.0.0.0", port}};
  flux::Server both(config);
  both.start();
  LiveClient four(port);
  LiveClient six(Target{port, "::1"}, "/live");
  four.join("r");
  six.join("r");
  CHECK(both.room("r")->members == 2);
}

TEST_CASE("server: never started, it is destroyed") {
  flux::Server server(test_config());
  CHECK_FALSE(server.running());
}

#if defined(__linux__)
TEST_CASE("server: 1,000 starts and stops leak no thread, descriptor or memory") {
  flux::Server server(test_config(2));
  const auto cycle = [&](bool with_client) {
    server.start();
    if (with_client) {
      LiveClient client(server.port());
      client.join("r");
      client.tcp.reset();
    }
    server.stop(0ms);
  };
  for (int i = 0; i < 50; ++i) cycle(true);  // lets allocators and the like grow first
  const auto threads = entries("/proc/self/task");
  const auto descriptors = entries("/proc/self/fd");
  const auto memory = resident_bytes();
  for (int i = 0; i < 1000; ++i) cycle(i % 5 == 0);
  // A joined thread's entry may remain for a moment.
  CHECK(eventually([&] { return entries("/proc/self/task") == threads; }));
  CHECK(entries("/proc/self/fd") == descriptors);
  if (!is_sanitized) CHECK(resident_bytes() < memory + 2'000'000);
}
#endif

TEST_CASE("server: a port in use, start and run throw address_unavailable and it can be started elsewhere later") {
  flux::Server first(test_config());
  first.start();
  auto config = test_config();
  config.listen.push_back({"127.0.0.1", first.port()});  // the first address is free
  flux::Server second(config);
  const auto [code, message] = thrown_by([&] { second.start(); });
  CHECK(code == flux::Errc::address_unavailable);
  CHECK_THAT(message, Catch::Matchers::ContainsSubstring("127.0.0.1 port " + std::to_string(first.port())));
  CHECK_FALSE(second.running());
  CHECK(second.port() == 0);
  CHECK(thrown_by([&] { second.run(); }).first == flux::Errc::address_unavailable);
  first.stop();
  second.start();
  CHECK(second.port(0) != 0);
  CHECK(second.port(1) != 0);
}

TEST_CASE("server: several addresses, all are served") {
  auto config = test_config();
  config.listen.push_back({"localhost", 0});
  if (ipv6_there()) config.listen.push_back({"::1", 0});
  flux::Server server(config);
  server.start();
  CHECK(server.port(0) != server.port(1));
  LiveClient one(server.port(0));
  LiveClient two(server.port(1));
  one.join("r");
  two.join("r");
  CHECK(server.room("r")->members == 2);
  if (ipv6_there()) {
    LiveClient three(Target{server.port(2), "::1"}, "/live");
    three.join("r");
    CHECK(server.room("r")->members == 3);
    CHECK_THAT(server.session(three.id)->remote_address(), Catch::Matchers::StartsWith("[::1]:"));
  }
}

TEST_CASE("server: its URLs have the scheme, each listed address and its port, and there are none unless it runs") {
  auto config = test_config();
  config.listen.push_back({"localhost", 0});
  config.listen.push_back({"0.0.0.0", 0});
  if (ipv6_there()) {
    config.listen.push_back({"::1", 0});
    config.listen.push_back({"::", 0});
    config.listen.push_back({"0:0:0:0:0:0:0:0", 0});
  }
  flux::Server server(config);
  CHECK(server.urls().empty());
  server.start();
  const auto at = [&](const std::string& host, std::size_t index) {
    return "http://" + host + ":" + std::to_string(server.port(index));
  };
  std::vector<std::string> expected{at("127.0.0.1", 0), at("localhost", 1), at("localhost", 2)};
  if (ipv6_there()) {
    for (const auto& more : {at("[::1]", 3), at("localhost", 4), at("localhost", 5)}) expected.push_back(more);
  }
  CHECK(server.urls() == expected);
  server.stop();
  CHECK(server.urls().empty());
}

#if defined(FLUX_WITH_TLS) && FLUX_WITH_TLS
TEST_CASE("server: with a certificate, its URLs begin with https") {
  const flux::testing::TestCertificate certificate;
  auto config = test_config();
  config.tls = {certificate.certificate_file(), certificate.private_key_file()};
  flux::Server server(config);
  server.start();
  CHECK(server.urls() == std::vector<std::string>{"https://127.0.0.1:" + std::to_string(server.port())});
}
#endif

TEST_CASE("server: an invalid config, the error names the setting and the value") {
  using Change = std::function<void(flux::Config&)>;
  const std::vector<std::pair<std::string, Change>> wrong = {
      {"Config::threads must be 1 to 256, not 0", [](auto& c) { c.threads = 0; }},
      {"Config::threads must be 1 to 256, not 257", [](auto& c) { c.threads = 257; }},
      {"Config::worker_threads must be 1 to 256, not 0", [](auto& c) { c.worker_threads = 0; }},
      {"Config::worker_threads must be 1 to 256, not 1000", [](auto& c) { c.worker_threads = 1000; }},
      {"Config::live_path must begin with \"/\" or be empty, not \"live\"", [](auto& c) { c.live_path = "live"; }},
      {"Config::chat.join_history must be 0 to 1000, not 1001", [](auto& c) { c.chat.join_history = 1001; }},
      {"Config::deflate.level must be 1 to 9, not 0", [](auto& c) { c.deflate.level = 0; }},
      {"Config::deflate.level must be 1 to 9, not 10", [](auto& c) { c.deflate.level = 10; }},
      {"Config::tls needs both", [](auto& c) { c.tls.certificate_file = "a.pem"; }},
      {"Config::tls needs both", [](auto& c) { c.tls.private_key_file = "a.pem"; }},
      {"Config::origins: \"app.example.com\" is not an origin", [](auto& c) { c.origins = {"app.example.com"}; }},
      {"Config::origins: \"https://B\u00fccher.example\" is not an origin",
       [](auto& c) { c.origins = {"https://B\u00fccher.example"}; }},
      {"which browsers transform; write it as they send it, as xn--",
       [](auto& c) { c.origins = {"https://\uff41.example"}; }},
      {"Config::live_subprotocols: \"a b\" is not a subprotocol", [](auto& c) { c.live_subprotocols = {"a b"}; }},
      {"Config::live_subprotocols: \"\" is not a subprotocol", [](auto& c) { c.live_subprotocols = {""}; }},
      {"Limits::message_id_bytes_max must be 16 to 65536, not 15", [](auto& c) { c.limits.message_id_bytes_max = 15; }},
      {"Limits::message_bytes_max must be at least 1, not 0", [](auto& c) { c.limits.message_bytes_max = 0; }},
      {"Limits::room_id_bytes_max must be at least 1, not 0", [](auto& c) { c.limits.room_id_bytes_max = 0; }},
      {"Limits::event_name_bytes_max must be at least 1, not 0", [](auto& c) { c.limits.event_name_bytes_max = 0; }},
      {"Config::files.cors_origins: \"app.example.com\" is not an origin",
       [](auto& c) { c.files.cors_origins = {"app.example.com"}; }},
      {"Config::presence_interval must not be negative", [](auto& c) { c.presence_interval = -1ms; }},
      {"Config::presence_throttle must not be negative", [](auto& c) { c.presence_throttle = -1ms; }},
      {"Limits::outbox_bytes_max must be at least outbox_bytes_congested, not 5",
       [](auto& c) { c.limits.outbox_bytes_max = 5; }},
      {"Limits::rooms_per_connection must be at least 1", [](auto& c) { c.limits.rooms_per_connection = 0; }},
      {"Limits::room_members_max must be at least 1", [](auto& c) { c.limits.room_members_max = 0; }},
      {"Limits::json_depth_max must be at least 3, not 2", [](auto& c) { c.limits.json_depth_max = 2; }},
      {"Limits::message_burst must be at least 1",
       [](auto& c) {
         c.limits.messages_per_second = 1;
         c.limits.message_burst = 0;
       }},
      {"Limits::handshake_timeout must be more than 0", [](auto& c) { c.limits.handshake_timeout = 0ms; }},
      {"Limits::answer_timeout must be more than 0", [](auto& c) { c.limits.answer_timeout = 0ms; }},
      {"Limits::http_idle_timeout must be more than 0", [](auto& c) { c.limits.http_idle_timeout = 0ms; }},
      {"Limits::close_timeout must be more than 0", [](auto& c) { c.limits.close_timeout = 0ms; }},
      {"Limits::output_stall_timeout must not be negative", [](auto& c) { c.limits.output_stall_timeout = -1ms; }},
      {"Limits::input_stall_timeout must not be negative", [](auto& c) { c.limits.input_stall_timeout = -1ms; }},
      {"Limits::frames_per_message_max must be at least 1", [](auto& c) { c.limits.frames_per_message_max = 0; }},
      {"Config::deflate.inflated_per_turn_max must be at least 1",
       [](auto& c) { c.deflate.inflated_per_turn_max = 0; }},
      {"Config::slow_handler must be 0 to 100 years", [](auto& c) { c.slow_handler = -1ms; }},
      {"Config::slow_handler must be 0 to 100 years",
       [](auto& c) { c.slow_handler = std::chrono::milliseconds::max(); }},
      {"Limits::ping_interval must not be negative", [](auto& c) { c.limits.ping_interval = -1ms; }},
      {"Limits::pong_timeout must be more than 0", [](auto& c) { c.limits.pong_timeout = 0ms; }},
  };
  for (const auto& [text, change] : wrong) {
    auto config = test_config();
    change(config);
    const auto [code, message] = thrown_by([&] { flux::Server server(config); });
    CHECK(code == flux::Errc::bad_config);
    CHECK_THAT(message, Catch::Matchers::ContainsSubstring(text));
  }
}

TEST_CASE("server: a limit of 0 is no limit, allows nothing, or is refused with what it needs; all as documented") {
  struct Needed {
    std::string name;
    std::size_t flux::Limits::*limit;
    int least;
  };
#define FLUX_NEEDED(limit, least) \
  Needed { "Limits::" #limit, &flux::Limits::limit, least }
  const std::vector<Needed> needed = {
      FLUX_NEEDED(request_line_bytes_max, 1),
      FLUX_NEEDED(field_bytes_max, 1),
      FLUX_NEEDED(fields_max, 1),
      FLUX_NEEDED(head_bytes_max, 1),
      FLUX_NEEDED(message_bytes_max, 1),
      FLUX_NEEDED(json_depth_max, 3),
      FLUX_NEEDED(answer_bytes_max, 4096),
      FLUX_NEEDED(outbox_bytes_congested, 1),
      FLUX_NEEDED(rooms_per_connection, 1),
      FLUX_NEEDED(room_members_max, 1),
      FLUX_NEEDED(room_id_bytes_max, 1),
      FLUX_NEEDED(room_newest_keys_max, 1),
      FLUX_NEEDED(presence_bytes_max, 2),
      FLUX_NEEDED(event_name_bytes_max, 1),
      FLUX_NEEDED(store_queue_per_room_max, 1),
      FLUX_NEEDED(store_queue_max, 1),
  };
#undef FLUX_NEEDED
  for (const auto& [name, limit, least] : needed) {
    auto config = test_config();
    config.limits.*limit = 0;
    const auto [code, message] = thrown_by([&] { flux::Server server(config); });
    CHECK(code == flux::Errc::bad_config);
    CHECK(message == name + " must be at least " + std::to_string(least) + ", not 0");
  }
  auto config = test_config();
  auto& none = config.limits;
  for (auto limit :
       {&flux::Limits::connections_max, &flux::Limits::connections_per_address_max, &flux::Limits::rooms_max,
        &flux::Limits::room_history_items_max, &flux::Limits::room_history_bytes_max,
        &flux::Limits::room_newest_bytes_max, &flux::Limits::chat_bytes_max, &flux::Limits::metadata_bytes_max,
        &flux::Limits::identity_field_bytes_max, &flux::Limits::application_data_bytes_max,
        &flux::Limits::rooms_created_max, &flux::Limits::public_history_items_max,
        &flux::Limits::public_history_bytes_max, &flux::Limits::public_list_bytes_per_second}) {
    none.*limit = 0;
  }
  none.body_bytes_max = 0;
  flux::Server server(config);
  CHECK(server.create_room("r").error().message() == "the server already has 0 rooms");  // 0: none
  server.start();
  LiveClient client(server.port());  // 0: unlimited connections
  CHECK(code_of(client.request("join_room", R"({"roomId":"r"})")) == "LIMIT_EXCEEDED");
}

TEST_CASE("server: an invalid address, start throws and names it") {
  auto config = test_config();
  config.listen = {{"no.such.host.example", 0}};
  flux::Server server(config);
  const auto [code, message] = thrown_by([&] { server.start(); });
  CHECK(code == flux::Errc::bad_config);
  CHECK_THAT(message, Catch::Matchers::ContainsSubstring("no.such.host.example"));
}

TEST_CASE("server: handlers and routes are set before the start, later they throw") {
  flux::Server server(test_config());
  server.websocket("/raw", {});
  CHECK(thrown_by([&] { server.websocket("/raw", {}); }).first == flux::Errc::bad_config);
  CHECK(thrown_by([&] { server.websocket("/live", {}); }).first == flux::Errc::bad_config);
  CHECK(thrown_by([&] { server.websocket("raw", {}); }).first == flux::Errc::bad_config);
  CHECK(thrown_by([&] { server.websocket("/no-messages", {.message_bytes_max = 0}); }).second ==
        "WebSocketEndpoint::message_bytes_max must be at least 1, not 0");
  server.route("GET", "/a/{x}", [](flux::HttpExchange) {});
  CHECK(thrown_by([&] { server.route("GET", "/a/{y}", [](flux::HttpExchange) {}); }).first == flux::Errc::bad_config);
  server.start();
  const std::vector<std::function<void()>> late = {
      [&] { server.on_connect({}); },
      [&] { server.on_token({}); },
      [&] { server.on_disconnect({}); },
      [&] { server.on_join({}); },
      [&] { server.on_joined({}); },
      [&] { server.on_create_room({}); },
      [&] { server.on_leave({}); },
      [&] { server.on_event({}); },
      [&] { server.on_chat({}); },
      [&] { server.on_share({}); },
      [&] { server.on_presence({}); },
      [&] { server.route("GET", "/x", [](flux::HttpExchange) {}); },
      [&] { server.static_files("/s", "."); },
      [&] { server.websocket("/w", {}); },
  };
  for (const auto& set : late) CHECK(thrown_by(set).first == flux::Errc::already_running);
}

TEST_CASE("server: an empty handler is refused by name") {
  flux::Server server(test_config());
  const std::vector<std::pair<std::string, std::function<void()>>> empty = {
      {"on_connect", [&] { server.on_connect({}); }},
      {"on_token", [&] { server.on_token({}); }},
      {"on_disconnect", [&] { server.on_disconnect({}); }},
      {"on_join", [&] { server.on_join({}); }},
      {"on_joined", [&] { server.on_joined({}); }},
      {"on_create_room", [&] { server.on_create_room({}); }},
      {"on_leave", [&] { server.on_leave({}); }},
      {"on_event", [&] { server.on_event({}); }},
      {"on_chat", [&] { server.on_chat({}); }},
      {"on_chat_edit", [&] { server.on_chat_edit({}); }},
      {"on_chat_delete", [&] { server.on_chat_delete({}); }},
      {"on_share", [&] { server.on_share({}); }},
      {"on_public_delete", [&] { server.on_public_delete({}); }},
      {"on_presence", [&] { server.on_presence({}); }},
      {"on_file", [&] { server.on_file({}); }},
      {"on_file_stored", [&] { server.on_file_stored({}); }},
      {"on_call", [&] { server.on_call("add", {}); }},
  };
  for (const auto& [method, set] : empty) {
    const auto [code, message] = thrown_by(set);
    CHECK(code == flux::Errc::bad_config);
    CHECK(message == method + " needs a function to call; this one is empty");
  }
  CHECK_FALSE(server.call_after(1ms, {}).pending());
  CHECK_FALSE(server.call_every(1ms, {}).pending());
  CHECK(server.stats().calls_failed == 2);
}

TEST_CASE("server: a graceful stop, clients get everything queued, then 1001") {
  flux::Server server(test_config(2));
  server.start();
  std::vector<std::unique_ptr<LiveClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<LiveClient>(Target{server.port(), "127.0.0.1", 8192}, "/live"));
    clients.back()->join("r");
  }
  // More than a socket takes at once, less than the outbox may hold.
  const auto payload = flux::JsonText::string(std::string(100'000, 'x'));
  constexpr int count = 30;
  for (int i = 0; i < count; ++i) REQUIRE(server.broadcast("r", numbered("e", i), payload).ok());
  std::thread stopper([&] { server.stop(20s); });
  Crew crew;
  for (const auto& client : clients) {
    crew.add([&client = *client] { client.closed(); });
  }
  crew.join();
  stopper.join();
  for (const auto& client : clients) {
    CHECK(client->how_closed.code == 1001);
    std::vector<std::string> events;
    for (const std::string& text : client->before_close) {
      const auto message = flux::JsonText::parse(text).value();
      if (type_of(message) == "broadcast_event") events.push_back(text_at(message, "/payload/event"));
    }
    REQUIRE(events.size() == count);
    for (int i = 0; i < count; ++i) CHECK(events[static_cast<std::size_t>(i)] == numbered("e", i));
  }
  CHECK(server.stats().messages_dropped == 0);
}

TEST_CASE("server: after the grace period, clients that do not read are closed") {
  flux::Server server(test_config(2));
  server.start();
  std::vector<std::unique_ptr<LiveClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<LiveClient>(Target{server.port(), "127.0.0.1", 4096}, "/live"));
    clients.back()->join("r");
  }
  const auto payload = flux::JsonText::string(std::string(1'000'000, 'x'));
  for (int i = 0; i < 4; ++i) REQUIRE(server.broadcast("r", "big", payload).ok());
  const auto before = std::chrono::steady_clock::now();
  server.stop(50ms);
  CHECK(std::chrono::steady_clock::now() - before < 5s);
  CHECK_FALSE(server.running());
  CHECK(server.stats().connections_now == 0);
  for (const auto& client : clients) CHECK(client->closed().code == 1006);
}

TEST_CASE("server: while it stops, no client can connect and every client is told") {
  Gate leaving;
  flux::Server server(test_config());
  server.on_disconnect([&](const flux::Session&, const flux::Disconnect& how) {
    if (how.code == flux::CloseCode::going_away) leaving.open();
  });
  server.start();
  const auto port = server.port();
  LiveClient client(port);
  client.join("r");
  std::thread stopper([&] { server.stop(20s); });
  CHECK(client.closed().code == 1001);
  leaving.wait();
  stopper.join();
  CHECK_THROWS(LiveClient(port));
}

TEST_CASE("server: a permanent room survives a restart, and its presence still works") {
  auto config = test_config();
  config.presence_interval = 1ms;
  flux::Server server(config);
  REQUIRE(server.create_room("hall", {flux::RoomMode::history, 0, true}).ok());
  for (int life = 0; life < 3; ++life) {
    server.start();
    LiveClient one(server.port());
    one.join("hall");
    LiveClient two(server.port());
    two.join("hall");
    CHECK_THAT(one.next("presence_updated").text(), Catch::Matchers::ContainsSubstring(two.id));
    REQUIRE(share(server, "hall", R"({"type":"string","content":"kept"})"_json).ok());
    // Presence is pending while the loops end.
    two.send("update_presence", R"({"presence":{"x":1}})");
    server.stop(0ms);
    CHECK(server.room_items("hall").value().size() == static_cast<std::size_t>(life) + 1);
    CHECK(server.room("hall")->members == 0);
  }
}

TEST_CASE("server: a start for which the system has too few threads throws, and can be repeated") {
  if (is_sanitized) return;  // sanitizers reserve more memory than can be limited
  const Child child([](int output) {
    flux::Server server(test_config(64));
    limit_memory(100'000'000);
    try {
      server.start();
      Child::write_to(output, "started; ");
    } catch (const flux::Error& error) {
      Child::write_to(output, std::string(error.what()).substr(0, 55) + "; ");
    }
    limit_memory(RLIM_INFINITY);
    Child::write_to(output, server.running() ? "running; " : "not running; ");
    server.start();
    const bool answers = LiveClient(server.port()).request("join_room", R"({"roomId":"a"})").text().size() > 2;
    server.stop(0ms);
    Child::write_to(output, answers ? "answers" : "no answer");
  });
  CHECK(child.read_all() == "the system has too few threads for Config::threads = 64; not running; answers");
}

}  // namespace server_life_test
