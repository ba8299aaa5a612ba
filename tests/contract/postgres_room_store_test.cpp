#include "contract/postgres_server.hpp"
#include "contract/sql_room_store_tests.hpp"

namespace postgres_room_store_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::Postgres;

TEST_CASE("room store: PostgreSQL fulfills the contract", "[room_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_room_contract(*server);
}

TEST_CASE("sql room store: PostgreSQL passes the tests of all databases", "[room_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (server) flux_test::sql_room_store_tests(*server);
}

TEST_CASE("sql room store: PostgreSQL handles lost connections, outages and hangs", "[room_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_room_outage_tests(proxied);
}

TEST_CASE("postgres room store: a connection or database that it can't use is a clear error at start",
          "[room_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  SqlAddress address = server->address();
  address.password = "wrong";
  const Error error = flux_test::error_of([&] { PostgresDatabase(address).room_store(); });
  CHECK(error.code() == Errc::store_failed);
  CHECK_THAT(error.message(),
             ContainsSubstring("rooms in PostgreSQL: ") && ContainsSubstring("password authentication failed"));
  CHECK(flux_test::error_of([] { PostgresDatabase(std::string("nonsense")).room_store(); }).code() == Errc::bad_config);
  CHECK(PostgresDatabase(server->url()).room_store()->load().value().empty());
}

TEST_CASE("postgres room store: missing privileges are a clear error at start", "[room_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  flux_test::missing_rights(*server, [](flux_test::SqlStores& stores) {
    const auto store = stores.open_rooms({});
    REQUIRE(store->append(room_append(stored_room("r"), 2, 2)).ok());
    REQUIRE(store->remove_item("r", "life1", 2).ok());
    REQUIRE(store->close("r", "life1").ok());
  });
}

TEST_CASE("postgres room store: text that the database refuses fails without the rest of its batch",
          "[room_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  const auto store = server->open_rooms({});
  std::vector<RoomAppend> batch(3, room_append(stored_room("r"), 1));
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].item.number = i + 1;
  batch[1].item.data = "no UTF-8: \xFF";
  const auto results = store->append_all(batch);
  CHECK(results[0].ok());
  CHECK(results[1].error().code() == Errc::invalid_argument);
  CHECK_THAT(results[1].error().message(), ContainsSubstring("invalid byte sequence"));
  CHECK(results[2].ok());
  CHECK(numbers_of(*store, "r") == "1 3 ");
}

TEST_CASE("postgres stores: stores of one database object share its connections", "[room_store][postgres]") {
  const auto server = Postgres::or_skip();
  if (!server) return;
  SqlOptions options;
  options.connections = 1;
  flux_test::stores_share_connections(PostgresDatabase(server->url(), options), [&] {
    return server->ask(
        "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = current_user AND backend_type = 'client backend'");
  });
}

}  // namespace postgres_room_store_test
