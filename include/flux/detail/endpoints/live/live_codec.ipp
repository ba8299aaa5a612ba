#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/core/json_scanner.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/live/live_codec.hpp>
#include <flux/detail/endpoints/payloads.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/transport/websocket_frame.hpp>

#include <array>
#include <charconv>

namespace flux::protocol {

// --- Reading ---

namespace live_detail {

/// Members of payloads that some type knows.
enum Field : std::size_t {
  room_id,
  presence,
  access_token,
  name,
  email,
  event,
  payload,
  message,
  metadata,
  mode,
  capacity,
  data,
  limit,
  before,
  after,
  changes,
  method,
  field_count
};
inline constexpr std::array<std::string_view, field_count> field_names = {
    "roomId", "presence", "accessToken", "name",  "email",  "event", "payload", "message", "metadata",
    "mode",   "capacity", "data",        "limit", "before", "after", "changes", "method"};

struct Slot {
  std::string_view text;  // empty: absent
  JsonText::Kind kind = JsonText::Kind::null;
};

/// Collects the envelope's members and those of its payload.
class EnvelopeVisitor {
 public:
  explicit EnvelopeVisitor(std::string_view text) : text_(text) {}

  bool key(std::size_t depth, std::string_view name) {
    slot_ = nullptr;
    if (depth == 1) {
      in_payload_ = name == "payload";
      slot_ = name == "type" ? &type : name == "id" ? &id : in_payload_ ? &payload_slot : nullptr;
    } else if (depth == 2 && in_payload_ && payload_slot.kind == JsonText::Kind::object) {
      for (std::size_t i = 0; i < field_count; ++i) {
        if (name == field_names[i]) slot_ = &fields[i];
      }
    } else {
      return true;
    }
    if (slot_ != nullptr && !slot_->text.empty() && duplicate.empty()) duplicate = name;
    at_[depth] = slot_;
    return true;
  }
  bool open(std::size_t depth, JsonText::Kind kind, std::size_t begin) {
    if (depth == 0) root = kind;
    if (depth == 1 && at_[1] == &payload_slot) {
      payload_slot = {text_.substr(begin, 1), kind};
    }
    if (depth == 1) at_[2] = nullptr;
    return true;
  }
  bool value(std::size_t depth, JsonText::Kind kind, std::size_t begin, std::size_t end) {
    if (depth == 0) root = kind;
    if (depth != 1 && depth != 2) return true;
    if (Slot* slot = at_[depth]) *slot = {text_.substr(begin, end - begin), kind};
    at_[depth] = nullptr;
    return true;
  }

  JsonText::Kind root = JsonText::Kind::null;
  Slot type, id, payload_slot;
  std::array<Slot, field_count> fields{};
  std::string duplicate;

 private:
  std::string_view text_;
  Slot* slot_ = nullptr;
  std::array<Slot*, 3> at_{};  // where the value that comes next at this depth belongs
  bool in_payload_ = false;
};

inline constexpr std::string_view kind_names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};

/// Reads the members that a type asks for; keeps the first error.
class Fields {
 public:
  /// `text`: what `seen` has seen. `mended`: the same without halves of surrogate pairs; null: it had none.
  Fields(const EnvelopeVisitor& seen, std::string_view text, const std::string* mended, const Limits& limits)
      : seen_(seen), text_(text), mended_(mended), limits_(limits) {}

  /// A name: a string that must stand for text as it is.
  std::optional<std::string> name(Field field, std::size_t bytes_max) {
    const Slot& slot = seen_.fields[field];
    if (absent(slot) || !of_kind(field, JsonText::Kind::string)) return std::nullopt;
    return decoded(field, slot.text, bytes_max);
  }
  std::string required_name(Field field, std::size_t bytes_max) {
    if (missing(field)) return {};
    return name(field, bytes_max).value_or(std::string());
  }
  /// Text for people: half of a surrogate pair becomes U+FFFD.
  std::optional<std::string> text(Field field, std::size_t bytes_max) {
    const Slot& slot = seen_.fields[field];
    if (absent(slot) || !of_kind(field, JsonText::Kind::string)) return std::nullopt;
    return decoded(field, relayed(slot.text), bytes_max);
  }
  std::string required_text(Field field, std::size_t bytes_max) {
    if (missing(field)) return {};
    return text(field, bytes_max).value_or(std::string());
  }
  // What is relayed as JSON.
  std::string_view object(Field field, std::size_t bytes_max) {
    if (absent(seen_.fields[field]) || !of_kind(field, JsonText::Kind::object)) return {};
    return any(field, bytes_max);
  }
  std::string_view any(Field field, std::size_t bytes_max) {
    const std::string_view value = seen_.fields[field].text;
    if (value.size() > bytes_max) too_large(field, value.size(), bytes_max);
    return relayed(value);
  }
  std::uint64_t integer(Field field, std::uint64_t otherwise, std::uint64_t least, std::uint64_t most) {
    const Slot& slot = seen_.fields[field];
    if (absent(slot)) return otherwise;
    std::uint64_t number = 0;
    const auto [end, ec] = std::from_chars(slot.text.data(), slot.text.data() + slot.text.size(), number);
    if (slot.kind != JsonText::Kind::number || ec != std::errc() || end != slot.text.data() + slot.text.size() ||
        number < least || number > most) {
      fail(Errc::invalid_message, std::string(field_names[field]) + " is " + core::shown(slot.text) +
                                      "; it must be an integer from " + std::to_string(least) + " to " +
                                      std::to_string(most));
      return otherwise;
    }
    return number;
  }
  bool boolean(Field field) {
    const Slot& slot = seen_.fields[field];
    return !absent(slot) && of_kind(field, JsonText::Kind::boolean) && slot.text == "true";
  }
  bool missing(Field field) {
    if (!absent(seen_.fields[field])) return false;
    fail(Errc::invalid_message, std::string(field_names[field]) + " is missing");
    return true;
  }
  void fail(Errc code, std::string what) {
    if (!error_) error_.emplace(code, std::move(what));
  }
  const std::optional<Error>& error() const { return error_; }
  const Limits& limits() const { return limits_; }

 private:
  /// null stands for absent, as some clients write it.
  static bool absent(const Slot& slot) { return slot.text.empty() || slot.kind == JsonText::Kind::null; }
  bool of_kind(Field field, JsonText::Kind kind) {
    const Slot& slot = seen_.fields[field];
    if (slot.kind == kind) return true;
    fail(Errc::invalid_message, std::string(field_names[field]) + " is " +
                                    std::string(kind_names[static_cast<std::size_t>(slot.kind)]) + "; it must be " +
                                    std::string(kind_names[static_cast<std::size_t>(kind)]));
    return false;
  }
  std::string_view relayed(std::string_view value) const {
    if (mended_ == nullptr || value.empty()) return value;
    return std::string_view(*mended_).substr(static_cast<std::size_t>(value.data() - text_.data()), value.size());
  }
  std::optional<std::string> decoded(Field field, std::string_view quoted, std::size_t bytes_max) {
    auto value = detail::decode_json_string(quoted);
    if (!value) {
      fail(Errc::invalid_message, std::string(field_names[field]) + " holds a lone surrogate, which is no character");
    } else if (value->size() > bytes_max) {
      too_large(field, value->size(), bytes_max);
    }
    return value;
  }
  void too_large(Field field, std::size_t size, std::size_t bytes_max) {
    fail(Errc::message_too_large, std::string(field_names[field]) + " has " + std::to_string(size) +
                                      " bytes; at most " + std::to_string(bytes_max) + " are allowed");
  }

  const EnvelopeVisitor& seen_;
  const std::string_view text_;
  const std::string* const mended_;
  const Limits& limits_;
  std::optional<Error> error_;
};

FLUX_DECL std::optional<LiveType> type_of(std::string_view name) {
  for (const auto& [known, type] : live_types) {
    if (known == name) return type;
  }
  return std::nullopt;
}

FLUX_DECL void read_mode(Fields& fields, LiveRequest& out) {
  const std::string mode_name = fields.required_name(mode, 64);
  if (mode_name == "live") {
    out.room_options.mode = RoomMode::live;
  } else if (mode_name == "singleton") {
    out.room_options.mode = RoomMode::singleton;
  } else if (mode_name == "history") {
    out.room_options.mode = RoomMode::history;
  } else {
    fields.fail(Errc::invalid_message,
                "mode is \"" + core::shown(mode_name) + "\"; it must be live, singleton or history");
  }
}

/// `{type: "string", content}` or `{type: "file", fileId}`
FLUX_DECL void read_data(Fields& fields, LiveRequest& out) {
  if (fields.missing(data)) return;
  out.data = fields.object(data, fields.limits().message_bytes_max);
  if (out.data.empty()) return;
  const JsonText object = detail::CheckedJson::text(std::string(out.data));
  const auto kind = object.get<std::string>("/type");
  if (kind == "file") {
    out.file_id = object.get<std::string>("/fileId").value_or(std::string());
    if (out.file_id.empty())
      fields.fail(Errc::invalid_message, "data.fileId must be the id of a file that was put up before");
    return;
  }
  if (kind != "string") {
    return fields.fail(Errc::invalid_message, "data.type must be \"string\" or \"file\"");
  }
  if (!object.get<std::string>("/content")) fields.fail(Errc::invalid_message, "data.content must be a string");
}

FLUX_DECL void read_page(Fields& fields, LiveRequest& out, std::size_t limit_otherwise) {
  constexpr auto any = static_cast<std::uint64_t>(-1);
  out.limit = static_cast<std::size_t>(fields.integer(limit, limit_otherwise, 1, 1000));
  out.before = fields.integer(before, 0, 0, any);
  out.after = fields.integer(after, 0, 0, any);
}

FLUX_DECL void read_fields(Fields& fields, LiveRequest& out) {
  const Limits& limits = fields.limits();
  constexpr std::size_t any_size = static_cast<std::size_t>(-1);  // what uses it checks it
  out.room_id = fields.name(room_id, any_size);
  switch (out.type) {
    case LiveType::join_room:
      fields.missing(room_id);
      out.presence = fields.object(presence, limits.presence_bytes_max);
      out.access_token = fields.name(access_token, limits.head_bytes_max);
      out.name = fields.text(name, limits.identity_field_bytes_max);
      out.email = fields.name(email, limits.identity_field_bytes_max);
      break;
    case LiveType::update_presence:
      fields.missing(presence);
      out.presence = fields.object(presence, limits.presence_bytes_max);
      break;
    case LiveType::broadcast_event:
      out.event = fields.required_name(event, limits.event_name_bytes_max);
      if (out.event.empty()) fields.fail(Errc::invalid_message, "event is empty");
      out.payload = fields.any(payload, any_size);
      break;
    case LiveType::call:
      out.method = fields.required_name(method, limits.event_name_bytes_max);
      if (out.method.empty()) fields.fail(Errc::invalid_message, "method is empty");
      out.payload = fields.any(payload, any_size);
      break;
    case LiveType::send_chat:
      out.message = fields.required_text(message, limits.chat_bytes_max);
      if (out.message.find('\0') != std::string::npos) fields.fail(Errc::invalid_message, "message holds NUL");
      out.metadata = fields.any(metadata, limits.metadata_bytes_max);
      if (out.metadata == "null") out.metadata = {};
      break;
    case LiveType::create_room:
      fields.missing(room_id);
      read_mode(fields, out);
      out.room_options.capacity = static_cast<std::size_t>(fields.integer(capacity, 0, 1, limits.room_members_max));
      break;
    case LiveType::share:
    case LiveType::public_share: read_data(fields, out); break;
    case LiveType::get_history: read_page(fields, out, 100); break;
    case LiveType::public_history: out.changes = fields.boolean(changes); [[fallthrough]];
    case LiveType::get_presence:
    case LiveType::room_items: read_page(fields, out, features::no_limit); break;
    case LiveType::leave_room:
    case LiveType::upload_ticket:
    case LiveType::public_upload_ticket:
    case LiveType::public_delete_last: break;
  }
  const bool is_page = out.limit != 0;
  const bool answers_only = is_page || out.type == LiveType::call || out.type == LiveType::upload_ticket ||
                            out.type == LiveType::public_upload_ticket;
  if (answers_only && out.id.empty()) fields.fail(Errc::invalid_message, "id is missing: the answer is an ack");
}

}  // namespace live_detail

FLUX_DECL Result<void> read_live_request(std::string_view text, const Limits& limits, LiveRequest& out) {
  using Kind = JsonText::Kind;
  if (auto mended = detail::without_lone_surrogates(text)) {
    out.mended = std::make_shared<const std::string>(std::move(*mended));
  }
  live_detail::EnvelopeVisitor seen(text);
  const auto scanned = detail::scan_json(out.mended ? std::string_view(*out.mended) : text, limits.json_depth_max, seen,
                                         detail::LoneSurrogates::refused);
  // What was read before a fault counts: the client may await an answer to this id.
  const bool has_id = !seen.id.text.empty() && seen.id.kind != Kind::null;
  const bool is_id = (seen.id.kind == Kind::string || seen.id.kind == Kind::number) &&
                     seen.id.text.size() <= limits.message_id_bytes_max;
  if (has_id && is_id) out.id = seen.id.text;
  if (!scanned) return scanned.error();
  if (seen.root != Kind::object) {
    return Error(Errc::invalid_message, "a message must be an object {\"type\", \"payload\"}; this is " +
                                            std::string(live_detail::kind_names[static_cast<std::size_t>(seen.root)]));
  }
  if (has_id && !is_id) {
    return Error(Errc::invalid_message, "id must be a string or a number of at most " +
                                            std::to_string(limits.message_id_bytes_max) + " bytes");
  }
  if (has_id && detail::without_lone_surrogates(seen.id.text)) {
    return Error(Errc::invalid_message, "id holds a lone surrogate, which is no character");
  }
  if (!seen.duplicate.empty()) return Error(Errc::invalid_message, "member \"" + seen.duplicate + "\" is there twice");
  if (seen.type.text.empty()) return Error(Errc::invalid_message, "type is missing");
  if (seen.type.kind != Kind::string) return Error(Errc::invalid_message, "type must be a string");
  const auto type = live_detail::type_of(detail::decode_json_string(seen.type.text).value_or(std::string()));
  if (!type) return Error(Errc::unknown_type, "unknown type " + core::shown(seen.type.text));
  if (!seen.payload_slot.text.empty() && seen.payload_slot.kind != Kind::object &&
      seen.payload_slot.kind != Kind::null) {
    return Error(Errc::invalid_message, "payload must be an object");
  }
  out.type = *type;
  live_detail::Fields fields(seen, text, out.mended.get(), limits);
  live_detail::read_fields(fields, out);
  if (fields.error()) return *fields.error();
  return {};
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
  detail::JsonObject(out).string("code", to_wire_name(error.code())).string("message", error.message()).end();
}

FLUX_DECL void put_chat(std::string& out, const std::vector<ChatMessage>& messages) {
  detail::append_json_array(out, messages, [&](const ChatMessage& stored) { append_chat_payload(out, stored); });
}

/// `name`: of what the next request goes on with.
FLUX_DECL void put_more(detail::JsonObject& payload, std::string_view name, std::uint64_t value) {
  payload.json("more", "true").number(name, value);
}

}  // namespace live_detail

/// One message in a frame of its own. The header's size depends on what is not written yet: room is left for the usual
/// one, and mended at the end.
class LiveWriter::Message {
 public:
  Message(const LiveWriter& writer, std::string& out, std::string_view type)
      : writer_(writer), out_(out), start_(out.size()) {
    out_.append(header_room, '\0');
    out_ += "{\"type\":\"";
    out_ += type;
    out_ += '"';
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() {
    out_ += '}';
    const std::size_t payload = start_ + header_room;
    bool compressed = false;
    if (writer_.compressor_ && out_.size() - payload >= writer_.compressor_->bytes_min) {
      std::string smaller;
      const std::lock_guard lock(writer_.compressor_->mutex);
      compressed = writer_.compressor_->deflater.compress(std::string_view(out_).substr(payload), smaller);
      if (compressed) out_.replace(payload, std::string::npos, smaller);
    }
    char header[transport::frame_header_bytes_max];
    const std::size_t size =
        transport::write_frame_header(header, transport::Opcode::text, out_.size() - payload, compressed);
    out_.replace(start_, header_room, header, size);
  }

  /// `,"payload":`; the caller appends the value.
  std::string& payload() {
    out_ += ",\"payload\":";
    return out_;
  }

 private:
  static constexpr std::size_t header_room = 4;
  const LiveWriter& writer_;
  std::string& out_;
  const std::size_t start_;
};

FLUX_DECL LiveWriter::LiveWriter(const DeflateOptions* deflate, int window_bits) {
  if (deflate != nullptr) compressor_ = std::make_unique<Compressor>(*deflate, window_bits);
}

FLUX_DECL void LiveWriter::event(std::string& out, const features::EventNotice& notice) const {
  Message message(*this, out, live::reply::broadcast_event);
  append_event_payload(message.payload(), notice);
}

FLUX_DECL void LiveWriter::chat(std::string& out, const ChatMessage& stored) const {
  Message message(*this, out, live::reply::chat_message);
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
    members.key(entry.connection_id);  // 13 plain characters
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
  if (room.mode == RoomMode::history) {
    payload.key("data");
    live_detail::put_items(text, room.items);
  } else if (room.mode == RoomMode::singleton && !room.items.empty()) {
    payload.key("data");
    live_detail::put_item(text, room.items.back());
  }
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
