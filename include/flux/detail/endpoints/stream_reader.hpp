// A participant whose output is a stream, as `core::deliver_to` uses it.
#pragma once

#include <flux/detail/core/delivery.hpp>
#include <flux/detail/core/lane_output.hpp>

#include <cstddef>

namespace flux::endpoints {

/// Passes batches on without copying. A session has `reaches_client`, `connection`, `counters`, `count_sent`,
/// `write_frames` and `slow_reader`, as `detail::WebSocketClient`.
template <class Session>
struct StreamReader {
  Session& session;
  bool open() const { return session.reaches_client(); }
  bool congested() const { return session.connection()->congested(); }
  void held_back() const { session.counters().states_coalesced.add(); }
  void close_slow() const { session.slow_reader(); }
  void take(const core::Batch& batch, const core::Run& run) const {
    session.count_sent(run.segments());
    if (run.inserts.empty()) {
      session.write_frames(batch.bytes, run.begin(batch), run.end(batch));
      return;
    }
    core::for_each_part(
        batch, run, [&](std::size_t begin, std::size_t end) { session.write_frames(batch.bytes, begin, end); },
        [&](const core::Insert& insert) { session.write_frames(insert.bytes, 0, insert.bytes->size()); });
  }
};

/// Writes one message to such a session.
template <class Session>
void write_whole(Session& session, const core::SharedBytes& frame) {
  session.count_sent();
  if (frame->size() <= core::few_bytes) {
    session.write_frames(*frame);
  } else {
    session.write_frames(frame, 0, frame->size());
  }
}

}  // namespace flux::endpoints
