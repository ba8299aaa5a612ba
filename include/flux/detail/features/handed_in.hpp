// What the application hands in, checked where it comes in: text for people is repaired, names that are not what they must
// be are refused, and everything keeps its bound. Whatever a handler writes, no client gets a frame that it can't read.
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

/// JSON as clients get it: U+FFFD for escaped halves of surrogate pairs, which many parsers refuse.
class Relayed {
 public:
  /// `json` outlives it.
  explicit Relayed(const JsonText& json)
      : mended_(without_lone_surrogates(json.text())), text_(mended_ ? *mended_ : json.text()) {}
  Relayed(const Relayed&) = delete;
  Relayed& operator=(const Relayed&) = delete;
  std::string_view text() const noexcept { return text_; }

 private:
  const std::optional<std::string> mended_;
  const std::string_view text_;
};
/// The same, to be kept.
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
      "an event's name is UTF-8 of 1 to " + std::to_string(limits.event_name_bytes_max) + " bytes";
  if (event.empty() || event.size() > limits.event_name_bytes_max) {
    return Error(Errc::invalid_argument, right + ", not " + std::to_string(event.size()));
  }
  if (!core::valid_utf8(event)) {
    return Error(Errc::invalid_argument, right + "; \"" + core::shown(event) + "\" is not UTF-8");
  }
  return {};
}

/// What the application sends by itself. Errors: invalid_argument; message_too_large.
inline Result<void> check_event(std::string_view event, const JsonText& payload, const Limits& limits) {
  if (auto checked = check_event_name(event, limits); !checked) return checked;
  return check_size("the payload", payload.text().size(), limits.message_bytes_max);
}

/// A room's id that is only told to a client. Errors: invalid_argument.
inline Result<void> check_label(std::string_view room) {
  if (core::valid_utf8(room)) return {};
  return Error(Errc::invalid_argument, "a room's id must be UTF-8; \"" + core::shown(room) + "\" is not");
}

/// A chat message, repaired; NUL, which some databases can't store, becomes U+FFFD, too.
inline std::string chat_text(std::string text) {
  text = core::repaired(std::move(text));
  for (std::size_t at = text.find('\0'); at != std::string::npos; at = text.find('\0', at)) {
    text.replace(at, 1, "\xEF\xBF\xBD");
  }
  return text;
}

// What a handler has made of what a client asked for. Errors: invalid_argument, message_too_large.

/// A presence that is no object becomes `{}`.
inline Result<void> check_changed(JoinRequest& join, const Limits& limits) {
  join.presence =
      join.presence.kind() == JsonText::Kind::object ? relayable(std::move(join.presence)) : CheckedJson::text("{}");
  return check_size("presence", join.presence.text().size(), limits.presence_bytes_max);
}

inline Result<void> check_changed(PresenceChange& change, const Limits& limits) {
  if (change.presence.kind() != JsonText::Kind::object) {
    return Error(Errc::invalid_argument, "presence must be an object");
  }
  change.presence = relayable(std::move(change.presence));
  return check_size("presence", change.presence.text().size(), limits.presence_bytes_max);
}

inline Result<void> check_changed(EventMessage& message, const Limits& limits) {
  if (auto checked = check_event_name(message.event, limits); !checked) return checked;
  if (!message.payload) return {};
  message.payload = relayable(std::move(*message.payload));
  return check_size("payload", message.payload->text().size(), limits.message_bytes_max);
}

inline Result<void> check_changed(ChatDraft& draft, const Limits& limits) {
  draft.message = chat_text(std::move(draft.message));
  if (auto checked = check_size("message", draft.message.size(), limits.chat_bytes_max); !checked) return checked;
  if (!draft.metadata) return {};
  draft.metadata = relayable(std::move(*draft.metadata));
  return check_size("metadata", draft.metadata->text().size(), limits.metadata_bytes_max);
}

inline Result<void> check_changed(ShareDraft& draft, const Limits& limits) {
  draft.data = relayable(std::move(draft.data));
  return check_size("data", draft.data.text().size(), limits.message_bytes_max);
}

/// Nothing of it goes on: the handler only says yes or no.
inline Result<void> check_changed(const PublicDelete&, const Limits&) { return {}; }

}  // namespace flux::detail
