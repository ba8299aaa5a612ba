// An in-memory file store whose calls a test can hold back or make fail.
#pragma once

#include <flux/clock.hpp>
#include <flux/storage/file_store.hpp>

#include <algorithm>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace flux_test {

/// Threading: any thread.
class StagedFileStore final : public flux::FileStore {
 public:
  explicit StagedFileStore(bool blocks, std::uint64_t bytes_max = 1'000'000'000)
      : blocks_(blocks), bytes_max_(bytes_max) {}

  /// Adds a file as if it had been uploaded over HTTP.
  void put(const flux::FileId& id, std::string_view name, std::string_view media_type, std::string_view bytes,
           std::string_view owner = {}) {
    const std::lock_guard lock(mutex_);
    Entry& entry = files_[id];
    entry.info.id = id;
    entry.info.name = name;
    entry.info.media_type = media_type;
    entry.info.owner = owner;
    entry.info.length = entry.info.size = bytes.size();
    entry.info.state = flux::FileState::complete;
    entry.info.created_at = entry.info.modified_at = flux::SystemClock().unix_ms();
    entry.bytes = bytes;
  }
  /// All files it knows, including those that are logically deleted.
  std::vector<flux::FileInfo> known() const {
    const std::lock_guard lock(mutex_);
    std::vector<flux::FileInfo> list;
    for (const auto& [id, entry] : files_) list.push_back(entry.info);
    return list;
  }
  std::string bytes_of(const flux::FileId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = files_.find(id);
    return found == files_.end() ? std::string() : found->second.bytes;
  }
  /// Makes `append` wait from now on (if the store may block), until `let_go`.
  void hold_back() {
    const std::lock_guard lock(mutex_);
    held_back_ = true;
  }
  void let_go() {
    const std::lock_guard lock(mutex_);
    held_back_ = false;
    changed_.notify_all();
  }
  /// The number of calls of `append` so far.
  int appends() const {
    const std::lock_guard lock(mutex_);
    return appends_;
  }
  void fail_completing() {
    const std::lock_guard lock(mutex_);
    fails_completing_ = true;
  }
  void fail_finding() {
    const std::lock_guard lock(mutex_);
    fails_finding_ = true;
  }
  void fail_sharing() {
    const std::lock_guard lock(mutex_);
    fails_sharing_ = true;
  }

  flux::Result<void> create(const flux::FileInfo& file) override {
    const std::lock_guard lock(mutex_);
    std::uint64_t used = file.length.value_or(0);
    for (const auto& [id, entry] : files_) used += entry.info.length.value_or(0);
    if (used > bytes_max_) {
      return flux::Error(flux::Errc::quota_exceeded, "the store has room for " + std::to_string(bytes_max_) + " bytes");
    }
    files_[file.id].info = file;
    return {};
  }
  flux::Result<void> set_length(const flux::FileId& id, std::uint64_t length) override {
    const std::lock_guard lock(mutex_);
    const auto entry = files_.find(id);
    if (entry == files_.end()) return no_file(id);
    entry->second.info.length = length;
    return {};
  }
  flux::Result<std::uint64_t> append(const flux::FileId& id, std::uint64_t offset, std::string_view bytes) override {
    std::unique_lock lock(mutex_);
    ++appends_;
    changed_.notify_all();
    if (blocks_) changed_.wait(lock, [this] { return !held_back_; });
    const auto found = files_.find(id);
    if (found == files_.end()) return no_file(id);
    Entry& entry = found->second;
    if (entry.info.size != offset) return flux::Error(flux::Errc::wrong_offset, "another offset");
    entry.bytes += bytes;
    entry.info.size += bytes.size();
    return entry.info.size;
  }
  flux::Result<flux::FileInfo> complete(const flux::FileId& id) override {
    const std::lock_guard lock(mutex_);
    if (fails_completing_) return flux::Error(flux::Errc::store_failed, "the disk is full");
    const auto found = files_.find(id);
    if (found == files_.end()) return no_file(id);
    found->second.info.state = flux::FileState::complete;
    return found->second.info;
  }
  flux::Result<flux::FileInfo> info(const flux::FileId& id) override {
    const std::lock_guard lock(mutex_);
    if (fails_finding_) return flux::Error(flux::Errc::store_failed, "the disk is gone");
    const auto found = there(id);
    if (found == files_.end()) return no_file(id);
    return found->second.info;
  }
  flux::Result<std::size_t> read(const flux::FileId& id, std::uint64_t offset, std::span<char> into) override {
    const std::lock_guard lock(mutex_);
    const auto found = there(id);
    if (found == files_.end()) return no_file(id);
    const std::string& bytes = found->second.bytes;
    const std::size_t from = std::min(static_cast<std::size_t>(offset), bytes.size());
    const std::size_t size = std::min(into.size(), bytes.size() - from);
    std::memcpy(into.data(), bytes.data() + from, size);
    return size;
  }
  flux::Result<void> mark_shared(const flux::FileId& id) override {
    const std::lock_guard lock(mutex_);
    if (fails_sharing_) return flux::Error(flux::Errc::store_failed, "the disk is full");
    const auto found = there(id);
    if (found == files_.end()) return no_file(id);
    found->second.info.shared = true;
    return {};
  }
  flux::Result<void> mark_deleted(const flux::FileId& id) override {
    const std::lock_guard lock(mutex_);
    const auto found = there(id);
    if (found == files_.end()) return no_file(id);
    found->second.info.state = flux::FileState::deleted;
    return {};
  }
  flux::Result<void> remove(const flux::FileId& id) override {
    const std::lock_guard lock(mutex_);
    if (files_.erase(id) == 0) return no_file(id);
    return {};
  }
  flux::Result<std::vector<flux::FileInfo>> list() override {
    const std::lock_guard lock(mutex_);
    std::vector<flux::FileInfo> list;
    for (const auto& [id, entry] : files_) {
      if (entry.info.state != flux::FileState::deleted) list.push_back(entry.info);
    }
    return list;
  }
  flux::Result<flux::FileCleanup> cleanup_deleted() override {
    const std::lock_guard lock(mutex_);
    flux::FileCleanup cleanup;
    for (const auto& [id, entry] : files_) {
      if (entry.info.state == flux::FileState::deleted) cleanup.deleted.push_back(id);
    }
    for (const auto& id : cleanup.deleted) files_.erase(id);
    return cleanup;
  }
  flux::Result<flux::FileSweep> sweep(std::int64_t) override { return flux::FileSweep{}; }
  bool may_block() const override { return blocks_; }

 private:
  struct Entry {
    flux::FileInfo info;
    std::string bytes;
  };
  using Map = std::map<flux::FileId, Entry>;

  Map::iterator there(const flux::FileId& id) {
    const auto found = files_.find(id);
    return found != files_.end() && found->second.info.state == flux::FileState::deleted ? files_.end() : found;
  }
  static flux::Error no_file(const flux::FileId& id) { return {flux::Errc::file_not_found, "no file " + id}; }

  const bool blocks_;
  const std::uint64_t bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Map files_;
  bool held_back_ = false;
  bool fails_completing_ = false;
  bool fails_finding_ = false;
  bool fails_sharing_ = false;
  int appends_ = 0;
};

}  // namespace flux_test
