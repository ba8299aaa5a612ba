#pragma once

#include <chrono>
#include <cstddef>

namespace flux::bench {

/// What a room pays for a slow store in another room: prints the p99 of the fan-out without and with it, in `rounds` of
/// twice `time`, and their medians. The server is a process of its own; its clients come over WebSocket.
/// Errors: throws std::runtime_error. Threading: from the main thread, before there is another one.
void run_slow(std::size_t rounds, std::chrono::milliseconds time);

}  // namespace flux::bench
