// The file store as the server calls it.
#pragma once

#include <flux/detail/features/store_faults.hpp>
#include <flux/storage/file_store.hpp>

#include <memory>
#include <utility>

namespace flux::features {

/// Hands every call on. Of what fails its callers get what a client may read, and of what is known of a file only what
/// can be told: neither a row of another file nor a type or name that breaks the answer it is put in.
/// Threading: as the other store's.
class GuardedFileStore final : public FileStore {
 public:
  GuardedFileStore(std::shared_ptr<FileStore> store, std::shared_ptr<StoreFaults> faults)
      : store_(std::move(store)), faults_(std::move(faults)) {}

  Result<void> create(const FileInfo& file) override {
    return faults_->guarded([&] { return store_->create(file); });
  }
  Result<void> set_length(const FileId& id, std::uint64_t length) override {
    return faults_->guarded([&] { return store_->set_length(id, length); });
  }
  Result<std::uint64_t> append(const FileId& id, std::uint64_t offset, std::string_view bytes) override {
    return faults_->guarded([&] { return store_->append(id, offset, bytes); });
  }
  Result<FileInfo> complete(const FileId& id) override {
    return faults_->guarded([&] { return usable(id, store_->complete(id)); });
  }
  Result<FileInfo> info(const FileId& id) override {
    return faults_->guarded([&] { return usable(id, store_->info(id)); });
  }
  Result<std::size_t> read(const FileId& id, std::uint64_t offset, std::span<char> into) override {
    return faults_->guarded([&] { return store_->read(id, offset, into); });
  }
  Result<void> mark_shared(const FileId& id) override {
    return faults_->guarded([&] { return store_->mark_shared(id); });
  }
  Result<void> mark_deleted(const FileId& id) override {
    return faults_->guarded([&] { return store_->mark_deleted(id); });
  }
  Result<void> remove(const FileId& id) override {
    return faults_->guarded([&] { return store_->remove(id); });
  }
  Result<std::vector<FileInfo>> list() override {
    return faults_->guarded([&] { return store_->list(); });
  }
  Result<FileCleanup> cleanup_deleted() override {
    return faults_->guarded([&] { return store_->cleanup_deleted(); });
  }
  Result<FileSweep> sweep(std::int64_t idle_since) override {
    return faults_->guarded([&] { return store_->sweep(idle_since); });
  }
  bool may_block() const override { return store_->may_block(); }

 private:
  static Result<FileInfo> usable(const FileId& id, Result<FileInfo> file);

  const std::shared_ptr<FileStore> store_;
  const std::shared_ptr<StoreFaults> faults_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/guarded_file_store.ipp>
#endif
