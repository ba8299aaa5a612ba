#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "load.hpp"

/// Rooms, in the words of each protocol.
namespace flux::bench {

using RoomOf = std::function<std::string(std::size_t client)>;

/// Each client joins the room `room_of(client)`; clients that share a room stand next to each other. With data sharing
/// the first of them makes it. With `live` each has a presence of `presence_bytes`, if that is not 0. Returns when all
/// have been told that they are in, and it is quiet.
/// Errors: throws std::runtime_error when one is refused or closed, or when it takes longer than the options' timeout.
void enter_rooms(Load& load, const RoomOf& room_of, std::size_t presence_bytes);

/// What `sender` says to send an event of the options' size to the others in its room. `id` is for its acknowledgment,
/// where the protocol has one.
std::string event_message(const Options& options, const std::string& room, std::size_t sender, std::uint64_t id);

}  // namespace flux::bench
