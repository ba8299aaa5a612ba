// The receivers of the same messages, grouped into lanes: one for each event loop and encoding.
#pragma once

#include <flux/detail/core/lane.hpp>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

namespace flux::core {

/// A session as an audience reaches it.
struct Receiver {
  SessionKey key;
  Outlet* outlet;
  std::shared_ptr<Loop> loop;
};

/// Threading: every method under the owner's lock, which is the one given here.
class Audience {
 public:
  explicit Audience(std::mutex& mutex) : mutex_(mutex) {}

  /// Takes a seat for `receiver`, which gets the messages appended from now on. On the loop's thread.
  std::shared_ptr<Lane> enter(const Receiver& receiver, const void* view, LaneSeat& seat) {
    std::shared_ptr<Lane> lane = lane_for(receiver.loop, view);
    lane->add(receiver.key, *receiver.outlet, seat);
    lane->exclude_from_pending(receiver.key);
    return lane;
  }

  /// On the loop's thread.
  void leave(Lane& lane, LaneSeat& seat) {
    lane.remove(seat);
    const auto use = std::find_if(lanes_.begin(), lanes_.end(), [&](const Use& u) { return u.lane.get() == &lane; });
    if (--use->members == 0) lanes_.erase(use);
  }

  /// Moves `outlet` to another encoding. Returns what was pending for it in the old one, as `Lane::take_pending` does.
  /// On the loop's thread.
  std::string change_view(std::shared_ptr<Lane>& lane, LaneSeat& seat, const void* view, SessionKey member,
                          Outlet& outlet, char separator, std::vector<Insert>* inserts = nullptr) {
    std::string waiting = lane->take_pending(member, seat, separator, inserts);
    const Receiver receiver{member, &outlet, lane->loop().shared_from_this()};
    leave(*lane, seat);
    lane = enter(receiver, view, seat);
    return waiting;
  }

  /// Sends one message to all members when the loops' turns end. `encode(view, out)` is called once for each view,
  /// whatever the number of lanes and members; or `encode(view, lane)`, which may `insert` bytes without copying them.
  /// `owner` keeps the lock alive until the message has been sent. `state_before`: see `Segment`.
  template <class Encode>
  void append(const Encode& encode, const std::shared_ptr<void>& owner, SegmentPolicy policy = SegmentPolicy::all,
              std::uint64_t state_before = 0, SegmentFor whom = SegmentFor::unlisted) {
    const Lane* encoded = nullptr;
    std::size_t begin = 0;
    std::size_t inserts_begin = 0;
    for (const Use& use : lanes_) {
      use.lane->begin_segment();
      if (encoded != nullptr && use.lane->view() == encoded->view()) {
        use.lane->copy_last(*encoded, begin, inserts_begin);
      } else {
        encoded = use.lane.get();
        begin = use.lane->pending_bytes().size();
        inserts_begin = use.lane->pending_inserts();
        if constexpr (std::is_invocable_v<const Encode&, const void*, Lane&>) {
          encode(encoded->view(), *use.lane);
        } else {
          encode(encoded->view(), use.lane->pending_bytes());
        }
      }
      use.lane->end_segment(policy, state_before, whom);
      use.lane->flush_later(owner);
    }
  }

  /// One of the lanes; null if there are no members.
  Lane* any_lane() const noexcept { return lanes_.empty() ? nullptr : lanes_.front().lane.get(); }

  /// The pending bytes of the lane that has most.
  std::size_t pending_size() const noexcept {
    std::size_t most = 0;
    for (const Use& use : lanes_) most = std::max(most, use.lane->pending_size());
    return most;
  }

  /// The number of pending entries of listed members.
  std::size_t pending_listed() const noexcept {
    std::size_t count = 0;
    for (const Use& use : lanes_) count += use.lane->pending_listed();
    return count;
  }

  /// `member` does not get the last message.
  void exclude_from_last(SessionKey member) {
    for (const Use& use : lanes_) use.lane->list_in_last(member);
  }

 private:
  struct Use {
    std::shared_ptr<Lane> lane;
    std::size_t members;
  };

  std::shared_ptr<Lane> lane_for(const std::shared_ptr<Loop>& loop, const void* view) {
    auto place = lanes_.end();
    for (auto use = lanes_.begin(); use != lanes_.end(); ++use) {
      if (use->lane->view() != view) continue;
      if (&use->lane->loop() == loop.get()) {
        ++use->members;
        return use->lane;
      }
      place = use;
    }
    return lanes_.insert(place, {std::make_shared<Lane>(loop, view, mutex_), 1})->lane;
  }

  std::mutex& mutex_;
  std::vector<Use> lanes_;  // lanes of one view are adjacent
};

}  // namespace flux::core
