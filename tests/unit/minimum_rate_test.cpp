#include <flux/detail/transport/minimum_rate.hpp>

#include "catch.hpp"

#include <cstdint>

namespace minimum_rate_test {

using flux::transport::MinimumRate;
using namespace std::chrono_literals;

TEST_CASE("minimum rate: bytes per period, at least one, and no period requires nothing") {
  CHECK(MinimumRate{30s, 128}.bytes_per_period() == 3840);
  CHECK(MinimumRate{1500ms, 100}.bytes_per_period() == 150);
  CHECK(MinimumRate{1ms, 1}.bytes_per_period() == 1);
  CHECK(MinimumRate{30s, 0}.bytes_per_period() == 1);
  CHECK(MinimumRate{24h, UINT32_MAX}.bytes_per_period() == std::uint64_t{86'400} * UINT32_MAX);
  CHECK(MinimumRate{1ms, 0}.demanded());
  CHECK_FALSE(MinimumRate{0ms, 128}.demanded());
}

}  // namespace minimum_rate_test
