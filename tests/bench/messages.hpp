#pragma once

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

/// The messages of the `live` protocol that the load generator needs. Received ones are searched, not parsed, so that
/// the client keeps up with the server; that needs compact JSON, which is what servers send.
namespace flux::bench {

/// When and by which connection a message was sent. It travels inside the message as `@@<time, 16 hex><sender, 8
/// hex>@@`.
struct Stamp {
  std::uint64_t sent_ns;
  std::size_t sender;

  static constexpr std::string_view quote = "@@";
  static constexpr std::size_t bytes = 28;

  static std::uint64_t now_ns() {
    const auto now = std::chrono::steady_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  }

  static std::string text_now(std::size_t sender) {
    char text[bytes + 1];
    std::snprintf(text, sizeof text, "@@%016llx%08x@@", static_cast<unsigned long long>(now_ns()),
                  static_cast<unsigned>(sender));
    return text;
  }

  /// Takes the first stamp of `text`, and everything before it, off the front of `text`.
  static std::optional<Stamp> take(std::string_view& text) {
    const std::size_t start = text.find(quote);
    if (start == std::string_view::npos || text.size() - start < bytes) return std::nullopt;
    const char* digits = text.data() + start + quote.size();
    Stamp stamp{};
    std::from_chars(digits, digits + 16, stamp.sent_ns, 16);
    std::from_chars(digits + 16, digits + 24, stamp.sender, 16);
    text.remove_prefix(start + bytes);
    return stamp;
  }
};

/// A JSON object of exactly `size` bytes (at least 48) that holds a stamp.
inline std::string stamped_object(std::size_t size, std::size_t sender) {
  std::string text = R"({"t":")";
  text.append(Stamp::text_now(sender)).append(R"(","p":")");
  text.append(size - text.size() - 2, 'x');
  return text + R"("})";
}

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

/// Calls `visit` with the text after each `opening` in `message`, up to the next quote. `opening` is a key and all that
/// stands before the value's first character, such as `"roomId":"`.
template <class Visitor>
void for_each_string(std::string_view message, std::string_view opening, Visitor visit) {
  while (true) {
    const std::size_t start = message.find(opening);
    if (start == std::string_view::npos) return;
    message.remove_prefix(start + opening.size());
    visit(message.substr(0, message.find('"')));
  }
}

/// The message's type; empty where it has none.
inline std::string_view type_of(std::string_view message) {
  constexpr std::string_view opening = R"("type":")";
  const std::size_t start = message.find(opening);
  if (start == std::string_view::npos) return {};
  message.remove_prefix(start + opening.size());
  return message.substr(0, message.find('"'));
}

}  // namespace flux::bench
