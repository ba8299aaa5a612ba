// Where chat is kept: the interface that applications implement.
#pragma once

#include <flux/types.hpp>

#include <vector>

namespace flux {

/// Chat history of rooms. The implementer's duties:
/// - `append` is atomic: all of the message is there, or nothing. Offsets start at 1 in each room and have no gaps.
///   Appending an id that is already there stores nothing and returns the first offset.
/// - Calls for one room never overlap; calls for different rooms may, so what they share needs its own lock.
/// - A store that may block (`may_block() == true`, the default) is called on flux's worker threads. One that never
///   does may say so, and is called on the event loop, inside the room's own lock.
/// - No method may call the `Server` back.
/// - Errors are values (`Errc::store_failed`, say); an exception counts as one. What failed is not broadcast and its
///   sender gets an error.
class ChatStore {
 public:
  virtual ~ChatStore() = default;
  /// Stores `message` (its `offset` is 0) and returns the offset given.
  virtual Result<Offset> append(const RoomId& room, const ChatMessage& message) = 0;
  /// The newest `limit` (1 to 1000) messages with an offset below `before` (0: the end), oldest first.
  virtual Result<std::vector<ChatMessage>> history(const RoomId& room, std::size_t limit, Offset before) = 0;
  virtual bool may_block() const { return true; }
};

}  // namespace flux
