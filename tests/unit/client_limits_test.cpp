#include "catch.hpp"
#include "loop_fixture.hpp"

#include <flux/detail/gate/client_limits.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace client_limits_test {

using namespace flux;
using namespace std::chrono_literals;
using flux::gate::ClientLimits;
using flux::gate::SharedRates;

namespace {

/// A connection, and the verdicts on its messages: "" may be acted on, "!" at the end: it is closed.
struct Client {
  std::shared_ptr<const Grant> grant() const { return granted; }
  core::ClientAddress remote() const { return {core::IpAddress::parse(address).value(), 1}; }

  std::shared_ptr<const Grant> granted{};
  std::string address = "192.0.2.1";
  gate::RateLimit bucket{};
  std::uint32_t strikes = 0;
};

Client of_user(const std::string& user, const std::string& address = "192.0.2.1") {
  return {std::make_shared<const Grant>(Identity{.user_id = user}), address};
}
Client at(const std::string& address) { return {nullptr, address}; }

struct Scene {
  explicit Scene(const Limits& limits) : all(limits, loops.clock(), {}) {}
  std::string send(Client& client) {
    const auto excess = all.take({client.bucket, client.strikes}, gate::SenderOf(client), *loops[0]);
    return excess ? std::string(excess->error.message()) + (excess->closes ? "!" : "") : std::string();
  }
  /// How many of so many messages are acted on.
  int passed(Client& client, int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += send(client).empty();
    return sum;
  }
  std::uint64_t counted() { return loops[0]->counters().messages_rate_limited.get(); }

  testing::SteppedLoops loops;
  ClientLimits all;
};

}  // namespace

TEST_CASE("client limits: without a limit everything passes, and nothing is counted", "[rate]") {
  Scene scene{Limits()};
  Client client = of_user("ann");
  CHECK(scene.passed(client, 10'000) == 10'000);
  CHECK_FALSE(scene.all.counts_addresses());
  CHECK(scene.counted() == 0);
}

TEST_CASE("client limits: each connection has its own burst and rate", "[rate]") {
  Scene scene({.messages_per_second = 10, .message_burst = 3});
  Client one = of_user("ann"), other = of_user("ann");
  CHECK(scene.passed(one, 5) == 3);
  CHECK(scene.passed(other, 5) == 3);
  scene.loops.advance(100ms);
  CHECK(scene.passed(one, 5) == 1);
  CHECK(scene.send(one) == "more than 10 messages a second; this one was not acted on");
  CHECK(scene.counted() == 2 + 2 + 4 + 1);
}

TEST_CASE("client limits: the connections of a user share one rate, clients without a user have none", "[rate]") {
  Scene scene({.user_messages_per_second = 10, .user_message_burst = 4});
  Client phone = of_user("ann", "192.0.2.1"), laptop = of_user("ann", "192.0.2.2"), bob = of_user("bob");
  Client unknown = at("192.0.2.1"), unnamed = of_user("");
  CHECK(scene.passed(phone, 3) == 3);
  CHECK(scene.passed(laptop, 3) == 1);
  CHECK(scene.send(phone) == "more than 10 messages a second of one user; this one was not acted on");
  CHECK(scene.passed(bob, 3) == 3);
  CHECK(scene.passed(unknown, 100) == 100);
  CHECK(scene.passed(unnamed, 100) == 100);
  scene.loops.advance(100ms);
  CHECK(scene.passed(laptop, 3) == 1);
  // A user that becomes another one counts as that.
  laptop.granted = bob.granted;
  CHECK(scene.passed(laptop, 3) == 2);
}

TEST_CASE("client limits: an address shares one rate, of IPv6 a network of 64 bits; loopback has none", "[rate]") {
  Scene scene({.address_messages_per_second = 10, .address_message_burst = 4});
  CHECK(scene.all.counts_addresses());
  Client four = at("192.0.2.1"), same = of_user("ann", "192.0.2.1"), next = at("192.0.2.2");
  CHECK(scene.passed(four, 3) == 3);
  CHECK(scene.passed(same, 3) == 1);
  CHECK(scene.send(four) == "more than 10 messages a second of one address; this one was not acted on");
  CHECK(scene.passed(next, 3) == 3);
  Client six = at("2001:db8::1"), neighbour = at("2001:db8::2"), elsewhere = at("2001:db8:0:1::1");
  CHECK(scene.passed(six, 3) == 3);
  CHECK(scene.passed(neighbour, 3) == 1);
  CHECK(scene.passed(elsewhere, 3) == 3);
  Client own = at("127.0.0.1"), own_six = at("::1");
  CHECK(scene.passed(own, 100) == 100);
  CHECK(scene.passed(own_six, 100) == 100);
}

TEST_CASE("client limits: a message that the connection's limit refuses takes nothing from its user's", "[rate]") {
  Scene scene({.messages_per_second = 1, .message_burst = 2, .user_messages_per_second = 1, .user_message_burst = 4});
  Client flooding = of_user("ann"), calm = of_user("ann");
  CHECK(scene.passed(flooding, 100) == 2);
  CHECK(scene.passed(calm, 2) == 2);
}

TEST_CASE("client limits: so many refusals in a row close the connection, whichever limit refuses", "[rate]") {
  Limits limits{.rate_limit_strikes_max = 3};
  const int which = GENERATE(0, 1, 2);
  (which == 0   ? limits.messages_per_second
   : which == 1 ? limits.user_messages_per_second
                : limits.address_messages_per_second) = 1;
  limits.message_burst = limits.user_message_burst = limits.address_message_burst = 1;
  Scene scene(limits);
  Client client = of_user("ann");
  CHECK(scene.passed(client, 3) == 1);
  scene.loops.advance(1s);
  CHECK(scene.send(client).empty());  // the earlier refusals are forgotten
  for (int i = 0; i < 2; ++i) CHECK(scene.send(client).ends_with("not acted on"));
  CHECK(scene.send(client).ends_with("not acted on!"));
  scene.loops.advance(1s);
  CHECK(scene.passed(client, 2) == 1);
}

TEST_CASE("client limits: with no limit of refusals a connection is never closed for them", "[rate]") {
  Scene scene({.messages_per_second = 1, .message_burst = 1, .rate_limit_strikes_max = 0});
  Client client;
  for (int i = 0; i < 10'000; ++i) REQUIRE(scene.send(client).ends_with('!') == false);
}

TEST_CASE("shared rates: a flood of keys drops other buckets, and the table does not grow beyond its limit") {
  SharedRates rates(flux::gate::Pace(flux::Rate{.count = 1, .per = std::chrono::hours(24)}));
  const auto now = flux::Clock::TimePoint(std::chrono::hours(1));
  int refused = 0;
  for (int i = 0; i < 300'000; ++i) refused += rates.allow(std::to_string(i), now) ? 0 : 1;
  CHECK(refused == 0);
  CHECK(rates.size() == 262'144);
}

TEST_CASE("shared rates: a bucket goes when it is full again, so keys that fall silent cost nothing", "[rate]") {
  SharedRates rates(10, 20);
  Clock::TimePoint now{1h};
  for (int i = 0; i < 1'000; ++i) CHECK(rates.allow("user " + std::to_string(i), now));
  CHECK(rates.size() == 1'000);
  for (int i = 0; i < 20; ++i) CHECK(rates.allow("busy", now));
  CHECK_FALSE(rates.allow("busy", now));
  // The buckets of clients that sent once are full again after 100 ms; that of the busy one remains until it is full.
  now += 1'900ms;
  CHECK(rates.allow("new", now));
  now += 1'200ms;
  CHECK(rates.allow("busy", now));
  CHECK(rates.size() == 1);
  now += 1h;
  CHECK(rates.allow("another", now));
  CHECK(rates.size() == 1);
}

TEST_CASE("shared rates: what is kept does not reset a bucket in use", "[rate]") {
  SharedRates rates(1, 5);
  Clock::TimePoint now{1h};
  int passed = 0;
  for (int second = 0; second < 100; ++second, now += 1s) {
    for (int i = 0; i < 3; ++i) passed += rates.allow("busy", now);
  }
  CHECK(passed == 5 + 99);
}

}  // namespace client_limits_test
