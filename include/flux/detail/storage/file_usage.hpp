// How much of a store its files use, in total and by owner.
#pragma once

#include <flux/detail/core/secret.hpp>
#include <flux/error.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>

namespace flux::storage {

/// Counts files and bytes against limits. Threading: guarded by the lock of the store that owns it.
class FileUsage {
 public:
  /// 0: any number.
  struct Limits {
    std::uint64_t bytes_max = 0;
    std::uint64_t bytes_per_owner_max = 0;
    std::uint64_t files_max = 0;
    std::uint64_t files_per_owner_max = 0;
  };

  explicit FileUsage(Limits limits) : limits_(limits) {}

  /// Counts additional files and bytes. Errors: quota_exceeded, owner_quota_exceeded; then nothing is counted.
  Result<void> reserve(const std::string& owner, std::uint64_t files, std::uint64_t bytes);
  /// Counts existing files, whatever the limits.
  void add(const std::string& owner, std::uint64_t files, std::uint64_t bytes);
  void add_to_store(std::uint64_t files, std::uint64_t bytes);
  /// Uncounts for the owner and the store.
  void release(const std::string& owner, std::uint64_t files, std::uint64_t bytes);
  /// Uncounts for the owner only; the store still counts it, until `release_of_store`.
  void release_of_owner(const std::string& owner, std::uint64_t files, std::uint64_t bytes);
  void release_of_store(std::uint64_t files, std::uint64_t bytes);

 private:
  struct Used {
    std::uint64_t files = 0, bytes = 0;
  };
  const Limits limits_;
  Used all_;
  std::unordered_map<std::string, Used, core::SeededHash, std::equal_to<>> used_by_;  // owners of files only
};

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/file_usage.ipp>
#endif
