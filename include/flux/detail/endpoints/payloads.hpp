// JSON that is the same in several protocols.
#pragma once

#include <flux/detail/features/client_view.hpp>
#include <flux/types.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace flux::protocol {

/// Each appends one JSON object to `out`. For their members see flux/live.hpp.
void append_entry_payload(std::string& out, const features::PresenceEntry& entry);
void append_event_payload(std::string& out, const features::EventNotice& notice);
void append_chat_payload(std::string& out, const ChatMessage& message);
void append_presence_payload(std::string& out, const features::PresenceNotice& notice);
/// Of a room that was closed, or that the client has left.
void append_closed_payload(std::string& out, std::string_view room, std::string_view reason);

}  // namespace flux::protocol

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/endpoints/payloads.ipp>
#endif
