// The file store as the server calls it.
#pragma once

#include <flux/detail/core/utf8.hpp>
#include <flux/detail/features/store_faults.hpp>
#include <flux/detail/features/unfinished_uploads.hpp>
#include <flux/storage/file_store.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace flux::features {

/// Passes every call on to the application's store. Callers get errors that a client may read, and of a file's metadata
/// only what can be sent: not the row of another file, nor a type or name that would break an HTTP response.
/// Keeps `unfinished` up to date, which must outlive it: an upload that would exceed its limits is refused with
/// limit_exceeded.
/// Threading: that of the application's store.
class GuardedFileStore final : public FileStore {
 public:
  GuardedFileStore(std::shared_ptr<FileStore> store, std::shared_ptr<StoreFaults> faults, UnfinishedUploads& unfinished)
      : store_(std::move(store)), faults_(std::move(faults)), unfinished_(unfinished) {}

  Result<void> create(const FileInfo& file) override {
    auto created = faults_->guarded([&] { return store_->create(file); });
    if (created) unfinished_.note_created(file.id);
    return created;
  }
  Result<void> set_length(const FileId& id, std::uint64_t length) override {
    return growing(id, length, [&] { return store_->set_length(id, length); });
  }
  Result<std::uint64_t> append(const FileId& id, std::uint64_t offset, std::string_view bytes) override {
    const std::uint64_t end = offset + bytes.size();
    return growing(id, end, [&]() -> Result<std::uint64_t> {
      auto size = store_->append(id, offset, bytes);
      if (!size || *size == end) return size;
      return Error(Errc::store_failed, "after an append, upload " + id + " has " + std::to_string(*size) +
                                           " bytes instead of " + std::to_string(end));
    });
  }
  Result<FileInfo> complete(const FileId& id) override {
    auto completed = faults_->guarded([&]() -> Result<FileInfo> {
      auto file = usable(id, store_->complete(id));
      if (!file || file->state == FileState::complete) return file;
      return Error(Errc::store_failed, "upload " + id + " is not complete after it was completed");
    });
    if (completed) unfinished_.remove(id);
    return completed;
  }
  Result<FileInfo> info(const FileId& id) override {
    return faults_->guarded([&] { return usable(id, store_->info(id)); });
  }
  Result<std::size_t> read(const FileId& id, std::uint64_t offset, std::span<char> into) override {
    return faults_->guarded([&]() -> Result<std::size_t> {
      auto size = store_->read(id, offset, into);
      if (!size || *size <= into.size()) return size;
      return Error(Errc::store_failed, "it read " + std::to_string(*size) + " bytes of file " + id +
                                           " instead of at most " + std::to_string(into.size()));
    });
  }
  Result<void> mark_shared(const FileId& id) override {
    return faults_->guarded([&] { return store_->mark_shared(id); });
  }
  Result<void> mark_deleted(const FileId& id) override {
    return faults_->guarded([&] { return store_->mark_deleted(id); });
  }
  Result<void> remove(const FileId& id) override {
    auto removed = faults_->guarded([&] { return store_->remove(id); });
    if (removed || removed.error().code() == Errc::file_not_found) unfinished_.remove(id);
    return removed;
  }
  Result<std::vector<FileInfo>> list() override {
    return faults_->guarded([&] { return store_->list(); });
  }
  Result<FilesPage> page(const FileQuery& query) override {
    auto page = faults_->guarded([&] { return store_->page(query); });
    if (!page && page.error().code() == Errc::invalid_argument) {
      return Error(Errc::invalid_argument,
                   "FileQuery::after must be empty or what a page of files returned as `after`, not \"" +
                       core::shown(query.after) + "\"",
                   page.error().cause());
    }
    if (page) {
      for (FileInfo& file : page->files) mend(file);
    }
    return page;
  }
  Result<FileCleanup> cleanup_deleted() override {
    return faults_->guarded([&] { return store_->cleanup_deleted(); });
  }
  Result<FileSweep> sweep(std::int64_t idle_since) override {
    auto swept = faults_->guarded([&] { return store_->sweep(idle_since); });
    if (swept) {
      for (const FileId& id : swept->expired) unfinished_.remove(id);
    }
    return swept;
  }
  bool may_block() const override { return store_->may_block(); }

 private:
  /// Makes `call`, after which the upload has received, or declares, `bytes`.
  template <class Call>
  auto growing(const FileId& id, std::uint64_t bytes, const Call& call) -> decltype(call()) {
    const auto before = unfinished_.grow(id, bytes);
    if (!before) return before.error();
    auto result = faults_->guarded(call);
    if (!result) unfinished_.shrink(id, *before);
    return result;
  }
  static void mend(FileInfo& file);
  static Result<FileInfo> usable(const FileId& id, Result<FileInfo> file);

  const std::shared_ptr<FileStore> store_;
  const std::shared_ptr<StoreFaults> faults_;
  UnfinishedUploads& unfinished_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/guarded_file_store.ipp>
#endif
