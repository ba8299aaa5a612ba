// The interface of a file store's index, which keeps the metadata of its files. Applications can implement it.
#pragma once

#include <flux/error.hpp>
#include <flux/storage/file_info.hpp>

#include <vector>

namespace flux {

/// A durable table of `FileInfo`, one row per id. The implementer's duties:
/// - `save` and `erase` are atomic, and durable when they return; `load` returns their result.
/// - `load` is called once, before the others. Calls may come from several threads at the same time.
/// - Errors are values; an exception counts as store_failed.
class FileIndex {
 public:
  virtual ~FileIndex() = default;
  /// Returns every row, in no particular order.
  virtual Result<std::vector<FileInfo>> load() = 0;
  /// Inserts the row, or replaces the row with the same id.
  virtual Result<void> save(const FileInfo& file) = 0;
  /// Does nothing if there is no such row.
  virtual Result<void> erase(const FileId& id) = 0;
};

}  // namespace flux
