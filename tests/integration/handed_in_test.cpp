// Text passed in by the application: repaired if it is not UTF-8, refused in names, and no client is disconnected
// because of it. WebSocket clients close a connection whose text frame is not UTF-8; those here check each frame.
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"

#include <flux/engineio.hpp>
#include <flux/sharing.hpp>
#include <flux/socketio.hpp>
#include <flux/storage/memory_chat_store.hpp>
#include <flux/testing/manual_clock.hpp>

#include <mutex>

namespace handed_in_test {

using namespace flux_test;
using namespace flux::literals;
using Catch::Matchers::ContainsSubstring;

namespace {

// U+1F600 without its last byte, as `text.resize(…)` leaves it; and its repaired form.
const std::string cut = "caf\xC3\xA9 \xF0\x9F\x98";
const std::string mended = "caf\xC3\xA9 \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD";
const std::string bad_name = "name\xFF";

/// Collects what a server logs at level error.
struct ErrorLog {
  void set_up(flux::Config& config) {
    config.log = [this](flux::LogLevel level, std::string_view message) {
      const std::lock_guard lock(mutex);
      if (level == flux::LogLevel::error) text.append(message).append("\n");
    };
  }
  std::string read() {
    const std::lock_guard lock(mutex);
    return text;
  }
  std::mutex mutex;
  std::string text;
};

}  // namespace

TEST_CASE(
    "handed in: a chat handler truncates a message inside a code point, everybody gets it repaired, newcomers too") {
  auto config = test_config();
  config.chat.store = std::make_shared<flux::MemoryChatStore>();
  flux::Server server(config);
  server.on_chat([](flux::ChatDraft& chat) {
    chat.message = cut + std::string("\0", 1);
    chat.metadata = flux::JsonText::trusted("{\"by\":\"" + cut + "\"}");
  });
  server.start();
  LiveClient sender(server.port());
  LiveClient member(server.port());
  sender.join("r");
  member.join("r");
  REQUIRE(type_of(sender.request("send_chat", R"({"message":"x"})")) == "ack");
  const auto heard = member.next("chat_message");
  CHECK(text_at(heard, "/payload/message") == mended + "\xEF\xBF\xBD");
  CHECK(text_at(heard, "/payload/metadata/by") == mended);
  LiveClient newcomer(server.port());
  const auto welcome = newcomer.join("r");
  CHECK(text_at(welcome, "/payload/chatHistory/0/message") == mended + "\xEF\xBF\xBD");
  CHECK(sender.so_far().size() >= 1);  // it is still connected
}

TEST_CASE("handed in: a handler's invalid change, the client gets the error with its id and stays connected") {
  ErrorLog log;
  auto config = test_config();
  config.limits.chat_bytes_max = 10;
  config.limits.metadata_bytes_max = 10;
  config.limits.presence_bytes_max = 10;
  log.set_up(config);
  flux::Server server(config);
  std::string event_name = bad_name;
  server.on_event([&](flux::EventMessage& message) { message.event = event_name; });
  server.on_chat([](flux::ChatDraft& chat) { chat.message += std::string(10, 'x'); });
  server.on_presence([](flux::PresenceChange& change) { change.presence = "[1]"_json; });
  server.start();
  LiveClient client(server.port());
  client.join("r");
  const auto refused = [&](std::string_view type, std::string_view payload, std::string_view code,
                           const std::string& part) {
    const auto answer = client.request(type, payload);
    CHECK(code_of(answer) == code);
    CHECK_THAT(text_at(answer, "/payload/message"), ContainsSubstring(part));
    CHECK_THAT(log.read(), ContainsSubstring(part));
    CHECK_THAT(log.read(), ContainsSubstring("room \"r\", client 127.0.0.1:"));
  };
  refused("broadcast_event", R"({"event":"e"})", "INVALID_MESSAGE", "not UTF-8");
  event_name.clear();
  refused("broadcast_event", R"({"event":"e"})", "INVALID_MESSAGE", "1 to 256 bytes, not 0");
  event_name.assign(257, 'e');
  refused("broadcast_event", R"({"event":"e"})", "INVALID_MESSAGE", "1 to 256 bytes, not 257");
  refused("send_chat", R"({"message":"x"})", "MESSAGE_TOO_LARGE", "message has 11 bytes; at most 10");
  refused("update_presence", R"({"presence":{}})", "INVALID_MESSAGE", "presence must be an object");
  CHECK(server.stats().handler_errors == 5);
}

TEST_CASE("handed in: refusals, reasons and identities are repaired") {
  flux::Server server(test_config());
  server.on_connect([](flux::ConnectRequest& request) {
    if (request.query("refused")) return request.refuse(cut);
    request.accept({"u", cut, "a@example.com", "test", false});
  });
  server.on_event([](flux::EventMessage& message) { message.refuse(cut); });
  server.start();
  const Closed refused = how_closed(server.port(), "/live?refused=1");
  CHECK(refused.code == 4401);
  CHECK(refused.reason == mended);
  LiveClient client(server.port());
  const auto welcome = client.join("r");
  CHECK(text_at(welcome, "/payload/presence/" + client.id + "/name") == mended);
  CHECK(text_at(client.request("broadcast_event", R"({"event":"e"})"), "/payload/message") == mended);
  REQUIRE(server.close_room("r", cut));
  CHECK(text_at(client.next("room_closed"), "/payload/reason") == mended);
  // At most 123 bytes, and whole code points.
  REQUIRE(server.disconnect(client.id, flux::CloseCode::policy_violation, cut + std::string(107, 'x') + "\xC3\xA9"));
  CHECK(client.closed().reason == mended + std::string(107, 'x'));
}

TEST_CASE("handed in: a user id that is not UTF-8, the client is refused and the log says why") {
  ErrorLog log;
  auto config = test_config();
  log.set_up(config);
  flux::Server server(config);
  server.on_connect([](flux::ConnectRequest& request) {
    if (request.query("later")) return request.later().accept({bad_name, {}, {}, {}, false});
    if (request.query("bad")) return request.accept({"u", {}, bad_name, {}, false});
    request.accept();
  });
  server.on_token([](flux::TokenRequest& request) { request.accept({{}, {}, {}, bad_name, false}); });
  server.start();
  for (const char* path : {"/live?bad=1", "/live?later=1"}) {
    CHECK(how_closed(server.port(), path).code == 4401);
  }
  LiveClient client(server.port());
  CHECK(code_of(client.request("join_room", R"({"roomId":"r","accessToken":"t"})")) == "UNAUTHORIZED");
  client.join("r");
  CHECK(server.session(client.id)->identity() == flux::Identity{});
  for (const char* name : {"user_id", "email", "provider"}) {
    CHECK_THAT(log.read(), ContainsSubstring("Identity::" + std::string(name) + " must be UTF-8"));
  }
}

TEST_CASE("handed in: the server's methods refuse names that are not UTF-8, and repair such JSON") {
  flux::Server server(test_config());
  server.start();
  LiveClient client(server.port());
  client.join("r");
  const auto bad_json = flux::JsonText::trusted("\"" + cut + "\"");
  const auto code = [](const auto& result) { return result ? flux::Errc{} : result.error().code(); };
  CHECK(code(server.broadcast("r", bad_name, "1"_json)) == flux::Errc::invalid_argument);
  const auto session = server.session(client.id).value();
  CHECK(code(session.send(bad_name, "1"_json)) == flux::Errc::invalid_argument);
  CHECK(code(session.send("e", "1"_json, bad_name)) == flux::Errc::invalid_argument);
  CHECK(code(session.send("e", flux::JsonText::parse(quoted_x(1'048'576)).value())) == flux::Errc::message_too_large);
  CHECK(code(server.broadcast("r", "e", bad_json)) == flux::Errc{});
  CHECK(text_at(client.next("broadcast_event"), "/payload/payload") == mended);
  CHECK(code(session.send("e", bad_json)) == flux::Errc{});
  CHECK(text_at(client.next("broadcast_event"), "/payload/payload") == mended);
  CHECK(code(share(server, "r", bad_json)) == flux::Errc{});
  CHECK(text_at(client.next("room_data"), "/payload/data") == mended);
  CHECK(code(answer_of<flux::ChatMessage>([&](auto done) { server.send_chat("r", cut, {}, done); })) == flux::Errc{});
  CHECK(text_at(client.next("chat_message"), "/payload/message") == mended);
  CHECK(code(answer_of<flux::ChatMessage>([&](auto done) { server.edit_chat("r", 1, cut, {}, done); })) ==
        flux::Errc{});
  CHECK(text_at(client.next("chat_edited"), "/payload/message") == mended);
  const auto halves = "[\"\\ud83d\",\"\\ude00\",\"\\ud83d\\ude00\"]"_json;
  CHECK(code(server.broadcast("r", "e", halves)) == flux::Errc{});
  CHECK(client.next("broadcast_event").at("/payload/payload")->text() ==
        "[\"\\ufffd\",\"\\ufffd\",\"\\ud83d\\ude00\"]");
}

TEST_CASE("handed in: raw endpoints send text repaired, bytes unchanged") {
  flux::Server server(test_config());
  flux::WebSocketEndpoint raw;
  raw.on_message = [](const flux::WebSocket& socket, std::string_view message, flux::MessageType type) {
    if (message == "close") return socket.close(flux::CloseCode::normal, cut);
    socket.send(message.substr(0, message.size() - 1), type);
  };
  server.websocket("/raw", raw);
  flux::engineio::Endpoint engine;
  engine.on_message = [](const flux::engineio::Socket& socket, std::string_view message, flux::MessageType type) {
    socket.send(message.substr(0, message.size() - 1), type);
  };
  flux::engineio::serve(server, engine);
  server.start();
  WebSocketClient client(server.port(), "/raw");
  client.send_text("\xF0\x9F\x98\x80");
  CHECK(client.message() == "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  client.send_binary("\xF0\x9F\x98\x80");
  CHECK(client.message() == "\xF0\x9F\x98");
  client.send_text("close");
  CHECK(client.closed().reason == mended);
  WebSocketClient browser(server.port(), "/engine.io/?EIO=4&transport=websocket");
  CHECK(browser.message().substr(0, 1) == "0");
  browser.send_text("4\xF0\x9F\x98\x80");
  CHECK(browser.message() == "4\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("handed in: Socket.IO refuses names and repairs text, lone surrogates too") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  Awaited<std::vector<flux::Errc>> codes;
  io.of("/refusing").use([](const flux::socketio::Socket&, const flux::socketio::Next& next) {
    next.refuse(cut, flux::JsonText::trusted("\"" + cut + "\""));
  });
  io.on_connection([&](const flux::socketio::Socket& socket) {
    socket.on("go", [&, socket](const flux::socketio::Event& event) {
      const auto code = [](const auto& result) { return result ? flux::Errc{} : result.error().code(); };
      codes.set({code(socket.emit(bad_name)), code(socket.to("room").emit(bad_name)), code(io.emit(bad_name)),
                 code(socket.join(bad_name)), code(socket.emit(bad_name, {}, 1000ms, {}))});
      socket.emit("said", {flux::JsonText::trusted("\"" + cut + "\""), event.arg(0)});
    });
  });
  server.start();
  SocketIoClient client(server.port());
  client.emit("go", R"(["\ud83d","\ude00"])");
  CHECK(client.next("said").text() == "[\"said\",\"" + mended + "\",[\"\\ufffd\",\"\\ufffd\"]]");
  CHECK(codes.get() == std::vector<flux::Errc>(5, flux::Errc::invalid_argument));
  client.send_text("40/refusing,");
  CHECK(client.message() == "44/refusing,{\"message\":\"" + mended + "\",\"data\":\"" + mended + "\"}");
}

TEST_CASE(
    "handed in: data sharing checks what handlers change, and repairs the name that it is given, as protocol live "
    "does") {
  flux::Server server(test_config());
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = "u", .name = cut}); });
  server.on_chat([](flux::ChatDraft& chat) { chat.message = cut; });
  server.on_event([](flux::EventMessage& message) { message.event = bad_name; });
  server.start();
  SocketIoClient client(server.port());
  REQUIRE(client.ask("room:create", R"({"roomId":"r","capacity":5,"mode":"live"})").get<bool>("/success") == true);
  REQUIRE(client.ask("room:join", R"("r")").get<bool>("/success") == true);
  CHECK(text_at(client.ask("room:members", R"("r")"), "/members/0/name") == mended);
  REQUIRE(client.ask("room:chat", R"({"roomId":"r","message":"x"})").get<bool>("/success") == true);
  CHECK(text_at(client.next("room:chat"), "/1/message") == mended);
  const auto refused = client.ask("room:event", R"({"roomId":"r","event":"e"})");
  CHECK(refused.get<bool>("/success") == false);
  CHECK_THAT(text_at(refused, "/message"), ContainsSubstring("not UTF-8"));
}

TEST_CASE("lone surrogates: live and data sharing relay them as U+FFFD, and refuse them in names with the id") {
  SharingScene scene;
  flux::Server& server = scene.server;
  LiveClient live(server.port());
  SocketIoClient sharing(server.port());
  live.join("r");
  REQUIRE(sharing.ask("room:join", R"("r")").get<bool>("/success") == true);
  const std::string fffd = "\"\\ufffd\"";

  for (const std::string half : {"\"\\ud83d\"", "\"\\ude00\""}) {
    CAPTURE(half);
    CHECK(type_of(live.request("send_chat", "{\"message\":" + half + ",\"metadata\":[" + half + "]}")) == "ack");
    const auto chat = sharing.next("room:chat");
    CHECK(text_at(chat, "/1/message") == "\xEF\xBF\xBD");
    CHECK(chat.at("/1/metadata")->text() == "[" + fffd + "]");
    CHECK(type_of(live.request("broadcast_event", R"({"event":"e","payload":)" + half + "}")) == "ack");
    CHECK(sharing.next("room:event").at("/1/payload")->text() == fffd);
    CHECK(type_of(live.request("update_presence", R"({"presence":{"a":)" + half + "}}")) == "ack");
    CHECK(sharing.next("room:presence").at("/1/updated/0/presence")->text() == "{\"a\":" + fffd + "}");
    CHECK(type_of(live.request("share", R"({"data":{"type":"string","content":)" + half + "}}")) == "ack");
    CHECK(sharing.next("room:data").at("/1/content")->text() == fffd);
    CHECK(code_of(live.request("broadcast_event", "{\"event\":" + half + "}")) == "INVALID_MESSAGE");
    CHECK(code_of(live.request("join_room", "{\"roomId\":" + half + "}")) == "INVALID_MESSAGE");

    REQUIRE(sharing.ask("room:chat", R"({"roomId":"r","message":)" + half + "}").get<bool>("/success") == true);
    CHECK(text_at(live.next("chat_message"), "/payload/message") == "\xEF\xBF\xBD");
    sharing.ask("room:event", R"({"roomId":"r","event":"e","payload":)" + half + "}");
    CHECK(live.next("broadcast_event").at("/payload/payload")->text() == fffd);
    sharing.ask("room:upload", R"({"roomId":"r","data":{"type":"string","content":)" + half + "}}");
    CHECK(live.next("room_data").at("/payload/data/content")->text() == fffd);
    CHECK_THAT(text_at(sharing.ask("room:event", R"({"roomId":"r","event":)" + half + "}"), "/message"),
               ContainsSubstring("lone surrogate"));
    CHECK_THAT(
        text_at(sharing.ask("room:create", "{\"roomId\":" + half + R"(,"capacity":5,"mode":"live"})"), "/message"),
        ContainsSubstring("lone surrogate"));
  }
}

TEST_CASE("live: JSON in a binary frame is read, bytes that are not UTF-8 are an error with the id") {
  flux::Server server(test_config());
  server.start();
  LiveClient client(server.port());
  client.send_binary(R"({"type":"join_room","id":"b","payload":{"roomId":"r"}})");
  CHECK(type_of(client.next()) == "room_joined");
  CHECK(text_at(client.next("ack"), "/id") == "b");
  client.send_binary("{\"type\":\"send_chat\",\"id\":7,\"payload\":{\"message\":\"\xF0\x9F\x98\"}}");
  const auto error = client.next("error");
  CHECK(code_of(error) == "INVALID_JSON");
  CHECK(number_at(error, "/id") == 7);
}

TEST_CASE("live: an error has the id that precedes the fault in its message") {
  auto config = test_config();
  config.limits.messages_per_second = 1;
  config.limits.message_burst = 8;
  config.limits.json_depth_max = 8;
  config.clock = std::make_shared<flux::testing::ManualClock>();
  flux::Server server(config);
  server.start();
  LiveClient client(server.port());
  const auto id_of_error = [&](const std::string& behind) {
    client.send_text("{\"type\":\"send_chat\",\"id\":\"me\"," + behind);
    return text_at(client.next("error"), "/id");
  };
  CHECK(id_of_error(R"("payload":{"message":"x","metadata":[[[[[[[[[]]]]]]]]]}})") == "me");  // too deep
  CHECK(id_of_error(R"("payload":{"message":"x","metadata":1e400}})") == "me");               // past double's range
  CHECK(id_of_error(R"("payload":{"message":)") == "me");                                     // truncated
  CHECK(id_of_error(R"("payload":{"message":7}})") == "me");                                  // of a wrong type
  CHECK(id_of_error(R"("payload":[]})") == "me");
  CHECK(id_of_error(R"("payload":{"message":)" + quoted_x(65'537) + "}}") == "me");  // over its limit
  client.send_text(R"({"type":"send_chat","payload":{"message":"\ud83d","id":"inside"}},"id":"behind"})");
  CHECK(text_at(client.next("error"), "/id") == "(none)");
  client.send_text(R"({"type":"leave_room","id":"\ud83d"})");
  CHECK(client.next("error").at("/id")->text() == "\"\\ud83d\"");
  // Now the rate limit applies; of a long message only the beginning is read.
  CHECK(id_of_error(R"("payload":{"message":)" + quoted_x(60'000) + "}}") == "me");
  client.send_text(R"({"id":12345,"x":")" + std::string(4069, 'x') + R"(","payload":{}})");
  CHECK(number_at(client.next("error"), "/id") == 12345);
}

}  // namespace handed_in_test
