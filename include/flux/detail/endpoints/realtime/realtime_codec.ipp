#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/endpoints/message_id.hpp>
#include <flux/detail/endpoints/realtime/realtime_codec.hpp>
#include <flux/detail/mode.hpp>

#include <limits>

namespace flux::protocol {

// --- Reading ---

namespace realtime_detail {

using Kind = JsonText::Kind;

inline constexpr core::RequestShape refresh_shape{
    "refresh", {core::Member{"accessToken", core::Member::Kind::name, &Limits::head_bytes_max}.required()}};
inline constexpr core::RequestShape ping_shape{"ping"};

/// Null: there is no such type.
FLUX_DECL const core::RequestShape* find_type(std::string_view name, const features::RequestTable& table,
                                              RealtimeRequest& out) {
  if (name == ping_shape.name) {
    out.type = RealtimeRequest::Type::ping;
    return &ping_shape;
  }
  if (name == refresh_shape.name) {
    out.type = RealtimeRequest::Type::refresh;
    return &refresh_shape;
  }
  out.channel = table.request(std::string(channel_prefix).append(name));
  return out.channel;
}

/// Finds the type and the id of a message, and collects the members of its type that follow it.
class EnvelopeVisitor {
 public:
  EnvelopeVisitor(std::string_view text, const features::RequestTable& table, RealtimeRequest& out)
      : text_(text), table_(table), out_(out) {}

  bool key(std::size_t depth, std::string_view name) {
    if (depth != 1) return true;
    next_ = name == "type" ? &type : name == "id" ? &id : nullptr;
    if (next_ != nullptr) {
      if (!next_->text.empty()) twice = next_ == &type ? "type" : "id";
    } else if (shape != nullptr) {
      out_.members.key(name);
    } else {
      is_late = true;
    }
    return true;
  }
  bool open(std::size_t, Kind, std::size_t) { return true; }
  bool value(std::size_t depth, Kind kind, std::size_t begin, std::size_t end) {
    if (depth == 0) root = kind;
    if (depth != 1) return true;
    if (next_ == nullptr) {
      out_.members.value(kind, begin, end);
      return true;
    }
    *next_ = {text_.substr(begin, end - begin), kind};
    if (next_ == &type && shape == nullptr && kind == Kind::string) find_type();
    return true;
  }

  Kind root = Kind::null;
  MessageMember type{}, id{};
  const core::RequestShape* shape = nullptr;  // null: the type is unknown, or not known yet
  bool is_late = false;                       // a member precedes the type
  std::string_view twice{};                   // a duplicate member; empty: none

 private:
  void find_type() {
    const auto name = detail::decode_json_string(type.text);
    shape = name ? realtime_detail::find_type(*name, table_, out_) : nullptr;
    if (shape != nullptr) out_.members.declare(shape->members);
  }

  const std::string_view text_;
  const features::RequestTable& table_;
  RealtimeRequest& out_;
  MessageMember* next_ = nullptr;  // where the next value goes; null: into the members
};

}  // namespace realtime_detail

FLUX_DECL Result<void> read_realtime_request(std::string_view text, const Limits& limits,
                                             const features::RequestTable& table, RealtimeRequest& out) {
  using Kind = JsonText::Kind;
  realtime_detail::EnvelopeVisitor seen(text, table, out);
  auto scanned =
      detail::scan_json(out.members.from(text), limits.json_depth_max, seen, detail::LoneSurrogates::refused);
  // The id counts even if there is a fault behind it: the client may be waiting for an answer with this id.
  auto id = read_message_id(seen.id, limits.message_id_bytes_max, out.id);
  if (!scanned) return scanned;
  if (seen.root != Kind::object) {
    return Error(Errc::invalid_message,
                 "a message must be an object {\"type\", …}; this is " + std::string(core::kind_name(seen.root)));
  }
  if (!seen.twice.empty()) {
    return Error(Errc::invalid_message, "member \"" + std::string(seen.twice) + "\" appears twice");
  }
  if (seen.type.text.empty()) return Error(Errc::invalid_message, "type is missing");
  if (seen.type.kind != Kind::string) return Error(Errc::invalid_message, "type must be a string");
  if (!id) return id;
  if (seen.shape == nullptr) return Error(Errc::unknown_type, "unknown type " + core::shown(seen.type.text));
  if (seen.is_late) {
    out.members.forget();
    if (auto read = out.members.scan(limits.json_depth_max); !read) return read;
  }
  if (auto read = out.members.read(limits); !read) return read;
  if (!seen.shape->only_answers || !out.id.empty()) return {};
  return Error(Errc::invalid_message, "id is missing: the answer is an ack");
}

// --- Writing ---

namespace realtime_detail {

class Message {
 public:
  Message(std::string& out, std::string_view type) : out_(out) {
    out_.append("{\"type\":\"").append(type).append(1, '"');
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() { out_ += '}'; }

  Message& id(std::string_view id) {
    if (!id.empty()) out_.append(",\"id\":").append(id);
    return *this;
  }
  /// The members of an object; none if it is anything else.
  Message& members(std::string_view object) {
    if (object.size() > 2 && object.front() == '{') out_.append(1, ',').append(object.substr(1, object.size() - 2));
    return *this;
  }
  Message& timestamp(std::int64_t now) {
    out_.append(",\"timestamp\":").append(std::to_string(now));
    return *this;
  }

 private:
  std::string& out_;
};

}  // namespace realtime_detail

FLUX_DECL void append_realtime_notice(std::string& out, const features::Notice& notice, std::int64_t now) {
  std::string_view type = notice.name;
  if (type.starts_with(channel_prefix)) type.remove_prefix(channel_prefix.size());
  realtime_detail::Message message(out, type);
  message.members(notice.payload);
  if (type != "publish") message.timestamp(now);  // a publication has its own
}

FLUX_DECL void append_realtime_event(std::string& out, std::string_view event, std::string_view payload,
                                     std::int64_t now) {
  std::string members;
  detail::JsonObject(members).string("event", event).json("data", payload).end();
  realtime_detail::Message(out, "event").members(members).timestamp(now);
}

FLUX_DECL void append_realtime_error_object(std::string& out, const Error& error) {
  detail::JsonObject object(out);
  object.string("code", to_wire_name(error.code())).string("error", error.message());
  if (const auto time = error.retry_after().count(); time > 0) {
    object.number("retryAfter", static_cast<std::uint64_t>(time));
  }
  object.end();
}

FLUX_DECL void append_realtime_error(std::string& out, std::string_view id, const Error& error, std::int64_t now) {
  std::string members;
  append_realtime_error_object(members, error);
  realtime_detail::Message(out, "error").id(id).members(members).timestamp(now);
}

FLUX_DECL void append_realtime_reply(std::string& out, std::string_view type, std::string_view id,
                                     std::string_view payload, std::int64_t now) {
  realtime_detail::Message(out, type).id(id).members(payload).timestamp(now);
}

FLUX_DECL std::string refreshed_payload(std::int64_t expires_at) {
  std::string payload;
  detail::JsonObject object(payload);
  if (expires_at != std::numeric_limits<std::int64_t>::max()) object.number("expiresAt", expires_at);
  object.end();
  return payload;
}

FLUX_DECL void RealtimeWriter::notice(std::string& out, const features::Notice& notice) const {
  const MessageFrame frame(out, compressor_);
  append_realtime_notice(out, notice, clock_->unix_ms());
}

FLUX_DECL void RealtimeWriter::application_event(std::string& out, std::string_view event,
                                                 std::string_view payload) const {
  const MessageFrame frame(out, compressor_);
  append_realtime_event(out, event, payload, clock_->unix_ms());
}

FLUX_DECL void RealtimeWriter::error(std::string& out, std::string_view id, const Error& error) const {
  const MessageFrame frame(out, compressor_);
  append_realtime_error(out, id, error, clock_->unix_ms());
}

FLUX_DECL void RealtimeWriter::reply(std::string& out, std::string_view type, std::string_view id,
                                     std::string_view payload) const {
  const MessageFrame frame(out, compressor_);
  append_realtime_reply(out, type, id, payload, clock_->unix_ms());
}

}  // namespace flux::protocol
