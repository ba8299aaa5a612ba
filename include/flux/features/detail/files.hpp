// Shared files: the way to their store, and which of them rooms and the public space still hold.
#pragma once

#include <flux/config.hpp>
#include <flux/json.hpp>
#include <flux/storage/store_queue.hpp>

#include <array>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace flux::features {

class Files;

/// A place in a room or the public space that a file has. When the last of its copies goes, the file is logically deleted.
/// Threading: any thread.
class FileHold {
 public:
  FileHold(std::weak_ptr<Files> files, FileInfo info) : files_(std::move(files)), info_(std::move(info)) {}
  FileHold(const FileHold&) = delete;
  FileHold& operator=(const FileHold&) = delete;
  ~FileHold();

  const FileInfo& info() const noexcept { return info_; }
  /// `{type:"file", fileId, fileName, mimeType, size}`: what is stored and sent in its place.
  JsonText stored_data() const;

 private:
  const std::weak_ptr<Files> files_;
  const FileInfo info_;
};

using FileHoldPtr = std::shared_ptr<const FileHold>;

/// Threading: any thread. Calls about one file are made one at a time, in order: on workers where the store may block, else
/// where the caller is. What they come to (`done`) is told where they were made.
class Files final : public std::enable_shared_from_this<Files> {
 public:
  template <class T>
  using Done = std::function<void(Result<T>)>;

  /// `options.store` is there. `failed`: told of what goes wrong where nobody waits for the answer.
  Files(const FilesOptions& options, const Limits& limits, std::shared_ptr<Clock> clock,
        std::function<void(std::string_view)> failed);

  const FilesOptions& options() const noexcept { return options_; }
  std::int64_t unix_ms() const { return clock_->unix_ms(); }

  /// From here on calls are made. Files that only rooms of an earlier life held are logically deleted.
  void start();
  /// Returns when every call is through. Later ones are answered with `stopped`.
  void stop();

  /// Has `call(store)` made behind the file's earlier calls; `done` gets its result. Errors: its; overloaded; stopped.
  template <class Call, class Finish>
  void run(const FileId& id, Call call, Finish done) {
    using R = std::invoke_result_t<Call&, FileStore&>;
    auto guarded = [this, call = std::move(call)]() mutable -> R {
      try {
        return call(*options_.store);
      } catch (const std::exception& e) {
        failed_(std::string("the file store threw: ") + e.what());
      } catch (...) {
        failed_("the file store threw something that is no std::exception");
      }
      return Error(Errc::store_failed, "the file store failed");
    };
    if (!options_.store->may_block()) return done(exclusively(id, guarded));
    const auto queue = running_queue();
    if (!queue) return done(R(Error(Errc::stopped, "the server does not run")));
    auto work = [self = shared_from_this(), guarded = std::move(guarded), done](const auto&) mutable { done(guarded()); };
    if (!queue->run(id, std::move(work))) {
      done(R(Error(Errc::overloaded, "too many calls wait for the file store; try again")));
    }
  }

  /// For somewhere that the complete file is to be kept. Errors: file_not_found, also where it is not complete yet.
  void hold(const FileId& id, Done<FileHoldPtr> done);
  /// Deletes the file, if nothing holds it.
  void release(const FileId& id);
  /// Removes logically deleted files from disk.
  void cleanup(Done<FileCleanup> done);
  /// Removes expired uploads, what was never shared in time, and orphans.
  void sweep();

 private:
  template <class Call>
  auto exclusively(const FileId& id, Call& call) {
    const std::lock_guard lock(locks_[std::hash<FileId>{}(id) % locks_.size()]);
    return call();
  }
  std::shared_ptr<storage::StoreQueue> running_queue() const;
  FileHoldPtr held(const FileInfo& info);
  bool is_held(const FileId& id) const;
  void release_unshared();
  void retry_releases();

  const FilesOptions options_;
  const std::size_t queue_per_file_max_;
  const std::size_t queue_max_;
  const std::shared_ptr<Clock> clock_;
  const std::function<void(std::string_view)> failed_;
  std::array<std::mutex, 64> locks_;  // where the store does not block: one call at a time for each file

  mutable std::mutex mutex_;  // guards what follows
  std::shared_ptr<storage::StoreQueue> queue_;
  std::unordered_map<FileId, std::weak_ptr<const FileHold>> holds_;
  std::vector<FileId> unreleased_;  // the queue was full
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/impl/features/files.ipp>
#endif
