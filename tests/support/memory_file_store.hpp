// An in-memory file store for tests, with hooks at which a test can hold calls or make them fail.
#pragma once

#include <flux/clock.hpp>
#include <flux/detail/core/digest.hpp>
#include <flux/storage/file_store.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace flux_test {

struct MemoryFileStoreOptions {
  std::uint64_t bytes_max = 0;            // of all files; 0: unlimited
  std::uint64_t bytes_per_owner_max = 0;  // of the files of one owner; deleted files do not count
  bool blocks = true;                     // whether flux calls it on worker threads
  std::shared_ptr<flux::Clock> clock{};   // none: the system's clock
};

/// Threading: any thread; one call at a time.
class MemoryFileStore final : public flux::FileStore {
 public:
  MemoryFileStore() = default;
  explicit MemoryFileStore(MemoryFileStoreOptions options) : options_(std::move(options)) {}

  /// Called at the beginning of each append, outside the lock. Set before the server starts.
  std::function<void(const flux::FileId&)> before_append{};
  /// The same for complete.
  std::function<void(const flux::FileId&)> before_complete{};
  /// If set, every append returns its result. Set before the server starts.
  std::function<flux::Result<void>()> append_fails{};
  /// Added to the numbers that append and read return.
  std::atomic<std::size_t> wrong_by{0};
  /// Whether the file that complete returns is still unfinished.
  std::atomic<bool> stays_unfinished{false};
  std::atomic<std::size_t> appends{0};
  std::atomic<std::size_t> reads{0};
  std::atomic<std::uint64_t> bytes_read{0};
  std::atomic<std::size_t> largest_append{0};

  std::size_t files() const {
    const std::lock_guard lock(mutex_);
    return files_.size();
  }
  std::string content(const flux::FileId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(id);
    return found == files_.end() ? std::string() : found->second.bytes;
  }

  flux::Result<void> create(const flux::FileInfo& file) override {
    if (file.wants_sha256 && !flux::core::has_digests()) {
      return flux::Error(flux::Errc::invalid_argument, "this build has no digests");
    }
    const std::lock_guard lock(mutex_);
    if (auto fits = check_quotas(file.owner, file.length.value_or(0)); !fits) return fits;
    files_[file.id] = {file, {}};
    return {};
  }

  flux::Result<void> set_length(const flux::FileId& id, std::uint64_t length) override {
    const std::lock_guard lock(mutex_);
    File* file = find(id);
    if (file == nullptr) return gone(id);
    if (file->info.length && *file->info.length != length) return wrong_offset();
    if (length < file->bytes.size()) return wrong_offset();
    if (!file->info.length) {
      if (auto fits = check_quotas(file->info.owner, length - file->bytes.size()); !fits) return fits;
    }
    file->info.length = length;
    return {};
  }

  flux::Result<std::uint64_t> append(const flux::FileId& id, std::uint64_t offset, std::string_view bytes) override {
    if (before_append) before_append(id);
    if (append_fails) {
      if (const auto failed = append_fails(); !failed) return failed.error();
    }
    const std::lock_guard lock(mutex_);
    ++appends;
    largest_append = std::max(largest_append.load(), bytes.size());
    File* file = find(id);
    if (file == nullptr) return gone(id);
    if (file->info.state != flux::FileState::uploading || offset != file->bytes.size()) return wrong_offset();
    if (file->info.length && offset + bytes.size() > *file->info.length) {
      return flux::Error(flux::Errc::file_too_large, "more bytes than the length of the upload");
    }
    if (bytes.empty()) return offset;
    if (!file->info.length) {
      if (const auto fits = check_quotas(file->info.owner, bytes.size()); !fits) return fits.error();
    }
    file->bytes.append(bytes);
    file->info.size = file->bytes.size();
    file->info.modified_at = clock_->unix_ms();
    return file->info.size + wrong_by;
  }

  flux::Result<flux::FileInfo> complete(const flux::FileId& id) override {
    if (before_complete) before_complete(id);
    const std::lock_guard lock(mutex_);
    File* file = find(id);
    if (file == nullptr) return gone(id);
    if (file->info.state == flux::FileState::complete) return file->info;
    if (file->info.length.value_or(file->bytes.size()) != file->bytes.size()) return wrong_offset();
    file->info.length = file->bytes.size();
    if (file->info.wants_sha256) {
      const auto digest = flux::core::sha256(file->bytes);
      if (!digest) return digest.error();
      file->info.sha256 = flux::core::to_hex(*digest);
    }
    if (!stays_unfinished) file->info.state = flux::FileState::complete;
    return file->info;
  }

  flux::Result<flux::FileInfo> info(const flux::FileId& id) override {
    const std::lock_guard lock(mutex_);
    const File* file = find(id);
    if (file == nullptr) return gone(id);
    return file->info;
  }

  flux::Result<std::size_t> read(const flux::FileId& id, std::uint64_t offset, std::span<char> into) override {
    const std::lock_guard lock(mutex_);
    ++reads;
    const File* file = find(id);
    if (file == nullptr) return gone(id);
    if (file->info.state != flux::FileState::complete) return wrong_offset();
    if (offset >= file->bytes.size()) return std::size_t{0};
    const std::size_t size = file->bytes.copy(into.data(), into.size(), static_cast<std::size_t>(offset));
    bytes_read += size;
    return size + wrong_by;
  }

  flux::Result<void> mark_shared(const flux::FileId& id) override {
    const std::lock_guard lock(mutex_);
    File* file = find(id);
    if (file == nullptr) return gone(id);
    file->info.shared = true;
    return {};
  }

  flux::Result<void> mark_deleted(const flux::FileId& id) override {
    const std::lock_guard lock(mutex_);
    File* file = find(id);
    if (file == nullptr) return gone(id);
    if (file->info.state != flux::FileState::complete) return wrong_offset();
    file->info.state = flux::FileState::deleted;
    return {};
  }

  flux::Result<void> remove(const flux::FileId& id) override {
    const std::lock_guard lock(mutex_);
    if (find(id) == nullptr) return gone(id);
    files_.erase(id);
    return {};
  }

  flux::Result<std::vector<flux::FileInfo>> list() override {
    const std::lock_guard lock(mutex_);
    std::vector<flux::FileInfo> list;
    for (const auto& [id, file] : files_) {
      if (file.info.state != flux::FileState::deleted) list.push_back(file.info);
    }
    return list;
  }

  flux::Result<flux::FileCleanup> cleanup_deleted() override {
    const std::lock_guard lock(mutex_);
    flux::FileCleanup cleanup;
    std::erase_if(files_, [&](const auto& entry) {
      if (entry.second.info.state != flux::FileState::deleted) return false;
      cleanup.deleted.push_back(entry.first);
      return true;
    });
    return cleanup;
  }

  flux::Result<flux::FileSweep> sweep(std::int64_t idle_since) override {
    const std::lock_guard lock(mutex_);
    flux::FileSweep sweep;
    std::erase_if(files_, [&](const auto& entry) {
      const flux::FileInfo& file = entry.second.info;
      const std::int64_t idle = std::max(file.created_at, file.modified_at);
      if (file.state != flux::FileState::uploading || idle >= idle_since) return false;
      sweep.expired.push_back(entry.first);
      return true;
    });
    return sweep;
  }

  bool may_block() const override { return options_.blocks; }

 private:
  struct File {
    flux::FileInfo info;
    std::string bytes;
  };

  static flux::Error gone(const flux::FileId& id) { return {flux::Errc::file_not_found, "no file " + id}; }
  static flux::Error wrong_offset() { return {flux::Errc::wrong_offset, "the upload has a different number of bytes"}; }

  File* find(const flux::FileId& id) {
    const auto found = files_.find(id);
    const bool there = found != files_.end() && found->second.info.state != flux::FileState::deleted;
    return there ? &found->second : nullptr;
  }
  /// Whether `more` bytes fit into the quotas of the store and of the owner. Errors: quota_exceeded; owner_quota_exceeded.
  flux::Result<void> check_quotas(const std::string& owner, std::uint64_t more) const {
    std::uint64_t all = 0;
    std::uint64_t owned = 0;
    for (const auto& [id, file] : files_) {
      const std::uint64_t bytes = file.info.length.value_or(file.bytes.size());
      all += bytes;
      if (file.info.owner == owner && file.info.state != flux::FileState::deleted) owned += bytes;
    }
    const auto fits = [more](std::uint64_t most, std::uint64_t used) {
      return most == 0 || more == 0 || (used <= most && more <= most - used);
    };
    if (!fits(options_.bytes_max, all)) return flux::Error(flux::Errc::quota_exceeded, "the store is full");
    if (fits(options_.bytes_per_owner_max, owned)) return {};
    return flux::Error(flux::Errc::owner_quota_exceeded, "the owner has no space left");
  }

  const MemoryFileStoreOptions options_{};
  const std::shared_ptr<flux::Clock> clock_ = options_.clock ? options_.clock : std::make_shared<flux::SystemClock>();
  mutable std::mutex mutex_;
  std::map<flux::FileId, File> files_;
};

}  // namespace flux_test
