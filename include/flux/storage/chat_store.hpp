// The interface of chat stores, which applications can implement. It has no .ipp: programs in both modes link the stores in
// databases, which need these definitions even if nothing else of flux is used.
#pragma once

#include <flux/error.hpp>
#include <flux/types.hpp>

#include <span>
#include <string>
#include <vector>

namespace flux {

/// Checks what every store refuses: a NUL in any member, because databases end text there.
/// Errors: invalid_argument.
inline Result<void> check_storable(const ChatMessage& message) {
  for (const std::string* text :
       {&message.message, &message.metadata, &message.user_id, &message.id, &message.room, &message.connection_id}) {
    if (text->find('\0') == std::string::npos) continue;
    return Error(Errc::invalid_argument, "a chat message must not hold a NUL character (U+0000); leave it out");
  }
  return {};
}

/// Chat history of rooms. The implementer's duties:
/// - `append` is atomic: it stores all of the message, or nothing. Offsets start at 1 in each room and have no gaps.
///   Appending an id that is already stored in this room stores nothing and returns the first offset: clients retry.
///   Text is kept byte for byte, except what `check_storable` refuses.
/// - Calls for one room never overlap; calls for different rooms may, so shared data needs a lock.
/// - A store that may block (`may_block() == true`, the default) is called on flux's worker threads. One that never
///   blocks may return false, and is called on the event loop, inside the room's own lock.
/// - Beside `append` there are calls of `history`: of the newest message before a message with an id of its client's is
///   stored, and of one message that was stored before, or is to be edited. If they fail, so does the request.
/// - A message has at most `Limits::chat_bytes_max` bytes, its metadata `metadata_bytes_max`, its id 1,024 and its room
///   `room_id_bytes_max`. A store that can't take one returns `invalid_argument`.
/// - No method may call the `Server`.
/// - Errors are values (for example `Errc::store_failed`); an exception counts as one. Their text goes to the log and to
///   `Error::cause`; clients never see it. A message that failed is not broadcast, and its sender gets an error. If a
///   database's reply was lost and the store can't find out the result, it may report an error for a message that it
///   stored: the message is then in the history, but present members do not receive it.
class ChatStore {
 public:
  virtual ~ChatStore() = default;
  /// Stores `message` (its `offset` is 0) and returns the offset given.
  virtual Result<Offset> append(const RoomId& room, const ChatMessage& message) = 0;
  /// Returns the newest `limit` (1 to 1000) messages with an offset below `before` (0: the end), oldest first.
  virtual Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) = 0;
  /// Whether calls may block: if so, they are made on worker threads. Must not change.
  virtual bool may_block() const { return true; }

  /// Group commit, for stores that may block: if this is more than 1, pending messages of all rooms are collected, and up
  /// to this many are stored in one `append_all`. Must not change.
  virtual std::size_t batch_max() const { return 1; }
  /// Stores `messages` (each in the room that it names) as successive calls of `append` would, and returns their results
  /// in the same order. Each message is atomic by itself; the failure of one must not lose another.
  /// - The messages of one room are in the order in which they were sent, and get their offsets in that order.
  /// - While it runs, flux makes no other `append_all`, no `append`, and no call for a room in it. `history` of other
  ///   rooms may overlap.
  virtual std::vector<Result<Offset>> append_all(std::span<const ChatMessage> messages) {
    std::vector<Result<Offset>> results;
    results.reserve(messages.size());
    for (const ChatMessage& message : messages) results.push_back(append(message.room, message));
    return results;
  }

  /// An optional duty: whether `replace` works. If not, no message can be edited or deleted. Must not change.
  virtual bool can_edit() const { return false; }
  /// Replaces a message that was edited or deleted: `message`, `metadata`, `edited_at` and `deleted_at` of the stored
  /// message with the offset `message.offset` become those of `message`, all or nothing; the others stay. Afterwards no
  /// call returns the old text. A deleted message comes with empty texts and stays in its place: offsets keep having no
  /// gaps, and its id is still stored for `append`. Returns false if the store has no message with this offset (any
  /// more), or if it is deleted: a deletion is final, even if several processes share the store and another one deletes
  /// while this one edits. Only a repetition of the same deletion may return true. `replace` of one room may overlap
  /// with `append_all` for others, as `history` may.
  virtual Result<bool> replace(const RoomId& /*room*/, const ChatMessage& /*message*/) {
    return Error(Errc::forbidden, "this chat store can't edit messages");
  }
};

}  // namespace flux
