// Shared files: access to their store, and which of them rooms and the public space still hold.
#pragma once

#include <flux/config.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/detail/features/file_feature.hpp>
#include <flux/detail/features/guarded_file_store.hpp>
#include <flux/detail/features/unfinished_uploads.hpp>
#include <flux/detail/mode.hpp>
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

JsonText stored_data(const FileInfo& file);

/// The connection that began an upload, and the room that it is for; the user is `FileInfo::owner`.
struct FileOrigin {
  SessionId connection{};      ///< empty: unknown
  std::weak_ptr<Room> room{};  ///< empty: for none
  std::string upload_id{};     ///< the client's name for the upload in that room; empty: the server chose one
};

/// Threading: any thread.
class FilePlace final : public FileHold {
 public:
  /// `shares`: the file becomes shared when this place is stored.
  FilePlace(const std::shared_ptr<Files>& files, FileInfo info, bool shares);
  FLUX_DECL ~FilePlace() override;

  const FileInfo& info() const noexcept override { return info_; }
  JsonText stored_data() const override { return features::stored_data(info_); }
  FLUX_DECL void stored() const override;

 private:
  const std::weak_ptr<Files> files_;
  const FileInfo info_;
  mutable std::atomic<bool> to_mark_;
};

/// Calls for one file are made one at a time, in order: on workers if the store may block, otherwise on the caller's
/// thread; `done` is called on the same thread. Threading: any thread.
class Files final : public std::enable_shared_from_this<Files> {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;
  /// Calls that write to disk or look at all files are slow: they never occupy all workers.
  using Pace = storage::StoreQueue::Pace;

  /// `options.store` must not be null. `faults` also gets the failures of calls that no caller waits for.
  Files(const FilesOptions& options, const Limits& limits, std::shared_ptr<Clock> clock,
        std::shared_ptr<StoreFaults> faults);

  const FilesOptions& options() const noexcept { return options_; }
  std::int64_t unix_ms() const { return clock_->unix_ms(); }

  /// Starts to make calls. Logically deletes the files that only rooms of an earlier life held.
  void start();
  /// Returns when every call has finished and uploads between `begin_upload` and `end_upload` are removed. Later calls
  /// fail with `stopped`.
  void stop();

  /// Until `end_upload`, a request is receiving the file: no sweep removes it because it is still empty. `stop` does:
  /// nothing else would, and the upload could not be continued.
  void begin_upload(const FileId& id);
  /// Returns false if `stop` has already taken the file.
  bool end_upload(const FileId& id);

  /// Makes `call(store)` after the file's earlier calls; `done` gets its result. Errors: those of `call`; overloaded;
  /// stopped.
  template <class Call, class Finish>
  void run(const FileId& id, Call call, Finish done, Pace pace = Pace::quick) {
    using R = std::invoke_result_t<Call&, FileStore&>;
    if (!options_.store->may_block()) return done(exclusively(id, call));
    const auto queue = running_queue();
    if (!queue) return done(R(Error(Errc::stopped, "the server is not running")));
    auto work = [self = shared_from_this(), call = std::move(call), done](const auto&) mutable {
      done(call(self->store_));
    };
    if (queue->run(id, std::move(work), pace)) return;
    // A queue that is stopping also refuses calls, and callers that clean up must know the difference.
    done(stopped_.load() ? R(Error(Errc::stopped, "the server is stopping"))
                         : R(Error(Errc::overloaded, "too many calls wait for the file store; try again")));
  }

  /// Counts an upload without an owner against the limits of its client's network, before the store creates it. It
  /// counts until it is complete, removed or expired, or `uncount_upload` is called because the store did not create it.
  /// Errors: limit_exceeded (`FilesOptions::unfinished_uploads_per_address_max` and
  /// `unfinished_bytes_per_address_max`).
  Result<void> count_upload(const FileInfo& file, const core::IpAddress& client) {
    return unfinished_.add(file.id, client, file.length.value_or(0));
  }
  void uncount_upload(const FileId& id) { unfinished_.remove(id); }

  // See `FileFeature`.
  void find(const FileId& id, Done<FileInfo> done);
  void hold(const FileId& id, FileHolder holder, Done<FileHoldPtr> done);
  void hold_to_store(const FileId& id, FileHolder holder, Done<FileHoldPtr> done);
  Result<FileHoldPtr> hold_again(const FileId& id);
  void page(FileQuery query, Done<FilesPage> done);
  void cleanup(Done<FileCleanup> done);
  /// The same without a result.
  void cleanup();

  /// Notes the origin of an upload that the store has created, until the file is shared or removed, or the server ends.
  void note_origin(const FileId& id, FileOrigin origin);
  /// Empty if it is unknown.
  FileOrigin origin(const FileId& id) const;

  /// Deletes the file if it is shared and nothing holds it.
  void release(const FileId& id);
  /// Removes expired uploads, files that were not shared in time, and orphans. `lost`: time in which the server stood
  /// still, which does not count.
  void sweep(std::chrono::milliseconds lost = {});

 private:
  template <class Call>
  auto exclusively(const FileId& id, Call& call) -> std::invoke_result_t<Call&, FileStore&> {
    const std::lock_guard lock(locks_[hash_(id) % locks_.size()]);
    if (stopped_.load()) return Error(Errc::stopped, "the server is not running");
    return call(store_);
  }
  std::shared_ptr<storage::StoreQueue> running_queue() const;
  static Result<FileInfo> complete_file(FileStore& store, const FileId& id);
  friend class FilePlace;
  void add_place(const FileId& id);
  void remove_place(const FileId& id);
  bool is_held(const FileId& id) const;
  bool may_end(const FileInfo& file, const FileHolder& holder) const;
  void mark_shared(const FileId& id);
  void end_unheld(const FileId& id, bool shared);
  void forget_origin(const FileId& id);
  std::vector<FileId> known_origins() const;
  void remove_unended();
  bool is_begun(const FileId& id) const;
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
  std::array<std::mutex, 64> locks_;  // if the store does not block: one call at a time per file
  std::atomic<bool> stopped_{true};   // or stopping, or never started: no call begins

  mutable std::mutex mutex_;  // guards everything below
  std::shared_ptr<storage::StoreQueue> queue_;
  std::unordered_map<FileId, std::size_t, core::SeededHash, std::equal_to<>> places_;  // number per file, if it has any
  std::unordered_map<FileId, FileOrigin, core::SeededHash, std::equal_to<>>
      origins_;                                      // of files that are not shared yet
  std::vector<std::pair<FileId, bool>> unreleased_;  // arguments of `end_unheld` when the queue was full
  std::unordered_set<FileId, core::SeededHash, std::equal_to<>> unended_;
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/files.ipp>
#endif
