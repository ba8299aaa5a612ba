// Data sharing over Socket.IO beside protocol live: one room, one server, one set of handlers.
#include "support/server.hpp"
#include "support/socketio_client.hpp"
#include "support/staged_file_store.hpp"

#include <flux/detail/endpoints/live/live_session.hpp>
#include <flux/detail/endpoints/sharing/sharing_session.hpp>
#include <flux/sharing.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <atomic>
#include <set>

namespace sharing_test {

using namespace flux_test;
using namespace flux::literals;
using Catch::Matchers::ContainsSubstring;

namespace {

struct Scene {
  explicit Scene(const flux::Config& config = test_config(), flux::socketio::SharingOptions sharing = {},
                 flux::socketio::Options socketio = {})
      : server(config) {
    flux::socketio::Io io(server, std::move(socketio));
    flux::socketio::serve_sharing(server, io, std::move(sharing));
  }
  std::uint16_t port() {
    if (!server.running()) server.start();
    return server.port();
  }
  flux::Server server;
};

bool success(const flux::JsonText& answer) { return answer.get<bool>("/success").value_or(false); }
std::string why(const flux::JsonText& answer) { return text_at(answer, "/message"); }
std::string quoted(std::string_view text) { return flux::JsonText::string(text).text(); }

flux::JsonText make(SocketIoClient& client, std::string_view room, std::string_view mode = "live") {
  return client.ask("room:create",
                    R"({"roomId":)" + quoted(room) + R"(,"capacity":100,"mode":")" + std::string(mode) + "\"}");
}
void enter(SocketIoClient& client, std::string_view room) {
  const auto joined = client.ask("room:join", quoted(room));
  if (!success(joined)) throw std::runtime_error("not let in: " + joined.text());
}
std::string text_upload(std::string_view room, std::string_view content) {
  return R"({"roomId":)" + quoted(room) + R"(,"data":{"type":"string","content":)" + quoted(content) + "}}";
}
constexpr std::string_view a_file =
    R"({"type":"file","content":{"_placeholder":true,"num":0},"fileName":"a.txt","mimeType":"text/plain"})";
std::string file_upload(std::string_view room) {
  return R"({"roomId":)" + quoted(room) + R"(,"data":)" + std::string(a_file) + "}";
}
/// The connectionId of a member.
std::string id_of(SocketIoClient& client, std::string_view room) {
  return text_at(client.ask("room:members", quoted(room)), "/connectionId");
}

flux::Config with_store(const std::shared_ptr<StagedFileStore>& store) {
  auto config = test_config();
  config.files.store = store;
  return config;
}

}  // namespace

// --- One room, two protocols ---

TEST_CASE("sharing: members of a room see each other's data, events, chat and presence, in either protocol") {
  Scene scene;
  SocketIoClient ann(scene.port());
  make(ann, "r");
  enter(ann, "r");
  LiveClient bob(scene.port());
  const auto welcome = bob.join("r", R"("presence":{"at":1})");
  const std::string ann_id = id_of(ann, "r");
  CHECK(text_at(welcome, "/payload/presence/" + ann_id + "/connectionId") == ann_id);
  const auto joined = ann.next("room:presence");
  CHECK(text_at(joined, "/1/joined/0/connectionId") == bob.id);
  CHECK(number_at(joined, "/1/joined/0/presence/at") == 1);

  CHECK(success(ann.ask("room:upload", text_upload("r", "from Ann"))));
  CHECK(text_at(bob.next("room_data"), "/payload/data/content") == "from Ann");
  bob.request("share", R"({"data":{"type":"string","content":"from Bob","more":[1]}})");
  const auto data = ann.next("room:data");
  CHECK(data.at("/1")->text() == R"({"type":"string","content":"from Bob","more":[1]})");
  CHECK(text_at(data, "/2") == "r");

  CHECK(success(ann.ask("room:event", R"({"roomId":"r","event":"wave","payload":{"hand":"left"}})")));
  const auto wave = bob.next("broadcast_event");
  CHECK(text_at(wave, "/payload/connectionId") == ann_id);
  CHECK(text_at(wave, "/payload/payload/hand") == "left");
  bob.request("broadcast_event", R"({"event":"nod"})");
  const auto nod = ann.next("room:event");
  CHECK(nod.at("/1")->text() == R"({"roomId":"r","connectionId":")" + bob.id + R"(","event":"nod"})");

  const auto said = ann.ask("room:chat", R"({"roomId":"r","message":"hello","metadata":{"m":1}})");
  CHECK(number_at(said, "/offset") == 1);
  CHECK(text_at(bob.next("chat_message"), "/payload/id") == text_at(said, "/id"));
  bob.request("send_chat", R"({"message":"hi"})");
  ann.next("room:chat");
  const auto chat = ann.next("room:chat");
  CHECK(text_at(chat, "/1/message") == "hi");
  CHECK(number_at(chat, "/1/offset") == 2);
  const auto page = ann.ask("room:chatHistory", R"({"roomId":"r","limit":1,"before":2})");
  CHECK(text_at(page, "/messages/0/message") == "hello");
  CHECK(!page.at("/messages/1"));

  CHECK(success(ann.ask("room:presence", R"({"roomId":"r","presence":{"busy":true}})")));
  const auto updated = bob.next("presence_updated");
  CHECK(updated.get<bool>("/payload/updated/0/presence/busy") == true);
  CHECK(success(ann.ask("room:leave", quoted("r"))));
  CHECK(text_at(bob.next("presence_updated"), "/payload/left/0") == ann_id);
  CHECK(why(ann.ask("room:upload", text_upload("r", "x"))) == "You are not in this room.");
}

TEST_CASE("sharing: the public space is one for both protocols") {
  Scene scene;
  SocketIoClient ann(scene.port());
  CHECK(ann.next().text() == R"(["public:history",[]])");
  LiveClient bob(scene.port());
  bob.request("public_history");
  CHECK(success(ann.ask("public:upload", R"({"type":"string","content":"one"})")));
  CHECK(ann.next().text() == R"(["public:history",[{"type":"string","content":"one"}]])");
  CHECK(text_at(bob.next("public_history"), "/payload/items/0/data/content") == "one");
  bob.request("public_share", R"({"data":{"type":"string","content":"two"}})");
  CHECK(text_at(ann.next(), "/1/1/content") == "two");
  CHECK(success(ann.ask("public:deleteLast")));
  CHECK(ann.next().text() == R"(["public:history",[{"type":"string","content":"one"}]])");
  ann.ask("public:deleteLast");
  const auto none = ann.ask("public:deleteLast");
  CHECK_FALSE(success(none));
  CHECK(why(none) == "The public space is empty.");
}

// --- Sessions of the server ---

TEST_CASE("sharing: a client is a session of the server, with its identity, until it disconnects") {
  Awaited<flux::Disconnect> gone;
  Scene scene;
  scene.server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "u1", .name = "Ann"}); });
  scene.server.on_disconnect([&](const flux::Session&, const flux::Disconnect& how) { gone.set(how); });
  SocketIoClient ann(scene.port());
  make(ann, "r");
  enter(ann, "r");
  const auto session = scene.server.session(id_of(ann, "r"));
  REQUIRE(session);
  CHECK(session->identity() == flux::Identity{"u1", "Ann", "", "", true});
  CHECK(session->rooms() == std::vector<std::string>{"r"});
  CHECK_THAT(session->remote_address(), ContainsSubstring("127.0.0.1:"));
  CHECK(scene.server.sessions().size() == 1);
  const auto page = scene.server.clients(10);  // once, and not also as a Socket.IO client
  REQUIRE(page.clients.size() == 1);
  CHECK(page.clients[0].id == session->id());
  CHECK(page.clients[0].session == *session);
  CHECK(page.clients[0].protocol == "sharing");
  CHECK(text_at(ann.ask("room:members", quoted("r")), "/members/0/userId") == "u1");
  REQUIRE(scene.server.presence("r").size() == 1);
  CHECK(scene.server.presence("r")[0].identity.name == "Ann");

  CHECK(scene.server.send_to_user("u1", "news", R"({"n":1})"_json) == 1);
  CHECK(ann.next("news").text() == R"(["news",{"n":1}])");
  CHECK(session->send("news", "2"_json, "r"));
  CHECK(ann.next("news").text() == R"(["news",2,"r"])");
  CHECK_FALSE(session->send("", "2"_json));
  CHECK_FALSE(session->send("disconnect", "2"_json));

  CHECK(scene.server.disconnect(session->id(), flux::CloseCode::unauthorized, "token ended"));
  const auto how = gone.get();
  CHECK(how.code == flux::CloseCode::unauthorized);
  CHECK(how.reason == "token ended");
  CHECK_FALSE(session->connected());
  CHECK(session->send("news", "3"_json).error().code() == flux::Errc::session_not_found);
  CHECK(eventually([&] { return scene.server.sessions().empty() && !scene.server.room("r"); }));
  ann.closed();
  CHECK(ann.before_close == std::vector<std::string>{"41"});
}

TEST_CASE("sharing: handlers may refuse and change what a client does; the acknowledgment has their message") {
  Scene scene;
  scene.server.on_join([](flux::JoinRequest& join) {
    if (join.room == "vip") join.refuse("members only");
    join.presence = R"({"by":"handler"})"_json;
  });
  scene.server.on_share([](flux::ShareDraft& share) {
    if (share.data.get<std::string>("/content") == "rude") share.refuse("be nice");
    if (share.room.empty()) share.data = R"({"type":"string","content":"changed"})"_json;
  });
  scene.server.on_event([](flux::EventMessage& message) {
    if (message.event == "bad") message.refuse("no such event");
    message.event += "!";
  });
  scene.server.on_chat([](flux::ChatDraft& chat) {
    if (chat.message == "spam") chat.refuse("no spam");
  });
  scene.server.on_presence([](flux::PresenceChange& change) {
    if (change.presence.at("/secret")) change.refuse("keep it");
  });
  scene.server.on_leave([](const flux::Session&, const flux::RoomId&) { throw std::runtime_error("on purpose"); });
  SocketIoClient ann(scene.port());
  make(ann, "vip");
  make(ann, "r");
  CHECK(why(ann.ask("room:join", quoted("vip"))) == "members only");
  enter(ann, "r");
  CHECK(ann.ask("room:members", quoted("r")).at("/members/0/presence")->text() == R"({"by":"handler"})");
  CHECK(why(ann.ask("room:upload", text_upload("r", "rude"))) == "be nice");
  ann.ask("public:upload", R"({"type":"string","content":"as it was"})");
  CHECK(scene.server.public_items()[0].data.get<std::string>("/content") == "changed");
  CHECK(why(ann.ask("room:event", R"({"roomId":"r","event":"bad"})")) == "no such event");
  LiveClient bob(scene.port());
  bob.join("r");
  ann.ask("room:event", R"({"roomId":"r","event":"good"})");
  CHECK(text_at(bob.next("broadcast_event"), "/payload/event") == "good!");
  CHECK(why(ann.ask("room:chat", R"({"roomId":"r","message":"spam"})")) == "no spam");
  CHECK(why(ann.ask("room:presence", R"({"roomId":"r","presence":{"secret":1}})")) == "keep it");
  CHECK(success(ann.ask("room:leave", quoted("r"))));
  CHECK(scene.server.stats().handler_errors == 1);
}

TEST_CASE("sharing: a handler that closes its session, or throws, affects nobody else") {
  Scene scene;
  scene.server.on_share([&](flux::ShareDraft& share) {
    if (share.data.get<std::string>("/content") == "throw") throw std::runtime_error("on purpose");
    share.session.close(flux::CloseCode::policy_violation, "enough");
  });
  SocketIoClient ann(scene.port());
  LiveClient bob(scene.port());
  make(ann, "r");
  enter(ann, "r");
  bob.join("r");
  CHECK(why(ann.ask("room:upload", text_upload("r", "throw"))) == "the server failed to handle this message");
  ann.emit("room:upload", text_upload("r", "last"));
  ann.closed();
  for (;;) {  // up to the change that says that she has left
    const auto heard = bob.next();
    CHECK(type_of(heard) != "room_data");
    if (type_of(heard) == "presence_updated" && scene.server.presence("r").size() == 1) break;
  }
}

TEST_CASE("sharing: a client that is being closed is not heard any more") {
  Scene scene;
  std::atomic<bool> closes{true};
  std::atomic<int> heard{0};
  scene.server.on_call("bye", [&](flux::Call& call) {
    if (closes) call.session().close(flux::CloseCode::normal, "bye");
    call.reply();
  });
  scene.server.on_call("more", [&](flux::Call& call) {
    ++heard;
    call.reply();
  });
  scene.port();
  const auto two_calls_in_one_read = [&](SocketIoClient& client) {
    std::string frames;
    for (const char* packet : {R"(42["call","bye"])", R"(42["call","more"])"})
      frames += flux::testing::text_frame(packet);
    client.tcp.send(frames);
  };
  SocketIoClient closed(scene.port());
  two_calls_in_one_read(closed);
  closed.closed();
  CHECK(heard == 0);
  closes = false;
  SocketIoClient open(scene.port());
  two_calls_in_one_read(open);
  CHECK(eventually([&] { return heard == 1; }));
}

TEST_CASE("sharing: an event that the application handles is not the library's") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  io.on_connection([](const flux::socketio::Socket& socket) {
    socket.on("room:join", [](flux::socketio::Event& event) { event.ack({flux::JsonText::string("mine")}); });
    socket.on("hello", [](flux::socketio::Event& event) { event.ack({flux::JsonText::string("hello")}); });
  });
  server.start();
  SocketIoClient ann(server.port());
  CHECK(ann.ask("room:join", quoted("r")).text() == "\"mine\"");
  CHECK(ann.ask("hello").text() == "\"hello\"");
  CHECK(why(ann.ask("bye")) == "unknown event \"bye\"");
}

// --- Lifetime of rooms ---

TEST_CASE("sharing: close_room, members of both protocols are told, leave, and stay connected") {
  Scene scene;
  scene.port();
  (void)scene.server.create_room("r");
  SocketIoClient ann(scene.port());
  LiveClient bob(scene.port());
  enter(ann, "r");
  bob.join("r");
  CHECK(scene.server.close_room("r", "maintenance"));
  CHECK(ann.next("room:closed").text() == R"(["room:closed",{"roomId":"r","reason":"maintenance"}])");
  CHECK(text_at(bob.next("room_closed"), "/payload/reason") == "maintenance");
  CHECK(why(ann.ask("room:join", quoted("r"))) == "Room not found.");
  CHECK(scene.server.sessions().size() == 2);
}

TEST_CASE("sharing: room:close, only by the client that created the room") {
  Scene scene;
  SocketIoClient ann(scene.port());
  SocketIoClient eve(scene.port());
  LiveClient bob(scene.port());
  make(ann, "r");
  bob.join("r");
  enter(eve, "r");
  CHECK(why(eve.ask("room:close", R"({"roomId":"r"})")) == "Only the creator of a room may close it.");
  CHECK(success(ann.ask("room:close", R"({"roomId":"r","reason":"done"})")));
  CHECK(text_at(bob.next("room_closed"), "/payload/reason") == "done");
  CHECK(text_at(eve.next("room:closed"), "/1/reason") == "done");
  CHECK(why(ann.ask("room:close", quoted("r"))) == "Room not found.");
  CHECK(success(make(eve, "r")));
  CHECK(why(ann.ask("room:close", quoted("r"))) == "Only the creator of a room may close it.");
}

TEST_CASE("sharing: a room ends with its last member, or with its creator if nobody has joined") {
  Scene scene;
  auto ann = std::make_unique<SocketIoClient>(scene.port());
  make(*ann, "joined");
  make(*ann, "empty");
  {
    SocketIoClient bob(scene.port());
    enter(bob, "joined");
    CHECK(scene.server.room("joined")->members == 1);
  }
  CHECK(eventually([&] { return !scene.server.room("joined"); }));
  CHECK(scene.server.room("empty"));
  ann.reset();
  CHECK(eventually([&] { return !scene.server.room("empty"); }));
}

TEST_CASE("sharing: room_linger, a room outlives its last member for that time, with its items") {
  auto config = test_config();
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  config.clock = clock;
  config.room_linger = 10s;
  Scene scene(config);
  {
    SocketIoClient ann(scene.port());
    make(ann, "r", "history");
    enter(ann, "r");
    ann.ask("room:upload", text_upload("r", "kept"));
  }
  REQUIRE(eventually([&] { return scene.server.room("r")->members == 0; }));
  clock->advance(9s);
  {
    SocketIoClient ann(scene.port());
    CHECK(ann.ask("room:join", quoted("r")).at("/data")->text() == R"([{"type":"string","content":"kept"}])");
  }
  REQUIRE(eventually([&] { return scene.server.room("r")->members == 0; }));
  SocketIoClient late(scene.port());
  clock->advance(9s);
  CHECK_FALSE(why(late.ask("room:join", quoted("r"))) == "Room not found.");
  CHECK(success(late.ask("room:leave", quoted("r"))));
  clock->advance(10s);
  CHECK(eventually([&] { return !scene.server.room("r"); }));
}

TEST_CASE("sharing: presence, the newest update inside the throttle goes out at its end") {
  auto config = test_config();
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  config.clock = clock;
  config.presence_throttle = 100ms;
  Scene scene(config);
  SocketIoClient ann(scene.port());
  LiveClient bob(scene.port());
  make(ann, "r");
  enter(ann, "r");
  bob.join("r");
  for (const char* n : {"1", "2", "3"}) {
    CHECK(success(ann.ask("room:presence", R"({"roomId":"r","presence":{"n":)" + std::string(n) + "}}")));
  }
  CHECK(number_at(bob.next("presence_updated"), "/payload/updated/0/presence/n") == 1);
  CHECK(bob.so_far().empty());
  clock->advance(100ms);
  CHECK(number_at(bob.next("presence_updated"), "/payload/updated/0/presence/n") == 3);
}

// --- Limits ---

TEST_CASE("sharing: limits of rooms, created and joined, and of a room's members") {
  auto config = test_config();
  config.limits.rooms_created_max = 2;
  flux::socketio::SharingOptions options;
  options.rooms_per_client_max = 1;
  Scene scene(config, std::move(options));
  SocketIoClient ann(scene.port());
  CHECK(success(ann.ask("room:create", R"({"roomId":"one","capacity":1,"mode":"live"})")));
  CHECK(success(make(ann, "two")));
  CHECK_THAT(why(make(ann, "three")), ContainsSubstring("already created 2 rooms"));
  enter(ann, "one");
  CHECK(success(ann.ask("room:join", quoted("one"))));  // it is already a member
  CHECK_THAT(why(ann.ask("room:join", quoted("two"))), ContainsSubstring("in 1 rooms already"));
  SocketIoClient bob(scene.port());
  CHECK(why(bob.ask("room:join", quoted("one"))) == "Room is full.");
  ann.ask("room:close", quoted("two"));
  CHECK(success(make(ann, "three")));  // an ended room does not count
}

TEST_CASE("sharing: a client in many rooms learns the room from the second argument") {
  Scene scene;
  SocketIoClient ann(scene.port());
  SocketIoClient bob(scene.port());
  for (const char* room : {"a", "b"}) {
    make(ann, room);
    enter(ann, room);
    enter(bob, room);
  }
  bob.ask("room:upload", text_upload("b", "to b"));
  bob.ask("room:upload", text_upload("a", "to a"));
  CHECK(text_at(ann.next("room:data"), "/2") == "b");
  CHECK(text_at(ann.next("room:data"), "/2") == "a");
}

TEST_CASE("sharing: invalid options, and a running server, are refused at the start") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::SharingOptions none;
  none.rooms_per_client_max = 0;
  CHECK(thrown_by([&] { flux::socketio::serve_sharing(server, io, none); }).first == flux::Errc::bad_config);
  flux::Server another(test_config());
  const auto of_another = thrown_by([&] { flux::socketio::serve_sharing(another, io); });
  CHECK(of_another.first == flux::Errc::bad_config);
  CHECK_THAT(of_another.second, ContainsSubstring("the Io of another server"));
  flux::socketio::serve_sharing(server, io);
  const auto again = thrown_by([&] { flux::socketio::serve_sharing(server, io); });
  CHECK(again.first == flux::Errc::bad_config);
  CHECK_THAT(again.second, ContainsSubstring("was already called for this Io"));
  server.start();
  CHECK(thrown_by([&] { flux::socketio::serve_sharing(server, io); }).first == flux::Errc::already_running);
}

TEST_CASE("sharing: requests over the rate limit are acknowledged with an error, if they ask for an acknowledgment") {
  auto config = test_config();
  config.clock = std::make_shared<flux::testing::ManualClock>();  // time stands still
  config.limits.messages_per_second = 1;
  config.limits.message_burst = 2;
  Scene scene(config);
  SocketIoClient client(scene.port());
  CHECK(success(make(client, "a")));
  client.emit("room:join", quoted("a"));
  client.emit("room:join", quoted("a"));  // no acknowledgment requested
  const auto refused = client.ask("public:upload", R"({"type":"string","content":"x"})");
  CHECK_FALSE(success(refused));
  CHECK(why(refused) == "more than 1 messages a second; this one was not acted on");
  CHECK(text_at(make(client, "b"), "/roomId").empty());
  CHECK_THAT(why(client.ask("nobody knows this")), ContainsSubstring("messages a second"));
  CHECK(scene.server.stats().rooms_now == 1);
  CHECK(scene.server.stats().messages_rate_limited == 4);
}

TEST_CASE("sharing: a request far over the size limit is refused unread") {
  flux::socketio::Options socketio;
  socketio.payload_bytes_max = 20'000'000;
  Scene scene(test_config(), {}, socketio);
  SocketIoClient client(scene.port());
  const std::string much = quoted_x(10'000'000);
  for (const auto& answer : {client.ask("public:upload", R"({"type":"string","content":)" + much + "}"),
                             client.ask("room:join", much), client.ask("room:list", "{\"limit\":" + much + "}")}) {
    CHECK_FALSE(success(answer));
  }
  CHECK_THAT(why(client.ask("public:upload", R"({"type":"string","content":)" + much + "}")),
             ContainsSubstring("data has 10000030 bytes; at most"));
}

TEST_CASE("sharing: a client that vanishes while its file is being stored ends at the ping timeout") {
  const auto store = std::make_shared<StagedFileStore>(true);
  auto config = with_store(store);
  const auto clock = std::make_shared<flux::testing::ManualClock>();
  config.clock = clock;
  flux::socketio::Options socketio;
  socketio.ping_interval = socketio.ping_timeout = 1s;
  Scene scene(config, {}, socketio);
  store->hold_back();
  SocketIoClient client(scene.port());
  REQUIRE(success(make(client, "a")));
  enter(client, "a");
  client.send_text("451-9[\"room:upload\"," + file_upload("a") + "]");
  client.send_binary("content");
  REQUIRE(eventually([&] { return store->appends() > 0; }));
  CHECK(eventually([&] {
    clock->advance(500ms);
    return scene.server.stats().sessions_now == 0;
  }));
  store->let_go();
  CHECK(eventually([&] { return store->known().empty(); }));
}

// --- Files ---

TEST_CASE("sharing: a file in a message is stored, shared, and deleted with its room") {
  const bool blocks = GENERATE(true, false);
  const auto store = std::make_shared<StagedFileStore>(blocks);
  Scene scene(with_store(store));
  SocketIoClient ann(scene.port());
  make(ann, "r", "singleton");
  enter(ann, "r");
  CHECK(success(ann.ask_with_bytes("room:upload", file_upload("r"), "some bytes")));
  const auto data = ann.next("room:data");
  const std::string id = text_at(data, "/1/fileId");
  CHECK(data.at("/1")->text() ==
        R"({"type":"file","fileId":")" + id + R"(","fileName":"a.txt","mimeType":"text/plain","size":10})");
  CHECK(store->bytes_of(id) == "some bytes");
  CHECK(success(ann.ask("room:upload", text_upload("r", "instead"))));
  CHECK(eventually([&] { return store->known().at(0).state == flux::FileState::deleted; }));
  Awaited<std::vector<flux::FileId>> cleaned;
  scene.server.cleanup_deleted_files([&](flux::Result<flux::FileCleanup> cleanup) { cleaned.set(cleanup->deleted); });
  CHECK(cleaned.get() == std::vector<flux::FileId>{id});
  CHECK(store->known().empty());
}

TEST_CASE("sharing: on_file_stored gets a file in a message, with its session and room, before anybody else") {
  const bool blocks = GENERATE(true, false);
  const auto store = std::make_shared<StagedFileStore>(blocks);
  Scene scene(with_store(store));
  std::mutex mutex;
  std::vector<std::string> heard;
  scene.server.on_file_stored([&](const flux::StoredFile& stored) {
    const std::lock_guard lock(mutex);
    heard.push_back("stored " + stored.file.name + " " + std::to_string(stored.file.size) + " in " + stored.room + " " +
                    stored.session.value().id());
  });
  scene.server.on_share([&](flux::ShareDraft& draft) {
    const std::lock_guard lock(mutex);
    heard.push_back("shared " + text_at(draft.data, "/fileName"));
    draft.refuse("no");
  });
  SocketIoClient ann(scene.port());
  make(ann, "r", "singleton");
  enter(ann, "r");
  CHECK_FALSE(success(ann.ask_with_bytes("room:upload", file_upload("r"), "some bytes")));
  CHECK_FALSE(success(ann.ask_with_bytes("public:upload", a_file, "more")));
  const std::lock_guard lock(mutex);
  const std::string id = id_of(ann, "r");
  CHECK(heard == std::vector<std::string>{"stored a.txt 10 in r " + id, "shared a.txt", "stored a.txt 4 in  " + id,
                                          "shared a.txt"});
}

TEST_CASE("sharing: a file in many pieces arrives complete, and its owner is the user") {
  const auto store = std::make_shared<StagedFileStore>(true);
  flux::socketio::Options socketio;
  socketio.payload_bytes_max = 20'000'000;
  socketio.packet_limits.attachment_bytes_max = 20'000'000;
  Scene scene(with_store(store), {}, socketio);
  scene.server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "u1"}); });
  SocketIoClient ann(scene.port());
  std::string bytes(10'000'000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 >> 4);
  CHECK(success(ann.ask_with_bytes("public:upload", a_file, bytes)));
  const auto files = store->known();
  REQUIRE(files.size() == 1);
  CHECK(store->appends() == 3);
  CHECK(store->bytes_of(files[0].id) == bytes);
  CHECK(files[0].owner == "u1");
  CHECK(files[0].shared);
}

TEST_CASE("sharing: a client that leaves while its file is being stored leaves no file behind") {
  const auto store = std::make_shared<StagedFileStore>(true);
  Scene scene(with_store(store));
  auto ann = std::make_unique<SocketIoClient>(scene.port());
  SocketIoClient bob(scene.port());
  make(*ann, "r");
  enter(*ann, "r");
  enter(bob, "r");
  store->hold_back();
  ann->send_text("451-" + std::string("[\"room:upload\",") + file_upload("r") + "]");
  ann->send_binary("some bytes");
  REQUIRE(eventually([&] { return store->appends() == 1; }));
  // Strings of other clients are accepted meanwhile.
  CHECK(success(bob.ask("room:upload", text_upload("r", "meanwhile"))));
  const bool leaves_only = GENERATE(true, false);
  if (leaves_only) {
    CHECK(success(ann->ask("room:leave", quoted("r"))));
  } else {
    ann.reset();
    CHECK(eventually([&] { return scene.server.room("r")->members == 1; }));
  }
  store->let_go();
  CHECK(eventually([&] { return store->known().empty(); }));
  const auto seen = bob.so_far();
  CHECK(std::none_of(seen.begin(), seen.end(), [](const auto& event) { return text_at(event, "/0") == "room:data"; }));
}

TEST_CASE("sharing: a server stopped while a file is being stored leaves no partial file") {
  const auto store = std::make_shared<StagedFileStore>(true);
  flux::socketio::Options socketio;
  socketio.payload_bytes_max = 20'000'000;
  socketio.packet_limits.attachment_bytes_max = 20'000'000;
  Scene scene(with_store(store), {}, socketio);
  SocketIoClient ann(scene.port());
  store->hold_back();
  ann.send_text("451-[\"public:upload\"," + std::string(a_file) + "]");
  ann.send_binary(std::string(9'000'000, 'x'));  // three pieces
  REQUIRE(eventually([&] { return store->appends() == 1; }));
  Crew crew;
  crew.add([&] { scene.server.stop(0ms); });
  CHECK(eventually([&] { return !scene.server.running(); }));
  store->let_go();
  crew.join();
  // Or all of it, shared, if that was quicker than the stop.
  const auto known = store->known();
  CHECK(std::none_of(known.begin(), known.end(), [](const auto& file) { return !file.shared; }));
}

TEST_CASE("sharing: files are refused without a store, past the limits, and where the store fails") {
  {
    Scene scene;
    SocketIoClient ann(scene.port());
    CHECK(why(ann.ask_with_bytes("public:upload", a_file, "x")) == "this server accepts no files");
    CHECK(why(ann.ask("public:upload", R"({"type":"file","fileId":"01234567-89ab-4def-8123-456789abcdef"})")) ==
          "this server accepts no files");
  }
  const auto store = std::make_shared<StagedFileStore>(true, 100);
  auto config = with_store(store);
  config.files.file_bytes_max = 50;
  Scene scene(config);
  SocketIoClient ann(scene.port());
  CHECK(why(ann.ask_with_bytes("public:upload", a_file, std::string(51, 'x'))) ==
        "the file has 51 bytes; at most 50 are allowed");
  CHECK(success(ann.ask_with_bytes("public:upload", a_file, std::string(50, 'x'))));
  CHECK(success(ann.ask_with_bytes("public:upload", a_file, "")));
  CHECK(success(ann.ask_with_bytes("public:upload", a_file, std::string(50, 'x'))));
  CHECK(why(ann.ask_with_bytes("public:upload", a_file, "x")) == "the file store is full");
  CHECK(store->known().size() == 3);
  store->fail_completing();
  CHECK(why(ann.ask_with_bytes("public:upload", a_file, "")) == "the file store failed");
  CHECK(eventually([&] { return store->known().size() == 3; }));
  CHECK(scene.server.public_items().size() == 3);
}

TEST_CASE("sharing: uploads in progress are limited, per client and in total") {
  const auto store = std::make_shared<StagedFileStore>(true);
  flux::socketio::SharingOptions options;
  options.uploads_per_client_max = 1;
  options.uploads_bytes_max = 15;
  Scene scene(with_store(store), std::move(options));
  SocketIoClient ann(scene.port());
  SocketIoClient bob(scene.port());
  store->hold_back();
  ann.send_text("451-[\"public:upload\"," + std::string(a_file) + "]");
  ann.send_binary("some bytes");
  REQUIRE(eventually([&] { return store->appends() == 1; }));
  const std::string too_many = "too many files are being stored; try again";
  CHECK(why(ann.ask_with_bytes("public:upload", a_file, "x")) == too_many);
  CHECK(why(bob.ask_with_bytes("public:upload", a_file, "123456")) == too_many);
  store->let_go();
  CHECK(eventually([&] { return scene.server.public_items().size() == 1; }));
  // The upload is over a little later than others see its item.
  CHECK(eventually([&] { return success(bob.ask_with_bytes("public:upload", a_file, "123456")); }));
}

TEST_CASE("sharing: a file refused by the share handler is deleted") {
  const auto store = std::make_shared<StagedFileStore>(true);
  Scene scene(with_store(store));
  scene.server.on_share([&](flux::ShareDraft& share) {
    const auto id = share.data.get<std::string>("/fileId");
    if (store->bytes_of(id.value_or("")) == "a virus") share.refuse("that is one");
  });
  SocketIoClient ann(scene.port());
  CHECK(why(ann.ask_with_bytes("public:upload", a_file, "a virus")) == "that is one");
  CHECK(eventually([&] { return store->known().at(0).state == flux::FileState::deleted; }));
}

TEST_CASE("sharing: a file uploaded earlier is shared by its id, in either protocol") {
  const auto store = std::make_shared<StagedFileStore>(true);
  const std::string id = "01234567-89ab-4def-8123-456789abcdef";
  store->put(id, "b.png", "image/png", "bytes");
  Scene scene(with_store(store));
  SocketIoClient ann(scene.port());
  LiveClient bob(scene.port());
  make(ann, "r", "history");
  enter(ann, "r");
  bob.join("r");
  CHECK(success(ann.ask("room:upload", R"({"roomId":"r","data":{"type":"file","fileId":")" + id + R"("}})")));
  const std::string stored =
      R"({"type":"file","fileId":")" + id + R"(","fileName":"b.png","mimeType":"image/png","size":5})";
  CHECK(bob.next("room_data").at("/payload/data")->text() == stored);
  bob.request("share", R"({"data":{"type":"file","fileId":")" + id + R"("}})");
  ann.next("room:data");
  CHECK(ann.next("room:data").at("/1")->text() == stored);
  CHECK(ann.ask("room:history", quoted("r")).at("/data")->text() == "[" + stored + "," + stored + "]");
  CHECK_THAT(why(ann.ask("public:upload", R"({"type":"file","fileId":"11111111-89ab-4def-8123-456789abcdef"})")),
             ContainsSubstring("no such file"));
}

TEST_CASE("sharing: another user's file whose share is refused is unchanged, in either protocol") {
  const auto store = std::make_shared<StagedFileStore>(true);
  const std::string id = "01234567-89ab-4def-8123-456789abcdef";
  store->put(id, "b.png", "image/png", "bytes");
  Scene scene(with_store(store));
  scene.server.on_share([](flux::ShareDraft& share) { share.refuse("not yours"); });
  SocketIoClient ann(scene.port());
  LiveClient bob(scene.port());
  const std::string data = R"({"type":"file","fileId":")" + id + R"("})";
  CHECK(why(ann.ask("public:upload", data)) == "not yours");
  const auto refused = bob.request("public_share", R"({"data":)" + data + "}");
  CHECK(refused.get<std::string>("/type") == "error");
  CHECK(store->known().at(0).state == flux::FileState::complete);
  CHECK_FALSE(store->known().at(0).shared);
}

namespace {

constexpr const char* some_file = "01234567-89ab-4def-8123-456789abcdef";
const std::string share_some_file = std::string(R"({"type":"file","fileId":")") + some_file + R"("})";

/// Shares the file in a singleton room created by the client, then a text that replaces it.
void share_over(SocketIoClient& client, std::string_view room) {
  make(client, room, "singleton");
  enter(client, room);
  REQUIRE(success(
      client.ask("room:upload", R"({"roomId":)" + sharing_test::quoted(room) + R"(,"data":)" + share_some_file + "}")));
  REQUIRE(success(client.ask("room:upload", text_upload(room, "over it"))));
}
void share_over(LiveClient& client, std::string_view room) {
  const auto ask = [&](std::string_view type, const std::string& payload) {
    REQUIRE(text_at(client.request(type, payload), "/type") == "ack");
  };
  ask("create_room", R"({"roomId":)" + sharing_test::quoted(room) + R"(,"mode":"singleton"})");
  client.join(room);
  ask("share", R"({"data":)" + share_some_file + "}");
  ask("share", R"({"data":{"type":"string","content":"over it"}})");
}
/// The state after all calls about the file so far.
flux::FileState state_now(flux::Server& server, const StagedFileStore& store) {
  (void)answer_of<flux::FileCleanup>([&](auto done) { server.cleanup_deleted_files(done); });
  const auto known = store.known();
  return known.empty() ? flux::FileState::deleted : known.at(0).state;
}

}  // namespace

TEST_CASE("sharing: any client that knows a file's id may share it, but can't delete it, in either protocol") {
  const auto store = std::make_shared<StagedFileStore>(false);
  store->put(some_file, "b.png", "image/png", "bytes", GENERATE("", "ann"));
  Scene scene(with_store(store));
  SocketIoClient eve(scene.port());
  LiveClient mallory(scene.port());
  share_over(eve, "eve's");
  share_over(mallory, "mallory's");
  REQUIRE(success(eve.ask("public:upload", share_some_file)));
  REQUIRE(success(eve.ask("public:deleteLast", "")));
  CHECK(state_now(scene.server, *store) == flux::FileState::complete);
}

TEST_CASE("sharing: a file that its owner shares and removes is deleted, once no other item refers to it") {
  const auto store = std::make_shared<StagedFileStore>(false);
  store->put(some_file, "b.png", "image/png", "bytes", "ann");
  Scene scene(with_store(store));
  scene.server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "ann"}); });
  SocketIoClient eve(scene.port());
  LiveClient ann(scene.port());

  SECTION("the owner's item is the last") {
    share_over(ann, "ann's");
    CHECK(state_now(scene.server, *store) == flux::FileState::deleted);
  }
  SECTION("another user's item keeps it, and deletes it when the owner's is removed") {
    REQUIRE(success(eve.ask("public:upload", share_some_file)));
    share_over(ann, "ann's");
    CHECK(state_now(scene.server, *store) == flux::FileState::complete);
    REQUIRE(success(eve.ask("public:deleteLast", "")));
    CHECK(state_now(scene.server, *store) == flux::FileState::deleted);
  }
}

TEST_CASE("sharing: the file handler is asked whether a file may be shared, in either protocol") {
  const auto store = std::make_shared<StagedFileStore>(true);
  store->put(some_file, "b.png", "image/png", "bytes", "ann");
  auto config = with_store(store);
  config.limits.answer_timeout = 100ms;
  Scene scene(config);
  std::vector<flux::LaterAnswer> kept;
  scene.server.on_file([&](flux::FileRequest& request) {
    const std::string user = request.session() ? std::string(request.session()->id()) : "nobody";
    if (request.action() != flux::FileAction::share || request.file().id != some_file || user == "nobody") {
      return request.refuse("another question");
    }
    if (request.room() == "late") return request.later().accept({.user_id = "ann"});
    if (request.room() == "never") return kept.push_back(request.later());
    if (request.room() == "dropped") return static_cast<void>(request.later());
    if (request.room() == "throws") {
      request.accept();
      throw std::runtime_error("no");
    }
    if (request.room() != "free") return request.refuse("not to be shown in \"" + request.room() + "\"");
    request.accept();
  });
  SocketIoClient eve(scene.port());
  LiveClient bob(scene.port());
  const auto by_eve = [&](std::string_view room) {
    make(eve, room, "history");
    enter(eve, room);
    const auto answer =
        eve.ask("room:upload", R"({"roomId":)" + sharing_test::quoted(room) + R"(,"data":)" + share_some_file + "}");
    return success(answer) ? std::string("shared") : why(answer);
  };
  const auto by_bob = [&](const std::string& room) {
    bob.join(room);
    const auto answer = bob.request("share", R"({"data":)" + share_some_file + "}");
    return type_of(answer) == "ack" ? "shared"
                                    : text_at(answer, "/payload/code") + ": " + text_at(answer, "/payload/message");
  };
  CHECK(by_eve("free") == "shared");
  CHECK(by_bob("free") == "shared");
  CHECK_FALSE(store->known().at(0).shared);
  CHECK(by_eve("not") == "not to be shown in \"not\"");
  CHECK(by_bob("not") == "FORBIDDEN: not to be shown in \"not\"");
  CHECK(why(eve.ask("public:upload", share_some_file)) == "not to be shown in \"\"");
  CHECK(by_eve("never") == "the application took too long to answer; try again");
  CHECK(by_bob("never") == "OVERLOADED: the application took too long to answer; try again");
  CHECK(by_eve("dropped") == "nobody answered");
  CHECK(by_eve("throws") == "the server failed to handle this message");
  CHECK(by_bob("throws") == "SERVER_ERROR: the server failed to handle this message");
  // The identity with which a share is accepted is the sharer's.
  CHECK(by_bob("late") == "shared");
  CHECK(store->known().at(0).shared);
}

TEST_CASE("sharing: a file that the application shares is deleted with its last item") {
  const auto store = std::make_shared<StagedFileStore>(false);
  store->put(some_file, "b.png", "image/png", "bytes");
  Scene scene(with_store(store));
  scene.port();
  REQUIRE(answer_of<flux::Position>([&](auto done) { scene.server.public_share_file(some_file, done); }));
  REQUIRE(public_delete_last(scene.server));
  CHECK(state_now(scene.server, *store) == flux::FileState::deleted);
}

// --- Concurrency ---

TEST_CASE("sharing: many threads, members of both protocols get everything, once, in one order") {
  constexpr int uploads = 100;
  constexpr int clients = 4;
  Scene scene(test_config(3));
  scene.port();
  (void)scene.server.create_room("r", {flux::RoomMode::history, 0, true});
  std::mutex mutex;
  std::vector<std::vector<std::string>> orders;
  Crew crew;
  const auto note = [&](std::vector<std::string> order) {
    const std::lock_guard lock(mutex);
    orders.push_back(std::move(order));
  };
  std::atomic<int> in{0};
  const auto all_in = [&] {
    ++in;
    return eventually([&] { return in == 2 * clients; });
  };
  for (int n = 0; n < clients; ++n) {
    crew.add([&, n] {
      SocketIoClient client(scene.server.port());
      enter(client, "r");
      all_in();
      for (int i = 0; i < uploads; ++i) client.emit("room:upload", text_upload("r", numbered("s", n * 1000 + i)));
      std::vector<std::string> order;
      while (order.size() < 2 * clients * uploads) order.push_back(text_at(client.next("room:data"), "/1/content"));
      note(std::move(order));
    });
    crew.add([&, n] {
      LiveClient client(scene.server.port());
      client.join("r");
      all_in();
      for (int i = 0; i < uploads; ++i) {
        client.send("share", R"({"data":{"type":"string","content":")" + numbered("l", n * 1000 + i) + "\"}}");
      }
      std::vector<std::string> order;
      while (order.size() < 2 * clients * uploads)
        order.push_back(text_at(client.next("room_data"), "/payload/data/content"));
      note(std::move(order));
    });
  }
  for (int n = 0; n < 2; ++n) {
    crew.add([&] {  // join and leave meanwhile
      for (int i = 0; i < 20; ++i) {
        SocketIoClient client(scene.server.port());
        enter(client, "r");
        const auto before = client.ask("room:history", quoted("r"));
        if (!success(before)) throw std::runtime_error(before.text());
        scene.server.presence("r");
      }
    });
  }
  crew.join();
  REQUIRE(orders.size() == 2 * clients);
  CHECK(std::set<std::string>(orders[0].begin(), orders[0].end()).size() == 2 * clients * uploads);
  for (const auto& order : orders) CHECK(order == orders[0]);
  CHECK(scene.server.room_items("r")->size() == 2 * clients * uploads);
}

TEST_CASE("sharing: every request has the name of a rate, that of protocol live's request where there is one") {
  const auto live = flux::detail::LiveSession::request_types();
  for (const auto& type : flux::detail::SharingSession::request_types()) {
    CAPTURE(type.name);
    const bool of_live = flux::protocol::find_request(live, type.operation) != nullptr;
    CHECK((of_live || type.operation == "close_room" || type.operation == "list_rooms"));
    const auto same =
        std::count_if(live.begin(), live.end(), [&](const auto& other) { return other.name == type.name; });
    if (same > 0) CHECK(type.operation == type.name);  // call, refresh
  }
}

TEST_CASE("sharing: a client that connects while the public space changes gets the changes in order") {
  auto config = test_config(2);
  config.limits.public_history_items_max = 1;
  Scene scene(config);
  scene.port();
  std::atomic<bool> stop{false};
  Crew crew;
  const std::shared_ptr<void> stops(nullptr, [&](void*) { stop = true; });  // before waiting for the crew
  crew.add([&] {
    for (int n = 1; !stop; ++n) scene.server.public_share(flux::JsonText::trusted(std::to_string(n)));
  });
  for (int i = 0; i < 50; ++i) {
    SocketIoClient client(scene.server.port());
    std::int64_t newest = -1;
    for (int n = 0; n < 20; ++n) {
      const std::int64_t told = client.next("public:history").get<std::int64_t>("/1/0").value_or(0);
      CHECK(told > newest);
      newest = told;
    }
  }
  stop = true;
  crew.join();
}

TEST_CASE("sharing: during a room:history, no item is repeated and none is missed") {
  Scene scene(test_config(2));
  scene.port();
  (void)scene.server.create_room("r", {flux::RoomMode::history, 0, true});
  std::atomic<bool> stop{false};
  Crew crew;
  crew.add([&] {
    for (int n = 0; n < 1000 && !stop; ++n) {
      scene.server.share("r", flux::JsonText::trusted(std::to_string(n)));
      std::this_thread::yield();
    }
  });
  SocketIoClient client(scene.server.port());
  enter(client, "r");
  for (int round = 0; round < 30; ++round) {
    const std::string items = client.ask("room:history", quoted("r")).at("/data")->text();
    std::int64_t newest = items == "[]" ? -1 : std::stoll(items.substr(items.find_last_of("[,") + 1));
    for (const auto& event : client.before_answer()) {
      if (text_at(event, "/0") == "room:data") CHECK(number_at(event, "/1") <= newest);
    }
    for (const auto& event : client.so_far()) {
      if (text_at(event, "/0") == "room:data") CHECK(number_at(event, "/1") == ++newest);
    }
  }
  stop = true;
  crew.join();
}

// --- Joining again ---

TEST_CASE("sharing: a rejoining client has the presence that the handler sets, and keeps its own if none is set") {
  Scene scene;
  std::atomic<int> joins{0};
  scene.server.on_join([&](flux::JoinRequest& join) {
    if (++joins < 3) join.presence = flux::JsonText::object({{"join", flux::JsonText::number(joins.load())}});
  });
  SocketIoClient ann(scene.port());
  make(ann, "r");
  const auto presence = [&] { return ann.ask("room:members", quoted("r")).at("/members/0/presence")->text(); };
  enter(ann, "r");
  CHECK(presence() == R"({"join":1})");
  LiveClient bob(scene.port());
  joins = 1;  // bob's join is not one of hers
  bob.join("r");
  joins = 1;
  enter(ann, "r");
  CHECK(presence() == R"({"join":2})");
  CHECK(bob.next("presence_updated").at("/payload/updated/0/presence")->text() == R"({"join":2})");
  enter(ann, "r");
  CHECK(presence() == R"({"join":2})");
}

TEST_CASE("sharing: an invalid room id in a join is reported as such, not as a missing room") {
  Scene scene;
  SocketIoClient ann(scene.port());
  CHECK_THAT(why(ann.ask("room:join", "\"\"")), ContainsSubstring("roomId is empty"));
  CHECK_THAT(why(ann.ask("room:join", sharing_test::quoted(std::string(300, 'r')))),
             ContainsSubstring("roomId has 300 bytes"));
  CHECK(why(ann.ask("room:join", "\"r\"")) == "Room not found.");
}

}  // namespace sharing_test
