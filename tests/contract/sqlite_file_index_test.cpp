#include "contract/sql_file_index_tests.hpp"
#include "contract/sqlite_server.hpp"

namespace sqlite_file_index_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::checked;
using flux_test::DiskStores;
using flux_test::SqliteServer;

TEST_CASE("file index: SQLite fulfills the contract", "[file_index][sqlite]") {
  SqliteServer server;
  flux_test::sql_file_index_contract(server);
}

TEST_CASE("sql file index: SQLite passes the tests of all databases", "[file_index][sqlite]") {
  SqliteServer server;
  flux_test::sql_file_index_tests(server);
}

TEST_CASE("file store: disk with its index in SQLite fulfills the contract", "[file_store][sqlite]") {
  SqliteServer server;
  DiskStores stores(server);
  file_store_contract(checked, [&] { return stores.make(); });
}

TEST_CASE("file store: disk with its index in SQLite fulfills the contract of quotas", "[file_store][sqlite]") {
  SqliteServer server;
  DiskStores stores(server);
  file_store_quota_contract(checked, [&](FileLimits limits) { return stores.make(limits); });
}

TEST_CASE("file store: disk with its index in SQLite fulfills the contract of persistent stores",
          "[file_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_disk_reopen_contract(server);
}

TEST_CASE("sqlite file index: a foreign row with text for a number, or without an id, is an error of load",
          "[file_index][sqlite]") {
  SqliteServer server;
  const auto index = server.open_files({});
  REQUIRE(index->save(index_row(1)).ok());
  server.run("UPDATE flux_files SET size = 'large'");
  CHECK(index->load().error().code() == Errc::store_failed);
  CHECK_THAT(index->load().error().message(), ContainsSubstring("\"large\" is in a column of integers"));
  // As another program's table would allow.
  server.run("ALTER TABLE flux_files RENAME TO strict; CREATE TABLE flux_files AS SELECT * FROM strict");
  server.run("UPDATE flux_files SET id = NULL, size = 0");
  CHECK_THAT(index->load().error().message(), ContainsSubstring("must not be NULL is NULL"));
}

TEST_CASE("sqlite file index: an unusable path is a clear error", "[file_index][sqlite]") {
  const TempFolder folder;
  const auto opened = [](const std::string& path) {
    return flux_test::error_of([&] { SqliteDatabase(path).file_index(); });
  };
  CHECK(opened("").code() == Errc::bad_config);
  CHECK_THAT(opened(":memory:").message(), ContainsSubstring("a SQLite database needs the path of a file"));
  CHECK_THAT(opened(folder / "no/such/folder.sqlite").message(), ContainsSubstring("unable to open"));
}

TEST_CASE(
    "sqlite file index: on a full disk rows fail with that error, existing ones remain, and saving works again with "
    "space",
    "[file_index][sqlite]") {
  SqliteServer server;
  SqliteOptions options;
  options.file_bytes_max = 200'000;
  int saved = 0;
  {
    const auto opened_index = SqliteDatabase(server.path(), options).file_index();
    SqlFileIndex& index = *opened_index;
    Result<void> last;
    while (saved < 1'000 && (last = index.save(index_row(saved, std::string(5'000, 'x'))))) ++saved;
    REQUIRE_FALSE(last.ok());
    CHECK(last.error().code() == Errc::store_failed);
    CHECK_THAT(last.error().message(), ContainsSubstring("full"));
    CHECK(saved > 10);
    CHECK(index.load().value().size() == static_cast<std::size_t>(saved));
  }
  const auto index = server.open_files({});
  CHECK(index->save(index_row(saved, std::string(5'000, 'x'))).ok());
  CHECK(index->load().value().size() == static_cast<std::size_t>(saved) + 1);
}

}  // namespace sqlite_file_index_test
