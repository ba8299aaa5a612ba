#pragma once

#include <flux/detail/core/session_key.hpp>
#include <flux/detail/storage/file_index_log.hpp>
#include <flux/detail/storage/file_row.hpp>

#include <zlib.h>

#include <exception>
#include <optional>
#include <system_error>
#include <utility>

namespace flux {

namespace storage::detail {

inline constexpr std::string_view log_name = "fluxfil1";
inline constexpr std::size_t log_head_bytes = 20;  // name, salt, CRC-32 of both
inline constexpr std::size_t frame_head_bytes = 12;
inline constexpr std::size_t record_head_bytes = 5;  // kind, size
inline constexpr std::size_t record_bytes_max = 1024 * 1024;
inline constexpr std::size_t snapshot_frame_bytes = 1024 * 1024;
// Below this a file is not worth writing anew.
inline constexpr std::uint64_t rewrite_bytes_min = 64 * 1024;
inline constexpr char kind_row = 1;
inline constexpr char kind_erased = 2;

inline std::uint32_t crc_on(std::uint32_t crc, std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

/// What the CRCs of the frame at `offset` go on from.
inline std::uint32_t frame_seed(std::uint32_t salt_crc, std::uint64_t offset) {
  std::string place;
  append_u64(place, offset);
  return crc_on(salt_crc, place);
}

inline std::string frame_of(std::uint32_t salt_crc, std::uint64_t offset, std::string_view content) {
  const std::uint32_t seed = frame_seed(salt_crc, offset);
  std::string frame;
  frame.reserve(frame_head_bytes + content.size());
  append_u32(frame, static_cast<std::uint32_t>(content.size()));
  append_u32(frame, crc_on(seed, frame));
  append_u32(frame, crc_on(seed, content));
  frame += content;
  return frame;
}

/// The size of the content of the frame at `offset`; none where no whole frame is there.
inline std::optional<std::size_t> frame_at(std::string_view file, std::size_t offset, std::uint32_t salt_crc) {
  const std::string_view rest = file.substr(offset);
  if (rest.size() < frame_head_bytes) return std::nullopt;
  const std::uint32_t seed = frame_seed(salt_crc, offset);
  if (read_u32(rest.substr(4)) != crc_on(seed, rest.substr(0, 4))) return std::nullopt;
  const std::size_t size = read_u32(rest);
  if (rest.size() - frame_head_bytes < size) return std::nullopt;
  if (read_u32(rest.substr(8)) != crc_on(seed, rest.substr(frame_head_bytes, size))) return std::nullopt;
  return size;
}

inline bool has_frame_from(std::string_view file, std::size_t offset, std::uint32_t salt_crc) {
  for (; offset + frame_head_bytes <= file.size(); ++offset) {
    if (frame_at(file, offset, salt_crc)) return true;
  }
  return false;
}

inline std::string record_of(char kind, std::string_view content) {
  std::string record(1, kind);
  append_u32(record, static_cast<std::uint32_t>(content.size()));
  record += content;
  return record;
}

}  // namespace storage::detail

/// A new log beside the old one, until it takes its place.
class FileIndexLog::Snapshot {
 public:
  using Places = std::unordered_map<FileId, Place>;

  explicit Snapshot(std::string path) : path_(std::move(path)) {
    namespace detail = storage::detail;
    std::string head(detail::log_name);
    storage::append_u64(head, core::seed_or_entropy(0));
    storage::append_u32(head, detail::crc_on(0, head));
    salt_crc_ = detail::crc_on(0, std::string_view(head).substr(detail::log_name.size(), 8));
    storage::remove_file(path_, error_);
    if (!error_) file_ = storage::RawFile(path_, storage::RawFile::Mode::create, error_);
    if (!error_) file_.write(0, head, error_);
    end_ = head.size();
  }
  ~Snapshot() {
    std::error_code ignored;  // what is left over is removed by the next one
    if (!path_.empty()) storage::remove_file(path_, ignored);
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  void add(const FileId& id, std::string_view record, std::uint32_t crc) {
    const std::uint64_t offset = end_ + storage::detail::frame_head_bytes + frame_.size();
    places_.emplace(id, Place{offset, static_cast<std::uint32_t>(record.size()), crc});
    frame_ += record;
    if (frame_.size() >= storage::detail::snapshot_frame_bytes) flush();
  }
  /// All of it is on disk for good, but under another name.
  std::error_code finish() {
    flush();
    if (!error_) file_.sync(error_);
    return error_;
  }
  std::error_code take_place_of(const std::string& path) {
    storage::rename_file(path_, path, error_);
    if (!error_) path_.clear();
    return error_;
  }

  storage::RawFile take_file() { return std::move(file_); }
  Places take_places() { return std::move(places_); }
  std::uint64_t end() const { return end_; }
  std::uint32_t salt_crc() const { return salt_crc_; }

 private:
  void flush() {
    if (frame_.empty() || error_) return;
    const std::string frame = storage::detail::frame_of(salt_crc_, end_, frame_);
    file_.write(end_, frame, error_);
    end_ += frame.size();
    frame_.clear();
  }

  std::string path_;
  std::error_code error_;
  storage::RawFile file_;
  std::uint32_t salt_crc_ = 0;
  std::string frame_;  // content of the next one
  Places places_;
  std::uint64_t end_ = 0;
};

FLUX_DECL FileIndexLog::FileIndexLog(std::string path) : path_(std::move(path)) {}

FLUX_DECL Result<std::vector<FileInfo>> FileIndexLog::load() {
  std::vector<FileInfo> files;
  std::error_code error;
  file_ = storage::RawFile(path_, storage::RawFile::Mode::write, error);
  if (error == std::errc::no_such_file_or_directory) {
    if (auto made = rewrite(); !made) return made.error();
    return files;
  }
  std::string bytes;
  if (!error) bytes.resize(static_cast<std::size_t>(file_.size(error)));
  if (!error) bytes.resize(file_.read(0, bytes, error));
  if (error) return storage::disk_error("read the file index", error);
  auto rows = replay(bytes);
  if (!rows) return rows.error();
  if (end_ < bytes.size()) file_.truncate(end_, error);
  // A process that was killed before its sync has left rows that are read here, and not on disk for good.
  if (!error) file_.sync(error);
  if (error) return storage::disk_error("bring the file index to disk", error);
  files.reserve(rows->size());
  for (auto& [id, file] : *rows) files.push_back(std::move(file));
  return files;
}

FLUX_DECL Result<FileIndexLog::Rows> FileIndexLog::replay(std::string_view bytes) {
  namespace detail = storage::detail;
  constexpr std::size_t crc_at = detail::log_head_bytes - 4;
  if (bytes.size() < detail::log_head_bytes || !bytes.starts_with(detail::log_name) ||
      storage::read_u32(bytes.substr(crc_at)) != detail::crc_on(0, bytes.substr(0, crc_at))) {
    return Error(Errc::store_failed, "the file index is damaged at byte 0: it does not begin as an index of flux does");
  }
  salt_crc_ = detail::crc_on(0, bytes.substr(detail::log_name.size(), 8));
  Rows rows;
  std::size_t at = detail::log_head_bytes;
  while (const auto size = detail::frame_at(bytes, at, salt_crc_)) {
    const std::size_t content_at = at + detail::frame_head_bytes;
    if (auto done = replay_frame(bytes.substr(content_at, *size), content_at, rows); !done) return done.error();
    at = content_at + *size;
  }
  if (at < bytes.size() && detail::has_frame_from(bytes, at + 1, salt_crc_)) {
    return Error(Errc::store_failed,
                 "the file index is damaged at byte " + std::to_string(at) + ", and more of it follows");
  }
  end_ = at;
  rewrite_at_ = detail::rewrite_bytes_min;
  return rows;
}

FLUX_DECL Result<void> FileIndexLog::replay_frame(std::string_view content, std::uint64_t content_at, Rows& rows) {
  namespace detail = storage::detail;
  Batch batch;
  std::size_t at = 0;
  while (at < content.size()) {
    const std::string_view rest = content.substr(at);
    const std::size_t size = rest.size() < detail::record_head_bytes ? rest.size() : storage::read_u32(rest.substr(1));
    const bool whole = rest.size() >= detail::record_head_bytes && size <= rest.size() - detail::record_head_bytes;
    const std::string_view body = whole ? rest.substr(detail::record_head_bytes, size) : std::string_view();
    auto file = whole && rest[0] == detail::kind_row ? storage::read_file_row(body) : std::nullopt;
    if (!file && !(whole && rest[0] == detail::kind_erased)) {
      return Error(Errc::store_failed, "the file index holds at byte " + std::to_string(content_at + at) +
                                           " what this version of flux does not know: was it written by a newer one?");
    }
    const auto bytes = static_cast<std::uint32_t>(detail::record_head_bytes + size);
    batch.changes.push_back(Change{file ? file->id : FileId(body), at, bytes, !file});
    if (file) {
      const FileId id = file->id;
      rows.insert_or_assign(id, std::move(*file));
    } else {
      rows.erase(FileId(body));
    }
    at += bytes;
  }
  batch.content = content;
  apply(batch, content_at);
  return {};
}

FLUX_DECL Result<void> FileIndexLog::save(const FileInfo& file) {
  std::string row;
  storage::append_file_row(row, file);
  if (row.size() > storage::detail::record_bytes_max) {
    return Error(Errc::store_failed, "what is known of a file may have " +
                                         std::to_string(storage::detail::record_bytes_max) + " bytes, not " +
                                         std::to_string(row.size()));
  }
  return commit(file.id, storage::detail::record_of(storage::detail::kind_row, row), false);
}

FLUX_DECL Result<void> FileIndexLog::erase(const FileId& id) {
  return commit(id, storage::detail::record_of(storage::detail::kind_erased, id), true);
}

FLUX_DECL Result<void> FileIndexLog::commit(const FileId& id, const std::string& record, bool erases) {
  std::unique_lock lock(mutex_);
  if (!next_) next_ = std::make_shared<Batch>();
  const std::shared_ptr<Batch> batch = next_;
  batch->changes.push_back(Change{id, batch->content.size(), static_cast<std::uint32_t>(record.size()), erases});
  batch->content += record;
  written_.wait(lock, [&] { return batch->done || !writing_; });
  if (batch->done) return batch->result;
  // Nobody has written it, so it is still `next_`: this call writes it for all that are in it.
  next_.reset();
  writing_ = true;
  lock.unlock();
  Result<void> result;
  try {
    result = write(*batch);
  } catch (const std::exception& failure) {
    result = Error(Errc::store_failed, std::string("can't write the file index: ") + failure.what());
  }
  lock.lock();
  writing_ = false;
  batch->result = result;
  batch->done = true;
  written_.notify_all();
  return result;
}

FLUX_DECL Result<void> FileIndexLog::write(const Batch& batch) {
  if (!file_.is_open()) return Error(Errc::store_failed, "a file index must be loaded before it is written");
  if (!sound_) {
    if (auto mended = rewrite(); !mended) return mended.error();
  }
  const std::string frame = storage::detail::frame_of(salt_crc_, end_, batch.content);
  std::error_code error;
  sound_ = false;
  file_.write(end_, frame, error);
  if (error) {
    std::error_code not_cut;
    file_.truncate(end_, not_cut);
    sound_ = !not_cut;
    return storage::disk_error("write the file index", error);
  }
  // After a sync that failed nobody knows what is on disk (Linux drops the pages): the next save writes a new file.
  file_.sync(error);
  if (error) return storage::disk_error("write the file index", error);
  apply(batch, end_ + storage::detail::frame_head_bytes);
  end_ += frame.size();
  sound_ = true;
  if (end_ >= rewrite_at_ && end_ > 2 * living_bytes_) {
    // All is in the old file, too: what goes wrong is tried again when that has grown.
    if (!rewrite()) rewrite_at_ = 2 * end_;
  }
  return {};
}

FLUX_DECL void FileIndexLog::apply(const Batch& batch, std::uint64_t content_at) {
  for (const Change& change : batch.changes) {
    if (const auto old = places_.find(change.id); old != places_.end()) {
      living_bytes_ -= old->second.bytes;
      places_.erase(old);
    }
    if (change.erases) continue;
    const auto record = std::string_view(batch.content).substr(change.offset, change.bytes);
    places_.emplace(change.id, Place{content_at + change.offset, change.bytes, storage::detail::crc_on(0, record)});
    living_bytes_ += change.bytes;
  }
}

/// The rows that count, in a new file. After an error the old one is used on.
FLUX_DECL Result<void> FileIndexLog::rewrite() {
  Snapshot snapshot(path_ + ".new");
  if (auto copied = copy_rows(snapshot); !copied) return copied;
  std::error_code error = snapshot.finish();
  if (!error) error = snapshot.take_place_of(path_);
  if (error) return storage::disk_error("write the file index anew", error);
  file_ = snapshot.take_file();
  places_ = snapshot.take_places();
  salt_crc_ = snapshot.salt_crc();
  end_ = snapshot.end();
  rewrite_at_ = storage::detail::rewrite_bytes_min;
  // Until the folder is synced, a loss of power may bring the old file back.
  const std::size_t slash = path_.rfind('/');
  storage::sync_folder(slash == std::string::npos ? "." : path_.substr(0, slash + 1), error);
  sound_ = !error;
  if (error) return storage::disk_error("write the file index anew", error);
  return {};
}

FLUX_DECL Result<void> FileIndexLog::copy_rows(Snapshot& to) {
  std::string record;
  for (const auto& [id, place] : places_) {
    record.resize(place.bytes);
    std::error_code error;
    const std::size_t bytes = file_.read(place.offset, record, error);
    if (error) return storage::disk_error("read the file index", error);
    if (bytes < record.size() || storage::detail::crc_on(0, record) != place.crc) {
      return Error(Errc::store_failed, "the file index is damaged at byte " + std::to_string(place.offset));
    }
    to.add(id, record, place.crc);
  }
  return {};
}

}  // namespace flux
