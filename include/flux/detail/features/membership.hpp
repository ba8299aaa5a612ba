// A session's membership of a room.
#pragma once

#include <flux/detail/core/lane.hpp>
#include <flux/detail/gate/permits.hpp>

#include <cstdint>
#include <memory>

namespace flux::features {

class Room;

/// Owned by the session, at a fixed address while it lasts.
struct Membership {
  std::shared_ptr<Room> room;
  std::shared_ptr<core::Lane> lane;
  core::LaneSeat seat;
  std::uint32_t member_index = 0;  // its place on the room's `PresenceBoard`, guarded by the room's lock
  gate::RoomPermits permits;       // of the client's present grant, on the client's loop
  core::SessionKey key = 0;
};

}  // namespace flux::features
