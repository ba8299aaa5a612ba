#pragma once

#include <flux/storage/file_usage.hpp>

namespace flux::storage {

namespace detail {

/// Whether `used` may grow by `more`. What is there may be past a limit that was lowered.
inline bool has_room(std::uint64_t limit, std::uint64_t used, std::uint64_t more) {
  return limit == 0 || more == 0 || (used <= limit && more <= limit - used);
}

inline Error no_room(const std::string& whose, std::uint64_t limit, std::uint64_t used, std::uint64_t more) {
  return Error(Errc::quota_exceeded, whose + " may have " + std::to_string(limit) + " bytes and has " +
                                         std::to_string(used) + " of them: there is no room for " +
                                         std::to_string(more) + " more");
}

}  // namespace detail

FLUX_DECL Result<void> FileUsage::reserve(const std::string& owner, std::uint64_t files, std::uint64_t bytes) {
  const auto found = bytes_of_.find(owner);
  const std::uint64_t owned = found == bytes_of_.end() ? 0 : found->second;
  if (!detail::has_room(limits_.files_max, files_, files)) {
    return Error(Errc::quota_exceeded,
                 "the file store may have " + std::to_string(limits_.files_max) + " files, and has them");
  }
  if (!detail::has_room(limits_.bytes_max, bytes_, bytes)) {
    return detail::no_room("the file store", limits_.bytes_max, bytes_, bytes);
  }
  if (!detail::has_room(limits_.bytes_per_owner_max, owned, bytes)) {
    return detail::no_room("an owner of files", limits_.bytes_per_owner_max, owned, bytes);
  }
  add(owner, files, bytes);
  return {};
}

FLUX_DECL void FileUsage::add(const std::string& owner, std::uint64_t files, std::uint64_t bytes) {
  if (bytes > 0) bytes_of_[owner] += bytes;
  add_to_store(files, bytes);
}

FLUX_DECL void FileUsage::add_to_store(std::uint64_t files, std::uint64_t bytes) {
  files_ += files;
  bytes_ += bytes;
}

FLUX_DECL void FileUsage::release(const std::string& owner, std::uint64_t files, std::uint64_t bytes) {
  release_of_owner(owner, bytes);
  release_of_store(files, bytes);
}

FLUX_DECL void FileUsage::release_of_owner(const std::string& owner, std::uint64_t bytes) {
  const auto found = bytes_of_.find(owner);
  if (found == bytes_of_.end()) return;
  found->second -= bytes;
  if (found->second == 0) bytes_of_.erase(found);
}

FLUX_DECL void FileUsage::release_of_store(std::uint64_t files, std::uint64_t bytes) {
  files_ -= files;
  bytes_ -= bytes;
}

}  // namespace flux::storage
