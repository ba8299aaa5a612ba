// Tests beyond the contract that are common to the stores of revocations in SQLite, PostgreSQL and MySQL.
#pragma once

#include "contract/sql_server.hpp"

#include <flux/testing/revocation_store_contract.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace flux_test {

namespace sql_revocations {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;

inline void options(SqlServer& server) {
  refuses_options<flux_test::RevocationOptions>(server, [&](const flux_test::RevocationOptions& options) {
    const auto store = server.open_revocations(options);
    REQUIRE(store->save(revoked("ann")).ok());
  });
}

inline void table_of_another_shape(SqlServer& server) {
  server.run("CREATE TABLE flux_revocations (kind INTEGER, name VARCHAR(10))");
  const Error error = flux_test::error_of([&] { server.open_revocations({}); });
  CHECK(error.code() == Errc::store_failed);
  CHECK_THAT(error.message(), ContainsSubstring("revocations in ") &&
                                  ContainsSubstring("the table \"flux_revocations\" has no column \"ends_at\"") &&
                                  ContainsSubstring("kind, name, ends_at, reason"));
}

inline void tables_of_other_types(SqlServer& server) {
  refuses_shapes(server, "flux_revocations", "kind, name", {"ends_at"}, {"reason"},
                 [&] { server.open_revocations({}); });
}

inline void newer_version(SqlServer& server) {
  server.open_revocations({});
  server.run("UPDATE flux_revocations_version SET version = 7");
  CHECK_THAT(flux_test::error_of([&] { server.open_revocations({}); }).message(),
             ContainsSubstring("version 7, created by a newer flux"));
}

inline void broken_start(SqlServer& server) {
  REQUIRE(server.open_revocations({})->save(revoked("ann")).ok());
  server.run("DROP TABLE flux_revocations_version");  // it is created last
  CHECK(server.open_revocations({})->load().value() == std::vector{revoked("ann")});
  CHECK(server.ask("SELECT version FROM flux_revocations_version") == "1");
}

/// People add and delete revocations with SQL.
inline void rows_of_others(SqlServer& server) {
  const auto store = server.open_revocations({});
  REQUIRE(store->save(revoked("ann")).ok());
  CHECK(server.ask("SELECT kind FROM flux_revocations") == "user");
  CHECK(server.ask("SELECT reason FROM flux_revocations") == "left the team");
  server.run("INSERT INTO flux_revocations (kind, name, ends_at, reason) VALUES ('credential', 'k1', 5, '')");
  CHECK(sorted_revocations(store->load().value()) ==
        std::vector{revoked("ann"), Revocation{RevocationKind::credential, "k1", 5, ""}});
  server.run("UPDATE flux_revocations SET kind = 'key' WHERE name = 'k1'");
  CHECK_THAT(store->load().error().message(), ContainsSubstring("\"key\" is not a kind of revocation"));
  server.run("DELETE FROM flux_revocations WHERE name = 'k1'");
  CHECK(store->load().value() == std::vector{revoked("ann")});
}

inline void text_with_nul(SqlServer& server) {
  using namespace std::string_literals;
  const auto store = server.open_revocations({});
  Revocation row = revoked("ann");
  row.reason = "left\0the team"s;
  CHECK(store->save(row).error().code() == Errc::invalid_argument);
  CHECK(store->save(revoked("a\0b"s)).error().code() == Errc::invalid_argument);
  CHECK(store->remove(RevocationKind::user, "a\0b"s).ok());
  CHECK(store->load().value().empty());
}

// --- For a server behind a socket ---

inline void lost_answer(Proxied& server) {
  const auto store = server.stores->open_revocations({});
  server.proxy.lose_answer_to("COMMIT");
  REQUIRE(store->save(revoked("ann")).ok());
  CHECK(server.proxy.answers_lost() == 1);
  server.proxy.lose_answer_to("COMMIT");
  REQUIRE(store->remove(RevocationKind::user, "ann").ok());
  CHECK(server.proxy.answers_lost() == 2);
  REQUIRE(store->save(revoked("bob")).ok());
  CHECK(store->load().value() == std::vector{revoked("bob")});
}

inline void outage(Proxied& server) {
  const auto store = server.stores->open_revocations(hurried<flux_test::RevocationOptions>());
  REQUIRE(store->save(revoked("ann")).ok());
  server.proxy.refuse(true);
  server.proxy.cut();
  CHECK(time_of([&] { CHECK(store->save(revoked("bob")).error().code() == Errc::store_failed); }) <
        std::chrono::seconds(5));
  server.proxy.refuse(false);
  CHECK(until_good([&] { return store->save(revoked("bob")); }).ok());
  CHECK(sorted_revocations(store->load().value()) == std::vector{revoked("ann"), revoked("bob")});
}

}  // namespace sql_revocations

/// `server` is a new one for each section.
inline void sql_revocation_store_tests(SqlServer& server) {
  SECTION("options out of their range are refused") { sql_revocations::options(server); }
  SECTION("a table without our columns is refused, and the error names the missing column") {
    sql_revocations::table_of_another_shape(server);
  }
  SECTION("a table with columns of other types, or without its key, is refused") {
    sql_revocations::tables_of_other_types(server);
  }
  SECTION("tables of a newer version are refused") { sql_revocations::newer_version(server); }
  SECTION("an interrupted start is completed, and rows remain") { sql_revocations::broken_start(server); }
  SECTION("rows that people write are read, and one that can't be read is an error") {
    sql_revocations::rows_of_others(server);
  }
  SECTION("text with a NUL is refused") { sql_revocations::text_with_nul(server); }
}

inline void sql_revocation_store_outage_tests(Proxied& server) {
  SECTION("a commit whose reply is lost is repeated") { sql_revocations::lost_answer(server); }
  SECTION("while the database is unreachable calls fail in time, and then it recovers by itself") {
    sql_revocations::outage(server);
  }
}

/// Each store has a table of its own.
inline void sql_revocation_store_contract(SqlStores& stores) {
  int count = 0;
  const auto open = [&] {
    flux_test::RevocationOptions options;
    options.table = "revocations" + std::to_string(count);
    options.call_timeout = std::chrono::seconds(20);
    return stores.open_revocations(options);
  };
  flux::testing::revocation_store_contract(
      checked,
      [&] {
        ++count;
        return open();
      },
      open);
}

}  // namespace flux_test
