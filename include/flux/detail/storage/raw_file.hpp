// Files of the operating system, as stores use them: access by offset, errors as values, durable on request.
//
// Paths are UTF-8. POSIX systems only so far: elsewhere every call fails with function_not_supported.
#pragma once

#include <flux/error.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace flux::storage {

/// An open file; closed by its destructor. Each call sets `error`, and clears it on success.
/// Threading: only reads may overlap.
class RawFile {
 public:
  enum class Mode : std::uint8_t {
    read,
    write,   ///< and read
    create,  ///< the same; creates the file if it does not exist
  };

  RawFile() = default;
  RawFile(const std::string& path, Mode mode, std::error_code& error);
  RawFile(RawFile&& other) noexcept : handle_(std::exchange(other.handle_, -1)) {}
  RawFile& operator=(RawFile&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~RawFile();

  bool is_open() const noexcept { return handle_ >= 0; }
  std::uint64_t size(std::error_code& error) const;
  /// The time of the last write, in milliseconds since 1970.
  std::int64_t modified_at(std::error_code& error) const;
  /// Reads from `offset` until `into` is full or the file ends; returns the number of bytes.
  std::size_t read(std::uint64_t offset, std::span<char> into, std::error_code& error) const;
  /// Writes all of `bytes`. After an error, some of them may have been written.
  void write(std::uint64_t offset, std::string_view bytes, std::error_code& error);
  void truncate(std::uint64_t size, std::error_code& error);
  /// Makes the system start to write these bytes to disk, so that a later `sync` waits less. Does nothing on systems that
  /// can't.
  void begin_sync(std::uint64_t offset, std::uint64_t size) noexcept;
  /// Returns when the content and the size would survive a loss of power.
  void sync(std::error_code& error);
  /// Locks the file until this object is destroyed or the process ends. Fails at once with
  /// resource_unavailable_try_again if it is locked.
  void lock(std::error_code& error);

 private:
  int handle_ = -1;
};

/// Replaces `to` if it exists.
void rename_file(const std::string& from, const std::string& to, std::error_code& error);
/// Returns false, without an error, if there is no such file.
bool remove_file(const std::string& path, std::error_code& error);
/// Returns when the names in the folder would survive a loss of power.
void sync_folder(const std::string& path, std::error_code& error);

/// Identifies the present boot of the machine; each boot has another name. Empty if the system has none.
std::string boot_name();

/// "can't write the index: No space left on device": quota_exceeded if the disk or its user's share of it is full, else
/// store_failed. `what` must name no path, because clients may read it.
Error disk_error(const std::string& what, const std::error_code& error);

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/raw_file.ipp>
#endif
