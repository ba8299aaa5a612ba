// Decides what one member gets of a batch: the one place that obeys the policies of segments, whatever the protocol.
#pragma once

#include <flux/detail/core/lane.hpp>

#include <cstddef>
#include <span>

namespace flux::core {

/// Consecutive segments of a batch, [first, last), with their inserts.
struct Run {
  std::size_t first;
  std::size_t last;
  std::span<const Insert> inserts;

  std::size_t segments() const noexcept { return last - first; }
  std::size_t begin(const Batch& batch) const noexcept { return first == 0 ? 0 : batch.segments[first - 1].end; }
  std::size_t end(const Batch& batch) const noexcept { return batch.segments[last - 1].end; }
};

/// Calls `on_bytes(begin, end)` and `on_insert(insert)` for the parts of a run, in their order.
template <class OnBytes, class OnInsert>
void for_each_part(const Batch& batch, const Run& run, const OnBytes& on_bytes, const OnInsert& on_insert) {
  std::size_t begin = run.begin(batch);
  for (const Insert& insert : run.inserts) {
    if (begin < insert.at) on_bytes(begin, insert.at);
    begin = insert.at;
    on_insert(insert);
  }
  if (begin < run.end(batch)) on_bytes(begin, run.end(batch));
}

/// Gives `reader` its part of `batch`, in runs that are as long as possible. A reader has
/// `bool open()`: whether it can still be sent anything;
/// `bool congested()`: whether so much is pending for it that states are held back;
/// `void take(const Batch&, const Run&)`;
/// `void held_back()`: a segment was held back from it. When its output has drained, the source of each seat whose
/// `state_known` is not 0 brings it up to date;
/// `void close_slow()`: called if it is congested when a segment with the policy `close` arrives; it is not open
/// afterwards.
template <class Reader>
void deliver_to(Reader&& reader, const Batch& batch, std::span<const Listed> listed, LaneSeat& seat) {
  if (!reader.open()) return;
  const auto behind = [&] { return batch.has_states && seat.state_known != 0; };
  if (listed.empty() && !batch.has_listed && !reader.congested() && !behind()) {
    return reader.take(batch, {0, batch.segments.size(), batch.inserts});
  }
  Run run{0, 0, {}};
  auto insert = batch.inserts.begin();
  auto run_insert = insert;
  const auto end_run = [&](std::size_t next) {
    run.inserts = {run_insert, insert};
    if (run.first < run.last && reader.open()) reader.take(batch, run);
    run.first = run.last = next;
  };
  for (std::size_t i = 0; i < batch.segments.size() && reader.open(); ++i) {
    const Segment& segment = batch.segments[i];
    bool wanted = is_for(segment, i, listed);
    if (wanted && segment.policy == SegmentPolicy::close && reader.congested()) return reader.close_slow();
    // A reader that is behind gets no newer state before it is brought up to date.
    if (wanted && segment.policy == SegmentPolicy::newest && (behind() || reader.congested())) {
      if (seat.state_known == 0) seat.state_known = segment.state_before;
      reader.held_back();
      wanted = false;
    }
    if (!wanted) end_run(i + 1);
    while (insert != batch.inserts.end() && insert->segment == i) ++insert;
    if (wanted) {
      run.last = i + 1;
    } else {
      run_insert = insert;
    }
  }
  end_run(batch.segments.size());
}

}  // namespace flux::core
