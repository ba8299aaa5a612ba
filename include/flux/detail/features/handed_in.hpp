// Checks what the application passes in: text for people is repaired, invalid names are refused, and every limit holds.
// Whatever a handler writes, no client gets a frame that it can't read.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/json_scanner.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/error.hpp>
#include <flux/events.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace flux::detail {

/// JSON as clients get it: escaped lone surrogates, which many parsers refuse, are replaced by U+FFFD.
class Relayed {
 public:
  /// `json` must outlive it.
  explicit Relayed(const JsonText& json)
      : mended_(without_lone_surrogates(json.text())), text_(mended_ ? *mended_ : json.text()) {}
  Relayed(const Relayed&) = delete;
  Relayed& operator=(const Relayed&) = delete;
  std::string_view text() const noexcept { return text_; }

 private:
  const std::optional<std::string> mended_;
  const std::string_view text_;
};
/// The same as a value.
inline JsonText relayable(JsonText json) {
  auto mended = without_lone_surrogates(json.text());
  return mended ? CheckedJson::text(std::move(*mended)) : std::move(json);
}

/// Errors: message_too_large.
inline Result<void> check_size(std::string_view what, std::size_t size, std::size_t most) {
  if (size <= most) return {};
  return Error(Errc::message_too_large, std::string(what) + " has " + std::to_string(size) + " bytes; at most " +
                                            std::to_string(most) + " are allowed");
}

/// Errors: invalid_argument.
inline Result<void> check_event_name(std::string_view event, const Limits& limits) {
  const std::string right =
      "an event's name must be UTF-8 of 1 to " + std::to_string(limits.event_name_bytes_max) + " bytes";
  if (event.empty() || event.size() > limits.event_name_bytes_max) {
    return Error(Errc::invalid_argument, right + ", not " + std::to_string(event.size()));
  }
  if (!core::valid_utf8(event)) {
    return Error(Errc::invalid_argument, right + "; \"" + core::shown(event) + "\" is not UTF-8");
  }
  return {};
}

/// An event that the application sends. Errors: invalid_argument; message_too_large.
inline Result<void> check_event(std::string_view event, const JsonText& payload, const Limits& limits) {
  return check_event_name(event, limits).and_then([&] {
    return check_size("the payload", payload.text().size(), limits.message_bytes_max);
  });
}

/// The key of a delivery. Errors: invalid_argument.
inline Result<void> check_key(std::string_view key, const Limits& limits) {
  if (!key.empty() && key.size() <= limits.event_name_bytes_max) return {};
  return Error(Errc::invalid_argument, "the key of a delivery must have 1 to " +
                                           std::to_string(limits.event_name_bytes_max) + " bytes, not " +
                                           std::to_string(key.size()));
}

/// The longest id of a chat message: all that the key of a table in MySQL holds.
inline constexpr std::size_t chat_id_bytes_max = 1024;

/// Who a chat message of the application is from, and its id. Errors: invalid_argument.
inline Result<void> check_chat_names(const ChatPost& post) {
  for (const std::string* name : {&post.user_id, &post.session, &post.id}) {
    if (name->size() <= chat_id_bytes_max && core::valid_utf8(*name) && !core::has_control_characters(*name)) continue;
    return Error(Errc::invalid_argument,
                 "user_id, session and id of a chat message are UTF-8 without control characters, of at most " +
                     std::to_string(chat_id_bytes_max) + " bytes, not \"" + core::shown(*name) + "\" of " +
                     std::to_string(name->size()));
  }
  return {};
}

/// A room's id that is only shown to a client. Errors: invalid_argument.
inline Result<void> check_label(std::string_view room) {
  if (core::valid_utf8(room)) return {};
  return Error(Errc::invalid_argument, "a room's id must be UTF-8; \"" + core::shown(room) + "\" is not");
}

/// Text for people that stores keep, repaired; NUL, which some databases can't store, also becomes U+FFFD.
inline std::string storable_text(std::string text) {
  text = core::repaired(std::move(text));
  if (text.find('\0') == std::string::npos) return text;
  std::string storable;
  for (const char c : text) {
    if (c != '\0') {
      storable += c;
    } else {
      storable += "\xEF\xBF\xBD";
    }
  }
  return storable;
}

/// What the application stores with a session or room; null always fits. Errors: message_too_large.
inline Result<void> check_data(const JsonText& data, const Limits& limits) {
  if (data.kind() == JsonText::Kind::null) return {};
  return check_size("the data", data.text().size(), limits.application_data_bytes_max);
}

/// The presence that the application gives to a member. Errors: invalid_argument; message_too_large.
inline Result<void> check_presence(JsonText& presence, const Limits& limits) {
  if (presence.kind() != JsonText::Kind::object) return Error(Errc::invalid_argument, "presence must be an object");
  presence = relayable(std::move(presence));
  return check_size("presence", presence.text().size(), limits.presence_bytes_max);
}

// These check an event as a handler has left it. Errors: invalid_argument, message_too_large.

/// A presence that is null becomes `{}`.
inline Result<void> check_changed(JoinRequest& join, const Limits& limits) {
  if (join.presence.kind() == JsonText::Kind::null) join.presence = CheckedJson::text("{}");
  if (auto checked = check_presence(join.presence, limits); !checked || !join.welcome) return checked;
  join.welcome = relayable(std::move(*join.welcome));
  return check_size("welcome", join.welcome->text().size(), limits.application_data_bytes_max);
}

inline Result<void> check_changed(PresenceChange& change, const Limits& limits) {
  return check_presence(change.presence, limits);
}

inline Result<void> check_changed(EventMessage& message, const Limits& limits) {
  if (message.consumed()) return {};
  if (auto checked = check_event_name(message.event, limits); !checked) return checked;
  if (!message.payload) return {};
  message.payload = relayable(std::move(*message.payload));
  return check_size("payload", message.payload->text().size(), limits.message_bytes_max);
}

/// A chat message, also one that the application sends. `Draft` has a message and metadata.
template <class Draft>
Result<void> check_chat_text(Draft& draft, const Limits& limits) {
  // Twice: nothing is repaired that is too long, and repairing may make it so.
  const auto check_message = [&] { return check_size("message", draft.message.size(), limits.chat_bytes_max); };
  if (auto checked = check_message(); !checked) return checked;
  draft.message = storable_text(std::move(draft.message));
  if (auto checked = check_message(); !checked) return checked;
  if (!draft.metadata) return {};
  draft.metadata = relayable(std::move(*draft.metadata));
  return check_size("metadata", draft.metadata->text().size(), limits.metadata_bytes_max);
}

inline Result<void> check_changed(ChatDraft& draft, const Limits& limits) { return check_chat_text(draft, limits); }
inline Result<void> check_changed(ChatEdit& edit, const Limits& limits) { return check_chat_text(edit, limits); }

inline Result<void> check_changed(ShareDraft& draft, const Limits& limits) {
  draft.data = relayable(std::move(draft.data));
  return check_size("data", draft.data.text().size(), limits.message_bytes_max);
}

/// What a room demands: names of operations. Errors: invalid_argument.
inline Result<void> check_demands(const Demands& demands) {
  for (const std::string* operation :
       {&demands.join, &demands.events, &demands.presence, &demands.chat, &demands.share, &demands.history}) {
    if (core::valid_utf8(*operation) && operation->find(':') == std::string::npos) continue;
    return Error(Errc::invalid_argument, "what a room demands is an operation without scope, such as \"read\", not \"" +
                                             core::shown(*operation) + "\"");
  }
  return {};
}

inline Result<void> check_changed(const RoomCreation& creation, const Limits&) {
  const RoomMode mode = creation.options.mode;
  if (mode == RoomMode::live || mode == RoomMode::singleton || mode == RoomMode::history) {
    return creation.options.demands ? check_demands(*creation.options.demands) : Result<void>();
  }
  return Error(Errc::invalid_argument, "a room's mode must be live, singleton or history");
}

/// Nothing of these is used: the handler only permits or refuses.
inline Result<void> check_changed(const PublicDelete&, const Limits&) { return {}; }
inline Result<void> check_changed(const ChatDelete&, const Limits&) { return {}; }

}  // namespace flux::detail
