#pragma once

#include <flux/detail/core/json_scanner.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/payloads.hpp>
#include <flux/detail/endpoints/sharing/sharing_codec.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/storage/file_id.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace flux::protocol {

// --- Reading ---

namespace sharing_detail {

using Kind = JsonText::Kind;

inline constexpr std::string_view kind_names[] = {"null", "a boolean", "a number", "a string", "an array", "an object"};

FLUX_DECL std::string_view kind_name(Kind kind) { return kind_names[static_cast<std::size_t>(kind)]; }

/// The members of one object that requests know.
class Members {
 public:
  enum Name : std::size_t {
    room_id,
    capacity,
    mode,
    data,
    event,
    payload,
    message,
    metadata,
    presence,
    limit,
    before,
    after,
    reason,
    type,
    content,
    file_id,
    file_name,
    media_type,
    count
  };
  static constexpr std::array<std::string_view, count> names = {
      "roomId", "capacity", "mode",  "data",   "event", "payload", "message", "metadata", "presence",
      "limit",  "before",   "after", "reason", "type",  "content", "fileId",  "fileName", "mimeType"};
  struct Slot {
    std::string_view text;  // empty: absent
    Kind kind = Kind::null;
  };

  explicit Members(std::string_view text) : text_(text) {}

  // What the scanner calls
  bool key(std::size_t depth, std::string_view name) {
    if (depth != 1) return true;
    const auto known = std::find(names.begin(), names.end(), name);
    next_ = known == names.end() ? nullptr : &slots_[static_cast<std::size_t>(known - names.begin())];
    if (next_ != nullptr && !next_->text.empty()) twice_ = *known;
    return true;
  }
  bool open(std::size_t, Kind, std::size_t) { return true; }
  bool value(std::size_t depth, Kind kind, std::size_t begin, std::size_t end) {
    if (depth == 1 && next_ != nullptr) *std::exchange(next_, nullptr) = {text_.substr(begin, end - begin), kind};
    return true;
  }

  /// null stands for absent, as some clients write it.
  bool has(Name name) const { return !slots_[name].text.empty() && slots_[name].kind != Kind::null; }
  const Slot& operator[](Name name) const { return slots_[name]; }
  /// A member that came twice: which of them counts is not for us to choose. Empty: none.
  std::string_view twice() const { return twice_; }

 private:
  const std::string_view text_;
  std::array<Slot, count> slots_{};
  Slot* next_ = nullptr;
  std::string_view twice_;
};

/// What no request has to be longer than. Where it is, it is not scanned first: that would be a long turn of the loop.
inline std::size_t request_bytes_max(const Limits& limits) noexcept {
  constexpr std::size_t escaped = 6;      // bytes for one, at most
  constexpr std::size_t around = 65'536;  // room, names, what we do not know
  return limits.message_bytes_max + escaped * limits.chat_bytes_max + limits.metadata_bytes_max +
         limits.presence_bytes_max + around;
}

/// Reads the arguments of one request. Keeps the first error.
class Reader {
 public:
  Reader(std::span<const SocketIoValue> arguments, const Limits& limits) : arguments_(arguments), limits_(limits) {}

  Result<SharingRequest> read(SharingType type) {
    out_.type = type;
    switch (type) {
      case SharingType::public_upload: public_upload(); break;
      case SharingType::public_delete_last:
      case SharingType::public_upload_ticket: break;
      case SharingType::public_items: options(argument()); break;
      case SharingType::room_join: named_room(); break;
      case SharingType::room_history:
        named_room();
        if (arguments_.size() > 1) options(arguments_[1]);
        break;
      case SharingType::room_leave:
      case SharingType::room_upload_ticket: room_of_its_own(); break;
      case SharingType::room_members: members(); break;
      case SharingType::room_close: room_close(); break;
      case SharingType::room_chat_history: chat_history(); break;
      case SharingType::room_list: list(); break;
      case SharingType::room_create: create(); break;
      case SharingType::room_upload: upload(); break;
      case SharingType::call: call(); break;
      case SharingType::room_event: event(); break;
      case SharingType::room_chat: chat(); break;
      case SharingType::room_presence: presence(); break;
    }
    if (out_.limit == 0) out_.limit = limit_otherwise(type);
    if (error_) return *error_;
    return std::move(out_);
  }

 private:
  using Slot = Members::Slot;

  const SocketIoValue& argument() const {
    static const SocketIoValue none;
    return arguments_.empty() ? none : arguments_.front();
  }

  void fail(Errc code, std::string text) {
    if (!error_) error_.emplace(code, std::move(text));
  }
  void wrong(std::string_view name, const Slot& slot, std::string_view right) {
    const std::string what =
        slot.text.empty() || slot.kind == Kind::null ? "missing" : std::string(kind_name(slot.kind));
    fail(Errc::invalid_message, std::string(name) + " is " + what + "; it must be " + std::string(right));
  }
  void check_size(std::string_view name, std::size_t size, std::size_t most) {
    if (size <= most) return;
    fail(Errc::message_too_large, std::string(name) + " has " + std::to_string(size) + " bytes; at most " +
                                      std::to_string(most) + " are allowed");
  }

  // --- Values ---

  Members members_of(std::string_view text, Kind kind, std::string_view name) {
    Members members(text);
    check_size(name, text.size(), request_bytes_max(limits_));
    if (error_) return members;
    if (kind != Kind::object) {
      wrong(name, {text, kind}, "an object");
    } else if (const auto scanned = detail::scan_json(text, limits_.json_depth_max, members); !scanned) {
      fail(scanned.error().code(), scanned.error().message());
    }
    if (!members.twice().empty())
      fail(Errc::invalid_message, "member \"" + std::string(members.twice()) + "\" is there twice");
    return members;
  }
  /// The members of the argument, with its room.
  Members request() {
    only_json(argument());
    Members members = members_of(argument().json().text(), argument().json().kind(), "the first argument");
    out_.room = text_of(members[Members::room_id], "roomId");
    return members;
  }
  void only_json(const SocketIoValue& value) {
    if (!value.attachments().empty()) fail(Errc::invalid_message, "bytes may only be the content of a file");
  }
  /// Of what names something.
  std::string text_of(const Slot& slot, std::string_view name, std::size_t most = static_cast<std::size_t>(-1)) {
    if (slot.kind != Kind::string) {
      wrong(name, slot, "a string");
      return {};
    }
    check_size(name, slot.text.size(), request_bytes_max(limits_));
    if (error_) return {};
    return decoded(slot.text, name, most);
  }
  /// The same of text for people: half of a surrogate pair becomes U+FFFD.
  std::string people_text_of(const Slot& slot, std::string_view name, std::size_t most) {
    const auto mended = slot.kind == Kind::string ? detail::without_lone_surrogates(slot.text) : std::nullopt;
    return text_of({mended ? std::string_view(*mended) : slot.text, slot.kind}, name, most);
  }
  std::string decoded(std::string_view quoted, std::string_view name, std::size_t most) {
    auto value = detail::decode_json_string(quoted);
    if (!value) fail(Errc::invalid_message, std::string(name) + " holds a lone surrogate, which is no character");
    check_size(name, value ? value->size() : 0, most);
    return value.value_or(std::string());
  }
  std::uint64_t integer(const Members& members, Members::Name name, std::uint64_t least, std::uint64_t most) {
    const Slot& slot = members[name];
    std::uint64_t number = 0;
    const char* const last = slot.text.data() + slot.text.size();
    const auto [end, ec] = std::from_chars(slot.text.data(), last, number);
    if (slot.kind != Kind::number || ec != std::errc() || end != last || number < least || number > most) {
      const std::string what = members.has(name) ? core::shown(slot.text) : std::string("missing");
      fail(Errc::invalid_message, std::string(Members::names[name]) + " is " + what + "; it must be an integer from " +
                                      std::to_string(least) + " to " + std::to_string(most));
    }
    return number;
  }
  static JsonText json(std::string_view text) {
    auto mended = detail::without_lone_surrogates(text);
    return detail::CheckedJson::text(mended ? std::move(*mended) : std::string(text));
  }

  // --- Requests ---

  /// Of a list as it always was: chat and rooms by the hundred, else all that one answer may hold.
  static std::size_t limit_otherwise(SharingType type) {
    const bool by_the_hundred = type == SharingType::room_chat_history || type == SharingType::room_list;
    return by_the_hundred ? 100 : features::no_limit;
  }
  void named_room() { out_.room = text_of({argument().json().text(), argument().json().kind()}, "roomId"); }
  /// `{limit?, before?}`, or nothing.
  void options(const SocketIoValue& value) {
    if (value.json().kind() == Kind::null) return;
    only_json(value);
    page(members_of(value.json().text(), value.json().kind(), "the argument with options"));
  }
  void members() {
    if (argument().json().kind() == Kind::string) return room_of_its_own();
    const Members members = request();
    page(members);
    if (members.has(Members::after)) out_.after = integer(members, Members::after, 0, static_cast<std::uint64_t>(-1));
  }
  /// A room that is named by the argument itself, or by its member.
  void room_of_its_own() {
    if (argument().json().kind() == Kind::string) {
      out_.room = text_of({argument().json().text(), Kind::string}, "roomId");
    } else {
      request();
    }
  }
  void room_close() {
    if (argument().json().kind() == Kind::string) return room_of_its_own();
    const Members members = request();
    if (members.has(Members::reason))
      out_.reason = people_text_of(members[Members::reason], "reason", limits_.event_name_bytes_max);
  }
  void page(const Members& members) {
    if (members.has(Members::limit)) out_.limit = static_cast<std::size_t>(integer(members, Members::limit, 1, 1000));
    if (members.has(Members::before))
      out_.before = integer(members, Members::before, 0, static_cast<std::uint64_t>(-1));
  }
  void chat_history() {
    if (argument().json().kind() == Kind::string) return room_of_its_own();
    page(request());
  }
  void list() {
    if (argument().json().kind() == Kind::null) return;
    const Members members = members_of(argument().json().text(), argument().json().kind(), "the first argument");
    page(members);
    if (members.has(Members::after)) out_.after_room = text_of(members[Members::after], "after");
  }
  void create() {
    const Members members = request();
    out_.options.capacity = static_cast<std::size_t>(integer(members, Members::capacity, 1, limits_.room_members_max));
    const std::string mode = text_of(members[Members::mode], "mode");
    if (mode == "live") {
      out_.options.mode = RoomMode::live;
    } else if (mode == "singleton") {
      out_.options.mode = RoomMode::singleton;
    } else if (mode == "history") {
      out_.options.mode = RoomMode::history;
    } else {
      fail(Errc::invalid_message, "mode is \"" + core::shown(mode) + "\"; it must be live, singleton or history");
    }
  }
  void event() {
    const Members members = request();
    out_.event = text_of(members[Members::event], "event", limits_.event_name_bytes_max);
    if (out_.event.empty()) fail(Errc::invalid_message, "event is empty");
    const Slot& payload = members[Members::payload];
    check_size("payload", payload.text.size(), limits_.message_bytes_max);
    if (!payload.text.empty()) out_.payload = json(payload.text);
  }
  /// The method, then what is sent along.
  void call() {
    only_json(argument());
    out_.method = text_of({argument().json().text(), argument().json().kind()}, "method", limits_.event_name_bytes_max);
    if (out_.method.empty()) fail(Errc::invalid_message, "method is empty");
    if (arguments_.size() < 2) return;
    only_json(arguments_[1]);
    check_size("payload", arguments_[1].json().text().size(), limits_.message_bytes_max);
    if (!error_) out_.payload = json(arguments_[1].json().text());
  }
  void chat() {
    const Members members = request();
    out_.message = people_text_of(members[Members::message], "message", limits_.chat_bytes_max);
    if (out_.message.find('\0') != std::string::npos) fail(Errc::invalid_message, "message holds NUL");
    if (!members.has(Members::metadata)) return;
    check_size("metadata", members[Members::metadata].text.size(), limits_.metadata_bytes_max);
    out_.metadata = json(members[Members::metadata].text);
  }
  void presence() {
    const Slot presence = request()[Members::presence];
    if (presence.kind != Kind::object) return wrong("presence", presence, "an object");
    check_size("presence", presence.text.size(), limits_.presence_bytes_max);
    out_.presence = json(presence.text);
  }

  // --- TransferData ---

  void public_upload() { transfer(argument().json().text(), argument().json().kind(), "data", "/content"); }
  void upload() {
    const Members members = members_of(argument().json().text(), argument().json().kind(), "the first argument");
    out_.room = text_of(members[Members::room_id], "roomId");
    if (error_) return;
    transfer(members[Members::data].text, members[Members::data].kind, "data", "/data/content");
  }
  void transfer(std::string_view text, Kind kind, std::string_view name, std::string_view content_at) {
    const Members members = members_of(text, kind, name);
    if (error_) return;
    const std::string type = text_of(members[Members::type], "data.type");
    if (type == "file") return file(members, content_at);
    if (type != "string")
      fail(Errc::invalid_message, "data.type is \"" + core::shown(type) + "\"; it must be string or file");
    if (members[Members::content].kind != Kind::string) wrong("data.content", members[Members::content], "a string");
    only_json(argument());
    check_size("data", text.size(), limits_.message_bytes_max);
    if (!error_) out_.data.string = json(text);
  }
  void file(const Members& members, std::string_view content_at) {
    if (members.has(Members::file_id)) {
      if (members.has(Members::content))
        fail(Errc::invalid_message, "data has a content and a fileId; it must have one of them");
      only_json(argument());
      out_.data.file_id = text_of(members[Members::file_id], "data.fileId");
      if (!storage::is_file_id(out_.data.file_id)) fail(Errc::invalid_message, "data.fileId is not the id of a file");
      return;
    }
    if (!argument().attachments().empty()) out_.data.bytes = argument().bytes_at(content_at);
    if (!out_.data.bytes) wrong("data.content", members[Members::content], "bytes");
    if (argument().attachments().size() > 1) fail(Errc::invalid_message, "bytes may only be the content of a file");
    out_.data.file_name = text_of(members[Members::file_name], "data.fileName", file_name_bytes_max);
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    if (std::any_of(out_.data.file_name.begin(), out_.data.file_name.end(), control)) {
      fail(Errc::invalid_message, "data.fileName holds control characters");
    }
    if (out_.data.file_name.empty()) fail(Errc::invalid_message, "data.fileName is empty");
    out_.data.media_type = members.has(Members::media_type)
                               ? text_of(members[Members::media_type], "data.mimeType", media_type_bytes_max)
                               : std::string();
    if (out_.data.media_type.empty()) out_.data.media_type = media_type_unknown;  // as browsers have it
    const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
    if (!std::all_of(out_.data.media_type.begin(), out_.data.media_type.end(), printable)) {
      fail(Errc::invalid_message, "data.mimeType must be printable ASCII, such as image/png");
    }
  }

  const std::span<const SocketIoValue> arguments_;
  const Limits& limits_;
  SharingRequest out_;
  std::optional<Error> error_;
};

}  // namespace sharing_detail

FLUX_DECL std::optional<SharingType> sharing_type(std::string_view event) noexcept {
  for (const auto& [name, type] : sharing_types) {
    if (name == event) return type;
  }
  return std::nullopt;
}

FLUX_DECL Result<SharingRequest> read_sharing_request(SharingType type, std::span<const SocketIoValue> arguments,
                                                      const Limits& limits) {
  return sharing_detail::Reader(arguments, limits).read(type);
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
  if (!message) return;  // never: the names are ours, and no argument has bytes
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
  put(out, "room:chat", std::move(payload));
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
