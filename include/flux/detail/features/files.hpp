// Shared files: the way to their store, and which of them rooms and the public space still hold.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/features/guarded_file_store.hpp>
#include <flux/detail/features/unfinished_uploads.hpp>
#include <flux/detail/storage/store_queue.hpp>
#include <flux/json.hpp>
#include <flux/types.hpp>

#include <array>
#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace flux::features {

class Files;
class Room;

/// `{type:"file", fileId, fileName, mimeType, size}`: what is stored and sent in the place of a file.
JsonText stored_data(const FileInfo& file);

/// On whose behalf a file is held, and where.
struct FileHolder {
  bool is_application = false;
  std::string user_id{};               ///< of the client who shares the file; empty: unknown
  SessionId connection{};              ///< likewise
  std::shared_ptr<const Room> room{};  ///< null: the public space
};

/// Who began an upload, and for which room, beside the user who owns the file (`FileInfo::owner`).
struct FileOrigin {
  SessionId connection{};      ///< empty: unknown
  std::weak_ptr<Room> room{};  ///< empty: for none
  std::string upload_id{};     ///< as the client calls the upload there; empty: the server has a name for it
};

/// A place in a room or the public space that a file has, copied with the item that stands for it. When the last place
/// of a file goes, the file is logically deleted if it is shared by then (`FileInfo::shared`). It becomes shared by a
/// place of its owner's, of the application's or in the room that it was uploaded to. Other places keep the file while
/// they exist but do not end it: a client that only knows a file's id can show it to others, not have it deleted.
/// Threading: any thread.
class FileHold {
 public:
  /// `shares`: the file becomes shared by this place.
  FileHold(const std::shared_ptr<Files>& files, FileInfo info, bool shares);
  FileHold(const FileHold&) = delete;
  FileHold& operator=(const FileHold&) = delete;
  ~FileHold();

  const FileInfo& info() const noexcept { return info_; }
  JsonText stored_data() const { return features::stored_data(info_); }
  /// Its item is in the store of its room: from here on the file is shared, where this place shares it.
  void stored() const;

 private:
  const std::weak_ptr<Files> files_;
  const FileInfo info_;
  mutable std::atomic<bool> to_mark_;
};

using FileHoldPtr = std::shared_ptr<const FileHold>;

/// Threading: any thread. Calls about one file are made one at a time, in order: on workers where the store may block,
/// else where the caller is. What they come to (`done`) is told where they were made.
class Files final : public std::enable_shared_from_this<Files> {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;
  /// What brings bytes to disk, or looks at all files, is slow: it never keeps the others from all workers.
  using Pace = storage::StoreQueue::Pace;

  /// `options.store` is there. `faults`: hears, too, what goes wrong where nobody waits for the answer.
  Files(const FilesOptions& options, const Limits& limits, std::shared_ptr<Clock> clock,
        std::shared_ptr<StoreFaults> faults);

  const FilesOptions& options() const noexcept { return options_; }
  std::int64_t unix_ms() const { return clock_->unix_ms(); }

  /// From here on calls are made. Files that only rooms of an earlier life held are logically deleted.
  void start();
  /// Returns when every call is through, and what was begun with `begin_upload` and not ended is removed. Later calls
  /// are answered with `stopped`.
  void stop();

  /// From here to `end_upload` the file is one that `stop` removes: nobody else will, and nobody could go on with it.
  void begin_upload(const FileId& id);
  /// False where `stop` has taken it.
  bool end_upload(const FileId& id);

  /// Has `call(store)` made behind the file's earlier calls; `done` gets its result. Errors: its; overloaded; stopped.
  template <class Call, class Finish>
  void run(const FileId& id, Call call, Finish done, Pace pace = Pace::quick) {
    using R = std::invoke_result_t<Call&, FileStore&>;
    if (!options_.store->may_block()) return done(exclusively(id, call));
    const auto queue = running_queue();
    if (!queue) return done(R(Error(Errc::stopped, "the server does not run")));
    auto work = [self = shared_from_this(), call = std::move(call), done](const auto&) mutable {
      done(call(self->store_));
    };
    if (queue->run(id, std::move(work), pace)) return;
    // One that stops refuses calls, too, and those who clean up must know which it is.
    done(stopped_.load() ? R(Error(Errc::stopped, "the server stops"))
                         : R(Error(Errc::overloaded, "too many calls wait for the file store; try again")));
  }

  /// Counts an upload without an owner against the limits of its client's network, before the store creates it. It
  /// counts until it is complete, removed or expired, or `uncount_upload` is called because the store did not create it.
  /// Errors: limit_exceeded (`FilesOptions::unfinished_uploads_per_address_max` and its neighbour).
  Result<void> count_upload(const FileInfo& file, const core::IpAddress& client) {
    return unfinished_.add(file.id, client, file.length.value_or(0));
  }
  void uncount_upload(const FileId& id) { unfinished_.remove(id); }

  /// What is known of the complete file. Errors: file_not_found, also where it is not complete yet.
  void find(const FileId& id, Done<FileInfo> done);
  /// Notes who began the upload of a file that the store has made, until the file is shared or gone, or the server ends.
  void note_origin(const FileId& id, FileOrigin origin);
  /// Empty where it is not known.
  FileOrigin origin(const FileId& id) const;

  /// A place for the complete file. Where the holder is entitled to end it, it is shared from here on.
  /// Errors: file_not_found, also where it is not complete yet.
  void hold(const FileId& id, FileHolder holder, Done<FileHoldPtr> done);
  /// The same for a place that is to be stored. Until it is (`FileHold::stored`) the file is not shared: letting go of
  /// it changes nothing, so who could not share it may try again, and whatever ends the server meanwhile leaves it.
  void hold_to_store(const FileId& id, FileHolder holder, Done<FileHoldPtr> done);
  /// A place for an item that was stored, before `start`, here and now. Nobody knows by then who shared it: a file that
  /// is not shared yet is not shared by it either, and `unshared_expires` is what ends it.
  Result<FileHoldPtr> hold_again(const FileId& id);
  /// Deletes the file if it is shared, and nothing holds it.
  void release(const FileId& id);
  /// Removes logically deleted files from disk.
  void cleanup(Done<FileCleanup> done);
  /// The same where nobody waits for the answer.
  void cleanup();
  /// Removes expired uploads, what was not shared in time, and orphans. `lost`: time that does not count, for the
  /// server stood still.
  void sweep(std::chrono::milliseconds lost = {});

 private:
  template <class Call>
  auto exclusively(const FileId& id, Call& call) -> std::invoke_result_t<Call&, FileStore&> {
    const std::lock_guard lock(locks_[hash_(id) % locks_.size()]);
    if (stopped_.load()) return Error(Errc::stopped, "the server does not run");
    return call(store_);
  }
  std::shared_ptr<storage::StoreQueue> running_queue() const;
  static Result<FileInfo> complete_file(FileStore& store, const FileId& id);
  friend class FileHold;
  void add_place(const FileId& id);
  void remove_place(const FileId& id);
  bool is_held(const FileId& id) const;
  bool may_end(const FileInfo& file, const FileHolder& holder) const;
  void mark_shared(const FileId& id);
  void end_unheld(const FileId& id, bool shared);
  void forget_origin(const FileId& id);
  std::vector<FileId> known_origins() const;
  void remove_unended();
  void end_overdue(std::int64_t now);
  void end_unstarted(const FileId& id, std::int64_t since);
  void retry_releases();

  const FilesOptions options_;
  const std::size_t queue_per_file_max_;
  const std::size_t queue_max_;
  const std::shared_ptr<Clock> clock_;
  const std::shared_ptr<StoreFaults> faults_;
  UnfinishedUploads unfinished_;
  GuardedFileStore store_;
  const core::SeededHash hash_;
  std::array<std::mutex, 64> locks_;  // where the store does not block: one call at a time for each file
  std::atomic<bool> stopped_{true};   // or about to, or never started: no call begins

  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<storage::StoreQueue> queue_;
  std::unordered_map<FileId, std::size_t, core::SeededHash, std::equal_to<>> places_;  // of each file that has any
  std::unordered_map<FileId, FileOrigin, core::SeededHash, std::equal_to<>>
      origins_;                                      // of files that are not shared yet
  std::vector<std::pair<FileId, bool>> unreleased_;  // arguments of `end_unheld` when the queue was full
  std::unordered_set<FileId, core::SeededHash, std::equal_to<>> unended_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/files.ipp>
#endif
