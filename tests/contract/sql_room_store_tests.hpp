// Tests beyond the contract that are common to the room stores in SQLite, PostgreSQL and MySQL.
#pragma once

#include "contract/sql_server.hpp"

#include <flux/testing/room_store_contract.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flux_test {

namespace sql_rooms {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;

inline void options(SqlServer& server) {
  refuses_options<flux_test::RoomOptions>(
      server, [&](const flux_test::RoomOptions& options) { fill(*server.open_rooms(options), stored_room("r"), 2); });
}

inline void table_of_another_shape(SqlServer& server) {
  const std::string table = GENERATE("flux_rooms", "flux_rooms_items");
  server.run("CREATE TABLE " + table + " (room_id VARCHAR(10), colour VARCHAR(10))");
  const Error error = error_of([&] { server.open_rooms({}); });
  CHECK(error.code() == Errc::store_failed);
  const std::string missing = table == "flux_rooms" ? "life" : "item_number";
  CHECK_THAT(error.message(), ContainsSubstring("rooms in ") &&
                                  ContainsSubstring("the table \"" + table + "\" has no column \"" + missing));
}

inline void tables_of_other_types(SqlServer& server) {
  refuses_shapes(server, "flux_rooms", "room_id", {"capacity", "permanent"}, {"mode"}, [&] { server.open_rooms({}); });
  refuses_shapes(server, "flux_rooms_items", "room_id, item_number", {}, {"data"}, [&] { server.open_rooms({}); });
}

inline void newer_version(SqlServer& server) {
  server.open_rooms({});
  server.run("UPDATE flux_rooms_version SET version = 7");
  CHECK_THAT(error_of([&] { server.open_rooms({}); }).message(),
             ContainsSubstring("version 7, created by a newer flux"));
}

/// As the first version of flux made them: without a column for what rooms demand.
inline void version_1(SqlServer& server) {
  {
    fill(*server.open_rooms({}), stored_room("r"), 2);
    server.run("ALTER TABLE flux_rooms DROP COLUMN demands");
    server.run("UPDATE flux_rooms_version SET version = 1");
  }
  for (int start = 1; start <= 2; ++start) {
    const auto store = server.open_rooms({});
    CHECK(server.ask("SELECT version FROM flux_rooms_version") == "2");
    CHECK(numbers_of(*store, "r") == "1 2 ");
    StoredRoom room = stored_room("r");
    room.demands = Demands{.join = "read"};
    REQUIRE(store->open(room).ok());
    CHECK(loaded(*store).at("r").room == room);
  }
}

/// Must not open the room to everybody.
inline void unreadable_demands(SqlServer& server) {
  const auto store = server.open_rooms({});
  const auto room = stored_room("r");
  fill(*store, room, 1);
  server.run("UPDATE flux_rooms SET demands = '{}'");
  const auto all = store->load();
  REQUIRE_FALSE(all.ok());
  CHECK_THAT(all.error().message(), ContainsSubstring("\"{}\" is not what a room demands"));
}

inline void broken_start(SqlServer& server) {
  fill(*server.open_rooms({}), stored_room("r"), 2);
  server.run("DROP TABLE flux_rooms_version");  // it is created last
  CHECK(numbers_of(*server.open_rooms({}), "r") == "1 2 ");
  server.run("DROP TABLE flux_rooms_version");
  server.run("DROP TABLE flux_rooms_items");
  CHECK(numbers_of(*server.open_rooms({}), "r").empty());
}

/// A refused item must not lose another.
inline void refused_items(SqlServer& server) {
  const auto store = server.open_rooms({});
  const std::string nul("a\0b", 3);
  const StoredRoom room = stored_room("r");
  std::vector<RoomAppend> batch(9, room_append(room, 1));
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].item.number = i + 1;
  batch[1].room.id = nul;
  batch[2].room.life = nul;
  batch[3].item.connection_id = nul;
  batch[4].item.data = nul;
  batch[5].item.file = nul;
  batch[6].item.number = std::uint64_t{1} << 63;
  batch[7].item.number = UINT64_MAX;
  const auto results = store->append_all(batch);
  REQUIRE(results.size() == batch.size());
  for (std::size_t i = 0; i < batch.size(); ++i) {
    INFO(i);
    if (i == 0 || i == 8) {
      CHECK(results[i].ok());
      continue;
    }
    REQUIRE_FALSE(results[i].ok());
    CHECK(results[i].error().code() == Errc::invalid_argument);
    CHECK_THAT(results[i].error().message(), ContainsSubstring(i < 6 ? "NUL" : "below 2^63"));
  }
  CHECK(store->open({nul, "life1"}).error().code() == Errc::invalid_argument);
  CHECK(store->close(nul, "life1").ok());
  CHECK(store->remove_item(nul, "life1", 1).ok());
  CHECK(store->remove_item("r", "life1", UINT64_MAX).ok());
  CHECK(loaded(*store).size() == 1);
  CHECK(numbers_of(*store, "r") == "1 9 ");
}

inline void rows_of_others(SqlServer& server) {
  const auto store = server.open_rooms({});
  StoredRoom room = stored_room("r");
  room.capacity = SIZE_MAX;
  fill(*store, room, 1);
  CHECK(loaded(*store).at("r").room == room);
  CHECK(server.ask("SELECT mode FROM flux_rooms") == "history");
  server.run("UPDATE flux_rooms SET mode = 'loud'");
  const auto all = store->load();
  REQUIRE_FALSE(all.ok());
  CHECK(all.error().code() == Errc::store_failed);
  CHECK_THAT(all.error().message(), ContainsSubstring("\"loud\" is not a mode of a room"));
}

inline void largest_numbers(SqlServer& server) {
  const auto store = server.open_rooms({});
  constexpr std::uint64_t largest = INT64_MAX;
  const StoredRoom room = stored_room("r");
  REQUIRE(store->append(room_append(room, 1)).ok());
  REQUIRE(store->append(room_append(room, largest, largest)).ok());
  REQUIRE(store->remove_item("r", "life1", largest + 1).ok());  // another item
  CHECK(numbers_of(*store, "r") == std::to_string(largest) + " ");
  REQUIRE(store->append(room_append(room, 1, largest + 1)).ok());
  CHECK(numbers_of(*store, "r").empty());
}

/// More text and more rooms than one statement can hold.
inline void large_batch(SqlServer& server) {
  const auto store = server.open_rooms({});
  std::vector<RoomAppend> batch;
  for (std::uint64_t i = 0; i < 1'000; ++i) {
    const std::uint64_t number = i / 250 + 1;
    batch.push_back(room_append(stored_room("room" + std::to_string(i % 250)), number, number - 1));
    batch.back().item.data = std::string(2'000, static_cast<char>('a' + i % 26));
  }
  for (const auto& result : store->append_all(batch)) REQUIRE(result.ok());
  const auto rooms = loaded(*store);
  REQUIRE(rooms.size() == 250);
  for (const auto& [id, contents] : rooms) {
    REQUIRE(contents.items.size() == 2);
    CHECK(contents.items[0].number == 3);
    CHECK(contents.items[1].number == 4);
  }
  CHECK(server.ask("SELECT COUNT(*) FROM flux_rooms_items") == "500");
}

inline bool is_of_one_life(const StoredContents& contents) {
  return std::all_of(contents.items.begin(), contents.items.end(),
                     [&](const StoredItem& item) { return item.data == contents.room.life; });
}

/// They start at the same time and compete for rooms. Whichever wins, a room never has items of another life.
inline void several_processes(SqlServer& server) {
  constexpr int each = 40;
  std::vector<std::thread> threads;
  std::array<std::shared_ptr<SqlRoomStore>, 3> stores;
  std::atomic<int> failures{0};
  for (std::size_t t = 0; t < stores.size(); ++t) {
    threads.emplace_back([&, t] {
      flux_test::RoomOptions patient;
      patient.call_timeout = std::chrono::seconds(20);
      try {
        stores[t] = server.open_rooms(patient);
      } catch (const Error&) {
        ++failures;
        return;
      }
      const std::string life = "life" + std::to_string(t);
      for (std::uint64_t i = 1; i <= each; ++i) {
        std::vector<RoomAppend> batch;
        for (const std::string room : {"shared b", "shared a", "own"}) {
          const std::string id = room == "own" ? room + std::to_string(t) : room;
          batch.push_back(room_append(stored_room(id, life), i));
          batch.back().item.data = life;
        }
        for (const auto& result : stores[t]->append_all(batch)) failures += result ? 0 : 1;
        for (const StoredContents& contents : stores[t]->load().value()) failures += is_of_one_life(contents) ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(failures == 0);
  const auto rooms = loaded(*stores[0]);
  REQUIRE(rooms.size() == stores.size() + 2);
  for (const auto& [id, contents] : rooms) {
    INFO(id);
    CHECK_FALSE(contents.items.empty());
    CHECK(is_of_one_life(contents));
    if (id.starts_with("own")) CHECK(contents.items.size() == each);
  }
}

// --- For a server behind a socket ---

inline void lost_commit(Proxied& server) {
  const auto store = server.stores->open_rooms({});
  const StoredRoom room = stored_room("r");
  fill(*store, room, 2);
  server.proxy.lose_answer_to("COMMIT");
  REQUIRE(store->append(room_append(room, 3, 2)).ok());
  CHECK(server.proxy.answers_lost() == 1);
  server.proxy.lose_answer_to("COMMIT");
  const std::vector<RoomAppend> batch = {room_append(room, 4), room_append(stored_room("q"), 1), room_append(room, 5)};
  for (const auto& result : store->append_all(batch)) CHECK(result.ok());
  CHECK(server.proxy.answers_lost() == 2);
  CHECK(numbers_of(*store, "r") == "2 3 4 5 ");
  server.proxy.lose_answer_to("COMMIT");
  REQUIRE(store->close("q", "life1").ok());
  CHECK(server.proxy.answers_lost() == 3);
  CHECK(numbers_of(*store, "q") == "none");
}

inline void lost_connections(Proxied& server) {
  const auto store = server.stores->open_rooms({});
  for (std::uint64_t i = 1; i <= 5; ++i) {
    server.proxy.cut();
    CHECK(store->append(room_append(stored_room("r"), i)).ok());
    server.proxy.cut();
    CHECK(loaded(*store).at("r").items.size() == i);
  }
}

inline void outage(Proxied& server) {
  const auto store = server.stores->open_rooms(hurried<flux_test::RoomOptions>());
  const StoredRoom room = stored_room("r");
  fill(*store, room, 1);
  server.proxy.refuse(true);
  server.proxy.cut();
  CHECK(time_of([&] { CHECK(store->append(room_append(room, 2)).error().code() == Errc::store_failed); }) <
        std::chrono::seconds(5));
  const auto later = time_of([&] {
    for (int i = 0; i < 20; ++i) CHECK(store->open(room).error().code() == Errc::store_failed);
  });
  CHECK(later < std::chrono::seconds(10));
  server.proxy.refuse(false);
  CHECK(until_good([&] { return store->append(room_append(room, 2)); }).ok());
  CHECK(numbers_of(*store, "r") == "1 2 ");
}

inline void silence(Proxied& server) {
  const auto store = server.stores->open_rooms(hurried<flux_test::RoomOptions>());
  const StoredRoom room = stored_room("r");
  fill(*store, room, 1);
  server.proxy.stall(true);
  const auto waited = time_of([&] { CHECK(store->append(room_append(room, 2)).error().code() == Errc::store_failed); });
  CHECK(waited >= std::chrono::milliseconds(500));
  CHECK(waited < std::chrono::seconds(8));
  server.proxy.stall(false);
  CHECK(until_good([&] { return store->append(room_append(room, 2)); }).ok());
}

}  // namespace sql_rooms

/// Each store has tables of its own.
inline void sql_room_contract(SqlStores& stores) {
  int count = 0;
  const auto open = [&] {
    flux_test::RoomOptions options;
    options.table = "rooms" + std::to_string(count);
    return stores.open_rooms(options);
  };
  flux::testing::room_store_contract(
      checked,
      [&] {
        ++count;
        return open();
      },
      open);
}

/// `server` is a new one for each section.
inline void sql_room_store_tests(SqlServer& server) {
  SECTION("options out of their range are refused") { sql_rooms::options(server); }
  SECTION("a table without our columns is refused, and the error names the missing column") {
    sql_rooms::table_of_another_shape(server);
  }
  SECTION("tables with columns of other types, or without their keys, are refused") {
    sql_rooms::tables_of_other_types(server);
  }
  SECTION("tables of a newer version are refused") { sql_rooms::newer_version(server); }
  SECTION("tables of version 1 get the new column") { sql_rooms::version_1(server); }
  SECTION("demands of another program are refused") { sql_rooms::unreadable_demands(server); }
  SECTION("an interrupted start is completed, and rows remain") { sql_rooms::broken_start(server); }
  SECTION("NUL and values outside the range of a column are refused, and the rest of the batch is kept") {
    sql_rooms::refused_items(server);
  }
  SECTION("a row that is not a valid room is an error of load with the reason") { sql_rooms::rows_of_others(server); }
  SECTION("numbers at the limits of their range") { sql_rooms::largest_numbers(server); }
  SECTION("a batch with more text and more rooms than one statement can hold") { sql_rooms::large_batch(server); }
  SECTION("several processes share tables") { sql_rooms::several_processes(server); }
}

/// `database` has one connection. Three stores are opened and used at the same time.
inline void stores_of_one_database(const flux::SqlDatabase& database) {
  std::atomic<int> failures{0};
  const auto counted = [&](const auto& work) {
    return std::thread([&failures, work] {
      try {
        failures += work();
      } catch (const flux::Error&) {
        failures += 1000;
      }
    });
  };
  std::shared_ptr<flux::SqlChatStore> chat;
  std::shared_ptr<flux::SqlRoomStore> rooms;
  std::shared_ptr<flux::SqlFileIndex> files;
  std::vector<std::thread> threads;
  threads.push_back(counted([&] {
    int failed = 0;
    chat = database.chat_store();
    flux::ChatMessage message;
    message.room = "r";
    for (int i = 1; i <= 20; ++i) {
      message.id = std::to_string(i);
      failed += chat->append("r", message) ? 0 : 1;
    }
    return failed;
  }));
  threads.push_back(counted([&] {
    int failed = 0;
    rooms = database.room_store();
    for (std::uint64_t i = 1; i <= 20; ++i) {
      failed += rooms->append(flux::testing::room_append(flux::testing::stored_room("r"), i)) ? 0 : 1;
    }
    return failed;
  }));
  threads.push_back(counted([&] {
    int failed = 0;
    files = database.file_index();
    flux::FileInfo file;
    for (int i = 1; i <= 20; ++i) {
      file.id = std::to_string(i);
      failed += files->save(file) ? 0 : 1;
    }
    return failed;
  }));
  for (std::thread& thread : threads) thread.join();
  REQUIRE(failures == 0);
  CHECK(chat->history("r", 100, 0).value().size() == 20);
  CHECK(flux::testing::loaded(*rooms).at("r").items.size() == 20);
  CHECK(files->load().value().size() == 20);
}

/// `connections()` counts those of the server, one of which is the test's.
template <class Connections>
void stores_share_connections(const flux::SqlDatabase& database, const Connections& connections) {
  const auto at_most = [&](int most) {
    return until_good([&]() -> flux::Result<void> {
      const std::string count = connections();
      if (std::stoi(count) <= most) return {};
      return flux::Error(flux::Errc::server_error, "there are " + count);
    });
  };
  REQUIRE(at_most(1).ok());
  stores_of_one_database(database);
  CHECK(std::stoi(connections()) <= 2);
}

inline void sql_room_outage_tests(Proxied& server) {
  SECTION("a commit whose reply is lost is repeated, and nothing is doubled") { sql_rooms::lost_commit(server); }
  SECTION("lost connections are replaced, and no call fails") { sql_rooms::lost_connections(server); }
  SECTION("while the database is unreachable calls fail in time, and then it recovers by itself") {
    sql_rooms::outage(server);
  }
  SECTION("a database that never answers is given up in time") { sql_rooms::silence(server); }
}

}  // namespace flux_test
