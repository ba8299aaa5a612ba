#include "contract/mysql_server.hpp"
#include "contract/sql_room_store_tests.hpp"

namespace mysql_room_store_test {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;
using flux_test::Mysql;

TEST_CASE("room store: MariaDB fulfills the contract", "[room_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (server) flux_test::sql_room_contract(*server);
}

TEST_CASE("sql room store: MariaDB passes the tests of all databases", "[room_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (server) flux_test::sql_room_store_tests(*server);
}

TEST_CASE("sql room store: MariaDB handles lost connections, outages and hangs", "[room_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_room_outage_tests(proxied);
}

TEST_CASE("mysql room store: a connection or database that it can't use is a clear error at start",
          "[room_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  SqlAddress address = server->address();
  address.password = "wrong";
  const Error error = flux_test::error_of([&] { MysqlDatabase(address).room_store(); });
  CHECK(error.code() == Errc::store_failed);
  CHECK_THAT(error.message(), ContainsSubstring("rooms in MySQL: ") && ContainsSubstring("Access denied for user"));
  CHECK(flux_test::error_of([] { MysqlDatabase(std::string("nonsense")).room_store(); }).code() == Errc::bad_config);
  CHECK(MysqlDatabase(server->url()).room_store()->load().value().empty());
}

TEST_CASE("mysql room store: missing privileges are a clear error at start", "[room_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::missing_rights(*server, [](flux_test::SqlStores& stores) {
    const auto store = stores.open_rooms({});
    REQUIRE(store->append(room_append(stored_room("r"), 2, 2)).ok());
    REQUIRE(store->remove_item("r", "life1", 2).ok());
    REQUIRE(store->close("r", "life1").ok());
  });
}

TEST_CASE("mysql room store: a name that is too long fails without the rest of its batch", "[room_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  const auto store = server->open_rooms({});
  const std::string longest(1'024, 'x');
  const std::vector<RoomAppend> batch = {room_append(stored_room("r"), 1), room_append(stored_room(longest + "x"), 1),
                                         room_append(stored_room(longest), 1)};
  const auto results = store->append_all(batch);
  CHECK(results[0].ok());
  CHECK(results[1].error().code() == Errc::invalid_argument);
  CHECK_THAT(results[1].error().message(), ContainsSubstring("too long"));
  CHECK(results[2].ok());
  CHECK(loaded(*store).size() == 2);
}

TEST_CASE("mysql room store: an item larger than the server accepts fails at once, without the rest of its batch",
          "[room_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::RoomOptions patient;
  patient.call_timeout = std::chrono::minutes(2);  // 16 MB on their way to disk
  const auto store = server->open_rooms(patient);
  const std::size_t most = std::stoul(server->ask("SELECT @@max_allowed_packet"));
  std::vector<RoomAppend> batch(4, room_append(stored_room("r"), 1));
  for (std::size_t i = 0; i < batch.size(); ++i) batch[i].item.number = i + 1;
  batch[1].item.data = std::string(most - 1'000, '\'');
  batch[2].item.data = std::string(most, 'x');
  const auto results = store->append_all(batch);
  CHECK(results[0].ok());
  CHECK(results[1].ok());
  CHECK(results[2].error().code() == Errc::invalid_argument);
  CHECK_THAT(results[2].error().message(), ContainsSubstring("max_allowed_packet, " + std::to_string(most)));
  CHECK(results[3].ok());
  CHECK(numbers_of(*store, "r") == "1 2 4 ");
}

TEST_CASE("mysql stores: stores of one database object share its connections", "[room_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  SqlOptions options;
  options.connections = 1;
  flux_test::stores_share_connections(MysqlDatabase(server->url(), options), [&] {
    return server->ask("SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'flux'");
  });
}

}  // namespace mysql_room_store_test
