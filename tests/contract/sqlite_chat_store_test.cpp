#include "catch.hpp"
#include "contract/sql_chat_store_tests.hpp"
#include "support/temp_folder.hpp"

#include <flux/storage/sqlite_chat_store.hpp>
#include <flux/testing/chat_store_contract.hpp>

#include <sqlite3.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

using namespace flux;
using namespace flux::testing;
using flux_test::error_of;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;

namespace {

/// A database as somebody else uses it.
class Sqlite {
 public:
  explicit Sqlite(const std::string& path) { REQUIRE(sqlite3_open(path.c_str(), &database_) == SQLITE_OK); }
  ~Sqlite() { sqlite3_close(database_); }
  Sqlite(const Sqlite&) = delete;
  Sqlite& operator=(const Sqlite&) = delete;

  void run(const std::string& sql) {
    INFO(sql << ": " << sqlite3_errmsg(database_));
    REQUIRE(sqlite3_exec(database_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  /// The first column of the first row; "" where there is none.
  std::string ask(const std::string& sql) {
    std::string answer;
    const auto take = [](void* into, int, char** values, char**) {
      if (values[0] != nullptr) *static_cast<std::string*>(into) = values[0];
      return 0;
    };
    REQUIRE(sqlite3_exec(database_, sql.c_str(), take, &answer, nullptr) == SQLITE_OK);
    return answer;
  }

 private:
  sqlite3* database_ = nullptr;
};

/// What the tests for every database need of this one.
class SqliteServer final : public flux_test::SqlServer {
 public:
  std::shared_ptr<SqlChatStore> open(const SqlChatOptions& options) override {
    SqliteChatOptions own;
    static_cast<SqlChatOptions&>(own) = options;
    return std::make_shared<SqliteChatStore>(path(), own);
  }
  void run(const std::string& sql) override { Sqlite(path()).run(sql); }
  std::string ask(const std::string& sql) override { return Sqlite(path()).ask(sql); }
  std::string path() const { return folder_ / "chat.sqlite"; }

 private:
  TempFolder folder_;
};

}  // namespace

TEST_CASE("chat store: SQLite keeps the contract", "[chat_store][sqlite]") {
  TempFolder folder;
  int count = 0;
  const auto open = [&] {
    return std::make_shared<SqliteChatStore>(folder / ("chat" + std::to_string(count) + ".sqlite"));
  };
  chat_store_contract(
      [&] {
        ++count;
        return open();
      },
      open);
}

TEST_CASE("sql chat store: SQLite does what every database must", "[chat_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_chat_store_tests(server);
}

TEST_CASE("sqlite chat store: a table of another server is taken over, its times as numbers or as text",
          "[chat_store][sqlite]") {
  SqliteServer server;
  server.run(
      "CREATE TABLE flux_chat (id TEXT PRIMARY KEY, room_id TEXT NOT NULL, connection_id TEXT NOT NULL, "
      "user_id TEXT, message TEXT NOT NULL, metadata TEXT, created_at DATETIME NOT NULL)");
  server.run("INSERT INTO flux_chat VALUES ('b', 'r', 'c', NULL, 'third', NULL, '2023-11-14 22:13:20.250')");
  server.run("INSERT INTO flux_chat VALUES ('a', 'r', 'c', 'u', 'first', '{}', 1700000000000)");
  server.run("INSERT INTO flux_chat VALUES ('c', 'r', 'c', 'u', 'second', '{}', 1700000000000.0)");
  const auto store = server.open({});
  const auto page = store->history("r", 10, 0).value();
  CHECK(ids_of(page) == "a c b ");
  CHECK(page.at(1).created_at == 1'700'000'000'000);
  CHECK(page.at(2).created_at == 1'700'000'000'250);
}

TEST_CASE("sqlite chat store: it is in write-ahead mode and writes through", "[chat_store][sqlite]") {
  SqliteServer server;
  const auto store = server.open({});
  CHECK(server.ask("PRAGMA journal_mode") == "wal");
}

TEST_CASE("sqlite chat store: a path that can't be is a clear error", "[chat_store][sqlite]") {
  TempFolder folder;
  const auto opened = [](const std::string& path) { return error_of([&] { SqliteChatStore store(path); }); };
  CHECK(opened("").code() == Errc::bad_config);
  CHECK(opened(":memory:").code() == Errc::bad_config);
  const Error missing = opened(folder / "no/such/folder.sqlite");
  CHECK(missing.code() == Errc::store_failed);
  CHECK_THAT(missing.message(), ContainsSubstring("no/such/folder.sqlite") && ContainsSubstring("unable to open"));
  CHECK_THAT(opened(folder.path().string()).message(), ContainsSubstring("unable to open"));
  std::ofstream(folder / "text") << std::string(5'000, 'x');
  CHECK_THAT(opened(folder / "text").message(), ContainsSubstring("file is not a database"));
}

TEST_CASE("sqlite chat store: odd characters in a path are part of it", "[chat_store][sqlite]") {
  TempFolder folder;
  const std::string path = folder / "a=b c  d'\"%20?mode=ro;\xC3\xA9.sqlite";
  { fill(*std::make_shared<SqliteChatStore>(path), "r", 1); }
  CHECK(std::filesystem::exists(path));
}

TEST_CASE(
    "sqlite chat store: when the disk is full, messages fail with that, what is there stays, and it goes on with space",
    "[chat_store][sqlite]") {
  TempFolder folder;
  SqliteChatOptions options;
  options.file_bytes_max = 200'000;
  const std::string path = folder / "chat.sqlite";
  {
    SqliteChatStore store(path, options);
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
  SqliteChatStore store(path);
  const Offset next = store.history("r", 1, 0).value().at(0).offset + 1;
  CHECK(store.append("r", chat_message("r", "more", std::string(5'000, 'x'))).value() == next);
}

TEST_CASE("sqlite chat store: somebody else's transaction is waited for, and not for ever", "[chat_store][sqlite]") {
  SqliteServer server;
  SqlChatOptions options;
  options.call_timeout = 300ms;
  const auto store = server.open(options);
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
