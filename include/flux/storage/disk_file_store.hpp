// Files in a folder of the machine.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/digest.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/storage/file_usage.hpp>
#include <flux/detail/storage/raw_file.hpp>
#include <flux/storage/file_index.hpp>
#include <flux/storage/file_store.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
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
  struct Entry {
    FileInfo info;
    bool busy = false;                     // a call is about it
    bool has_final_name = false;           // its bytes are under "ID"
    std::optional<core::Digest> digest{};  // of all its bytes; none after a restart
  };
  struct LetGo {
    DiskFileStore* store;
    void operator()(Entry* entry) const noexcept { store->let_go(*entry); }
  };
  /// An entry that nobody else changes or removes meanwhile.
  using Held = std::unique_ptr<Entry, LetGo>;
  struct Names {
    bool part = false, final = false;
  };

  void make_folder(std::error_code& error) const;
  void open_folder();
  void write_mark(const std::string& mark, std::error_code& error);
  bool machine_went_down() const;
  void load_index();
  void adopt(FileInfo file, Names on_disk);
  void adopt_upload(Entry& entry, Names on_disk);
  void adopt_bytes(Entry& entry, Names on_disk) const;
  void bring_uploads_to_disk(std::error_code& error) const;
  std::unordered_map<FileId, Names> names_on_disk(std::error_code& error) const;

  bool knows(const FileId& id);
  Result<Held> hold(const FileId& id);
  template <class Wanted>
  std::vector<FileId> ids_where(Wanted wanted);
  template <class Wanted>
  Held hold_if(const FileId& id, Wanted wanted);
  void let_go(Entry& entry) noexcept;
  void forget(Held held);

  Result<void> store(Entry& entry, FileInfo changed);
  Result<void> reserve(const std::string& owner, std::uint64_t bytes);
  void release(const std::string& owner, std::uint64_t bytes);
  Result<void> write_bytes(const Entry& entry, std::string_view bytes);
  void digest_bytes(Entry& entry, std::string_view bytes);
  Result<void> finish(Entry& entry);
  Result<storage::RawFile> sync_bytes(const Entry& entry);
  Result<std::string> sha256_of(Entry& entry, const storage::RawFile& file);
  Result<void> give_final_name(Entry& entry, FileInfo done);
  Result<void> erase(Held held);
  bool drop_part(Entry& entry);
  bool remove_bytes(const FileId& id, std::error_code& error);

  template <class Call>
  Result<void> in_index(Call call);
  std::string path(const std::string& name) const { return folder_ + '/' + name; }
  std::string path_of(const Entry& entry) const;

  const std::string folder_;
  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<FileIndex> index_;
  storage::RawFile lock_;         // holds the boot that the store is used in, or that it was closed
  bool part_bytes_lost_ = false;  // of some uploads, maybe: the machine went down
  std::mutex mutex_;              // of all below; never held for I/O
  std::condition_variable let_go_;
  std::unordered_map<FileId, Entry, core::SeededHash, std::equal_to<>> entries_;
  storage::FileUsage usage_;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/disk_file_store.ipp>
#endif
