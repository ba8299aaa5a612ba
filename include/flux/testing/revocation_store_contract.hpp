// The duties of every RevocationStore as a test suite, for flux's stores and those of applications, with any test
// framework (contract.hpp says how). With Catch2:
//
//     TEST_CASE("revocation store: mine fulfills the contract") {
//       flux::testing::revocation_store_contract(
//           [](const flux::testing::Check& check) { INFO(check.text()); CHECK(check.passed); },
//           [&] { return my_store_on(a_new_table); }, [&] { return my_store_on(that_table); });
//     }
#pragma once

#include <flux/storage/revocation_store.hpp>
#include <flux/testing/contract.hpp>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

namespace flux::testing {

/// Returns a store.
using OpenRevocationStore = std::function<std::shared_ptr<RevocationStore>()>;

/// For flux itself: a revocation in the year 2100, or at `until`.
inline Revocation revoked(std::string name, RevocationKind kind = RevocationKind::user,
                          std::int64_t until = 4'102'444'800'123) {
  return {kind, std::move(name), until, "left the team"};
}

/// For flux itself: the rows in the order of their kinds and names.
inline std::vector<Revocation> sorted_revocations(std::vector<Revocation> rows) {
  std::sort(rows.begin(), rows.end(), [](const Revocation& a, const Revocation& b) {
    return std::tie(a.kind, a.name) < std::tie(b.kind, b.name);
  });
  return rows;
}

/// Runs a store through the contract. `check` is called for every check. `make` returns a new, empty store at each call;
/// `reopen` reopens the one that `make` returned last, after its release.
inline void revocation_store_contract(const CheckFunction& check, const OpenRevocationStore& make,
                                      const OpenRevocationStore& reopen) {
  Contract contract(check);
  std::shared_ptr<RevocationStore> store;
  const auto begin = [&] {
    store.reset();
    store = make();
    FLUX_REQUIRE(store->load().value().empty());
  };
  const auto save = [&](const Revocation& row) { FLUX_REQUIRE(store->save(row).ok()); };
  const auto reload = [&] {
    store.reset();
    store = reopen();
    return sorted_revocations(store->load().value());
  };
  constexpr auto user = RevocationKind::user;
  constexpr auto credential = RevocationKind::credential;

  contract.duty("a new store is empty, and stays so", [&] {
    begin();
    FLUX_CHECK(reload().empty());
  });
  contract.duty("every member of a row is returned; the newest row of a key counts", [&] {
    begin();
    save(revoked("ann"));
    save(revoked("bob"));
    Revocation later = revoked("ann", user, 4'200'000'000'001);
    later.reason = "";
    save(later);
    FLUX_CHECK((reload() == std::vector{later, revoked("bob")}));
    save(revoked("ann"));
    FLUX_CHECK((reload() == std::vector{revoked("ann"), revoked("bob")}));
  });
  contract.duty("a user and a credential with the same name are two rows", [&] {
    begin();
    save(revoked("a", user, 4'102'444'800'001));
    save(revoked("a", credential, 4'102'444'800'002));
    FLUX_CHECK(
        (reload() == std::vector{revoked("a", user, 4'102'444'800'001), revoked("a", credential, 4'102'444'800'002)}));
    FLUX_REQUIRE(store->remove(user, "a").ok());
    FLUX_CHECK((reload() == std::vector{revoked("a", credential, 4'102'444'800'002)}));
  });
  contract.duty("a removed row no longer exists, a missing one can be removed, and both can be saved again", [&] {
    begin();
    save(revoked("ann"));
    save(revoked("bob"));
    for (int times = 0; times < 2; ++times) FLUX_CHECK(store->remove(user, "ann").ok());
    FLUX_CHECK(store->remove(user, "nobody").ok());
    FLUX_CHECK(store->remove(credential, "bob").ok());
    FLUX_CHECK((reload() == std::vector{revoked("bob")}));
    FLUX_CHECK(store->remove(user, "bob").ok());
    save(revoked("ann"));
    FLUX_CHECK((reload() == std::vector{revoked("ann")}));
  });
  contract.duty("names differ if their bytes do; text is kept byte for byte", [&] {
    begin();
    std::string every;
    for (int byte = 1; byte < 128; ++byte) every += static_cast<char>(byte);
    std::vector<Revocation> rows;
    for (const std::string& name : {std::string("ann"), std::string("Ann"), std::string("ann "), std::string(" ann"),
                                    std::string("a\xC3\xA4"), std::string("aa\xCC\x88"), std::string("'; DROP TABLE x"),
                                    std::string("%"), every, std::string(Revocation::name_bytes_max, 'x')}) {
      rows.push_back(revoked(name));
      rows.back().reason = name.substr(0, Revocation::reason_bytes_max);
      save(rows.back());
    }
    FLUX_CHECK((reload() == sorted_revocations(rows)));
  });
  contract.duty("until may be at the end of its range", [&] {
    begin();
    save(revoked("ann", user, INT64_MAX));
    FLUX_CHECK((reload() == std::vector{revoked("ann", user, INT64_MAX)}));
  });
  contract.duty("a repeated call, as after a lost reply, has its effect once", [&] {
    begin();
    for (int times = 0; times < 2; ++times) save(revoked("ann"));
    FLUX_CHECK((reload() == std::vector{revoked("ann")}));
  });
  contract.duty("1,000 rows, each replaced and every second one removed", [&] {
    begin();
    constexpr int count = 1'000;
    std::vector<Revocation> left;
    for (int i = 0; i < count; ++i) {
      const std::string name = "user" + std::to_string(i);
      save(revoked(name, credential));
      save(revoked(name, credential, 4'300'000'000'000 + i));
      if (i % 2 == 0) {
        FLUX_REQUIRE(store->remove(credential, name).ok());
      } else {
        left.push_back(revoked(name, credential, 4'300'000'000'000 + i));
      }
    }
    FLUX_CHECK((reload() == sorted_revocations(left)));
  });
}

}  // namespace flux::testing
