// What clients may write (`RoomsOptions::content`), over protocol live and data sharing.
#include "support/server.hpp"
#include "support/socketio_client.hpp"

#include <flux/sharing.hpp>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace content_test {

using namespace flux_test;

namespace {

/// A server, a member of room "r" that listens, and what handlers were asked.
struct Room {
  explicit Room(const flux::ContentRules& rules, bool asks = true) : server(config(rules)), io(server) {
    if (asks) {
      server.on_event([this](flux::EventMessage& event) { note(event.event); });
      server.on_chat([this](flux::ChatDraft& draft) { note(draft.message); });
      server.on_chat_edit([this](flux::ChatEdit& edit) { note(edit.message); });
      server.on_share([this](flux::ShareDraft& draft) { note(draft.data.text()); });
      server.on_presence([this](flux::PresenceChange& change) { note(change.presence.text()); });
    }
    flux::socketio::serve_sharing(server, io);
    server.start();
  }
  static flux::Config config(const flux::ContentRules& rules) {
    auto config = test_config();
    config.rooms.content = rules;
    return config;
  }
  void note(const std::string& what) {
    const std::lock_guard lock(mutex);
    asked.push_back(what);
  }
  std::vector<std::string> asked_so_far() {
    const std::lock_guard lock(mutex);
    return std::exchange(asked, {});
  }
  std::mutex mutex;
  std::vector<std::string> asked;
  flux::Server server;
  flux::socketio::Io io;
};

constexpr flux::ContentRules rules{.message_bytes_max = 80, .refuse_scripts = true};

}  // namespace

TEST_CASE("content: what a client of protocol live may not write is refused, whatever the request") {
  const bool asks = GENERATE(true, false);
  Room room(rules, asks);
  LiveClient bob(room.server.port());
  bob.join("r");
  LiveClient ann(room.server.port());
  ann.join("r");
  bob.next("presence_updated");
  REQUIRE(type_of(ann.request("send_chat", R"({"message":"first"})")) == "ack");
  bob.next("chat_message");
  room.asked_so_far();
  const std::string escaped = R"("\u003cscript>")";
  const std::string large = quoted_x(81);
  const auto refused = [&](std::string_view type, const std::string& payload) {
    return code_of(ann.request(type, payload));
  };
  for (const auto& [text, code] : {std::pair(escaped, "INVALID_MESSAGE"), std::pair(large, "MESSAGE_TOO_LARGE")}) {
    CAPTURE(text);
    CHECK(refused("broadcast_event", R"({"event":"e","payload":)" + text + "}") == code);
    CHECK(refused("broadcast_event", R"({"event":)" + text + "}") == code);
    CHECK(refused("send_chat", R"({"message":)" + text + "}") == code);
    CHECK(refused("send_chat", R"({"message":"m","metadata":{"a":)" + text + "}}") == code);
    CHECK(refused("edit_chat", R"({"offset":1,"message":)" + text + "}") == code);
    CHECK(refused("edit_chat", R"({"offset":1,"message":"m","metadata":{"a":)" + text + "}}") == code);
    CHECK(refused("update_presence", R"({"presence":{"a":)" + text + "}}") == code);
    CHECK(refused("share", R"({"data":{"type":"string","content":)" + text + "}}") == code);
    CHECK(refused("public_share", R"({"data":{"type":"string","content":)" + text + "}}") == code);
    CHECK(refused("join_room", R"({"roomId":"other","presence":{"a":)" + text + "}}") == code);
  }
  CHECK(room.asked_so_far().empty());
  const auto why = ann.request("send_chat", R"({"message":)" + large + "}");
  CHECK(text_at(why, "/payload/message") == "Message too large: it has 81 bytes; at most 80 are allowed");
  CHECK(type_of(ann.request("edit_chat", R"({"offset":1,"message":"second"})")) == "ack");
  CHECK(type_of(ann.request("broadcast_event", R"({"event":"last","payload":"fine"})")) == "ack");
  // Bob gets what was permitted, and nothing else.
  CHECK(text_at(bob.next(), "/payload/message") == "second");
  CHECK(text_at(bob.next(), "/payload/event") == "last");
  CHECK(room.server.public_items().empty());
  // The application may write what it likes.
  CHECK(room.server.broadcast("r", "mine", flux::JsonText::string("<script>")).ok());
  CHECK(text_at(bob.next(), "/payload/payload") == "<script>");
}

TEST_CASE("content: what a client of data sharing may not write is refused, whatever the request") {
  Room room(rules);
  REQUIRE(room.server.create_room("r", {.mode = flux::RoomMode::history}).ok());
  SocketIoClient ann(room.server.port());
  ann.ask("room:join", "\"r\"");
  ann.ask("room:chat", R"({"roomId":"r","message":"first"})");
  room.asked_so_far();
  const std::string bad = R"("<b onclick=x>")";
  const auto message = [&](std::string_view event, const std::string& arguments) {
    return text_at(ann.ask(event, arguments), "/message").substr(0, 32);
  };
  const std::string invalid = "Message contains invalid content";
  CHECK(message("room:event", R"({"roomId":"r","event":"e","payload":)" + bad + "}") == invalid);
  CHECK(message("room:chat", R"({"roomId":"r","message":)" + bad + "}") == invalid);
  CHECK(message("room:editChat", R"({"roomId":"r","offset":1,"message":)" + bad + "}") == invalid);
  CHECK(message("room:presence", R"({"roomId":"r","presence":{"a":)" + bad + "}}") == invalid);
  CHECK(message("room:upload", R"({"roomId":"r","data":{"type":"string","content":)" + bad + "}}") == invalid);
  CHECK(message("public:upload", R"({"type":"string","content":)" + bad + "}") == invalid);
  CHECK(room.asked_so_far().empty());
  CHECK(room.server.room_items("r").value().empty());
}

TEST_CASE("content: nothing is refused by default") {
  Room room({});
  LiveClient ann(room.server.port());
  ann.join("r");
  CHECK(type_of(ann.request("send_chat", R"({"message":"<script>javascript: onclick=x"})")) == "ack");
  CHECK(type_of(ann.request("broadcast_event", R"({"event":"e","payload":"<script>"})")) == "ack");
}

}  // namespace content_test
