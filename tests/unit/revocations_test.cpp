// Which grants are refused, and how the store follows.
#include "catch.hpp"
#include "support/memory_revocation_store.hpp"

#include <flux/detail/features/revocation_log.hpp>
#include <flux/detail/gate/revocations.hpp>
#include <flux/testing/manual_clock.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace revocations_test {

using namespace flux;
using namespace std::chrono_literals;
using features::RevocationLog;
using flux_test::MemoryRevocationStore;
using flux_test::patience;
using gate::Revocations;

namespace {

constexpr auto user = RevocationKind::user;
constexpr auto credential = RevocationKind::credential;

Grant grant_of(std::string user_id, std::string by = {}) {
  Grant grant({.user_id = std::move(user_id)});
  grant.credential = std::move(by);
  return grant;
}

struct Table {
  explicit Table(std::size_t count_max = 100) : revocations(clock, count_max) {}
  Result<void> add(RevocationKind kind, std::string name, std::chrono::milliseconds lasts,
                   std::string reason = "revoked") {
    return revocations.add({kind, std::move(name), clock->unix_ms() + lasts.count(), std::move(reason)}, ended);
  }
  std::string refusal(const Grant& grant) const { return revocations.refusal(grant).value_or("accepted"); }

  const std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  Revocations revocations;
  std::vector<Revocations::Key> ended;
};

}  // namespace

TEST_CASE("revocations: grants of a revoked user or credential are refused until its end, others never", "[gate]") {
  Table table;
  CHECK(table.refusal(grant_of("ann", "k1")) == "accepted");
  REQUIRE(table.add(user, "ann", 10s, "left").ok());
  REQUIRE(table.add(credential, "k2", 20s, "leaked").ok());
  CHECK(table.refusal(grant_of("ann")) == "left");
  CHECK(table.refusal(grant_of("ann", "k1")) == "left");
  CHECK(table.refusal(grant_of("bob", "k2")) == "leaked");
  CHECK(table.refusal(grant_of("", "k2")) == "leaked");
  CHECK(table.refusal(grant_of("k2", "ann")) == "accepted");
  CHECK(table.refusal(grant_of("Ann", "K2")) == "accepted");
  CHECK(table.refusal(grant_of("ann2", "k")) == "accepted");
  CHECK(table.refusal(Grant()) == "accepted");
  table.clock->advance(9'999ms);
  CHECK(table.refusal(grant_of("ann")) == "left");
  table.clock->advance(1ms);
  CHECK(table.refusal(grant_of("ann")) == "accepted");
  CHECK(table.refusal(grant_of("ann", "k2")) == "leaked");
}

TEST_CASE("revocations: a later one replaces time and reason; one in the past or a removal takes it back", "[gate]") {
  Table table;
  REQUIRE(table.add(user, "ann", 10s, "first").ok());
  REQUIRE(table.add(user, "ann", 5s, "second").ok());
  CHECK(table.revocations.size() == 1);
  CHECK(table.refusal(grant_of("ann")) == "second");
  table.clock->advance(5s);
  CHECK(table.refusal(grant_of("ann")) == "accepted");
  REQUIRE(table.add(user, "ann", 5s).ok());
  REQUIRE(table.add(user, "ann", 0s).ok());
  CHECK(table.refusal(grant_of("ann")) == "accepted");
  CHECK(table.revocations.size() == 0);
  REQUIRE(table.add(user, "ann", 5s).ok());
  CHECK_FALSE(table.revocations.remove(credential, "ann"));
  CHECK(table.revocations.remove(user, "ann"));
  CHECK_FALSE(table.revocations.remove(user, "ann"));
  CHECK(table.refusal(grant_of("ann")) == "accepted");
}

TEST_CASE("revocations: those that have ended are removed, and make room for others", "[gate]") {
  Table table(2);
  REQUIRE(table.add(user, "a", 1s).ok());
  REQUIRE(table.add(user, "b", 2s).ok());
  const auto full = table.add(user, "c", 3s);
  REQUIRE_FALSE(full.ok());
  CHECK(full.error().code() == Errc::limit_exceeded);
  CHECK(full.error().message().find("count_max") != std::string::npos);
  REQUIRE(table.add(user, "b", 4s).ok());  // replaces
  table.clock->advance(1s);
  REQUIRE(table.add(user, "c", 3s).ok());
  REQUIRE(table.ended.size() == 1);
  CHECK(table.ended.front().kind == user);
  CHECK(table.ended.front().name == "a");
  const auto all = table.revocations.all();
  REQUIRE(all.size() == 2);
  CHECK(all[0].name == "b");
  CHECK(all[1].name == "c");
  table.clock->advance(4s);
  CHECK(table.revocations.all().empty());
  CHECK(table.revocations.remove_ended().size() == 2);
  CHECK(table.revocations.size() == 0);
}

TEST_CASE("revocations: names and reasons are checked", "[gate]") {
  Table table;
  const auto code = [&](std::string name, std::string reason = {}) {
    const auto added = table.add(user, std::move(name), 1s, std::move(reason));
    return added ? std::nullopt : std::optional(added.error().code());
  };
  CHECK(code("") == Errc::invalid_argument);
  CHECK(code(std::string(Revocation::name_bytes_max + 1, 'x')) == Errc::invalid_argument);
  CHECK(code("\xff") == Errc::invalid_argument);
  CHECK(code(std::string("a\0b", 3)) == Errc::invalid_argument);
  CHECK(code("a", std::string(Revocation::reason_bytes_max + 1, 'x')) == Errc::invalid_argument);
  CHECK(code("a", "\xff") == Errc::invalid_argument);
  CHECK(table.revocations.size() == 0);
  CHECK_FALSE(code(std::string(Revocation::name_bytes_max, 'x'), std::string(Revocation::reason_bytes_max, 'x')));
}

// --- The store ---

namespace {

/// A table and its log. The store outlives it.
struct Kept : Table {
  explicit Kept(std::shared_ptr<MemoryRevocationStore> in, std::size_t count_max = 100)
      : Table(count_max), store(std::move(in)), log({store, count_max}, revocations, faults) {}
  /// The result of `keep`, waiting for it if the store blocks.
  Result<void> keep(RevocationKind kind, const std::string& name) {
    const auto result = std::make_shared<flux_test::Awaited<Result<void>>>();
    log.keep({kind, name}, [result](const Result<void>& kept) { result->set(kept); });
    return result->get();
  }
  Result<void> revoke(const std::string& name, std::chrono::milliseconds lasts = 1h) {
    REQUIRE(add(user, name, lasts).ok());
    return keep(user, name);
  }

  const std::shared_ptr<MemoryRevocationStore> store;
  std::vector<std::string> lines;
  std::mutex lines_mutex;
  const std::shared_ptr<features::StoreFaults> faults =
      std::make_shared<features::StoreFaults>("the revocation store", clock, [this](std::string_view line) {
        const std::lock_guard lock(lines_mutex);
        lines.emplace_back(line);
      });
  RevocationLog log;
};

}  // namespace

TEST_CASE("revocation log: what is acknowledged is stored, and in force after a restart", "[gate]") {
  const bool blocks = GENERATE(true, false);
  const auto store = std::make_shared<MemoryRevocationStore>(blocks);
  {
    Kept kept(store);
    REQUIRE(kept.log.restore().ok());
    kept.log.start();
    CHECK(kept.revoke("ann").ok());
    CHECK(store->content() == "user ann");
    CHECK(kept.revoke("bob", 1s).ok());
    CHECK(kept.revoke("eve").ok());
    CHECK(kept.revocations.remove(user, "eve"));
    CHECK(kept.keep(user, "eve").ok());
    CHECK(store->content() == "user ann, user bob");
    kept.log.stop();
  }
  Kept kept(store);
  kept.clock->advance(2s);
  REQUIRE(kept.log.restore().ok());
  CHECK(kept.refusal(grant_of("ann")) == "revoked");
  CHECK(kept.refusal(grant_of("bob")) == "accepted");
  CHECK(kept.refusal(grant_of("eve")) == "accepted");
  kept.log.start();
  kept.log.stop();
  CHECK(store->content() == "user ann");  // what has ended is removed
}

TEST_CASE("revocation log: what was changed before the start is stored then, and is newer than the store", "[gate]") {
  const auto store = std::make_shared<MemoryRevocationStore>();
  {
    Kept kept(store);
    kept.log.start();
    CHECK(kept.revoke("ann").ok());
    CHECK(kept.revoke("bob").ok());
  }
  Kept kept(store);
  CHECK(kept.revoke("eve").error().code() == Errc::stopped);
  CHECK_FALSE(kept.revocations.remove(user, "ann"));
  CHECK(kept.keep(user, "ann").error().code() == Errc::stopped);
  REQUIRE(kept.log.restore().ok());
  CHECK(kept.refusal(grant_of("ann")) == "accepted");
  CHECK(kept.refusal(grant_of("bob")) == "revoked");
  kept.log.start();
  kept.log.stop();
  CHECK(store->content() == "user bob, user eve");
}

TEST_CASE("revocation log: a failure is told, logged, and tried again", "[gate]") {
  const bool blocks = GENERATE(true, false);
  const auto how = GENERATE(MemoryRevocationStore::Failure::error, MemoryRevocationStore::Failure::exception);
  const auto store = std::make_shared<MemoryRevocationStore>(blocks);
  Kept kept(store);
  kept.log.start();
  store->fail(how);
  const auto result = kept.revoke("ann");
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == Errc::store_failed);
  CHECK(result.error().message() == "the revocation store failed");
  CHECK(kept.faults->count() == 1);
  CHECK(kept.refusal(grant_of("ann")) == "revoked");
  CHECK(store->content().empty());
  store->fail(MemoryRevocationStore::Failure::none);
  kept.log.tidy();
  kept.log.stop();
  CHECK(store->content() == "user ann");
}

TEST_CASE("revocation log: a call that is pending does not delay anything, and stores the newest state", "[gate]") {
  const auto store = std::make_shared<MemoryRevocationStore>();
  Kept kept(store);
  kept.log.start();
  store->hold();
  REQUIRE(kept.add(user, "ann", 1h).ok());
  kept.log.keep({user, "ann"}, [](const Result<void>&) {});
  CHECK(kept.refusal(grant_of("ann")) == "revoked");
  CHECK(kept.revocations.remove(user, "ann"));
  kept.log.keep({user, "ann"}, [](const Result<void>&) {});
  store->let_through();
  kept.log.stop();
  CHECK(store->content().empty());
}

TEST_CASE("revocation log: revocations that have ended leave the store", "[gate]") {
  const auto store = std::make_shared<MemoryRevocationStore>(false);
  Kept kept(store);
  kept.log.start();
  CHECK(kept.revoke("ann", 10s).ok());
  CHECK(kept.revoke("bob", 20s).ok());
  kept.clock->advance(10s);
  kept.log.tidy();
  CHECK(store->content() == "user bob");
}

TEST_CASE("revocation log: a store that can't be loaded is an error, and so is no row that is not valid", "[gate]") {
  const auto store = std::make_shared<MemoryRevocationStore>();
  REQUIRE(store->save({user, "", 4'102'444'800'000, ""}).ok());
  REQUIRE(store->save({user, "ann", 4'102'444'800'000, ""}).ok());
  Kept kept(store);
  store->fail(MemoryRevocationStore::Failure::error);
  CHECK(kept.log.restore().error().code() == Errc::store_failed);
  store->fail(MemoryRevocationStore::Failure::none);
  REQUIRE(kept.log.restore().ok());
  CHECK(kept.revocations.size() == 1);
  CHECK(kept.lines.back().find("left out") != std::string::npos);
}

}  // namespace revocations_test
