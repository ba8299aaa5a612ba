// What a client may do in channels, and what it gets: without a socket.
#include "channel_fixture.hpp"

#include <flux/detail/features/channel_acts.hpp>
#include <flux/detail/features/channel_subscriber.hpp>

#include <map>
#include <set>
#include <thread>

namespace channel_requests_test {

using namespace channel_test;

namespace {

ChannelsOptions with_state() {
  ChannelsOptions options;
  options.defaults.state_max = 100;
  return options;
}

ChannelsOptions with_history(std::size_t count, ChannelRecovery recovery = ChannelRecovery::missed) {
  ChannelsOptions options;
  options.defaults.history_max = count;
  options.defaults.recovery = recovery;
  return options;
}

const auto with_auth = [](Station& s) { s.backend.gate.connect = [](AccessRequest&) {}; };

}  // namespace

TEST_CASE("channels: a publication reaches subscribers and matching patterns, with its position", "[channels]") {
  Station s;
  Client& ann = s.client("ann");
  Client& ben = s.client();
  Client& cleo = s.client();
  CHECK(s.masked(s.ask(ann, "subscribe", R"({"channel":"orders:5"})")) ==
        R"({"channel":"orders:5","epoch":"E","offset":0})");
  CHECK(s.ask(cleo, "subscribe", R"({"channel":"orders:*"})") == R"({"channel":"orders:*"})");
  CHECK(s.masked(s.ask(ann, "publish", R"({"channel":"orders:5","data":[1, 2]})")) == R"({"epoch":"E","offset":1})");
  const std::map<std::string, std::string> names{{ann.id(), "ANN"}};
  const std::string rest =
      R"("channel":"orders:5","data":[1, 2],"clientId":"ANN","userId":"ann","epoch":"E","offset":1,"timestamp":now})";
  const auto one = [&](Client& client) {
    const Lines lines = s.heard(client);
    return lines.size() == 1 ? s.masked(lines[0], names) : std::to_string(lines.size()) + " lines";
  };
  CHECK(one(ann) == "channel_publish {" + rest);
  CHECK(one(cleo) == R"(channel_publish {"pattern":"orders:*",)" + rest);
  CHECK(s.heard(ben).empty());
  // Nobody is subscribed there, so that the channel does not exist.
  CHECK(s.ask(ben, "publish", R"({"channel":"other","data":null})") == "{}");
  CHECK(s.ask(ann, "unsubscribe", R"({"channel":"orders:5"})") == "{}");
  CHECK(s.ask(ann, "unsubscribe", R"({"channel":"orders:5"})") == "{}");
  s.ask(ben, "publish", R"({"channel":"orders:5","data":3})");
  CHECK(s.heard(ann).empty());
  CHECK(s.heard_data(cleo) == "3 ");
}

TEST_CASE("channels: a broadcast leaves out its sender", "[channels]") {
  Station s;
  Client& ann = s.client();
  Client& ben = s.client();
  for (Client* client : {&ann, &ben}) {
    s.ask(*client, "subscribe", R"({"channel":"a"})");
    s.ask(*client, "subscribe", R"({"channel":"*"})");
  }
  s.ask(ann, "broadcast", R"({"channel":"a","data":1})");
  CHECK(s.heard(ann).empty());
  CHECK(s.heard_data(ben) == "1 1 ");
}

TEST_CASE("channels: how many a publication reached", "[channels]") {
  Station s;
  Client& ann = s.client();
  Client& ben = s.client();
  const auto reached = [&](std::vector<core::SessionKey> except = {}) {
    return s.publish({"a:b", "1", {}, {}, {}, std::move(except)}).value().reached;
  };
  CHECK(reached() == 0);
  s.ask(ann, "subscribe", R"({"channel":"a:b"})");
  s.ask(ben, "subscribe", R"({"channel":"a:b"})");
  s.ask(ben, "subscribe", R"({"channel":"a:*"})");
  CHECK(reached() == 3);
  CHECK(reached({ben.key()}) == 1);
  CHECK(reached({12345}) == 3);
  ben.go();
  CHECK(reached() == 1);
  CHECK(s.hub->stats().size() == 1);
  ann.go();
  CHECK(s.hub->stats().empty());
}

TEST_CASE("channels: a client that comes back gets exactly what it missed", "[channels]") {
  Station s(with_history(3));
  Client& ann = s.client();
  Client& ben = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  const std::string epoch = s.epoch_of("a");
  ann.go();
  SECTION("nothing, in a channel that never had a message, and after its last subscriber has left") {
    CHECK(s.subscribe_since(ben, "a", epoch, 0) == R"({"channel":"a","epoch":"E","offset":0,"recovered":true})");
    CHECK(s.told_data(ben).empty());
  }
  SECTION("what is kept; pending output of the same turn is not repeated") {
    for (int i = 1; i <= 3; ++i) s.publish({"a", std::to_string(i)}).value();
    CHECK(s.subscribe_since(ben, "a", epoch, 1) == R"({"channel":"a","epoch":"E","offset":3,"recovered":true})");
    CHECK(s.told_data(ben) == "2 3 ");
    s.publish({"a", "4"}).value();
    CHECK(s.heard_data(ben) == "4 ");
  }
  SECTION("more than is kept: never a part of it") {
    for (int i = 1; i <= 5; ++i) s.publish({"a", std::to_string(i)}).value();
    CHECK(
        s.subscribe_since(ben, "a", epoch, 1) ==
        R"({"channel":"a","epoch":"E","offset":5,"recovered":false,"reason":"the history no longer reaches so far back"})");
    CHECK(s.told_data(ben).empty());
    s.ask(ben, "unsubscribe", R"({"channel":"a"})");
    CHECK(s.subscribe_since(ben, "a", epoch, 2).find(R"("recovered":true)") != std::string::npos);
    CHECK(s.told_data(ben) == "3 4 5 ");
  }
  SECTION("after the history became too old") {
    s.publish({"a", "1"}).value();
    s.loops.advance(200s);
    s.publish({"a", "2"}).value();
    s.loops.advance(200s);
    CHECK(s.subscribe_since(ben, "a", epoch, 0).find("no longer reaches") != std::string::npos);
    s.ask(ben, "unsubscribe", R"({"channel":"a"})");
    s.loops.advance(299s);
    CHECK(s.subscribe_since(ben, "a", epoch, 2) == R"({"channel":"a","epoch":"E","offset":2,"recovered":true})");
  }
  SECTION("positions that are not of this channel") {
    s.publish({"a", "1"}).value();
    CHECK(s.subscribe_since(ben, "a", "another", 0).find(R"("reason":"the position is of another epoch")") !=
          std::string::npos);
    s.ask(ben, "unsubscribe", R"({"channel":"a"})");
    CHECK(s.subscribe_since(ben, "a", epoch, 7).find(R"("reason":"the position is in the future")") !=
          std::string::npos);
    CHECK(s.told_data(ben).empty());
    CHECK(s.ask(ben, "subscribe", R"({"channel":"b","epoch":"x","offset":-1})").substr(0, 16) == "INVALID_MESSAGE:");
    CHECK(s.ask(ben, "subscribe", R"({"channel":"b","offset":1})").substr(0, 16) == "INVALID_MESSAGE:");
  }
}

TEST_CASE("channels: more missed than an answer may hold is not sent in part", "[channels]") {
  Station s(with_history(100), [](Config& config) { config.limits.answer_bytes_max = 2000; });
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  const std::string epoch = s.epoch_of("a");
  for (int i = 1; i <= 50; ++i) s.publish({"a", std::to_string(i)}).value();
  Client& ben = s.client();
  CHECK(s.subscribe_since(ben, "a", epoch, 0).find("more was missed than one answer holds") != std::string::npos);
  CHECK(ben.told.empty());
}

TEST_CASE("channels: in mode latest the newest publication is all that is sent", "[channels]") {
  Station s(with_history(3, ChannelRecovery::latest));
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  const std::string epoch = s.epoch_of("a");
  for (int i = 1; i <= 5; ++i) s.publish({"a", std::to_string(i)}).value();
  Client& ben = s.client();
  const auto again = [&](const std::string& of, Offset offset) {
    s.ask(ben, "unsubscribe", R"({"channel":"a"})");
    const bool recovered = s.subscribe_since(ben, "a", of, offset).find(R"("recovered":true)") != std::string::npos;
    return std::string(recovered ? "yes " : "no ") + s.told_data(ben);
  };
  CHECK(again(epoch, 0) == "yes 5 ");
  CHECK(again("another", 9) == "yes 5 ");
  CHECK(again(epoch, 5) == "yes ");
  s.loops.advance(301s);
  CHECK(again(epoch, 5) == "yes ");
  CHECK(again(epoch, 4) == "no ");
}

TEST_CASE("channels: without recovery only who missed nothing is told so", "[channels]") {
  Station s;
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  const std::string epoch = s.epoch_of("a");
  Client& ben = s.client();
  CHECK(s.subscribe_since(ben, "a", epoch, 0).find(R"("recovered":true)") != std::string::npos);
  s.publish({"a", "1"}).value();
  Client& cleo = s.client();
  CHECK(s.subscribe_since(cleo, "a", epoch, 0).find(R"("reason":"this channel has no recovery")") != std::string::npos);
  CHECK(s.ask(cleo, "subscribe", R"({"channel":"*","epoch":"e"})") ==
        R"({"channel":"*","recovered":false,"reason":"patterns have no positions"})");
}

TEST_CASE("channels: an idempotency key publishes once for each sender", "[channels]") {
  Station s(with_history(10));
  Client& ann = s.client("ann");
  Client& ann_too = s.client("ann");
  Client& ben = s.client();
  s.ask(ben, "subscribe", R"({"channel":"a"})");
  const auto publish = [&](Client& by, const std::string& data) {
    return s.masked(s.ask(by, "publish", R"({"channel":"a","key":"k","data":)" + data + "}"));
  };
  CHECK(publish(ann, "1") == R"({"epoch":"E","offset":1})");
  CHECK(publish(ann, "1") == R"({"epoch":"E","offset":1,"repeat":true})");
  CHECK(publish(ann_too, "1") == R"({"epoch":"E","offset":1,"repeat":true})");
  CHECK(publish(ben, "1") == R"({"epoch":"E","offset":2})");
  CHECK(publish(ann, "2").find("INVALID_MESSAGE: the key \"k\" names an earlier publication") == 0);
  CHECK(s.heard_data(ben) == "1 1 ");
  s.loops.advance(301s);
  CHECK(publish(ann, "2") == R"({"epoch":"E","offset":3})");
}

TEST_CASE("channels: the history in parts", "[channels]") {
  Station s(with_history(100), [](Config& config) { config.limits.answer_bytes_max = 1000; });
  Client& ann = s.client();
  CHECK(s.ask(ann, "history", R"({"channel":"a"})") == R"({"channel":"a","publications":[]})");
  for (int i = 1; i <= 20; ++i) s.publish({"a", std::to_string(i)}).value();
  const std::string epoch = s.epoch_of("a");
  const auto offsets = [&](const std::string& more) {
    const auto json = JsonText::parse(s.ask(ann, "history", R"({"channel":"a")" + more + "}")).value();
    std::string all;
    for (int i = 0; json.get<int>("/publications/" + std::to_string(i) + "/offset"); ++i) {
      all += std::to_string(*json.get<int>("/publications/" + std::to_string(i) + "/offset")) + " ";
    }
    return all + (json.get<bool>("/more").value_or(false) ? "more" : "");
  };
  CHECK(offsets(R"(,"limit":3)") == "18 19 20 ");
  CHECK(offsets(R"(,"limit":2,"epoch":")" + epoch + R"(","offset":5)") == "6 7 more");
  CHECK(offsets(R"(,"epoch":")" + epoch + R"(","offset":18)") == "19 20 ");
  const std::string limited = offsets("");  // by the bytes of an answer
  CHECK(limited.size() < 40);
  CHECK(limited.substr(limited.size() - 3) == "20 ");
  CHECK(s.ask(ann, "history", R"({"channel":"a","epoch":"x"})").find("INVALID_MESSAGE") == 0);
}

TEST_CASE("channels: presence, with users who have several connections", "[channels]") {
  Station s;
  Client& ann = s.client("ann");
  Client& ann_too = s.client("ann");
  Client& ben = s.client();
  s.ask(ben, "subscribe", R"({"channel":"a"})");
  const std::map<std::string, std::string> names{{ann.id(), "ANN"}, {ann_too.id(), "ANN2"}, {ben.id(), "BEN"}};
  const auto heard = [&] {
    std::string all;
    for (const auto& line : s.heard(ben)) all += s.masked(line, names) + "\n";
    return all;
  };
  CHECK(s.ask(ann, "presence_join", R"({"channel":"a","data":{"x":1}})") == "{}");
  CHECK(heard() ==
        "channel_presence_join {\"channel\":\"a\",\"clientId\":\"ANN\",\"userId\":\"ann\",\"data\":{\"x\":1},"
        "\"joinedAt\":now,\"lastSeenAt\":now,\"first\":true}\n");
  s.ask(ann_too, "presence_join", R"({"channel":"a"})");
  CHECK(heard().find("first") == std::string::npos);
  s.ask(ann, "presence_update", R"({"channel":"a","data":2})");
  CHECK(heard().find(R"(channel_presence_update {"channel":"a","clientId":"ANN","userId":"ann","data":2,)") == 0);
  CHECK(s.ask(ben, "presence", R"({"channel":"a","counts":true})") == R"({"channel":"a","clients":2,"users":1})");
  const auto page = JsonText::parse(s.ask(ben, "presence", R"({"channel":"a","limit":1})")).value();
  CHECK(page.get<std::string>("/members/0/clientId") == ann.id());
  CHECK_FALSE(page.get<std::string>("/members/1/clientId"));
  REQUIRE(page.get<int>("/after"));
  const auto rest =
      JsonText::parse(
          s.ask(ben, "presence", R"({"channel":"a","after":)" + std::to_string(*page.get<int>("/after")) + "}"))
          .value();
  CHECK(rest.get<std::string>("/members/0/clientId") == ann_too.id());
  CHECK_FALSE(rest.get<bool>("/more"));
  ann.go();
  CHECK(heard().find(R"("last":true)") == std::string::npos);
  CHECK(s.ask(ann_too, "presence_leave", R"({"channel":"a"})") == "{}");
  CHECK(heard().find(R"("last":true)") != std::string::npos);
  CHECK(s.ask(ben, "presence", R"({"channel":"a","counts":true})") == R"({"channel":"a","clients":0,"users":0})");
}

TEST_CASE("channels: presence without a connection ends when it is not updated", "[channels]") {
  Station s;
  Client& ben = s.client();
  s.ask(ben, "subscribe", R"({"channel":"a"})");
  PresentClient device{"device", "", "{}", 0, 0, false};
  REQUIRE(s.hub->be_present("a", device).ok());
  s.loops.advance(40s);
  REQUIRE(s.hub->be_present("a", device).ok());
  s.loops.advance(40s);
  CHECK(s.hub->present("a", 10, 0, 1000).clients == 1);
  (void)s.heard(ben);
  s.loops.advance(25s);
  CHECK(s.hub->present("a", 10, 0, 1000).clients == 0);
  CHECK(s.heard(ben)[0].find("channel_presence_leave") == 0);
}

TEST_CASE("channels: permissions, and a grant that changes while the client is subscribed", "[channels]") {
  Station s(with_history(10));
  with_auth(s);
  Client& stranger = s.client();
  CHECK(s.ask(stranger, "subscribe", R"({"channel":"a"})") == "UNAUTHORIZED: Insufficient permissions for channel: a");
  CHECK(s.ask(stranger, "publish", R"({"channel":"a","data":1})").find("UNAUTHORIZED") == 0);
  CHECK(s.ask(stranger, "history", R"({"channel":"a"})").find("UNAUTHORIZED") == 0);
  CHECK(s.ask(stranger, "presence", R"({"channel":"a"})").find("UNAUTHORIZED") == 0);
  CHECK(s.ask(stranger, "presence_join", R"({"channel":"a"})").find("UNAUTHORIZED") == 0);

  Client& reader = s.with({"read:orders"});
  CHECK(s.ask(reader, "subscribe", R"({"channel":"orders:5"})").front() == '{');
  CHECK(s.ask(reader, "subscribe", R"({"channel":"orders:*"})").front() == '{');
  CHECK(s.ask(reader, "subscribe", R"({"channel":"*"})").find("FORBIDDEN") == 0);
  CHECK(s.ask(reader, "subscribe", R"({"channel":"*:5"})").find("FORBIDDEN") == 0);
  CHECK(s.ask(reader, "publish", R"({"channel":"orders:5","data":1})").find("FORBIDDEN") == 0);
  Client& narrow = s.with({"read:orders:5", "write:orders:5"});
  CHECK(s.ask(narrow, "subscribe", R"({"channel":"orders:*"})").find("FORBIDDEN") == 0);
  CHECK(s.ask(narrow, "publish", R"({"channel":"orders:5","data":1})").front() == '{');

  s.ask(reader, "presence_join", R"({"channel":"orders:5"})");
  (void)s.heard(reader);
  reader.change_grant(Grant{{"u", "u", {}, {}, true}, {"read:news"}}).value();
  s.loops.settle();
  REQUIRE(reader.told.size() == 2);
  CHECK(reader.told[0].find("channel_unsubscribed {\"channel\":\"orders:") == 0);
  CHECK(reader.told[0].find("\"reason\":\"Insufficient permissions for channel: orders:") != std::string::npos);
  CHECK(s.hub->present("orders:5", 10, 0, 1000).clients == 0);
  s.publish({"orders:5", "2"}).value();
  CHECK(s.heard(reader).empty());
}

TEST_CASE("channels: a token for one channel counts instead of the client's grant, until it ends", "[channels]") {
  auto options = with_history(10);
  options.namespaces = {{"secret", {.history_max = 10}}};
  Station s(std::move(options));
  with_auth(s);
  s.backend.admitted.start(s.loops[0]);
  std::string shown;
  s.backend.gate.token = [&](TokenRequest& request) {
    shown = request.payload().text();
    if (request.token() == "bad") return request.refuse("no such token");
    Grant grant{{}, {"read:secret:5"}, s.in(60s), {}, "credential"};
    if (request.token() != "anybody's") grant.identity.user_id = request.token();
    request.accept(std::move(grant));
  };
  Client& ann = s.with({"write:secret"}, "ann");
  const auto subscribe = [&](const std::string& channel, const std::string& token) {
    return s.masked(s.ask(ann, "subscribe", R"({"channel":")" + channel + R"(","accessToken":")" + token + "\"}"));
  };
  const std::string ack = R"({"channel":"secret:5","epoch":"E","offset":0})";
  CHECK(s.ask(ann, "subscribe", R"({"channel":"secret:5"})") ==
        "FORBIDDEN: Insufficient permissions for channel: secret:5");
  CHECK(subscribe("secret:5", "bad") == "UNAUTHORIZED: no such token");
  CHECK(subscribe("secret:5", "ben") == "UNAUTHORIZED: the token is another user's");
  CHECK(subscribe("secret:6", "ann") == "FORBIDDEN: Insufficient permissions for channel: secret:6");
  CHECK(subscribe("secret:*", "ann") == "FORBIDDEN: Insufficient permissions for channel: secret:*");
  CHECK(subscribe("secret:5", "ann") == ack);
  CHECK(shown == R"({"channel":"secret:5","accessToken":"ann"})");
  CHECK(ann.grant()->permissions == std::vector<std::string>{"write:secret"});
  s.publish({"secret:5", "1"}).value();
  CHECK(s.heard_data(ann) == "1 ");

  const std::string epoch = s.epoch_of("secret:5");
  SECTION("a change of the client's own grant does not end it") {
    ann.change_grant(Grant{{"ann", "ann", {}, {}, true}, {"write:other"}}).value();
    s.publish({"secret:5", "2"}).value();
    CHECK(s.heard_data(ann) == "2 ");
    CHECK(ann.told.empty());
  }
  SECTION("another user does not have it") {
    ann.change_grant(GENERATE(Grant{{"ben", "ben", {}, {}, true}, {}}, Grant())).value();
    s.loops.settle();
    CHECK(
        ann.told ==
        Lines{
            R"(channel_unsubscribed {"channel":"secret:5","reason":"the token is another user's","code":"UNAUTHORIZED"})"});
    s.publish({"secret:5", "2"}).value();
    CHECK(s.heard_data(ann).empty());
  }
  SECTION("another user does not get it while the application decides") {
    s.ask(ann, "unsubscribe", R"({"channel":"secret:5"})");
    std::optional<LaterVerdict> later;
    s.hub->subscribe_handler = [&](ChannelSubscribe& wish) { later = wish.later(); };
    CHECK(subscribe("secret:5", "ann") == "(none)");
    ann.change_grant(Grant{{"ben", "ben", {}, {}, true}, {}}).value();
    s.loops.settle();
    later->accept();
    s.loops.settle();
    s.publish({"secret:5", "2"}).value();
    CHECK(s.heard_data(ann).empty());
  }
  SECTION("the shared state may be read in parts") {
    CHECK_THAT(s.ask(ann, "state", R"({"channel":"secret:5"})"), Catch::Matchers::ContainsSubstring("entries"));
    CHECK_THAT(s.ask(ann, "state", R"({"channel":"secret:6"})"), Catch::Matchers::ContainsSubstring("FORBIDDEN"));
  }
  SECTION("it expires; with a new one the client recovers") {
    s.loops.advance(59s);
    s.loops.settle();
    CHECK(ann.told.empty());
    s.loops.advance(2s);
    s.loops.settle();
    CHECK(
        std::exchange(ann.told, {}) ==
        Lines{R"(channel_unsubscribed {"channel":"secret:5","reason":"the token has expired","code":"UNAUTHORIZED"})"});
    s.publish({"secret:5", "2"}).value();
    CHECK(s.heard_data(ann).empty());
    CHECK(ann.connected());
    CHECK(s.masked(s.ask(ann, "subscribe",
                         R"({"channel":"secret:5","accessToken":"anybody's","offset":1,"epoch":")" + epoch + "\"}")) ==
          R"({"channel":"secret:5","epoch":"E","offset":2,"recovered":true})");
    CHECK(s.told_data(ann) == "2 ");
  }
  SECTION("subscribing again extends it") {
    s.loops.advance(40s);
    s.loops.settle();
    CHECK_THAT(subscribe("secret:5", "ann"), Catch::Matchers::ContainsSubstring(R"("offset":1)"));
    s.loops.advance(40s);
    s.loops.settle();
    CHECK(ann.told.empty());
    s.loops.advance(22s);
    s.loops.settle();
    CHECK(ann.told.size() == 1);
  }
  SECTION("it is revoked: the subscription ends, the client stays") {
    CHECK(s.backend.end_access(RevocationKind::credential, "credential", "revoked") == 1);
    s.loops.settle();
    CHECK(ann.told == Lines{R"(channel_unsubscribed {"channel":"secret:5","reason":"revoked","code":"UNAUTHORIZED"})"});
    CHECK(ann.connected());
  }
  SECTION("nothing of it is left") {
    const bool leaves = GENERATE(true, false);
    leaves ? ann.go() : (void)s.ask(ann, "unsubscribe", R"({"channel":"secret:5"})");
    CHECK(s.backend.end_access(RevocationKind::credential, "credential", "revoked") == 0);
  }
}

TEST_CASE("channels: system channels need admin, also where nobody is authenticated", "[channels]") {
  Station s;
  Client& anybody = s.client();
  CHECK(s.ask(anybody, "subscribe", R"({"channel":"a"})").front() == '{');
  for (const char* name : {"system", "system:x", "system:*"}) {
    const std::string channel = R"({"channel":")" + std::string(name) + R"("})";
    CHECK(s.ask(anybody, "subscribe", channel) == "UNAUTHORIZED: System channels require admin permission");
  }
  CHECK(s.ask(anybody, "publish", R"({"channel":"system:x","data":1})").find("UNAUTHORIZED") == 0);
  CHECK(s.ask(anybody, "subscribe", R"({"channel":"*"})").front() == '{');
  s.publish({"system:x", "1"}).value();
  CHECK(s.heard(anybody).empty());
  with_auth(s);
  CHECK(s.ask(s.with({"read:*", "write:*"}), "subscribe", R"({"channel":"system:x"})").find("FORBIDDEN") == 0);
  Client& admin = s.with({"admin"});
  CHECK(s.ask(admin, "subscribe", R"({"channel":"system:*"})").front() == '{');
  s.publish({"system:x", "2"}).value();
  CHECK(s.heard_data(admin) == "2 ");
}

TEST_CASE("channels: a pattern needs what every namespace in it demands", "[channels]") {
  ChannelsOptions options;
  options.namespaces.push_back({"orders:secret", {}});
  options.namespaces.back().options.demands.subscribe = "inspect";
  options.namespaces.push_back({"open", {}});
  options.namespaces.back().options.demands.subscribe = "";
  Station s(options);
  with_auth(s);
  Client& reader = s.with({"read:*"});
  CHECK(s.ask(reader, "subscribe", R"({"channel":"orders:5"})").front() == '{');
  CHECK(s.ask(reader, "subscribe", R"({"channel":"orders:secret:1"})").find("FORBIDDEN") == 0);
  for (const char* pattern : {"orders:*", "*", "*:secret", "orders:*:1", "*:*"}) {
    INFO(pattern);
    CHECK(s.ask(reader, "subscribe", R"({"channel":")" + std::string(pattern) + R"("})").find("FORBIDDEN") == 0);
  }
  CHECK(s.ask(reader, "subscribe", R"({"channel":"orders:public:*"})").front() == '{');
  CHECK(s.ask(s.client(), "subscribe", R"({"channel":"open:1"})").front() == '{');
  CHECK(s.ask(s.client(), "subscribe", R"({"channel":"open:*"})").find("UNAUTHORIZED") == 0);  // the default is "read"
}

TEST_CASE("channels: limits", "[channels]") {
  ChannelsOptions options = with_history(2);
  options.subscriptions_per_client_max = 3;
  options.channels_max = 5;
  options.presence_max = 1;
  options.name_bytes_max = 10;
  options.defaults.publish_rate.connection = {2, 10s};
  options.defaults.content.message_bytes_max = 20;
  Station s(options, [](Config& config) { config.limits.message_bytes_max = 100; });
  Client& ann = s.client();
  Client& ben = s.client();
  const auto subscribe = [&](Client& client, const std::string& to) {
    return s.ask(client, "subscribe", R"({"channel":")" + to + R"("})");
  };
  for (const char* name : {"a", "b", "a:*"}) CHECK(subscribe(ann, name).front() == '{');
  CHECK(subscribe(ann, "c").find("LIMIT_EXCEEDED: too many subscriptions") == 0);
  CHECK(subscribe(ann, "a").front() == '{');
  CHECK(subscribe(ben, "d").front() == '{');
  CHECK(subscribe(ben, "e").front() == '{');
  CHECK(subscribe(ben, "f").find("LIMIT_EXCEEDED: too many channels") == 0);
  for (const char* bad : {"", "a/b", "..", "12345678901", "a*"})
    CHECK(subscribe(ben, bad).find("INVALID_MESSAGE") == 0);
  CHECK(s.ask(ben, "publish", R"({"channel":"a:*","data":1})").find("INVALID_MESSAGE") == 0);
  CHECK(s.ask(ann, "publish", R"({"channel":"a","data":"12345678901234567890"})").find("MESSAGE_TOO_LARGE") == 0);
  CHECK(s.ask(ann, "publish", R"({"channel":"a","data":1})").front() == '{');
  CHECK(s.ask(ann, "publish", R"({"channel":"a","data":1})").find("RATE_LIMITED") == 0);
  CHECK(s.publish({"a", "\"" + std::string(100, 'x') + "\""}).error().code() == Errc::message_too_large);
  CHECK(s.ask(ann, "presence_join", R"({"channel":"a"})").find("RATE_LIMITED") == 0);
  CHECK(s.ask(ben, "presence_join", R"({"channel":"a"})") == "{}");
  CHECK(s.ask(s.client(), "presence_join", R"({"channel":"a"})").find("LIMIT_EXCEEDED: channel \"a\" is full") == 0);
  CHECK(s.ask(ben, "presence_join", R"({"channel":"a"})") == "{}");
}

TEST_CASE("channels: of 100,000 subscriptions of one client as many exist as it may have, and they end with it",
          "[channels]") {
  ChannelsOptions options;
  options.subscriptions_per_client_max = 1'000;
  Station s(options);
  Client& ann = s.client();
  std::size_t subscribed = 0, refused = 0;
  for (int i = 0; i < 100'000; ++i) {
    const auto answer = s.ask(ann, "subscribe", R"({"channel":"c)" + std::to_string(i) + "\"}");
    subscribed += answer.front() == '{' ? 1 : 0;
    refused += answer.find("LIMIT_EXCEEDED: too many subscriptions") == 0 ? 1 : 0;
  }
  CHECK(subscribed == 1'000);
  CHECK(refused == 99'000);
  CHECK(s.hub->stats().size() == 1'000);  // what was refused leaves no channel
  ann.go();
  CHECK(s.hub->stats().empty());
}

TEST_CASE("channels: a slow reader of a channel of states gets the newest one", "[channels]") {
  ChannelsOptions options;
  options.defaults.slow_readers = ChannelSlowReaders::newest;
  Station s(options);
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  ann.inbox.congested = true;
  for (int i = 1; i <= 3; ++i) {
    s.publish({"a", std::to_string(i)}).value();
    s.loops.settle();
  }
  CHECK(s.heard(ann).empty());
  ann.inbox.congested = false;
  Lines sent;
  const auto catch_up = [&](bool congested) {
    return ann.catch_up([=] { return congested; }, [&](const core::SharedBytes& frame) { sent.push_back(*frame); });
  };
  CHECK(catch_up(true));
  CHECK(sent.empty());
  CHECK(catch_up(false));
  CHECK(s.data_of(sent) == "3 ");
  CHECK(catch_up(false));
  CHECK(sent.size() == 1);
  s.publish({"a", "4"}).value();
  CHECK(s.heard_data(ann) == "4 ");
}

TEST_CASE("channels: pending output that grows too large refuses publications", "[channels]") {
  Station s({}, [](Config& config) { config.limits.fanout_bytes_max = 100; });
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  s.ask(ann, "subscribe", R"({"channel":"b:*"})");
  const std::string big = "\"" + std::string(100, 'x') + "\"";
  CHECK(s.publish({"a", big}).ok());
  CHECK(s.publish({"a", "1"}).error().code() == Errc::overloaded);
  CHECK(s.publish({"b:1", big}).ok());
  CHECK(s.publish({"b:2", "1"}).error().code() == Errc::overloaded);
  s.loops.settle();
  CHECK(s.publish({"a", "1"}).ok());
}

TEST_CASE("channels: the application may refuse a subscription, or change a publication, also later", "[channels]") {
  Station s;
  std::optional<LaterVerdict> verdict;
  s.hub->subscribe_handler = [&](ChannelSubscribe& event) {
    if (event.channel == "no") event.refuse("not you");
    if (event.channel == "later") verdict = event.later();
  };
  s.hub->publish_handler = [&](ChannelPublish& event) {
    if (event.data.text() == "1") event.data = JsonText::parse("100").value();
    if (event.data.text() == "2") event.refuse("no twos");
    if (event.data.text() == "3") event.data = JsonText::parse("\"" + std::string(2'000'000, 'x') + "\"").value();
  };
  Client& ann = s.client();
  CHECK(s.ask(ann, "subscribe", R"({"channel":"no"})") == "FORBIDDEN: not you");
  CHECK(s.ask(ann, "subscribe", R"({"channel":"later"})") == "(none)");
  s.publish({"later", "0"}).value();
  verdict->accept();
  s.loops.settle();
  s.ask(ann, "publish", R"({"channel":"later","data":1})");
  CHECK(s.ask(ann, "publish", R"({"channel":"later","data":2})") == "FORBIDDEN: no twos");
  CHECK(s.ask(ann, "publish", R"({"channel":"later","data":3})").find("MESSAGE_TOO_LARGE") == 0);
  CHECK(s.heard_data(ann) == "100 ");
}

TEST_CASE("channels: a client whose transport changes loses nothing and gets nothing twice", "[channels]") {
  Station s;
  Client& ann = s.client();
  for (const char* name : {"a", "b"}) s.ask(ann, "subscribe", R"({"channel":")" + std::string(name) + R"("})");
  s.publish({"a", "1"}).value();
  s.publish({"b", "2"}).value();
  TextView other;
  ann.used_view = &other;
  std::string taken;
  ann.change_view('\n', [&](std::string pending) { taken += pending; });
  CHECK(taken.find("\"data\":1,") != std::string::npos);
  CHECK(taken.find("\"data\":2,") != std::string::npos);
  CHECK(std::count(taken.begin(), taken.end(), '\n') == 1);
  s.publish({"a", "3"}).value();
  CHECK(s.heard_data(ann) == "3 ");
}

TEST_CASE("channels: many subscriptions of one client, entered and left in any order", "[channels]") {
  Station s({}, [](Config& config) { config.seed = 99; });
  Client& ann = s.client();
  std::set<std::string> model;
  std::uint32_t random = 1;
  for (int i = 0; i < 3000; ++i) {
    random = random * 1664525 + 1013904223;
    const std::string name = "c" + std::to_string((random >> 16) % 200);
    if ((random >> 8) % 2 == 0) {
      s.ask(ann, "subscribe", R"({"channel":")" + name + R"("})");
      model.insert(name);
    } else {
      s.ask(ann, "unsubscribe", R"({"channel":")" + name + R"("})");
      model.erase(name);
    }
  }
  auto names = ChannelSubscriber::find(*s.hub, ann)->info().subscriptions;
  CHECK(std::set<std::string>(names.begin(), names.end()) == model);
  CHECK(names.size() == model.size());
  CHECK(s.hub->stats().size() == model.size());
  ann.go();
  CHECK(s.hub->stats().empty());
}

TEST_CASE("channels: shared state is changed by key, and by version where the client says so", "[channels]") {
  Station s(with_state());
  Client& ann = s.client();
  Client& ben = s.client();
  CHECK(s.masked(s.ask(ann, "subscribe", R"({"channel":"a","state":true})")) ==
        R"({"channel":"a","epoch":"E","offset":0,"state":{"epoch":"E","version":0,"entries":[]}})");
  const auto set = [&](Client& by, const std::string& key, const std::string& value, const std::string& more = "") {
    return s.ask(by, "state_set", R"({"channel":"a","key":")" + key + R"(","value":)" + value + more + "}");
  };
  const std::map<std::string, std::string> names{{ann.id(), "ANN"}, {ben.id(), "BEN"}};
  const auto heard = [&] {
    std::string all;
    for (const auto& line : s.heard(ann)) all += s.masked(line, names) + "\n";
    return all;
  };
  CHECK(set(ben, "x", "[1]") == R"({"changed":true,"version":1})");
  CHECK(heard() ==
        "channel_state {\"channel\":\"a\",\"key\":\"x\",\"value\":[1],\"version\":1,\"clientId\":\"BEN\"}\n");
  CHECK(set(ben, "x", "2", R"(,"version":1)") == R"({"changed":true,"version":2})");
  CHECK(set(ann, "x", "3", R"(,"version":1)") == R"({"changed":false,"version":2})");
  CHECK(set(ann, "x", "3", R"(,"version":0)") == R"({"changed":false,"version":2})");
  CHECK(set(ann, "y", "null", R"(,"version":0)") == R"({"changed":true,"version":3})");
  CHECK(set(ann, "y", "4", R"(,"version":0)") == R"({"changed":false,"version":3})");
  (void)heard();
  CHECK(s.masked(s.ask(ben, "subscribe", R"({"channel":"a","state":true})")) ==
        R"({"channel":"a","epoch":"E","offset":0,"state":{"epoch":"E","version":3,"entries":[)"
        R"({"key":"x","value":2,"version":2},{"key":"y","value":null,"version":3}]}})");
  CHECK(s.ask(ben, "state_remove", R"({"channel":"a","key":"x","version":1})") == R"({"changed":false,"version":2})");
  CHECK(s.ask(ben, "state_remove", R"({"channel":"a","key":"x","version":2})") == R"({"changed":true,"version":0})");
  CHECK(s.ask(ben, "state_remove", R"({"channel":"a","key":"x"})") == R"({"changed":false,"version":0})");
  CHECK(heard() ==
        "channel_state {\"channel\":\"a\",\"key\":\"x\",\"removed\":true,\"version\":4,\"clientId\":\"BEN\"}\n");
  CHECK(set(ben, "x", "5") == R"({"changed":true,"version":5})");
  CHECK(set(ben, "", "5").find("INVALID_MESSAGE") == 0);
  // Pages by key.
  CHECK(
      s.masked(s.ask(ben, "state", R"({"channel":"a","limit":1})")) ==
      R"({"channel":"a","epoch":"E","version":5,"entries":[{"key":"x","value":5,"version":5}],"more":true,"after":"x"})");
  CHECK(s.ask(ben, "state", R"({"channel":"a","after":"x"})").find(R"("key":"y")") != std::string::npos);
  CHECK(s.ask(ben, "state", R"({"channel":"none"})") == R"({"channel":"none","version":0,"entries":[]})");
}

TEST_CASE("channels: the application may refuse a change of state, or change it, also later", "[channels]") {
  Station s(with_state());
  Client& ann = s.client("ann");
  std::optional<LaterVerdict> later;
  std::string asked;
  s.hub->state_handler = [&](ChannelStateWrite& write) {
    asked += write.session.id() == ann.id() ? "ann " : "? ";
    asked += write.channel + " " + write.key + " " + (write.value ? write.value->text() : "removed") + "\n";
    if (write.key == "no") return write.refuse("not your turn");
    if (write.key == "changed") write.value = JsonText::number(2);
    if (write.key == "later") later = write.later();
  };
  const auto set = [&](const std::string& key) {
    return s.ask(ann, "state_set", R"({"channel":"a","value":1,"key":")" + key + "\"}");
  };
  const auto value_of = [&](const std::string& key) {
    for (const auto& [name, entry] : s.hub->state("a", 100, {}, 1000).entries) {
      if (name == key) return entry.value;
    }
    return std::string("none");
  };
  CHECK(set("yes") == R"({"changed":true,"version":1})");
  CHECK(set("no") == "FORBIDDEN: not your turn");
  CHECK(value_of("no") == "none");
  CHECK(set("changed") == R"({"changed":true,"version":2})");
  CHECK(value_of("changed") == "2");
  CHECK(set("later") == "(none)");
  CHECK(value_of("later") == "none");
  later->accept();
  s.loops.settle();
  CHECK(value_of("later") == "1");
  asked.clear();
  CHECK(s.ask(ann, "state_remove", R"({"channel":"a","key":"yes"})") == R"({"changed":true,"version":0})");
  CHECK(asked == "ann a yes removed\n");
  CHECK(value_of("yes") == "none");
}

TEST_CASE("channels: state that is bound to a connection ends with it, and is its client's", "[channels]") {
  Station s(with_state());
  Client& ann = s.client();
  Client& ben = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  s.ask(ben, "state_set", R"({"channel":"a","key":"cursor","value":1,"bound":true})");
  s.ask(ben, "state_set", R"({"channel":"a","key":"name","value":1})");
  CHECK(s.ask(ann, "state_set", R"({"channel":"a","key":"cursor","value":2})").find("FORBIDDEN") == 0);
  CHECK(s.ask(ann, "state_remove", R"({"channel":"a","key":"cursor"})").find("FORBIDDEN") == 0);
  CHECK(s.ask(ann, "state_set", R"({"channel":"a","key":"name","value":2})").find("true") != std::string::npos);
  CHECK(s.hub->change_state("a", {"cursor", "7"})->changed);  // the application may, and unbinds it
  s.ask(ben, "state_set", R"({"channel":"a","key":"cursor","value":3,"bound":true})");
  (void)s.heard(ann);
  ben.go();
  const Lines lines = s.heard(ann);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find(R"("key":"cursor","removed":true)") != std::string::npos);
  CHECK(s.hub->state("a", 10, {}, 1000).entries.size() == 1);
  // A channel exists as long as it has state.
  ann.go();
  CHECK(s.hub->stats("a"));
  CHECK(s.hub->change_state("a", {"name"})->changed);
  CHECK_FALSE(s.hub->stats("a"));
}

TEST_CASE("channels: state with a time is removed when that has passed", "[channels]") {
  Station s(with_state());
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  s.ask(ann, "state_set", R"({"channel":"a","key":"x","value":1,"ttl":5000})");
  s.ask(ann, "state_set", R"({"channel":"a","key":"y","value":1,"ttl":5000})");
  s.loops.advance(4s);
  s.ask(ann, "state_set", R"({"channel":"a","key":"y","value":2,"ttl":5000})");
  (void)s.heard(ann);
  s.loops.advance(1s);
  CHECK(s.hub->state("a", 10, {}, 1000).entries.size() == 1);
  s.loops.advance(1s);
  Lines lines = s.heard(ann);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].find(R"("key":"x","removed":true)") != std::string::npos);
  s.loops.advance(5s);
  CHECK(s.heard(ann).size() == 1);
  CHECK(s.ask(ann, "state_set", R"({"channel":"a","key":"x","value":1,"ttl":0})").find("INVALID_MESSAGE") == 0);
}

TEST_CASE("channels: state has its permissions and bounds", "[channels]") {
  ChannelsOptions options;
  options.defaults.state_max = 2;
  options.defaults.state_bytes_max = 20;
  options.namespaces = {{"none", {}}};
  options.namespaces[0].options.state_max = 0;
  Station s(options);
  Client& ann = s.client();
  const auto set = [&](Client& by, const std::string& channel, const std::string& key, const std::string& value) {
    return s.ask(by, "state_set", R"({"channel":")" + channel + R"(","key":")" + key + R"(","value":)" + value + "}");
  };
  CHECK(set(ann, "a", "1", "1").find("true") != std::string::npos);
  CHECK(set(ann, "a", "2", "1").find("true") != std::string::npos);
  CHECK(set(ann, "a", "3", "1").find("LIMIT_EXCEEDED") == 0);
  CHECK(set(ann, "a", "1", "\"12345678901234567\"").find("LIMIT_EXCEEDED") == 0);
  CHECK(set(ann, "a", "1", "\"12345678901234\"").find("true") != std::string::npos);
  CHECK(set(ann, "a", "2", "222").find("LIMIT_EXCEEDED") == 0);
  CHECK(set(ann, "none", "1", "1").find("FORBIDDEN") == 0);
  CHECK(set(ann, "system:a", "1", "1").find("UNAUTHORIZED") == 0);
  CHECK(set(ann, "a:*", "1", "1").find("INVALID_MESSAGE") == 0);
  with_auth(s);
  CHECK(set(s.with({"read:a"}), "a", "1", "1").find("FORBIDDEN") == 0);
  CHECK(s.ask(s.with({"read:a"}), "state", R"({"channel":"a"})").front() == '{');
  CHECK(s.ask(s.with({"write:a"}), "state", R"({"channel":"a"})").find("FORBIDDEN") == 0);
  CHECK(set(s.with({"write:a"}), "a", "1", "1").front() == '{');
}

TEST_CASE("channels: patterns have limits of their own", "[channels]") {
  ChannelsOptions options;
  options.patterns_per_client_max = 2;
  Station s(options);
  Client& ann = s.client();
  const auto subscribe = [&](const std::string& to) {
    return s.ask(ann, "subscribe", R"({"channel":")" + to + R"("})");
  };
  CHECK(subscribe("a:*").front() == '{');
  CHECK(subscribe("b:*").front() == '{');
  CHECK(subscribe("c:*").find("LIMIT_EXCEEDED: too many subscriptions to patterns") == 0);
  CHECK(subscribe("c").front() == '{');
  s.ask(ann, "unsubscribe", R"({"channel":"a:*"})");
  CHECK(subscribe("c:*").front() == '{');
  CHECK(subscribe("1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:*").find("LIMIT_EXCEEDED") == 0);  // 16 segments: a name
  CHECK(subscribe("1:2:3:4:5:6:7:8:9:10:11:12:13:14:15:16:*").find("INVALID_MESSAGE") == 0);
}

TEST_CASE("channels: a client that comes back while the application ends its presence stays until it leaves",
          "[channels]") {
  Station s;
  Client& ann = s.client();
  s.ask(ann, "presence_join", R"({"channel":"a"})");
  std::thread application([&] { CHECK(leave_presence(s.hub, ann.id(), "a")); });
  application.join();
  s.ask(ann, "presence_update", R"({"channel":"a","data":1})");  // before the client's own list is changed
  s.loops.settle();
  CHECK(s.hub->present("a", 10, 0, 1000).clients == 1);
  ann.go();
  CHECK(s.hub->present("a", 10, 0, 1000).clients == 0);
}

TEST_CASE("channels: a client whose user changes leaves as the one and comes as the other", "[channels]") {
  Station s;
  Client& ann = s.client("ann");
  Client& ben = s.client();
  s.ask(ben, "subscribe", R"({"channel":"a"})");
  s.ask(ann, "presence_join", R"({"channel":"a"})");
  (void)s.heard(ben);
  ann.change_grant(Grant{{"cleo", "cleo", {}, {}, true}, {}}).value();
  const Lines lines = s.heard(ben);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].find(R"("userId":"ann")") != std::string::npos);
  CHECK(lines[0].find(R"("last":true)") != std::string::npos);
  CHECK(lines[1].find("channel_presence_join") == 0);
  CHECK(lines[1].find(R"("userId":"cleo")") != std::string::npos);
  CHECK(lines[1].find(R"("first":true)") != std::string::npos);
  CHECK(s.ask(ben, "presence", R"({"channel":"a","counts":true})") == R"({"channel":"a","clients":1,"users":1})");
}

TEST_CASE("channels: subscribing again is answered after what is pending", "[channels]") {
  Station s(with_state());
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  s.publish({"a", "1"}).value();
  s.hub->change_state("a", {"x", "1"}).value();
  const std::string answer = s.masked(s.ask(ann, "subscribe", R"({"channel":"a","state":true})"));
  CHECK(answer.find(R"("offset":1,"state":{"epoch":"E","version":1)") != std::string::npos);
  CHECK(ann.inbox.lines.size() == 2);  // without another turn
  CHECK(s.heard(ann).size() == 2);
}

TEST_CASE("channels: who is left out of the newest state does not get it later", "[channels]") {
  ChannelsOptions options;
  options.defaults.slow_readers = ChannelSlowReaders::newest;
  Station s(options);
  Client& ann = s.client();
  s.ask(ann, "subscribe", R"({"channel":"a"})");
  ann.inbox.congested = true;
  s.publish({"a", "1"}).value();
  s.loops.settle();
  s.publish({"a", "2", {}, {}, {}, {ann.key()}}).value();
  s.loops.settle();
  ann.inbox.congested = false;
  Lines sent;
  CHECK(ann.catch_up([] { return false; }, [&](const core::SharedBytes& frame) { sent.push_back(*frame); }));
  CHECK(sent.empty());
}

TEST_CASE("channels: a subscription of the application works again after its loop has dropped a task", "[channels]") {
  Scene scene;
  std::vector<std::string> heard;
  const auto listener = std::make_shared<ChannelListener>(
      "a", [&](const ChannelMessage& message) { heard.push_back(message.channel); }, nullptr,
      std::weak_ptr<core::CallFaults>());
  const auto message = std::make_shared<const ChannelMessage>(ChannelMessage{"a", JsonText()});
  const auto ending = core::Loop::make(0, scene.loops.clock(), nullptr);
  REQUIRE(listener->push(message));
  listener->schedule(scene.backend, ending);
  ending->shut();
  ending->context().poll();              // what it had posted to itself keeps it alive
  CHECK_FALSE(listener->push(message));  // a task is expected to run
  listener->loops_ended();
  CHECK(listener->pending_size() == 0);
  REQUIRE(listener->push(message));
  listener->schedule(scene.backend, scene.loops[0]);
  scene.loops.settle();
  CHECK(heard.size() == 1);
}

TEST_CASE("channels: options that can't be used are refused", "[channels]") {
  const auto refused = [](const std::function<void(ChannelsOptions&)>& change) {
    Scene scene;
    ChannelsOptions options;
    change(options);
    try {
      ChannelHub hub(scene.backend, options);
    } catch (const Error& e) {
      return e.code() == Errc::bad_config ? std::string(e.message()) : "another code";
    }
    return std::string("accepted");
  };
  CHECK(refused([](auto&) {}) == "accepted");
  CHECK(refused([](auto& o) { o.channels_max = 0; }).find("channels_max") != std::string::npos);
  CHECK(refused([](auto& o) { o.name_bytes_max = 70'000; }).find("name_bytes_max") != std::string::npos);
  CHECK(refused([](auto& o) { o.defaults.history_max = 2'000'000; }).find("history_max") != std::string::npos);
  CHECK(refused([](auto& o) { o.defaults.history_age = 0ms; }).find("history_age") != std::string::npos);
  CHECK(refused([](auto& o) { o.defaults.demands.publish = "write:x"; }).find("write:x") != std::string::npos);
  CHECK(refused([](auto& o) { o.defaults.publish_rate.user.per = 0ms; }).find("publish_rate") != std::string::npos);
  CHECK(refused([](auto& o) { o.namespaces = {{"a*", {}}}; }).find("a*") != std::string::npos);
  CHECK(refused([](auto& o) { o.namespaces = {{"a", {}}, {"a", {}}}; }).find("twice") != std::string::npos);
}

}  // namespace channel_requests_test
