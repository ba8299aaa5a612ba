#pragma once

#include <flux/detail/storage/file_index_log.hpp>
#include <flux/detail/storage/file_row.hpp>

#include <utility>

namespace flux {

namespace storage::detail {

inline constexpr char row_saved = 1;   // content: a row
inline constexpr char row_erased = 2;  // content: an id

inline JournalOptions file_index_options() {
  JournalOptions options;
  options.name = "fluxfil1";
  options.subject = "file index";
  return options;
}

}  // namespace storage::detail

FLUX_DECL FileIndexLog::FileIndexLog(std::string path)
    : journal_(std::move(path), *this, storage::detail::file_index_options()) {}

FLUX_DECL Result<std::vector<FileInfo>> FileIndexLog::load() {
  std::unordered_map<FileId, FileInfo> rows;
  loading_ = &rows;
  const auto opened = journal_.open();
  loading_ = nullptr;
  if (!opened) return opened.error();
  std::vector<FileInfo> files;
  files.reserve(rows.size());
  for (auto& [id, file] : rows) files.push_back(std::move(file));
  return files;
}

FLUX_DECL Result<void> FileIndexLog::save(const FileInfo& file) {
  std::string row;
  storage::append_file_row(row, file);
  return journal_.append(storage::detail::row_saved, row);
}

FLUX_DECL Result<void> FileIndexLog::erase(const FileId& id) {
  return journal_.append(storage::detail::row_erased, id);
}

FLUX_DECL Result<void> FileIndexLog::apply(const storage::JournalRecord& record) {
  if (record.kind == storage::detail::row_erased) {
    forget(FileId(record.content));
    return {};
  }
  auto file = record.kind == storage::detail::row_saved ? storage::read_file_row(record.content) : std::nullopt;
  if (!file) {
    return Error(Errc::store_failed,
                 "the file index holds at byte " + std::to_string(record.place.offset) +
                     " data that this version of flux does not know: was it written by a newer one?");
  }
  forget(file->id);
  places_.emplace(file->id, record.place);
  live_bytes_ += record.place.bytes;
  if (loading_ != nullptr) {
    const FileId id = file->id;
    loading_->insert_or_assign(id, std::move(*file));
  }
  return {};
}

FLUX_DECL void FileIndexLog::forget(const FileId& id) {
  if (const auto found = places_.find(id); found != places_.end()) {
    live_bytes_ -= found->second.bytes;
    places_.erase(found);
  }
  if (loading_ != nullptr) loading_->erase(id);
}

FLUX_DECL Result<void> FileIndexLog::write_live(storage::JournalSnapshot& to) {
  moved_.clear();
  for (const auto& [id, place] : places_) {
    auto moved = to.copy(place);
    if (!moved) return moved.error();
    moved_.emplace(id, *moved);
  }
  return {};
}

FLUX_DECL void FileIndexLog::rewritten() { places_ = std::exchange(moved_, {}); }

}  // namespace flux
