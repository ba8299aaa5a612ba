// Counts that one thread writes and every thread may read.
#pragma once

#include <atomic>
#include <cstdint>

namespace flux::core {

/// Written by one thread only, so adding needs no locked instruction.
class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.store(get() + n, std::memory_order_relaxed); }
  void subtract(std::uint64_t n = 1) noexcept { value_.store(get() - n, std::memory_order_relaxed); }
  std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_{0};
};

/// What one event loop counts; `Server::stats` sums over the loops.
struct LoopCounters {
  Counter connections_now, sessions_now, connections, connections_refused, requests, messages_in, messages_bad,
      messages_rate_limited, frames_out, bytes_in, bytes_out, presence_coalesced, messages_dropped, slow_readers_closed,
      handler_errors;
};

}  // namespace flux::core
