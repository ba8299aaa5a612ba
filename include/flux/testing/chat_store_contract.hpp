// The duties of every ChatStore as a test suite, for flux's stores and those of applications, with any test framework
// (contract.hpp says how). With Catch2:
//
//     TEST_CASE("chat store: mine fulfills the contract") {
//       flux::testing::chat_store_contract(
//           [](const flux::testing::Check& check) { INFO(check.text()); CHECK(check.passed); },
//           [] { return my_new_empty_store(); }, [] { return my_reopened_store(); });
//     }
//
// The store must keep at least 1,000 messages of a room, and 16 rooms, whose names have up to 120 bytes. A server allows
// names of 256 bytes; if the store does not, lower `Limits::room_id_bytes_max`.
#pragma once

#include <flux/testing/contract.hpp>
#include <flux/testing/faulty_chat_store.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace flux::testing {

/// Returns a store.
using MakeChatStore = std::function<std::shared_ptr<ChatStore>()>;

/// For flux itself: a message with this id.
inline ChatMessage chat_message(const std::string& room, const std::string& id, std::string text = "hello") {
  ChatMessage message;
  message.id = id;
  message.room = room;
  message.connection_id = "0000000000001";
  message.message = std::move(text);
  message.created_at = 1'700'000'000'000;
  return message;
}

/// For flux itself: every member, so that a failed check shows which differ.
inline std::string members_of(const ChatMessage& message) {
  std::string members = "offset " + std::to_string(message.offset) + ", id " + message.id + ", room " + message.room +
                        ", connection " + message.connection_id + ", user " + message.user_id + ", created at " +
                        std::to_string(message.created_at) + ", message " + message.message;
  return members + ", edited at " + std::to_string(message.edited_at) + ", deleted at " +
         std::to_string(message.deleted_at) + ", metadata " + message.metadata;
}

/// For flux itself: "1 2 3 ".
inline std::string ids_of(const Result<std::vector<ChatMessage>>& page) {
  std::string ids;
  for (const ChatMessage& message : page.value()) ids += message.id + ' ';
  return ids;
}

/// For flux itself: appends messages with the ids 1 to `count` to an empty room. Throws if an offset is wrong.
inline void fill(ChatStore& store, const std::string& room, int count) {
  for (int i = 1; i <= count; ++i) {
    const Offset offset = store.append(room, chat_message(room, std::to_string(i))).value();
    if (offset != static_cast<Offset>(i))
      throw std::runtime_error("offset " + std::to_string(offset) + ", not " + std::to_string(i));
  }
}

namespace chat_contract {

inline void order(Contract& contract, ChatStore& store) {
  fill(store, "r", 5);
  const auto page = store.history("r", 1000, 0).value();
  FLUX_REQUIRE(page.size() == 5);
  for (std::size_t i = 0; i < page.size(); ++i) {
    FLUX_CHECK(page[i].offset == i + 1);
    FLUX_CHECK(page[i].id == std::to_string(i + 1));
    FLUX_CHECK(page[i].room == "r");
  }
}

inline void order_is_not_time(Contract& contract, ChatStore& store) {
  const std::array<std::int64_t, 5> times = {5'000, 5'000, 3'000, 9'000, 1};
  for (std::size_t i = 0; i < times.size(); ++i) {
    ChatMessage message = chat_message("r", std::string(1, static_cast<char>('z' - i)));
    message.created_at = times[i];
    FLUX_REQUIRE(store.append("r", message).value() == i + 1);
  }
  FLUX_CHECK(ids_of(store.history("r", 10, 0)) == "z y x w v ");
  FLUX_CHECK(ids_of(store.history("r", 2, 3)) == "z y ");
}

inline void unknown_room(Contract& contract, ChatStore& store) {
  FLUX_CHECK(store.history("nobody", 10, 0).value().empty());
  FLUX_CHECK(store.history("nobody", 10, 7).value().empty());
}

inline void whole_messages(Contract& contract, ChatStore& store) {
  ChatMessage full = chat_message("r", "id");
  full.user_id = "user";
  full.metadata = R"({"a": [1, "\u00e9"]})";
  full.created_at = 4'102'444'800'123;
  FLUX_REQUIRE(store.append("r", full).ok());
  full.offset = 1;
  FLUX_CHECK(members_of(store.history("r", 1, 0).value().at(0)) == members_of(full));
  ChatMessage bare = chat_message("r", "bare", "");
  bare.connection_id = server_connection_id;
  bare.created_at = 0;
  FLUX_REQUIRE(store.append("r", bare).ok());
  bare.offset = 2;
  FLUX_CHECK(members_of(store.history("r", 1, 0).value().at(0)) == members_of(bare));
}

inline void idempotence(Contract& contract, ChatStore& store) {
  fill(store, "r", 3);
  FLUX_CHECK(store.append("r", chat_message("r", "2", "another text")).value() == 2);
  FLUX_CHECK(store.append("r", chat_message("r", "4")).value() == 4);
  FLUX_CHECK(ids_of(store.history("r", 10, 0)) == "1 2 3 4 ");
  FLUX_CHECK(store.history("r", 1, 3).value().at(0).message == "hello");
}

inline void pages(Contract& contract, ChatStore& store) {
  fill(store, "r", 5);
  FLUX_CHECK(ids_of(store.history("r", 2, 0)) == "4 5 ");
  FLUX_CHECK(ids_of(store.history("r", 2, 5)) == "3 4 ");
  FLUX_CHECK(ids_of(store.history("r", 2, 3)) == "1 2 ");
  FLUX_CHECK(ids_of(store.history("r", 2, 2)) == "1 ");
  FLUX_CHECK(ids_of(store.history("r", 2, 1)).empty());
  FLUX_CHECK(ids_of(store.history("r", 2, 6)) == "4 5 ");
  FLUX_CHECK(ids_of(store.history("r", 2, 7)) == "4 5 ");
  FLUX_CHECK(ids_of(store.history("r", 2, INT64_MAX)) == "4 5 ");
  FLUX_CHECK(ids_of(store.history("r", 2, Offset{INT64_MAX} + 1)) == "4 5 ");
  FLUX_CHECK(ids_of(store.history("r", 2, UINT64_MAX)) == "4 5 ");
  FLUX_CHECK(ids_of(store.history("r", 5, 0)) == "1 2 3 4 5 ");
  FLUX_CHECK(ids_of(store.history("r", 6, 0)) == "1 2 3 4 5 ");
  FLUX_CHECK(ids_of(store.history("r", 1000, 0)) == "1 2 3 4 5 ");
  FLUX_CHECK(ids_of(store.history("r", 1000, 5)) == "1 2 3 4 ");
  FLUX_CHECK(ids_of(store.history("r", 1, 0)) == "5 ");
  FLUX_CHECK(ids_of(store.history("r", 1, 2)) == "1 ");
}

inline void paging_backwards(Contract& contract, ChatStore& store) {
  fill(store, "r", 100);
  std::vector<std::string> seen;
  for (Offset before = 0;;) {
    const auto page = store.history("r", 7, before).value();
    if (page.empty()) break;
    for (auto message = page.rbegin(); message != page.rend(); ++message) seen.push_back(message->id);
    before = page.front().offset;
  }
  FLUX_REQUIRE(seen.size() == 100);
  for (std::size_t i = 0; i < seen.size(); ++i) FLUX_CHECK(seen[i] == std::to_string(100 - i));
}

inline void largest_page(Contract& contract, ChatStore& store) {
  std::vector<ChatMessage> messages;
  for (int i = 1; i <= 1000; ++i) messages.push_back(chat_message("r", std::to_string(i)));
  for (const auto& offset : store.append_all(messages)) FLUX_REQUIRE(offset.ok());
  const auto page = store.history("r", 1000, 0).value();
  FLUX_REQUIRE(page.size() == 1000);
  FLUX_CHECK(page.front().offset == 1);
  FLUX_CHECK(page.back().offset == 1000);
}

/// The first room gets one message, the second two, and so on.
inline void check_apart(Contract& contract, ChatStore& store, const std::vector<std::string>& rooms) {
  for (std::size_t i = 0; i < rooms.size(); ++i) fill(store, rooms[i], static_cast<int>(i + 1));
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    const auto page = store.history(rooms[i], 1000, 0).value();
    FLUX_REQUIRE(page.size() == i + 1);
    FLUX_CHECK(page.front().room == rooms[i]);
  }
}

inline void rooms_apart(Contract& contract, ChatStore& store) {
  const std::vector<std::string> rooms = {"a",    "A",    "a ", "a%",       " a",        "a'b",
                                          "a\"b", "a\\b", "a_", "\xC3\xA9", "e\xCC\x81", "\xF0\x9F\x98\x80"};
  check_apart(contract, store, rooms);
}

inline void text(Contract& contract, ChatStore& store) {
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
    FLUX_REQUIRE(store.append("r", message).value() == i + 1);
  }
  const auto page = store.history("r", 1000, 0).value();
  FLUX_REQUIRE(page.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    FLUX_CHECK((page[i].message == texts[i]));
    FLUX_CHECK(page[i].user_id == texts[i].substr(0, 100));
  }
}

inline void metadata(Contract& contract, ChatStore& store) {
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
    FLUX_REQUIRE(store.append("r", message).ok());
  }
  const auto page = store.history("r", 1000, 0).value();
  FLUX_REQUIRE(page.size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i) FLUX_CHECK(page[i].metadata == values[i]);
}

inline void nul(Contract& contract, ChatStore& store) {
  const std::string with_nul("a\0b", 3);
  fill(store, "r", 1);
  FLUX_CHECK(store.append("r", chat_message("r", "2", with_nul)).error().code() == Errc::invalid_argument);
  ChatMessage message = chat_message("r", "2");
  message.user_id = with_nul;
  FLUX_CHECK(store.append("r", message).error().code() == Errc::invalid_argument);
  message.user_id.clear();
  message.metadata = with_nul;
  FLUX_CHECK(store.append("r", message).error().code() == Errc::invalid_argument);
  message.metadata.clear();
  const std::vector<ChatMessage> batch = {message, chat_message("r", "3", with_nul), chat_message("r", "4")};
  const auto offsets = store.append_all(batch);
  FLUX_REQUIRE(offsets.size() == 3);
  FLUX_CHECK(offsets[0].value() == 2);
  FLUX_CHECK(offsets[1].error().code() == Errc::invalid_argument);
  FLUX_CHECK(offsets[2].value() == 3);
  FLUX_CHECK(ids_of(store.history("r", 10, 0)) == "1 2 4 ");
}

inline void batches(Contract& contract, ChatStore& store) {
  FLUX_CHECK(store.append_all({}).empty());
  fill(store, "a", 2);
  std::vector<ChatMessage> batch;
  for (const char* id : {"3", "1", "4", "4", "5"}) {
    batch.push_back(chat_message("a", id));
    batch.push_back(chat_message("b", id));
  }
  std::string offsets;
  for (const auto& offset : store.append_all(batch)) offsets += std::to_string(offset.value()) + ' ';
  FLUX_CHECK(offsets == "3 1 1 2 4 3 4 3 5 4 ");
  FLUX_CHECK(ids_of(store.history("a", 10, 0)) == "1 2 3 4 5 ");
  FLUX_CHECK(ids_of(store.history("b", 10, 0)) == "3 1 4 5 ");
  // The same batch again, as after a lost reply.
  offsets.clear();
  for (const auto& offset : store.append_all(batch)) offsets += std::to_string(offset.value()) + ' ';
  FLUX_CHECK(offsets == "3 1 1 2 4 3 4 3 5 4 ");
  FLUX_CHECK(store.append("a", chat_message("a", "6")).value() == 6);
}

/// Whichever call fails, and however: a retry stores once, and nothing is missing.
inline void faults(Contract& contract, const MakeChatStore& make) {
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
        FLUX_CHECK(offset.value() == static_cast<Offset>(i));
      }
      FLUX_CHECK(failures == 1);
      FLUX_CHECK(ids_of(faulty.history(room, 10, 0)) == "1 2 3 4 5 ");
    }
  }
}

/// Clients choose the names of rooms, so a store that makes file names of them must escape them.
inline void rooms_like_paths(Contract& contract, ChatStore& store) {
  const std::vector<std::string> rooms = {"r",
                                          "..",
                                          "../r",
                                          "/r",
                                          "r/../r",
                                          "r/",
                                          "r%2F",
                                          "r_",
                                          "r\\",
                                          "NUL",
                                          std::string(120, 'r'),
                                          "r.txt",
                                          std::string(119, 'r') + '/'};
  check_apart(contract, store, rooms);
}

inline void overlapping_rooms(Contract& contract, ChatStore& store) {
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
  FLUX_CHECK(wrong.load() == 0);
}

/// Appends batches to some rooms while others are read: pages are whole, and only grow.
inline void reading_while_storing(Contract& contract, ChatStore& store) {
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
  FLUX_CHECK(wrong.load() == 0);
  FLUX_CHECK(store.history("w2", 1000, 0).value().size() == 200);
}

/// The last reference is held by a thread during its calls. What was acknowledged is there afterwards.
inline void closing(Contract& contract, const MakeChatStore& make, const MakeChatStore& reopen) {
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
  FLUX_CHECK(!failed.load());
  if (!reopen) return;
  const auto store = reopen();
  for (int t = 0; t < threads_count; ++t) {
    const auto page = store->history("room" + std::to_string(t), 1000, 0).value();
    FLUX_REQUIRE(page.size() == static_cast<std::size_t>(acknowledged[static_cast<std::size_t>(t)]));
    FLUX_CHECK(page.back().offset == page.size());
  }
}

/// The message of `fill`, edited.
inline ChatMessage edited_message(Offset offset, std::string text) {
  ChatMessage message = chat_message("r", std::to_string(offset), std::move(text));
  message.offset = offset;
  message.metadata = R"({"edited":[true]})";
  message.edited_at = 1'700'000'000'001;
  return message;
}
inline ChatMessage deleted_message(Offset offset) {
  ChatMessage message = chat_message("r", std::to_string(offset), "");
  message.offset = offset;
  message.deleted_at = 1'700'000'000'002;
  return message;
}

inline void editing(Contract& contract, ChatStore& store) {
  fill(store, "r", 3);
  fill(store, "other", 3);
  const ChatMessage edited = edited_message(2, "it's \"new\" \xF0\x9F\x98\x80");
  FLUX_REQUIRE(store.replace("r", edited).value());
  FLUX_REQUIRE(store.replace("r", edited).value());  // a retry
  auto page = store.history("r", 10, 0).value();
  FLUX_CHECK(ids_of(store.history("r", 10, 0)) == "1 2 3 ");
  FLUX_CHECK((page.at(1) == edited));
  FLUX_CHECK(page.at(0).message == "hello");
  FLUX_CHECK(page.at(2).message == "hello");
  FLUX_CHECK(store.history("other", 1, 3).value().at(0).message == "hello");
  const ChatMessage longer = edited_message(2, std::string(65'536, 'x'));
  FLUX_REQUIRE(store.replace("r", longer).value());
  FLUX_CHECK(members_of(store.history("r", 1, 3).value().at(0)) == members_of(longer));
}

inline void deleting(Contract& contract, ChatStore& store) {
  fill(store, "r", 3);
  FLUX_REQUIRE(store.replace("r", edited_message(3, "new")).value());
  for (const Offset offset : {Offset{2}, Offset{3}}) FLUX_REQUIRE(store.replace("r", deleted_message(offset)).value());
  auto page = store.history("r", 10, 0).value();
  FLUX_REQUIRE(page.size() == 3);
  FLUX_CHECK((page[1] == deleted_message(2)));
  FLUX_CHECK((page[2] == deleted_message(3)));
  FLUX_CHECK(ids_of(store.history("r", 2, 3)) == "1 2 ");
  FLUX_CHECK(store.append("r", chat_message("r", "3")).value() == 3);
  FLUX_CHECK(store.append("r", chat_message("r", "4")).value() == 4);
}

inline void editing_deleted(Contract& contract, ChatStore& store) {
  fill(store, "r", 2);
  FLUX_REQUIRE(store.replace("r", deleted_message(1)).value());
  FLUX_CHECK(!store.replace("r", edited_message(1, "new")).value());
  ChatMessage again = deleted_message(1);
  ++again.deleted_at;
  FLUX_CHECK(!store.replace("r", again).value());
  FLUX_CHECK(members_of(store.history("r", 1, 2).value().at(0)) == members_of(deleted_message(1)));
  FLUX_CHECK(store.replace("r", edited_message(2, "new")).value());
}

inline void editing_what_is_not_there(Contract& contract, ChatStore& store) {
  FLUX_CHECK(!store.replace("r", edited_message(1, "new")).value());
  fill(store, "r", 2);
  for (const Offset offset : {Offset{0}, Offset{3}, Offset{INT64_MAX}, Offset{UINT64_MAX}}) {
    FLUX_CHECK(!store.replace("r", edited_message(offset, "new")).value());
  }
  FLUX_CHECK(!store.replace("nobody", edited_message(1, "new")).value());
  ChatMessage with_nul = edited_message(1, std::string("a\0b", 3));
  FLUX_CHECK(store.replace("r", with_nul).error().code() == Errc::invalid_argument);
  FLUX_CHECK(store.history("r", 1, 2).value().at(0).message == "hello");
}

inline void editing_then_opening_again(Contract& contract, const MakeChatStore& make, const MakeChatStore& reopen) {
  {
    const auto store = make();
    fill(*store, "r", 2);
    FLUX_REQUIRE(store->replace("r", edited_message(1, "new")).value());
    FLUX_REQUIRE(store->replace("r", deleted_message(2)).value());
  }
  const auto page = reopen()->history("r", 10, 0).value();
  FLUX_CHECK(members_of(page.at(0)) == members_of(edited_message(1, "new")));
  FLUX_CHECK((page.at(1) == deleted_message(2)));
}

inline void opening_again(Contract& contract, const MakeChatStore& make, const MakeChatStore& reopen) {
  std::vector<ChatMessage> before;
  {
    const auto store = make();
    fill(*store, "r", 3);
    before = store->history("r", 10, 0).value();
  }
  const auto store = reopen();
  FLUX_CHECK(store->history("r", 10, 0).value() == before);
  FLUX_CHECK(store->append("r", chat_message("r", "2")).value() == 2);
  FLUX_CHECK(store->append("r", chat_message("r", "4")).value() == 4);
}

}  // namespace chat_contract

/// Runs a store through the contract. `check` is called for every check. `make` returns a new, empty store at each call.
/// `reopen` reopens the store that `make` returned last, after its release; none: the store is not persistent.
inline void chat_store_contract(const CheckFunction& check, const MakeChatStore& make,
                                const MakeChatStore& reopen = {}) {
  Contract contract(check);
  contract.duty("offsets start at 1 and have no gaps; pages are oldest first",
                [&] { chat_contract::order(contract, *make()); });
  contract.duty("the order is that of the offsets, not of the times",
                [&] { chat_contract::order_is_not_time(contract, *make()); });
  contract.duty("an unknown room is empty", [&] { chat_contract::unknown_room(contract, *make()); });
  contract.duty("every member of a message is returned", [&] { chat_contract::whole_messages(contract, *make()); });
  contract.duty("appending a stored id stores nothing and returns the first offset",
                [&] { chat_contract::idempotence(contract, *make()); });
  contract.duty("pages end below `before`, at every edge", [&] { chat_contract::pages(contract, *make()); });
  contract.duty("paging backwards returns every message once",
                [&] { chat_contract::paging_backwards(contract, *make()); });
  contract.duty("the largest page has 1,000 messages", [&] { chat_contract::largest_page(contract, *make()); });
  contract.duty("rooms are independent, and so are ids in them",
                [&] { chat_contract::rooms_apart(contract, *make()); });
  contract.duty("text is kept byte for byte", [&] { chat_contract::text(contract, *make()); });
  contract.duty("metadata is any JSON, kept byte for byte", [&] { chat_contract::metadata(contract, *make()); });
  contract.duty("a NUL is refused, and harms nothing else", [&] { chat_contract::nul(contract, *make()); });
  contract.duty("a batch stores what single calls would, and each message is atomic",
                [&] { chat_contract::batches(contract, *make()); });
  contract.duty("after a fault of any call, a retry stores once", [&] { chat_contract::faults(contract, make); });
  contract.duty("rooms whose names look like paths, and long names, are independent, too",
                [&] { chat_contract::rooms_like_paths(contract, *make()); });
  contract.duty("calls for different rooms may overlap", [&] { chat_contract::overlapping_rooms(contract, *make()); });
  contract.duty("other rooms may be read while a batch is stored",
                [&] { chat_contract::reading_while_storing(contract, *make()); });
  contract.duty("a store that is released during calls loses nothing",
                [&] { chat_contract::closing(contract, make, reopen); });
  bool can_edit = false;
  contract.duty("whether messages can be edited is known", [&] { can_edit = make()->can_edit(); });
  if (can_edit) {
    contract.duty("an edited message has the new text, and others stay",
                  [&] { chat_contract::editing(contract, *make()); });
    contract.duty("a deleted message keeps its place and id, and nothing of its text",
                  [&] { chat_contract::deleting(contract, *make()); });
    contract.duty("a deleted message can't be edited or deleted again",
                  [&] { chat_contract::editing_deleted(contract, *make()); });
    contract.duty("a message that is not stored can't be edited",
                  [&] { chat_contract::editing_what_is_not_there(contract, *make()); });
    if (reopen) {
      contract.duty("edits are there when the store is reopened",
                    [&] { chat_contract::editing_then_opening_again(contract, make, reopen); });
    }
  }
  if (reopen) {
    contract.duty("stored messages are there when the store is reopened",
                  [&] { chat_contract::opening_again(contract, make, reopen); });
  }
}

}  // namespace flux::testing
