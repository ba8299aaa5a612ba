#include "contract/mysql_server.hpp"
#include "contract/sql_key_store_tests.hpp"

namespace mysql_key_store_test {

using flux_test::Mysql;

TEST_CASE("key store: MariaDB fulfills the contract", "[key_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (server) flux_test::sql_key_store_contract(*server);
}

TEST_CASE("sql key store: MariaDB passes the tests of all databases", "[key_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (server) flux_test::sql_key_store_tests(*server);
}

TEST_CASE("sql key store: MariaDB handles lost connections, outages and hangs", "[key_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_key_store_outage_tests(proxied);
}

TEST_CASE("mysql key store: missing privileges are a clear error at start", "[key_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::missing_rights(*server, [](flux_test::SqlStores& stores) {
    const auto store = stores.open_keys({});
    REQUIRE(store->put(flux::testing::key_row(1)).ok());
    REQUIRE(store->remove(flux::testing::key_row(1).id).ok());
  });
}

}  // namespace mysql_key_store_test
