#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/gate/admitted.hpp>
#include <flux/detail/gate/grant_source.hpp>
#include <flux/detail/gate/held_grant.hpp>
#include <flux/detail/gate/revocations.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace admitted_test {

using namespace flux;
using namespace std::chrono_literals;
using flux::gate::Admitted;
using flux::testing::SteppedLoops;
using Told = std::vector<std::string>;
using EndsIn = std::optional<std::chrono::milliseconds>;

namespace {

/// A clock whose wall can be set without its steady time moving.
class SetClock final : public Clock {
 public:
  explicit SetClock(std::shared_ptr<Clock> steady) : steady_(std::move(steady)) {}
  TimePoint now() const override { return steady_->now(); }
  std::int64_t unix_ms() const override { return steady_->unix_ms() + set_by.count(); }
  std::chrono::milliseconds set_by{0};

 private:
  const std::shared_ptr<Clock> steady_;
};

/// A client that records what it is told.
class Client final : public core::GrantHolder {
 public:
  Client(std::shared_ptr<core::Loop> loop, std::string name, Told& told)
      : loop_(std::move(loop)), name_(std::move(name)), told_(told) {}
  const std::shared_ptr<core::Loop>& loop() const noexcept override { return loop_; }
  std::shared_ptr<const Grant> grant() const override { return granted; }
  void access_expiring(std::int64_t expires_at) override {
    told_.push_back(name_ + " expires at " + std::to_string(expires_at));
  }
  bool access_expired(std::int64_t) override {
    withdraw();
    return true;
  }
  void withdraw() noexcept override { withdrawn_ = true; }
  bool withdrawn() const noexcept override { return withdrawn_; }
  void leave_rooms() override {
    CHECK(withdrawn_);
    left_ = true;
  }
  void end_access(CloseCode code, std::string_view reason) override {
    CHECK(loop_->here());
    CHECK(left_);
    told_.push_back(name_ + " " + std::to_string(static_cast<int>(code)) + " " + std::string(reason));
  }
  std::shared_ptr<const Grant> granted;

 private:
  std::atomic<bool> withdrawn_{false};
  bool left_ = false;
  const std::shared_ptr<core::Loop> loop_;
  const std::string name_;
  Told& told_;
};
using ClientPtr = std::shared_ptr<Client>;

constexpr auto by_end = Admitted::Find::by_end;
constexpr auto by_user = Admitted::Find::by_end_and_user;

class Scene {
 public:
  explicit Scene(std::chrono::milliseconds notice = 0ms)
      : revocations(clock, 100), admitted_(clock, notice, &revocations) {}
  void start(std::size_t loop = 0) {
    loops.turn(loop, [this, loop] { admitted_.start(loops[loop]); });
  }
  /// Adds a client of loop `on`, which is watched from now on.
  ClientPtr client(const std::string& name, EndsIn ends_in, const std::string& user = {}, const std::string& by = {},
                   std::size_t on = 0) {
    auto made = std::make_shared<Client>(loops[on], name, told_);
    grant(made, ends_in, user, by);
    return made;
  }
  /// Gives the client this grant. If the grant has a user, the client can be found by that.
  void grant(const ClientPtr& client, EndsIn ends_in, const std::string& user = {}, const std::string& by = {}) {
    std::optional<Grant::TimePoint> end;
    if (ends_in) end = Grant::TimePoint(std::chrono::milliseconds(clock->unix_ms()) + *ends_in);
    client->granted =
        std::make_shared<const Grant>(Identity{.user_id = user}, std::vector<std::string>{}, end, JsonText(), by);
    admitted_.watch(client, user.empty() ? by_end : by_user);
  }
  void advance(std::chrono::milliseconds time) { loops.advance(time); }
  /// What clients were told since the last call.
  Told told() {
    loops.settle();
    return std::exchange(told_, {});
  }
  std::size_t revoke(std::string_view user) {
    gate::AccessEnd end(CloseCode::unauthorized, "revoked");
    for (auto& client : admitted_.of_user(user)) end.add(std::move(client));
    return std::move(end).run();
  }
  /// Refuses grants of this user or credential for an hour.
  void refuse(RevocationKind kind, const std::string& name) {
    std::vector<gate::Revocations::Key> ended;
    REQUIRE(revocations.add({kind, name, clock->unix_ms() + 3'600'000, "revoked"}, ended).ok());
  }
  std::size_t size() const { return admitted_.size(); }
  Admitted& admitted() { return admitted_; }
  Told& told_here() { return told_; }

  SteppedLoops loops{2};
  const std::shared_ptr<SetClock> clock = std::make_shared<SetClock>(loops.clock());
  gate::Revocations revocations;

 private:
  Admitted admitted_;
  Told told_;
};

/// A loop that watches clients.
struct StartedScene : Scene {
  explicit StartedScene(std::chrono::milliseconds notice = 0ms) : Scene(notice) { start(); }
};

/// A grant for `user` that ends at this time.
std::shared_ptr<const Grant> grant_until(Grant::TimePoint end) {
  return std::make_shared<const Grant>(Identity{.user_id = "ann"}, std::vector<std::string>{}, end);
}

const Told ended{"a 4401 the token has expired"};

}  // namespace

TEST_CASE("admitted: a grant ends at its expiry, not before, and once", "[gate]") {
  StartedScene scene;
  const auto client = scene.client("a", 2500ms);
  scene.advance(1000ms);
  scene.advance(1000ms);
  scene.advance(499ms);
  CHECK(scene.told().empty());
  scene.advance(1ms);
  CHECK(scene.told() == ended);
  CHECK(scene.size() == 0);
  scene.advance(10s);
  CHECK(scene.told().empty());
}

TEST_CASE("admitted: a grant that expires before all others ends at its expiry, too", "[gate]") {
  StartedScene scene;
  const auto late = scene.client("b", 1h);
  scene.advance(100ms);  // the next check would be in 900 ms
  const auto client = scene.client("a", 250ms);
  scene.advance(249ms);
  CHECK(scene.told().empty());
  scene.advance(1ms);
  CHECK(scene.told() == ended);
  scene.advance(2s);
  CHECK(scene.told().empty());
}

TEST_CASE("admitted: a client whose grant was revoked while it was decided is ended when it is watched", "[gate]") {
  Scene scene;
  scene.refuse(RevocationKind::user, "ann");
  scene.refuse(RevocationKind::credential, "k1");
  const auto ann = scene.client("ann", std::nullopt, "ann");
  CHECK(scene.told() == Told{"ann 4401 revoked"});
  const auto key = scene.client("key", 1h, "bob", "k1");
  CHECK(scene.told() == Told{"key 4401 revoked"});
  const auto bob = scene.client("bob", 1h, "bob", "k2");
  CHECK(scene.told().empty());
  scene.grant(bob, 1h, "bob", "k1");  // a new token
  CHECK(scene.told() == Told{"bob 4401 revoked"});
  // One that is found by user elsewhere needs no entry, but is ended, too.
  const auto session = std::make_shared<Client>(scene.loops[0], "session", scene.told_here());
  session->granted = ann->granted;
  scene.admitted().watch(session, by_end);
  CHECK(scene.told() == Told{"session 4401 revoked"});
}

TEST_CASE("admitted: a client whose key was changed while its grant was decided is ended when it is watched",
          "[gate]") {
  struct Key final : gate::GrantSource {
    std::optional<std::string> refusal() const override { return reason; }
    std::optional<std::string> reason;
  };
  StartedScene scene;
  const auto key = std::make_shared<Key>();
  const auto client = scene.client("a", std::nullopt, "ann", "key:1");
  Grant shown = *client->granted;
  gate::GrantSource::set(shown, key);
  shown.permissions.emplace_back("read:*");  // what the application changes does not matter
  const auto watched = [&] {
    client->granted = std::make_shared<const Grant>(shown);
    scene.admitted().watch(client, by_user);
    return scene.told();
  };
  CHECK(watched().empty());
  key->reason = "changed";
  CHECK(watched() == Told{"a 4401 changed"});
  shown = Grant({.user_id = "ann"});
  CHECK(watched().empty());
}

TEST_CASE("admitted: clients are found by their credential", "[gate]") {
  Scene scene;
  const auto phone = scene.client("phone", std::nullopt, {}, "k1");
  const auto laptop = scene.client("laptop", 1h, "ann", "k1");
  const auto other = scene.client("other", 1h, "ann", "k2");
  CHECK(scene.size() == 3);
  CHECK(scene.admitted().of_credential("k1").size() == 2);
  CHECK(scene.admitted().of_credential("").empty());
  scene.grant(phone, std::nullopt, {}, "k2");
  CHECK(scene.admitted().of_credential("k1").size() == 1);
  CHECK(scene.admitted().of_credential("k2").size() == 2);
  scene.admitted().forget(phone.get());
  CHECK(scene.admitted().of_credential("k2").size() == 1);
  CHECK(Admitted::needs_entry(laptop->granted.get(), by_end));
  CHECK_FALSE(Admitted::needs_entry(nullptr, by_end));
}

TEST_CASE("admitted: many clients end in portions, between which their loop does other work", "[gate]") {
  /// A client whose end takes a while.
  class SlowClient final : public core::GrantHolder {
   public:
    SlowClient(std::shared_ptr<core::Loop> loop, std::size_t& count) : loop_(std::move(loop)), ended_(count) {}
    const std::shared_ptr<core::Loop>& loop() const noexcept override { return loop_; }
    std::shared_ptr<const Grant> grant() const override { return nullptr; }
    bool access_expired(std::int64_t) override { return true; }
    void withdraw() noexcept override { withdrawn_ = true; }
    bool withdrawn() const noexcept override { return withdrawn_; }
    void leave_rooms() override { take_a_while(); }
    void end_access(CloseCode, std::string_view) override {
      take_a_while();
      ++ended_;
    }

   private:
    static void take_a_while() {
      const auto until = std::chrono::steady_clock::now() + 100us;
      while (std::chrono::steady_clock::now() < until) {
      }
    }
    std::atomic<bool> withdrawn_{false};
    const std::shared_ptr<core::Loop> loop_;
    std::size_t& ended_;
  };
  SteppedLoops loops(2);
  std::size_t ended_here = 0;
  std::size_t ended_elsewhere = 0;
  gate::Holders clients;
  constexpr std::size_t count = 100;  // 10 ms for each act
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_shared<SlowClient>(loops[0], ended_here));
    clients.push_back(std::make_shared<SlowClient>(loops[1], ended_elsewhere));
  }
  gate::AccessEnd end(CloseCode::unauthorized, "revoked");
  for (const auto& client : clients) end.add(client);
  CHECK(std::all_of(clients.begin(), clients.end(), [](const auto& client) { return client->withdrawn(); }));
  CHECK(std::move(end).run() == 2 * count);
  CHECK(ended_here == 0);         // never inside the call
  std::vector<std::size_t> seen;  // what other tasks of the loop see
  std::function<void()> look = [&] {
    seen.push_back(ended_here);
    if (ended_here < count) loops[0]->post(look);
  };
  loops[0]->post(look);
  loops.settle();
  CHECK(ended_here == count);
  CHECK(ended_elsewhere == count);
  std::size_t largest = 0;
  for (std::size_t i = 1; i < seen.size(); ++i) largest = std::max(largest, seen[i] - seen[i - 1]);
  // A portion of 1 ms has 10 of them, or fewer on a busy machine.
  CHECK(largest <= 11);
  CHECK(seen.size() > 18);
}

TEST_CASE("admitted: the end follows the wall clock when that is set", "[gate]") {
  StartedScene scene;
  const auto early = scene.client("a", 1h);
  const auto late = scene.client("b", 3h);
  scene.loops.settle();
  scene.clock->set_by = 2h;  // forward
  scene.advance(Admitted::check_interval);
  CHECK(scene.told() == ended);
  scene.clock->set_by = -2h;  // back
  for (int i = 0; i < 2 * 3600; ++i) scene.advance(1s);
  CHECK(scene.told().empty());
}

TEST_CASE("admitted: a new grant replaces the earlier one", "[gate]") {
  StartedScene scene;
  const auto client = scene.client("a", 1s);
  scene.grant(client, 5s);
  CHECK(scene.size() == 1);
  for (int i = 0; i < 4; ++i) scene.advance(1s);
  CHECK(scene.told().empty());
  scene.advance(1s);
  CHECK(scene.told() == ended);
  scene.grant(client, 1s);
  scene.grant(client, std::nullopt);
  CHECK(scene.size() == 0);
  scene.advance(2s);
  CHECK(scene.told().empty());
}

TEST_CASE("admitted: a client is told once before its grant ends, and again before a later grant does", "[gate]") {
  StartedScene scene(3s);
  const auto client = scene.client("a", 10s);
  const auto notice = [end = scene.clock->unix_ms()](std::int64_t after) {
    return Told{"a expires at " + std::to_string(end + after)};
  };
  for (int i = 0; i < 6; ++i) scene.advance(1s);
  CHECK(scene.told().empty());
  scene.advance(1s);
  CHECK(scene.told() == notice(10'000));
  scene.advance(1s);
  CHECK(scene.told().empty());
  scene.grant(client, 10s);  // in the eighth second
  for (int i = 0; i < 6; ++i) scene.advance(1s);
  CHECK(scene.told().empty());
  scene.advance(1s);
  CHECK(scene.told() == notice(18'000));
  scene.advance(1s);
  scene.advance(1s);
  scene.advance(999ms);
  CHECK(scene.told().empty());
  scene.advance(1ms);
  CHECK(scene.told() == ended);
  CHECK(scene.size() == 0);
}

TEST_CASE("admitted: a client whose grant is shorter than the notice is told at once", "[gate]") {
  StartedScene scene(1h);
  const auto client = scene.client("a", 2s);
  CHECK(scene.told() == Told{"a expires at " + std::to_string(scene.clock->unix_ms() + 2'000)});
  scene.advance(2s);
  CHECK(scene.told() == ended);
}

TEST_CASE("admitted: a client is not told about an expiry that passed while the machine slept", "[gate]") {
  StartedScene scene(3s);
  const auto client = scene.client("a", 1h);
  scene.loops.settle();
  scene.clock->set_by = 2h;
  scene.advance(Admitted::check_interval);
  CHECK(scene.told() == ended);
}

TEST_CASE("admitted: clients that are gone are forgotten, whether they said so or not", "[gate]") {
  StartedScene scene;
  const auto client = scene.client("a", 1s, "ann");
  scene.client("gone", 1s, "ann");
  scene.admitted().forget(client.get());
  scene.admitted().forget(client.get());
  CHECK(scene.revoke("ann") == 0);
  scene.advance(2s);
  CHECK(scene.told().empty());
  CHECK(scene.size() == 0);
}

TEST_CASE("admitted: clients with neither an expiry nor a user need no entry", "[gate]") {
  StartedScene scene;
  const auto nobody = scene.client("nobody", std::nullopt);
  CHECK(scene.size() == 0);
  const auto ann = scene.client("ann", std::nullopt, "ann");
  CHECK(scene.size() == 1);
  scene.admitted().watch(ann, by_end);
  CHECK(scene.size() == 0);
}

TEST_CASE("admitted: revoking a user ends that user's clients and no others", "[gate]") {
  Scene scene;
  const auto phone = scene.client("phone", std::nullopt, "ann");
  const auto laptop = scene.client("laptop", 1h, "ann");
  const auto bob = scene.client("bob", 1h, "bob");
  CHECK(scene.revoke("ann") == 2);
  CHECK(scene.told().size() == 2);
  CHECK(scene.revoke("nobody") == 0);
  scene.grant(phone, std::nullopt, "eve");
  CHECK(scene.revoke("eve") == 1);
  CHECK(scene.told() == Told{"phone 4401 revoked"});
}

TEST_CASE("admitted: clients watched before the start end after it, and after a restart", "[gate]") {
  Scene scene;
  const auto client = scene.client("a", 1s);
  const auto other = scene.client("b", 5s, {}, {}, 1);
  scene.start();
  scene.advance(1s);
  CHECK(scene.told() == ended);
  scene.loops[0]->shut();
  scene.start(1);
  scene.advance(5s);
  CHECK(scene.told().size() == 1);
}

TEST_CASE("admitted: a grant set while the earlier one is found to have expired stays", "[gate]") {
  StartedScene scene;
  Told told;
  const Grant::TimePoint now(std::chrono::milliseconds(scene.clock->unix_ms()));
  /// Calls `on_ignored` when its client is not heard any more.
  class Held final : public gate::HeldGrant {
   public:
    Held(std::shared_ptr<core::Loop> loop, std::shared_ptr<const Grant> grant, Told& told)
        : HeldGrant(std::move(loop), std::move(grant)), told_(told) {}
    void end_access(CloseCode, std::string_view reason) override { told_.emplace_back(reason); }
    std::function<void()> on_ignored = [] {};

   private:
    void ignore_client() noexcept override { on_ignored(); }
    Told& told_;
  };
  // Both expire in the same check, which tells them one after the other.
  const auto first = std::make_shared<Held>(scene.loops[0], grant_until(now + 1s), told);
  const auto second = std::make_shared<Held>(scene.loops[0], grant_until(now + 2s), told);
  first->on_ignored = [&] {
    told.emplace_back("first");
    CHECK(second->change(grant_until(now + 5s)));
    scene.admitted().watch(second, by_user);
  };
  scene.admitted().watch(first, by_user);
  scene.admitted().watch(second, by_user);
  scene.clock->set_by = 3s;
  scene.advance(1ms);
  scene.loops.settle();
  CHECK(told == Told{"first", "the token has expired"});
  CHECK_FALSE(first->change(grant_until(now + 1h)));
  CHECK_FALSE(second->withdrawn());
  scene.clock->set_by = 6s;
  scene.advance(Admitted::check_interval);
  scene.loops.settle();
  CHECK(told == Told{"first", "the token has expired", "the token has expired"});
  CHECK_FALSE(second->change(grant_until(now + 1h)));  // too late
  CHECK(second->grant()->expires_at == now + 5s);
}

}  // namespace admitted_test
