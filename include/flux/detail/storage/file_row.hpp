// A `FileInfo` as bytes, for indexes that store rows themselves.
//
// Numbers are little-endian; a text is its size in 4 bytes, then its bytes. If a later flux adds fields to `FileInfo`,
// its rows get a format of their own, so that rows in this one stay readable.
#pragma once

#include <flux/storage/file_info.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace flux::storage {

/// Each text of `file` must be shorter than 4 GiB.
void append_file_row(std::string& out, const FileInfo& file);
/// Returns nothing if `row` is not exactly what `append_file_row` writes.
std::optional<FileInfo> read_file_row(std::string_view row);

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/file_row.ipp>
#endif
