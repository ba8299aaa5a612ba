#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/gate/admitted.hpp>
#include <flux/detail/gate/held_grant.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace flux;
using namespace std::chrono_literals;
using flux::gate::Admitted;
using flux::gate::HeldGrant;
using flux::testing::SteppedLoops;
using Ended = std::vector<std::string>;

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

struct Scene {
  std::shared_ptr<HeldGrant> client(const std::string& name, std::optional<std::chrono::milliseconds> ends_in,
                                    const std::string& user = {}) {
    return std::make_shared<HeldGrant>(grant(ends_in, user), [this, name](CloseCode code, std::string_view reason) {
      ended.push_back(name + " " + std::to_string(static_cast<int>(code)) + " " + std::string(reason));
    });
  }
  std::shared_ptr<const Grant> grant(std::optional<std::chrono::milliseconds> ends_in,
                                     const std::string& user = {}) const {
    std::optional<Grant::TimePoint> end;
    if (ends_in) end = Grant::TimePoint(std::chrono::milliseconds(clock->unix_ms()) + *ends_in);
    return std::make_shared<const Grant>(Identity{.user_id = user}, std::vector<std::string>{}, end);
  }
  void start(std::size_t loop = 0) {
    loops.turn(loop, [this, loop] { admitted.start(loops[loop]); });
  }

  SteppedLoops loops{2};
  const std::shared_ptr<SetClock> clock = std::make_shared<SetClock>(loops.clock());
  Admitted admitted{clock};
  Ended ended;
};

constexpr auto by_end = Admitted::Find::by_end;
constexpr auto by_user = Admitted::Find::by_end_and_user;

}  // namespace

TEST_CASE("admitted: a grant ends at its time, not before and once", "[gate]") {
  Scene scene;
  scene.start();
  const auto client = scene.client("a", 2500ms);
  scene.admitted.watch(client, by_end);
  scene.loops.advance(1000ms);
  scene.loops.advance(1000ms);
  scene.loops.advance(499ms);
  CHECK(scene.ended.empty());
  scene.loops.advance(1ms);
  CHECK(scene.ended == Ended{"a 4401 the token has expired"});
  CHECK(scene.admitted.size() == 0);
  scene.loops.advance(10s);
  CHECK(scene.ended.size() == 1);
}

TEST_CASE("admitted: the end follows the wall clock when that is set", "[gate]") {
  Scene scene;
  scene.start();
  const auto early = scene.client("early", 1h);
  const auto late = scene.client("late", 3h);
  scene.admitted.watch(early, by_end);
  scene.admitted.watch(late, by_end);
  scene.loops.settle();
  scene.clock->set_by = 2h;  // forward
  scene.loops.advance(Admitted::check_interval);
  CHECK(scene.ended == Ended{"early 4401 the token has expired"});
  scene.clock->set_by = -2h;  // back
  for (int i = 0; i < 2 * 3600; ++i) scene.loops.advance(1s);
  CHECK(scene.ended.size() == 1);
}

TEST_CASE("admitted: a changed grant counts in place of the earlier one", "[gate]") {
  Scene scene;
  scene.start();
  const auto client = scene.client("a", 1s);
  scene.admitted.watch(client, by_end);
  client->change(scene.grant(5s));
  scene.admitted.watch(client, by_end);
  CHECK(scene.admitted.size() == 1);
  for (int i = 0; i < 4; ++i) scene.loops.advance(1s);
  CHECK(scene.ended.empty());
  scene.loops.advance(1s);
  CHECK(scene.ended.size() == 1);
  client->change(scene.grant(1s));
  scene.admitted.watch(client, by_end);
  client->change(scene.grant(std::nullopt));
  scene.admitted.watch(client, by_end);
  CHECK(scene.admitted.size() == 0);
  scene.loops.advance(2s);
  CHECK(scene.ended.size() == 1);
}

TEST_CASE("admitted: clients that are gone are forgotten, with and without notice", "[gate]") {
  Scene scene;
  scene.start();
  const auto client = scene.client("a", 1s, "ann");
  scene.admitted.watch(client, by_user);
  scene.admitted.watch(scene.client("gone", 1s, "ann"), by_user);
  scene.admitted.forget(client.get());
  scene.admitted.forget(client.get());
  CHECK(scene.admitted.revoke_user("ann", CloseCode::unauthorized, "r") == 0);
  scene.loops.advance(2s);
  CHECK(scene.ended.empty());
  CHECK(scene.admitted.size() == 0);
}

TEST_CASE("admitted: clients without an end and without a user need no entry", "[gate]") {
  Scene scene;
  scene.start();
  const auto nobody = scene.client("nobody", std::nullopt);
  const auto ann = scene.client("ann", std::nullopt, "ann");
  scene.admitted.watch(nobody, by_user);
  scene.admitted.watch(ann, by_end);
  CHECK(scene.admitted.size() == 0);
  scene.admitted.watch(ann, by_user);
  CHECK(scene.admitted.size() == 1);
}

TEST_CASE("admitted: the clients of one user are revoked, the others stay", "[gate]") {
  Scene scene;
  const auto phone = scene.client("phone", std::nullopt, "ann");
  const auto laptop = scene.client("laptop", 1h, "ann");
  const auto bob = scene.client("bob", 1h, "bob");
  for (const auto& client : {phone, laptop, bob}) scene.admitted.watch(client, by_user);
  CHECK(scene.admitted.revoke_user("ann", CloseCode::unauthorized, "revoked") == 2);
  CHECK(scene.ended.size() == 2);
  CHECK(scene.admitted.revoke_user("nobody", CloseCode::unauthorized, "revoked") == 0);
  phone->change(scene.grant(std::nullopt, "eve"));
  scene.admitted.watch(phone, by_user);
  CHECK(scene.admitted.revoke_user("eve", CloseCode::unauthorized, "revoked") == 1);
}

TEST_CASE("admitted: what was watched before the start ends after it, and after a restart", "[gate]") {
  Scene scene;
  const auto client = scene.client("a", 1s);
  const auto other = scene.client("b", 5s);
  scene.admitted.watch(client, by_end);
  scene.admitted.watch(other, by_end);
  scene.start();
  scene.loops.advance(1s);
  CHECK(scene.ended.size() == 1);
  scene.loops[0]->shut();
  scene.start(1);
  scene.loops.advance(5s);
  CHECK(scene.ended.size() == 2);
}
