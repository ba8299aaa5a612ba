#include "contract/sql_key_store_tests.hpp"
#include "contract/sqlite_server.hpp"

namespace sqlite_key_store_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::SqliteServer;

TEST_CASE("key store: SQLite fulfills the contract", "[key_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_key_store_contract(server);
}

TEST_CASE("sql key store: SQLite passes the tests of all databases", "[key_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_key_store_tests(server);
}

TEST_CASE("sqlite key store: a foreign row with text for a time, or without a hash, is an error of load",
          "[key_store][sqlite]") {
  SqliteServer server;
  const auto store = server.open_keys({});
  REQUIRE(store->put(key_row(1)).ok());
  server.run("UPDATE flux_keys SET expires_at = 'never'");
  CHECK(store->load().error().code() == Errc::store_failed);
  CHECK_THAT(store->load().error().message(), ContainsSubstring("\"never\" is in a column of integers"));
  // As another program's table would allow.
  server.run("ALTER TABLE flux_keys RENAME TO strict; CREATE TABLE flux_keys AS SELECT * FROM strict");
  server.run("UPDATE flux_keys SET hash = NULL, expires_at = NULL");
  CHECK_THAT(store->load().error().message(), ContainsSubstring("must not be NULL is NULL"));
}

}  // namespace sqlite_key_store_test
