// What a file store knows of its files, kept beside their bytes: the interface that applications implement.
#pragma once

#include <flux/storage/file_store.hpp>

#include <vector>

namespace flux {

/// A durable table of `FileInfo`, one row for each id. The implementer's duties:
/// - `save` and `erase` are atomic, and durable when they return; `load` gives what they have left.
/// - `load` is called once, before the others. Calls may come from several threads at the same time.
/// - Errors are values; an exception counts as store_failed.
class FileIndex {
 public:
  virtual ~FileIndex() = default;
  /// Every row, in no particular order.
  virtual Result<std::vector<FileInfo>> load() = 0;
  /// Inserts the row, or replaces the one of the same id.
  virtual Result<void> save(const FileInfo& file) = 0;
  /// Nothing happens where there is no such row.
  virtual Result<void> erase(const FileId& id) = 0;
};

}  // namespace flux
