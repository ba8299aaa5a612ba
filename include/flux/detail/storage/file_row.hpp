// A `FileInfo` as bytes, for indexes that keep it in a place of their own.
//
// Numbers are little-endian; a text is its size in 4 bytes, then its bytes. What a later flux adds to `FileInfo` will
// get a form of its own, so that rows of this one stay readable.
#pragma once

#include <flux/storage/file_store.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace flux::storage {

void append_u32(std::string& out, std::uint32_t number);
void append_u64(std::string& out, std::uint64_t number);
/// `bytes` has at least 4 of them.
std::uint32_t read_u32(std::string_view bytes) noexcept;
/// `bytes` has at least 8 of them.
std::uint64_t read_u64(std::string_view bytes) noexcept;

/// Each text of `file` has less than 4 GiB.
void append_file_row(std::string& out, const FileInfo& file);
/// Errors: none where `row` is not exactly what `append_file_row` gives.
std::optional<FileInfo> read_file_row(std::string_view row);

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/file_row.ipp>
#endif
