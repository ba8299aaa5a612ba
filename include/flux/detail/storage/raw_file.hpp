// Files of the operating system, as stores use them: bytes at an offset, errors as values, on disk for good when asked.
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

/// An open file; closed with the object. Each call sets `error`, and clears it where all went well.
/// Threading: reads may overlap; nothing else.
class RawFile {
 public:
  enum class Mode : std::uint8_t {
    read,
    write,   ///< read, too
    create,  ///< the same, and makes the file where it is not there
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
  /// When it was written to last, in milliseconds since 1970.
  std::int64_t modified_at(std::error_code& error) const;
  /// Reads from `offset` on until `into` is full or the file ends; returns how many bytes.
  std::size_t read(std::uint64_t offset, std::span<char> into, std::error_code& error) const;
  /// Writes all of `bytes`. After an error some of them may be there.
  void write(std::uint64_t offset, std::string_view bytes, std::error_code& error);
  void truncate(std::uint64_t size, std::error_code& error);
  /// Has the system begin to bring these bytes to disk, so that a later `sync` has less to wait for. Where it can't be
  /// told to, nothing happens.
  void begin_sync(std::uint64_t offset, std::uint64_t size) noexcept;
  /// Returns when what was written, and the size, survive a loss of power.
  void sync(std::error_code& error);
  /// Takes the lock of the file, which ends with this object and with the process. Fails at once with
  /// resource_unavailable_try_again where another has it.
  void lock(std::error_code& error);

 private:
  int handle_ = -1;
};

/// Takes the place of what `to` was.
void rename_file(const std::string& from, const std::string& to, std::error_code& error);
/// Not there: no error, and false.
bool remove_file(const std::string& path, std::error_code& error);
/// Returns when the names of the folder survive a loss of power.
void sync_folder(const std::string& path, std::error_code& error);

/// Names the time since the machine was started: another name, another start. Empty where the system has none.
std::string boot_name();

/// "can't write the index: No space left on device": quota_exceeded where the disk or its user's share of it is full,
/// else store_failed. `what` names no path: clients may read it.
Error disk_error(const std::string& what, const std::error_code& error);

}  // namespace flux::storage

#if defined(FLUX_HEADER_ONLY)
#include <flux/detail/storage/raw_file.ipp>
#endif
