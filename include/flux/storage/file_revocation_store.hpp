// Keeps revocations in a file.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/storage/revocation_store.hpp>

#include <memory>
#include <string>
#include <vector>

namespace flux {

/// An append-only log in one file, which is rewritten when most of it is obsolete. The file is readable by its owner only.
/// One process at a time may use it; the file `path` + ".lock" ensures that.
///
///     config.revocations.store = std::make_shared<flux::FileRevocationStore>("/var/lib/chat/revocations");
///
/// A record whose write was interrupted by a crash was not acknowledged: `load` removes it, and `load_warning` names the
/// file and the number of bytes. Any other damage is an error, and the file is left as it is.
///
/// Errors: store_failed if the file can't be read or written, is damaged, or is in use by another process;
/// quota_exceeded if the disk is full.
class FileRevocationStore final : public RevocationStore {
 public:
  /// `path`: UTF-8. `load` creates the file; its folder must exist.
  explicit FileRevocationStore(std::string path);
  FLUX_DECL ~FileRevocationStore() override;
  FLUX_DECL Result<std::vector<Revocation>> load() override;
  FLUX_DECL Result<void> save(const Revocation& revocation) override;
  FLUX_DECL Result<void> remove(RevocationKind kind, const std::string& name) override;
  FLUX_DECL std::string load_warning() const override;

 private:
  class Log;
  const std::unique_ptr<Log> log_;
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/file_revocation_store.ipp>
#endif
