#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// The messages of the `live` protocol that the load generator needs. Received messages are searched, not parsed, so
/// that the client keeps up with the server; this relies on compact JSON, which servers send.
namespace flux::bench {

inline std::string join_room(std::string_view room, std::string_view presence) {
  std::string text = R"({"type":"join_room","payload":{"roomId":")";
  text.append(room).append("\"");
  if (!presence.empty()) text.append(R"(,"presence":)").append(presence);
  return text + "}}";
}

inline std::string update_presence(std::string_view presence) {
  return std::string(R"({"type":"update_presence","payload":{"presence":)").append(presence).append("}}");
}

inline std::string broadcast_event(std::string_view payload) {
  return std::string(R"({"type":"broadcast_event","payload":{"event":"bench","payload":)").append(payload).append("}}");
}

/// As above; the server answers it with an `ack` of this id.
inline std::string broadcast_event(std::string_view payload, std::uint64_t id) {
  std::string text = R"({"type":"broadcast_event","id":)";
  text.append(std::to_string(id)).append(R"(,"payload":{"event":"bench","payload":)").append(payload);
  return text + "}}";
}

/// Calls `visit` with the text after each `opening` in `message`, up to the next quote. `opening` is a key and
/// everything up to the value's first character, such as `"roomId":"`.
template <class Visitor>
void for_each_string(std::string_view message, std::string_view opening, Visitor visit) {
  while (true) {
    const std::size_t start = message.find(opening);
    if (start == std::string_view::npos) return;
    message.remove_prefix(start + opening.size());
    visit(message.substr(0, message.find('"')));
  }
}

/// The message's type; empty if it has none.
inline std::string_view type_of(std::string_view message) {
  constexpr std::string_view opening = R"("type":")";
  const std::size_t start = message.find(opening);
  if (start == std::string_view::npos) return {};
  message.remove_prefix(start + opening.size());
  return message.substr(0, message.find('"'));
}

}  // namespace flux::bench
