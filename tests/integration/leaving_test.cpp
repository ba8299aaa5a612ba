// A client that leaves first receives everything sent before, whichever way it leaves.
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"

#include <flux/testing/manual_clock.hpp>

#include <algorithm>

namespace leaving_test {

using namespace flux_test;
using namespace flux::literals;

namespace {

using Texts = std::vector<std::string>;

/// The texts of the chat messages among `messages`, in order.
Texts chats_in(const Texts& messages) {
  Texts said;
  for (const std::string& text : messages) {
    const auto message = flux::JsonText::parse(text).value();
    if (type_of(message) == "chat_message") said.push_back(text_at(message, "/payload/message"));
  }
  return said;
}
Texts texts_of(const std::vector<flux::JsonText>& messages) {
  Texts texts;
  for (const auto& message : messages) texts.push_back(message.text());
  return texts;
}

Texts chats_before_end_of_room(SocketIoClient& client) {
  Texts said;
  for (auto event = client.next(); text_at(event, "/0") != "room:closed"; event = client.next())
    if (text_at(event, "/0") == "room:chat") said.push_back(text_at(event, "/1/message"));
  return said;
}

const Texts five = {"m0", "m1", "m2", "m3", "m4"};

/// Sends five chats and then `last`, in one write, so that the server reads them in one turn.
void say_five_then(LiveClient& client, const std::string& last) {
  std::string bytes;
  for (const std::string& text : five)
    bytes += flux::testing::text_frame(R"({"type":"send_chat","payload":{"message":")" + text + "\"}}");
  client.tcp.send(bytes + last);
}
std::string frame_of(std::string_view type, std::string_view payload) {
  return flux::testing::text_frame("{\"type\":\"" + std::string(type) + "\",\"payload\":" + std::string(payload) + "}");
}

}  // namespace

TEST_CASE("leaving: a client's own chats of the same turn arrive before it has left the room") {
  flux::Server server(test_config());
  server.start();
  LiveClient client(server.port());
  client.join("r");
  SECTION("leave_room without a roomId") { say_five_then(client, frame_of("leave_room", "{}")); }
  SECTION("leave_room with the roomId") { say_five_then(client, frame_of("leave_room", R"({"roomId":"r"})")); }
  CHECK(chats_in(texts_of(client.so_far())) == five);
}

TEST_CASE("leaving: a client that joins another room gets the chats of the previous one, then the welcome") {
  flux::Server server(test_config());
  server.start();
  LiveClient client(server.port());
  client.join("r");
  say_five_then(client, frame_of("join_room", R"({"roomId":"other"})"));
  const auto all = client.so_far();
  CHECK(chats_in(texts_of(all)) == five);
  REQUIRE(!all.empty());
  CHECK(type_of(all.back()) == "room_joined");
}

TEST_CASE("leaving: a connection that closes gets everything sent before, then the close frame") {
  auto config = test_config();
  config.limits.messages_per_second = 1;
  config.limits.message_burst = 6;
  config.clock = std::make_shared<flux::testing::ManualClock>();  // so that no message is allowed again meanwhile
  config.limits.rate_limit_strikes_max = 1;
  flux::Server server(config);
  server.start();
  LiveClient client(server.port());
  client.join("r");
  int code = 0;
  SECTION("by the client's close frame") {
    say_five_then(client, flux::testing::ClientFrame{.opcode = flux::transport::Opcode::close,
                                                     .payload = flux::testing::close_payload(1000, "")}
                              .bytes());
    code = 1000;
  }
  SECTION("by a frame that breaks the protocol") {
    say_five_then(client, flux::testing::ClientFrame{.opcode = static_cast<flux::transport::Opcode>(5)}.bytes());
    code = 1002;
  }
  SECTION("by its rate") {
    say_five_then(client, frame_of("send_chat", R"({"message":"one too many"})"));
    code = 4429;
  }
  const Closed how = client.closed();
  CHECK(how.code == code);
  CHECK(chats_in(client.before_close) == five);
}

TEST_CASE("leaving: a connection closed by the application gets everything sent before") {
  flux::Server server(test_config());
  server.on_chat([&](flux::ChatDraft& draft) {
    if (draft.message != "m4") return;
    draft.session.close(flux::CloseCode::policy_violation, "asked for");
    draft.refuse("too late");
  });
  server.start();
  LiveClient client(server.port());
  client.join("r");
  say_five_then(client, "");
  CHECK(client.closed().code == 1008);
  CHECK(chats_in(client.before_close) == Texts{"m0", "m1", "m2", "m3"});
}

TEST_CASE("leaving: a closing room and a stopping server deliver everything sent before") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_chat([&](flux::ChatDraft& draft) {
    if (draft.message == "close") (void)server.close_room("r", "done");
  });
  server.start();
  LiveClient client(server.port());
  SocketIoClient socket(server.port());
  client.join("r");
  socket.ask("room:join", "\"r\"");
  SECTION("the room") {
    say_five_then(client, frame_of("send_chat", R"({"message":"close"})"));
    Texts heard;
    for (auto message = client.next(); type_of(message) != "room_closed"; message = client.next())
      heard.push_back(message.text());
    CHECK(chats_in(heard) == five);
    CHECK(chats_before_end_of_room(socket) == five);
  }
  SECTION("the server") {
    for (int i = 0; i < 5; ++i) REQUIRE(server.broadcast("r", numbered("e", i), "1"_json).ok());
    Crew crew;
    crew.add([&] { server.stop(5s); });  // returns when the clients have closed
    int heard = 0;
    while (text_at(socket.next("room:event"), "/1/event") != "e4") ++heard;
    CHECK(heard == 4);
    CHECK(client.closed().code == 1001);
    CHECK(std::count_if(client.before_close.begin(), client.before_close.end(), [](const std::string& text) {
            return type_of(flux::JsonText::parse(text).value()) == "broadcast_event";
          }) == 5);
    CHECK_NOTHROW(socket.closed());
  }
}

TEST_CASE("leaving: a Socket.IO client gets the room's messages before the answer that it has left") {
  SharingScene scene;
  flux::Server& server = scene.server;
  SocketIoClient client(server.port());
  client.ask("room:create", R"({"roomId":"r","capacity":10,"mode":"live"})");
  client.ask("room:join", "\"r\"");
  client.before_answer();
  std::string bytes;
  for (const std::string& text : five)
    bytes += flux::testing::text_frame(R"(42["room:chat",{"roomId":"r","message":")" + text + "\"}]");
  SECTION("by room:leave") {
    client.tcp.send(bytes + flux::testing::text_frame(R"(42["room:leave","r"])"));
    Texts said;
    for (const auto& event : client.so_far())
      if (text_at(event, "/0") == "room:chat") said.push_back(text_at(event, "/1/message"));
    CHECK(said == five);
  }
  SECTION("by closing the room") {
    client.tcp.send(bytes + flux::testing::text_frame(R"(42["room:close",{"roomId":"r"}])"));
    CHECK(chats_before_end_of_room(client) == five);
  }
}

TEST_CASE("leaving: a Socket.IO connection that closes gets everything sent before") {
  auto config = test_config();
  config.limits.messages_per_second = 1;
  config.limits.message_burst = 7;
  config.clock = std::make_shared<flux::testing::ManualClock>();  // so that no message is allowed again meanwhile
  config.limits.rate_limit_strikes_max = 1;
  flux::Server server(config);
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  io.on_connection([](const flux::socketio::Socket& socket) {
    socket.on("end", [socket](flux::socketio::Event&) { socket.disconnect(true); });
  });
  server.start();
  SocketIoClient client(server.port());
  client.ask("room:create", R"({"roomId":"r","capacity":10,"mode":"live"})");
  client.ask("room:join", "\"r\"");
  std::string bytes;
  for (const std::string& text : five)
    bytes += flux::testing::text_frame(R"(42["room:chat",{"roomId":"r","message":")" + text + "\"}]");
  SECTION("by the application") { client.tcp.send(bytes + flux::testing::text_frame(R"(42["end"])")); }
  SECTION("by its rate") {
    client.tcp.send(bytes + flux::testing::text_frame(R"(42["x"])") + flux::testing::text_frame(R"(42["x"])"));
  }
  client.closed();
  int heard = 0;
  for (const std::string& text : client.before_close) heard += text.find("room:chat") != std::string::npos;
  CHECK(heard == 5);
}

}  // namespace leaving_test
