#include "contract/postgres_server.hpp"
#include "contract/sql_file_index_tests.hpp"

namespace postgres_file_index_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::Postgres;

TEST_CASE("file index: PostgreSQL fulfills the contract", "[file_index][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_file_index_contract(*server);
}

TEST_CASE("sql file index: PostgreSQL passes the tests of all databases", "[file_index][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_file_index_tests(*server);
}

TEST_CASE("sql file index: PostgreSQL handles lost connections, outages and hangs", "[file_index][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_file_index_outage_tests(proxied);
}

TEST_CASE("file store: disk with its index in PostgreSQL fulfills the contract of persistent stores",
          "[file_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_disk_reopen_contract(*server);
}

TEST_CASE("postgres file index: a connection or database that it can't use is a clear error at start",
          "[file_index][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  SqlAddress address = server->address();
  address.password = "wrong";
  const Error error = flux_test::error_of([&] { PostgresDatabase(address).file_index(); });
  CHECK(error.code() == Errc::store_failed);
  CHECK_THAT(error.message(),
             ContainsSubstring("file index in PostgreSQL: ") && ContainsSubstring("password authentication failed"));
  CHECK(flux_test::error_of([] { PostgresDatabase(std::string("nonsense")).file_index(); }).code() == Errc::bad_config);
  CHECK(PostgresDatabase(server->url()).file_index()->load().value().empty());
}

TEST_CASE("postgres file index: missing privileges are a clear error at start", "[file_index][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::missing_rights(*server, [](flux_test::SqlStores& stores) {
    const auto index = stores.open_files({});
    REQUIRE(index->save(index_row(1)).ok());
    REQUIRE(index->erase(index_row(1).id).ok());
  });
}

}  // namespace postgres_file_index_test
