#pragma once

#include <flux/detail/features/unfinished_uploads.hpp>
#include <flux/detail/mode.hpp>

#include <string>

namespace flux::features {

namespace uploads_detail {

// The limit for all networks together, for stores that do not limit the number of files.
inline constexpr std::size_t unfinished_uploads_max = 100'000;

inline Error too_many_unfinished() {
  return Error(Errc::limit_exceeded,
               "this address has too many unfinished uploads, or too large ones; finish or remove one, or try later");
}

}  // namespace uploads_detail

/// `others`: the network's uploads besides the one that gets `more` bytes.
FLUX_DECL bool UnfinishedUploads::has_room(const Held& held, std::size_t others, std::uint64_t more) const {
  if (bytes_max_ == 0 || others == 0) return true;
  return held.bytes <= bytes_max_ && more <= bytes_max_ - held.bytes;
}

FLUX_DECL Result<void> UnfinishedUploads::add(const FileId& id, const core::IpAddress& client, std::uint64_t bytes) {
  const core::IpAddress network = client.client_network();
  const std::lock_guard lock(mutex_);
  const auto found = held_.find(network);
  const Held held = found == held_.end() ? Held() : found->second;
  const bool full = uploads_max_ != 0 && held.uploads >= uploads_max_;
  if (full || uploads_.size() >= uploads_detail::unfinished_uploads_max || !has_room(held, held.uploads, bytes)) {
    return uploads_detail::too_many_unfinished();
  }
  if (!uploads_.emplace(id, Upload{network, bytes}).second) return {};
  Held& now = held_[network];
  ++now.uploads;
  now.bytes += bytes;
  return {};
}

FLUX_DECL void UnfinishedUploads::note_created(const FileId& id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = uploads_.find(id); found != uploads_.end()) found->second.created = true;
}

FLUX_DECL Result<std::uint64_t> UnfinishedUploads::grow(const FileId& id, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return bytes;
  Upload& upload = found->second;
  const std::uint64_t before = upload.bytes;
  if (bytes <= before) return before;
  Held& held = held_[upload.network];
  if (!has_room(held, held.uploads - 1, bytes - before)) return uploads_detail::too_many_unfinished();
  held.bytes += bytes - before;
  upload.bytes = bytes;
  return before;
}

FLUX_DECL void UnfinishedUploads::shrink(const FileId& id, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end() || bytes >= found->second.bytes) return;
  held_[found->second.network].bytes -= found->second.bytes - bytes;
  found->second.bytes = bytes;
}

FLUX_DECL void UnfinishedUploads::remove(const FileId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = uploads_.find(id);
  if (found == uploads_.end()) return;
  const auto held = held_.find(found->second.network);
  held->second.bytes -= found->second.bytes;
  if (--held->second.uploads == 0) held_.erase(held);
  uploads_.erase(found);
}

FLUX_DECL std::vector<FileId> UnfinishedUploads::created() const {
  std::vector<FileId> ids;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, upload] : uploads_) {
    if (upload.created) ids.push_back(id);
  }
  return ids;
}

}  // namespace flux::features
