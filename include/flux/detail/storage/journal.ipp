#pragma once

#include <flux/detail/core/session_key.hpp>
#include <flux/detail/storage/journal.hpp>
#include <flux/detail/storage/little_endian.hpp>
#include <flux/detail/storage/raw_file.hpp>

#include <zlib.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace flux::storage {

namespace detail {

inline constexpr std::size_t journal_name_bytes = 8;
inline constexpr std::size_t journal_salt_bytes = 8;
inline constexpr std::size_t journal_head_bytes = journal_name_bytes + journal_salt_bytes + 4;
inline constexpr std::size_t frame_head_bytes = 12;
inline constexpr std::size_t record_head_bytes = 5;  // kind, size
inline constexpr std::size_t snapshot_frame_bytes = 1024 * 1024;
// Appends that find the next batch larger than this wait for the one after it.
inline constexpr std::size_t batch_bytes_max = 64 * 1024 * 1024;
inline constexpr std::size_t read_ahead_bytes = 256 * 1024;
// The smallest unit that a disk writes as a whole.
inline constexpr std::size_t sector_bytes = 512;

inline std::uint32_t crc_on(std::uint32_t crc, std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32(crc, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())));
}

/// The start value of the CRCs of the frame at `offset`.
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

inline void append_record(std::string& out, char kind, std::string_view content) {
  out += kind;
  append_u32(out, static_cast<std::uint32_t>(content.size()));
  out += content;
}

}  // namespace detail

/// Reads frames of the file, a portion at a time.
class Journal::Reader {
 public:
  explicit Reader(const FileSystem::File& file) : file_(file), size_(file.size(error_)) {}
  std::uint64_t size() const { return size_; }
  const std::error_code& error() const { return error_; }

  /// The `bytes` bytes at `offset`, valid until the next call; fewer at the end of the file or after an error.
  std::string_view view(std::uint64_t offset, std::size_t bytes) {
    bytes = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, size_ - std::min(size_, offset)));
    if (offset < start_ || offset + bytes > start_ + buffer_.size()) {
      const auto ahead = std::min<std::uint64_t>(std::max(bytes, detail::read_ahead_bytes), size_ - offset);
      buffer_.resize(static_cast<std::size_t>(ahead));
      start_ = offset;
      std::error_code error;
      buffer_.resize(file_.read(offset, buffer_, error));
      if (error) error_ = error;
    }
    return std::string_view(buffer_).substr(static_cast<std::size_t>(offset - start_), bytes);
  }

  /// The content of the frame at `offset`, valid until the next call; none if there is no whole frame.
  std::optional<std::string_view> frame_at(std::uint64_t offset, std::uint32_t salt_crc) {
    const std::uint32_t seed = detail::frame_seed(salt_crc, offset);
    const std::string_view head = view(offset, detail::frame_head_bytes);
    if (!is_head(head, seed)) return std::nullopt;
    const std::uint32_t content_crc = read_u32(head.substr(8));
    const std::size_t size = read_u32(head);
    const std::string_view content = view(offset + detail::frame_head_bytes, size);
    if (content.size() < size || content_crc != detail::crc_on(seed, content)) return std::nullopt;
    return content;
  }

  /// Whether a crash during an append can have left what is at `offset`, where no whole frame is.
  bool is_torn_at(std::uint64_t offset, std::uint32_t salt_crc) {
    const std::string_view head = view(offset, detail::frame_head_bytes);
    if (head.size() < detail::frame_head_bytes) return true;
    std::uint64_t end = size_;
    std::uint64_t unwritten_from = offset;
    if (is_head(head, detail::frame_seed(salt_crc, offset))) {
      const std::uint64_t content_at = offset + detail::frame_head_bytes;
      end = content_at + read_u32(head);
      if (end > size_) return true;
      unwritten_from = next_sector(content_at - 1);
    }
    for (std::uint64_t at = unwritten_from; at < end; at = next_sector(at)) {
      const auto bytes = static_cast<std::size_t>(std::min(next_sector(at), end) - at);
      if (view(at, bytes).find_first_not_of('\0') == std::string_view::npos) return true;
    }
    return false;
  }

  bool has_frame_from(std::uint64_t offset, std::uint32_t salt_crc) {
    for (; offset + detail::frame_head_bytes <= size_; ++offset) {
      if (frame_at(offset, salt_crc)) return true;
    }
    return false;
  }

 private:
  static bool is_head(std::string_view head, std::uint32_t seed) {
    return head.size() == detail::frame_head_bytes &&
           read_u32(head.substr(4)) == detail::crc_on(seed, head.substr(0, 4));
  }
  static std::uint64_t next_sector(std::uint64_t offset) {
    return (offset / detail::sector_bytes + 1) * detail::sector_bytes;
  }

  const FileSystem::File& file_;
  std::error_code error_;
  std::uint64_t size_ = 0;
  std::uint64_t start_ = 0;  // of the buffer, in the file
  std::string buffer_;
};

/// A new file beside the old one, until it replaces that.
class Journal::Snapshot final : public JournalSnapshot {
 public:
  explicit Snapshot(const Journal& journal) : journal_(journal), path_(journal.path_ + ".new") {
    std::string head(journal.options_.name);
    append_u64(head, core::seed_or_entropy(0));
    salt_crc_ = detail::crc_on(0, std::string_view(head).substr(detail::journal_name_bytes));
    append_u32(head, detail::crc_on(0, head));
    journal_.files_->remove(path_, error_);
    if (!error_) file_ = journal_.files_->open(path_, FileSystem::Open::create, error_);
    if (!error_) file_->write(0, head, error_);
    end_ = head.size();
  }
  ~Snapshot() override {
    std::error_code ignored;  // what is left is removed by the next one
    if (!path_.empty()) journal_.files_->remove(path_, ignored);
  }

  JournalPlace add(char kind, std::string_view content) override {
    record_.clear();
    detail::append_record(record_, kind, content);
    return add_record(record_, detail::crc_on(0, record_));
  }

  Result<JournalPlace> copy(const JournalPlace& place) override {
    record_.resize(place.bytes);
    std::error_code error;
    const std::size_t bytes = journal_.file_->read(place.offset, record_, error);
    if (error) return journal_.failed("read", error);
    if (bytes < record_.size() || detail::crc_on(0, record_) != place.crc) return journal_.damaged_at(place.offset);
    return add_record(record_, place.crc);
  }

  /// Returns when everything is durable, though under another name than the journal's.
  std::error_code finish() {
    flush();
    if (!error_) file_->sync(error_);
    return error_;
  }
  std::error_code replace_journal() {
    journal_.files_->rename(path_, journal_.path_, error_);
    if (!error_) path_.clear();
    return error_;
  }

  std::unique_ptr<FileSystem::File> take_file() { return std::move(file_); }
  std::uint64_t end() const { return end_; }
  std::uint32_t salt_crc() const { return salt_crc_; }

 private:
  JournalPlace add_record(std::string_view record, std::uint32_t crc) {
    const JournalPlace place{end_ + detail::frame_head_bytes + frame_.size(), static_cast<std::uint32_t>(record.size()),
                             crc};
    frame_ += record;
    if (frame_.size() >= detail::snapshot_frame_bytes) flush();
    return place;
  }
  void flush() {
    if (frame_.empty()) return;
    const std::string frame = detail::frame_of(salt_crc_, end_, frame_);
    if (!error_) file_->write(end_, frame, error_);
    end_ += frame.size();
    frame_.clear();
  }

  const Journal& journal_;
  std::string path_;  // empty: it has replaced the journal
  std::error_code error_;
  std::unique_ptr<FileSystem::File> file_;
  std::uint32_t salt_crc_ = 0;
  std::string frame_;   // the content of the next one
  std::string record_;  // the last one
  std::uint64_t end_ = 0;
};

FLUX_DECL Journal::Journal(std::string path, JournalState& state, JournalOptions options)
    : path_(std::move(path)),
      state_(state),
      options_(std::move(options)),
      files_(options_.files ? options_.files : system_files()) {
  if (options_.name.size() != detail::journal_name_bytes) {
    throw Error(Errc::bad_config, "the name of a journal has 8 bytes, not " + std::to_string(options_.name.size()));
  }
  if (options_.record_bytes_max > detail::batch_bytes_max) {
    throw Error(Errc::bad_config, "a record of a journal may have at most " + std::to_string(detail::batch_bytes_max) +
                                      " bytes, not " + std::to_string(options_.record_bytes_max));
  }
}

FLUX_DECL Journal::~Journal() = default;

FLUX_DECL Error Journal::failed(const std::string& what, const std::error_code& error) const {
  return disk_error(what + " the " + options_.subject, error);
}

FLUX_DECL Error Journal::damaged_at(std::uint64_t offset, const std::string& detail) const {
  return Error(Errc::store_failed,
               "the " + options_.subject + " is damaged at byte " + std::to_string(offset) + detail);
}

// --- Opening ---

FLUX_DECL Result<void> Journal::open() {
  std::error_code error;
  file_ = files_->open(path_, FileSystem::Open::existing, error);
  if (error == std::errc::no_such_file_or_directory) return rewrite();
  if (error) return failed("read", error);
  auto replayed = replay();
  // A journal that could not be opened must not be appended to.
  if (!replayed) file_.reset();
  return replayed;
}

FLUX_DECL Result<void> Journal::replay() {
  Reader reader(*file_);
  const std::string head(reader.view(0, detail::journal_head_bytes));
  if (reader.error()) return failed("read", reader.error());
  constexpr std::size_t crc_at = detail::journal_head_bytes - 4;
  if (head.size() < detail::journal_head_bytes || !head.starts_with(options_.name) ||
      read_u32(std::string_view(head).substr(crc_at)) != detail::crc_on(0, head.substr(0, crc_at))) {
    return damaged_at(0, ": it does not begin like one of flux");
  }
  salt_crc_ = detail::crc_on(0, head.substr(detail::journal_name_bytes, detail::journal_salt_bytes));
  std::uint64_t at = detail::journal_head_bytes;
  while (const auto content = reader.frame_at(at, salt_crc_)) {
    const std::uint64_t content_at = at + detail::frame_head_bytes;
    if (auto applied = apply(*content, content_at); !applied) return applied;
    at = content_at + content->size();
  }
  const bool more_follows = at < reader.size() && reader.has_frame_from(at + 1, salt_crc_);
  const bool is_damaged = options_.refuse_damaged_end && at < reader.size() && !reader.is_torn_at(at, salt_crc_);
  // What can't be read must not pass for a torn frame.
  if (reader.error()) return failed("read", reader.error());
  if (more_follows) return damaged_at(at, ", and more of it follows");
  if (is_damaged) {
    return damaged_at(at, ", in its last record, and not by a crash; restore the file, or cut it off there");
  }
  end_ = at;
  cut_bytes_ = reader.size() - at;
  rewrite_at_ = options_.rewrite_bytes_min;
  std::error_code error;
  if (end_ < reader.size()) file_->truncate(end_, error);
  // A process that was killed before its sync has left records that can be read, but that are not durable yet.
  if (!error) file_->sync(error);
  if (error) return failed("sync", error);
  return {};
}

FLUX_DECL Result<void> Journal::apply(std::string_view content, std::uint64_t content_at) {
  std::size_t at = 0;
  while (at < content.size()) {
    const std::string_view rest = content.substr(at);
    const bool has_head = rest.size() >= detail::record_head_bytes;
    const std::size_t size = has_head ? read_u32(rest.substr(1)) : 0;
    if (!has_head || size > rest.size() - detail::record_head_bytes) {
      return Error(Errc::store_failed,
                   "the " + options_.subject + " holds at byte " + std::to_string(content_at + at) +
                       " data that this version of flux does not know: was it written by a newer one?");
    }
    const std::string_view record = rest.substr(0, detail::record_head_bytes + size);
    const JournalPlace place{content_at + at, static_cast<std::uint32_t>(record.size()), detail::crc_on(0, record)};
    if (auto applied = state_.apply({record[0], record.substr(detail::record_head_bytes), place}); !applied) {
      return applied;
    }
    at += record.size();
  }
  return {};
}

// --- Appending ---

FLUX_DECL Result<void> Journal::append(char kind, std::string_view content) {
  const JournalEntry entry{kind, content};
  return append(std::span(&entry, 1));
}

FLUX_DECL Result<void> Journal::append(std::span<const JournalEntry> entries) {
  std::size_t bytes = 0;
  for (const JournalEntry& entry : entries) bytes += entry.content.size();
  if (bytes > options_.record_bytes_max) {
    return Error(Errc::store_failed, "a record of the " + options_.subject + " may have " +
                                         std::to_string(options_.record_bytes_max) + " bytes, not " +
                                         std::to_string(bytes));
  }
  std::string records;
  records.reserve(bytes + entries.size() * detail::record_head_bytes);
  for (const JournalEntry& entry : entries) detail::append_record(records, entry.kind, entry.content);
  return commit(records);
}

FLUX_DECL Result<void> Journal::commit(const std::string& records) {
  std::unique_lock lock(mutex_);
  written_.wait(lock, [&] { return !next_ || next_->content.size() < detail::batch_bytes_max; });
  if (!next_) next_ = std::make_shared<Batch>();
  const std::shared_ptr<Batch> batch = next_;
  batch->content += records;
  ++batch->appends;
  written_.wait(lock, [&] { return batch->done || !writing_; });
  if (batch->done) return batch->result;
  // No thread has taken the batch, so it is still `next_`: this thread writes it, for all appends in it.
  next_.reset();
  writing_ = true;
  lock.unlock();
  Result<void> result;
  try {
    result = write(batch->content);
  } catch (const std::exception& failure) {
    result = Error(Errc::store_failed, "can't write the " + options_.subject + ": " + failure.what());
  }
  lock.lock();
  writing_ = false;
  batch->result = result;
  batch->done = true;
  written_.notify_all();
  return result;
}

FLUX_DECL Result<void> Journal::write(std::string_view content) {
  if (!file_) return Error(Errc::store_failed, "the " + options_.subject + " must be opened before it is written");
  if (!sound_) {
    if (auto rewritten = rewrite(); !rewritten) return rewritten;
  }
  const std::string frame = detail::frame_of(salt_crc_, end_, content);
  std::error_code error;
  sound_ = false;
  file_->write(end_, frame, error);
  if (error) {
    std::error_code not_cut;
    file_->truncate(end_, not_cut);
    // Else a crash during the next append could leave a mixture of both frames, which would pass for damage.
    if (!not_cut && options_.refuse_damaged_end) file_->sync(not_cut);
    sound_ = !not_cut;
    return failed("write", error);
  }
  file_->sync(error);
  if (error) return failed("write", error);
  if (auto applied = apply(content, end_ + detail::frame_head_bytes); !applied) return applied;
  end_ += frame.size();
  sound_ = true;
  if (end_ >= rewrite_at_ && end_ > 2 * state_.live_bytes()) {
    // The old file is complete as well: after a failure the next attempt is made when it has doubled.
    if (!rewrite()) rewrite_at_ = 2 * end_;
  }
  return {};
}

FLUX_DECL std::size_t Journal::waiting() const {
  const std::lock_guard lock(mutex_);
  return next_ ? next_->appends : 0;
}

// --- Rewriting ---

/// Writes the live records to a new file, which replaces the old one. After an error the old one remains in use.
FLUX_DECL Result<void> Journal::rewrite() {
  Snapshot snapshot(*this);
  if (auto written = state_.write_live(snapshot); !written) return written;
  std::error_code error = snapshot.finish();
  if (!error) error = snapshot.replace_journal();
  if (error) return failed("rewrite", error);
  file_ = snapshot.take_file();
  salt_crc_ = snapshot.salt_crc();
  end_ = snapshot.end();
  rewrite_at_ = options_.rewrite_bytes_min;
  state_.rewritten();
  // Until the folder is synced, a loss of power may bring the old file back.
  const std::size_t slash = path_.rfind('/');
  files_->sync_folder(slash == std::string::npos ? "." : path_.substr(0, slash + 1), error);
  sound_ = !error;
  if (error) return failed("rewrite", error);
  return {};
}

}  // namespace flux::storage
