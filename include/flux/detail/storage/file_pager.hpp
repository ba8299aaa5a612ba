// Selects a page of files, the newest first.
#pragma once

#include <flux/error.hpp>
#include <flux/storage/file_info.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace flux::storage {

/// Is shown every file of a store, in any order, and copies only those of the page.
/// Threading: none of its own.
class FilePager {
 public:
  /// Errors: invalid_argument (`FileQuery::after`).
  static Result<FilePager> make(const FileQuery& query);

  /// `file` must exist until `take`.
  void add(const FileInfo& file);
  FilesPage take();

 private:
  using Place = std::pair<std::int64_t, std::string_view>;  // in the order of pages: time of creation, id
  explicit FilePager(const FileQuery& query) : query_(&query) {}
  static Place place(const FileInfo& file) { return {file.created_at, file.id}; }

  const FileQuery* query_;
  std::optional<Place> after_{};
  std::vector<const FileInfo*> found_{};
};

}  // namespace flux::storage
