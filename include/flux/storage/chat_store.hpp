// Where chat is kept: the interface that applications implement.
#pragma once

#include <flux/types.hpp>

#include <span>
#include <vector>

namespace flux {

/// What every store refuses, as databases end text there: a NUL, in any member.
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
/// - `append` is atomic: all of the message is there, or nothing. Offsets start at 1 in each room and have no gaps.
///   Appending an id that is already there stores nothing and returns the first offset. Text is kept byte for byte, but
///   for what `check_storable` refuses.
/// - Calls for one room never overlap; calls for different rooms may, so what they share needs its own lock.
/// - A store that may block (`may_block() == true`, the default) is called on flux's worker threads. One that never
///   does may say so, and is called on the event loop, inside the room's own lock.
/// - No method may call the `Server` back.
/// - Errors are values (`Errc::store_failed`, say); an exception counts as one. What they say is for the log, and for
///   `Error::cause`: clients never read it. What failed is not broadcast and its sender gets an error. A store whose
///   answer was lost, and that can't find out, may fail a message that it kept: the message is in the history then, and
///   members that are there now don't hear of it.
class ChatStore {
 public:
  virtual ~ChatStore() = default;
  /// Stores `message` (its `offset` is 0) and returns the offset given.
  virtual Result<Offset> append(const RoomId& room, const ChatMessage& message) = 0;
  /// The newest `limit` (1 to 1000) messages with an offset below `before` (0: the end), oldest first.
  virtual Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) = 0;
  virtual bool may_block() const { return true; }

  /// Group commit, for stores that may block: where it is more than 1, what waits is collected, in one room and over
  /// all of them, and up to that many messages are stored in one `append_all`. It must not change.
  virtual std::size_t batch_max() const { return 1; }
  /// Stores `messages` (each in the room that it names), as `append` does one after another, and returns as many
  /// results in the same order. Each is atomic by itself; that one fails must not lose another. Duties beyond those of
  /// `append`:
  /// - The messages of one room are in the order in which they were sent, and get their offsets in it.
  /// - While it runs there is no other `append_all`, no `append` at all, and no call for a room in it. `history` of
  ///   other rooms may overlap.
  virtual std::vector<Result<Offset>> append_all(std::span<const ChatMessage> messages) {
    std::vector<Result<Offset>> results;
    results.reserve(messages.size());
    for (const ChatMessage& message : messages) results.push_back(append(message.room, message));
    return results;
  }
};

}  // namespace flux
