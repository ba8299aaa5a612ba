#pragma once

#include <flux/detail/mode.hpp>
#include <flux/features/detail/files.hpp>

namespace flux::features {

FLUX_DECL FileHold::~FileHold() {
  const auto files = files_.lock();
  if (!files) return;
  if (shared_.load()) {
    files->release(info_.id);
  } else {
    files->forget(info_.id);
  }
}

FLUX_DECL void FileHold::stored() const {
  if (shared_.exchange(true)) return;
  if (const auto files = files_.lock()) files->mark_shared(info_.id);
}

FLUX_DECL JsonText stored_data(const FileInfo& file) {
  return JsonText::trusted("{\"type\":\"file\",\"fileId\":" + JsonText::string(file.id).text() +
                           ",\"fileName\":" + JsonText::string(file.name).text() + ",\"mimeType\":" +
                           JsonText::string(file.media_type).text() + ",\"size\":" + std::to_string(file.size) + "}");
}

FLUX_DECL Files::Files(const FilesOptions& options, const Limits& limits, std::shared_ptr<Clock> clock,
                       std::function<void(std::string_view)> failed)
    : options_(options),
      queue_per_file_max_(limits.store_queue_per_room_max),
      queue_max_(limits.store_queue_max),
      clock_(std::move(clock)),
      failed_(std::move(failed)) {}

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
        if (!files) return self->failed_("the file store has no list of its files: " + files.error().message());
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
  std::unordered_set<FileId> half;
  {
    const std::lock_guard lock(mutex_);
    half.swap(unended_);
  }
  for (const FileId& id : half) {
    const auto removed = guarded([&id](FileStore& store) { return store.remove(id); });
    if (removed || removed.error().code() == Errc::file_not_found) continue;
    failed_("upload " + id + " stays until it expires: " + removed.error().message());
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

FLUX_DECL std::shared_ptr<storage::StoreQueue> Files::running_queue() const {
  const std::lock_guard lock(mutex_);
  return queue_;
}

// --- Who holds what ---

FLUX_DECL FileHoldPtr Files::held(const FileInfo& info, bool shared) {
  const std::lock_guard lock(mutex_);
  auto& known = holds_[info.id];
  auto hold = known.lock();
  if (!hold) {
    hold = std::make_shared<const FileHold>(weak_from_this(), info, shared);
    known = hold;
  }
  if (shared) hold->shared_.store(true);
  return hold;
}

FLUX_DECL void Files::forget(const FileId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = holds_.find(id);
  if (found != holds_.end() && found->second.expired()) holds_.erase(found);
}

FLUX_DECL bool Files::is_held(const FileId& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = holds_.find(id);
  return found != holds_.end() && !found->second.expired();
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

// Holding and deleting a file are calls about it, so they never overlap.

FLUX_DECL void Files::hold(const FileId& id, Done<FileHoldPtr> done) {
  run(
      id, [self = shared_from_this(), id](FileStore& store) { return self->hold_in(store, id); }, std::move(done));
}

FLUX_DECL Result<FileHoldPtr> Files::hold_again(const FileId& id) {
  return guarded([&](FileStore& store) { return hold_in(store, id); });
}

FLUX_DECL void Files::hold_to_store(const FileId& id, Done<FileHoldPtr> done) {
  run(
      id,
      [self = shared_from_this(), id](FileStore& store) -> Result<FileHoldPtr> {
        const auto file = complete_file(store, id);
        if (!file) return file.error();
        return self->held(*file, file->shared);
      },
      std::move(done));
}

FLUX_DECL Result<FileHoldPtr> Files::hold_in(FileStore& store, const FileId& id) {
  const auto file = complete_file(store, id);
  if (!file) return file.error();
  if (const auto marked = file->shared ? Result<void>() : store.mark_shared(id); !marked) return marked.error();
  return held(*file, true);
}

/// Where that fails, or the server ends before, the next start finds the item, and marks its file.
FLUX_DECL void Files::mark_shared(const FileId& id) {
  run(
      id, [id](FileStore& store) { return store.mark_shared(id); },
      [self = shared_from_this(), id](const Result<void>& marked) {
        if (marked || marked.error().code() == Errc::stopped) return;
        self->failed_("file " + id + " is shared and can't be marked so: " + marked.error().message());
      });
}

FLUX_DECL void Files::release(const FileId& id) {
  forget(id);
  run(
      id,
      [self = shared_from_this(), id](FileStore& store) -> Result<void> {
        return self->is_held(id) ? Result<void>() : store.mark_deleted(id);
      },
      [self = shared_from_this(), id](const Result<void>& deleted) {
        if (deleted || deleted.error().code() == Errc::file_not_found) return;
        if (deleted.error().code() == Errc::stopped) return;  // the next start finds it shared and not held
        self->failed_("file " + id + " can't be deleted yet: " + deleted.error().message());
        const std::lock_guard lock(self->mutex_);
        self->unreleased_.push_back(id);
      });
}

FLUX_DECL void Files::retry_releases() {
  std::vector<FileId> again;
  {
    const std::lock_guard lock(mutex_);
    again.swap(unreleased_);
  }
  for (const FileId& id : again) release(id);
}

// --- Cleaning up ---

FLUX_DECL void Files::cleanup(Done<FileCleanup> done) {
  retry_releases();
  run(
      {}, [](FileStore& store) { return store.cleanup_deleted(); }, std::move(done), Pace::slow);
}

FLUX_DECL void Files::sweep() {
  retry_releases();
  if (options_.unshared_expires.count() > 0) release_unshared();
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(options_.upload_expires).count();
  const std::int64_t idle_since = patience == 0 ? 0 : unix_ms() - patience;
  run(
      {}, [idle_since](FileStore& store) { return store.sweep(idle_since); },
      [self = shared_from_this()](const Result<FileSweep>& swept) {
        if (!swept) self->failed_("the file store can't be swept: " + swept.error().message());
      },
      Pace::slow);
}

FLUX_DECL void Files::release_unshared() {
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(options_.unshared_expires).count();
  run(
      {}, [](FileStore& store) { return store.list(); },
      [self = shared_from_this(), since = unix_ms() - patience](const Result<std::vector<FileInfo>>& files) {
        if (!files) return self->failed_("the file store has no list of its files: " + files.error().message());
        for (const FileInfo& file : *files) {
          if (file.state == FileState::complete && !file.shared && file.modified_at < since) self->release(file.id);
        }
      });
}

}  // namespace flux::features
