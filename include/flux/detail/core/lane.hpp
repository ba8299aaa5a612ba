// The way from a room to those of its members that share an event loop and an encoding.
#pragma once

#include <flux/detail/core/loop.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace flux::core {

/// Names a session for the life of the server; 0 is nobody (the application itself).
using SessionKey = std::uint64_t;

/// What a reader that is congested gets of a segment, whatever protocol it speaks.
enum class SegmentPolicy : std::uint8_t {
  all,     // it is queued; a reader beyond its limit is closed
  newest,  // nothing: when the reader has drained, the source sends the state of that time
};

/// A stretch of a batch: one or more whole frames of one message.
struct Segment {
  std::uint32_t end;
  SegmentPolicy policy;
  std::uint64_t state_before;  // of `newest`, and never 0 there: the source's state that a reader without it knows
};

/// One member does not get the segments [first, last).
struct Exclusion {
  SessionKey member;
  std::uint32_t first;
  std::uint32_t last;
};

using SharedBytes = std::shared_ptr<const std::string>;

/// Bytes that a batch shares rather than copies: they follow its first `at` bytes.
struct Insert {
  std::uint32_t at;
  std::uint32_t segment;  // which they are part of, counted from 0
  bool is_attachment;     // bytes that the view may have to encode on their way out; else they go as they are
  SharedBytes bytes;
};

/// What a turn adds to a room, encoded once for all members of a lane: contiguous, so that it goes out in one write.
struct Batch {
  std::shared_ptr<std::string> bytes;
  std::vector<Insert> inserts;  // in the order of their places; most batches have none
  std::vector<Segment> segments;
  std::vector<Exclusion> exclusions;  // sorted by member when delivered
};

class Lane;

/// A member's place in a lane; part of its membership.
struct LaneSeat {
  Lane* lane = nullptr;
  std::uint32_t index = 0;
  /// The source's state that the member knows: segments with the policy `newest` were held back since. 0: none was.
  std::uint64_t state_known = 0;
};

/// Where a lane's batches go: one per member. Called on the lane's loop.
class Outlet {
 public:
  /// `exclusions` are this member's own; `seat` is the one it took in the lane. See core/detail/delivery.hpp.
  virtual void deliver(const Batch& batch, std::span<const Exclusion> exclusions, LaneSeat& seat) = 0;
  /// What `deliver` reads besides the outlet itself: the first of two cache lines. Asked once, when the seat is taken.
  virtual const void* hot_memory() const noexcept { return this; }

 protected:
  ~Outlet() = default;
};

/// Threading: the pending batch is guarded by the room's lock; members belong to the loop.
class Lane final : public Loop::Flushable, public std::enable_shared_from_this<Lane> {
 public:
  /// `view`: identifies the encoding; lanes with the same one hold the same bytes. `owner`: lives as long as the lane
  /// is shared by anybody (the room), and holds `mutex`.
  Lane(std::shared_ptr<Loop> loop, const void* view, std::mutex& mutex);

  const void* view() const noexcept { return view_; }
  Loop& loop() noexcept { return *loop_; }

  /// A batch of this size is complete: later segments go into another one, delivered in a turn of its own. So the limits
  /// of readers hold in between, and `Segment::end` cannot overflow.
  static constexpr std::size_t batch_bytes_max = 2'097'152;

  // --- Under the room's lock, from any thread ---

  /// To be called before each segment.
  void begin_segment();
  /// Where the next segment is encoded, behind what is there.
  std::string& pending_bytes();
  /// Part of the next segment, behind what is there of it; shared, not copied.
  void insert(SharedBytes bytes, bool is_attachment);
  /// Copies the last segment of another lane of the same view.
  void copy_last(const Lane& other, std::size_t begin, std::size_t inserts_begin);
  std::size_t pending_inserts() const noexcept { return pending_.inserts.size(); }
  bool has_pending() const noexcept { return !pending_.segments.empty() || complete_; }
  /// Bytes that are pending; shared ones are not counted.
  std::size_t pending_size() const noexcept { return complete_bytes_ + (pending_.bytes ? pending_.bytes->size() : 0); }
  /// Ends the segment that was encoded.
  void end_segment(SegmentPolicy policy, std::uint64_t state_before);
  /// `member` does not get the last segment.
  void exclude_from_last(SessionKey member);
  /// What is pending for `member`, with `separator` between the segments, but none beside attachments; it gets it no
  /// other way: it leaves. Segments with the policy `newest` are held back. `inserts`: gets the attachments; null where
  /// the view has none.
  std::string take_pending(SessionKey member, LaneSeat& seat, char separator,
                           std::vector<Insert>* inserts = nullptr) const;
  /// `member`, who joins now, does not get what is pending.
  void exclude_from_pending(SessionKey member);
  /// Has the loop deliver what is pending. `room` is kept alive until then.
  void flush_later(std::shared_ptr<void> room);

  // --- On the loop ---

  void add(SessionKey member, Outlet& outlet, LaneSeat& seat);
  void remove(LaneSeat& seat);
  std::size_t members() const noexcept { return members_.size(); }
  /// Delivers a batch; the next one in another turn.
  void flush() override;
  /// Delivers all that is pending before the flush that was asked for, which comes all the same.
  void flush_now();

 private:
  struct Entry {
    SessionKey member;
    Outlet* outlet;
    const void* hot_memory;
    LaneSeat* seat;
  };

  bool take_batch();
  void deliver_batch();

  const std::shared_ptr<Loop> loop_;
  const void* const view_;
  std::mutex& mutex_;
  Batch pending_;
  std::unique_ptr<std::deque<Batch>> complete_;  // batches that go before it; null: none
  std::size_t complete_bytes_ = 0;
  std::shared_ptr<void> keep_room_;  // while a flush is asked for
  std::vector<Entry> members_;
  Batch sending_;
};

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/lane.ipp>
#endif
