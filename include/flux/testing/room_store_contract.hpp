// The duties of every RoomStore as a test suite, for flux's stores and those of applications, with any test framework
// (contract.hpp says how). With Catch2:
//
//     TEST_CASE("room store: mine fulfills the contract") {
//       flux::testing::room_store_contract(
//           [](const flux::testing::Check& check) { INFO(check.text()); CHECK(check.passed); },
//           [] { return my_new_empty_store(); }, [] { return my_reopened_store(); });
//     }
//
// The store must keep at least 1,000 items of a room, and 32 rooms.
#pragma once

#include <flux/testing/contract.hpp>
#include <flux/testing/faulty_room_store.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace flux::testing {

/// Returns a store.
using MakeRoomStore = std::function<std::shared_ptr<RoomStore>()>;

/// For flux itself: a room.
inline StoredRoom stored_room(const std::string& id, const std::string& life = "life1") {
  StoredRoom room;
  room.id = id;
  room.life = life;
  return room;
}

/// For flux itself: an item.
inline StoredItem stored_item(std::uint64_t number, std::string data = R"({"type":"string","content":"hello"})") {
  StoredItem item;
  item.number = number;
  item.connection_id = "0000000000001";
  item.data = std::move(data);
  return item;
}

/// For flux itself: an item to be appended.
inline RoomAppend room_append(const StoredRoom& room, std::uint64_t number, std::uint64_t first_kept = 1) {
  return {room, stored_item(number), first_kept};
}

/// For flux itself: the result of `load`, by the ids of rooms. Throws if two have the same id.
inline std::map<RoomId, StoredContents> loaded(RoomStore& store) {
  std::map<RoomId, StoredContents> rooms;
  for (StoredContents& contents : store.load().value()) {
    const RoomId id = contents.room.id;
    if (!rooms.emplace(id, std::move(contents)).second) throw std::runtime_error("two rooms with the id " + id);
  }
  return rooms;
}

/// For flux itself: "1 2 3 ", in the order of `load`; "none" if there is no such room.
inline std::string numbers_of(RoomStore& store, const RoomId& id) {
  const auto rooms = loaded(store);
  const auto found = rooms.find(id);
  if (found == rooms.end()) return "none";
  std::string numbers;
  for (const StoredItem& item : found->second.items) numbers += std::to_string(item.number) + ' ';
  return numbers;
}

/// For flux itself: appends items with the numbers 1 to `count`. Throws if the store fails.
inline void fill(RoomStore& store, const StoredRoom& room, std::uint64_t count) {
  for (std::uint64_t i = 1; i <= count; ++i) store.append(room_append(room, i)).value();
}

namespace room_contract {

inline void empty(Contract& contract, RoomStore& store) {
  FLUX_CHECK(loaded(store).empty());
  FLUX_CHECK(store.remove_item("r", "life1", 1).ok());
  FLUX_CHECK(store.close("r", "life1").ok());
  FLUX_CHECK(loaded(store).empty());
}

inline void rooms(Contract& contract, RoomStore& store) {
  std::map<RoomId, StoredContents> expected;
  for (const RoomMode mode : {RoomMode::singleton, RoomMode::history}) {
    for (const bool permanent : {false, true}) {
      for (const std::size_t capacity : {std::size_t{0}, std::size_t{1}, std::size_t{1'000'000}}) {
        const std::string id = std::to_string(expected.size());
        const StoredRoom room{id, "Life" + id, mode, capacity, permanent};
        FLUX_REQUIRE(store.open(room).ok());
        expected[id].room = room;
      }
    }
  }
  const auto all = loaded(store);
  FLUX_REQUIRE(all.size() == expected.size());
  for (const auto& [id, contents] : expected) {
    FLUX_CHECK(all.at(id).room == contents.room);
    FLUX_CHECK(all.at(id).items.empty());
  }
}

inline void demands(Contract& contract, RoomStore& store) {
  StoredRoom room = stored_room("r");
  room.demands = Demands{"read", "write", "write", "talk", "a \"b\" \xC3\xA9", "read"};
  FLUX_REQUIRE(store.append(room_append(room, 1)).ok());
  FLUX_CHECK(loaded(store).at("r").room == room);
  room.demands = Demands{};  // its own, which demand nothing, instead of the server's
  FLUX_REQUIRE(store.open(room).ok());
  FLUX_CHECK(loaded(store).at("r").room == room);
  room.demands = std::nullopt;
  FLUX_REQUIRE(store.open(room).ok());
  FLUX_CHECK(loaded(store).at("r").room == room);
}

inline void opening_twice(Contract& contract, RoomStore& store) {
  StoredRoom room = stored_room("r");
  fill(store, room, 2);
  room.mode = RoomMode::singleton;
  room.capacity = 7;
  room.permanent = true;
  FLUX_REQUIRE(store.open(room).ok());
  FLUX_CHECK(loaded(store).at("r").room == room);
  FLUX_CHECK(numbers_of(store, "r") == "1 2 ");
}

inline void items(Contract& contract, RoomStore& store) {
  const StoredRoom room = stored_room("r");
  StoredItem file = stored_item(2, R"({"type":"file","fileId":"0b6f9c1e-6d2b-4c39-9d8f-0a1b2c3d4e5f"})");
  file.file = "0b6f9c1e-6d2b-4c39-9d8f-0a1b2c3d4e5f";
  file.connection_id = server_connection_id;
  const std::vector<StoredItem> all = {stored_item(1), file, stored_item(3, "null")};
  for (const StoredItem& item : all) FLUX_REQUIRE(store.append({room, item, 1}).ok());
  FLUX_CHECK(loaded(store).at("r").room == room);  // an append has opened it
  FLUX_CHECK(loaded(store).at("r").items == all);
}

inline void options_of_an_append(Contract& contract, RoomStore& store) {
  StoredRoom room = stored_room("r");
  room.capacity = 3;
  room.permanent = true;
  FLUX_REQUIRE(store.append(room_append(room, 1)).ok());
  FLUX_CHECK(loaded(store).at("r").room == room);
}

inline void order(Contract& contract, RoomStore& store) {
  const StoredRoom room = stored_room("r");
  for (const std::uint64_t number : {1U, 2U, 9U, 10U, 11U, 99U, 100U, 1'000U})
    FLUX_REQUIRE(store.append(room_append(room, number)).ok());
  FLUX_CHECK(numbers_of(store, "r") == "1 2 9 10 11 99 100 1000 ");
  FLUX_REQUIRE(store.append(room_append(room, INT64_MAX)).ok());
  FLUX_CHECK(loaded(store).at("r").items.back().number == INT64_MAX);
  FLUX_CHECK(numbers_of(store, "r") == "1 2 9 10 11 99 100 1000 9223372036854775807 ");
}

inline void replacing(Contract& contract, RoomStore& store) {
  const StoredRoom room = stored_room("r");
  fill(store, room, 3);
  StoredItem again = stored_item(3, "\"again\"");
  again.connection_id = "0000000000002";
  again.file = "0b6f9c1e-6d2b-4c39-9d8f-0a1b2c3d4e5f";
  FLUX_REQUIRE(store.append({room, again, 1}).ok());
  FLUX_CHECK(numbers_of(store, "r") == "1 2 3 ");
  FLUX_CHECK(loaded(store).at("r").items.back() == again);
}

inline void trimming(Contract& contract, RoomStore& store) {
  const StoredRoom room = stored_room("r");
  const auto append = [&](std::uint64_t number, std::uint64_t first_kept) {
    FLUX_REQUIRE(store.append(room_append(room, number, first_kept)).ok());
    return numbers_of(store, "r");
  };
  FLUX_CHECK(append(1, 0) == "1 ");
  FLUX_CHECK(append(2, 0) == "1 2 ");
  FLUX_CHECK(append(3, 1) == "1 2 3 ");
  FLUX_CHECK(append(4, 2) == "2 3 4 ");
  FLUX_CHECK(append(5, 1) == "2 3 4 5 ");  // deleted items stay deleted
  FLUX_CHECK(append(6, 4) == "4 5 6 ");
  FLUX_CHECK(append(7, 7) == "7 ");  // all but the new item
  FLUX_CHECK(append(9, 8) == "9 ");  // there is no item 8
  FLUX_CHECK(append(10, 9) == "9 10 ");
  const StoredRoom other = stored_room("other");
  fill(store, other, 2);
  FLUX_CHECK(append(11, 11) == "11 ");
  FLUX_CHECK(numbers_of(store, "other") == "1 2 ");
}

inline void removing(Contract& contract, RoomStore& store) {
  fill(store, stored_room("r"), 3);
  fill(store, stored_room("other"), 3);
  const auto remove = [&](const std::string& life, std::uint64_t number) {
    FLUX_REQUIRE(store.remove_item("r", life, number).ok());
    return numbers_of(store, "r");
  };
  FLUX_CHECK(remove("life1", 3) == "1 2 ");
  FLUX_CHECK(remove("life1", 3) == "1 2 ");
  FLUX_CHECK(remove("life1", 7) == "1 2 ");
  FLUX_CHECK(remove("life2", 2) == "1 2 ");
  FLUX_CHECK(remove("LIFE1", 2) == "1 2 ");
  FLUX_CHECK(remove("life1", 1) == "2 ");
  FLUX_CHECK(remove("life1", 2).empty());  // and the room remains
  FLUX_CHECK(numbers_of(store, "other") == "1 2 3 ");
}

inline void lives(Contract& contract, RoomStore& store) {
  fill(store, stored_room("r", "life1"), 2);
  FLUX_REQUIRE(store.close("r", "life2").ok());
  FLUX_CHECK(numbers_of(store, "r") == "1 2 ");
  FLUX_REQUIRE(store.open(stored_room("r", "life2")).ok());  // replaces the old one
  FLUX_CHECK(numbers_of(store, "r").empty());
  FLUX_CHECK(loaded(store).at("r").room.life == "life2");
  FLUX_REQUIRE(store.append(room_append(stored_room("r", "life2"), 1)).ok());
  FLUX_REQUIRE(store.close("r", "life1").ok());
  FLUX_CHECK(numbers_of(store, "r") == "1 ");
  StoredRoom third = stored_room("r", "life3");
  third.mode = RoomMode::singleton;
  FLUX_REQUIRE(store.append(room_append(third, 5, 5)).ok());
  FLUX_CHECK(numbers_of(store, "r") == "5 ");
  FLUX_CHECK(loaded(store).at("r").room == third);
  const StoredRoom longest = stored_room("r", "0123456789abcdefABCDEFGHIJKLMNOP");
  FLUX_REQUIRE(store.open(longest).ok());
  FLUX_CHECK(loaded(store).at("r").room == longest);
  const StoredRoom other_case = stored_room("r", "0123456789ABCDEFabcdefghijklmnop");
  FLUX_REQUIRE(store.append(room_append(other_case, 2)).ok());
  FLUX_CHECK(loaded(store).at("r").room == other_case);
}

inline void closing_rooms(Contract& contract, RoomStore& store) {
  fill(store, stored_room("r"), 2);
  fill(store, stored_room("other"), 1);
  FLUX_REQUIRE(store.close("r", "life1").ok());
  FLUX_CHECK(numbers_of(store, "r") == "none");
  FLUX_REQUIRE(store.close("r", "life1").ok());
  FLUX_REQUIRE(store.remove_item("r", "life1", 1).ok());
  FLUX_CHECK(numbers_of(store, "r") == "none");
  FLUX_CHECK(numbers_of(store, "other") == "1 ");
  FLUX_REQUIRE(store.open(stored_room("r", "life2")).ok());
  FLUX_CHECK(numbers_of(store, "r").empty());  // nothing has reappeared
}

inline void many_items(Contract& contract, RoomStore& store) {
  const StoredRoom room = stored_room("r");
  std::vector<RoomAppend> appends;
  for (std::uint64_t i = 1; i <= 1'000; ++i) appends.push_back(room_append(room, i));
  for (const auto& result : store.append_all(appends)) FLUX_REQUIRE(result.ok());
  const auto all = loaded(store).at("r").items;
  FLUX_REQUIRE(all.size() == 1'000);
  for (std::size_t i = 0; i < all.size(); ++i) FLUX_REQUIRE(all[i].number == i + 1);
  FLUX_REQUIRE(store.append(room_append(room, 1'001, 1'000)).ok());
  FLUX_CHECK(numbers_of(store, "r") == "1000 1001 ");
}

inline void ids_apart(Contract& contract, RoomStore& store) {
  std::vector<std::string> ids = {"",     "a",    "A",    "a ",  " a",   "a%",       "a_",        "a'b",
                                  "a\"b", "a\\b", "a;--", "a/b", "../a", "\xC3\xA9", "e\xCC\x81", "\xF0\x9F\x98\x80",
                                  "null", "NULL", "0",    "00"};
  ids.emplace_back(256, 'x');
  ids.push_back(std::string(255, 'x') + "y");
  std::string emoji;
  while (emoji.size() < 256) emoji += "\xF0\x9F\x98\x80";
  ids.push_back(emoji);
  for (std::size_t i = 0; i < ids.size(); ++i) fill(store, stored_room(ids[i]), i + 1);
  const auto all = loaded(store);
  FLUX_REQUIRE(all.size() == ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    FLUX_CHECK(all.at(ids[i]).items.size() == i + 1);
  }
  for (std::size_t i = 0; i < ids.size(); i += 2) FLUX_REQUIRE(store.close(ids[i], "life1").ok());
  FLUX_CHECK(loaded(store).size() == ids.size() / 2);
  FLUX_CHECK(numbers_of(store, "a") == "1 2 ");
  FLUX_CHECK(numbers_of(store, "") == "none");
}

inline void any_json(Contract& contract, RoomStore& store) {
  std::vector<std::string> texts = {"null",
                                    "true",
                                    "0",
                                    "-1.50e+300",
                                    "123456789012345678901234567890",
                                    "\"\"",
                                    R"("\\\"\u0000\ud83d\ude00")",
                                    "[]",
                                    "{}",
                                    R"({"b":1,"a":{"b":[null,{}]},"b":2})",
                                    "{ \"spaced\" :\t[ 1 , 2 ]\r\n}",
                                    "\"\xF0\x9F\x98\x80\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB\"",
                                    "\"it's `so`; DROP TABLE rooms; --\"",
                                    R"("\\ ' \\' %s % \\\\ '' $1 ? :p0 ::text")",
                                    "\"\xEF\xBB\xBF\xEF\xBF\xBD\x7F\"",
                                    "  \" spaces \"  "};
  texts.push_back('"' + std::string(65'536, 'x') + '"');
  texts.push_back('"' + std::string(65'536, '\'') + '"');
  std::string emoji;
  while (emoji.size() < 65'536) emoji += "\xF0\x9F\x98\x80";
  texts.push_back('"' + emoji + '"');
  std::vector<RoomAppend> batch;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    FLUX_REQUIRE(store.append({stored_room("one by one"), stored_item(i + 1, texts[i]), 1}).ok());
    batch.push_back({stored_room("together"), stored_item(i + 1, texts[i]), 1});
  }
  for (const auto& result : store.append_all(batch)) FLUX_REQUIRE(result.ok());
  for (const auto& [id, contents] : loaded(store)) {
    FLUX_REQUIRE(contents.items.size() == texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) FLUX_CHECK((contents.items[i].data == texts[i]));
  }
}

inline void batches(Contract& contract, const MakeRoomStore& make) {
  const StoredRoom a1 = stored_room("a", "life1");
  const StoredRoom a2 = stored_room("a", "life2");
  StoredRoom b = stored_room("b");
  b.mode = RoomMode::singleton;
  StoredRoom wider = stored_room("c");
  wider.capacity = 9;
  std::vector<RoomAppend> batch = {room_append(a1, 1),    room_append(b, 1, 1), room_append(a1, 2),
                                   room_append(b, 2, 2),  room_append(a1, 2),   room_append(a1, 4, 2),
                                   room_append(wider, 7), room_append(a2, 1),   room_append(a2, 3, 1)};
  batch[4].item.data = "\"again\"";
  batch[6].item.file = "0b6f9c1e-6d2b-4c39-9d8f-0a1b2c3d4e5f";
  const auto together = make();
  FLUX_CHECK(together->append_all({}).empty());
  const auto results = together->append_all(batch);
  FLUX_REQUIRE(results.size() == batch.size());
  for (const auto& result : results) FLUX_CHECK(result.ok());
  const auto all = loaded(*together);
  FLUX_REQUIRE(all.size() == 3);
  FLUX_CHECK(all.at("a").room == a2);
  FLUX_CHECK(all.at("c").room == wider);
  FLUX_CHECK(all.at("c").items.at(0) == batch[6].item);
  FLUX_CHECK(numbers_of(*together, "a") == "1 3 ");
  FLUX_CHECK(numbers_of(*together, "b") == "2 ");
  // Within one life as well.
  batch.resize(6);
  const auto first = make();
  for (const auto& result : first->append_all(batch)) FLUX_CHECK(result.ok());
  FLUX_CHECK(numbers_of(*first, "a") == "2 4 ");
  FLUX_CHECK(loaded(*first).at("a").items.at(0).data == "\"again\"");
}

/// The same appends, one by one in one store and in batches of growing size in another.
inline void batches_are_appends(Contract& contract, const MakeRoomStore& make) {
  std::vector<RoomAppend> appends;
  for (std::uint64_t i = 1; i <= 60; ++i) {
    const std::string room = "r" + std::to_string(i % 3);
    const std::string life = i < 40 ? "life1" : "life2";
    appends.push_back({stored_room(room, life), stored_item(i, std::to_string(i)), i % 7 == 0 ? i - 6 : 0});
  }
  std::map<RoomId, StoredContents> one_by_one;
  {
    const auto store = make();
    for (const RoomAppend& append : appends) FLUX_REQUIRE(store->append(append).ok());
    one_by_one = loaded(*store);
  }
  const auto store = make();
  for (std::size_t begin = 0, size = 1; begin < appends.size(); begin += size++) {
    const std::size_t end = std::min(begin + size, appends.size());
    for (const auto& result : store->append_all(std::span(appends).subspan(begin, end - begin)))
      FLUX_REQUIRE(result.ok());
  }
  const auto together = loaded(*store);
  FLUX_REQUIRE(together.size() == one_by_one.size());
  for (const auto& [id, contents] : one_by_one) {
    FLUX_CHECK(together.at(id).room == contents.room);
    FLUX_CHECK(together.at(id).items == contents.items);
  }
}

/// Retries until success.
inline void insist(Contract& contract, const std::function<Result<void>()>& call, int& failures) {
  const auto attempt = [&]() -> Result<void> {
    try {
      return call();
    } catch (const std::exception&) {
      return Error(Errc::store_failed, "thrown");
    }
  };
  if (attempt()) return;
  ++failures;
  FLUX_REQUIRE(attempt().ok());
}

/// Whichever call fails, and however: a retry stores once, and nothing is missing.
inline void faults(Contract& contract, const MakeRoomStore& make) {
  for (const Fault fault : {Fault::before, Fault::after, Fault::exception}) {
    const auto store = make();
    FaultyRoomStore faulty(store);
    for (std::size_t nth = 1; nth <= 7; ++nth) {
      const StoredRoom room = stored_room("room" + std::to_string(nth));
      const StoredRoom closed = stored_room("closed" + std::to_string(nth));
      FLUX_REQUIRE(store->open(closed).ok());
      faulty.fail(nth, fault);
      int failures = 0;
      insist(
          contract, [&] { return faulty.open(room); }, failures);
      for (std::uint64_t i = 1; i <= 4; ++i) {
        insist(
            contract, [&] { return faulty.append(room_append(room, i, i == 4 ? 2 : 1)); }, failures);
      }
      insist(
          contract, [&] { return faulty.remove_item(room.id, room.life, 3); }, failures);
      insist(
          contract, [&] { return faulty.close(closed.id, closed.life); }, failures);
      FLUX_CHECK(failures == 1);
      FLUX_CHECK(numbers_of(*store, room.id) == "2 4 ");
      FLUX_CHECK(numbers_of(*store, closed.id) == "none");
    }
  }
}

inline void overlapping_rooms(Contract& contract, RoomStore& store) {
  constexpr int rooms = 4;
  constexpr std::uint64_t items = 60;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < rooms; ++t) {
    threads.emplace_back([&store, &wrong, id = "room" + std::to_string(t)] {
      const auto good = [&](const Result<void>& result) { wrong += result ? 0 : 1; };
      for (const char* life : {"life1", "life2"}) {
        const StoredRoom room = stored_room(id, life);
        good(store.open(room));
        for (std::uint64_t i = 1; i <= items; ++i) good(store.append(room_append(room, i, i > 10 ? i - 10 : 1)));
        good(store.remove_item(id, life, items));
        if (life == std::string("life1")) good(store.close(id, life));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  FLUX_CHECK(wrong.load() == 0);
  const auto all = loaded(store);
  FLUX_REQUIRE(all.size() == rooms);
  for (const auto& [id, contents] : all) {
    FLUX_CHECK(contents.room.life == "life2");
    FLUX_CHECK(contents.items.size() == 10);
    FLUX_CHECK(contents.items.front().number == items - 10);
  }
}

/// Appends batches to some rooms while others are opened, written to and closed.
inline void calls_beside_batches(Contract& contract, RoomStore& store) {
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::thread others([&] {
    const auto good = [&](const Result<void>& result) { wrong += result ? 0 : 1; };
    for (int i = 0; !done; ++i) {
      const StoredRoom room = stored_room("other" + std::to_string(i % 2), "life" + std::to_string(i));
      good(store.open(room));
      good(store.append(room_append(room, 1)));
      good(store.remove_item(room.id, room.life, 1));
      good(store.close(room.id, room.life));
    }
  });
  for (std::uint64_t n = 0; n < 20; ++n) {
    std::vector<RoomAppend> batch;
    for (std::uint64_t i = 0; i < 30; ++i)
      batch.push_back(room_append(stored_room("w" + std::to_string(i % 3)), n * 10 + i / 3 + 1));
    for (const auto& result : store.append_all(batch)) wrong += result ? 0 : 1;
  }
  done = true;
  others.join();
  FLUX_CHECK(wrong.load() == 0);
  const auto all = loaded(store);
  FLUX_REQUIRE(all.size() == 3);
  for (const auto& [id, contents] : all) FLUX_CHECK(contents.items.size() == 200);
}

/// The last reference is held by a thread during its calls. What was acknowledged is there afterwards.
inline void letting_go(Contract& contract, const MakeRoomStore& make, const MakeRoomStore& reopen) {
  constexpr std::size_t threads_count = 3;
  std::atomic<std::size_t> begun{0};
  std::atomic<bool> failed{false};
  std::vector<std::thread> threads;
  {
    auto store = make();
    for (std::size_t t = 0; t < threads_count; ++t) {
      threads.emplace_back([&, store, t]() mutable {
        const StoredRoom room = stored_room("room" + std::to_string(t));
        for (std::uint64_t i = 1; i <= 20 * (t + 1); ++i) {
          if (!store->append(room_append(room, i))) failed = true;
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
  const auto all = loaded(*reopen());
  FLUX_REQUIRE(all.size() == threads_count);
  for (std::size_t t = 0; t < threads_count; ++t)
    FLUX_CHECK(all.at("room" + std::to_string(t)).items.size() == 20 * (t + 1));
}

inline void opening_again(Contract& contract, const MakeRoomStore& make, const MakeRoomStore& reopen) {
  std::map<RoomId, StoredContents> before;
  {
    const auto store = make();
    fill(*store, stored_room(""), 3);
    fill(*store, stored_room("trimmed"), 3);
    FLUX_REQUIRE(store->append(room_append(stored_room("trimmed"), 4, 3)).ok());
    fill(*store, stored_room("gone"), 2);
    FLUX_REQUIRE(store->close("gone", "life1").ok());
    FLUX_REQUIRE(store->remove_item("", "life1", 3).ok());
    FLUX_REQUIRE(store->open({"empty", "life9", RoomMode::singleton, 4, true}).ok());
    before = loaded(*store);
  }
  const auto store = reopen();
  const auto all = loaded(*store);
  FLUX_REQUIRE(all.size() == 3);
  for (const auto& [id, contents] : before) {
    FLUX_CHECK(all.at(id).room == contents.room);
    FLUX_CHECK(all.at(id).items == contents.items);
  }
  FLUX_REQUIRE(store->append(room_append(stored_room("trimmed"), 5)).ok());
  FLUX_CHECK(numbers_of(*store, "trimmed") == "3 4 5 ");
}

}  // namespace room_contract

/// Runs a store through the contract. `check` is called for every check. `make` returns a new, empty store at each call.
/// `reopen` reopens the store that `make` returned last, after its release; none: the store is not persistent.
inline void room_store_contract(const CheckFunction& check, const MakeRoomStore& make,
                                const MakeRoomStore& reopen = {}) {
  Contract contract(check);
  contract.duty("a new store has no rooms, and calls for unknown rooms do nothing",
                [&] { room_contract::empty(contract, *make()); });
  contract.duty("every member of a room is returned", [&] { room_contract::rooms(contract, *make()); });
  contract.duty("what a room demands is kept, and replaced by the next open",
                [&] { room_contract::demands(contract, *make()); });
  contract.duty("opening a stored room replaces its options and keeps its items",
                [&] { room_contract::opening_twice(contract, *make()); });
  contract.duty("every member of an item is returned; an append opens its room",
                [&] { room_contract::items(contract, *make()); });
  contract.duty("an append opens its room with its options",
                [&] { room_contract::options_of_an_append(contract, *make()); });
  contract.duty("items are returned in the order of their numbers", [&] { room_contract::order(contract, *make()); });
  contract.duty("an item replaces one with the same number", [&] { room_contract::replacing(contract, *make()); });
  contract.duty("an append deletes the items before its first_kept, at every edge",
                [&] { room_contract::trimming(contract, *make()); });
  contract.duty("an item is removed, and only it", [&] { room_contract::removing(contract, *make()); });
  contract.duty("of the lives of a room, the one opened or written last is kept",
                [&] { room_contract::lives(contract, *make()); });
  contract.duty("closing a room deletes it with its items", [&] { room_contract::closing_rooms(contract, *make()); });
  contract.duty("1,000 items of a room", [&] { room_contract::many_items(contract, *make()); });
  contract.duty("rooms are independent, whatever their ids; the empty id is valid",
                [&] { room_contract::ids_apart(contract, *make()); });
  contract.duty("data is any JSON, kept byte for byte", [&] { room_contract::any_json(contract, *make()); });
  contract.duty("a batch stores what single calls would: rooms, lives, numbers, first_kept",
                [&] { room_contract::batches(contract, make); });
  contract.duty("batches of any size have the effect of single appends",
                [&] { room_contract::batches_are_appends(contract, make); });
  contract.duty("after a fault of any call, a retry stores once", [&] { room_contract::faults(contract, make); });
  contract.duty("calls for different rooms may overlap", [&] { room_contract::overlapping_rooms(contract, *make()); });
  contract.duty("calls for other rooms may overlap with a batch",
                [&] { room_contract::calls_beside_batches(contract, *make()); });
  contract.duty("a store that is released during calls loses nothing",
                [&] { room_contract::letting_go(contract, make, reopen); });
  if (reopen) {
    contract.duty("stored rooms are there when the store is reopened",
                  [&] { room_contract::opening_again(contract, make, reopen); });
  }
}

}  // namespace flux::testing
