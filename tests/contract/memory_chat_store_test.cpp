#include "catch.hpp"

#include <flux/storage/memory_chat_store.hpp>
#include <flux/testing/chat_store_contract.hpp>

using namespace flux;
using namespace flux::testing;

TEST_CASE("chat store: memory keeps the contract", "[chat_store]") {
  chat_store_contract([] { return std::make_shared<MemoryChatStore>(); });
}

TEST_CASE("memory chat store: keeps the newest messages of a room, and counts on", "[chat_store]") {
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

TEST_CASE("memory chat store: with 0 messages a room it only counts", "[chat_store]") {
  MemoryChatStore store(0);
  fill(store, "r", 3);
  CHECK(store.history("r", 10, 0).value().empty());
}

TEST_CASE("memory chat store: past its number of rooms the one not written to for longest goes", "[chat_store]") {
  MemoryChatStore store(10, 2);
  fill(store, "a", 1);
  fill(store, "b", 1);
  CHECK(store.append("a", chat_message("a", "2")).value() == 2);
  fill(store, "c", 1);
  CHECK(store.history("b", 10, 0).value().empty());
  CHECK(ids_of(store.history("a", 10, 0)) == "1 2 ");
  CHECK(ids_of(store.history("c", 10, 0)) == "1 ");
}

TEST_CASE("memory chat store: says that it does not block", "[chat_store]") {
  CHECK_FALSE(MemoryChatStore().may_block());
}
