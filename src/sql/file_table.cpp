#include "file_table.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>

namespace flux::storage::sql {

namespace {

constexpr std::array<Field, 13> file_fields = {{{"id", Content::key},
                                                {"name", Content::text},
                                                {"media_type", Content::text},
                                                {"owner", Content::text},
                                                {"metadata", Content::text},
                                                {"length", Content::number, true},
                                                {"size", Content::number},
                                                {"wants_sha256", Content::flag},
                                                {"sha256", Content::text},
                                                {"state", Content::word},
                                                {"shared", Content::flag},
                                                {"created_at", Content::number},
                                                {"modified_at", Content::number}}};
/// Indexed by `FileState`.
constexpr std::array<const char*, 3> states = {"uploading", "complete", "deleted"};

/// Errors: throws `Failure` if another program has written something else.
FileState state_of(const std::optional<std::string>& column) {
  const auto found = std::find(states.begin(), states.end(), column.value_or(""));
  if (found == states.end()) {
    throw Failure(Failure::Kind::other, "\"" + column.value_or("") + "\" is not a state of a file");
  }
  return static_cast<FileState>(found - states.begin());
}

/// Errors: invalid_argument.
Result<void> check_storable(const FileInfo& file) {
  for (const std::string* text : {&file.id, &file.name, &file.media_type, &file.owner, &file.metadata, &file.sha256}) {
    if (text->find('\0') == std::string::npos) continue;
    return Error(Errc::invalid_argument, "the metadata of a file must not contain a NUL character (U+0000); remove it");
  }
  constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
  if (file.size > most || file.length.value_or(0) > most) {
    return Error(Errc::invalid_argument, "a file in a database can have at most " + std::to_string(most) + " bytes");
  }
  return {};
}

/// Errors: throws `Failure` if another program has written something else.
std::uint64_t bytes_of(const std::optional<std::string>& column) {
  const std::int64_t bytes = to_int(column);
  if (bytes < 0) throw Failure(Failure::Kind::other, std::to_string(bytes) + " is not the size of a file");
  return static_cast<std::uint64_t>(bytes);
}

FileInfo file_of(const Row& row) {
  FileInfo file;
  file.id = to_text(row.at(0));
  file.name = row.at(1).value_or("");
  file.media_type = row.at(2).value_or("");
  file.owner = row.at(3).value_or("");
  file.metadata = row.at(4).value_or("");
  if (row.at(5)) file.length = bytes_of(row.at(5));
  file.size = bytes_of(row.at(6));
  file.wants_sha256 = to_int(row.at(7)) != 0;
  file.sha256 = row.at(8).value_or("");
  file.state = state_of(row.at(9));
  file.shared = to_int(row.at(10)) != 0;
  file.created_at = to_int(row.at(11));
  file.modified_at = to_int(row.at(12));
  return file;
}

}  // namespace

FileTable::FileTable(std::unique_ptr<Database> database, const SqlFileIndexOptions& options)
    : rows_(std::move(database), options.table, {name, "files", file_fields, 1}) {}

Result<std::vector<FileInfo>> FileTable::load() { return rows_.load(rows_.database().late_deadline(), file_of); }

Result<void> FileTable::save(const FileInfo& file) {
  if (auto storable = check_storable(file); !storable) return storable;
  Statement row = rows_.row();
  row.bind(file.id).sql(", ").bind(file.name).sql(", ").bind(file.media_type).sql(", ").bind(file.owner);
  row.sql(", ").bind(file.metadata).sql(", ");
  row.bind(file.length ? Value(static_cast<std::int64_t>(*file.length)) : Value());
  row.sql(", ").bind(static_cast<std::int64_t>(file.size)).sql(file.wants_sha256 ? ", 1, " : ", 0, ").bind(file.sha256);
  row.sql(", ").bind(states.at(static_cast<std::size_t>(file.state))).sql(file.shared ? ", 1, " : ", 0, ");
  row.bind(file.created_at).sql(", ").bind(file.modified_at);
  return rows_.put(std::move(row));
}

Result<void> FileTable::erase(const FileId& id) { return rows_.erase({id}); }

}  // namespace flux::storage::sql
