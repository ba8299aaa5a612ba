// Tests beyond the contract that are common to the stores of API keys in SQLite, PostgreSQL and MySQL.
#pragma once

#include "contract/sql_server.hpp"

#include <flux/testing/key_store_contract.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace flux_test {

namespace sql_keys {

using namespace flux;
using namespace flux::testing;
using Catch::Matchers::ContainsSubstring;

inline void options(SqlServer& server) {
  refuses_options<flux_test::KeyOptions>(server, [&](const flux_test::KeyOptions& options) {
    const auto store = server.open_keys(options);
    REQUIRE(store->put(key_row(1)).ok());
  });
}

inline void table_of_another_shape(SqlServer& server) {
  server.run("CREATE TABLE flux_keys (id INTEGER, name VARCHAR(10))");
  const Error error = flux_test::error_of([&] { server.open_keys({}); });
  CHECK(error.code() == Errc::store_failed);
  CHECK_THAT(error.message(), ContainsSubstring("API keys in ") &&
                                  ContainsSubstring("the table \"flux_keys\" has no column \"hash\"") &&
                                  ContainsSubstring("id, hash, name, user_id, permissions"));
}

inline void tables_of_other_types(SqlServer& server) {
  refuses_shapes(server, "flux_keys", "id", {"created_at", "expires_at"}, {"hash", "permissions"},
                 [&] { server.open_keys({}); });
}

inline void newer_version(SqlServer& server) {
  server.open_keys({});
  server.run("UPDATE flux_keys_version SET version = 7");
  CHECK_THAT(flux_test::error_of([&] { server.open_keys({}); }).message(),
             ContainsSubstring("version 7, created by a newer flux"));
}

inline void broken_start(SqlServer& server) {
  REQUIRE(server.open_keys({})->put(key_row(1)).ok());
  server.run("DROP TABLE flux_keys_version");  // it is created last
  CHECK(server.open_keys({})->load().value() == std::vector{key_row(1)});
  CHECK(server.ask("SELECT version FROM flux_keys_version") == "1");
}

/// People add, change and revoke keys with SQL.
inline void rows_of_others(SqlServer& server) {
  const auto store = server.open_keys({});
  REQUIRE(store->put(key_row(1)).ok());
  CHECK(server.ask("SELECT permissions FROM flux_keys") == "read:*");
  server.run(
      "INSERT INTO flux_keys (id, hash, name, user_id, permissions, created_at) SELECT 'ours', hash, 'ours', '', "
      "'read:a\n\nread:b\n', 0 FROM flux_keys");
  ApiKeyRecord added = key_row(1, "ours");
  added.id = "ours";
  added.permissions = {"read:a", "read:b"};
  added.created_at = 0;
  CHECK(sorted_rows(store->load()) == std::vector{key_row(1), added});
  server.run("DELETE FROM flux_keys WHERE id = 'ours'");
  CHECK(store->load().value() == std::vector{key_row(1)});
}

/// They start at the same time.
inline void several_processes(SqlServer& server) {
  constexpr int each = 40;
  std::vector<std::thread> threads;
  std::array<std::shared_ptr<SqlKeyStore>, 3> stores;
  std::atomic<int> failures{0};
  for (std::size_t t = 0; t < stores.size(); ++t) {
    threads.emplace_back([&, t] {
      flux_test::KeyOptions patient;
      patient.call_timeout = std::chrono::seconds(20);
      try {
        stores[t] = server.open_keys(patient);
      } catch (const Error&) {
        ++failures;
        return;
      }
      for (int i = 0; i < each; ++i) {
        if (!stores[t]->put(key_row(static_cast<int>(t) * each + i))) ++failures;
        if (!stores[t]->put(key_row(9000 + i, std::to_string(t)))) ++failures;  // the same rows
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  REQUIRE(failures == 0);
  for (const auto& store : stores) CHECK(store->load().value().size() == each * (stores.size() + 1));
}

// --- For a server behind a socket ---

inline void lost_answer(Proxied& server) {
  const auto store = server.stores->open_keys({});
  server.proxy.lose_answer_to("COMMIT");
  REQUIRE(store->put(key_row(1)).ok());
  CHECK(server.proxy.answers_lost() == 1);
  server.proxy.lose_answer_to("COMMIT");
  REQUIRE(store->remove(key_row(1).id).ok());
  CHECK(server.proxy.answers_lost() == 2);
  REQUIRE(store->put(key_row(2)).ok());
  CHECK(store->load().value() == std::vector{key_row(2)});
}

inline void lost_connections(Proxied& server) {
  const auto store = server.stores->open_keys({});
  for (int i = 0; i < 5; ++i) {
    server.proxy.cut();
    CHECK(store->load().value().size() == static_cast<std::size_t>(i));
    server.proxy.cut();
    CHECK(store->put(key_row(i)).ok());
  }
}

inline void outage(Proxied& server) {
  const auto store = server.stores->open_keys(hurried<flux_test::KeyOptions>());
  REQUIRE(store->put(key_row(1)).ok());
  server.proxy.refuse(true);
  server.proxy.cut();
  CHECK(time_of([&] { CHECK(store->load().error().code() == Errc::store_failed); }) < std::chrono::seconds(5));
  CHECK(store->put(key_row(2)).error().code() == Errc::store_failed);
  server.proxy.refuse(false);
  CHECK(until_good([&] { return store->put(key_row(2)); }).ok());
  CHECK(sorted_rows(store->load()) == std::vector{key_row(1), key_row(2)});
}

inline void silence(Proxied& server) {
  const auto store = server.stores->open_keys(hurried<flux_test::KeyOptions>());
  server.proxy.stall(true);
  CHECK(time_of([&] { CHECK(store->load().error().code() == Errc::store_failed); }) < std::chrono::seconds(8));
  server.proxy.stall(false);
  CHECK(until_good([&] { return store->put(key_row(1)); }).ok());
}

}  // namespace sql_keys

/// `server` is a new one for each section.
inline void sql_key_store_tests(SqlServer& server) {
  SECTION("options out of their range are refused") { sql_keys::options(server); }
  SECTION("a table without our columns is refused, and the error names the missing column") {
    sql_keys::table_of_another_shape(server);
  }
  SECTION("a table with columns of other types, or without its key, is refused") {
    sql_keys::tables_of_other_types(server);
  }
  SECTION("tables of a newer version are refused") { sql_keys::newer_version(server); }
  SECTION("an interrupted start is completed, and rows remain") { sql_keys::broken_start(server); }
  SECTION("rows that people write are read, and one that can't be read is an error with its id") {
    sql_keys::rows_of_others(server);
  }
  SECTION("several processes share a table") { sql_keys::several_processes(server); }
}

inline void sql_key_store_outage_tests(Proxied& server) {
  SECTION("a commit whose reply is lost is repeated") { sql_keys::lost_answer(server); }
  SECTION("lost connections are replaced, and no call fails") { sql_keys::lost_connections(server); }
  SECTION("while the database is unreachable calls fail in time, and then it recovers by itself") {
    sql_keys::outage(server);
  }
  SECTION("a database that never answers is given up in time") { sql_keys::silence(server); }
}

/// Each store has a table of its own.
inline void sql_key_store_contract(SqlStores& stores) {
  int count = 0;
  const auto open = [&] {
    flux_test::KeyOptions options;
    options.table = "keys" + std::to_string(count);
    options.call_timeout = std::chrono::seconds(20);
    return stores.open_keys(options);
  };
  flux::testing::key_store_contract(
      checked,
      [&] {
        ++count;
        return open();
      },
      open);
}

}  // namespace flux_test
