// Chat in memory: the default store.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/storage/chat_store.hpp>

#include <cstddef>
#include <memory>
#include <vector>

namespace flux {

/// Keeps the newest `messages_per_room` messages (0: none) of each of the `rooms_max` most recently written rooms (0:
/// unlimited). When a room is displaced by another, nothing of it remains, and its offsets begin at 1 again.
/// All messages together occupy at most `bytes_max` bytes (0: unlimited), overhead included: the oldest messages of the
/// room that was not written for longest are dropped first; its offsets keep counting.
/// Threading: any thread. Never blocks.
class MemoryChatStore final : public ChatStore {
 public:
  /// An empty store with these bounds.
  explicit MemoryChatStore(std::size_t messages_per_room = 1000, std::size_t rooms_max = 10'000,
                           std::size_t bytes_max = 67'108'864);
  FLUX_DECL ~MemoryChatStore() override;
  MemoryChatStore(const MemoryChatStore&) = delete;
  MemoryChatStore& operator=(const MemoryChatStore&) = delete;

  FLUX_DECL Result<Offset> append(const RoomId& room, const ChatMessage& message) override;
  FLUX_DECL Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) override;
  bool may_block() const override { return false; }
  bool can_edit() const override { return true; }
  FLUX_DECL Result<bool> replace(const RoomId& room, const ChatMessage& message) override;

 private:
  const std::unique_ptr<ChatStore> chat_;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/memory_chat_store.ipp>
#endif
