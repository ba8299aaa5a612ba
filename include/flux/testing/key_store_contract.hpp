// The duties of every KeyStore as a test suite, for flux's stores and those of applications, with any test framework
// (contract.hpp says how). With Catch2:
//
//     TEST_CASE("key store: mine fulfills the contract") {
//       flux::testing::key_store_contract(
//           [](const flux::testing::Check& check) { INFO(check.text()); CHECK(check.passed); },
//           [&] { return my_store_on(a_new_table); }, [&] { return my_store_on(that_table); });
//     }
#pragma once

#include <flux/storage/key_store.hpp>
#include <flux/testing/contract.hpp>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace flux::testing {

/// Returns a store of keys.
using OpenKeyStore = std::function<std::shared_ptr<KeyStore>()>;

/// For flux itself: a row.
inline ApiKeyRecord key_row(int n, std::string name = "ci") {
  ApiKeyRecord row;
  row.id = "key" + std::to_string(100'000 + n);
  row.hash = std::string(58, 'a') + std::to_string(100'000 + n);
  row.name = std::move(name);
  row.permissions = {"read:*"};
  row.created_at = 1'700'000'000'000;
  return row;
}

/// For flux itself: the rows in the order of their ids.
inline std::vector<ApiKeyRecord> sorted_rows(const Result<std::vector<ApiKeyRecord>>& loaded) {
  std::vector<ApiKeyRecord> rows = loaded.value();
  std::sort(rows.begin(), rows.end(), [](const ApiKeyRecord& a, const ApiKeyRecord& b) { return a.id < b.id; });
  return rows;
}

/// Runs a store through the contract. `check` is called for every check. `make` returns a new, empty store at each call;
/// `reopen` opens the one that `make` returned last once more, while it is still used: as another process, or, of a store
/// that only one process can use, as the same object.
inline void key_store_contract(const CheckFunction& check, const OpenKeyStore& make, const OpenKeyStore& reopen) {
  Contract contract(check);
  std::shared_ptr<KeyStore> store;
  const auto begin = [&] {
    store = make();
    FLUX_REQUIRE(store->load().value().empty());
  };
  const auto reload = [&] {
    const auto again = reopen();
    return sorted_rows(again->load());
  };

  contract.duty("a new store is empty, and stays so", [&] {
    begin();
    FLUX_CHECK(reload().empty());
    FLUX_CHECK(store->load().value().empty());
  });
  contract.duty("rows are loaded again and again; the newest of an id counts", [&] {
    begin();
    FLUX_REQUIRE(store->put(key_row(1)).ok());
    FLUX_REQUIRE(store->put(key_row(2)).ok());
    FLUX_REQUIRE(store->put(key_row(1, "cd")).ok());
    FLUX_CHECK(sorted_rows(store->load()) == std::vector{key_row(1, "cd"), key_row(2)});
    FLUX_CHECK(reload() == std::vector{key_row(1, "cd"), key_row(2)});
    FLUX_REQUIRE(store->put(key_row(2, "cd")).ok());
    FLUX_REQUIRE(store->put(key_row(3)).ok());
    FLUX_CHECK(sorted_rows(store->load()) == std::vector{key_row(1, "cd"), key_row(2, "cd"), key_row(3)});
    FLUX_CHECK(reload() == std::vector{key_row(1, "cd"), key_row(2, "cd"), key_row(3)});
  });
  contract.duty("a removed row no longer exists, a missing one can be removed, and both can be put again", [&] {
    begin();
    FLUX_REQUIRE(store->put(key_row(1)).ok());
    FLUX_REQUIRE(store->put(key_row(2)).ok());
    FLUX_CHECK(store->remove(key_row(1).id).ok());
    FLUX_CHECK(store->remove(key_row(1).id).ok());
    FLUX_CHECK(store->remove(key_row(9).id).ok());
    FLUX_CHECK(store->remove("").ok());
    FLUX_CHECK(reload() == std::vector{key_row(2)});
    FLUX_CHECK(store->remove(key_row(2).id).ok());
    FLUX_REQUIRE(store->put(key_row(1, "again")).ok());
    FLUX_CHECK(sorted_rows(store->load()) == std::vector{key_row(1, "again")});
    FLUX_CHECK(reload() == std::vector{key_row(1, "again")});
  });
  contract.duty("all fields are returned, at both limits of their ranges", [&] {
    begin();
    ApiKeyRecord most = key_row(1, std::string(200, 'n'));
    most.id = std::string(64, 'Z');
    most.user_id = std::string(256, 'u');
    most.permissions.assign(100, "read:" + std::string(251, 's'));
    most.created_at = INT64_MAX;
    most.expires_at = INT64_MAX;
    ApiKeyRecord none;
    none.id = "-";
    none.hash = key_row(2).hash;
    ApiKeyRecord least = key_row(3);
    least.created_at = INT64_MIN;
    least.expires_at = INT64_MIN;
    ApiKeyRecord zero = key_row(4);
    zero.expires_at = 0;
    zero.permissions = {"b:*", "a:*", "b:*", "admin"};  // in this order
    const std::vector rows = {none, most, least, zero};
    for (const ApiKeyRecord& row : rows) FLUX_REQUIRE(store->put(row).ok());
    FLUX_CHECK(sorted_rows(store->load()) == rows);
    FLUX_CHECK(reload() == rows);
  });
  contract.duty("a row that is put again has the newest value of every field", [&] {
    begin();
    ApiKeyRecord first = key_row(1);
    first.user_id = "ann";
    first.permissions = {"read:a", "read:b"};
    first.expires_at = 1;
    ApiKeyRecord second = key_row(1, "");
    second.hash = std::string(64, '0');
    second.permissions = {};
    second.created_at = 2;
    for (const ApiKeyRecord& row : {first, second, first}) {
      FLUX_REQUIRE(store->put(row).ok());
      FLUX_CHECK(store->load().value() == std::vector{row});
      FLUX_CHECK(reload() == std::vector{row});
    }
  });
  contract.duty("ids that differ only in case or in their ends are different, and two rows may have one hash", [&] {
    begin();
    std::vector<ApiKeyRecord> rows;
    for (const char* id : {"A", "Aa", "_", "a", "aA"}) {
      rows.push_back(key_row(1));
      rows.back().id = id;
      FLUX_REQUIRE(store->put(rows.back()).ok());
    }
    FLUX_CHECK(reload() == rows);
    FLUX_REQUIRE(store->remove("a").ok());
    FLUX_CHECK(reload().size() == 4);
  });
  contract.duty("text may have any characters but controls", [&] {
    begin();
    std::string every;
    for (char c = ' '; c < '\x7f'; ++c) every += c;
    const std::vector<std::string> words = {every, "\xF0\x9F\x98\x80 e\xCC\x81",
                                            "it's \"quoted\"; DROP TABLE flux_keys; --", "%s\\0 _%", "  spaces  "};
    std::vector<ApiKeyRecord> rows;
    for (std::size_t i = 0; i < words.size(); ++i) {
      ApiKeyRecord row = key_row(static_cast<int>(i), words[i]);
      row.user_id = words[i];
      row.permissions = {"read:" + words[i], "a:b"};
      rows.push_back(row);
      FLUX_REQUIRE(store->put(row).ok());
    }
    FLUX_CHECK(sorted_rows(store->load()) == rows);
    FLUX_CHECK(reload() == rows);
  });
  contract.duty("what one user of the store has changed, another one loads", [&] {
    begin();
    const auto other = reopen();
    FLUX_REQUIRE(store->put(key_row(1)).ok());
    FLUX_CHECK(other->load().value() == std::vector{key_row(1)});
    FLUX_REQUIRE(other->put(key_row(2)).ok());
    FLUX_CHECK(sorted_rows(store->load()) == std::vector{key_row(1), key_row(2)});
    FLUX_REQUIRE(other->remove(key_row(1).id).ok());
    FLUX_CHECK(store->load().value() == std::vector{key_row(2)});
  });
  contract.duty("calls may come from several threads and users, and none is lost", [&] {
    begin();
    constexpr int count = 20;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t, own = t % 2 == 0 ? store : reopen()] {
        for (int i = 0; i < count; ++i) {
          const ApiKeyRecord row = key_row(t * 1000 + i);
          if (!own->put(row) || !own->put(key_row(t * 1000 + i, "second"))) ++wrong;
          if (i % 2 == 0 && !own->remove(row.id)) ++wrong;
          if (!own->load()) ++wrong;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    FLUX_CHECK(wrong.load() == 0);
    const auto rows = reload();
    FLUX_CHECK(rows.size() == 4 * count / 2);
    FLUX_CHECK(std::all_of(rows.begin(), rows.end(), [](const ApiKeyRecord& row) { return row.name == "second"; }));
  });
}

}  // namespace flux::testing
