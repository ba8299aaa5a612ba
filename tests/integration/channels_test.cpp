// Channels over the wire: `/realtime`, protocol live and data sharing together.
#include "support/memory_channel_store.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/auth.hpp>
#include <flux/channels.hpp>
#include <flux/sharing.hpp>

#include <map>
#include <memory>
#include <set>
#include <stdexcept>

namespace channels_test {

using namespace flux_test;
using flux::JsonText;

namespace {

class RealtimeClient : public WebSocketClient {
 public:
  explicit RealtimeClient(std::uint16_t port, std::string_view path = "/realtime") : WebSocketClient(port, path) {}

  JsonText receive() {
    if (aside_.empty()) return JsonText::parse(message()).value();
    auto first = std::move(aside_.front());
    aside_.pop_front();
    return first;
  }
  /// `members`: of the request, without its type and id.
  JsonText ask(std::string_view type, std::string_view members = "") {
    const std::string id = std::to_string(next_id_++);
    send_text(R"({"type":")" + std::string(type) + R"(","id":)" + id + (members.empty() ? "" : ",") +
              std::string(members) + "}");
    for (;;) {
      auto answer = JsonText::parse(message()).value();
      if (number_at(answer, "/id") == std::stoll(id)) return answer;
      aside_.push_back(std::move(answer));
    }
  }
  bool subscribed(std::string_view channel) {
    return type_of(ask("subscribe", R"("channel":")" + std::string(channel) + '"')) == "ack";
  }

 private:
  std::deque<JsonText> aside_;
  int next_id_ = 1;
};

struct Scene {
  explicit Scene(flux::ChannelsOptions options = {}, flux::Config config = test_config())
      : server(std::move(config)), channels(server, std::move(options)) {
    flux::socketio::Io io(server);
    flux::socketio::serve_sharing(server, io);
  }
  std::uint16_t start() {
    server.start();
    return server.port();
  }
  flux::Server server;
  flux::Channels channels;
};

JsonText json(std::string text) { return JsonText::parse(std::move(text)).value(); }

}  // namespace

TEST_CASE("channels: clients of three protocols and the application hear each other") {
  Scene scene;
  std::vector<std::string> heard;
  Awaited<bool> all_heard;
  const auto own = scene.channels.subscribe("orders:*", [&](const flux::ChannelMessage& message) {
    heard.push_back(message.channel + " " + message.data.text());
    if (heard.size() == 4) all_heard.set(true);
  });
  const auto port = scene.start();
  RealtimeClient ann(port);
  LiveClient ben(port);
  SocketIoClient cleo(port);
  REQUIRE(ann.subscribed("orders:5"));
  CHECK(type_of(ben.request("channel_subscribe", R"({"channel":"orders:5"})")) == "ack");
  CHECK(cleo.ask("channel_subscribe", R"({"channel":"orders:5"})").get<bool>("/success") == true);

  CHECK(type_of(ann.ask("publish", R"("channel":"orders:5","data":{"by":"ann"})")) == "ack");
  CHECK(type_of(ben.request("channel_publish", R"({"channel":"orders:5","data":{"by":"ben"}})")) == "ack");
  CHECK(cleo.ask("channel_broadcast", R"({"channel":"orders:5","data":{"by":"cleo"}})").get<bool>("/success") == true);
  const auto published = scene.channels.publish("orders:5", json(R"({"by":"app"})"));
  REQUIRE(published.ok());
  CHECK(published->reached == 4);
  CHECK(published->position.offset == 4);

  for (const char* by : {"ann", "ben", "cleo", "app"}) {
    const auto message = ann.receive();
    CHECK(type_of(message) == "publish");
    CHECK(text_at(message, "/data/by") == by);
    CHECK(text_at(message, "/channel") == "orders:5");
    CHECK(number_at(message, "/timestamp") > 0);
    CHECK(text_at(ben.next("channel_publish"), "/payload/data/by") == by);
    if (std::string_view(by) != "cleo") CHECK(text_at(cleo.next("channel_publish"), "/1/data/by") == by);
  }
  REQUIRE(all_heard.get());
  CHECK(heard == std::vector<std::string>{R"(orders:5 {"by":"ann"})", R"(orders:5 {"by":"ben"})",
                                          R"(orders:5 {"by":"cleo"})", R"(orders:5 {"by":"app"})"});
}

TEST_CASE("channels: a client of /realtime that comes back gets what it missed after the ack, then what is new") {
  flux::ChannelsOptions options;
  options.namespaces.push_back({"news", {}});
  options.namespaces.back().options.history_max = 10;
  Scene scene(options);
  const auto port = scene.start();
  std::string position;
  {
    RealtimeClient ann(port);
    REQUIRE(ann.subscribed("news:a"));
    scene.channels.publish("news:a", json("1")).value();
    const auto last = ann.receive();
    position =
        R"(,"epoch":")" + text_at(last, "/epoch") + R"(","offset":)" + std::to_string(number_at(last, "/offset"));
  }
  scene.channels.publish("news:a", json("2")).value();
  scene.channels.publish("news:a", json("3")).value();
  RealtimeClient ann(port);
  ann.send_text(R"({"type":"subscribe","id":"s","channel":"news:a")" + position + "}");
  const auto ack = ann.receive();
  CHECK(type_of(ack) == "ack");
  CHECK(ack.get<bool>("/recovered") == true);
  CHECK(number_at(ack, "/offset") == 3);
  scene.channels.publish("news:a", json("4")).value();
  for (int i = 2; i <= 4; ++i) CHECK(number_at(ann.receive(), "/data") == i);
  const auto history = scene.channels.history("news:a", 2);
  REQUIRE(history.ok());
  REQUIRE(history->messages.size() == 2);
  CHECK(history->messages[0].data.text() == "3");
  CHECK(history->messages[1].position == history->position);
}

TEST_CASE(
    "channels: with a store a publication is acknowledged once it is stored, and the next server goes on from there") {
  const auto store = std::make_shared<MemoryChannelStore>(MemoryChannelStore::Behaviour{true, 10});
  flux::ChannelsOptions options;
  options.defaults.history_max = 10;
  options.store = store;
  std::string epoch;
  {
    Scene scene(options);
    CHECK(scene.channels.publish("a", json("0")).error().code() == flux::Errc::stopped);
    const auto port = scene.start();
    RealtimeClient ann(port);
    RealtimeClient ben(port);
    REQUIRE(ann.subscribed("a"));
    store->hold();
    ben.send_text(R"({"type":"publish","id":1,"channel":"a","data":1})");
    REQUIRE(store->somebody_waits());
    Awaited<flux::Result<flux::Published>> told, told_of_client;
    scene.channels.publish("a", json("2"), {}, [&](auto result) {
      told.set(result);
      throw std::runtime_error("a callback that throws");
    });
    const auto at_once = scene.channels.publish("a", json("3"));
    REQUIRE(at_once.ok());
    CHECK(at_once->is_pending);
    scene.channels.publish_from_client("no such client", "a", json("4"),
                                       [&](auto result) { told_of_client.set(result); });
    CHECK(told_of_client.get().error().code() == flux::Errc::session_not_found);
    CHECK(type_of(ann.ask("ping")) == "pong");  // nobody waits for the store, and nothing was sent
    CHECK(scene.channels.stats("a")->messages == 0);
    store->let_through();
    CHECK(number_at(ben.receive(), "/offset") == 1);
    const auto second = told.get();
    REQUIRE(second.ok());
    CHECK(second->position.offset == 2);
    CHECK(second->reached == 1);
    for (int i = 1; i <= 3; ++i) CHECK(number_at(ann.receive(), "/data") == i);
    store->fail(1);
    const auto failed = ben.ask("publish", R"("channel":"a","data":4)");
    CHECK(text_at(failed, "/code") == "STORE_FAILED");
    CHECK(text_at(failed, "/error") == "the channel store failed");
    epoch = second->position.epoch;
  }
  Scene scene(options);
  const auto port = scene.start();
  RealtimeClient ann(port);
  const auto ack = ann.ask("subscribe", R"("channel":"a","offset":1,"epoch":")" + epoch + '"');
  CHECK(ack.get<bool>("/recovered") == true);
  for (int i = 2; i <= 3; ++i) CHECK(number_at(ann.receive(), "/data") == i);
  CHECK(number_at(ann.ask("publish", R"("channel":"a","data":4)"), "/offset") == 4);
  CHECK(store->publications_of("a") == "1:1 2:2 3:3 4:4 ");
}

TEST_CASE("channels: presence of clients of every protocol ends with their connections") {
  Scene scene;
  const auto port = scene.start();
  RealtimeClient ann(port);
  REQUIRE(ann.subscribed("a"));
  {
    LiveClient ben(port);
    CHECK(type_of(ben.request("channel_presence_join", R"({"channel":"a","data":{"n":1}})")) == "ack");
    const auto joined = ann.receive();
    CHECK(type_of(joined) == "presence_join");
    CHECK(number_at(joined, "/data/n") == 1);
    CHECK(number_at(joined, "/joinedAt") > 0);
    const auto present = scene.channels.presence("a");
    REQUIRE(present.size() == 1);
    CHECK(present[0].client_id == text_at(joined, "/clientId"));
    // The application changes its data, and adds a client that has no connection.
    CHECK(scene.channels.update_presence(present[0].client_id, "a", json("2")).ok());
    CHECK(number_at(ann.receive(), "/data") == 2);
    CHECK(scene.channels.update_presence("device 7", "a", json("{}")).ok());
    CHECK(text_at(ann.receive(), "/clientId") == "device 7");
  }
  CHECK(type_of(ann.receive()) == "presence_leave");
  CHECK(scene.channels.leave_presence("device 7", "a"));
  CHECK_FALSE(scene.channels.leave_presence("device 7", "a"));
  CHECK(text_at(ann.receive(), "/clientId") == "device 7");
  CHECK(scene.channels.presence("a").empty());
}

TEST_CASE("channels: the application acts for clients, and asks about them") {
  Scene scene;
  Awaited<flux::SessionId> publisher;
  scene.channels.on_publish([&](flux::ChannelPublish& event) { publisher.set(event.session.id()); });
  const auto port = scene.start();
  RealtimeClient ann(port);
  CHECK(type_of(ann.ask("publish", R"("channel":"x","data":1)")) == "ack");
  const flux::SessionId id = publisher.get();
  REQUIRE_FALSE(id.empty());
  auto& channels = scene.channels;
  CHECK(answer_of<void>([&](auto done) { channels.subscribe_client(id, "a", done); }).ok());
  CHECK(answer_of<void>([&](auto done) { channels.subscribe_client(id, "system:a", done); }).error().code() ==
        flux::Errc::unauthorized);
  CHECK(answer_of<void>([&](auto done) { channels.subscribe_client("nobody", "a", done); }).error().code() ==
        flux::Errc::session_not_found);
  CHECK(answer_of<flux::Published>([&](auto done) {
          channels.publish_from_client(id, "a", json("7"), done);
        })->reached == 1);
  const auto message = ann.receive();
  CHECK(text_at(message, "/clientId") == id);
  CHECK(number_at(message, "/data") == 7);
  const auto info = answer_of<flux::ChannelClient>([&](auto done) { channels.client_info(id, done); });
  REQUIRE(info.ok());
  CHECK(info->subscriptions == std::vector<std::string>{"a"});
  const auto stats = channels.stats("a");
  REQUIRE(stats);
  CHECK(stats->subscribers == 1);
  CHECK(stats->messages == 1);
  CHECK(stats->last_message_at >= stats->created_at);
  CHECK(answer_of<bool>([&](auto done) { channels.unsubscribe_client(id, "a", "bye", done); }).value());
  CHECK_FALSE(answer_of<bool>([&](auto done) { channels.unsubscribe_client(id, "a", "bye", done); }).value());
  const auto told = ann.receive();
  CHECK(type_of(told) == "unsubscribed");
  CHECK(text_at(told, "/reason") == "bye");
  CHECK_FALSE(channels.stats("a"));
  // Sessions are listed and reached as those of any protocol.
  CHECK(scene.server.clients(10).clients.at(0).protocol == "realtime");
  CHECK(scene.server.session(id)->send("note", json(R"({"n":1})")).ok());
  const auto note = ann.receive();
  CHECK(type_of(note) == "event");
  CHECK(text_at(note, "/event") == "note");
  CHECK(number_at(note, "/data/n") == 1);
}

TEST_CASE("channels: /realtime answers what it can't act on, and stays open") {
  auto config = test_config();
  config.limits.message_bytes_max = 4096;
  Scene scene({}, config);
  const auto port = scene.start();
  RealtimeClient ann(port);
  const std::map<std::string, std::string> wrong{
      {"{", "INVALID_JSON"},
      {"[]", "INVALID_MESSAGE"},
      {"7", "INVALID_MESSAGE"},
      {"{}", "INVALID_MESSAGE"},
      {R"({"type":7})", "INVALID_MESSAGE"},
      {R"({"type":"no"})", "INVALID_MESSAGE"},
      {R"({"type":"channel_subscribe","channel":"a"})", "INVALID_MESSAGE"},
      {R"({"type":"join_room","roomId":"a"})", "INVALID_MESSAGE"},
      {R"({"type":"subscribe"})", "INVALID_MESSAGE"},
      {R"({"type":"subscribe","channel":7})", "INVALID_MESSAGE"},
      {R"({"type":"subscribe","channel":"a","channel":"b"})", "INVALID_MESSAGE"},
      {R"({"type":"subscribe","type":"publish","channel":"a"})", "INVALID_MESSAGE"},
      {R"({"type":"subscribe","channel":"\ud800"})", "INVALID_MESSAGE"},
      {R"({"type":"publish","channel":"a"})", "INVALID_MESSAGE"},
      {R"({"type":"history","channel":"a"})", "INVALID_MESSAGE"},  // no id for its answer
      {R"({"type":"publish","channel":"a/b","data":1})", "INVALID_MESSAGE"},
      {R"({"type":"publish","channel":"a..b","data":1})", "INVALID_MESSAGE"},
      {R"({"type":"publish","channel":"system:a","data":1})", "UNAUTHORIZED"},
      {R"({"type":"publish","channel":"a","data":1,"key":")" + std::string(129, 'k') + "\"}", "MESSAGE_TOO_LARGE"},
      {R"({"type":"subscribe","channel":"a","epoch":"e","offset":-1})", "INVALID_MESSAGE"},
      {R"({"type":"subscribe","channel":"a","epoch":"e","offset":1.5})", "INVALID_MESSAGE"},
  };
  for (const auto& [text, code] : wrong) {
    INFO(text);
    ann.send_text(text);
    const auto answer = ann.receive();
    CHECK(type_of(answer) == "error");
    CHECK(text_at(answer, "/code") == code);
    CHECK(text_at(answer, "/error").size() > 10);
  }
  const auto with_id = ann.ask("subscribe", R"("channel":"a/b")");
  CHECK(type_of(with_id) == "error");
  CHECK(text_at(with_id, "/error") == R"(Invalid channel name format: "a/b" has a "/")");
  CHECK(type_of(ann.ask("ping")) == "pong");
  REQUIRE(ann.subscribed("a"));
  // A publication may be as large as a message; what is too large for that ends the connection, as everywhere.
  ann.send_text(R"({"type":"publish","channel":"a","data":")" + std::string(4000, 'x') + "\"}");
  CHECK(text_at(ann.receive(), "/data").size() == 4000);
  ann.send_text(R"({"type":"publish","channel":"a","data":")" + std::string(4100, 'x') + "\"}");
  CHECK(ann.closed().code == 1009);
}

TEST_CASE("channels: who may not read a channel does not recover from it; a revoked client is gone") {
  flux::ChannelsOptions options;
  options.defaults.history_max = 10;
  options.defaults.demands.history = "audit";
  Scene scene(options);
  flux::AuthOptions auth_options;
  auth_options.keys = {flux::jwt::Key::secret(flux::jwt::Algorithm::hs256, std::string(32, 's'))};
  flux::Auth auth(scene.server, auth_options);
  const auto port = scene.start();
  const auto path_for = [&](const std::string& user, const std::vector<std::string>& permissions) {
    const flux::Identity identity{user, user, {}, {}, true};
    return "/realtime?access_token=" + auth.issue(identity, permissions, 1h).value();
  };
  RealtimeClient ann(port, path_for("ann", {"read:*", "write:*"}));
  REQUIRE(ann.subscribed("a"));
  CHECK(type_of(ann.ask("publish", R"("channel":"a","data":1)")) == "ack");
  const std::string epoch = text_at(ann.receive(), "/epoch");
  const std::string since = R"("channel":"a","offset":0,"epoch":")" + epoch + '"';
  RealtimeClient ben(port, path_for("ben", {"read:*"}));
  const auto refused = ben.ask("subscribe", since);
  CHECK(refused.get<bool>("/recovered") == false);
  CHECK(text_at(refused, "/reason") == "the history may not be read");
  CHECK(text_at(ben.ask("history", R"("channel":"a")"), "/code") == "FORBIDDEN");
  CHECK(text_at(ben.ask("publish", R"("channel":"a","data":1)"), "/error") ==
        "Insufficient permissions for channel: a");
  RealtimeClient auditor(port, path_for("auditor", {"read:*", "audit:*"}));
  CHECK(auditor.ask("subscribe", since).get<bool>("/recovered") == true);
  CHECK(number_at(auditor.receive(), "/data") == 1);
  // A new token in band: the grant of the old one ends.
  CHECK(type_of(ben.ask("refresh", R"("accessToken":")" +
                                       auth.issue({"ben", "ben", {}, {}, true}, {"read:b"}, 1h).value() + '"')) ==
        "ack");
  CHECK(type_of(ben.receive()) == "unsubscribed");
  CHECK(scene.server.revoke_user("ann", "out") == 1);
  CHECK(ann.closed().code == 4401);
}

TEST_CASE("channels: subscriptions of the application run where it wants, one at a time, until they end") {
  Scene scene;
  std::mutex mutex;
  std::deque<std::function<void()>> tasks;
  std::vector<std::string> heard;
  auto own = scene.channels.subscribe(
      "a", [&](const flux::ChannelMessage& message) { heard.push_back(message.data.text()); },
      [&](std::function<void()> task) {
        const std::lock_guard lock(mutex);
        tasks.push_back(std::move(task));
      });
  const auto run = [&] {
    for (;;) {
      std::function<void()> task;
      {
        const std::lock_guard lock(mutex);
        if (tasks.empty()) return;
        task = std::move(tasks.front());
        tasks.pop_front();
      }
      task();
    }
  };
  scene.start();
  for (int i = 0; i < 200; ++i) CHECK(scene.channels.publish("a", json(std::to_string(i)))->reached == 1);
  CHECK(tasks.size() == 1);
  run();
  REQUIRE(heard.size() == 200);
  for (std::size_t i = 0; i < 200; ++i) CHECK(heard[i] == std::to_string(i));
  // An executor that runs its tasks at once, and a callback that ends its own subscription.
  flux::ChannelSubscription once;
  int calls = 0;
  once = scene.channels.subscribe(
      "a",
      [&](const flux::ChannelMessage&) {
        ++calls;
        once.cancel();
      },
      [](const std::function<void()>& task) { task(); });
  scene.channels.publish("a", json("1")).value();
  scene.channels.publish("a", json("2")).value();
  CHECK(calls == 1);
  CHECK_FALSE(once.active());
  own.cancel();
  run();
  CHECK(heard.size() == 200);
  CHECK_FALSE(scene.channels.stats("a"));
  CHECK_THROWS_AS((void)scene.channels.subscribe("a/b", [](const auto&) {}), flux::Error);
}

TEST_CASE("channels: a callback that throws is reported, and the next publication arrives") {
  auto config = test_config();
  std::mutex mutex;
  std::string logged;
  config.log = [&](flux::LogLevel, std::string_view line) {
    const std::lock_guard lock(mutex);
    logged.append(line).append("\n");
  };
  Scene scene({}, config);
  Awaited<bool> second;
  const auto own = scene.channels.subscribe("a", [&](const flux::ChannelMessage& message) {
    if (message.data.text() == "1") throw std::runtime_error("broken");
    second.set(true);
  });
  scene.start();
  scene.channels.publish("a", json("1")).value();
  scene.channels.publish("a", json("2")).value();
  CHECK(second.get());
  const std::lock_guard lock(mutex);
  CHECK(logged.find("channel subscription handler threw: broken (\"a\")") != std::string::npos);
}

TEST_CASE("channels: options of the module") {
  flux::Server server(test_config());
  {
    flux::ChannelsOptions options;
    options.path = "realtime";
    CHECK_THROWS_AS(flux::Channels(server, options), flux::Error);
  }
  flux::Server other(test_config());
  flux::ChannelsOptions options;
  options.path = "";
  flux::Channels channels(other, options);
  CHECK_THROWS_AS(flux::Channels(other, options), flux::Error);
  other.start();
  CHECK_THROWS_AS(channels.on_publish([](flux::ChannelPublish&) {}), flux::Error);
  CHECK_THROWS_AS(RealtimeClient(other.port()), std::runtime_error);
  LiveClient ann(other.port());
  CHECK(type_of(ann.request("channel_subscribe", R"({"channel":"a"})")) == "ack");
}

TEST_CASE("channels: publishing from many threads while clients come and go") {
  auto config = test_config(2);
  flux::ChannelsOptions options;
  options.defaults.history_max = 10'000;
  options.defaults.history_bytes_max = 100'000'000;
  Scene scene(options, config);
  const auto port = scene.start();
  constexpr int writers = 3, each = 300;
  std::vector<std::thread> threads;
  for (int w = 0; w < writers; ++w) {
    threads.emplace_back([&, w] {
      for (int i = 0; i < each; ++i) {
        while (!scene.channels.publish("a", json(std::to_string(w * each + i))).ok()) std::this_thread::yield();
      }
    });
  }
  // Each reader comes back from its last position again and again: it has every publication once, in order.
  const auto read_all = [&] {
    std::vector<std::int64_t> offsets;
    std::string epoch;
    while (offsets.size() < writers * each) {
      RealtimeClient client(port);
      std::string since;
      if (!epoch.empty()) since = R"(,"epoch":")" + epoch + R"(","offset":)" + std::to_string(offsets.size());
      client.send_text(R"({"type":"subscribe","id":1,"channel":"a")" + since + "}");
      const auto ack = client.receive();
      if (epoch.empty()) {
        epoch = text_at(ack, "/epoch");
        for (std::int64_t i = 1; i <= number_at(ack, "/offset"); ++i) offsets.push_back(i);  // not asked for
      } else if (ack.get<bool>("/recovered") != true) {
        throw std::runtime_error("not recovered: " + ack.text());
      }
      for (int i = 0; i < 50 && offsets.size() < writers * each; ++i)
        offsets.push_back(number_at(client.receive(), "/offset"));
    }
    return offsets;
  };
  std::vector<std::vector<std::int64_t>> read(4);
  std::vector<std::thread> readers;
  std::vector<std::string> failed(read.size());
  for (std::size_t r = 0; r < read.size(); ++r) {
    readers.emplace_back([&, r] {
      try {
        read[r] = read_all();
      } catch (const std::exception& e) {
        failed[r] = e.what();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto& reader : readers) reader.join();
  for (std::size_t r = 0; r < read.size(); ++r) {
    CHECK(failed[r].empty());
    REQUIRE(read[r].size() == writers * each);
    bool in_order = true;
    for (std::size_t i = 0; i < read[r].size(); ++i)
      in_order = in_order && read[r][i] == static_cast<std::int64_t>(i + 1);
    CHECK(in_order);
  }
}

}  // namespace channels_test
