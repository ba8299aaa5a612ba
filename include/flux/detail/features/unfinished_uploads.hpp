// Limits the unfinished uploads of clients without a user, by address.
#pragma once

#include <flux/detail/core/ip_address.hpp>
#include <flux/detail/core/secret.hpp>
#include <flux/error.hpp>
#include <flux/storage/file_info.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flux::features {

/// Files without an owner share one quota, and an unfinished upload counts there with its whole length. So that one
/// client can't take all of it with uploads that it never finishes, this limits the unfinished uploads of each network
/// (`IpAddress::client_network`), by number and by bytes: those promised, or those stored if these are more. The first
/// upload of a network may have any size.
/// Only uploads passed to `add` are counted; other methods ignore unknown ids. In memory only: after a restart of the
/// server, uploads that were begun before are not counted.
/// Threading: any thread.
class UnfinishedUploads {
 public:
  /// Per network; 0: any number.
  UnfinishedUploads(std::size_t uploads_max, std::uint64_t bytes_max)
      : uploads_max_(uploads_max), bytes_max_(bytes_max) {}

  /// Counts a new upload. Errors: limit_exceeded.
  Result<void> add(const FileId& id, const core::IpAddress& client, std::uint64_t bytes);
  /// The store has created the upload, so it is one that `created` names.
  void note_created(const FileId& id);
  /// The upload has, or promises, this many bytes; fewer than before change nothing. Returns the number before.
  /// Errors: limit_exceeded; then nothing has changed.
  Result<std::uint64_t> grow(const FileId& id, std::uint64_t bytes);
  /// Undoes a `grow` that returned `bytes`.
  void shrink(const FileId& id, std::uint64_t bytes);
  /// The upload is complete, removed or expired.
  void remove(const FileId& id);
  std::vector<FileId> created() const;

 private:
  struct Held {
    std::size_t uploads = 0;
    std::uint64_t bytes = 0;
  };
  struct Upload {
    core::IpAddress network{};
    std::uint64_t bytes = 0;
    bool created = false;
  };
  struct AddressHash {
    core::SeededHash hash;
    std::size_t operator()(const core::IpAddress& address) const noexcept {
      return hash(std::string_view(reinterpret_cast<const char*>(address.bytes().data()), address.bytes().size()));
    }
  };
  bool has_room(const Held& held, std::size_t others, std::uint64_t more) const;

  const std::size_t uploads_max_;
  const std::uint64_t bytes_max_;
  mutable std::mutex mutex_;  // guards everything below
  std::unordered_map<FileId, Upload, core::SeededHash, std::equal_to<>> uploads_;
  std::unordered_map<core::IpAddress, Held, AddressHash> held_;  // by networks that have any
};

}  // namespace flux::features

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/features/unfinished_uploads.ipp>
#endif
