// Server-sent events: the messages of `/realtime` as a stream for EventSource
// (https://html.spec.whatwg.org/multipage/server-sent-events.html). No I/O.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/endpoints/realtime/realtime_codec.hpp>
#include <flux/detail/mode.hpp>
#include <flux/types.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::protocol {

/// The positions that an event id names: "epoch.offset", several with commas.
std::string event_id(const std::vector<Position>& positions);
/// None: the id is not one of ours.
std::optional<std::vector<Position>> read_event_id(std::string_view id);

/// Appends an event whose data is the JSON text. `id`: empty: the client's last id stays.
void append_sse_event(std::string& out, std::string_view id, std::string_view json);

/// Appends messages as whole events. Threading: any thread.
class SseWriter final : public NoticesOnly {
 public:
  enum class Ids : std::uint8_t {
    of_channel,  ///< of clients with one channel: they share the id, which is the position
    /// Of clients with several, whose ids name all their positions: an event is preceded by a line with its position, which
    /// may be empty. The session replaces it.
    of_client
  };
  /// `clock`: outlives it.
  SseWriter(Ids ids, const Clock* clock) : ids_(ids), clock_(clock) {}

  FLUX_DECL void notice(std::string& out, const features::Notice& notice) const override;
  Ids ids() const noexcept { return ids_; }

 private:
  const Ids ids_;
  const Clock* const clock_;
};

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/realtime/sse_codec.ipp>
#endif
