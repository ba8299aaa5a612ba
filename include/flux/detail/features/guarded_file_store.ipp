#pragma once

#include <flux/detail/features/guarded_file_store.hpp>
#include <flux/detail/mode.hpp>

#include <algorithm>

namespace flux::features {

/// Removes what can't be sent.
FLUX_DECL void GuardedFileStore::mend(FileInfo& file) {
  const auto printable = [](char c) { return c >= 0x20 && c < 0x7f; };
  (void)mend_text(file.name);
  for (std::string* text : {&file.media_type, &file.metadata, &file.sha256}) {  // fields of HTTP answers
    if (!std::all_of(text->begin(), text->end(), printable)) text->clear();
  }
}

FLUX_DECL Result<FileInfo> GuardedFileStore::usable(const FileId& id, Result<FileInfo> file) {
  if (!file) return file;
  if (file->id != id) return Error(Errc::store_failed, "asked for file " + id + " it gave file " + file->id);
  mend(*file);
  return file;
}

}  // namespace flux::features
