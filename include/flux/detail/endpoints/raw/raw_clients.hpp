// The connected clients of a raw endpoint.
#pragma once

#include <flux/detail/core/listed_client.hpp>
#include <flux/detail/core/session_key.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace flux::detail {

class WebSocketState;

/// Identifies a client: a key that can't be guessed, and the slot where the directory finds it.
struct RawId {
  std::uint64_t key = 0;
  std::uint32_t slot = 0;

  /// The texts of the key and of the slot, 13 characters each.
  std::string text() const { return core::key_text(key) + core::key_text(slot); }
  static std::optional<RawId> parse(std::string_view text) {
    constexpr std::size_t half = 13;
    if (text.size() != 2 * half) return std::nullopt;
    const auto key = core::key_from_text(text.substr(0, half));
    const auto slot = core::key_from_text(text.substr(half));
    if (!key || !slot || *slot > 0xffff'ffff) return std::nullopt;
    return RawId{*key, static_cast<std::uint32_t>(*slot)};
  }
};

/// A client keeps its slot as long as it is connected, so that pages in the order of the slots are stable.
/// Memory: one pointer for each client, until no client is left.
/// Threading: any thread.
class RawClients {
 public:
  /// Returns the client's slot, which must be given back before the client is destroyed.
  std::uint32_t add(WebSocketState& client);
  void remove(std::uint32_t slot);
  /// Null if there is no such client.
  std::shared_ptr<WebSocketState> find(const RawId& id) const;
  /// As `Endpoint::clients`. Cost: O(slots passed), those of disconnected clients included.
  std::vector<core::ListedClient> page(std::string_view after, std::size_t limit) const;

 private:
  mutable std::mutex mutex_;
  std::deque<WebSocketState*> slots_;  // null: free
  std::vector<std::uint32_t> free_;
};

}  // namespace flux::detail
