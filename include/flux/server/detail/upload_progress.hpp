// Tells rooms how far uploads are.
#pragma once

#include <flux/clock.hpp>
#include <flux/core/secret.hpp>
#include <flux/features/detail/rooms.hpp>
#include <flux/storage/file_store.hpp>
#include <flux/types.hpp>

#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_map>

namespace flux::detail {

/// Who hears of an upload's progress, and under which name.
struct ProgressTarget {
  static constexpr std::size_t upload_id_bytes_max = 128;
  RoomId room;            // empty: nobody
  std::string upload_id;  // as its client calls it; empty: the server has a name for it
};

/// Sends the event "upload_progress" with `{uploadId, fileName, offset, length, done, fileId?}` to a room, as
/// `server_connection_id`: for each upload at most once within `interval`, and when it is complete. `length` is null
/// while it is not known. The file's id comes with the last one: before that, who knows it may write to the upload.
/// Threading: any thread.
class UploadProgress {
 public:
  static constexpr std::chrono::milliseconds interval{200};

  /// `file.size` bytes are there. Does nothing where the room is not there.
  void tell(const features::Rooms& rooms, const ProgressTarget& target, const FileInfo& file, Clock::TimePoint now);

 private:
  bool is_due(const FileInfo& file, Clock::TimePoint now);

  std::mutex mutex_;
  std::unordered_map<FileId, Clock::TimePoint, core::SeededHash, std::equal_to<>>
      told_;  // within the last interval, roughly
};

}  // namespace flux::detail
