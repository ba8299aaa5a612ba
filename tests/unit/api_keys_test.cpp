#include "catch.hpp"
#include "loop_fixture.hpp"
#include "support/awaited.hpp"

#include <flux/detail/gate/api_key_text.hpp>
#include <flux/detail/gate/api_keys.hpp>
#include <flux/testing/manual_clock.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace api_keys_test {

using namespace flux;
using namespace flux::gate;
using namespace std::chrono_literals;
using Catch::Matchers::ContainsSubstring;
using Catch::Matchers::StartsWith;
using flux_test::Awaited;
using flux_test::eventually;
using Ids = std::vector<std::string>;

namespace {

/// A store in memory whose calls fail or wait on demand. Several servers may share it.
class DemandingStore final : public KeyStore {
 public:
  Result<std::vector<ApiKeyRecord>> load() override {
    ++loads;
    auto loaded = guarded([&] { return rows.load(); });
    after_load();
    return loaded;
  }
  Result<void> put(const ApiKeyRecord& record) override {
    return guarded([&] { return rows.put(record); });
  }
  Result<void> remove(const std::string& id) override {
    return guarded([&] { return rows.remove(id); });
  }

  MemoryKeyStore rows;
  std::atomic<bool> fails{false};
  std::atomic<bool> throws{false};
  std::atomic<int> loads{0};
  std::function<void()> during = [] {};
  std::function<void()> after_load = [] {};

 private:
  template <class Call>
  auto guarded(const Call& call) -> decltype(call()) {
    during();
    if (throws) throw std::runtime_error("no route to db7");
    if (fails) return Error(Errc::store_failed, "db7 is down");
    return call();
  }
};

struct Scene {
  explicit Scene(std::shared_ptr<testing::ManualClock> time = std::make_shared<testing::ManualClock>())
      : clock(std::move(time)) {}
  const std::shared_ptr<testing::ManualClock> clock;
  std::shared_ptr<DemandingStore> store = std::make_shared<DemandingStore>();
  std::mutex mutex;
  Ids ended;
  std::vector<std::string> lines;
  ApiKeysOptions options{.store = store};
  std::shared_ptr<ApiKeys> keys = open();

  std::shared_ptr<ApiKeys> open() {
    const auto add_to = [this](auto& list) {
      return [this, &list](const auto& added) {
        const std::lock_guard lock(mutex);
        if constexpr (std::is_same_v<std::decay_t<decltype(added)>, Ids>) {
          list.insert(list.end(), added.begin(), added.end());
        } else {
          list.emplace_back(added);
        }
      };
    };
    return ApiKeys::open(options, clock, add_to(ended), add_to(lines));
  }
  std::chrono::system_clock::time_point in(std::chrono::milliseconds time) const {
    return std::chrono::system_clock::time_point(std::chrono::milliseconds(clock->unix_ms()) + time);
  }
};

/// What clients with unknown keys are told: "valid", or the code of the error.
struct Answers {
  ApiKeys::Done<Result<ApiKeys::Record>> taker() {
    return [this](const Result<ApiKeys::Record>& found) {
      const std::lock_guard lock(mutex);
      given.emplace_back(found ? "valid" : to_string(found.error().code()));
    };
  }
  std::size_t count(std::string_view what) const {
    const std::lock_guard lock(mutex);
    return static_cast<std::size_t>(std::count(given.begin(), given.end(), what));
  }
  /// All of them.
  std::vector<std::string> list() const {
    const std::lock_guard lock(mutex);
    return given;
  }
  mutable std::mutex mutex;
  std::vector<std::string> given;
};

/// Keys that a loop watches, so that clients with unknown ones wait until the store may be read again.
struct WatchedScene {
  WatchedScene() {
    loops.turn(0, [this] { s.keys->watch(loops[0]); });
  }
  /// Lets the time pass until this is so.
  template <class Condition>
  bool passes_until(const Condition& condition) {
    return eventually([&] {
      loops.advance(1ms);
      return condition();
    });
  }
  void ask(std::string key) { s.keys->check_later(std::move(key), answers.taker()); }

  testing::SteppedLoops loops{1};
  Scene s{loops.clock()};
  Answers answers;
};

constexpr const char* own_key = "an-old-key-of-the-application";

std::string refusal(const ApiKeys& keys, std::string_view key) {
  const auto checked = keys.check(key);
  if (checked) return "valid";
  CHECK(checked.error().code() == Errc::unauthorized);
  CHECK(checked.error().message() == "Invalid API key");
  return checked.error().cause();
}

std::string bad_option(const ApiKeysOptions& options) {
  try {
    ApiKeys::open(options, std::make_shared<SystemClock>());
  } catch (const Error& error) {
    CHECK(error.code() == Errc::bad_config);
    return error.message();
  }
  return "nothing thrown";
}

}  // namespace

// --- The text ---

TEST_CASE("api key: a generated key has its prefix, id, 43 random characters and a checksum, all safe in URLs",
          "[api_keys]") {
  const std::string id = new_api_key_id();
  const std::string key = new_api_key_text("acme_live", id);
  CHECK(key.size() == 9 + 1 + 12 + 1 + 43 + 6);
  CHECK_THAT(key, StartsWith("acme_live_" + id + "_"));
  CHECK(key.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_") == std::string::npos);
  CHECK(id_in_api_key(key) == id);
  CHECK_FALSE(is_misspelled_api_key(key));
  CHECK(shown_api_key(key) == "acme_live_" + id + "_...");
  // The CRC-32 of the text before, in base 62.
  CHECK(id_in_api_key("flux_000000000000_" + std::string(43, '0') + "35Rfqt") == "000000000000");
}

TEST_CASE("api key: a misspelled, cut or extended key is told from an unknown one, and nothing of it is shown",
          "[api_keys]") {
  const std::string key = new_api_key_text("flux", new_api_key_id());
  for (std::size_t i = 0; i < key.size(); ++i) {
    std::string wrong = key;
    wrong[i] = wrong[i] == 'x' ? 'y' : 'x';
    INFO(wrong);
    CHECK_FALSE(id_in_api_key(wrong));
    CHECK(shown_api_key(wrong) == "an API key of 67 bytes");
    // The two underscores are part of the form.
    if (key[i] != '_') CHECK(is_misspelled_api_key(wrong));
  }
  for (const std::string& other : {std::string(), std::string("flux"), key.substr(1, 60), key + "-",
                                   std::string(67, '_'), "-" + key.substr(1), std::string(400, 'a')}) {
    CHECK_FALSE(id_in_api_key(other));
    CHECK_FALSE(is_misspelled_api_key(other));
  }
}

TEST_CASE("api key: no two generated keys are alike, and every digit occurs", "[api_keys]") {
  std::set<std::string> all;
  std::set<char> digits;
  for (int i = 0; i < 500; ++i) {
    const std::string key = new_api_key_text("f", new_api_key_id());
    all.insert(key);
    digits.insert(key.begin(), key.end());
  }
  CHECK(all.size() == 500);
  CHECK(digits.size() == 63);
}

// --- Adding and checking ---

TEST_CASE("api keys: a generated key is valid at once, has what it was given, and only its hash is stored",
          "[api_keys]") {
  Scene s;
  const auto added =
      s.keys->add({.name = "ci", .permissions = {"read:*", "write:builds"}, .user_id = "bot", .expires_at = s.in(1h)});
  REQUIRE(added.ok());
  CHECK(id_in_api_key(added->key) == added->id);
  const auto checked = s.keys->check(added->key);
  REQUIRE(checked.ok());
  const ApiKeyRecord& record = **checked;
  CHECK(record.id == added->id);
  CHECK(record.name == "ci");
  CHECK(record.created_at == s.clock->unix_ms());
  CHECK(s.store->rows.load().value() == std::vector{record});
  CHECK(record.hash == core::to_hex(core::sha256(added->key).value()));
  const Grant grant = grant_of(record);
  CHECK(grant.identity == Identity{.user_id = "bot", .verified = true});
  CHECK(grant.permissions == std::vector<std::string>{"read:*", "write:builds"});
  CHECK(grant.expires_at == s.in(1h));
  CHECK(grant.credential == "key:" + added->id);
  CHECK(s.ended.empty());
  CHECK(s.lines.empty());
}

TEST_CASE("api keys: without a user a key is a user of its own, and without an expiry it stays", "[api_keys]") {
  Scene s;
  const auto added = s.keys->add(ApiKeySpec{.name = "ci"}).value();
  s.clock->advance(24h * 3650);
  const Grant grant = grant_of(**s.keys->check(added.key));
  CHECK(grant.identity == Identity{.user_id = "key:" + added.id, .verified = true});
  CHECK_FALSE(grant.expires_at);
}

TEST_CASE("api keys: unknown, misspelled, empty and endless keys are refused, and the cause shows no secret",
          "[api_keys]") {
  Scene s;
  const auto added = s.keys->add(ApiKeySpec{}).value();
  std::string wrong = added.key;
  wrong.back() = wrong.back() == 'x' ? 'y' : 'x';
  CHECK(refusal(*s.keys, wrong) == "an API key of 67 bytes is misspelled: its checksum is wrong");
  const std::string other = new_api_key_text("flux", added.id);  // the id of a valid key
  CHECK(refusal(*s.keys, other) == "flux_" + added.id + "_... is not among the keys");
  CHECK(refusal(*s.keys, "") == "an API key of 0 bytes is not among the keys");
  CHECK(refusal(*s.keys, std::string(10'000'000, 'x')) == "it is longer than any key");
  CHECK(refusal(*s.keys, added.key + '\0') == "an API key of 68 bytes is not among the keys");
  CHECK(refusal(*s.keys, (*s.keys->check(added.key))->hash) == "an API key of 64 bytes is not among the keys");
  CHECK(refusal(*s.keys, added.key) == "valid");
}

TEST_CASE("api keys: a key ends at its expiry, and is listed until it is revoked", "[api_keys]") {
  Scene s;
  const auto added = s.keys->add(ApiKeySpec{.expires_at = s.in(1s)}).value();
  s.clock->advance(999ms);
  CHECK(refusal(*s.keys, added.key) == "valid");
  s.clock->advance(1ms);
  CHECK(refusal(*s.keys, added.key) == "the key \"" + added.id + "\" has expired");
  CHECK(s.keys->list().size() == 1);
  const auto late = s.keys->add(ApiKeySpec{.expires_at = s.in(0ms)});
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().message() == "the expiry of a new API key must be in the future");
}

TEST_CASE("api keys: a key of the application's own is valid, and adding it again changes what it may do",
          "[api_keys]") {
  Scene s;
  const std::string id = s.keys->add(own_key, {.name = "old", .permissions = {"read:*"}}).value();
  CHECK((*s.keys->check(own_key))->name == "old");
  s.clock->advance(1s);
  CHECK(s.keys->add(own_key, {.name = "old", .permissions = {"read:*"}}).value() == id);
  CHECK(s.ended.empty());  // nothing has changed
  CHECK(s.keys->add(own_key, {.name = "renamed", .permissions = {"read:*"}}).value() == id);
  CHECK(s.ended.empty());
  CHECK(s.keys->add(own_key, {.name = "renamed", .permissions = {"write:*"}}).value() == id);
  CHECK(s.ended == Ids{id});
  const auto rows = s.store->rows.load().value();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].permissions == std::vector<std::string>{"write:*"});
  CHECK(rows[0].created_at == s.clock->unix_ms() - 1000);
  // Generated elsewhere: the id that its text shows is kept.
  const std::string elsewhere = new_api_key_text("acme", "0123456789Ab");
  CHECK(s.keys->add(elsewhere, {}).value() == "0123456789Ab");
}

TEST_CASE("api keys: an own key that is short, long or not visible ASCII is refused, and its text is not shown",
          "[api_keys]") {
  Scene s;
  const auto refused = [&](const std::string& key) {
    const auto added = s.keys->add(key, ApiKeySpec{});
    REQUIRE_FALSE(added.ok());
    CHECK(added.error().code() == Errc::invalid_argument);
    return added.error().cause();
  };
  CHECK(refused(std::string(15, 'x')) == "an API key must have 16 to 512 bytes, not 15");
  CHECK(refused(std::string(513, 'x')) == "an API key must have 16 to 512 bytes, not 513");
  for (const char* wrong : {" ", "\n", "\x7f", "\xC3\xA4", "\x01"}) {
    CHECK_THAT(refused("secretsecretsecret" + std::string(wrong)), !ContainsSubstring("secretsecret"));
  }
  CHECK(s.keys->add(std::string(16, '~'), ApiKeySpec{}).ok());
  CHECK(s.keys->add(std::string(512, '!'), ApiKeySpec{}).ok());
}

TEST_CASE("api keys: names, users and permissions beyond their limits are refused, and the error says which",
          "[api_keys]") {
  Scene s;
  const auto refused = [&](const ApiKeySpec& spec) {
    const auto added = s.keys->add(spec);
    REQUIRE_FALSE(added.ok());
    CHECK(added.error().code() == Errc::invalid_argument);
    CHECK(s.keys->add(own_key, spec).error().message() == added.error().message());
    return added.error().message();
  };
  CHECK_THAT(refused({.name = std::string(201, 'x')}), ContainsSubstring("name") && ContainsSubstring("200 bytes"));
  CHECK_THAT(refused({.name = "\xff"}), ContainsSubstring("name") && ContainsSubstring("UTF-8"));
  CHECK_THAT(refused({.name = "a\nb"}), ContainsSubstring("control characters"));
  CHECK_THAT(refused({.user_id = std::string(257, 'x')}), ContainsSubstring("user_id"));
  CHECK_THAT(refused({.permissions = std::vector<std::string>(101, "read:*")}), ContainsSubstring("100 permissions"));
  for (const char* wrong : {"", "read", ":", "read:", ":x", "*"}) {
    CHECK_THAT(refused({.permissions = {wrong}}), ContainsSubstring("operation:scope"));
  }
  CHECK_THAT(refused({.permissions = {"read:" + std::string(252, 'x')}}), ContainsSubstring("256 bytes"));
  CHECK(s.keys->size() == 0);
  CHECK(s.keys->add({.name = std::string(200, 'x'), .permissions = std::vector<std::string>(100, "admin")}).ok());
}

TEST_CASE("api keys: at keys_max nothing is added, an own key can be changed, and a revoked one makes space",
          "[api_keys]") {
  Scene s;
  s.options.keys_max = 2;
  s.keys = s.open();
  const std::string id = s.keys->add(own_key, ApiKeySpec{}).value();
  REQUIRE(s.keys->add(ApiKeySpec{}).ok());
  CHECK(s.keys->add(ApiKeySpec{}).error().code() == Errc::limit_exceeded);
  CHECK_THAT(s.keys->add("another-own-key-0", ApiKeySpec{}).error().message(), ContainsSubstring("2 API keys"));
  CHECK(s.keys->add(own_key, ApiKeySpec{.name = "changed"}).ok());
  REQUIRE(s.keys->revoke(id).ok());
  CHECK(s.keys->add(ApiKeySpec{}).ok());
  CHECK(s.store->rows.load().value().size() == 2);
}

// --- Revoking ---

TEST_CASE("api keys: a revoked key is refused at once, told to be ended, and deleted from the store", "[api_keys]") {
  Scene s;
  const auto one = s.keys->add(ApiKeySpec{.name = "one"}).value();
  const auto two = s.keys->add(ApiKeySpec{.name = "two"}).value();
  REQUIRE(s.keys->revoke(one.id).ok());
  CHECK(s.ended == Ids{one.id});
  CHECK_THAT(refusal(*s.keys, one.key), ContainsSubstring("not among the keys"));
  CHECK(refusal(*s.keys, two.key) == "valid");
  CHECK(s.keys->list().size() == 1);
  CHECK(s.store->rows.load().value().size() == 1);
  const auto again = s.keys->revoke(one.id);
  REQUIRE_FALSE(again.ok());
  CHECK(again.error().message() == "there is no API key with the id \"" + one.id + "\"");
  CHECK(s.ended.size() == 1);
}

TEST_CASE("api keys: a key that the store can't delete stays refused, and every reload tries again", "[api_keys]") {
  Scene s;
  const auto added = s.keys->add(ApiKeySpec{}).value();
  s.store->fails = true;
  const auto revoked = s.keys->revoke(added.id);
  REQUIRE_FALSE(revoked.ok());
  CHECK(revoked.error().code() == Errc::store_failed);
  CHECK(revoked.error().message() == "the key store failed");
  CHECK(revoked.error().cause() == "db7 is down");
  CHECK_FALSE(s.keys->check(added.key).ok());
  CHECK(s.keys->list().empty());
  CHECK(s.keys->size() == 0);
  CHECK_FALSE(s.keys->revoke(added.id).ok());
  s.store->fails = false;
  CHECK(s.store->rows.load().value().size() == 1);
  REQUIRE(s.keys->reload().ok());
  CHECK_FALSE(s.keys->check(added.key).ok());
  CHECK(s.store->rows.load().value().empty());
  CHECK(s.ended == Ids{added.id});
}

TEST_CASE("api keys: a key that is revoked while the store is read does not come back", "[api_keys]") {
  Scene s;
  const auto added = s.keys->add(ApiKeySpec{}).value();
  Awaited<bool> began, go_on;
  std::once_flag once;
  s.store->during = [&] {
    std::call_once(once, [&] {
      began.set(true);
      go_on.get();
    });
  };
  Awaited<bool> loaded, revoked;
  s.keys->reload([&](const Result<void>& result) { loaded.set(result.ok()); });
  began.get();
  s.keys->revoke(added.id, [&](const Result<void>& result) { revoked.set(result.ok()); });
  CHECK_FALSE(s.keys->check(added.key).ok());  // before the store has answered
  CHECK(s.ended == Ids{added.id});
  go_on.set(true);
  CHECK(loaded.get());
  CHECK(revoked.get());
  CHECK_FALSE(s.keys->check(added.key).ok());
  CHECK(s.store->rows.load().value().empty());
  CHECK(s.ended == Ids{added.id});
}

TEST_CASE("api keys: of a key that two processes have stored at the same time every record is revoked", "[api_keys]") {
  Scene s;
  const std::string id = s.keys->add(own_key, ApiKeySpec{.permissions = {"read:*"}}).value();
  ApiKeyRecord twin = s.store->rows.load().value().front();
  twin.id = "twin";
  twin.created_at += 1;
  twin.permissions = {"write:*"};
  REQUIRE(s.store->rows.put(twin).ok());
  REQUIRE(s.keys->reload().ok());
  CHECK((*s.keys->check(own_key))->id == "twin");  // the newest counts
  REQUIRE(s.keys->revoke(id).ok());
  CHECK_FALSE(s.keys->check(own_key).ok());
  CHECK(s.store->rows.load().value().empty());
  CHECK(std::set<std::string>(s.ended.begin(), s.ended.end()) == std::set<std::string>{id, "twin"});
}

// --- Several processes ---

TEST_CASE("api keys: a second record of a key that only the revocation finds is revoked, too", "[api_keys]") {
  Scene scene;
  const std::string id = scene.keys->add(own_key, {.name = "first"}).value();
  auto second = scene.store->rows.load().value().front();
  second.id = "second";
  CHECK(scene.store->rows.put(second).ok());  // by another process, which had not seen the first one
  CHECK(scene.keys->revoke(id).ok());
  CHECK_FALSE(scene.keys->check(own_key));
  CHECK(scene.store->rows.load().value().empty());
}

TEST_CASE("api keys: what another process adds is known at once, and what it revokes ends at the reload",
          "[api_keys]") {
  Scene s;
  const auto other = s.open();
  s.clock->advance(ApiKeys::miss_interval);
  const auto added = other->add(ApiKeySpec{.name = "new"}).value();
  CHECK_FALSE(s.keys->check(added.key).ok());
  Awaited<std::string> name;
  s.keys->check_later(added.key, [&](const Result<ApiKeys::Record>& found) { name.set(found.value()->name); });
  CHECK(name.get() == "new");
  REQUIRE(other->revoke(added.id).ok());
  CHECK(s.keys->check(added.key).ok());
  REQUIRE(s.keys->reload().ok());
  CHECK_FALSE(s.keys->check(added.key).ok());
  CHECK(s.ended == Ids{added.id, added.id});  // told by both
  // Also by a process that never knew it.
  const auto third = s.keys->add(ApiKeySpec{}).value();
  REQUIRE(other->revoke(third.id).ok());
  CHECK(s.store->rows.load().value().empty());
}

TEST_CASE("api keys: a key whose row is changed elsewhere ends for connected clients, if it grants something else",
          "[api_keys]") {
  Scene s;
  const auto added = s.keys->add(ApiKeySpec{.name = "ci", .permissions = {"read:*"}}).value();
  ApiKeyRecord row = s.store->rows.load().value().front();
  const auto changed = [&] {
    REQUIRE(s.store->rows.put(row).ok());
    REQUIRE(s.keys->reload().ok());
    return std::exchange(s.ended, {}).size();
  };
  CHECK(changed() == 0);
  row.name = "renamed";
  CHECK(changed() == 0);
  CHECK((*s.keys->check(added.key))->name == "renamed");
  row.permissions = {"read:a"};
  CHECK(changed() == 1);
  row.user_id = "bot";
  CHECK(changed() == 1);
  row.expires_at = s.clock->unix_ms() + 1000;
  CHECK(changed() == 1);
  row.hash = std::string(64, 'a');
  CHECK(changed() == 1);
  CHECK_FALSE(s.keys->check(added.key).ok());
}

TEST_CASE("api keys: unknown keys read the store at most once in miss_interval, misspelled ones never", "[api_keys]") {
  WatchedScene scene;
  auto& loops = scene.loops;
  auto& s = scene.s;
  auto& answers = scene.answers;
  const auto last = s.clock->now();  // the store was read by `open`
  std::mutex mutex;
  std::vector<Clock::TimePoint> read_at;
  s.store->during = [&] {
    const std::lock_guard lock(mutex);
    read_at.push_back(s.clock->now());
  };
  for (std::size_t batch = 1; batch <= 3; ++batch) {
    for (int i = 0; i < 100; ++i) scene.ask("an-unknown-key-" + std::to_string(i));
    CHECK(scene.passes_until([&] { return answers.count("unauthorized") == 100 * batch; }));
  }
  const std::size_t loads = read_at.size();
  CHECK(loads >= 3);
  CHECK(loads <= 6);
  for (std::size_t i = 0; i < loads; ++i)
    CHECK(read_at[i] - (i == 0 ? last : read_at[i - 1]) >= ApiKeys::miss_interval);
  std::string wrong = new_api_key_text("flux", new_api_key_id());
  wrong.back() = wrong.back() == 'x' ? 'y' : 'x';
  scene.ask(wrong);
  scene.ask(std::string(513, 'x'));
  scene.ask("short");
  CHECK(answers.count("unauthorized") == 303);  // at once
  loops.advance(ApiKeys::miss_interval);
  s.keys->finish();
  CHECK(read_at.size() == loads);
}

TEST_CASE("api keys: a key that another process adds is accepted, however lately the store was read", "[api_keys]") {
  WatchedScene scene;
  auto& loops = scene.loops;
  auto& s = scene.s;
  auto& answers = scene.answers;
  const auto other = s.open();
  SECTION("just before") {
    REQUIRE(s.keys->reload().ok());
    scene.ask(other->add(ApiKeySpec{}).value().key);
  }
  SECTION("at the same time, for another client") {
    Awaited<bool> is_read, go_on;
    std::once_flag once;
    loops.advance(ApiKeys::miss_interval);
    s.store->after_load = [&] {
      std::call_once(once, [&] {
        is_read.set(true);
        go_on.get();
      });
    };
    scene.ask("an-unknown-key-0");
    is_read.get();
    scene.ask(other->add(ApiKeySpec{}).value().key);
    go_on.set(true);
    CHECK(scene.passes_until([&] { return answers.count("unauthorized") == 1; }));
  }
  CHECK(scene.passes_until([&] { return answers.count("valid") == 1; }));
}

TEST_CASE("api keys: while the store can't be read, an unknown key is not refused, but told to try again",
          "[api_keys]") {
  WatchedScene scene;
  auto& loops = scene.loops;
  auto& s = scene.s;
  auto& answers = scene.answers;
  const auto known = s.keys->add(ApiKeySpec{}).value();
  const auto expired = s.keys->add(ApiKeySpec{.expires_at = s.in(100ms)}).value();
  const auto revoked = s.keys->add(ApiKeySpec{}).value();
  s.store->fails = true;
  CHECK_FALSE(s.keys->revoke(revoked.id).ok());
  loops.advance(100ms);
  CHECK_FALSE(s.keys->reload().ok());
  const auto code_of = [&](const std::string& key) {
    const auto checked = s.keys->check(key);
    return checked ? std::string("valid") : std::string(to_string(checked.error().code()));
  };
  CHECK(code_of("an-unknown-key-0") == "overloaded");
  CHECK(code_of("short") == "unauthorized");
  CHECK(code_of(known.key) == "valid");
  CHECK(refusal(*s.keys, expired.key) == "the key \"" + expired.id + "\" has expired");
  CHECK(refusal(*s.keys, revoked.key) == "the key \"" + revoked.id + "\" was revoked");
  scene.ask("an-unknown-key-0");
  scene.ask(expired.key);
  scene.ask(revoked.key);
  CHECK(scene.passes_until([&] { return answers.list().size() == 3; }));
  CHECK(answers.list() == std::vector<std::string>{"overloaded", "unauthorized", "unauthorized"});
  s.store->fails = false;
  scene.ask("an-unknown-key-0");
  CHECK(scene.passes_until([&] { return answers.count("unauthorized") == 3; }));
  CHECK(code_of("an-unknown-key-0") == "unauthorized");
}

TEST_CASE("api keys: unknown keys that wait for the store are bounded; beyond that they are told to try again at once",
          "[api_keys]") {
  Scene s;
  Answers answers;
  s.clock->advance(ApiKeys::miss_interval);
  Awaited<bool> is_read, go_on;
  std::once_flag once;
  s.store->during = [&] {
    std::call_once(once, [&] {
      is_read.set(true);
      go_on.get();
    });
  };
  s.keys->check_later("an-unknown-key-0", answers.taker());
  is_read.get();
  for (int i = 0; i < 1'010; ++i) s.keys->check_later("an-unknown-key-1", answers.taker());
  CHECK(answers.list() == std::vector<std::string>(10, "overloaded"));
  go_on.set(true);
  s.keys->finish();  // no loop watches the keys: the others can't wait until the store may be read again
  CHECK(answers.count("unauthorized") == 1);
  CHECK(answers.count("overloaded") == 1'010);
}

TEST_CASE("api keys: lookups pending when their loop ends fail as overloaded, the next loop reads the store again",
          "[api_keys]") {
  WatchedScene scene;
  auto& loops = scene.loops;
  auto& s = scene.s;
  auto& answers = scene.answers;
  scene.ask("an-unknown-key-0");
  loops.settle();
  s.keys->finish();
  CHECK(answers.list() == std::vector<std::string>{"overloaded"});
  testing::SteppedLoops next(1);
  scene.ask("an-unknown-key-1");
  next.turn(0, [&] { s.keys->watch(next[0]); });
  s.clock->advance(ApiKeys::miss_interval);
  CHECK(eventually([&] {
    next.advance(1ms);
    return answers.count("unauthorized") == 1;
  }));
}

TEST_CASE("api keys: a key still grants what it did until it is changed or revoked", "[api_keys]") {
  Scene s;
  const std::string id = s.keys->add(own_key, ApiKeySpec{.name = "a", .permissions = {"read:*", "write:*"}}).value();
  const auto before = s.keys->check(own_key).value();
  CHECK(s.keys->still_grants(*before));
  REQUIRE(s.keys->add(own_key, ApiKeySpec{.name = "b", .permissions = {"read:*", "write:*"}}).ok());
  CHECK(s.keys->still_grants(*before));
  REQUIRE(s.keys->add(own_key, ApiKeySpec{.name = "b", .permissions = {"read:*"}}).ok());
  CHECK_FALSE(s.keys->still_grants(*before));
  const auto after = s.keys->check(own_key).value();
  CHECK(s.keys->still_grants(*after));
  s.store->fails = true;
  CHECK_FALSE(s.keys->revoke(id).ok());
  CHECK_FALSE(s.keys->still_grants(*after));
  s.store->fails = false;
  REQUIRE(s.keys->reload().ok());
  CHECK_FALSE(s.keys->still_grants(*after));
}

TEST_CASE("api keys: a watching loop reads the store in intervals", "[api_keys]") {
  Scene s;
  const auto other = s.open();
  testing::SteppedLoops loops(1);
  const auto added = s.keys->add(ApiKeySpec{}).value();
  loops.turn(0, [&] { s.keys->watch(loops[0]); });
  REQUIRE(other->revoke(added.id).ok());
  loops.advance(4'999ms);
  s.keys->finish();
  CHECK(s.keys->check(added.key).ok());
  loops.advance(1ms);
  s.keys->finish();
  CHECK_FALSE(s.keys->check(added.key).ok());
  const int before = s.store->loads;
  loops.advance(5'000ms);
  s.keys->finish();
  CHECK(s.store->loads == before + 1);
}

// --- Failures of the store ---

TEST_CASE("api keys: while the store fails, keys stay valid, and callers get a sentence without its reason",
          "[api_keys]") {
  Scene s;
  const auto added = s.keys->add(ApiKeySpec{}).value();
  const bool throws = GENERATE(false, true);
  (throws ? s.store->throws : s.store->fails) = true;
  const std::string reason = throws ? "no route to db7" : "db7 is down";
  const auto check_error = [&](const Error& error) {
    CHECK(error.code() == Errc::store_failed);
    CHECK(error.message() == "the key store failed");
    CHECK(error.cause() == reason);
  };
  check_error(s.keys->reload().error());
  check_error(s.keys->add(ApiKeySpec{}).error());
  check_error(s.keys->add(own_key, ApiKeySpec{}).error());
  check_error(s.keys->revoke("nobody").error());
  CHECK(s.keys->check(added.key).ok());
  CHECK(s.keys->size() == 1);
  CHECK(s.ended.empty());
  CHECK(s.keys->store_errors() == 4);
  CHECK(s.lines == std::vector<std::string>(4, "the key store failed: " + reason));
  for (int i = 0; i < 100; ++i) CHECK_FALSE(s.keys->reload().ok());
  CHECK(s.lines.size() == 50);
  s.clock->advance(10s);
  CHECK_FALSE(s.keys->reload().ok());
  CHECK(s.lines[50] == "54 lines about the key store were left out");
}

TEST_CASE("api keys: rows that can't be used fail the whole load, and the last good keys stay", "[api_keys]") {
  Scene s;
  struct Rows final : KeyStore {
    Result<std::vector<ApiKeyRecord>> load() override { return rows; }
    Result<void> put(const ApiKeyRecord&) override { return {}; }
    Result<void> remove(const std::string&) override { return {}; }
    std::vector<ApiKeyRecord> rows;
  };
  const auto rows = std::make_shared<Rows>();
  const ApiKeyRecord good{.id = "a", .hash = core::to_hex(core::sha256(own_key).value())};
  rows->rows = {good};
  s.options.store = rows;
  s.options.keys_max = 3;
  s.keys = s.open();
  const auto refused = [&](std::vector<ApiKeyRecord> wrong) {
    rows->rows = std::move(wrong);
    const auto loaded = s.keys->reload();
    REQUIRE_FALSE(loaded.ok());
    CHECK(s.keys->check(own_key).ok());
    CHECK(s.keys->list() == std::vector{good});
    return loaded.error().cause();
  };
  ApiKeyRecord other = good;
  CHECK(refused({good, other}) == "it has two keys with the id \"a\"");
  other.id = "b";
  other.hash = own_key;
  CHECK_THAT(refused({good, other}), ContainsSubstring("the key \"b\": the hash of an API key must be its SHA-256") &&
                                         !ContainsSubstring(own_key));
  other.hash = std::string(64, 'A');
  CHECK_THAT(refused({other}), ContainsSubstring("lower case"));
  other = good;
  other.id = "../b";
  CHECK_THAT(refused({other}), ContainsSubstring("the id of an API key must be 1 to 64"));
  CHECK(refused({good, good, good, good}) == "it has 4 keys; at most 3 (ApiKeysOptions::keys_max)");
  CHECK(s.ended.empty());
}

TEST_CASE("api keys: options out of their range, and a store that can't be read, are errors at the start",
          "[api_keys]") {
  for (const char* prefix : {"", "1a", "_a", "a-b", "a b", "\xC3\xA4", "abcdefghijklmnopqrstu"}) {
    CHECK_THAT(bad_option({.prefix = prefix}), ContainsSubstring("prefix must be 1 to 20 letters"));
  }
  CHECK_THAT(bad_option({.keys_max = 0}), ContainsSubstring("keys_max must be at least 1"));
  for (const auto interval : {99ms, -1ms, std::chrono::milliseconds(24h) + 1ms}) {
    CHECK_THAT(bad_option({.reload_interval = interval}), ContainsSubstring("0, or 100 ms to a day, not"));
  }
  const auto store = std::make_shared<DemandingStore>();
  store->fails = true;
  CHECK(bad_option({.store = store}) == "the API keys can't be loaded: db7 is down");
  CHECK(bad_option({.prefix = "abcdefghijklmnopqr_9", .keys_max = 1, .reload_interval = 0ms}) == "nothing thrown");
}

// --- Threads ---

TEST_CASE("api keys: added, checked, revoked and reloaded on many threads, each key ends in the state it was left in",
          "[api_keys][threads]") {
  Scene s;
  const auto steady = s.keys->add(ApiKeySpec{}).value();
  std::atomic<int> wrong{0};
  std::atomic<bool> over{false};
  std::thread reloading([&] {
    while (!over) wrong += s.keys->reload().ok() ? 0 : 1;
  });
  std::thread checking([&] {
    while (!over) wrong += s.keys->check(steady.key).ok() ? 0 : 1;
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 30; ++i) {
        const auto added = s.keys->add(ApiKeySpec{});
        if (!added || !s.keys->check(added->key)) ++wrong;
        if (added && i % 2 == 0 && (!s.keys->revoke(added->id) || s.keys->check(added->key))) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  over = true;
  reloading.join();
  checking.join();
  CHECK(wrong == 0);
  CHECK(s.keys->size() == 46);
  CHECK(s.store->rows.load().value().size() == 46);
  CHECK(s.ended.size() == 45);
}

}  // namespace api_keys_test
