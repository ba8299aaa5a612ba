// Where rooms and the public space are kept over a restart: the interface that applications implement.
#pragma once

#include <flux/error.hpp>
#include <flux/storage/file_store.hpp>
#include <flux/types.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace flux {

/// A room as it is kept. The public space is the one with an empty id.
struct StoredRoom {
  RoomId id{};
  /// Tells the rooms apart that had this id one after another: 1 to 32 letters and digits, made by the server.
  std::string life{};
  RoomMode mode = RoomMode::history;
  std::size_t capacity = 0;  ///< as in `RoomOptions`
  bool permanent = false;
  friend bool operator==(const StoredRoom&, const StoredRoom&) = default;
};

/// An item of a room as it is kept.
struct StoredItem {
  std::uint64_t number = 0;  ///< from 1 and growing in each life of a room; some may be missing
  SessionId connection_id{};
  std::string data{};  ///< JSON text without NUL: `SharedItem::data`
  FileId file{};       ///< what `data` stands for; empty: no file
  friend bool operator==(const StoredItem&, const StoredItem&) = default;
};

/// What a room had when the server ended.
struct StoredContents {
  StoredRoom room;
  std::vector<StoredItem> items;  ///< in the order of their numbers
};

/// A new item of a room.
struct RoomAppend {
  StoredRoom room;
  StoredItem item;
  std::uint64_t first_kept = 0;  ///< items with a smaller number go
};

/// Keeps what rooms of the modes singleton and history and the public space keep. The implementer's duties:
/// - Every call is atomic: all of it, or nothing. What has returned without error is on the disk, and in the next
///   `load`.
/// - A call that names a room by another life than the one that is kept under its id is about that other room: `open`
///   and `append` put it in the place of the old one, whose items go; `remove_item` and `close` do nothing.
/// - Calls about one room never overlap; calls about different rooms may, so what they share needs its own lock.
/// - A store that may block (`may_block() == true`, the default) is called on workers of its own. One that never does
///   may say so, and is called on event loops.
/// - No method may call the `Server` back.
/// - Errors are values; an exception counts as store_failed. Nobody hears of an item that failed, and its sender gets
///   the error; a room that could not be opened for a client ends. A store whose answer was lost, and that can't find
///   out, may fail what it has done. After a crash there may be that room then, or that item, if the room has stored
///   none since; and an item may be gone whose removal failed, with one in its place that was dropped.
class RoomStore {
 public:
  virtual ~RoomStore() = default;

  /// Every room with its items, in no particular order. Called when the server starts, before the others.
  virtual Result<std::vector<StoredContents>> load() = 0;
  /// The room is there from now on, and who made it is told so. Where its life is kept already, its options are
  /// replaced and its items stay.
  virtual Result<void> open(const StoredRoom& room) = 0;
  /// Keeps the room, as `open` does where it is not there, and the item; drops the items before `first_kept`. An item
  /// of the same number is replaced: it failed, but was kept.
  virtual Result<void> append(const RoomAppend& append) = 0;
  /// The item goes, if it is there: one that failed may never have been.
  virtual Result<void> remove_item(const RoomId& room, const std::string& life, std::uint64_t number) = 0;
  /// The room has ended: it goes, with its items. Everybody has been told by then: after a crash before this call the
  /// room is there again.
  virtual Result<void> close(const RoomId& room, const std::string& life) = 0;
  virtual bool may_block() const { return true; }

  /// Group commit, as in `ChatStore`: where it is more than 1, up to that many items are kept in one `append_all`. It
  /// must not change.
  virtual std::size_t batch_max() const { return 1; }
  /// Keeps items, as `append` does one after another, and returns as many results in the same order. Each is atomic by
  /// itself; that one fails must not lose another. While it runs there is no other `append_all`, and no call about a
  /// room in it; other calls may overlap.
  virtual std::vector<Result<void>> append_all(std::span<const RoomAppend> appends) {
    std::vector<Result<void>> results;
    results.reserve(appends.size());
    for (const RoomAppend& one : appends) results.push_back(append(one));
    return results;
  }
};

}  // namespace flux
