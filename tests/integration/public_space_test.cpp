// The public space as clients of every protocol watch and change it.
#include "support/memory_room_store.hpp"
#include "support/sharing_scene.hpp"
#include "support/socketio_client.hpp"

#include <flux/sharing.hpp>

#include <atomic>

namespace public_space_test {

using namespace flux_test;
using namespace flux::literals;

namespace {

std::string text_item(std::string_view content) {
  return R"({"type":"string","content":)" + flux::JsonText::string(content).text() + "}";
}
flux::JsonText share_text(LiveClient& client, std::string_view content) {
  return client.request("public_share", "{\"data\":" + text_item(content) + "}");
}

}  // namespace

TEST_CASE("public space: a client that asked for changes gets the list once, then each item and each removal") {
  auto config = test_config();
  config.limits.public_history_items_max = 2;
  flux::Server server(config);
  server.start();
  LiveClient watcher(server.port());
  LiveClient other(server.port());
  share_text(other, "one");
  CHECK(code_of(watcher.request("public_history", R"({"changes":1})")) == "INVALID_MESSAGE");
  const auto list = watcher.request("public_history", R"({"changes":true})");
  CHECK(text_at(list, "/payload/items/0/data/content") == "one");
  share_text(other, "two");
  share_text(other, "three");
  other.request("public_delete_last");
  const auto item = watcher.next();
  CHECK(type_of(item) == "public_item");
  CHECK(text_at(item, "/payload/item/data/content") == "two");
  CHECK(text_at(item, "/payload/item/connectionId") != "(none)");
  CHECK(number_at(item, "/payload/offset") == 2);
  CHECK(number_at(watcher.next("public_item"), "/payload/offset") == 3);
  auto removed = watcher.next();
  CHECK(type_of(removed) == "public_removed");
  CHECK(number_at(removed, "/payload/offset") == 1);  // the oldest of more than two
  CHECK(number_at(watcher.next("public_removed"), "/payload/offset") == 3);
  CHECK(watcher.so_far().empty());
  // A client that asks for lists gets those from then on.
  watcher.request("public_history");
  share_text(other, "four");
  CHECK(number_at(watcher.next(), "/payload/items/1/offset") == 4);
}

TEST_CASE("public space: the application decides who may delete the newest item, in every protocol") {
  const bool kept = GENERATE(false, true);
  auto config = test_config();
  if (kept) config.rooms.store = std::make_shared<MemoryRoomStore>();
  flux::Server server(config);
  flux::socketio::Io io(server);
  flux::socketio::serve_sharing(server, io);
  server.on_public_delete([](flux::PublicDelete& removal) {
    if (removal.item.connection_id != removal.session.id()) removal.refuse("it is not yours");
  });
  server.start();
  LiveClient ann(server.port());
  SocketIoClient bob(server.port());
  CHECK(ann.request("public_delete_last").get<bool>("/payload/deleted") == false);
  CHECK(text_at(bob.ask("public:deleteLast"), "/message") == "The public space is empty.");
  REQUIRE(bob.ask("public:upload", text_item("Bob's")).get<bool>("/success") == true);
  share_text(ann, "Ann's");
  const auto refused = bob.ask("public:deleteLast");
  CHECK(refused.get<bool>("/success") == false);
  CHECK(text_at(refused, "/message") == "it is not yours");
  CHECK(ann.request("public_delete_last").get<bool>("/payload/deleted") == true);
  const auto error = ann.request("public_delete_last");
  CHECK(code_of(error) == "FORBIDDEN");
  CHECK(text_at(error, "/payload/message") == "it is not yours");
  CHECK(server.public_items().size() == 1);
  CHECK(bob.ask("public:deleteLast").get<bool>("/success") == true);
  CHECK(server.public_items().empty());
  // The handler is not asked about the server's own deletes.
  REQUIRE(public_share(server, "1"_json).ok());
  CHECK(public_delete_last(server).value());
}

TEST_CASE("public space: only the item that the application was asked about is deleted") {
  const bool kept = GENERATE(false, true);
  auto config = test_config();
  if (kept) config.rooms.store = std::make_shared<MemoryRoomStore>();
  std::atomic<int> asked{0};
  flux::Server server(config);
  server.on_public_delete([&](flux::PublicDelete& removal) {
    // During the first question, another item is shared.
    if (asked++ == 0) server.public_share("2"_json);
    if (removal.item.data.text() == "2") removal.refuse("not this one");
  });
  server.start();
  REQUIRE(public_share(server, "1"_json).ok());
  LiveClient client(server.port());
  CHECK(code_of(client.request("public_delete_last")) == "FORBIDDEN");
  CHECK(asked == 2);
  CHECK(server.public_items().size() == 2);
}

TEST_CASE("public space: small changes to a long list close no client, and the final list reaches everybody") {
  auto config = test_config();
  config.limits.outbox_bytes_max = 4'194'304;  // with lists of 1 MB a slow reader was closed at the fifth
  SharingScene scene(config);
  flux::Server& server = scene.server;
  const std::string long_item = "{\"type\":\"string\",\"content\":" + quoted_x(1'000'000) + "}";
  for (int i = 0; i < 16; ++i) REQUIRE(public_share(server, flux::JsonText::trusted(long_item)).ok());
  SocketIoClient slow(Target{server.port(), "127.0.0.1", 4096});
  LiveClient slow_live(Target{server.port(), "127.0.0.1", 4096}, "/live");
  slow_live.request("public_history");
  LiveClient other(server.port());
  for (int i = 0; i < 100; ++i) {
    share_text(other, "x");
    other.request("public_delete_last");
  }
  share_text(other, "the last");
  // It has read only its connect packet, and little is queued for it.
  const auto is_last = [](const std::string& text) { return text.find("the last") != std::string::npos; };
  while (!is_last(slow.next("public:history").text())) {
  }
  while (!is_last(slow_live.next("public_history").text())) {
  }
  CHECK(server.stats().slow_readers_closed == 0);
  CHECK(server.stats().messages_dropped == 0);
}

}  // namespace public_space_test
