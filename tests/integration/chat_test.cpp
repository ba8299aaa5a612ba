// What clients and the application do with chat messages, over protocol live and data sharing.
#include "support/server.hpp"
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"

#include <flux/storage/memory_chat_store.hpp>

namespace chat_test {

using namespace flux_test;

namespace {

/// A client that shows the token "ann" is the user "ann".
void trust_tokens(flux::Server& server) {
  server.on_connect([](flux::ConnectRequest& request) { request.accept({.user_id = request.token()}); });
}
LiveClient client_of(const flux::Server& server, const std::string& user) {
  LiveClient client(server.port(), user.empty() ? "/live" : "/live?access_token=" + user);
  client.join("r");
  return client;
}

/// The texts of the chat messages that the client has received, in one string.
std::string heard(LiveClient& client) {
  std::string texts;
  for (const auto& message : client.so_far()) {
    if (type_of(message) == "chat_message") texts += text_at(message, "/payload/message") + " ";
  }
  return texts;
}

}  // namespace

// --- A client's own message id ---

TEST_CASE("chat: a message that is sent again with its messageId gets the first ack, and the room hears it once") {
  flux::Server server(test_config());
  trust_tokens(server);
  server.start();
  LiveClient witness = client_of(server, "");
  const char* const message = R"({"message":"hi","messageId":"1"})";
  std::string ack;
  {
    LiveClient ann = client_of(server, "ann");
    ack = ann.request("send_chat", message).at("/payload")->text();
    CHECK(ann.request("send_chat", message).at("/payload")->text() == ack);
  }
  LiveClient again = client_of(server, "ann");
  CHECK(again.request("send_chat", R"({"message":"hi?","messageId":"1"})").at("/payload")->text() == ack);
  CHECK(number_at(again.request("send_chat", R"({"message":"ho","messageId":"2"})"), "/payload/offset") == 2);
  CHECK(heard(witness) == "hi ho ");
}

TEST_CASE("chat: other users, and clients without one, can use the same messageId") {
  flux::Server server(test_config());
  trust_tokens(server);
  server.start();
  LiveClient witness = client_of(server, "");
  int offset = 0;
  for (const char* user : {"ann", "ben", "", ""}) {
    LiveClient client = client_of(server, user);
    ++offset;
    for (int i = 0; i < 2; ++i) {
      const auto ack = client.request("send_chat", R"({"message":"hi","messageId":"\"1\""})");
      CHECK(number_at(ack, "/payload/offset") == offset);
    }
  }
  CHECK(heard(witness) == "hi hi hi hi ");
}

TEST_CASE("chat: a messageId is remembered as long as its message is stored, also when the server starts again") {
  auto config = test_config();
  config.chat.store = std::make_shared<flux::MemoryChatStore>();
  std::string ack;
  for (int life = 1; life <= 2; ++life) {
    flux::Server server(config);
    trust_tokens(server);
    server.start();
    LiveClient ann = client_of(server, "ann");
    LiveClient witness = client_of(server, "ben");
    const auto answer = ann.request("send_chat", R"({"message":"hi","messageId":"1"})").at("/payload")->text();
    if (life == 1) ack = answer;
    CHECK(answer == ack);
    CHECK(heard(witness) == (life == 1 ? "hi " : ""));
  }
}

TEST_CASE("chat: what is no messageId is refused") {
  flux::Server server(test_config());
  server.start();
  LiveClient ann = client_of(server, "");
  const auto why = [&](const std::string& id) {
    const auto error = ann.request("send_chat", R"({"message":"hi","messageId":)" + id + "}");
    return text_at(error, "/payload/message");
  };
  CHECK(why(R"("")") == "messageId is empty");
  CHECK(why(R"("a\n")") == "messageId contains a control character");
  CHECK(why(R"("\u0085")") == "messageId contains a control character");
  CHECK(why("1") == "messageId is a number; it must be a string");
  CHECK(why(quoted_x(129)) == "messageId has 129 bytes; at most 128 are allowed");
  CHECK(type_of(ann.request("send_chat", R"({"message":"hi","messageId":)" + quoted_x(128) + "}")) == "ack");
  CHECK(type_of(ann.request("send_chat", R"({"message":"hi","messageId":null})")) == "ack");
}

TEST_CASE("sharing: a chat message that is sent again with its messageId gets the first acknowledgment") {
  SharingScene scene;
  LiveClient witness(scene.server.port());
  witness.join("r");
  SocketIoClient ann(scene.server.port());
  ann.ask("room:join", R"("r")");
  const char* const message = R"({"roomId":"r","message":"hi","messageId":"1"})";
  const auto first = ann.ask("room:chat", message);
  CHECK(first.get<bool>("/success") == true);
  CHECK(ann.ask("room:chat", message).text() == first.text());
  CHECK(heard(witness) == "hi ");
}

// --- Editing and deleting ---

TEST_CASE("chat: an edited message reaches the room and the history, a deleted one leaves no text there") {
  flux::Server server(test_config());
  trust_tokens(server);
  server.start();
  LiveClient witness = client_of(server, "");
  LiveClient ann = client_of(server, "ann");
  for (const char* text : {"one", "two", "three"}) {
    ann.request("send_chat", R"({"message":")" + std::string(text) + R"(","metadata":{"of":"it"}})");
  }
  const auto edited = ann.request("edit_chat", R"({"offset":2,"message":"zwei","metadata":{"now":1}})");
  CHECK(number_at(edited, "/payload/offset") == 2);
  const auto change = witness.next("chat_edited");
  CHECK(text_at(change, "/payload/message") == "zwei");
  CHECK(text_at(change, "/payload/userId") == "ann");
  CHECK(number_at(change, "/payload/editedAt") == number_at(edited, "/payload/editedAt"));
  const auto deleted = ann.request("delete_chat", R"({"offset":1})");
  const auto removal = witness.next("chat_deleted");
  CHECK(number_at(removal, "/payload/offset") == 1);
  CHECK(number_at(removal, "/payload/deletedAt") == number_at(deleted, "/payload/deletedAt"));
  CHECK(text_at(removal, "/payload/message").empty());

  LiveClient late(server.port());
  const auto welcome = late.join("r");
  CHECK(welcome.text().find("one") == std::string::npos);
  CHECK(text_at(welcome, "/payload/chatHistory/1/message") == "zwei");
  CHECK(number_at(welcome, "/payload/chatHistory/1/metadata/now") == 1);
  CHECK(number_at(welcome, "/payload/chatHistory/0/deletedAt") == number_at(deleted, "/payload/deletedAt"));
  CHECK_FALSE(welcome.at("/payload/chatHistory/0/metadata"));
  CHECK(welcome.at("/payload/chatHistory/2")->text().find("editedAt") == std::string::npos);

  CHECK(code_of(witness.request("edit_chat", R"({"offset":2,"message":"no"})")) == "FORBIDDEN");
  CHECK(code_of(witness.request("delete_chat", R"({"offset":2})")) == "FORBIDDEN");
  CHECK(code_of(ann.request("delete_chat", R"({"offset":1})")) == "CHAT_MESSAGE_NOT_FOUND");
  CHECK(code_of(ann.request("edit_chat", R"({"offset":2,"message":"no","roomId":"elsewhere"})")) == "NOT_IN_ROOM");
}

TEST_CASE("chat: the application edits and deletes, and its handlers decide which clients may") {
  flux::Server server(test_config());
  trust_tokens(server);
  server.on_chat_edit([](flux::ChatEdit& edit) {
    if (edit.message == "spam") edit.refuse("no spam");
  });
  server.on_chat_delete([](flux::ChatDelete& deletion) {
    if (deletion.session.identity().user_id == "moderator") deletion.allowed = true;
  });
  server.start();
  LiveClient ann = client_of(server, "ann");
  LiveClient moderator = client_of(server, "moderator");
  for (int i = 0; i < 3; ++i) ann.request("send_chat", R"({"message":"hi"})");
  CHECK(text_at(ann.request("edit_chat", R"({"offset":1,"message":"spam"})"), "/payload/message") == "no spam");
  CHECK(type_of(moderator.request("delete_chat", R"({"offset":1})")) == "ack");
  CHECK(number_at(moderator.next("chat_deleted"), "/payload/offset") == 1);
  CHECK(code_of(moderator.request("edit_chat", R"({"offset":2,"message":"hm"})")) == "FORBIDDEN");

  const auto edited =
      answer_of<flux::ChatMessage>([&](const auto& done) { server.edit_chat("r", 2, "hello", {}, done); });
  CHECK(edited.value().message == "hello");
  CHECK(text_at(moderator.next("chat_edited"), "/payload/message") == "hello");
  server.delete_chat("r", 3);
  CHECK(number_at(moderator.next("chat_deleted"), "/payload/offset") == 3);
  const auto none = answer_of<flux::ChatMessage>([&](const auto& done) { server.delete_chat("r", 4, done); });
  CHECK(none.error().code() == flux::Errc::chat_message_not_found);
}

TEST_CASE("sharing: chat is edited and deleted, and clients of protocol live are told, too") {
  SharingScene scene;
  LiveClient live(scene.server.port());
  live.join("r");
  SocketIoClient ann(scene.server.port());
  ann.ask("room:join", R"("r")");
  ann.ask("room:chat", R"({"roomId":"r","message":"hi"})");
  const auto edited = ann.ask("room:editChat", R"({"roomId":"r","offset":1,"message":"ho"})");
  CHECK(edited.get<bool>("/success") == true);
  CHECK(number_at(edited, "/editedAt") > 0);
  CHECK(text_at(live.next("chat_edited"), "/payload/message") == "ho");
  CHECK(text_at(ann.next("room:chatEdited"), "/1/message") == "ho");
  const auto deleted = ann.ask("room:deleteChat", R"({"roomId":"r","offset":1})");
  CHECK(deleted.get<bool>("/success") == true);
  CHECK(number_at(ann.next("room:chatDeleted"), "/1/deletedAt") == number_at(deleted, "/deletedAt"));
  CHECK(number_at(live.next("chat_deleted"), "/payload/offset") == 1);
  live.request("send_chat", R"({"message":"mine"})");
  CHECK(ann.ask("room:deleteChat", R"({"roomId":"r","offset":2})").get<bool>("/success") == false);
}

// --- Messages of the application ---

TEST_CASE("chat: the application speaks as a user, who may edit the message") {
  flux::Server server(test_config());
  trust_tokens(server);
  server.start();
  LiveClient ann = client_of(server, "ann");
  server.send_chat("r", {.message = "on my way", .user_id = "ann", .id = "1"});
  server.send_chat("r", {.message = "on my way", .user_id = "ann", .id = "1"});
  server.send_chat("r", {.message = "mine", .session = ann.id});
  server.send_chat("r", "its own", {}, [](const auto&) {});
  const auto first = ann.next("chat_message");
  CHECK(text_at(first, "/payload/userId") == "ann");
  CHECK(text_at(first, "/payload/connectionId") == "server");
  CHECK(text_at(first, "/payload/id") == "1");
  const auto second = ann.next("chat_message");
  CHECK(text_at(second, "/payload/userId") == "ann");
  CHECK(text_at(second, "/payload/connectionId") == ann.id);
  CHECK_FALSE(ann.next("chat_message").at("/payload/userId"));
  CHECK(type_of(ann.request("edit_chat", R"({"offset":1,"message":"not yet"})")) == "ack");
  CHECK(code_of(ann.request("edit_chat", R"({"offset":3,"message":"not yet"})")) == "FORBIDDEN");
}

TEST_CASE("chat: a user that the application set with set_grant may edit its messages") {
  flux::Server server(test_config());
  server.start();
  LiveClient client(server.port());
  client.join("r");
  const auto session = server.session(client.id).value();
  session.set_grant(flux::Grant({.user_id = "ann"})).value();
  REQUIRE(eventually([&] { return session.identity().user_id == "ann"; }));
  CHECK(session.identity().verified);
  CHECK(type_of(client.request("send_chat", R"({"message":"hi"})")) == "ack");
  CHECK(type_of(client.request("edit_chat", R"({"offset":1,"message":"ho"})")) == "ack");
}

TEST_CASE("chat: a message that is held for a moderator is acknowledged as that, and sent when it is released") {
  flux::Server server(test_config());
  trust_tokens(server);
  Awaited<flux::ChatPost> held;
  server.on_chat([&](flux::ChatDraft& draft) {
    if (draft.message == "hm") held.set(draft.hold());
  });
  server.start();
  LiveClient witness = client_of(server, "");
  LiveClient ann = client_of(server, "ann");
  const auto ack = ann.request("send_chat", R"({"message":"hm"})");
  CHECK(ack.get<bool>("/payload/held") == true);
  CHECK_FALSE(ack.at("/payload/offset"));
  CHECK(number_at(ann.request("send_chat", R"({"message":"fine"})"), "/payload/offset") == 1);
  CHECK(heard(witness) == "fine ");
  server.send_chat("r", held.get());
  const auto released = witness.next("chat_message");
  CHECK(text_at(released, "/payload/message") == "hm");
  CHECK(text_at(released, "/payload/userId") == "ann");
  CHECK(text_at(released, "/payload/id") == text_at(ack, "/payload/id"));
}

TEST_CASE("sharing: a message that is held is acknowledged as that") {
  SharingScene scene;
  flux::Server& server = scene.server;
  server.stop();
  server.on_chat([](flux::ChatDraft& draft) { (void)draft.hold(); });
  server.start();
  server.create_room("r").value();
  SocketIoClient ann(server.port());
  ann.ask("room:join", R"("r")");
  const auto answer = ann.ask("room:chat", R"({"roomId":"r","message":"hi"})");
  CHECK(answer.get<bool>("/held") == true);
  CHECK(text_at(answer, "/message") == "Message held.");
}

}  // namespace chat_test
