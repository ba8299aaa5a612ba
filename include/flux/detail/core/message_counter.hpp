// The messages of one client.
#pragma once

#include <flux/types.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace flux::core {

/// Eight bytes, for which its owners have room that would otherwise be unused, so an idle client costs no more.
/// Threading: written by one thread, so that counting needs no locked instruction; read by any.
class MessageCounter {
 public:
  void add_received() noexcept { add(received_, 1); }
  void add_sent(std::size_t count = 1) noexcept { add(sent_, count); }
  ClientCounts counts() const noexcept {
    return {received_.load(std::memory_order_relaxed), sent_.load(std::memory_order_relaxed)};
  }

 private:
  static void add(std::atomic<std::uint32_t>& count, std::size_t more) noexcept {
    const std::uint32_t now = count.load(std::memory_order_relaxed);
    const std::size_t room = std::numeric_limits<std::uint32_t>::max() - now;
    count.store(now + static_cast<std::uint32_t>(std::min(more, room)), std::memory_order_relaxed);
  }

  std::atomic<std::uint32_t> received_{0};
  std::atomic<std::uint32_t> sent_{0};
};

}  // namespace flux::core
