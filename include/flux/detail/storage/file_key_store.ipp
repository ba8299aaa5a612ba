#pragma once

#include <flux/detail/storage/key_file.hpp>
#include <flux/detail/storage/raw_file.hpp>
#include <flux/storage/key_store.hpp>

#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

namespace flux {

namespace file_key_store_detail {

/// How long a change waits for another process to finish its own, which takes some milliseconds.
inline constexpr std::chrono::seconds lock_patience{5};
inline constexpr std::chrono::milliseconds lock_pause{5};

/// The file that `path` is a link to, or `path` itself. A link may be changed at any time, to replace several files at
/// once.
inline std::string target_of(const std::string& path) {
  std::error_code error;
  const auto target = std::filesystem::canonical(std::filesystem::path(path), error);
  return error ? path : target.string();
}

/// Errors: store_failed.
inline Result<void> check_mode(const std::string& path) {
  std::error_code error;
  const auto mode = std::filesystem::status(std::filesystem::path(path), error).permissions();
  // Without the file there are no permissions; opening it reports that.
  if (error || mode == std::filesystem::perms::unknown) return {};
  if ((mode & std::filesystem::perms::others_write) == std::filesystem::perms::none) return {};
  return Error(Errc::store_failed,
               "the file of keys \"" + path + "\" may be written by every user of the machine; run chmod 600 on it");
}

/// Locks the file until the result is destroyed. Errors: store_failed.
inline Result<storage::RawFile> locked(const std::string& path) {
  const auto end = std::chrono::steady_clock::now() + lock_patience;
  std::error_code error;
  storage::RawFile file(path, storage::RawFile::Mode::create, error);
  for (;;) {
    if (!error) file.lock(error);
    if (!error) return file;
    const bool busy = error == std::errc::resource_unavailable_try_again;
    if (!busy || std::chrono::steady_clock::now() >= end) break;
    std::this_thread::sleep_for(lock_pause);
    error.clear();
  }
  const Error reason = storage::disk_error("lock it for a change", error);
  return Error(reason.code(), "the file \"" + path + "\": " + reason.message());
}

}  // namespace file_key_store_detail

FLUX_DECL FileKeyStore::FileKeyStore(std::string path) : path_(std::move(path)) {
  const auto check = [](const Result<void>& result) {
    if (!result) throw Error(Errc::bad_config, result.error().message());
  };
  std::error_code error;
  if (!std::filesystem::exists(std::filesystem::path(path_), error)) {
    check(changed([](storage::KeyFile& file) { return file.create(); }));
  }
  check(load().transform([](const std::vector<ApiKeyRecord>&) {}));
}

FLUX_DECL FileKeyStore::~FileKeyStore() = default;

FLUX_DECL Result<std::vector<ApiKeyRecord>> FileKeyStore::load() {
  const std::string target = file_key_store_detail::target_of(path_);
  return file_key_store_detail::check_mode(target).and_then(
      [&] { return storage::KeyFile(target, storage::system_files()).load(); });
}

FLUX_DECL Result<void> FileKeyStore::put(const ApiKeyRecord& record) {
  if (auto good = check_storable(record); !good) return good;
  return changed([&](storage::KeyFile& file) { return file.put(record); });
}

FLUX_DECL Result<void> FileKeyStore::remove(const std::string& id) {
  return changed([&](storage::KeyFile& file) { return file.remove(id); });
}

template <class Change>
Result<void> FileKeyStore::changed(const Change& change) {
  using namespace file_key_store_detail;
  const std::lock_guard lock(mutex_);
  const std::string target = target_of(path_);
  const auto others = locked(target + ".lock");
  if (!others) return others.error();
  if (auto good = check_mode(target); !good) return good;
  storage::KeyFile file(target, storage::system_files());
  return change(file);
}

}  // namespace flux
