#include "contract/mysql_server.hpp"
#include "contract/sql_channel_store_tests.hpp"

namespace mysql_channel_store_test {

using flux_test::Mysql;

TEST_CASE("channel store: MariaDB fulfills the contract", "[channel_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (server) flux_test::sql_channel_contract(*server);
}

TEST_CASE("sql channel store: MariaDB passes the tests of all databases", "[channel_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (server) flux_test::sql_channel_store_tests(*server);
}

TEST_CASE("sql channel store: MariaDB handles lost connections and outages", "[channel_store][mysql]") {
  const auto server = Mysql::or_skip();
  if (!server) return;
  flux_test::Proxied proxied(*server);
  flux_test::sql_channel_outage_tests(proxied);
}

}  // namespace mysql_channel_store_test
