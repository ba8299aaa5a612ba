// Chat through its store: messages are published in the order in which they are stored, and a client that joins misses
// none and gets none twice.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/features/page.hpp>
#include <flux/detail/features/store_faults.hpp>
#include <flux/detail/storage/store_queue.hpp>

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace flux::features {

/// Whether the id of a message may be stored already, because its sender has tried before.
enum class Retry : std::uint8_t { no, possible };

/// The result of an append.
struct StoredChat {
  ChatMessage message;
  bool is_repeat = false;  ///< an earlier append has stored it: this is the message that it stored
};

/// Threading: any thread. A store that does not block is called at once, under a lock for the room. A store that may
/// block is called on the store queue, in batches if it accepts them.
class ChatLog {
 public:
  /// While a turn is held, no other call for the room begins. Empty if the store does not block: the callback then runs
  /// under the room's chat lock, and must not call the log.
  using Turn = storage::StoreQueue::Turn;
  using Stored = std::function<void(Result<StoredChat>, const Turn&)>;

  ChatLog(std::shared_ptr<ChatStore> store, std::shared_ptr<storage::StoreQueue> queue, const Limits& limits,
          std::shared_ptr<StoreFaults> faults);

  bool blocks() const noexcept { return queue_ != nullptr; }

  /// Stores the message, then calls `stored` with it and its offset, before anything else of this room is stored or
  /// read. If a retry is possible, the room's newest message is read first: offsets have no gaps, so a message whose
  /// offset is not above that one's was stored before. Errors: the store's, as `StoreFaults` passes them on; overloaded.
  void append(ChatMessage message, Retry retry, Stored stored);
  /// Reads the message at this offset; none if there is none, or it is deleted. `found` may call the log. Errors: as for
  /// `append`.
  void find(const RoomId& room, Offset offset, std::function<void(Result<std::optional<ChatMessage>>)> found);
  /// Has `change` alter the message at this offset, stores it in place of the old one, then calls `changed` with it, before
  /// anything else of this room is stored or read; with none as for `find`. The store must be able to (`can_edit`).
  using Change = std::function<void(ChatMessage&)>;
  void change(const RoomId& room, Offset offset, Change change,
              std::function<void(Result<std::optional<ChatMessage>>, const Turn&)> changed);
  bool can_edit() const { return store_->can_edit(); }
  /// Reads a page (`asked.limit`: 1 to 1000), then calls `read` before anything else of this room is stored. Errors: as
  /// for `append`.
  void history(const RoomId& room, const PageRequest& asked, std::function<void(Result<ChatPage>, const Turn&)> read);

 private:
  struct Pending;

  template <class T, class Call, class Done>
  void call(const RoomId& room, Call store_call, Done done);
  /// The newest offset of each room in which retries are possible.
  using Newest = std::map<RoomId, Offset, std::less<>>;
  static Result<void> read_newest(ChatStore& store, const RoomId& room, Newest& newest);
  Result<StoredChat> outcome(ChatStore& store, ChatMessage message, Retry retry, Offset offset, Newest& newest) const;
  Result<std::optional<ChatMessage>> read_one(ChatStore& store, const RoomId& room, Offset offset) const;
  Result<std::optional<ChatMessage>> read_undeleted(ChatStore& store, const RoomId& room, Offset offset) const;
  Result<ChatPage> read_page(ChatStore& store, const RoomId& room, const PageRequest& asked) const;
  bool mend(const RoomId& room, ChatMessage& row) const;
  void bad_row(const RoomId& room, const ChatMessage& row, const std::string& what) const;
  void append_with_others(ChatMessage message, Retry retry, const Stored& stored);
  void append_batch(std::vector<storage::StoreQueue::PartInTurn> batch);
  std::mutex& lock_of(const RoomId& room) { return locks_[hash_(room) % locks_.size()]; }

  const std::shared_ptr<ChatStore> store_;
  const std::shared_ptr<storage::StoreQueue> queue_;  // null: the store does not block
  const bool batches_;
  const std::size_t row_bytes_max_;
  const std::size_t portion_max_;  // the most messages to request from the store at once
  const std::shared_ptr<StoreFaults> faults_;
  const core::SeededHash hash_;
  std::array<std::mutex, 64> locks_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/chat_log.ipp>
#endif
