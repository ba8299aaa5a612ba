#include "contract/sql_channel_store_tests.hpp"
#include "contract/sqlite_server.hpp"

namespace sqlite_channel_store_test {

using flux_test::SqliteServer;

TEST_CASE("channel store: SQLite fulfills the contract", "[channel_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_channel_contract(server);
}

TEST_CASE("sql channel store: SQLite passes the tests of all databases", "[channel_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_channel_store_tests(server);
}

}  // namespace sqlite_channel_store_test
