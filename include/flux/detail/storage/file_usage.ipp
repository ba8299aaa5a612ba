#pragma once

#include <flux/detail/storage/file_usage.hpp>

namespace flux::storage {

namespace detail {

/// Whether `used` may grow by `more`. It may exceed a limit that was lowered.
inline bool has_room(std::uint64_t limit, std::uint64_t used, std::uint64_t more) {
  return limit == 0 || more == 0 || (used <= limit && more <= limit - used);
}

inline Error no_more_files(Errc code, const std::string& whose, std::uint64_t limit) {
  return Error(code, whose + " may have " + std::to_string(limit) + " files, and has that many");
}

inline Error no_room(Errc code, const std::string& whose, std::uint64_t limit, std::uint64_t used, std::uint64_t more) {
  return Error(code, whose + " may have " + std::to_string(limit) + " bytes and has " + std::to_string(used) +
                         " of them: there is no room for " + std::to_string(more) + " more");
}

}  // namespace detail

FLUX_DECL Result<void> FileUsage::reserve(const std::string& owner, std::uint64_t files, std::uint64_t bytes) {
  const auto found = used_by_.find(owner);
  const Used owned = found == used_by_.end() ? Used() : found->second;
  if (!detail::has_room(limits_.files_max, all_.files, files)) {
    return detail::no_more_files(Errc::quota_exceeded, "the file store", limits_.files_max);
  }
  if (!detail::has_room(limits_.files_per_owner_max, owned.files, files)) {
    return detail::no_more_files(Errc::owner_quota_exceeded, "an owner of files", limits_.files_per_owner_max);
  }
  if (!detail::has_room(limits_.bytes_max, all_.bytes, bytes)) {
    return detail::no_room(Errc::quota_exceeded, "the file store", limits_.bytes_max, all_.bytes, bytes);
  }
  if (!detail::has_room(limits_.bytes_per_owner_max, owned.bytes, bytes)) {
    return detail::no_room(Errc::owner_quota_exceeded, "an owner of files", limits_.bytes_per_owner_max, owned.bytes,
                           bytes);
  }
  add(owner, files, bytes);
  return {};
}

FLUX_DECL void FileUsage::add(const std::string& owner, std::uint64_t files, std::uint64_t bytes) {
  if (files > 0 || bytes > 0) {
    Used& used = used_by_[owner];
    used.files += files;
    used.bytes += bytes;
  }
  add_to_store(files, bytes);
}

FLUX_DECL void FileUsage::add_to_store(std::uint64_t files, std::uint64_t bytes) {
  all_.files += files;
  all_.bytes += bytes;
}

FLUX_DECL void FileUsage::release(const std::string& owner, std::uint64_t files, std::uint64_t bytes) {
  release_of_owner(owner, files, bytes);
  release_of_store(files, bytes);
}

FLUX_DECL void FileUsage::release_of_owner(const std::string& owner, std::uint64_t files, std::uint64_t bytes) {
  const auto found = used_by_.find(owner);
  if (found == used_by_.end()) return;
  Used& used = found->second;
  used.files -= files;
  used.bytes -= bytes;
  if (used.files == 0 && used.bytes == 0) used_by_.erase(found);
}

FLUX_DECL void FileUsage::release_of_store(std::uint64_t files, std::uint64_t bytes) {
  all_.files -= files;
  all_.bytes -= bytes;
}

}  // namespace flux::storage
