#include "support/contract_check.hpp"

#include <flux/storage/memory_chat_store.hpp>
#include <flux/testing/chat_store_contract.hpp>

namespace memory_chat_store_test {

using namespace flux;
using namespace flux::testing;

TEST_CASE("chat store: memory fulfills the contract", "[chat_store]") {
  chat_store_contract(flux_test::checked, [] { return std::make_shared<MemoryChatStore>(); });
}

TEST_CASE("memory chat store: keeps the newest messages of a room, and offsets keep counting", "[chat_store]") {
  MemoryChatStore store(3);
  fill(store, "r", 10);
  CHECK(ids_of(store.history("r", 1000, 0)) == "8 9 10 ");
  CHECK(ids_of(store.history("r", 2, 10)) == "8 9 ");
  CHECK(ids_of(store.history("r", 2, 9)) == "8 ");
  CHECK(ids_of(store.history("r", 2, 8)).empty());
  CHECK(ids_of(store.history("r", 2, 3)).empty());
  CHECK(store.append("r", chat_message("r", "9")).value() == 9);
  CHECK(store.history("r", 1, 0).value().at(0).offset == 10);
}

TEST_CASE("memory chat store: with 0 messages per room it only counts offsets", "[chat_store]") {
  MemoryChatStore store(0);
  fill(store, "r", 3);
  CHECK(store.history("r", 10, 0).value().empty());
}

TEST_CASE("memory chat store: above its number of rooms, the least recently written one is dropped", "[chat_store]") {
  MemoryChatStore store(10, 2);
  fill(store, "a", 1);
  fill(store, "b", 1);
  CHECK(store.append("a", chat_message("a", "2")).value() == 2);
  fill(store, "c", 1);
  CHECK(store.history("b", 10, 0).value().empty());
  CHECK(ids_of(store.history("a", 10, 0)) == "1 2 ");
  CHECK(ids_of(store.history("c", 10, 0)) == "1 ");
}

TEST_CASE("memory chat store: reports that it does not block", "[chat_store]") {
  CHECK_FALSE(MemoryChatStore().may_block());
}

TEST_CASE(
    "memory chat store: past its bytes the oldest messages of the room not written to for longest go, it counts on",
    "[chat_store]") {
  const auto long_message = [](const RoomId& room, const std::string& id) {
    ChatMessage message = chat_message(room, id);
    message.message.assign(1'000'000, 'x');
    return message;
  };
  MemoryChatStore store;  // 64 MB in all
  for (int i = 1; i <= 40; ++i) {
    REQUIRE(store.append("old", long_message("old", std::to_string(i))).value() == static_cast<Offset>(i));
  }
  for (int i = 1; i <= 40; ++i) {
    REQUIRE(store.append("new", long_message("new", std::to_string(i))).value() == static_cast<Offset>(i));
  }
  const auto count = [&](const RoomId& room) { return store.history(room, 1000, 0).value().size(); };
  CHECK(count("new") == 40);
  CHECK(count("old") == 27);  // 67 times 1 MB
  CHECK(store.history("old", 1000, 0).value().front().offset == 14);
  CHECK(store.append("old", long_message("old", "41")).value() == 41);
  CHECK(count("old") == 28);
  CHECK(store.history("new", 1000, 0).value().front().offset == 2);
}

TEST_CASE("memory chat store: a room whose messages were all dropped keeps counting, and may be forgotten",
          "[chat_store]") {
  MemoryChatStore store(10, 2, 2'000);
  const auto message = [](const RoomId& room, const std::string& id) {
    ChatMessage made = chat_message(room, id);
    made.message.assign(1'500, 'x');
    return made;
  };
  CHECK(store.append("a", message("a", "1")).value() == 1);
  CHECK(store.append("b", message("b", "1")).value() == 1);
  CHECK(store.history("a", 10, 0).value().empty());
  CHECK(store.append("a", message("a", "2")).value() == 2);
  CHECK(ids_of(store.history("a", 10, 0)) == "2 ");
  CHECK(store.append("c", message("c", "1")).value() == 1);  // displaces b
  CHECK(store.append("b", message("b", "2")).value() == 1);
  ChatMessage huge = message("b", "3");
  huge.message.assign(3'000, 'x');
  CHECK(store.append("b", huge).value() == 2);
  CHECK(store.history("b", 10, 0).value().empty());  // the limit holds
}

TEST_CASE("memory chat store: its bytes include what edits add, and not what deletions free", "[chat_store]") {
  MemoryChatStore store(10, 2, 5'000);
  const auto sized = [](Offset offset, std::size_t bytes) {
    ChatMessage message = chat_message("r", std::to_string(offset), std::string(bytes, 'x'));
    message.offset = offset;
    return message;
  };
  REQUIRE(store.append("r", sized(1, 1'500)).ok());
  REQUIRE(store.append("r", sized(2, 1'500)).ok());
  REQUIRE(store.replace("r", sized(2, 3'500)).value());
  CHECK(ids_of(store.history("r", 10, 0)) == "2 ");
  REQUIRE(store.replace("r", sized(2, 0)).value());
  REQUIRE(store.append("r", sized(3, 3'500)).ok());
  CHECK(ids_of(store.history("r", 10, 0)) == "2 3 ");
}

}  // namespace memory_chat_store_test
