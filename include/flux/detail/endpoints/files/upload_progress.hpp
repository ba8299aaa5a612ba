// Tells rooms the progress of uploads.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/endpoints/hub.hpp>
#include <flux/detail/features/files.hpp>
#include <flux/storage/file_info.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <mutex>
#include <unordered_map>

namespace flux::detail {

/// Size of a client's name for its upload.
inline constexpr std::size_t upload_id_bytes_max = 128;

/// Sends the event "upload_progress" with `{uploadId, fileName, offset, length, done, fileId?}` to the room that an
/// upload is for, as the connection that began it: for each upload at most once within `interval`, and when it is
/// complete. `length` is null while it is unknown. Only the last event has the file's id: before that, a client that
/// knows it could write to the upload.
/// Threading: any thread.
class UploadProgress {
 public:
  static constexpr std::chrono::milliseconds interval{200};

  /// Reports that `file.size` bytes are stored. Does nothing if the room does not exist, or the connection is no longer
  /// in it.
  void tell(const Hub& hub, const features::FileOrigin& origin, const FileInfo& file, Clock::TimePoint now);

 private:
  bool is_due(const FileInfo& file, Clock::TimePoint now);

  std::mutex mutex_;
  std::unordered_map<FileId, Clock::TimePoint, core::SeededHash, std::equal_to<>>
      told_;  // within the last interval, roughly
};

}  // namespace flux::detail
