// Verdicts that handlers give later, over protocol live and over data sharing.
#include "support/awaited.hpp"
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/sharing.hpp>
#include <flux/storage/memory_chat_store.hpp>

#include <atomic>
#include <optional>
#include <thread>

namespace later_verdicts_test {

using namespace flux_test;

namespace {

void in_other_thread(const std::function<void()>& act) { std::thread(act).join(); }

flux::Config with_chat() {
  auto config = test_config();
  config.chat.store = std::make_shared<flux::MemoryChatStore>();
  return config;
}

/// The bytes that the server takes from the client, until it takes none for a while; at most about `most`.
std::size_t taken_of_flood(TcpClient& client, std::size_t most) {
  const std::string bytes(64 * 1024, 'x');
  std::size_t taken = 0;
  pollfd accepts{client.native(), POLLOUT, 0};
  while (taken<most&& ::poll(&accepts, 1, 300)> 0) taken += client.send_some(bytes);
  return taken;
}

}  // namespace

TEST_CASE("verdict: if it is given later from another thread, the client's next messages wait for it") {
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

TEST_CASE("verdict: if there is none in time, the client gets OVERLOADED and continues") {
  auto config = test_config();
  config.limits.answer_timeout = std::chrono::milliseconds(50);
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

TEST_CASE("verdict: nothing happens if its client leaves, or the server stops and starts, while it is pending") {
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
  server.stop(0ms);
  in_other_thread([&] {
    left->accept();
    stopped.accept();
  });
  server.start();
  CHECK(server.rooms().empty());
}

TEST_CASE("verdict: if it is given later to a data sharing client, that client's next requests wait for it") {
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

TEST_CASE("verdict: a client is not read while one is pending, even if an earlier request was held in the same turn") {
  Awaited<flux::LaterVerdict> event;
  flux::Server server(with_chat());
  server.on_event([&](flux::EventMessage& message) { event.set(message.later()); });
  server.start();
  LiveClient client(server.port());
  client.join("r");
  REQUIRE(type_of(client.request("send_chat", R"({"message":"one"})")) == "ack");
  const std::string edit = R"({"type":"edit_chat","id":"edit","payload":{"offset":1,"message":"two"}})";
  const std::string ask = R"({"type":"broadcast_event","id":"ask","payload":{"event":"asked"}})";
  client.tcp.send(flux::testing::text_frame(edit) + flux::testing::text_frame(ask));  // in one segment
  const auto verdict = event.get();
  constexpr std::size_t flood = 64 * 1024 * 1024;
  CHECK(taken_of_flood(client.tcp, flood) < flood);  // as much as the sockets' buffers hold
  CHECK(server.stats().bytes_in < flood / 4);
}

TEST_CASE("verdict: a client's next messages wait for all verdicts that its request needs") {
  Awaited<flux::LaterVerdict> join, create;
  flux::Server server(test_config());
  server.on_join([&](flux::JoinRequest& request) { join.set(request.later()); });
  server.on_create_room([&](flux::RoomCreation& creation) { create.set(creation.later()); });
  server.start();
  LiveClient client(server.port());
  LiveClient other(server.port());
  client.tcp.send(flux::testing::text_frame(R"({"type":"join_room","id":"join","payload":{"roomId":"r"}})") +
                  flux::testing::text_frame(R"({"type":"broadcast_event","id":"event","payload":{"event":"e"}})"));
  const auto accept = [&](const flux::LaterVerdict& verdict) {
    for (int i = 0; i < 3; ++i) other.request("public_history");  // the loop takes turns: it has held the client
    in_other_thread([&] { verdict.accept(); });
  };
  accept(join.get());
  accept(create.get());
  CHECK(type_of(client.next()) == "room_joined");
  CHECK(text_at(client.next("ack"), "/id") == "join");
  const auto answer = client.next();
  CHECK(type_of(answer) == "ack");
  CHECK(text_at(answer, "/id") == "event");
}

TEST_CASE("verdict: a client whose data sharing socket is disconnected while one is pending may connect it again") {
  Awaited<flux::LaterVerdict> event;
  Awaited<flux::socketio::Socket> connected;
  std::atomic<bool> first{true};
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  io.on_connection([&](const flux::socketio::Socket& socket) {
    if (first.exchange(false)) connected.set(socket);
  });
  server.on_event([&](flux::EventMessage& message) { event.set(message.later()); });
  server.start();
  SocketIoClient client(server.port());
  const auto socket = connected.get();
  client.ask("room:create", R"({"roomId":"r","capacity":10,"mode":"live"})");
  client.ask("room:join", "\"r\"");
  client.emit("room:event", R"({"roomId":"r","event":"e"})");
  const auto verdict = event.get();
  socket.disconnect();
  client.send_text("40");
  std::string answer;
  while (answer.substr(0, 3) != "40{") answer = client.message();
  in_other_thread([&] { verdict.accept(); });
  CHECK(text_at(client.ask("room:members", "\"r\""), "/success") == "(none)");  // it is read from
}

TEST_CASE("verdict: a request whose handler closes its session is not acted on") {
  flux::Server server(with_chat());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_chat(
      [](flux::ChatDraft& draft) { draft.session.close(flux::CloseCode::policy_violation, "not like this"); });
  server.start();
  LiveClient witness(server.port());
  witness.join("r");
  SECTION("over protocol live") {
    LiveClient client(server.port());
    client.join("r");
    client.send("send_chat", R"({"message":"rude"})");
    CHECK(client.closed().code == 1008);
  }
  SECTION("over data sharing") {
    SocketIoClient client(server.port());
    client.ask("room:join", "\"r\"");
    client.emit("room:chat", R"({"roomId":"r","message":"rude"})");
    client.closed();
  }
  for (;;) {  // up to the change that says that the client has left
    const auto heard = witness.next();
    CHECK(type_of(heard) != "chat_message");
    if (type_of(heard) == "presence_updated" && server.presence("r").size() == 1) break;
  }
  CHECK(number_at(witness.request("chat_history"), "/payload/messages/0/offset") == -1);
}

}  // namespace later_verdicts_test
