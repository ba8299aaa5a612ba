#include "catch.hpp"

#include <flux/detail/gate/rate_limit.hpp>

namespace rate_limit_test {

using flux::gate::RateLimit;
using namespace std::chrono_literals;

namespace {

const flux::Clock::TimePoint start{1h};

int allowed(RateLimit& limit, flux::Clock::TimePoint now, std::uint32_t rate, std::uint32_t burst, int tries = 1000) {
  int count = 0;
  for (int i = 0; i < tries; ++i) count += limit.allow(now, rate, burst);
  return count;
}

}  // namespace

TEST_CASE("rate limit: a burst passes, and nothing more at that time", "[rate]") {
  RateLimit limit;
  CHECK(allowed(limit, start, 10, 5) == 5);
  CHECK(allowed(limit, start, 10, 5) == 0);
}

TEST_CASE("rate limit: tokens return at the rate", "[rate]") {
  RateLimit limit;
  CHECK(allowed(limit, start, 10, 5) == 5);
  CHECK(allowed(limit, start + 99ms, 10, 5) == 0);
  CHECK(allowed(limit, start + 100ms, 10, 5) == 1);
  CHECK(allowed(limit, start + 350ms, 10, 5) == 2);
  CHECK(allowed(limit, start + 400ms, 10, 5) == 1);
}

TEST_CASE("rate limit: an idle period saves no more than one burst", "[rate]") {
  RateLimit limit;
  CHECK(allowed(limit, start + 24h, 10, 5) == 5);
  CHECK(allowed(limit, start + 48h, 10, 5) == 5);
}

TEST_CASE("rate limit: over a long time the average is the rate", "[rate]") {
  RateLimit limit;
  int count = 0;
  for (int ms = 0; ms < 100'000; ms += 7) count += allowed(limit, start + std::chrono::milliseconds(ms), 30, 10, 3);
  CHECK(count >= 3000);
  CHECK(count <= 3010);
}

TEST_CASE("rate limit: a refused request costs nothing", "[rate]") {
  RateLimit limit;
  CHECK(allowed(limit, start, 1, 1) == 1);
  CHECK(allowed(limit, start + 999ms, 1, 1, 100'000) == 0);
  CHECK(limit.allow(start + 1s, 1, 1));
}

TEST_CASE("rate limit: a burst of 0 counts as 1", "[rate]") {
  RateLimit limit;
  CHECK(allowed(limit, start, 10, 0) == 1);
  CHECK(allowed(limit, start + 100ms, 10, 0) == 1);
}

}  // namespace rate_limit_test
