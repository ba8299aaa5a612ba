#pragma once

#include <flux/detail/storage/file_row.hpp>
#include <flux/detail/storage/little_endian.hpp>

#include <cstddef>
#include <cstdint>

namespace flux::storage {

namespace detail {

// The flags of a row: its booleans, and whether its length is known.
inline constexpr unsigned row_has_length = 1;
inline constexpr unsigned row_wants_sha256 = 2;
inline constexpr unsigned row_shared = 4;
inline constexpr unsigned row_flags = row_has_length | row_wants_sha256 | row_shared;

inline void append_text(std::string& out, std::string_view text) {
  append_u32(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

/// Reads a row field by field. After a field that is not whole, all others are empty and `good` is false.
class RowReader {
 public:
  explicit RowReader(std::string_view row) : rest_(row) {}
  bool good() const { return good_; }
  bool at_end() const { return rest_.empty(); }

  std::string_view bytes(std::size_t size) {
    if (size > rest_.size()) {
      good_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::uint32_t u32() {
    const std::string_view field = bytes(4);
    return good_ ? read_u32(field) : 0;
  }
  std::uint64_t u64() {
    const std::string_view field = bytes(8);
    return good_ ? read_u64(field) : 0;
  }
  std::uint8_t u8() {
    const std::string_view field = bytes(1);
    return good_ ? static_cast<std::uint8_t>(field[0]) : std::uint8_t{0};
  }
  std::string text() { return std::string(bytes(u32())); }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace detail

FLUX_DECL void append_file_row(std::string& out, const FileInfo& file) {
  unsigned flags = 0;
  if (file.length) flags |= detail::row_has_length;
  if (file.wants_sha256) flags |= detail::row_wants_sha256;
  if (file.shared) flags |= detail::row_shared;
  out += static_cast<char>(flags);
  out += static_cast<char>(file.state);
  append_u64(out, file.length.value_or(0));
  append_u64(out, file.size);
  append_u64(out, static_cast<std::uint64_t>(file.created_at));
  append_u64(out, static_cast<std::uint64_t>(file.modified_at));
  for (const std::string* text : {&file.id, &file.name, &file.media_type, &file.owner, &file.metadata, &file.sha256}) {
    detail::append_text(out, *text);
  }
}

FLUX_DECL std::optional<FileInfo> read_file_row(std::string_view row) {
  detail::RowReader reader(row);
  FileInfo file;
  const unsigned flags = reader.u8();
  const std::uint8_t state = reader.u8();
  const std::uint64_t length = reader.u64();
  if ((flags & detail::row_has_length) != 0) file.length = length;
  file.wants_sha256 = (flags & detail::row_wants_sha256) != 0;
  file.shared = (flags & detail::row_shared) != 0;
  file.state = static_cast<FileState>(state);
  file.size = reader.u64();
  file.created_at = static_cast<std::int64_t>(reader.u64());
  file.modified_at = static_cast<std::int64_t>(reader.u64());
  for (std::string* text : {&file.id, &file.name, &file.media_type, &file.owner, &file.metadata, &file.sha256}) {
    *text = reader.text();
  }
  const bool known = (flags & ~detail::row_flags) == 0 && state <= static_cast<std::uint8_t>(FileState::deleted);
  if (!reader.good() || !reader.at_end() || !known) return std::nullopt;
  return file;
}

}  // namespace flux::storage
