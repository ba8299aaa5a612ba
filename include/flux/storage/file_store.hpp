// The interface of file stores, which applications can implement.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/error.hpp>
#include <flux/storage/file_info.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace flux {

namespace detail {
class ServerState;
#if defined(FLUX_HEADER_ONLY)
void add_files(ServerState& server);
#endif
}  // namespace detail

/// Stores files and their metadata. The implementer's duties:
/// - The effects of `create`, `append`, `complete`, `mark_shared` and `mark_deleted` survive a crash of the process once
///   they have returned without error, so that an upload can continue; those of `complete` also survive a loss of power.
///   An upload that has all its bytes when the store is reopened is complete.
/// - A call that fails changes nothing: no half file, no half append.
/// - Calls for one file never overlap; calls for different files may, and the others (`list`, `page`,
///   `cleanup_deleted`, `sweep`) may overlap any call, so shared data needs a lock.
/// - A store that may block (`may_block() == true`, the default) is called on flux's file workers. One that never blocks
///   may return false, and is called on event loops.
/// - No method may call the `Server`.
/// - Errors are values; an exception counts as store_failed. Every method may return store_failed; methods that write,
///   quota_exceeded if the disk or the store is full, and owner_quota_exceeded if the file's owner may have no more, which
///   is not counted or logged as a failure; methods that take an id, file_not_found if the file does not exist or is
///   deleted.
class FileStore {
 public:
#if defined(FLUX_HEADER_ONLY)
  FileStore() { detail::files_module.store(&detail::add_files); }
#endif
  virtual ~FileStore() = default;

  /// Begins an upload: `file` is in state uploading, with size 0 and a new id. Reserves space for `length` bytes if it is
  /// known. Errors: quota_exceeded, owner_quota_exceeded.
  virtual Result<void> create(const FileInfo& file) = 0;
  /// Sets the length of an upload that was begun without one. Errors: wrong_offset if more bytes than that are stored, or
  /// another length is known; quota_exceeded, owner_quota_exceeded.
  virtual Result<void> set_length(const FileId& id, std::uint64_t length) = 0;
  /// Appends `bytes` at `offset`, which must be the end of the upload, and returns its new size.
  /// Errors: wrong_offset if not exactly `offset` bytes are stored, or the upload is complete; file_too_large beyond its
  /// length; quota_exceeded, owner_quota_exceeded.
  virtual Result<std::uint64_t> append(const FileId& id, std::uint64_t offset, std::string_view bytes) = 0;
  /// Completes the upload: it is durable when this returns, and can be read from then on. Completing it again does
  /// nothing. If the length was unknown, it becomes the present size. Errors: wrong_offset if bytes are missing.
  virtual Result<FileInfo> complete(const FileId& id) = 0;
  /// Returns what is known of the file.
  virtual Result<FileInfo> info(const FileId& id) = 0;
  /// Reads a complete file from `offset`, until `into` is full or the file ends; returns the number of bytes.
  /// Errors: wrong_offset if the upload is not complete.
  virtual Result<std::size_t> read(const FileId& id, std::uint64_t offset, std::span<char> into) = 0;
  /// Marks the file as shared: flux deletes it when no item refers to it any more.
  virtual Result<void> mark_shared(const FileId& id) = 0;
  /// Deletes a complete file logically. Errors: wrong_offset if the upload is not complete.
  virtual Result<void> mark_deleted(const FileId& id) = 0;
  /// Removes the file at once, complete or not, and frees its space.
  virtual Result<void> remove(const FileId& id) = 0;
  /// Returns every file that is not deleted, in no particular order.
  virtual Result<std::vector<FileInfo>> list() = 0;
  /// Returns a page of the complete files. A file that exists all the time is in exactly one page, whatever is stored or
  /// removed between two pages. Optional: this one makes the page from `list`.
  /// Errors: invalid_argument if `after` is not from a page.
  FLUX_DECL virtual Result<FilesPage> page(const FileQuery& query);
  /// Removes logically deleted files from disk.
  virtual Result<FileCleanup> cleanup_deleted() = 0;
  /// Removes uploads that received nothing since `idle_since` (milliseconds since 1970), and orphans.
  virtual Result<FileSweep> sweep(std::int64_t idle_since) = 0;
  /// Whether calls may block: if so, they are made on flux's file workers. Must not change.
  virtual bool may_block() const { return true; }

 private:
  friend class detail::ServerState;
  /// For flux itself: adds what serves files to the server. Every class of stores refers to this function, so a program
  /// links the code behind it exactly if it has such a class. In header-only mode see `detail::files_module`.
#if defined(FLUX_HEADER_ONLY)
  virtual void add_to(detail::ServerState&) const {}
#else
  virtual void add_to(detail::ServerState& server) const;
#endif
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/server.hpp>
// After what it needs.
#include <flux/detail/server/files_module.ipp>
#include <flux/detail/storage/file_pager.ipp>
#endif
