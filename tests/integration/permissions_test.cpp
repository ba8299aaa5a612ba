// What rooms, files and methods demand of a client's grant: over protocol live, data sharing and HTTP, when a client acts,
// and when its grant changes meanwhile.
#include "support/memory_file_store.hpp"
#include "support/memory_room_store.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/sharing.hpp>
#include <flux/storage/memory_chat_store.hpp>
#include <flux/testing/manual_clock.hpp>

#include <mutex>
#include <string>
#include <vector>

namespace permissions_test {

using namespace flux_test;
using flux::Errc;

namespace {

const flux::Demands every_demand{"read", "event", "set", "talk", "share", "past"};

std::vector<std::string> split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    parts.emplace_back(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return parts;
}
/// Of the user ann, with these permissions, separated by commas.
flux::Grant ann_with(std::string_view permissions) { return flux::Grant({.user_id = "ann"}, split(permissions)); }

/// A memory store whose pages of history can be held.
class HeldHistory final : public flux::ChatStore {
 public:
  flux::Result<flux::Offset> append(const flux::RoomId& room, const flux::ChatMessage& message) override {
    return store_.append(room, message);
  }
  flux::Result<std::vector<flux::ChatMessage>> history(const flux::RoomId& room, std::size_t limit,
                                                       flux::Offset before) override {
    if (holds) {
      asked.set(true);
      gate.wait();
    }
    return store_.history(room, limit, before);
  }
  bool may_block() const override { return true; }

  std::atomic<bool> holds{false};
  Awaited<bool> asked;
  Gate gate;

 private:
  flux::MemoryChatStore store_;
};

/// A server whose clients get the permissions that their token lists; those of data sharing get `of_sharing`. A client
/// without a token is not logged in.
struct Scene {
  explicit Scene(const std::function<void(flux::Config&)>& change = {}) : server(config(change)) {
    server.on_connect([this](flux::ConnectRequest& request) {
      const std::string list = request.protocol() == "socket.io" ? of_sharing : request.token();
      list.empty() ? request.accept() : request.accept(ann_with(list));
    });
    server.on_token([](flux::TokenRequest& request) { request.accept(ann_with(request.token())); });
    flux::socketio::Io io(server);
    flux::socketio::serve_sharing(server, io);
  }
  ~Scene() { server.stop(0ms); }

  static flux::Config config(const std::function<void(flux::Config&)>& change) {
    auto made = test_config();
    made.limits.rooms_per_connection = 10;
    if (change) change(made);
    return made;
  }
  std::uint16_t port() {
    if (!server.running()) server.start();
    return server.port();
  }
  LiveClient live(const std::string& permissions) {
    return LiveClient(port(), permissions.empty() ? "/live" : "/live?access_token=" + permissions);
  }
  SocketIoClient sharing(const std::string& permissions) {
    port();
    of_sharing = permissions;
    SocketIoClient client(port());
    client.next("public:history");
    return client;
  }
  /// Replaces the grant of a client that has joined a room; returns when it has it.
  void give(const LiveClient& client, std::string_view permissions) {
    give(server.session(client.id).value(), permissions);
  }
  static void give(const flux::Session& session, std::string_view permissions) {
    const auto grant = ann_with(permissions);
    session.set_grant(grant).value();
    REQUIRE(eventually([&] { return session.grant().permissions == grant.permissions; }));
  }

  std::string of_sharing;  // set before the client connects
  flux::Server server;
};

/// A room with all demands, and with something in its histories.
void make_room(Scene& scene, const flux::RoomId& room = "r:1") {
  scene.port();
  scene.server.create_room(room, {flux::RoomMode::history, 0, true, every_demand}).value();
  share(scene.server, room, flux::JsonText::string("old")).value();
  answer_of<flux::ChatMessage>([&](auto done) { scene.server.send_chat(room, {.message = "old"}, done); }).value();
}

std::string error_of(const flux::JsonText& answer) {
  return type_of(answer) == "error" ? text_at(answer, "/payload/code") + " " + text_at(answer, "/payload/message") : "";
}
std::string failure_of(const flux::JsonText& ack) {
  return ack.get<bool>("/success").value_or(false) ? "" : text_at(ack, "/message");
}

const std::string not_logged_in = "UNAUTHORIZED Insufficient permissions for room: r:1";
const std::string forbidden = "FORBIDDEN Insufficient permissions for room: r:1";

struct Act {
  const char* permission;
  const char* request;
  const char* payload;
};
constexpr Act live_acts[] = {
    {"event", "broadcast_event", R"({"event":"e"})"},
    {"set", "update_presence", R"({"presence":{"a":1}})"},
    {"talk", "send_chat", R"({"message":"m"})"},
    {"talk", "edit_chat", R"({"message":"m","offset":2})"},
    {"talk", "delete_chat", R"({"offset":2})"},
    {"share", "share", R"({"data":{"type":"string","content":"c"}})"},
    {"past", "get_history", "{}"},
    {"past", "room_items", "{}"},
};
constexpr Act sharing_acts[] = {
    {"event", "room:event", R"({"roomId":"r:1","event":"e"})"},
    {"set", "room:presence", R"({"roomId":"r:1","presence":{"a":1}})"},
    {"talk", "room:chat", R"({"roomId":"r:1","message":"m"})"},
    {"talk", "room:editChat", R"({"roomId":"r:1","message":"m","offset":2})"},
    {"talk", "room:deleteChat", R"({"roomId":"r:1","offset":2})"},
    {"share", "room:upload", R"({"roomId":"r:1","data":{"type":"string","content":"c"}})"},
    {"past", "room:chatHistory", R"({"roomId":"r:1"})"},
    {"past", "room:history", R"("r:1")"},
};

}  // namespace

TEST_CASE("permissions: over protocol live every act needs the permission that the room demands for it") {
  Scene scene;
  make_room(scene);
  auto reader = scene.live("read:r");
  reader.join("r:1");
  for (const Act& act : live_acts) {
    INFO(act.request);
    CHECK(error_of(reader.request(act.request, act.payload)) == forbidden);
  }
  CHECK(type_of(reader.request("get_presence")) == "ack");
  auto writer = scene.live("read:r,talk:r");  // so that there is a message of ann's at offset 2
  writer.join("r:1");
  CHECK(type_of(writer.request("send_chat", R"({"message":"mine"})")) == "ack");
  for (const Act& act : live_acts) {
    INFO(act.request);
    auto client = scene.live(std::string("read:r,") + act.permission + ":r:1");
    client.join("r:1");
    CHECK(error_of(client.request(act.request, act.payload)).empty());
  }
}

TEST_CASE("permissions: over data sharing every act needs the permission that the room demands for it") {
  Scene scene;
  make_room(scene);
  auto reader = scene.sharing("read:r");
  REQUIRE(failure_of(reader.ask("room:join", R"("r:1")")).empty());
  for (const Act& act : sharing_acts) {
    INFO(act.request);
    CHECK(failure_of(reader.ask(act.request, act.payload)) == "Insufficient permissions for room: r:1");
  }
  CHECK(failure_of(reader.ask("room:members", R"("r:1")")).empty());
  auto writer = scene.sharing("read:r,talk:r");
  writer.ask("room:join", R"("r:1")");
  CHECK(failure_of(writer.ask("room:chat", R"({"roomId":"r:1","message":"mine"})")).empty());
  for (const Act& act : sharing_acts) {
    INFO(act.request);
    auto client = scene.sharing(std::string("read:r,") + act.permission + ":r:1");
    client.ask("room:join", R"("r:1")");
    CHECK(failure_of(client.ask(act.request, act.payload)).empty());
  }
}

TEST_CASE("permissions: a client without the permission to join is refused, and told whether it must log in") {
  Scene scene;
  make_room(scene);
  const auto join = [&](const std::string& permissions) {
    auto client = scene.live(permissions);
    return error_of(client.request("join_room", R"({"roomId":"r:1"})"));
  };
  CHECK(join("") == not_logged_in);
  for (const char* insufficient : {"read", "read:", "read:s", "read:r1", "read:r:", "read:r:11", "write:r", "rea:r:1",
                                   "read:r:1:2", "admin", "talk:r:1"}) {
    INFO(insufficient);
    CHECK(join(insufficient) == forbidden);
  }
  for (const char* sufficient : {"read:r", "read:r:1", "read:r:*", "read:*", "*:*", "talk:x,read:r"}) {
    INFO(sufficient);
    CHECK(join(sufficient).empty());
  }
  auto socket = scene.sharing("write:r");
  CHECK(failure_of(socket.ask("room:join", R"("r:1")")) == "Insufficient permissions for room: r:1");
  auto nobody = scene.sharing("");
  CHECK(failure_of(nobody.ask("room:join", R"("r:1")")) == "Insufficient permissions for room: r:1");
}

TEST_CASE("permissions: names under system need admin") {
  Scene scene([](flux::Config& config) { config.rooms.demands.join = "read"; });
  auto reader = scene.live("read:*,read:system,*:*");
  const auto refused = reader.request("join_room", R"({"roomId":"system:log"})");
  CHECK(error_of(refused) == "FORBIDDEN System rooms require admin permission");
  auto admin = scene.live("admin");
  CHECK(error_of(admin.request("join_room", R"({"roomId":"system:log"})")).empty());
}

TEST_CASE("permissions: without that for the history a welcome has neither chat nor items") {
  Scene scene;
  make_room(scene);
  auto reader = scene.live("read:r");
  const auto welcome = reader.join("r:1");
  CHECK(text_at(welcome, "/payload/chatHistoryError/code") == "FORBIDDEN");
  CHECK(welcome.at("/payload/chatHistory")->text() == "[]");
  CHECK(welcome.at("/payload/data")->text() == "[]");
  CHECK(welcome.text().find("old") == std::string::npos);
  auto historian = scene.live("read:r,past:r");
  const auto all = historian.join("r:1");
  CHECK(text_at(all, "/payload/chatHistory/0/message") == "old");
  CHECK(text_at(all, "/payload/data/0/data") == "old");
  auto socket = scene.sharing("read:r");
  CHECK(socket.ask("room:join", R"("r:1")").text().find("old") == std::string::npos);
}

TEST_CASE("permissions: a client may join with a presence only if it may set one") {
  Scene scene;
  make_room(scene);
  auto reader = scene.live("read:r");
  CHECK(error_of(reader.request("join_room", R"({"roomId":"r:1","presence":{"a":1}})")) == forbidden);
  CHECK(error_of(reader.request("join_room", R"({"roomId":"r:1","presence":{ }})")).empty());
  auto present = scene.live("read:r,set:r");
  CHECK(error_of(present.request("join_room", R"({"roomId":"r:1","presence":{"a":1}})")).empty());
}

TEST_CASE("permissions: the server's demands hold for rooms without their own") {
  Scene scene([](flux::Config& config) { config.rooms.demands = {.join = "read", .events = "write"}; });
  scene.port();
  scene.server.create_room("open", {flux::RoomMode::live, 0, true, flux::Demands{}}).value();
  auto client = scene.live("read:a,write:a,read:b");
  CHECK(code_of(client.request("join_room", R"({"roomId":"c"})")) == "FORBIDDEN");
  CHECK(error_of(client.request("join_room", R"({"roomId":"a"})")).empty());
  CHECK(error_of(client.request("broadcast_event", R"({"roomId":"a","event":"e"})")).empty());
  CHECK(error_of(client.request("join_room", R"({"roomId":"b"})")).empty());
  CHECK(code_of(client.request("broadcast_event", R"({"roomId":"b","event":"e"})")) == "FORBIDDEN");
  CHECK(error_of(client.request("join_room", R"({"roomId":"open"})")).empty());
  CHECK(error_of(client.request("broadcast_event", R"({"roomId":"open","event":"e"})")).empty());
}

TEST_CASE("permissions: a room that a handler gives demands is not created by a client that may not join it") {
  Scene scene;
  scene.server.on_create_room([](flux::RoomCreation& creation) { creation.options.demands = every_demand; });
  auto client = scene.live("read:x");
  CHECK(error_of(client.request("join_room", R"({"roomId":"r:1"})")) == forbidden);
  CHECK(scene.server.stats().rooms_now == 0);
  auto reader = scene.live("read:r");
  CHECK(error_of(reader.request("join_room", R"({"roomId":"r:1"})")).empty());
  CHECK(error_of(reader.request("broadcast_event", R"({"event":"e"})")) == forbidden);
}

TEST_CASE("permissions: creating a room needs that which the server demands for it") {
  Scene scene([](flux::Config& config) { config.rooms.create_demand = "create"; });
  scene.port();
  scene.server.create_room("there", {flux::RoomMode::live, 0, true}).value();
  auto guest = scene.live("read:*");
  CHECK(error_of(guest.request("join_room", R"({"roomId":"there"})")).empty());
  CHECK(error_of(guest.request("join_room", R"({"roomId":"r:1"})")) == forbidden);
  CHECK(error_of(guest.request("create_room", R"({"roomId":"r:1","mode":"live"})")) == forbidden);
  auto host = scene.live("create:r");
  CHECK(error_of(host.request("create_room", R"({"roomId":"r:1","mode":"live"})")).empty());
  CHECK(error_of(host.request("join_room", R"({"roomId":"r:2"})")).empty());
  auto socket = scene.sharing("read:*");
  CHECK(failure_of(socket.ask("room:create", R"({"roomId":"r:3","capacity":2,"mode":"live"})")) ==
        "Insufficient permissions for room: r:3");
}

TEST_CASE("permissions: a membership that a new grant does not allow ends with a reason, others remain") {
  Scene scene([](flux::Config& config) { config.rooms.demands.join = "read"; });
  std::vector<std::string> left;  // the one loop's
  scene.server.on_leave([&](const flux::Session&, const flux::RoomId& room) { left.push_back(room); });
  auto ann = scene.live("read:a,read:b");
  ann.join("a");
  ann.join("b");
  auto watcher = scene.live("read:a");
  watcher.join("a");
  scene.give(ann, "read:b");
  const auto told = ann.next("room_left");
  CHECK(text_at(told, "/payload/roomId") == "a");
  CHECK(text_at(told, "/payload/reason") == "Insufficient permissions for room: a");
  CHECK(watcher.next("presence_updated").at("/payload/left")->text() == "[\"" + ann.id + "\"]");
  CHECK(code_of(ann.request("broadcast_event", R"({"roomId":"a","event":"e"})")) == "NOT_IN_ROOM");
  CHECK(error_of(ann.request("broadcast_event", R"({"roomId":"b","event":"e"})")).empty());
  CHECK(code_of(ann.request("join_room", R"({"roomId":"a"})")) == "FORBIDDEN");
  auto ben = scene.sharing("read:a");
  CHECK(failure_of(ben.ask("room:join", R"("a")")).empty());
  const auto members = scene.server.presence("a");
  REQUIRE(members.size() == 2);
  for (const auto& session : scene.server.sessions_of_user("ann")) {
    if (session.id() == members.back().connection_id) session.set_grant(ann_with("read:z")).value();
  }
  CHECK(text_at(ben.next("room:left"), "/1/reason") == "Insufficient permissions for room: a");
  scene.server.stop(0ms);
  REQUIRE(left.size() >= 2);
  CHECK(left[0] == "a");
}

TEST_CASE("permissions: a token with fewer permissions is acknowledged, then its client leaves the room") {
  Scene scene([](flux::Config& config) { config.rooms.demands = {.join = "read", .events = "write"}; });
  auto ann = scene.live("read:a,write:a");
  ann.join("a");
  CHECK(error_of(ann.request("broadcast_event", R"({"event":"e"})")).empty());
  CHECK(type_of(ann.request("refresh", R"({"accessToken":"read:a"})")) == "refreshed");
  CHECK(code_of(ann.request("broadcast_event", R"({"event":"e"})")) == "FORBIDDEN");
  CHECK(type_of(ann.request("refresh", R"({"accessToken":"write:a"})")) == "refreshed");
  CHECK(text_at(ann.next("room_left"), "/payload/roomId") == "a");
  CHECK(code_of(ann.request("broadcast_event", R"({"event":"e"})")) == "NOT_IN_ROOM");
}

TEST_CASE("permissions: a grant that changes while a join's verdict is pending decides") {
  Scene scene([](flux::Config& config) { config.rooms.demands.join = "read"; });
  Awaited<flux::LaterVerdict> verdict;
  Awaited<flux::Session> session;
  scene.server.on_join([&](flux::JoinRequest& request) {
    session.set(request.session);
    verdict.set(request.later());
  });
  auto ann = scene.live("read:a");
  ann.send("join_room", R"({"roomId":"a"})", "1");
  const auto later = verdict.get();
  scene.give(session.get(), "read:b");
  later.accept();
  CHECK(code_of(ann.next("error")) == "FORBIDDEN");
  CHECK(scene.server.presence("a").empty());
}

TEST_CASE("permissions: a grant that changes while a message's verdict is pending decides") {
  Scene scene(
      [](flux::Config& config) { config.rooms.demands = {.join = "read", .events = "write", .chat = "write"}; });
  Awaited<flux::LaterVerdict> event, chat;
  scene.server.on_event([&](flux::EventMessage& message) { event.set(message.later()); });
  scene.server.on_chat([&](flux::ChatDraft& draft) { chat.set(draft.later()); });
  auto ann = scene.live("read:a,write:a");
  ann.join("a");
  ann.send("broadcast_event", R"({"event":"e"})", "1");
  const auto of_event = event.get();
  scene.give(ann, "read:a");
  of_event.accept();
  CHECK(code_of(ann.next("error")) == "FORBIDDEN");
  scene.give(ann, "read:a,write:a");
  ann.send("send_chat", R"({"message":"m"})", "2");
  const auto of_chat = chat.get();
  scene.give(ann, "read:a");
  of_chat.accept();
  CHECK(code_of(ann.next("error")) == "FORBIDDEN");
}

TEST_CASE("permissions: history that is being read is not sent to a client that has lost the permission") {
  const auto store = std::make_shared<HeldHistory>();
  Scene scene([&](flux::Config& config) {
    config.chat.store = store;
    config.chat.join_history = 0;
    config.rooms.demands = {.join = "read", .history = "past"};
  });
  auto ann = scene.live("read:a,past:a");
  ann.join("a");
  ann.request("send_chat", R"({"message":"secret"})");
  store->holds = true;
  ann.send("get_history", "{}", "1");
  (void)store->asked.get();
  scene.give(ann, "read:a");
  store->gate.open();
  const auto answer = ann.next("error");
  CHECK(code_of(answer) == "FORBIDDEN");
  CHECK(text_at(answer, "/id") == "1");
}

TEST_CASE("permissions: a welcome whose history is being read has none for a client that has lost the permission") {
  const auto store = std::make_shared<HeldHistory>();
  Scene scene([&](flux::Config& config) {
    config.chat.store = store;
    config.rooms.demands = {.join = "read", .history = "past"};
  });
  scene.port();
  scene.server.create_room("a", {flux::RoomMode::live, 0, true}).value();
  answer_of<flux::ChatMessage>([&](auto done) { scene.server.send_chat("a", {.message = "secret"}, done); }).value();
  store->holds = true;
  auto ann = scene.live("read:a,past:a");
  ann.send("join_room", R"({"roomId":"a"})", "1");
  (void)store->asked.get();
  for (const auto& session : scene.server.sessions_of_user("ann")) scene.give(session, "read:a");
  store->gate.open();
  const auto welcome = ann.next("room_joined");
  CHECK(text_at(welcome, "/payload/chatHistoryError/code") == "FORBIDDEN");
  CHECK(welcome.text().find("secret") == std::string::npos);
}

TEST_CASE("permissions: the application can't put a client in a room whose demands it does not meet") {
  Scene scene;
  make_room(scene);
  auto ann = scene.live("read:a");
  ann.join("a");
  const auto join = [&] { return answer_of<void>([&](auto done) { scene.server.join(ann.id, "r:1", {}, done); }); };
  const auto refused = join();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == Errc::forbidden);
  scene.give(ann, "read:a,read:r");
  CHECK(join().ok());
}

TEST_CASE("permissions: a kept room has its demands after a restart") {
  const auto store = std::make_shared<MemoryRoomStore>();
  const auto keeps = [&](flux::Config& config) { config.rooms.store = store; };
  {
    Scene scene(keeps);
    make_room(scene);
  }
  Scene scene(keeps);
  auto guest = scene.live("read:x");
  CHECK(error_of(guest.request("join_room", R"({"roomId":"r:1"})")) == forbidden);
  auto reader = scene.live("read:r");
  const auto welcome = reader.join("r:1");
  CHECK(welcome.text().find("old") == std::string::npos);
}

TEST_CASE("permissions: a method is called only by clients whose grant allows it") {
  Scene scene;
  Awaited<flux::LaterReply> reply;
  int called = 0;
  scene.server.on_call("report",
                       [&](flux::Call& call) {
                         ++called;
                         reply.set(call.later());
                       },
                       {.permission = "run:reports"});
  scene.server.on_call("free", [](flux::Call& call) { call.reply(); });
  auto guest = scene.live("read:*,run:report");
  CHECK(error_of(guest.request("call", R"({"method":"report"})")) ==
        "FORBIDDEN Insufficient permissions for method: report");
  CHECK(error_of(guest.request("call", R"({"method":"free"})")).empty());
  auto nobody = scene.live("");
  CHECK(code_of(nobody.request("call", R"({"method":"report"})")) == "UNAUTHORIZED");
  auto socket = scene.sharing("read:*");
  CHECK(failure_of(socket.ask("call", R"("report")")) == "Insufficient permissions for method: report");
  auto ann = scene.live("run:reports,read:a");
  ann.join("a");
  ann.send("call", R"({"method":"report"})", "1");
  const auto later = reply.get();
  scene.give(ann, "read:a");
  later.reply(flux::JsonText::string("secret"));
  CHECK(code_of(ann.next("error")) == "FORBIDDEN");
  CHECK(called == 1);
}

TEST_CASE("permissions: one of a method that is no operation on a name is refused at once") {
  flux::Server server(test_config());
  for (const char* permission : {"admin", ":", "run:", ":reports", "run:*", "*:reports"}) {
    INFO(permission);
    const auto thrown = thrown_by([&] { server.on_call("m", [](flux::Call&) {}, {.permission = permission}); });
    CHECK(thrown.first == Errc::bad_config);
  }
  auto config = test_config();
  config.rooms.demands.chat = "write:chat";
  CHECK(
      thrown_by([&] { flux::Server(config).start(); }).second ==
      "Config::rooms.demands: what a room demands is an operation without scope, such as \"read\", not \"write:chat\"");
}

// --- Files ---

namespace {

/// `fields` with a token that lists these permissions.
std::string as(std::string_view permissions) {
  return permissions.empty() ? std::string() : "Authorization: Bearer " + std::string(permissions) + "\r\n";
}
HttpReply post_file(std::uint16_t port, std::string_view query, std::string_view permissions) {
  return HttpClient(port).request("POST /files" + std::string(query) + " HTTP/1.1\r\nHost: h\r\n" + as(permissions) +
                                  "Content-Type: text/plain\r\nContent-Length: 3\r\n\r\nabc");
}
HttpReply of_file(std::uint16_t port, std::string_view method, std::string_view id, std::string_view permissions) {
  return HttpClient(port).request(std::string(method) + " /files/" + std::string(id) + " HTTP/1.1\r\nHost: h\r\n" +
                                  as(permissions) + "\r\n");
}
std::string id_in(const HttpReply& reply) { return text_at(flux::JsonText::parse(reply.body).value(), "/fileId"); }

Scene file_scene(bool authenticated) {
  return Scene([authenticated](flux::Config& config) {
    config.files.store = std::make_shared<MemoryFileStore>(MemoryFileStoreOptions{});
    config.files.authenticated = authenticated;
    config.files.demands = {"upload", "download", "remove", "show"};
  });
}

}  // namespace

TEST_CASE("permissions: files need those of FileDemands, on files or on their room") {
  for (const bool authenticated : {true, false}) {
    INFO(authenticated);
    auto scene = file_scene(authenticated);
    const auto port = scene.port();
    const auto refused = post_file(port, "", "");
    CHECK(refused.status == 401);
    CHECK(refused.body == "Insufficient permissions for files");
    CHECK(post_file(port, "", "upload:r").status == 403);
    const auto made = post_file(port, "", "upload:files");
    REQUIRE(made.status == 201);
    const std::string id = id_in(made);
    CHECK(of_file(port, "GET", id, "").status == 401);
    CHECK(of_file(port, "GET", id, "upload:files").status == 403);
    CHECK(of_file(port, "GET", id, "download:files").body == "abc");
    CHECK(of_file(port, "DELETE", id, "download:files").status == 403);
  }
}

TEST_CASE("permissions: a file is uploaded to and shared in a room by clients that may") {
  auto scene = file_scene(true);
  const auto port = scene.port();
  const std::string id = id_in(post_file(port, "", "upload:files"));
  auto ann = scene.live("upload:a,show:b");
  ann.join("b");
  CHECK(code_of(ann.request("upload_ticket")) == "FORBIDDEN");
  const std::string item = R"({"data":{"type":"file","fileId":")" + id + "\"}}";
  CHECK(error_of(ann.request("share", item)).empty());
  ann.join("a");
  CHECK(code_of(ann.request("share", item)) == "FORBIDDEN");
  const auto ticket = ann.request("upload_ticket");
  REQUIRE(type_of(ticket) == "ack");
  const std::string query = "?ticket=" + text_at(ticket, "/payload/ticket");
  CHECK(post_file(port, query, "").status == 201);
  scene.give(ann, "show:a");
  CHECK(post_file(port, query, "").status == 403);
  CHECK(code_of(ann.request("public_upload_ticket")) == "FORBIDDEN");
  auto socket = scene.sharing("show:a");
  socket.ask("room:join", R"("a")");
  CHECK(failure_of(socket.ask_with_bytes(
            "room:upload",
            R"({"roomId":"a","data":{"type":"file","content":{"_placeholder":true,"num":0},"fileName":"f"}})",
            "abc")) == "Insufficient permissions for room: a");
}

TEST_CASE("permissions: a room that demands one for sharing is told of no upload without it") {
  Scene scene(
      [](flux::Config& config) { config.files.store = std::make_shared<MemoryFileStore>(MemoryFileStoreOptions{}); });
  make_room(scene);
  auto reader = scene.live("read:r");
  reader.join("r:1");
  CHECK(code_of(reader.request("upload_ticket")) == "FORBIDDEN");
  const auto refused = post_file(scene.port(), "?room=r:1", "read:r");
  CHECK(refused.status == 403);
  CHECK(refused.body == "Insufficient permissions for room: r:1");
  scene.give(reader, "read:r,share:r");
  CHECK(type_of(reader.request("upload_ticket")) == "ack");
  CHECK(post_file(scene.port(), "?room=r:1", "read:r").status == 201);
}

TEST_CASE("permissions: an upload ticket counts only as long as its client may share in the room") {
  Scene scene(
      [](flux::Config& config) { config.files.store = std::make_shared<MemoryFileStore>(MemoryFileStoreOptions{}); });
  make_room(scene);
  auto ann = scene.live("read:r,share:r");
  ann.join("r:1");
  const std::string query = "?ticket=" + text_at(ann.request("upload_ticket"), "/payload/ticket");
  CHECK(post_file(scene.port(), query, "").status == 201);
  scene.give(ann, "read:r");
  const auto refused = post_file(scene.port(), query, "");
  CHECK(refused.status == 403);
  CHECK(refused.body == "Insufficient permissions for room: r:1");
  scene.give(ann, "read:r,share:r");
  CHECK(post_file(scene.port(), query, "").status == 201);
}

TEST_CASE("permissions: a room is told no more of an upload whose client may no longer share there") {
  Scene scene(
      [](flux::Config& config) { config.files.store = std::make_shared<MemoryFileStore>(MemoryFileStoreOptions{}); });
  make_room(scene);
  auto watcher = scene.live("read:r");
  watcher.join("r:1");
  auto ann = scene.live("read:r,share:r");
  ann.join("r:1");
  const std::string path = "/files?upload_id=u&ticket=" + text_at(ann.request("upload_ticket"), "/payload/ticket");
  HttpClient uploader(scene.port());
  uploader.send("POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc");
  CHECK(watcher.next("broadcast_event").get<bool>("/payload/payload/done") == false);
  scene.give(ann, "read:r");
  uploader.send("def");
  CHECK(uploader.reply().status == 201);
  for (const auto& message : watcher.so_far()) CHECK(type_of(message) != "broadcast_event");
  scene.give(ann, "read:r,share:r");
  CHECK(HttpClient(scene.port()).request(post(path, "abc")).status == 201);
  while (watcher.next("broadcast_event").get<bool>("/payload/payload/done") != true) continue;
}

// --- Rates ---

TEST_CASE("rates: an operation beyond its rate is refused with the time to retry, in both protocols") {
  Scene scene([](flux::Config& config) {
    config.limits.operations["send_chat"].connection = {.count = 2, .per = std::chrono::hours(1)};
  });
  auto ann = scene.live("");
  ann.join("a");
  for (int i = 0; i < 2; ++i) CHECK(error_of(ann.request("send_chat", R"({"message":"m"})")).empty());
  const auto refused = ann.request("send_chat", R"({"message":"m"})");
  CHECK(error_of(refused) == "RATE_LIMITED Rate limit exceeded: at most 2 send_chat in 3600000 ms by one connection");
  CHECK(number_at(refused, "/payload/retryAfter") > 1'700'000);
  CHECK(number_at(refused, "/payload/retryAfter") <= 1'800'000);
  CHECK(error_of(ann.request("broadcast_event", R"({"event":"e"})")).empty());
  auto other = scene.live("");
  other.join("a");
  CHECK(error_of(other.request("send_chat", R"({"message":"m"})")).empty());
  auto socket = scene.sharing("");
  socket.ask("room:join", R"("a")");
  const auto chat = [&] { return socket.ask("room:chat", R"({"roomId":"a","message":"m"})"); };
  for (int i = 0; i < 2; ++i) CHECK(failure_of(chat()).empty());
  const auto told = chat();
  CHECK(failure_of(told) == "Rate limit exceeded: at most 2 send_chat in 3600000 ms by one connection");
  CHECK(number_at(told, "/retryAfter") > 1'700'000);
  CHECK(scene.server.stats().messages_rate_limited == 2);
}

TEST_CASE("rates: all connections of a user share those per user, over every protocol") {
  Scene scene(
      [](flux::Config& config) { config.limits.operations["call"].user = {.count = 3, .per = std::chrono::hours(1)}; });
  scene.server.on_call("m", [](flux::Call& call) { call.reply(); });
  auto one = scene.live("x:y");
  auto two = scene.live("x:y");
  auto three = scene.sharing("x:y");
  CHECK(error_of(one.request("call", R"({"method":"m"})")).empty());
  CHECK(error_of(two.request("call", R"({"method":"m"})")).empty());
  CHECK(failure_of(three.ask("call", R"("m")")).empty());
  CHECK(code_of(one.request("call", R"({"method":"m"})")) == "RATE_LIMITED");
  CHECK(failure_of(three.ask("call", R"("m")")) == "Rate limit exceeded: at most 3 call in 3600000 ms by one user");
  auto nobody = scene.live("");
  for (int i = 0; i < 5; ++i) CHECK(error_of(nobody.request("call", R"({"method":"m"})")).empty());
}

TEST_CASE("rates: a file request beyond its rate gets 429 and Retry-After") {
  Scene scene([](flux::Config& config) {
    config.clock = std::make_shared<flux::testing::ManualClock>();
    config.files.store = std::make_shared<MemoryFileStore>(MemoryFileStoreOptions{});
    config.limits.operations["file_upload"].user = {.count = 1, .per = std::chrono::minutes(1)};
  });
  const auto port = scene.port();
  CHECK(post_file(port, "", "x:y").status == 201);
  const auto refused = post_file(port, "", "x:y");
  CHECK(refused.status == 429);
  CHECK(refused.head.find("\r\nRetry-After: 60\r\n") != std::string::npos);
  CHECK(refused.body == "Rate limit exceeded: at most 1 file_upload in 60000 ms by one user");
}

TEST_CASE("rates: requests for files that do not exist count, for the address and for the user") {
  const std::string counted = GENERATE("address", "user");
  CAPTURE(counted);
  Scene scene([&](flux::Config& config) {
    config.trusted_proxies = {"127.0.0.1"};
    config.files.store = std::make_shared<MemoryFileStore>(MemoryFileStoreOptions{});
    for (const char* operation : {"file_upload", "file_download", "file_remove"}) {
      auto& rates = config.limits.operations[operation];
      (counted == "user" ? rates.user : rates.address) = {.count = 2, .per = std::chrono::hours(1)};
    }
  });
  const auto port = scene.port();
  int guesses = 0;
  const auto guessed = [&](const std::string& method, const std::string& fields = "") {
    const std::string id = "00000000-0000-4000-8000-00000000000" + std::to_string(guesses++ % 10);
    // A client that is counted by its user changes its address.
    const std::string from = counted == "user" ? numbered("192.0.2.", guesses) : "192.0.2.7";
    HttpClient client(port);
    client.send(method + " /files/" + id + " HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: " + from + "\r\n" + as("x:y") +
                fields + "\r\n");
    return client.reply(method == "HEAD").status;
  };
  const std::string tus = "Tus-Resumable: 1.0.0\r\n";
  const std::string chunk = tus + "Upload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n";
  for (const auto& [method, fields] :
       {std::pair("GET", std::string()), std::pair("DELETE", std::string()), std::pair("PATCH", chunk)}) {
    CAPTURE(method);
    CHECK(guessed(method, fields) == 404);
    CHECK(guessed(method, fields) == 404);
    CHECK(guessed(method, fields) == 429);
  }
  CHECK(guessed("HEAD") == 429);
  CHECK(guessed("HEAD", tus) == 429);
}

TEST_CASE("rates: a form counts once, however many files it has") {
  Scene scene([](flux::Config& config) {
    config.trusted_proxies = {"127.0.0.1"};
    config.files.store = std::make_shared<MemoryFileStore>(MemoryFileStoreOptions{});
    config.limits.operations["file_upload"] = {.user = {.count = 2, .per = std::chrono::hours(1)},
                                               .address = {.count = 2, .per = std::chrono::hours(1)}};
  });
  std::string form;
  for (const char* name : {"a", "b", "c"}) {
    form += "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" + std::string(name) + "\"\r\n\r\nx\r\n";
  }
  const std::string fields =
      as("x:y") + "X-Forwarded-For: 192.0.2.7\r\n" + "Content-Type: multipart/form-data; boundary=xyz\r\n";
  const auto status = [&] {
    return HttpClient(scene.port()).request(post("/files", form + "--xyz--\r\n", fields)).status;
  };
  CHECK(status() == 201);
  CHECK(status() == 201);
  CHECK(status() == 429);
}

TEST_CASE("rates: a token in join_room counts as a refresh, a join without one does not") {
  Scene scene([](flux::Config& config) {
    config.limits.operations["refresh"].connection = {.count = 2, .per = std::chrono::hours(1)};
  });
  auto ann = scene.live("x:y");
  const auto joined = [&](const std::string& members) {
    ann.send("join_room", R"({"roomId":"a")" + members + "}");
    const auto answer = ann.next();
    return type_of(answer) == "room_joined" ? "" : error_of(answer);
  };
  const std::string token = R"(,"accessToken":"x:y")";
  for (int i = 0; i < 3; ++i) CHECK(joined("").empty());
  CHECK(joined(token).empty());
  CHECK(type_of(ann.request("refresh", R"({"accessToken":"x:y"})")) == "refreshed");
  CHECK(joined(token) == "RATE_LIMITED Rate limit exceeded: at most 2 refresh in 3600000 ms by one connection");
  CHECK(code_of(ann.request("refresh", R"({"accessToken":"x:y"})")) == "RATE_LIMITED");
  CHECK(joined("").empty());
}

TEST_CASE("rates: a data sharing client that joins the namespace again has used what it has used") {
  Scene scene([](flux::Config& config) {
    config.limits.operations["call"].connection = {.count = 2, .per = std::chrono::hours(1)};
  });
  scene.server.on_call("m", [](flux::Call& call) { call.reply(); });
  auto socket = scene.sharing("");
  for (int i = 0; i < 2; ++i) CHECK(failure_of(socket.ask("call", R"("m")")).empty());
  CHECK_FALSE(failure_of(socket.ask("call", R"("m")")).empty());
  socket.send_text("41");
  socket.send_text("40");
  while (socket.message().substr(0, 2) != "40") continue;
  CHECK(failure_of(socket.ask("call", R"("m")")) ==
        "Rate limit exceeded: at most 2 call in 3600000 ms by one connection");
}

TEST_CASE("rates: the general limits say when to retry") {
  Scene scene([](flux::Config& config) {
    config.clock = std::make_shared<flux::testing::ManualClock>();
    config.limits.messages_per_second = 1;
    config.limits.message_burst = 1;
  });
  auto ann = scene.live("");
  ann.send("leave_room", "{}", "1");
  ann.send("leave_room", "{}", "2");
  const auto refused = ann.next("error");
  CHECK(code_of(refused) == "RATE_LIMITED");
  CHECK(number_at(refused, "/payload/retryAfter") > 0);
  CHECK(number_at(refused, "/payload/retryAfter") <= 1'000);
}

TEST_CASE("rates: a name that no request has, and a time out of range, are refused") {
  auto config = test_config();
  config.limits.operations["sendchat"].user.count = 1;
  CHECK(thrown_by([&] { flux::Server(config).start(); }).second ==
        "Limits::operations: there is no operation \"sendchat\"; they are named as requests of protocol live, such as "
        "\"send_chat\"");
  config.limits.operations = {};
  config.limits.operations["send_chat"].user = {.count = 1, .per = std::chrono::hours(25)};
  CHECK(thrown_by([&] { flux::Server server(config); }).second ==
        "Limits::operations[\"send_chat\"]: per must be 1 ms to one day, not 90000000 ms");
}

}  // namespace permissions_test
