#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// The packets of data sharing over Socket.IO that the load generator needs. Each event asks for an acknowledgment. As
/// with `live`, received packets are searched, which relies on compact JSON.
namespace flux::bench {

inline std::string sharing_event(std::uint64_t id, std::string_view name, std::string_view argument) {
  std::string text = "42";
  text.append(std::to_string(id)).append(R"([")").append(name).append(R"(",)").append(argument);
  return text + "]";
}

/// In mode live: what a member uploads goes to all others and is not kept.
inline std::string create_sharing_room(std::string_view room, std::size_t capacity, std::uint64_t id) {
  std::string argument = R"({"roomId":")";
  argument.append(room).append(R"(","capacity":)").append(std::to_string(capacity)).append(R"(,"mode":"live"})");
  return sharing_event(id, "room:create", argument);
}

inline std::string join_sharing_room(std::string_view room, std::uint64_t id) {
  return sharing_event(id, "room:join", "\"" + std::string(room) + "\"");
}

/// `content` needs no escapes.
inline std::string upload_string(std::string_view room, std::string_view content, std::uint64_t id) {
  std::string argument = R"({"roomId":")";
  argument.append(room).append(R"(","data":{"type":"string","content":")").append(content).append("\"}}");
  return sharing_event(id, "room:upload", argument);
}

inline bool is_acknowledgment(std::string_view packet) { return packet.starts_with("43"); }

/// Whether it is an acknowledgment that reports a failure.
inline bool is_refusal(std::string_view packet) {
  return is_acknowledgment(packet) && packet.find(R"("success":true)") == std::string_view::npos;
}

}  // namespace flux::bench
