#include "contract/postgres_server.hpp"
#include "contract/sql_key_store_tests.hpp"

namespace postgres_key_store_test {

using flux_test::Postgres;

TEST_CASE("key store: PostgreSQL fulfills the contract", "[key_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_key_store_contract(*server);
}

TEST_CASE("sql key store: PostgreSQL passes the tests of all databases", "[key_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_key_store_tests(*server);
}

TEST_CASE("sql key store: PostgreSQL handles lost connections, outages and hangs", "[key_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_key_store_outage_tests(proxied);
}

TEST_CASE("postgres key store: missing privileges are a clear error at start", "[key_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::missing_rights(*server, [](flux_test::SqlStores& stores) {
    const auto store = stores.open_keys({});
    REQUIRE(store->put(flux::testing::key_row(1)).ok());
    REQUIRE(store->remove(flux::testing::key_row(1).id).ok());
  });
}

}  // namespace postgres_key_store_test
