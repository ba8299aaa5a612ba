#include "catch.hpp"

#include <flux/detail/core/address_seats.hpp>
#include <flux/testing/manual_clock.hpp>

#include <map>
#include <random>
#include <string>

namespace address_seats_test {

using namespace flux;
using namespace std::chrono_literals;
using core::AddressSeat;
using core::AddressSeats;
using core::IpAddress;

namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

struct Seats {
  std::shared_ptr<testing::ManualClock> clock = std::make_shared<testing::ManualClock>();
  std::vector<std::string> warnings;
  AddressSeats seats;
  explicit Seats(std::size_t most)
      : seats(most, clock, [this](std::string_view text) { warnings.emplace_back(text); }) {}
};

}  // namespace

TEST_CASE("address seats: a client gets as many as allowed, and another when one is freed", "[seats]") {
  Seats s(2);
  const auto first = s.seats.take(ip("192.0.2.7"));
  REQUIRE(first);
  CHECK(s.seats.take(ip("192.0.2.7")));
  CHECK_FALSE(s.seats.take(ip("192.0.2.7")));
  CHECK(s.seats.take(ip("192.0.2.8")));
  CHECK(s.seats.taken(ip("192.0.2.7")) == 2);
  s.seats.give_back(*first);
  CHECK(s.seats.take(ip("192.0.2.7")));
  CHECK_FALSE(s.seats.take(ip("192.0.2.7")));
}

TEST_CASE("address seats: IPv6 addresses with the same first 64 bits are one client", "[seats]") {
  Seats s(1);
  const auto seat = s.seats.take(ip("2001:db8:0:1::1"));
  REQUIRE(seat);
  CHECK_FALSE(s.seats.take(ip("2001:db8:0:1:ffff::2")));
  CHECK(s.seats.take(ip("2001:db8:0:2::1")));
  CHECK(s.seats.belongs(*seat, ip("2001:db8:0:1::9")));
  CHECK_FALSE(s.seats.belongs(*seat, ip("2001:db8:0:2::1")));
  CHECK_FALSE(s.seats.belongs(AddressSeats::none, ip("::")));
}

TEST_CASE("address seats: without a limit, nothing is counted", "[seats]") {
  Seats s(0);
  for (int i = 0; i < 5; ++i) CHECK(s.seats.take(ip("192.0.2.7")) == AddressSeats::none);
  CHECK(s.seats.taken(ip("192.0.2.7")) == 0);
}

TEST_CASE("address seats: a seat that no connection uses is returned", "[seats]") {
  Seats s(1);
  {
    AddressSeat seat(s.seats, *s.seats.take(ip("192.0.2.7")));
    const AddressSeat moved(std::move(seat));
    CHECK(s.seats.taken(ip("192.0.2.7")) == 1);
  }
  CHECK(s.seats.taken(ip("192.0.2.7")) == 0);
  AddressSeat kept(s.seats, *s.seats.take(ip("192.0.2.7")));
  CHECK(kept.take() != AddressSeats::none);
  CHECK(s.seats.taken(ip("192.0.2.7")) == 1);
}

TEST_CASE("address seats: a refusal is logged once a minute, with what to do about it", "[seats]") {
  Seats s(1);
  s.seats.take(ip("192.0.2.7"));
  for (int i = 0; i < 3; ++i) CHECK_FALSE(s.seats.take(ip("192.0.2.7")));
  REQUIRE(s.warnings.size() == 1);
  CHECK(s.warnings[0].find("192.0.2.7") != std::string::npos);
  CHECK(s.warnings[0].find("Limits::connections_per_address_max") != std::string::npos);
  CHECK(s.warnings[0].find("Config::trusted_proxies") != std::string::npos);
  s.clock->advance(60s);
  CHECK_FALSE(s.seats.take(ip("192.0.2.7")));
  REQUIRE(s.warnings.size() == 2);
  CHECK(s.warnings[1].ends_with(": 3"));
}

TEST_CASE("address seats: many clients that come and go, same counts as a plain map", "[seats]") {
  const std::uint32_t seed = std::random_device()();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Seats s(3);
  std::map<IpAddress, std::vector<AddressSeats::Seat>> model;
  for (int step = 0; step < 50'000; ++step) {
    const auto n = static_cast<std::uint8_t>(random() % 256);
    const IpAddress client = IpAddress::v4({10, static_cast<std::uint8_t>(random() % 8), 0, n});
    auto& has = model[client];
    if (random() % 2 == 0) {
      const auto seat = s.seats.take(client);
      REQUIRE(seat.has_value() == (has.size() < 3));
      if (seat) has.push_back(*seat);
    } else if (!has.empty()) {
      REQUIRE(s.seats.belongs(has.back(), client));
      s.seats.give_back(has.back());
      has.pop_back();
    }
    REQUIRE(s.seats.taken(client) == has.size());
  }
}

}  // namespace address_seats_test
