// The HTTP API of channels.
#include "support/memory_channel_store.hpp"
#include "support/server.hpp"

#include <flux/auth.hpp>
#include <flux/channels.hpp>

namespace channels_api_test {

using namespace flux_test;
using flux::JsonText;

namespace {

struct Scene {
  explicit Scene(std::shared_ptr<flux::ChannelStore> store = nullptr)
      : server(test_config()), channels(server, options(std::move(store))), auth(server, auth_options()) {
    server.start();
    writer = key({"write:a", "read:a"});
    admin = key({"admin"});
  }
  static flux::ChannelsOptions options(std::shared_ptr<flux::ChannelStore> store) {
    flux::ChannelsOptions options;
    options.store = std::move(store);
    options.defaults.history_max = 10;
    options.defaults.publish_rate.user = {20, 10s};
    return options;
  }
  static flux::AuthOptions auth_options() {
    flux::AuthOptions options;
    options.keys = {flux::jwt::Key::secret(flux::jwt::Algorithm::hs256, std::string(32, 's'))};
    options.api_keys = flux::ApiKeysOptions{};
    return options;
  }
  std::string key(const std::vector<std::string>& permissions) {
    flux::ApiKeySpec spec;
    spec.name = "program";
    spec.permissions = permissions;
    return auth.add_api_key(spec).value().key;
  }
  struct Reply {
    int status;
    JsonText body;
  };
  Reply ask(const std::string& method, const std::string& body, const std::string& with, const std::string& more = "") {
    HttpClient http(server.port());
    const std::string credential = with.empty() ? "" : "Authorization: Bearer " + with + "\r\n";
    const auto reply = http.request("POST /realtime/api/" + method + " HTTP/1.1\r\nHost: x\r\n" + credential + more +
                                    "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    return {reply.status, JsonText::parse(reply.body).value_or(JsonText())};
  }

  flux::Server server;
  flux::Channels channels;
  flux::Auth auth;
  std::string writer, admin;
};

}  // namespace

TEST_CASE("channels api: publishes once, and reads the history") {
  Scene s;
  const auto first = s.ask("publish", R"({"channel":"a","data":{"n":1},"key":"k"})", s.writer);
  CHECK(first.status == 200);
  CHECK(number_at(first.body, "/offset") == 1);
  CHECK(number_at(first.body, "/reached") == 0);
  const auto again = s.ask("publish", R"({"channel":"a","data":{"n":1},"key":"k"})", s.writer);
  CHECK(again.body.get<bool>("/repeat") == true);
  const auto history = s.ask("history", R"({"channel":"a"})", s.writer);
  CHECK(number_at(history.body, "/publications/0/data/n") == 1);
  CHECK_FALSE(history.body.get<std::int64_t>("/publications/1/offset"));
  const auto several = s.ask("broadcast", R"({"channels":["a","a:b","b"],"data":2})", s.writer);
  CHECK(several.status == 200);
  CHECK(number_at(several.body, "/results/0/offset") == 2);
  CHECK(number_at(several.body, "/results/1/offset") == 1);
  CHECK(text_at(several.body, "/results/2/code") == "FORBIDDEN");
  CHECK(s.channels.stats("a")->messages == 2);
}

TEST_CASE("channels api: with a store each publication is answered once it is stored") {
  const auto store = std::make_shared<MemoryChannelStore>(MemoryChannelStore::Behaviour{true, 10});
  Scene s(store);
  store->refuse("3");
  const auto all = s.ask("publish",
                         R"([{"channel":"a","data":1},{"channel":"a:b","data":2},{"channel":"a","data":3},)"
                         R"({"channel":"a","data":4}])",
                         s.writer);
  CHECK(all.status == 200);
  for (const auto& [item, offset] : {std::pair("/0", 1), std::pair("/1", 1), std::pair("/3", 2)}) {
    CHECK(number_at(all.body, std::string(item) + "/offset") == offset);
  }
  CHECK(text_at(all.body, "/2/error") == "the channel store can't store this");
  const auto several = s.ask("broadcast", R"({"channels":["a","a:b","b",7],"data":5})", s.writer);
  CHECK(number_at(several.body, "/results/0/offset") == 3);
  CHECK(number_at(several.body, "/results/1/offset") == 2);
  CHECK(text_at(several.body, "/results/2/code") == "FORBIDDEN");
  CHECK(text_at(several.body, "/results/3/code") == "INVALID_MESSAGE");
  CHECK(s.ask("broadcast", R"({"channels":[],"data":5})", s.writer).body.text() == R"({"results":[]})");
  CHECK(store->publications_of("a") == "1:1 2:4 3:5 ");
  store->fail(1);
  const auto failed = s.ask("publish", R"({"channel":"a","data":6})", s.writer);
  CHECK(failed.status == 503);
  CHECK(text_at(failed.body, "/code") == "STORE_FAILED");
}

TEST_CASE("channels api: of a batch each item has its answer, in order; half of it may be bad") {
  Scene s;
  const auto reply =
      s.ask("publish", R"([{"channel":"a","data":1},{"channel":"b","data":1},7,{"data":1},{"channel":"a","data":2}])",
            s.writer);
  CHECK(reply.status == 200);
  CHECK(number_at(reply.body, "/0/offset") == 1);
  CHECK(text_at(reply.body, "/1/code") == "FORBIDDEN");
  CHECK(text_at(reply.body, "/2/code") == "INVALID_MESSAGE");
  CHECK(text_at(reply.body, "/3/code") == "INVALID_MESSAGE");
  CHECK(number_at(reply.body, "/4/offset") == 2);
  CHECK(s.ask("publish", "[]", s.writer).status == 200);
  std::string names = R"("a")";
  for (int i = 0; i < 1000; ++i) names += R"(,"a")";
  CHECK(s.ask("broadcast", R"({"channels":[)" + names + R"(],"data":1})", s.writer).status == 400);
  std::string many = "[0";
  for (int i = 0; i < 1000; ++i) many += ",0";
  CHECK(s.ask("publish", many + "]", s.writer).status == 400);
}

TEST_CASE("channels api: who may not, and what can't be read") {
  Scene s;
  const std::string publication = R"({"channel":"a","data":1})";
  CHECK(s.ask("publish", publication, "").status == 401);
  CHECK(s.ask("publish", publication, "flux_wrong_key").status == 401);
  CHECK(s.ask("publish", R"({"channel":"b","data":1})", s.writer).status == 403);
  CHECK(s.ask("publish", R"({"channel":"system:a","data":1})", s.writer).status == 403);
  CHECK(s.ask("publish", R"({"channel":"system:a","data":1})", s.admin).status == 200);
  CHECK(s.ask("publish", publication, s.writer, "Origin: https://other.example\r\n").status == 403);
  CHECK(s.ask("no_such", publication, s.writer).status == 404);
  for (const char* body : {"", "{", "7", "{}", R"({"channel":"a"})", R"({"channel":7,"data":1})",
                           R"({"channel":"a/b","data":1})", R"({"channel":"a:*","data":1})", "[{]"}) {
    INFO(body);
    const auto reply = s.ask("publish", body, s.writer);
    CHECK(reply.status == 400);
    CHECK(text_at(reply.body, "/error").size() > 5);
  }
  for (const char* method : {"disconnect", "subscribe", "unsubscribe", "info", "presence_update", "presence_leave"}) {
    INFO(method);
    CHECK(s.ask(method, R"({"client":"x","channel":"a","data":1})", s.writer).status == 403);
  }
  CHECK(s.ask("stats", "{}", s.writer).status == 403);
  const std::string ann = s.auth.issue({"ann", "", {}, {}, true}, {"write:a"}, 1h).value();
  for (int i = 0; i < 20; ++i) CHECK(s.ask("publish", publication, ann).status == 200);
  const auto too_often = s.ask("publish", publication, ann);
  CHECK(too_often.status == 429);
  CHECK(number_at(too_often.body, "/retryAfter") > 0);
  flux::Server open(test_config());
  flux::Channels channels(open);
  open.start();
  HttpClient http(open.port());
  CHECK(http.request("POST /realtime/api/publish HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}").status == 403);
}

TEST_CASE("channels api: no way around the handler that decides about publications") {
  flux::Server server(test_config());
  flux::Channels channels(server);
  channels.on_publish([](flux::ChannelPublish& event) { event.refuse("no"); });
  flux::Auth auth(server, Scene::auth_options());
  server.start();
  const auto status = [&](const std::vector<std::string>& permissions) {
    const std::string token = auth.issue({"ann", "", {}, {}, true}, permissions, 1h).value();
    const std::string body = R"({"channel":"a","data":1})";
    HttpClient http(server.port());
    return http
        .request("POST /realtime/api/publish HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + token +
                 "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body)
        .status;
  };
  CHECK(status({"write:*"}) == 403);
  CHECK(status({"write:*", "admin"}) == 200);
}

TEST_CASE("channels api: acts for clients, and tells about them") {
  Scene s;
  const std::string token = s.auth.issue({"ann", "", {}, {}, true}, {"read:a"}, 1h).value();
  WebSocketClient ann(s.server.port(), "/realtime?access_token=" + token);
  REQUIRE(eventually([&] { return s.server.clients(5).clients.size() == 1; }));
  const std::string id = s.server.clients(5).clients[0].id;
  const auto with_client = [&](const std::string& more) { return R"({"client":")" + id + "\"" + more + "}"; };
  CHECK(s.ask("subscribe", with_client(R"(,"channel":"a:1")"), s.admin).status == 200);
  CHECK(s.ask("subscribe", with_client(R"(,"channel":"b")"), s.admin).status == 403);  // the client may not
  CHECK(number_at(s.ask("publish", R"({"channel":"a:1","data":1})", s.writer).body, "/reached") == 1);
  CHECK(type_of(JsonText::parse(ann.message()).value()) == "publish");
  CHECK(s.ask("presence_update", with_client(R"(,"channel":"a:1","data":{"x":1})"), s.admin).status == 200);
  CHECK(type_of(JsonText::parse(ann.message()).value()) == "presence_join");
  const auto present = s.ask("presence", R"({"channel":"a:1"})", s.writer);
  CHECK(text_at(present.body, "/members/0/userId") == "ann");
  const auto info = s.ask("info", with_client(""), s.admin);
  CHECK(text_at(info.body, "/subscriptions/0") == "a:1");
  CHECK(text_at(info.body, "/presence/0") == "a:1");
  CHECK(text_at(info.body, "/permissions/0") == "read:a");
  CHECK(text_at(info.body, "/ip") == "127.0.0.1");
  CHECK(s.ask("info", R"({"client":"nobody"})", s.admin).status == 404);
  CHECK(number_at(s.ask("stats", R"({"channel":"a:1"})", s.writer).body, "/subscriberCount") == 1);
  CHECK(text_at(s.ask("stats", "{}", s.admin).body, "/channels/0/channel") == "a:1");
  CHECK(s.ask("presence_leave", with_client(R"(,"channel":"a:1")"), s.admin).body.get<bool>("/left") == true);
  CHECK(type_of(JsonText::parse(ann.message()).value()) == "presence_leave");
  CHECK(s.ask("unsubscribe", with_client(R"(,"channel":"a:1","reason":"enough")"), s.admin)
            .body.get<bool>("/unsubscribed") == true);
  CHECK(text_at(JsonText::parse(ann.message()).value(), "/reason") == "enough");
  CHECK(s.ask("disconnect", "{}", s.admin).status == 400);
  CHECK(number_at(s.ask("disconnect", R"({"user":"ann","reason":"out"})", s.admin).body, "/disconnected") == 1);
  const auto closed = ann.closed();
  CHECK(closed.code == 1000);
  CHECK(closed.reason == "out");
}

}  // namespace channels_api_test
