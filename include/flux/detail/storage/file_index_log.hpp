// The index of a file store as a journal in one file.
#pragma once

#include <flux/detail/storage/raw_file.hpp>
#include <flux/storage/file_index.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flux {

/// Rows are appended to one file, the newest of each id counts, and each save is on disk for good when it returns.
/// Saves that come at the same time share one write and one sync. When the rows that no longer count outweigh the
/// others, those are written to a new file, which then takes the old one's place.
///
/// The file begins with 8 bytes of name, 8 random ones (the salt) and the CRC-32 of both. Then come frames: 4 bytes of
/// size, CRC-32 of those, CRC-32 of the content, the content. Either CRC also covers the salt and the frame's place in
/// the file, so nothing that a client puts into a row can pass for a frame. A frame is synced before the next one is
/// written. So if one is not whole and a whole one follows, the file is damaged, and `load` says where. If none
/// follows, it was torn by a crash before it was acknowledged, and is cut off.
///
/// One process at a time may use the file; `DiskFileStore` sees to that with a lock of its own. A row may have 1 MiB.
/// Errors name no path.
/// Threading: `load` first, then any thread.
class FileIndexLog final : public FileIndex {
 public:
  /// `path`: the file, UTF-8. It is made by `load`; its folder must be there.
  explicit FileIndexLog(std::string path);
  Result<std::vector<FileInfo>> load() override;
  Result<void> save(const FileInfo& file) override;
  Result<void> erase(const FileId& id) override;

 private:
  /// Where the row of an id is, as a record: kind, size, content.
  struct Place {
    std::uint64_t offset = 0;
    std::uint32_t bytes = 0;
    std::uint32_t crc = 0;  // rows are copied to a new file; damage must not be
  };
  struct Change {
    FileId id;
    std::size_t offset = 0;  // of the record, in its frame's content
    std::uint32_t bytes = 0;
    bool erases = false;
  };
  struct Batch {
    std::string content;
    std::vector<Change> changes;
    bool done = false;
    Result<void> result;
  };
  using Rows = std::unordered_map<FileId, FileInfo>;
  class Snapshot;

  Result<void> commit(const FileId& id, const std::string& record, bool erases);
  Result<void> write(const Batch& batch);
  void apply(const Batch& batch, std::uint64_t content_at);
  Result<void> rewrite();
  Result<void> copy_rows(Snapshot& to);
  Result<Rows> replay(std::string_view bytes);
  Result<void> replay_frame(std::string_view content, std::uint64_t content_at, Rows& rows);

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable written_;
  std::shared_ptr<Batch> next_;  // what waits for its turn to be written
  bool writing_ = false;         // who has set it may use all that follows
  storage::RawFile file_;
  std::unordered_map<FileId, Place> places_;
  std::uint32_t salt_crc_ = 0;      // CRC-32 of the salt, which every other one goes on from
  std::uint64_t end_ = 0;           // of the last whole frame
  std::uint64_t living_bytes_ = 0;  // of the records in `places_`
  std::uint64_t rewrite_at_ = 0;    // size from which on a new file may pay
  bool sound_ = true;               // false: what is in the file past `end_`, or on disk, is not known
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/file_index_log.ipp>
#endif
