#pragma once

#include <flux/detail/storage/raw_file.hpp>

#if !defined(_WIN32)
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#endif

#include <cerrno>

namespace flux::storage {

#if defined(_WIN32)

namespace detail {
inline void not_supported(std::error_code& error) { error = std::make_error_code(std::errc::function_not_supported); }
}  // namespace detail

FLUX_DECL RawFile::RawFile(const std::string&, Mode, std::error_code& error) { detail::not_supported(error); }
FLUX_DECL RawFile::~RawFile() = default;
FLUX_DECL std::uint64_t RawFile::size(std::error_code& error) const { return detail::not_supported(error), 0; }
FLUX_DECL std::int64_t RawFile::modified_at(std::error_code& error) const { return detail::not_supported(error), 0; }
FLUX_DECL std::size_t RawFile::read(std::uint64_t, std::span<char>, std::error_code& error) const {
  return detail::not_supported(error), 0;
}
FLUX_DECL void RawFile::write(std::uint64_t, std::string_view, std::error_code& error) { detail::not_supported(error); }
FLUX_DECL void RawFile::truncate(std::uint64_t, std::error_code& error) { detail::not_supported(error); }
FLUX_DECL void RawFile::begin_sync(std::uint64_t, std::uint64_t) noexcept {}
FLUX_DECL void RawFile::sync(std::error_code& error) { detail::not_supported(error); }
FLUX_DECL void RawFile::lock(std::error_code& error) { detail::not_supported(error); }
FLUX_DECL void rename_file(const std::string&, const std::string&, std::error_code& error) {
  detail::not_supported(error);
}
FLUX_DECL bool remove_file(const std::string&, std::error_code& error) { return detail::not_supported(error), false; }
FLUX_DECL void sync_folder(const std::string&, std::error_code& error) { detail::not_supported(error); }
FLUX_DECL std::string boot_name() { return {}; }

#else

namespace detail {

/// Repeats `call` while a signal interrupts it. Returns -1 with `error`.
template <class Call>
auto uninterrupted(std::error_code& error, Call call) {
  error.clear();
  for (;;) {
    const auto result = call();
    if (result >= 0) return result;
    if (errno == EINTR) continue;
    error.assign(errno, std::generic_category());
    return result;
  }
}

inline void sync_handle(int handle, std::error_code& error) {
#if defined(__APPLE__)
  // On macOS fsync leaves the bytes in the drive's cache. Not every file system supports the other call.
  uninterrupted(error, [&] { return ::fcntl(handle, F_FULLFSYNC); });
  if (error) uninterrupted(error, [&] { return ::fsync(handle); });
#else
  uninterrupted(error, [&] { return ::fdatasync(handle); });
#endif
}

}  // namespace detail

FLUX_DECL RawFile::RawFile(const std::string& path, Mode mode, std::error_code& error) {
  int flags = O_CLOEXEC | O_NOFOLLOW | (mode == Mode::read ? O_RDONLY : O_RDWR);
  if (mode == Mode::create) flags |= O_CREAT;
  handle_ = detail::uninterrupted(error, [&] { return ::open(path.c_str(), flags, 0600); });
}

FLUX_DECL RawFile::~RawFile() {
  if (is_open()) ::close(handle_);
}

FLUX_DECL std::uint64_t RawFile::size(std::error_code& error) const {
  struct ::stat status = {};
  detail::uninterrupted(error, [&] { return ::fstat(handle_, &status); });
  return static_cast<std::uint64_t>(status.st_size);
}

FLUX_DECL std::int64_t RawFile::modified_at(std::error_code& error) const {
  struct ::stat status = {};
  detail::uninterrupted(error, [&] { return ::fstat(handle_, &status); });
#if defined(__APPLE__)
  const ::timespec& modified = status.st_mtimespec;
#else
  const ::timespec& modified = status.st_mtim;
#endif
  return std::int64_t{modified.tv_sec} * 1000 + modified.tv_nsec / 1'000'000;
}

FLUX_DECL std::size_t RawFile::read(std::uint64_t offset, std::span<char> into, std::error_code& error) const {
  std::size_t done = 0;
  error.clear();
  while (done < into.size()) {
    const auto bytes = detail::uninterrupted(error, [&] {
      return ::pread(handle_, into.data() + done, into.size() - done, static_cast<::off_t>(offset + done));
    });
    if (bytes <= 0) break;
    done += static_cast<std::size_t>(bytes);
  }
  return done;
}

FLUX_DECL void RawFile::write(std::uint64_t offset, std::string_view bytes, std::error_code& error) {
  error.clear();
  while (!bytes.empty()) {
    const auto done = detail::uninterrupted(
        error, [&] { return ::pwrite(handle_, bytes.data(), bytes.size(), static_cast<::off_t>(offset)); });
    if (error) return;
    // A write of 0 bytes has no temporary cause on any system.
    if (done == 0) return error.assign(ENOSPC, std::generic_category());
    bytes.remove_prefix(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
}

FLUX_DECL void RawFile::truncate(std::uint64_t size, std::error_code& error) {
  detail::uninterrupted(error, [&] { return ::ftruncate(handle_, static_cast<::off_t>(size)); });
}

FLUX_DECL void RawFile::begin_sync([[maybe_unused]] std::uint64_t offset,
                                   [[maybe_unused]] std::uint64_t size) noexcept {
#if defined(SYNC_FILE_RANGE_WRITE)
  ::sync_file_range(handle_, static_cast<::off_t>(offset), static_cast<::off_t>(size), SYNC_FILE_RANGE_WRITE);
#endif
}

FLUX_DECL void RawFile::sync(std::error_code& error) { detail::sync_handle(handle_, error); }

FLUX_DECL void RawFile::lock(std::error_code& error) {
  detail::uninterrupted(error, [&] { return ::flock(handle_, LOCK_EX | LOCK_NB); });
}

FLUX_DECL void rename_file(const std::string& from, const std::string& to, std::error_code& error) {
  detail::uninterrupted(error, [&] { return std::rename(from.c_str(), to.c_str()); });
}

FLUX_DECL bool remove_file(const std::string& path, std::error_code& error) {
  detail::uninterrupted(error, [&] { return ::unlink(path.c_str()); });
  if (error == std::errc::no_such_file_or_directory) return error.clear(), false;
  return !error;
}

FLUX_DECL void sync_folder(const std::string& path, std::error_code& error) {
  const int handle =
      detail::uninterrupted(error, [&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
  if (error) return;
  detail::uninterrupted(error, [&] { return ::fsync(handle); });
  ::close(handle);
}

FLUX_DECL std::string boot_name() {
  std::error_code error;
  const RawFile system("/proc/sys/kernel/random/boot_id", RawFile::Mode::read, error);  // Linux
  std::string name(36, '\0');
  if (!error) name.resize(system.read(0, name, error));
  return error ? std::string() : name;
}

#endif

namespace detail {

/// Whether the disk is full, or the quota of this process's user is used up.
inline bool is_full(const std::error_code& error) noexcept {
#if defined(EDQUOT)
  if (error == std::error_code(EDQUOT, std::generic_category())) return true;
#endif
  return error == std::errc::no_space_on_device;
}

}  // namespace detail

FLUX_DECL Error disk_error(const std::string& what, const std::error_code& error) {
  return Error(detail::is_full(error) ? Errc::quota_exceeded : Errc::store_failed,
               "can't " + what + ": " + error.message());
}

}  // namespace flux::storage
