#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/storage/disk_files.hpp>
#include <flux/storage/disk_file_store.hpp>

#include <utility>

namespace flux {

FLUX_DECL DiskFileStore::DiskFileStore(std::string folder, DiskFileStoreOptions options)
    : files_(std::make_unique<storage::DiskFiles>(std::move(folder), std::move(options))) {}
FLUX_DECL DiskFileStore::~DiskFileStore() = default;

FLUX_DECL Result<void> DiskFileStore::create(const FileInfo& file) { return files_->create(file); }
FLUX_DECL Result<void> DiskFileStore::set_length(const FileId& id, std::uint64_t length) {
  return files_->set_length(id, length);
}
FLUX_DECL Result<std::uint64_t> DiskFileStore::append(const FileId& id, std::uint64_t offset, std::string_view bytes) {
  return files_->append(id, offset, bytes);
}
FLUX_DECL Result<FileInfo> DiskFileStore::complete(const FileId& id) { return files_->complete(id); }
FLUX_DECL Result<FileInfo> DiskFileStore::info(const FileId& id) { return files_->info(id); }
FLUX_DECL Result<std::size_t> DiskFileStore::read(const FileId& id, std::uint64_t offset, std::span<char> into) {
  return files_->read(id, offset, into);
}
FLUX_DECL Result<void> DiskFileStore::mark_shared(const FileId& id) { return files_->mark_shared(id); }
FLUX_DECL Result<void> DiskFileStore::mark_deleted(const FileId& id) { return files_->mark_deleted(id); }
FLUX_DECL Result<void> DiskFileStore::remove(const FileId& id) { return files_->remove(id); }
FLUX_DECL Result<std::vector<FileInfo>> DiskFileStore::list() { return files_->list(); }
FLUX_DECL Result<FilesPage> DiskFileStore::page(const FileQuery& query) { return files_->page(query); }
FLUX_DECL Result<FileCleanup> DiskFileStore::cleanup_deleted() { return files_->cleanup_deleted(); }
FLUX_DECL Result<FileSweep> DiskFileStore::sweep(std::int64_t idle_since) { return files_->sweep(idle_since); }

}  // namespace flux
