#include "contract/postgres_server.hpp"
#include "contract/sql_channel_store_tests.hpp"

namespace postgres_channel_store_test {

using flux_test::Postgres;

TEST_CASE("channel store: PostgreSQL fulfills the contract", "[channel_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_channel_contract(*server);
}

TEST_CASE("sql channel store: PostgreSQL passes the tests of all databases", "[channel_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_channel_store_tests(*server);
}

TEST_CASE("sql channel store: PostgreSQL handles lost connections and outages", "[channel_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_channel_outage_tests(proxied);
}

}  // namespace postgres_channel_store_test
