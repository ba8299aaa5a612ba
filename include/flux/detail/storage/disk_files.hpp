// The disk store's work: files in a folder, and an index of them.
#pragma once

#include <flux/detail/core/digest.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/mode.hpp>
#include <flux/detail/storage/file_usage.hpp>
#include <flux/detail/storage/raw_file.hpp>
#include <flux/storage/disk_file_store.hpp>

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace flux::storage {

/// What `DiskFileStore` documents. Threading: any thread.
class DiskFiles final : public FileStore {
 public:
  DiskFiles(std::string folder, DiskFileStoreOptions options);
  FLUX_DECL ~DiskFiles() override;
  DiskFiles(const DiskFiles&) = delete;
  DiskFiles& operator=(const DiskFiles&) = delete;

  FLUX_DECL Result<void> create(const FileInfo& file) override;
  FLUX_DECL Result<void> set_length(const FileId& id, std::uint64_t length) override;
  FLUX_DECL Result<std::uint64_t> append(const FileId& id, std::uint64_t offset, std::string_view bytes) override;
  FLUX_DECL Result<FileInfo> complete(const FileId& id) override;
  FLUX_DECL Result<FileInfo> info(const FileId& id) override;
  FLUX_DECL Result<std::size_t> read(const FileId& id, std::uint64_t offset, std::span<char> into) override;
  FLUX_DECL Result<void> mark_shared(const FileId& id) override;
  FLUX_DECL Result<void> mark_deleted(const FileId& id) override;
  FLUX_DECL Result<void> remove(const FileId& id) override;
  FLUX_DECL Result<std::vector<FileInfo>> list() override;
  FLUX_DECL Result<FilesPage> page(const FileQuery& query) override;
  FLUX_DECL Result<FileCleanup> cleanup_deleted() override;
  FLUX_DECL Result<FileSweep> sweep(std::int64_t idle_since) override;

 private:
  struct Entry {
    FileInfo info;
    bool busy = false;                     // a call uses it
    bool has_final_name = false;           // its bytes are in "ID", not in "ID.part"
    std::optional<core::Digest> digest{};  // of all its bytes; none after a restart
  };
  struct LetGo {
    DiskFiles* store;
    void operator()(Entry* entry) const noexcept { store->let_go(*entry); }
  };
  /// An entry that no other call changes or removes meanwhile.
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
  Result<RawFile> sync_bytes(const Entry& entry);
  Result<std::string> sha256_of(Entry& entry, const RawFile& file);
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
  RawFile lock_;                  // holds the name of the present boot, or `closed_mark`
  bool part_bytes_lost_ = false;  // possibly, of some uploads: the machine crashed
  std::mutex mutex_;              // guards everything below; never held during I/O
  std::condition_variable let_go_;
  std::unordered_map<FileId, Entry, core::SeededHash, std::equal_to<>> entries_;
  FileUsage usage_;
};

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/disk_files.ipp>
#endif
