#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/endpoints/payloads.hpp>
#include <flux/detail/mode.hpp>

namespace flux::protocol {

FLUX_DECL void append_entry_payload(std::string& out, const features::PresenceEntry& entry) {
  detail::JsonObject object(out);
  object.string("connectionId", entry.connection_id);
  if (entry.identity != nullptr) {
    object.optional_string("userId", entry.identity->user_id)
        .optional_string("name", entry.identity->name)
        .optional_string("email", entry.identity->email)
        .optional_string("provider", entry.identity->provider);
  }
  object.json("presence", entry.presence).end();
}

FLUX_DECL void append_chat_payload(std::string& out, const ChatMessage& message) {
  detail::JsonObject object(out);
  object.string("id", message.id)
      .string("roomId", message.room)
      .string("connectionId", message.connection_id)
      .optional_string("userId", message.user_id)
      .string("message", message.message)
      .optional_json("metadata", message.metadata)
      .number("createdAt", message.created_at)
      .number("offset", message.offset);
  if (message.edited_at != 0) object.number("editedAt", message.edited_at);
  if (message.deleted_at != 0) object.number("deletedAt", message.deleted_at);
  object.end();
}

FLUX_DECL void append_event_payload(std::string& out, const features::EventNotice& notice) {
  detail::JsonObject object(out);
  object.string("roomId", notice.room)
      .string("connectionId", notice.connection_id)
      .optional_string("userId", notice.user_id)
      .string("event", notice.event);
  if (notice.payload) object.json("payload", *notice.payload);
  object.end();
}

FLUX_DECL void append_presence_payload(std::string& out, const features::PresenceNotice& notice) {
  detail::JsonObject object(out);
  object.string("roomId", notice.room);
  const auto put = [&](const features::PresenceEntry& entry) { append_entry_payload(out, entry); };
  if (!notice.joined.empty()) {
    object.key("joined");
    detail::append_json_array(out, notice.joined, put);
  }
  if (!notice.left.empty()) {
    object.key("left");
    detail::append_json_array(out, notice.left, [&](std::string_view id) { detail::append_json_string(out, id); });
  }
  if (!notice.updated.empty()) {
    object.key("updated");
    detail::append_json_array(out, notice.updated, put);
  }
  object.end();
}

FLUX_DECL void append_closed_payload(std::string& out, std::string_view room, std::string_view reason) {
  detail::JsonObject(out).string("roomId", room).optional_string("reason", reason).end();
}

}  // namespace flux::protocol
