#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/payloads.hpp>
#include <flux/detail/endpoints/sharing/sharing_codec.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/storage/file_id.hpp>

#include <algorithm>
#include <utility>

namespace flux::protocol {

// --- Reading ---

namespace sharing_detail {

using Kind = JsonText::Kind;

/// No valid request needs more bytes. A longer one is refused without scanning it, which would make a long turn of the
/// loop.
inline std::size_t request_bytes_max(const Limits& limits) noexcept {
  constexpr std::size_t escaped = 6;      // at most this many bytes for one
  constexpr std::size_t around = 65'536;  // room, names, unknown members
  return limits.message_bytes_max + escaped * limits.chat_bytes_max + limits.metadata_bytes_max +
         limits.presence_bytes_max + around;
}

FLUX_DECL Error too_large(std::string_view name, std::size_t bytes, std::size_t most) {
  return {Errc::message_too_large, std::string(name) + " has " + std::to_string(bytes) + " bytes; at most " +
                                       std::to_string(most) + " are allowed"};
}
FLUX_DECL Error bytes_elsewhere() { return {Errc::invalid_message, "bytes may only be the content of a file"}; }

/// Collects the members of one request from its arguments.
class ArgumentReader {
 public:
  ArgumentReader(const core::RequestShape& shape, std::span<const SocketIoValue> arguments, const Limits& limits,
                 core::Members& members)
      : shape_(shape), arguments_(arguments), limits_(limits), members_(members) {}

  Result<void> collect(SharingArguments layout) {
    switch (layout) {
      case SharingArguments::values: return values(shape_.members.size());
      case SharingArguments::object: return object(0, "the first argument");
      case SharingArguments::options: return options(0);
      case SharingArguments::name_or_object:
        return argument(0).json().kind() == Kind::string ? values(1) : object(0, "the first argument");
      case SharingArguments::name_then_options:
        if (auto named = values(1); !named) return named;
        return options(1);
    }
    return {};
  }

 private:
  const SocketIoValue& argument(std::size_t index) const {
    static const SocketIoValue none;
    return index < arguments_.size() ? arguments_[index] : none;
  }
  /// Each of the first `count` members is an argument.
  Result<void> values(std::size_t count) {
    for (std::size_t i = 0; i < count && i < arguments_.size() && !shape_.members[i].name.empty(); ++i) {
      if (auto taken = take(i, shape_.members[i].name); !taken) return taken;
      members_.whole(i, arguments_[i].json().kind());
    }
    return {};
  }
  Result<void> options(std::size_t index) {
    if (argument(index).json().kind() == Kind::null) return {};
    return object(index, "the argument with options");
  }
  Result<void> object(std::size_t index, std::string_view name) {
    if (auto taken = take(index, name); !taken) return taken;
    const Kind kind = argument(index).json().kind();
    if (kind != Kind::object) return core::wrong_kind(name, kind, "an object");
    return members_.scan(limits_.json_depth_max);
  }
  Result<void> take(std::size_t index, std::string_view name) {
    const SocketIoValue& value = argument(index);
    const bool takes_bytes = std::any_of(shape_.members.begin(), shape_.members.end(), [](const core::Member& member) {
      return member.kind == core::Member::Kind::nested;
    });
    if (!takes_bytes && !value.attachments().empty()) return bytes_elsewhere();
    const std::string_view text = value.json().text();
    if (text.size() > request_bytes_max(limits_)) return too_large(name, text.size(), request_bytes_max(limits_));
    members_.from(text);
    return {};
  }

  const core::RequestShape& shape_;
  const std::span<const SocketIoValue> arguments_;
  const Limits& limits_;
  core::Members& members_;
};

}  // namespace sharing_detail

FLUX_DECL Result<SharingRequest> read_sharing_request(const core::RequestShape& shape, SharingArguments layout,
                                                      std::span<const SocketIoValue> arguments, const Limits& limits) {
  SharingRequest out;
  out.arguments = arguments;
  out.members.declare(shape.members);
  sharing_detail::ArgumentReader reader(shape, arguments, limits, out.members);
  if (const auto collected = reader.collect(layout); !collected) return collected.error();
  if (const auto read = out.members.read(limits); !read) return read.error();
  return out;
}

// --- TransferData ---

namespace sharing_detail {

FLUX_DECL std::string file_name_fault(const core::MemberValue& value) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (std::any_of(value.text.begin(), value.text.end(), control)) return " contains control characters";
  return value.text.empty() ? " is empty" : "";
}
FLUX_DECL std::string media_type_fault(const core::MemberValue& value) {
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  const bool is_printable = std::all_of(value.text.begin(), value.text.end(), printable);
  return is_printable ? "" : " must be printable ASCII, such as image/png";
}
FLUX_DECL std::string file_id_fault(const core::MemberValue& value) {
  return storage::is_file_id(value.text) ? "" : " is not the id of a file";
}

using core::Member;
inline constexpr std::array<Member, core::members_max> transfer_members = {
    Member{"type", Member::Kind::name}.required(), Member{"content", Member::Kind::any},
    Member{"fileId", Member::Kind::name, nullptr, file_id_fault},
    Member{"fileName", Member::Kind::name, nullptr, file_name_fault, 0, file_name_bytes_max}.required(),
    Member{"mimeType", Member::Kind::name, nullptr, media_type_fault, 0, media_type_bytes_max}};

FLUX_DECL Result<TransferData> read_string(const core::Members& data, std::string_view text,
                                           const SocketIoValue& argument, const Limits& limits) {
  const core::MemberValue& content = data["content"];
  if (content.kind != Kind::string) return core::wrong_kind("data.content", content.kind, "a string");
  if (!argument.attachments().empty()) return bytes_elsewhere();
  if (text.size() > limits.message_bytes_max) return too_large("data", text.size(), limits.message_bytes_max);
  return TransferData{detail::CheckedJson::text(std::string(text)), {}, nullptr, {}, {}};
}

FLUX_DECL Result<TransferData> read_file_id(core::Members& data, const SocketIoValue& argument, const Limits& limits) {
  if (data["content"].kind != Kind::null) {
    return Error(Errc::invalid_message, "data has a content and a fileId; it must have one of them");
  }
  if (!argument.attachments().empty()) return bytes_elsewhere();
  if (const auto read = data.read("fileId", limits); !read) return read.error();
  return TransferData{{}, data.text("fileId"), nullptr, {}, {}};
}

FLUX_DECL Result<TransferData> read_file(core::Members& data, const SocketIoValue& argument,
                                         std::string_view content_at, const Limits& limits) {
  SharedBytes bytes = argument.attachments().empty() ? nullptr : argument.bytes_at(content_at);
  if (!bytes) return core::wrong_kind("data.content", data["content"].kind, "bytes");
  if (argument.attachments().size() > 1) return bytes_elsewhere();
  for (const std::string_view name : {"fileName", "mimeType"}) {
    if (const auto read = data.read(name, limits); !read) return read.error();
  }
  std::string type = data.text("mimeType");
  if (type.empty()) type = media_type_unknown;  // as in browsers
  return TransferData{{}, {}, std::move(bytes), data.text("fileName"), std::move(type)};
}

}  // namespace sharing_detail

FLUX_DECL Result<TransferData> read_transfer(const SharingRequest& request, const Limits& limits) {
  const SocketIoValue& argument = request.arguments.front();
  const std::string_view as_it_came = request.members["data"].json;
  const bool is_whole = as_it_came.size() == argument.json().text().size();
  core::Members data("data.");
  data.declare(sharing_detail::transfer_members);
  const std::string_view text = data.from(as_it_came);
  if (const auto scanned = data.scan(limits.json_depth_max); !scanned) return scanned.error();
  if (const auto read = data.read("type", limits); !read) return read.error();
  const std::string& type = data.text("type");
  if (type == "string") return sharing_detail::read_string(data, text, argument, limits);
  if (type != "file") {
    return Error(Errc::invalid_message, "data.type is \"" + core::shown(type) + "\"; it must be string or file");
  }
  if (data["fileId"].kind != JsonText::Kind::null) return sharing_detail::read_file_id(data, argument, limits);
  return sharing_detail::read_file(data, argument, is_whole ? "/content" : "/data/content", limits);
}

// --- Writing ---

namespace sharing_detail {

template <class List, class Put>
std::string array_of(const List& list, const Put& put) {
  std::string out = "[";
  for (const auto& element : list) {
    if (out.size() > 1) out += ',';
    put(out, element);
  }
  out += ']';
  return out;
}

FLUX_DECL void put_data(std::string& out, const SharedItem& item) { out += item.data.text(); }

}  // namespace sharing_detail

FLUX_DECL void SharingWriter::put(std::string& out, std::string_view event,
                                  std::span<const SocketIoValue> arguments) const {
  const auto message = encode_socketio_event("/", event, arguments);
  if (!message) return;  // never fails: the names are ours, and no argument has bytes
  if (form_ == Form::polling) {
    out += (*message)->polling();
  } else {
    (*message)->append_websocket(out);
  }
}

FLUX_DECL void SharingWriter::put(std::string& out, std::string_view event, std::string payload) const {
  const SocketIoValue argument = detail::CheckedJson::text(std::move(payload));
  put(out, event, {&argument, 1});
}

FLUX_DECL void SharingWriter::event(std::string& out, const features::EventNotice& notice) const {
  std::string payload;
  append_event_payload(payload, notice);
  put(out, "room:event", std::move(payload));
}

FLUX_DECL void SharingWriter::chat(std::string& out, const ChatMessage& stored) const {
  std::string payload;
  append_chat_payload(payload, stored);
  const char* const event = stored.deleted_at != 0  ? "room:chatDeleted"
                            : stored.edited_at != 0 ? "room:chatEdited"
                                                    : "room:chat";
  put(out, event, std::move(payload));
}

FLUX_DECL void SharingWriter::data(std::string& out, std::string_view room, const SharedItem& item) const {
  const SocketIoValue arguments[] = {item.data, JsonText::string(room)};
  put(out, "room:data", arguments);
}

FLUX_DECL void SharingWriter::presence(std::string& out, const features::PresenceNotice& notice) const {
  std::string payload;
  append_presence_payload(payload, notice);
  put(out, "room:presence", std::move(payload));
}

FLUX_DECL void SharingWriter::closed(std::string& out, std::string_view room, std::string_view reason) const {
  std::string payload;
  append_closed_payload(payload, room, reason);
  put(out, "room:closed", std::move(payload));
}

FLUX_DECL void SharingWriter::public_history(std::string& out, const features::ItemsView& items) const {
  put(out, "public:history", sharing_items(items));
}

FLUX_DECL void SharingWriter::notice(std::string& out, const features::Notice& notice) const {
  put(out, notice.name, std::string(notice.payload));
}

FLUX_DECL SharingAnswer::SharingAnswer(bool success, std::string_view message)
    : text_(success ? "{\"success\":true" : "{\"success\":false") {
  string("message", message);
}

FLUX_DECL SharingAnswer& SharingAnswer::string(std::string_view name, std::string_view value) {
  return json(name, JsonText::string(value).text());
}

FLUX_DECL SharingAnswer& SharingAnswer::json(std::string_view name, std::string_view text) {
  text_.append(",\"").append(name).append("\":").append(text);
  return *this;
}

FLUX_DECL SharingAnswer& SharingAnswer::more_before(Offset before) {
  return before == 0 ? *this : json("more", "true").json("before", std::to_string(before));
}

FLUX_DECL SharingAnswer& SharingAnswer::more_after(std::string_view after) {
  return json("more", "true").json("after", after);
}

FLUX_DECL JsonText SharingAnswer::take() { return detail::CheckedJson::text(std::move(text_) + "}"); }

FLUX_DECL std::string sharing_items(const std::vector<SharedItem>& items) {
  return sharing_detail::array_of(items, sharing_detail::put_data);
}

FLUX_DECL std::string sharing_items(const features::ItemsView& items) {
  return sharing_detail::array_of(items, sharing_detail::put_data);
}

FLUX_DECL std::size_t sharing_room_bytes(const RoomInfo& room) noexcept {
  constexpr std::size_t around = 100;  // names, mode, numbers
  return detail::json_string_size(room.id) + around;
}

FLUX_DECL std::string sharing_rooms(std::span<const RoomInfo> rooms) {
  return sharing_detail::array_of(rooms, [](std::string& out, const RoomInfo& room) {
    out += "{\"roomId\":" + JsonText::string(room.id).text() + ",\"mode\":\"" + std::string(to_string(room.mode)) +
           "\",\"capacity\":" + std::to_string(room.capacity) + ",\"members\":" + std::to_string(room.members) + "}";
  });
}

FLUX_DECL std::string sharing_members(const std::vector<Member>& members) {
  return sharing_detail::array_of(members, [](std::string& out, const Member& member) {
    append_entry_payload(out, {member.connection_id, &member.identity, member.presence.text()});
  });
}

FLUX_DECL std::string sharing_chat(const std::vector<ChatMessage>& messages) {
  return sharing_detail::array_of(messages, append_chat_payload);
}

}  // namespace flux::protocol
