#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/live/live_codec.hpp>
#include <flux/detail/endpoints/message_id.hpp>
#include <flux/detail/endpoints/payloads.hpp>
#include <flux/detail/mode.hpp>

#include <limits>

namespace flux::protocol {

// --- Reading ---

namespace live_detail {

/// Collects the envelope's members, and the members of its payload that the type declares.
class EnvelopeVisitor {
 public:
  EnvelopeVisitor(std::string_view text, const LiveRequestTable& table, LiveRequest& out)
      : text_(text), table_(table), out_(out) {}

  bool key(std::size_t depth, std::string_view name) {
    if (depth == 1) {
      in_payload_ = name == "payload";
      slot_ = name == "type" ? &type : name == "id" ? &id : in_payload_ ? &payload : nullptr;
      if (slot_ != nullptr && !slot_->text.empty()) twice = slot_ == &type ? "type" : slot_ == &id ? "id" : "payload";
    } else if (depth == 2 && in_payload_) {
      out_.members.key(name);
    }
    return true;
  }
  bool open(std::size_t, JsonText::Kind, std::size_t) { return true; }
  bool value(std::size_t depth, JsonText::Kind kind, std::size_t begin, std::size_t end) {
    if (depth == 0) root = kind;
    if (depth == 2) out_.members.value(kind, begin, end);
    if (depth != 1 || slot_ == nullptr) return true;
    *slot_ = {text_.substr(begin, end - begin), kind};
    if (slot_ == &type && payload.text.empty()) find_type();
    slot_ = nullptr;
    return true;
  }
  /// Looks up the type; its members are collected from now on.
  void find_type() {
    if (type.kind != JsonText::Kind::string) return;
    const auto decoded = detail::decode_json_string(type.text);
    const std::string_view name = decoded ? std::string_view(*decoded) : std::string_view();
    out_.type = find_request(table_.own, name);
    out_.added = out_.type != nullptr ? nullptr : table_.added.request(name);
    if (const core::RequestShape* const found = shape()) out_.members.declare(found->members);
  }
  /// Null: the type is unknown, or not known yet.
  const core::RequestShape* shape() const {
    return out_.type != nullptr ? static_cast<const core::RequestShape*>(out_.type) : out_.added;
  }

  JsonText::Kind root = JsonText::Kind::null;
  MessageMember type, id, payload;
  std::string_view twice;  // a duplicate member of the envelope; empty: none

 private:
  const std::string_view text_;
  const LiveRequestTable& table_;
  LiveRequest& out_;
  MessageMember* slot_ = nullptr;  // where the envelope's next value goes
  bool in_payload_ = false;
};

/// Errors: what is wrong with the envelope.
FLUX_DECL Result<void> check_envelope(const EnvelopeVisitor& seen) {
  using Kind = JsonText::Kind;
  if (seen.root != Kind::object) {
    return Error(Errc::invalid_message, "a message must be an object {\"type\", \"payload\"}; this is " +
                                            std::string(core::kind_name(seen.root)));
  }
  if (!seen.twice.empty()) {
    return Error(Errc::invalid_message, "member \"" + std::string(seen.twice) + "\" appears twice");
  }
  if (seen.type.text.empty()) return Error(Errc::invalid_message, "type is missing");
  if (seen.type.kind != Kind::string) return Error(Errc::invalid_message, "type must be a string");
  return {};
}

}  // namespace live_detail

FLUX_DECL Result<void> read_live_request(std::string_view text, const Limits& limits, const LiveRequestTable& table,
                                         LiveRequest& out) {
  using Kind = JsonText::Kind;
  live_detail::EnvelopeVisitor seen(text, table, out);
  auto scanned =
      detail::scan_json(out.members.from(text), limits.json_depth_max, seen, detail::LoneSurrogates::refused);
  // The id counts even if there is a fault behind it: the client may be waiting for an answer with this id.
  auto id = read_message_id(seen.id, limits.message_id_bytes_max, out.id);
  if (!scanned) return scanned;
  if (auto checked = live_detail::check_envelope(seen); !checked) return checked;
  if (!id) return id;
  const bool is_late = seen.shape() == nullptr;  // or the type is unknown
  if (is_late) seen.find_type();
  if (seen.shape() == nullptr) return Error(Errc::unknown_type, "unknown type " + core::shown(seen.type.text));
  if (!seen.payload.text.empty() && seen.payload.kind != Kind::object && seen.payload.kind != Kind::null) {
    return Error(Errc::invalid_message, "payload must be an object");
  }
  if (is_late && seen.payload.kind == Kind::object) {
    out.members.from(seen.payload.text);
    if (auto read = out.members.scan(limits.json_depth_max); !read) return read;  // never fails
  }
  if (auto read = out.members.read(limits); !read) return read;
  if (!seen.shape()->only_answers || !out.id.empty()) return {};
  return Error(Errc::invalid_message, "id is missing: the answer is an ack");
}

// --- Writing ---

namespace live_detail {

FLUX_DECL void put_item(std::string& out, const SharedItem& item) {
  detail::JsonObject object(out);
  object.string("connectionId", item.connection_id).json("data", item.data.text()).number("offset", item.offset).end();
}

template <class Items>
void put_items(std::string& out, const Items& items) {
  detail::append_json_array(out, items, [&](const SharedItem& item) { put_item(out, item); });
}

FLUX_DECL void put_error(std::string& out, const Error& error) {
  detail::JsonObject object(out);
  object.string("code", to_wire_name(error.code())).string("message", error.message());
  if (const auto time = error.retry_after().count(); time > 0) {
    object.number("retryAfter", static_cast<std::uint64_t>(time));
  }
  object.end();
}

FLUX_DECL void put_chat(std::string& out, const std::vector<ChatMessage>& messages) {
  detail::append_json_array(out, messages, [&](const ChatMessage& stored) { append_chat_payload(out, stored); });
}

/// `name`: the member with which the next request continues.
FLUX_DECL void put_more(detail::JsonObject& payload, std::string_view name, std::uint64_t value) {
  payload.json("more", "true").number(name, value);
}

}  // namespace live_detail

class LiveWriter::Message {
 public:
  Message(const LiveWriter& writer, std::string& out, std::string_view type)
      : frame_(out, writer.compressor_), out_(out) {
    out_ += "{\"type\":\"";
    out_ += type;
    out_ += '"';
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() { out_ += '}'; }

  /// `,"payload":`; the caller appends the value.
  std::string& payload() {
    out_ += ",\"payload\":";
    return out_;
  }

 private:
  const MessageFrame frame_;
  std::string& out_;
};

FLUX_DECL void LiveWriter::event(std::string& out, const features::EventNotice& notice) const {
  Message message(*this, out, live::reply::broadcast_event);
  append_event_payload(message.payload(), notice);
}

FLUX_DECL void LiveWriter::chat(std::string& out, const ChatMessage& stored) const {
  const auto type = stored.deleted_at != 0  ? live::reply::chat_deleted
                    : stored.edited_at != 0 ? live::reply::chat_edited
                                            : live::reply::chat_message;
  Message message(*this, out, type);
  append_chat_payload(message.payload(), stored);
}

FLUX_DECL void LiveWriter::data(std::string& out, std::string_view room, const SharedItem& item) const {
  Message message(*this, out, live::reply::room_data);
  detail::JsonObject(message.payload())
      .string("roomId", room)
      .string("connectionId", item.connection_id)
      .json("data", item.data.text())
      .number("offset", item.offset)
      .end();
}

FLUX_DECL void LiveWriter::presence(std::string& out, const features::PresenceNotice& notice) const {
  Message message(*this, out, live::reply::presence_updated);
  append_presence_payload(message.payload(), notice);
}

FLUX_DECL void LiveWriter::closed(std::string& out, std::string_view room, std::string_view reason) const {
  Message message(*this, out, live::reply::room_closed);
  append_closed_payload(message.payload(), room, reason);
}

FLUX_DECL void LiveWriter::left(std::string& out, std::string_view room, std::string_view reason) const {
  Message message(*this, out, live::reply::room_left);
  append_closed_payload(message.payload(), room, reason);
}

FLUX_DECL void LiveWriter::room_joined(std::string& out, const features::RoomSnapshot& room,
                                       const Result<features::ChatPage>& history) const {
  static const features::ChatPage none;
  const features::ChatPage& chat = history ? *history : none;
  Message message(*this, out, live::reply::room_joined);
  std::string& text = message.payload();
  detail::JsonObject payload(text);
  payload.string("roomId", room.room).string("connectionId", room.connection_id).key("presence");
  detail::JsonObject members(text);
  for (const features::PresenceEntry& entry : room.members) {
    members.key(entry.connection_id);  // 13 characters that need no escaping
    append_entry_payload(text, entry);
  }
  members.end();
  payload.key("chatHistory");
  live_detail::put_chat(text, chat.entries);
  if (!history) {
    payload.key("chatHistoryError");
    live_detail::put_error(text, history.error());
  }
  payload.string("mode", to_string(room.mode)).key("position");
  detail::JsonObject(text).string("epoch", room.position.epoch).number("offset", room.position.offset).end();
  payload.json("serverTime", std::to_string(room.server_time));
  if (room.mode == RoomMode::history) {
    payload.key("data");
    live_detail::put_items(text, room.items);
  } else if (room.mode == RoomMode::singleton && !room.items.empty()) {
    payload.key("data");
    live_detail::put_item(text, room.items.back());
  }
  if (!room.application_welcome.empty()) payload.json("welcome", room.application_welcome);
  if (room.members_after || chat.before != 0 || room.items.before != 0) payload.json("more", "true");
  if (room.members_after) payload.number("presenceAfter", *room.members_after);
  if (chat.before != 0) payload.number("chatBefore", chat.before);
  if (room.items.before != 0) payload.number("dataBefore", room.items.before);
  payload.end();
}

FLUX_DECL void LiveWriter::public_history(std::string& out, const features::ItemsView& items) const {
  Message message(*this, out, live::reply::public_history);
  std::string& text = message.payload();
  detail::JsonObject payload(text);
  payload.key("items");
  live_detail::put_items(text, items);
  if (items.before != 0) live_detail::put_more(payload, "before", items.before);
  payload.end();
}

FLUX_DECL void LiveWriter::notice(std::string& out, const features::Notice& notice) const {
  Message message(*this, out, notice.name);
  message.payload().append(notice.payload);
}

FLUX_DECL void LiveWriter::public_item(std::string& out, const SharedItem& item) const {
  Message message(*this, out, live::reply::public_item);
  std::string& text = message.payload();
  detail::JsonObject payload(text);
  payload.key("item");
  live_detail::put_item(text, item);
  payload.number("offset", item.offset).end();
}

FLUX_DECL void LiveWriter::public_removed(std::string& out, Offset offset) const {
  Message message(*this, out, live::reply::public_removed);
  detail::JsonObject(message.payload()).number("offset", offset).end();
}

FLUX_DECL void LiveWriter::refreshed(std::string& out, std::string_view id, std::int64_t expires_at) const {
  Message message(*this, out, live::reply::refreshed);
  if (!id.empty()) out.append(",\"id\":").append(id);
  detail::JsonObject payload(message.payload());
  if (expires_at != std::numeric_limits<std::int64_t>::max()) payload.number("expiresAt", expires_at);
  payload.end();
}

FLUX_DECL void LiveWriter::error(std::string& out, std::string_view id, const Error& error) const {
  Message message(*this, out, live::reply::error);
  if (!id.empty()) out.append(",\"id\":").append(id);
  live_detail::put_error(message.payload(), error);
}

FLUX_DECL void LiveWriter::ack(std::string& out, std::string_view id, std::string_view payload) const {
  Message message(*this, out, live::reply::ack);
  out.append(",\"id\":").append(id);
  if (!payload.empty()) message.payload().append(payload);
}

FLUX_DECL std::string live_room_payload(std::string_view room) {
  std::string text;
  detail::JsonObject(text).string("roomId", room).end();
  return text;
}

FLUX_DECL std::string live_offset_payload(Offset offset) { return "{\"offset\":" + std::to_string(offset) + "}"; }

FLUX_DECL std::string live_stored_payload(const ChatMessage& stored) {
  std::string text;
  if (stored.offset == 0) {
    detail::JsonObject(text).string("id", stored.id).json("held", "true").end();
    return text;
  }
  detail::JsonObject(text)
      .string("id", stored.id)
      .number("createdAt", stored.created_at)
      .number("offset", stored.offset)
      .end();
  return text;
}

FLUX_DECL std::string live_changed_payload(const ChatMessage& changed) {
  const bool is_deleted = changed.deleted_at != 0;
  std::string text;
  detail::JsonObject(text)
      .string("id", changed.id)
      .number("offset", changed.offset)
      .number(is_deleted ? "deletedAt" : "editedAt", is_deleted ? changed.deleted_at : changed.edited_at)
      .end();
  return text;
}

FLUX_DECL std::string live_ticket_payload(std::string_view ticket, std::int64_t expires_at) {
  std::string text;
  detail::JsonObject(text).string("ticket", ticket).number("expires", expires_at).end();
  return text;
}

FLUX_DECL std::string live_history_payload(std::string_view room, const features::ChatPage& page) {
  std::string text;
  detail::JsonObject payload(text);
  payload.string("roomId", room).key("messages");
  live_detail::put_chat(text, page.entries);
  if (page.before != 0) live_detail::put_more(payload, "before", page.before);
  payload.end();
  return text;
}

FLUX_DECL std::string live_members_payload(std::string_view room, const features::MembersPage& page) {
  std::string text;
  detail::JsonObject payload(text);
  payload.string("roomId", room).key("members");
  detail::append_json_array(text, page.members, [&](const Member& member) {
    append_entry_payload(text, {member.connection_id, &member.identity, member.presence.text()});
  });
  if (page.after) live_detail::put_more(payload, "after", *page.after);
  payload.end();
  return text;
}

FLUX_DECL std::string live_items_payload(std::string_view room, const features::ItemsPage& page) {
  std::string text;
  detail::JsonObject payload(text);
  payload.optional_string("roomId", room).key("items");
  live_detail::put_items(text, page.entries);
  if (page.before != 0) live_detail::put_more(payload, "before", page.before);
  payload.end();
  return text;
}

}  // namespace flux::protocol
