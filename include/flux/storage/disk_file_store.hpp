// Files in a folder of the machine.
#pragma once

#include <flux/clock.hpp>
#include <flux/storage/file_index.hpp>
#include <flux/storage/file_store.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

struct DiskFileStoreOptions {
  /// Bytes of all files; 0: any number. An upload counts with its length from its beginning, and a deleted file until
  /// `cleanup_deleted`.
  std::uint64_t bytes_max = 10'737'418'240;
  /// Bytes of the files of one owner; 0: any number. Files without an owner ("") have one allowance together, so that
  /// nobody gets round the limit by not saying who he is. A deleted file no longer counts.
  std::uint64_t bytes_per_owner_max = 2'147'483'648;
  /// Files, uploads and deleted ones included; 0: any number. Each takes about 1 kB of memory, and what its uploader
  /// says about it (`FileInfo::metadata`), at most 3 kB.
  std::uint64_t files_max = 100'000;
  /// Files of one owner, uploads included; 0: any number. Who has no name shares with all who have none, and a deleted
  /// file no longer counts, as with the bytes.
  std::uint64_t files_per_owner_max = 20'000;
  /// Where what is known of the files is kept, for this store alone. None: a FileIndexLog in the folder.
  std::shared_ptr<FileIndex> index{};
  /// Says when bytes were appended. None: the machine's.
  std::shared_ptr<Clock> clock{};
};

/// Keeps the bytes of each file in one folder: under "ID.part" while they come, under "ID" when they are complete and
/// synced. The id is the only thing about a file that is ever part of a path, and it is a UUID. Beside them are
/// "flux-files.lock" and, without another index, "flux-files.index". Give it a folder of its own: `sweep` removes every
/// file there whose name is that of a file of flux which the index does not know, and touches nothing else.
///
/// - Nothing is cached, and no file stays open. Memory is what the index holds.
/// - An upload whose process crashed goes on behind the bytes that are on disk, acknowledged or not. The file system
///   says then when it was modified. After a crash of the machine nobody knows which bytes came to the disk: it begins
///   anew. (That is noticed on Linux. Elsewhere it goes on behind what the file system has made of it.)
/// - `wants_sha256` needs digests in the build (FLUX_WITH_TLS): without them `create` gives invalid_argument. The
///   digest is computed as the bytes come; after a restart `complete` reads them all again.
/// - Where a full disk has no room to note that an upload is removed, its bytes go first. If that can't be noted even
///   then, the upload begins anew.
/// - `remove` of a file whose bytes the system does not let go succeeds: what is left is an orphan for `sweep`.
/// - Error messages hold what the system said, and no path.
///
/// Threading: any thread; a call about a file that another call is busy with waits for that. May block.
class DiskFileStore final : public FileStore {
 public:
  /// `folder`: UTF-8; made where it is not there. Uploads that have all their bytes are completed here.
  /// Errors: throws flux::Error (bad_config) where the folder can't be made, read or written, another store uses it, or
  /// the index can't be loaded.
  explicit DiskFileStore(std::string folder, DiskFileStoreOptions options = {});
  ~DiskFileStore() override;
  DiskFileStore(const DiskFileStore&) = delete;
  DiskFileStore& operator=(const DiskFileStore&) = delete;

  /// Also invalid_argument where the id is no UUID in lower case or not new, or the state is not that of a new upload;
  /// file_too_large where no file system has files of that length.
  Result<void> create(const FileInfo& file) override;
  Result<void> set_length(const FileId& id, std::uint64_t length) override;
  Result<std::uint64_t> append(const FileId& id, std::uint64_t offset, std::string_view bytes) override;
  Result<FileInfo> complete(const FileId& id) override;
  Result<FileInfo> info(const FileId& id) override;
  /// Also wrong_offset where the upload is not complete.
  Result<std::size_t> read(const FileId& id, std::uint64_t offset, std::span<char> into) override;
  Result<void> mark_shared(const FileId& id) override;
  /// Also wrong_offset where the upload is not complete.
  Result<void> mark_deleted(const FileId& id) override;
  Result<void> remove(const FileId& id) override;
  Result<std::vector<FileInfo>> list() override;
  Result<FileCleanup> cleanup_deleted() override;
  /// An upload that can't be removed is left for the next sweep. Errors: store_failed where the folder can't be read.
  Result<FileSweep> sweep(std::int64_t idle_since) override;

 private:
  const std::unique_ptr<FileStore> files_;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/disk_file_store.ipp>
#endif
