#pragma once

#include <flux/detail/features/files.hpp>
#include <flux/detail/mode.hpp>

#include <limits>
#include <unordered_set>

namespace flux::features {

FLUX_DECL FilePlace::FilePlace(const std::shared_ptr<Files>& files, FileInfo info, bool shares)
    : files_(files), info_(std::move(info)), to_mark_(shares && !info_.shared) {
  files->add_place(info_.id);
}

FLUX_DECL FilePlace::~FilePlace() {
  if (const auto files = files_.lock()) files->remove_place(info_.id);
}

FLUX_DECL void FilePlace::stored() const {
  if (!to_mark_.exchange(false)) return;
  if (const auto files = files_.lock()) files->mark_shared(info_.id);
}

FLUX_DECL JsonText stored_data(const FileInfo& file) {
  return detail::CheckedJson::text("{\"type\":\"file\",\"fileId\":" + JsonText::string(file.id).text() +
                                   ",\"fileName\":" + JsonText::string(file.name).text() +
                                   ",\"mimeType\":" + JsonText::string(file.media_type).text() +
                                   ",\"size\":" + std::to_string(file.size) + "}");
}

FLUX_DECL Files::Files(const FilesOptions& options, const Limits& limits, std::shared_ptr<Clock> clock,
                       std::shared_ptr<StoreFaults> faults)
    : options_(options),
      queue_per_file_max_(limits.store_queue_per_room_max),
      queue_max_(limits.store_queue_max),
      clock_(std::move(clock)),
      faults_(std::move(faults)),
      unfinished_(options.unfinished_uploads_per_address_max, options.unfinished_bytes_per_address_max),
      store_(options.store, faults_, unfinished_) {}

// --- Life ---

FLUX_DECL void Files::start() {
  stopped_.store(false);
  if (options_.store->may_block()) {
    const std::lock_guard lock(mutex_);
    queue_ = std::make_shared<storage::StoreQueue>(options_.worker_threads, queue_per_file_max_, queue_max_);
  }
  run(
      {}, [](FileStore& store) { return store.list(); },
      [self = shared_from_this()](const Result<std::vector<FileInfo>>& files) {
        if (!files) return self->faults_->note("the file store can't list its files: " + files.error().cause());
        for (const FileInfo& file : *files) {
          if (file.shared) self->release(file.id);
        }
      });
}

FLUX_DECL void Files::stop() {
  stopped_.store(true);
  for (std::mutex& calls : locks_) const std::lock_guard through(calls);
  if (const auto queue = running_queue()) {
    queue->stop();
    const std::lock_guard lock(mutex_);
    queue_.reset();
  }
  remove_unended();
}

FLUX_DECL void Files::remove_unended() {
  decltype(unended_) half;
  {
    const std::lock_guard lock(mutex_);
    half.swap(unended_);
  }
  for (const FileId& id : half) {
    const auto removed = store_.remove(id);
    if (removed || removed.error().code() == Errc::file_not_found) continue;
    faults_->note("upload " + id + " stays until it expires: " + removed.error().cause());
  }
}

FLUX_DECL void Files::begin_upload(const FileId& id) {
  const std::lock_guard lock(mutex_);
  unended_.insert(id);
}

FLUX_DECL bool Files::end_upload(const FileId& id) {
  const std::lock_guard lock(mutex_);
  return unended_.erase(id) > 0;
}

FLUX_DECL bool Files::is_begun(const FileId& id) const {
  const std::lock_guard lock(mutex_);
  return unended_.contains(id);
}

FLUX_DECL std::shared_ptr<storage::StoreQueue> Files::running_queue() const {
  const std::lock_guard lock(mutex_);
  return queue_;
}

// --- Holds ---

FLUX_DECL void Files::add_place(const FileId& id) {
  const std::lock_guard lock(mutex_);
  ++places_[id];
}

FLUX_DECL void Files::remove_place(const FileId& id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(id);
    if (--found->second > 0) return;
    places_.erase(found);
  }
  release(id);
}

FLUX_DECL bool Files::is_held(const FileId& id) const {
  const std::lock_guard lock(mutex_);
  return places_.contains(id);
}

FLUX_DECL void Files::note_origin(const FileId& id, FileOrigin origin) {
  const std::lock_guard lock(mutex_);
  origins_[id] = std::move(origin);
}

FLUX_DECL FileOrigin Files::origin(const FileId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = origins_.find(id);
  return found == origins_.end() ? FileOrigin() : found->second;
}

FLUX_DECL void Files::forget_origin(const FileId& id) {
  const std::lock_guard lock(mutex_);
  origins_.erase(id);
}

FLUX_DECL std::vector<FileId> Files::known_origins() const {
  std::vector<FileId> ids;
  const std::lock_guard lock(mutex_);
  ids.reserve(origins_.size());
  for (const auto& [id, origin] : origins_) ids.push_back(id);
  return ids;
}

FLUX_DECL bool Files::may_end(const FileInfo& file, const FileHolder& holder) const {
  if (holder.is_application) return true;
  if (!file.owner.empty() && file.owner == holder.user_id) return true;
  const std::lock_guard lock(mutex_);
  const auto found = origins_.find(file.id);
  if (found == origins_.end()) return false;
  const FileOrigin& origin = found->second;
  return (!origin.connection.empty() && origin.connection == holder.connection) ||
         (holder.room && origin.room.lock() == holder.room);
}

FLUX_DECL Result<FileInfo> Files::complete_file(FileStore& store, const FileId& id) {
  auto file = store.info(id);
  if (file && file->state != FileState::complete) {
    return Error(Errc::file_not_found, "file " + id + " is not complete yet");
  }
  return file;
}

FLUX_DECL void Files::find(const FileId& id, Done<FileInfo> done) {
  run(
      id, [id](FileStore& store) { return complete_file(store, id); }, std::move(done));
}

// Holding and deleting are calls for the file, so they never overlap.

FLUX_DECL void Files::hold(const FileId& id, FileHolder holder, Done<FileHoldPtr> done) {
  run(
      id,
      [self = shared_from_this(), id, holder = std::move(holder)](FileStore& store) -> Result<FileHoldPtr> {
        auto file = complete_file(store, id);
        if (!file) return file.error();
        if (!file->shared && self->may_end(*file, holder)) {
          if (const auto marked = store.mark_shared(id); !marked) return marked.error();
          self->forget_origin(id);
          file->shared = true;
        }
        return FileHoldPtr(std::make_shared<const FilePlace>(self, std::move(*file), false));
      },
      std::move(done));
}

FLUX_DECL void Files::hold_to_store(const FileId& id, FileHolder holder, Done<FileHoldPtr> done) {
  run(
      id,
      [self = shared_from_this(), id, holder = std::move(holder)](FileStore& store) -> Result<FileHoldPtr> {
        auto file = complete_file(store, id);
        if (!file) return file.error();
        const bool shares = self->may_end(*file, holder);
        return FileHoldPtr(std::make_shared<const FilePlace>(self, std::move(*file), shares));
      },
      std::move(done));
}

FLUX_DECL Result<FileHoldPtr> Files::hold_again(const FileId& id) {
  return complete_file(store_, id).transform([&](FileInfo file) -> FileHoldPtr {
    return std::make_shared<const FilePlace>(shared_from_this(), std::move(file), false);
  });
}

/// If that fails, or the server ends first, the file counts as never shared.
FLUX_DECL void Files::mark_shared(const FileId& id) {
  run(
      id,
      [self = shared_from_this(), id](FileStore& store) {
        auto marked = store.mark_shared(id);
        if (marked) self->forget_origin(id);
        return marked;
      },
      [self = shared_from_this(), id](const Result<void>& marked) {
        if (marked || marked.error().code() == Errc::stopped) return;
        self->faults_->note("file " + id + " can't be marked as shared: " + marked.error().cause());
      });
}

FLUX_DECL void Files::release(const FileId& id) { end_unheld(id, true); }

/// Deletes the file if nothing holds it and its `shared` is still as the caller found it.
FLUX_DECL void Files::end_unheld(const FileId& id, bool shared) {
  run(
      id,
      [self = shared_from_this(), id, shared](FileStore& store) -> Result<void> {
        if (self->is_held(id)) return {};
        const auto file = store.info(id);
        if (!file) return file.error();
        if (file->state != FileState::complete || file->shared != shared) return {};
        auto deleted = store.mark_deleted(id);
        if (deleted) self->forget_origin(id);
        return deleted;
      },
      [self = shared_from_this(), id, shared](const Result<void>& deleted) {
        if (deleted || deleted.error().code() == Errc::file_not_found) return;
        if (deleted.error().code() == Errc::stopped) return;  // the next start or sweep finds it
        self->faults_->note("file " + id + " can't be deleted yet: " + deleted.error().cause());
        const std::lock_guard lock(self->mutex_);
        self->unreleased_.emplace_back(id, shared);
      });
}

FLUX_DECL void Files::retry_releases() {
  std::vector<std::pair<FileId, bool>> again;
  {
    const std::lock_guard lock(mutex_);
    again.swap(unreleased_);
  }
  for (const auto& [id, shared] : again) end_unheld(id, shared);
}

FLUX_DECL void Files::page(FileQuery query, Done<FilesPage> done) {
  run(
      {}, [query = std::move(query)](FileStore& store) { return store.page(query); }, std::move(done), Pace::slow);
}

// --- Cleaning up ---

FLUX_DECL void Files::cleanup(Done<FileCleanup> done) {
  retry_releases();
  run(
      {}, [](FileStore& store) { return store.cleanup_deleted(); }, std::move(done), Pace::slow);
}

FLUX_DECL void Files::cleanup() {
  cleanup([self = shared_from_this()](const Result<FileCleanup>& cleanup) {
    if (!cleanup) {
      if (cleanup.error().code() != Errc::stopped) {
        self->faults_->note("deleted files can't be removed from disk: " + cleanup.error().cause());
      }
    } else if (!cleanup->failed.empty()) {
      self->faults_->note(std::to_string(cleanup->failed.size()) + " deleted files can't be removed from disk yet");
    }
  });
}

FLUX_DECL void Files::sweep(std::chrono::milliseconds lost) {
  retry_releases();
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(options_.upload_expires).count();
  const std::int64_t now = unix_ms() - lost.count();
  const std::int64_t idle_since = patience == 0 ? 0 : now - patience;
  run(
      {}, [idle_since](FileStore& store) { return store.sweep(idle_since); },
      [self = shared_from_this()](const Result<FileSweep>& swept) {
        if (!swept) self->faults_->note("the file store can't be swept: " + swept.error().cause());
      },
      Pace::slow);
  end_overdue(now);
}

/// Ends files that were not shared in time and uploads that received nothing in time. Also forgets the origins and the
/// addresses of files that no longer exist.
FLUX_DECL void Files::end_overdue(std::int64_t now) {
  auto origins = known_origins();
  auto unfinished = unfinished_.created();
  const auto none = std::chrono::seconds::zero();
  if (options_.unshared_expires == none && options_.unstarted_upload_expires == none && origins.empty() &&
      unfinished.empty()) {
    return;
  }
  const auto overdue_since = [now](std::chrono::seconds patience) {
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
    return milliseconds == 0 ? std::numeric_limits<std::int64_t>::min() : now - milliseconds;
  };
  run(
      {}, [](FileStore& store) { return store.list(); },
      [self = shared_from_this(), unshared_since = overdue_since(options_.unshared_expires),
       unstarted_since = overdue_since(options_.unstarted_upload_expires), origins = std::move(origins),
       unfinished = std::move(unfinished)](const Result<std::vector<FileInfo>>& files) {
        if (!files) return self->faults_->note("the file store can't list its files: " + files.error().cause());
        std::unordered_set<std::string_view> there;
        for (const FileInfo& file : *files) {
          there.insert(file.id);
          if (file.state == FileState::complete && !file.shared && file.modified_at < unshared_since) {
            self->end_unheld(file.id, false);
          }
          const bool unstarted = file.state == FileState::uploading && file.size == 0;
          if (unstarted && file.modified_at < unstarted_since && !self->is_begun(file.id)) {
            self->end_unstarted(file.id, unstarted_since);
          }
        }
        for (const FileId& id : origins) {
          if (!there.contains(id)) self->forget_origin(id);
        }
        for (const FileId& id : unfinished) {
          if (!there.contains(id)) self->unfinished_.remove(id);
        }
      });
}

/// Removes the upload if it has still received no byte since then.
FLUX_DECL void Files::end_unstarted(const FileId& id, std::int64_t since) {
  run(
      id,
      [id, since](FileStore& store) -> Result<void> {
        const auto file = store.info(id);
        if (!file) return file.error();
        if (file->state != FileState::uploading || file->size != 0 || file->modified_at >= since) return {};
        return store.remove(id);
      },
      [self = shared_from_this(), id](const Result<void>& removed) {
        if (removed || removed.error().code() == Errc::file_not_found || removed.error().code() == Errc::stopped)
          return;
        self->faults_->note("upload " + id + " stays until it expires: " + removed.error().cause());
      });
}

}  // namespace flux::features
