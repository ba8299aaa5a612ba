#pragma once

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>

namespace flux::bench {

/// When and by which connection a message was sent. It is part of the message, as `@@<time, 16 hex><sender, 8 hex>@@`.
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

  /// Removes the first stamp of `text`, and everything before it, from the front of `text`.
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

/// A text of exactly `size` bytes (at least 28) that holds a stamp and needs no escapes in JSON.
inline std::string stamped_text(std::size_t size, std::size_t sender) {
  std::string text = Stamp::text_now(sender);
  text.append(size - text.size(), 'x');
  return text;
}

/// A JSON object of exactly `size` bytes (at least 48) that holds a stamp.
inline std::string stamped_object(std::size_t size, std::size_t sender) {
  std::string text = R"({"t":")";
  text.append(Stamp::text_now(sender)).append(R"(","p":")");
  text.append(size - text.size() - 2, 'x');
  return text + R"("})";
}

}  // namespace flux::bench
