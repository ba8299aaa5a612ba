// Rates of single operations.
#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/gate/operation_limits.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace operation_limits_test {

using namespace flux;
using namespace std::chrono_literals;
using gate::OperationBuckets;
using gate::OperationLimits;

namespace {

struct Client {
  std::shared_ptr<const Grant> grant() const { return granted; }
  core::ClientAddress remote() const { return {core::IpAddress::parse(address).value(), 1}; }

  std::shared_ptr<const Grant> granted{};
  std::string address = "192.0.2.1";
  OperationBuckets buckets{};
};

Client of_user(const std::string& user, const std::string& address = "192.0.2.1") {
  return {std::make_shared<const Grant>(Identity{.user_id = user}), address};
}
Client at(const std::string& address) { return {nullptr, address}; }

struct Scene {
  explicit Scene(const std::string& name, const OperationRates& rates) : limits(with(name, rates)) {}
  static Limits with(const std::string& name, const OperationRates& rates) {
    Limits made;
    made.operations[name] = rates;
    made.operations["another"].connection.count = 1;
    return made;
  }
  Result<void> take(Client& client, const std::string& name = "op") {
    return limits.find(name)->take(&client.buckets, gate::SenderOf(client), *loops[0]);
  }
  int passed(Client& client, int tries) {
    int count = 0;
    for (int i = 0; i < tries; ++i) count += take(client).ok();
    return count;
  }
  testing::SteppedLoops loops;
  OperationLimits limits;
};

}  // namespace

TEST_CASE("operation limits: only operations with a rate have a limit", "[rate]") {
  OperationLimits none{Limits()};
  CHECK(none.none());
  CHECK(none.find("op") == nullptr);
  Scene scene("op", {.connection = {.count = 1}});
  CHECK_FALSE(scene.limits.none());
  CHECK(scene.limits.find("op") != nullptr);
  CHECK(scene.limits.find("o") == nullptr);
}

TEST_CASE("operation limits: a connection gets its count at once, then at the rate, and hears when to retry",
          "[rate]") {
  Scene scene("op", {.connection = {.count = 4, .per = 2s}});
  Client client;
  CHECK(scene.passed(client, 10) == 4);
  const auto refused = scene.take(client);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == Errc::rate_limited);
  CHECK(refused.error().message() == "Rate limit exceeded: at most 4 op in 2000 ms by one connection");
  CHECK(refused.error().retry_after() == 500ms);
  scene.loops.advance(499ms);
  CHECK(scene.take(client).error().retry_after() == 1ms);
  scene.loops.advance(1ms);
  CHECK(scene.passed(client, 10) == 1);
  scene.loops.advance(1h);
  CHECK(scene.passed(client, 10) == 4);
  CHECK(scene.loops[0]->counters().messages_rate_limited.get() == 6 + 1 + 1 + 9 + 6);
}

TEST_CASE("operation limits: connections and operations have buckets of their own", "[rate]") {
  Scene scene("op", {.connection = {.count = 1, .per = 1h}});
  Client one, two;
  CHECK(scene.passed(one, 3) == 1);
  CHECK(scene.passed(two, 3) == 1);
  CHECK(scene.take(one, "another").ok());
  CHECK_FALSE(scene.take(one, "another").ok());
}

TEST_CASE("operation limits: users and networks share theirs; unknown users and this machine have none", "[rate]") {
  Scene users("op", {.user = {.count = 2, .per = 1h}});
  Client ann = of_user("ann"), ann_again = of_user("ann", "192.0.2.9"), ben = of_user("ben"), nobody;
  CHECK(users.passed(ann, 1) + users.passed(ann_again, 5) == 2);
  CHECK(users.passed(ben, 5) == 2);
  CHECK(users.passed(nobody, 5) == 5);
  Scene networks("op", {.address = {.count = 2, .per = 1h}});
  Client first = at("2001:db8::1"), same = at("2001:db8::ffff:1"), other = at("2001:db8:0:1::1"), own = at("127.0.0.1");
  CHECK(networks.passed(first, 1) + networks.passed(same, 5) == 2);
  CHECK(networks.passed(other, 5) == 2);
  CHECK(networks.passed(own, 5) == 5);
}

}  // namespace operation_limits_test
