// Delivers a room's messages to those of its members that share an event loop and an encoding.
#pragma once

#include <flux/detail/core/lane_output.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/mode.hpp>

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace flux::core {

/// Threading: the pending batch is guarded by the room's lock; members belong to the loop.
class Lane final : public Loop::Flushable, public LaneOutput, public std::enable_shared_from_this<Lane> {
 public:
  /// `view`: identifies the encoding; lanes with the same view hold the same bytes. `mutex`: the room's; must outlive
  /// the lane.
  Lane(std::shared_ptr<Loop> loop, const void* view, std::mutex& mutex);

  const void* view() const noexcept { return view_; }
  Loop& loop() noexcept { return *loop_; }

  /// Has the loop deliver what is pending. `room` is kept alive until then. Under the room's lock, from any thread.
  void flush_later(std::shared_ptr<void> room);

  // --- On the loop ---

  void add(SessionKey member, Outlet& outlet, LaneSeat& seat);
  void remove(LaneSeat& seat);
  std::size_t members() const noexcept { return members_.size(); }
  /// Delivers a batch; the next one in another turn.
  FLUX_DECL void flush() override;
  /// Delivers everything pending at once. A requested flush still runs later.
  void flush_now();
  /// Delivers everything pending, and takes the room's lock when nothing is.
  std::unique_lock<std::mutex> lock_when_sent();

 private:
  void deliver() {
    deliver_batch(members_.size(), [this](std::size_t i) -> const Entry& { return members_[i]; });
  }

  const std::shared_ptr<Loop> loop_;
  const void* const view_;
  std::mutex& mutex_;
  std::shared_ptr<void> keep_room_;  // while a flush is requested
  std::vector<Entry> members_;
};

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/lane.ipp>
#endif
