#pragma once

#include <flux/detail/storage/disk_files.hpp>
#include <flux/detail/storage/file_id.hpp>
#include <flux/detail/storage/file_index_log.hpp>
#include <flux/detail/storage/file_pager.hpp>

#include <algorithm>
#include <exception>
#include <filesystem>
#include <limits>
#include <span>
#include <system_error>
#include <utility>

namespace flux::storage {

namespace detail {

inline constexpr std::string_view part_suffix = ".part";
// Instead of a boot's name: everything that was written is on disk.
inline constexpr const char* closed_mark = "closed";
inline constexpr std::size_t digest_piece_bytes = 256 * 1024;
// The system writes this much of an upload to disk while the next bytes arrive.
inline constexpr std::uint64_t sync_portion_bytes = 8 * 1024 * 1024;
// The maximum size of a file on systems with signed offsets.
inline constexpr std::uint64_t file_bytes_max = std::numeric_limits<std::int64_t>::max();

/// Bytes of the store that the file uses or has reserved.
inline std::uint64_t bytes_for(const FileInfo& file) { return std::max(file.size, file.length.value_or(0)); }

inline Error no_such_file() { return Error(Errc::file_not_found, "there is no such file"); }
inline Error not_complete() { return Error(Errc::wrong_offset, "the file is not complete yet"); }
inline Error too_large(std::uint64_t bytes, std::uint64_t bytes_max) {
  return Error(Errc::file_too_large,
               "the file may have " + std::to_string(bytes_max) + " bytes, not " + std::to_string(bytes));
}

inline Error lost_bytes(const std::string& what, const RawFile& file, std::uint64_t size) {
  std::error_code error;
  const std::uint64_t on_disk = file.size(error);
  if (error) return disk_error("read the size of a file", error);
  return Error(Errc::store_failed,
               what + " has lost bytes: " + std::to_string(on_disk) + " of " + std::to_string(size) + " are on disk");
}

inline std::string path_text(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return std::string(text.begin(), text.end());
}

inline std::filesystem::path path_from(const std::string& text) {
  return std::filesystem::path(std::u8string(text.begin(), text.end()));
}

}  // namespace detail

// --- Opening ---

FLUX_DECL DiskFiles::DiskFiles(std::string folder, DiskFileStoreOptions options)
    : folder_(std::move(folder)),
      clock_(options.clock ? std::move(options.clock) : std::make_shared<SystemClock>()),
      index_(options.index ? std::move(options.index) : std::make_shared<FileIndexLog>(path("flux-files.index"))),
      usage_({options.bytes_max, options.bytes_per_owner_max, options.files_max, options.files_per_owner_max}) {
  open_folder();
  part_bytes_lost_ = machine_went_down();
  load_index();
  std::error_code error;
  write_mark(boot_name(), error);
  if (error) {
    throw Error(Errc::bad_config, "the file store's folder \"" + folder_ + "\" can't be written: " + error.message());
  }
}

FLUX_DECL DiskFiles::~DiskFiles() {
  std::error_code error;
  bring_uploads_to_disk(error);
  if (!error) write_mark(detail::closed_mark, error);
}

/// Also syncs the parents of the folders that it creates, so that a loss of power does not remove them.
FLUX_DECL void DiskFiles::make_folder(std::error_code& error) const {
  namespace fs = std::filesystem;
  std::vector<fs::path> missing;
  for (fs::path at = fs::absolute(detail::path_from(folder_), error); !error && !fs::exists(at, error);) {
    if (error || at == at.parent_path()) break;
    missing.push_back(at);
    at = at.parent_path();
  }
  if (!error) fs::create_directories(detail::path_from(folder_), error);
  for (const fs::path& made : missing) {
    if (!error) sync_folder(detail::path_text(made.parent_path()), error);
  }
}

FLUX_DECL void DiskFiles::open_folder() {
  const auto check = [this](const std::error_code& error, const std::string& what) {
    if (!error) return;
    throw Error(Errc::bad_config,
                "the file store's folder \"" + folder_ + "\" can't be " + what + ": " + error.message());
  };
  std::error_code error;
  make_folder(error);
  check(error, "made");
  lock_ = RawFile(path("flux-files.lock"), RawFile::Mode::create, error);
  check(error, "written");
  lock_.lock(error);
  if (error == std::errc::resource_unavailable_try_again) {
    throw Error(Errc::bad_config,
                "the file store's folder \"" + folder_ + "\" is in use: each store needs one of its own");
  }
  check(error, "locked");
  // The lock file may be older than the present permissions.
  { const RawFile probe(path("flux-files.probe"), RawFile::Mode::create, error); }
  check(error, "written");
  remove_file(path("flux-files.probe"), error);
  check(error, "written");
}

FLUX_DECL void DiskFiles::write_mark(const std::string& mark, std::error_code& error) {
  lock_.write(0, mark, error);
  if (!error) lock_.truncate(mark.size(), error);
  if (!error) lock_.sync(error);
}

/// Whether the machine crashed since the store was last used, without being closed.
FLUX_DECL bool DiskFiles::machine_went_down() const {
  const std::string now = boot_name();
  std::string mark(64, '\0');
  std::error_code error;
  mark.resize(lock_.read(0, mark, error));
  return !now.empty() && !mark.empty() && mark != now && mark != detail::closed_mark;
}

/// So that uploads can continue even if the machine crashes before the store is reopened.
FLUX_DECL void DiskFiles::bring_uploads_to_disk(std::error_code& error) const {
  for (const auto& [id, entry] : entries_) {
    if (entry.info.state != FileState::uploading || entry.info.size == 0) continue;
    RawFile bytes(path_of(entry), RawFile::Mode::write, error);
    if (error == std::errc::no_such_file_or_directory) continue;  // no bytes yet
    if (!error) bytes.sync(error);
    if (error) return;
  }
  sync_folder(folder_, error);
}

FLUX_DECL void DiskFiles::load_index() {
  const auto fail = [this](const std::string& why) {
    throw Error(Errc::bad_config, "the file store in \"" + folder_ + "\" can't be opened: " + why);
  };
  std::vector<FileInfo> files;
  const Result<void> loaded = in_index([&](FileIndex& index) -> Result<void> {
    auto rows = index.load();
    if (!rows) return rows.error();
    files = std::move(*rows);
    return {};
  });
  if (!loaded) fail(loaded.error().message());
  std::error_code error;
  auto on_disk = names_on_disk(error);
  if (error) fail("the folder can't be read: " + error.message());
  entries_.reserve(files.size());
  for (FileInfo& file : files) {
    if (!is_file_id(file.id)) fail("its index holds the id \"" + file.id + "\", which is not a UUID in lower case");
    const Names names = on_disk[file.id];
    adopt(std::move(file), names);
  }
}

FLUX_DECL void DiskFiles::adopt(FileInfo file, Names on_disk) {
  const FileId id = file.id;
  Entry& entry = entries_[id];
  entry.info = std::move(file);
  entry.has_final_name = on_disk.final;
  if (entry.info.state == FileState::uploading) return adopt_upload(entry, on_disk);
  const std::uint64_t bytes = detail::bytes_for(entry.info);
  if (entry.info.state == FileState::complete) usage_.add(entry.info.owner, 1, bytes);
  if (entry.info.state == FileState::deleted) usage_.add_to_store(1, bytes);
  // If the index is ahead of the folder, only the final name is missing. `read` reports what fails here.
  std::error_code error;
  if (on_disk.part && !on_disk.final) rename_file(path(id + ".part"), path(id), error);
}

FLUX_DECL void DiskFiles::adopt_bytes(Entry& entry, Names on_disk) const {
  FileInfo& file = entry.info;
  file.size = 0;
  if (!on_disk.part && !on_disk.final) return;
  std::error_code error;
  const RawFile bytes(path_of(entry), RawFile::Mode::read, error);
  if (!error) file.size = std::min(bytes.size(error), file.length.value_or(detail::file_bytes_max));
  if (!error) file.modified_at = bytes.modified_at(error);
  // A file with its final name was synced before it was renamed. Others may have holes of zeros.
  if (!error && part_bytes_lost_ && !on_disk.final) {
    file.size = 0;
    remove_file(path_of(entry), error);
  }
  if (error) {
    throw Error(Errc::bad_config,
                "the file store in \"" + folder_ + "\" can't be opened: an upload can't be read: " + error.message());
  }
}

FLUX_DECL void DiskFiles::adopt_upload(Entry& entry, Names on_disk) {
  adopt_bytes(entry, on_disk);
  const FileInfo& file = entry.info;
  usage_.add(file.owner, 1, detail::bytes_for(file));
  // It has its final name but is not complete in the index: the process crashed during `complete`. If this fails, it
  // remains an upload, and `complete` reports why.
  if (on_disk.final || file.length == file.size) (void)finish(entry);
}

FLUX_DECL std::unordered_map<FileId, DiskFiles::Names> DiskFiles::names_on_disk(std::error_code& error) const {
  using detail::part_suffix;
  std::unordered_map<FileId, Names> found;
  const std::filesystem::directory_iterator end;
  for (std::filesystem::directory_iterator entry(detail::path_from(folder_), error); !error && entry != end;
       entry.increment(error)) {
    std::error_code unknown;  // removed meanwhile
    if (entry->symlink_status(unknown).type() != std::filesystem::file_type::regular) continue;
    std::string name = detail::path_text(entry->path().filename());
    const bool is_part = name.ends_with(part_suffix);
    if (is_part) name.resize(name.size() - part_suffix.size());
    if (!is_file_id(name)) continue;
    Names& names = found[name];
    (is_part ? names.part : names.final) = true;
  }
  return found;
}

// --- Uploading ---

FLUX_DECL Result<void> DiskFiles::create(const FileInfo& file) {
  if (!is_file_id(file.id)) {
    return Error(Errc::invalid_argument, "a file's id must be a UUID in lower case, not \"" + file.id + "\"");
  }
  if (file.state != FileState::uploading || file.size != 0) {
    return Error(Errc::invalid_argument, "a new file must be an upload without bytes");
  }
  if (file.wants_sha256 && !core::has_digests()) {
    return Error(Errc::invalid_argument,
                 "a file can't have a SHA-256: this build of flux has none (FLUX_WITH_TLS is off)");
  }
  const std::uint64_t length = file.length.value_or(0);
  if (length > detail::file_bytes_max) return detail::too_large(length, detail::file_bytes_max);
  {
    const std::lock_guard lock(mutex_);
    if (entries_.contains(file.id))
      return Error(Errc::invalid_argument, "a file with the id " + file.id + " already exists");
    if (auto reserved = usage_.reserve(file.owner, 1, length); !reserved) return reserved;
  }
  // The first append creates the file. So everything in the folder has a row, or is an orphan.
  Result<void> saved = in_index([&](FileIndex& index) { return index.save(file); });
  const std::lock_guard lock(mutex_);
  if (saved) {
    entries_[file.id].info = file;
  } else {
    usage_.release(file.owner, 1, length);
  }
  return saved;
}

FLUX_DECL Result<void> DiskFiles::set_length(const FileId& id, std::uint64_t length) {
  auto held = hold(id);
  if (!held) return held.error();
  Entry& entry = **held;
  const FileInfo& file = entry.info;
  if (file.length == length) return {};
  if (file.length) {
    return Error(Errc::wrong_offset, "the length of the upload is known: " + std::to_string(*file.length) +
                                         " bytes, not " + std::to_string(length));
  }
  if (file.size > length) {
    return Error(Errc::wrong_offset, "the upload has " + std::to_string(file.size) +
                                         " bytes already, so its length can't be " + std::to_string(length));
  }
  if (length > detail::file_bytes_max) return detail::too_large(length, detail::file_bytes_max);
  const std::uint64_t growth = length - file.size;
  if (auto reserved = reserve(file.owner, growth); !reserved) return reserved;
  FileInfo changed = file;
  changed.length = length;
  Result<void> stored = store(entry, std::move(changed));
  if (!stored) release(file.owner, growth);
  return stored;
}

FLUX_DECL Result<std::uint64_t> DiskFiles::append(const FileId& id, std::uint64_t offset, std::string_view bytes) {
  auto held = hold(id);
  if (!held) return held.error();
  Entry& entry = **held;
  const FileInfo& file = entry.info;
  if (file.state == FileState::complete) return Error(Errc::wrong_offset, "the upload is complete");
  if (offset != file.size) {
    return Error(Errc::wrong_offset, "the upload has " + std::to_string(file.size) +
                                         " bytes, so the next ones belong there, not at " + std::to_string(offset));
  }
  const std::uint64_t size = offset + bytes.size();
  const std::uint64_t size_max = file.length.value_or(detail::file_bytes_max);
  if (size > size_max) return detail::too_large(size, size_max);
  if (bytes.empty()) return size;
  const std::uint64_t growth = file.length ? 0 : bytes.size();
  if (auto reserved = reserve(file.owner, growth); !reserved) return reserved.error();
  if (auto written = write_bytes(entry, bytes); !written) {
    release(file.owner, growth);
    return written.error();
  }
  if (file.wants_sha256) digest_bytes(entry, bytes);
  const std::lock_guard lock(mutex_);
  entry.info.size = size;
  entry.info.modified_at = clock_->unix_ms();
  return size;
}

FLUX_DECL Result<void> DiskFiles::write_bytes(const Entry& entry, std::string_view bytes) {
  const std::uint64_t size = entry.info.size;
  std::error_code error;
  RawFile file(path_of(entry), size == 0 ? RawFile::Mode::create : RawFile::Mode::write, error);
  if (!error) file.write(size, bytes, error);
  if (!error) {
    constexpr std::uint64_t portion = detail::sync_portion_bytes;
    const std::uint64_t begun = size / portion * portion;
    const std::uint64_t full = (size + bytes.size()) / portion * portion;
    if (full > begun) file.begin_sync(begun, full - begun);
    return {};
  }
  // If even this fails, the next append overwrites the excess, and `complete` cuts it off.
  std::error_code not_cut;
  if (file.is_open()) file.truncate(size, not_cut);
  return disk_error("write the bytes of an upload", error);
}

FLUX_DECL void DiskFiles::digest_bytes(Entry& entry, std::string_view bytes) {
  if (entry.info.size == 0) {
    auto digest = core::Digest::begin(core::DigestKind::sha256);
    if (digest) entry.digest.emplace(std::move(*digest));  // otherwise `complete` retries, and reports why it fails
  }
  if (entry.digest) entry.digest->update(bytes);
}

FLUX_DECL Result<FileInfo> DiskFiles::complete(const FileId& id) {
  auto held = hold(id);
  if (!held) return held.error();
  Entry& entry = **held;
  const FileInfo& file = entry.info;
  if (file.state == FileState::complete) return file;
  if (file.length && file.size < *file.length) {
    return Error(Errc::wrong_offset,
                 "the upload has " + std::to_string(file.size) + " of its " + std::to_string(*file.length) + " bytes");
  }
  if (auto finished = finish(entry); !finished) return finished.error();
  return file;
}

FLUX_DECL Result<void> DiskFiles::finish(Entry& entry) {
  FileInfo done = entry.info;
  auto bytes = sync_bytes(entry);
  if (!bytes) return bytes.error();
  if (done.wants_sha256) {
    auto digest = sha256_of(entry, *bytes);
    if (!digest) return digest.error();
    done.sha256 = core::to_hex(*digest);
  }
  done.length = done.size;
  done.state = FileState::complete;
  return give_final_name(entry, std::move(done));
}

FLUX_DECL Result<RawFile> DiskFiles::sync_bytes(const Entry& entry) {
  const std::uint64_t size = entry.info.size;
  std::error_code error;
  RawFile file(path_of(entry), size == 0 ? RawFile::Mode::create : RawFile::Mode::write, error);
  const std::uint64_t on_disk = error ? 0 : file.size(error);
  if (!error && on_disk < size) {
    return detail::lost_bytes("an upload", file, size);
  }
  if (!error && on_disk > size) file.truncate(size, error);
  if (!error) file.sync(error);
  if (error) return disk_error("sync the bytes of an upload", error);
  return file;
}

FLUX_DECL Result<std::string> DiskFiles::sha256_of(Entry& entry, const RawFile& file) {
  const std::uint64_t size = entry.info.size;
  if (entry.digest) {
    auto digest = entry.digest->finish();
    entry.digest.reset();
    return digest;
  }
  auto digest = core::Digest::begin(core::DigestKind::sha256);
  if (!digest) return digest.error();
  std::string piece;
  for (std::uint64_t offset = 0; offset < size; offset += piece.size()) {
    piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(detail::digest_piece_bytes, size - offset)));
    std::error_code error;
    const std::size_t read = file.read(offset, piece, error);
    if (error) return disk_error("read the bytes of an upload", error);
    if (read < piece.size()) return detail::lost_bytes("an upload", file, size);
    digest->update(piece);
  }
  return digest->finish();
}

FLUX_DECL Result<void> DiskFiles::give_final_name(Entry& entry, FileInfo done) {
  const std::string part_name = path(done.id + ".part");
  const std::string final_name = path(done.id);
  std::error_code error;
  if (!entry.has_final_name) rename_file(part_name, final_name, error);
  if (!error) {
    entry.has_final_name = true;
    sync_folder(folder_, error);
  }
  Result<void> stored = error ? disk_error("give an upload its final name", error) : store(entry, std::move(done));
  if (!stored && entry.has_final_name) {
    // It remains an upload, which can continue in this process and the next.
    rename_file(final_name, part_name, error);
    entry.has_final_name = static_cast<bool>(error);
  }
  return stored;
}

// --- Reading ---

FLUX_DECL Result<FileInfo> DiskFiles::info(const FileId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.info.state == FileState::deleted) return detail::no_such_file();
  return found->second.info;
}

FLUX_DECL Result<std::vector<FileInfo>> DiskFiles::list() {
  std::vector<FileInfo> files;
  const std::lock_guard lock(mutex_);
  files.reserve(entries_.size());
  for (const auto& [id, entry] : entries_) {
    if (entry.info.state != FileState::deleted) files.push_back(entry.info);
  }
  return files;
}

FLUX_DECL Result<FilesPage> DiskFiles::page(const FileQuery& query) {
  auto pager = FilePager::make(query);
  if (!pager) return pager.error();
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) pager->add(entry.info);
  return pager->take();
}

FLUX_DECL Result<std::size_t> DiskFiles::read(const FileId& id, std::uint64_t offset, std::span<char> into) {
  const auto file = info(id);
  if (!file) return file.error();
  if (file->state != FileState::complete) return detail::not_complete();
  if (offset >= file->size) return std::size_t{0};
  into = into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), file->size - offset)));
  std::error_code error;
  const RawFile bytes(path(id), RawFile::Mode::read, error);
  if (error == std::errc::no_such_file_or_directory) return detail::no_such_file();
  const std::size_t done = error ? 0 : bytes.read(offset, into, error);
  if (error) return disk_error("read the bytes of a file", error);
  if (done < into.size()) {
    return detail::lost_bytes("the file", bytes, file->size);
  }
  return done;
}

FLUX_DECL Result<void> DiskFiles::mark_shared(const FileId& id) {
  auto held = hold(id);
  if (!held) return held.error();
  if ((*held)->info.shared) return {};
  FileInfo changed = (*held)->info;
  changed.shared = true;
  return store(**held, std::move(changed));
}

// --- Removing ---

FLUX_DECL Result<void> DiskFiles::mark_deleted(const FileId& id) {
  auto held = hold(id);
  if (!held) return held.error();
  if ((*held)->info.state != FileState::complete) return detail::not_complete();
  FileInfo changed = (*held)->info;
  changed.state = FileState::deleted;
  if (auto stored = store(**held, std::move(changed)); !stored) return stored;
  const std::lock_guard lock(mutex_);
  usage_.release_of_owner((*held)->info.owner, 1, (*held)->info.size);
  return {};
}

FLUX_DECL Result<void> DiskFiles::remove(const FileId& id) {
  return hold(id).and_then([&](Held held) { return erase(std::move(held)); });
}

/// The row is deleted first: a file without a row is an orphan, but a row without its file would be wrong.
FLUX_DECL Result<void> DiskFiles::erase(Held held) {
  const FileId id = held->info.id;
  const auto erase_row = [&] { return in_index([&](FileIndex& index) { return index.erase(id); }); };
  Result<void> erased = erase_row();
  // A full disk may have no space to record it. The bytes of an upload can go first: its row does not say how many exist.
  if (!erased && erased.error().code() == Errc::quota_exceeded && drop_part(*held)) erased = erase_row();
  if (!erased) return erased;
  std::error_code left_to_sweep;
  remove_bytes(id, left_to_sweep);
  forget(std::move(held));
  return {};
}

/// Deletes the bytes of an upload. Returns whether there were any.
FLUX_DECL bool DiskFiles::drop_part(Entry& entry) {
  if (entry.info.state != FileState::uploading || entry.has_final_name) return false;
  std::error_code error;
  if (!remove_file(path_of(entry), error)) return false;
  entry.digest.reset();
  const std::lock_guard lock(mutex_);
  if (!entry.info.length) usage_.release(entry.info.owner, 0, entry.info.size);
  entry.info.size = 0;
  return true;
}

FLUX_DECL Result<FileCleanup> DiskFiles::cleanup_deleted() {
  const auto is_deleted = [](const FileInfo& file) { return file.state == FileState::deleted; };
  FileCleanup cleanup;
  for (const FileId& id : ids_where(is_deleted)) {
    Held held = hold_if(id, is_deleted);
    if (!held) continue;  // another call uses it
    // The row is no longer visible, but the next cleanup finds the bytes by it: here it is deleted last.
    std::error_code error;
    remove_bytes(id, error);
    const bool gone = !error && in_index([&](FileIndex& index) { return index.erase(id); });
    (gone ? cleanup.deleted : cleanup.failed).push_back(id);
    if (gone) forget(std::move(held));
  }
  return cleanup;
}

FLUX_DECL Result<FileSweep> DiskFiles::sweep(std::int64_t idle_since) {
  const auto is_idle = [idle_since](const FileInfo& file) {
    return file.state == FileState::uploading && std::max(file.created_at, file.modified_at) < idle_since;
  };
  FileSweep sweep;
  for (const FileId& id : ids_where(is_idle)) {
    Held held = hold_if(id, is_idle);
    if (held && erase(std::move(held))) sweep.expired.push_back(id);
  }
  std::error_code error;
  const auto on_disk = names_on_disk(error);
  if (error) return disk_error("read the folder of the files", error);
  for (const auto& [id, names] : on_disk) {
    // Bytes are written after their row, and ids are new: a file without a row now will never have one.
    if (!knows(id) && remove_bytes(id, error)) ++sweep.orphans;
  }
  return sweep;
}

/// Under either name. Returns whether there was a file.
FLUX_DECL bool DiskFiles::remove_bytes(const FileId& id, std::error_code& error) {
  const bool had_final = remove_file(path(id), error);
  if (error) return false;
  const bool had_part = remove_file(path(id + ".part"), error);
  return had_final || had_part;
}

// --- Entries ---

FLUX_DECL bool DiskFiles::knows(const FileId& id) {
  const std::lock_guard lock(mutex_);
  return entries_.contains(id);
}

FLUX_DECL Result<DiskFiles::Held> DiskFiles::hold(const FileId& id) {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto found = entries_.find(id);
    if (found == entries_.end() || found->second.info.state == FileState::deleted) return detail::no_such_file();
    if (!found->second.busy) {
      found->second.busy = true;
      return Held(&found->second, LetGo{this});
    }
    let_go_.wait(lock);
  }
}

template <class Wanted>
std::vector<FileId> DiskFiles::ids_where(Wanted wanted) {
  std::vector<FileId> ids;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, entry] : entries_) {
    if (!entry.busy && wanted(entry.info)) ids.push_back(id);
  }
  return ids;
}

/// Returns null if it was removed, is busy or no longer wanted.
template <class Wanted>
DiskFiles::Held DiskFiles::hold_if(const FileId& id, Wanted wanted) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.busy || !wanted(found->second.info)) return Held(nullptr, LetGo{this});
  found->second.busy = true;
  return Held(&found->second, LetGo{this});
}

FLUX_DECL void DiskFiles::let_go(Entry& entry) noexcept {
  {
    const std::lock_guard lock(mutex_);
    entry.busy = false;
  }
  let_go_.notify_all();
}

FLUX_DECL void DiskFiles::forget(Held held) {
  const Entry* entry = held.release();
  {
    const std::lock_guard lock(mutex_);
    const FileInfo& file = entry->info;
    const std::uint64_t bytes = detail::bytes_for(file);
    if (file.state != FileState::deleted) usage_.release_of_owner(file.owner, 1, bytes);
    usage_.release_of_store(1, bytes);
    entries_.erase(FileId(file.id));
  }
  let_go_.notify_all();
}

/// Saves the changed metadata of a file. After an error nothing has changed.
FLUX_DECL Result<void> DiskFiles::store(Entry& entry, FileInfo changed) {
  if (auto saved = in_index([&](FileIndex& index) { return index.save(changed); }); !saved) return saved;
  const std::lock_guard lock(mutex_);
  entry.info = std::move(changed);
  return {};
}

FLUX_DECL Result<void> DiskFiles::reserve(const std::string& owner, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  return usage_.reserve(owner, 0, bytes);
}

FLUX_DECL void DiskFiles::release(const std::string& owner, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  usage_.release(owner, 0, bytes);
}

template <class Call>
Result<void> DiskFiles::in_index(Call call) {
  try {
    return call(*index_);
  } catch (const std::exception& failure) {
    return Error(Errc::store_failed, std::string("the file index failed: ") + failure.what());
  } catch (...) {
    return Error(Errc::store_failed, "the file index failed");
  }
}

FLUX_DECL std::string DiskFiles::path_of(const Entry& entry) const {
  return path(entry.has_final_name ? entry.info.id : entry.info.id + ".part");
}

}  // namespace flux::storage
