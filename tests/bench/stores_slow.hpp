#pragma once

#include <chrono>
#include <cstddef>

namespace flux::bench {

/// What a slow store of one room costs the other rooms: prints the p99 of the fan-out without and with it, in `rounds`
/// of twice `time`, and their medians. The server is a separate process; its clients connect over WebSocket.
/// Errors: throws std::runtime_error. Threading: on the main thread, before any other thread exists.
void run_slow(std::size_t rounds, std::chrono::milliseconds time);

}  // namespace flux::bench
