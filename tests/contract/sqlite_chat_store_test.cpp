#include "contract/sql_chat_store_tests.hpp"
#include "contract/sqlite_server.hpp"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace sqlite_chat_store_test {

using namespace flux;
using namespace flux::testing;
using flux_test::error_of;
using flux_test::Sqlite;
using flux_test::SqliteServer;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

TEST_CASE("chat store: SQLite fulfills the contract", "[chat_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_chat_contract(server);
}

TEST_CASE("sql chat store: SQLite passes the tests of all databases", "[chat_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_chat_store_tests(server);
}

TEST_CASE("sqlite chat store: a table of another program is taken over, with times as numbers or text",
          "[chat_store][sqlite]") {
  SqliteServer server;
  server.run(
      "CREATE TABLE flux_chat (id TEXT PRIMARY KEY, room_id TEXT NOT NULL, connection_id TEXT NOT NULL, "
      "user_id TEXT, message TEXT NOT NULL, metadata TEXT, created_at DATETIME NOT NULL)");
  server.run("INSERT INTO flux_chat VALUES ('b', 'r', 'c', NULL, 'third', NULL, '2023-11-14 22:13:20.250')");
  server.run("INSERT INTO flux_chat VALUES ('a', 'r', 'c', 'u', 'first', '{}', 1700000000000)");
  server.run("INSERT INTO flux_chat VALUES ('c', 'r', 'c', 'u', 'second', '{}', 1700000000000.0)");
  const auto store = server.open_chat({});
  const auto page = store->history("r", 10, 0).value();
  CHECK(ids_of(page) == "a c b ");
  CHECK(page.at(1).created_at == 1'700'000'000'000);
  CHECK(page.at(2).created_at == 1'700'000'000'250);
}

TEST_CASE("sqlite chat store: it uses a write-ahead log", "[chat_store][sqlite]") {
  SqliteServer server;
  const auto store = server.open_chat({});
  CHECK(server.ask("PRAGMA journal_mode") == "wal");
}

TEST_CASE("sqlite chat store: an unusable path is a clear error", "[chat_store][sqlite]") {
  TempFolder folder;
  const auto opened = [](const std::string& path) { return error_of([&] { SqliteDatabase(path).chat_store(); }); };
  CHECK(opened("").code() == Errc::bad_config);
  CHECK(opened(":memory:").code() == Errc::bad_config);
  const Error missing = opened(folder / "no/such/folder.sqlite");
  CHECK(missing.code() == Errc::store_failed);
  CHECK_THAT(missing.message(), ContainsSubstring("no/such/folder.sqlite") && ContainsSubstring("unable to open"));
  CHECK_THAT(opened(folder.path().string()).message(), ContainsSubstring("unable to open"));
  std::ofstream(folder / "text") << std::string(5'000, 'x');
  CHECK_THAT(opened(folder / "text").message(), ContainsSubstring("file is not a database"));
}

TEST_CASE("sqlite chat store: special characters in a path have no special meaning", "[chat_store][sqlite]") {
  TempFolder folder;
  const std::string path = folder / "a=b c  d'\"%20?mode=ro;\xC3\xA9.sqlite";
  { fill(*SqliteDatabase(path).chat_store(), "r", 1); }
  CHECK(std::filesystem::exists(path));
}

TEST_CASE(
    "sqlite chat store: on a full disk messages fail with that error, existing ones remain, and appending works again "
    "with space",
    "[chat_store][sqlite]") {
  TempFolder folder;
  SqliteOptions options;
  options.file_bytes_max = 200'000;
  const std::string path = folder / "chat.sqlite";
  {
    const auto opened_store = SqliteDatabase(path, options).chat_store();
    SqlChatStore& store = *opened_store;
    Offset stored = 0;
    Result<Offset> last(Offset{0});
    for (int i = 1; i < 1'000; ++i) {
      last = store.append("r", chat_message("r", std::to_string(i), std::string(5'000, 'x')));
      if (!last) break;
      stored = *last;
    }
    REQUIRE_FALSE(last.ok());
    CHECK(last.error().code() == Errc::store_failed);
    CHECK_THAT(last.error().message(), ContainsSubstring("full"));
    CHECK(stored > 10);
    CHECK(store.history("r", 1, 0).value().at(0).offset == stored);
  }
  const auto opened_store = SqliteDatabase(path).chat_store();
  SqlChatStore& store = *opened_store;
  const Offset next = store.history("r", 1, 0).value().at(0).offset + 1;
  CHECK(store.append("r", chat_message("r", "more", std::string(5'000, 'x'))).value() == next);
}

TEST_CASE("sqlite chat store: another program's transaction is waited for, with a timeout", "[chat_store][sqlite]") {
  SqliteServer server;
  flux_test::ChatOptions options;
  options.call_timeout = 300ms;
  const auto store = server.open_chat(options);
  Sqlite other(server.path());
  other.run("BEGIN IMMEDIATE");
  const auto begin = std::chrono::steady_clock::now();
  const auto stored = store->append("r", chat_message("r", "1"));
  const auto waited = std::chrono::steady_clock::now() - begin;
  REQUIRE_FALSE(stored.ok());
  CHECK(stored.error().code() == Errc::store_failed);
  CHECK_THAT(stored.error().message(), ContainsSubstring("locked"));
  CHECK(waited >= 250ms);
  CHECK(waited < 5s);
  CHECK(store->history("r", 1, 0).value().empty());  // readers don't wait
  other.run("ROLLBACK");
  CHECK(store->append("r", chat_message("r", "1")).value() == 1);
}

}  // namespace sqlite_chat_store_test
