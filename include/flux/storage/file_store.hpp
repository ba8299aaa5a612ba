// Where files are kept: the interface that applications implement.
#pragma once

#include <flux/error.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux {

/// Names a file for good: a random UUID (RFC 9562, version 4), 36 characters in lower case. It is made by the server,
/// so no client chooses a name on disk, and who does not know it can't guess it.
using FileId = std::string;

/// Of a file's name. Answers say it percent-encoded, three bytes for one, and many proxies take no more than 4 kB of
/// header fields.
inline constexpr std::size_t file_name_bytes_max = 512;

enum class FileState : std::uint8_t {
  uploading,  ///< some of it is there; more may be appended
  complete,   ///< all of it is there, and it is never changed again
  deleted,    ///< logically: nobody gets it any more; its bytes go with the next `cleanup_deleted`
};

struct FileInfo {
  FileId id{};
  std::string name{};                     ///< as its uploader calls it: any UTF-8 without NUL. Never part of a path
  std::string media_type{};               ///< "image/png"; empty: unknown
  std::string owner{};                    ///< user id of the uploader; empty: unknown
  std::string metadata{};                 ///< the uploader's own words about it, kept as they are
  std::optional<std::uint64_t> length{};  ///< bytes it will have; none: the uploader does not know yet
  std::uint64_t size = 0;                 ///< bytes that are there
  bool wants_sha256 = false;
  std::string sha256{};  ///< of a complete file for which it was asked: 64 hexadecimal digits in lower case
  FileState state = FileState::uploading;
  bool shared = false;           ///< by its owner, or in the room it was uploaded to: it goes with its last place
  std::int64_t created_at = 0;   ///< milliseconds since 1970
  std::int64_t modified_at = 0;  ///< when bytes were appended last
  friend bool operator==(const FileInfo&, const FileInfo&) = default;
};

/// What `cleanup_deleted` did. A file that was gone already counts as deleted; one that failed is tried again next
/// time.
struct FileCleanup {
  std::vector<FileId> deleted;
  std::vector<FileId> failed;
};

/// What `sweep` removed.
struct FileSweep {
  std::vector<FileId> expired;  ///< unfinished uploads to which nothing was appended for long
  std::size_t orphans = 0;      ///< things in the store that belong to no file it knows
};

/// Keeps files and what is known of them. The implementer's duties:
/// - What `create`, `complete`, `mark_shared` and `mark_deleted` have returned without error survives a crash of the
///   process, and what `complete` has returned a loss of power too. What `append` has returned survives a crash of the
///   process, so that the upload can go on where it was. An upload that has all its bytes when the store is opened
///   again is complete.
/// - A call that fails changes nothing: no half file, no half append.
/// - Calls about one file never overlap; calls about different files may, and the others (`list`, `cleanup_deleted`,
///   `sweep`) may overlap any, so what files share needs its own lock.
/// - A store that may block (`may_block() == true`, the default) is called on flux's file workers. One that never does
///   may say so, and is called on event loops.
/// - No method may call the `Server` back.
/// - Errors are values; an exception counts as store_failed. Every method may give store_failed, every one that writes
///   quota_exceeded where the disk is full, and every one that is given an id of a file that is not there, or is
///   deleted, file_not_found.
class FileStore {
 public:
  virtual ~FileStore() = default;

  /// Begins an upload: `file` is in state uploading, with size 0 and an id that is new. Room for `length` bytes is
  /// reserved where it is known. Errors: quota_exceeded.
  virtual Result<void> create(const FileInfo& file) = 0;
  /// Says the length of an upload that was begun without one. Errors: wrong_offset where more bytes than that are
  /// there, or another length is known; quota_exceeded.
  virtual Result<void> set_length(const FileId& id, std::uint64_t length) = 0;
  /// Appends `bytes` behind the `offset` bytes that are there, and returns how many are there now.
  /// Errors: wrong_offset where not exactly `offset` bytes are there, or the upload is complete; file_too_large past
  /// its length; quota_exceeded.
  virtual Result<std::uint64_t> append(const FileId& id, std::uint64_t offset, std::string_view bytes) = 0;
  /// All of it has been appended: it is on disk for good, and can be read from now on. Completing it again does
  /// nothing. An upload without a length gets the one it has. Errors: wrong_offset where bytes are missing.
  virtual Result<FileInfo> complete(const FileId& id) = 0;
  virtual Result<FileInfo> info(const FileId& id) = 0;
  /// Reads the bytes of a complete file from `offset` on, until `into` is full or the file ends; returns how many.
  /// Errors: wrong_offset where the upload is not complete.
  virtual Result<std::size_t> read(const FileId& id, std::uint64_t offset, std::span<char> into) = 0;
  /// The file was shared by one who may have it deleted: when nothing holds it any more, it is.
  virtual Result<void> mark_shared(const FileId& id) = 0;
  /// Deletes a complete file logically. Errors: wrong_offset where the upload is not complete.
  virtual Result<void> mark_deleted(const FileId& id) = 0;
  /// Removes the file at once, complete or not, and gives back what it used.
  virtual Result<void> remove(const FileId& id) = 0;
  /// Every file that is not deleted, in no particular order.
  virtual Result<std::vector<FileInfo>> list() = 0;
  /// Removes from disk what is logically deleted.
  virtual Result<FileCleanup> cleanup_deleted() = 0;
  /// Removes uploads to which nothing was appended since `idle_since` (milliseconds since 1970), and orphans.
  virtual Result<FileSweep> sweep(std::int64_t idle_since) = 0;
  virtual bool may_block() const { return true; }
};

}  // namespace flux
