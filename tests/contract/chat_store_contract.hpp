// What every ChatStore must do, as tests: flux's stores and an application's own are run through it.
//
//   TEST_CASE("chat store: mine keeps the contract") { flux::testing::chat_store_contract([] { return my_new_empty_store(); }); }
//
// The store must keep at least 1,000 messages of a room, and 16 rooms.
#pragma once

#include "catch.hpp"

#include <flux/storage/chat_store.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flux::testing {

/// Gives a new, empty store at each call.
using MakeChatStore = std::function<std::shared_ptr<ChatStore>()>;

inline ChatMessage chat_message(const std::string& room, const std::string& id, std::string text = "hello") {
  ChatMessage message;
  message.id = id;
  message.room = room;
  message.connection_id = "0000000000001";
  message.message = std::move(text);
  message.created_at = 1'700'000'000'000;
  return message;
}

inline std::string ids_of(const Result<std::vector<ChatMessage>>& page) {
  std::string ids;
  for (const ChatMessage& message : page.value()) ids += message.id + ' ';
  return ids;
}

inline void fill(ChatStore& store, const std::string& room, int count) {
  for (int i = 1; i <= count; ++i) {
    REQUIRE(store.append(room, chat_message(room, std::to_string(i))).value() == static_cast<Offset>(i));
  }
}

inline void chat_store_contract(const MakeChatStore& make) {
  const auto store = make();

  SECTION("offsets start at 1 and have no gaps; pages are oldest first") {
    fill(*store, "r", 5);
    const auto page = store->history("r", 1000, 0).value();
    REQUIRE(page.size() == 5);
    for (std::size_t i = 0; i < page.size(); ++i) {
      CHECK(page[i].offset == i + 1);
      CHECK(page[i].id == std::to_string(i + 1));
    }
  }
  SECTION("a room that was never written to is empty") {
    CHECK(store->history("nobody", 10, 0).value().empty());
    CHECK(store->history("nobody", 10, 7).value().empty());
  }
  SECTION("all that a message holds comes back") {
    ChatMessage full = chat_message("r", "id");
    full.user_id = "user";
    full.metadata = R"({"a": [1, "\u00e9"]})";
    full.created_at = 4'102'444'800'123;
    REQUIRE(store->append("r", full).ok());
    full.offset = 1;
    CHECK(store->history("r", 1, 0).value().at(0) == full);
    ChatMessage bare = chat_message("r", "bare", "");
    bare.connection_id = server_connection_id;
    bare.created_at = 0;
    REQUIRE(store->append("r", bare).ok());
    bare.offset = 2;
    CHECK(store->history("r", 1, 0).value().at(0) == bare);
  }
  SECTION("an id that is there already stores nothing and gives the first offset") {
    fill(*store, "r", 3);
    CHECK(store->append("r", chat_message("r", "2", "another text")).value() == 2);
    CHECK(store->append("r", chat_message("r", "4")).value() == 4);
    CHECK(ids_of(store->history("r", 10, 0)) == "1 2 3 4 ");
    CHECK(store->history("r", 1, 3).value().at(0).message == "hello");
  }
  SECTION("pages end below `before`, at every edge") {
    fill(*store, "r", 5);
    CHECK(ids_of(store->history("r", 2, 0)) == "4 5 ");
    CHECK(ids_of(store->history("r", 2, 5)) == "3 4 ");
    CHECK(ids_of(store->history("r", 2, 3)) == "1 2 ");
    CHECK(ids_of(store->history("r", 2, 2)) == "1 ");
    CHECK(ids_of(store->history("r", 2, 1)).empty());
    CHECK(ids_of(store->history("r", 2, 6)) == "4 5 ");
    CHECK(ids_of(store->history("r", 2, 7)) == "4 5 ");
    CHECK(ids_of(store->history("r", 2, UINT64_MAX)) == "4 5 ");
    CHECK(ids_of(store->history("r", 5, 0)) == "1 2 3 4 5 ");
    CHECK(ids_of(store->history("r", 1000, 0)) == "1 2 3 4 5 ");
    CHECK(ids_of(store->history("r", 1, 0)) == "5 ");
  }
  SECTION("paging backwards gives every message once") {
    fill(*store, "r", 100);
    std::vector<std::string> seen;
    for (Offset before = 0;;) {
      const auto page = store->history("r", 7, before).value();
      if (page.empty()) break;
      for (auto message = page.rbegin(); message != page.rend(); ++message) seen.push_back(message->id);
      before = page.front().offset;
    }
    REQUIRE(seen.size() == 100);
    for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == std::to_string(100 - i));
  }
  SECTION("the largest page has 1,000 messages") {
    fill(*store, "r", 1000);
    const auto page = store->history("r", 1000, 0).value();
    REQUIRE(page.size() == 1000);
    CHECK(page.front().offset == 1);
    CHECK(page.back().offset == 1000);
  }
  SECTION("rooms know nothing of one another, ids too") {
    const std::vector<std::string> rooms = {"a", "A", "a ", "a%", "a'b", "\xC3\xA9", "e\xCC\x81", "\xF0\x9F\x98\x80"};
    for (std::size_t i = 0; i < rooms.size(); ++i) fill(*store, rooms[i], static_cast<int>(i + 1));
    for (std::size_t i = 0; i < rooms.size(); ++i) {
      INFO(rooms[i]);
      CHECK(store->history(rooms[i], 1000, 0).value().size() == i + 1);
    }
  }
  SECTION("text is kept byte for byte") {
    const std::vector<std::string> texts = {
        "\xF0\x9F\x98\x80\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", "it's \"quoted\" `so`; DROP TABLE chat; --", "\\ \\' \\0 %s %",
        "a\nb\r\nc\td\x01\x7F", "  spaces  ", "\xEF\xBB\xBF\xEF\xBF\xBD", std::string(65'536, 'x'), std::string(1, ' ')};
    for (std::size_t i = 0; i < texts.size(); ++i) {
      ChatMessage message = chat_message("r", std::to_string(i), texts[i]);
      message.user_id = texts[i].substr(0, 100);
      REQUIRE(store->append("r", message).value() == i + 1);
    }
    const auto page = store->history("r", 1000, 0).value();
    REQUIRE(page.size() == texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CHECK(page[i].message == texts[i]);
      CHECK(page[i].user_id == texts[i].substr(0, 100));
    }
  }
  SECTION("calls for different rooms may overlap") {
    constexpr int rooms = 4;
    constexpr int messages = 100;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < rooms; ++t) {
      threads.emplace_back([&, room = "room" + std::to_string(t)] {
        for (int i = 1; i <= messages; ++i) {
          const auto offset = store->append(room, chat_message(room, std::to_string(i)));
          const auto newest = store->history(room, 1, 0);
          if (!offset || *offset != static_cast<Offset>(i) || !newest || newest->size() != 1 ||
              newest->back().offset != *offset || newest->back().room != room) {
            ++wrong;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(wrong == 0);
  }
}

}  // namespace flux::testing
