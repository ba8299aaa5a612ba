// Chat through its store: what is stored is published in the same order, and who joins misses nothing and gets nothing
// twice.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/features/page.hpp>
#include <flux/detail/features/store_faults.hpp>
#include <flux/detail/storage/store_queue.hpp>

#include <array>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace flux::features {

/// Threading: any thread. A store that does not block is called at once, under a lock for its room; another one on the
/// store queue, with what else waits where it takes batches.
class ChatLog {
 public:
  /// `turn`: while it is held, no other call for the room begins. Empty where the store does not block: then the
  /// callback runs inside the room's chat lock, and must not call the log back.
  using Turn = storage::StoreQueue::Turn;
  using Stored = std::function<void(Result<ChatMessage>, const Turn&)>;

  ChatLog(std::shared_ptr<ChatStore> store, std::shared_ptr<storage::StoreQueue> queue, const Limits& limits,
          std::shared_ptr<StoreFaults> faults);

  bool blocks() const noexcept { return queue_ != nullptr; }

  /// Stores the message, then calls `stored` (with its offset filled in) before anything else of this room is stored or
  /// read. Errors: the store's, as `StoreFaults` passes them on; overloaded.
  void append(ChatMessage message, Stored stored);
  /// A page (`asked.limit`: 1 to 1000), then `read` before anything else of this room is stored. Errors as for
  /// `append`.
  void history(const RoomId& room, const PageRequest& asked, std::function<void(Result<ChatPage>, const Turn&)> read);

 private:
  struct Pending;

  template <class T, class Call, class Done>
  void call(const RoomId& room, Call store_call, Done done);
  Result<ChatPage> read_page(ChatStore& store, const RoomId& room, const PageRequest& asked) const;
  bool mend(const RoomId& room, ChatMessage& row) const;
  void bad_row(const RoomId& room, const ChatMessage& row, const std::string& what) const;
  void append_with_others(ChatMessage message, const Stored& stored);
  void append_batch(std::vector<storage::StoreQueue::PartInTurn> batch);
  std::mutex& lock_of(const RoomId& room) { return locks_[hash_(room) % locks_.size()]; }

  const std::shared_ptr<ChatStore> store_;
  const std::shared_ptr<storage::StoreQueue> queue_;  // null: the store does not block
  const bool batches_;
  const std::size_t row_bytes_max_;
  const std::size_t portion_max_;  // messages that the store is asked for at once
  const std::shared_ptr<StoreFaults> faults_;
  const core::SeededHash hash_;
  std::array<std::mutex, 64> locks_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/chat_log.ipp>
#endif
