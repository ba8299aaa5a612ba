// Limits how much the connections of one event loop may inflate per turn.
#pragma once

#include <flux/detail/core/loop.hpp>

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace flux::transport {

class WebSocketStream;

/// A few bytes can inflate to a thousand times as many, which a room keeps until the turn ends. So every turn has a
/// budget; streams that find it spent wait for the next turn, in which those that were not served go first.
/// Ownership: outlives the connections of its loop. Threading: that loop's thread.
class InflateTurns {
 public:
  explicit InflateTurns(std::size_t bytes_per_turn) : bytes_per_turn_(bytes_per_turn) {}

  bool spent() const noexcept { return used_ >= bytes_per_turn_; }
  void use(core::Loop& loop, std::size_t bytes) {
    used_ += bytes;
    if (std::exchange(turn_begun_, true)) return;
    loop.post([this] { next_turn(); });
  }
  /// Has `on_inflate_turn` called when the next turn begins. `served`: this turn has already inflated something for the
  /// stream. At most one pending call per stream.
  void wait(std::weak_ptr<WebSocketStream> waiter, bool served) {
    (served ? served_ : unserved_).push_back(std::move(waiter));
  }

 private:
  void next_turn();

  const std::size_t bytes_per_turn_;
  std::size_t used_ = 0;
  bool turn_begun_ = false;
  std::vector<std::weak_ptr<WebSocketStream>> unserved_, served_;
};

}  // namespace flux::transport
