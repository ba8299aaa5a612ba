#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/storage/file_pager.hpp>
#include <flux/storage/file_store.hpp>

#include <algorithm>
#include <charconv>
#include <string>

namespace flux {

namespace storage {

FLUX_DECL Result<FilePager> FilePager::make(const FileQuery& query) {
  FilePager pager(query);
  if (query.after.empty()) return pager;
  const std::string_view text = query.after;
  std::int64_t created_at = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), created_at);
  const auto digits = static_cast<std::size_t>(read.ptr - text.data());
  if (read.ec != std::errc() || digits + 1 >= text.size() || text[digits] != ':') {
    return Error(Errc::invalid_argument, "FileQuery::after is what a page of files returned as `after`");
  }
  pager.after_.emplace(created_at, text.substr(digits + 1));
  return pager;
}

FLUX_DECL void FilePager::add(const FileInfo& file) {
  if (file.state != FileState::complete) return;
  if (query_->owner && *query_->owner != file.owner) return;
  if (!after_ || place(file) < *after_) found_.push_back(&file);
}

FLUX_DECL FilesPage FilePager::take() {
  const std::size_t size = std::min(std::clamp<std::size_t>(query_->limit, 1, 1'000), found_.size());
  const auto end = found_.begin() + static_cast<std::ptrdiff_t>(size);
  std::partial_sort(found_.begin(), end, found_.end(),
                    [](const FileInfo* a, const FileInfo* b) { return place(*a) > place(*b); });
  FilesPage page;
  page.files.reserve(size);
  for (auto file = found_.begin(); file != end; ++file) page.files.push_back(**file);
  if (size < found_.size()) page.after = std::to_string(page.files.back().created_at) + ":" + page.files.back().id;
  return page;
}

}  // namespace storage

FLUX_DECL Result<FilesPage> FileStore::page(const FileQuery& query) {
  auto pager = storage::FilePager::make(query);
  if (!pager) return pager.error();
  const auto files = list();
  if (!files) return files.error();
  for (const FileInfo& file : *files) pager->add(file);
  return pager->take();
}

}  // namespace flux
