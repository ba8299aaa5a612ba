#include "file_chat_store.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <cerrno>
#include <optional>
#include <string_view>
#include <system_error>

using flux::ChatMessage;
using flux::JsonText;
using flux::Offset;
using flux::Result;
using flux::RoomId;

namespace {

flux::Error failed(const std::string& what, const std::filesystem::path& file) {
  const int code = errno;
  return {flux::Errc::store_failed, what + " " + file.string() + ": " + std::generic_category().message(code)};
}

class OpenFile {
 public:
  OpenFile(const std::filesystem::path& path, int flags) : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
  ~OpenFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  bool is_open() const { return descriptor_ >= 0; }
  bool sync() const { return ::fsync(descriptor_) == 0; }
  bool truncate(std::uint64_t size) const { return ::ftruncate(descriptor_, static_cast<off_t>(size)) == 0; }
  bool write_all(std::string_view bytes, std::uint64_t at) const {
    while (!bytes.empty()) {
      const ssize_t done = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at));
      if (done < 0 && errno != EINTR) return false;
      if (done < 0) continue;
      bytes.remove_prefix(static_cast<std::size_t>(done));
      at += static_cast<std::uint64_t>(done);
    }
    return true;
  }
  /// Reads up to `size` bytes: fewer if the file ends first.
  std::optional<std::string> read(std::uint64_t at, std::uint64_t size) const {
    std::string bytes(size, '\0');
    std::size_t have = 0;
    while (have < bytes.size()) {
      const auto from = static_cast<off_t>(at + have);
      const ssize_t done = ::pread(descriptor_, bytes.data() + have, bytes.size() - have, from);
      if (done < 0 && errno != EINTR) return std::nullopt;
      if (done == 0) break;
      if (done > 0) have += static_cast<std::size_t>(done);
    }
    bytes.resize(have);
    return bytes;
  }
  std::uint64_t size() const {
    const off_t end = ::lseek(descriptor_, 0, SEEK_END);
    return end < 0 ? 0 : static_cast<std::uint64_t>(end);
  }

 private:
  int descriptor_;
};

/// A JSON string contains no newline, and neither does the rest of the line.
std::string to_line(const ChatMessage& message) {
  const auto text = [](const std::string& value) { return JsonText::string(value).text(); };
  return "{\"id\":" + text(message.id) + ",\"connectionId\":" + text(message.connection_id) +
         ",\"userId\":" + text(message.user_id) + ",\"message\":" + text(message.message) +
         ",\"metadata\":" + text(message.metadata) + ",\"createdAt\":" + std::to_string(message.created_at) + "}\n";
}

std::optional<ChatMessage> from_line(std::string_view line) {
  const auto json = JsonText::parse(std::string(line));
  if (!json) return std::nullopt;
  const auto id = json->get<std::string>("/id");
  const auto created_at = json->get<std::int64_t>("/createdAt");
  if (!id || !created_at) return std::nullopt;
  ChatMessage message;
  message.id = *id;
  message.connection_id = json->get<std::string>("/connectionId").value_or("");
  message.user_id = json->get<std::string>("/userId").value_or("");
  message.message = json->get<std::string>("/message").value_or("");
  message.metadata = json->get<std::string>("/metadata").value_or("");
  message.created_at = *created_at;
  return message;
}

}  // namespace

FileChatStore::FileChatStore(std::filesystem::path folder) : folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
}

std::filesystem::path FileChatStore::file_of(const RoomId& room) const {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string name;
  for (const char c : room) {
    name += digits[static_cast<unsigned char>(c) >> 4];
    name += digits[static_cast<unsigned char>(c) & 15];
  }
  return folder_ / (name + ".jsonl");
}

/// The room's log, read from its file on first use. Null: nothing has been written in this room.
Result<FileChatStore::Log*> FileChatStore::log_of(const RoomId& room) {
  if (room.size() > room_id_bytes_max) {
    return flux::Error(flux::Errc::store_failed, "the room's id is too long for a file's name");
  }
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = logs_.find(room); known != logs_.end()) return &known->second;
  }
  const auto path = file_of(room);
  const OpenFile file(path, O_RDWR);
  if (!file.is_open() && errno == ENOENT) return nullptr;
  if (!file.is_open()) return failed("can't open", path);
  const auto bytes = file.read(0, file.size());
  if (!bytes) return failed("can't read", path);

  Log log;
  log.ends.push_back(0);
  for (std::size_t begin = 0; begin < bytes->size();) {
    const std::size_t newline = bytes->find('\n', begin);
    const std::size_t end = newline == std::string::npos ? bytes->size() : newline + 1;
    const auto message = newline == std::string::npos
                             ? std::nullopt
                             : from_line(std::string_view(*bytes).substr(begin, newline - begin));
    if (!message) {
      // A crash before the last line was acknowledged may have left it half written. Damage anywhere else is an error.
      if (end < bytes->size()) return flux::Error(flux::Errc::store_failed, path.string() + " is damaged");
      if (!file.truncate(begin) || !file.sync()) return failed("can't repair", path);
      break;
    }
    log.by_id.emplace(message->id, log.ends.size());
    log.ends.push_back(end);
    begin = end;
  }
  const std::lock_guard lock(mutex_);
  return &logs_.emplace(room, std::move(log)).first->second;
}

Result<Offset> FileChatStore::append(const RoomId& room, const ChatMessage& message) {
  if (const auto storable = flux::check_storable(message); !storable) return storable.error();
  const auto found = log_of(room);
  if (!found) return found.error();
  const auto path = file_of(room);
  Log* log = *found;
  if (log == nullptr) {
    // The file's name is durable before anything is written to the file.
    const OpenFile created(path, O_WRONLY | O_CREAT | O_EXCL);
    const OpenFile folder(folder_, O_RDONLY | O_DIRECTORY);
    if (!created.is_open() || !folder.is_open() || !folder.sync()) return failed("can't create", path);
    const std::lock_guard lock(mutex_);
    log = &logs_[room];
    log->ends.push_back(0);
  }
  if (const auto known = log->by_id.find(message.id); known != log->by_id.end()) return known->second;
  if (log->unusable) return flux::Error(flux::Errc::store_failed, path.string() + " takes no more messages");

  const OpenFile file(path, O_WRONLY);
  if (!file.is_open()) return failed("can't open", path);
  const std::uint64_t begin = log->ends.back();
  const std::string line = to_line(message);
  if (!file.write_all(line, begin) || !file.sync()) {
    auto error = failed("can't write to", path);
    log->unusable = !file.truncate(begin) || !file.sync();  // all of a message, or nothing
    return error;
  }
  const Offset offset = log->ends.size();
  log->ends.push_back(begin + line.size());
  log->by_id.emplace(message.id, offset);
  return offset;
}

Result<std::vector<ChatMessage>> FileChatStore::history(const RoomId& room, std::size_t limit, Offset before) {
  const auto found = log_of(room);
  if (!found) return found.error();
  std::vector<ChatMessage> page;
  const Log* log = *found;
  if (log == nullptr) return page;
  const Offset newest = log->ends.size() - 1;
  const Offset last = before == 0 || before > newest ? newest : before - 1;
  const Offset first = last > limit ? last - limit + 1 : 1;
  if (last < first) return page;

  const auto path = file_of(room);
  const OpenFile file(path, O_RDONLY);
  if (!file.is_open()) return failed("can't open", path);
  const std::uint64_t begin = log->ends[first - 1];
  const auto bytes = file.read(begin, log->ends[last] - begin);
  if (!bytes) return failed("can't read", path);
  for (Offset offset = first; offset <= last; ++offset) {
    const std::uint64_t from = log->ends[offset - 1] - begin;
    const std::uint64_t size = log->ends[offset] - log->ends[offset - 1] - 1;  // without the newline
    auto message = from + size < bytes->size() ? from_line(std::string_view(*bytes).substr(from, size)) : std::nullopt;
    if (!message) return flux::Error(flux::Errc::store_failed, path.string() + " has been changed by somebody else");
    message->room = room;
    message->offset = offset;
    page.push_back(std::move(*message));
  }
  return page;
}
