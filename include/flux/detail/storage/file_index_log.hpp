// The index of a file store as a journal in one file.
#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/storage/journal.hpp>
#include <flux/storage/file_index.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace flux {

/// Each save appends a row to a `storage::Journal`, and the newest row of an id counts. In memory it keeps where the
/// rows are, not the rows themselves. A row may have 1 MiB.
///
/// One process at a time may use the file; `DiskFileStore` ensures that with a lock of its own. Errors name no path.
/// Threading: `load` first, then any thread.
class FileIndexLog final : public FileIndex, private storage::JournalState {
 public:
  /// `path`: the file, UTF-8. `load` creates it; its folder must exist.
  explicit FileIndexLog(std::string path);
  FLUX_DECL Result<std::vector<FileInfo>> load() override;
  FLUX_DECL Result<void> save(const FileInfo& file) override;
  FLUX_DECL Result<void> erase(const FileId& id) override;

 private:
  using Places = std::unordered_map<FileId, storage::JournalPlace>;

  FLUX_DECL Result<void> apply(const storage::JournalRecord& record) override;
  std::uint64_t live_bytes() const override { return live_bytes_; }
  FLUX_DECL Result<void> write_live(storage::JournalSnapshot& to) override;
  FLUX_DECL void rewritten() override;
  void forget(const FileId& id);

  storage::Journal journal_;
  Places places_;                                            // of the newest row of each id
  Places moved_;                                             // where they are in the file that `write_live` wrote
  std::uint64_t live_bytes_ = 0;                             // of the rows in `places_`
  std::unordered_map<FileId, FileInfo>* loading_ = nullptr;  // the rows themselves, during `load`
};

}  // namespace flux

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/file_index_log.ipp>
#endif
