// What a lane will send: the messages that turns add, collected in batches for receivers that share a loop and an encoding.
#pragma once

#include <flux/detail/core/prefetch.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace flux::core {

/// Names a session for the life of the server; 0 is the application itself.
using SessionKey = std::uint64_t;

/// What a congested reader gets of a segment, whatever its protocol.
enum class SegmentPolicy : std::uint8_t {
  all,     // the segment is queued; a reader beyond its limit is closed
  newest,  // nothing: when the reader has drained, the source sends its state at that time
  close,   // nothing: the reader is closed, and may reconnect
};

/// Whom a segment is for.
enum class SegmentFor : std::uint8_t {
  unlisted,  // all members, except those that are listed for it
  listed,    // only the members that are listed for it
};

/// A part of a batch: one or more whole frames of one message.
struct Segment {
  std::uint32_t end;
  SegmentPolicy policy;
  SegmentFor whom;
  std::uint64_t state_before;  // only for `newest`, never 0: the state of a reader without this segment
};

/// One member is listed for the segments [first, last): it does not get them or, of those that are for listed members,
/// it does.
struct Listed {
  SessionKey member;
  std::uint32_t first;
  std::uint32_t last;
};

using SharedBytes = std::shared_ptr<const std::string>;

/// Copying so many bytes costs less than sending them as a piece of their own.
inline constexpr std::size_t few_bytes = 4096;

/// Bytes that a batch shares rather than copies: they follow its first `at` bytes.
struct Insert {
  std::uint32_t at;
  std::uint32_t segment;  // the segment that they belong to, counted from 0
  bool is_attachment;     // the view may have to encode it before it is sent; otherwise it is sent unchanged
  SharedBytes bytes;
};

/// The output that a turn adds to a room, encoded once for all members of a lane; contiguous, so that it is sent in one
/// write.
struct Batch {
  std::shared_ptr<std::string> bytes;
  std::vector<Insert> inserts;  // ordered by position; most batches have none
  std::vector<Segment> segments;
  std::vector<Listed> listed;  // sorted by member when delivered
  bool has_states = false;     // a segment has the policy `newest`
  bool has_listed = false;     // a segment is only for listed members
};

/// Whether a member with these entries gets the segment `index`.
inline bool is_for(const Segment& segment, std::size_t index, std::span<const Listed> own) noexcept {
  const bool is_listed =
      std::any_of(own.begin(), own.end(), [index](const Listed& e) { return e.first <= index && index < e.last; });
  return is_listed == (segment.whom == SegmentFor::listed);
}

class Lane;

/// A member's place in a lane; part of its membership.
struct LaneSeat {
  Lane* lane = nullptr;
  std::uint32_t index = 0;
  /// The source's state that the member knows, if segments with the policy `newest` were held back since. 0: none was.
  std::uint64_t state_known = 0;
};

/// Where a lane's batches go: one per member. Called on the lane's loop.
class Outlet {
 public:
  /// `listed` are this member's own entries; `seat` is the one it took in the lane. See core/delivery.hpp.
  virtual void deliver(const Batch& batch, std::span<const Listed> listed, LaneSeat& seat) = 0;
  /// The memory that `deliver` reads besides the outlet itself: the first of two cache lines. Called once, when the
  /// seat is taken.
  virtual const void* hot_memory() const noexcept { return this; }

 protected:
  ~Outlet() = default;
};

/// Threading: the pending batches are guarded by their owner's lock; the batch being sent belongs to the loop.
class LaneOutput {
 public:
  /// A batch of this size is complete: later segments go into another one, delivered in a turn of its own. So readers'
  /// limits are checked in between, and `Segment::end` can't overflow.
  static constexpr std::size_t batch_bytes_max = 2'097'152;

  // --- Under the owner's lock, from any thread ---

  /// Must be called before each segment.
  void begin_segment();
  /// The string to which the next segment is appended.
  std::string& pending_bytes();
  /// Appends `bytes` to the next segment without copying them.
  void insert(SharedBytes bytes, bool is_attachment);
  /// Copies the last segment of another lane of the same view.
  void copy_last(const LaneOutput& other, std::size_t begin, std::size_t inserts_begin);
  std::size_t pending_inserts() const noexcept { return pending_.inserts.size(); }
  bool has_pending() const noexcept { return !pending_.segments.empty() || complete_; }
  /// The pending bytes, without shared ones.
  std::size_t pending_size() const noexcept { return complete_bytes_ + (pending_.bytes ? pending_.bytes->size() : 0); }
  /// Ends the segment that was just encoded.
  void end_segment(SegmentPolicy policy, std::uint64_t state_before, SegmentFor whom = SegmentFor::unlisted);
  /// Lists `member` for the last segment: it does not get it, unless the segment is for listed members.
  void list_in_last(SessionKey member);
  /// Returns what is pending for `member`, which is leaving and will not get it otherwise, with `separator` between the
  /// segments except beside attachments. Segments with the policy `newest` are held back. `inserts`: receives the
  /// attachments; null if the view has none.
  std::string take_pending(SessionKey member, LaneSeat& seat, char separator,
                           std::vector<Insert>* inserts = nullptr) const;
  /// The number of pending entries of listed members.
  std::size_t pending_listed() const noexcept;
  /// `member`, which joins now, does not get what is pending.
  void exclude_from_pending(SessionKey member);
  /// Makes the next batch the one being sent. Returns whether another one follows.
  bool take_batch();

  // --- On the loop ---

  /// One receiver of a batch.
  struct Entry {
    SessionKey member;
    Outlet* outlet;
    const void* hot_memory;
    LaneSeat* seat;
  };
  /// Sends the batch that was taken to `count` receivers; `entry_at(i)` is one of them.
  template <class EntryAt>
  void deliver_batch(std::size_t count, const EntryAt& entry_at);

 private:
  void clear_sent();

  Batch pending_;
  std::unique_ptr<std::deque<Batch>> complete_;  // batches to be sent before `pending_`; null: none
  std::size_t complete_bytes_ = 0;
  Batch sending_;
};

template <class EntryAt>
void LaneOutput::deliver_batch(std::size_t count, const EntryAt& entry_at) {
  if (sending_.segments.empty()) return;
  auto& listed = sending_.listed;
  std::stable_sort(listed.begin(), listed.end(), [](const Listed& a, const Listed& b) { return a.member < b.member; });
  // Outlets never leave the lane from inside `deliver`: a connection that fails is closed in a turn of its own.
  for (std::size_t i = 0; i < count; ++i) {
    const Entry& entry = entry_at(i);
    // In a large room the next member's memory is not in the cache; it is fetched while the kernel sends to this one.
    if (i + 1 < count) {
      const Entry& next = entry_at(i + 1);
      prefetch(next.outlet);
      prefetch(next.hot_memory);
      prefetch(static_cast<const char*>(next.hot_memory) + cache_line_bytes);
    }
    std::span<const Listed> own;
    if (!listed.empty()) {
      const auto begin = std::lower_bound(listed.begin(), listed.end(), entry.member,
                                          [](const Listed& e, SessionKey key) { return e.member < key; });
      auto end = begin;
      while (end != listed.end() && end->member == entry.member) ++end;
      own = std::span<const Listed>(begin, end);
    }
    entry.outlet->deliver(sending_, own, *entry.seat);
  }
  clear_sent();
}

}  // namespace flux::core

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/core/lane_output.ipp>
#endif
