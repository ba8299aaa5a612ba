// Channels as JSON, in every protocol.
#pragma once

#include <flux/channel_types.hpp>
#include <flux/detail/features/channel_values.hpp>
#include <flux/detail/mode.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace flux::features {

/// `position`: an empty epoch: none.
Publication encoded_publication(const ChannelPost& post, const Position& position, std::int64_t time);
/// `flag`: a member that is true; empty: none.
std::string presence_payload(std::string_view channel, const PresentClient& client, std::string_view flag);
/// A change of the state. `entry`: null: it was removed. `by`: the client that changed it; empty: the application, or time.
std::string state_payload(std::string_view channel, std::string_view key, const StateEntry* entry,
                          std::uint64_t version, const SessionId& by);
/// The answers to requests.
std::string entry_payload(std::string_view channel, const ChannelEntry& entry);
std::string published_payload(const Published& published);
std::string history_payload(std::string_view channel, const ChannelPart& part);
/// `counts_only`: without the members.
std::string present_payload(std::string_view channel, const ChannelPresent& present, bool counts_only);

std::string state_part_payload(std::string_view channel, const StatePart& part);
std::string state_change_payload(const ChannelStateChange& change);

ChannelMessage message_of(const Publication& publication, std::string_view channel, const Position& position);

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/channel_payloads.ipp>
#endif
