// Chat that survives a restart: one file per room, one line of JSON per message, append-only.
#pragma once

#include <flux/storage/chat_store.hpp>

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

/// A message is on disk when `append` returns. The position and id of each message are kept in memory: about 100 bytes
/// per message of a room that was written to or read since the start. Only one store may use the folder at a time.
class FileChatStore final : public flux::ChatStore {
 public:
  /// A room's file is named by its id in hexadecimal, and file names have at most 255 bytes.
  static constexpr std::size_t room_id_bytes_max = 120;

  /// Errors: throws std::filesystem::filesystem_error if the folder can't be created.
  explicit FileChatStore(std::filesystem::path folder);

  flux::Result<flux::Offset> append(const flux::RoomId& room, const flux::ChatMessage& message) override;
  flux::Result<std::vector<flux::ChatMessage>> history(const flux::RoomId& room, std::size_t limit,
                                                       flux::Offset before) override;

 private:
  /// One room's file. Calls for one room never overlap, so it needs no lock.
  struct Log {
    std::vector<std::uint64_t> ends;  // where the line of offset n ends, in bytes: ends[n]; ends[0] is 0
    std::unordered_map<std::string, flux::Offset> by_id;
    bool unusable = false;  // a failed write could not be undone
  };

  std::filesystem::path file_of(const flux::RoomId& room) const;
  flux::Result<Log*> log_of(const flux::RoomId& room);

  const std::filesystem::path folder_;
  std::mutex mutex_;  // guards the map: different rooms are called at the same time
  std::unordered_map<flux::RoomId, Log> logs_;
};
