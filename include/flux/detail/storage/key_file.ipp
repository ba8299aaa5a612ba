#pragma once

#include <flux/detail/core/json_object.hpp>
#include <flux/detail/core/utf8.hpp>
#include <flux/detail/storage/key_file.hpp>
#include <flux/detail/storage/raw_file.hpp>
#include <flux/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>

namespace flux::storage {

namespace key_file_detail {

inline Error wrong(const std::string& what) { return Error(Errc::store_failed, what); }

inline Result<void> read_text(std::string& into, const JsonMember& member) {
  auto text = member.value.get<std::string>();
  if (!text) return wrong("\"" + member.name + "\" must be a string");
  into = std::move(*text);
  return {};
}

inline Result<std::int64_t> read_time(const JsonMember& member) {
  const auto time = member.value.get<std::int64_t>();
  if (time) return *time;
  return wrong("\"" + member.name + "\" must be a whole number, of milliseconds since 1970");
}

inline Result<void> read_permissions(ApiKeyRecord& record, JsonView list) {
  const Error no_list = wrong("\"permissions\" must be an array of strings");
  if (list.kind() != JsonKind::array) return no_list;
  for (const JsonView element : list.elements()) {
    auto permission = element.get<std::string>();
    if (!permission) return no_list;
    record.permissions.push_back(std::move(*permission));
  }
  return {};
}

inline Result<void> read_member(ApiKeyRecord& record, const JsonMember& member) {
  if (member.name == "id") return read_text(record.id, member);
  if (member.name == "hash") return read_text(record.hash, member);
  if (member.name == "name") return read_text(record.name, member);
  if (member.name == "user_id") return read_text(record.user_id, member);
  if (member.name == "permissions") return read_permissions(record, member.value);
  if (member.name == "created_at") {
    return read_time(member).transform([&](std::int64_t time) { record.created_at = time; });
  }
  if (member.name == "expires_at") {
    return read_time(member).transform([&](std::int64_t time) { record.expires_at = time; });
  }
  return wrong("\"" + core::shown(member.name) +
               "\" is no member of a key; there are id, hash, name, user_id, permissions, created_at and expires_at");
}

inline Result<ApiKeyRecord> read_key(std::string_view line) {
  const auto json = JsonText::parse(std::string(line));
  if (!json) return wrong(json.error().message());
  if (json->kind() != JsonKind::object) return wrong("a key must be a JSON object");
  ApiKeyRecord record;
  std::vector<std::string> names;
  for (const JsonMember& member : json->members()) {
    if (std::find(names.begin(), names.end(), member.name) != names.end()) {
      return wrong("\"" + core::shown(member.name) + "\" occurs twice");
    }
    if (auto read = read_member(record, member); !read) return read.error();
    names.push_back(member.name);
  }
  if (auto good = check_storable(record); !good) return wrong(good.error().message());
  return record;
}

/// Whether the line holds no key: it is empty or a remark.
inline bool is_remark(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t");
  return begin == std::string_view::npos || line[begin] == '#';
}

}  // namespace key_file_detail

FLUX_DECL std::string key_line(const ApiKeyRecord& record) {
  std::string line;
  flux::detail::JsonObject object(line);
  object.string("id", record.id).string("hash", record.hash).string("name", record.name);
  object.optional_string("user_id", record.user_id).key("permissions");
  flux::detail::append_json_array(line, record.permissions, [&](const std::string& permission) {
    flux::detail::append_json_string(line, permission);
  });
  object.number("created_at", record.created_at);
  if (record.expires_at) object.number("expires_at", *record.expires_at);
  object.end();
  return line;
}

FLUX_DECL Result<KeyLines> KeyLines::parse(std::string_view text) {
  KeyLines lines;
  std::unordered_map<std::string, std::size_t> numbers;  // of the lines, by their ids
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    Line added{std::string(line)};
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!key_file_detail::is_remark(line)) {
      const std::string place = "line " + std::to_string(number) + ": ";
      auto record = key_file_detail::read_key(line);
      if (!record) return Error(Errc::store_failed, place + record.error().message());
      const auto [first, is_new] = numbers.emplace(record->id, number);
      if (!is_new) {
        return Error(Errc::store_failed,
                     place + "line " + std::to_string(first->second) + " has the id \"" + record->id + "\" already");
      }
      added.record = std::move(*record);
    }
    lines.lines_.push_back(std::move(added));
  }
  return lines;
}

FLUX_DECL std::vector<ApiKeyRecord> KeyLines::records() const {
  std::vector<ApiKeyRecord> records;
  for (const Line& line : lines_) {
    if (line.has_key()) records.push_back(line.record);
  }
  return records;
}

FLUX_DECL std::vector<KeyLines::Line>::iterator KeyLines::find(const std::string& id) {
  return std::find_if(lines_.begin(), lines_.end(),
                      [&](const Line& line) { return line.has_key() && line.record.id == id; });
}

FLUX_DECL void KeyLines::put(const ApiKeyRecord& record) {
  Line line{key_line(record), record};
  const auto found = find(record.id);
  if (found == lines_.end()) {
    lines_.push_back(std::move(line));
  } else {
    *found = std::move(line);
  }
}

FLUX_DECL bool KeyLines::remove(const std::string& id) {
  const auto found = find(id);
  if (found == lines_.end()) return false;
  lines_.erase(found);
  return true;
}

FLUX_DECL std::string KeyLines::text() const {
  std::string text;
  for (const Line& line : lines_) text.append(line.text).append("\n");
  return text;
}

// --- The file ---

FLUX_DECL Error KeyFile::failed(const std::string& what, const std::error_code& error) const {
  const Error reason = disk_error(what, error);
  return Error(reason.code(), "the file of keys \"" + path_ + "\": " + reason.message());
}

FLUX_DECL Result<void> KeyFile::create() {
  std::error_code error;
  if (files_->open(path_, FileSystem::Open::read, error)) return {};
  if (error != std::errc::no_such_file_or_directory) return failed("open it", error);
  return write("");
}

FLUX_DECL Result<KeyLines> KeyFile::read() const {
  std::error_code error;
  const auto file = files_->open(path_, FileSystem::Open::read, error);
  if (!file) return failed("open it", error);
  const std::uint64_t size = file->size(error);
  if (error) return failed("read it", error);
  if (size > bytes_max) {
    return Error(Errc::store_failed, "the file of keys \"" + path_ + "\" has " + std::to_string(size) +
                                         " bytes; at most " + std::to_string(bytes_max));
  }
  std::string text(static_cast<std::size_t>(size), '\0');
  text.resize(file->read(0, text, error));
  if (error) return failed("read it", error);
  auto lines = KeyLines::parse(text);
  if (lines) return lines;
  return Error(Errc::store_failed, "the file of keys \"" + path_ + "\", " + lines.error().message());
}

FLUX_DECL Result<std::vector<ApiKeyRecord>> KeyFile::load() const {
  return read().transform([](const KeyLines& lines) { return lines.records(); });
}

FLUX_DECL Result<void> KeyFile::put(const ApiKeyRecord& record) {
  auto lines = read();
  if (!lines) return lines.error();
  lines->put(record);
  return write(lines->text());
}

FLUX_DECL Result<void> KeyFile::remove(const std::string& id) {
  auto lines = read();
  if (!lines) return lines.error();
  // Even if there is no such line: an earlier change may not be durable yet.
  lines->remove(id);
  return write(lines->text());
}

/// The old file stays until the new one is on disk.
FLUX_DECL Result<void> KeyFile::write(const std::string& text) {
  if (text.size() > bytes_max) {
    return Error(Errc::quota_exceeded, "the file of keys \"" + path_ + "\" would have " + std::to_string(text.size()) +
                                           " bytes; at most " + std::to_string(bytes_max));
  }
  const std::string fresh = path_ + ".new";
  std::error_code error;
  files_->remove(fresh, error);  // of a process that was killed
  if (error) return failed("replace it", error);
  {
    const auto file = files_->open(fresh, FileSystem::Open::create, error);
    if (!error) file->write(0, text, error);
    if (!error) file->sync(error);
  }
  if (!error) files_->rename(fresh, path_, error);
  if (error) {
    std::error_code ignored;
    files_->remove(fresh, ignored);
    return failed("write it", error);
  }
  const std::size_t slash = path_.rfind('/');
  files_->sync_folder(slash == std::string::npos ? "." : path_.substr(0, std::max<std::size_t>(slash, 1)), error);
  if (error) return failed("sync its folder", error);
  return {};
}

}  // namespace flux::storage
