// The duties of every ChatStore as a test suite for Catch2 (2.13 or 3), for flux's stores and those of applications.
//
//   TEST_CASE("chat store: mine fulfills the contract") {
//     flux::testing::chat_store_contract([] { return my_new_empty_store(); }, [] { return my_reopened_store(); });
//   }
//
// The store must keep at least 1,000 messages of a room, and 16 rooms.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

#include <flux/testing/faulty_chat_store.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flux::testing {

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

/// "1 2 3 "
inline std::string ids_of(const Result<std::vector<ChatMessage>>& page) {
  std::string ids;
  for (const ChatMessage& message : page.value()) ids += message.id + ' ';
  return ids;
}

/// Appends messages with the ids 1 to `count` to an empty room.
inline void fill(ChatStore& store, const std::string& room, int count) {
  for (int i = 1; i <= count; ++i) {
    REQUIRE(store.append(room, chat_message(room, std::to_string(i))).value() == static_cast<Offset>(i));
  }
}

namespace contract {

inline void order(ChatStore& store) {
  fill(store, "r", 5);
  const auto page = store.history("r", 1000, 0).value();
  REQUIRE(page.size() == 5);
  for (std::size_t i = 0; i < page.size(); ++i) {
    CHECK(page[i].offset == i + 1);
    CHECK(page[i].id == std::to_string(i + 1));
    CHECK(page[i].room == "r");
  }
}

inline void order_is_not_time(ChatStore& store) {
  const std::array<std::int64_t, 5> times = {5'000, 5'000, 3'000, 9'000, 1};
  for (std::size_t i = 0; i < times.size(); ++i) {
    ChatMessage message = chat_message("r", std::string(1, static_cast<char>('z' - i)));
    message.created_at = times[i];
    REQUIRE(store.append("r", message).value() == i + 1);
  }
  CHECK(ids_of(store.history("r", 10, 0)) == "z y x w v ");
  CHECK(ids_of(store.history("r", 2, 3)) == "z y ");
}

inline void unknown_room(ChatStore& store) {
  CHECK(store.history("nobody", 10, 0).value().empty());
  CHECK(store.history("nobody", 10, 7).value().empty());
}

inline void whole_messages(ChatStore& store) {
  ChatMessage full = chat_message("r", "id");
  full.user_id = "user";
  full.metadata = R"({"a": [1, "\u00e9"]})";
  full.created_at = 4'102'444'800'123;
  REQUIRE(store.append("r", full).ok());
  full.offset = 1;
  CHECK(store.history("r", 1, 0).value().at(0) == full);
  ChatMessage bare = chat_message("r", "bare", "");
  bare.connection_id = server_connection_id;
  bare.created_at = 0;
  REQUIRE(store.append("r", bare).ok());
  bare.offset = 2;
  CHECK(store.history("r", 1, 0).value().at(0) == bare);
}

inline void idempotence(ChatStore& store) {
  fill(store, "r", 3);
  CHECK(store.append("r", chat_message("r", "2", "another text")).value() == 2);
  CHECK(store.append("r", chat_message("r", "4")).value() == 4);
  CHECK(ids_of(store.history("r", 10, 0)) == "1 2 3 4 ");
  CHECK(store.history("r", 1, 3).value().at(0).message == "hello");
}

inline void pages(ChatStore& store) {
  fill(store, "r", 5);
  CHECK(ids_of(store.history("r", 2, 0)) == "4 5 ");
  CHECK(ids_of(store.history("r", 2, 5)) == "3 4 ");
  CHECK(ids_of(store.history("r", 2, 3)) == "1 2 ");
  CHECK(ids_of(store.history("r", 2, 2)) == "1 ");
  CHECK(ids_of(store.history("r", 2, 1)).empty());
  CHECK(ids_of(store.history("r", 2, 6)) == "4 5 ");
  CHECK(ids_of(store.history("r", 2, 7)) == "4 5 ");
  CHECK(ids_of(store.history("r", 2, INT64_MAX)) == "4 5 ");
  CHECK(ids_of(store.history("r", 2, Offset{INT64_MAX} + 1)) == "4 5 ");
  CHECK(ids_of(store.history("r", 2, UINT64_MAX)) == "4 5 ");
  CHECK(ids_of(store.history("r", 5, 0)) == "1 2 3 4 5 ");
  CHECK(ids_of(store.history("r", 6, 0)) == "1 2 3 4 5 ");
  CHECK(ids_of(store.history("r", 1000, 0)) == "1 2 3 4 5 ");
  CHECK(ids_of(store.history("r", 1000, 5)) == "1 2 3 4 ");
  CHECK(ids_of(store.history("r", 1, 0)) == "5 ");
  CHECK(ids_of(store.history("r", 1, 2)) == "1 ");
}

inline void paging_backwards(ChatStore& store) {
  fill(store, "r", 100);
  std::vector<std::string> seen;
  for (Offset before = 0;;) {
    const auto page = store.history("r", 7, before).value();
    if (page.empty()) break;
    for (auto message = page.rbegin(); message != page.rend(); ++message) seen.push_back(message->id);
    before = page.front().offset;
  }
  REQUIRE(seen.size() == 100);
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == std::to_string(100 - i));
}

inline void largest_page(ChatStore& store) {
  std::vector<ChatMessage> messages;
  for (int i = 1; i <= 1000; ++i) messages.push_back(chat_message("r", std::to_string(i)));
  for (const auto& offset : store.append_all(messages)) REQUIRE(offset.ok());
  const auto page = store.history("r", 1000, 0).value();
  REQUIRE(page.size() == 1000);
  CHECK(page.front().offset == 1);
  CHECK(page.back().offset == 1000);
}

inline void rooms_apart(ChatStore& store) {
  const std::vector<std::string> rooms = {"a",    "A",    "a ", "a%",       " a",        "a'b",
                                          "a\"b", "a\\b", "a_", "\xC3\xA9", "e\xCC\x81", "\xF0\x9F\x98\x80"};
  for (std::size_t i = 0; i < rooms.size(); ++i) fill(store, rooms[i], static_cast<int>(i + 1));
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    INFO(rooms[i]);
    const auto page = store.history(rooms[i], 1000, 0).value();
    REQUIRE(page.size() == i + 1);
    CHECK(page.front().room == rooms[i]);
  }
}

inline void text(ChatStore& store) {
  const std::vector<std::string> texts = {"\xF0\x9F\x98\x80\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB",
                                          "it's \"quoted\" `so`; DROP TABLE chat; --",
                                          "\\ \\' \\0 %s % \\\\ '' $1 ? :p0 ::text",
                                          "a\nb\r\nc\td\x01\x7F",
                                          "  spaces  ",
                                          "\xEF\xBB\xBF\xEF\xBF\xBD",
                                          std::string(65'536, 'x'),
                                          [] {
                                            std::string emoji;
                                            while (emoji.size() < 65'536) emoji += "\xF0\x9F\x98\x80";
                                            return emoji;
                                          }(),
                                          std::string(65'536, '\''),
                                          " "};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    ChatMessage message = chat_message("r", std::to_string(i), texts[i]);
    message.user_id = texts[i].substr(0, 100);
    REQUIRE(store.append("r", message).value() == i + 1);
  }
  const auto page = store.history("r", 1000, 0).value();
  REQUIRE(page.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    CHECK((page[i].message == texts[i]));
    CHECK(page[i].user_id == texts[i].substr(0, 100));
  }
}

inline void metadata(ChatStore& store) {
  const std::vector<std::string> values = {"null",
                                           "true",
                                           "0",
                                           "-1.50e+300",
                                           "123456789012345678901234567890",
                                           "\"\"",
                                           R"("\\\"\u0000\ud83d\ude00")",
                                           "[]",
                                           "{}",
                                           R"({"b":1,"a":{"b":[null,{}]},"b":2})",
                                           "{ \"spaced\" :\t[ 1 , 2 ]\n}",
                                           "[\"\xF0\x9F\x98\x80'\"]"};
  for (std::size_t i = 0; i < values.size(); ++i) {
    ChatMessage message = chat_message("r", std::to_string(i));
    message.metadata = values[i];
    REQUIRE(store.append("r", message).ok());
  }
  const auto page = store.history("r", 1000, 0).value();
  REQUIRE(page.size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i) CHECK(page[i].metadata == values[i]);
}

inline void nul(ChatStore& store) {
  const std::string with_nul("a\0b", 3);
  fill(store, "r", 1);
  CHECK(store.append("r", chat_message("r", "2", with_nul)).error().code() == Errc::invalid_argument);
  ChatMessage message = chat_message("r", "2");
  message.user_id = with_nul;
  CHECK(store.append("r", message).error().code() == Errc::invalid_argument);
  message.user_id.clear();
  message.metadata = with_nul;
  CHECK(store.append("r", message).error().code() == Errc::invalid_argument);
  message.metadata.clear();
  const std::vector<ChatMessage> batch = {message, chat_message("r", "3", with_nul), chat_message("r", "4")};
  const auto offsets = store.append_all(batch);
  REQUIRE(offsets.size() == 3);
  CHECK(offsets[0].value() == 2);
  CHECK(offsets[1].error().code() == Errc::invalid_argument);
  CHECK(offsets[2].value() == 3);
  CHECK(ids_of(store.history("r", 10, 0)) == "1 2 4 ");
}

inline void batches(ChatStore& store) {
  CHECK(store.append_all({}).empty());
  fill(store, "a", 2);
  std::vector<ChatMessage> batch;
  for (const char* id : {"3", "1", "4", "4", "5"}) {
    batch.push_back(chat_message("a", id));
    batch.push_back(chat_message("b", id));
  }
  std::string offsets;
  for (const auto& offset : store.append_all(batch)) offsets += std::to_string(offset.value()) + ' ';
  CHECK(offsets == "3 1 1 2 4 3 4 3 5 4 ");
  CHECK(ids_of(store.history("a", 10, 0)) == "1 2 3 4 5 ");
  CHECK(ids_of(store.history("b", 10, 0)) == "3 1 4 5 ");
  // The same batch again, as after a lost reply.
  offsets.clear();
  for (const auto& offset : store.append_all(batch)) offsets += std::to_string(offset.value()) + ' ';
  CHECK(offsets == "3 1 1 2 4 3 4 3 5 4 ");
  CHECK(store.append("a", chat_message("a", "6")).value() == 6);
}

/// Whichever call fails, and however: a retry stores once, and nothing is missing.
inline void faults(const MakeChatStore& make) {
  for (const Fault fault : {Fault::before, Fault::after, Fault::exception}) {
    const auto store = make();
    FaultyChatStore faulty(store);
    for (int nth = 1; nth <= 5; ++nth) {
      const std::string room = "room" + std::to_string(nth);
      faulty.fail(static_cast<std::size_t>(nth), fault);
      int failures = 0;
      for (int i = 1; i <= 5; ++i) {
        const ChatMessage message = chat_message(room, std::to_string(i));
        const auto attempt = [&]() -> Result<Offset> {
          try {
            return faulty.append(room, message);
          } catch (const std::exception&) {
            return Error(Errc::store_failed, "thrown");
          }
        };
        auto offset = attempt();
        if (!offset) {
          ++failures;
          offset = attempt();
        }
        CHECK(offset.value() == static_cast<Offset>(i));
      }
      CHECK(failures == 1);
      CHECK(ids_of(faulty.history(room, 10, 0)) == "1 2 3 4 5 ");
    }
  }
}

inline void overlapping_rooms(ChatStore& store) {
  constexpr int rooms = 4;
  constexpr int messages = 100;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < rooms; ++t) {
    threads.emplace_back([&store, &wrong, room = "room" + std::to_string(t)] {
      for (int i = 1; i <= messages; ++i) {
        const auto offset = store.append(room, chat_message(room, std::to_string(i)));
        const auto newest = store.history(room, 1, 0);
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

/// Appends batches to some rooms while others are read: pages are whole, and only grow.
inline void reading_while_storing(ChatStore& store) {
  fill(store, "read", 20);
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::thread reader([&] {
    while (!done) {
      const auto page = store.history("read", 100, 0);
      if (!page || page->size() != 20 || page->back().id != "20") ++wrong;
    }
  });
  for (int n = 0; n < 20; ++n) {
    std::vector<ChatMessage> batch;
    for (int i = 0; i < 30; ++i)
      batch.push_back(chat_message("w" + std::to_string(i % 3), std::to_string(n) + "-" + std::to_string(i)));
    for (const auto& offset : store.append_all(batch)) {
      if (!offset) ++wrong;
    }
  }
  done = true;
  reader.join();
  CHECK(wrong == 0);
  CHECK(store.history("w2", 1000, 0).value().size() == 200);
}

/// The last reference is held by a thread during its calls. What was acknowledged is there afterwards.
inline void closing(const MakeChatStore& make, const MakeChatStore& reopen) {
  constexpr int threads_count = 3;
  std::array<std::atomic<int>, threads_count> acknowledged{};
  std::atomic<int> begun{0};
  std::atomic<bool> failed{false};
  std::vector<std::thread> threads;
  {
    auto store = make();
    for (int t = 0; t < threads_count; ++t) {
      threads.emplace_back([&, store, t]() mutable {
        const std::string room = "room" + std::to_string(t);
        for (int i = 1; i <= 20 * (t + 1); ++i) {
          if (!store->append(room, chat_message(room, std::to_string(i)))) failed = true;
          acknowledged[static_cast<std::size_t>(t)] = i;
          if (i == 1) ++begun;
        }
        store.reset();
      });
    }
    while (begun < threads_count) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(failed);
  if (!reopen) return;
  const auto store = reopen();
  for (int t = 0; t < threads_count; ++t) {
    const auto page = store->history("room" + std::to_string(t), 1000, 0).value();
    REQUIRE(page.size() == static_cast<std::size_t>(acknowledged[static_cast<std::size_t>(t)]));
    CHECK(page.back().offset == page.size());
  }
}

inline void opening_again(const MakeChatStore& make, const MakeChatStore& reopen) {
  std::vector<ChatMessage> before;
  {
    const auto store = make();
    fill(*store, "r", 3);
    before = store->history("r", 10, 0).value();
  }
  const auto store = reopen();
  CHECK(store->history("r", 10, 0).value() == before);
  CHECK(store->append("r", chat_message("r", "2")).value() == 2);
  CHECK(store->append("r", chat_message("r", "4")).value() == 4);
}

}  // namespace contract

/// `make` returns a new, empty store at each call. `reopen` reopens the store that `make` returned last, after its release;
/// none: the store is not persistent.
inline void chat_store_contract(const MakeChatStore& make, const MakeChatStore& reopen = {}) {
  SECTION("offsets start at 1 and have no gaps; pages are oldest first") { contract::order(*make()); }
  SECTION("the order is that of the offsets, not of the times") { contract::order_is_not_time(*make()); }
  SECTION("an unknown room is empty") { contract::unknown_room(*make()); }
  SECTION("every member of a message is returned") { contract::whole_messages(*make()); }
  SECTION("appending a stored id stores nothing and returns the first offset") { contract::idempotence(*make()); }
  SECTION("pages end below `before`, at every edge") { contract::pages(*make()); }
  SECTION("paging backwards returns every message once") { contract::paging_backwards(*make()); }
  SECTION("the largest page has 1,000 messages") { contract::largest_page(*make()); }
  SECTION("rooms are independent, and so are ids in them") { contract::rooms_apart(*make()); }
  SECTION("text is kept byte for byte") { contract::text(*make()); }
  SECTION("metadata is any JSON, kept byte for byte") { contract::metadata(*make()); }
  SECTION("a NUL is refused, and harms nothing else") { contract::nul(*make()); }
  SECTION("a batch stores what single calls would, and each message is atomic") { contract::batches(*make()); }
  SECTION("after a fault of any call, a retry stores once") { contract::faults(make); }
  SECTION("calls for different rooms may overlap") { contract::overlapping_rooms(*make()); }
  SECTION("other rooms may be read while a batch is stored") { contract::reading_while_storing(*make()); }
  SECTION("a store that is released during calls loses nothing") { contract::closing(make, reopen); }
  if (reopen) {
    SECTION("stored messages are there when the store is reopened") { contract::opening_again(make, reopen); }
  }
}

}  // namespace flux::testing
