#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "load.hpp"

/// Rooms, in each protocol's terms.
namespace flux::bench {

using RoomOf = std::function<std::string(std::size_t client)>;

/// Each client joins the room `room_of(client)`; clients that share a room are consecutive. With data sharing the first
/// of them creates it. With `live` each has a presence of `presence_bytes`, unless that is 0. Returns when all have
/// been told that they have joined and traffic has stopped.
/// Errors: throws std::runtime_error if one is refused or closed, or if it takes longer than the options' timeout.
void enter_rooms(Load& load, const RoomOf& room_of, std::size_t presence_bytes);

/// Each client subscribes to `count` channels that nobody else subscribes to. Errors: as above.
void subscribe_each(Load& load, std::size_t count);

/// The message with which `sender` sends an event of the options' size to the other members of its room. `id` is for
/// its acknowledgment, if the protocol has one.
std::string event_message(const Options& options, const std::string& room, std::size_t sender, std::uint64_t id);

}  // namespace flux::bench
