// Verdicts that handlers give later, over protocol live and over data sharing.
#include "support/awaited.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/sharing.hpp>

#include <atomic>
#include <optional>
#include <thread>

using namespace flux_test;

namespace {

void in_other_thread(const std::function<void()>& act) { std::thread(act).join(); }

}  // namespace

TEST_CASE("verdict: given later from another thread, the client's next messages wait for it") {
  Awaited<flux::LaterVerdict> join, event;
  flux::Server server(test_config());
  server.on_join([&](flux::JoinRequest& request) {
    if (request.session.identity().name == "Ann") join.set(request.later());
  });
  server.on_event([&](flux::EventMessage& message) {
    if (message.event == "asked") event.set(message.later());
  });
  server.start();
  LiveClient other(server.port());
  other.join("r");
  LiveClient client(server.port());
  client.send("join_room", R"({"roomId":"r","name":"Ann"})", "join");
  client.send("broadcast_event", R"({"event":"asked"})", "1");
  client.send("broadcast_event", R"({"event":"unasked"})", "2");
  const auto joins = join.get();
  CHECK(server.presence("r").size() == 1);
  in_other_thread([&] { joins.accept(); });
  CHECK(type_of(client.next()) == "room_joined");
  CHECK(text_at(client.next(), "/id") == "join");
  const auto asked = event.get();
  in_other_thread([&] { asked.refuse("no such event"); });
  const auto refused = client.next("error");
  CHECK(text_at(refused, "/id") == "1");
  CHECK(text_at(refused, "/payload/code") == "FORBIDDEN");
  CHECK(text_at(refused, "/payload/message") == "no such event");
  CHECK(text_at(client.next("ack"), "/id") == "2");
  CHECK(text_at(other.next("broadcast_event"), "/payload/event") == "unasked");
}

TEST_CASE("verdict: none in time, the client gets OVERLOADED and goes on") {
  auto config = test_config();
  config.limits.veto_timeout = std::chrono::milliseconds(50);
  Awaited<flux::LaterVerdict> join;
  flux::Server server(config);
  server.on_join([&](flux::JoinRequest& request) {
    if (request.room == "r") join.set(request.later());
  });
  server.start();
  LiveClient client(server.port());
  client.send("join_room", R"({"roomId":"r"})", "1");
  const auto late = client.next("error");
  CHECK(text_at(late, "/payload/code") == "OVERLOADED");
  client.join("other");
  join.get().accept();
  CHECK(server.presence("other").size() == 1);
  CHECK(server.presence("r").empty());
}

TEST_CASE("verdict: pending while its client leaves and the server stops and starts, nothing happens") {
  Awaited<flux::LaterVerdict> first, second;
  std::atomic<int> asked{0};
  flux::Server server(test_config());
  std::string id;
  server.on_join([&](flux::JoinRequest& request) {
    id = request.session.id();
    (asked++ == 0 ? first : second).set(request.later());
  });
  server.start();
  std::optional<flux::LaterVerdict> left;
  {
    LiveClient client(server.port());
    client.send("join_room", R"({"roomId":"r"})", "1");
    left = first.get();
    REQUIRE(server.disconnect(id, flux::CloseCode::policy_violation, "out").ok());
    CHECK(client.closed().code == 1008);
  }
  LiveClient client(server.port());
  client.send("join_room", R"({"roomId":"r"})", "1");
  const auto stopped = second.get();
  server.stop();
  in_other_thread([&] {
    left->accept();
    stopped.accept();
  });
  server.start();
  CHECK(server.rooms().empty());
}

TEST_CASE("verdict: given later to a client of data sharing, whose next requests wait for it") {
  Awaited<flux::LaterVerdict> share;
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  std::atomic<int> asked{0};
  server.on_share([&](flux::ShareDraft& draft) {
    if (asked++ == 0) share.set(draft.later());
  });
  server.start();
  SocketIoClient client(server.port());
  client.ask("room:create", R"({"roomId":"r","capacity":10,"mode":"history"})");
  client.ask("room:join", "\"r\"");
  client.emit("room:upload", R"({"roomId":"r","data":{"type":"string","content":"first"}})");
  client.emit("room:upload", R"({"roomId":"r","data":{"type":"string","content":"second"}})");
  const auto verdict = share.get();
  in_other_thread([&] { verdict.accept(); });
  CHECK(text_at(client.next("room:data"), "/1/content") == "first");
  CHECK(text_at(client.next("room:data"), "/1/content") == "second");
  CHECK(asked == 2);
}
