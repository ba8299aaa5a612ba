#include "contract/sql_room_store_tests.hpp"
#include "contract/sqlite_server.hpp"

namespace sqlite_room_store_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::SqliteServer;

TEST_CASE("room store: SQLite fulfills the contract", "[room_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_room_contract(server);
}

TEST_CASE("sql room store: SQLite passes the tests of all databases", "[room_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_room_store_tests(server);
}

TEST_CASE("sqlite room store: an unusable path is a clear error", "[room_store][sqlite]") {
  const TempFolder folder;
  const auto opened = [](const std::string& path) {
    return flux_test::error_of([&] { SqliteDatabase(path).room_store(); });
  };
  CHECK(opened("").code() == Errc::bad_config);
  CHECK_THAT(opened(":memory:").message(), ContainsSubstring("a SQLite database needs the path of a file"));
  CHECK_THAT(opened(folder / "no/such/folder.sqlite").message(), ContainsSubstring("unable to open"));
}

TEST_CASE(
    "sqlite room store: on a full disk items fail with that error, existing ones remain, and appending works again "
    "with space",
    "[room_store][sqlite]") {
  SqliteServer server;
  SqliteOptions options;
  options.file_bytes_max = 200'000;
  const auto append = [](std::uint64_t number) {
    return RoomAppend{stored_room("r"), stored_item(number, std::string(5'000, 'x')), 1};
  };
  std::uint64_t kept = 0;
  {
    const auto opened_store = SqliteDatabase(server.path(), options).room_store();
    SqlRoomStore& store = *opened_store;
    Result<void> last;
    while (kept < 1'000 && (last = store.append(append(kept + 1)))) ++kept;
    REQUIRE_FALSE(last.ok());
    CHECK(last.error().code() == Errc::store_failed);
    CHECK_THAT(last.error().message(), ContainsSubstring("full"));
    CHECK(kept > 10);
    CHECK(loaded(store).at("r").items.size() == kept);
    CHECK(store.remove_item("r", "life1", 1).ok());  // which makes space
    CHECK(store.append(append(kept + 1)).ok());
  }
  const auto store = server.open_rooms({});
  CHECK(store->append(append(kept + 2)).ok());
  CHECK(loaded(*store).at("r").items.size() == kept + 1);
}

TEST_CASE("sqlite stores: stores of one database object are opened and used at the same time", "[room_store][sqlite]") {
  const SqliteServer server;
  flux_test::stores_of_one_database(SqliteDatabase(server.path(), {.connections = 1}));
}

TEST_CASE("sqlite stores: chat, rooms and the file index share a file", "[room_store][sqlite]") {
  SqliteServer server;
  const auto chat = server.open_chat({});
  const auto rooms = server.open_rooms({});
  const auto files = server.open_files({});
  ChatMessage message;
  message.id = "1";
  message.room = "r";
  message.message = "hello";
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  threads.emplace_back([&] {
    for (int i = 1; i <= 40; ++i) {
      message.id = std::to_string(i);
      failures += chat->append("r", message) ? 0 : 1;
    }
  });
  threads.emplace_back([&] {
    for (std::uint64_t i = 1; i <= 40; ++i) failures += rooms->append(room_append(stored_room("r"), i)) ? 0 : 1;
  });
  threads.emplace_back([&] {
    FileInfo file;
    for (int i = 1; i <= 40; ++i) {
      file.id = std::to_string(i);
      failures += files->save(file) ? 0 : 1;
    }
  });
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(chat->history("r", 100, 0).value().size() == 40);
  CHECK(loaded(*rooms).at("r").items.size() == 40);
  CHECK(files->load().value().size() == 40);
}

}  // namespace sqlite_room_store_test
