// Channels as server-sent events.
#include "support/server.hpp"

#include <flux/auth.hpp>
#include <flux/channels.hpp>

#include <map>
#include <optional>
#include <vector>

namespace sse_test {

using namespace flux_test;
using flux::JsonText;

namespace {

struct Event {
  std::string id;
  JsonText data;
};

/// Reads a stream as EventSource does.
class EventStream {
 public:
  /// `fields`: of the request, each with its line end.
  explicit EventStream(std::uint16_t port, std::string_view query, const std::string& fields = "",
                       int receive_buffer = 0)
      : tcp(Target{port, "127.0.0.1", receive_buffer}) {
    tcp.send(get("/realtime/sse?" + std::string(query), fields));
    while (tcp.received.find("\r\n\r\n") == std::string::npos) {
      if (!tcp.receive()) break;
    }
    const std::size_t end = tcp.received.find("\r\n\r\n");
    head = tcp.received.substr(0, end);
    tcp.received.erase(0, end + 4);
  }
  int status() const { return std::stoi(head.substr(9, 3)); }
  /// The next event with data; none at the end of the stream.
  std::optional<Event> next() {
    while (auto block = next_block()) {
      std::string data;
      bool any = false;
      while (!block->empty()) {
        const std::string line = block->substr(0, block->find('\n'));
        block->erase(0, line.size() + 1);
        if (line[0] == ':') ++comments;
        if (line.rfind("id: ", 0) == 0) last_id = line.substr(4);
        if (line.rfind("retry: ", 0) == 0) retry = std::stoi(line.substr(7));
        if (line.rfind("data: ", 0) == 0) {
          if (any) data += '\n';
          data += line.substr(6);
          any = true;
        }
      }
      if (any) return Event{last_id, JsonText::parse(data).value()};
    }
    return std::nullopt;
  }
  JsonText data() {
    auto event = next();
    if (!event) throw std::runtime_error("the stream has ended");
    return std::move(event->data);
  }
  std::optional<std::string> next_block() {
    std::size_t end;
    while ((end = tcp.received.find("\n\n")) == std::string::npos) {
      if (!tcp.receive()) return std::nullopt;
    }
    std::string block = tcp.received.substr(0, end + 1);
    tcp.received.erase(0, end + 2);
    return block;
  }

  HttpClient tcp;
  std::string head, last_id;
  int retry = 0;
  int comments = 0;
};

std::string last_event_id(const std::string& id) { return "Last-Event-ID: " + id + "\r\n"; }

struct Scene {
  explicit Scene(flux::Config config = test_config()) : server(std::move(config)), channels(server, options()) {}
  static flux::ChannelsOptions options() {
    flux::ChannelsOptions options;
    options.defaults.history_max = 100;
    return options;
  }
  void publish(const std::string& channel, std::string data) {
    channels.publish(channel, JsonText::parse(std::move(data)).value()).value();
  }
  std::uint16_t start() {
    server.start();
    return server.port();
  }
  flux::Server server;
  flux::Channels channels;
};

}  // namespace

TEST_CASE("sse: a page gets publications, and what it missed when it comes back with its last id") {
  Scene scene;
  const auto port = scene.start();
  std::string id;
  {
    EventStream page(port, "channel=a");
    CHECK(page.status() == 200);
    CHECK(page.head.find("Content-Type: text/event-stream") != std::string::npos);
    CHECK(page.head.find("X-Accel-Buffering: no") != std::string::npos);
    const auto subscribed = page.next();
    REQUIRE(subscribed);
    CHECK(type_of(subscribed->data) == "subscribed");
    CHECK(page.retry >= 1000);
    CHECK(page.retry < 5000);
    // The id of a page that has received nothing yet is its position, too.
    CHECK(subscribed->id == text_at(subscribed->data, "/epoch") + ".0");
    scene.publish("a", "1");
    const auto first = page.next();
    CHECK(type_of(first->data) == "publish");
    CHECK(number_at(first->data, "/data") == 1);
    id = first->id;
    CHECK(id == text_at(first->data, "/epoch") + ".1");
  }
  scene.publish("a", "2");
  scene.publish("a", "3");
  for (const bool by_query : {false, true}) {
    EventStream page(port, by_query ? "channel=a&lastEventId=" + id : "channel=a", by_query ? "" : last_event_id(id));
    const auto again = page.next();
    CHECK(again->data.get<bool>("/recovered") == true);
    CHECK(again->id == id);  // what it has missed follows
    for (int i = 2; i <= 3; ++i) {
      const auto missed = page.next();
      CHECK(number_at(missed->data, "/data") == i);
      CHECK(missed->id.substr(missed->id.find('.')) == "." + std::to_string(i));
    }
  }
  EventStream page(port, "channel=a", last_event_id("garbage, 17."));
  CHECK(page.data().get<bool>("/recovered") == false);
}

TEST_CASE("sse: with several channels each event names all positions, so that each recovers its own") {
  Scene scene;
  const auto port = scene.start();
  std::string id;
  {
    EventStream page(port, "channel=b&channel=a&channel=c:*&channel=a");
    for (int i = 0; i < 3; ++i) CHECK(type_of(page.data()) == "subscribed");
    scene.publish("a", "1");
    scene.publish("b", "2");
    scene.publish("c:x", "3");
    scene.publish("a", "4");
    std::map<int, std::string> ids;
    for (int i = 0; i < 4; ++i) {
      const auto event = page.next();
      ids[static_cast<int>(number_at(event->data, "/data"))] = event->id;
    }
    REQUIRE(ids.size() == 4);
    const auto offsets = [](const std::string& of) {
      return of.substr(of.find('.'), 2) + of.substr(of.rfind('.'));  // of a, then b
    };
    CHECK(offsets(ids[1]) == ".1.0");
    CHECK(offsets(page.last_id) == ".2.1");
    id = page.last_id;
  }
  scene.publish("a", "5");
  scene.publish("b", "6");
  scene.publish("c:x", "7");
  EventStream page(port, "channel=a&channel=b&channel=c:*", last_event_id(id));
  std::string seen;
  for (int i = 0; i < 5; ++i) {
    const auto data = page.data();
    seen += type_of(data) == "publish"
                ? std::to_string(number_at(data, "/data")) + " "
                : text_at(data, "/channel") + (data.get<bool>("/recovered") == true ? "+ " : "- ");
  }
  CHECK(seen == "a+ 5 b+ 6 c:*- ");
}

TEST_CASE("sse: ids stay readable after a position of another life; others can't add channels") {
  flux::Server server(test_config());
  flux::ChannelsOptions options;
  options.defaults.history_max = 1;
  options.defaults.recovery = flux::ChannelRecovery::latest;
  flux::Channels channels(server, options);
  server.start();
  channels.publish("a", JsonText::parse("1").value()).value();
  channels.publish("a", JsonText::parse("2").value()).value();
  EventStream page(server.port(), "channel=a&channel=b", last_event_id("0000000000000.7"));
  CHECK(page.data().get<bool>("/recovered") == true);
  CHECK(number_at(page.data(), "/data") == 2);
  (void)page.data();
  CHECK(page.last_id.find(".2,") != std::string::npos);
  CHECK(page.last_id.find("unknown") == std::string::npos);
  CHECK(page.last_id.find("0000000000000") == std::string::npos);
  const std::string id = server.clients(5).clients.at(0).id;
  CHECK(answer_of<void>([&](auto done) { channels.subscribe_client(id, "c", done); }).error().code() ==
        flux::Errc::forbidden);
}

TEST_CASE("sse: data with line ends stays one event") {
  Scene scene;
  EventStream page(scene.start(), "channel=a");
  (void)page.data();
  scene.publish("a", "{\"x\":\r\n1,\n\n\"y\":\r2}");
  const auto data = page.data();
  CHECK(number_at(data, "/data/x") == 1);
  CHECK(number_at(data, "/data/y") == 2);
}

TEST_CASE("sse: what can't be subscribed is refused with a status") {
  auto config = test_config();
  config.origins = {"https://friend.example"};
  Scene scene(config);
  flux::AuthOptions auth_options;
  auth_options.keys = {flux::jwt::Key::secret(flux::jwt::Algorithm::hs256, std::string(32, 's'))};
  auth_options.required = false;
  flux::Auth auth(scene.server, auth_options);
  const std::string token = "&access_token=" + auth.issue({"ann", "", {}, {}, true}, {"read:a"}, 1h).value();
  const auto port = scene.start();
  const auto status = [&](const std::string& query, const std::string& fields = "") {
    return EventStream(port, query, fields).status();
  };
  CHECK(status("channel=a" + token) == 200);
  CHECK(status("channel=a") == 401);
  CHECK(status("channel=a&access_token=wrong") == 401);
  CHECK(status("channel=b" + token) == 403);
  CHECK(status("channel=a&channel=b" + token) == 403);
  CHECK(status("channel=*" + token) == 403);
  CHECK(status(token.substr(1)) == 400);
  CHECK(status("channel=a/b" + token) == 400);
  CHECK(status("channel=" + token) == 400);
  std::string many;
  for (int i = 0; i < 101; ++i) many += "channel=a:" + std::to_string(i) + "&";
  CHECK(status(many + token.substr(1)) == 400);
  CHECK(status("channel=a" + token, "Origin: https://other.example\r\n") == 403);
  CHECK(status("channel=a" + token, "Sec-Fetch-Site: cross-site\r\n") == 403);
  EventStream friendly(port, "channel=a" + token, "Origin: https://friend.example\r\n");
  CHECK(friendly.status() == 200);
  CHECK(friendly.head.find("Access-Control-Allow-Origin: https://friend.example") != std::string::npos);
  HttpClient http(port);
  http.send("HEAD /realtime/sse HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(http.reply(true).status == 200);
  CHECK(http.request(get("/live-not-there")).status == 404);  // the connection goes on
}

TEST_CASE("sse: the application may refuse a channel later; a revoked client is told, and its stream ends") {
  Scene scene;
  flux::AuthOptions auth_options;
  auth_options.keys = {flux::jwt::Key::secret(flux::jwt::Algorithm::hs256, std::string(32, 's'))};
  flux::Auth auth(scene.server, auth_options);
  scene.channels.on_subscribe([&](flux::ChannelSubscribe& event) {
    if (event.channel == "no") event.refuse("not this one");
    if (event.channel == "yes") {
      auto verdict = event.later();
      scene.server.call_after(1ms, [verdict] { verdict.accept(); });
    }
  });
  const auto port = scene.start();
  EventStream page(
      port, "channel=no&channel=yes&access_token=" + auth.issue({"ann", "", {}, {}, true}, {"read:*"}, 1h).value());
  const auto refused = page.data();
  CHECK(type_of(refused) == "error");
  CHECK(text_at(refused, "/error") == "not this one");
  CHECK(text_at(page.data(), "/channel") == "yes");
  scene.publish("yes", "1");
  CHECK(number_at(page.data(), "/data") == 1);
  CHECK(scene.server.clients(5).clients.at(0).protocol == "sse");
  CHECK(scene.server.revoke_user("ann", "out") == 1);
  const auto closed = page.data();
  CHECK(type_of(closed) == "closed");
  CHECK(number_at(closed, "/code") == 4401);
  CHECK_FALSE(page.next());
  CHECK(eventually([&] { return scene.server.clients(5).clients.empty(); }));
  CHECK(eventually([&] { return scene.channels.stats("yes")->subscribers == 0; }));
}

TEST_CASE("sse: a silent stream has comments; one that ends leaves its channels") {
  auto config = test_config();
  config.limits.ping_interval = 300ms;
  Scene scene(config);
  const auto port = scene.start();
  {
    EventStream page(port, "channel=a");
    (void)page.data();
    for (int i = 0; i < 2; ++i) CHECK(page.next_block() == ":\n");
    CHECK(scene.channels.stats("a")->subscribers == 1);
  }
  CHECK(eventually([&] { return scene.channels.stats("a")->subscribers == 0; }));
  EventStream page(port, "channel=a");
  (void)page.data();
  scene.server.stop();
  CHECK(type_of(page.data()) == "closed");
  CHECK_FALSE(page.next());
}

TEST_CASE("sse: a client that never reads is disconnected at its limit, others lose nothing") {
  auto config = test_config();
  config.limits.outbox_bytes_max = 1'000'000;
  config.limits.outbox_bytes_congested = 100'000;
  Scene scene(config);
  const auto port = scene.start();
  EventStream quick(port, "channel=a"), several(port, "channel=a&channel=b");
  EventStream slow(port, "channel=a", "", 4096), slow_too(port, "channel=a&channel=b", "", 4096);
  for (int i = 0; i < 1; ++i) (void)quick.data();
  for (int i = 0; i < 2; ++i) (void)several.data();
  (void)slow.data();
  for (int i = 0; i < 2; ++i) (void)slow_too.data();
  const std::string data = quoted_x(50'000);
  for (int i = 0; i < 400 && scene.channels.stats("a")->subscribers > 2; ++i) {
    scene.publish("a", data);
    CHECK(text_at(quick.data(), "/data").size() == 50'000);
    CHECK(text_at(several.data(), "/data").size() == 50'000);
  }
  CHECK(scene.channels.stats("a")->subscribers == 2);
}

}  // namespace sse_test
