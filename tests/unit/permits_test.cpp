// What a grant permits in a room.
#include "catch.hpp"

#include <flux/detail/gate/permits.hpp>

#include <string>

namespace permits_test {

using namespace flux;
using gate::RoomAct;
using gate::RoomPermits;

namespace {

constexpr RoomAct all[] = {RoomAct::join, RoomAct::events, RoomAct::presence,
                           RoomAct::chat, RoomAct::share,  RoomAct::history};

std::string allowed(const RoomPermits& permits) {
  std::string list;
  for (const RoomAct act : all) list += permits.allow(act) ? '1' : '0';
  return list;
}

}  // namespace

TEST_CASE("permits: a room that demands nothing permits everything, also without a grant", "[permits]") {
  CHECK(allowed(RoomPermits()) == "111111");
  CHECK(allowed(RoomPermits(nullptr, nullptr, "r")) == "111111");
  const Demands none;
  CHECK(allowed(RoomPermits(&none, nullptr, "r")) == "111111");
}

TEST_CASE("permits: each demand is checked by itself, and without that to join nothing is permitted", "[permits]") {
  const Demands demands{"j", "e", "p", "c", "s", "h"};
  const auto with = [&](const char* permission) {
    const Grant grant({}, {"j:r", permission});
    return allowed(RoomPermits(&demands, &grant, "r"));
  };
  CHECK(with("x:r") == "100000");
  CHECK(with("e:r") == "110000");
  CHECK(with("p:r") == "101000");
  CHECK(with("c:r") == "100100");
  CHECK(with("s:r") == "100010");
  CHECK(with("h:r") == "100001");
  CHECK(with("*:r") == "111111");
  CHECK(with("*:s") == "100000");
  const Grant outside({}, {"e:r", "p:r", "c:r", "s:r", "h:r"});
  CHECK(allowed(RoomPermits(&demands, &outside, "r")) == "000000");
  CHECK(allowed(RoomPermits(&demands, nullptr, "r")) == "000000");
}

TEST_CASE("permits: the error says whether the client must log in", "[permits]") {
  const Grant user({.user_id = "ann", .verified = true});
  const Grant key({}, {"read:x"});
  const Grant claimed({.name = "Ann"});
  CHECK(gate::insufficient(&user, "room", "r").code() == Errc::forbidden);
  CHECK(gate::insufficient(&key, "room", "r").code() == Errc::forbidden);
  CHECK(gate::insufficient(&claimed, "room", "r").code() == Errc::unauthorized);
  CHECK(gate::insufficient(nullptr, "room", "r").code() == Errc::unauthorized);
  CHECK(gate::insufficient(nullptr, "room", "r").message() == "Insufficient permissions for room: r");
  CHECK(gate::insufficient(nullptr, "room", "system").message() == "System rooms require admin permission");
  CHECK(gate::insufficient(nullptr, "room", "systems").message() == "Insufficient permissions for room: systems");
}

}  // namespace permits_test
