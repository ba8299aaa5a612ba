// A durable log of records in one file, which rewrites itself when most of it no longer counts.
#pragma once

#include <flux/detail/storage/file_system.hpp>
#include <flux/error.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace flux::storage {

/// Where a record is in the journal's file. Valid until the journal is rewritten.
struct JournalPlace {
  std::uint64_t offset = 0;
  std::uint32_t bytes = 0;  ///< of the record in the file: 5 more than its content
  std::uint32_t crc = 0;    ///< of those bytes, so that damage is not copied
};

/// A record to append: one byte that says what kind it is, and its content. The journal interprets neither.
struct JournalEntry {
  char kind = 0;
  std::string_view content{};
};

/// A record that is in the journal.
struct JournalRecord {
  char kind = 0;
  std::string_view content{};  ///< valid during the call
  JournalPlace place{};
};

/// The file that is to replace the journal's present one, while the live records are written to it.
class JournalSnapshot {
 public:
  virtual ~JournalSnapshot() = default;
  /// Writes a record. Returns its place, which is valid from `JournalState::rewritten` on. Errors of the disk are
  /// reported by the journal.
  virtual JournalPlace add(char kind, std::string_view content) = 0;
  /// Copies a record of the present file. Errors: store_failed if it can't be read or is damaged.
  virtual Result<JournalPlace> copy(const JournalPlace& place) = 0;
};

/// What the records add up to: implemented by the journal's user. The journal never calls two methods at a time, and
/// none under a lock; they must not call the journal.
class JournalState {
 public:
  virtual ~JournalState() = default;
  /// Applies a record. Called for every record in the journal, in its order: by `Journal::open` for those that the file
  /// holds, then by the appending threads for each record once it is durable, before its `append` returns.
  /// Errors: any if the record can't be applied; `open` or `append` then returns it.
  virtual Result<void> apply(const JournalRecord& record) = 0;
  /// The sum of `JournalPlace::bytes` of the records that `write_live` would write, or an estimate of it.
  virtual std::uint64_t live_bytes() const = 0;
  /// Writes records which, applied to an empty state, give this one.
  virtual Result<void> write_live(JournalSnapshot& to) = 0;
  /// What `write_live` wrote last is now the journal. Not called if the rewriting failed; the places of the old file
  /// then remain valid.
  virtual void rewritten() {}
};

struct JournalOptions {
  /// The first 8 bytes of the file; they tell one kind of journal from another. Exactly 8 bytes.
  std::string_view name{};
  /// What errors call it: "file index" gives "can't write the file index: …". They name no path.
  std::string subject = "journal";
  /// Content of one record, and of the records of one `append` together. At most 64 MiB.
  std::size_t record_bytes_max = 1024 * 1024;
  /// Size of the file below which it is not rewritten.
  std::uint64_t rewrite_bytes_min = 64 * 1024;
  /// Whether a last frame that is not whole, and that no crash explains, is damage rather than a torn frame.
  bool refuse_damaged_end = false;
  /// Null: the operating system's.
  std::shared_ptr<FileSystem> files{};
};

/// Records are appended to one file. `append` returns when its records are durable; appends made at the same time share
/// one write and one sync. When the file is more than twice as large as its live records, those are written to a new
/// file, which then replaces the old one; so the file's size is at most about twice what is live, or
/// `rewrite_bytes_min`.
///
/// Format: 8 bytes of name, 8 random bytes (the salt), the CRC-32 of both. Then frames: 4 bytes of size, the CRC-32 of
/// those, the CRC-32 of the content, the content. Both CRCs also cover the salt and the frame's offset in the file, so
/// nothing that a client puts into a record can pass for a frame. A frame's content is a sequence of records: kind (1
/// byte), size (4 bytes), content. All records of one `append` are in one frame, so either all of them survive a crash
/// or none does. Numbers are little-endian.
///
/// A frame is synced before the next one is written. So if a frame is not whole and a whole one follows, the file is
/// damaged, and `open` says where. If none follows, the frame was torn by a crash before it was acknowledged, and is cut
/// off. With `JournalOptions::refuse_damaged_end`, only what a crash leaves counts as torn: a frame that ends early, or
/// one of which whole sectors were not written and read as zeros. After a failed sync it is unknown what is on disk, so
/// the next append writes a new file first.
///
/// An append that failed may still be found after a crash, if the power went before its bytes could be cut off.
/// One process at a time may use the file; that is the caller's duty. `path` + ".new" also belongs to the journal.
/// Threading: `open` first, then `append` from any thread; blocks.
class Journal {
 public:
  /// `path`: UTF-8. `state` must outlive the journal.
  Journal(std::string path, JournalState& state, JournalOptions options);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Applies every record of the file to the state, or creates the file if it does not exist; the folder must exist.
  /// Everything applied is durable when this returns. Called once.
  /// Errors: store_failed if the file can't be read or written, or is damaged (it is then left as it is); those of
  /// `JournalState::apply`; quota_exceeded if the disk is full.
  Result<void> open();
  /// Errors: store_failed if the journal is not open, the records are too large, or the disk failed; quota_exceeded if
  /// the disk is full. Nothing was applied then, unless `JournalState::apply` itself failed.
  Result<void> append(char kind, std::string_view content);
  /// The same for several records, which survive a crash together or not at all.
  Result<void> append(std::span<const JournalEntry> entries);
  /// The bytes of a torn frame, and of what followed it, that `open` has cut off.
  std::uint64_t cut_bytes() const { return cut_bytes_; }
  /// Appends that wait for another thread's write to end.
  std::size_t waiting() const;

 private:
  struct Batch {
    std::string content;
    std::size_t appends = 0;
    bool done = false;
    Result<void> result;
  };
  class Reader;
  class Snapshot;

  Result<void> commit(const std::string& records);
  Result<void> write(std::string_view content);
  Result<void> replay();
  Result<void> apply(std::string_view content, std::uint64_t content_at);
  Result<void> rewrite();
  Error failed(const std::string& what, const std::error_code& error) const;
  Error damaged_at(std::uint64_t offset, const std::string& detail = {}) const;

  const std::string path_;
  JournalState& state_;
  const JournalOptions options_;
  const std::shared_ptr<FileSystem> files_;
  mutable std::mutex mutex_;
  std::condition_variable written_;
  std::shared_ptr<Batch> next_;  // to be written when the present write has ended
  bool writing_ = false;         // the thread that has set it may use everything below
  std::unique_ptr<FileSystem::File> file_;
  std::uint32_t salt_crc_ = 0;    // CRC-32 of the salt: the start value of all others
  std::uint64_t end_ = 0;         // of the last whole frame
  std::uint64_t cut_bytes_ = 0;   // set by `open`
  std::uint64_t rewrite_at_ = 0;  // the size from which a rewriting may pay
  bool sound_ = true;             // false: the content of the file after `end_`, or on disk, is unknown
};

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/journal.ipp>
#endif
