// The subscribers of channels, and their pending output. A server may have a million channels with one subscriber each, so an
// idle channel has no batch, and a single subscriber needs no list.
#pragma once

#include <flux/detail/core/audience.hpp>
#include <flux/detail/core/lane_output.hpp>
#include <flux/detail/core/loop.hpp>
#include <flux/detail/features/client_view.hpp>
#include <flux/detail/mode.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::features {

class ChannelFlusher;
struct ChannelLane;

/// A client that subscribes: where its messages are delivered, and how they are encoded.
struct ChannelReceiver {
  core::SessionKey key = 0;
  core::Outlet* outlet = nullptr;
  const void* hot_memory = nullptr;
  ChannelFlusher* flusher = nullptr;  // its loop's
  const NoticeView* view = nullptr;
};

struct Channel;

/// One subscription of a client. Threading: its lane's lock for changes; read on its loop.
struct ChannelSeat {
  ChannelReceiver* receiver;
  Channel* channel = nullptr;  // or pattern
  core::LaneSeat seat{};
};

/// A list of pointers. A single one is stored in the list itself.
class SeatList {
 public:
  SeatList() = default;
  ~SeatList() {
    if (capacity_ != 0) delete[] many_;
  }
  SeatList(const SeatList&) = delete;
  SeatList& operator=(const SeatList&) = delete;

  std::uint32_t size() const noexcept { return size_; }
  ChannelSeat* operator[](std::size_t index) const noexcept { return capacity_ == 0 ? one_ : many_[index]; }
  void push_back(ChannelSeat* seat);
  /// Moves the last one into its place.
  void erase(std::uint32_t index) noexcept;

 private:
  union {
    ChannelSeat* one_ = nullptr;
    ChannelSeat** many_;
  };
  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = 0;  // 0: `one_`
};

/// The pending output of a lane.
struct PendingChannel {
  core::LaneOutput output;
  ChannelLane* lane = nullptr;  // null: no subscriber is left. Guarded by `mutex`
  std::mutex* mutex = nullptr;  // of the lane
};

/// The subscribers that share a loop and an encoding. Threading: the channel's lock; the list is changed on the loop only,
/// and read there without the lock.
struct ChannelLane {
  ChannelFlusher* flusher = nullptr;
  const NoticeView* view = nullptr;
  PendingChannel* pending = nullptr;  // null: none
  SeatList seats;
};

/// Sends the pending output of channels to the clients of one loop. Threading: `add` from any thread; the rest on the loop.
class ChannelFlusher final : public core::Loop::Flushable, public std::enable_shared_from_this<ChannelFlusher> {
 public:
  explicit ChannelFlusher(std::shared_ptr<core::Loop> loop) : loop_(std::move(loop)) {}
  ChannelFlusher(const ChannelFlusher&) = delete;
  ChannelFlusher& operator=(const ChannelFlusher&) = delete;

  /// Begins the pending output of a lane, which is sent at the end of the turn. Under the lane's lock.
  PendingChannel& add(ChannelLane& lane, std::mutex& mutex);
  /// Sends everything that is pending, at once.
  void flush_now();
  /// Sends what is pending, for `core::Loop::flush_time` at most; the rest in the next turn.
  FLUX_DECL void flush() override;

 private:
  using List = std::deque<std::unique_ptr<PendingChannel>>;

  bool flush_one(std::unique_ptr<PendingChannel> pending);
  std::unique_ptr<PendingChannel> next();
  void flush_later();

  const std::shared_ptr<core::Loop> loop_;
  std::mutex mutex_;  // guards everything below
  List pending_;
  std::vector<std::unique_ptr<PendingChannel>> unused_;
  bool is_asked_ = false;  // a flush is due
};

/// The subscribers of one channel or pattern. Threading: under the channel's lock; `enter` and `leave` on the client's loop.
class ChannelLanes {
 public:
  /// The new subscriber does not get pending output.
  void enter(ChannelSeat& seat);
  void leave(ChannelSeat& seat);
  /// From now on the seat is that of `next`. Returns its pending output, with `separator` between messages.
  std::string move(ChannelSeat& seat, ChannelReceiver& next, char separator);
  /// Whether output is pending in the seat's lane.
  bool has_pending(const ChannelSeat& seat) const noexcept;
  /// How many of these clients subscribe. Cost: O(subscribers).
  std::size_t count_of(const std::vector<core::SessionKey>& clients) const noexcept;
  std::size_t subscribers() const noexcept;
  /// The pending bytes of the lane that has most.
  std::size_t pending_size() const noexcept;
  /// Sends `notice` to all subscribers when the turns of their loops end, except those in `except`. `mutex`: the channel's lock.
  void append(const Notice& notice, core::SegmentPolicy policy, std::uint64_t state_before,
              const std::vector<core::SessionKey>& except, std::mutex& mutex);

 private:
  /// Visits every lane; the first one may be empty.
  template <class Lanes, class Visit>
  static void each(Lanes& lanes, const Visit& visit);
  const ChannelLane& lane_of(const ChannelReceiver& receiver) const noexcept;
  ChannelLane& lane_of(const ChannelReceiver& receiver) noexcept {
    return const_cast<ChannelLane&>(std::as_const(*this).lane_of(receiver));
  }

  ChannelLane first_;
  std::unique_ptr<std::vector<std::unique_ptr<ChannelLane>>> others_;  // null: there are none
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_lanes.ipp>
#endif
