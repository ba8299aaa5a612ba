// The requests of clients about channels.
#pragma once

#include <flux/channel_types.hpp>
#include <flux/config.hpp>
#include <flux/detail/core/members.hpp>
#include <flux/detail/features/channel_hub.hpp>
#include <flux/detail/features/request_table.hpp>
#include <flux/detail/mode.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace flux {

// What a handler has left is checked. Errors: message_too_large. Found by `features::Backend::check_handled`.
Result<void> check_changed(ChannelPublish& event, const Limits& limits);
Result<void> check_changed(ChannelStateWrite& event, const Limits& limits);
inline Result<void> check_changed(const ChannelSubscribe&, const Limits&) { return {}; }

}  // namespace flux

namespace flux::features {

/// How many publications of a history are sent if a request has no limit.
inline constexpr std::uint64_t usual_history = 100;

/// The position in the members `epoch` and `offset`, which must have been read; none: the request has none. Errors:
/// invalid_message.
Result<std::optional<Position>> position_in(const core::Members& members);

/// Subscribes the client, if it may and the application permits it. `done` is called before the
/// client is told what it has missed. Errors: as for the request `channel_subscribe`.
void subscribe_client(const std::shared_ptr<ChannelHub>& hub, Participant& client, const std::string& channel,
                      const ChannelSought& sought, const Participant::Done<ChannelEntry>& done);

/// `channel_subscribe` and so on; see flux/channels.hpp.
std::vector<Request> channel_requests(const std::shared_ptr<ChannelHub>& hub);

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_requests.ipp>
#endif
