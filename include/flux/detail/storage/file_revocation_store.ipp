#pragma once

#include <flux/detail/mode.hpp>
#include <flux/detail/storage/journal.hpp>
#include <flux/detail/storage/little_endian.hpp>
#include <flux/detail/storage/raw_file.hpp>
#include <flux/storage/file_revocation_store.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace flux {

namespace storage::detail {

inline constexpr char revocation_saved =
    1;  // content: kind (1 byte), until (8 bytes), size of the name (4), name, reason
inline constexpr char revocation_removed = 2;  // content: kind (1 byte), name

inline JournalOptions revocation_journal_options() {
  JournalOptions options;
  options.name = "fluxrev1";
  options.subject = "file of revocations";
  options.refuse_damaged_end = true;
  return options;
}

inline std::string revocation_row(const Revocation& revocation) {
  std::string row(1, static_cast<char>(revocation.kind));
  append_u64(row, static_cast<std::uint64_t>(revocation.until));
  append_u32(row, static_cast<std::uint32_t>(revocation.name.size()));
  return row + revocation.name + revocation.reason;
}

inline std::optional<RevocationKind> read_revocation_kind(std::string_view content) {
  if (content.empty() ||
      static_cast<unsigned char>(content[0]) > static_cast<unsigned char>(RevocationKind::credential)) {
    return std::nullopt;
  }
  return static_cast<RevocationKind>(content[0]);
}

inline std::optional<Revocation> read_revocation_row(std::string_view row) {
  constexpr std::size_t head_bytes = 13;
  const auto kind = read_revocation_kind(row);
  if (!kind || row.size() < head_bytes) return std::nullopt;
  const std::size_t name_bytes = read_u32(row.substr(9));
  const std::string_view rest = row.substr(head_bytes);
  if (name_bytes > rest.size()) return std::nullopt;
  return Revocation{*kind, std::string(rest.substr(0, name_bytes)), static_cast<std::int64_t>(read_u64(row.substr(1))),
                    std::string(rest.substr(name_bytes))};
}

}  // namespace storage::detail

/// The rows in memory, and their journal.
class FileRevocationStore::Log final : private storage::JournalState {
 public:
  explicit Log(std::string path)
      : path_(std::move(path)), journal_(path_, *this, storage::detail::revocation_journal_options()) {}

  Result<std::vector<Revocation>> load() {
    if (auto locked = lock(); !locked) return locked.error();
    if (auto opened = journal_.open(); !opened) return opened.error();
    std::vector<Revocation> rows;
    rows.reserve(rows_.size());
    for (const auto& [key, row] : rows_) rows.push_back(row);
    return rows;
  }
  std::string load_warning() const {
    if (journal_.cut_bytes() == 0) return {};
    return "the file of revocations \"" + path_ + "\": its last " + std::to_string(journal_.cut_bytes()) +
           " bytes were removed, a record whose write was interrupted by a crash; if a revocation is missing, repeat "
           "it";
  }
  Result<void> save(const Revocation& revocation) {
    return journal_.append(storage::detail::revocation_saved, storage::detail::revocation_row(revocation));
  }
  Result<void> remove(RevocationKind kind, const std::string& name) {
    if (!rows_.contains({kind, name})) return {};
    return journal_.append(storage::detail::revocation_removed, std::string(1, static_cast<char>(kind)) + name);
  }

 private:
  using Key = std::pair<RevocationKind, std::string>;
  static std::uint64_t bytes_of(const Revocation& row) {
    constexpr std::size_t around = 5 + 13;  // the journal's and the row's heads
    return around + row.name.size() + row.reason.size();
  }

  Result<void> lock() {
    std::error_code error;
    lock_ = storage::RawFile(path_ + ".lock", storage::RawFile::Mode::create, error);
    if (!error) lock_.lock(error);
    if (error == std::errc::resource_unavailable_try_again) {
      return Error(Errc::store_failed, "the file of revocations is in use: each process needs one of its own");
    }
    if (error) {
      const Error reason = storage::disk_error("lock it", error);
      return Error(reason.code(), "the file of revocations \"" + path_ + "\": " + reason.message());
    }
    return {};
  }

  Result<void> apply(const storage::JournalRecord& record) override {
    using namespace storage::detail;
    const auto kind = read_revocation_kind(record.content);
    auto row = record.kind == revocation_saved ? read_revocation_row(record.content) : std::nullopt;
    if (row) {
      forget({row->kind, row->name});
      live_bytes_ += bytes_of(*row);
      Key key{row->kind, row->name};
      rows_.emplace(std::move(key), std::move(*row));
      return {};
    }
    if (record.kind == revocation_removed && kind) {
      forget({*kind, std::string(record.content.substr(1))});
      return {};
    }
    return Error(Errc::store_failed,
                 "the file of revocations holds at byte " + std::to_string(record.place.offset) +
                     " data that this version of flux does not know: was it written by a newer one?");
  }
  void forget(const Key& key) {
    const auto found = rows_.find(key);
    if (found == rows_.end()) return;
    live_bytes_ -= bytes_of(found->second);
    rows_.erase(found);
  }
  std::uint64_t live_bytes() const override { return live_bytes_; }
  Result<void> write_live(storage::JournalSnapshot& to) override {
    for (const auto& [key, row] : rows_) {
      to.add(storage::detail::revocation_saved, storage::detail::revocation_row(row));
    }
    return {};
  }

  const std::string path_;
  storage::RawFile lock_;
  storage::Journal journal_;
  std::map<Key, Revocation> rows_;
  std::uint64_t live_bytes_ = 0;
};

FLUX_DECL FileRevocationStore::FileRevocationStore(std::string path) : log_(std::make_unique<Log>(std::move(path))) {}
FLUX_DECL FileRevocationStore::~FileRevocationStore() = default;
FLUX_DECL Result<std::vector<Revocation>> FileRevocationStore::load() { return log_->load(); }
FLUX_DECL Result<void> FileRevocationStore::save(const Revocation& revocation) { return log_->save(revocation); }
FLUX_DECL std::string FileRevocationStore::load_warning() const { return log_->load_warning(); }
FLUX_DECL Result<void> FileRevocationStore::remove(RevocationKind kind, const std::string& name) {
  return log_->remove(kind, name);
}

}  // namespace flux
