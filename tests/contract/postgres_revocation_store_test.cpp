#include "contract/postgres_server.hpp"
#include "contract/sql_revocation_store_tests.hpp"

namespace postgres_revocation_store_test {

using flux_test::Postgres;

TEST_CASE("revocation store: PostgreSQL fulfills the contract", "[revocation_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_revocation_store_contract(*server);
}

TEST_CASE("sql revocation store: PostgreSQL passes the tests of all databases", "[revocation_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_revocation_store_tests(*server);
}

TEST_CASE("sql revocation store: PostgreSQL handles lost connections and outages", "[revocation_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_revocation_store_outage_tests(proxied);
}

TEST_CASE("postgres revocation store: missing privileges are a clear error at start", "[revocation_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::missing_rights(*server, [](flux_test::SqlStores& stores) {
    const auto store = stores.open_revocations({});
    REQUIRE(store->save(flux::testing::revoked("ann")).ok());
    REQUIRE(store->remove(flux::RevocationKind::user, "ann").ok());
  });
}

}  // namespace postgres_revocation_store_test
