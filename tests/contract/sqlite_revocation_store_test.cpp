#include "contract/sql_revocation_store_tests.hpp"
#include "contract/sqlite_server.hpp"

namespace sqlite_revocation_store_test {

using flux_test::SqliteServer;

TEST_CASE("revocation store: SQLite fulfills the contract", "[revocation_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_revocation_store_contract(server);
}

TEST_CASE("sql revocation store: SQLite passes the tests of all databases", "[revocation_store][sqlite]") {
  SqliteServer server;
  flux_test::sql_revocation_store_tests(server);
}

}  // namespace sqlite_revocation_store_test
