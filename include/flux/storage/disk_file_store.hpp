// Files in a local folder.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/mode.hpp>
#include <flux/storage/file_index.hpp>
#include <flux/storage/file_store.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

/// Quotas of a `DiskFileStore`, and what it works with.
struct DiskFileStoreOptions {
  /// Bytes of all files; 0: unlimited. An upload counts with its whole length from its beginning, and a deleted file
  /// until `cleanup_deleted`.
  std::uint64_t bytes_max = 10'737'418'240;
  /// Bytes of the files of one owner; 0: unlimited. Files without an owner ("") share one quota, so that the limit can't
  /// be avoided by not logging in; `FilesOptions::unfinished_bytes_per_address_max` divides it. Deleted files don't count.
  std::uint64_t bytes_per_owner_max = 2'147'483'648;
  /// Files, including uploads and deleted ones; 0: unlimited. Each takes about 1 kB of memory, plus
  /// `FileInfo::metadata`, at most 3 kB.
  std::uint64_t files_max = 100'000;
  /// Files of one owner, including uploads; 0: unlimited. Files without an owner and deleted files are treated as above.
  std::uint64_t files_per_owner_max = 20'000;
  /// Keeps the metadata of the files, for this store alone. None: a file in the folder.
  std::shared_ptr<FileIndex> index{};
  /// Tells when bytes were appended. None: the system's clock.
  std::shared_ptr<Clock> clock{};
};

/// Stores each file in one folder: as "ID.part" while it is uploaded, as "ID" when it is complete and synced. Of a file's
/// metadata only the id, a UUID, is ever part of a path. The folder also holds "flux-files.lock" and, without another
/// index, "flux-files.index". Use a folder of its own: `sweep` removes every file in it that is named like a file of flux
/// but unknown to the index, and touches nothing else.
///
/// - Nothing is cached, and no file stays open. Memory holds the metadata of all files.
/// - After a crash of the process an upload continues behind the bytes that are on disk, acknowledged or not; its time of
///   modification is then the file system's. After a crash of the machine it is unknown which bytes reached the disk, so
///   the upload starts over. (This is detected on Linux. Elsewhere it continues behind what the file system shows.)
/// - `wants_sha256` needs digests in the build (FLUX_WITH_TLS): without them `create` returns invalid_argument. The digest
///   is computed as the bytes arrive; after a restart `complete` reads them all again.
/// - If the disk is too full to record that an upload is removed, its bytes are deleted first. If recording still fails,
///   the upload starts over.
/// - `remove` succeeds even if the system can't delete the bytes; they are then an orphan for `sweep`.
/// - Error messages hold the system's reason, and no path.
///
/// Threading: any thread; calls for one file wait for each other. May block.
class DiskFileStore final : public FileStore {
 public:
  /// `folder`: UTF-8; created if it does not exist. Completes the uploads that have all their bytes.
  /// Errors: throws flux::Error (bad_config) if the folder can't be created, read or written, another store uses it, or
  /// the index can't be loaded.
  explicit DiskFileStore(std::string folder, DiskFileStoreOptions options = {});
  FLUX_DECL ~DiskFileStore() override;
  DiskFileStore(const DiskFileStore&) = delete;
  DiskFileStore& operator=(const DiskFileStore&) = delete;

  /// Errors: also invalid_argument if the id is not a UUID in lower case or not new, or the state is not that of a new
  /// upload; file_too_large if no file system has files of that length.
  FLUX_DECL Result<void> create(const FileInfo& file) override;
  FLUX_DECL Result<void> set_length(const FileId& id, std::uint64_t length) override;
  FLUX_DECL Result<std::uint64_t> append(const FileId& id, std::uint64_t offset, std::string_view bytes) override;
  FLUX_DECL Result<FileInfo> complete(const FileId& id) override;
  FLUX_DECL Result<FileInfo> info(const FileId& id) override;
  /// Errors: also wrong_offset if the upload is not complete.
  FLUX_DECL Result<std::size_t> read(const FileId& id, std::uint64_t offset, std::span<char> into) override;
  FLUX_DECL Result<void> mark_shared(const FileId& id) override;
  /// Errors: also wrong_offset if the upload is not complete.
  FLUX_DECL Result<void> mark_deleted(const FileId& id) override;
  FLUX_DECL Result<void> remove(const FileId& id) override;
  FLUX_DECL Result<std::vector<FileInfo>> list() override;
  FLUX_DECL Result<FilesPage> page(const FileQuery& query) override;
  FLUX_DECL Result<FileCleanup> cleanup_deleted() override;
  /// An upload that can't be removed is left for the next sweep. Errors: store_failed if the folder can't be read.
  FLUX_DECL Result<FileSweep> sweep(std::int64_t idle_since) override;

 private:
  const std::unique_ptr<FileStore> files_;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/disk_file_store.ipp>
#endif
